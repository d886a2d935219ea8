//! Pipelines, their updates over time, and the events that tell of them.
//!
//! An update of a pipeline whose configuration has `sandbox.fail` fails with that text; one of a continuous pipeline runs
//! until it is stopped; all others succeed. Derived: the texts of events, how long each phase takes, and that an update
//! which is stopped is STOPPING for a while, in which no other one can be started.

pub(crate) mod tables;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::filter::Filter;
use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::text::rfc3339;
use crate::workspace::{USER, Workspace, lock};

/// Each of the phases before an update ends.
const PHASE: Lapse = Lapse::new(250, 15_000).in_demo(1_500);
/// How long an update takes to stop.
const STOP: Lapse = Lapse::new(300, 10_000);
/// Updates that a pipeline remembers.
const KEPT: usize = 30;
/// Sources of one pipeline: the documented limit for notebooks and files. Derived: the text of the refusal.
const MOST_LIBRARIES: usize = 100;
const PHASES: [&str; 4] = ["WAITING_FOR_RESOURCES", "INITIALIZING", "SETTING_UP_TABLES", "RUNNING"];

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/pipelines", list),
    route("POST", "/api/2.0/pipelines", create),
    route("GET", "/api/2.0/pipelines/{pipeline_id}", get),
    route("PUT", "/api/2.0/pipelines/{pipeline_id}", edit),
    route("DELETE", "/api/2.0/pipelines/{pipeline_id}", delete),
    route("POST", "/api/2.0/pipelines/{pipeline_id}/updates", start),
    route("GET", "/api/2.0/pipelines/{pipeline_id}/updates", updates),
    route("GET", "/api/2.0/pipelines/{pipeline_id}/updates/{update_id}", update),
    route("POST", "/api/2.0/pipelines/{pipeline_id}/stop", stop),
    route("GET", "/api/2.0/pipelines/{pipeline_id}/events", events),
];

#[derive(Debug, Clone)]
struct Update {
    id: String,
    started: i64,
    phase: i64,
    /// When it was told to stop, and when it has.
    stop: Option<(i64, i64)>,
    failure: Option<String>,
    /// Of a continuous pipeline: it ends when it is stopped.
    is_endless: bool,
    request: Map<String, Value>,
    /// Whether its tables were made, or it has ended without any.
    made: bool,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    settings: Map<String, Value>,
    modified: i64,
    /// Newest last.
    updates: Vec<Update>,
}

#[derive(Debug, Default)]
pub(crate) struct Pipelines(BTreeMap<String, Pipeline>);

impl Pipelines {
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// The id of the last update of a pipeline, and when it began.
    pub(crate) fn last_update(&self, id: &str) -> Option<(String, i64)> {
        let update = self.0.get(id)?.updates.last()?;
        Some((update.id.clone(), update.started))
    }

    /// Adds a pipeline that ran once, long ago.
    pub(crate) fn seed(&mut self, id: &str, settings: Value, update: &str, at: i64) {
        let mut pipeline = Pipeline::new(settings.as_object().cloned().unwrap_or_default(), at);
        let failure = pipeline.failure();
        let (id_of_update, phase) = (update.to_owned(), 20_000);
        pipeline.updates.push(Update {
            id: id_of_update,
            started: at,
            phase,
            stop: None,
            failure,
            is_endless: false,
            request: Map::new(),
            // The samples do not have its tables.
            made: true,
        });
        self.0.insert(id.to_owned(), pipeline);
    }
}

impl Update {
    fn end(&self) -> i64 {
        let end = if self.is_endless { i64::MAX } else { self.started + self.phase * 4 };
        self.stop.map_or(end, |(_, stopped)| stopped)
    }

    /// Until when it does what it was started for.
    fn works_until(&self) -> i64 {
        self.stop.map_or_else(|| self.end(), |(told, _)| told)
    }

