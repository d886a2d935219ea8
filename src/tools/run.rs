//! Job runs: waiting for one, telling how it stands, cancelling it.

use std::time::Duration;

use databricks::api::types::{Run, RunLifeCycleState, RunResultState};
use databricks::{Arguments, Client, Location, operations};
use serde_json::{Value, json};

use super::wait::Wait;
use crate::context::Context;
use crate::error::Error;
use crate::shape;

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Waits until a run is over or the time is up, and gives it as it then is.
pub(crate) async fn wait(context: &Context, run_id: i64, seconds: u64) -> Result<Run, Error> {
    let mut wait = Wait::new(seconds, LONGEST_PAUSE);
    let mut reported = String::new();
    loop {
        let answer = context.client.api().jobs_jobs_get_run(None, None, None, run_id).await;
        let run = answer.map_err(databricks::Error::from)?.into_inner();
        let state = progress(&run);
        if state != reported {
            context.progress.report(format!("run {run_id}: {state} after {} s", wait.elapsed().as_secs()));
            reported = state;
        }
        if is_over(&run) || !wait.pause().await {
            return Ok(run);
        }
    }
}

/// Whether a run has come to its end, whatever its result.
pub(crate) fn is_over(run: &Run) -> bool {
    use RunLifeCycleState::{InternalError, Skipped, Terminated};
    let state = run.state.as_ref().and_then(|state| state.life_cycle_state.as_ref());
    matches!(state, Some(Terminated | Skipped | InternalError))
}

/// The answer for a run that goes on after the time is up.
pub(crate) fn still_running(run_id: i64, run: &Run) -> Value {
    let mut answer = summary(run_id, run);
    shape::put(&mut answer, "still_running", true);
    shape::put(&mut answer, "hint", "it goes on; pass `run_id` to `wait_for_run`, or stop it with `cancel_job_run`");
    answer
}

/// The answer for a run that was waited for: its tasks and result, or how to go on. A run that did not succeed is
/// an error.
pub(crate) fn outcome(context: &Context, run_id: i64, run: &Run) -> Result<Value, Error> {
    if !is_over(run) {
        return Ok(still_running(run_id, run));
    }
    let mut answer = summary(run_id, run);
    let tasks = run.tasks.iter().map(|task| {
        let state = task.state.clone().unwrap_or_default();
        json!({
            "task_key": task.task_key,
            "run_id": task.run_id,
            "life_cycle_state": state.life_cycle_state,
            "result_state": state.result_state,
            "state_message": state.state_message.filter(|message| !message.is_empty()),
            "attempt_number": task.attempt_number,
        })
    });
    shape::put(&mut answer, "tasks", tasks.collect::<Vec<_>>());
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "see the tasks with `get_job_run`");
    if succeeded(run) {
        return Ok(answer);
    }
    let failed = Error::failed(format!("run {run_id} did not succeed: {answer}"));
    Err(failed
        .with_hint("pass a failed task's `run_id` to `get_job_run_output`; rerun what failed with `repair_job_run`"))
}

/// Whether a run that is over did what it was to do: the life cycle alone does not tell.
pub(crate) fn succeeded(run: &Run) -> bool {
    let result = run.state.as_ref().and_then(|state| state.result_state.as_ref());
    matches!(result, Some(RunResultState::Success | RunResultState::SuccessWithFailures))
}

/// Asks the workspace to cancel a run.
pub(crate) async fn cancel(client: &Client, run_id: i64) -> Result<(), databricks::Error> {
    let request = Arguments::new().with(Location::Body, "run_id", run_id).idempotent(true);
    client.execute(&operations::JOBS_JOBS_CANCEL_RUN, request).await.map(drop)
}

/// The life-cycle state, and how many tasks are done.
fn progress(run: &Run) -> String {
    let state = run.state.as_ref().and_then(|state| state.life_cycle_state.as_ref());
    let state = state.map_or_else(|| "UNKNOWN".to_owned(), ToString::to_string);
    let ended = run.tasks.iter().filter(|task| task.end_time.is_some_and(|end| end > 0)).count();
    match run.tasks.len() {
        0 | 1 => state,
        tasks => format!("{state}, {ended} of {tasks} tasks done"),
    }
}

/// What identifies a run and how it stands.
pub(crate) fn summary(run_id: i64, run: &Run) -> Value {
    let state = run.state.clone().unwrap_or_default();
    let duration = run.end_time.zip(run.start_time).map(|(end, start)| end - start).filter(|duration| *duration >= 0);
    let fields = [
        ("run_id", Some(json!(run_id))),
        ("life_cycle_state", state.life_cycle_state.map(|state| json!(state))),
        ("result_state", state.result_state.map(|state| json!(state))),
        ("state_message", state.state_message.filter(|message| !message.is_empty()).map(Value::from)),
        ("run_page_url", run.run_page_url.clone().map(Value::from)),
        ("duration_ms", duration.map(Value::from)),
    ];
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let mut summary = Value::Object(known.collect());
    shape::exact(&mut summary);
    summary
}
