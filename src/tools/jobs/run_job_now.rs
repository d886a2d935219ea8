//! `run_job_now`: triggers a run of a job, and on request waits for it.

use std::collections::HashMap;

use databricks::Request;
use databricks::requests::jobs::jobs::RunNow;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cleanup::{Guard, begun};
use crate::context::Context;
use crate::definition::{Composite, Work};
use crate::domain::runs::work::{self, RunHandle};
use crate::domain::runs::{run, submit, summary};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::input::Identifier;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, work: WORK);

static WORK: Work = work!(RunHandle, look: work::look, cancel: work::cancel);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Job id, from `list_jobs`.
    job_id: Identifier,
    /// Values for job parameters, e.g. `{"day": "2026-01-31"}`; others keep their defaults.
    #[serde(default)]
    job_parameters: HashMap<String, String>,
    /// Widget values, e.g. `{"day": "2026-01-31"}`, for jobs without job parameters.
    #[serde(default)]
    notebook_params: HashMap<String, String>,
    /// Only these task keys, from `get_job`.
    #[serde(default)]
    only: Vec<String>,
    /// Wait until it has ended.
    #[serde(default)]
    wait: bool,
    /// Time to wait; after it the run keeps running.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let (wait, seconds) = (input.wait, input.timeout_seconds.seconds());
    let ((run_id, number), guard) = start(&context, input).await?;
    if wait {
        let run = run::wait(&context, run_id, seconds).await;
        guard.keep();
        let run = run.map_err(|error| error.after(summary::unseen(run_id)))?;
        return summary::outcome(&context, run_id, &run).await;
    }
    guard.keep();
    let mut answer = submit::started(&context, run_id).await;
    shape::put(&mut answer, "number_in_job", json!(number));
    Ok(answer)
}

/// Triggers the run; it is cancelled if this call is, but not if the time is up.
async fn start(context: &Context, input: Input) -> Result<((i64, Option<i64>), Guard), Error> {
    let given = |parameters: HashMap<String, String>| Some(parameters).filter(|parameters| !parameters.is_empty());
    let request = RunNow::new(input.job_id.0)
        // Repeating the request after a lost answer starts no second run.
        .idempotency_token(uuid::Uuid::new_v4().to_string())
        .maybe(given(input.job_parameters), RunNow::job_parameters)
        .maybe(given(input.notebook_params), RunNow::notebook_params)
        .maybe(Some(input.only).filter(|only| !only.is_empty()), RunNow::only);
    let start = async move |starting: Context| {
        let answer = starting.send(request).await?;
        let run_id = answer.run_id.ok_or_else(|| summary::unnamed("run", "list_job_runs"))?;
        Ok(begun("run", run_id, (run_id, answer.number_in_job)))
    };
    context.start("run", start, run::undo).await
}
