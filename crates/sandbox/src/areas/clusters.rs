//! Clusters and their life cycle.
//!
//! Derived: events' details, and the texts of errors other than a missing cluster's.

mod check;
mod life;
mod size;
mod work;

use serde_json::{Map, Value, json};

use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace, lock};
pub(crate) use life::{Cluster, Clusters, State};
pub(crate) use work::{attach, driver_died, failure, launch_failure, not_launched, of_run, release, running_since};

const START: Lapse = Lapse::new(1_000, 180_000);
const RESTART: Lapse = Lapse::new(800, 60_000);
const TERMINATE: Lapse = Lapse::new(400, 20_000);

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/clusters/list", list),
    route("GET", "/api/2.1/clusters/get", get),
    route("POST", "/api/2.1/clusters/create", create),
    route("POST", "/api/2.1/clusters/edit", edit),
    route("POST", "/api/2.1/clusters/start", start),
    route("POST", "/api/2.1/clusters/restart", restart),
    route("POST", "/api/2.1/clusters/delete", terminate),
    route("POST", "/api/2.1/clusters/permanent-delete", remove),
    route("POST", "/api/2.1/clusters/events", events),
    route("POST", "/api/2.1/clusters/pin", pin),
    route("POST", "/api/2.1/clusters/unpin", unpin),
    route("POST", "/api/2.1/clusters/resize", size::resize),
    route("POST", "/api/2.1/clusters/update", size::update),
    route("POST", "/api/2.1/clusters/change-owner", size::change_owner),
    route("GET", "/api/2.0/clusters/list", list),
    route("GET", "/api/2.0/clusters/get", get),
    route("POST", "/api/2.0/clusters/create", create),
    route("POST", "/api/2.0/clusters/edit", edit),
    route("POST", "/api/2.0/clusters/start", start),
    route("POST", "/api/2.0/clusters/restart", restart),
    route("POST", "/api/2.0/clusters/delete", terminate),
    route("POST", "/api/2.0/clusters/permanent-delete", remove),
    route("POST", "/api/2.0/clusters/events", events),
    route("POST", "/api/2.0/clusters/pin", pin),
    route("POST", "/api/2.0/clusters/unpin", unpin),
    route("POST", "/api/2.0/clusters/resize", size::resize),
    route("POST", "/api/2.0/clusters/update", size::update),
    route("POST", "/api/2.0/clusters/change-owner", size::change_owner),
];

fn missing(id: &str) -> ApiError {
    ApiError::invalid_parameter(format!("Cluster {id} does not exist"))
}

fn with<T>(
    workspace: &Workspace,
    id: &str,
    body: impl FnOnce(&mut Cluster, i64) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let now = workspace.clock.now();
    let mut clusters = lock(&workspace.clusters);
    let cluster = clusters.0.get_mut(id).ok_or_else(|| missing(id))?;
    cluster.settle(now);
    body(cluster, now)
}

/// Whether commands can run on a cluster now.
pub(crate) fn is_running(workspace: &Workspace, id: &str) -> bool {
    with(workspace, id, |cluster, _| Ok(matches!(cluster.state, State::Running | State::Resizing))).unwrap_or(false)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("page_size")?, 100, 100)?;
    let now = workspace.clock.now();
    let states: Vec<_> = request.query_all("filter_by.cluster_states").collect();
    let sources: Vec<_> = request.query_all("filter_by.cluster_sources").collect();
    let pinned = request
        .query("filter_by.is_pinned")
        .is_some()
        .then(|| request.query_flag("filter_by.is_pinned"))
        .transpose()?;
    let mut clusters = lock(&workspace.clusters);
    let mut all = Vec::new();
    for (id, cluster) in &mut clusters.0 {
        cluster.settle(now);
        let json = cluster.json(id);
        let source = json.at("cluster_source").as_str().unwrap_or_default();
        let wanted = (states.is_empty() || states.contains(&cluster.state.name()))
            && (sources.is_empty() || sources.contains(&source))
            && pinned.is_none_or(|pinned| pinned == cluster.pinned);
        if wanted {
            all.push(json);
        }
    }
    let page = page::page(all, size, request.query("page_token"))?;
    let mut reply = json!({"clusters": page.items});
    if let Some(next) = page.next {
        reply.set("next_page_token", json!(next));
    }
    if let Some(previous) = page.previous {
        reply.set("prev_page_token", json!(previous));
    }
    Ok(Reply::json(reply))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.required_query("cluster_id")?;
    with(workspace, id, |cluster, _| Ok(Reply::json(cluster.json(id))))
}

fn settings(workspace: &Workspace, fields: Fields) -> Result<Map<String, Value>, ApiError> {
    let defaults = fields.flag("apply_policy_default_values")?;
    let mut settings = fields.0;
    settings.remove("cluster_id");
    settings.remove("apply_policy_default_values");
    check::settings(workspace, &mut settings, defaults)?;
    Ok(settings)
}

