//! Strings: positions count characters, patterns are Databricks'.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::Value;

use super::documents::read;
use super::{Arguments, Definition, Outcome, formats};
use crate::sql::error::SqlError;

/// Bytes of a text that a function makes longer than what it is given, at most.
const LONGEST: usize = 16 * 1024 * 1024;

/// Steps of a pattern between two questions whether the statement may go on.
const STEPS_EACH: usize = 100_000;

/// Refuses a result of so many bytes before it takes the memory.
pub(super) fn check_length(bytes: usize) -> Result<(), SqlError> {
    if bytes > LONGEST { Err(SqlError::unsupported("strings this long")) } else { Ok(()) }
}

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_upper", |a| text(a.text(0).to_uppercase())),
    ("dbx_lower", |a| text(a.text(0).to_lowercase())),
    ("dbx_overlay", |a| {
        let (whole, from) = (a.text(0), count(a.integer(2).saturating_sub(1)));
        let length = if a.len() > 3 { count(a.integer(3)) } else { a.text(1).chars().count() };
        let head: String = whole.chars().take(from).collect();
        let tail: String = whole.chars().skip(from.saturating_add(length)).collect();
        text(head + a.text(1) + &tail)
    }),
    ("dbx_locate", |a| {
        let skip = if a.len() > 2 { a.integer(2) } else { 1 };
        if skip < 1 {
            return Ok(Value::Integer(0));
        }
        let start = a.text(1).char_indices().nth(count(skip - 1)).map(|(at, _)| at);
        let found = start.and_then(|start| Some(start + a.text(1).get(start..)?.find(a.text(0))?));
        let place = found.and_then(|found| a.text(1).get(..found)).map_or(0, |before| before.chars().count() + 1);
        Ok(Value::Integer(i64::try_from(place).unwrap_or(i64::MAX)))
    }),
    ("dbx_find_in_set", |a| {
        let place = a.text(1).split(',').position(|part| part == a.text(0)).filter(|_| !a.text(0).contains(','));
        Ok(Value::Integer(place.and_then(|place| i64::try_from(place + 1).ok()).unwrap_or(0)))
    }),
    ("dbx_url_encode", |a| {
        let written = a.text(0).bytes().map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        });
        text(written.collect::<String>())
    }),
    ("dbx_url_decode", |a| {
        let wrong = || {
            SqlError::new(
                "CANNOT_DECODE_URL",
                &format!(
                    "The provided URL cannot be decoded: {}. Please ensure that the URL is properly formatted and try again.",
                    a.text(0)
                ),
                "22546",
            )
        };
        let mut bytes = Vec::new();
        let mut letters = a.text(0).bytes();
        while let Some(letter) = letters.next() {
            bytes.push(match letter {
                b'+' => b' ',
                b'%' => {
                    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                    let (high, low) = (digit(letters.next()), digit(letters.next()));
                    high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok()).ok_or_else(wrong)?
                }
                letter => letter,
            });
        }
        text(String::from_utf8(bytes).map_err(|_| wrong())?)
    }),
    ("dbx_soundex", |a| text(soundex(a.text(0)))),
    ("dbx_trim", |a| text(a.text(0).trim_matches(among(&trimmed(a))))),
    ("dbx_ltrim", |a| text(a.text(0).trim_start_matches(among(&trimmed(a))))),
    ("dbx_rtrim", |a| text(a.text(0).trim_end_matches(among(&trimmed(a))))),
    ("dbx_substring", substring),
    ("dbx_left", |a| text(a.text(0).chars().take(count(a.integer(1))).collect::<String>())),
    ("dbx_right", |a| {
        let skip = a.text(0).chars().count().saturating_sub(count(a.integer(1)));
        text(a.text(0).chars().skip(skip).collect::<String>())
    }),
    ("dbx_repeat", |a| {
        let times = count(a.integer(1));
        check_length(a.text(0).len().saturating_mul(times))?;
        text(a.text(0).repeat(times))
    }),
    ("dbx_replace", |a| {
        let (whole, from, to) = (a.text(0), a.text(1), a.text(2));
        if from.is_empty() {
            return text(whole);
        }
        if to.len() > from.len() {
            let longer = whole.matches(from).count().saturating_mul(to.len() - from.len());
            check_length(whole.len().saturating_add(longer))?;
        }
        text(whole.replace(from, to))
    }),
    ("dbx_lpad", |a| pad(a, true)),
    ("dbx_rpad", |a| pad(a, false)),
    ("dbx_reverse", |a| text(a.text(0).chars().rev().collect::<String>())),
    ("dbx_initcap", |a| text(initcap(a.text(0)))),
    ("dbx_split_part", split_part),
    ("dbx_contains", |a| flag(a.text(0).contains(a.text(1)))),
    ("dbx_startswith", |a| flag(a.text(0).starts_with(a.text(1)))),
    ("dbx_endswith", |a| flag(a.text(0).ends_with(a.text(1)))),
    ("dbx_like", |a| like(a, false)),
    ("dbx_ilike", |a| like(a, true)),
    ("dbx_space", |a| {
        let length = count(a.integer(0));
        check_length(length)?;
        text(" ".repeat(length))
    }),
    ("dbx_base64", |a| text(STANDARD.encode(a.text(0)))),
    ("dbx_unbase64", |a| {
        STANDARD.decode(a.text(0)).map(Value::Blob).map_err(|_| {
            SqlError::new(
                "CONVERSION_INVALID_INPUT",
                &format!("The value '{}' cannot be converted to \"BINARY\" because it is malformed.", a.text(0)),
                "22018",
            )
        })
    }),
    ("dbx_levenshtein", |a| {
        if a.text(0).len() > 10_000 || a.text(1).len() > 10_000 {
            return Err(SqlError::unsupported("levenshtein of strings this long"));
        }
        Ok(Value::Integer(i64::try_from(strsim::levenshtein(a.text(0), a.text(1))).unwrap_or(i64::MAX)))
    }),
    ("dbx_substring_index", |a| {
        let (whole, separator, wanted) = (a.text(0), a.text(1), a.integer(2));
        if separator.is_empty() || wanted == 0 {
            return text("");
        }
        let nth = match (count(wanted.saturating_abs()), wanted > 0) {
            (kept, true) => Some(kept - 1),
            // The last so many parts begin after the separator before them.
            (kept, false) => whole.matches(separator).count().checked_sub(kept),
        };
        let place = nth.and_then(|nth| whole.match_indices(separator).nth(nth)).map(|(at, _)| at);
        let part = place.and_then(|at| match wanted > 0 {
            true => whole.get(..at),
            false => whole.get(at + separator.len()..),
        });
        text(part.unwrap_or(whole))
    }),
    ("dbx_ascii", |a| Ok(Value::Integer(a.text(0).chars().next().map_or(0, |letter| i64::from(u32::from(letter)))))),
    ("dbx_char", |a| {
        text(char::from(u8::try_from(a.integer(0).rem_euclid(256)).unwrap_or_default()).to_string().replace('\0', ""))
    }),
    ("dbx_translate", translate),
    ("dbx_array_join", |a| {
        let items: Vec<serde_json::Value> = read(a.text(0))?.unwrap_or_default();
        let items: Vec<_> = items
            .iter()
            .filter(|item| !item.is_null())
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect();
        check_length(a.text(0).len().saturating_add(a.text(1).len().saturating_mul(items.len())))?;
        text(items.join(a.text(1)))
    }),
    ("dbx_map_get", |a| member(a.text(0), a.text(1))),
];

