//! `wait_for_run`: waits for a run that is there already.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Composite, Identifier, input, input_schema, run, run_answer};
use crate::context::Context;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Run id, from `run_job_now`, `run_notebook` or `list_runs`.
    run_id: Identifier,
    /// Time to wait; after it the run goes on.
    #[serde(default = "super::wait::default_seconds")]
    #[schemars(range(min = 0, max = 600))]
    timeout_seconds: u64,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let Identifier(run_id) = input.run_id;
    let run = run::wait(&context, run_id, input.timeout_seconds).await?;
    run_answer::outcome(&context, run_id, &run).await
}
