//! `repair_run`: reruns what failed in a run, inside that run.

use std::collections::HashMap;

use databricks::Request;
use databricks::requests::jobs::jobs::RepairRun;
use databricks::types::Run;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cleanup::{Begun, Guard};
use crate::context::Context;
use crate::definition::{Composite, Work};
use crate::domain::request::identifier;
use crate::domain::runs::work::{self, RunHandle};
use crate::domain::runs::{run, summary};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::input::Identifier;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, work: WORK);

static WORK: Work = work!(RepairHandle, look: look, cancel: cancel);

/// What finds a repair again.
#[derive(Debug, Serialize, Deserialize)]
struct RepairHandle {
    run_id: i64,
    repair_id: i64,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Id of an ended job run, from `list_job_runs`.
    run_id: Identifier,
    /// Task keys to rerun, from `get_run`; all failed ones if unset.
    #[serde(default)]
    rerun_tasks: Vec<String>,
    /// Also rerun the tasks that depend on them.
    #[serde(default)]
    rerun_dependent_tasks: bool,
    /// Other values for job parameters, e.g. `{"day": "2026-01-31"}`.
    #[serde(default)]
    job_parameters: HashMap<String, String>,
    /// Wait until it has ended.
    #[serde(default)]
    wait: bool,
    /// Time to wait; after it the run keeps running.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let Identifier(run_id) = input.run_id;
    let (wait, seconds) = (input.wait, input.timeout_seconds.seconds());
    let before = run::get(&context, run_id, true).await?;
    if !run::is_over(&before) {
        let message = format!("run {run_id} is {}: only an ended run can be repaired", run::state(&before));
        return Err(Error::failed(message).with_hint("wait for it with `wait_for_run`, or stop it with `cancel_run`"));
    }
    if input.rerun_tasks.is_empty()
        && run::succeeded(&before)
        && !run::latest(&before.tasks).into_iter().any(summary::failed)
    {
        let message = format!("nothing failed in run {run_id}: there is nothing to repair");
        return Err(
            Error::failed(message).with_hint("name tasks in `rerun_tasks`, or run the job again with `run_job_now`")
        );
    }
    let (repair_id, guard) = start(&context, run_id, &before, input).await?;
    let seconds = if wait { seconds } else { 0 };
    if !wait {
        guard.keep();
        let run = run::wait_repaired(&context, run_id, repair_id, 0).await;
        let mut answer = match &run {
            Ok(run) => summary::still_running(run_id, run),
            // It was started, which is all that was asked for.
            Err(_) => {
                json!({ "run_id": run_id, "still_running": true, "hint": "wait for it with `wait_for_run`" })
            }
        };
        shape::put(&mut answer, "repair_id", repair_id);
        shape::exact(&mut answer);
        return Ok(answer);
    }
    let run = run::wait_repaired(&context, run_id, repair_id, seconds).await;
    guard.keep();
    let run = run.map_err(|error| error.after(format!("repair {repair_id}: {}", summary::unseen(run_id))))?;
    outcome(&context, RepairHandle { run_id, repair_id }, run).await
}

async fn look(context: Context, handle: RepairHandle) -> Result<Value, Error> {
    let run = run::wait_repaired(&context, handle.run_id, handle.repair_id, 0).await?;
    outcome(&context, handle, run).await
}

async fn cancel(context: Context, handle: RepairHandle) -> Result<Value, Error> {
    work::cancel(context, RunHandle { run_id: handle.run_id }).await
}

/// The answer for a repair that was waited for.
async fn outcome(context: &Context, handle: RepairHandle, run: Run) -> Result<Value, Error> {
    let RepairHandle { run_id, repair_id } = handle;
    let mut answer = summary::outcome(context, run_id, &of_repair(run, repair_id)).await?;
    if answer.get("still_running").is_some() {
        context.handover.leave(&handle);
    }
    shape::put(&mut answer, "repair_id", repair_id);
    shape::exact(&mut answer);
    Ok(answer)
}

/// A run that its repair made succeed, with the tasks of that repair alone: the others are as they were. In one that
/// failed any task may be the reason.
fn of_repair(mut run: Run, repair_id: i64) -> Run {
    let repair = run.repair_history.iter().find(|repair| repair.id == Some(repair_id));
    let rerun = repair.map(|repair| repair.task_run_ids.clone()).filter(|ids| !ids.is_empty());
    if let Some(rerun) = rerun.filter(|_| run::is_over(&run) && run::succeeded(&run)) {
        run.tasks.retain(|task| task.run_id.is_some_and(|id| rerun.contains(&id)));
    }
    run
}

/// Starts the repair; it is cancelled if this call is. The run had ended, so all that then goes on in it is this repair.
async fn start(context: &Context, run_id: i64, before: &Run, input: Input) -> Result<(i64, Guard), Error> {
    let mut request = match input.rerun_tasks.is_empty() {
        true => RepairRun::new(run_id).rerun_all_failed_tasks(true),
        false => RepairRun::new(run_id).rerun_tasks(input.rerun_tasks),
    };
    if input.rerun_dependent_tasks {
        request = request.rerun_dependent_tasks(true);
    }
    if !input.job_parameters.is_empty() {
        request = request.job_parameters(json!(input.job_parameters));
    }
    // A repair names the one before it, so that a request that comes twice is refused the second time.
    let latest = last_repair(before);
    let request = request.maybe(latest, RepairRun::latest_repair_id);
    let start = async move |starting: Context| {
        let repair_id = match starting.client.send(request).await {
            Ok(answer) => answer.get("repair_id").and_then(identifier),
            Err(error) if error.is_bad_request() => {
                return Err(Error::from(error).with_hint(
                    "somebody else may have repaired it meanwhile, or it has none of these tasks: check with `get_run`",
                ));
            }
            Err(error)
                if error.is_called_off() || error.status().is_some_and(|status| (400..500).contains(&status)) =>
            {
                return Err(error.into());
            }
            // Whether it was started is not known where the answer was lost: the history tells.
            Err(error) => match begun(&starting.ahead(), run_id, latest).await {
                Some(repair_id) => Some(repair_id),
                None => return Err(error.into()),
            },
        };
        let repair_id = repair_id.ok_or_else(|| summary::unnamed("repair", "get_run"))?;
        Ok(Begun { id: run_id, answer: repair_id, name: format!("repair {repair_id} of run {run_id}") })
    };
    context.start("repair of a run", start, run::undo).await
}

/// The repair that was begun after the latest known one.
async fn begun(context: &Context, run_id: i64, latest: Option<i64>) -> Option<i64> {
    let run = run::get(context, run_id, true).await.ok()?;
    let last = last_repair(&run)?;
    (Some(last) != latest && !run::is_over(&run)).then_some(last)
}

fn last_repair(run: &Run) -> Option<i64> {
    run.repair_history.iter().filter_map(|repair| repair.id).rfind(|id| *id > 0)
}
