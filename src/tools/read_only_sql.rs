//! Tells queries from everything else, by parsing: what cannot be parsed counts as more than a query.
//!
//! The parser judges a plain text that [`plain`] makes: without comments, and with nothing inside of strings. So a
//! text that Databricks and the parser would divide differently cannot hide a statement from either.
//!
//! A query changes nothing by itself, yet some functions reach out of it. Those that send a request to wherever
//! their arguments say, ask a model or agent that may act, hand a text to another database, consume a subscription
//! or call into the machine are refused (`EFFECTS`). Functions that read (`read_files`, `vector_search`) and those
//! that only cost (`ai_summarize` and its like) pass. So do views and people's own functions: what those may do is
//! decided by who may make them, and by the grants on them.

mod plain;
mod thread;

use std::ops::ControlFlow;

use sqlparser::ast::{Select, Statement, Visit, Visitor};
use sqlparser::dialect::DatabricksDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

use crate::error::Error;

/// Functions that do more than compute or read.
const EFFECTS: [&str; 9] = [
    "ai_query",
    "http_request",
    "java_method",
    "python_exec",
    "read_pubsub",
    "read_pulsar",
    "reflect",
    "remote_query",
    "try_reflect",
];

/// Bytes of a statement without its comments and the contents of its strings. A token takes much more memory than its
/// text, so the text is bounded before it is divided.
const MOST_TEXT: usize = 1024 * 1024;

/// How a plan may be asked for.
const PLANS: [&str; 4] = ["CODEGEN", "COST", "EXTENDED", "FORMATTED"];

/// Statements that EXPLAIN only plans. Others it could run for what they hold: a text that is a statement itself.
const PLANNED: [&str; 9] = ["CREATE", "DELETE", "FROM", "INSERT", "MERGE", "SELECT", "UPDATE", "VALUES", "WITH"];

/// Refuses every statement that is not a query, or shows or explains something.
pub(crate) async fn check(sql: &str) -> Result<(), Error> {
    let sql = sql.to_owned();
    thread::run(move || only_reads(&sql)).await?
}

/// Refuses what EXPLAIN might do more with than plan it: a second statement behind the first, one that is made of text,
/// one whose functions reach out, which planning may do too.
pub(crate) async fn check_planned(sql: &str) -> Result<(), Error> {
    let sql = sql.to_owned();
    thread::run(move || only_plans(&sql)).await?
}

fn only_reads(sql: &str) -> Result<(), Error> {
    let unclear = |why: &str| {
        let message = format!("only queries are allowed, and this statement is not understood well enough: {why}");
        Error::failed(message).with_hint("write it as a plain SELECT, SHOW, DESCRIBE or EXPLAIN")
    };
    let tokens = tokens(sql).map_err(|error| unclear(&error))?;
    if let Some(name) = effect(&tokens) {
        let message = format!("only queries are allowed, and `{name}` can do more than read");
        return Err(Error::failed(message));
    }
    if only_tells(&tokens) {
        return Ok(());
    }
    let parser = Parser::new(&DatabricksDialect {}).with_tokens(without_plan(tokens));
    let statements = parser_statements(parser).map_err(|error| unclear(&error))?;
    match statements.visit(&mut Reading) {
        ControlFlow::Continue(()) if statements.len() == 1 => Ok(()),
        ControlFlow::Continue(()) => Err(Error::failed("give exactly one statement")),
        ControlFlow::Break(what) => Err(Error::failed(format!("only queries are allowed, and this is {what}"))),
    }
}

fn only_plans(sql: &str) -> Result<(), Error> {
    let refused = |why: String| Error::failed(format!("the statement is not planned: {why}"));
    let tokens = tokens(sql).map_err(&refused)?;
    if tokens.iter().skip_while(|token| **token != Token::SemiColon).any(|token| *token != Token::SemiColon) {
        return Err(refused("it is not one whole statement".to_owned()));
    }
    if let Some(name) = effect(&tokens) {
        return Err(refused(format!("`{name}` can do more than read, and planning may call it")));
    }
    let first = tokens.iter().find(|token| **token != Token::LParen);
    if !is_one_of(first, &PLANNED) {
        return Err(refused("only queries and statements that write what a query gives have a plan".to_owned()));
    }
    Ok(())
}