pub(super) const LENIENT: &[Definition] = &[
    ("dbx_format", formats::format),
    ("dbx_concat_ws", |a| {
        let [Value::Text(separator), rest @ ..] = a.all() else { return Ok(Value::Null) };
        let parts: Vec<_> = rest
            .iter()
            .filter_map(|part| if let Value::Text(part) = part { Some(part.as_str()) } else { None })
            .collect();
        let length = parts.iter().map(|part| part.len() + separator.len()).sum();
        check_length(length)?;
        text(parts.join(separator))
    }),
];

pub(super) fn text(text: impl Into<String>) -> Outcome {
    Ok(Value::Text(text.into()))
}

pub(super) fn flag(flag: bool) -> Outcome {
    Ok(Value::Integer(i64::from(flag)))
}

pub(super) fn count(value: i64) -> usize {
    usize::try_from(value.max(0)).unwrap_or(usize::MAX)
}

fn trimmed(arguments: &Arguments) -> HashSet<char> {
    if arguments.len() > 1 { arguments.text(1).chars().collect() } else { HashSet::from([' ']) }
}

fn among(letters: &HashSet<char>) -> impl Fn(char) -> bool + Copy {
    |letter| letters.contains(&letter)
}

/// Positions start at 1; negative ones count from the end.
fn substring(a: &Arguments) -> Outcome {
    let length = i64::try_from(a.text(0).chars().count()).unwrap_or(i64::MAX);
    let start = match a.integer(1) {
        position if position > 0 => position - 1,
        0 => 0,
        position => length.saturating_add(position),
    };
    let end = if a.len() > 2 { start.saturating_add(a.integer(2)) } else { i64::MAX };
    text(a.text(0).chars().skip(count(start)).take(count(end).saturating_sub(count(start))).collect::<String>())
}

fn pad(a: &Arguments, left: bool) -> Outcome {
    let width = count(a.integer(1));
    check_length(width)?;
    let fill = if a.len() > 2 { a.text(2) } else { " " };
    let length = a.text(0).chars().count();
    if length >= width {
        return text(a.text(0).chars().take(width).collect::<String>());
    }
    let filling: String = fill.chars().cycle().take(width - length).collect();
    text(if left { filling + a.text(0) } else { a.text(0).to_owned() + &filling })
}

