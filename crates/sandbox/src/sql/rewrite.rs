//! Clauses of Databricks that the parser does not know, taken out of a statement before it is parsed.

use sqlparser::ast::{Expr, Query, Value, visit_expressions_mut};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::dialect::Databricks;
use super::error::SqlError;
use super::parse::{TOKENS, word};
use super::session::Session;

/// How an INSERT differs from a plain one.
#[derive(Debug, Default)]
pub(crate) struct Inserting {
    /// Columns go by their names.
    pub(crate) by_name: bool,
    /// What is deleted before, and what all new rows have to fulfill.
    pub(crate) replace_where: Option<Expr>,
}

/// Takes `BY NAME` and `REPLACE WHERE …` out of an INSERT.
pub(crate) fn take_inserting(tokens: &mut Vec<TokenWithSpan>) -> Result<Inserting, SqlError> {
    let mut inserting = Inserting::default();
    let words: Vec<_> = tokens.iter().map(|token| word(&token.token).unwrap_or_default()).collect();
    if words.first().is_none_or(|first| first != "INSERT") {
        return Ok(inserting);
    }
    let is_query = |word: &String| matches!(word.as_str(), "SELECT" | "VALUES" | "WITH" | "TABLE" | "FROM");
    let pair = |first: &str, second: &str| {
        words.windows(2).position(|pair| matches!(pair, [a, b] if a == first && b == second))
    };
    // Beyond the start of the query these words mean something else.
    let query = words.iter().skip(3).position(is_query).map_or(words.len(), |at| at + 3);
    if let Some(at) = pair("REPLACE", "WHERE").filter(|at| *at < query) {
        let condition: Vec<_> = tokens.drain(at..query).skip(2).collect();
        let dialect = Databricks::for_tokens(condition.len());
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(condition);
        let parsed = parser.parse_expr().ok().filter(|_| parser.peek_token_ref().token == Token::EOF);
        inserting.replace_where = Some(parsed.ok_or_else(|| SqlError::unsupported("this condition of REPLACE WHERE"))?);
    }
    if let Some(at) = pair("BY", "NAME").filter(|at| *at < query) {
        tokens.drain(at..at + 2);
        inserting.by_name = true;
    }
    Ok(inserting)
}

/// Characters of a name, at most: a parameter may hold megabytes, and be named again and again.
const LONGEST_NAME: usize = 2_000;

/// Puts the name in the place of `IDENTIFIER('a.b')` and `IDENTIFIER(:parameter)`.
pub(crate) fn with_identifiers(tokens: Vec<TokenWithSpan>, session: &Session) -> Result<Vec<TokenWithSpan>, SqlError> {
    let mut result = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let is_call = word(&first.token).as_deref() == Some("IDENTIFIER")
            && after.first().is_some_and(|next| next.token == Token::LParen);
        if !is_call {
            result.push(first.clone());
            rest = after;
            continue;
        }
        let bound =
            |name: &str| session.parameters.get(name.trim_start_matches(':')).and_then(|(_, value)| value.as_deref());
        let (name, length) = match after.get(1..).unwrap_or_default() {
            [TokenWithSpan { token: Token::SingleQuotedString(name), .. }, close, ..]
                if close.token == Token::RParen =>
            {
                (Some(name.as_str()), 3)
            }
            [TokenWithSpan { token: Token::Placeholder(name), .. }, close, ..] if close.token == Token::RParen => {
                (bound(name), 3)
            }
            [colon, TokenWithSpan { token: Token::Word(name), .. }, close, ..]
                if colon.token == Token::Colon && close.token == Token::RParen =>
            {
                (bound(&name.value), 4)
            }
            _ => return Err(SqlError::unsupported("IDENTIFIER but of a string or a parameter")),
        };
        let Some(name) = name.filter(|name| !name.trim().is_empty()) else {
            return Err(SqlError::unsupported("IDENTIFIER of a parameter that is not bound"));
        };
        if name.len() > LONGEST_NAME {
            return Err(SqlError::unsupported(format!("names of more than {LONGEST_NAME} characters")));
        }
        if result.len() > TOKENS {
            return Err(SqlError::unsupported("statements this large"));
        }
        for (index, part) in name.split('.').enumerate() {
            let part = part.trim().trim_matches('`');
            if index > 0 {
                result.push(TokenWithSpan { token: Token::Period, span: first.span });
            }
            result.push(TokenWithSpan { token: Token::make_word(part, Some('`')), span: first.span });
        }
        rest = after.get(length..).unwrap_or_default();
    }
    Ok(result)
}

/// The text of a query, which reads the same when it is parsed again: a backslash of a string stands twice.
pub(crate) fn text_of(query: &Query) -> String {
    let mut query = query.clone();
    let _ = visit_expressions_mut(&mut query, |expr| {
        if let Expr::Value(value) = expr
            && let Value::SingleQuotedString(text) = &mut value.value
        {
            *text = text.replace('\\', "\\\\");
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    query.to_string()
}
