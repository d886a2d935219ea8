//! Strings: positions count characters, patterns are Databricks'.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use rusqlite::types::Value;

use super::{Arguments, Definition, Outcome};
use crate::sql::error::SqlError;
use crate::sql::types::Type;

/// A result may not outgrow this.
const LONGEST: usize = 16 * 1024 * 1024;

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_upper", |a| text(a.text(0).to_uppercase())),
    ("dbx_lower", |a| text(a.text(0).to_lowercase())),
    ("dbx_trim", |a| text(a.text(0).trim_matches(trimmed(a).as_slice()))),
    ("dbx_ltrim", |a| text(a.text(0).trim_start_matches(trimmed(a).as_slice()))),
    ("dbx_rtrim", |a| text(a.text(0).trim_end_matches(trimmed(a).as_slice()))),
    ("dbx_substring", substring),
    ("dbx_left", |a| text(a.text(0).chars().take(count(a.integer(1))).collect::<String>())),
    ("dbx_right", |a| {
        let skip = a.text(0).chars().count().saturating_sub(count(a.integer(1)));
        text(a.text(0).chars().skip(skip).collect::<String>())
    }),
    ("dbx_repeat", |a| {
        let times = count(a.integer(1));
        if a.text(0).len().saturating_mul(times) > LONGEST {
            Err(SqlError::unsupported("strings this long"))
        } else {
            text(a.text(0).repeat(times))
        }
    }),
    (
        "dbx_replace",
        |a| if a.text(1).is_empty() { text(a.text(0)) } else { text(a.text(0).replace(a.text(1), a.text(2))) },
    ),
    ("dbx_lpad", |a| pad(a, true)),
    ("dbx_rpad", |a| pad(a, false)),
    ("dbx_reverse", |a| text(a.text(0).chars().rev().collect::<String>())),
    ("dbx_initcap", |a| text(initcap(a.text(0)))),
    ("dbx_split_part", split_part),
    ("dbx_split", |a| {
        let parts: Vec<_> = pattern(a.text(1))?.split(a.text(0)).map(serde_json::Value::from).collect();
        text(serde_json::Value::from(parts).to_string())
    }),
    ("dbx_contains", |a| flag(a.text(0).contains(a.text(1)))),
    ("dbx_startswith", |a| flag(a.text(0).starts_with(a.text(1)))),
    ("dbx_endswith", |a| flag(a.text(0).ends_with(a.text(1)))),
    ("dbx_like", |a| like(a, false)),
    ("dbx_ilike", |a| like(a, true)),
    ("dbx_rlike", |a| flag(pattern(a.text(1))?.is_match(a.text(0)))),
    ("dbx_regexp_replace", |a| {
        let replacement = a.text(2).replace("${", "$${");
        text(pattern(a.text(1))?.replace_all(a.text(0), replacement.as_str()).into_owned())
    }),
    ("dbx_regexp_extract", |a| {
        let group = if a.len() > 2 { count(a.integer(2)) } else { 1 };
        let found = pattern(a.text(1))?
            .captures(a.text(0))
            .and_then(|captures| captures.get(group).map(|found| found.as_str().to_owned()));
        text(found.unwrap_or_default())
    }),
    ("dbx_regexp_count", |a| {
        Ok(Value::Integer(i64::try_from(pattern(a.text(1))?.find_iter(a.text(0)).count()).unwrap_or(i64::MAX)))
    }),
    ("dbx_to_json", |a| {
        let (Ok(json), Some(kind)) = (serde_json::from_str(a.text(0)), Type::parse(a.text(1))) else {
            return Err(SqlError::unsupported("this nested value"));
        };
        text(crate::sql::render::json_text(&json, &kind)?)
    }),
    ("dbx_space", |a| text(" ".repeat(count(a.integer(0)).min(LONGEST)))),
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
        let parts: Vec<_> = whole.split(separator).collect();
        let kept = count(wanted.saturating_abs()).min(parts.len());
        let parts = if wanted > 0 { parts.get(..kept) } else { parts.get(parts.len() - kept..) };
        text(parts.unwrap_or_default().join(separator))
    }),
    ("dbx_regexp_extract_all", |a| {
        let group = if a.len() > 2 { count(a.integer(2)) } else { 1 };
        let regex = pattern(a.text(1))?;
        let found = regex.captures_iter(a.text(0)).map(|found| found.get(group).map_or("", |found| found.as_str()));
        text(serde_json::json!(found.collect::<Vec<_>>()).to_string())
    }),
    ("dbx_ascii", |a| Ok(Value::Integer(a.text(0).chars().next().map_or(0, |letter| i64::from(u32::from(letter)))))),
    ("dbx_char", |a| {
        text(char::from(u8::try_from(a.integer(0).rem_euclid(256)).unwrap_or_default()).to_string().replace('\0', ""))
    }),
    ("dbx_translate", translate),
    ("dbx_array_join", |a| {
        let items: Vec<serde_json::Value> = serde_json::from_str(a.text(0)).unwrap_or_default();
        let items: Vec<_> = items
            .iter()
            .filter(|item| !item.is_null())
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect();
        text(items.join(a.text(1)))
    }),
    ("dbx_array_contains", |a| {
        let items: Vec<serde_json::Value> = serde_json::from_str(a.text(0)).unwrap_or_default();
        flag(items.iter().any(|item| same(item, a.get(1))))
    }),
    ("dbx_element_at", |a| {
        let items: Vec<serde_json::Value> = serde_json::from_str(a.text(0)).unwrap_or_default();
        let index = a.integer(1);
        let place = if index < 0 {
            items.len().checked_sub(count(index.saturating_neg()))
        } else {
            count(index).checked_sub(1)
        };
        match place.and_then(|place| items.get(place)) {
            Some(item) => Ok(value(item)),
            None => Err(SqlError::new(
                "INVALID_ARRAY_INDEX_IN_ELEMENT_AT",
                &format!("The index {index} is out of bounds. The array has {} elements.", items.len()),
                "22003",
            )),
        }
    }),
    ("dbx_map_get", |a| Ok(member(a.text(0), a.text(1)))),
    ("dbx_json_object", json_object),
    ("dbx_json_path", json_path),
];

