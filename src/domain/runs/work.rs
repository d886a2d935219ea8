//! Runs that a call has left: how they stand, and ending them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::domain::runs::{run, summary};
use crate::error::Error;

/// What finds a run again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunHandle {
    pub(crate) run_id: i64,
}

/// The answer for a run that was waited for until now.
pub(crate) async fn look(context: Context, RunHandle { run_id }: RunHandle) -> Result<Value, Error> {
    let run = run::wait(&context, run_id, 0).await?;
    summary::outcome(&context, run_id, &run).await
}

/// Asks the workspace to cancel a run that may have ended meanwhile.
pub(crate) async fn cancel(context: Context, RunHandle { run_id }: RunHandle) -> Result<Value, Error> {
    if let Err(error) = run::cancel(&context.client, run_id).await {
        let is_over = run::get(&context, run_id, false).await.is_ok_and(|run| run::is_over(&run));
        if !is_over {
            return Err(error.into());
        }
    }
    Ok(json!({ "run_id": run_id.to_string() }))
}
