//! Serving endpoints: created, updated over a while, deleted; what their models answer is in `models`.
//!
//! A served entity whose name holds `broken` fails to deploy. An endpoint answers as its task says: that of its
//! external model, or chat for the models of `system.ai`, or predictions. Derived: how long an update takes, and the
//! texts of refusals.

mod models;

use serde_json::{Map, Value, json};

use super::securable;
use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::{USER, Workspace, lock};

pub(crate) use models::embedding;

/// What an update of the configuration takes.
const UPDATE: Lapse = Lapse::new(600, 300_000);

pub(crate) const ENDPOINTS: Kind = Kind {
    name: "serving-endpoints",
    missing: |name| ApiError::does_not_exist(format!("Endpoint with name '{name}' does not exist.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/serving-endpoints", list),
    route("POST", "/api/2.0/serving-endpoints", create),
    route("GET", "/api/2.0/serving-endpoints/{name}", get),
    route("DELETE", "/api/2.0/serving-endpoints/{name}", delete),
    route("PUT", "/api/2.0/serving-endpoints/{name}/config", update_config),
    route("PATCH", "/api/2.0/serving-endpoints/{name}/tags", tag),
    route("PUT", "/api/2.0/serving-endpoints/{name}/ai-gateway", gateway),
    route("PUT", "/api/2.0/serving-endpoints/{name}/rate-limits", rate_limits),
    route("GET", "/api/2.0/serving-endpoints/{name}/served-models/{served_model_name}/build-logs", build_logs),
    route("GET", "/api/2.0/serving-endpoints/{name}/served-models/{served_model_name}/logs", logs),
    route("POST", "/serving-endpoints/{name}/invocations", invoke),
];

/// Adds an endpoint that has been up for long.
pub(crate) fn seed(workspace: &Workspace, name: &str, task: &str, entity: &Value) {
    let at = workspace.clock.epoch() - 20 * 86_400_000;
    let config = Fields(json!({"served_entities": [entity]}).as_object().cloned().unwrap_or_default());
    let Ok((config, _)) = configuration(workspace, &config, 1, at) else { return };
    let endpoint = json!({"name": name, "id": workspace.ids.uuid().replace('-', ""), "creator": USER, "creation_timestamp": at,
        "last_updated_timestamp": at, "pending": config, "due": at, "task": task, "tags": []});
    ENDPOINTS.put(workspace, name, endpoint);
}

/// The served entities as they are told, checked, and the task that they are for.
fn configuration(
    workspace: &Workspace,
    fields: &Fields,
    version: i64,
    now: i64,
) -> Result<(Value, Option<String>), ApiError> {
    let given = match fields.array("served_entities")? {
        [] => fields.array("served_models")?,
        entities => entities,
    };
    if given.is_empty() {
        return Err(ApiError::invalid_parameter("The configuration needs at least one served entity"));
    }
    let (mut entities, mut task) = (Vec::new(), None);
    for entity in given {
        let mut entity = entity.clone();
        // The older form of a served entity names a model.
        for (old, new) in [("model_name", "entity_name"), ("model_version", "entity_version")] {
            if !entity.at(old).is_null() {
                let value = entity.at(old).clone();
                entity.set(new, value);
            }
        }
        let external = entity.at("external_model").clone();
        let model =
            if external.is_null() { entity.text_at("entity_name") } else { external.text_at("name") }.to_owned();
        if model.is_empty() {
            return Err(ApiError::missing_field("config.served_entities.entity_name"));
        }
        if external.is_null() {
            check_model(workspace, &model, entity.text_at("entity_version"))?;
        }
        task = match external.text_at("task") {
            "" if model.starts_with("system.ai.") => Some("llm/v1/chat".to_owned()),
            "" => task,
            told => Some(told.to_owned()),
        };
        if entity.text_at("name").is_empty() {
            let last = model.rsplit('.').next().unwrap_or_default();
            let version = entity.text_at("entity_version");
            entity.set("name", [last, version].join("-").trim_end_matches('-'));
        }
        forget_keys(&mut entity);
        entity.set("creator", USER);
        entity.set("creation_timestamp", now);
        entities.push(entity.without(&["model_name", "model_version"]));
    }
    let mut config = json!({"config_version": version, "served_entities": entities});
    let traffic = match fields.get("traffic_config") {
        Some(traffic) => traffic.clone(),
        None => {
            let name = entities.first().map(|entity| entity.text_at("name").to_owned());
            json!({"routes": [{"served_model_name": name, "served_entity_name": name, "traffic_percentage": 100}]})
        }
    };
    config.set("traffic_config", traffic);
    Ok((config, task))
}

/// Keys of other services are taken in plain text and never told.
fn forget_keys(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !name.ends_with("_plaintext"));
            members.values_mut().for_each(forget_keys);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_keys),
        _ => {}
    }
}