pub(super) const LENIENT: &[Definition] = &[("dbx_concat_ws", |a| {
    let [Value::Text(separator), rest @ ..] = a.all() else { return Ok(Value::Null) };
    let parts: Vec<_> =
        rest.iter().filter_map(|part| if let Value::Text(part) = part { Some(part.as_str()) } else { None }).collect();
    text(parts.join(separator))
})];

fn text(text: impl Into<String>) -> Outcome {
    Ok(Value::Text(text.into()))
}

fn flag(flag: bool) -> Outcome {
    Ok(Value::Integer(i64::from(flag)))
}

fn count(value: i64) -> usize {
    usize::try_from(value.max(0)).unwrap_or(usize::MAX)
}

fn trimmed(arguments: &Arguments) -> Vec<char> {
    if arguments.len() > 1 { arguments.text(1).chars().collect() } else { vec![' '] }
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
    if width > LONGEST {
        return Err(SqlError::unsupported("strings this long"));
    }
    let fill = if a.len() > 2 { a.text(2) } else { " " };
    let length = a.text(0).chars().count();
    if length >= width {
        return text(a.text(0).chars().take(width).collect::<String>());
    }
    let filling: String = fill.chars().cycle().take(width - length).collect();
    text(if left { filling + a.text(0) } else { a.text(0).to_owned() + &filling })
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
    let to: Vec<char> = a.text(2).chars().collect();
    let replaced = a.text(0).chars().filter_map(|letter| match a.text(1).chars().position(|from| from == letter) {
        Some(place) => to.get(place).copied(),
        None => Some(letter),
    });
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
            letter if Some(letter) == escape => Wild::One(letters.next().unwrap_or(letter)),
            '%' => Wild::Any,
            '_' => Wild::Single,
            letter => Wild::One(letter),
        });
    }
    flag(matches(&fold(a.text(0)).chars().collect::<Vec<_>>(), &parts))
}

#[derive(Clone, Copy, PartialEq)]
enum Wild {
    Any,
    Single,
    One(char),
}

/// Greedy, going back to the last `%` only, so never worse than quadratic.
fn matches(text: &[char], parts: &[Wild]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut retry = None;
    while t < text.len() {
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
                None => return false,
            },
        }
    }
    parts.iter().skip(p).all(|part| *part == Wild::Any)
}

thread_local! {
    /// The last pattern of this thread: a query applies one to many rows.
    static LAST: RefCell<Option<(String, Regex)>> = const { RefCell::new(None) };
}

fn pattern(source: &str) -> Result<Regex, SqlError> {
    LAST.with(|last| {
        let mut last = last.borrow_mut();
        match &*last {
            Some((known, regex)) if known == source => Ok(regex.clone()),
            _ => {
                let regex = Regex::new(source).map_err(|_| {
                    SqlError::new(
                        "INVALID_PARAMETER_VALUE.PATTERN",
                        &format!(
                            "The value of parameter(s) `regexp` is invalid or not supported by the sandbox: '{source}'."
                        ),
                        "22023",
                    )
                })?;
                *last = Some((source.to_owned(), regex.clone()));
                Ok(regex)
            }
        }
    })
}

fn same(item: &serde_json::Value, wanted: &Value) -> bool {
    value(item) == *wanted
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

fn member(json: &str, key: &str) -> Value {
    match serde_json::from_str::<serde_json::Value>(json) {
        Ok(object) => object.get(key).map_or(Value::Null, value),
        Err(_) => Value::Null,
    }
}

/// `$.a.b[0]`, as text; NULL where there is nothing.
fn json_object(a: &Arguments) -> Outcome {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(a.text(0)) else { return Ok(Value::Null) };
    let Some(path) = a.text(1).strip_prefix('$') else { return Ok(Value::Null) };
    let pointer = path.replace('~', "~0").replace(['.', '['], "/").replace(']', "");
    match json.pointer(&pointer) {
        None | Some(serde_json::Value::Null) => Ok(Value::Null),
        Some(serde_json::Value::String(found)) => text(found.clone()),
        Some(found) => text(found.to_string()),
    }
}

/// Steps of `a:b.c[0]`, as a JSON array: numbers, keys after `=`, and keys in any case after `i`.
fn json_path(a: &Arguments) -> Outcome {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(a.text(0)) else { return Ok(Value::Null) };
    let Ok(serde_json::Value::Array(steps)) = serde_json::from_str(a.text(1)) else { return Ok(Value::Null) };
    for step in steps {
        let found = match (&mut json, &step) {
            (serde_json::Value::Array(items), serde_json::Value::Number(index)) => {
                index.as_u64().and_then(|index| items.get_mut(usize::try_from(index).ok()?))
            }
            (serde_json::Value::Object(members), serde_json::Value::String(key)) => match key.split_at_checked(1) {
                Some(("=", key)) => members.get_mut(key),
                Some((_, key)) => {
                    members.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
                }
                None => None,
            },
            _ => None,
        };
        let Some(found) = found else { return Ok(Value::Null) };
        json = found.take();
    }
    match json {
        serde_json::Value::Null => Ok(Value::Null),
        serde_json::Value::String(found) => text(found),
        found => text(found.to_string()),
    }
}
