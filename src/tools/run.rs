//! Job runs: reading one whole, waiting for it, cancelling it.

use std::collections::BTreeMap;
use std::time::Duration;

use databricks::api::types::{Run, RunLifeCycleState, RunResultState, RunState, RunStatus, RunTask};
use databricks::{Arguments, Client, Location, operations};

use super::wait::{Stand, Wait, watch};
use crate::context::Context;
use crate::error::Error;

/// The longest time between two looks at a run.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A run with all its tasks and iterations, of which one answer of the API holds no more than 100; with `history` also
/// its repairs and every attempt of its tasks.
pub(crate) async fn get(context: &Context, run_id: i64, history: bool) -> Result<Run, Error> {
    let mut request = Arguments::new().with(Location::Query, "run_id", run_id);
    if history {
        request.insert(Location::Query, "include_history", true);
    }
    let run = context.client.whole(&operations::JOBS_JOBS_GET_RUN, request).await?;
    serde_json::from_value(run).map_err(|error| Error::failed(format!("the answer is no run: {error}")))
}

/// Waits until a run is over or the time is up, and gives it as it then is.
pub(crate) async fn wait(context: &Context, run_id: i64, seconds: u64) -> Result<Run, Error> {
    watched(context, run_id, seconds, None).await
}

/// As [`wait`], for a run that was just repaired: right after that it still looks as it did when it had ended.
pub(crate) async fn wait_repaired(context: &Context, run_id: i64, repair: i64, seconds: u64) -> Result<Run, Error> {
    watched(context, run_id, seconds, Some(repair)).await
}

async fn watched(context: &Context, run_id: i64, seconds: u64, repair: Option<i64>) -> Result<Run, Error> {
    let mut wait = Wait::new(seconds, LONGEST_PAUSE);
    let poll = || get(context, run_id, repair.is_some());
    let look = |run: &Run| {
        let is_begun = repair.is_none_or(|repair| run.repair_history.iter().any(|item| item.id == Some(repair)));
        let tasks = latest(&run.tasks);
        let done = tasks.iter().filter(|task| task.end_time.is_some_and(|end| end > 0)).count();
        let is_over = is_begun && is_over(run);
        let total = tasks.len().max(1);
        Stand { state: state(run), done: Some((if is_over { total } else { done.min(total) }, total)), is_over }
    };
    watch(context, &format!("run {run_id}"), &mut wait, poll, look).await
}

/// The last attempt of each task, in the order of the run.
pub(crate) fn latest(tasks: &[RunTask]) -> Vec<&RunTask> {
    let attempt = |task: &RunTask| task.attempt_number.unwrap_or_default();
    let mut last: BTreeMap<&str, &RunTask> = BTreeMap::new();
    for task in tasks {
        let known = last.entry(task.task_key.as_deref().unwrap_or_default()).or_insert(task);
        if attempt(task) > attempt(known) {
            *known = task;
        }
    }
    let is_last = |task: &RunTask| {
        last.get(task.task_key.as_deref().unwrap_or_default()).is_some_and(|latest| std::ptr::eq(*latest, task))
    };
    tasks.iter().filter(|task| is_last(task)).collect()
}

/// Whether a run has come to its end, whatever its result.
pub(crate) fn is_over(run: &Run) -> bool {
    has_ended(run.state.as_ref(), run.status.as_ref())
}

/// Whether a run or a task has come to its end, whatever its result.
pub(crate) fn has_ended(state: Option<&RunState>, status: Option<&RunStatus>) -> bool {
    use RunLifeCycleState::{InternalError, Skipped, Terminated};
    match state.and_then(|state| state.life_cycle_state.as_ref()) {
        Some(state) => matches!(state, Terminated | Skipped | InternalError),
        None => {
            let state = status.and_then(|status| status.state.as_ref());
            state.is_some_and(|state| state.to_string() == "TERMINATED")
        }
    }
}

/// Whether a run that is over did what it was to do: the life cycle alone does not tell.
pub(crate) fn succeeded(run: &Run) -> bool {
    let result = run.state.as_ref().and_then(|state| state.result_state.as_ref());
    matches!(result, Some(RunResultState::Success | RunResultState::SuccessWithFailures))
}

/// The life-cycle state, and why the run is queued if it is.
pub(crate) fn state(run: &Run) -> String {
    let state = run.state.as_ref().and_then(|state| state.life_cycle_state.as_ref());
    let state = state.map_or_else(|| "UNKNOWN".to_owned(), ToString::to_string);
    let queue = run.status.as_ref().and_then(|status| status.queue_details.as_ref()?.code.as_ref());
    match queue {
        Some(code) if !is_over(run) => format!("{state} ({code})"),
        _ => state,
    }
}

/// Asks the workspace to cancel a run.
pub(crate) async fn cancel(client: &Client, run_id: i64) -> Result<(), databricks::Error> {
    let request = Arguments::new().with(Location::Body, "run_id", run_id).idempotent(true);
    client.execute(&operations::JOBS_JOBS_CANCEL_RUN, request).await.map(drop)
}

#[cfg(test)]
mod tests {
    use databricks::api::types::Run;
    use serde_json::{Value, json};

    use super::{is_over, latest, state, succeeded};

    fn run(value: Value) -> Run {
        serde_json::from_value(value).expect("a run")
    }

    #[test]
    fn the_end_is_told_by_the_life_cycle_and_success_by_the_result() {
        let states = |life: &str, result: &str| {
            let run = run(json!({ "state": { "life_cycle_state": life, "result_state": result } }));
            (is_over(&run), succeeded(&run))
        };
        assert_eq!(states("TERMINATED", "SUCCESS"), (true, true));
        assert_eq!(states("TERMINATED", "FAILED"), (true, false));
        assert_eq!(states("INTERNAL_ERROR", "FAILED"), (true, false));
        assert_eq!(states("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED"), (true, false));
        assert_eq!(states("WAITING_FOR_RETRY", "A_NEW_ONE"), (false, false));
        assert!(is_over(&run(json!({ "status": { "state": "TERMINATED" } }))));
        let queued = json!({ "state": { "life_cycle_state": "QUEUED" }, "status": { "queue_details": { "code": "MAX_CONCURRENT_RUNS_REACHED" } } });
        assert_eq!(state(&run(queued)), "QUEUED (MAX_CONCURRENT_RUNS_REACHED)");
    }

    #[test]
    fn only_the_last_attempt_of_a_task_counts() {
        let run = run(json!({ "tasks": [
            { "task_key": "b", "run_id": 1, "attempt_number": 0 },
            { "task_key": "a", "run_id": 2, "attempt_number": 0 },
            { "task_key": "b", "run_id": 3, "attempt_number": 1 },
        ] }));
        let ids: Vec<_> = latest(&run.tasks).iter().filter_map(|task| task.run_id).collect();
        assert_eq!(ids, [2, 3]);
    }
}
