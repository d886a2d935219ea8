//! SQL warehouses and their states.
//!
//! One with the custom tag `sandbox.fail` cannot be started: halfway its health says so, with the text of the tag, and at
//! the end it is STOPPED again. Derived: the texts of errors, fields of a warehouse that no recording shows, how a start
//! fails, and that one which is deleted is DELETING and then DELETED for a while, though in no list any more.

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
/// The key of the tag of warehouses that cannot be started.
const DOOM: &str = "sandbox.fail";
const NOT_LAUNCHED: &str = "Clusters are failing to launch. Details for the latest failure: ";
const DELETED: &str = "The SQL warehouse was deleted before the statement could run.";

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
    Deleting(i64),
    /// As such it is seen until this instant.
    Deleted(i64),
}

/// What a statement is to do that waits for its warehouse.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Now,
    At(i64),
    /// It will not run: why.
    Never(String),
}

#[derive(Debug)]
pub(crate) struct Warehouse {
    state: State,
    settings: Map<String, Value>,
    /// Whether its last start failed.
    has_failed: bool,
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
        Self { state, settings: settings.as_object().cloned().unwrap_or_default(), has_failed: false }
    }

    /// Sets it to a state that lasts; for seeds.
    pub(crate) fn rest(&mut self, running: bool) {
        self.state = if running { State::Running } else { State::Stopped };
    }

    pub(crate) fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    fn name(&self) -> &str {
        self.settings.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    /// Why it cannot be started, by its tag.
    fn doom(&self) -> Option<&str> {
        let tags = self.settings.get("tags")?.at("custom_tags").as_array()?;
        tags.iter().find(|tag| tag.at("key") == DOOM)?.at("value").as_str()
    }

    /// Lets what is due happen; `lapse` is how long a start takes.
    fn settle(&mut self, now: i64, lapse: i64) {
        match self.state {
            State::Starting(until) if self.doom().is_some() => {
                self.has_failed = now >= until - lapse / 2;
                if now >= until {
                    self.state = State::Stopped;
                }
            }
            State::Starting(until) if now >= until => self.state = State::Running,
            State::Stopping(until) if now >= until => self.state = State::Stopped,
            State::Deleting(until) if now >= until => self.state = State::Deleted(until + lapse),
            _ => {}
        }
    }

    fn begin(&mut self, until: i64) {
        self.state = State::Starting(until);
        self.has_failed = false;
    }

    /// Whether it is there no more, or soon will not be.
    pub(crate) fn is_going(&self) -> bool {
        matches!(self.state, State::Deleting(_) | State::Deleted(_))
    }

    /// As a whole, in the words of the API.
    fn health(&self) -> Value {
        match self.doom().filter(|_| self.has_failed) {
            None => json!({"status": "HEALTHY"}),
            Some(why) => json!({
                "status": "FAILED", "summary": "Clusters are failing to launch.", "details": why,
                "failure_reason": {"code": "CLOUD_PROVIDER_LAUNCH_FAILURE", "type": "CLOUD_FAILURE",
                    "parameters": {"databricks_error_message": why}},
            }),
        }
    }

    fn json(&self, id: &str, workspace: &Workspace) -> Value {
        let state = match self.state {
            State::Running => "RUNNING",
            State::Stopped => "STOPPED",
            State::Starting(_) => "STARTING",
            State::Stopping(_) => "STOPPING",
            State::Deleting(_) => "DELETING",
            State::Deleted(_) => "DELETED",
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
            object.insert("health".to_owned(), self.health());
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
    settle(workspace, &mut warehouses);
    let warehouse = warehouses.by_id.get_mut(id).ok_or_else(|| missing(id))?;
    Ok(body(warehouse))
}

/// Brings all warehouses up to date, and forgets those that are long deleted.
fn settle(workspace: &Workspace, warehouses: &mut Warehouses) {
    let (now, lapse) = (workspace.clock.now(), workspace.clock.lapse(START));
    warehouses.by_id.values_mut().for_each(|warehouse| warehouse.settle(now, lapse));
    warehouses.by_id.retain(|_, warehouse| !matches!(warehouse.state, State::Deleted(until) if now >= until));
}

/// Starts a stopped warehouse for a statement; gives the instant from which it runs.
pub(crate) fn wake(workspace: &Workspace, id: &str) -> Result<i64, ApiError> {
    let now = workspace.clock.now();
    with(workspace, id, |warehouse| match warehouse.state {
        State::Running => Ok(now),
        State::Starting(until) => Ok(until),
        State::Stopped | State::Stopping(_) => {
            let until = now + workspace.clock.lapse(START);
            warehouse.begin(until);
            Ok(until)
        }
        State::Deleting(_) | State::Deleted(_) => {
            Err(ApiError::invalid_state(format!("SQL warehouse {id} is being deleted or is deleted.")))
        }
    })?
}

/// Whether a statement that has waited for its warehouse can run now.
pub(crate) fn readiness(workspace: &Workspace, id: &str) -> Readiness {
    let readiness = with(workspace, id, |warehouse| match (warehouse.state, warehouse.doom()) {
        (State::Running, _) => Readiness::Now,
        (State::Starting(until), _) => Readiness::At(until),
        (State::Stopped, Some(why)) if warehouse.has_failed => Readiness::Never(format!("{NOT_LAUNCHED}{why}")),
        (State::Stopped | State::Stopping(_), _) => {
            Readiness::Never("The SQL warehouse was stopped before the statement could run.".to_owned())
        }
        (State::Deleting(_) | State::Deleted(_), _) => Readiness::Never(DELETED.to_owned()),
    });
    readiness.unwrap_or_else(|_| Readiness::Never(DELETED.to_owned()))
}

/// Why a warehouse that does not run never will, if it is such a one.
pub(crate) fn doom(workspace: &Workspace, id: &str) -> Option<String> {
    let why = |warehouse: &mut Warehouse| {
        warehouse.doom().filter(|_| warehouse.state != State::Running).map(|why| format!("{NOT_LAUNCHED}{why}"))
    };
    with(workspace, id, why).ok()?
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("page_size")?, 100, 1000)?;
    let mut warehouses = lock(&workspace.warehouses);
    settle(workspace, &mut warehouses);
    let there = warehouses.by_id.iter().filter(|(_, warehouse)| !warehouse.is_going());
    let all = there.map(|(id, warehouse)| warehouse.json(id, workspace));
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
    warehouse.begin(workspace.clock.now() + workspace.clock.lapse(START));
    let mut warehouses = lock(&workspace.warehouses);
    settle(workspace, &mut warehouses);
    if warehouses.by_id.values().any(|other| other.name() == name && !other.is_going()) {
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
    let until = workspace.clock.now() + workspace.clock.lapse(STOP);
    with(workspace, id, |warehouse| {
        if !warehouse.is_going() {
            warehouse.state = State::Deleting(until);
        }
    })?;
    super::statements::interrupt(workspace, id);
    let mut warehouses = lock(&workspace.warehouses);
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
    let (id, until) = (request.parameter("id"), workspace.clock.now() + workspace.clock.lapse(STOP));
    with(workspace, id, |warehouse| {
        if !matches!(warehouse.state, State::Stopped | State::Stopping(_)) && !warehouse.is_going() {
            warehouse.state = State::Stopping(until);
        }
    })?;
    super::statements::interrupt(workspace, id);
    Ok(Reply::nothing())
}