    fn state(&self, now: i64) -> &'static str {
        if now >= self.end() {
            return match (self.stop, &self.failure) {
                (Some(_), _) => "CANCELED",
                (None, Some(_)) => "FAILED",
                (None, None) => "COMPLETED",
            };
        }
        if now >= self.works_until() {
            return "STOPPING";
        }
        let phase = (now - self.started) / self.phase.max(1);
        usize::try_from(phase).ok().and_then(|phase| PHASES.get(phase)).copied().unwrap_or("RUNNING")
    }

    fn json(&self, pipeline: &str, now: i64) -> Value {
        let mut json = json!({"pipeline_id": pipeline, "update_id": self.id, "state": self.state(now), "creation_time": self.started, "cause": "API_CALL", "full_refresh": false, "validate_only": false});
        for (name, value) in &self.request {
            json.set(name, value.clone());
        }
        json
    }
}

impl Pipeline {
    fn new(settings: Map<String, Value>, now: i64) -> Self {
        Self { settings, modified: now, updates: Vec::new() }
    }

    fn name(&self) -> &str {
        self.settings.get("name").and_then(Value::as_str).unwrap_or("")
    }

    fn failure(&self) -> Option<String> {
        let configuration = self.settings.get("configuration")?;
        Some(configuration.at("sandbox.fail").as_str()?.to_owned())
    }

    fn active(&self, now: i64) -> Option<&Update> {
        self.updates.last().filter(|update| now < update.end())
    }

    fn state(&self, now: i64) -> &'static str {
        match (self.active(now), self.updates.last()) {
            (Some(update), _) if update.state(now) == "STOPPING" => "STOPPING",
            (Some(_), _) => "RUNNING",
            (None, Some(last)) if last.state(now) == "FAILED" => "FAILED",
            _ => "IDLE",
        }
    }

    fn json(&self, id: &str, now: i64) -> Value {
        let latest: Vec<_> = self
            .updates
            .iter()
            .rev()
            .take(5)
            .map(|update| json!({"update_id": update.id, "state": update.state(now), "creation_time": rfc3339(update.started)}))
            .collect();
        let healthy = !matches!(self.updates.last(), Some(last) if last.state(now) == "FAILED");
        json!({"pipeline_id": id, "name": self.name(), "state": self.state(now), "creator_user_name": USER, "run_as_user_name": USER,
            "health": if healthy { "HEALTHY" } else { "UNHEALTHY" }, "latest_updates": latest, "last_modified": self.modified})
    }

    /// The catalog and the schema that its tables are in.
    fn place(&self) -> [String; 2] {
        let place = |name| self.settings.get(name).and_then(Value::as_str).map(str::to_owned);
        let catalog = place("catalog").unwrap_or_else(|| "main".to_owned());
        let schema = place("schema").or_else(|| place("target")).unwrap_or_else(|| "default".to_owned());
        [catalog, schema]
    }

    fn tables(&self) -> Vec<String> {
        let place = self.place().join(".");
        ["bronze_orders", "silver_orders"].map(|table| format!("{place}.{table}")).into()
    }

    /// What happened so far, oldest first.
    fn events(&self, id: &str, now: i64) -> Vec<Value> {
        let mut events = Vec::new();
        for update in &self.updates {
            let mut add = |at: i64, kind: &str, level: &str, message: String, flow: Option<&str>| {
                if at > now {
                    return;
                }
                let mut origin = json!({"pipeline_id": id, "pipeline_name": self.name(), "update_id": update.id});
                if let Some(flow) = flow {
                    origin.set("flow_name", json!(flow));
                }
                let mut event = json!({"id": format!("{}-{}", update.id, events.len()), "timestamp": rfc3339(at), "event_type": kind, "level": level, "message": message, "maturity_level": "STABLE", "origin": origin});
                if let Some(failure) = update.failure.as_ref().filter(|_| level == "ERROR") {
                    event.set("error", json!({"fatal": true, "exceptions": [{"class_name": "org.apache.spark.sql.streaming.StreamingQueryException", "message": failure}]}));
                }
                events.push(event);
            };
            let short: String = update.id.chars().take(6).collect();
            add(update.started, "create_update", "INFO", format!("Update {short} started by API call."), None);
            let reached = |at: i64| at < update.works_until();
            for (index, phase) in PHASES.iter().enumerate() {
                let at = update.started + update.phase * i64::try_from(index).unwrap_or(0);
                if reached(at) {
                    add(at, "update_progress", "INFO", format!("Update {short} is {phase}."), None);
                }
            }
            let running = update.started + update.phase * 3;
            for table in self.tables().iter().filter(|_| reached(running)) {
                add(running, "flow_progress", "INFO", format!("Flow '{table}' is RUNNING."), Some(table));
            }
            if let Some((told, _)) = update.stop {
                add(told, "update_progress", "INFO", format!("Update {short} is STOPPING."), None);
            } else {
                for table in self.tables() {
                    let (level, state) =
                        if update.failure.is_some() { ("ERROR", "FAILED") } else { ("INFO", "COMPLETED") };
                    add(update.end(), "flow_progress", level, format!("Flow '{table}' has {state}."), Some(&table));
                    if update.failure.is_some() {
                        break;
                    }
                }
            }
            let state = update.state(i64::MAX);
            let level = if state == "FAILED" { "ERROR" } else { "INFO" };
            add(update.end(), "update_progress", level, format!("Update {short} is {state}."), None);
        }
        events
    }
}

