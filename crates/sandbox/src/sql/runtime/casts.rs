//! Casts between types that need more than an operator.

use rusqlite::types::Value;

use super::maths::{divided, integer, overflow, power10};
use super::{Arguments, Definition, Outcome};
use crate::sql::error::SqlError;
use crate::sql::operators::DAY_MICROS;
use crate::sql::types::NAN;
use crate::sql::{render, temporal};

pub(super) const FUNCTIONS: &[Definition] =
    &[("dbx_cast", cast), ("dbx_try_cast", |a| Ok(cast(a).unwrap_or(Value::Null)))];

fn cast(a: &Arguments) -> Outcome {
    let (from, to) = (a.text(1), a.text(2));
    let value = match (from, a.get(0)) {
        (_, value) if to == "STRING" => Ok(Value::Text(render::plain_text(value, from)?)),
        ("STRING", Value::Text(text)) => parse(text.trim(), to).ok_or_else(|| malformed(text, to)),
        ("DOUBLE" | "FLOAT", _) => from_real(a.real(0), to),
        (from, Value::Integer(value)) if from.starts_with("DECIMAL") => from_decimal(*value, scale(from), to),
        ("TIMESTAMP" | "TIMESTAMP_NTZ", Value::Integer(value)) => match to {
            "DATE" => Ok(Value::Integer(value.div_euclid(DAY_MICROS))),
            "DOUBLE" | "FLOAT" => Ok(Value::Real(a.real(0) / 1e6)),
            _ => from_integer(value.div_euclid(1_000_000), to),
        },
        (_, Value::Integer(value)) => from_integer(*value, to),
        _ => Err(SqlError::unsupported(format!("casts from {from} to {to}"))),
    }?;
    in_range(value, to)
}

/// The scale of `DECIMAL(10,2)`.
fn scale(kind: &str) -> u8 {
    kind.trim_end_matches(')').rsplit_once(',').and_then(|(_, scale)| scale.trim().parse().ok()).unwrap_or(0)
}

fn precision(kind: &str) -> Option<i64> {
    kind.strip_prefix("DECIMAL(")?.split_once(',')?.0.parse().ok()
}

fn in_range(value: Value, kind: &str) -> Outcome {
    let Value::Integer(number) = value else { return Ok(value) };
    let fits = match kind {
        "TINYINT" => i8::try_from(number).is_ok(),
        "SMALLINT" => i16::try_from(number).is_ok(),
        "INT" => i32::try_from(number).is_ok(),
        kind => precision(kind).and_then(power10).is_none_or(|bound| number.abs() < bound),
    };
    if fits {
        return Ok(value);
    }
    if let Some(precision) = precision(kind) {
        let scale = scale(kind);
        let shown = crate::sql::render::plain_text(&Value::Integer(number), &format!("DECIMAL(38,{scale})"))?;
        return Err(SqlError::new(
            "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
            &format!(
                "The {shown} cannot be represented as Decimal({precision}, {scale}). If necessary set \"ansi_mode\" to \"false\" to bypass this error, and return NULL instead."
            ),
            "22003",
        ));
    }
    Err(too_large(&number.to_string(), kind))
}

fn too_large(value: &str, kind: &str) -> SqlError {
    SqlError::new(
        "CAST_OVERFLOW",
        &format!(
            "The value {value} cannot be cast to \"{kind}\" due to an overflow. Use `try_cast` to tolerate overflow and return NULL instead."
        ),
        "22003",
    )
}

fn from_integer(value: i64, to: &str) -> Outcome {
    match to {
        "DOUBLE" | "FLOAT" =>
        {
            #[expect(clippy::cast_precision_loss, reason = "what a cast to DOUBLE does")]
            Ok(Value::Real(value as f64))
        }
        "TIMESTAMP" | "TIMESTAMP_NTZ" => value.checked_mul(1_000_000).map(Value::Integer).ok_or_else(overflow),
        "BOOLEAN" => Ok(Value::Integer(i64::from(value != 0))),
        to if to.starts_with("DECIMAL") => {
            power10(scale(to).into()).and_then(|unit| value.checked_mul(unit)).map(Value::Integer).ok_or_else(overflow)
        }
        _ => Ok(Value::Integer(value)),
    }
}

