//! `diagnose_run`: why a run failed, what changed since it last succeeded, what to do next.

use databricks::types::{Run, RunTask};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::compute::cluster_events;
use crate::domain::runs::root_cause::{self, Cause};
use crate::domain::runs::summary::{self, failures, result, summary, task};
use crate::domain::runs::{changes, run};
use crate::error::Error;
use crate::input::Identifier;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// The answer names no more failures and tasks that were not run than this.
const MOST_TASKS: usize = 10;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Id of a run, or of one task of it, from `list_job_runs` or `get_run`.
    run_id: Identifier,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let Identifier(run_id) = input.run_id;
    let mut run = run::get(&context, run_id, false).await?;
    let mut run_id = run_id;
    // A task alone does not tell what failed before it.
    if let Some(parent) = run.job_run_id.filter(|parent| run.tasks.is_empty() && *parent != run_id && *parent > 0) {
        (run, run_id) = (run::get(&context, parent, false).await?, parent);
    }
    let mut answer = summary(run_id, &run);
    let failures = failures(&run);
    let has_failed = !failures.is_empty() || (run::is_over(&run) && !run::succeeded(&run));
    if !run::is_over(&run) {
        shape::put(&mut answer, "still_running", true);
    }
    if !has_failed {
        let hint = if run::is_over(&run) {
            "nothing failed: the run succeeded"
        } else {
            "nothing has failed so far; wait for it with `wait_for_run`"
        };
        shape::put(&mut answer, "hint", hint);
        return Ok(answer);
    }
    let mut notes = Vec::new();
    let cause = match failures.first() {
        Some(first) => Some(root_cause::find(&context, first, &mut notes).await),
        None => None,
    };
    if let Some(cause) = &cause {
        shape::put(&mut answer, "first_failure", cause.shown(context.budget.characters / 3));
    }
    add_other_causes(&mut answer, &run, &failures);
    add_cluster_events(&context, &mut answer, cause.as_ref(), &mut notes).await;
    match changes::since_last_success(&context, run_id, &run).await {
        Ok(Some(changes)) => shape::put(&mut answer, "since_last_success", changes),
        Ok(None) => {}
        Err(error) => notes.push(format!("the earlier runs could not be compared: {error}")),
    }
    shape::put(&mut answer, "next_step", next_step(&run, cause.as_ref()));
    if !notes.is_empty() {
        shape::put(&mut answer, "notes", notes);
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "see all of it with `get_run_output`");
    Ok(answer)
}

fn add_other_causes(answer: &mut Value, run: &Run, failures: &[&RunTask]) {
    let others: Vec<_> = failures.iter().skip(1).take(MOST_TASKS).map(|other| task(other)).collect();
    if !others.is_empty() {
        shape::put(answer, "other_failures", others);
    }
    let latest = run::latest(&run.tasks);
    let idle = latest.iter().filter(|task| result(task.state.as_ref()).starts_with("UPSTREAM_"));
    let idle: Vec<_> = idle.filter_map(|task| task.task_key.clone()).collect();
    if !idle.is_empty() {
        let more = idle.len().saturating_sub(MOST_TASKS);
        let mut shown: Vec<_> = idle.into_iter().take(MOST_TASKS).collect();
        if more > 0 {
            shown.push(format!("and {more} more"));
        }
        shape::put(answer, "not_run_because_of_it", shown);
    }
}

async fn add_cluster_events(context: &Context, answer: &mut Value, cause: Option<&Cause>, notes: &mut Vec<String>) {
    let Some(cause) = cause else { return };
    let task = &cause.task;
    let instance = task.cluster_instance.as_ref().and_then(|cluster| cluster.cluster_id.clone());
    let Some(cluster_id) = instance.or_else(|| task.existing_cluster_id.clone()) else { return };
    match cluster_events::around(context, &cluster_id, task.start_time, task.end_time).await {
        Ok(cluster) => shape::put(answer, "cluster", cluster),
        Err(error) => notes.push(format!("cluster `{cluster_id}` could not be read: {error}")),
    }
}

