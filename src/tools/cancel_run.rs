//! `cancel_run`: cancels a run and waits until it has ended.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Composite, Identifier, input, input_schema, run, run_answer};
use crate::context::Context;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Run id, from `list_runs` or `run_job_now`.
    run_id: Identifier,
    /// Wait until it has ended.
    #[serde(default = "super::yes")]
    wait: bool,
    /// Time to wait.
    #[serde(default = "super::wait::default_seconds")]
    #[schemars(range(min = 0, max = 600))]
    timeout_seconds: u64,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let Identifier(run_id) = input.run_id;
    let before = run::get(&context, run_id, false).await?;
    if run::is_over(&before) {
        let mut answer = run_answer::summary(run_id, &before);
        shape::put(&mut answer, "already_over", true);
        return Ok(answer);
    }
    if let Err(error) = run::cancel(&context.client, run_id).await {
        // It may have ended just now, which is all that was wanted.
        let is_over = run::get(&context, run_id, false).await.is_ok_and(|run| run::is_over(&run));
        if !is_over {
            return Err(error.into());
        }
    }
    let seconds = if input.wait { input.timeout_seconds } else { 0 };
    let after = run::wait(&context, run_id, seconds).await;
    let after = after.map_err(|error| error.after(format!("run {run_id} was told to cancel")))?;
    let mut answer = run_answer::summary(run_id, &after);
    if !run::is_over(&after) {
        shape::put(&mut answer, "still_running", true);
        shape::put(&mut answer, "hint", "it was told to cancel; see when it has ended with `wait_for_run`");
    }
    Ok(answer)
}
