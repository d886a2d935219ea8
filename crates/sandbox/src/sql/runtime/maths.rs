//! Numbers: division that fails by zero, exact decimals, the usual functions.

use rusqlite::types::Value;

use super::{Arguments, Definition, Outcome};
use crate::sql::error::SqlError;

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_divide", |a| if a.real(1) == 0.0 { Err(zero()) } else { real(a.real(0) / a.real(1)) }),
    ("dbx_decimal_divide", decimal_divide),
    ("dbx_div", |a| if a.integer(1) == 0 { Err(zero()) } else { whole(a.integer(0).checked_div(a.integer(1))) }),
    ("dbx_modulo", modulo),
    ("dbx_pmod", |a| {
        if a.integer(1) == 0 { Err(remainder()) } else { whole(a.integer(0).checked_rem_euclid(a.integer(1))) }
    }),
    ("dbx_cbrt", |a| real(a.real(0).cbrt())),
    ("dbx_level", |a| {
        if a.integer(0) <= a.integer(1) {
            return Ok(Value::Integer(1));
        }
        Err(SqlError::new(
            "RECURSION_LEVEL_LIMIT_EXCEEDED",
            &format!(
                "Recursion level limit {} reached but query has not exhausted, try increasing it like 'WITH RECURSIVE t(col) MAX RECURSION LEVEL 200'.",
                a.integer(1)
            ),
            "42836",
        ))
    }),
    // Whether a number is still before the end of a range with this step.
    ("dbx_within", |a| {
        let (number, end) = (a.integer(0), a.integer(1));
        Ok(Value::Integer(i64::from(match a.integer(2) {
            0 => return Err(SqlError::unsupported("ranges whose step is zero")),
            step if step > 0 => number < end,
            _ => number > end,
        })))
    }),
    ("dbx_floor_div", |a| whole(a.integer(0).checked_div_euclid(a.integer(1)))),
    ("dbx_rescale", rescale),
    ("dbx_round", round),
    ("dbx_ceil", |a| integer(a.real(0).ceil())),
    ("dbx_floor", |a| integer(a.real(0).floor())),
    ("dbx_ceil_decimal", |a| {
        whole(
            power10(a.integer(1)).and_then(|unit| a.integer(0).checked_neg()?.checked_div_euclid(unit)?.checked_neg()),
        )
    }),
    ("dbx_floor_decimal", |a| whole(power10(a.integer(1)).and_then(|unit| a.integer(0).checked_div_euclid(unit)))),
    ("dbx_sqrt", |a| real(a.real(0).sqrt())),
    ("dbx_exp", |a| real(a.real(0).exp())),
    ("dbx_ln", |a| logarithm(a.real(0), f64::ln)),
    ("dbx_log2", |a| logarithm(a.real(0), f64::log2)),
    ("dbx_log10", |a| logarithm(a.real(0), f64::log10)),
    ("dbx_log", |a| logarithm(a.real(1), |value| value.ln() / a.real(0).ln())),
    ("dbx_power", |a| real(a.real(0).powf(a.real(1)))),
    ("dbx_sin", |a| real(a.real(0).sin())),
    ("dbx_cos", |a| real(a.real(0).cos())),
    ("dbx_tan", |a| real(a.real(0).tan())),
    ("dbx_asin", |a| real(a.real(0).asin())),
    ("dbx_acos", |a| real(a.real(0).acos())),
    ("dbx_atan", |a| real(a.real(0).atan())),
    ("dbx_degrees", |a| real(a.real(0).to_degrees())),
    ("dbx_radians", |a| real(a.real(0).to_radians())),
    ("dbx_bit_count", |a| Ok(Value::Integer(i64::from(a.integer(0).count_ones())))),
    ("dbx_format_number", format_number),
];

/// The extremes skip NULLs; `dbx_single` guards scalar subqueries.
pub(super) const LENIENT: &[Definition] = &[
    ("dbx_greatest", |a| Ok(extreme(a, std::cmp::Ordering::Greater))),
    ("dbx_least", |a| Ok(extreme(a, std::cmp::Ordering::Less))),
    ("dbx_single", |a| {
        if a.integer(1) > 1 {
            return Err(SqlError::new(
                "SCALAR_SUBQUERY_TOO_MANY_ROWS",
                "More than one row returned by a subquery used as an expression.",
                "21000",
            ));
        }
        Ok(a.get(0).clone())
    }),
];

fn zero() -> SqlError {
    SqlError::new(
        "DIVIDE_BY_ZERO",
        "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. If necessary set \"ansi_mode\" to \"false\" to bypass this error.",
        "22012",
    )
}

fn remainder() -> SqlError {
    SqlError::new(
        "REMAINDER_BY_ZERO",
        "Remainder by zero. Use `try_mod` to tolerate divisor being 0 and return NULL instead.",
        "22012",
    )
}

pub(crate) fn overflow() -> SqlError {
    SqlError::new(
        "ARITHMETIC_OVERFLOW",
        "A result is outside of its type's range, or has more digits than the sandbox keeps (18).",
        "22003",
    )
}