fn from_decimal(value: i64, from: u8, to: &str) -> Outcome {
    let unit = power10(from.into()).ok_or_else(overflow)?;
    if !to.starts_with("DECIMAL") {
        return from_integer(value / unit, to);
    }
    let to = scale(to);
    let moved = if to >= from {
        power10((to - from).into()).and_then(|unit| value.checked_mul(unit))
    } else {
        power10((from - to).into())
            .and_then(|unit| divided(value.into(), unit.into()))
            .and_then(|value| i64::try_from(value).ok())
    };
    moved.map(Value::Integer).ok_or_else(overflow)
}

fn from_real(value: f64, to: &str) -> Outcome {
    match to {
        "BOOLEAN" => Ok(Value::Integer(i64::from(value != 0.0))),
        "TIMESTAMP" | "TIMESTAMP_NTZ" => integer((value * 1e6).trunc()),
        to if to.starts_with("DECIMAL") => decimal_digits(value, scale(to)).map(Value::Integer).ok_or_else(overflow),
        _ => integer(value.trunc()).map_err(|_| {
            too_large(&crate::sql::render::plain_text(&Value::Real(value), "DOUBLE").unwrap_or_default(), to)
        }),
    }
}

/// The unscaled value of a double's shortest decimal text, rounded half away from zero.
pub(crate) fn decimal_digits(value: f64, scale: u8) -> Option<i64> {
    decimal(&format!("{value}"), scale)
}

/// The unscaled value of a decimal text.
pub(crate) fn decimal(text: &str, scale: u8) -> Option<i64> {
    let text = if text.contains(['e', 'E']) {
        format!("{}", text.parse::<f64>().ok().filter(|value| value.is_finite())?)
    } else {
        text.to_owned()
    };
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty())
        || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let scale = usize::from(scale);
    let kept = fraction.get(..scale.min(fraction.len()))?;
    let zeros = "0".repeat(scale - kept.len());
    let unscaled: i64 = format!("0{whole}{kept}{zeros}").parse().ok()?;
    let up = fraction.as_bytes().get(scale).is_some_and(|digit| *digit >= b'5');
    Some(sign * unscaled.checked_add(i64::from(up))?)
}

fn parse(text: &str, to: &str) -> Option<Value> {
    Some(match to {
        "BOOLEAN" => match text.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Value::Integer(1),
            "false" | "f" | "no" | "n" | "0" => Value::Integer(0),
            _ => return None,
        },
        "TINYINT" | "SMALLINT" | "INT" | "BIGINT" => {
            let number = text.parse::<i64>().ok()?;
            in_range(Value::Integer(number), to).ok()?
        }
        "FLOAT" | "DOUBLE" if text.eq_ignore_ascii_case(NAN) => Value::Text(NAN.to_owned()),
        "FLOAT" => Value::Real(super::maths::as_float(text.parse::<f64>().ok().filter(|value| !value.is_nan())?)),
        "DOUBLE" => Value::Real(text.parse::<f64>().ok().filter(|value| !value.is_nan())?),
        "DATE" => Value::Integer(temporal::parse_date(text)?),
        "TIMESTAMP" | "TIMESTAMP_NTZ" => Value::Integer(temporal::parse_timestamp(text)?),
        to if to.starts_with("DECIMAL") => Value::Integer(decimal(text, scale(to))?),
        _ => return None,
    })
}

fn malformed(text: &str, to: &str) -> SqlError {
    SqlError::new(
        "CAST_INVALID_INPUT",
        &format!(
            "The value '{text}' of the type \"STRING\" cannot be cast to \"{to}\" because it is malformed. Correct the value as per the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead."
        ),
        "22018",
    )
}
