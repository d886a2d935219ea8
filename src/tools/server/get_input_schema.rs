//! `get_input_schema`: what the bounded input schemas of tools leave out.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::error::Error;
use crate::nearest::{did_you_mean, shortened};
use crate::operation;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// Levels of objects shown at once.
const DEPTH: usize = 2;
/// What is said where there is more.
const NOTE: &str =
    "an object with `fields` instead of `properties` is cut: see all of it by its `path`, names joined by dots";

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Name of the tool, e.g. `create_job`.
    tool: String,
    /// Dotted path of the argument or of a part of it, e.g. `tasks.notebook_task`; unset = all arguments.
    path: Option<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let Some(full) = context.directory.full_schema(&input.tool)?.map(operation::json) else {
        return Err(Error::failed(format!("the input schema of `{}` is complete as it is listed", input.tool))
            .with_hint("call the tool with the arguments that its schema in the tool list names"));
    };
    let names = input.path.as_deref().unwrap_or_default().split('.').filter(|name| !name.is_empty());
    let mut schema = &full;
    for name in names {
        schema = field(&full, schema, name)?;
    }
    let mut is_cut = false;
    let schema = shown(&full, schema, DEPTH, &mut is_cut);
    let mut answer = json!({ "tool": input.tool, "path": input.path, "schema": schema });
    if is_cut {
        shape::put(&mut answer, "note", NOTE);
    }
    Ok(answer)
}

/// The schema behind references and lists.
fn object<'a>(full: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/$defs/")) {
        return full
            .get("$defs")
            .and_then(|definitions| definitions.get(name))
            .map_or(schema, |target| object(full, target));
    }
    match schema.get("items").or_else(|| schema.get("additionalProperties")) {
        Some(inner) => object(full, inner),
        None => schema,
    }
}

fn field<'a>(full: &'a Value, schema: &'a Value, name: &str) -> Result<&'a Value, Error> {
    let fields = object(full, schema).get("properties").and_then(Value::as_object);
    fields.and_then(|fields| fields.get(name)).ok_or_else(|| {
        let known: Vec<_> = fields.into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
        let name = shortened(name);
        let hint = did_you_mean(name, known.iter().copied());
        Error::failed(format!("there is no field `{name}` in this path{hint}; fields here: {}", known.join(", ")))
    })
}

/// The schema with references resolved, down to a depth; below it, objects name their fields.
fn shown(full: &Value, schema: &Value, depth: usize, is_cut: &mut bool) -> Value {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/$defs/")) {
        let target = full.get("$defs").and_then(|definitions| definitions.get(name));
        return target.map_or_else(|| json!({}), |target| shown(full, target, depth, is_cut));
    }
    let Some(fields) = schema.as_object() else { return schema.clone() };
    let mut shown_fields = Map::new();
    for (key, value) in fields {
        let value = match (key.as_str(), value) {
            ("$defs", _) => continue,
            ("items" | "additionalProperties", inner) => shown(full, inner, depth, is_cut),
            ("properties", Value::Object(properties)) if depth == 0 => {
                *is_cut = true;
                let names: Vec<_> = properties.keys().map(String::as_str).collect();
                shown_fields.insert("fields".into(), names.join(", ").into());
                continue;
            }
            ("properties", Value::Object(properties)) => {
                let inner = |(name, field): (&String, _)| (name.clone(), shown(full, field, depth - 1, is_cut));
                let properties = properties.iter().map(inner);
                Value::Object(properties.collect())
            }
            (_, value) => value.clone(),
        };
        shown_fields.insert(key.clone(), value);
    }
    Value::Object(shown_fields)
}
