//! `run_notebook`: submits a one-time run of a notebook, waits, and returns its result.

use std::collections::HashMap;

use databricks::requests::jobs::jobs::Submit;
use databricks::requests::workspace::workspace;
use databricks::types::Run;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::definition::{Composite, Work};
use crate::domain::files::path;
use crate::domain::request;
use crate::domain::runs::work::{self, RunHandle};
use crate::domain::runs::{output, run, submit, summary};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, work: WORK);

static WORK: Work = work!(RunHandle, look: look, cancel: work::cancel);

/// What people write after the name of a notebook, which has none of these in the workspace.
const EXTENSIONS: [&str; 5] = ["ipynb", "py", "sql", "scala", "r"];

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Path, from `list_workspace_items`, e.g. `/Users/me@example.com/etl`.
    path: String,
    /// Values of its widgets, e.g. `{"day": "2026-01-31"}`.
    #[serde(default)]
    parameters: HashMap<String, String>,
    /// Cluster to run on, from `list_clusters`; serverless if unset.
    cluster_id: Option<String>,
    /// Or a cluster for this run only, e.g.
    /// `{"spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 1}`.
    new_cluster: Option<Map<String, Value>>,
    /// SQL warehouse for a SQL notebook, from `list_warehouses`.
    warehouse_id: Option<String>,
    /// Name of the run.
    run_name: Option<String>,
    /// Wait until it has ended.
    #[serde(default = "crate::input::yes")]
    wait: bool,
    /// Time to wait; after it the run keeps running.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, mut input: Input) -> Result<Value, Error> {
    if input.cluster_id.is_some() && input.new_cluster.is_some() {
        return Err(Error::failed("`cluster_id` and `new_cluster` cannot be given together")
            .with_hint("give one of them, or neither for serverless compute"));
    }
    input.path = located(&context, &input.path).await?;
    let (wait, seconds) = (input.wait, input.timeout_seconds.seconds());
    let name = input.run_name.clone().unwrap_or_else(|| format!("run_notebook {}", input.path));
    let (run_id, guard) = submit::submit(&context, Submit::new().run_name(name).tasks(json!([task(input)]))).await?;
    if !wait {
        guard.keep();
        return Ok(submit::started(&context, run_id).await);
    }
    let run = run::wait(&context, run_id, seconds).await;
    guard.keep();
    let run = run.map_err(|error| error.after(summary::unseen(run_id)))?;
    outcome(&context, run_id, &run).await
}

async fn look(context: Context, RunHandle { run_id }: RunHandle) -> Result<Value, Error> {
    let run = run::wait(&context, run_id, 0).await?;
    outcome(&context, run_id, &run).await
}

/// The answer for a run that was waited for.
async fn outcome(context: &Context, run_id: i64, run: &Run) -> Result<Value, Error> {
    if run::is_over(run) { finished(context, run_id, run).await } else { summary::outcome(context, run_id, run).await }
}

/// The path of the notebook in the workspace, before a run is started that could only fail.
async fn located(context: &Context, given: &str) -> Result<String, Error> {
    let path = path::absolute(given).map_err(|_| {
        Error::failed(format!("`{given}` is not the path of a notebook"))
            .with_hint("give the path from the root, e.g. `/Users/me@example.com/etl`; see `list_workspace_items`")
    })?;
    match kind(context, path).await {
        Ok(kind) => check_kind(path, kind.as_deref()).map(|()| path.to_owned()),
        Err(error) if error.is_not_found() => {
            let stem = path
                .rsplit_once('.')
                .filter(|(_, extension)| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)));
            if let Some((stem, _)) = stem
                && kind(context, stem).await.is_ok_and(|kind| kind.as_deref() == Some("NOTEBOOK"))
            {
                return Ok(stem.to_owned());
            }
            let folder = path.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| !folder.is_empty());
            let hint = format!("see what exists with `list_workspace_items` of `{}`", folder.unwrap_or("/"));
            Err(Error::failed(format!("there is no notebook `{path}`")).with_hint(hint))
        }
        // What cannot be looked up may run all the same.
        Err(_) => Ok(path.to_owned()),
    }
}

/// What is at a path of the workspace.
async fn kind(context: &Context, path: &str) -> Result<Option<String>, Error> {
    let object = context.send(workspace::GetStatus::new(path)).await?;
    Ok(request::text(&object, "object_type").map(str::to_owned))
}

fn check_kind(path: &str, kind: Option<&str>) -> Result<(), Error> {
    match kind {
        Some("DIRECTORY" | "REPO") => Err(Error::failed(format!("`{path}` is a folder"))
            .with_hint(format!("see the notebooks in it with `list_workspace_items` of `{path}`"))),
        Some("FILE") if !path.ends_with(".ipynb") => Err(Error::failed(format!("`{path}` is a file, not a notebook"))
            .with_hint("import its text as a notebook with `import_notebook`, or run the text with `run_code`")),
        _ => Ok(()),
    }
}

fn task(input: Input) -> Value {
    let mut notebook = json!({ "notebook_path": input.path, "base_parameters": input.parameters });
    if let Some(warehouse) = input.warehouse_id {
        shape::put(&mut notebook, "warehouse_id", warehouse);
    }
    let mut task = json!({ "task_key": "notebook", "notebook_task": notebook });
    if let Some(cluster) = input.cluster_id {
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
        Some(id) => Some(output::fetch(context, id).await),
        None => None,
    };
    if !run::succeeded(run) {
        let words = match &output {
            Some(Ok(output)) => {
                output::words(output.error.as_deref(), output.error_trace.as_deref(), summary::ROOM_OF_ERROR)
            }
            _ => String::new(),
        };
        return Err(summary::failure(run_id, run, &words));
    }
    let mut answer = summary::summary(run_id, run);
    shape::put(&mut answer, "task_run_id", json!(task_run_id));
    match output {
        Some(Ok(output)) => output::put(&mut answer, output, context.budget.characters * 3 / 4),
        // What the run did is known; that its output cannot be read must not hide it.
        Some(Err(error)) => output::put_error(&mut answer, &error),
        None => {}
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "the rest is on the run's page");
    Ok(answer)
}
