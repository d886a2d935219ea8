//! Lakebase: a Postgres project with its branches, their endpoints, and tables that are kept in step with Unity Catalog.
//!
//! There is no Postgres behind it: a branch is ready at once, and a synced table is online at once. Derived: the texts of
//! refusals, and the ids of operations.

use serde_json::{Map, Value, json};

use super::securable::{self, missing};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::text::rfc3339;
use crate::workspace::{USER, Workspace, lock};

const PROJECTS: Kind = Kind { name: "postgres-projects", missing: |name| no("project", name) };
const BRANCHES: Kind = Kind { name: "postgres-branches", missing: |name| no("branch", name) };
const SYNCED: Kind = Kind { name: "postgres-synced-tables", missing: |name| no("synced table", name) };

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/postgres/projects", |w, r| page::asked("projects", PROJECTS.all(w), r, 50, 100)),
    route("GET", "/api/2.0/postgres/projects/{project}", |w, r| PROJECTS.tell(w, &project(r))),
    route("GET", "/api/2.0/postgres/projects/{project}/branches", branches),
    route("POST", "/api/2.0/postgres/projects/{project}/branches", create_branch),
    route("GET", "/api/2.0/postgres/projects/{project}/branches/{branch}", |w, r| BRANCHES.tell(w, &branch(r))),
    route("DELETE", "/api/2.0/postgres/projects/{project}/branches/{branch}", delete_branch),
    route("GET", "/api/2.0/postgres/projects/{project}/branches/{branch}/endpoints", endpoints),
    route("POST", "/api/2.0/postgres/synced_tables", create_synced),
    route("GET", "/api/2.0/postgres/synced_tables/{table}", |w, r| SYNCED.tell(w, &synced(r.parameter("table")))),
];

/// Adds a project with its first branch.
pub(crate) fn seed(workspace: &Workspace) {
    let at = rfc3339(workspace.clock.epoch() - 20 * 86_400_000);
    let status = json!({"display_name": "Shop", "owner": USER, "pg_version": 17, "project_id": "shop",
        "default_branch": "projects/shop/branches/production"});
    let project = json!({"name": "projects/shop", "project_id": "shop", "uid": workspace.ids.uuid(), "create_time": at,
        "update_time": at, "status": status});
    PROJECTS.put(workspace, "projects/shop", project);
    let mut first = made(workspace, "projects/shop", "production", Map::new(), &at);
    if let Some(status) = first.get_mut("status") {
        status.set("default", true);
        status.set("is_protected", true);
    }
    BRANCHES.put(workspace, "projects/shop/branches/production", first);
}

fn no(what: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("The {what} '{name}' does not exist."))
}

fn project(request: &Request) -> String {
    format!("projects/{}", request.parameter("project"))
}

fn branch(request: &Request) -> String {
    format!("{}/branches/{}", project(request), request.parameter("branch"))
}

fn synced(table: &str) -> String {
    format!("synced_tables/{}", table.to_lowercase())
}

fn made(workspace: &Workspace, project: &str, id: &str, spec: Map<String, Value>, at: &str) -> Value {
    let mut status = json!({"branch_id": id, "current_state": "READY", "default": false, "is_protected": false,
        "state_change_time": at});
    status.merge(spec.clone().into_iter().filter(|(name, _)| name.starts_with("source_") || name == "expire_time"));
    json!({"name": format!("{project}/branches/{id}"), "branch_id": id, "parent": project, "uid": workspace.ids.uuid(),
        "create_time": at, "update_time": at, "spec": spec, "status": status})
}

/// An operation that is done.
fn done(workspace: &Workspace, of: &str, response: Value) -> Reply {
    let name = format!("{of}/operations/{}", workspace.ids.uuid());
    Reply::json(json!({"name": name, "done": true, "response": response}))
}

fn branches(workspace: &Workspace, request: &Request) -> Outcome {
    let project = project(request);
    PROJECTS.get(workspace, &project)?;
    let of_project = BRANCHES.all(workspace).into_iter().filter(|branch| branch.text_at("parent") == project);
    page::asked("branches", of_project.collect(), request, 50, 100)
}

fn create_branch(workspace: &Workspace, request: &Request) -> Outcome {
    let (project, fields) = (project(request), request.fields()?);
    PROJECTS.get(workspace, &project)?;
    let id = request.required_query("branch_id")?;
    let is_id = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if id.is_empty() || id.len() > 63 || !id.chars().all(is_id) {
        return Err(ApiError::invalid_parameter(format!(
            "'{id}' is no branch id: lower-case letters, digits and hyphens"
        )));
    }
    let mut spec = fields.object("spec")?.cloned().unwrap_or_default();
    let source = spec.entry("source_branch").or_insert_with(|| json!(format!("{project}/branches/production")));
    BRANCHES.get(workspace, source.as_str().unwrap_or_default())?;
    let branch = made(workspace, &project, id, spec, &rfc3339(workspace.clock.now()));
    let name = branch.text_at("name").to_owned();
    match BRANCHES.add_unless(workspace, &name, branch.clone(), |known, _| known == name) {
        true => Ok(done(workspace, &name, branch)),
        false => Err(ApiError::conflict("ALREADY_EXISTS", format!("The branch '{name}' exists already."))),
    }
}

fn delete_branch(workspace: &Workspace, request: &Request) -> Outcome {
    let name = branch(request);
    if BRANCHES.get(workspace, &name)?.at("status").at("is_protected") == &json!(true) {
        return Err(ApiError::invalid_state(format!("The branch '{name}' is protected.")));
    }
    BRANCHES.remove(workspace, &name)?;
    Ok(done(workspace, &name, json!({})))
}

fn endpoints(workspace: &Workspace, request: &Request) -> Outcome {
    let branch = BRANCHES.get(workspace, &branch(request))?;
    let name = branch.text_at("name");
    let host = format!("{}.postgres.sandbox.test", branch.text_at("branch_id"));
    let status = json!({"endpoint_id": "primary", "endpoint_type": "ENDPOINT_TYPE_READ_WRITE", "current_state": "IDLE",
        "autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 4.0, "hosts": {"host": host}});
    let endpoint = json!({"name": format!("{name}/endpoints/primary"), "endpoint_id": "primary", "parent": name,
        "uid": branch.at("uid"), "create_time": branch.at("create_time"), "status": status});
    page::asked("endpoints", vec![endpoint], request, 50, 100)
}

fn create_synced(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let table = request.required_query("synced_table_id")?;
    securable::name(table)?;
    let spec = fields.object("spec")?.cloned().unwrap_or_default();
    let spec = Value::Object(spec);
    let source = spec.text_at("source_table_full_name");
    if !lock(&workspace.catalog).tables.contains_key(&securable::name(source)?) {
        return Err(missing("Table", source));
    }
    if !spec.text_at("branch").is_empty() {
        BRANCHES.get(workspace, spec.text_at("branch"))?;
    }
    let (name, at) = (synced(table), rfc3339(workspace.clock.now()));
    let status = json!({"detailed_state": "SYNCED_TABLE_ONLINE", "last_sync_time": at, "message": "Online."});
    let made = json!({"name": name, "uid": workspace.ids.uuid(), "create_time": at, "spec": spec, "status": status});
    match SYNCED.add_unless(workspace, &name, made.clone(), |known, _| known == name) {
        true => Ok(done(workspace, &name, made)),
        false => Err(ApiError::conflict("ALREADY_EXISTS", format!("The synced table '{table}' exists already."))),
    }
}