fn soundex(source: &str) -> String {
    let code = |letter: char| match letter.to_ascii_uppercase() {
        'B' | 'F' | 'P' | 'V' => Some('1'),
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
        'D' | 'T' => Some('3'),
        'L' => Some('4'),
        'M' | 'N' => Some('5'),
        'R' => Some('6'),
        _ => None,
    };
    let mut letters = source.chars();
    let Some(first) = letters.next().filter(char::is_ascii_alphabetic) else { return source.to_owned() };
    let mut result = String::from(first.to_ascii_uppercase());
    let mut last = code(first);
    for letter in letters {
        let next = code(letter);
        if next.is_some() && next != last {
            result.extend(next);
        }
        // H and W do not part letters of one sound, vowels do.
        if !matches!(letter.to_ascii_uppercase(), 'H' | 'W') {
            last = next;
        }
    }
    format!("{:0<4}", result.chars().take(4).collect::<String>())
}

fn initcap(source: &str) -> String {
    let mut start = true;
    let mut result = String::new();
    for letter in source.chars() {
        if start {
            result.extend(letter.to_uppercase())
        } else {
            result.extend(letter.to_lowercase())
        }
        start = letter == ' ';
    }
    result
}

fn split_part(a: &Arguments) -> Outcome {
    let parts: Vec<_> = if a.text(1).is_empty() { vec![a.text(0)] } else { a.text(0).split(a.text(1)).collect() };
    let place = match a.integer(2) {
        0 => {
            return Err(SqlError::new(
                "INVALID_INDEX_OF_ZERO",
                "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
                "22003",
            ));
        }
        place if place > 0 => Some(count(place) - 1),
        place => parts.len().checked_sub(count(place.saturating_neg())),
    };
    text(place.and_then(|place| parts.get(place)).copied().unwrap_or_default())
}

fn translate(a: &Arguments) -> Outcome {
    let mut to = a.text(2).chars();
    let mut places = std::collections::HashMap::new();
    for from in a.text(1).chars() {
        // Each letter takes its place, but only the first of equal ones counts.
        let to = to.next();
        places.entry(from).or_insert(to);
    }
    let replaced = a.text(0).chars().filter_map(|letter| places.get(&letter).copied().unwrap_or(Some(letter)));
    text(replaced.collect::<String>())
}

/// `%` is any text, `_` any character; everything after the escape stands for itself.
fn like(a: &Arguments, ignore_case: bool) -> Outcome {
    let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
    let escape = if a.len() > 2 { a.text(2).chars().next() } else { Some('\\') };
    let mut parts = Vec::new();
    let folded = fold(a.text(1));
    let mut letters = folded.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            letter if Some(letter) == escape => match letters.next() {
                Some(next) if next == letter || next == '%' || next == '_' => Wild::One(next),
                _ => {
                    return Err(SqlError::new(
                        "INVALID_FORMAT.ESC_IN_THE_MIDDLE",
                        &format!(
                            "The format is invalid: '{}'. The escape character is not allowed to precede anything but itself, `_` and `%`.",
                            a.text(1)
                        ),
                        "42601",
                    ));
                }
            },
            '%' => Wild::Any,
            '_' => Wild::Single,
            letter => Wild::One(letter),
        });
    }
    flag(matches(a, &fold(a.text(0)).chars().collect::<Vec<_>>(), &parts)?)
}

#[derive(Clone, Copy, PartialEq)]
enum Wild {
    Any,
    Single,
    One(char),
}

/// Greedy, going back to the last `%` only, so never worse than quadratic.
fn matches(a: &Arguments, text: &[char], parts: &[Wild]) -> Result<bool, SqlError> {
    let (mut t, mut p) = (0, 0);
    let mut retry = None;
    let mut steps = 0_usize;
    while t < text.len() {
        steps += 1;
        if steps.is_multiple_of(STEPS_EACH) {
            a.check()?;
        }
        match parts.get(p) {
            Some(Wild::Any) => {
                retry = Some((p, t));
                p += 1;
            }
            Some(Wild::Single) => (t, p) = (t + 1, p + 1),
            Some(Wild::One(letter)) if text.get(t) == Some(letter) => (t, p) = (t + 1, p + 1),
            _ => match retry {
                Some((any, from)) => {
                    retry = Some((any, from + 1));
                    (t, p) = (from + 1, any + 1);
                }
                None => return Ok(false),
            },
        }
    }
    Ok(parts.iter().skip(p).all(|part| *part == Wild::Any))
}

pub(super) fn value(item: &serde_json::Value) -> Value {
    match item {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Integer(i64::from(*flag)),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Real(number.as_f64().unwrap_or_default()), Value::Integer)
        }
        serde_json::Value::String(text) => Value::Text(text.clone()),
        nested => Value::Text(nested.to_string()),
    }
}

fn member(json: &str, key: &str) -> Outcome {
    let object = read::<serde_json::Value>(json)?.unwrap_or_default();
    Ok(object.get(key).map_or(Value::Null, value))
}
