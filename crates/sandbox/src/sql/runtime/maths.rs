//! Numbers: division that fails by zero, exact decimals, the usual functions.

use rusqlite::types::Value;

use super::{Arguments, Definition, Outcome};
use crate::sql::error::SqlError;
use crate::sql::types::NAN;

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_add", |a| real(a.real(0) + a.real(1))),
    ("dbx_subtract", |a| real(a.real(0) - a.real(1))),
    ("dbx_multiply", |a| real(a.real(0) * a.real(1))),
    ("dbx_negative", |a| real(-a.real(0))),
    ("dbx_abs", |a| real(a.real(0).abs())),
    ("dbx_sign", |a| real(if a.real(0) == 0.0 { 0.0 } else { a.real(0).signum() })),
    ("dbx_divide", |a| if a.real(1) == 0.0 { Err(zero()) } else { real(a.real(0) / a.real(1)) }),
    ("dbx_decimal_divide", decimal_divide),
    ("dbx_div", |a| if a.integer(1) == 0 { Err(zero()) } else { whole(a.integer(0).checked_div(a.integer(1))) }),
    ("dbx_modulo", modulo),
    ("dbx_pmod", |a| {
        let rest = modulo(a)?;
        match (&rest, a.get(1)) {
            (Value::Integer(rest), Value::Integer(unit)) if *rest < 0 => Ok(Value::Integer((rest + unit) % unit)),
            (Value::Real(rest), _) if *rest < 0.0 => real((rest + a.real(1)) % a.real(1)),
            _ => Ok(rest),
        }
    }),
    ("dbx_sampled", |a| {
        // A number of a row, mixed to a share of all.
        let mut mixed = a.integer(0).wrapping_add(a.integer(1).wrapping_mul(0x9E37_79B9)).cast_unsigned();
        for factor in [0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB_u64] {
            mixed = (mixed ^ (mixed >> 30)).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(factor);
        }
        let share = f64::from(u32::try_from(mixed >> 32).unwrap_or_default()) / 4_294_967_296.0;
        Ok(Value::Integer((a.real(2)..a.real(3)).contains(&share).into()))
    }),
    ("dbx_float", |a| real(as_float(a.real(0)))),
    ("dbx_fit", |a| if fits(a) { Ok(a.get(0).clone()) } else { Err(too_large(a.integer(1))) }),
    ("dbx_try_fit", |a| Ok(if fits(a) { a.get(0).clone() } else { Value::Null })),
    ("dbx_xor", |a| Ok(Value::Integer(a.integer(0) ^ a.integer(1)))),
    ("dbx_shiftleft", |a| shifted(a, |value, by| value.wrapping_shl(by), |value, by| value.wrapping_shl(by))),
    ("dbx_shiftright", |a| shifted(a, |value, by| value.wrapping_shr(by), |value, by| value.wrapping_shr(by))),
    ("dbx_shiftrightunsigned", |a| {
        shifted(
            a,
            |value, by| value.cast_unsigned().wrapping_shr(by).cast_signed(),
            |value, by| value.cast_unsigned().wrapping_shr(by).cast_signed(),
        )
    }),
    // An interval by a number, rounded half away from zero.
    ("dbx_scaled", |a| integer((a.real(0) * a.real(1)).round())),
    ("dbx_factorial", |a| match a.integer(0) {
        number @ 0..=20 => Ok(Value::Integer((1..=number).product())),
        _ => Ok(Value::Null),
    }),
    ("dbx_width_bucket", width_bucket),
    ("dbx_uuid", |a| match a.get(0) {
        Value::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let part = |from, to| digits.get(from..to).unwrap_or_default().to_owned();
            let parts =
                [part(0, 8), part(8, 12), format!("4{}", part(13, 16)), format!("8{}", part(17, 20)), part(20, 32)];
            Ok(Value::Text(parts.join("-")))
        }
        _ => Ok(Value::Null),
    }),
    ("dbx_bin", |a| Ok(Value::Text(format!("{:b}", a.integer(0))))),
    ("dbx_conv", conv),
    ("dbx_sinh", |a| real(a.real(0).sinh())),
    ("dbx_cosh", |a| real(a.real(0).cosh())),
    ("dbx_tanh", |a| real(a.real(0).tanh())),
    ("dbx_cot", |a| real(1.0 / a.real(0).tan())),
    ("dbx_expm1", |a| real(a.real(0).exp_m1())),
    ("dbx_log1p", |a| if a.real(0) <= -1.0 { Ok(Value::Null) } else { real(a.real(0).ln_1p()) }),
    ("dbx_rint", |a| real(a.real(0).round_ties_even())),
    ("dbx_atan2", |a| real(a.real(0).atan2(a.real(1)))),
    ("dbx_hypot", |a| real(a.real(0).hypot(a.real(1)))),
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
    ("dbx_rescale", |a| rescale(a, divided)),
    ("dbx_rescale_even", |a| rescale(a, divided_even)),
    ("dbx_round", |a| round(a, divided)),
    ("dbx_round_even", |a| round(a, divided_even)),
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
    Ok(double(value))
}

