//! Runs that are deleted and restored: one, those of some time, those of an experiment.

use serde_json::{Map, Value, json};

use super::experiments::EXPERIMENTS;
use super::runs::RUNS;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::workspace::Workspace;

/// So many runs are deleted or restored together.
const MOST_AT_ONCE: i64 = 10_000;

pub(super) fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    stage(workspace, request, "deleted")
}

pub(super) fn restore(workspace: &Workspace, request: &Request) -> Outcome {
    stage(workspace, request, "active")
}

fn stage(workspace: &Workspace, request: &Request, stage: &str) -> Outcome {
    set_stage(workspace, request.fields()?.required_text("run_id")?, stage)?;
    Ok(Reply::nothing())
}

fn set_stage(workspace: &Workspace, id: &str, stage: &str) -> Result<(), ApiError> {
    let now = workspace.clock.now();
    RUNS.change(workspace, id, |run| {
        if let Some(info) = run.get_mut("info") {
            info.set("lifecycle_stage", stage);
        }
        run.set("deleted", if stage == "deleted" { json!(now) } else { Value::Null });
        Ok(())
    })
}

pub(super) fn delete_before(workspace: &Workspace, request: &Request) -> Outcome {
    let latest = request.fields()?.required_integer("max_timestamp_millis")?;
    let count =
        restage(workspace, request, "deleted", |run| instant(run, "start_time").is_some_and(|at| at <= latest))?;
    Ok(Reply::json(json!({"runs_deleted": count})))
}

pub(super) fn restore_since(workspace: &Workspace, request: &Request) -> Outcome {
    let earliest = request.fields()?.required_integer("min_timestamp_millis")?;
    // A run that was not deleted has no time of that.
    let is_chosen = |run: &Value| run.at("deleted").as_i64().is_some_and(|at| at >= earliest);
    let count = restage(workspace, request, "active", is_chosen)?;
    Ok(Reply::json(json!({"runs_restored": count})))
}

fn instant(run: &Value, field: &str) -> Option<i64> {
    run.at("info").at(field).as_i64()
}

/// Deletes or restores the runs of an experiment for which the condition holds; says how many.
fn restage(
    workspace: &Workspace,
    request: &Request,
    stage: &str,
    is_chosen: impl Fn(&Value) -> bool,
) -> Result<usize, ApiError> {
    let fields = request.fields()?;
    let experiment = fields.required_text("experiment_id")?;
    EXPERIMENTS.get(workspace, experiment)?;
    let most = usize::try_from(fields.integer("max_runs")?.unwrap_or(MOST_AT_ONCE)).unwrap_or(0);
    let chosen: Vec<_> = RUNS
        .all(workspace)
        .into_iter()
        .filter(|run| run.at("info").text_at("experiment_id") == experiment)
        .filter(|run| run.at("info").text_at("lifecycle_stage") != stage && is_chosen(run))
        .take(most)
        .collect();
    for run in &chosen {
        set_stage(workspace, run.at("info").text_at("run_id"), stage)?;
    }
    Ok(chosen.len())
}

/// The runs of an experiment go where it goes.
pub(super) fn follow(workspace: &Workspace, experiment: &str, stage: &str) {
    for run in RUNS.all(workspace).iter().filter(|run| run.at("info").text_at("experiment_id") == experiment) {
        let mut info = run.at("info").clone();
        info.set("lifecycle_stage", stage);
        let info: Map<_, _> = [("info".to_owned(), info)].into_iter().collect();
        // A run that is gone by now needs no stage.
        let _ = RUNS.merge(workspace, run.at("info").text_at("run_id"), info);
    }
}
