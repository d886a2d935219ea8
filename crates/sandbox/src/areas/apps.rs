//! Apps: created with compute of their own, deployed from the workspace tree, started and stopped over a while.
//!
//! A deployment fails when its source is not in the tree. Derived: how long things take, and the texts of states.

use serde_json::{Map, Value, json};

use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::text::rfc3339;
use crate::workspace::{USER, Workspace, lock};

use super::objects;

const COMPUTE: Lapse = Lapse::new(600, 120_000);
const DEPLOY: Lapse = Lapse::new(500, 60_000);

pub(crate) const APPS: Kind = Kind {
    name: "apps",
    missing: |name| ApiError::does_not_exist(format!("App with name {name} does not exist or is deleted.")),
};
const DEPLOYMENTS: Kind = Kind {
    name: "app-deployments",
    missing: |id| ApiError::does_not_exist(format!("Deployment {id} does not exist.")),
};

/// What is set by those who make and change apps.
const KEPT: [&str; 14] = [
    "budget_policy_id",
    "compute_max_instances",
    "compute_min_instances",
    "compute_size",
    "default_git_source",
    "default_source_code_path",
    "description",
    "forward_user_access_token",
    "git_repository",
    "resources",
    "space",
    "telemetry_export_destinations",
    "usage_policy_id",
    "user_api_scopes",
];

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/apps", list),
    route("POST", "/api/2.0/apps", create),
    route("GET", "/api/2.0/apps/{name}", get),
    route("PATCH", "/api/2.0/apps/{name}", update),
    route("DELETE", "/api/2.0/apps/{name}", delete),
    route("POST", "/api/2.0/apps/{name}/start", start),
    route("POST", "/api/2.0/apps/{name}/stop", stop),
    route("GET", "/api/2.0/apps/{app_name}/deployments", deployments),
    route("POST", "/api/2.0/apps/{app_name}/deployments", deploy),
    route("GET", "/api/2.0/apps/{app_name}/deployments/{deployment_id}", deployment),
];

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Adds an app that has been running for long.
pub(crate) fn seed(workspace: &Workspace, name: &str, description: &str, source: &str) {
    let at = workspace.clock.epoch() - 10 * 86_400_000;
    let mut app = new(workspace, name, at, json!({"description": description, "default_source_code_path": source}));
    app.set("changing", json!({"until": at, "from": "STARTING", "to": "ACTIVE"}));
    APPS.put(workspace, name, app);
    add_deployment(workspace, name, source, Map::new(), at, at);
}

fn new(workspace: &Workspace, name: &str, now: i64, fields: Value) -> Value {
    let at = rfc3339(now);
    let principal = workspace.ids.number();
    let mut app = json!({"name": name, "id": workspace.ids.uuid(), "creator": USER, "updater": USER, "create_time": at, "update_time": at,
        "url": format!("https://{name}-{}.apps.example.test", workspace.id()), "compute_size": "MEDIUM",
        "service_principal_id": principal, "service_principal_name": format!("app-{name}"), "service_principal_client_id": workspace.ids.uuid()});
    app.merge(members(fields));
    app
}

/// What the compute is now, and what it is on its way to.
fn compute(app: &Value, now: i64) -> &str {
    let changing = app.at("changing");
    let is_over = changing.at("until").as_i64().unwrap_or(0) <= now;
    changing.text_at(if is_over { "to" } else { "from" })
}

fn deployments_of(workspace: &Workspace, name: &str) -> Vec<Value> {
    DEPLOYMENTS.all(workspace).into_iter().filter(|deployment| deployment.text_at("app") == name).collect()
}

