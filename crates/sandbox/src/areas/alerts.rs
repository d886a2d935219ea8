//! Alerts of three ages: the current ones with a query text, those on saved queries, and the legacy form of these.
//!
//! Nothing watches the queries; an alert has the state UNKNOWN until somebody does. Derived: the texts of refusals.

use serde_json::{Map, Value, json};

use super::queries::{QUERIES, free_name, legacy_user};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::{Kind, masked};
use crate::text::rfc3339;
use crate::workspace::{USER, Workspace};

pub(crate) const ALERTS: Kind =
    Kind { name: "alerts", missing: |id| ApiError::does_not_exist(format!("Alert {id} does not exist.")) };
pub(crate) const QUERY_ALERTS: Kind =
    Kind { name: "query-alerts", missing: |id| ApiError::does_not_exist(format!("Alert {id} does not exist.")) };

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/alerts", list),
    route("POST", "/api/2.0/alerts", create),
    route("GET", "/api/2.0/alerts/{id}", |w, r| ALERTS.tell(w, r.parameter("id"))),
    route("PATCH", "/api/2.0/alerts/{id}", update),
    route("DELETE", "/api/2.0/alerts/{id}", trash),
    route("GET", "/api/2.0/sql/alerts", list_on_queries),
    route("POST", "/api/2.0/sql/alerts", create_on_query),
    route("GET", "/api/2.0/sql/alerts/{id}", |w, r| QUERY_ALERTS.tell(w, r.parameter("id"))),
    route("PATCH", "/api/2.0/sql/alerts/{id}", update_on_query),
    route("DELETE", "/api/2.0/sql/alerts/{id}", trash_on_query),
    route("GET", "/api/2.0/preview/sql/alerts", list_legacy),
    route("POST", "/api/2.0/preview/sql/alerts", create_legacy),
    route("GET", "/api/2.0/preview/sql/alerts/{alert_id}", get_legacy),
    route("PUT", "/api/2.0/preview/sql/alerts/{alert_id}", update_legacy),
    route("DELETE", "/api/2.0/preview/sql/alerts/{alert_id}", |w, r| QUERY_ALERTS.drop(w, r.parameter("alert_id"))),
];

/// Adds an alert as a client would.
pub(crate) fn seed(workspace: &Workspace, alert: Value) -> Result<(), ApiError> {
    make(workspace, alert.as_object().cloned().unwrap_or_default()).map(|_| ())
}

fn active(kind: Kind, workspace: &Workspace) -> Vec<Value> {
    kind.all(workspace).into_iter().filter(|alert| alert.text_at("lifecycle_state") == "ACTIVE").collect()
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    page::asked("alerts", active(ALERTS, workspace), request, 20, 100)
}

fn make(workspace: &Workspace, fields: Map<String, Value>) -> Result<Value, ApiError> {
    let (id, at) = (workspace.ids.uuid(), rfc3339(workspace.clock.now()));
    let mut alert = json!({"parent_path": format!("/Workspace/Users/{USER}")});
    alert.merge(fields);
    check_cron(&alert)?;
    let name = free_name(ALERTS, workspace, alert.text_at("display_name"), false)?;
    alert.merge(members([
        ("id", json!(id)),
        ("display_name", json!(name)),
        ("lifecycle_state", json!("ACTIVE")),
        ("owner_user_name", json!(USER)),
        ("effective_run_as", json!({"user_name": USER})),
        ("create_time", json!(at)),
        ("update_time", json!(at)),
    ]));
    if let Some(evaluation) = alert.get_mut("evaluation").filter(|evaluation| evaluation.at("state").is_null()) {
        evaluation.set("state", "UNKNOWN");
    }
    ALERTS.put(workspace, &id, alert.clone());
    Ok(alert)
}

fn check_cron(alert: &Value) -> Result<(), ApiError> {
    let cron = alert.at("schedule").text_at("quartz_cron_schedule");
    if cron.is_empty() || (6..=7).contains(&cron.split_whitespace().count()) {
        return Ok(());
    }
    Err(ApiError::invalid_parameter(format!("Invalid quartz cron expression: '{cron}'")))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    make(workspace, request.fields()?.0).map(Reply::json)
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let mut changes = masked(&request.fields()?.0, request.required_query("update_mask")?);
    for fixed in ["id", "create_time", "owner_user_name", "lifecycle_state"] {
        changes.remove(fixed);
    }
    check_cron(&Value::Object(changes.clone()))?;
    changes.insert("update_time".to_owned(), json!(rfc3339(workspace.clock.now())));
    ALERTS.merge(workspace, request.parameter("id"), changes).map(Reply::json)
}

