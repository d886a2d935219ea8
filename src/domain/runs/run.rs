//! Job runs: reading all of one, waiting for it, cancelling it.

use std::collections::BTreeMap;
use std::time::Duration;

use databricks::requests::jobs::jobs::{CancelRun, GetRun};
use databricks::types::{
    Run, RunLifeCycleState, RunLifecycleStateV2State, RunResultState, RunState, RunStatus, RunTask, RunType,
};
use databricks::{Client, Request};

use crate::context::Context;
use crate::domain::wait::{PollState, Wait, watch};
use crate::error::Error;

/// The longest time between two looks at a run.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a run may look as if it had not heard of its repair.
const MOST_STALE_SECONDS: u64 = 20;
const BEFORE_REPAIR: &str = "its repair has not begun";

/// A run with all its tasks and iterations, of which one answer of the API holds no more than 100; with `history` also
/// its repairs and every attempt of its tasks.
pub(crate) async fn get(context: &Context, run_id: i64, history: bool) -> Result<Run, Error> {
    let request = GetRun::new(run_id).maybe(history.then_some(true), GetRun::include_history);
    let run = context.client.whole(GetRun::OPERATION, request.into_arguments()).await?;
    let mut run =
        serde_json::from_value(run).map_err(|error| Error::failed(format!("the answer is no run: {error}")))?;
    complete_states(&mut run);
    Ok(run)
}

/// The API tells of a run twice, in `state`, which is deprecated, and in `status`: what the one lacks is taken from the
/// other, so that all else reads `state`.
fn complete_states(run: &mut Run) {
    complete(&mut run.state, run.status.as_ref());
    for task in run.tasks.iter_mut().chain(&mut run.iterations) {
        complete(&mut task.state, task.status.as_ref());
    }
}

fn complete(state: &mut Option<RunState>, status: Option<&RunStatus>) {
    let Some(status) = status else { return };
    let state = state.get_or_insert_default();
    let details = status.termination_details.as_ref();
    let code = details.and_then(|details| details.code.as_ref()).map(ToString::to_string);
    if state.life_cycle_state.is_none() {
        state.life_cycle_state = status.state.as_ref().map(|told| match (told, code.as_deref()) {
            (RunLifecycleStateV2State::Terminated, Some("SKIPPED" | "MAX_CONCURRENT_RUNS_EXCEEDED")) => {
                RunLifeCycleState::Skipped
            }
            (RunLifecycleStateV2State::Waiting, _) => RunLifeCycleState::WaitingForRetry,
            (told, _) => named(&told.to_string()).unwrap_or_else(|| RunLifeCycleState::Unlisted(told.to_string())),
        });
        state.result_state = state.result_state.take().or_else(|| result_of(code.as_deref()?));
    }
    if state.state_message.as_ref().is_none_or(String::is_empty) {
        let message = details.and_then(|details| details.message.clone());
        state.state_message = message.filter(|_| code.as_deref() != Some("SUCCESS"));
    }
}

/// The result that a termination code stands for; a task that was skipped has none.
fn result_of(code: &str) -> Option<RunResultState> {
    match code {
        "SKIPPED" => None,
        "CANCELED" | "USER_CANCELED" => Some(RunResultState::Canceled),
        "MAX_CONCURRENT_RUNS_EXCEEDED" => Some(RunResultState::MaximumConcurrentRunsReached),
        "SUCCESS" | "SUCCESS_WITH_FAILURES" | "DISABLED" => named(code),
        _ => Some(RunResultState::Failed),
    }
}

/// The value of an enumeration that is written so.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(name.into()).ok()
}

/// Waits until a run is over or the time is up, and gives it as it then is.
pub(crate) async fn wait(context: &Context, run_id: i64, seconds: u64) -> Result<Run, Error> {
    watched(context, run_id, seconds, None).await
}

/// As [`wait`], for a run that was just repaired: right after that it still looks as it did when it had ended. Whoever
/// waits on by its id alone could not tell, so that the begin of the repair is waited for whatever the time.
pub(crate) async fn wait_repaired(context: &Context, run_id: i64, repair: i64, seconds: u64) -> Result<Run, Error> {
    let run = watched(context, run_id, seconds, Some(repair)).await?;
    if is_begun(&run, Some(repair)) {
        return Ok(run);
    }
    let mut wait = Wait::new(MOST_STALE_SECONDS, LONGEST_PAUSE);
    let look = |run: &Run| {
        let is_over = is_begun(run, Some(repair));
        PollState { state: if is_over { state(run) } else { BEFORE_REPAIR.to_owned() }, done: None, is_over }
    };
    let context = &context.by_itself();
    let run = watch(context, &format!("run {run_id}"), &mut wait, || get(context, run_id, true), look).await?;
    if is_begun(&run, Some(repair)) {
        return Ok(run);
    }
    // What it still tells is of before.
    Ok(Run { state: None, status: None, end_time: None, run_duration: None, ..run })
}

