//! AI/BI dashboards: drafts in the workspace tree, what is published of them, schedules and subscriptions.
//!
//! Derived: the texts of refusals, and that an etag counts changes.

mod schedules;

use serde_json::{Value, json};

use super::objects;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::text::rfc3339;
use crate::workspace::{USER, Workspace, lock};

/// The dashboard that every workspace has.
pub(crate) const REVENUE: &str = "01f0bbbb00001111a2b2c3d4e5f60718";

pub(crate) const DASHBOARDS: Kind = Kind {
    name: "dashboards",
    missing: |id| ApiError::does_not_exist(format!("Unable to find dashboard with id {id}.")),
};
const PUBLISHED: Kind = Kind {
    name: "published-dashboards",
    missing: |id| ApiError::does_not_exist(format!("Dashboard {id} is not published.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/lakeview/dashboards", list),
    route("POST", "/api/2.0/lakeview/dashboards", create),
    route("GET", "/api/2.0/lakeview/dashboards/{dashboard_id}", get),
    route("PATCH", "/api/2.0/lakeview/dashboards/{dashboard_id}", update),
    route("DELETE", "/api/2.0/lakeview/dashboards/{dashboard_id}", trash),
    route("POST", "/api/2.0/lakeview/dashboards/{dashboard_id}/revert", revert),
    route("GET", "/api/2.0/lakeview/dashboards/{dashboard_id}/published", published),
    route("POST", "/api/2.0/lakeview/dashboards/{dashboard_id}/published", publish),
    route("DELETE", "/api/2.0/lakeview/dashboards/{dashboard_id}/published", unpublish),
    route("GET", "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules", schedules::list),
    route("POST", "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules", schedules::create),
    route("GET", "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules/{schedule_id}", schedules::get),
    route("PUT", "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules/{schedule_id}", schedules::update),
    route("DELETE", "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules/{schedule_id}", schedules::delete),
    route(
        "GET",
        "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules/{schedule_id}/subscriptions",
        schedules::subscriptions,
    ),
    route(
        "POST",
        "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules/{schedule_id}/subscriptions",
        schedules::subscribe,
    ),
    route(
        "GET",
        "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules/{schedule_id}/subscriptions/{subscription_id}",
        schedules::subscription,
    ),
    route(
        "DELETE",
        "/api/2.0/lakeview/dashboards/{dashboard_id}/schedules/{schedule_id}/subscriptions/{subscription_id}",
        schedules::unsubscribe,
    ),
];

/// Adds a dashboard as a client would.
pub(crate) fn seed(workspace: &Workspace, id: &str, fields: Value) -> Result<(), ApiError> {
    make(workspace, id, &Fields(fields.as_object().cloned().unwrap_or_default())).map(|_| ())
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let with_trashed = request.query_flag("show_trashed")?;
    let mut all = DASHBOARDS.all(workspace);
    all.retain(|dashboard| with_trashed || dashboard.text_at("lifecycle_state") == "ACTIVE");
    let brief = |dashboard: Value| dashboard.without(&["serialized_dashboard", "path", "parent_path"]);
    page::asked("dashboards", all.into_iter().map(brief).collect(), request, 100, 1000)
}

/// What a dashboard is made of has to be JSON.
fn check(fields: &Fields) -> Result<(), ApiError> {
    match fields.text("serialized_dashboard")? {
        Some(text) if !serde_json::from_str::<Value>(text).is_ok_and(|inside| inside.is_object()) => {
            Err(ApiError::invalid_parameter("serialized_dashboard must be a JSON object"))
        }
        _ => Ok(()),
    }
}

fn make(workspace: &Workspace, id: &str, fields: &Fields) -> Result<Value, ApiError> {
    check(fields)?;
    let name = fields.text("display_name")?.unwrap_or("New Dashboard");
    if name.contains('/') {
        return Err(ApiError::invalid_parameter("display_name must not contain a slash"));
    }
    let home = format!("/Users/{USER}");
    let parent = objects::normal(fields.text("parent_path")?.unwrap_or(&home))?;
    let path = format!("{}/{name}.lvdash.json", parent.trim_end_matches('/'));
    let inside = fields
        .text("serialized_dashboard")?
        .unwrap_or("{\"pages\":[{\"name\":\"page\",\"displayName\":\"New Page\"}]}");
    objects::place(workspace, &path, objects::Kind::Dashboard, inside)?;
    let at = rfc3339(workspace.clock.now());
    let mut dashboard = json!({"dashboard_id": id, "display_name": name, "path": path, "parent_path": parent, "create_time": at,
        "update_time": at, "etag": "1", "serialized_dashboard": inside, "lifecycle_state": "ACTIVE"});
    if let Some(warehouse) = fields.text("warehouse_id")? {
        dashboard.set("warehouse_id", warehouse);
    }
    DASHBOARDS.put(workspace, id, dashboard.clone());
    Ok(dashboard)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let id = workspace.ids.statement().replace('-', "");
    make(workspace, &id, &request.fields()?).map(Reply::json)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    DASHBOARDS.tell(workspace, request.parameter("dashboard_id"))
}

/// Changes a dashboard that is in use; an etag that was given has to be the last one.
fn change(
    workspace: &Workspace,
    request: &Request,
    etag: Option<&str>,
    body: impl FnOnce(&mut Value),
) -> Result<Value, ApiError> {
    let at = rfc3339(workspace.clock.now());
    let id = request.parameter("dashboard_id");
    DASHBOARDS.change(workspace, id, |dashboard| {
        let known = dashboard.text_at("etag").to_owned();
        if etag.is_some_and(|etag| etag != known) {
            let message = format!("Dashboard {id} was changed by somebody else: its etag is {known}");
            return Err(ApiError::conflict("ABORTED", message));
        }
        if dashboard.text_at("lifecycle_state") != "ACTIVE" {
            return Err(ApiError::invalid_state(format!("Dashboard {id} is in the trash.")));
        }
        body(dashboard);
        dashboard.set("update_time", at);
        dashboard.set("etag", (known.parse::<i64>().unwrap_or(0) + 1).to_string());
        Ok(dashboard.clone())
    })
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    check(&fields)?;
    let before = DASHBOARDS.get(workspace, request.parameter("dashboard_id"))?;
    let name = fields.text("display_name")?.unwrap_or(before.text_at("display_name"));
    let parent = before.text_at("parent_path").trim_end_matches('/');
    let path = format!("{parent}/{name}.lvdash.json");
    if path != before.text_at("path") {
        objects::place(workspace, &path, objects::Kind::Dashboard, before.text_at("serialized_dashboard"))?;
        objects::take(workspace, before.text_at("path"));
    }
    let changed = change(workspace, request, fields.text("etag")?, |dashboard| {
        for field in ["display_name", "serialized_dashboard", "warehouse_id"] {
            if let Some(value) = fields.get(field) {
                dashboard.set(field, value.clone());
            }
        }
        dashboard.set("path", path);
    })?;
    Ok(Reply::json(changed))
}

fn trash(workspace: &Workspace, request: &Request) -> Outcome {
    let trashed = change(workspace, request, None, |dashboard| dashboard.set("lifecycle_state", "TRASHED"))?;
    objects::take(workspace, trashed.text_at("path"));
    Ok(Reply::nothing())
}

/// Gives the draft what was published last.
fn revert(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let published = PUBLISHED.get(workspace, request.parameter("dashboard_id"))?;
    let reverted = change(workspace, request, fields.text("etag")?, |dashboard| {
        dashboard.set("serialized_dashboard", published.at("serialized_dashboard").clone());
    })?;
    Ok(Reply::json(json!({"dashboard": reverted})))
}

fn published(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("dashboard_id");
    DASHBOARDS.get(workspace, id)?;
    PUBLISHED.get(workspace, id).map(|published| Reply::json(published.without(&["serialized_dashboard"])))
}

fn publish(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = request.parameter("dashboard_id");
    let draft = DASHBOARDS.get(workspace, id)?;
    if draft.text_at("lifecycle_state") != "ACTIVE" {
        return Err(ApiError::invalid_state(format!("Dashboard {id} is in the trash.")));
    }
    let warehouse = fields.text("warehouse_id")?.unwrap_or(draft.text_at("warehouse_id"));
    if !warehouse.is_empty() && !lock(&workspace.warehouses).by_id.contains_key(warehouse) {
        return Err(ApiError::does_not_exist(format!("SQL warehouse {warehouse} does not exist.")));
    }
    let published = json!({"display_name": draft.at("display_name"), "warehouse_id": warehouse,
        "embed_credentials": fields.get("embed_credentials").cloned().unwrap_or_else(|| json!(true)),
        "revision_create_time": rfc3339(workspace.clock.now()), "serialized_dashboard": draft.at("serialized_dashboard")});
    PUBLISHED.put(workspace, id, published);
    self::published(workspace, request)
}

fn unpublish(workspace: &Workspace, request: &Request) -> Outcome {
    PUBLISHED.drop(workspace, request.parameter("dashboard_id"))
}
