//! `cancel_run`: cancels a run and waits until it has ended.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::runs::{run, summary};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::input::Identifier;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Run id, from `list_job_runs` or `run_job_now`.
    run_id: Identifier,
    /// Wait until it has ended.
    #[serde(default = "crate::input::yes")]
    wait: bool,
    /// Time to wait.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let Identifier(run_id) = input.run_id;
    let before = run::get(&context, run_id, false).await?;
    if run::is_over(&before) {
        let mut answer = summary::summary(run_id, &before);
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
    let seconds = if input.wait { input.timeout_seconds.seconds() } else { 0 };
    let after = run::wait(&context, run_id, seconds).await;
    let after = after.map_err(|error| error.after(format!("run {run_id}: cancellation requested")))?;
    let mut answer = summary::summary(run_id, &after);
    if !run::is_over(&after) {
        shape::put(&mut answer, "still_running", true);
        shape::put(&mut answer, "hint", "the cancellation was requested; see when it has ended with `wait_for_run`");
    }
    Ok(answer)
}
