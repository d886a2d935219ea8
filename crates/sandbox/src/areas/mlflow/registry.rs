//! The model registry of the workspace: registered models, their versions and the stages of these.

use serde_json::{Map, Value, json};

use super::{pair, put_pair, remove_pair};
use crate::areas::filter::{Filter, Key, sort};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::Outcome;
use crate::store::Kind;
use crate::workspace::{USER, Workspace};

pub(crate) const MODELS: Kind = Kind {
    name: "registered-models",
    missing: |name| ApiError::does_not_exist(format!("Registered Model with name={name} not found")),
};
const VERSIONS: Kind = Kind {
    name: "model-versions",
    missing: |key| {
        let (name, version) = key.rsplit_once('/').unwrap_or((key, ""));
        ApiError::does_not_exist(format!("Model Version (name={name}, version={version}) not found"))
    },
};

const STAGES: [&str; 4] = ["None", "Staging", "Production", "Archived"];

/// Adds a model.
pub(crate) fn make(workspace: &Workspace, fields: &Fields) -> Result<Value, ApiError> {
    let name = fields.required_text("name")?;
    if name.contains(['/', ':', '.']) {
        return Err(ApiError::invalid_parameter(format!(
            "Registered model name '{name}' must not hold slashes, colons or periods"
        )));
    }
    let now = workspace.clock.now();
    let mut model = json!({"name": name, "id": workspace.ids.uuid().replace('-', ""), "user_id": USER, "creation_timestamp": now,
        "last_updated_timestamp": now, "tags": fields.array("tags")?});
    if let Some(description) = fields.text("description")? {
        model.set("description", description);
    }
    if MODELS.add_unless(workspace, name, model.clone(), |known, _| known == name) {
        return Ok(model);
    }
    Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("Registered Model (name={name}) already exists.")))
}

fn versions_of(workspace: &Workspace, name: &str) -> Vec<Value> {
    VERSIONS.all(workspace).into_iter().filter(|version| version.text_at("name") == name).collect()
}

fn number(version: &Value) -> i64 {
    version.text_at("version").parse().unwrap_or(0)
}

/// The newest version in each stage.
fn latest_of(workspace: &Workspace, name: &str, stages: &[String]) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut versions = versions_of(workspace, name);
    versions.sort_by_key(|version| std::cmp::Reverse(number(version)));
    for version in versions {
        let stage = version.text_at("current_stage");
        let is_asked = stages.is_empty() || stages.iter().any(|asked| asked.eq_ignore_ascii_case(stage));
        if is_asked && !found.iter().any(|known| known.text_at("current_stage") == stage) {
            found.push(version);
        }
    }
    found
}

/// A model as most operations tell it: with its latest versions, without its id.
fn told(workspace: &Workspace, model: Value) -> Value {
    let mut json = model.without(&["id"]);
    let latest = latest_of(workspace, json.text_at("name"), &[]);
    if !latest.is_empty() {
        json.set("latest_versions", latest);
    }
    json
}

pub(super) fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let model = make(workspace, &request.fields()?)?;
    Ok(Reply::json(json!({"registered_model": told(workspace, model)})))
}

pub(super) fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let model = MODELS.get(workspace, request.required_query("name")?)?;
    let id = model.at("id").clone();
    let mut json = told(workspace, model);
    json.set("id", id);
    json.set("permission_level", "CAN_MANAGE");
    Ok(Reply::json(json!({"registered_model_databricks": json})))
}

fn all(workspace: &Workspace) -> Vec<Value> {
    let mut all = MODELS.all(workspace);
    all.sort_by(|a, b| a.text_at("name").cmp(b.text_at("name")));
    all.into_iter().map(|model| told(workspace, model)).collect()
}

pub(super) fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("max_results")?, 100, 1000)?;
    page::told("registered_models", all(workspace), size, request.query("page_token"))
}

fn look(object: &Value, key: &Key) -> Option<Value> {
    let found = match key.scope {
        "tags" => {
            let mut tags = object.at("tags").as_array()?.iter();
            tags.find(|tag| tag.text_at("key") == key.name)?.at("value").clone()
        }
        "attributes" if key.name == "version_number" => json!(number(object)),
        "attributes" => object.at(&key.name).clone(),
        _ => Value::Null,
    };
    Some(found).filter(|value| !value.is_null())
}

