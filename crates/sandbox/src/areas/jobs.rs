//! Jobs: their settings, and the state that jobs and runs share.

pub(super) mod check;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::runs::Run;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace, lock};

/// How many tasks one answer shows.
pub(super) const TASK_PAGE: usize = 100;

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/2.2/jobs/create", create),
    route("GET", "/api/2.2/jobs/get", get),
    route("GET", "/api/2.2/jobs/list", list),
    route("POST", "/api/2.2/jobs/update", update),
    route("POST", "/api/2.2/jobs/reset", reset),
    route("POST", "/api/2.2/jobs/delete", delete),
    route("POST", "/api/2.1/jobs/create", create),
    route("GET", "/api/2.1/jobs/get", get),
    route("GET", "/api/2.1/jobs/list", list),
    route("POST", "/api/2.1/jobs/update", update),
    route("POST", "/api/2.1/jobs/reset", reset),
    route("POST", "/api/2.1/jobs/delete", delete),
];

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) created: i64,
    pub(crate) settings: Map<String, Value>,
    /// How often it ran.
    pub(crate) runs: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) jobs: BTreeMap<i64, Job>,
    pub(crate) runs: BTreeMap<i64, Run>,
    /// Idempotency tokens and the runs they made.
    pub(crate) tokens: BTreeMap<String, i64>,
    /// When something happens next; 0 is now.
    pub(crate) due: i64,
    /// The open run that is moved on first.
    pub(crate) next: i64,
}

impl Job {
    pub(crate) fn name(&self) -> &str {
        self.settings.get("name").and_then(Value::as_str).unwrap_or("Untitled")
    }

    pub(crate) fn tasks(&self) -> Vec<Map<String, Value>> {
        tasks_of(&self.settings)
    }

    pub(crate) fn task_count(&self) -> usize {
        self.settings.get("tasks").and_then(Value::as_array).map_or(0, Vec::len)
    }

    fn json(&self, tasks: bool) -> Value {
        let mut settings = self.settings.clone();
        if !tasks {
            settings.retain(|key, _| !matches!(key.as_str(), "tasks" | "job_clusters" | "environments" | "parameters"));
        }
        settings.entry("format").or_insert_with(|| json!("MULTI_TASK"));
        settings.entry("max_concurrent_runs").or_insert_with(|| json!(1));
        settings.entry("timeout_seconds").or_insert_with(|| json!(0));
        settings.entry("email_notifications").or_insert_with(|| json!({}));
        json!({"job_id": self.id, "creator_user_name": USER, "created_time": self.created, "settings": settings})
    }
}

