//! Regular expressions: Java's, which Databricks takes, as the ones that are here.

use std::cell::RefCell;

use regex::{Regex, RegexBuilder};
use rusqlite::types::Value;

use super::lists::check_items;
use super::strings::{check_length, count, flag, text};
use super::{Arguments, Definition, Outcome};
use crate::sql::error::SqlError;

/// The bytes of the smallest and of the largest pattern, as powers of two.
const SIZES: std::ops::RangeInclusive<u32> = 12..=22;
/// Bytes of a pattern times bytes of a text, at most: a search takes a few seconds for so many.
const MOST_WORK: usize = 1 << 36;

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_rlike", |a| flag(pattern(a)?.is_match(a.text(0)))),
    ("dbx_split", split),
    ("dbx_regexp_replace", |a| {
        let regex = pattern(a)?;
        let replacement = replacement(a.text(2), regex.captures_len())?;
        let from = if a.len() > 3 { a.integer(3) } else { 1 };
        let skip = if from < 1 { return text(a.text(0)) } else { count(from - 1) };
        let start = a.text(0).char_indices().nth(skip).map_or(a.text(0).len(), |(at, _)| at);
        let (kept, rest) = a.text(0).split_at(start);
        let mut replaced = kept.to_owned();
        let mut end = 0;
        for found in regex.captures_iter(rest) {
            a.check()?;
            let Some(whole) = found.get(0) else { continue };
            replaced.push_str(rest.get(end..whole.start()).unwrap_or_default());
            found.expand(&replacement, &mut replaced);
            end = whole.end();
            check_length(replaced.len())?;
        }
        replaced.push_str(rest.get(end..).unwrap_or_default());
        text(replaced)
    }),
    ("dbx_regexp_extract", |a| {
        let regex = pattern(a)?;
        let group = group(a, &regex)?;
        let found =
            regex.captures(a.text(0)).and_then(|captures| captures.get(group).map(|found| found.as_str().to_owned()));
        text(found.unwrap_or_default())
    }),
    ("dbx_regexp_extract_all", |a| {
        let regex = pattern(a)?;
        let group = group(a, &regex)?;
        let mut parts = Vec::new();
        for found in regex.captures_iter(a.text(0)) {
            a.check()?;
            parts.push(found.get(group).map_or("", |found| found.as_str()));
            check_items(parts.len())?;
        }
        text(serde_json::Value::from(parts).to_string())
    }),
    ("dbx_regexp_substr", |a| match pattern(a)?.find(a.text(0)) {
        Some(found) => text(found.as_str()),
        None => Ok(Value::Null),
    }),
    ("dbx_regexp_instr", |a| {
        let found = pattern(a)?.find(a.text(0));
        let place = found.and_then(|found| a.text(0).get(..found.start())).map(|before| before.chars().count() + 1);
        Ok(Value::Integer(place.and_then(|place| i64::try_from(place).ok()).unwrap_or(0)))
    }),
    ("dbx_regexp_count", |a| {
        let mut count = 0;
        for _ in pattern(a)?.find_iter(a.text(0)) {
            a.check()?;
            count += 1;
        }
        Ok(Value::Integer(count))
    }),
];

/// The group that is asked for, which the pattern has to have.
fn group(a: &Arguments, regex: &Regex) -> Result<usize, SqlError> {
    let (asked, most) = (if a.len() > 2 { a.integer(2) } else { 1 }, regex.captures_len().saturating_sub(1));
    match usize::try_from(asked) {
        Ok(group) if group <= most => Ok(group),
        _ => Err(SqlError::new(
            "INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX",
            &format!(
                "The value of parameter(s) `idx` in `regexp_extract` is invalid: Expects group index between 0 and {most}, but got {asked}."
            ),
            "22023",
        )),
    }
}

/// As Java splits: an empty pattern gives the letters, and no empty text stands before a match without width.
fn split(a: &Arguments) -> Outcome {
    let limit = if a.len() > 2 { a.integer(2) } else { -1 };
    let limit = if limit > 0 { count(limit) } else { usize::MAX };
    let whole = a.text(0);
    let mut parts: Vec<&str> = Vec::new();
    let mut from = 0;
    let empty = a.text(1).is_empty();
    for found in pattern(a)?.find_iter(whole) {
        a.check()?;
        let is_end = found.is_empty() && found.start() == whole.len();
        if parts.len() + 1 >= limit || (empty && is_end) {
            break;
        }
        if found.is_empty() && found.start() == 0 {
            continue;
        }
        parts.extend(whole.get(from..found.start()));
        check_items(parts.len())?;
        from = found.end();
    }
    parts.extend(whole.get(from..));
    text(serde_json::Value::from(parts).to_string())
}

