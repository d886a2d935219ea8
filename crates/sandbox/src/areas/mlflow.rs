//! MLflow: experiments with their runs and traces, and the model registry of the workspace.
//!
//! Derived: the texts of refusals. Their codes are those that MLflow documents: what is there already is a 400 here.

pub(crate) mod experiments;
mod lifecycle;
mod logged;
pub(crate) mod registry;
mod reviews;
pub(crate) mod runs;
pub(crate) mod traces;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::router::{Route, route};

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/2.0/mlflow/experiments/create", experiments::create),
    route("GET", "/api/2.0/mlflow/experiments/get", experiments::get),
    route("GET", "/api/2.0/mlflow/experiments/get-by-name", experiments::get_by_name),
    route("GET", "/api/2.0/mlflow/experiments/list", experiments::list),
    route("POST", "/api/2.0/mlflow/experiments/search", experiments::search),
    route("POST", "/api/2.0/mlflow/experiments/update", experiments::update),
    route("POST", "/api/2.0/mlflow/experiments/delete", experiments::delete),
    route("POST", "/api/2.0/mlflow/experiments/restore", experiments::restore),
    route("POST", "/api/2.0/mlflow/experiments/set-experiment-tag", experiments::set_tag),
    route("POST", "/api/2.0/mlflow/runs/create", runs::create),
    route("GET", "/api/2.0/mlflow/runs/get", runs::get),
    route("POST", "/api/2.0/mlflow/runs/update", runs::update),
    route("POST", "/api/2.0/mlflow/runs/delete", lifecycle::delete),
    route("POST", "/api/2.0/mlflow/runs/restore", lifecycle::restore),
    route("POST", "/api/2.0/mlflow/runs/search", runs::search),
    route("POST", "/api/2.0/mlflow/runs/log-metric", runs::log_metric),
    route("POST", "/api/2.0/mlflow/runs/log-parameter", runs::log_parameter),
    route("POST", "/api/2.0/mlflow/runs/log-batch", runs::log_batch),
    route("POST", "/api/2.0/mlflow/runs/set-tag", runs::set_tag),
    route("POST", "/api/2.0/mlflow/runs/delete-tag", runs::delete_tag),
    route("POST", "/api/2.0/mlflow/runs/log-inputs", runs::log_inputs),
    route("POST", "/api/2.0/mlflow/runs/outputs", runs::log_outputs),
    route("POST", "/api/2.0/mlflow/databricks/runs/delete-runs", lifecycle::delete_before),
    route("POST", "/api/2.0/mlflow/databricks/runs/restore-runs", lifecycle::restore_since),
    route("POST", "/api/2.0/mlflow/logged-models", logged::create),
    route("POST", "/api/2.0/mlflow/logged-models/search", logged::search),
    route("GET", "/api/2.0/mlflow/logged-models/{model_id}", logged::get),
    route("PATCH", "/api/2.0/mlflow/logged-models/{model_id}", logged::finalize),
    route("DELETE", "/api/2.0/mlflow/logged-models/{model_id}", logged::delete),
    route("POST", "/api/2.0/mlflow/logged-models/{model_id}/params", logged::log_params),
    route("PATCH", "/api/2.0/mlflow/logged-models/{model_id}/tags", logged::set_tags),
    route("DELETE", "/api/2.0/mlflow/logged-models/{model_id}/tags/{tag_key}", logged::delete_tag),
    route("GET", "/api/2.0/mlflow/metrics/get-history", runs::history),
    route("GET", "/api/2.0/mlflow/artifacts/list", runs::artifacts),
    route("POST", "/api/2.0/mlflow/registered-models/create", registry::create),
    route("GET", "/api/2.0/mlflow/databricks/registered-models/get", registry::get),
    route("GET", "/api/2.0/mlflow/registered-models/list", registry::list),
    route("GET", "/api/2.0/mlflow/registered-models/search", registry::search),
    route("PATCH", "/api/2.0/mlflow/registered-models/update", registry::update),
    route("POST", "/api/2.0/mlflow/registered-models/rename", registry::rename),
    route("DELETE", "/api/2.0/mlflow/registered-models/delete", registry::delete),
    route("POST", "/api/2.0/mlflow/registered-models/set-tag", registry::set_tag),
    route("DELETE", "/api/2.0/mlflow/registered-models/delete-tag", registry::delete_tag),
    route("POST", "/api/2.0/mlflow/registered-models/get-latest-versions", registry::latest),
    route("POST", "/api/2.0/mlflow/model-versions/create", registry::create_version),
    route("GET", "/api/2.0/mlflow/model-versions/get", registry::get_version),
    route("GET", "/api/2.0/mlflow/model-versions/search", registry::search_versions),
    route("PATCH", "/api/2.0/mlflow/model-versions/update", registry::update_version),
    route("DELETE", "/api/2.0/mlflow/model-versions/delete", registry::delete_version),
    route("POST", "/api/2.0/mlflow/model-versions/set-tag", registry::set_version_tag),
    route("DELETE", "/api/2.0/mlflow/model-versions/delete-tag", registry::delete_version_tag),
    route("GET", "/api/2.0/mlflow/model-versions/get-download-uri", registry::download_uri),
    route("POST", "/api/2.0/mlflow/databricks/model-versions/transition-stage", registry::transition),
    route("POST", "/api/2.0/mlflow/comments/create", reviews::comment),
    route("PATCH", "/api/2.0/mlflow/comments/update", reviews::update_comment),
    route("DELETE", "/api/2.0/mlflow/comments/delete", reviews::delete_comment),
    route("POST", "/api/2.0/mlflow/transition-requests/create", reviews::ask),
    route("GET", "/api/2.0/mlflow/transition-requests/list", reviews::asked),
    route("POST", "/api/2.0/mlflow/transition-requests/approve", reviews::approve),
    route("POST", "/api/2.0/mlflow/transition-requests/reject", reviews::reject),
    route("DELETE", "/api/2.0/mlflow/transition-requests/delete", reviews::withdraw),
];

/// Sets the item of a list of keys and values.
fn put_pair(object: &mut Value, list: &str, pair: Value) {
    let mut pairs = object.at(list).as_array().cloned().unwrap_or_default();
    match pairs.iter_mut().find(|known| known.at("key") == pair.at("key")) {
        Some(known) => *known = pair,
        None => pairs.push(pair),
    }
    object.set(list, pairs);
}

/// Removes the item with a key; says so if there was none.
fn remove_pair(object: &mut Value, list: &str, key: &str) -> Result<(), ApiError> {
    let pairs = object.get_mut(list).and_then(Value::as_array_mut);
    let before = pairs.as_ref().map_or(0, |pairs| pairs.len());
    let left = pairs.map_or(0, |pairs| {
        pairs.retain(|pair| pair.text_at("key") != key);
        pairs.len()
    });
    if left < before { Ok(()) } else { Err(ApiError::does_not_exist(format!("No tag with name: {key}"))) }
}

fn pair(key: &str, value: &str) -> Value {
    json!({"key": key, "value": value})
}

/// Whether an object is to be told by a view of the active, the deleted or all.
fn in_view(stage: &str, view: Option<&str>) -> bool {
    match view {
        Some("ALL") => true,
        Some("DELETED_ONLY") => stage == "deleted",
        _ => stage == "active",
    }
}
