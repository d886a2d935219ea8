//! Aggregates that SQLite lacks, for groups and for windows.

use std::cmp::Ordering;
use std::collections::VecDeque;

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::Value;

use super::statistics::{self, number};
use super::{Outcome, user_error};

pub(super) type Row = Vec<Value>;
pub(super) type Finish = fn(&[Row]) -> Outcome;

/// Collects what it is given; the values of a group or a window fit into memory here.
struct Collect {
    columns: usize,
    finish: Finish,
}

impl Aggregate<VecDeque<Row>, Value> for Collect {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<VecDeque<Row>> {
        Ok(VecDeque::new())
    }

    fn step(&self, context: &mut Context<'_>, rows: &mut VecDeque<Row>) -> rusqlite::Result<()> {
        let row = (0..self.columns).map(|index| context.get(index)).collect::<rusqlite::Result<_>>()?;
        rows.push_back(row);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, rows: Option<VecDeque<Row>>) -> rusqlite::Result<Value> {
        (self.finish)(rows.unwrap_or_default().make_contiguous()).map_err(user_error)
    }
}

impl WindowAggregate<VecDeque<Row>, Value> for Collect {
    fn value(&self, rows: Option<&mut VecDeque<Row>>) -> rusqlite::Result<Value> {
        let nothing: &mut [Row] = &mut [];
        (self.finish)(rows.map_or(nothing, |rows| rows.make_contiguous())).map_err(user_error)
    }

    /// Rows leave a window in the order they came.
    fn inverse(&self, _: &mut Context<'_>, rows: &mut VecDeque<Row>) -> rusqlite::Result<()> {
        rows.pop_front();
        Ok(())
    }
}

const FUNCTIONS: &[(&str, usize, Finish)] = &[
    ("dbx_first", 1, |rows| Ok(cell(rows.first()))),
    ("dbx_last", 1, |rows| Ok(cell(rows.last()))),
    ("dbx_max_by", 2, |rows| Ok(by(rows, Ordering::Greater))),
    ("dbx_min_by", 2, |rows| Ok(by(rows, Ordering::Less))),
    ("dbx_join", 1, |rows| {
        let parts: Vec<_> = rows.iter().filter_map(text).collect();
        Ok(if parts.is_empty() { Value::Null } else { Value::Text(parts.concat()) })
    }),
    ("dbx_join_distinct", 2, |rows| {
        let mut parts: Vec<&str> = Vec::new();
        for part in rows.iter().filter_map(text) {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let separator = rows.first().and_then(|row| row.get(1));
        let separator = if let Some(Value::Text(separator)) = separator { separator.as_str() } else { "" };
        Ok(if parts.is_empty() { Value::Null } else { Value::Text(parts.join(separator)) })
    }),
    ("dbx_mode", 1, |rows| Ok(mode(rows))),
    // NULL where the sum leaves the type.
    ("dbx_try_sum", 1, |rows| {
        let mut values = integers(rows).peekable();
        let none = values.peek().is_none();
        let sum = values.try_fold(0_i64, i64::checked_add).filter(|_| !none);
        Ok(sum.map_or(Value::Null, Value::Integer))
    }),
    ("dbx_bit_and", 1, |rows| Ok(integers(rows).reduce(|a, b| a & b).map_or(Value::Null, Value::Integer))),
    ("dbx_bit_or", 1, |rows| Ok(integers(rows).reduce(|a, b| a | b).map_or(Value::Null, Value::Integer))),
    ("dbx_bit_xor", 1, |rows| Ok(integers(rows).reduce(|a, b| a ^ b).map_or(Value::Null, Value::Integer))),
];

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    for (name, columns, finish) in FUNCTIONS.iter().chain(statistics::FUNCTIONS) {
        let count = i32::try_from(*columns).unwrap_or(-1);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection.create_window_function(*name, count, flags, Collect { columns: *columns, finish: *finish })?;
    }
    Ok(())
}

fn cell(row: Option<&Row>) -> Value {
    row.and_then(|row| row.first()).cloned().unwrap_or(Value::Null)
}

fn text(row: &Row) -> Option<&str> {
    match row.first() {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn integers(rows: &[Row]) -> impl Iterator<Item = i64> {
    rows.iter().filter_map(|row| match row.first() {
        Some(Value::Integer(value)) => Some(*value),
        _ => None,
    })
}

fn mode(rows: &[Row]) -> Value {
    let mut counts: Vec<(&Value, usize)> = Vec::new();
    for value in rows.iter().filter_map(|row| row.first()).filter(|value| **value != Value::Null) {
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max();
    counts.iter().find(|(_, count)| Some(*count) == most).map_or(Value::Null, |(value, _)| (*value).clone())
}

fn by(rows: &[Row], wanted: Ordering) -> Value {
    let mut best: Option<&Row> = None;
    for row in rows {
        let key = row.get(1).unwrap_or(&Value::Null);
        if *key == Value::Null {
            continue;
        }
        let better = match (best.and_then(|best| best.get(1)), key) {
            (None, _) => true,
            (Some(Value::Text(best)), Value::Text(key)) => key.cmp(best) == wanted,
            (Some(Value::Integer(best)), Value::Integer(key)) => key.cmp(best) == wanted,
            (Some(best), key) => number(key).partial_cmp(&number(best)) == Some(wanted),
        };
        if better {
            best = Some(row);
        }
    }
    cell(best)
}