fn next_step(run: &Run, cause: Option<&Cause>) -> String {
    let code = cause.and_then(|cause| summary::code(cause.task.status.as_ref()));
    let code = code.or_else(|| summary::code(run.status.as_ref())).unwrap_or_default();
    // A repair is of a job's run; what was submitted once is submitted again.
    let is_one_time = run::is_one_time(run);
    let repair = if is_one_time { "then run it again" } else { "then rerun what failed with `repair_run`" };
    let advice = match code.as_str() {
        "CLUSTER_ERROR" | "CLOUD_FAILURE" | "CLUSTER_REQUEST_LIMIT_EXCEEDED" | "STORAGE_ACCESS_ERROR" => {
            return format!("the compute failed, not the code: see `cluster` and `get_cluster_events`, {repair}");
        }
        "DRIVER_ERROR" => {
            return format!("the driver went down, often for lack of memory: see its events, give it more, {repair}");
        }
        "RESOURCE_NOT_FOUND" if is_one_time => "what it names does not exist: see `list_workspace_items`",
        "LIBRARY_INSTALLATION_ERROR" => {
            "a library could not be installed: correct `libraries` or `environments` with `update_job`"
        }
        "UNAUTHORIZED_ERROR" => "the identity that the job runs as lacks a permission: grant it",
        "RESOURCE_NOT_FOUND" => "something that the task names does not exist: correct it with `update_job`",
        "INVALID_RUN_CONFIGURATION" | "INVALID_CLUSTER_REQUEST" | "FEATURE_DISABLED" => {
            "its settings were refused: correct them with `update_job`"
        }
        "MAX_CONCURRENT_RUNS_EXCEEDED" | "MAX_JOB_QUEUE_SIZE_EXCEEDED" | "MAX_SPARK_CONTEXTS_EXCEEDED" => {
            return "other runs were active: see them with `list_job_runs` and `active_only`, then `run_job_now` again"
                .into();
        }
        "USER_CANCELED" | "CANCELED" => {
            let again = if is_one_time {
                "run it again"
            } else {
                "rerun the tasks that did not finish with \
                `repair_run`"
            };
            return format!("somebody cancelled it; {again}, if it is still wanted");
        }
        "RUN_TIMEDOUT" | "TIMEDOUT" => {
            "it took longer than its `timeout_seconds`: see what was slow, or raise it with `update_job`"
        }
        _ => {
            let place = cause.and_then(|cause| cause.source.as_deref());
            return match place {
                Some(path) if path.starts_with('/') => {
                    format!("see the code at the error with `export_notebook` of `{path}`, correct it, {repair}")
                }
                Some(place) => format!("see the code at the error in {place}, correct it, {repair}"),
                None => format!("see its whole output with `get_run_output`, correct what failed, {repair}"),
            };
        }
    };
    format!("{advice}, {repair}")
}

impl Cause {
    /// The failure as the answer shows it, its texts in no more than `room` characters.
    fn shown(&self, room: usize) -> Value {
        let mut shown = task(&self.task);
        if !self.way.is_empty() {
            shape::put(&mut shown, "within", self.way.join(" > "));
        }
        if let Some(source) = &self.source {
            shape::put(&mut shown, "source", source.as_str());
        }
        for (name, at) in [("start_time", self.task.start_time), ("end_time", self.task.end_time)] {
            if let Some(at) = at.and_then(shape::time) {
                shape::put(&mut shown, name, at);
            }
        }
        if let Some(output) = self.output.clone() {
            crate::domain::runs::output::put(&mut shown, output, room);
        }
        if let Some(pipeline) = self.pipeline.clone() {
            shape::put(&mut shown, "pipeline", pipeline);
        }
        shown
    }
}
