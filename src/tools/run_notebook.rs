//! `run_notebook`: submits a one-time run of a notebook, waits, and gives its result.

use std::collections::HashMap;

use databricks::api::types::Run;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Composite, input, input_schema, once, run, run_answer, run_output};
use crate::context::Context;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

/// How much of an error and its trace goes into the text of an error.
const ROOM_OF_ERROR: usize = 1_200;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Path, from `list_workspace_items`, e.g. `/Users/me@example.com/etl`.
    notebook_path: String,
    /// Values of its widgets, e.g. `{"day": "2026-01-31"}`.
    #[serde(default)]
    parameters: HashMap<String, String>,
    /// Cluster to run on, from `list_clusters`; serverless if unset.
    existing_cluster_id: Option<String>,
    /// Or a cluster for this run alone, e.g. `{"spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge",
    /// "num_workers": 1}`.
    new_cluster: Option<Map<String, Value>>,
    /// SQL warehouse for a SQL notebook, from `list_warehouses`.
    warehouse_id: Option<String>,
    /// Name of the run.
    run_name: Option<String>,
    /// Wait for its end.
    #[serde(default = "super::yes")]
    wait: bool,
    /// Time to wait; after it the run goes on.
    #[serde(default = "super::wait::default_seconds")]
    #[schemars(range(min = 0, max = 600))]
    timeout_seconds: u64,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    if input.existing_cluster_id.is_some() && input.new_cluster.is_some() {
        return Err(Error::failed("`existing_cluster_id` and `new_cluster` exclude each other: give one, or neither"));
    }
    let (wait, seconds) = (input.wait, input.timeout_seconds);
    let name = input.run_name.clone().unwrap_or_else(|| format!("run_notebook {}", input.notebook_path));
    let (run_id, guard) = once::submit(&context, name, task(input), json!({})).await?;
    if !wait {
        guard.keep();
        return Ok(once::started(&context, run_id).await);
    }
    let run = run::wait(&context, run_id, seconds).await;
    guard.keep();
    let run = run.map_err(|error| error.after(run_answer::unseen(run_id)))?;
    if run::is_over(&run) {
        finished(&context, run_id, &run).await
    } else {
        Ok(run_answer::still_running(run_id, &run))
    }
}

fn task(input: Input) -> Value {
    let mut notebook = json!({ "notebook_path": input.notebook_path, "base_parameters": input.parameters });
    if let Some(warehouse) = input.warehouse_id {
        shape::put(&mut notebook, "warehouse_id", warehouse);
    }
    let mut task = json!({ "task_key": "notebook", "notebook_task": notebook });
    if let Some(cluster) = input.existing_cluster_id {
        shape::put(&mut task, "existing_cluster_id", cluster);
    }
    if let Some(cluster) = input.new_cluster {
        shape::put(&mut task, "new_cluster", cluster);
    }
    task
}

async fn finished(context: &Context, run_id: i64, run: &Run) -> Result<Value, Error> {
    let task_run_id = run::latest(&run.tasks).first().and_then(|task| task.run_id);
    let output = match task_run_id {
        Some(id) => Some(run_output::fetch(context, id).await),
        None => None,
    };
    if !run::succeeded(run) {
        let words = match &output {
            Some(Ok(output)) => {
                run_output::words(output.error.as_deref(), output.error_trace.as_deref(), ROOM_OF_ERROR)
            }
            _ => String::new(),
        };
        return Err(run_answer::failure_with(run_id, run, &words));
    }
    let mut answer = run_answer::summary(run_id, run);
    shape::put(&mut answer, "task_run_id", json!(task_run_id));
    match output {
        Some(Ok(output)) => run_output::put(&mut answer, output, context.budget.characters * 3 / 4),
        // What the run did is known; that its output cannot be read must not hide it.
        Some(Err(error)) => run_output::put_error(&mut answer, &error),
        None => {}
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "the rest is on the run's page");
    Ok(answer)
}