/// What of a list passes the filter of the query, in its order, page by page.
fn searched(field: &str, mut items: Vec<Value>, request: &Request, default: usize, most: usize) -> Outcome {
    let filter = Filter::read(request.query("filter").unwrap_or_default())?;
    items.retain(|item| filter.passes(|key| look(item, key)));
    let orders: Vec<_> = request.query_all("order_by").flat_map(|order| order.split(',')).map(str::to_owned).collect();
    sort(&mut items, &orders, look)?;
    let size = page::size(request.query_integer("max_results")?, default, most)?;
    page::told(field, items, size, request.query("page_token"))
}

pub(super) fn search(workspace: &Workspace, request: &Request) -> Outcome {
    searched("registered_models", all(workspace), request, 100, 1000)
}

/// Changes the model that a body or query names.
fn change(
    workspace: &Workspace,
    name: &str,
    body: impl FnOnce(&mut Value) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let now = workspace.clock.now();
    MODELS.change(workspace, name, |model| {
        body(model)?;
        model.set("last_updated_timestamp", now);
        Ok(model.clone())
    })
}

pub(super) fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let model = change(workspace, fields.required_text("name")?, |model| {
        model.set("description", fields.text("description")?.unwrap_or_default());
        Ok(())
    })?;
    Ok(Reply::json(json!({"registered_model": told(workspace, model)})))
}

pub(super) fn rename(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (name, other) = (fields.required_text("name")?, fields.required_text("new_name")?);
    MODELS.get(workspace, name)?;
    if MODELS.has(workspace, other) {
        return Err(ApiError::new(
            400,
            "RESOURCE_ALREADY_EXISTS",
            format!("Registered Model (name={other}) already exists."),
        ));
    }
    if versions_of(workspace, name)
        .iter()
        .any(|version| matches!(version.text_at("current_stage"), "Staging" | "Production"))
    {
        return Err(ApiError::invalid_state(format!(
            "Registered Model (name={name}) has versions in Staging or Production"
        )));
    }
    MODELS.rename(workspace, name, other)?;
    let model = change(workspace, other, |model| {
        model.set("name", other);
        Ok(())
    })?;
    for mut version in versions_of(workspace, name) {
        let number = version.text_at("version").to_owned();
        version.set("name", other);
        VERSIONS.put(workspace, &key(other, &number), version);
        VERSIONS.remove(workspace, &key(name, &number))?;
    }
    Ok(Reply::json(json!({"registered_model": told(workspace, model)})))
}

pub(super) fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.required_query("name")?;
    MODELS.remove(workspace, name)?;
    VERSIONS.remove_all(workspace, |version| version.text_at("name") == name);
    super::reviews::forget(workspace, name);
    Ok(Reply::nothing())
}

pub(super) fn set_tag(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let tag = pair(fields.required_text("key")?, fields.text("value")?.unwrap_or_default());
    change(workspace, fields.required_text("name")?, |model| {
        put_pair(model, "tags", tag);
        Ok(())
    })
    .map(|_| Reply::nothing())
}

pub(super) fn delete_tag(workspace: &Workspace, request: &Request) -> Outcome {
    let tag = request.required_query("key")?;
    change(workspace, request.required_query("name")?, |model| remove_pair(model, "tags", tag))
        .map(|_| Reply::nothing())
}

pub(super) fn latest(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = fields.required_text("name")?;
    MODELS.get(workspace, name)?;
    let stages = super::experiments::texts(&fields, "stages")?;
    Ok(Reply::json(json!({"model_versions": latest_of(workspace, name, &stages)})))
}

fn key(name: &str, version: &str) -> String {
    format!("{name}/{version}")
}

/// Adds the next version of a model.
pub(crate) fn make_version(workspace: &Workspace, fields: &Fields) -> Result<Value, ApiError> {
    let name = fields.required_text("name")?;
    MODELS.get(workspace, name)?;
    let next = versions_of(workspace, name).iter().map(number).max().unwrap_or(0) + 1;
    let now = workspace.clock.now();
    let mut version = json!({"name": name, "version": next.to_string(), "creation_timestamp": now, "last_updated_timestamp": now,
        "user_id": USER, "current_stage": "None", "source": fields.required_text("source")?, "status": "READY", "tags": fields.array("tags")?});
    for field in ["description", "run_id", "run_link"] {
        if let Some(text) = fields.text(field)? {
            version.set(field, text);
        }
    }
    VERSIONS.put(workspace, &key(name, &next.to_string()), version.clone());
    Ok(version)
}

