//! Aggregates that SQLite lacks.

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::Value;

/// Collects what it is given; the values of a group fit into memory here.
struct Collect {
    columns: usize,
    finish: fn(Vec<Vec<Value>>) -> Value,
}

impl Aggregate<Vec<Vec<Value>>, Value> for Collect {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Vec<Vec<Value>>> {
        Ok(Vec::new())
    }

    fn step(&self, context: &mut Context<'_>, rows: &mut Vec<Vec<Value>>) -> rusqlite::Result<()> {
        let row = (0..self.columns).map(|index| context.get(index)).collect::<rusqlite::Result<_>>()?;
        rows.push(row);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, rows: Option<Vec<Vec<Value>>>) -> rusqlite::Result<Value> {
        Ok((self.finish)(rows.unwrap_or_default()))
    }
}

type Finish = fn(Vec<Vec<Value>>) -> Value;

const FUNCTIONS: [(&str, usize, Finish); 14] = [
    ("dbx_first", 1, |rows| cell(rows.first())),
    ("dbx_last", 1, |rows| cell(rows.last())),
    ("dbx_max_by", 2, |rows| by(&rows, std::cmp::Ordering::Greater)),
    ("dbx_min_by", 2, |rows| by(&rows, std::cmp::Ordering::Less)),
    ("dbx_join", 1, |rows| {
        let parts: Vec<_> = rows
            .iter()
            .filter_map(|row| if let Some(Value::Text(text)) = row.first() { Some(text.as_str()) } else { None })
            .collect();
        if parts.is_empty() { Value::Null } else { Value::Text(parts.concat()) }
    }),
    ("dbx_join_distinct", 2, |rows| {
        let mut parts: Vec<&str> = Vec::new();
        for row in &rows {
            if let Some(Value::Text(text)) = row.first()
                && !parts.contains(&text.as_str())
            {
                parts.push(text);
            }
        }
        let separator = rows.first().and_then(|row| row.get(1));
        let separator = if let Some(Value::Text(separator)) = separator { separator.as_str() } else { "" };
        if parts.is_empty() { Value::Null } else { Value::Text(parts.join(separator)) }
    }),
    ("dbx_mode", 1, |rows| {
        let mut counts: Vec<(&Value, usize)> = Vec::new();
        for value in rows.iter().filter_map(|row| row.first()).filter(|value| **value != Value::Null) {
            match counts.iter_mut().find(|(known, _)| *known == value) {
                Some((_, count)) => *count += 1,
                None => counts.push((value, 1)),
            }
        }
        let most = counts.iter().map(|(_, count)| *count).max();
        counts.iter().find(|(_, count)| Some(*count) == most).map_or(Value::Null, |(value, _)| (*value).clone())
    }),
    ("dbx_var_samp", 1, |rows| spread(&rows, 1, |value| value)),
    ("dbx_var_pop", 1, |rows| spread(&rows, 0, |value| value)),
    ("dbx_stddev_samp", 1, |rows| spread(&rows, 1, f64::sqrt)),
    ("dbx_stddev_pop", 1, |rows| spread(&rows, 0, f64::sqrt)),
    ("dbx_median", 1, |rows| interpolated(&rows, 0.5)),
    ("dbx_percentile", 2, |rows| interpolated(&rows, fraction(&rows))),
    ("dbx_percentile_of", 2, |rows| {
        let mut values: Vec<_> =
            rows.iter().filter_map(|row| row.first()).filter(|value| number(value).is_some()).cloned().collect();
        values.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(std::cmp::Ordering::Equal));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into the group"
        )]
        let place = (fraction(&rows) * values.len() as f64).ceil().max(1.0) as usize - 1;
        values.get(place).cloned().unwrap_or(Value::Null)
    }),
];

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    for (name, columns, finish) in FUNCTIONS {
        let count = i32::try_from(columns).unwrap_or(-1);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_aggregate_function(name, count, flags, Collect { columns, finish })?;
    }
    Ok(())
}

fn cell(row: Option<&Vec<Value>>) -> Value {
    row.and_then(|row| row.first()).cloned().unwrap_or(Value::Null)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "a statistic of doubles")]
        Value::Integer(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        _ => None,
    }
}

fn by(rows: &[Vec<Value>], wanted: std::cmp::Ordering) -> Value {
    let mut best: Option<&Vec<Value>> = None;
    for row in rows {
        let key = row.get(1).unwrap_or(&Value::Null);
        if *key == Value::Null {
            continue;
        }
        let better = match best.and_then(|best| best.get(1)) {
            None => true,
            Some(Value::Text(best)) => matches!(key, Value::Text(key) if key.cmp(best) == wanted),
            Some(best) => number(key).partial_cmp(&number(best)) == Some(wanted),
        };
        if better {
            best = Some(row);
        }
    }
    cell(best)
}

fn numbers(rows: &[Vec<Value>]) -> Vec<f64> {
    rows.iter().filter_map(|row| row.first().and_then(number)).collect()
}

fn fraction(rows: &[Vec<Value>]) -> f64 {
    rows.first().and_then(|row| row.get(1)).and_then(number).unwrap_or(0.5).clamp(0.0, 1.0)
}

fn spread(rows: &[Vec<Value>], less: usize, finish: fn(f64) -> f64) -> Value {
    let values = numbers(rows);
    if values.len() <= less {
        return Value::Null;
    }
    #[expect(clippy::cast_precision_loss, reason = "a group is far smaller than 2^53")]
    let (count, divisor) = (values.len() as f64, (values.len() - less) as f64);
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Value::Real(finish(squares / divisor))
}

fn interpolated(rows: &[Vec<Value>], fraction: f64) -> Value {
    let mut values = numbers(rows);
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return Value::Null };
    #[expect(clippy::cast_precision_loss, reason = "a group is far smaller than 2^53")]
    let position = fraction * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the group")]
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    match (values.get(low), values.get(high)) {
        (Some(low), Some(high)) => Value::Real(low + (high - low) * position.fract()),
        _ => Value::Null,
    }
}
