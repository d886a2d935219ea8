//! When a dashboard is refreshed, and who is sent it.

use serde_json::{Value, json};

use super::DASHBOARDS;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::Outcome;
use crate::store::Kind;
use crate::text::rfc3339;
use crate::workspace::{USER_ID, Workspace};

/// The documented limits.
const MOST_SCHEDULES: usize = 10;
const MOST_SUBSCRIPTIONS: usize = 100;

const SCHEDULES: Kind = Kind {
    name: "dashboard-schedules",
    missing: |id| ApiError::does_not_exist(format!("Unable to find schedule with id {id}.")),
};
const SUBSCRIPTIONS: Kind = Kind {
    name: "dashboard-subscriptions",
    missing: |id| ApiError::does_not_exist(format!("Unable to find subscription with id {id}.")),
};

/// What lies below an object, by the field with that one's id.
fn below(kind: Kind, workspace: &Workspace, field: &str, id: &str) -> Vec<Value> {
    kind.all(workspace).into_iter().filter(|object| object.text_at(field) == id).collect()
}

fn check_cron(fields: &Fields) -> Result<(), ApiError> {
    let schedule = fields.get("cron_schedule").cloned().unwrap_or_default();
    let cron = schedule.text_at("quartz_cron_expression");
    if (6..=7).contains(&cron.split_whitespace().count()) {
        return Ok(());
    }
    Err(ApiError::invalid_parameter(format!("Invalid quartz cron expression: '{cron}'")))
}

pub(super) fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("dashboard_id");
    DASHBOARDS.get(workspace, id)?;
    page::asked("schedules", below(SCHEDULES, workspace, "dashboard_id", id), request, 20, 100)
}

pub(super) fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let dashboard = request.parameter("dashboard_id");
    DASHBOARDS.get(workspace, dashboard)?;
    let fields = request.fields()?;
    check_cron(&fields)?;
    if below(SCHEDULES, workspace, "dashboard_id", dashboard).len() >= MOST_SCHEDULES {
        return Err(ApiError::new(400, "RESOURCE_LIMIT_EXCEEDED", "A dashboard can have 10 schedules at most"));
    }
    let (id, at) = (workspace.ids.statement().replace('-', ""), rfc3339(workspace.clock.now()));
    let mut schedule = json!({"pause_status": "UNPAUSED"});
    schedule.merge(fields.0);
    schedule.set("schedule_id", id.clone());
    schedule.set("dashboard_id", dashboard);
    schedule.set("etag", "1");
    schedule.set("create_time", at.clone());
    schedule.set("update_time", at);
    SCHEDULES.put(workspace, &id, schedule.clone());
    Ok(Reply::json(schedule))
}

/// The id of the schedule that the path leads to.
fn known<'a>(workspace: &Workspace, request: &'a Request) -> Result<&'a str, ApiError> {
    let id = request.parameter("schedule_id");
    let is_here = SCHEDULES.get(workspace, id)?.text_at("dashboard_id") == request.parameter("dashboard_id");
    if is_here { Ok(id) } else { Err((SCHEDULES.missing)(id)) }
}

pub(super) fn get(workspace: &Workspace, request: &Request) -> Outcome {
    SCHEDULES.tell(workspace, known(workspace, request)?)
}

fn check_etag(schedule: &Value, etag: Option<&str>) -> Result<(), ApiError> {
    match etag {
        Some(etag) if etag != schedule.text_at("etag") => {
            Err(ApiError::conflict("ABORTED", "The schedule was changed by somebody else: read it again"))
        }
        _ => Ok(()),
    }
}

pub(super) fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let id = known(workspace, request)?;
    let mut fields = request.fields()?;
    check_cron(&fields)?;
    let etag = fields.text("etag")?.map(str::to_owned);
    for fixed in ["etag", "schedule_id", "dashboard_id", "create_time", "update_time"] {
        fields.0.remove(fixed);
    }
    let at = rfc3339(workspace.clock.now());
    SCHEDULES.change(workspace, id, |schedule| {
        check_etag(schedule, etag.as_deref())?;
        let count = schedule.text_at("etag").parse::<i64>().unwrap_or(0) + 1;
        schedule.merge(fields.0);
        schedule.set("etag", count.to_string());
        schedule.set("update_time", at);
        Ok(Reply::json(schedule.clone()))
    })
}

pub(super) fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let id = known(workspace, request)?;
    check_etag(&SCHEDULES.get(workspace, id)?, request.query("etag"))?;
    SUBSCRIPTIONS.remove_all(workspace, |subscription| subscription.text_at("schedule_id") == id);
    SCHEDULES.drop(workspace, id)
}

pub(super) fn subscriptions(workspace: &Workspace, request: &Request) -> Outcome {
    let all = below(SUBSCRIPTIONS, workspace, "schedule_id", known(workspace, request)?);
    page::asked("subscriptions", all, request, 20, 100)
}

pub(super) fn subscribe(workspace: &Workspace, request: &Request) -> Outcome {
    let schedule = known(workspace, request)?;
    let fields = request.fields()?;
    let others = below(SUBSCRIPTIONS, workspace, "schedule_id", schedule);
    if others.len() >= MOST_SUBSCRIPTIONS {
        return Err(ApiError::new(400, "RESOURCE_LIMIT_EXCEEDED", "A schedule can have 100 subscriptions at most"));
    }
    let subscriber = fields.get("subscriber").cloned().unwrap_or_default();
    if others.iter().any(|other| *other.at("subscriber") == subscriber) {
        return Err(ApiError::conflict("RESOURCE_ALREADY_EXISTS", "This subscriber has a subscription already"));
    }
    let (id, at) = (workspace.ids.statement().replace('-', ""), rfc3339(workspace.clock.now()));
    let subscription = json!({"subscription_id": id, "schedule_id": schedule, "dashboard_id": request.parameter("dashboard_id"),
        "subscriber": subscriber, "created_by_user_id": USER_ID, "etag": "1", "create_time": at, "update_time": at});
    SUBSCRIPTIONS.put(workspace, &id, subscription.clone());
    Ok(Reply::json(subscription))
}

pub(super) fn subscription(workspace: &Workspace, request: &Request) -> Outcome {
    known(workspace, request)?;
    SUBSCRIPTIONS.tell(workspace, request.parameter("subscription_id"))
}

pub(super) fn unsubscribe(workspace: &Workspace, request: &Request) -> Outcome {
    known(workspace, request)?;
    SUBSCRIPTIONS.drop(workspace, request.parameter("subscription_id"))
}
