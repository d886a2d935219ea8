//! The committed documents.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::super::source::Counts;
use super::super::{directory, update};

/// `tests/sdk/counts.py` compares the same file with the source of the SDK.
#[test]
fn what_is_counted_is_what_is_in_the_documents() {
    let source = update::read_source(&directory()).unwrap();
    let mut sum = Counts::default();
    for (package, counted) in &source.packages {
        let text = fs::read(directory().join(format!("{package}.json"))).unwrap();
        let found = counts(&serde_json::from_slice(&text).unwrap());
        // Neither is in a document.
        let expected = Counts { unreachable_schemas: 0, waiters: 0, ..counted.clone() };
        assert_eq!(found, expected, "{package}");
        sum.operations += found.operations;
        sum.schemas += found.schemas;
    }
    assert_eq!((sum.operations, sum.schemas), (source.totals.operations, source.totals.schemas));
}

/// Counts again, in what was written instead of in what was read.
fn counts(document: &Value) -> Counts {
    let mut counts = Counts::default();
    let mut shared: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let template = path.split('#').next().unwrap().to_owned();
        for (verb, operation) in item.as_object().unwrap() {
            let is_set = |name: &str| usize::from(operation[name] == true);
            counts.operations += 1;
            *counts.methods.entry(verb.to_uppercase()).or_default() += 1;
            counts.workspace_level += is_set("x-databricks-workspace-routing");
            counts.account_level += 1 - is_set("x-databricks-workspace-routing");
            counts.account_paths += is_set("x-databricks-is-accounts");
            counts.deprecated += is_set("deprecated");
            if let Some(style) = operation["x-databricks-pagination"]["style"].as_str() {
                *counts.pagination.entry(style.to_owned()).or_default() += 1;
            }
            counts.waiting_operations += usize::from(operation["x-databricks-wait"].is_object());
            counts.long_running_operations += usize::from(operation["x-databricks-lro"].is_object());
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                counts.resource_names += usize::from(parameter["x-databricks-resource-name"].is_string());
                counts.multi_segment_parameters += usize::from(parameter["x-databricks-multi-segment"] == true);
            }
            counts.fragments += usize::from(path.contains('#'));
            *shared.entry((template.clone(), verb)).or_default() += 1;
        }
    }
    let shared: Vec<_> = shared.into_values().filter(|operations| *operations > 1).collect();
    (counts.collision_groups, counts.collisions) = (shared.len(), shared.iter().sum());
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    for (_, schema) in schemas {
        counts.schemas += 1;
        counts.enums += usize::from(schema["enum"].is_array());
    }
    counts
}

/// Every operation of every document, with its verb and path.
fn operations() -> BTreeMap<String, Value> {
    let mut operations = BTreeMap::new();
    for package in update::read_source(&directory()).unwrap().packages.keys() {
        let text = fs::read(directory().join(format!("{package}.json"))).unwrap();
        let document: Value = serde_json::from_slice(&text).unwrap();
        for (_, item) in document["paths"].as_object().unwrap() {
            for (_, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                assert!(operations.insert(id.clone(), operation.clone()).is_none(), "{id} twice");
            }
        }
    }
    operations
}

#[test]
fn what_operations_refer_to_exists() {
    let operations = operations();
    for (id, operation) in &operations {
        for extension in ["x-databricks-wait", "x-databricks-lro"] {
            if let Some(polled) = operation[extension]["operation"].as_str() {
                assert!(operations.contains_key(polled), "{id} polls {polled}");
            }
        }
    }
}

#[test]
fn no_prose() {
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).unwrap();
            let prose = text.lines().find(|line| {
                line.trim_start().starts_with("\"description\": \"") && !line.contains("\"description\": \"Success\"")
            });
            assert_eq!(prose, None, "{}", path.display());
        }
    }
}