/// A double as SQLite keeps it, which would make NULL of NaN.
pub(super) fn double(value: f64) -> Value {
    if value.is_nan() { Value::Text(NAN.to_owned()) } else { Value::Real(value) }
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

/// How a division rounds.
type Division = fn(i128, i128) -> Option<i128>;

/// Half to the even neighbor.
fn divided_even(value: i128, unit: i128) -> Option<i128> {
    let (quotient, rest) = (value.checked_div(unit)?, value.checked_rem(unit)?);
    let is_half = rest.abs().checked_mul(2)? == unit.abs();
    if is_half && quotient % 2 == 0 { Some(quotient) } else { divided(value, unit) }
}

/// Whether a result is of so many bits; one that left SQLite's integers is not.
fn fits(a: &Arguments) -> bool {
    match (a.get(0), a.integer(1)) {
        (Value::Integer(value), 8) => i8::try_from(*value).is_ok(),
        (Value::Integer(value), 16) => i16::try_from(*value).is_ok(),
        (Value::Integer(value), 32) => i32::try_from(*value).is_ok(),
        (Value::Integer(_), _) => true,
        _ => false,
    }
}

fn too_large(bits: i64) -> SqlError {
    let kind = match bits {
        8 => "tinyint",
        16 => "smallint",
        32 => "integer",
        _ => return overflow(),
    };
    SqlError::new(
        "ARITHMETIC_OVERFLOW",
        &format!(
            "{kind} overflow. Use `try_add` and its kin to tolerate overflow and return NULL instead. If necessary set \"ansi_mode\" to \"false\" to bypass this error."
        ),
        "22003",
    )
}

#[expect(clippy::cast_possible_truncation, reason = "FLOAT has the precision of an f32")]
pub(super) fn as_float(value: f64) -> f64 {
    f64::from(value as f32)
}

/// Shifts as Java does: by the lowest bits of the amount alone.
fn shifted(a: &Arguments, int: fn(i32, u32) -> i32, long: fn(i64, u32) -> i64) -> Outcome {
    let by = u32::try_from(a.integer(1).rem_euclid(64)).unwrap_or_default();
    Ok(Value::Integer(match (a.integer(2), i32::try_from(a.integer(0))) {
        (32, Ok(value)) => int(value, by % 32).into(),
        _ => long(a.integer(0), by),
    }))
}

fn width_bucket(a: &Arguments) -> Outcome {
    let (value, low, high, count) = (a.real(0), a.real(1), a.real(2), a.integer(3));
    if count <= 0 || low == high {
        return Ok(Value::Null);
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of buckets")]
    let place = (value - low) / (high - low) * count as f64;
    if place < 0.0 {
        return Ok(Value::Integer(0));
    }
    integer((place + 1.0).floor()).map(|place| match place {
        Value::Integer(place) => Value::Integer(place.min(count.saturating_add(1))),
        place => place,
    })
}

/// A number written to another base.
fn conv(a: &Arguments) -> Outcome {
    let (Ok(from), Ok(to)) = (u32::try_from(a.integer(1)), u64::try_from(a.integer(2))) else {
        return Err(SqlError::unsupported("conv to a negative base"));
    };
    if !(2..=36).contains(&from) || !(2..=36).contains(&to) {
        return Ok(Value::Null);
    }
    let Ok(mut number) = u64::from_str_radix(a.text(0).trim(), from) else {
        return Err(SqlError::unsupported("conv of what is not a whole number of its base"));
    };
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        digits.push(u32::try_from(number % to).ok().and_then(|digit| char::from_digit(digit, 36)).unwrap_or('0'));
        number /= to;
    }
    Ok(Value::Text(digits.into_iter().rev().collect::<String>().to_uppercase()))
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
fn rescale(a: &Arguments, divided: Division) -> Outcome {
    let cut = power10(a.integer(1)).map(i128::from);
    let back = power10(a.integer(2)).map(i128::from);
    let value = cut.zip(back).and_then(|(cut, back)| divided(i128::from(a.integer(0)), cut)?.checked_mul(back));
    whole(value.and_then(|value| i64::try_from(value).ok()))
}

fn round(a: &Arguments, divided: Division) -> Outcome {
    let (value, digits) = (a.real(0), a.integer(1));
    if digits > 15 || value == 0.0 || !value.is_finite() {
        return real(value);
    }
    // Databricks rounds the shortest decimal text of the double.
    let text = format!("{value}");
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let (Ok(scale), Some(unscaled)) = (i64::try_from(scale), text.replace('.', "").parse::<i128>().ok()) else {
        return real(value);
    };
    if digits >= scale {
        return real(value);
    }
    let unit = u32::try_from(scale - digits).ok().and_then(|power| 10_i128.checked_pow(power));
    let rounded = unit.map_or(Some(0), |unit| divided(unscaled, unit));
    match rounded {
        Some(rounded) => real(format!("{rounded}e{}", -digits).parse().unwrap_or(value)),
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
            // NaN is the largest number.
            (Value::Text(_), Value::Real(_)) => Some(std::cmp::Ordering::Less),
            (Value::Real(_), Value::Text(_)) => Some(std::cmp::Ordering::Greater),
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
