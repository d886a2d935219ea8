//! The query string: lists repeat their name, objects are flattened with dots, `null` is left out.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::operation::{Location, Operation};

/// The pairs of a query, in the order of the values.
pub(crate) fn pairs(operation: &Operation, values: &Map<String, Value>) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::with_capacity(values.len());
    for (name, value) in values {
        let flatten = operation.parameter(Location::Query, name).is_some_and(|parameter| parameter.flatten);
        push(&mut pairs, name, value, flatten)?;
    }
    Ok(pairs)
}

fn push(pairs: &mut Vec<(String, String)>, name: &str, value: &Value, flatten: bool) -> Result<(), Error> {
    match value {
        Value::Object(fields) if flatten => {
            for (field, value) in fields {
                push(pairs, &format!("{name}.{field}"), value, flatten)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                if let Some(text) = scalar(name, item)? {
                    pairs.push((name.to_owned(), text));
                }
            }
        }
        _ => pairs.extend(scalar(name, value)?.map(|text| (name.to_owned(), text))),
    }
    Ok(())
}

fn scalar(name: &str, value: &Value) -> Result<Option<String>, Error> {
    Ok(match value {
        Value::Null => None,
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => {
            return Err(Error::parameter(name, format!("the query parameter `{name}` takes single values only")));
        }
    })
}
