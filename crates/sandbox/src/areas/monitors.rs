//! Quality monitors of tables and their refreshes. They measure nothing: their tables are named, not made.
//!
//! Derived: the texts of refusals, and how long a refresh takes.

use serde_json::{Value, json};

use super::securable;
use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::{Workspace, lock};

const REFRESH: Lapse = Lapse::new(1_000, 300_000);

const MONITORS: Kind = Kind {
    name: "quality-monitors",
    missing: |table| ApiError::does_not_exist(format!("No monitor exists for the table {table}.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/2.1/unity-catalog/tables/{table_name}/monitor", create),
    route("GET", "/api/2.1/unity-catalog/tables/{table_name}/monitor", get),
    route("PUT", "/api/2.1/unity-catalog/tables/{table_name}/monitor", update),
    route("DELETE", "/api/2.1/unity-catalog/tables/{table_name}/monitor", delete),
    route("GET", "/api/2.1/unity-catalog/tables/{table_name}/monitor/refreshes", refreshes),
    route("POST", "/api/2.1/unity-catalog/tables/{table_name}/monitor/refreshes", refresh),
    route("GET", "/api/2.1/unity-catalog/tables/{table_name}/monitor/refreshes/{refresh_id}", get_refresh),
    route("POST", "/api/2.1/unity-catalog/tables/{table_name}/monitor/refreshes/{refresh_id}/cancel", cancel),
];

/// The name of a table that exists.
fn table(workspace: &Workspace, request: &Request) -> Result<String, ApiError> {
    let name = securable::name(request.parameter("table_name"))?;
    let exists = lock(&workspace.catalog).tables.contains_key(&name);
    if exists { Ok(name.join(".")) } else { Err(securable::missing("Table", &name.join("."))) }
}

fn told(monitor: Value) -> Value {
    monitor.without(&["refreshes"])
}

/// What a body sets of a monitor: one kind of profile, and where its tables go.
fn settings(table: &str, fields: &Fields) -> Result<Value, ApiError> {
    let kinds = ["snapshot", "time_series", "inference_log"].into_iter().filter(|kind| fields.get(kind).is_some());
    if kinds.count() != 1 {
        return Err(ApiError::invalid_parameter(
            "Exactly one of snapshot, time_series and inference_log must be specified",
        ));
    }
    let place = fields.required_text("output_schema_name")?;
    let mut monitor = Value::Object(fields.0.clone()).without(&["skip_builtin_dashboard", "warehouse_id"]);
    let plain = table.replace('.', "_");
    let last = table.rsplit('.').next().unwrap_or(&plain);
    monitor.set("table_name", table);
    monitor.set("status", "MONITOR_STATUS_ACTIVE");
    monitor.set("profile_metrics_table_name", format!("{place}.{last}_profile_metrics"));
    monitor.set("drift_metrics_table_name", format!("{place}.{last}_drift_metrics"));
    Ok(monitor)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let (table, fields) = (table(workspace, request)?, request.fields()?);
    let mut monitor = settings(&table, &fields)?;
    monitor.set("monitor_version", 0);
    monitor.set("refreshes", json!([]));
    if !fields.flag("skip_builtin_dashboard")? {
        monitor.set("dashboard_id", workspace.ids.uuid().replace('-', ""));
    }
    if MONITORS.add_unless(workspace, &table, monitor.clone(), |known, _| known == table) {
        return Ok(Reply::json(told(monitor)));
    }
    let message = format!("A monitor exists for the table {table} already.");
    Err(ApiError::conflict("RESOURCE_ALREADY_EXISTS", message))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(told(MONITORS.get(workspace, &table(workspace, request)?)?)))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let table = table(workspace, request)?;
    let mut changed = settings(&table, &request.fields()?)?;
    MONITORS.change(workspace, &table, |monitor| {
        for field in ["assets_dir", "dashboard_id", "refreshes"] {
            if changed.at(field).is_null() && !monitor.at(field).is_null() {
                changed.set(field, monitor.at(field).clone());
            }
        }
        changed.set("monitor_version", monitor.at("monitor_version").as_i64().unwrap_or(0) + 1);
        *monitor = changed;
        Ok(Reply::json(told(monitor.clone())))
    })
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    MONITORS.drop(workspace, &table(workspace, request)?)
}

/// A refresh as it is now.
fn refresh_json(workspace: &Workspace, refresh: &Value) -> Value {
    let mut told = refresh.clone();
    if told.text_at("state") == "RUNNING" && told.at("end_time_ms").as_i64().unwrap_or(0) <= workspace.clock.now() {
        told.set("state", "SUCCESS");
    }
    match told.text_at("state") {
        "RUNNING" => told.without(&["end_time_ms"]),
        _ => told,
    }
}

fn refresh(workspace: &Workspace, request: &Request) -> Outcome {
    let (table, now) = (table(workspace, request)?, workspace.clock.now());
    let refresh = json!({"refresh_id": workspace.ids.number(), "state": "RUNNING", "trigger": "MANUAL", "start_time_ms": now,
        "end_time_ms": now + workspace.clock.lapse(REFRESH)});
    MONITORS.change(workspace, &table, |monitor| {
        let mut all = monitor.at("refreshes").as_array().cloned().unwrap_or_default();
        all.push(refresh.clone());
        monitor.set("refreshes", all);
        Ok(())
    })?;
    Ok(Reply::json(refresh_json(workspace, &refresh)))
}

fn refreshes(workspace: &Workspace, request: &Request) -> Outcome {
    let monitor = MONITORS.get(workspace, &table(workspace, request)?)?;
    let all = monitor.at("refreshes").as_array().into_iter().flatten();
    let told: Vec<_> = all.rev().map(|refresh| refresh_json(workspace, refresh)).collect();
    Ok(Reply::json(json!({"refreshes": told})))
}

/// The place of the refresh that the path names.
fn place(monitor: &Value, request: &Request) -> Result<usize, ApiError> {
    let id = request.parameter("refresh_id");
    let number = id.parse::<i64>().ok();
    let all = monitor.at("refreshes").as_array();
    let found = all.and_then(|all| all.iter().position(|refresh| refresh.at("refresh_id").as_i64() == number));
    found.ok_or_else(|| ApiError::does_not_exist(format!("Refresh {id} does not exist.")))
}

fn get_refresh(workspace: &Workspace, request: &Request) -> Outcome {
    let monitor = MONITORS.get(workspace, &table(workspace, request)?)?;
    let place = place(&monitor, request)?;
    let refresh = monitor.at("refreshes").get(place).unwrap_or(&Value::Null);
    Ok(Reply::json(refresh_json(workspace, refresh)))
}

fn cancel(workspace: &Workspace, request: &Request) -> Outcome {
    let now = workspace.clock.now();
    MONITORS.change(workspace, &table(workspace, request)?, |monitor| {
        let place = place(monitor, request)?;
        let refresh = monitor.get_mut("refreshes").and_then(|all| all.get_mut(place));
        if let Some(refresh) = refresh.filter(|refresh| refresh_json(workspace, refresh).text_at("state") == "RUNNING")
        {
            refresh.set("state", "CANCELED");
            refresh.set("end_time_ms", now);
        }
        Ok(Reply::nothing())
    })
}
