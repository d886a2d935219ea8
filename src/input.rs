//! The input of a composite: a Rust type, from which the schema is made and into which the arguments are read.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::{Map, Value, json};

use crate::error::Error;

/// An identifier of the API: an int64 that callers may give as a number or as text, and that is shown as text,
/// because above 2^53 JavaScript clients lose digits of numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identifier(pub(crate) i64);

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.trim().parse();
        number.map(Self).map_err(|_| D::Error::custom(format!("expected an identifier made of digits, got `{text}`")))
    }
}

impl JsonSchema for Identifier {
    fn schema_name() -> Cow<'static, str> {
        "Identifier".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] })
    }
}

/// The input schema of a composite, from its Rust type, in the dialect of the generated ones: inlined, one
/// `type` each, no formats of Rust's numbers. A field's documentation is what the model reads.
pub(crate) fn input_schema<I: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<I>().to_value();
    plain_dialect(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.remove("description");
        root.entry("properties").or_insert_with(|| json!({}));
    }
    schema
}

/// The arguments as the composite's input type.
pub(crate) fn input<I: DeserializeOwned>(arguments: Map<String, Value>) -> Result<I, Error> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| Error::failed(format!("bad arguments: {error}")))
}

fn plain_dialect(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for key in ["title", "format", "$schema"] {
        object.remove(key);
    }
    // What is empty, off or zero unless it is given need not be said.
    let is_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if object.get("default").is_some_and(is_nothing) {
        object.remove("default");
    }
    if object.get("minimum").is_some_and(|least| least == 0) {
        object.remove("minimum");
    }
    // `Option` is said by absence from `required`, not by a union with null.
    if let Some(Value::Array(forms)) = object.get_mut("anyOf") {
        forms.retain(|form| form.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = forms.as_mut_slice() {
            let only = std::mem::take(only);
            object.remove("anyOf");
            object.extend(only);
        }
    }
    if let Some(name) = object.get("type").and_then(Value::as_array).and_then(|names| names.first()).cloned() {
        object.insert("type".into(), name);
    }
    if let Some(values) = object.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    if let Some(text) = object.get_mut("description").and_then(|text| text.as_str().map(str::to_owned)) {
        object.insert("description".into(), text.split_whitespace().collect::<Vec<_>>().join(" ").into());
    }
    if object.get("additionalProperties").is_some_and(Value::is_boolean) {
        object.remove("additionalProperties");
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            plain_dialect(inner);
        }
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(plain_dialect);
    }
}

/// The default of arguments that are on unless said otherwise.
pub(crate) fn yes() -> bool {
    true
}
