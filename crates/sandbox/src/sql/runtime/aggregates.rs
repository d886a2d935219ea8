//! Aggregates that SQLite lacks, for groups and for windows.

use std::cmp::{Ordering, Reverse};
use std::collections::{HashMap, HashSet, VecDeque};

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::Value;

use super::statistics::{self, number};
use super::{Outcome, key, sums, user_error, values};
use crate::sql::cancel::Running;

pub(super) type Row = Vec<Value>;
pub(super) type Finish = fn(&[Row]) -> Outcome;

/// Collects what it is given; the values of a group or a window fit into memory here.
struct Collect {
    finish: Finish,
    running: Running,
}

impl Collect {
    /// The aggregate of these rows. A window asks for it at each of its rows, which is quadratic work.
    fn of(&self, rows: &[Row]) -> rusqlite::Result<Value> {
        self.running.check().and_then(|()| (self.finish)(rows)).map_err(user_error)
    }
}

impl Aggregate<VecDeque<Row>, Value> for Collect {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<VecDeque<Row>> {
        Ok(VecDeque::new())
    }

    fn step(&self, context: &mut Context<'_>, rows: &mut VecDeque<Row>) -> rusqlite::Result<()> {
        let row = values(context)?;
        self.running.keep(size(&row)).map_err(user_error)?;
        rows.push_back(row);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, rows: Option<VecDeque<Row>>) -> rusqlite::Result<Value> {
        let mut rows = rows.unwrap_or_default();
        let value = self.of(rows.make_contiguous());
        self.running.drop_kept(rows.iter().map(size).sum());
        value
    }
}

impl WindowAggregate<VecDeque<Row>, Value> for Collect {
    fn value(&self, rows: Option<&mut VecDeque<Row>>) -> rusqlite::Result<Value> {
        let nothing: &mut [Row] = &mut [];
        self.of(rows.map_or(nothing, |rows| rows.make_contiguous()))
    }

    /// Rows leave a window in the order they came.
    fn inverse(&self, _: &mut Context<'_>, rows: &mut VecDeque<Row>) -> rusqlite::Result<()> {
        self.running.drop_kept(rows.pop_front().as_ref().map_or(0, size));
        Ok(())
    }
}

/// Bytes that a row takes.
fn size(row: &Row) -> usize {
    let value = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 0,
    };
    size_of::<Row>() + row.iter().map(|cell| size_of::<Value>() + value(cell)).sum::<usize>()
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
        let mut known = HashSet::new();
        let parts: Vec<_> = rows.iter().filter_map(text).filter(|part| known.insert(*part)).collect();
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

pub(super) fn register(connection: &Connection, running: &Running) -> rusqlite::Result<()> {
    for (name, columns, finish) in FUNCTIONS.iter().chain(statistics::FUNCTIONS) {
        let count = i32::try_from(*columns).unwrap_or(-1);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        let collect = Collect { finish: *finish, running: running.clone() };
        connection.create_window_function(*name, count, flags, collect)?;
    }
    sums::register(connection)
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
    let mut counts = HashMap::new();
    for (place, value) in
        rows.iter().filter_map(|row| row.first()).enumerate().filter(|(_, value)| **value != Value::Null)
    {
        counts.entry(key(value)).or_insert((0_usize, Reverse(place), value)).0 += 1;
    }
    // Of equally frequent values the one that came first.
    let most = counts.into_values().max_by_key(|(count, place, _)| (*count, *place));
    most.map_or(Value::Null, |(_, _, value)| value.clone())
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
            (Some(best), key) => {
                number(key).zip(number(best)).is_some_and(|(key, best)| (key + 0.0).total_cmp(&(best + 0.0)) == wanted)
            }
        };
        if better {
            best = Some(row);
        }
    }
    cell(best)
}
