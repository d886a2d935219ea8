//! Functions on arrays, which are JSON texts here.

use std::cmp::Ordering;
use std::collections::HashSet;

use rusqlite::types::Value;
use serde_json::{Map, Value as Json};

use super::documents::read;
use super::strings::{check_length, value as value_of};
use super::{Arguments, Definition, Outcome};
use crate::sql::error::SqlError;
use crate::sql::temporal;

/// Items of an array that a function makes, at most.
const MOST: i64 = 1_000_000;

/// Refuses an array of so many items before it takes the memory.
pub(super) fn check_items(items: usize) -> Result<(), SqlError> {
    match i64::try_from(items) {
        Ok(items) if items <= MOST => Ok(()),
        _ => Err(SqlError::unsupported("arrays of more than a million items")),
    }
}

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_list_distinct", |a| joined(unique(list(a, 0)?))),
    ("dbx_list_union", |a| joined(unique([list(a, 0)?, list(a, 1)?].concat()))),
    ("dbx_list_except", |a| {
        let without = keys(&list(a, 1)?);
        joined(unique(list(a, 0)?).into_iter().filter(|item| !without.contains(&key(item))).collect())
    }),
    ("dbx_list_intersect", |a| {
        let with = keys(&list(a, 1)?);
        joined(unique(list(a, 0)?).into_iter().filter(|item| with.contains(&key(item))).collect())
    }),
    ("dbx_list_overlap", |a| {
        let (list, with) = (list(a, 0)?, list(a, 1)?);
        let unknown = !list.is_empty() && !with.is_empty() && list.iter().chain(&with).any(Json::is_null);
        let with = keys(&with);
        Ok(match list.iter().any(|item| !item.is_null() && with.contains(&key(item))) {
            false if unknown => Value::Null,
            found => Value::Integer(found.into()),
        })
    }),
    ("dbx_array_contains", |a| {
        let (list, wanted) = (list(a, 0)?, json_of(a.get(1)));
        Ok(match has(&list, &wanted) {
            false if list.iter().any(Json::is_null) => Value::Null,
            found => Value::Integer(found.into()),
        })
    }),
    ("dbx_element_at", |a| {
        let (items, index) = (list(a, 0)?, a.integer(1));
        let back = || usize::try_from(index.unsigned_abs()).ok().and_then(|back| items.len().checked_sub(back));
        let place = if index < 0 { back() } else { usize::try_from(index).ok().and_then(|place| place.checked_sub(1)) };
        let found = place.and_then(|place| items.get(place)).map(value_of);
        match found {
            Some(found) => Ok(found),
            None if index == 0 => Err(SqlError::new(
                "INVALID_INDEX_OF_ZERO",
                "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
                "22003",
            )),
            None => Err(outside("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", index, items.len(), "try_element_at")),
        }
    }),
    ("dbx_list_get", |a| {
        let (items, place) = (list(a, 0)?, usize::try_from(a.integer(1)).ok());
        Ok(place.and_then(|place| items.get(place)).map_or(Value::Null, value_of))
    }),
    ("dbx_list_at", |a| {
        let items = list(a, 0)?;
        let place = usize::try_from(a.integer(1)).ok();
        place
            .and_then(|place| items.get(place))
            .map(value_of)
            .ok_or_else(|| outside("INVALID_ARRAY_INDEX", a.integer(1), items.len(), "get()"))
    }),
    ("dbx_list_repeat", |a| match a.integer(1) {
        times if times > MOST => Err(SqlError::unsupported("arrays of more than a million items")),
        times => {
            let times = usize::try_from(times.max(0)).unwrap_or_default();
            check_length(a.text(0).len().saturating_mul(times))?;
            joined(vec![json_of(a.get(0)); times])
        }
    }),
    ("dbx_list_compact", |a| joined(list(a, 0)?.into_iter().filter(|item| !item.is_null()).collect())),
    ("dbx_list_insert", |a| {
        let (mut items, place) = (list(a, 0)?, a.integer(1));
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let at = if place > 0 { place - 1 } else { length.saturating_add(place).saturating_add(1) };
        if place == 0 || !(0..=length).contains(&at) {
            return Err(SqlError::unsupported("array_insert beyond the ends of an array"));
        }
        items.insert(usize::try_from(at).unwrap_or_default(), item_of(a, 2)?);
        joined(items)
    }),
    ("dbx_list_fields", |a| {
        let of = |item: Json| item.get(a.text(1)).cloned().unwrap_or_default();
        joined(list(a, 0)?.into_iter().map(of).collect())
    }),
    ("dbx_map_checked", |a| {
        let count = i64::try_from(members(a)?.count()).unwrap_or(i64::MAX);
        if count == a.integer(1) {
            return Ok(a.get(0).clone());
        }
        Err(SqlError::new("DUPLICATED_MAP_KEY", "Duplicate map key was found, please check the input data.", "23505"))
    }),
    ("dbx_instants", instants),
    ("dbx_map_entries", |a| {
        joined(members(a)?.map(|(key, value)| serde_json::json!({"key": key, "value": value})).collect())
    }),
    ("dbx_map_of_lists", |a| {
        let (keys, values) = (list(a, 0)?, list(a, 1)?);
        if keys.len() != values.len() {
            return Err(SqlError::unsupported("a map of as many keys as values it is not"));
        }
        mapped(keys.into_iter().zip(values))
    }),
    ("dbx_map_of_entries", |a| {
        mapped(list(a, 0)?.into_iter().map(|entry| {
            let mut fields = entry.as_object().cloned().unwrap_or_default().into_iter().map(|(_, value)| value);
            (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
        }))
    }),
    ("dbx_map_concat", |a| {
        let maps = (0..a.len()).map(|index| Ok(read::<Map<String, Json>>(a.text(index))?.unwrap_or_default()));
        let maps = maps.collect::<Result<Vec<_>, SqlError>>()?;
        mapped(maps.into_iter().flatten().map(|(key, value)| (Json::String(key), value)))
    }),
    ("dbx_map_of_text", |a| {
        let (pairs, keys) = (if a.len() > 1 { a.text(1) } else { "," }, if a.len() > 2 { a.text(2) } else { ":" });
        mapped(a.text(0).split(pairs).map(|pair| match pair.split_once(keys) {
            Some((key, value)) => (Json::from(key), Json::from(value)),
            None => (Json::from(pair), Json::Null),
        }))
    }),
    ("dbx_list_concat", |a| joined((0..a.len()).map(|index| list(a, index)).collect::<Result<Vec<_>, _>>()?.concat())),
    ("dbx_list_reverse", |a| joined(list(a, 0)?.into_iter().rev().collect())),
    ("dbx_list_flatten", |a| {
        joined(
            list(a, 0)?
                .into_iter()
                .flat_map(|item| if let Json::Array(items) = item { items } else { vec![] })
                .collect(),
        )
    }),
    ("dbx_list_max", |a| extreme(a, Ordering::Greater)),
    ("dbx_list_min", |a| extreme(a, Ordering::Less)),
    ("dbx_list_sort", |a| {
        let (mut items, descending) = (list(a, 0)?, a.integer(1) == 0);
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
        let found = list(a, 0)?.iter().position(|item| same_json(item, &wanted));
        Ok(Value::Integer(found.and_then(|index| i64::try_from(index + 1).ok()).unwrap_or(0)))
    }),
    ("dbx_list_remove", |a| {
        let unwanted = json_of(a.get(1));
        joined(list(a, 0)?.into_iter().filter(|item| !same_json(item, &unwanted)).collect())
    }),
    ("dbx_list_slice", slice),
    ("dbx_list_sequence", sequence),
    ("dbx_map_keys", |a| joined(members(a)?.map(|(key, _)| Json::String(key)).collect())),
    ("dbx_map_values", |a| joined(members(a)?.map(|(_, value)| value).collect())),
    ("dbx_map_size", |a| Ok(Value::Integer(i64::try_from(members(a)?.count()).unwrap_or(i64::MAX)))),
];

