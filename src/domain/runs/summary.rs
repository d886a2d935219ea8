//! The summary of a run: its state, how it ended, what to do next.

use databricks::types::{Run, RunState, RunStatus, RunTask};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::domain::runs::output;
use crate::domain::runs::run::{has_ended, is_one_time, is_over, latest, succeeded};
use crate::domain::runs::work::RunHandle;
use crate::error::Error;
use crate::shape;

/// A failure names no more tasks than this.
const MOST_FAILED: usize = 5;
/// How much of an error and its trace goes into the text of an error.
pub(crate) const ROOM_OF_ERROR: usize = 1_200;
/// The workspace's words for a failure that it tells elsewhere.
const POINTER: &str = "see run output";

/// The answer for a run that was waited for: its tasks and result, or how to go on. A run that did not succeed is
/// an error.
pub(crate) async fn outcome(context: &Context, run_id: i64, run: &Run) -> Result<Value, Error> {
    if !is_over(run) {
        context.handover.leave(&RunHandle { run_id });
        return Ok(still_running(run_id, run));
    }
    if !succeeded(run) {
        return Err(failure(run_id, run, &first_words(context, run).await));
    }
    let mut answer = summary(run_id, run);
    let tasks = latest(&run.tasks);
    // Those that failed come first, where some may fail: a long list is cut at its end.
    let (failures, others): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|task| failed(task));
    if !failures.is_empty() {
        shape::put(&mut answer, "hint", format!("{} of its tasks failed: {}", failures.len(), advice(run)));
    }
    shape::put(&mut answer, "tasks", failures.into_iter().chain(others).map(task).collect::<Vec<_>>());
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "see the tasks with `get_run`");
    Ok(answer)
}

/// The answer for a run that goes on after the time is up, or that nobody waits for.
pub(crate) fn still_running(run_id: i64, run: &Run) -> Value {
    let mut answer = summary(run_id, run);
    let tasks = latest(&run.tasks);
    if tasks.len() > 1 {
        let done = tasks.iter().filter(|task| has_ended(task.state.as_ref(), task.status.as_ref())).count();
        shape::put(&mut answer, "tasks_done", format!("{done} of {}", tasks.len()));
    }
    shape::put(&mut answer, "still_running", true);
    shape::put(
        &mut answer,
        "hint",
        "it is still running; pass `run_id` to `wait_for_run`, or stop it with \
                                     `cancel_run`",
    );
    answer
}

/// What identifies a run and how it stands.
pub(crate) fn summary(run_id: i64, run: &Run) -> Value {
    let state = run.state.clone().unwrap_or_default();
    let duration = run
        .run_duration
        .filter(|duration| *duration > 0)
        .or_else(|| run.end_time.zip(run.start_time).map(|(end, start)| end - start).filter(|duration| *duration >= 0));
    let queue = run.status.as_ref().and_then(|status| status.queue_details.as_ref()).filter(|_| !is_over(run));
    let mut summary = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            summary.insert(name.to_owned(), value);
        }
    };
    put("run_id", Some(run_id.into()));
    put("job_id", run.job_id.filter(|job_id| *job_id != run_id).map(Value::from));
    put("run_name", run.run_name.clone().filter(|name| !name.is_empty()).map(Value::from));
    put("life_cycle_state", state.life_cycle_state.map(|state| json!(state)));
    put("result_state", state.result_state.map(|state| json!(state)));
    put("termination_code", code(run.status.as_ref()).filter(|code| code != "SUCCESS").map(Value::from));
    put("state_message", state.state_message.filter(|message| !message.is_empty()).map(Value::from));
    put("queued", queue.and_then(|queue| queue.message.clone()).map(Value::from));
    put("run_page_url", run.run_page_url.clone().map(Value::from));
    put("start_time", run.start_time.and_then(shape::time));
    put("end_time", run.end_time.and_then(shape::time));
    put("duration_ms", duration.map(Value::from));
    let mut summary = Value::Object(summary);
    shape::exact(&mut summary);
    summary
}

/// The termination code.
pub(crate) fn code(status: Option<&RunStatus>) -> Option<String> {
    Some(status?.termination_details.as_ref()?.code.as_ref()?.to_string())
}

/// How a task stands, in short.
pub(crate) fn task(task: &RunTask) -> Value {
    let state = task.state.clone().unwrap_or_default();
    let mut short = json!({
        "task_key": task.task_key,
        "run_id": task.run_id,
        "state": result(task.state.as_ref()),
    });
    for (name, value) in [
        ("termination_code", code(task.status.as_ref()).filter(|code| code != "SUCCESS").map(Value::from)),
        // The API counts from zero.
        ("attempt", task.attempt_number.filter(|attempt| *attempt > 0).map(|attempt| (attempt + 1).into())),
        ("state_message", state.state_message.filter(|message| !message.is_empty()).map(Value::from)),
    ] {
        if let Some(value) = value {
            shape::put(&mut short, name, value);
        }
    }
    short
}