fn unexpected(id: &str, state: State) -> ApiError {
    ApiError::invalid_state(format!("Cluster {id} is in unexpected state {}.", state.name()))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let settings = settings(workspace, request.fields()?)?;
    let now = workspace.clock.now();
    let mut cluster = Cluster::new(settings, State::Pending, now);
    cluster.settings.entry("cluster_source").or_insert_with(|| json!("API"));
    let to = if work::is_doomed(&cluster.settings) { State::Error } else { State::Running };
    cluster.go(State::Pending, to, now + workspace.clock.lapse(START));
    let id = workspace.ids.cluster(now);
    lock(&workspace.clusters).0.insert(id.clone(), cluster);
    Ok(Reply::json(json!({"cluster_id": id})))
}

fn edit(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("cluster_id")?.to_owned();
    let settings = settings(workspace, fields)?;
    let lapse = workspace.clock.lapse(RESTART);
    with(workspace, &id, |cluster, now| {
        if !matches!(cluster.state, State::Running | State::Terminated) {
            return Err(unexpected(&id, cluster.state));
        }
        let source = cluster.settings.get("cluster_source").cloned();
        cluster.settings = settings;
        if let Some(source) = source {
            cluster.settings.insert("cluster_source".to_owned(), source);
        }
        cluster.event(now, "EDITED", json!({"user": USER}));
        if cluster.state == State::Running {
            cluster.go(State::Restarting, State::Running, now + lapse);
        }
        Ok(Reply::nothing())
    })
}

fn id_of(request: &Request) -> Result<String, ApiError> {
    Ok(request.fields()?.required_text("cluster_id")?.to_owned())
}

fn start(workspace: &Workspace, request: &Request) -> Outcome {
    let id = id_of(request)?;
    let lapse = workspace.clock.lapse(START);
    with(workspace, &id, |cluster, now| match cluster.state {
        State::Terminated | State::Error => {
            cluster.launch(now, now + lapse);
            super::libraries::restarted(workspace, &id);
            Ok(Reply::nothing())
        }
        state => Err(unexpected(&id, state)),
    })
}

fn restart(workspace: &Workspace, request: &Request) -> Outcome {
    let id = id_of(request)?;
    let lapse = workspace.clock.lapse(RESTART);
    with(workspace, &id, |cluster, now| match cluster.state {
        State::Running => {
            cluster.event(now, "RESTARTING", json!({"user": USER}));
            cluster.go(State::Restarting, State::Running, now + lapse);
            super::libraries::restarted(workspace, &id);
            Ok(Reply::nothing())
        }
        state => Err(unexpected(&id, state)),
    })
}

fn terminate(workspace: &Workspace, request: &Request) -> Outcome {
    let id = id_of(request)?;
    let lapse = workspace.clock.lapse(TERMINATE);
    with(workspace, &id, |cluster, now| {
        if !matches!(cluster.state, State::Terminated | State::Terminating) {
            let reason = json!({"code": "USER_REQUEST", "type": "SUCCESS", "parameters": {"username": USER}});
            cluster.event(now, "TERMINATING", json!({"reason": reason}));
            cluster.reason = Some(reason);
            cluster.go(State::Terminating, State::Terminated, now + lapse);
        }
        Ok(Reply::nothing())
    })
}

fn remove(workspace: &Workspace, request: &Request) -> Outcome {
    let id = id_of(request)?;
    lock(&workspace.clusters).0.remove(&id).map(|_| Reply::nothing()).ok_or_else(|| missing(&id))
}

fn pin(workspace: &Workspace, request: &Request) -> Outcome {
    with(workspace, &id_of(request)?, |cluster, now| {
        cluster.pinned = true;
        cluster.event(now, "PINNED", json!({"user": USER}));
        Ok(Reply::nothing())
    })
}

fn unpin(workspace: &Workspace, request: &Request) -> Outcome {
    with(workspace, &id_of(request)?, |cluster, now| {
        cluster.pinned = false;
        cluster.event(now, "UNPINNED", json!({"user": USER}));
        Ok(Reply::nothing())
    })
}

fn events(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("cluster_id")?;
    let size = page::size(fields.integer("page_size")?.or(fields.integer("limit")?), 50, 500)?;
    let from = fields.integer("start_time")?.unwrap_or(i64::MIN);
    let to = fields.integer("end_time")?.unwrap_or(i64::MAX);
    let kinds = fields.array("event_types")?;
    let ascending = fields.text("order")? == Some("ASC");
    let token = fields.text("page_token")?;
    with(workspace, id, |cluster, _| {
        let mut found: Vec<_> = cluster
            .events
            .iter()
            .filter(|event| event.at("timestamp").as_i64().is_some_and(|at| (from..=to).contains(&at)))
            .filter(|event| kinds.is_empty() || kinds.contains(event.at("type")))
            .collect();
        // A run tells of the past when it is looked at.
        found.sort_by_key(|event| event.at("timestamp").as_i64());
        if !ascending {
            found.reverse();
        }
        let total = found.len();
        let page = page::page(found, size, token)?;
        let told = page.items.into_iter().cloned().map(|mut event| {
            event.set("cluster_id", json!(id));
            event
        });
        let mut reply = json!({"events": told.collect::<Vec<_>>(), "total_count": total});
        if let Some(next) = page.next {
            // The whole next request, as the SDK sends it; `next_page_token` is the newer form.
            let mut request = Value::Object(fields.0.clone());
            request.set("page_token", json!(next));
            reply.set("next_page", request);
            reply.set("next_page_token", json!(next));
        }
        Ok(Reply::json(reply))
    })
}
