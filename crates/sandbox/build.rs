//! Writes the specs in the compact form that the sandbox embeds: `operations.jsonl` and `schemas.jsonl`, and in
//! `operations.tsv` what it takes to find an operation without reading all of them.

#[path = "src/contract/key.rs"]
mod key;
#[path = "src/contract/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use codegen::Api;
use codegen::api;
use serde_json::Value;
use table::{Body, Location, LongRunning, Operation, Pagination, Parameter, Property, Response, Schema, Target};

/// Shapes of resource names that the specs do not tell, where the template alone would match anything.
/// Derived: from the collections' paths, and from the form of operations' names at other services.
const SHAPES: &[(&str, &str)] = &[
    ("environments.environments.get_operation", "/api/environments/v1/operations/{}"),
    (
        "networking.private_network_gateways.get_private_network_gateway_operation",
        "/api/networking/v1/{*}/operations/{}",
    ),
    ("sandbox.sandbox.delete_sandbox", "/api/2.0/sandboxes/{}"),
    ("sandbox.sandbox.get_sandbox", "/api/2.0/sandboxes/{}"),
];

fn main() -> Result<()> {
    let specs = Path::new("../../specs");
    println!("cargo::rerun-if-changed={}", specs.display());
    println!("cargo::rerun-if-changed=src/contract/table.rs");
    println!("cargo::rerun-if-changed=src/contract/key.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let api = Api::load(specs)?;
    let extensions = Extensions::read(&api);
    let names: BTreeMap<&str, usize> =
        api.schemas.keys().enumerate().map(|(line, name)| (name.as_str(), line)).collect();
    let operations = api.operations.values().map(|source| operation(source, &names, &extensions));
    let operations: Vec<_> = operations.collect::<Result<_>>()?;
    let schemas: Vec<_> = api.schemas.values().map(|source| schema(source, &names)).collect::<Result<_>>()?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    let index: Vec<_> = operations.iter().map(found_by).collect();
    std::fs::write(out.join("operations.tsv"), index.join("\n")).context("cannot write `operations.tsv`")?;
    write(&out.join("operations.jsonl"), &operations)?;
    write(&out.join("schemas.jsonl"), &schemas)
}

fn write(path: &Path, lines: &[impl serde::Serialize]) -> Result<()> {
    let lines: Vec<_> = lines.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    std::fs::write(path, lines.join("\n")).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Id, key, shape, and the template with multi-segment parameters marked as such.
fn found_by(operation: &Operation) -> String {
    let multi = operation.parameters.iter().filter(|parameter| parameter.multi_segment);
    let template = multi.fold(operation.path.clone(), |path, parameter| {
        path.replace(&format!("{{{}}}", parameter.name), &format!("{{*{}}}", parameter.name))
    });
    [&operation.id, &key::key(&operation.method, &operation.shape), &operation.shape, &template]
        .map(String::as_str)
        .join("\t")
}

/// What the documents say of an operation and `codegen` has no use for.
#[derive(Default)]
struct Extensions {
    /// Patterns of resource names, by operation and parameter.
    patterns: BTreeMap<(String, String), String>,
    targets: BTreeMap<String, Target>,
    long_running: BTreeMap<String, Option<String>>,
}

impl Extensions {
    fn read(api: &Api) -> Self {
        let mut read = Self::default();
        for (package, document) in &api.documents {
            for (_, _, operation) in document.operations() {
                let id = operation.operation_id.clone().unwrap_or_default();
                for parameter in operation.parameters.iter().filter_map(|parameter| parameter.as_item()) {
                    let data = parameter.parameter_data_ref();
                    if let Some(Value::String(pattern)) = data.extensions.get("x-databricks-resource-name") {
                        read.patterns.insert((id.clone(), data.name.clone()), pattern.clone());
                    }
                }
                if let Some(wait) = operation.extensions.get("x-databricks-wait") {
                    read.target(&id, wait);
                }
                if let Some(long_running) = operation.extensions.get("x-databricks-lro") {
                    let response = long_running.get("response").and_then(Value::as_str);
                    let qualify =
                        |name: &str| if name.contains('.') { name.to_owned() } else { format!("{package}.{name}") };
                    read.long_running.insert(id, response.map(qualify));
                }
            }
        }
        read
    }

    /// Several operations may wait for one; a state that is reached by starting something is preferred.
    fn target(&mut self, id: &str, wait: &Value) {
        let texts = |key: &str| -> Vec<String> {
            wait.get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let polled = wait.get("operation").and_then(Value::as_str).unwrap_or_default();
        let (path, Some(value)) = (texts("state"), texts("success").into_iter().next()) else { return };
        let ends = ["cancel", "delete", "stop"]
            .iter()
            .any(|verb| id.rsplit('.').next().is_some_and(|name| name.starts_with(verb)));
        if !ends || !self.targets.contains_key(polled) {
            self.targets.insert(polled.to_owned(), Target { path, value });
        }
    }
}

fn operation(source: &api::Operation, names: &BTreeMap<&str, usize>, extensions: &Extensions) -> Result<Operation> {
    let parameters = source.parameters.iter().map(|parameter| {
        Ok(Parameter {
            name: parameter.name.clone(),
            location: match parameter.location {
                api::Location::Path => Location::Path,
                api::Location::Query => Location::Query,
                api::Location::Body => Location::Body,
            },
            required: parameter.required,
            multi_segment: parameter.multi_segment,
            flatten: parameter.flatten,
            schema: schema(&parameter.schema, names)?,
        })
    });
    let long_running = extensions.long_running.get(&source.id).map(|response| {
        let response = response.clone().map(|name| schema(&api::Schema::Reference(name), names)).transpose()?;
        Ok::<_, anyhow::Error>(LongRunning { response })
    });
    Ok(Operation {
        id: source.id.clone(),
        method: source.method.clone(),
        path: source.path.clone(),
        shape: shape(source, extensions),
        parameters: parameters.collect::<Result<_>>()?,
        body: match &source.body {
            api::Body::None => Body::None,
            api::Body::Object => Body::Object,
            api::Body::Other(other) => Body::Other(schema(other, names)?),
            api::Body::Binary => Body::Binary,
        },
        response: match &source.response {
            api::Response::Empty => Response::Empty,
            api::Response::Json(json) => Response::Json(schema(json, names)?),
            api::Response::Text(media_type) | api::Response::Binary(media_type) => Response::Bytes(media_type.clone()),
        },
        pagination: source.pagination.as_ref().map(|pagination| Pagination {
            items: pagination.items.clone(),
            request: pagination.request.clone(),
            response: pagination.response.clone(),
            start: pagination.start,
        }),
        target: extensions.targets.get(&source.id).cloned(),
        long_running: long_running.transpose()?,
    })
}

fn shape(source: &api::Operation, extensions: &Extensions) -> String {
    if let Some((_, shape)) = SHAPES.iter().find(|(id, _)| *id == source.id) {
        return (*shape).to_owned();
    }
    let mut shape = source.path.clone();
    for parameter in source.parameters.iter().filter(|parameter| parameter.location == api::Location::Path) {
        let pattern = extensions.patterns.get(&(source.id.clone(), parameter.name.clone()));
        let value = match pattern {
            Some(pattern) => erase(pattern),
            None if parameter.multi_segment => "{*}".to_owned(),
            None => "{}".to_owned(),
        };
        shape = shape.replace(&format!("{{{}}}", parameter.name), &value);
    }
    shape
}

/// The pattern without the names of its variables.
fn erase(pattern: &str) -> String {
    let mut parts = pattern.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shape, part| shape + "{}" + part.split_once('}').map_or("", |(_, after)| after))
}

fn schema(source: &api::Schema, names: &BTreeMap<&str, usize>) -> Result<Schema> {
    Ok(match source {
        api::Schema::Any => Schema::Any,
        api::Schema::Boolean => Schema::Boolean,
        api::Schema::Integer { wide: true } => Schema::Wide,
        api::Schema::Integer { wide: false } => Schema::Integer,
        api::Schema::Number => Schema::Number,
        api::Schema::String(None) => Schema::Text,
        api::Schema::String(Some(format)) => Schema::Formatted(format.clone()),
        api::Schema::Enum(values) => Schema::Enum(values.clone()),
        api::Schema::Array(items) => Schema::Array(Box::new(schema(items, names)?)),
        api::Schema::Map(values) => Schema::Map(Box::new(schema(values, names)?)),
        api::Schema::Object(properties) => Schema::Object(
            properties
                .iter()
                .map(|property| {
                    Ok(Property(property.name.clone(), property.required.into(), schema(&property.schema, names)?))
                })
                .collect::<Result<_>>()?,
        ),
        api::Schema::Reference(name) => {
            Schema::Reference(*names.get(name.as_str()).with_context(|| format!("schema `{name}` is missing"))?)
        }
    })
}
