//! Where a failure comes from: a task may have failed in another job's run, or in one of many iterations.

use databricks::types::{RunOutput, RunTask};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::context::Context;
use crate::domain::pipelines;
use crate::domain::request::{array, text};
use crate::domain::runs::summary::{failed, result};
use crate::domain::runs::{output, run};
use crate::error::Error;
use crate::shape;

/// Runs within runs are followed no deeper.
const MOST_DEEP: usize = 4;

/// The failure at the bottom.
#[derive(Debug)]
pub(crate) struct Cause {
    /// The task run that failed.
    pub(crate) task: RunTask,
    /// What it left behind.
    pub(crate) output: Option<RunOutput>,
    /// The tasks around it, from the outside in.
    pub(crate) way: Vec<String>,
    /// What it ran: a path, a query, a job.
    pub(crate) source: Option<String>,
    /// The update of a pipeline that it started, with what went wrong in it.
    pub(crate) pipeline: Option<Value>,
}

/// Follows a failed task down to what failed by itself. What cannot be read is noted.
pub(crate) async fn find(context: &Context, task: &RunTask, notes: &mut Vec<String>) -> Cause {
    let mut cause = Cause { task: task.clone(), output: None, way: Vec::new(), source: source(task), pipeline: None };
    for _ in 0..MOST_DEEP {
        let Some(id) = cause.task.run_id else { break };
        let key = cause.task.task_key.clone().unwrap_or_default();
        let inner = if cause.task.for_each_task.is_some() {
            run::get(context, id, false).await.map(|run| (format!("for-each task `{key}`"), run.iterations))
        } else {
            match output::fetch(context, id).await {
                Ok(output) => match output.run_job_output.as_ref().and_then(|child| child.run_id) {
                    Some(child) => {
                        cause.output = Some(output);
                        run::get(context, child, false)
                            .await
                            .map(|run| (format!("task `{key}`, run {child}"), run.tasks))
                    }
                    None => {
                        cause.output = Some(output);
                        break;
                    }
                },
                Err(error) => Err(error),
            }
        };
        match inner {
            Ok((step, tasks)) => {
                // Iterations share one key, so that their last attempts cannot be told by it.
                let is_loop = cause.task.for_each_task.is_some();
                let tasks = if is_loop { tasks.iter().collect() } else { run::latest(&tasks) };
                let last = |task: &RunTask| std::cmp::Reverse(task.attempt_number.filter(|_| is_loop));
                let mut failures: Vec<_> = tasks.into_iter().filter(|task| failed(task)).collect();
                failures.sort_by_key(|task| (result(task.state.as_ref()) == "CANCELED", last(task), task.end_time));
                let Some(first) = failures.first() else { break };
                cause.way.push(step);
                cause.source = source(first).or_else(|| source(&cause.task));
                cause.task = (*first).clone();
                cause.output = None;
            }
            Err(error) => {
                notes.push(format!("the output of task `{key}` could not be read: {error}"));
                break;
            }
        }
    }
    if let Some(id) = cause.task.pipeline_task.as_ref().and_then(|task| task.pipeline_id.clone()) {
        match update(context, &id, &cause.task).await {
            Ok(told) => cause.pipeline = Some(told),
            Err(error) => notes.push(format!("pipeline `{id}` could not be read: {error}")),
        }
    }
    cause
}

/// What went wrong in the update that a task started: the first of its time, as the task does not name it.
async fn update(context: &Context, id: &str, task: &RunTask) -> Result<Value, Error> {
    let settings = pipelines::get(context, id).await?;
    let created = |update: &Value| Some(text(update, "creation_time")?.parse::<Timestamp>().ok()?.as_millisecond());
    let from = task.start_time.unwrap_or_default();
    let to = task.end_time.filter(|end| *end > 0).unwrap_or(i64::MAX);
    let of_task = |update: &&Value| created(update).is_some_and(|at| (from..=to).contains(&at));
    let mut told = json!({ "pipeline_id": id });
    let update = array(&settings, "latest_updates").iter().rev().find(of_task);
    let Some(update) = update.and_then(|update| text(update, "update_id")) else { return Ok(told) };
    shape::put(&mut told, "update_id", update);
    shape::put(&mut told, "errors", pipelines::flows(context, id, update).await?.errors);
    Ok(told)
}

/// What a task runs.
pub(crate) fn source(task: &RunTask) -> Option<String> {
    let notebook = task.notebook_task.as_ref().and_then(|task| task.notebook_path.clone());
    let script = || task.spark_python_task.as_ref()?.python_file.clone();
    let sql = || task.sql_task.as_ref()?.file.as_ref()?.path.clone();
    let pipeline = || Some(format!("pipeline `{}`", task.pipeline_task.as_ref()?.pipeline_id.as_ref()?));
    let inner = || {
        let inner = task.for_each_task.as_ref()?.task.as_ref()?;
        inner.notebook_task.as_ref().and_then(|task| task.notebook_path.clone())
    };
    notebook.or_else(script).or_else(sql).or_else(pipeline).or_else(inner)
}
