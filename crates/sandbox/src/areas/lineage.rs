//! Lineage: which table is made of which, column by column, and by which jobs, notebooks, dashboards and pipelines.
//!
//! Derived: these routes are in no spec, and the form of their answers is that of the public guide to them. A table with
//! the property `sandbox.hidden` is one that may not be seen.

pub(crate) mod edges;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::Catalog;
use crate::workspace::{Workspace, lock};
use edges::{Edge, Entity, edges, is_hidden, type_of};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/lineage-tracking/table-lineage", tables),
    route("GET", "/api/2.0/lineage-tracking/column-lineage", columns),
];

fn table_info(catalog: &Catalog, full_name: &str) -> Value {
    let mut parts = full_name.split('.');
    let (c, s, name) = (parts.next(), parts.next(), parts.next());
    let kind = type_of(catalog, full_name);
    let is_hidden = is_hidden(catalog, full_name);
    json!({"name": name, "catalog_name": c, "schema_name": s, "table_type": kind, "has_permission": !is_hidden})
}

/// The neighbours of a table on one side, each with what is between.
fn side<'a>(workspace: &Workspace, neighbours: impl Iterator<Item = (Option<&'a String>, &'a [Entity])>) -> Vec<Value> {
    let mut by_name: BTreeMap<Option<&String>, Map<String, Value>> = BTreeMap::new();
    for (neighbour, entities) in neighbours {
        let lists = by_name.entry(neighbour).or_default();
        for entity in entities {
            let (list, id_name) = entity.place();
            let mut info = json!({"workspace_id": workspace.id()});
            info.set(id_name, entity.id(workspace));
            if let Some(list) = lists.entry(list).or_insert_with(|| json!([])).as_array_mut() {
                list.push(info);
            }
        }
    }
    let catalog = lock(&workspace.catalog);
    let told = by_name.into_iter().filter_map(|(neighbour, lists)| {
        let mut json = Value::Object(lists);
        if let Some(neighbour) = neighbour {
            json.set("tableInfo", table_info(&catalog, neighbour));
        }
        json.as_object().is_some_and(|json| !json.is_empty()).then_some(json)
    });
    told.collect()
}

fn tables(workspace: &Workspace, request: &Request) -> Outcome {
    let asked = request.required_query("table_name")?.to_lowercase();
    let with_entities = request.query_flag("include_entity_lineage")?;
    let edges = edges(&lock(&workspace.catalog));
    let between = |edge: &Edge| if with_entities { edge.entities } else { &[] };
    let up = edges.iter().filter(|edge| edge.target.as_ref() == Some(&asked));
    let up = side(workspace, up.map(|edge| (Some(&edge.source), between(edge))));
    let down = edges.iter().filter(|edge| edge.source == asked);
    let down = side(workspace, down.map(|edge| (edge.target.as_ref(), between(edge))));
    Ok(told([("upstreams", up), ("downstreams", down)]))
}

fn columns(workspace: &Workspace, request: &Request) -> Outcome {
    let asked = request.required_query("table_name")?.to_lowercase();
    let column = request.required_query("column_name")?.to_lowercase();
    let catalog = lock(&workspace.catalog);
    let info = |table: &str, column: &str| {
        let mut json = table_info(&catalog, table);
        let name = json.at("name").clone();
        json.set("table_name", name);
        json.set("name", column);
        json
    };
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for edge in edges(&catalog) {
        let Some(target) = edge.target.as_ref().filter(|target| **target == asked || edge.source == asked) else {
            continue;
        };
        for (from, to) in edge.columns(&catalog) {
            if *target == asked && to == column {
                up.push(info(&edge.source, &from));
            }
            if edge.source == asked && from == column {
                down.push(info(target, &to));
            }
        }
    }
    Ok(told([("upstream_cols", up), ("downstream_cols", down)]))
}

/// An answer that leaves out the side on which there is nothing.
fn told(sides: [(&str, Vec<Value>); 2]) -> Reply {
    let mut reply = json!({});
    for (name, neighbours) in sides {
        if !neighbours.is_empty() {
            reply.set(name, neighbours);
        }
    }
    Reply::json(reply)
}
