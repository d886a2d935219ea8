//! Experiments: a name in the workspace tree, tags, and a place for artifacts.

use serde_json::{Value, json};

use super::{in_view, pair, put_pair};
use crate::areas::filter::{Filter, Key, sort};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::Outcome;
use crate::store::Kind;
use crate::workspace::{USER, Workspace};

pub(crate) const EXPERIMENTS: Kind = Kind {
    name: "experiments",
    missing: |id| ApiError::does_not_exist(format!("Could not find experiment with ID {id}")),
};

/// What a search gives at most, and what it gives unless asked.
const MOST: usize = 3_000;
const DEFAULT: usize = 1_000;

/// Makes an experiment under an id.
pub(crate) fn make(workspace: &Workspace, id: &str, fields: &Fields) -> Result<(), ApiError> {
    let name = checked(fields.required_text("name")?)?;
    let now = workspace.clock.now();
    let location = match fields.text("artifact_location")? {
        None | Some("") => format!("dbfs:/databricks/mlflow-tracking/{id}"),
        Some(location) => location.to_owned(),
    };
    let mut experiment = json!({"experiment_id": id, "name": name, "artifact_location": location, "lifecycle_stage": "active",
        "creation_time": now, "last_update_time": now,
        "tags": [pair("mlflow.ownerEmail", USER), pair("mlflow.experiment.sourceName", name), pair("mlflow.experimentType", "MLFLOW_EXPERIMENT")]});
    for tag in fields.array("tags")? {
        put_pair(&mut experiment, "tags", tag.clone());
    }
    if EXPERIMENTS.add_unless(workspace, id, experiment, |_, known| known.text_at("name") == name) {
        return Ok(());
    }
    Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("Experiment with name '{name}' already exists.")))
}

/// Names are paths in the workspace tree.
fn checked(name: &str) -> Result<&str, ApiError> {
    if name.starts_with('/') && name.len() > 1 && !name.ends_with('/') {
        return Ok(name);
    }
    Err(ApiError::invalid_parameter(format!(
        "Invalid experiment name '{name}': it must be an absolute path in the workspace, such as '/Users/{USER}/my-experiment'"
    )))
}

pub(super) fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let id = workspace.ids.number().to_string();
    make(workspace, &id, &request.fields()?)?;
    Ok(Reply::json(json!({"experiment_id": id})))
}

pub(super) fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let experiment = EXPERIMENTS.get(workspace, request.required_query("experiment_id")?)?;
    Ok(Reply::json(json!({"experiment": experiment})))
}

pub(super) fn get_by_name(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.required_query("experiment_name")?;
    let found = EXPERIMENTS.all(workspace).into_iter().find(|experiment| experiment.text_at("name") == name);
    let missing = || ApiError::does_not_exist(format!("Node {name} does not exist."));
    Ok(Reply::json(json!({"experiment": found.ok_or_else(missing)?})))
}

/// Newest first, of the view that is asked for.
fn viewed(workspace: &Workspace, view: Option<&str>) -> Vec<Value> {
    let mut all = EXPERIMENTS.all(workspace);
    all.retain(|experiment| in_view(experiment.text_at("lifecycle_stage"), view));
    all.reverse();
    all
}

pub(super) fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("max_results")?, DEFAULT, DEFAULT)?;
    page::told("experiments", viewed(workspace, request.query("view_type")), size, request.query("page_token"))
}

fn look(experiment: &Value, key: &Key) -> Option<Value> {
    match key.scope {
        "attributes" => Some(experiment.at(&key.name).clone()).filter(|value| !value.is_null()),
        "tags" => {
            let mut tags = experiment.at("tags").as_array()?.iter();
            tags.find(|tag| tag.text_at("key") == key.name).map(|tag| tag.at("value").clone())
        }
        _ => None,
    }
}

/// The texts of a list of a body.
pub(super) fn texts(fields: &Fields, name: &str) -> Result<Vec<String>, ApiError> {
    Ok(fields.array(name)?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

pub(super) fn search(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let filter = Filter::read(fields.text("filter")?.unwrap_or_default())?;
    let mut found = viewed(workspace, fields.text("view_type")?);
    found.retain(|experiment| filter.passes(|key| look(experiment, key)));
    sort(&mut found, &texts(&fields, "order_by")?, look)?;
    let size = page::size(fields.integer("max_results")?, DEFAULT, MOST)?;
    page::told("experiments", found, size, fields.text("page_token")?)
}

/// Changes the experiment that a body names.
fn change(workspace: &Workspace, fields: &Fields, body: impl FnOnce(&mut Value) -> Result<(), ApiError>) -> Outcome {
    let now = workspace.clock.now();
    EXPERIMENTS.change(workspace, fields.required_text("experiment_id")?, |experiment| {
        body(experiment)?;
        experiment.set("last_update_time", now);
        Ok(Reply::nothing())
    })
}

fn check_active(experiment: &Value) -> Result<(), ApiError> {
    match experiment.text_at("lifecycle_stage") {
        "active" => Ok(()),
        _ => Err(ApiError::invalid_parameter(format!(
            "The experiment {} must be in the 'active' state. Current state is deleted.",
            experiment.text_at("experiment_id")
        ))),
    }
}

/// An experiment that runs can be made in.
pub(super) fn active(workspace: &Workspace, id: &str) -> Result<Value, ApiError> {
    let experiment = EXPERIMENTS.get(workspace, id)?;
    check_active(&experiment).map(|()| experiment)
}

pub(super) fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = checked(fields.required_text("new_name")?)?;
    if EXPERIMENTS.all(workspace).iter().any(|experiment| experiment.text_at("name") == name) {
        return Err(ApiError::new(
            400,
            "RESOURCE_ALREADY_EXISTS",
            format!("Experiment with name '{name}' already exists."),
        ));
    }
    change(workspace, &fields, |experiment| {
        check_active(experiment)?;
        experiment.set("name", name);
        Ok(())
    })
}

pub(super) fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    change(workspace, &fields, |experiment| {
        check_active(experiment)?;
        experiment.set("lifecycle_stage", "deleted");
        Ok(())
    })?;
    super::lifecycle::follow(workspace, fields.required_text("experiment_id")?, "deleted");
    Ok(Reply::nothing())
}

pub(super) fn restore(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    change(workspace, &fields, |experiment| {
        experiment.set("lifecycle_stage", "active");
        Ok(())
    })?;
    super::lifecycle::follow(workspace, fields.required_text("experiment_id")?, "active");
    Ok(Reply::nothing())
}

pub(super) fn set_tag(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let tag = pair(fields.required_text("key")?, fields.text("value")?.unwrap_or_default());
    change(workspace, &fields, |experiment| {
        put_pair(experiment, "tags", tag);
        Ok(())
    })
}
