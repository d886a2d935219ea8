//! The IDENTIFIER clause: a name that is given as text.
//!
//! Where the text is known, from strings and from the values of markers, the clause is replaced by the name, which is
//! then judged as if it had been written. A name that is only computed could be any table's or function's and is
//! refused. So is a function whose name is a marker without a value; a table named so is not, as the statement fails.

use sqlparser::tokenizer::Token;

use crate::domain::sql::read_only::constants::{Constants, Marker};
use crate::domain::sql::read_only::thread::MOST_TOKENS;
use crate::domain::sql::read_only::words::is_word;
use crate::quoting::parts;

/// Characters of a name with its catalog and schema, each of which has 255 at most.
const LONGEST_NAME: usize = 2_000;

/// The tokens with names in the place of IDENTIFIER clauses.
pub(super) fn resolve(tokens: Vec<Token>, constants: &Constants) -> Result<Vec<Token>, String> {
    let mut resolved = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        match after.split_first() {
            Some((Token::LParen, inside)) if is_word(token, &["IDENTIFIER"]) => {
                let end = inside.iter().position(|token| *token == Token::RParen).unwrap_or(inside.len());
                let (inside, behind) = inside.split_at(end);
                let behind = behind.get(1..).unwrap_or_default();
                match name(inside, constants)? {
                    Some(text) => put_name(&text, &mut resolved)?,
                    None if matches!(behind.first(), Some(Token::LParen | Token::Period)) => {
                        return Err("the function that `IDENTIFIER(…)` names is not known".to_owned());
                    }
                    // The statement fails when it is run, whatever name stands here.
                    None => resolved.push(quoted("unbound")),
                }
                rest = behind;
            }
            _ => resolved.push(token.clone()),
        }
        if resolved.len() > MOST_TOKENS {
            return Err(format!("with the names of its IDENTIFIER clauses it has more than {MOST_TOKENS} tokens"));
        }
    }
    Ok(resolved)
}

/// The text in the clause: strings and markers, joined by `||`. None if a marker has no value.
fn name(tokens: &[Token], constants: &Constants) -> Result<Option<String>, String> {
    let computed = || {
        "the name in `IDENTIFIER(…)` is computed: give it as a string or as a marker with its value in `parameters`"
            .to_owned()
    };
    let mut text = Some(String::new());
    let mut tokens = tokens.iter();
    loop {
        let part = match tokens.next() {
            Some(string @ Token::SingleQuotedString(_)) => Some(constants.token(string).ok_or_else(computed)?),
            Some(Token::Placeholder(marker)) => bound(constants.marker(marker), computed)?,
            Some(Token::Colon) => match tokens.next() {
                Some(Token::Word(word)) => bound(constants.marker(&word.value), computed)?,
                _ => return Err(computed()),
            },
            _ => return Err(computed()),
        };
        // Parts may be megabytes, and named again and again.
        if part.map_or(0, str::len) + text.as_ref().map_or(0, String::len) > 4 * LONGEST_NAME {
            return Err(format!("the name in `IDENTIFIER(…)` is longer than {LONGEST_NAME} characters"));
        }
        text = text.zip(part).map(|(text, part)| text + part);
        match tokens.next() {
            None => return Ok(text),
            Some(Token::StringConcat) => {}
            Some(_) => return Err(computed()),
        }
    }
}

fn bound(marker: Marker<'_>, computed: impl Fn() -> String) -> Result<Option<&str>, String> {
    match marker {
        Marker::Text(text) => Ok(Some(text)),
        Marker::Unbound => Ok(None),
        Marker::Unclear => Err(computed()),
    }
}

/// Writes a name as tokens, each part of it in quotes, so that none passes for a keyword.
fn put_name(text: &str, tokens: &mut Vec<Token>) -> Result<(), String> {
    let parts = parts(text).ok_or_else(|| format!("`IDENTIFIER(…)` holds `{text}`, which is not a name"))?;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            tokens.push(Token::Period);
        }
        tokens.push(quoted(part));
    }
    Ok(())
}

fn quoted(name: &str) -> Token {
    Token::make_word(name, Some('`'))
}