pub(super) fn create_version(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(json!({"model_version": make_version(workspace, &request.fields()?)?})))
}

fn asked(request: &Request) -> Result<String, ApiError> {
    Ok(key(request.required_query("name")?, request.required_query("version")?))
}

fn named(fields: &Fields) -> Result<String, ApiError> {
    Ok(key(fields.required_text("name")?, fields.required_text("version")?))
}

pub(super) fn get_version(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(json!({"model_version": VERSIONS.get(workspace, &asked(request)?)?})))
}

pub(super) fn search_versions(workspace: &Workspace, request: &Request) -> Outcome {
    let mut all = VERSIONS.all(workspace);
    all.sort_by_key(|version| (version.text_at("name").to_owned(), std::cmp::Reverse(number(version))));
    searched("model_versions", all, request, 10_000, 10_000)
}

fn change_version(
    workspace: &Workspace,
    key: &str,
    body: impl FnOnce(&mut Value) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let now = workspace.clock.now();
    VERSIONS.change(workspace, key, |version| {
        body(version)?;
        version.set("last_updated_timestamp", now);
        Ok(version.clone())
    })
}

pub(super) fn update_version(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let version = change_version(workspace, &named(&fields)?, |version| {
        version.set("description", fields.text("description")?.unwrap_or_default());
        Ok(())
    })?;
    Ok(Reply::json(json!({"model_version": version})))
}

pub(super) fn delete_version(workspace: &Workspace, request: &Request) -> Outcome {
    let key = asked(request)?;
    let version = VERSIONS.get(workspace, &key)?;
    if matches!(version.text_at("current_stage"), "Staging" | "Production") {
        return Err(ApiError::invalid_state("A version in Staging or Production cannot be deleted: archive it first"));
    }
    VERSIONS.drop(workspace, &key)
}

pub(super) fn set_version_tag(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let tag = pair(fields.required_text("key")?, fields.text("value")?.unwrap_or_default());
    change_version(workspace, &named(&fields)?, |version| {
        put_pair(version, "tags", tag);
        Ok(())
    })
    .map(|_| Reply::nothing())
}

pub(super) fn delete_version_tag(workspace: &Workspace, request: &Request) -> Outcome {
    let tag = request.required_query("key")?;
    change_version(workspace, &asked(request)?, |version| remove_pair(version, "tags", tag)).map(|_| Reply::nothing())
}

pub(super) fn download_uri(workspace: &Workspace, request: &Request) -> Outcome {
    let version = VERSIONS.get(workspace, &asked(request)?)?;
    Ok(Reply::json(json!({"artifact_uri": version.at("source")})))
}

/// Moves a version to a stage; those that are there may be archived.
/// A stage by its name, in whatever case.
pub(super) fn stage(asked: &str) -> Result<&'static str, ApiError> {
    let stage = STAGES.into_iter().find(|stage| stage.eq_ignore_ascii_case(asked));
    stage.ok_or_else(|| {
        let known = STAGES.join(", ");
        ApiError::invalid_parameter(format!("Invalid Model Version stage: {asked}. Value must be one of {known}."))
    })
}

/// A version of a model.
pub(super) fn version(workspace: &Workspace, name: &str, version: &str) -> Result<Value, ApiError> {
    VERSIONS.get(workspace, &key(name, version))
}

/// The version that a body names.
pub(super) fn named_version(workspace: &Workspace, fields: &Fields) -> Result<Value, ApiError> {
    VERSIONS.get(workspace, &named(fields)?)
}

pub(super) fn transition(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let stage = stage(fields.required_text("stage")?)?;
    let own = named(&fields)?;
    VERSIONS.get(workspace, &own)?;
    let name = fields.required_text("name")?;
    if fields.flag("archive_existing_versions")? && matches!(stage, "Staging" | "Production") {
        for version in versions_of(workspace, name).iter().filter(|version| version.text_at("current_stage") == stage) {
            let archived: Map<_, _> = [("current_stage".to_owned(), json!("Archived"))].into_iter().collect();
            VERSIONS.merge(workspace, &key(name, version.text_at("version")), archived)?;
        }
    }
    let version = change_version(workspace, &own, |version| {
        version.set("current_stage", stage);
        Ok(())
    })?;
    Ok(Reply::json(json!({"model_version_databricks": version})))
}
