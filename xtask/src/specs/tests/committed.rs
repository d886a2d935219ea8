//! The committed documents.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::super::{directory, update};

/// Measured on 0.162.0 by an independent reader of the SDK; `specs/README.md` explains what differs from it.
#[test]
fn counts_of_0_162_0() {
    let source = update::read_source(&directory()).unwrap();
    assert_eq!(source.version, "0.162.0", "another release: measure it anew, or drop this test's numbers");
    let totals = &source.totals;
    assert_eq!(totals.operations, 1436);
    let methods = [("DELETE", 203), ("GET", 581), ("HEAD", 2), ("PATCH", 191), ("POST", 391), ("PUT", 68)];
    assert_eq!(totals.methods, methods.map(|(method, count)| (method.to_owned(), count)).into());
    assert_eq!((totals.workspace_level, totals.account_level), (1198, 238));
    // The independent reader counts the event loop of clusters apart: 179 and 1.
    let styles = [("none", 23), ("page", 2), ("scim", 12), ("token", 179 + 1)];
    assert_eq!(totals.pagination, styles.map(|(style, count)| (style.to_owned(), count)).into());
    assert_eq!((totals.waiters, totals.waiting_operations), (21, 37));
    assert_eq!(totals.long_running_operations, 41);
    assert_eq!((totals.collision_groups, totals.collisions), (90, 279));
    assert_eq!(totals.schemas + totals.unreachable_schemas, 2716);
    assert_eq!(totals.enums, 567);
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
