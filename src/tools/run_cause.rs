//! Where a failure comes from: a task may have failed in another job's run, or in one of many iterations.

use databricks::api::types::{RunOutput, RunTask};

use super::run_answer::{failed, result};
use super::{run, run_output};
use crate::context::Context;

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
}

/// Follows a failed task down to what failed by itself. What cannot be read is noted.
pub(crate) async fn find(context: &Context, task: &RunTask, notes: &mut Vec<String>) -> Cause {
    let mut cause = Cause { task: task.clone(), output: None, way: Vec::new(), source: source(task) };
    for _ in 0..MOST_DEEP {
        let Some(id) = cause.task.run_id else { break };
        let key = cause.task.task_key.clone().unwrap_or_default();
        let inner = if cause.task.for_each_task.is_some() {
            run::get(context, id, false).await.map(|run| (format!("for-each task `{key}`"), run.iterations))
        } else {
            match run_output::fetch(context, id).await {
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
    cause
}

/// What a task runs.
pub(crate) fn source(task: &RunTask) -> Option<String> {
    let notebook = task.notebook_task.as_ref().and_then(|task| task.notebook_path.clone());
    let script = || task.spark_python_task.as_ref()?.python_file.clone();
    let sql = || task.sql_task.as_ref()?.file.as_ref()?.path.clone();
    let inner = || {
        let inner = task.for_each_task.as_ref()?.task.as_ref()?;
        inner.notebook_task.as_ref().and_then(|task| task.notebook_path.clone())
    };
    notebook.or_else(script).or_else(sql).or_else(inner)
}