fn missing(id: &str) -> ApiError {
    ApiError::does_not_exist(format!("The specified pipeline {id} was not found."))
}

fn with<T>(
    workspace: &Workspace,
    request: &Request,
    body: impl FnOnce(&mut Pipeline, &str, i64) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let id = request.parameter("pipeline_id");
    let now = workspace.clock.now();
    let mut pipelines = lock(&workspace.pipelines);
    body(pipelines.0.get_mut(id).ok_or_else(|| missing(id))?, id, now)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("max_results")?, 25, 100)?;
    let filter = Filter::read(request.query("filter").unwrap_or_default())?;
    let now = workspace.clock.now();
    let pipelines = lock(&workspace.pipelines);
    let found = pipelines.0.iter().filter(|(_, pipeline)| {
        let libraries = || pipeline.settings.get("libraries").and_then(Value::as_array).into_iter().flatten();
        filter.passes(|key| match key.name.as_str() {
            "name" => Some(json!(pipeline.name())),
            // Of several notebooks the first counts.
            "notebook" => libraries().find_map(|library| Some(library.at("notebook").get("path")?.clone())),
            _ => None,
        })
    });
    let told = found.map(|(id, pipeline)| pipeline.json(id, now).without(&["last_modified"]));
    page::told("statuses", told.collect(), size, request.query("page_token"))
}

fn check(fields: &Fields) -> Result<(), ApiError> {
    match fields.array("libraries")?.len() {
        0..=MOST_LIBRARIES => Ok(()),
        given => Err(ApiError::invalid_parameter(format!(
            "A pipeline can have at most {MOST_LIBRARIES} libraries, and {given} were given."
        ))),
    }
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    check(&fields)?;
    let mut settings = fields.0;
    if settings.remove("dry_run") == Some(json!(true)) {
        return Ok(Reply::json(json!({"effective_settings": settings})));
    }
    let mut pipelines = lock(&workspace.pipelines);
    let allowed = settings.remove("allow_duplicate_names") == Some(json!(true));
    let name = settings.get("name").and_then(Value::as_str).unwrap_or_default();
    let duplicate = pipelines.0.values().any(|pipeline| pipeline.name() == name);
    if duplicate && !allowed {
        return Err(ApiError::new(
            409,
            "RESOURCE_CONFLICT",
            format!("The pipeline name '{name}' is already used by another pipeline."),
        ));
    }
    let id = workspace.ids.uuid();
    pipelines.0.insert(id.clone(), Pipeline::new(settings, workspace.clock.now()));
    Ok(Reply::json(json!({"pipeline_id": id})))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    with(workspace, request, |pipeline, id, now| {
        let mut json = pipeline.json(id, now);
        let mut spec = Value::Object(pipeline.settings.clone());
        spec.set("id", json!(id));
        json.set("spec", spec);
        Ok(Reply::json(json))
    })
}

