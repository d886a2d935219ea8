//! From statement text to the parser's tree, with syntax errors as Databricks words them.

use std::collections::BTreeMap;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Statement};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::dialect::Databricks;
use super::error::SqlError;
use super::quotes;

/// Bytes of a statement, at most: each may become a token, which takes a hundred bytes.
const BYTES: usize = 4 * 1024 * 1024;
/// Tokens of a statement, at most.
pub(crate) const TOKENS: usize = 100_000;
/// Tokens between two commas on one level of parentheses, at most. The parser reads `1 + 1 + …`, `x IS NULL IS NULL …`
/// and other chains in a loop, so it does not guard against them, but each step nests the tree of the statement
/// one level deeper. All code that walks, copies or drops the tree recurses as deep.
const CHAIN: usize = 4_000;
/// UNION, INTERSECT and EXCEPT in a statement, at most: they chain across commas.
const SET_OPERATIONS: usize = 400;
/// DIV in a statement, at most: the parser copies what stands before each.
const INTEGER_DIVISIONS: usize = 200;
/// ARRAY, MAP and STRUCT types in a statement, at most.
const NESTED_TYPES: usize = 100;

/// The significant tokens of a statement, without a final semicolon.
pub(crate) fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    if sql.len() > BYTES {
        return Err(SqlError::unsupported("statements this large"));
    }
    let tokens = Tokenizer::new(&Databricks::default(), sql).tokenize_with_location().map_err(|error| {
        let near = sql.lines().nth(usize::try_from(error.location.line).unwrap_or(1).saturating_sub(1));
        let column = usize::try_from(error.location.column).unwrap_or(1).saturating_sub(1);
        let near = near.map(|line| line.chars().skip(column).take(1).collect::<String>()).unwrap_or_default();
        SqlError::syntax(&near, usize::try_from(error.location.line).unwrap_or(1), column, sql)
    })?;
    let mut tokens: Vec<_> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect();
    while matches!(tokens.last(), Some(last) if last.token == Token::SemiColon) {
        tokens.pop();
    }
    check_size(&tokens)?;
    Ok(quotes::whole(tokens, sql))
}

/// The parser guards itself against nested expressions and queries, but not against nested types or long chains.
fn check_size(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let nested = |pair: &&[TokenWithSpan]| matches!(pair, [a, b] if b.token == Token::Lt && matches!(word(&a.token).as_deref(), Some("ARRAY" | "MAP" | "STRUCT")));
    if tokens.len() > TOKENS || tokens.windows(2).filter(nested).count() > NESTED_TYPES {
        return Err(SqlError::unsupported("statements this large"));
    }
    let combines = |token: &&TokenWithSpan| {
        matches!(word(&token.token).as_deref(), Some("UNION" | "INTERSECT" | "EXCEPT" | "MINUS"))
    };
    let divides = |token: &&TokenWithSpan| word(&token.token).as_deref() == Some("DIV");
    if longest_chain(tokens) > CHAIN
        || tokens.iter().filter(combines).count() > SET_OPERATIONS
        || tokens.iter().filter(divides).count() > INTEGER_DIVISIONS
    {
        return Err(SqlError::unsupported("chains of operators this long"));
    }
    Ok(())
}

/// The most tokens between two commas on one level of parentheses.
fn longest_chain(tokens: &[TokenWithSpan]) -> usize {
    let (mut longest, mut chain, mut outer) = (0, 0, Vec::new());
    for token in tokens {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => outer.push(std::mem::take(&mut chain)),
            Token::RParen | Token::RBracket | Token::RBrace => chain = outer.pop().unwrap_or_default() + 1,
            Token::Comma => chain = 0,
            _ => chain += 1,
        }
        longest = longest.max(chain);
    }
    longest
}

/// Parses exactly one statement.
pub(crate) fn statement(sql: &str, tokens: Vec<TokenWithSpan>) -> Result<Statement, SqlError> {
    let gap = gap(&tokens);
    let tokens = with_array_exists(without_delta(tokens));
    let dialect = Databricks::for_tokens(tokens.len());
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let unparsed = |error| gap.clone().unwrap_or(error);
    let statement = parser.parse_statement().map_err(|error| unparsed(syntax(&error, sql)))?;
    let next = parser.next_token();
    match next.token {
        Token::EOF => Ok(statement),
        token => {
            let line = usize::try_from(next.span.start.line).unwrap_or(1);
            let column = usize::try_from(next.span.start.column).unwrap_or(1).saturating_sub(1);
            Err(unparsed(SqlError::syntax(&token.to_string(), line, column, sql)))
        }
    }
}

/// First words of statements that Databricks has and the sandbox does not.
const FOREIGN: [&str; 27] = [
    "ALTER", "ANALYZE", "BEGIN", "CACHE", "CALL", "CLEAR", "COPY", "DECLARE", "DENY", "EXECUTE", "FROM", "FSCK", "GET",
    "LIST", "MERGE", "MSCK", "OPTIMIZE", "PUT", "REFRESH", "REMOVE", "REORG", "RESET", "RESTORE", "SET", "TABLE",
    "UNDROP", "VACUUM",
];

/// Words within queries that Databricks has and the parser does not.
const UNKNOWN: [&str; 4] = ["CLONE", "CLUSTER", "LATERAL", "MATCH_RECOGNIZE"];

