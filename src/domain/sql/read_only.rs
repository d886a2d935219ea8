//! Tells queries from everything else, by parsing: what cannot be parsed counts as more than a query.
//!
//! The parser judges a plain text that [`plain`] makes: without comments, and with nothing inside of strings. So a
//! text that Databricks and the parser would divide differently cannot hide a statement from either. Forms of
//! Databricks SQL that the parser lacks come from a [`dialect`], or are [written](rewrite) as forms that it knows.
//!
//! A query changes nothing by itself, yet some functions reach out of it, so only those that are known to read or to
//! compute are [allowed](functions). So is reading a table by its path, if that leads to the workspace's own
//! [storage](names). Views pass: what they may do is decided by who may make them, and by the grants on them.

mod constants;
mod destroys;
mod dialect;
mod functions;
mod identifiers;
mod names;
/// The same file as in the sandbox.
#[path = "../../../crates/sandbox/src/sql/patience.rs"]
mod patience;
mod query;
mod rewrite;
mod tables;
mod tells;
mod thread;
mod unquote;
mod words;

use sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::Error;
use constants::Constants;
use dialect::Databricks;
use functions::Class;
use query::{Allowed, Refusal};
use unquote::{Plain, Unclear};
use words::{is_word, starts_with};

pub(crate) use destroys::{Destroys, Target, destroys, mentioned};
pub(crate) use tables::tables;

/// Bytes of a statement without its comments and the contents of its strings. A token takes much more memory than its
/// text, so the text is bounded before it is divided.
const MOST_TEXT: usize = 1024 * 1024;

/// Words that begin or join a query in one statement: what stands between two of them takes 20 kB when it is parsed.
const MOST_QUERY_WORDS: usize = 4_000;
const QUERY_WORDS: [&str; 8] = ["EXCEPT", "INTERSECT", "JOIN", "MINUS", "SELECT", "TABLE", "UNION", "VALUES"];

/// How a plan may be asked for.
const PLANS: [&str; 5] = ["CODEGEN", "COST", "EXTENDED", "FORMATTED", "LOGICAL"];

/// Statements that EXPLAIN only plans. Others it could run for what they hold: a text that is a statement itself.
const PLANNED: [&str; 10] =
    ["CREATE", "DELETE", "FROM", "INSERT", "MERGE", "SELECT", "TABLE", "UPDATE", "VALUES", "WITH"];

/// What decides about a statement besides its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Circumstances {
    /// The values of its markers, by name.
    pub(crate) parameters: Vec<(String, Option<String>)>,
    /// The catalog of names without one.
    pub(crate) catalog: Option<String>,
    /// Whether functions that people made are refused.
    pub(crate) no_user_functions: bool,
}

impl Circumstances {
    fn allowed(&self, writes: bool) -> Allowed {
        let in_system = self.catalog.as_deref().is_some_and(|catalog| names::fold(catalog.trim()) == "system");
        Allowed { writes, user_functions: !self.no_user_functions && !in_system }
    }
}

/// Refuses every statement that is not a query, or shows or explains something.
pub(crate) async fn check(sql: &str, circumstances: Circumstances) -> Result<(), Error> {
    let sql = sql.to_owned();
    thread::run(move || only_reads(&sql, &circumstances)).await?
}

/// Refuses what EXPLAIN might do more with than plan it: a second statement behind the first, one that is made of text,
/// one whose functions reach out, which planning may do too.
pub(crate) async fn check_planned(sql: &str, circumstances: Circumstances) -> Result<(), Error> {
    let sql = sql.to_owned();
    thread::run(move || only_plans(&sql, &circumstances)).await?
}

/// Whether a text holds more than one statement, as far as that can be told.
pub(crate) async fn has_several_statements(sql: &str) -> bool {
    let sql = sql.to_owned();
    let several = thread::run(move || {
        let plain = unquote::plain(&sql, unquote::Reading::default()).ok()?;
        let tokens = tokens(&plain.text).ok()?;
        // A script holds statements and is one.
        let is_script = tokens.first().is_some_and(|first| is_word(first, &["BEGIN"]));
        (!is_script && statement(&tokens).is_none()).then_some(())
    });
    several.await.is_ok_and(|several| several.is_some())
}

fn only_reads(sql: &str, circumstances: &Circumstances) -> Result<(), Error> {
    let allowed = circumstances.allowed(false);
    let refused = |refusal| match refusal {
        Refusal::Denied(why) => Error::failed(format!("only queries are allowed, but {why}")),
        Refusal::Unclear(why) => {
            let message = format!("only queries are allowed, but this statement is not understood well enough: {why}");
            Error::failed(message).with_hint("write it as a plain SELECT, SHOW, DESCRIBE or EXPLAIN")
        }
        Refusal::Several => {
            Error::failed("give exactly one statement").with_hint("one call takes one statement, without `;` in it")
        }
    };
    in_all_readings(sql, circumstances, |tokens, constants| reads(tokens, constants, allowed)).map_err(refused)
}

