//! Objects of input schemas show at least one property: a client's API refuses a list of tools in which one has none.
//!
//! Which keys such an object takes is left to the API. One key of the example in its description stands for them, and
//! what is sent is not checked against it.

use serde_json::{Map, Value, json};

/// Gives every object without properties one of the example in its description, or in that of the list it is in.
pub(crate) fn show(schema: &mut Map<String, Value>) {
    show_in(schema, "");
}

fn show_in(schema: &mut Map<String, Value>, above: &str) {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or(above).to_owned();
    if schema.get("type").is_some_and(|name| name == "object")
        && !schema.contains_key("properties")
        && let Some((name, property)) = example(&description).as_ref().and_then(property)
    {
        schema.insert("properties".into(), json!({ name: property }));
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

/// The first key of an example that is a scalar, or else the first that says something, with the schema of its value.
fn property(example: &Map<String, Value>) -> Option<(String, Value)> {
    let is_legal = |name: &str| name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(letter));
    let legal = || example.iter().filter(|(name, _)| is_legal(name));
    let scalars = legal().filter(|(_, value)| !(value.is_array() || value.is_object()));
    scalars.chain(legal()).find_map(|(name, value)| Some((name.clone(), schema(value)?)))
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
            let (name, property) = property(fields)?;
            json!({ "type": "object", "properties": { name: property } })
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::show;

    #[test]
    fn a_key_of_an_example_is_the_property() {
        let text = |description: &str| json!({ "type": "object", "description": description });
        let mut schema = json!({ "type": "object", "properties": {
            "open": text("Such as `{\"year >=\": 1, \"b\": [{\"d\": {}, \"c\": 0.5}], \"e\": []}`, from `list_jobs`."),
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
        assert_eq!(shown("open/properties"), json!({ "b": list }));
        assert_eq!(shown("list/items/properties"), json!({ "f": { "type": "boolean" } }));
        assert_eq!(shown("map/properties"), json!({ "k": { "type": "string" } }));
        assert_eq!(shown("closed/properties/g/properties"), json!({ "h": { "type": "string" } }));
        assert_eq!(shown("unknown/properties"), Value::Null);
    }
}
