//! One-time runs: a task that is submitted to run once, without a job.

use databricks::requests::jobs::jobs::Submit;
use serde_json::{Value, json};

use crate::cleanup::{Guard, begun};
use crate::context::Context;
use crate::domain::request::identifier;
use crate::domain::runs::{run, summary};
use crate::error::Error;
use crate::shape;

/// Submits a run; it is cancelled if this call is, but not if the time is up.
pub(crate) async fn submit(context: &Context, request: Submit) -> Result<(i64, Guard), Error> {
    // Where too many runs are active, this one waits for its turn instead of failing.
    let request = request.queue(json!({ "enabled": true }));
    // Repeating the request after a lost answer starts no second run.
    let request = request.idempotency_token(uuid::Uuid::new_v4().to_string());
    let start = async move |starting: Context| {
        let answer = starting.send(request).await?;
        let run_id =
            answer.get("run_id").and_then(identifier).ok_or_else(|| summary::unnamed("run", "list_job_runs"))?;
        Ok(begun("run", run_id, run_id))
    };
    context.start("run", start, run::undo).await
}

/// The answer for a run that was started and is not waited for.
pub(crate) async fn started(context: &Context, run_id: i64) -> Value {
    match run::get(context, run_id, false).await {
        Ok(run) if run::is_over(&run) => {
            let mut answer = summary::summary(run_id, &run);
            if !run::succeeded(&run) {
                shape::put(&mut answer, "hint", summary::advice(&run));
            }
            answer
        }
        Ok(run) => summary::still_running(run_id, &run),
        // It was started, which is all that was asked for.
        Err(_) => {
            let mut answer = json!({ "run_id": run_id, "still_running": true });
            shape::put(&mut answer, "hint", "it was started; wait for it with `wait_for_run`");
            shape::exact(&mut answer);
            answer
        }
    }
}