pub(crate) fn tasks_of(settings: &Map<String, Value>) -> Vec<Map<String, Value>> {
    settings
        .get("tasks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .cloned()
        .collect()
}

pub(super) fn missing(id: i64) -> ApiError {
    ApiError::invalid_parameter(format!("Job {id} does not exist."))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let settings = request.fields()?.0;
    check::settings(&settings)?;
    let job = Job { id: workspace.ids.number(), created: workspace.clock.now(), settings, runs: 0 };
    let reply = json!({"job_id": job.id});
    lock(&workspace.jobs).jobs.insert(job.id, job);
    Ok(Reply::json(reply))
}

/// Cuts the tasks or iterations of an object into pages, as jobs and runs do.
pub(super) fn page_list(mut json: Value, holder: &str, list: &str, token: Option<&str>) -> Result<Value, ApiError> {
    let place = if holder.is_empty() {
        json.get_mut(list)
    } else {
        json.get_mut(holder).and_then(|holder| holder.get_mut(list))
    };
    let Some(items) = place else { return Ok(json) };
    let all = items.as_array().cloned().unwrap_or_default();
    let page = page::page(all, TASK_PAGE, token)?;
    *items = Value::Array(page.items);
    if let Some(next) = page.next {
        json.set("has_more", json!(true));
        json.set("next_page_token", json!(next));
    }
    Ok(json)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.query_integer("job_id")?.ok_or_else(|| ApiError::missing_field("job_id"))?;
    let jobs = lock(&workspace.jobs);
    let mut json = jobs.jobs.get(&id).ok_or_else(|| missing(id))?.json(true);
    json.set("run_as_user_name", json!(USER));
    page_list(json, "settings", "tasks", request.query("page_token")).map(Reply::json)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let limit = request.query_integer("limit")?;
    if limit.is_some_and(|limit| !(0..=100).contains(&limit)) {
        return Err(ApiError::invalid_parameter("The limit must be between 1 and 100"));
    }
    let size = page::size(limit, 20, 100)?;
    let expand = request.query_flag("expand_tasks")?;
    let name = request.query("name").filter(|name| !name.is_empty()).map(str::to_lowercase);
    let jobs = lock(&workspace.jobs);
    let mut found: Vec<_> =
        jobs.jobs.values().filter(|job| name.as_ref().is_none_or(|name| job.name().to_lowercase() == *name)).collect();
    found.sort_by_key(|job| (std::cmp::Reverse(job.created), job.id));
    let page = page::page(found, size, request.query("page_token"))?;
    let told = page.try_map(|job| page_list(job.json(expand), "settings", "tasks", None))?;
    Ok(Reply::json(list_reply("jobs", told)))
}

/// An answer with tokens to both sides, as lists of jobs and runs have.
pub(super) fn list_reply(field: &str, page: page::Page<Value>) -> Value {
    let mut reply = json!({});
    if !page.items.is_empty() {
        reply.set(field, json!(page.items));
    }
    reply.set("has_more", json!(page.next.is_some()));
    if let Some(next) = page.next {
        reply.set("next_page_token", json!(next));
    }
    if let Some(previous) = page.previous {
        reply.set("prev_page_token", json!(previous));
    }
    reply
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_integer("job_id")?;
    let mut jobs = lock(&workspace.jobs);
    let job = jobs.jobs.get_mut(&id).ok_or_else(|| missing(id))?;
    let mut settings = job.settings.clone();
    for name in fields.array("fields_to_remove")? {
        if let Some(name) = name.as_str() {
            remove(&mut settings, name);
        }
    }
    for (name, value) in fields.object("new_settings")?.into_iter().flatten() {
        let merged = match name.as_str() {
            "tasks" => merge(settings.get(name), value, "task_key"),
            "job_clusters" => merge(settings.get(name), value, "job_cluster_key"),
            _ => value.clone(),
        };
        settings.insert(name.clone(), merged);
    }
    check::settings(&settings)?;
    job.settings = settings;
    Ok(Reply::nothing())
}

/// Removes a field, or with `tasks/key` one task.
fn remove(settings: &mut Map<String, Value>, name: &str) {
    let Some((list, key)) = name.split_once('/') else {
        settings.remove(name);
        return;
    };
    if let Some(Value::Array(items)) = settings.get_mut(list) {
        items.retain(|item| !["task_key", "job_cluster_key"].iter().any(|field| item.at(field) == key));
    }
}

/// Lists of keyed objects are merged by key.
fn merge(before: Option<&Value>, new: &Value, key: &str) -> Value {
    let (Some(Value::Array(before)), Value::Array(new)) = (before, new) else { return new.clone() };
    let mut merged = before.clone();
    for item in new {
        match merged.iter_mut().find(|known| known.at(key) == item.at(key)) {
            Some(known) => *known = item.clone(),
            None => merged.push(item.clone()),
        }
    }
    Value::Array(merged)
}

fn reset(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_integer("job_id")?;
    let settings = fields.object("new_settings")?.ok_or_else(|| ApiError::missing_field("new_settings"))?.clone();
    check::settings(&settings)?;
    let mut jobs = lock(&workspace.jobs);
    jobs.jobs.get_mut(&id).ok_or_else(|| missing(id))?.settings = settings;
    Ok(Reply::nothing())
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.fields()?.required_integer("job_id")?;
    lock(&workspace.jobs).jobs.remove(&id).map(|_| Reply::nothing()).ok_or_else(|| missing(id))
}