fn trash(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("id");
    if request.query_flag("purge")? {
        return ALERTS.drop(workspace, id);
    }
    ALERTS.merge(workspace, id, members([("lifecycle_state", json!("DELETED"))])).map(|_| Reply::nothing())
}

fn list_on_queries(workspace: &Workspace, request: &Request) -> Outcome {
    let brief = |alert: Value| alert.without(&["parent_path"]);
    page::asked("results", active(QUERY_ALERTS, workspace).into_iter().map(brief).collect(), request, 20, 100)
}

fn make_on_query(workspace: &Workspace, fields: Map<String, Value>, resolve: bool) -> Result<Value, ApiError> {
    let (id, at) = (workspace.ids.uuid(), rfc3339(workspace.clock.now()));
    let mut alert = Value::Object(fields);
    QUERIES.get(workspace, alert.text_at("query_id"))?;
    let name = free_name(QUERY_ALERTS, workspace, alert.text_at("display_name"), resolve)?;
    alert.merge(members([
        ("id", json!(id)),
        ("display_name", json!(name)),
        ("lifecycle_state", json!("ACTIVE")),
        ("state", json!("UNKNOWN")),
        ("owner_user_name", json!(USER)),
        ("create_time", json!(at)),
        ("update_time", json!(at)),
    ]));
    QUERY_ALERTS.put(workspace, &id, alert.clone());
    Ok(alert)
}

fn create_on_query(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let alert = fields.object("alert")?.cloned().unwrap_or_default();
    make_on_query(workspace, alert, fields.flag("auto_resolve_display_name")?).map(Reply::json)
}

fn update_on_query(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let mut changes =
        masked(&fields.object("alert")?.cloned().unwrap_or_default(), fields.required_text("update_mask")?);
    changes.insert("update_time".to_owned(), json!(rfc3339(workspace.clock.now())));
    QUERY_ALERTS.merge(workspace, request.parameter("id"), changes).map(Reply::json)
}

fn trash_on_query(workspace: &Workspace, request: &Request) -> Outcome {
    let trashed = members([("lifecycle_state", json!("TRASHED"))]);
    QUERY_ALERTS.merge(workspace, request.parameter("id"), trashed).map(|_| Reply::nothing())
}

fn legacy(workspace: &Workspace, alert: &Value) -> Value {
    let query = QUERIES.find(workspace, alert.text_at("query_id")).unwrap_or_default();
    let state = alert.text_at("state").to_lowercase();
    json!({"id": alert.at("id"), "name": alert.at("display_name"), "state": state, "options": alert.at("options"), "rearm": alert.at("rearm"),
        "user": legacy_user(), "query": {"id": query.at("id"), "name": query.at("display_name"), "query": query.at("query_text")},
        "created_at": alert.at("create_time"), "updated_at": alert.at("update_time")})
}

fn list_legacy(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(active(QUERY_ALERTS, workspace).iter().map(|alert| legacy(workspace, alert)).collect()))
}

/// The fields of a legacy body as the newer API names them; what that one has not is kept as it is.
fn modern(fields: &Map<String, Value>) -> Map<String, Value> {
    let names = [
        ("name", "display_name"),
        ("query_id", "query_id"),
        ("options", "options"),
        ("rearm", "rearm"),
        ("parent", "parent_path"),
    ];
    names.iter().filter_map(|(old, new)| Some(((*new).to_owned(), fields.get(*old)?.clone()))).collect()
}

fn create_legacy(workspace: &Workspace, request: &Request) -> Outcome {
    let alert = make_on_query(workspace, modern(&request.fields()?.0), true)?;
    Ok(Reply::json(legacy(workspace, &alert)))
}

fn get_legacy(workspace: &Workspace, request: &Request) -> Outcome {
    let alert = QUERY_ALERTS.get(workspace, request.parameter("alert_id"))?;
    Ok(Reply::json(legacy(workspace, &alert)))
}

fn update_legacy(workspace: &Workspace, request: &Request) -> Outcome {
    let mut changes = modern(&request.fields()?.0);
    changes.insert("update_time".to_owned(), json!(rfc3339(workspace.clock.now())));
    QUERY_ALERTS.merge(workspace, request.parameter("alert_id"), changes).map(|_| Reply::nothing())
}