fn outside(condition: &str, index: i64, length: usize, instead: &str) -> SqlError {
    SqlError::new(
        condition,
        &format!(
            "The index {index} is out of bounds. The array has {length} elements. Use the SQL function `{instead}` to tolerate accessing element at invalid index and return NULL instead."
        ),
        "22003",
    )
}

/// An item that may be nested: the last argument says so.
fn item_of(a: &Arguments, index: usize) -> Result<Json, SqlError> {
    let nested = a.integer(index + 1) != 0;
    Ok(if nested { read(a.text(index))?.unwrap_or_default() } else { json_of(a.get(index)) })
}

/// A map of these entries; a key that comes twice is an error.
fn mapped(entries: impl Iterator<Item = (Json, Json)>) -> Outcome {
    let mut map = Map::new();
    for (key, value) in entries {
        let Json::String(key) = key else { return Err(SqlError::unsupported("maps whose keys are not strings")) };
        if map.insert(key.clone(), value).is_some() {
            return Err(SqlError::new(
                "DUPLICATED_MAP_KEY",
                &format!("Duplicate map key {key} was found, please check the input data."),
                "23505",
            ));
        }
    }
    Ok(Value::Text(Json::Object(map).to_string()))
}

/// Instants from a first to a last one, by months or microseconds; in days where they are dates.
fn instants(a: &Arguments) -> Outcome {
    let unit = a.integer(4).max(1);
    let micros = |value: i64| value.checked_mul(unit).ok_or_else(super::overflow);
    let (first, last, months, step) = (micros(a.integer(0))?, micros(a.integer(1))?, a.integer(2), a.integer(3));
    let up = months > 0 || step > 0;
    if (months == 0 && step == 0) || (up && first > last) || (!up && first < last) {
        return Err(SqlError::new(
            "DATATYPE_MISMATCH.SEQUENCE_WRONG_INPUT",
            "Illegal sequence boundaries: the step does not lead from the first to the last value.",
            "42K09",
        ));
    }
    let mut items = Vec::new();
    for index in 0..MOST {
        let next = if months == 0 {
            step.checked_mul(index).and_then(|by| first.checked_add(by))
        } else {
            months.checked_mul(index).and_then(|by| temporal::instant_plus_months(first, by))
        };
        match next {
            Some(next) if (up && next <= last) || (!up && next >= last) => {
                items.push(Json::from(next.div_euclid(unit)))
            }
            _ => return joined(items),
        }
    }
    Err(SqlError::unsupported("sequences of more than a million items"))
}

