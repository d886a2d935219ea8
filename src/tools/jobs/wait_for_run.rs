//! `wait_for_run`: waits for an existing run.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::{Composite, Work};
use crate::domain::runs::work::{self, RunHandle};
use crate::domain::runs::{run, summary};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::input::Identifier;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, work: WORK);

/// Who waits for a run has not started it, and ends no more than the wait.
static WORK: Work = work!(RunHandle, look: work::look);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Run id, from `run_job_now`, `run_notebook` or `list_job_runs`.
    run_id: Identifier,
    /// Time to wait; after it the run keeps running.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let Identifier(run_id) = input.run_id;
    let run = run::wait(&context, run_id, input.timeout_seconds.seconds()).await?;
    summary::outcome(&context, run_id, &run).await
}
