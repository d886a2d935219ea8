//! Schemas as lines of the lock: each named schema once, and for each operation a hash over all that it leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::api::{Api, Body, Operation, Response, Schema};

/// How many hexadecimal digits of a hash the lock shows for one operation.
const SHORT: usize = 16;

/// The type of a value, in one line.
pub fn type_name(schema: &Schema) -> String {
    match schema {
        Schema::Any => "any".into(),
        Schema::Boolean => "boolean".into(),
        Schema::Integer { wide: true } => "int64".into(),
        Schema::Integer { wide: false } => "int32".into(),
        Schema::Number => "number".into(),
        Schema::String(None) => "string".into(),
        Schema::String(Some(format)) => format.clone(),
        Schema::Enum(values) => format!("enum({})", values.join("|")),
        Schema::Array(items) => format!("[{}]", type_name(items)),
        Schema::Map(values) => format!("map({})", type_name(values)),
        Schema::Object(properties) => {
            let fields =
                properties.iter().map(|field| format!("{}: {}", field.name, type_of(&field.schema, field.required)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Schema::Reference(name) => name.clone(),
    }
}

/// The type of a field or parameter, and whether the API requires it.
pub(super) fn type_of(schema: &Schema, required: bool) -> String {
    let required = if required { " required" } else { "" };
    format!("{}{required}", type_name(schema))
}

/// The lines of a named schema: its fields, or what it stands for.
pub(super) fn lines(schema: &Schema) -> Vec<String> {
    let Schema::Object(properties) = schema else { return vec![format!("= {}", type_name(schema))] };
    let fields = properties.iter().map(|field| {
        let automatic = if field.auto_uuid { " uuid" } else { "" };
        format!("{}: {}{automatic}", field.name, type_of(&field.schema, field.required))
    });
    fields.collect()
}

/// The types that a request is built from.
pub(super) fn sent(operation: &Operation) -> Vec<&Schema> {
    let parameters = operation.parameters.iter().map(|parameter| &parameter.schema);
    let body = match &operation.body {
        Body::Other(schema) => Some(schema),
        Body::None | Body::Object | Body::Binary => None,
    };
    parameters.chain(body).collect()
}

/// The type of what a success carries.
pub(super) fn received(operation: &Operation) -> Vec<&Schema> {
    match &operation.response {
        Response::Json(schema) => vec![schema],
        Response::Empty | Response::Text(_) | Response::Binary(_) => Vec::new(),
    }
}

/// What schemas lead to. Each named schema is read once.
pub(super) struct Closures<'a> {
    api: &'a Api,
    /// The named schemas in a schema, by its name.
    names: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Closures<'a> {
    pub(super) fn new(api: &'a Api) -> Self {
        let names = api.schemas.iter().map(|(name, schema)| {
            let mut found = BTreeSet::new();
            references(schema, &mut found);
            (name.as_str(), found)
        });
        Self { api, names: names.collect() }
    }

    /// The names of every schema that these lead to.
    pub(super) fn of(&self, schemas: &[&'a Schema]) -> BTreeSet<&'a str> {
        let mut open = BTreeSet::new();
        schemas.iter().for_each(|schema| references(schema, &mut open));
        let mut closure = BTreeSet::new();
        while let Some(name) = open.pop_first() {
            if closure.insert(name) {
                open.extend(self.names.get(name).into_iter().flatten());
            }
        }
        closure
    }

    /// A hash over these lines and every schema that the types lead to.
    pub(super) fn hash(&self, head: &str, schemas: &[&'a Schema]) -> String {
        let mut text = head.to_owned();
        for name in self.of(schemas) {
            let lines = self.api.schemas.get(name).map(lines).unwrap_or_default();
            let _ = write!(text, "\n{name}\n{}", lines.join("\n"));
        }
        let mut hash = digest(&text);
        hash.truncate(SHORT);
        hash
    }
}

fn references<'a>(schema: &'a Schema, found: &mut BTreeSet<&'a str>) {
    match schema {
        Schema::Reference(name) => {
            found.insert(name);
        }
        Schema::Array(inner) | Schema::Map(inner) => references(inner, found),
        Schema::Object(properties) => properties.iter().for_each(|property| references(&property.schema, found)),
        _ => {}
    }
}

/// The SHA-256 of a text, in hexadecimal.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
