//! Functions on arrays, which are JSON texts here.

use std::cmp::Ordering;

use rusqlite::types::Value;
use serde_json::Value as Json;

use super::strings::value as value_of;
use super::{Arguments, Definition, Outcome};
use crate::sql::error::SqlError;

/// Items of a sequence, at most.
const MOST: i64 = 1_000_000;

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_list_distinct", |a| joined(unique(list(a, 0)))),
    ("dbx_list_union", |a| joined(unique([list(a, 0), list(a, 1)].concat()))),
    ("dbx_list_except", |a| {
        let without = list(a, 1);
        joined(unique(list(a, 0)).into_iter().filter(|item| !has(&without, item)).collect())
    }),
    ("dbx_list_intersect", |a| {
        let with = list(a, 1);
        joined(unique(list(a, 0)).into_iter().filter(|item| has(&with, item)).collect())
    }),
    ("dbx_list_overlap", |a| {
        let with = list(a, 1);
        let found = list(a, 0).iter().any(|item| !item.is_null() && has(&with, item));
        Ok(Value::Integer(found.into()))
    }),
    ("dbx_list_concat", |a| joined((0..a.len()).flat_map(|index| list(a, index)).collect())),
    ("dbx_list_reverse", |a| joined(list(a, 0).into_iter().rev().collect())),
    ("dbx_list_flatten", |a| {
        joined(
            list(a, 0)
                .into_iter()
                .flat_map(|item| if let Json::Array(items) = item { items } else { vec![] })
                .collect(),
        )
    }),
    ("dbx_list_max", |a| extreme(a, Ordering::Greater)),
    ("dbx_list_min", |a| extreme(a, Ordering::Less)),
    ("dbx_list_sort", |a| {
        let (mut items, descending) = (list(a, 0), a.integer(1) == 0);
        let nulls_last = a.integer(2) != 0;
        items.sort_by(|a, b| match (a.is_null(), b.is_null()) {
            (false, false) if descending => order(b, a),
            (false, false) => order(a, b),
            (a, b) if nulls_last => a.cmp(&b),
            (a, b) => b.cmp(&a),
        });
        joined(items)
    }),
    ("dbx_list_position", |a| {
        let wanted = json_of(a.get(1));
        let found = list(a, 0).iter().position(|item| same_json(item, &wanted));
        Ok(Value::Integer(found.and_then(|index| i64::try_from(index + 1).ok()).unwrap_or(0)))
    }),
    ("dbx_list_remove", |a| {
        let unwanted = json_of(a.get(1));
        joined(list(a, 0).into_iter().filter(|item| !same_json(item, &unwanted)).collect())
    }),
    ("dbx_list_slice", slice),
    ("dbx_list_sequence", sequence),
    ("dbx_map_keys", |a| joined(members(a).map(|(key, _)| Json::String(key)).collect())),
    ("dbx_map_values", |a| joined(members(a).map(|(_, value)| value).collect())),
    ("dbx_map_size", |a| Ok(Value::Integer(i64::try_from(members(a).count()).unwrap_or(i64::MAX)))),
];

fn list(a: &Arguments, index: usize) -> Vec<Json> {
    serde_json::from_str(a.text(index)).unwrap_or_default()
}

fn members(a: &Arguments) -> impl Iterator<Item = (String, Json)> {
    serde_json::from_str::<serde_json::Map<String, Json>>(a.text(0)).unwrap_or_default().into_iter()
}

fn joined(items: Vec<Json>) -> Outcome {
    Ok(Value::Text(Json::Array(items).to_string()))
}

fn same_json(a: &Json, b: &Json) -> bool {
    value_of(a) == value_of(b)
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Integer(number) => Json::from(*number),
        Value::Real(number) => Json::from(*number),
        Value::Text(text) => Json::String(text.clone()),
        Value::Null | Value::Blob(_) => Json::Null,
    }
}

fn has(items: &[Json], wanted: &Json) -> bool {
    items.iter().any(|item| same_json(item, wanted))
}

fn unique(items: Vec<Json>) -> Vec<Json> {
    let mut kept: Vec<Json> = Vec::new();
    for item in items {
        if !has(&kept, &item) {
            kept.push(item);
        }
    }
    kept
}

fn order(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::String(a), Json::String(b)) => a.cmp(b),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        _ => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        },
    }
}

fn extreme(a: &Arguments, wanted: Ordering) -> Outcome {
    let best = list(a, 0)
        .into_iter()
        .filter(|item| !item.is_null())
        .reduce(|best, item| if order(&item, &best) == wanted { item } else { best });
    Ok(best.map_or(Value::Null, |item| value_of(&item)))
}

fn slice(a: &Arguments) -> Outcome {
    let (items, start, length) = (list(a, 0), a.integer(1), a.integer(2));
    if start == 0 || length < 0 {
        return Err(SqlError::new(
            "INVALID_PARAMETER_VALUE.START",
            "The value of parameter(s) `start` or `length` in `slice` is invalid: `start` counts from 1, `length` is not negative.",
            "22023",
        ));
    }
    let skip = if start > 0 {
        usize::try_from(start - 1).ok()
    } else {
        usize::try_from(start.unsigned_abs()).ok().and_then(|back| items.len().checked_sub(back))
    };
    let Some(skip) = skip else { return joined(Vec::new()) };
    joined(items.into_iter().skip(skip).take(usize::try_from(length).unwrap_or(usize::MAX)).collect())
}

/// Numbers from a first to a last one, also downwards.
fn sequence(a: &Arguments) -> Outcome {
    let (first, last) = (a.integer(0), a.integer(1));
    let step = if a.len() > 2 {
        a.integer(2)
    } else if first <= last {
        1
    } else {
        -1
    };
    let span = i128::from(last) - i128::from(first);
    if step == 0 || (span > 0) != (step > 0) && span != 0 {
        return Err(SqlError::new(
            "DATATYPE_MISMATCH.SEQUENCE_WRONG_INPUT",
            &format!("Illegal sequence boundaries: {first} to {last} by {step}."),
            "42K09",
        ));
    }
    let count = span / i128::from(step) + 1;
    if count > MOST.into() {
        return Err(SqlError::unsupported("sequences of more than a million items"));
    }
    let items = (0..i64::try_from(count).unwrap_or(0))
        .map(|index| Json::from(first.saturating_add(index.saturating_mul(step))));
    joined(items.collect())
}
