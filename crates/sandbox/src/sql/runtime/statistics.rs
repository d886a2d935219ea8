//! Statistics of groups and windows: moments, percentiles, regression.

use rusqlite::types::Value;

use super::Outcome;
use super::aggregates::{Finish, Row};
use super::maths::double;
use crate::sql::error::SqlError;
use crate::sql::types::NAN;

pub(super) const FUNCTIONS: &[(&str, usize, Finish)] = &[
    ("dbx_var_samp", 1, |rows| spread(rows, 1, |value| value)),
    ("dbx_var_pop", 1, |rows| spread(rows, 0, |value| value)),
    ("dbx_stddev_samp", 1, |rows| spread(rows, 1, f64::sqrt)),
    ("dbx_stddev_pop", 1, |rows| spread(rows, 0, f64::sqrt)),
    ("dbx_skewness", 1, |rows| shape(rows, |n, [m2, m3, _]| n.sqrt() * m3 / (m2 * m2 * m2).sqrt())),
    ("dbx_kurtosis", 1, |rows| shape(rows, |n, [m2, _, m4]| n * m4 / (m2 * m2) - 3.0)),
    ("dbx_median", 1, |rows| Ok(interpolated(&sorted(rows), 0.5))),
    ("dbx_percentile_cont", 2, |rows| Ok(interpolated(&sorted(rows), percentage(rows)?))),
    ("dbx_percentile_disc", 2, |rows| Ok(present(&sorted(rows), percentage(rows)?))),
    ("dbx_percentiles_cont", 3, |rows| several(rows, interpolated)),
    ("dbx_percentiles_disc", 3, |rows| several(rows, present)),
    ("dbx_corr", 2, |rows| related(rows, |r| ratio(r.xy, (r.xx * r.yy).sqrt()))),
    ("dbx_covar_pop", 2, |rows| related(rows, |r| ratio(r.xy, r.count))),
    ("dbx_covar_samp", 2, |rows| related(rows, |r| ratio(r.xy, r.count - 1.0))),
    // The dependent variable comes first.
    ("dbx_regr_slope", 2, |rows| related(rows, |r| ratio(r.xy, r.yy))),
    ("dbx_regr_intercept", 2, |rows| related(rows, |r| ratio(r.xy, r.yy).map(|slope| r.x - slope * r.y))),
    ("dbx_regr_r2", 2, |rows| {
        related(rows, |r| {
            if r.yy == 0.0 {
                None
            } else if r.xx == 0.0 {
                Some(1.0)
            } else {
                Some(r.xy * r.xy / (r.xx * r.yy))
            }
        })
    }),
    ("dbx_regr_avgx", 2, |rows| related(rows, |r| Some(r.y))),
    ("dbx_regr_avgy", 2, |rows| related(rows, |r| Some(r.x))),
    ("dbx_regr_sxx", 2, |rows| related(rows, |r| Some(r.yy))),
    ("dbx_regr_sxy", 2, |rows| related(rows, |r| Some(r.xy))),
    ("dbx_regr_syy", 2, |rows| related(rows, |r| Some(r.xx))),
    ("dbx_regr_count", 2, |rows| Ok(Value::Integer(i64::try_from(pairs(rows).count()).unwrap_or(i64::MAX)))),
];

pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a statistic of doubles")]
        Value::Integer(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        Value::Text(text) if text == NAN => Some(f64::NAN),
        _ => None,
    }
}