/// Java's `$1`, `${name}` and `\$` in the form that is known here. Of `$12` Java takes as many digits as there are groups for.
fn replacement(source: &str, groups: usize) -> Result<String, SqlError> {
    let mut result = String::new();
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('$') => result.push_str("$$"),
                Some(other) => result.push(other),
                None => return Err(SqlError::unsupported("a replacement that ends in a backslash")),
            },
            '$' if letters.peek() == Some(&'{') => {
                result.push('$');
                result.extend(letters.by_ref().take_while(|letter| *letter != '}'));
                result.push('}');
            }
            '$' => {
                let mut group: Option<usize> = None;
                while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
                    let digit = usize::try_from(digit).unwrap_or_default();
                    let next = group.map_or(digit, |group| group.saturating_mul(10).saturating_add(digit));
                    if group.is_some() && next >= groups {
                        break;
                    }
                    group = Some(next);
                    letters.next();
                }
                match group {
                    Some(group) if group < groups => result.push_str(&format!("${{{group}}}")),
                    _ => {
                        return Err(SqlError::unsupported("a replacement with a group that the pattern does not have"));
                    }
                }
            }
            other => result.push(other),
        }
    }
    Ok(result)
}

/// A pattern that is ready for use, and the bytes of its automaton, rounded up to a power of two.
#[derive(Clone)]
struct Pattern {
    source: String,
    regex: Regex,
    size: usize,
}

thread_local! {
    /// The last pattern of this thread: a query applies one to many rows.
    static LAST: RefCell<Option<Pattern>> = const { RefCell::new(None) };
}

/// The pattern that the second argument is, for a search in the first. One search asks nobody whether to go on, and
/// takes time by the size of the pattern and the length of the text, so their product has a bound.
fn pattern(a: &Arguments) -> Result<Regex, SqlError> {
    let Pattern { regex, size, .. } = LAST.with_borrow_mut(|last| match last {
        Some(known) if known.source == a.text(1) => Ok(known.clone()),
        _ => {
            let pattern = compiled(a.text(1))?;
            *last = Some(pattern.clone());
            Ok::<_, SqlError>(pattern)
        }
    })?;
    if size.saturating_mul(a.text(0).len()) > MOST_WORK {
        return Err(SqlError::unsupported("a regular expression this large on a text this long"));
    }
    Ok(regex)
}

/// Compiles a pattern within the smallest of growing limits, which tells how large it is.
fn compiled(source: &str) -> Result<Pattern, SqlError> {
    let translated = translated(source);
    let within = |size: usize| {
        let regex = RegexBuilder::new(translated.as_ref()?).size_limit(size).build().ok()?;
        Some(Pattern { source: source.to_owned(), regex, size })
    };
    SIZES.map(|power| 1 << power).find_map(within).ok_or_else(|| {
        SqlError::new(
            "INVALID_PARAMETER_VALUE.PATTERN",
            &format!(
                "The value of parameter(s) `regexp` is invalid or not supported by the sandbox, which has no look-around, back references and possessive quantifiers: '{source}'."
            ),
            "22023",
        )
    })
}

/// Classes of letters are ASCII in Java. Possessive quantifiers would be read as something else: `None`.
fn translated(source: &str) -> Option<String> {
    let mut result = String::new();
    let mut letters = source.chars().peekable();
    let mut class = 0_usize;
    let mut quantified = false;
    while let Some(letter) = letters.next() {
        let was_quantified = std::mem::take(&mut quantified);
        match letter {
            '\\' => {
                let inner = class > 0;
                match letters.next()? {
                    'd' => result.push_str(if inner { "0-9" } else { "[0-9]" }),
                    'w' => result.push_str(if inner { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                    's' => result.push_str(if inner { " \\t\\n\\x0B\\f\\r" } else { "[ \\t\\n\\x0B\\f\\r]" }),
                    'D' => result.push_str("[^0-9]"),
                    'W' => result.push_str("[^0-9A-Za-z_]"),
                    'S' => result.push_str("[^ \\t\\n\\x0B\\f\\r]"),
                    'h' if !inner => result.push_str("[ \\t\\x{A0}]"),
                    'R' if !inner => result.push_str("(?:\\r\\n|[\\n\\x0B\\f\\r])"),
                    'Z' if !inner => result.push_str("\\n?\\z"),
                    'Q' | 'E' => return None,
                    other => result.extend(['\\', other]),
                }
            }
            '[' => {
                class += 1;
                result.push('[');
            }
            ']' if class > 0 => {
                class -= 1;
                result.push(']');
            }
            '*' | '+' | '?' | '}' if class == 0 => {
                if letter == '+' && was_quantified {
                    return None;
                }
                quantified = letter != '?' || !was_quantified;
                result.push(letter);
            }
            other => result.push(other),
        }
    }
    Some(result)
}
