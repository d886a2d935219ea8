//! Vector search: endpoints, and indexes over tables or over what clients write; how they answer is in `search`.
//!
//! Derived: how long things take to come up, and the texts of refusals.

mod changes;
mod rank;
mod search;

use std::sync::Arc;

use serde_json::{Value, json};

use super::securable;
use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Pending, Route, route, waiting};
use crate::sql::{Cancel, Limits, Type};
use crate::store::Kind;
use crate::workspace::{USER, Workspace};

/// What an endpoint takes to come up, and an index to be filled.
const START: Lapse = Lapse::new(600, 300_000);
const PAGE: usize = 25;

pub(crate) const ENDPOINTS: Kind = Kind {
    name: "vector-search-endpoints",
    missing: |name| ApiError::does_not_exist(format!("Vector search endpoint {name} does not exist.")),
};

pub(crate) const INDEXES: Kind = Kind {
    name: "vector-search-indexes",
    missing: |name| ApiError::does_not_exist(format!("Vector search index {name} does not exist.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/vector-search/endpoints", endpoints),
    route("POST", "/api/2.0/vector-search/endpoints", create_endpoint),
    route("GET", "/api/2.0/vector-search/endpoints/{endpoint_name}", endpoint),
    route("DELETE", "/api/2.0/vector-search/endpoints/{endpoint_name}", delete_endpoint),
    route("PATCH", "/api/2.0/vector-search/endpoints/{endpoint_name}", changes::patch),
    route("PATCH", "/api/2.0/vector-search/endpoints/{endpoint_name}/tags", changes::tag),
    route("PATCH", "/api/2.0/vector-search/endpoints/{endpoint_name}/budget-policy", changes::set_budget_policy),
    route("POST", "/api/2.0/vector-search/endpoints/{endpoint_name}/start", changes::start),
    route("POST", "/api/2.0/vector-search/endpoints/{endpoint_name}/stop", changes::stop),
    route("GET", "/api/2.0/vector-search/indexes", indexes),
    waiting("POST", "/api/2.0/vector-search/indexes", create_index),
    route("GET", "/api/2.0/vector-search/indexes/{index_name}", index),
    route("DELETE", "/api/2.0/vector-search/indexes/{index_name}", delete_index),
    waiting("POST", "/api/2.0/vector-search/indexes/{index_name}/sync", sync),
    route("POST", "/api/2.0/vector-search/indexes/{index_name}/upsert-data", search::upsert),
    route("DELETE", "/api/2.0/vector-search/indexes/{index_name}/delete-data", search::delete),
    route("POST", "/api/2.0/vector-search/indexes/{index_name}/query", search::query),
    route("POST", "/api/2.0/vector-search/indexes/{index_name}/query-next-page", search::next_page),
    route("POST", "/api/2.0/vector-search/indexes/{index_name}/scan", search::scan),
];

/// Adds an endpoint, and an index over a table on it, that have been up for long.
pub(crate) fn seed(workspace: &Workspace, endpoint: &str, mut index: Value) -> Result<(), String> {
    let at = workspace.clock.epoch() - 15 * 86_400_000;
    ENDPOINTS.put(workspace, endpoint, endpoint_of(workspace, endpoint, "STANDARD", at, at));
    let rows = read(workspace, &index).map_err(|error| format!("{error:?}"))?;
    index.set("rows", rows);
    index.set("ready", at);
    index.set("creator", USER);
    let name = index.text_at("name").to_owned();
    INDEXES.put(workspace, &name, index);
    Ok(())
}

fn endpoint_of(workspace: &Workspace, name: &str, kind: &str, at: i64, ready: i64) -> Value {
    json!({"name": name, "id": workspace.ids.uuid(), "creator": USER, "last_updated_user": USER, "endpoint_type": kind,
        "creation_timestamp": at, "last_updated_timestamp": at, "ready": ready})
}

fn endpoint_json(workspace: &Workspace, mut endpoint: Value) -> Value {
    let online = endpoint.at("ready").as_i64().unwrap_or(0) <= workspace.clock.now();
    let count = INDEXES.all(workspace).iter().filter(|index| index.at("endpoint_name") == endpoint.at("name")).count();
    let state = match online {
        _ if *endpoint.at("stopped") == json!(true) => "STOPPED",
        true => "ONLINE",
        false => "PROVISIONING",
    };
    endpoint.set("endpoint_status", json!({"state": state}));
    endpoint.set("num_indexes", count);
    endpoint.without(&["ready", "stopped"])
}

fn endpoints(workspace: &Workspace, request: &Request) -> Outcome {
    let all = ENDPOINTS.all(workspace).into_iter().map(|endpoint| endpoint_json(workspace, endpoint)).collect();
    page::told("endpoints", all, PAGE, request.query("page_token"))
}

fn endpoint(workspace: &Workspace, request: &Request) -> Outcome {
    let endpoint = ENDPOINTS.get(workspace, request.parameter("endpoint_name"))?;
    Ok(Reply::json(endpoint_json(workspace, endpoint)))
}

fn create_endpoint(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = fields.required_text("name")?;
    let now = workspace.clock.now();
    let ready = now + workspace.clock.lapse(START);
    let endpoint = endpoint_of(workspace, name, fields.required_text("endpoint_type")?, now, ready);
    if !ENDPOINTS.add_unless(workspace, name, endpoint.clone(), |known, _| known == name) {
        let message = format!("Vector search endpoint {name} already exists.");
        return Err(ApiError::conflict("RESOURCE_ALREADY_EXISTS", message));
    }
    Ok(Reply::json(endpoint_json(workspace, endpoint)))
}

fn delete_endpoint(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("endpoint_name");
    if ENDPOINTS.has(workspace, name)
        && INDEXES.all(workspace).iter().any(|index| index.text_at("endpoint_name") == name)
    {
        return Err(ApiError::invalid_state(format!("Vector search endpoint {name} has indexes: delete them first.")));
    }
    ENDPOINTS.drop(workspace, name)
}

/// The fields of an index that a list has.
fn brief(index: &Value) -> Value {
    let names = ["name", "endpoint_name", "index_type", "primary_key", "creator"];
    names.into_iter().map(|name| (name.to_owned(), index.at(name).clone())).collect()
}

fn index_json(workspace: &Workspace, index: &Value) -> Value {
    let mut json = brief(index);
    for spec in ["delta_sync_index_spec", "direct_access_index_spec"] {
        if !index.at(spec).is_null() {
            json.set(spec, index.at(spec).clone());
        }
    }
    let is_ready = ready(workspace, index);
    let message = if is_ready { "Index is online." } else { "Index is being created: its rows are being embedded." };
    let rows = index.at("rows").as_array().map_or(0, Vec::len);
    let url = format!("{}/api/2.0/vector-search/indexes/{}", workspace.url(), index.text_at("name"));
    json.set("status", json!({"ready": is_ready, "message": message, "indexed_row_count": if is_ready { rows } else { 0 }, "index_url": url}));
    json
}

fn ready(workspace: &Workspace, index: &Value) -> bool {
    index.at("ready").as_i64().unwrap_or(0) <= workspace.clock.now()
}

fn indexes(workspace: &Workspace, request: &Request) -> Outcome {
    let endpoint = request.required_query("endpoint_name")?;
    ENDPOINTS.get(workspace, endpoint)?;
    let all = INDEXES.all(workspace);
    let found = all.iter().filter(|index| index.text_at("endpoint_name") == endpoint).map(brief).collect();
    page::told("vector_indexes", found, PAGE, request.query("page_token"))
}

fn index(workspace: &Workspace, request: &Request) -> Outcome {
    let index = INDEXES.get(workspace, request.parameter("index_name"))?;
    Ok(Reply::json(index_json(workspace, &index)))
}

fn create_index(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let mut index = Value::Object(request.fields()?.0);
        let name = index.text_at("name").to_owned();
        securable::name(&name)?;
        ENDPOINTS.get(&workspace, index.text_at("endpoint_name"))?;
        let (spec, other) = match index.text_at("index_type") {
            "DELTA_SYNC" => ("delta_sync_index_spec", "direct_access_index_spec"),
            _ => ("direct_access_index_spec", "delta_sync_index_spec"),
        };
        if index.at(spec).is_null() || !index.at(other).is_null() {
            return Err(ApiError::invalid_parameter(format!("An index of this type takes a {spec} and no {other}")));
        }
        let embedded = |name| index.at(spec).at(name).as_array().is_some_and(|columns| !columns.is_empty());
        if embedded("embedding_source_columns") == embedded("embedding_vector_columns") {
            let message = "Exactly one of embedding_source_columns and embedding_vector_columns is required";
            return Err(ApiError::invalid_parameter(message));
        }
        if spec == "direct_access_index_spec" {
            search::direct_columns(&index)?;
        }
        index.set("ready", workspace.clock.now() + workspace.clock.lapse(START));
        index.set("creator", USER);
        let index = filled(&workspace, index).await?;
        if !INDEXES.add_unless(&workspace, &name, index.clone(), |known, _| known == name) {
            let message = format!("Vector search index {name} already exists.");
            return Err(ApiError::conflict("RESOURCE_ALREADY_EXISTS", message));
        }
        Ok(Reply::json(index_json(&workspace, &index)))
    })
}