/// A model of Unity Catalog has to be there. Others may be anywhere.
fn check_model(workspace: &Workspace, model: &str, version: &str) -> Result<(), ApiError> {
    let Ok(name) = securable::name(model) else { return Ok(()) };
    if model.starts_with("system.ai.") {
        return Ok(());
    }
    if !lock(&workspace.catalog).models.contains_key(&name) {
        return Err(ApiError::does_not_exist(format!("Registered model '{model}' does not exist.")));
    }
    if version.is_empty() {
        return Err(ApiError::missing_field("config.served_entities.entity_version"));
    }
    super::models::version(workspace, &name, version).map(|_| ())
}

/// Whether the entities of a configuration cannot be deployed.
fn fails(config: &Value) -> bool {
    let entities = config.at("served_entities").as_array().into_iter().flatten();
    entities.into_iter().any(|entity| entity.text_at("name").contains("broken"))
}

/// The endpoint as it is now: its last configuration that was deployed, and the one under way.
fn told(mut endpoint: Value, now: i64) -> Value {
    let due = endpoint.at("due").as_i64().unwrap_or(0);
    let mut pending = endpoint.at("pending").clone();
    let state = |config: &mut Value, deployment: &str, message: &str| {
        if let Some(entities) = config.get_mut("served_entities").and_then(Value::as_array_mut) {
            for entity in entities {
                entity.set("state", json!({"deployment": deployment, "deployment_state_message": message}));
            }
        }
    };
    let mut update = "NOT_UPDATING";
    if now < due {
        update = "IN_PROGRESS";
        state(&mut pending, "DEPLOYMENT_CREATING", "Creating resources for served entity.");
        pending.set("start_time", endpoint.at("last_updated_timestamp").clone());
        endpoint.set("pending_config", pending);
    } else if fails(&pending) {
        update = "UPDATE_FAILED";
        state(
            &mut pending,
            "DEPLOYMENT_FAILED",
            "The container of the model ended while it was starting. See the build logs.",
        );
        endpoint.set("pending_config", pending);
    } else {
        endpoint.set("config", pending);
    }
    let mut config = endpoint.at("config").clone();
    let ready = if config.is_null() { "NOT_READY" } else { "READY" };
    if !config.is_null() {
        state(&mut config, "DEPLOYMENT_READY", "");
        endpoint.set("config", config);
    }
    endpoint.set("state", json!({"ready": ready, "config_update": update}));
    if ready == "NOT_READY" {
        endpoint = endpoint.without(&["config"]);
    }
    if endpoint.text_at("task").is_empty() {
        endpoint = endpoint.without(&["task"]);
    }
    endpoint.without(&["pending", "due"])
}

fn list(workspace: &Workspace, _: &Request) -> Outcome {
    let now = workspace.clock.now();
    let endpoints: Vec<_> = ENDPOINTS.all(workspace).into_iter().map(|endpoint| told(endpoint, now)).collect();
    Ok(Reply::json(json!({"endpoints": endpoints})))
}

fn detailed(endpoint: Value, now: i64) -> Value {
    let mut json = told(endpoint, now);
    json.set("permission_level", "CAN_MANAGE");
    json
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let endpoint = ENDPOINTS.get(workspace, request.parameter("name"))?;
    Ok(Reply::json(detailed(endpoint, workspace.clock.now())))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = fields.required_text("name")?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if name.len() > 63 || !name.chars().all(plain) {
        return Err(ApiError::invalid_parameter(format!(
            "Endpoint name '{name}' must have at most 63 alphanumeric characters, dashes and underscores"
        )));
    }
    let now = workspace.clock.now();
    let given = Fields(fields.object("config")?.cloned().unwrap_or_default());
    let (config, task) = configuration(workspace, &given, 1, now)?;
    let mut endpoint = Value::Object(fields.0.clone()).without(&["config"]);
    endpoint.merge(members(json!({"id": workspace.ids.uuid().replace('-', ""), "creator": USER, "creation_timestamp": now,
        "last_updated_timestamp": now, "pending": config, "due": now + workspace.clock.lapse(UPDATE), "task": task.unwrap_or_default()})));
    if !ENDPOINTS.add_unless(workspace, name, endpoint.clone(), |known, _| known == name) {
        return Err(ApiError::new(
            400,
            "RESOURCE_ALREADY_EXISTS",
            format!("Endpoint with name '{name}' already exists."),
        ));
    }
    Ok(Reply::json(detailed(endpoint, now)))
}

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn update_config(workspace: &Workspace, request: &Request) -> Outcome {
    let (name, now) = (request.parameter("name"), workspace.clock.now());
    let known = told(ENDPOINTS.get(workspace, name)?, now);
    if known.at("state").at("config_update") == "IN_PROGRESS" {
        return Err(ApiError::conflict(
            "RESOURCE_CONFLICT",
            format!("Endpoint '{name}' is being updated: wait until its config_update is NOT_UPDATING"),
        ));
    }
    let version = [&known.at("config"), &known.at("pending_config")]
        .iter()
        .filter_map(|config| config.at("config_version").as_i64())
        .max();
    let (config, task) = configuration(workspace, &request.fields()?, version.unwrap_or(0) + 1, now)?;
    let task = task.unwrap_or_else(|| known.text_at("task").to_owned());
    let changes = json!({"config": known.at("config"), "pending": config, "task": task,
        "due": now + workspace.clock.lapse(UPDATE), "last_updated_timestamp": now});
    Ok(Reply::json(detailed(ENDPOINTS.merge(workspace, name, members(changes))?, now)))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    ENDPOINTS.drop(workspace, request.parameter("name"))
}

