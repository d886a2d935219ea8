//! SCIM's patches: add, remove and replace, of attributes and of items of lists.

use serde_json::{Value, json};

use super::filter::Filter;
use crate::error::ApiError;
use crate::json::Members;

fn wrong(message: &str) -> ApiError {
    ApiError::invalid_parameter(message)
}

/// Does one operation.
pub(super) fn apply(resource: &mut Value, operation: &Value) -> Result<(), ApiError> {
    let kind = operation.text_at("op").to_lowercase();
    let value = operation.at("value");
    match (kind.as_str(), operation.text_at("path")) {
        ("add" | "replace", "") => {
            let members =
                value.as_object().ok_or_else(|| wrong("An operation without a path needs an object as its value"))?;
            for (name, value) in members {
                put(resource, name, value, kind == "add");
            }
            Ok(())
        }
        ("remove", "") => Err(wrong("A remove operation needs a path")),
        ("add" | "replace", path) => match split(path)? {
            (name, Some(filter)) => {
                change_items(resource, name, &filter, Some(value));
                Ok(())
            }
            (name, None) => {
                put(resource, name, value, kind == "add");
                Ok(())
            }
        },
        ("remove", path) => {
            match split(path)? {
                (name, Some(filter)) => change_items(resource, name, &filter, None),
                // The items to remove may be named by the value.
                (name, None) if value.is_array() => {
                    let gone: Vec<_> =
                        value.as_array().into_iter().flatten().map(|item| item.text_at("value").to_owned()).collect();
                    retain(resource, name, |item| !gone.iter().any(|gone| gone == item.text_at("value")));
                }
                (name, None) => *resource = resource.take().without(&[name]),
            }
            Ok(())
        }
        _ => Err(wrong("op must be add, remove or replace")),
    }
}

/// The attribute of a path, and the filter in its brackets.
fn split(path: &str) -> Result<(&str, Option<Filter>), ApiError> {
    match path.split_once('[') {
        None => Ok((path, None)),
        Some((name, rest)) => {
            let inside = rest.split_once(']').ok_or_else(|| wrong("The path has no closing bracket"))?.0;
            Ok((name, Some(Filter::read(inside)?)))
        }
    }
}

/// Sets an attribute, or one within; an added list joins the one that is there.
fn put(resource: &mut Value, path: &str, value: &Value, is_added: bool) {
    if let Some((first, rest)) = path.split_once('.') {
        if !resource.at(first).is_object() {
            resource.set(first, json!({}));
        }
        if let Some(inside) = resource.get_mut(first) {
            put(inside, rest, value, is_added);
        }
        return;
    }
    let known = resource.at(path).as_array().cloned();
    match (known, value) {
        (Some(mut known), value) if is_added => {
            let added = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            for item in added {
                if !known.iter().any(|known| known.text_at("value") == item.text_at("value")) {
                    known.push(item);
                }
            }
            resource.set(path, known);
        }
        (_, value) => resource.set(path, value.clone()),
    }
}

fn retain(resource: &mut Value, name: &str, keep: impl Fn(&Value) -> bool) {
    if let Some(items) = resource.get_mut(name).and_then(Value::as_array_mut) {
        items.retain(keep);
    }
}

/// Changes or removes the items that pass a filter.
fn change_items(resource: &mut Value, name: &str, filter: &Filter, value: Option<&Value>) {
    match value {
        None => retain(resource, name, |item| !filter.passes(item)),
        Some(value) => {
            let items = resource.get_mut(name).and_then(Value::as_array_mut);
            for item in items.into_iter().flatten().filter(|item| filter.passes(item)) {
                item.merge(value.as_object().cloned().unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_removes_and_replaces() {
        let mut resource = json!({"displayName": "a", "members": [{"value": "1"}]});
        for operation in [
            json!({"op": "add", "path": "members", "value": [{"value": "1"}, {"value": "2"}]}),
            json!({"op": "replace", "path": "displayName", "value": "b"}),
            json!({"op": "add", "value": {"externalId": "x"}}),
            json!({"op": "remove", "path": "members[value eq \"1\"]"}),
            json!({"op": "replace", "path": "name.givenName", "value": "Ada"}),
        ] {
            apply(&mut resource, &operation).unwrap();
        }
        let expected =
            json!({"displayName": "b", "externalId": "x", "members": [{"value": "2"}], "name": {"givenName": "Ada"}});
        assert_eq!(resource, expected);
        apply(&mut resource, &json!({"op": "remove", "path": "members", "value": [{"value": "2"}]})).unwrap();
        assert_eq!(resource.at("members"), &json!([]));
        assert!(apply(&mut resource, &json!({"op": "remove"})).is_err());
        assert!(apply(&mut resource, &json!({"op": "add", "value": 3})).is_err());
    }
}
