//! `run_notebook`: submits a one-time run of a notebook, waits, and gives its result.

use std::collections::HashMap;

use databricks::api::types::{JobsJobsSubmitBody, NotebookTask, Run, SubmitTask};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Composite, input, input_schema, run};
use crate::cleanup::Guard;
use crate::context::Context;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

const TASK: &str = "notebook";

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Path of the notebook, from `list_workspace_items`, e.g. `/Users/me@example.com/etl`.
    notebook_path: String,
    /// Values of its widgets, e.g. `{"day": "2026-01-31"}`.
    #[serde(default)]
    parameters: HashMap<String, String>,
    /// Cluster to run on, from `list_clusters`; serverless compute if unset.
    existing_cluster_id: Option<String>,
    /// SQL warehouse for a SQL notebook, from `list_warehouses`.
    warehouse_id: Option<String>,
    /// Name of the run in the list of runs.
    run_name: Option<String>,
    /// Time to wait; after it the run goes on and its id is returned.
    #[serde(default = "super::wait::default_seconds")]
    #[schemars(range(min = 0, max = 600))]
    timeout_seconds: u64,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let task = SubmitTask {
        existing_cluster_id: input.existing_cluster_id,
        notebook_task: Some(NotebookTask {
            base_parameters: input.parameters,
            notebook_path: Some(input.notebook_path.clone()),
            source: None,
            warehouse_id: input.warehouse_id,
        }),
        ..serde_json::from_value(json!({ "task_key": TASK })).map_err(|error| Error::failed(error.to_string()))?
    };
    let body = JobsJobsSubmitBody {
        // Repeating the request after a lost answer starts no second run.
        idempotency_token: Some(uuid::Uuid::new_v4().to_string()),
        run_name: Some(input.run_name.unwrap_or_else(|| format!("run_notebook {}", input.notebook_path))),
        tasks: vec![task],
        ..JobsJobsSubmitBody::default()
    };
    let (run_id, guard) = start(&context, body).await?;
    let run = run::wait(&context, run_id, input.timeout_seconds).await;
    guard.keep();
    let run = run?;
    if run::is_over(&run) { finished(&context, run_id, run).await } else { Ok(run::still_running(run_id, &run)) }
}

/// Submits the run; it is cancelled if this call is, but not if the time is up.
async fn start(context: &Context, body: JobsJobsSubmitBody) -> Result<(i64, Guard), Error> {
    let (starting, undoing) = (context.client.clone(), context.client.clone());
    let start = async move {
        let submitted = starting.api().jobs_jobs_submit(&body).await.map_err(databricks::Error::from)?;
        let run_id = submitted.into_inner().run_id.ok_or_else(|| Error::failed("the answer names no run"))?;
        Ok((run_id, run_id))
    };
    context.cleanup.start(start, move |run_id| async move { run::cancel(&undoing, run_id).await }).await
}

async fn finished(context: &Context, run_id: i64, run: Run) -> Result<Value, Error> {
    let mut answer = run::summary(run_id, &run);
    if let Some(task_run_id) = run.tasks.first().and_then(|task| task.run_id) {
        let output = context.client.api().jobs_jobs_get_run_output(task_run_id).await;
        match output.map_err(databricks::Error::from) {
            Ok(output) => {
                let output = output.into_inner();
                let notebook = output.notebook_output.unwrap_or_default();
                shape::put(&mut answer, "task_run_id", task_run_id);
                for (name, value) in
                    [("result", notebook.result), ("error", output.error), ("error_trace", output.error_trace)]
                {
                    if let Some(value) = value {
                        shape::put(&mut answer, name, value);
                    }
                }
            }
            // What the run did is known; that its output cannot be read must not hide it.
            Err(error) => shape::put(&mut answer, "output_error", error.to_string()),
        }
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "the rest is on the run's page");
    if run::succeeded(&run) {
        return Ok(answer);
    }
    let message = format!("the notebook's run {run_id} did not succeed: {answer}");
    Err(Error::failed(message).with_hint("its output by task: `get_job_run_output`"))
}
