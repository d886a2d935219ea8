//! JSON: an object or a list of them on each line, or in the whole file.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Reading, Rows, check_size, malformed};
use crate::json::{MOST_VALUES, Unread, parse, values};
use crate::sql::error::SqlError;
use crate::sql::runtime::schema_of;
use crate::sql::types::{Column, Type};

impl Reading {
    pub(super) fn json(&self, texts: &[(&str, &str)]) -> Result<Rows, SqlError> {
        let mut objects = Vec::new();
        if texts.iter().map(|(_, text)| values(text.as_bytes())).sum::<usize>() > MOST_VALUES {
            return Err(SqlError::unsupported(format!("files of more than {MOST_VALUES} values in SQL")));
        }
        for (file, text) in texts {
            let wrong = |unread| match unread {
                Unread::Malformed(error) => malformed(file, &format!("it is not JSON ({error})")),
                Unread::TooMany => malformed(file, &format!("it has more than {MOST_VALUES} values")),
            };
            if self.multi_line {
                collect(file, parse(text.as_bytes()).map_err(wrong)?, &mut objects)?;
                continue;
            }
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                collect(file, parse(line.as_bytes()).map_err(wrong)?, &mut objects)?;
            }
        }
        let mut kinds: BTreeMap<&str, Option<Type>> = BTreeMap::new();
        for (name, value) in objects.iter().flatten() {
            let kind = kinds.entry(name).or_default();
            if !value.is_null() {
                let found = if self.infer { schema_of(value) } else { Type::String };
                *kind = Some(match kind.take() {
                    Some(known) => merged(known, found),
                    None => found,
                });
            }
        }
        check_size(kinds.len(), objects.len())?;
        let columns: Vec<_> =
            kinds.into_iter().map(|(name, kind)| Column::new(name, kind.unwrap_or(Type::String))).collect();
        let cell = |object: &Map<String, Json>, column: &Column| {
            object.get(&column.name).map_or(Json::Null, |value| value_of(value, &column.kind))
        };
        let rows = objects.iter().map(|object| columns.iter().map(|column| cell(object, column)).collect()).collect();
        Ok(Rows { columns, rows })
    }
}

/// Adds the objects of one document.
fn collect(file: &str, document: Json, objects: &mut Vec<Map<String, Json>>) -> Result<(), SqlError> {
    match document {
        Json::Object(object) => objects.push(object),
        Json::Array(items) => {
            for item in items {
                let Json::Object(object) = item else { return Err(malformed(file, "a row is not an object")) };
                objects.push(object);
            }
        }
        _ => return Err(malformed(file, "a row is not an object")),
    }
    Ok(())
}

/// The type of values of both types: objects have the fields of both, what differs is text.
fn merged(one: Type, other: Type) -> Type {
    match (one, other) {
        (one, other) if one == other => one,
        (Type::Array(one), Type::Array(other)) => Type::Array(Box::new(merged(*one, *other))),
        (Type::Struct(one), Type::Struct(other)) => {
            let mut fields: BTreeMap<String, Type> = one.into_iter().collect();
            for (name, kind) in other {
                let kind = match fields.remove(&name) {
                    Some(known) => merged(known, kind),
                    None => kind,
                };
                fields.insert(name, kind);
            }
            Type::Struct(fields.into_iter().collect())
        }
        (one, other) if one.is_number() && other.is_number() => Type::Double,
        _ => Type::String,
    }
}

/// A value in the form in which SQLite keeps its type.
fn value_of(value: &Json, kind: &Type) -> Json {
    match (value, kind) {
        (Json::Bool(flag), Type::Boolean) => Json::from(i64::from(*flag)),
        (Json::Number(number), Type::Double) => number.as_f64().map_or(Json::Null, Json::from),
        (Json::Null | Json::String(_), _) => value.clone(),
        (value, Type::String) => Json::from(value.to_string()),
        (value, _) => value.clone(),
    }
}
