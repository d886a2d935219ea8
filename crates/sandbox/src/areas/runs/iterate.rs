//! For-each tasks: one run of the inner task for each input, several at a time.
//!
//! Derived: how iterations are counted and worded; a failed iteration does not keep others from starting.

use serde_json::{Map, Value, json};

use super::life::{Scene, retry, step as step_one};
use super::run::{State, TaskRun, plain};
use super::start::overload;
use crate::areas::tasks::Done;
use crate::error::ApiError;
use crate::json::Members;
use crate::request::Fields;

/// So many inputs one task takes.
const MOST_INPUTS: usize = 5_000;
const MOST_AT_ONCE: i64 = 100;

/// How far the iterations of a task are. Looking at each of them again at every step would take too long.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// How many inputs there are.
    inputs: usize,
    /// For how many of them, the first ones, an iteration has begun.
    begun: usize,
    /// When the last attempts of iterations ended, in the order of time.
    ended: Vec<i64>,
}

impl Progress {
    fn end(&mut self, at: i64) {
        let place = self.ended.partition_point(|known| *known <= at);
        self.ended.insert(place, at);
    }
}

/// Refuses a for-each task that could never run.
pub(crate) fn check(task: &Map<String, Value>) -> Result<(), ApiError> {
    let Some(loop_) = Fields(task.clone()).object("for_each_task")?.cloned().map(Fields) else { return Ok(()) };
    let concurrency = loop_.integer("concurrency")?.unwrap_or(1);
    if !(1..=MOST_AT_ONCE).contains(&concurrency) {
        return Err(ApiError::invalid_parameter(format!(
            "The concurrency of a for-each task must be from 1 to {MOST_AT_ONCE}, not {concurrency}"
        )));
    }
    loop_.required_text("inputs")?;
    let inner = loop_.object("task")?.ok_or_else(|| ApiError::missing_field("for_each_task.task"))?;
    Fields(inner.clone()).required_text("task_key")?;
    if inner.contains_key("for_each_task") {
        return Err(ApiError::invalid_parameter("A for-each task cannot be the task of another one"));
    }
    Ok(())
}

/// The inputs, each as the text that `{{input}}` stands for.
fn inputs(task: &Map<String, Value>) -> Result<Vec<String>, String> {
    let given = task.get("for_each_task").map(|task| task.at("inputs")).and_then(Value::as_str).unwrap_or_default();
    match serde_json::from_str(given) {
        Ok(Value::Array(inputs)) if inputs.len() <= MOST_INPUTS => Ok(inputs.iter().map(plain).collect()),
        Ok(Value::Array(inputs)) => {
            Err(format!("The for-each task has {} inputs; the most are {MOST_INPUTS}.", inputs.len()))
        }
        _ => Err(format!("The inputs of the for-each task are no JSON array: {given}")),
    }
}

pub(super) fn launch(scene: &Scene<'_>, task: &mut TaskRun, at: i64) {
    let inner = task.spec.get("for_each_task").map(|task| task.at("task")).and_then(Value::as_object);
    let inner = inner.cloned().unwrap_or_default();
    let inputs = inputs(&task.resolved).and_then(|inputs| overload(scene.jobs, inputs.len()).map_or(Ok(inputs), Err));
    match inputs {
        Ok(inputs) => {
            task.progress = Progress { inputs: inputs.len(), ..Progress::default() };
            task.iterations = inputs
                .into_iter()
                .enumerate()
                .map(|(index, input)| TaskRun {
                    input: Some(input),
                    index,
                    ..TaskRun::new(scene.workspace, inner.clone())
                })
                .collect();
            task.state = State::Running(i64::MAX);
        }
        Err(message) => task.finish(at, Done::refused("INVALID_RUN_CONFIGURATION", message)),
    }
}

/// Moves the iterations on, and ends the task after the last one.
pub(super) fn step(scene: &mut Scene<'_>, task: &mut TaskRun, now: i64) -> bool {
    let mut changed = false;
    // What ends makes room for what is to begin, up to the present.
    while step_all(scene, task, now) | admit(task) {
        changed = true;
    }
    if task.progress.ended.len() == task.progress.inputs {
        let ended = task.progress.ended.last().copied().unwrap_or(task.executed);
        let all = task.latest_iterations().count();
        let failed = task.latest_iterations().filter(|one| one.done().is_some_and(|done| done.result != "SUCCESS"));
        let done = match failed.count() {
            0 => Done::success(),
            failed => Done {
                message: format!("{failed} of {all} iterations failed, see their runs for details"),
                ..Done::failure(format!("{failed} of {all} iterations failed"), "")
            },
        };
        task.finish(ended, done);
        changed = true;
    }
    changed
}

/// Moves those on that have begun; says whether any moved.
fn step_all(scene: &mut Scene<'_>, task: &mut TaskRun, now: i64) -> bool {
    let mut changed = false;
    let mut retries = Vec::new();
    let open = |one: &&mut TaskRun| !matches!(one.state, State::Blocked | State::Done(_));
    for iteration in task.iterations.iter_mut().filter(open) {
        while step_one(scene, iteration, now) {
            changed = true;
        }
        if iteration.done().is_some() {
            match retry(scene.workspace, iteration) {
                Some(retry) => retries.push(retry),
                None => task.progress.end(iteration.ended),
            }
        }
    }
    task.iterations.extend(retries);
    changed
}

/// Lets iterations begin whose turn it is.
fn admit(task: &mut TaskRun) -> bool {
    let concurrency = task.spec.get("for_each_task").and_then(|task| task.at("concurrency").as_u64()).unwrap_or(1);
    let concurrency = usize::try_from(concurrency).unwrap_or(1).max(1);
    let TaskRun { iterations, progress, executed, .. } = task;
    let mut changed = false;
    while let Some(iteration) = iterations.get_mut(progress.begun).filter(|one| matches!(one.state, State::Blocked)) {
        // The first ones at once, each later one when one before it makes room.
        let start = match progress.begun.checked_sub(concurrency) {
            None => *executed,
            Some(order) => match progress.ended.get(order) {
                Some(ended) => *ended,
                None => break,
            },
        };
        iteration.state = State::Waiting(start);
        progress.begun += 1;
        changed = true;
    }
    changed
}

/// How the iterations stand, as `for_each_task.stats`.
pub(crate) fn stats(task: &TaskRun) -> Value {
    let count = |wanted: &dyn Fn(&TaskRun) -> bool| task.latest_iterations().filter(|one| wanted(one)).count();
    let succeeded = count(&|one| one.done().is_some_and(|done| done.result == "SUCCESS"));
    let completed = count(&|one| one.done().is_some());
    let scheduled = count(&|one| !matches!(one.state, State::Blocked));
    let mut errors: Vec<(&str, usize)> = Vec::new();
    for error in task.latest_iterations().filter_map(|one| one.done()?.error.as_deref()) {
        match errors.iter_mut().find(|(known, _)| *known == error) {
            Some((_, count)) => *count += 1,
            None => errors.push((error, 1)),
        }
    }
    let errors: Vec<_> = errors
        .into_iter()
        .map(|(error, count)| json!({"error_message": error, "count": count, "termination_category": "RUN_EXECUTION_ERROR"}))
        .collect();
    json!({
        "task_run_stats": {
            "total_iterations": task.latest_iterations().count(), "scheduled_iterations": scheduled,
            "active_iterations": scheduled - completed, "completed_iterations": completed,
            "succeeded_iterations": succeeded, "failed_iterations": completed - succeeded,
        },
        "error_message_stats": errors,
    })
}