/// The result of what has ended, the life-cycle state of what has not.
pub(crate) fn result(state: Option<&RunState>) -> String {
    let result = state.and_then(|state| state.result_state.as_ref()).map(ToString::to_string);
    let life = || state.and_then(|state| state.life_cycle_state.as_ref()).map(ToString::to_string);
    result.or_else(life).unwrap_or_else(|| "UNKNOWN".to_owned())
}

/// Whether a task ended by its own fault: not for another task's, nor by a condition.
pub(crate) fn failed(task: &RunTask) -> bool {
    has_ended(task.state.as_ref(), task.status.as_ref())
        && !matches!(
            result(task.state.as_ref()).as_str(),
            "SUCCESS"
                | "SUCCESS_WITH_FAILURES"
                | "EXCLUDED"
                | "DISABLED"
                | "UPSTREAM_FAILED"
                | "UPSTREAM_CANCELED"
                | "SKIPPED"
        )
}

/// The tasks that failed by themselves, in the order in which that happened. What was cancelled was so for others.
pub(crate) fn failures(run: &Run) -> Vec<&RunTask> {
    let mut failures: Vec<_> = latest(&run.tasks).into_iter().filter(|task| failed(task)).collect();
    failures.sort_by_key(|task| (result(task.state.as_ref()) == "CANCELED", task.end_time));
    failures
}

/// What the task that failed first said, as far as it can be read.
async fn first_words(context: &Context, run: &Run) -> String {
    let Some(id) = failures(run).first().and_then(|task| task.run_id) else { return String::new() };
    match output::fetch(context, id).await {
        Ok(output) => output::words(output.error.as_deref(), output.error_trace.as_deref(), ROOM_OF_ERROR),
        Err(_) => String::new(),
    }
}

/// The error for a run that ended without success, with what the task that failed first said.
pub(crate) fn failure(run_id: i64, run: &Run, words: &str) -> Error {
    let state = run.state.clone().unwrap_or_default();
    let mut text = format!("run {run_id} did not succeed: {}", result(run.state.as_ref()));
    if let Some(code) = code(run.status.as_ref()) {
        text.push_str(&format!(" ({code})"));
    }
    // What the task said is more than that there is something to read.
    let is_pointer = |message: &String| !words.is_empty() && message.contains(POINTER);
    if let Some(message) = state.state_message.filter(|message| !message.is_empty() && !is_pointer(message)) {
        text.push_str(&format!(": {message}"));
    }
    let failures = failures(run);
    for task in failures.iter().take(MOST_FAILED) {
        let key = task.task_key.as_deref().unwrap_or_default();
        let id = task.run_id.unwrap_or_default();
        text.push_str(&format!("\ntask `{key}` (run {id}): {}", result(task.state.as_ref())));
    }
    let more = failures.len().saturating_sub(MOST_FAILED);
    if more > 0 {
        text.push_str(&format!("\nand {more} more tasks"));
    }
    if let Some(url) = &run.run_page_url {
        text.push_str(&format!("\npage: {url}"));
    }
    if !words.is_empty() {
        text.push_str(&format!("\n{words}"));
    }
    Error::failed(text).with_hint(advice(run))
}

/// What to do about a run that ended without success.
pub(crate) fn advice(run: &Run) -> &'static str {
    let code = code(run.status.as_ref());
    match (result(run.state.as_ref()).as_str(), code.as_deref()) {
        ("MAXIMUM_CONCURRENT_RUNS_REACHED", _) | (_, Some("MAX_CONCURRENT_RUNS_EXCEEDED")) => {
            "other runs of the job are active, and its queue is off: see them with `list_job_runs` and `active_only`, \
             or set `queue` with `update_job`"
        }
        ("CANCELED", _) if is_one_time(run) => "somebody cancelled it",
        ("CANCELED", _) => "somebody cancelled it; `repair_run` reruns the tasks that did not finish",
        // A repair is of a job's run; what was submitted once is submitted again.
        (_, Some("RESOURCE_NOT_FOUND")) if is_one_time(run) => {
            "see what exists with `list_workspace_items`, then run it again"
        }
        _ if is_one_time(run) => "correct what failed and run it again; `diagnose_run` says more",
        _ => "see why with `diagnose_run`; rerun what failed with `repair_run`",
    }
}

/// The error for an answer that does not say what it started.
pub(crate) fn unnamed(what: &str, list: &str) -> Error {
    Error::unclear(format!("the answer names no {what}"))
        .with_outcome(format!("it may have started: check with `{list}` before you call this again"))
}

/// The state of a run, for errors after which it goes on.
pub(crate) fn unseen(run_id: i64) -> String {
    format!("run {run_id} was started and is still running (`wait_for_run` waits for it), but its state cannot be read")
}
