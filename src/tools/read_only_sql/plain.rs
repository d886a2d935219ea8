//! A statement without what could be read in two ways: comments are gone, strings are empty.
//!
//! The rules are those of Spark's grammar: backslashes escape within strings unless those are raw, and a line comment
//! also ends at a carriage return. Where readers of that grammar differ, the text is refused: comments within
//! comments, line comments that end in a backslash, characters beyond ASCII outside of strings and quoted names.

use std::iter::Peekable;
use std::str::Chars;

/// The plain text, or why there is none.
pub(super) fn plain(sql: &str) -> Result<String, &'static str> {
    let mut text = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('-', Some('-')) => {
                line_comment(&mut chars)?;
                text.push('\n');
            }
            ('/', Some('*')) => {
                chars.next();
                block_comment(&mut chars)?;
                text.push(' ');
            }
            ('\'' | '"', _) => {
                let is_raw = is_raw(&text);
                if is_raw {
                    text.pop();
                }
                string(&mut chars, char, is_raw)?;
                // Both quotes make strings, and these digits pass for a string of any type.
                text.push_str("'00'");
            }
            ('`', _) => {
                text.push('`');
                identifier(&mut chars, &mut text)?;
            }
            ('\r', _) => text.push('\n'),
            // Text is put in the place of `${…}`, and `$$` quotes.
            ('$', _) => return Err("it holds `$` outside of a string"),
            ('\n' | '\t' | ' '..='~', _) => text.push(char),
            _ => return Err("it holds unusual characters outside of strings and quoted names"),
        }
    }
    Ok(text)
}

/// Whether the string that begins now is a raw one: a lone `r` stands before it.
fn is_raw(before: &str) -> bool {
    let mut before = before.chars().rev();
    before.next().is_some_and(|char| matches!(char, 'r' | 'R'))
        && !before.next().is_some_and(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn string(chars: &mut Peekable<Chars>, quote: char, is_raw: bool) -> Result<(), &'static str> {
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            // Old readers know no raw strings, and double quotes can be set to make names.
            ('\\', Some(next)) if *next == quote && (is_raw || quote == '"') => {
                return Err("a backslash stands before a quote");
            }
            ('\\', _) if !is_raw => {
                chars.next();
            }
            (char, _) if char == quote => return Ok(()),
            _ => {}
        }
    }
    Err("a string does not end")
}

fn identifier(chars: &mut Peekable<Chars>, text: &mut String) -> Result<(), &'static str> {
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('`', Some('`')) => {
                chars.next();
                text.push_str("``");
            }
            ('`', _) => {
                text.push('`');
                return Ok(());
            }
            // Nothing in a name matters to the parser but the name of a function.
            ('\\', _) => text.push('_'),
            (char, _) => text.push(char),
        }
    }
    Err("a quoted name does not end")
}

fn line_comment(chars: &mut Peekable<Chars>) -> Result<(), &'static str> {
    let mut before = ' ';
    for char in chars.by_ref() {
        match char {
            '\r' | '\n' if before == '\\' => return Err("a comment ends in a backslash"),
            '\r' | '\n' => break,
            char => before = char,
        }
    }
    Ok(())
}

/// A block comment, whose start has been read. A hint, `/*+ … */`, is no comment, but only ever advises: it may hold
/// names and numbers, nothing that could open a string or comment.
fn block_comment(chars: &mut Peekable<Chars>) -> Result<(), &'static str> {
    let is_hint = chars.next_if_eq(&'+').is_some();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('*', Some('/')) => {
                chars.next();
                return Ok(());
            }
            ('/', Some('*')) => return Err("a comment holds another one"),
            ('A'..='Z' | 'a'..='z' | '0'..='9' | ' ' | '\n' | '\t' | '_' | ',' | '.' | '(' | ')', _) => {}
            _ if is_hint => return Err("a hint holds more than names and numbers"),
            _ => {}
        }
    }
    Err("a comment does not end")
}