/// The app as it is now. It runs what was deployed last with success.
fn told(workspace: &Workspace, app: &Value) -> Value {
    let now = workspace.clock.now();
    let name = app.text_at("name");
    let state = compute(app, now).to_owned();
    let told: Vec<_> =
        deployments_of(workspace, name).iter().map(|deployment| told_deployment(workspace, deployment)).collect();
    let with = |state: &str| told.iter().rev().find(|deployment| deployment.at("status").at("state") == state);
    let mut json = app.clone().without(&["changing"]);
    let message = match state.as_str() {
        "ACTIVE" => "App compute is running.",
        "STARTING" => "App compute is starting.",
        "STOPPING" => "App compute is stopping.",
        _ => "App compute is stopped.",
    };
    json.set(
        "compute_status",
        json!({"state": state, "message": message, "active_instances": i32::from(state == "ACTIVE")}),
    );
    if let Some(active) = with("SUCCEEDED") {
        json.set("active_deployment", active.clone());
    }
    if let Some(pending) = with("IN_PROGRESS") {
        json.set("pending_deployment", pending.clone());
    }
    let status = match (state.as_str(), with("SUCCEEDED"), with("IN_PROGRESS")) {
        ("ACTIVE", _, Some(_)) => json!({"state": "DEPLOYING", "message": "The app is being deployed."}),
        ("ACTIVE", Some(_), None) => json!({"state": "RUNNING", "message": "App is running"}),
        _ => json!({"state": "UNAVAILABLE", "message": "App status is unavailable."}),
    };
    json.set("app_status", status);
    json
}

fn told_deployment(workspace: &Workspace, deployment: &Value) -> Value {
    let mut json = deployment.clone().without(&["app", "until", "failure"]);
    let is_over = deployment.at("until").as_i64().unwrap_or(0) <= workspace.clock.now();
    let status = match (is_over, deployment.at("failure").as_str()) {
        (false, _) => json!({"state": "IN_PROGRESS", "message": "Preparing source code"}),
        (true, Some(failure)) => json!({"state": "FAILED", "message": failure}),
        (true, None) => json!({"state": "SUCCEEDED", "message": "App started successfully"}),
    };
    json.set("status", status);
    json
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let apps = APPS.all(workspace).iter().map(|app| told(workspace, app)).collect();
    page::asked("apps", apps, request, 20, 100)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(told(workspace, &APPS.get(workspace, request.parameter("name"))?)))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = fields.required_text("name")?;
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if name.len() > 30 || name.len() < 2 || !name.chars().all(plain) {
        return Err(ApiError::invalid_parameter(format!(
            "App name '{name}' must have 2 to 30 characters: lower case letters, digits and hyphens only"
        )));
    }
    let now = workspace.clock.now();
    let given: Map<_, _> =
        KEPT.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(name)?.clone()))).collect();
    let mut app = new(workspace, name, now, Value::Object(given));
    let changing = match request.query_flag("no_compute")? {
        true => json!({"until": now, "from": "STOPPED", "to": "STOPPED"}),
        false => json!({"until": now + workspace.clock.lapse(COMPUTE), "from": "STARTING", "to": "ACTIVE"}),
    };
    app.set("changing", changing);
    if !APPS.add_unless(workspace, name, app.clone(), |known, _| known == name) {
        let message = format!("An app with the same name already exists: {name}");
        return Err(ApiError::conflict("RESOURCE_ALREADY_EXISTS", message));
    }
    Ok(Reply::json(told(workspace, &app)))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let mut changes: Map<_, _> =
        KEPT.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(name)?.clone()))).collect();
    changes.insert("update_time".to_owned(), json!(rfc3339(workspace.clock.now())));
    let app = APPS.merge(workspace, request.parameter("name"), changes)?;
    Ok(Reply::json(told(workspace, &app)))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let app = APPS.remove(workspace, request.parameter("name"))?;
    let mut json = told(workspace, &app);
    json.set("compute_status", json!({"state": "DELETING", "message": "App is being deleted."}));
    DEPLOYMENTS.remove_all(workspace, |deployment| deployment.at("app") == app.at("name"));
    Ok(Reply::json(json))
}

