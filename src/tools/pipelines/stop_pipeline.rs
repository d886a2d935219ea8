//! `stop_pipeline`: ends the update that a pipeline runs, and waits until it has. Cancelling the call ends only the
//! wait: a stop cannot be undone.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::pipelines;
use crate::domain::wait::{PollState, Timeout, Wait, watch};
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Pipeline id, from `list_pipelines`.
    pipeline_id: String,
    /// Wait until it is idle; otherwise poll with `get_pipeline`.
    #[serde(default = "crate::input::yes")]
    wait: bool,
    /// Time to wait; the stop continues after it, or if cancelled.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let id = input.pipeline_id;
    let before = pipelines::state(&pipelines::get(&context, &id).await?).to_owned();
    if is_idle(&before) {
        return Ok(json!({ "pipeline_id": id, "state": before, "note": "it was not running" }));
    }
    if before != "STOPPING" {
        pipelines::request_stop(&context.client, &id).await?;
    }
    let look = |told: &Value| {
        let state = pipelines::state(told).to_owned();
        PollState { is_over: is_idle(&state), state, done: None }
    };
    let mut wait = Wait::new(if input.wait { input.timeout_seconds.seconds() } else { 0 }, LONGEST_PAUSE);
    let name = format!("pipeline {id}");
    let after = watch(&context, &name, &mut wait, || pipelines::get(&context, &id), look).await;
    let after = after.map_err(|error| error.after(format!("{name}: stop requested")))?;
    let state = pipelines::state(&after);
    let page = format!("{}/#joblist/pipelines/{id}", context.client.host());
    if is_idle(state) {
        return Ok(json!({ "pipeline_id": id, "state": state, "page_url": page }));
    }
    Ok(json!({
        "pipeline_id": id, "state": state, "page_url": page, "still_running": true,
        "hint": "it is being stopped; keep waiting with `stop_pipeline`, or see its state with `get_pipeline`",
    }))
}

/// A pipeline whose last update failed is as still as one that is idle.
fn is_idle(state: &str) -> bool {
    matches!(state, "IDLE" | "FAILED" | "DELETED")
}
