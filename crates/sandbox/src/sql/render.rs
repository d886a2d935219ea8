//! Values as text: in results (JSON_ARRAY) and in casts to STRING.
//!
//! Derived: scalars inside of ARRAY, MAP and STRUCT are written as JSON strings, BINARY in the hexadecimal digits that
//! the SQL connector reads.

use rusqlite::types::Value;
use serde_json::Value as Json;

use super::error::SqlError;
use super::intervals;
use super::runtime::{overflow, read};
use super::temporal;
use super::types::{NAN, Type};

/// A cell of a result; `None` is NULL.
pub(crate) fn cell(value: &Value, kind: &Type) -> Result<Option<String>, SqlError> {
    let text = match (value, kind) {
        (Value::Null, _) => return Ok(None),
        (Value::Integer(micros), Type::Timestamp | Type::TimestampNtz) => {
            let zone = if *kind == Type::Timestamp { "Z" } else { "" };
            let at = temporal::instant(*micros).ok_or_else(overflow)?;
            format!("{}{zone}", at.strftime("%Y-%m-%dT%H:%M:%S%.3f"))
        }
        (Value::Integer(value), kind) if kind.is_interval() => intervals::cell(*value, kind),
        (Value::Blob(bytes), _) => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        (Value::Text(json), Type::Array(_) | Type::Map(..) | Type::Struct(_)) => match read(json)? {
            Some(json) => nested(&json, kind)?.to_string(),
            None => return Err(SqlError::unsupported("this nested value")),
        },
        _ => scalar(value, kind)?,
    };
    Ok(Some(text))
}

fn nested(json: &Json, kind: &Type) -> Result<Json, SqlError> {
    Ok(match (json, kind) {
        (Json::Null, _) => Json::Null,
        (Json::Array(items), Type::Array(kind)) => {
            Json::Array(items.iter().map(|item| nested(item, kind)).collect::<Result<_, _>>()?)
        }
        (Json::Object(members), Type::Map(_, kind)) => Json::Object(
            members
                .iter()
                .map(|(key, value)| Ok((key.clone(), nested(value, kind)?)))
                .collect::<Result<_, SqlError>>()?,
        ),
        (Json::Object(members), Type::Struct(fields)) => Json::Object(
            fields
                .iter()
                .map(|(name, kind)| Ok((name.clone(), nested(members.get(name).unwrap_or(&Json::Null), kind)?)))
                .collect::<Result<_, SqlError>>()?,
        ),
        (json, kind) => cell(&plain(json), kind)?.map_or(Json::Null, Json::String),
    })
}

/// A nested value as `to_json` writes it: numbers and booleans as such, without fields that are NULL.
pub(crate) fn json_text(json: &Json, kind: &Type) -> Result<String, SqlError> {
    Ok(match (json, kind) {
        (Json::Null, _) => "null".to_owned(),
        (Json::Array(items), Type::Array(kind)) => {
            let items: Vec<_> = items.iter().map(|item| json_text(item, kind)).collect::<Result<_, _>>()?;
            format!("[{}]", items.join(","))
        }
        (Json::Object(members), Type::Map(_, kind)) => {
            let members = members.iter().map(|(key, value)| member(key, value, kind));
            format!("{{{}}}", members.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        (Json::Object(members), Type::Struct(fields)) => {
            let known = fields.iter().filter_map(|(name, kind)| Some((name, members.get(name)?, kind)));
            let members =
                known.filter(|(_, value, _)| !value.is_null()).map(|(name, value, kind)| member(name, value, kind));
            format!("{{{}}}", members.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        (json, kind) => match nested(json, kind)? {
            Json::String(text) if kind.is_number() && text != NAN || *kind == Type::Boolean => text,
            text => text.to_string(),
        },
    })
}

/// A nested value as a cast to STRING writes it: `[1, 2]`, `{1, a}`, `{k -> v}`.
pub(crate) fn nested_text(json: &Json, kind: &Type) -> Result<String, SqlError> {
    let joined = |parts: Result<Vec<String>, SqlError>| Ok::<_, SqlError>(parts?.join(", "));
    Ok(match (json, kind) {
        (Json::Null, _) => "null".to_owned(),
        (Json::Array(items), Type::Array(kind)) => {
            format!("[{}]", joined(items.iter().map(|item| nested_text(item, kind)).collect())?)
        }
        (Json::Object(members), Type::Map(_, kind)) => {
            let pair = |(key, value): (&String, &Json)| Ok(format!("{key} -> {}", nested_text(value, kind)?));
            format!("{{{}}}", joined(members.iter().map(pair).collect())?)
        }
        (Json::Object(members), Type::Struct(fields)) => {
            let field = |(name, kind): &(String, Type)| nested_text(members.get(name).unwrap_or(&Json::Null), kind);
            format!("{{{}}}", joined(fields.iter().map(field).collect())?)
        }
        (json, kind) => plain_text(&plain(json), &kind.text())?,
    })
}

/// A scalar inside of a nested value.
fn plain(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Integer(i64::from(*flag)),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Real(number.as_f64().unwrap_or_default()), Value::Integer)
        }
        Json::String(text) => Value::Text(text.clone()),
        nested => Value::Text(nested.to_string()),
    }
}

fn member(name: &str, value: &Json, kind: &Type) -> Result<String, SqlError> {
    Ok(format!("{}:{}", Json::String(name.to_owned()), json_text(value, kind)?))
}

/// A value as a cast to STRING writes it; `kind` is the text of its type.
pub(crate) fn plain_text(value: &Value, kind: &str) -> Result<String, SqlError> {
    let decimal = |kind: &str| {
        let (precision, scale) = kind.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?;
        Some(Type::Decimal(precision.parse().ok()?, scale.parse().ok()?))
    };
    if let (Value::Integer(value), Some(kind)) = (value, interval(kind)) {
        return Ok(intervals::text(*value, &kind));
    }
    let kind = match kind {
        "BOOLEAN" => Type::Boolean,
        "DATE" => Type::Date,
        "TIMESTAMP" | "TIMESTAMP_NTZ" => Type::Timestamp,
        "DOUBLE" => Type::Double,
        "FLOAT" => Type::Float,
        kind => decimal(kind).unwrap_or(Type::String),
    };
    scalar(value, &kind)
}

/// The interval type of this text.
fn interval(text: &str) -> Option<Type> {
    let fields = text.strip_prefix("INTERVAL ")?;
    let (from, to) = fields.split_once(" TO ").unwrap_or((fields, fields));
    let place =
        |names: &[&str], name: &str| names.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok());
    let (days, years) = (["DAY", "HOUR", "MINUTE", "SECOND"], ["YEAR", "MONTH"]);
    match (place(&days, from), place(&years, from)) {
        (Some(from), _) => Some(Type::DayTime(from, place(&days, to)?)),
        (_, Some(from)) => Some(Type::YearMonth(from, place(&years, to)?)),
        _ => None,
    }
}

