//! What a caller sees of a state of the documents.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::documents::Documents;

/// Operations by id, and schemas by `package.Name`.
#[derive(Debug, Default)]
pub(crate) struct Surface {
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) schemas: BTreeMap<String, Shape>,
    /// The schemas that requests, and that responses, are made of.
    pub(crate) sent: BTreeSet<String>,
    pub(crate) received: BTreeSet<String>,
}

/// An operation.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) package: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// What else a caller depends on, by name, as text.
    pub(crate) traits: BTreeMap<&'static str, String>,
    pub(crate) deprecated: bool,
    /// By place and name, such as `query limit`.
    pub(crate) parameters: BTreeMap<String, Field>,
    pub(crate) body: Option<Shape>,
    pub(crate) response: Option<Shape>,
}

/// A parameter or a property.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) required: bool,
    pub(crate) kind: String,
}

/// What a schema, a body or a response is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object(BTreeMap<String, Field>),
    Enum(BTreeSet<String>),
    Other(String),
}

impl Surface {
    /// Reads the documents.
    pub(crate) fn new(documents: &Documents) -> Result<Self> {
        let mut surface = Self::default();
        let mut uses = BTreeMap::new();
        for (package, document) in documents {
            let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
            for (name, schema) in schemas.into_iter().flatten() {
                let id = format!("{package}.{name}");
                uses.insert(id.clone(), references(package, schema));
                surface.schemas.insert(id, shape(package, schema));
            }
            let paths = document.get("paths").and_then(Value::as_object);
            for (path, item) in paths.into_iter().flatten() {
                for (method, operation) in item.as_object().into_iter().flatten() {
                    surface.add(package, path, method, operation)?;
                }
            }
        }
        surface.sent = closure(std::mem::take(&mut surface.sent), &uses);
        surface.received = closure(std::mem::take(&mut surface.received), &uses);
        Ok(surface)
    }

    fn add(&mut self, package: &str, path: &str, method: &str, operation: &Value) -> Result<()> {
        let id = operation.get("operationId").and_then(Value::as_str);
        let id = id.with_context(|| format!("{package}.json: `{method} {path}` has no operationId"))?;
        let is_set = |name: &str| operation.get(name).and_then(Value::as_bool).unwrap_or_default();
        let content = |at: &str| content(operation.pointer(at)?);
        for parameter in operation.get("parameters").into_iter().flat_map(references_of(package)) {
            self.sent.insert(parameter);
        }
        self.sent.extend(operation.get("requestBody").into_iter().flat_map(references_of(package)));
        self.received.extend(operation.get("responses").into_iter().flat_map(references_of(package)));
        let mut traits = BTreeMap::new();
        // The SDK sends the routing header with every operation of a workspace and with no other.
        let routed = is_set("x-databricks-workspace-routing");
        traits.insert("level", if routed { "workspace" } else { "account" }.to_owned());
        let names = [
            ("pagination", "x-databricks-pagination"),
            ("waiter", "x-databricks-wait"),
            ("long-running operation", "x-databricks-lro"),
        ];
        for (label, name) in names {
            traits.extend(operation.get(name).map(|value| (label, value.to_string())));
        }
        let bodies =
            |found: Option<(&String, &Value)>| found.map(|(media_type, schema)| body(package, media_type, schema));
        let read = Operation {
            package: package.to_owned(),
            method: method.to_uppercase(),
            path: path.split('#').next().unwrap_or_default().to_owned(),
            traits,
            deprecated: is_set("deprecated"),
            parameters: parameters(package, operation),
            body: bodies(content("/requestBody")),
            response: bodies(content("/responses/2XX")),
        };
        self.operations.insert(id.to_owned(), read);
        Ok(())
    }
}

fn content(body: &Value) -> Option<(&String, &Value)> {
    let (media_type, content) = body.get("content")?.as_object()?.iter().next()?;
    Some((media_type, content.get("schema")?))
}

/// A body: a JSON object field by field, anything else as text.
fn body(package: &str, media_type: &str, schema: &Value) -> Shape {
    match (media_type, shape(package, schema)) {
        ("application/json", shape) => shape,
        _ => Shape::Other(media_type.to_owned()),
    }
}

fn parameters(package: &str, operation: &Value) -> BTreeMap<String, Field> {
    let mut parameters = BTreeMap::new();
    for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut kind = parameter.get("schema").map(|schema| kind(package, schema)).unwrap_or_default();
        let extensions = parameter.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-"));
        // How the value is sent; a name in Python and a better known pattern are nobody's concern.
        for (name, value) in extensions.filter(|(name, _)| !name.ends_with("-name")) {
            kind.push_str(&format!(" {}={value}", name.trim_start_matches("x-databricks-")));
        }
        let required = parameter.get("required").and_then(Value::as_bool).unwrap_or_default();
        parameters.insert(format!("{} {}", text("in"), text("name")), Field { required, kind });
    }
    parameters
}

fn shape(package: &str, schema: &Value) -> Shape {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Shape::Enum(values.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Shape::Other(kind(package, schema));
    };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let field = |(name, property): (&String, &Value)| {
        let required = required.contains(&name.as_str());
        (name.clone(), Field { required, kind: kind(package, property) })
    };
    Shape::Object(properties.iter().map(field).collect())
}

/// A type in a word.
fn kind(package: &str, schema: &Value) -> String {
    let text = |name: &str| schema.get(name).and_then(Value::as_str);
    if let Some(reference) = text("$ref") {
        return schema_id(package, reference);
    }
    if let Some(items) = schema.get("items") {
        return format!("[{}]", kind(package, items));
    }
    if let Some(values) = schema.get("additionalProperties") {
        return format!("map of {}", kind(package, values));
    }
    text("format").or_else(|| text("type")).unwrap_or("any").to_owned()
}

/// `package.Name` of a reference.
fn schema_id(package: &str, reference: &str) -> String {
    let (document, name) = reference.split_once("#/components/schemas/").unwrap_or(("", reference));
    format!("{}.{name}", document.strip_suffix(".json").unwrap_or(package))
}

fn references_of<'a>(package: &'a str) -> impl Fn(&'a Value) -> BTreeSet<String> {
    move |value| references(package, value)
}

/// The schemas that a value refers to.
fn references(package: &str, value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(references_of(package)).collect(),
        Value::Object(object) => match object.get("$ref") {
            Some(Value::String(reference)) => BTreeSet::from([schema_id(package, reference)]),
            _ => object.values().flat_map(references_of(package)).collect(),
        },
        _ => BTreeSet::new(),
    }
}

fn closure(mut reached: BTreeSet<String>, uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut ahead: Vec<String> = reached.iter().cloned().collect();
    while let Some(id) = ahead.pop() {
        for used in uses.get(&id).into_iter().flatten() {
            if reached.insert(used.clone()) {
                ahead.push(used.clone());
            }
        }
    }
    reached
}
