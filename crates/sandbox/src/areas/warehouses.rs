//! SQL warehouses and their states.
//!
//! Derived: the texts of errors, and fields of a warehouse that no recording shows.

mod check;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace, lock};

const START: Lapse = Lapse::new(800, 6_000);
const STOP: Lapse = Lapse::new(300, 3_000);

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/sql/warehouses", list),
    route("POST", "/api/2.0/sql/warehouses", create),
    route("GET", "/api/2.0/sql/warehouses/default", default),
    route("GET", "/api/2.0/sql/warehouses/{id}", get),
    route("DELETE", "/api/2.0/sql/warehouses/{id}", delete),
    route("POST", "/api/2.0/sql/warehouses/{id}/edit", edit),
    route("POST", "/api/2.0/sql/warehouses/{id}/start", start),
    route("POST", "/api/2.0/sql/warehouses/{id}/stop", stop),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Stopped,
    /// Until this instant.
    Starting(i64),
    Stopping(i64),
}

#[derive(Debug)]
pub(crate) struct Warehouse {
    state: State,
    settings: Map<String, Value>,
}

#[derive(Debug, Default)]
pub(crate) struct Warehouses {
    pub(crate) by_id: BTreeMap<String, Warehouse>,
    pub(crate) default: Option<String>,
}

impl Warehouse {
    pub(crate) fn new(name: &str, size: &str, running: bool) -> Self {
        let settings = json!({
            "name": name, "cluster_size": size, "min_num_clusters": 1, "max_num_clusters": 1, "auto_stop_mins": 10,
            "creator_name": USER, "spot_instance_policy": "COST_OPTIMIZED", "enable_photon": true,
            "enable_serverless_compute": true, "warehouse_type": "PRO", "channel": {"name": "CHANNEL_NAME_CURRENT"}, "tags": {},
        });
        let state = if running { State::Running } else { State::Stopped };
        Self { state, settings: settings.as_object().cloned().unwrap_or_default() }
    }

    /// Sets it to a state that lasts; for seeds.
    pub(crate) fn rest(&mut self, running: bool) {
        self.state = if running { State::Running } else { State::Stopped };
    }

    pub(crate) fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    fn settle(&mut self, now: i64) {
        self.state = match self.state {
            State::Starting(until) if now >= until => State::Running,
            State::Stopping(until) if now >= until => State::Stopped,
            state => state,
        };
    }

    fn json(&self, id: &str, workspace: &Workspace) -> Value {
        let state = match self.state {
            State::Running => "RUNNING",
            State::Stopped => "STOPPED",
            State::Starting(_) => "STARTING",
            State::Stopping(_) => "STOPPING",
        };
        let running = u8::from(self.state == State::Running);
        let host = workspace.url().trim_start_matches("http://");
        let mut json = json!({"id": id});
        if let Some(object) = json.as_object_mut() {
            object.extend(self.settings.clone());
            object.insert("state".to_owned(), json!(state));
            object.insert("num_clusters".to_owned(), json!(running));
            object.insert("num_active_sessions".to_owned(), json!(0));
            object.insert(
                "jdbc_url".to_owned(),
                json!(format!(
                    "jdbc:spark://{host}/default;transportMode=http;ssl=0;AuthMech=3;httpPath=/sql/1.0/warehouses/{id};"
                )),
            );
            object.insert(
                "odbc_params".to_owned(),
                json!({"hostname": host, "path": format!("/sql/1.0/warehouses/{id}"), "protocol": "http", "port": 443}),
            );
            object.insert("health".to_owned(), json!({"status": "HEALTHY"}));
        }
        json
    }
}

fn missing(id: &str) -> ApiError {
    ApiError::does_not_exist(format!("SQL warehouse {id} does not exist."))
}

/// Runs `body` on a warehouse whose state is up to date.
fn with<T>(workspace: &Workspace, id: &str, body: impl FnOnce(&mut Warehouse) -> T) -> Result<T, ApiError> {
    let mut warehouses = lock(&workspace.warehouses);
    let warehouse = warehouses.by_id.get_mut(id).ok_or_else(|| missing(id))?;
    warehouse.settle(workspace.clock.now());
    Ok(body(warehouse))
}

/// Starts a stopped warehouse for a statement; gives the instant from which it runs.
pub(crate) fn wake(workspace: &Workspace, id: &str) -> Result<i64, ApiError> {
    let now = workspace.clock.now();
    with(workspace, id, |warehouse| match warehouse.state {
        State::Running => now,
        State::Starting(until) => until,
        State::Stopped | State::Stopping(_) => {
            let until = now + workspace.clock.lapse(START);
            warehouse.state = State::Starting(until);
            until
        }
    })
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("page_size")?, 100, 1000)?;
    let mut warehouses = lock(&workspace.warehouses);
    let now = workspace.clock.now();
    let all = warehouses.by_id.iter_mut().map(|(id, warehouse)| {
        warehouse.settle(now);
        warehouse.json(id, workspace)
    });
    let page = page::page(all.collect(), size, request.query("page_token"))?;
    let mut reply = json!({"warehouses": page.items});
    if let Some(next) = page.next {
        reply.set("next_page_token", json!(next));
    }
    Ok(Reply::json(reply))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("id");
    with(workspace, id, |warehouse| warehouse.json(id, workspace)).map(Reply::json)
}

fn default(workspace: &Workspace, _: &Request) -> Outcome {
    let id = lock(&workspace.warehouses).default.clone();
    let id = id.ok_or_else(|| ApiError::does_not_exist("There is no default warehouse."))?;
    with(workspace, &id, |warehouse| warehouse.json(&id, workspace)).map(Reply::json)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    check::settings(&fields)?;
    let name = fields.required_text("name")?;
    let size = fields.text("cluster_size")?.unwrap_or("Small");
    let mut warehouse = Warehouse::new(name, size, false);
    warehouse.settings.extend(fields.0.clone());
    warehouse.state = State::Starting(workspace.clock.now() + workspace.clock.lapse(START));
    let mut warehouses = lock(&workspace.warehouses);
    if warehouses.by_id.values().any(|other| other.settings.get("name").and_then(Value::as_str) == Some(name)) {
        return Err(ApiError::invalid_parameter(format!("SQL warehouse with name `{name}` already exists")));
    }
    let id = workspace.ids.hex16();
    warehouses.by_id.insert(id.clone(), warehouse);
    Ok(Reply::json(json!({"id": id})))
}

fn edit(workspace: &Workspace, request: &Request) -> Outcome {
    let mut fields = request.fields()?;
    check::settings(&fields)?;
    fields.0.remove("id");
    with(workspace, request.parameter("id"), |warehouse| warehouse.settings.extend(fields.0))?;
    Ok(Reply::nothing())
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("id");
    let mut warehouses = lock(&workspace.warehouses);
    warehouses.by_id.remove(id).ok_or_else(|| missing(id))?;
    if warehouses.default.as_deref() == Some(id) {
        warehouses.default = None;
    }
    Ok(Reply::nothing())
}

fn start(workspace: &Workspace, request: &Request) -> Outcome {
    wake(workspace, request.parameter("id"))?;
    Ok(Reply::nothing())
}

fn stop(workspace: &Workspace, request: &Request) -> Outcome {
    let until = workspace.clock.now() + workspace.clock.lapse(STOP);
    with(workspace, request.parameter("id"), |warehouse| {
        if warehouse.state != State::Stopped {
            warehouse.state = State::Stopping(until);
        }
    })?;
    Ok(Reply::nothing())
}