fn only_plans(sql: &str, circumstances: &Circumstances) -> Result<(), Error> {
    let allowed = circumstances.allowed(true);
    let refused = |refusal| {
        let why = match refusal {
            Refusal::Denied(why) | Refusal::Unclear(why) => why,
            Refusal::Several => "it is not one complete statement".to_owned(),
        };
        Error::failed(format!("the statement cannot be planned: {why}"))
    };
    in_all_readings(sql, circumstances, |tokens, constants| {
        if !tokens.iter().find(|token| **token != Token::LParen).is_some_and(|first| is_word(first, &PLANNED)) {
            let why = "only queries, and statements that write the result of a query, have a plan";
            return Err(Refusal::Denied(why.to_owned()));
        }
        match query::check(tokens, constants, allowed) {
            // What the parser does not understand is planned if it names nothing that has to be looked at.
            Err(Refusal::Unclear(_)) if !query::has_places(tokens) => Ok(()),
            checked => checked,
        }
    })
    .map_err(refused)
}

/// Judges a statement in each of its readings, and gives the first judgment that is against it.
fn in_all_readings(
    sql: &str,
    circumstances: &Circumstances,
    judge: impl Fn(&[Token], &Constants) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    for Plain { text, strings, .. } in readings(sql).map_err(Refusal::Unclear)? {
        let constants = Constants::new(strings, &circumstances.parameters);
        let tokens = tokens(&text).map_err(Refusal::Unclear)?;
        let tokens = identifiers::resolve(tokens, &constants).map_err(Refusal::Denied)?;
        if let Some(name) = effect(&tokens) {
            return Err(Refusal::Denied(functions::acts(name)));
        }
        judge(statement(&tokens).ok_or(Refusal::Several)?, &constants)?;
    }
    Ok(())
}

/// A statement in each of its readings, the usual one first; or why it has none.
fn readings(sql: &str) -> Result<Vec<Plain>, String> {
    let usual = unquote::plain(sql, unquote::Reading::default()).map_err(|unclear| unclear.reason().to_owned())?;
    let has_readings = usual.has_readings;
    let mut readings = vec![usual];
    if has_readings {
        for (ends_comments, quotes_names) in [(true, false), (false, true), (true, true)] {
            match unquote::plain(sql, unquote::Reading { ends_comments, quotes_names }) {
                Ok(plain) => readings.push(plain),
                // Nothing runs in this reading.
                Err(Unclear::Unreadable(_)) => {}
                Err(Unclear::Ambiguous(why)) => return Err(why.to_owned()),
            }
        }
    }
    Ok(readings)
}

/// The words and signs of a plain statement, or why nobody can be sure of them.
fn tokens(text: &str) -> Result<Vec<Token>, String> {
    if text.len() > MOST_TEXT {
        return Err(format!("it is longer than {MOST_TEXT} bytes, not counting comments and string literals"));
    }
    let tokens = Tokenizer::new(&Databricks::default(), text).tokenize().map_err(|error| error.to_string())?;
    let tokens: Vec<_> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    if tokens.len() > thread::MOST_TOKENS {
        return Err(format!("it has {} tokens, and at most {} are allowed", tokens.len(), thread::MOST_TOKENS));
    }
    let queries = tokens.iter().filter(|token| joins_query(token)).count();
    if queries > MOST_QUERY_WORDS {
        return Err(format!("it has {queries} queries and joins, and at most {MOST_QUERY_WORDS} are allowed"));
    }
    Ok(tokens)
}

fn joins_query(token: &Token) -> bool {
    *token == Token::VerticalBarRightAngleBracket || is_word(token, &QUERY_WORDS)
}

/// The one statement, without the semicolons that may end it. None if there are several.
fn statement(tokens: &[Token]) -> Option<&[Token]> {
    let end = tokens.iter().rposition(|token| *token != Token::SemiColon).map_or(0, |last| last + 1);
    let statement = tokens.get(..end)?;
    (!statement.contains(&Token::SemiColon)).then_some(statement)
}

/// The first function that does more than read. It may be quoted and qualified, and the parser need not understand
/// what it stands in.
fn effect(tokens: &[Token]) -> Option<&str> {
    tokens.windows(2).find_map(|pair| match pair {
        [Token::Word(word), Token::LParen] => {
            let does_more = functions::built_in(&word.value).is_some_and(|function| function.class == Class::Acts);
            does_more.then_some(word.value.as_str())
        }
        _ => None,
    })
}

/// Refuses a statement that does more than read. One without any words runs nothing.
fn reads(tokens: &[Token], constants: &Constants, allowed: Allowed) -> Result<(), Refusal> {
    let Some((first, after)) = tokens.split_first() else { return Ok(()) };
    match first {
        first if is_word(first, &["SHOW"]) => tells::show(after, constants).map_err(Refusal::Unclear),
        first if is_word(first, &["LIST"]) => tells::list(after, constants).map_err(Refusal::Denied),
        first if is_word(first, &["DESC", "DESCRIBE"]) => {
            let (query, is_query) = match starts_with(after, &["QUERY"]) && after.len() > 1 {
                true => (after.get(1..).unwrap_or_default(), true),
                false => (after, after.first().is_some_and(begins_query)),
            };
            match is_query {
                true => query::check(query, constants, allowed),
                false => tells::describe(after, constants).map_err(Refusal::Unclear),
            }
        }
        first if is_word(first, &["EXPLAIN"]) => {
            let planned = match after.split_first() {
                Some((plan, planned)) if is_word(plan, &PLANS) => planned,
                _ => after,
            };
            query::check(planned, constants, allowed)
        }
        _ => query::check(tokens, constants, allowed),
    }
}

fn begins_query(token: &Token) -> bool {
    *token == Token::LParen || is_word(token, &["FROM", "SELECT", "VALUES", "WITH"])
}

#[cfg(test)]
mod tests;
