//! Input schemas for models: small, bounded, inlined, in the dialect that every client understands.
//!
//! The dialect is what [`crate::lint`] allows: one `type` per schema, no references, no unions. Objects
//! are spelled out to a bounded depth; what is cut names its fields, and the full schema is one call away.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::allowlist::{Encoding, Input, OperationTool, Source};
use crate::api::{Api, Operation, Parameter, Property, Schema};
use crate::lint::{fits, is_key};

/// The tool that shows what a bounded schema leaves out.
pub const FULL_SCHEMA_TOOL: &str = "get_input_schema";

/// Enums with more values than this are given as text.
const MOST_ENUM_VALUES: usize = 50;

/// Fields that a cut object names.
const MOST_FIELD_NAMES: usize = 12;

/// The input schema of a plain tool, and the same without bounds if it was bounded.
pub fn input(api: &Api, source: &Operation, tool: &OperationTool) -> (Value, Option<Value>) {
    let callers = tool.arguments.iter().filter_map(|argument| match &argument.source {
        Source::Caller(input) => Some(input.depth),
        Source::Fixed(_) | Source::Uuid => None,
    });
    let mut depth = callers.max().unwrap_or_default();
    let mut schemas = input_to(api, source, tool, depth);
    while depth > 0 && !fits(&schemas.0) {
        depth -= 1;
        schemas = input_to(api, source, tool, depth);
    }
    schemas
}

/// As [`input`], with no argument spelled out deeper than `depth`.
fn input_to(api: &Api, source: &Operation, tool: &OperationTool, depth: usize) -> (Value, Option<Value>) {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut full = Full::new(api);
    let mut full_properties = Map::new();
    for argument in &tool.arguments {
        let Source::Caller(input) = &argument.source else { continue };
        let is_sent =
            |parameter: &&Parameter| parameter.name == argument.wire && parameter.location == argument.location;
        let Some(parameter) = source.parameters.iter().find(is_sent) else { continue };
        let mut emitter = Emitter { api, cut: false };
        properties.insert(input.name.clone(), emitter.argument(&parameter.schema, input, input.depth.min(depth)));
        if emitter.cut {
            full_properties.insert(input.name.clone(), full.schema(&parameter.schema));
        }
        if input.required {
            required.push(input.name.as_str());
        }
    }
    for (name, filter) in &tool.filters {
        properties.insert(name.clone(), json!({ "type": "boolean", "description": filter.description.trim() }));
    }
    if tool.result.items.is_some() {
        let description = "`next_page_token` of the last answer.";
        properties.insert("page_token".into(), json!({ "type": "string", "description": description }));
    }
    if !tool.result.keep.is_empty() {
        let description = "Other fields: dotted paths, or `*`.";
        let items = json!({ "type": "string" });
        properties.insert("fields".into(), json!({ "type": "array", "items": items, "description": description }));
    }
    let full = (!full_properties.is_empty()).then(|| full.finish(full_properties));
    (object(properties, required), full)
}

/// The schema of an object; `required` is there where something is.
fn object(properties: Map<String, Value>, required: Vec<&str>) -> Value {
    let mut object = Map::from_iter([("type".into(), "object".into()), ("properties".into(), properties.into())]);
    if !required.is_empty() {
        object.insert("required".into(), required.into());
    }
    object.into()
}

/// Whether a number of that name is an identifier. Those are given as text, because identifiers may exceed
/// 2^53, above which JavaScript clients lose digits of numbers; numbers are accepted all the same.
fn is_identifier(name: &str) -> bool {
    name == "id" || name.ends_with("_id") || name.ends_with("_ids")
}

struct Emitter<'a> {
    api: &'a Api,
    cut: bool,
}

