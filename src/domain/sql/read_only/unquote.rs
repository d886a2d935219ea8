//! A statement without what could hide something: comments are gone, and each string is a number in quotes.
//!
//! The rules are those of Spark's grammar: backslashes escape within strings unless those are raw, a line comment ends
//! at a line feed or carriage return and continues after a backslash at the end of its line, and adjacent strings are
//! one. Two of these rules have readers that differ: some end every comment with its line, and some take double quotes
//! as the quotes of names. Such a text has several [readings](Reading), and each of them has to be harmless. What
//! differs otherwise is refused: comments within comments, characters beyond ASCII outside of strings and quoted names.

use std::iter::Peekable;
use std::str::Chars;

/// How a reader takes what readers take differently. The default is Spark's own grammar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// A line comment ends with its line, also behind a backslash.
    pub(super) ends_comments: bool,
    /// Double quotes are the quotes of names, without backslashes that escape.
    pub(super) quotes_names: bool,
}

/// A statement in one reading.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// The statement. Each string is the hexadecimal number of its value in single quotes.
    pub(super) text: String,
    /// The values of the strings; those that escape something are not known.
    pub(super) strings: Vec<Option<String>>,
    /// Whether it is another statement in another reading.
    pub(super) has_readings: bool,
}

/// Why a statement has no plain form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unclear {
    /// Readers may differ over it.
    Ambiguous(&'static str),
    /// No reader with this reading takes it, so nothing runs.
    Unreadable(&'static str),
}

impl Unclear {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Ambiguous(reason) | Self::Unreadable(reason) => reason,
        }
    }
}

use Unclear::{Ambiguous, Unreadable};

/// The plain form of a statement in one reading.
pub(super) fn plain(sql: &str, reading: Reading) -> Result<Plain, Unclear> {
    let mut plain = Plain { text: String::with_capacity(sql.len()), ..Plain::default() };
    // The length of the text behind a string, as long as only blanks and comments follow it.
    let mut behind_string = None;
    let mut chars = sql.chars().peekable();
    while let Some(char) = chars.next() {
        let is_blank = match (char, chars.peek()) {
            ('-', Some('-')) => {
                plain.has_readings |= line_comment(&mut chars, reading);
                plain.text.push('\n');
                true
            }
            ('/', Some('*')) => {
                chars.next();
                block_comment(&mut chars)?;
                plain.text.push(' ');
                true
            }
            ('"', _) if reading.quotes_names => {
                plain.text.push('`');
                quoted_name(&mut chars, '"', &mut plain.text)?;
                false
            }
            ('\'' | '"', _) => {
                let is_raw = is_raw(&plain.text);
                if is_raw {
                    plain.text.pop();
                }
                let (value, escapes_its_quote) = string(&mut chars, char, is_raw)?;
                plain.has_readings |= escapes_its_quote;
                plain.put_string(value, &mut behind_string);
                continue;
            }
            ('`', _) => {
                plain.text.push('`');
                quoted_name(&mut chars, '`', &mut plain.text)?;
                false
            }
            ('\r' | '\n' | '\t' | ' ', _) => {
                plain.text.push(if char == '\r' { '\n' } else { char });
                true
            }
            ('\\', _) => return Err(Unreadable("it holds a backslash outside of a string")),
            // Text is put in the place of `${…}`, and `$$` quotes.
            ('$', _) => return Err(Ambiguous("it holds `$` outside of a string")),
            ('!'..='~', _) => {
                plain.text.push(char);
                // A raw string may be adjacent too.
                matches!(char, 'r' | 'R') && behind_string.is_some() && matches!(chars.peek(), Some('\'' | '"'))
            }
            _ => return Err(Ambiguous("it holds unusual characters outside of strings and quoted names")),
        };
        if !is_blank {
            behind_string = None;
        }
    }
    Ok(plain)
}

