//! `get_run_output`: what a run produced, task by task.

use databricks::types::{Run, RunLifeCycleState, RunTask};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::Composite;
use crate::domain::runs::summary::{failed, result, summary, task};
use crate::domain::runs::{output, run};
use crate::error::Error;
use crate::input::Identifier;
use crate::nearest::did_you_mean;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// A task is shown with at least so many characters.
const LEAST_ROOM: usize = 600;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Id of a run, or of one task of it, from `list_job_runs` or `get_run`.
    run_id: Identifier,
    /// Only this task; for a for-each task, its iterations.
    task_key: Option<String>,
    /// `next_page_token` of the previous answer.
    page_token: Option<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let Identifier(run_id) = input.run_id;
    let cursor = match input.page_token.filter(|token| !token.is_empty()) {
        Some(token) => Cursor::decode(&token).ok_or_else(Error::bad_page_token)?,
        None => Cursor::default(),
    };
    let run = run::get(&context, run_id, false).await?;
    if run.tasks.is_empty() && run.iterations.is_empty() && input.task_key.is_none() {
        return single(&context, run_id, &run).await;
    }
    let mut parts: Vec<RunTask> = if run.tasks.is_empty() {
        run.iterations.clone()
    } else {
        run::latest(&run.tasks).into_iter().cloned().collect()
    };
    if let Some(key) = &input.task_key {
        parts = chosen(&context, run_id, parts, key).await?;
    }
    // What failed is what one wants to see; the order is the same for each page.
    parts.sort_by_key(|task| (!failed(task), is_idle(task)));
    let most = (context.budget.characters / LEAST_ROOM).max(1);
    let page: Vec<_> = parts.iter().skip(cursor.skip).take(most).collect();
    let next = cursor.skip + page.len();
    let room = context.budget.characters * 3 / 4 / page.len().max(1);
    let tasks = outputs(&context, &page, room.saturating_sub(200)).await?;
    let mut answer = summary(run_id, &run);
    let is_more = next < parts.len();
    shape::put(&mut answer, "tasks", tasks);
    shape::put(&mut answer, "returned", page.len());
    shape::put(&mut answer, "truncated", is_more);
    if is_more {
        shape::put(&mut answer, "next_page_token", Cursor { skip: next, ..cursor }.encode());
        let hint = format!("{} more tasks: pass `page_token`, or choose one with `task_key`", parts.len() - next);
        shape::put(&mut answer, "hint", hint);
    }
    if !run::is_over(&run) {
        shape::put(&mut answer, "still_running", true);
        shape::advise(&mut answer, "it is still running; wait for it with `wait_for_run`");
    }
    finish(&context, answer)
}

/// A run without tasks is one task, or one iteration.
async fn single(context: &Context, run_id: i64, run: &Run) -> Result<Value, Error> {
    let mut answer = summary(run_id, run);
    let life = run.state.as_ref().and_then(|state| state.life_cycle_state.as_ref());
    if life.is_some() && !run::is_over(run) {
        shape::put(&mut answer, "still_running", true);
        shape::put(&mut answer, "hint", "it is still running; wait for it with `wait_for_run`");
    } else if matches!(life, Some(RunLifeCycleState::Skipped)) {
        shape::put(&mut answer, "hint", "it was skipped, so there is no output");
    } else {
        let output = output::fetch(context, run_id).await?;
        output::put(&mut answer, output, context.budget.characters * 3 / 4);
    }
    finish(context, answer)
}

/// The task of a key, or its iterations where it has some.
async fn chosen(context: &Context, run_id: i64, parts: Vec<RunTask>, key: &str) -> Result<Vec<RunTask>, Error> {
    let keys: Vec<_> = parts.iter().filter_map(|task| task.task_key.clone()).collect();
    let Some(task) = parts.into_iter().find(|task| task.task_key.as_deref() == Some(key)) else {
        let hint = did_you_mean(key, keys.iter().map(String::as_str));
        let hint = if hint.is_empty() { ";".to_owned() } else { hint };
        let known = if keys.is_empty() { "it has no tasks".to_owned() } else { keys.join(", ") };
        let message = format!("run {run_id} has no task `{key}`{hint} its tasks: {known}");
        return Err(
            Error::failed(message).with_hint("give one of these as `task_key`, or leave it out for all of them")
        );
    };
    if let (true, Some(id)) = (task.for_each_task.is_some(), task.run_id) {
        let iterations = run::get(context, id, false).await?.iterations;
        if !iterations.is_empty() {
            return Ok(iterations);
        }
    }
    Ok(vec![task])
}

/// Whether a task has nothing to show: it was not run, or has not ended.
fn is_idle(task: &RunTask) -> bool {
    let result = result(task.state.as_ref());
    !run::has_ended(task.state.as_ref(), task.status.as_ref())
        || matches!(result.as_str(), "EXCLUDED" | "DISABLED" | "UPSTREAM_FAILED" | "UPSTREAM_CANCELED" | "SKIPPED")
}

async fn outputs(context: &Context, page: &[&RunTask], room: usize) -> Result<Vec<Value>, Error> {
    let shown = |task: &&&RunTask| !is_idle(task) && task.for_each_task.is_none();
    let ids: Vec<_> = page.iter().filter(shown).filter_map(|task| task.run_id).collect();
    let mut read = output::fetch_all(context, &ids).await.into_iter();
    let mut tasks = Vec::with_capacity(page.len());
    for part in page {
        let mut entry = task(part);
        if let Some(stats) = part.for_each_task.as_ref().and_then(|each| each.stats.as_ref()?.task_run_stats.as_ref()) {
            shape::put(&mut entry, "iterations", json!(stats));
            shape::put(&mut entry, "hint", "pass its `task_key` for the outputs of its iterations");
        }
        if let Some(outcome) = part.condition_task.as_ref().and_then(|condition| condition.outcome.clone()) {
            shape::put(&mut entry, "outcome", outcome);
        }
        if shown(&part) && part.run_id.is_some() {
            match read.next() {
                Some(Ok(output)) => output::put(&mut entry, output, room),
                // One that cannot be read must not hide the others.
                Some(Err(error)) if page.len() > 1 => output::put_error(&mut entry, &error),
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        tasks.push(entry);
    }
    Ok(tasks)
}

fn finish(context: &Context, mut answer: Value) -> Result<Value, Error> {
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "choose one task with `task_key`");
    Ok(answer)
}
