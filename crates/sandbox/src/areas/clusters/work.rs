//! What runs of jobs do with clusters: they start them, make their own, and let them go.
//!
//! Derived: the events of a cluster whose driver dies, and that the cloud of the sandbox has no nodes of
//! [`NOT_FOR_SALE`].

use serde_json::{Map, Value, json};

use super::life::{Cluster, State};
use super::{START, missing};
use crate::areas::tasks::Done;
use crate::workspace::{Workspace, lock};

/// Terminated clusters of runs that are remembered.
const KEPT: usize = 100;
/// Clusters of this node type cannot be launched.
const NOT_FOR_SALE: &str = "p3.2xlarge";
pub(super) const NO_NODES: &str = "The instance type is not available in this zone.";

/// Whether a cluster of these settings will not start.
pub(super) fn is_doomed(settings: &Map<String, Value>) -> bool {
    ["node_type_id", "driver_node_type_id"]
        .iter()
        .any(|name| settings.get(*name).is_some_and(|node| node == NOT_FOR_SALE))
}

fn broken(message: String) -> Done {
    Done::refused("CLUSTER_ERROR", message)
}

/// Makes sure that a cluster runs, or will: the instant at which it does.
pub(crate) fn attach(workspace: &Workspace, id: &str, at: i64) -> Result<i64, Box<Done>> {
    let mut clusters = lock(&workspace.clusters);
    let cluster = clusters.0.get_mut(id).ok_or_else(|| Box::new(broken(format!("Cluster {id} does not exist"))))?;
    cluster.settle(workspace.clock.now());
    match cluster.state {
        State::Running | State::Resizing => Ok(at),
        State::Pending | State::Restarting => Ok(cluster.due().unwrap_or(at)),
        State::Terminating | State::Terminated | State::Error => {
            let ready = at + workspace.clock.lapse(START);
            cluster.launch(at, ready);
            Ok(ready)
        }
    }
}

/// The cluster that a run makes for some of its tasks, and the instant at which it runs.
pub(crate) fn of_run(workspace: &Workspace, owner: (i64, String), name: &str, spec: &Value, at: i64) -> (String, i64) {
    let mut clusters = lock(&workspace.clusters);
    if let Some((id, cluster)) = clusters
        .0
        .iter()
        .find(|(_, cluster)| cluster.of_run.as_ref() == Some(&owner) && cluster.state != State::Terminated)
    {
        return (id.clone(), cluster.due().unwrap_or(at));
    }
    let mut settings = spec.as_object().cloned().unwrap_or_default();
    settings.insert("cluster_name".to_owned(), json!(name));
    settings.insert("cluster_source".to_owned(), json!("JOB"));
    let ready = at + workspace.clock.lapse(START);
    let mut cluster = Cluster::new(settings, State::Pending, at);
    cluster.of_run = Some(owner);
    cluster.launch(at, ready);
    let id = workspace.ids.cluster(at);
    clusters.0.insert(id.clone(), cluster);
    // Clusters of runs are forgotten after a time; those that a person made stay.
    let ended = clusters.0.iter().filter(|(_, known)| known.of_run.is_some() && known.state == State::Terminated);
    let mut ended: Vec<_> = ended.map(|(id, known)| (known.started, id.clone())).collect();
    if ended.len() > KEPT {
        ended.sort_unstable();
        for (_, id) in ended.into_iter().take(KEPT / 10) {
            clusters.0.remove(&id);
        }
    }
    (id, ready)
}

/// Lets go of the clusters that a run has made.
pub(crate) fn release(workspace: &Workspace, run: i64, at: i64) {
    let now = workspace.clock.now();
    for cluster in lock(&workspace.clusters).0.values_mut() {
        cluster.settle(now);
        let is_up = !matches!(cluster.state, State::Terminated | State::Error);
        if is_up && cluster.of_run.as_ref().is_some_and(|(owner, _)| *owner == run) {
            cluster.end(at, json!({"code": "JOB_FINISHED", "type": "SUCCESS"}));
        }
    }
}

/// Why a task cannot run on its cluster, now that it should be there.
pub(crate) fn failure(workspace: &Workspace, id: &str) -> Option<Done> {
    let mut clusters = lock(&workspace.clusters);
    let Some(cluster) = clusters.0.get_mut(id) else { return Some(broken(format!("Cluster {id} does not exist"))) };
    cluster.settle(workspace.clock.now());
    match cluster.state {
        State::Error => Some(launch_failure(id)),
        State::Terminated | State::Terminating => Some(broken(format!("Cluster '{id}' was terminated."))),
        State::Pending | State::Running | State::Restarting | State::Resizing => None,
    }
}

/// How a task ends whose cluster could not be launched.
pub(crate) fn launch_failure(id: &str) -> Done {
    let done = broken(format!("Cluster '{id}' could not be launched: CLOUD_PROVIDER_LAUNCH_FAILURE. {NO_NODES}"));
    Done { code: "CLOUD_FAILURE", kind: "CLOUD_FAILURE", ..done }
}

/// Tells of a launch that failed; for seeds.
pub(crate) fn not_launched(workspace: &Workspace, id: &str, at: i64) {
    if let Some(cluster) = lock(&workspace.clusters).0.get_mut(id) {
        cluster.not_launched(at);
    }
}

/// The driver of a cluster has died of what ran on it.
pub(crate) fn driver_died(workspace: &Workspace, id: &str, at: i64) {
    if let Some(cluster) = lock(&workspace.clusters).0.get_mut(id) {
        let message = "The driver ran out of memory and is restarting";
        cluster.event(at, "DRIVER_NOT_RESPONDING", json!({"driver_state_message": message}));
        cluster.event(at, "DRIVER_UNAVAILABLE", json!({"driver_state_message": message}));
    }
}

/// Since when a cluster runs; an error if it does not exist or run.
pub(crate) fn running_since(workspace: &Workspace, id: &str) -> Result<Option<i64>, crate::error::ApiError> {
    let mut clusters = lock(&workspace.clusters);
    let cluster = clusters.0.get_mut(id).ok_or_else(|| missing(id))?;
    cluster.settle(workspace.clock.now());
    Ok(matches!(cluster.state, State::Running | State::Resizing).then_some(cluster.started))
}