fn real(value: f64) -> Outcome {
    // SQLite has no NaN; it would read as NULL, which is not what Databricks gives.
    if value.is_nan() { Err(SqlError::unsupported("NaN")) } else { Ok(Value::Real(value)) }
}

fn whole(value: Option<i64>) -> Outcome {
    value.map(Value::Integer).ok_or_else(overflow)
}

pub(crate) fn integer(value: f64) -> Outcome {
    #[expect(clippy::cast_precision_loss, reason = "the bounds are powers of two")]
    let inside = value >= i64::MIN as f64 && value < i64::MAX as f64;
    if !inside {
        return Err(overflow());
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked above")]
    Ok(Value::Integer(value as i64))
}

/// Of a number that is not positive there is no logarithm: NULL.
fn logarithm(value: f64, function: impl Fn(f64) -> f64) -> Outcome {
    if value <= 0.0 { Ok(Value::Null) } else { real(function(value)) }
}

pub(crate) fn power10(exponent: i64) -> Option<i64> {
    10_i64.checked_pow(u32::try_from(exponent).ok()?)
}

/// Half away from zero.
pub(crate) fn divided(value: i128, unit: i128) -> Option<i128> {
    let (quotient, rest) = (value.checked_div(unit)?, value.checked_rem(unit)?);
    let up = rest.abs().checked_mul(2)? >= unit.abs();
    let step = if (value < 0) == (unit < 0) { 1 } else { -1 };
    Some(if up { quotient + step } else { quotient })
}

/// Divides unscaled values; the third argument says by how many digits the dividend grows first.
fn decimal_divide(a: &Arguments) -> Outcome {
    if a.integer(1) == 0 {
        // Only `avg` over nothing divides NULL by zero, and that is NULL before it comes here.
        return Err(zero());
    }
    let (value, unit) = (i128::from(a.integer(0)), i128::from(a.integer(1)));
    let grow = a.integer(2);
    let factor = 10_i128.checked_pow(u32::try_from(grow.unsigned_abs()).unwrap_or(u32::MAX));
    let quotient = factor.and_then(|factor| {
        if grow >= 0 { divided(value.checked_mul(factor)?, unit) } else { divided(value, unit.checked_mul(factor)?) }
    });
    whole(quotient.and_then(|quotient| i64::try_from(quotient).ok()))
}

fn modulo(a: &Arguments) -> Outcome {
    match (a.get(0), a.get(1)) {
        (Value::Integer(_), Value::Integer(0)) => Err(remainder()),
        (Value::Integer(value), Value::Integer(unit)) => whole(Some(value.checked_rem(*unit).unwrap_or(0))),
        _ if a.real(1) == 0.0 => Err(remainder()),
        _ => real(a.real(0) % a.real(1)),
    }
}

/// Cuts digits off, rounding, and puts zeros back where the scale stays.
fn rescale(a: &Arguments) -> Outcome {
    let cut = power10(a.integer(1)).map(i128::from);
    let back = power10(a.integer(2)).map(i128::from);
    let value = cut.zip(back).and_then(|(cut, back)| divided(i128::from(a.integer(0)), cut)?.checked_mul(back));
    whole(value.and_then(|value| i64::try_from(value).ok()))
}

fn round(a: &Arguments) -> Outcome {
    let digits = i32::try_from(a.integer(1)).unwrap_or(0);
    let value = a.real(0);
    if digits > 15 || value == 0.0 || !value.is_finite() {
        return real(value);
    }
    // Databricks rounds the shortest decimal text of the double, half away from zero.
    if digits < 0 {
        let unit = 10_f64.powi(-digits);
        return real((value / unit).round() * unit);
    }
    let rounded = crate::sql::runtime::casts::decimal_digits(value, u8::try_from(digits).unwrap_or(15));
    match rounded {
        Some(unscaled) => real(format!("{unscaled}e-{digits}").parse().unwrap_or(value)),
        None => real(value),
    }
}

fn extreme(a: &Arguments, wanted: std::cmp::Ordering) -> Value {
    let mut best = &Value::Null;
    for value in a.all() {
        let order = match (best, value) {
            (_, Value::Null) => continue,
            (Value::Null, _) => Some(wanted),
            (Value::Integer(best), Value::Integer(value)) => Some(value.cmp(best)),
            (Value::Real(best), Value::Real(value)) => value.partial_cmp(best),
            (Value::Text(best), Value::Text(value)) => Some(value.cmp(best)),
            _ => None,
        };
        if order == Some(wanted) {
            best = value;
        }
    }
    best.clone()
}

fn format_number(a: &Arguments) -> Outcome {
    let digits = usize::try_from(a.integer(1).clamp(0, 15)).unwrap_or(0);
    let text = format!("{:.digits$}", a.real(0).abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if a.real(0) < 0.0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(Value::Text(format!("{sign}{grouped}{point}{fraction}")))
}