/// The index with the rows that its table has now.
async fn filled(workspace: &Arc<Workspace>, index: Value) -> Result<Value, ApiError> {
    if index.at("delta_sync_index_spec").is_null() {
        return Ok(index);
    }
    let worker = Arc::clone(workspace);
    let read = tokio::task::spawn_blocking(move || {
        let rows = read(&worker, &index)?;
        let mut index = index;
        index.set("rows", rows);
        Ok(index)
    });
    read.await.map_err(|_| ApiError::new(500, "INTERNAL_ERROR", "The source table could not be read"))?
}

/// The rows of the source table, by the engine itself.
fn read(workspace: &Workspace, index: &Value) -> Result<Vec<Value>, ApiError> {
    let spec = index.at("delta_sync_index_spec");
    let source = spec.text_at("source_table");
    let [c, s, t] = securable::name(source)?;
    let wanted: Vec<_> =
        spec.at("columns_to_sync").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let sql = format!("SELECT * FROM `{}`.`{}`.`{}`", c.replace('`', ""), s.replace('`', ""), t.replace('`', ""));
    let session = workspace.session();
    let table = workspace
        .engine
        .run(&workspace.catalog, &session, &sql, Limits::default(), &Cancel::default())
        .map_err(|error| ApiError::invalid_parameter(format!("The source table cannot be read: {}", error.message)))?;
    let key = index.text_at("primary_key");
    if !table.columns.iter().any(|column| column.name == key) {
        return Err(ApiError::invalid_parameter(format!("Primary key '{key}' is not a column of {source}")));
    }
    let keeps = |name: &str| wanted.is_empty() || wanted.contains(&name) || name == key;
    let rows = table.rows.iter().map(|row| {
        let cells = table.columns.iter().zip(row).filter(|(column, _)| keeps(&column.name));
        cells.map(|(column, cell)| (column.name.clone(), typed(&column.kind, cell.as_deref()))).collect()
    });
    Ok(rows.collect())
}

/// A cell as JSON of its type; the engine gives text.
fn typed(kind: &Type, cell: Option<&str>) -> Value {
    let Some(cell) = cell else { return Value::Null };
    let parsed = || serde_json::from_str(cell).unwrap_or_else(|_| json!(cell));
    match kind {
        Type::Boolean => json!(cell == "true"),
        kind if kind.is_number() || kind.is_nested() => parsed(),
        _ => json!(cell),
    }
}

fn delete_index(workspace: &Workspace, request: &Request) -> Outcome {
    INDEXES.drop(workspace, request.parameter("index_name"))
}

fn sync(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let name = request.parameter("index_name");
        let index = INDEXES.get(&workspace, name)?;
        if index.at("delta_sync_index_spec").is_null() {
            return Err(ApiError::invalid_parameter("Only indexes over a table can be synced"));
        }
        let index = filled(&workspace, index).await?;
        let rows = index.at("rows").clone();
        INDEXES.change(&workspace, name, |known| {
            known.set("rows", rows);
            Ok(Reply::nothing())
        })
    })
}
