//! Objects of input schemas show at least one property: a client's API refuses a list of tools in which one has none.
//!
//! Which keys such an object takes is left to the API. The keys of the example in its description stand for them, and
//! what is sent is not checked against them.

use serde_json::{Map, Value, json};

/// Gives every object without properties those of the example in its description, or in that of the list it is in.
pub(crate) fn show(schema: &mut Map<String, Value>) {
    show_in(schema, "");
}

fn show_in(schema: &mut Map<String, Value>, above: &str) {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or(above).to_owned();
    if schema.get("type").is_some_and(|name| name == "object")
        && !schema.contains_key("properties")
        && let Some(example) = example(&description)
    {
        schema.insert("properties".into(), properties(&example).into());
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key).and_then(Value::as_object_mut) {
            show_in(inner, &description);
        }
    }
    for property in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(property) = property.as_object_mut() {
            show_in(property, "");
        }
    }
}

/// The first object among the code spans of a description. A list stands for its first item.
fn example(description: &str) -> Option<Map<String, Value>> {
    let spans = description.split('`').skip(1).step_by(2);
    spans.filter_map(|span| serde_json::from_str(span).ok()).find_map(|value| match value {
        Value::Object(fields) => Some(fields),
        Value::Array(items) => match items.into_iter().next() {
            Some(Value::Object(fields)) => Some(fields),
            _ => None,
        },
        _ => None,
    })
}

fn properties(example: &Map<String, Value>) -> Map<String, Value> {
    example.iter().filter_map(|(name, value)| Some((name.clone(), schema(value)?))).collect()
}

/// The schema of values like this one; `None` where an empty one says nothing.
fn schema(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::String(_) | Value::Null => json!({ "type": "string" }),
        Value::Array(items) => json!({ "type": "array", "items": schema(items.first()?)? }),
        Value::Object(fields) => {
            let properties = properties(fields);
            if properties.is_empty() {
                return None;
            }
            json!({ "type": "object", "properties": properties })
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::show;

    #[test]
    fn the_keys_of_an_example_are_the_properties() {
        let text = |description: &str| json!({ "type": "object", "description": description });
        let mut schema = json!({ "type": "object", "properties": {
            "open": text("Such as `{\"a\": 1, \"b\": [{\"c\": 0.5}], \"d\": {}, \"e\": []}`, from `list_jobs`."),
            "list": { "type": "array", "description": "`[{\"f\": true}]`", "items": { "type": "object" } },
            "map": { "type": "object", "additionalProperties": { "type": "string" }, "description": "`{\"k\": \"v\"}`" },
            "closed": { "type": "object", "properties": { "g": text("`{\"h\": null}`") } },
            "unknown": text("No example: `{}`, `[1]`, `{a}`."),
        } });
        if let Some(schema) = schema.as_object_mut() {
            show(schema);
        }
        let shown = |path: &str| schema.pointer(&format!("/properties/{path}")).cloned().unwrap_or(Value::Null);
        let list =
            json!({ "type": "array", "items": { "type": "object", "properties": { "c": { "type": "number" } } } });
        assert_eq!(shown("open/properties"), json!({ "a": { "type": "integer" }, "b": list }));
        assert_eq!(shown("list/items/properties"), json!({ "f": { "type": "boolean" } }));
        assert_eq!(shown("map/properties"), json!({ "k": { "type": "string" } }));
        assert_eq!(shown("closed/properties/g/properties"), json!({ "h": { "type": "string" } }));
        assert_eq!(shown("unknown/properties"), json!({}));
    }
}