fn numbers(rows: &[Row]) -> Vec<f64> {
    rows.iter().filter_map(|row| row.first().and_then(number)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a group is far smaller than 2^53")]
fn size(count: usize) -> f64 {
    count as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / size(values.len())
}

fn spread(rows: &[Row], less: usize, finish: fn(f64) -> f64) -> Outcome {
    let values = numbers(rows);
    if values.len() <= less {
        return Ok(Value::Null);
    }
    let mean = mean(&values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Ok(double(finish(squares / size(values.len() - less))))
}

/// Of the number of values, and the sums of the powers two to four of what they differ from their mean.
fn shape(rows: &[Row], finish: fn(f64, [f64; 3]) -> f64) -> Outcome {
    let values = numbers(rows);
    if values.is_empty() {
        return Ok(Value::Null);
    }
    let mean = mean(&values);
    let moments = [2, 3, 4].map(|power| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>());
    match finish(size(values.len()), moments) {
        // Values that are all the same have no shape.
        value if value.is_nan() && !mean.is_nan() => Ok(Value::Null),
        value => Ok(double(value)),
    }
}

fn sorted(rows: &[Row]) -> Vec<(f64, Value)> {
    let values = rows.iter().filter_map(|row| row.first()).filter_map(|value| Some((number(value)?, value.clone())));
    let mut values: Vec<_> = values.collect();
    values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    values
}

fn checked(percentage: Option<f64>) -> Result<f64, SqlError> {
    match percentage {
        Some(percentage) if (0.0..=1.0).contains(&percentage) => Ok(percentage),
        _ => Err(SqlError::new(
            "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
            "Cannot resolve the percentile due to data type mismatch: The percentage must be between [0.0, 1.0].",
            "42K09",
        )),
    }
}

/// The percentage, which is the same in all rows.
fn percentage(rows: &[Row]) -> Result<f64, SqlError> {
    match rows.first() {
        Some(row) => checked(row.get(1).and_then(number)),
        None => Ok(0.5),
    }
}

fn interpolated(values: &[(f64, Value)], fraction: f64) -> Value {
    let Some(last) = values.len().checked_sub(1) else { return Value::Null };
    let position = fraction * size(last);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the group")]
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    match (values.get(low), values.get(high)) {
        (Some((low, _)), Some((high, _))) if low == high => double(*low),
        (Some((low, _)), Some((high, _))) => double(low + (high - low) * position.fract()),
        _ => Value::Null,
    }
}

fn present(values: &[(f64, Value)], fraction: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the group")]
    let place = (fraction * size(values.len())).ceil().max(1.0) as usize - 1;
    values.get(place).map_or(Value::Null, |(_, value)| value.clone())
}

/// A list of percentages, which are whole numbers of a unit.
fn several(rows: &[Row], one: fn(&[(f64, Value)], f64) -> Value) -> Outcome {
    let Some([_, Value::Text(list), unit]) = rows.first().map(Vec::as_slice) else { return Ok(Value::Null) };
    let unit = number(unit).unwrap_or(1.0);
    let values = sorted(rows);
    if values.is_empty() {
        return Ok(Value::Null);
    }
    let mut found = Vec::new();
    for percentage in super::documents::read::<Vec<f64>>(list)?.unwrap_or_default() {
        found.push(match one(&values, checked(Some(percentage / unit))?) {
            Value::Integer(value) => serde_json::Value::from(value),
            Value::Real(value) => serde_json::Value::from(value),
            Value::Text(text) => serde_json::Value::from(text),
            _ => serde_json::Value::Null,
        });
    }
    Ok(Value::Text(serde_json::Value::from(found).to_string()))
}

/// Two columns: their means, and the sums of squares and products of what they differ from them.
struct Related {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

fn pairs(rows: &[Row]) -> impl Iterator<Item = (f64, f64)> {
    rows.iter().filter_map(|row| Some((row.first().and_then(number)?, row.get(1).and_then(number)?)))
}

/// A quotient; NULL where there is nothing to divide by.
fn ratio(value: f64, by: f64) -> Option<f64> {
    (by != 0.0).then(|| value / by)
}

fn related(rows: &[Row], finish: fn(&Related) -> Option<f64>) -> Outcome {
    let (xs, ys): (Vec<_>, Vec<_>) = pairs(rows).unzip();
    if xs.is_empty() {
        return Ok(Value::Null);
    }
    let (x, y) = (mean(&xs), mean(&ys));
    let sum = |product: fn(f64, f64) -> f64| xs.iter().zip(&ys).map(|(a, b)| product(a - x, b - y)).sum();
    let related =
        Related { count: size(xs.len()), x, y, xx: sum(|a, _| a * a), yy: sum(|_, b| b * b), xy: sum(|a, b| a * b) };
    Ok(finish(&related).map_or(Value::Null, double))
}