fn list(a: &Arguments, index: usize) -> Result<Vec<Json>, SqlError> {
    Ok(read(a.text(index))?.unwrap_or_default())
}

fn members(a: &Arguments) -> Result<impl Iterator<Item = (String, Json)> + use<>, SqlError> {
    Ok(read::<Map<String, Json>>(a.text(0))?.unwrap_or_default().into_iter())
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

/// A text that two items share if they are the same.
fn key(item: &Json) -> String {
    super::key(&value_of(item))
}

fn keys(items: &[Json]) -> HashSet<String> {
    items.iter().map(key).collect()
}

fn unique(items: Vec<Json>) -> Vec<Json> {
    let mut known = HashSet::new();
    items.into_iter().filter(|item| known.insert(key(item))).collect()
}

fn order(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::String(a), Json::String(b)) => a.cmp(b),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        // NaN is the largest number.
        (Json::String(_), Json::Number(_)) => Ordering::Greater,
        (Json::Number(_), Json::String(_)) => Ordering::Less,
        _ => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        },
    }
}

fn extreme(a: &Arguments, wanted: Ordering) -> Outcome {
    let best = list(a, 0)?
        .into_iter()
        .filter(|item| !item.is_null())
        .reduce(|best, item| if order(&item, &best) == wanted { item } else { best });
    Ok(best.map_or(Value::Null, |item| value_of(&item)))
}

fn slice(a: &Arguments) -> Outcome {
    let (items, start, length) = (list(a, 0)?, a.integer(1), a.integer(2));
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