fn edit(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    check(&fields)?;
    let mut settings = fields.0;
    for name in ["pipeline_id", "id", "allow_duplicate_names", "expected_last_modified"] {
        settings.remove(name);
    }
    with(workspace, request, |pipeline, _, now| {
        pipeline.settings = settings;
        pipeline.modified = now;
        Ok(Reply::nothing())
    })
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("pipeline_id");
    lock(&workspace.pipelines).0.remove(id).map(|_| Reply::nothing()).ok_or_else(|| missing(id))
}

fn start(workspace: &Workspace, request: &Request) -> Outcome {
    let asked = request.fields()?.0;
    let phase = workspace.clock.lapse(PHASE);
    with(workspace, request, |pipeline, id, now| {
        if let Some(active) = pipeline.active(now) {
            return Err(ApiError::new(
                409,
                "CONFLICT",
                format!("An active update {} already exists for pipeline '{id}'.", active.id),
            ));
        }
        let update = Update {
            id: workspace.ids.uuid(),
            started: now,
            phase,
            stop: None,
            failure: pipeline.failure(),
            is_endless: pipeline.settings.get("continuous") == Some(&json!(true))
                && asked.get("validate_only") != Some(&json!(true)),
            request: asked,
            made: false,
        };
        let reply = json!({"update_id": update.id});
        if pipeline.updates.len() >= KEPT {
            pipeline.updates.remove(0);
        }
        pipeline.updates.push(update);
        Ok(Reply::json(reply))
    })
}

fn updates(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("max_results")?, 25, 100)?;
    with(workspace, request, |pipeline, id, now| {
        let all = pipeline.updates.iter().rev().map(|update| update.json(id, now)).collect();
        let page = page::page(all, size, request.query("page_token"))?;
        let mut reply = json!({"updates": page.items});
        for (name, token) in [("next_page_token", page.next), ("prev_page_token", page.previous)] {
            if let Some(token) = token {
                reply.set(name, json!(token));
            }
        }
        Ok(Reply::json(reply))
    })
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let wanted = request.parameter("update_id");
    with(workspace, request, |pipeline, id, now| {
        let update = pipeline.updates.iter().find(|update| update.id == wanted);
        let update = update.ok_or_else(|| ApiError::does_not_exist(format!("The update {wanted} was not found.")))?;
        Ok(Reply::json(json!({"update": update.json(id, now)})))
    })
}

fn stop(workspace: &Workspace, request: &Request) -> Outcome {
    let lapse = workspace.clock.lapse(STOP);
    with(workspace, request, |pipeline, _, now| {
        // Told once more, it stops no later.
        if let Some(update) = pipeline.updates.last_mut().filter(|update| now < update.works_until()) {
            update.stop = Some((now, now + lapse));
        }
        Ok(Reply::nothing())
    })
}

fn events(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("max_results")?, 25, 250)?;
    let filter = Filter::read(request.query("filter").unwrap_or_default())?;
    let ascending = request.query_all("order_by").any(|order| order.contains("asc"));
    with(workspace, request, |pipeline, id, now| {
        let mut all = pipeline.events(id, now);
        all.retain(|event| filter.passes(|key| Some(event.at(&key.name).clone()).filter(|value| !value.is_null())));
        if !ascending {
            all.reverse();
        }
        page::told("events", all, size, request.query("page_token"))
    })
}
