//! TOML.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike};

use super::Spot;

pub(super) fn value(text: &str) -> Result<Value, String> {
    Ok(of_table(parse(text)?.as_table()))
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        // Without the line that its own text shows.
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        format!("line {line}: {}", error.message())
    })
}

fn of_table(table: &dyn TableLike) -> Value {
    Value::Object(table.iter().map(|(key, item)| (key.to_owned(), of_item(item))).collect())
}

fn of_item(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => of_value(value),
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| of_table(table)).collect(),
    }
}

fn of_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::from(text.value().as_str()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(truth) => Value::from(*truth.value()),
        toml_edit::Value::Float(number) => Value::from(number.value().to_string()),
        toml_edit::Value::Datetime(time) => Value::from(time.value().to_string()),
        toml_edit::Value::Array(items) => items.iter().map(of_value).collect(),
        toml_edit::Value::InlineTable(table) => of_table(table),
    }
}

pub(super) fn insert(text: &str, spot: Spot<'_>, entry: &Value) -> Result<String, String> {
    let mut document = parse(text)?;
    let entry = entry.as_object().ok_or("the entry is no map")?;
    let mut current: &mut dyn TableLike = document.as_table_mut();
    for key in spot.servers {
        let mut implicit = Table::new();
        implicit.set_implicit(true);
        current = current
            .entry(key)
            .or_insert(Item::Table(implicit))
            .as_table_like_mut()
            .ok_or_else(|| format!("its `{key}` is no table"))?;
    }
    current.insert(spot.name, Item::Table(table(entry)?));
    Ok(ended_as(text, document.to_string()))
}

/// With a line break at the end if there was one; the crate always writes one.
fn ended_as(before: &str, mut text: String) -> String {
    if !before.is_empty() && !before.ends_with('\n') && text.ends_with('\n') {
        text.pop();
    }
    text
}

pub(super) fn replace(text: &str, spot: Spot<'_>, entry: &Value) -> Result<String, String> {
    let mut document = parse(text)?;
    let mut new = table(entry.as_object().ok_or("the entry is no map")?)?;
    let mut current: &mut dyn TableLike = document.as_table_mut();
    for key in spot.servers {
        current = current.get_mut(key).and_then(Item::as_table_like_mut).ok_or("the entry is not there")?;
    }
    match current.get_mut(spot.name) {
        Some(Item::Table(old)) => {
            new.set_position(old.position());
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        Some(Item::Value(old)) => {
            let decor = old.decor().clone();
            *old = new.into_inline_table().into();
            *old.decor_mut() = decor;
        }
        _ => return Err("the entry is not there".to_owned()),
    }
    Ok(ended_as(text, document.to_string()))
}

fn table(entry: &Map<String, Value>) -> Result<Table, String> {
    let mut table = Table::new();
    for (key, value) in entry {
        let item = match value {
            Value::Object(map) => Item::Table(self::table(map)?),
            other => Item::Value(to_value(other)?),
        };
        table.insert(key, item);
    }
    Ok(table)
}

fn to_value(value: &Value) -> Result<toml_edit::Value, String> {
    Ok(match value {
        Value::String(text) => text.as_str().into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => number.as_i64().ok_or("a number that is not whole")?.into(),
        Value::Array(items) => toml_edit::Value::Array(items.iter().map(to_value).collect::<Result<Array, String>>()?),
        Value::Null | Value::Object(_) => return Err("a value that TOML does not have".to_owned()),
    })
}

pub(super) fn remove(text: &str, spot: Spot<'_>, made: usize) -> Result<String, String> {
    let mut document = parse(text)?;
    let depths = super::emptied(&of_table(document.as_table()), spot, made);
    let (keys, name) = match depths.last().and_then(|depth| spot.servers.get(..*depth)?.split_last()) {
        Some((last, outer)) => (outer, *last),
        None => (spot.servers, spot.name),
    };
    let mut current: &mut dyn TableLike = document.as_table_mut();
    for key in keys {
        current = current.get_mut(key).and_then(Item::as_table_like_mut).ok_or("the entry is not there")?;
    }
    current.remove(name).ok_or("the entry is not there")?;
    Ok(ended_as(text, document.to_string()))
}