fn is_begun(run: &Run, repair: Option<i64>) -> bool {
    repair.is_none_or(|repair| run.repair_history.iter().any(|item| item.id == Some(repair)))
}

async fn watched(context: &Context, run_id: i64, seconds: u64, repair: Option<i64>) -> Result<Run, Error> {
    let mut wait = Wait::new(seconds, LONGEST_PAUSE);
    let poll = || get(context, run_id, repair.is_some());
    let look = |run: &Run| {
        let tasks = latest(&run.tasks);
        let done = tasks.iter().filter(|task| task.end_time.is_some_and(|end| end > 0)).count();
        let is_over = is_begun(run, repair) && is_over(run);
        let total = tasks.len().max(1);
        // What it tells before is old.
        let state = if is_begun(run, repair) { state(run) } else { BEFORE_REPAIR.to_owned() };
        PollState { state, done: Some((if is_over { total } else { done.min(total) }, total)), is_over }
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
    use RunLifeCycleState::{InternalError, Skipped, Terminated, Unlisted};
    match state.and_then(|state| state.life_cycle_state.as_ref()) {
        Some(Terminated | Skipped | InternalError) => true,
        // What is new to one of the two may be known to the other.
        None | Some(Unlisted(_)) => {
            let state = status.and_then(|status| status.state.as_ref());
            state.is_some_and(|state| matches!(state, RunLifecycleStateV2State::Terminated))
        }
        Some(_) => false,
    }
}

/// Whether a run is of no job: it was submitted to run once.
pub(crate) fn is_one_time(run: &Run) -> bool {
    matches!(run.run_type, Some(RunType::SubmitRun))
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
    client.send(CancelRun::new(run_id).idempotent(true)).await
}

/// Cancels a run whose call was given up.
pub(crate) async fn undo(context: Context, run_id: i64) -> Result<(), Error> {
    Ok(cancel(&context.client, run_id).await?)
}

#[cfg(test)]
mod tests {
    use databricks::types::Run;
    use serde_json::{Value, json};

    use super::{complete_states, is_over, latest, state, succeeded};

    fn run(value: Value) -> Run {
        let mut run = serde_json::from_value(value).expect("a run");
        complete_states(&mut run);
        run
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
    fn what_the_old_form_lacks_is_taken_from_the_new_one() {
        let told = |code: &str| {
            let details = json!({ "code": code, "message": "why" });
            run(json!({ "status": { "state": "TERMINATED", "termination_details": details } })).state.expect("a state")
        };
        for (code, life, result) in [
            ("SUCCESS", "TERMINATED", Some("SUCCESS")),
            ("SUCCESS_WITH_FAILURES", "TERMINATED", Some("SUCCESS_WITH_FAILURES")),
            ("RUN_EXECUTION_ERROR", "TERMINATED", Some("FAILED")),
            ("USER_CANCELED", "TERMINATED", Some("CANCELED")),
            ("MAX_CONCURRENT_RUNS_EXCEEDED", "SKIPPED", Some("MAXIMUM_CONCURRENT_RUNS_REACHED")),
            ("SKIPPED", "SKIPPED", None),
            ("A_NEW_ONE", "TERMINATED", Some("FAILED")),
        ] {
            let state = json!(told(code));
            assert_eq!(
                (state["life_cycle_state"].as_str(), state["result_state"].as_str()),
                (Some(life), result),
                "{code}"
            );
        }
        assert_eq!((told("SUCCESS").state_message, told("DRIVER_ERROR").state_message), (None, Some("why".to_owned())));
        let open = |state: &str| run(json!({ "status": { "state": state } }));
        assert!(!is_over(&open("RUNNING")) && !is_over(&open("WAITING")) && !is_over(&open("A_NEW_ONE")));
        assert_eq!(
            (state(&open("WAITING")), state(&open("A_NEW_ONE"))),
            ("WAITING_FOR_RETRY".into(), "A_NEW_ONE".into())
        );
        // A life-cycle state that nobody knows may be an end.
        let new = run(
            json!({ "state": { "life_cycle_state": "ARCHIVED", "result_state": "SUCCESS" }, "status": { "state": "TERMINATED" } }),
        );
        assert!(is_over(&new) && succeeded(&new));
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