impl Plain {
    /// Adds a string, to the one before if they are adjacent.
    fn put_string(&mut self, value: Option<String>, behind_string: &mut Option<usize>) {
        match (*behind_string, self.strings.last_mut()) {
            (Some(length), Some(last)) => {
                // Two quotes without a blank between them may also stand for one quote.
                let touches = self.text.len() == length;
                *last = last.take().zip(value).filter(|_| !touches).map(|(last, value)| last + &value);
            }
            _ => {
                // Eight digits pass for a string of any type.
                self.text.push_str(&format!("'{:08x}'", self.strings.len()));
                self.strings.push(value);
            }
        }
        *behind_string = Some(self.text.len());
    }
}

/// Whether the string that begins now is a raw one: a lone `r` stands before it.
fn is_raw(before: &str) -> bool {
    let mut before = before.chars().rev();
    before.next().is_some_and(|char| matches!(char, 'r' | 'R'))
        && !before.next().is_some_and(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// The value of a string, unless it escapes something, and whether it escapes a double quote that ends it for others.
fn string(chars: &mut Peekable<Chars>, quote: char, is_raw: bool) -> Result<(Option<String>, bool), Unclear> {
    let (mut value, mut escapes, mut escapes_its_quote) = (String::new(), false, false);
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            // Old readers know no raw strings.
            ('\\', Some(next)) if *next == quote && is_raw => {
                return Err(Ambiguous("a raw string has a backslash before a quote"));
            }
            ('\\', next) if !is_raw => {
                escapes = true;
                escapes_its_quote |= quote == '"' && next == Some(&'"');
                chars.next();
            }
            (char, _) if char == quote => return Ok(((!escapes).then_some(value), escapes_its_quote)),
            (char, _) => value.push(char),
        }
    }
    Err(Unreadable("a string is not closed"))
}

/// A quoted name, whose first quote has been read and written.
fn quoted_name(chars: &mut Peekable<Chars>, quote: char, text: &mut String) -> Result<(), Unclear> {
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            (char, Some(next)) if char == quote && *next == quote => {
                chars.next();
                text.push_str(if quote == '`' { "``" } else { "\"" });
            }
            (char, _) if char == quote => {
                text.push('`');
                return Ok(());
            }
            ('`', _) => text.push_str("``"),
            (char, _) => text.push(char),
        }
    }
    Err(Unreadable("a quoted name is not closed"))
}

/// Skips a line comment, and tells whether another reading ends it elsewhere.
fn line_comment(chars: &mut Peekable<Chars>, reading: Reading) -> bool {
    let (mut before, mut has_readings) = (' ', false);
    for char in chars.by_ref() {
        let goes_on = char == '\n' && before == '\\';
        has_readings |= goes_on;
        if matches!(char, '\r' | '\n') && (reading.ends_comments || !goes_on) {
            break;
        }
        before = char;
    }
    has_readings
}

/// A block comment, whose start has been read. A hint, `/*+ … */`, is no comment, but only ever advises: it may hold
/// names, numbers and whole strings, nothing that could open a comment.
fn block_comment(chars: &mut Peekable<Chars>) -> Result<(), Unclear> {
    let is_hint = chars.next_if_eq(&'+').is_some();
    let mut open_quote = None;
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('*', Some('/')) if open_quote.is_some() => return Err(Ambiguous("a string in a hint is not closed")),
            ('*', Some('/')) => {
                chars.next();
                return Ok(());
            }
            ('/', Some('*')) => return Err(Ambiguous("a comment holds another one")),
            ('A'..='Z' | 'a'..='z' | '0'..='9' | ' ' | '\n' | '\t' | '_' | ',' | '.' | '(' | ')', _) => {}
            ('\'' | '"' | '`', _) if is_hint && open_quote.is_none() => open_quote = Some(char),
            (char, _) if is_hint && open_quote == Some(char) => open_quote = None,
            _ if is_hint => return Err(Ambiguous("a hint holds more than names, numbers and strings")),
            _ => {}
        }
    }
    Err(Unreadable("a comment is not closed"))
}
