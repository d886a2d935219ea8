//! `run_pipeline`: starts an update of a pipeline, waits, and reports how each flow ended.

use databricks::Request;
use databricks::requests::pipelines::pipelines::StartUpdate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cleanup::Begun;
use crate::context::Context;
use crate::definition::{Composite, Work};
use crate::domain::pipelines::{self, UpdateHandle};
use crate::domain::wait::{PollState, Timeout, Wait, watch};
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, work: WORK);

static WORK: Work = work!(UpdateHandle, look: pipelines::look, cancel: pipelines::cancel);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Pipeline id, from `list_pipelines`.
    pipeline_id: String,
    /// Empty all tables and recompute them; what the sources no longer hold is lost.
    #[serde(default)]
    full_refresh: bool,
    /// Only these tables, e.g. `["sales_daily"]`.
    #[serde(default)]
    refresh_selection: Vec<String>,
    /// Only check the code.
    #[serde(default)]
    validate_only: bool,
    /// Wait for the end; otherwise poll with `get_pipeline`.
    #[serde(default = "crate::input::yes")]
    wait: bool,
    /// Time to wait; after it the update keeps running.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let id = input.pipeline_id.clone();
    let mut wait = Wait::new(if input.wait { input.timeout_seconds.seconds() } else { 0 }, pipelines::LONGEST_PAUSE);
    // What is being stopped has to end before an update can begin.
    let look = |settings: &Value| {
        let is_over = !pipelines::is_stopping(settings);
        PollState { state: pipelines::state(settings).to_owned(), done: None, is_over }
    };
    let poll = || pipelines::get(&context, &id);
    let settings = watch(&context.by_itself(), &format!("pipeline {id}"), &mut wait, poll, look).await?;
    if pipelines::is_stopping(&settings) {
        return Ok(json!({
            "pipeline_id": id, "state": pipelines::state(&settings), "still_running": true,
            "hint": "its last update is still stopping, so none was started; call `run_pipeline` again later",
        }));
    }
    let is_continuous = shape::at(&settings, "spec.continuous").and_then(Value::as_bool) == Some(true);
    let before = pipelines::latest(&settings).and_then(|update| identity(update).map(str::to_owned));
    let start = async move |starting: Context| {
        let update = start(&starting, &input).await?;
        let name = format!("update {update} of pipeline {}", input.pipeline_id);
        Ok(Begun { id: input.pipeline_id, answer: update, name })
    };
    let undo =
        async |undoing: Context, id: String| Ok::<_, Error>(pipelines::request_stop(&undoing.client, &id).await?);
    let started = context.start("update of a pipeline", start, undo).await;
    let (update, guard) = match started {
        Err(error) => return Err(not_started(&context, &id, before.as_deref(), error).await),
        Ok(started) => started,
    };
    let outcome = pipelines::wait(&context, &id, &update, is_continuous, &mut wait).await;
    guard.keep();
    let outcome = outcome.map_err(|error| {
        error.after(format!(
            "update `{update}` was started and is still running; see its state with `get_pipeline` before you start \
             another"
        ))
    });
    pipelines::outcome(&context, &id, &update, is_continuous, outcome?).await
}

async fn start(context: &Context, input: &Input) -> Result<String, Error> {
    let selection = Some(&input.refresh_selection).filter(|tables| !tables.is_empty()).map(|tables| json!(tables));
    let request = StartUpdate::new(&input.pipeline_id)
        .full_refresh(input.full_refresh && selection.is_none())
        .validate_only(input.validate_only);
    let request = match input.full_refresh {
        true => request.maybe(selection, StartUpdate::full_refresh_selection),
        false => request.maybe(selection, StartUpdate::refresh_selection),
    };
    let answer = context.send(request).await?;
    let update = answer.get("update_id").and_then(Value::as_str);
    update.map(str::to_owned).ok_or_else(|| Error::unclear("the answer names no update"))
}

/// A pipeline has one update at a time. One that goes on is told, and left alone: it is not of this call. The API takes no
/// token that would make a second start harmless, so where the answer was lost nothing is started again.
async fn not_started(context: &Context, id: &str, before: Option<&str>, error: Error) -> Error {
    let may_have_happened = error.may_have_happened();
    let settings = pipelines::get(context, id).await.unwrap_or_default();
    let now = pipelines::latest(&settings);
    let text = |name| now.and_then(|update| update.get(name)).and_then(Value::as_str).unwrap_or("?");
    let (update, state) = (text("update_id"), text("state"));
    let is_new = now.is_some_and(|now| identity(now) != before);
    let is_busy = error.api().is_some_and(databricks::Error::is_conflict);
    if is_new && (may_have_happened || is_busy) {
        return error.with_outcome(format!(
            "its update `{update}`, now {state}, began during this call and may be the one that you asked for: check \
             with `get_pipeline` before you start another"
        ));
    }
    if pipelines::is_stopping(&settings) {
        let wait = "call `run_pipeline` again once `get_pipeline` shows IDLE";
        return error.with_hint(format!("its update `{update}` is being stopped: {wait}"));
    }
    if now.is_some_and(|now| !pipelines::is_over(now)) {
        return error.with_hint(format!(
            "its update `{update}` is {state} already; wait for it with `get_pipeline`, or stop it with `stop_pipeline`"
        ));
    }
    if may_have_happened {
        return error.with_outcome(
            "the update may have been started although the answer was lost: check with `get_pipeline` before you \
             start another",
        );
    }
    error
}

fn identity(update: &Value) -> Option<&str> {
    update.get("update_id")?.as_str()
}