impl Emitter<'_> {
    fn argument(&mut self, schema: &Schema, input: &Input, depth: usize) -> Value {
        let description = input.description.trim();
        let mut emitted = if input.free_form {
            self.cut = true;
            self.free_form(schema)
        } else {
            self.schema(schema, &input.name, depth, &mut Vec::new())
        };
        if let Some(values) = &input.values {
            emitted = json!({ "type": "string", "enum": values });
        }
        if input.encoding == Encoding::Time {
            emitted = json!({ "type": "string", "format": "date-time" });
        }
        if let Some(object) = emitted.as_object_mut() {
            let bounds = [("minimum", input.minimum), ("maximum", input.maximum)];
            for (name, bound) in bounds {
                bound.map(|bound| object.insert(name.into(), bound.into()));
            }
            input.default.clone().map(|default| object.insert("default".into(), default));
            // The fields of an operation without a tool have their names only.
            if !description.is_empty() {
                object.insert("description".into(), description.into());
            }
        }
        emitted
    }

    fn free_form(&self, schema: &Schema) -> Value {
        match self.api.resolve(schema) {
            Schema::Array(items) => json!({ "type": "array", "items": self.free_form(items) }),
            Schema::String(_) | Schema::Enum(_) => json!({ "type": "string" }),
            _ => json!({ "type": "object" }),
        }
    }

    /// `path` holds the named schemas above this one, so that a cycle is cut where it closes.
    fn schema(&mut self, schema: &Schema, name: &str, depth: usize, path: &mut Vec<String>) -> Value {
        match schema {
            Schema::Any => json!({ "type": "object", "description": "Any JSON value." }),
            Schema::Boolean => json!({ "type": "boolean" }),
            // Answers give numbers, as the API does, and some clients check what a model copies from them.
            Schema::Integer { wide: true } if is_identifier(name) => {
                json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] })
            }
            Schema::Integer { .. } => json!({ "type": "integer" }),
            Schema::Number => json!({ "type": "number" }),
            Schema::String(Some(format)) if format == "date-time" => json!({ "type": "string", "format": "date-time" }),
            Schema::String(Some(format)) if format == "duration" => {
                json!({ "type": "string", "description": "Seconds, such as `3600s`." })
            }
            Schema::String(_) => json!({ "type": "string" }),
            Schema::Enum(values) if values.len() <= MOST_ENUM_VALUES => json!({ "type": "string", "enum": values }),
            Schema::Enum(_) => json!({ "type": "string" }),
            Schema::Array(items) => json!({ "type": "array", "items": self.schema(items, name, depth, path) }),
            Schema::Map(values) => {
                let values = self.schema(values, name, depth, path);
                json!({ "type": "object", "additionalProperties": values })
            }
            Schema::Object(properties) => self.object(properties, depth, path),
            Schema::Reference(reference) => {
                let Some(target) = self.api.schemas.get(reference) else { return json!({ "type": "object" }) };
                if path.contains(reference) {
                    let Schema::Object(properties) = target else { return self.cut(&[]) };
                    return self.cut(properties);
                }
                path.push(reference.clone());
                let emitted = self.schema(target, name, depth, path);
                path.pop();
                emitted
            }
        }
    }

    fn object(&mut self, properties: &[Property], depth: usize, path: &mut Vec<String>) -> Value {
        if depth == 0 && !properties.is_empty() {
            return self.cut(properties);
        }
        let mut emitted = Map::new();
        let mut required = Vec::new();
        for property in properties {
            // SCIM has properties named `$ref`, which no client may be shown.
            if !is_key(&property.name) {
                self.cut = true;
                continue;
            }
            if property.required {
                required.push(property.name.as_str());
            }
            emitted.insert(property.name.clone(), self.schema(&property.schema, &property.name, depth - 1, path));
        }
        object(emitted, required)
    }

    fn cut(&mut self, properties: &[Property]) -> Value {
        self.cut = true;
        if properties.is_empty() {
            return json!({ "type": "object" });
        }
        let mut names: Vec<_> = properties.iter().take(MOST_FIELD_NAMES).map(|field| field.name.as_str()).collect();
        if properties.len() > MOST_FIELD_NAMES {
            names.push("…");
        }
        json!({ "type": "object", "description": format!("Fields: {}.", names.join(", ")) })
    }
}

/// Schemas in full: each named schema once, under `$defs`, for reading rather than for clients.
struct Full<'a> {
    api: &'a Api,
    definitions: IndexMap<String, Value>,
}

impl<'a> Full<'a> {
    fn new(api: &'a Api) -> Self {
        Self { api, definitions: IndexMap::new() }
    }

    fn finish(mut self, properties: Map<String, Value>) -> Value {
        self.definitions.sort_keys();
        json!({ "type": "object", "properties": properties, "$defs": self.definitions })
    }

    fn schema(&mut self, schema: &Schema) -> Value {
        match schema {
            Schema::Any => json!({}),
            Schema::Array(items) => json!({ "type": "array", "items": self.schema(items) }),
            Schema::Map(values) => json!({ "type": "object", "additionalProperties": self.schema(values) }),
            Schema::Enum(values) => json!({ "type": "string", "enum": values }),
            Schema::Object(properties) => {
                let fields = properties.iter().map(|field| (field.name.clone(), self.schema(&field.schema)));
                let required = properties.iter().filter(|field| field.required).map(|field| field.name.as_str());
                object(fields.collect(), required.collect())
            }
            Schema::Reference(reference) => {
                if !self.definitions.contains_key(reference) {
                    self.definitions.insert(reference.clone(), Value::Null);
                    let target = self.api.schemas.get(reference).map_or(json!({}), |target| self.schema(target));
                    self.definitions.insert(reference.clone(), target);
                }
                json!({ "$ref": format!("#/$defs/{reference}") })
            }
            scalar => Emitter { api: self.api, cut: false }.schema(scalar, "", 0, &mut Vec::new()),
        }
    }
}
