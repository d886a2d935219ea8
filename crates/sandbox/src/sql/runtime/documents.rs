//! JSON texts: paths into them, and values of a schema from them.

use rusqlite::types::Value;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::casts::decimal;
use super::strings::text;
use super::{Arguments, Definition, Outcome};
use crate::json::{MOST_VALUES, Unread, parse};
use crate::sql::error::SqlError;
use crate::sql::temporal;
use crate::sql::types::{NAN, Type};

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_json_object", json_object),
    ("dbx_json_path", json_path),
    ("dbx_from_json", from_json),
    ("dbx_to_json", |a| {
        let (Some(json), Some(kind)) = (read(a.text(0))?, Type::parse(a.text(1))) else {
            return Err(SqlError::unsupported("this nested value"));
        };
        text(crate::sql::render::json_text(&json, &kind)?)
    }),
    ("dbx_nested_text", |a| {
        let (Some(json), Some(kind)) = (read(a.text(0))?, Type::parse(a.text(1))) else {
            return Err(SqlError::unsupported("this nested value"));
        };
        text(crate::sql::render::nested_text(&json, &kind)?)
    }),
    ("dbx_json_array_length", |a| {
        Ok(match read(a.text(0))? {
            Some(Json::Array(items)) => Value::Integer(i64::try_from(items.len()).unwrap_or(i64::MAX)),
            _ => Value::Null,
        })
    }),
    ("dbx_json_object_keys", |a| match read(a.text(0))? {
        Some(Json::Object(members)) => text(Json::from(members.keys().cloned().collect::<Vec<_>>()).to_string()),
        _ => Ok(Value::Null),
    }),
];

/// Reads a JSON text; nothing of what is none.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<Option<T>, SqlError> {
    match parse(text.as_bytes()) {
        Ok(value) => Ok(Some(value)),
        Err(Unread::Malformed(_)) => Ok(None),
        Err(Unread::TooMany) => Err(SqlError::unsupported(format!("JSON of more than {MOST_VALUES} values"))),
    }
}

/// What a path leads to: text without its quotes, anything else as JSON.
fn found(json: &Json) -> Outcome {
    match json {
        Json::Null => Ok(Value::Null),
        Json::String(found) => text(found.clone()),
        found => text(found.to_string()),
    }
}

enum Step {
    Key(String),
    Index(usize),
    All,
}

/// `$.a['b'][0][*]`; `None` for what is no path.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (key, after) = after.split_at_checked(end)?;
            steps.push(match key {
                "" => return None,
                "*" => Step::All,
                key => Step::Key(key.to_owned()),
            });
            rest = after;
            continue;
        }
        let (inner, after) = rest.strip_prefix('[')?.split_once(']')?;
        let quoted = inner.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\''));
        steps.push(match (quoted, inner) {
            (Some(key), _) => Step::Key(key.to_owned()),
            (None, "*") => Step::All,
            (None, index) => Step::Index(index.trim().parse().ok()?),
        });
        rest = after;
    }
    Some(steps)
}

fn json_object(a: &Arguments) -> Outcome {
    let Some(json) = read::<Json>(a.text(0))? else { return Ok(Value::Null) };
    let Some(steps) = steps(a.text(1)) else { return Ok(Value::Null) };
    let mut places = vec![&json];
    let mut many = false;
    for step in steps {
        places = match step {
            Step::Key(key) => places.into_iter().filter_map(|place| place.as_object()?.get(&key)).collect(),
            Step::Index(index) => places.into_iter().filter_map(|place| place.as_array()?.get(index)).collect(),
            Step::All if many => return Err(SqlError::unsupported("JSON paths with several `*`")),
            Step::All => {
                many = true;
                places.into_iter().filter_map(Json::as_array).flatten().collect()
            }
        };
    }
    match (places.as_slice(), many) {
        ([], _) => Ok(Value::Null),
        ([place], false) => found(place),
        // One match of `*` loses its brackets, but keeps its quotes.
        ([place], true) => text(place.to_string()),
        (places, _) => text(Json::from(places.iter().map(|place| (*place).clone()).collect::<Vec<_>>()).to_string()),
    }
}