/// The words and signs of a statement, or why nobody can be sure of them.
fn tokens(sql: &str) -> Result<Vec<Token>, String> {
    let sql = plain::plain(sql)?;
    if sql.len() > MOST_TEXT {
        return Err(format!("it is longer than {MOST_TEXT} bytes, comments and texts not counted"));
    }
    let tokens = Tokenizer::new(&DatabricksDialect {}, &sql).tokenize().map_err(|error| error.to_string())?;
    let tokens: Vec<_> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    match tokens.len() > thread::MOST_TOKENS {
        true => Err(format!("it has {} words and signs, and at most {} are read", tokens.len(), thread::MOST_TOKENS)),
        false => Ok(tokens),
    }
}

fn parser_statements(mut parser: Parser) -> Result<Vec<Statement>, String> {
    parser.parse_statements().map_err(|error| error.to_string())
}

fn word(token: Option<&Token>) -> Option<&Word> {
    match token {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    }
}

fn is_one_of(token: Option<&Token>, known: &[&str]) -> bool {
    let word = word(token).filter(|word| word.quote_style.is_none());
    word.is_some_and(|word| known.iter().any(|known| known.eq_ignore_ascii_case(&word.value)))
}

/// The first function that does more than read. It may be quoted, and qualified.
fn effect(tokens: &[Token]) -> Option<String> {
    let mut depths: Vec<bool> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        match token {
            Token::Word(word) if next == Some(&Token::LParen) => {
                if let Some(name) = EFFECTS.iter().find(|name| name.eq_ignore_ascii_case(&word.value)) {
                    return Some((*name).to_owned());
                }
            }
            Token::LParen => {
                let before = index.checked_sub(1).and_then(|before| tokens.get(before));
                depths.push(is_one_of(before, &["IDENTIFIER"]));
            }
            // A name that is only computed could be any function's.
            Token::RParen if depths.pop() == Some(true) && next == Some(&Token::LParen) => {
                return Some("IDENTIFIER(…)(…)".to_owned());
            }
            _ => {}
        }
    }
    None
}

/// Whether it is one SHOW or DESCRIBE statement. These only tell something in all their forms, many of which
/// the parser does not know.
fn only_tells(tokens: &[Token]) -> bool {
    // A semicolon may end the statement, and nothing may follow it.
    is_one_of(tokens.first(), &["SHOW", "DESCRIBE", "DESC"])
        && tokens.iter().skip_while(|token| **token != Token::SemiColon).nth(1).is_none()
}

/// What a plan is asked for, without the kinds of plan that the parser does not know.
fn without_plan(mut tokens: Vec<Token>) -> Vec<Token> {
    if is_one_of(tokens.first(), &["EXPLAIN"]) && is_one_of(tokens.get(1), &PLANS) {
        tokens.remove(1);
    }
    tokens
}

struct Reading;

impl Visitor for Reading {
    type Break = &'static str;

    /// Also sees statements inside others, such as `WITH … INSERT` and `EXPLAIN`.
    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<&'static str> {
        match statement {
            Statement::Query(_)
            | Statement::Explain { .. }
            | Statement::ExplainTable { .. }
            | Statement::ShowCatalogs { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowCreate { .. }
            | Statement::ShowDatabases { .. }
            | Statement::ShowFunctions { .. }
            | Statement::ShowSchemas { .. }
            | Statement::ShowTables { .. }
            | Statement::ShowVariable { .. }
            | Statement::ShowViews { .. } => ControlFlow::Continue(()),
            _ => ControlFlow::Break("a statement that can change something"),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        match select.into {
            Some(_) => ControlFlow::Break("a SELECT INTO, which makes a table"),
            None => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests;