fn tag(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (added, gone) = (fields.array("add_tags")?, fields.array("delete_tags")?);
    ENDPOINTS.change(workspace, request.parameter("name"), |endpoint| {
        let mut tags = endpoint.at("tags").as_array().cloned().unwrap_or_default();
        tags.retain(|tag| !gone.contains(tag.at("key")) && !added.iter().any(|new| new.at("key") == tag.at("key")));
        tags.extend(added.iter().cloned());
        endpoint.set("tags", tags.clone());
        Ok(Reply::json(json!({"tags": tags})))
    })
}

fn gateway(workspace: &Workspace, request: &Request) -> Outcome {
    let gateway = Value::Object(request.fields()?.0);
    ENDPOINTS.change(workspace, request.parameter("name"), |endpoint| {
        endpoint.set("ai_gateway", gateway.clone());
        Ok(Reply::json(gateway))
    })
}

fn rate_limits(workspace: &Workspace, request: &Request) -> Outcome {
    let limits = request.fields()?.array("rate_limits")?.to_vec();
    ENDPOINTS.change(workspace, request.parameter("name"), |endpoint| {
        endpoint.set("rate_limits", limits.clone());
        Ok(Reply::json(json!({"rate_limits": limits})))
    })
}

fn served(workspace: &Workspace, request: &Request) -> Result<bool, ApiError> {
    let endpoint = told(ENDPOINTS.get(workspace, request.parameter("name"))?, workspace.clock.now());
    let wanted = request.parameter("served_model_name");
    let entities = [endpoint.at("config"), endpoint.at("pending_config")].map(|config| config.at("served_entities"));
    let mut entities = entities.into_iter().filter_map(Value::as_array).flatten();
    let entity = entities.find(|entity| entity.text_at("name") == wanted);
    let entity = entity.ok_or_else(|| ApiError::does_not_exist(format!("Served entity '{wanted}' does not exist.")))?;
    Ok(entity.at("state").at("deployment") == "DEPLOYMENT_FAILED")
}

fn build_logs(workspace: &Workspace, request: &Request) -> Outcome {
    let logs = match served(workspace, request)? {
        true => {
            "Downloading model artifacts\nInstalling requirements\nERROR: No matching distribution found for pandas==0.0.1\n"
        }
        false => "Downloading model artifacts\nInstalling requirements\nBuilt the container\n",
    };
    Ok(Reply::json(json!({"logs": logs})))
}

fn logs(workspace: &Workspace, request: &Request) -> Outcome {
    let logs = if served(workspace, request)? { "" } else { "Started the model server with 4 workers\n" };
    Ok(Reply::json(json!({"logs": logs})))
}

fn invoke(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    let endpoint = told(ENDPOINTS.get(workspace, name)?, workspace.clock.now());
    let entity = endpoint.at("config").at("served_entities").get(0).cloned().unwrap_or_default();
    if entity.is_null() {
        let failed = endpoint.at("state").at("config_update") == "UPDATE_FAILED";
        let message = format!("The endpoint '{name}' is not ready: {}", endpoint.at("state"));
        return Err(match failed {
            true => ApiError::new(400, "BAD_REQUEST", message),
            false => ApiError::new(503, "TEMPORARILY_UNAVAILABLE", message),
        });
    }
    let external = entity.at("external_model").text_at("name");
    let model = if external.is_empty() { entity.text_at("entity_name") } else { external };
    let reply = models::answer(workspace, endpoint.text_at("task"), model, &request.fields()?)?;
    Ok(reply.with_header("served-model-name", entity.text_at("name")))
}