/// Steps of `a:b.c[0]`, as a JSON array: numbers, keys after `=`, and keys in any case after `i`.
fn json_path(a: &Arguments) -> Outcome {
    let Some(mut json) = read::<Json>(a.text(0))? else { return Ok(Value::Null) };
    let Some(Json::Array(steps)) = read(a.text(1))? else { return Ok(Value::Null) };
    for step in steps {
        let place = match (&mut json, &step) {
            (Json::Array(items), Json::Number(index)) => {
                index.as_u64().and_then(|index| items.get_mut(usize::try_from(index).ok()?))
            }
            (Json::Object(members), Json::String(key)) => match key.split_at_checked(1) {
                Some(("=", key)) => members.get_mut(key),
                Some((_, key)) => {
                    members.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
                }
                None => None,
            },
            _ => None,
        };
        let Some(place) = place else { return Ok(Value::Null) };
        json = place.take();
    }
    found(&json)
}

/// A text as a value of a type; what does not fit is NULL, field by field.
fn from_json(a: &Arguments) -> Outcome {
    let Some(kind) = Type::parse(a.text(1)) else { return Err(SqlError::unsupported("this schema of from_json")) };
    let json = read::<Json>(a.text(0))?.unwrap_or_default();
    match (fitted(&json, &kind), &kind) {
        // Malformed text gives a struct of NULLs.
        (None, Type::Struct(fields)) => {
            let nothing = fields.iter().map(|(name, _)| (name.clone(), Json::Null)).collect();
            text(Json::Object(nothing).to_string())
        }
        (None, _) => Ok(Value::Null),
        (Some(value), _) => text(value.to_string()),
    }
}

/// JSON as the engine keeps a value of this type.
fn fitted(json: &Json, kind: &Type) -> Option<Json> {
    let number = |least: i64, most: i64| json.as_i64().filter(|value| (least..=most).contains(value)).map(Json::from);
    match kind {
        Type::Boolean => json.as_bool().map(|flag| Json::from(i64::from(flag))),
        Type::TinyInt => number(i8::MIN.into(), i8::MAX.into()),
        Type::SmallInt => number(i16::MIN.into(), i16::MAX.into()),
        Type::Int => number(i32::MIN.into(), i32::MAX.into()),
        Type::BigInt => number(i64::MIN, i64::MAX),
        Type::Double | Type::Float if json.as_str() == Some(NAN) => Some(json.clone()),
        Type::Double => json.as_f64().map(Json::from),
        Type::Float => json.as_f64().map(|value| Json::from(super::maths::as_float(value))),
        Type::Decimal(_, scale) => {
            json.is_number().then(|| decimal(&json.to_string(), *scale)).flatten().map(Json::from)
        }
        Type::String => match json {
            Json::Null => None,
            Json::String(_) => Some(json.clone()),
            other => Some(Json::String(other.to_string())),
        },
        Type::Date => temporal::parse_date(json.as_str()?).map(Json::from),
        Type::Timestamp | Type::TimestampNtz => temporal::parse_timestamp(json.as_str()?).map(Json::from),
        Type::Array(item) => {
            Some(Json::Array(json.as_array()?.iter().map(|value| fitted(value, item).unwrap_or_default()).collect()))
        }
        Type::Map(_, item) => {
            let members = json.as_object()?.iter();
            Some(Json::Object(
                members.map(|(key, value)| (key.clone(), fitted(value, item).unwrap_or_default())).collect(),
            ))
        }
        Type::Struct(fields) => {
            let members = json.as_object()?;
            let value =
                |name: &String, kind| members.get(name).and_then(|value| fitted(value, kind)).unwrap_or_default();
            Some(Json::Object(fields.iter().map(|(name, kind)| (name.clone(), value(name, kind))).collect()))
        }
        _ => None,
    }
}

/// The type that a JSON text shows, as `schema_of_json` gives it.
pub(crate) fn schema_of(json: &Json) -> Type {
    match json {
        Json::Null => Type::String,
        Json::Bool(_) => Type::Boolean,
        Json::Number(number) if number.is_f64() => Type::Double,
        Json::Number(_) => Type::BigInt,
        Json::String(_) => Type::String,
        Json::Array(items) => {
            let kinds = items.iter().map(schema_of).reduce(|a, b| a.common(&b).unwrap_or(Type::String));
            Type::Array(Box::new(kinds.unwrap_or(Type::String)))
        }
        Json::Object(members) => {
            let mut fields: Vec<_> = members.iter().map(|(name, value)| (name.clone(), schema_of(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Type::Struct(fields)
        }
    }
}