/// What to say when the parser fails over something that is correct in Databricks.
fn gap(tokens: &[TokenWithSpan]) -> Option<SqlError> {
    let words: Vec<_> = tokens.iter().filter_map(|token| word(&token.token)).collect();
    let first = words.first()?;
    if FOREIGN.contains(&first.as_str()) {
        return Some(SqlError::unsupported(format!("the statement {first}")));
    }
    if tokens.iter().any(|token| token.token == Token::AtSign) {
        return Some(SqlError::unsupported("`@` after a table; write VERSION AS OF"));
    }
    let unknown = UNKNOWN.iter().find(|unknown| words.iter().any(|word| word == *unknown))?;
    Some(SqlError::unsupported(format!("`{unknown}` here")))
}

/// Drops `USING DELTA`, the format every table here has, which the parser does not know.
fn without_delta(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if tokens.first().and_then(|token| word(&token.token)).as_deref() != Some("CREATE") {
        return tokens;
    }
    let mut kept = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let delta = |next: &TokenWithSpan| word(&next.token).as_deref() == Some("DELTA");
        if matches!(&token.token, Token::Word(word) if word.keyword == Keyword::USING)
            && tokens.next_if(delta).is_some()
        {
            continue;
        }
        kept.push(token);
    }
    kept
}

/// Calls `exists(array, x -> …)` by a name of its own, as the parser expects a query after EXISTS.
fn with_array_exists(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    for index in 0..tokens.len() {
        let found = matches!(tokens.get(index..index + 3), Some([a, b, c])
            if word(&a.token).as_deref() == Some("EXISTS")
                && b.token == Token::LParen
                && c.token != Token::LParen
                && !matches!(word(&c.token).as_deref(), Some("SELECT" | "WITH" | "VALUES" | "FROM" | "TABLE")));
        if found && let Some(token) = tokens.get_mut(index) {
            token.token = Token::make_word("any_match", None);
        }
    }
    tokens
}

/// Takes `COMMENT '…'` out of a CREATE VIEW, where the parser does not know it.
pub(crate) fn take_view_comment(tokens: &mut Vec<TokenWithSpan>) -> Option<String> {
    let words: Vec<_> = tokens.iter().map(|token| word(&token.token).unwrap_or_default()).collect();
    let view = words.first().is_some_and(|first| first == "CREATE") && words.iter().take(4).any(|word| word == "VIEW");
    let mut depth = 0;
    let head = tokens.iter().zip(&words).position(|(token, word)| {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0 && (word == "COMMENT" || word == "AS")
    })?;
    let text = match &tokens.get(head + 1)?.token {
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => text.clone(),
        _ => return None,
    };
    if !view || words.get(head).is_none_or(|word| word != "COMMENT") {
        return None;
    }
    tokens.drain(head..head + 2);
    Some(text)
}

/// Takes `TBLPROPERTIES ('a' = 'b')` out of a CREATE, where the parser knows it in some places only.
pub(crate) fn take_properties(tokens: &mut Vec<TokenWithSpan>) -> Result<BTreeMap<String, String>, SqlError> {
    let mut properties = BTreeMap::new();
    if tokens.first().and_then(|token| word(&token.token)).as_deref() != Some("CREATE") {
        return Ok(properties);
    }
    let is_start = |pair: &[TokenWithSpan]| matches!(pair, [a, b] if word(&a.token).as_deref() == Some("TBLPROPERTIES") && b.token == Token::LParen);
    let Some(start) = tokens.windows(2).position(is_start) else { return Ok(properties) };
    let length = tokens.iter().skip(start).position(|token| token.token == Token::RParen);
    let inner: Vec<_> = tokens.drain(start..=start + length.unwrap_or(1)).collect();
    let inner = inner.get(2..inner.len().saturating_sub(1)).unwrap_or_default();
    for pair in inner.split(|token| token.token == Token::Comma) {
        let texts: Vec<_> = pair
            .iter()
            .filter_map(|token| match &token.token {
                Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) | Token::Number(text, _) => {
                    Some(text.clone())
                }
                Token::Word(word) => Some(word.value.clone()),
                _ => None,
            })
            .collect();
        let Some((value, key)) = texts.split_last() else {
            return Err(SqlError::unsupported("this form of TBLPROPERTIES"));
        };
        properties.insert(key.join("."), value.clone());
    }
    Ok(properties)
}

/// An unquoted word in capitals.
pub(crate) fn word(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
        _ => None,
    }
}

fn syntax(error: &ParserError, sql: &str) -> SqlError {
    let text = match error {
        ParserError::RecursionLimitExceeded => return SqlError::unsupported("statements nested this deep"),
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
    };
    let (message, location) = text.rsplit_once(" at Line: ").unwrap_or((text, ""));
    let (line, column) = location.split_once(", Column: ").unwrap_or(("", ""));
    let near = message.rsplit_once("found: ").map_or("EOF", |(_, near)| near);
    let lines = sql.lines().count().max(1);
    match (line.parse::<usize>(), column.parse::<usize>()) {
        (Ok(line), Ok(column)) => SqlError::syntax(near, line, column.saturating_sub(1), sql),
        _ => SqlError::syntax(near, lines, sql.lines().last().map_or(0, |line| line.chars().count()), sql),
    }
}

/// The parts of a dotted name.
pub(crate) fn parts(name: &ObjectName) -> Result<Vec<String>, SqlError> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Ok(ident.value.clone()),
            ObjectNamePart::Function(_) => Err(SqlError::unsupported("names that are computed")),
        })
        .collect()
}

pub(crate) fn values(idents: &[Ident]) -> Vec<String> {
    idents.iter().map(|ident| ident.value.clone()).collect()
}