/// Sends the compute from one state to another, through a third.
fn send(workspace: &Workspace, request: &Request, through: [&str; 3]) -> Outcome {
    let (now, name) = (workspace.clock.now(), request.parameter("name"));
    let [from, by, to] = through;
    let until = now + workspace.clock.lapse(COMPUTE);
    let app = APPS.change(workspace, name, |app| {
        let state = compute(app, now).to_owned();
        if state != from {
            return Err(ApiError::new(
                400,
                "BAD_REQUEST",
                format!("Cannot change app {name} to {to}: its compute is {state}, not {from}."),
            ));
        }
        app.set("changing", json!({"until": until, "from": by, "to": to}));
        Ok(app.clone())
    })?;
    Ok(Reply::json(told(workspace, &app)))
}

fn start(workspace: &Workspace, request: &Request) -> Outcome {
    send(workspace, request, ["STOPPED", "STARTING", "ACTIVE"])
}

fn stop(workspace: &Workspace, request: &Request) -> Outcome {
    send(workspace, request, ["ACTIVE", "STOPPING", "STOPPED"])
}

fn add_deployment(
    workspace: &Workspace,
    app: &str,
    source: &str,
    fields: Map<String, Value>,
    now: i64,
    until: i64,
) -> Value {
    let at = rfc3339(now);
    let id = workspace.ids.statement().replace('-', "");
    let mut deployment = json!({"mode": "SNAPSHOT"});
    deployment.merge(fields);
    deployment.merge(members(json!({"deployment_id": id, "app": app, "source_code_path": source, "creator": USER, "create_time": at,
        "update_time": at, "until": until, "deployment_artifacts": {"source_code_path": format!("/Workspace/Users/app-{app}/src/{id}")}})));
    let path = objects::normal(source).unwrap_or_default();
    if !lock(&workspace.objects).0.contains_key(&path) {
        deployment.set("failure", format!("Source code path {source} does not exist."));
    }
    DEPLOYMENTS.put(workspace, &id, deployment.clone());
    deployment
}

fn deploy(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("app_name");
    let fields = request.fields()?;
    let app = APPS.get(workspace, name)?;
    let now = workspace.clock.now();
    if compute(&app, now) != "ACTIVE" {
        let message = format!("Cannot deploy app {name} as its compute is {}.", compute(&app, now));
        return Err(ApiError::new(400, "BAD_REQUEST", message));
    }
    let is_under_way = |deployment: &Value| deployment.at("until").as_i64().is_some_and(|until| until > now);
    if deployments_of(workspace, name).iter().any(is_under_way) {
        let message = format!("Cannot deploy app {name} as there is an active deployment in progress.");
        return Err(ApiError::conflict("RESOURCE_CONFLICT", message));
    }
    let source = fields.text("source_code_path")?.unwrap_or(app.text_at("default_source_code_path"));
    if source.is_empty() {
        return Err(ApiError::missing_field("source_code_path"));
    }
    let until = now + workspace.clock.lapse(DEPLOY);
    let deployment = add_deployment(workspace, name, source, fields.0.clone(), now, until);
    APPS.merge(workspace, name, members(json!({"default_source_code_path": source})))?;
    Ok(Reply::json(told_deployment(workspace, &deployment)))
}

/// Newest first.
fn deployments(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("app_name");
    APPS.get(workspace, name)?;
    let all = deployments_of(workspace, name);
    let told = all.iter().rev().map(|deployment| told_deployment(workspace, deployment)).collect();
    page::asked("app_deployments", told, request, 20, 100)
}

fn deployment(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("deployment_id");
    let deployment = DEPLOYMENTS.get(workspace, id)?;
    match deployment.text_at("app") == request.parameter("app_name") {
        true => Ok(Reply::json(told_deployment(workspace, &deployment))),
        false => Err((DEPLOYMENTS.missing)(id)),
    }
}
