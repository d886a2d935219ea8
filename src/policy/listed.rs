//! What lists show of objects that a policy denies: their names, and nothing else about them.
//!
//! A list is asked for by what holds its items, and an item can hold as much as the read of the object itself: the columns
//! of a table, the definition of a view, the settings of a job.

use serde_json::{Map, Value};

use super::pattern::{Kind, Object};
use crate::shape;

/// A list whose items are objects that rules can name.
#[derive(Debug)]
pub(crate) struct Listed {
    operation: &'static str,
    pub(crate) kind: Kind,
    items: &'static str,
    /// The field that has the name of the object.
    name: &'static str,
    /// The fields that stay.
    keep: &'static [&'static str],
}

const LISTED: [Listed; 9] = [
    Listed {
        operation: "catalog.catalogs.list",
        kind: Kind::Data,
        items: "catalogs",
        name: "name",
        keep: &["name", "full_name", "catalog_type"],
    },
    Listed {
        operation: "catalog.functions.list",
        kind: Kind::Data,
        items: "functions",
        name: "full_name",
        keep: &["name", "catalog_name", "schema_name", "full_name"],
    },
    Listed {
        operation: "catalog.schemas.list",
        kind: Kind::Data,
        items: "schemas",
        name: "full_name",
        keep: &["name", "catalog_name", "full_name"],
    },
    Listed {
        operation: "catalog.tables.list",
        kind: Kind::Data,
        items: "tables",
        name: "full_name",
        keep: &["name", "catalog_name", "schema_name", "full_name", "table_type"],
    },
    Listed {
        operation: "catalog.volumes.list",
        kind: Kind::Data,
        items: "volumes",
        name: "full_name",
        keep: &["name", "catalog_name", "schema_name", "full_name", "volume_type"],
    },
    Listed {
        operation: "compute.clusters.list",
        kind: Kind::Clusters,
        items: "clusters",
        name: "cluster_name",
        keep: &["cluster_id", "cluster_name", "state"],
    },
    Listed {
        operation: "jobs.jobs.list",
        kind: Kind::Jobs,
        items: "jobs",
        name: "settings.name",
        keep: &["job_id", "settings.name"],
    },
    Listed {
        operation: "sql.warehouses.list",
        kind: Kind::Warehouses,
        items: "warehouses",
        name: "name",
        keep: &["id", "name", "state"],
    },
    Listed {
        operation: "workspace.workspace.list",
        kind: Kind::Paths,
        items: "objects",
        name: "path",
        keep: &["path", "object_type", "object_id"],
    },
];

/// The list that an operation gives, if rules can name its items.
pub(crate) fn listed(operation: &str) -> Option<&'static Listed> {
    LISTED.iter().find(|listed| listed.operation == operation)
}

impl Listed {
    /// Leaves of each item that is denied, or whose name is none, what says that it is there.
    pub(crate) fn hide(&self, answer: &mut Value, is_denied: impl Fn(Option<Object>) -> bool) {
        let items = answer.get_mut(self.items).and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            let name = shape::at(item, self.name).and_then(Value::as_str).unwrap_or_default();
            if is_denied(Object::new(self.kind, name)) {
                let mut left = Map::new();
                for path in self.keep {
                    if let Some(value) = shape::at(item, path) {
                        put(&mut left, path, value.clone());
                    }
                }
                *item = Value::Object(left);
            }
        }
    }
}

/// Puts a value where a path of at most two names says.
fn put(fields: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            fields.insert(path.to_owned(), value);
        }
        Some((above, name)) => {
            let above = fields.entry(above).or_insert_with(|| Value::Object(Map::new()));
            if let Some(above) = above.as_object_mut() {
                above.insert(name.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_list_and_every_field_is_one_of_the_api() {
        let operations = databricks::operations::ALL;
        for listed in &LISTED {
            assert!(operations.iter().any(|operation| operation.id == listed.operation), "{}", listed.operation);
            assert!(listed.keep.contains(&listed.name), "{}", listed.operation);
        }
    }

    #[test]
    fn an_item_that_is_denied_keeps_its_names() {
        let mut jobs = json!({ "jobs": [
            { "job_id": 1, "settings": { "name": "open", "tasks": [{}] } },
            { "job_id": 2, "settings": { "name": "secret", "tasks": [{}] }, "creator_user_name": "me" },
            { "job_id": 3, "settings": {} },
        ] });
        let is_denied = |object: Option<Object>| object.is_none_or(|object| object.name == "secret");
        listed("jobs.jobs.list").expect("a list").hide(&mut jobs, is_denied);
        let expected = json!({ "jobs": [
            { "job_id": 1, "settings": { "name": "open", "tasks": [{}] } },
            { "job_id": 2, "settings": { "name": "secret" } },
            { "job_id": 3 },
        ] });
        assert_eq!(jobs, expected);
    }
}
