//! Path parameters.
//!
//! The official SDKs insert them as they are, so a `#` cuts off the path and a `..` leads out of it. Here the values
//! come from a language model: everything but unreserved characters is percent-encoded, and a segment that URL parsers
//! would resolve (`.`, `..`, also when encoded, and as a part between encoded slashes) is refused.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::operation::{Location, Operation};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A segment is looked at as it is and decoded so many times.
const MOST_DECODED: usize = 3;

/// A piece of a path template.
enum Piece<'a> {
    Literal(&'a str),
    /// `attached` when no slash precedes it, as in `/files{file_path}`: then the value brings the slash.
    Parameter {
        name: &'a str,
        attached: bool,
    },
}

/// Fills a path template with the values of a call.
pub(super) fn fill(operation: &Operation, values: &Map<String, Value>) -> Result<String, Error> {
    let mut path = String::with_capacity(operation.path.len() + 32);
    for piece in pieces(operation.path) {
        match piece {
            Piece::Literal(text) => path.push_str(text),
            Piece::Parameter { name, attached } => {
                let value = match values.get(name) {
                    Some(Value::String(text)) => text.clone(),
                    Some(Value::Number(number)) => number.to_string(),
                    Some(Value::Bool(flag)) => flag.to_string(),
                    None | Some(Value::Null) => return Err(refusal(name, "is missing")),
                    Some(Value::Array(_) | Value::Object(_)) => return Err(refusal(name, "must be a single value")),
                };
                push(&mut path, operation, name, attached, &value)?;
            }
        }
    }
    Ok(path)
}

fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut attached = false;
    template.split(['{', '}']).enumerate().filter(|(_, text)| !text.is_empty()).map(move |(index, text)| {
        // Braces alternate: every second piece is a name.
        if index % 2 == 1 {
            return Piece::Parameter { name: text, attached };
        }
        attached = !text.ends_with('/');
        Piece::Literal(text)
    })
}

fn push(path: &mut String, operation: &Operation, name: &str, attached: bool, value: &str) -> Result<(), Error> {
    let several = operation.parameter(Location::Path, name).is_some_and(|parameter| parameter.multi_segment);
    if !several {
        check_segment(name, value)?;
        path.extend(utf8_percent_encode(value, RESERVED));
        return Ok(());
    }
    let value = if attached {
        path.push('/');
        value.trim_start_matches('/')
    } else {
        value
    };
    for (index, segment) in value.split('/').enumerate() {
        check_segment(name, segment)?;
        if index > 0 {
            path.push('/');
        }
        path.extend(utf8_percent_encode(segment, RESERVED));
    }
    Ok(())
}

fn check_segment(name: &str, segment: &str) -> Result<(), Error> {
    match segment {
        "" => Err(refusal(name, "is empty or has an empty segment")),
        _ if climbs(segment) => Err(refusal(name, "has a segment that is `.` or `..`")),
        _ => Ok(()),
    }
}

/// Whether something on the way may take a part of the segment for `.` or `..`: it is percent-encoded once here, and
/// proxies have been seen to decode more often than that.
fn climbs(segment: &str) -> bool {
    let mut decoded = Cow::Borrowed(segment);
    for _ in 0..=MOST_DECODED {
        if decoded.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
            return true;
        }
        let Ok(next) = percent_decode_str(&decoded).decode_utf8().map(Cow::into_owned) else { return false };
        decoded = next.into();
    }
    false
}

fn refusal(name: &str, why: &str) -> Error {
    Error::parameter(name, format!("the path parameter `{name}` {why}"))
}
