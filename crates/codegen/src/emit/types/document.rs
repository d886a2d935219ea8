//! One OpenAPI document of the typed operations and the schemas they refer to, with loosened responses.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use openapiv3::OpenAPI;
use serde_json::{Map, Value, json};

use crate::api::Api;

const REFERENCE: &str = "#/components/schemas/";

/// The document for progenitor.
pub(super) fn pruned(api: &Api, ids: &[&str]) -> Result<OpenAPI> {
    let documents: BTreeMap<&str, Value> = api
        .documents
        .iter()
        .map(|(package, document)| Ok((package.as_str(), serde_json::to_value(document)?)))
        .collect::<Result<_>>()?;
    let mut paths = Map::new();
    let mut reached = BTreeSet::new();
    let mut answered = BTreeSet::new();
    for id in ids {
        let package = id.split('.').next().unwrap_or_default();
        let document = documents.get(package).with_context(|| format!("no document of `{package}`"))?;
        let (path, method, mut operation) = find(document, id).with_context(|| format!("no operation `{id}`"))?;
        collect(&documents, package, &operation, &mut reached);
        collect(&documents, package, operation.get("responses").unwrap_or(&Value::Null), &mut answered);
        qualify(package, &mut operation);
        answers(&mut operation).for_each(loosen);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method, operation);
        }
    }
    let names = names(&reached);
    let mut schemas = Map::new();
    for (package, name) in &reached {
        let pointer = format!("/components/schemas/{name}");
        let document = documents.get(package.as_str()).with_context(|| format!("no document of `{package}`"))?;
        let mut schema = document.pointer(&pointer).with_context(|| format!("no schema `{package}.{name}`"))?.clone();
        qualify(package, &mut schema);
        if answered.contains(&(package.clone(), name.clone())) {
            loosen(&mut schema);
        }
        schemas.insert(names.get(&(package.clone(), name.clone())).cloned().unwrap_or_default(), schema);
    }
    let mut document = json!({
        "openapi": "3.0.3",
        "info": { "title": "Databricks", "version": "0" },
        "paths": paths,
        "components": { "schemas": schemas },
    });
    rename(&mut document, &names);
    plain_strings(&mut document);
    serde_json::from_value(document).context("the pruned document is no OpenAPI document")
}

type Qualified = (String, String);

fn find(document: &Value, id: &str) -> Option<(String, String, Value)> {
    let paths = document.get("paths")?.as_object()?;
    paths.iter().find_map(|(path, item)| {
        let (method, operation) = item.as_object()?.iter().find(|(_, operation)| operation["operationId"] == id)?;
        Some((path.clone(), method.clone(), operation.clone()))
    })
}

/// The schemas that stand in an operation's responses.
fn answers(operation: &mut Value) -> impl Iterator<Item = &mut Value> {
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten();
    let contents = responses.filter_map(|(_, response)| response.get_mut("content")?.as_object_mut()).flatten();
    contents.filter_map(|(_, media)| media.get_mut("schema"))
}

/// All schemas that a value refers to, through any number of references.
fn collect(documents: &BTreeMap<&str, Value>, package: &str, value: &Value, reached: &mut BTreeSet<Qualified>) {
    match value {
        Value::Object(fields) => {
            if let Some((package, name)) =
                fields.get("$ref").and_then(Value::as_str).and_then(|text| target(package, text))
                && reached.insert((package.clone(), name.clone()))
            {
                let schema = documents.get(package.as_str());
                let schema = schema.and_then(|document| document.pointer(&format!("/components/schemas/{name}")));
                collect(documents, &package, schema.unwrap_or(&Value::Null), reached);
            }
            fields.values().for_each(|field| collect(documents, package, field, reached));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(documents, package, item, reached)),
        _ => {}
    }
}

fn target(package: &str, reference: &str) -> Option<Qualified> {
    let (document, name) = reference.split_once(REFERENCE)?;
    let package = if document.is_empty() { package } else { document.trim_end_matches(".json") };
    Some((package.to_owned(), name.to_owned()))
}

/// The class name where one package has it, else package and class name.
fn names(reached: &BTreeSet<Qualified>) -> BTreeMap<Qualified, String> {
    let unique = |name: &str| reached.iter().filter(|(_, other)| other == name).count() == 1;
    reached
        .iter()
        .map(|(package, name)| {
            let key = if unique(name) { name.clone() } else { format!("{package}_{name}") };
            ((package.clone(), name.clone()), key)
        })
        .collect()
}

/// Makes references name their package: `compute.json#/components/schemas/Library`.
fn qualify(package: &str, value: &mut Value) {
    each_reference(value, &mut |reference| {
        let (package, name) = target(package, reference)?;
        Some(format!("{package}.json{REFERENCE}{name}"))
    });
}

fn rename(value: &mut Value, names: &BTreeMap<Qualified, String>) {
    each_reference(value, &mut |reference| Some(format!("{REFERENCE}{}", names.get(&target("", reference)?)?)));
}

fn each_reference(value: &mut Value, change: &mut impl FnMut(&str) -> Option<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(changed) = fields.get("$ref").and_then(Value::as_str).and_then(&mut *change) {
                fields.insert("$ref".into(), changed.into());
            }
            fields.values_mut().for_each(|field| each_reference(field, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, change)),
        _ => {}
    }
}

/// Every text is read as text: a timestamp in a new notation is no reason to fail.
fn plain_strings(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("type").is_some_and(|name| name == "string") {
                fields.remove("format");
            }
            fields.values_mut().for_each(plain_strings);
        }
        Value::Array(items) => items.iter_mut().for_each(plain_strings),
        _ => {}
    }
}

/// A schema of a response: nothing is required, every integer is wide, cells of nested lists may be null.
fn loosen(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    fields.remove("required");
    if fields.get("type").is_some_and(|name| name == "integer") {
        fields.insert("format".into(), "int64".into());
    }
    // A property may be named `type` or `required`: only keywords are touched, properties one by one.
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(loosen);
    }
    if let Some(cell) = fields.get_mut("items").and_then(|row| row.get_mut("items")).and_then(Value::as_object_mut) {
        cell.insert("nullable".into(), true.into());
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = fields.get_mut(key) {
            loosen(inner);
        }
    }
}
