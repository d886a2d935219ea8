//! `run_notebook`: submits a one-time run of a notebook, waits, and gives its result.

use std::collections::HashMap;
use std::time::Duration;

use databricks::api::types::{JobsJobsSubmitBody, NotebookTask, Run, RunLifeCycleState, RunResultState, SubmitTask};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wait::Wait;
use super::{Composite, input, input_schema};
use crate::context::Context;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

const LONGEST_PAUSE: Duration = Duration::from_secs(10);
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
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 0, max = 600))]
    timeout_seconds: u64,
}

fn default_timeout() -> u64 {
    45
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
    let submitted = context.client.api().jobs_jobs_submit(&body).await.map_err(databricks::Error::from)?;
    let run_id = submitted.into_inner().run_id.ok_or_else(|| Error::failed("the answer names no run"))?;
    let mut wait = Wait::new(input.timeout_seconds, LONGEST_PAUSE);
    loop {
        let answer = context.client.api().jobs_jobs_get_run(None, None, None, run_id).await;
        let run = answer.map_err(databricks::Error::from)?.into_inner();
        if is_over(&run) {
            return finished(&context, run_id, run).await;
        }
        if !wait.pause().await {
            let mut answer = summary(run_id, &run);
            answer["still_running"] = true.into();
            answer["hint"] = "it goes on; follow it with `get_job_run`, or stop it with `cancel_job_run`".into();
            return Ok(answer);
        }
    }
}

fn is_over(run: &Run) -> bool {
    use RunLifeCycleState::{InternalError, Skipped, Terminated};
    let state = run.state.as_ref().and_then(|state| state.life_cycle_state.as_ref());
    matches!(state, Some(Terminated | Skipped | InternalError))
}

async fn finished(context: &Context, run_id: i64, run: Run) -> Result<Value, Error> {
    let mut answer = summary(run_id, &run);
    if let Some(task_run_id) = run.tasks.first().and_then(|task| task.run_id) {
        let output = context.client.api().jobs_jobs_get_run_output(task_run_id).await;
        match output.map_err(databricks::Error::from) {
            Ok(output) => {
                let output = output.into_inner();
                let notebook = output.notebook_output.unwrap_or_default();
                answer["task_run_id"] = task_run_id.into();
                for (name, value) in
                    [("result", notebook.result), ("error", output.error), ("error_trace", output.error_trace)]
                {
                    if let Some(value) = value {
                        answer[name] = value.into();
                    }
                }
            }
            // What the run did is known; that its output cannot be read must not hide it.
            Err(error) => answer["output_error"] = error.to_string().into(),
        }
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "the rest is on the run's page");
    let result = run.state.as_ref().and_then(|state| state.result_state.as_ref());
    if matches!(result, Some(RunResultState::Success | RunResultState::SuccessWithFailures)) {
        return Ok(answer);
    }
    let message = format!("the notebook's run {run_id} did not succeed: {answer}");
    Err(Error::failed(message).with_hint("its output by task: `get_job_run_output`"))
}

fn summary(run_id: i64, run: &Run) -> Value {
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