fn scalar(value: &Value, kind: &Type) -> Result<String, SqlError> {
    Ok(match (value, kind) {
        (Value::Integer(value), Type::Boolean) => (*value != 0).to_string(),
        (Value::Integer(days), Type::Date) => temporal::date(*days).ok_or_else(overflow)?.to_string(),
        (Value::Integer(micros), Type::Timestamp | Type::TimestampNtz) => {
            temporal::timestamp_text(*micros).ok_or_else(overflow)?
        }
        (Value::Integer(value), Type::Decimal(precision, scale)) => decimal(*value, *precision, *scale)?,
        (Value::Integer(value), Type::TinyInt) => i8::try_from(*value).map_err(|_| overflow())?.to_string(),
        (Value::Integer(value), Type::SmallInt) => i16::try_from(*value).map_err(|_| overflow())?.to_string(),
        (Value::Integer(value), Type::Int) => i32::try_from(*value).map_err(|_| overflow())?.to_string(),
        (Value::Integer(value), Type::BigInt | Type::String | Type::Void) => value.to_string(),
        #[expect(clippy::cast_precision_loss, reason = "a double that SQLite keeps as an integer")]
        (Value::Integer(value), Type::Double | Type::Float) => double(*value as f64),
        (Value::Real(value), Type::Double | Type::String) => double(*value),
        #[expect(clippy::cast_possible_truncation, reason = "FLOAT has the precision of an f32")]
        (Value::Real(value), Type::Float) => float(*value as f32),
        // An integer operation of SQLite that overflowed.
        (Value::Real(_), _) => return Err(overflow()),
        (Value::Text(text), _) => text.clone(),
        _ => return Err(SqlError::unsupported("this value")),
    })
}

fn decimal(value: i64, precision: u8, scale: u8) -> Result<String, SqlError> {
    let digits = value.unsigned_abs().to_string();
    if digits.len() > usize::from(precision) {
        return Err(overflow());
    }
    let sign = if value < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    if scale == 0 {
        return Ok(format!("{sign}{digits}"));
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    Ok(format!("{sign}{whole}.{fraction}"))
}

/// As Java writes doubles: with a point, and with an exponent outside of 0.001 to 10,000,000.
fn double(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        return NAN.to_owned();
    }
    if !value.is_finite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        return exponent(&format!("{value:E}"));
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn float(value: f32) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        return exponent(&format!("{value:E}"));
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn exponent(text: &str) -> String {
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_as_databricks_does() {
        assert_eq!(
            [double(1.0), double(0.5), double(1e7), double(1.5e-4), double(-2.25)],
            ["1.0", "0.5", "1.0E7", "1.5E-4", "-2.25"]
        );
        assert_eq!(decimal(-5, 4, 2).unwrap(), "-0.05");
        assert_eq!(decimal(1234, 10, 2).unwrap(), "12.34");
        assert!(decimal(12_345, 4, 0).is_err());
    }
}
