//! Logged models: what runs have trained, before anybody registers it.
//!
//! Derived: the texts of refusals.

use serde_json::{Value, json};

use super::experiments::{active, texts};
use super::{put_pair, remove_pair};
use crate::areas::filter::{Filter, Key};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::store::Kind;
use crate::workspace::{USER_ID, Workspace};

const MODELS: Kind = Kind {
    name: "logged-models",
    missing: |id| ApiError::does_not_exist(format!("Logged model with ID '{id}' not found.")),
};

const MOST: usize = 50;

/// The tags lie beside what is told, so that they can be set like those of runs.
fn told(model: &Value) -> Value {
    let mut info = model.at("info").clone();
    if model.at("tags").as_array().is_some_and(|tags| !tags.is_empty()) {
        info.set("tags", model.at("tags").clone());
    }
    json!({"info": info, "data": {"params": model.at("params"), "metrics": []}})
}

pub(super) fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let experiment = fields.required_text("experiment_id")?;
    active(workspace, experiment)?;
    let (id, now) = (format!("m-{}", workspace.ids.uuid().replace('-', "")), workspace.clock.now());
    let name = fields.text("name")?.filter(|name| !name.is_empty()).unwrap_or("model");
    let place = format!("dbfs:/databricks/mlflow-tracking/{experiment}/logged_models/{id}/artifacts");
    let mut info = json!({"model_id": id, "experiment_id": experiment, "name": name, "status": "LOGGED_MODEL_PENDING", "creator_id": USER_ID,
        "artifact_uri": place, "creation_timestamp_ms": now, "last_updated_timestamp_ms": now});
    for field in ["model_type", "source_run_id"] {
        if let Some(value) = fields.get(field) {
            info.set(field, value.clone());
        }
    }
    let model = json!({"info": info, "params": fields.array("params")?, "tags": fields.array("tags")?});
    MODELS.put(workspace, &id, model.clone());
    Ok(Reply::json(json!({"model": told(&model)})))
}

pub(super) fn get(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(json!({"model": told(&MODELS.get(workspace, request.parameter("model_id"))?)})))
}

/// Changes a model, and tells it as it is then.
fn change(
    workspace: &Workspace,
    request: &Request,
    body: impl FnOnce(&mut Value) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let now = workspace.clock.now();
    MODELS.change(workspace, request.parameter("model_id"), |model| {
        body(model)?;
        if let Some(info) = model.get_mut("info") {
            info.set("last_updated_timestamp_ms", now);
        }
        Ok(told(model))
    })
}

pub(super) fn finalize(workspace: &Workspace, request: &Request) -> Outcome {
    let status = request.fields()?.required_text("status")?.to_owned();
    let model = change(workspace, request, |model| {
        if let Some(info) = model.get_mut("info") {
            info.set("status", status);
        }
        Ok(())
    })?;
    Ok(Reply::json(json!({"model": model})))
}

fn put_pairs(workspace: &Workspace, request: &Request, list: &str) -> Outcome {
    let pairs = request.fields()?.array(list)?.to_vec();
    change(workspace, request, |model| {
        for pair in pairs {
            put_pair(model, list, pair);
        }
        Ok(())
    })?;
    Ok(Reply::nothing())
}

pub(super) fn log_params(workspace: &Workspace, request: &Request) -> Outcome {
    put_pairs(workspace, request, "params")
}

pub(super) fn set_tags(workspace: &Workspace, request: &Request) -> Outcome {
    put_pairs(workspace, request, "tags")
}

pub(super) fn delete_tag(workspace: &Workspace, request: &Request) -> Outcome {
    change(workspace, request, |model| remove_pair(model, "tags", request.parameter("tag_key")))?;
    Ok(Reply::nothing())
}

pub(super) fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    MODELS.drop(workspace, request.parameter("model_id"))
}

fn look(model: &Value, key: &Key) -> Option<Value> {
    let found = match key.scope {
        "attributes" => model.at("info").at(&key.name).clone(),
        list => model.at(list).as_array()?.iter().find(|pair| pair.text_at("key") == key.name)?.at("value").clone(),
    };
    Some(found).filter(|value| !value.is_null())
}

/// The models of some experiments, newest first. Other orders are refused rather than ignored.
pub(super) fn search(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let experiments = texts(&fields, "experiment_ids")?;
    let filter = Filter::read(fields.text("filter")?.unwrap_or_default())?;
    for field in ["datasets", "order_by"] {
        if !fields.array(field)?.is_empty() {
            let message = format!("The sandbox knows no {field} when it searches logged models");
            return Err(ApiError::invalid_parameter(message));
        }
    }
    let mut found = MODELS.all(workspace);
    found.retain(|model| {
        experiments.iter().any(|id| id == model.at("info").text_at("experiment_id"))
            && filter.passes(|key| look(model, key))
    });
    found.reverse();
    let size = page::size(fields.integer("max_results")?, MOST, MOST)?;
    page::told("models", found.iter().map(told).collect(), size, fields.text("page_token")?)
}
