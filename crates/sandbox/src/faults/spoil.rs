//! Answers that are still JSON and still true to their schema in part: what careless clients trip over.

use serde_json::{Value, json};

use super::Kind;
use crate::contract::{Contract, Operation, Property, Response, Schema};
use crate::json::Members;
use crate::request::Request;

/// A value that no version of the specs lists.
const UNKNOWN: &str = "SANDBOX_UNKNOWN_VALUE";
/// Begins the cursor that leads from an empty page to the one asked for, whose own cursor follows. It stands there once
/// for each empty page in a row, so that each has a cursor of its own, as pages of the service have.
pub(super) const EMPTY_PAGE: &str = "sandbox-empty-page:";

/// Changes an answer by its schema; an operation without one is left alone.
pub(super) fn spoil(contract: &Contract, operation: &Operation, kind: Kind, request: &Request, value: &mut Value) {
    let Response::Json(schema) = &operation.response else { return };
    match kind {
        Kind::EmptyPage => empty_page(operation, request, value),
        kind => walk(contract, schema, kind, value),
    }
}

fn walk(contract: &Contract, schema: &Schema, kind: Kind, value: &mut Value) {
    match (contract.resolve(schema), &mut *value) {
        (Schema::Enum(_), Value::String(text)) if kind == Kind::UnknownEnums => UNKNOWN.clone_into(text),
        (Schema::Wide, Value::Number(number)) if kind == Kind::Int64Strings => *value = json!(number.to_string()),
        (Schema::Array(_), Value::Array(_)) if kind == Kind::NullLists => *value = Value::Null,
        (Schema::Array(items), Value::Array(values)) => {
            values.iter_mut().for_each(|value| walk(contract, items, kind, value));
        }
        (Schema::Map(items), Value::Object(values)) => {
            values.values_mut().for_each(|value| walk(contract, items, kind, value));
        }
        (Schema::Object(properties), Value::Object(values)) => {
            for Property(name, _, schema) in properties {
                if let Some(value) = values.get_mut(name) {
                    walk(contract, schema, kind, value);
                }
            }
            if kind == Kind::ExtraFields {
                values.insert("sandbox_extra_field".to_owned(), json!({"added": [1, "two", null]}));
            }
        }
        _ => {}
    }
}

/// A page without items whose cursor leads to the page that was asked for.
fn empty_page(operation: &Operation, request: &Request, value: &mut Value) {
    let Some(pagination) = &operation.pagination else { return };
    let (Some(items), Some(cursor)) = (&pagination.items, &pagination.response) else { return };
    let asked = pagination.request.as_ref().and_then(|name| {
        let in_body = || request.fields().ok()?.get(name)?.as_str().map(str::to_owned);
        request.query(name).map(str::to_owned).or_else(in_body)
    });
    value.set(items, json!([]));
    value.set(cursor, EMPTY_PAGE.repeat(request.empty_pages + 1) + &asked.unwrap_or_default());
}
