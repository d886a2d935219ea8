//! Pipelines: their updates, how the flows of one went, and stopping.

use std::collections::BTreeMap;
use std::time::Duration;

use databricks::{Arguments, Client, Location, operations};
use serde_json::{Value, json};

use super::wait::{Stand, Wait, watch};
use crate::context::Context;
use crate::error::Error;
use crate::shape;

pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Pages of events that are looked through for the flows of one update.
const MOST_PAGES: usize = 5;

/// The pipeline with its settings and latest updates.
pub(crate) async fn get(context: &Context, id: &str) -> Result<Value, Error> {
    let request = Arguments::new().with(Location::Path, "pipeline_id", id);
    context.json(&operations::PIPELINES_PIPELINES_GET, request).await
}

/// Asks for the end of whatever the pipeline does.
pub(crate) async fn request_stop(client: &Client, id: &str) -> Result<(), databricks::Error> {
    let request = Arguments::new().with(Location::Path, "pipeline_id", id).idempotent(true);
    client.execute(&operations::PIPELINES_PIPELINES_STOP, request).await.map(drop)
}

/// Whether an update has come to its end, whatever that is.
pub(crate) fn is_over(update: &Value) -> bool {
    matches!(state(update), "COMPLETED" | "FAILED" | "CANCELED")
}

/// The state of an update, or of a pipeline.
pub(crate) fn state(told: &Value) -> &str {
    told.get("state").and_then(Value::as_str).unwrap_or("UNKNOWN")
}

/// The newest update of a pipeline.
pub(crate) fn latest(settings: &Value) -> Option<&Value> {
    settings.get("latest_updates")?.as_array()?.first()
}

/// Whether what a pipeline did is being stopped, which takes its time.
pub(crate) fn is_stopping(settings: &Value) -> bool {
    state(settings) == "STOPPING" || latest(settings).is_some_and(|update| state(update) == "STOPPING")
}

/// Waits until an update is over, or runs if it is one that never ends, and gives it as it then is.
pub(crate) async fn wait(
    context: &Context,
    id: &str,
    update: &str,
    is_continuous: bool,
    wait: &mut Wait,
) -> Result<Value, Error> {
    let poll = || async {
        let request =
            Arguments::new().with(Location::Path, "pipeline_id", id).with(Location::Path, "update_id", update);
        let answer = context.json(&operations::PIPELINES_PIPELINES_GET_UPDATE, request).await?;
        Ok(answer.get("update").cloned().unwrap_or_default())
    };
    let look = |told: &Value| {
        let state = state(told).to_owned();
        let is_over = is_over(told) || (is_continuous && state == "RUNNING");
        Stand { state, done: None, is_over }
    };
    watch(context, &format!("update {update}"), wait, poll, look).await
}

/// The answer for an update that was waited for. One that did not complete is an error.
pub(crate) async fn outcome(
    context: &Context,
    id: &str,
    update: &str,
    is_continuous: bool,
    told: Value,
) -> Result<Value, Error> {
    let state = state(&told).to_owned();
    let url = format!("{}/#joblist/pipelines/{id}/updates/{update}", context.client.host());
    let mut answer = json!({ "pipeline_id": id, "update_id": update, "state": state, "page_url": url });
    if !is_over(&told) {
        shape::put(&mut answer, "still_running", true);
        let hint = match is_continuous {
            _ if state == "STOPPING" => "it is being stopped; see its state with `get_pipeline`",
            true => "the pipeline is continuous and runs until `stop_pipeline`",
            false => "it goes on; see its state with `get_pipeline`, or stop it with `stop_pipeline`",
        };
        shape::put(&mut answer, "hint", hint);
        return Ok(answer);
    }
    // How it ended is known; that the events cannot be read must not hide it.
    match flows(context, id, update).await {
        Ok((flows, errors)) => {
            shape::put(&mut answer, "flows", flows);
            if !errors.is_empty() {
                shape::put(&mut answer, "errors", errors);
            }
        }
        Err(error) => shape::put(&mut answer, "events_error", error.to_string()),
    }
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "the rest is on the update's page");
    if state == "COMPLETED" {
        return Ok(answer);
    }
    Err(Error::failed(format!("update {update} is {state}: {answer}")).with_hint(match state.as_str() {
        "CANCELED" => "somebody stopped it; `run_pipeline` starts another",
        _ => "mend what the exceptions say, then `run_pipeline` again",
    }))
}

/// How each flow of an update ended, and what went wrong, from the pipeline's events, newest first.
async fn flows(context: &Context, id: &str, update: &str) -> Result<(Vec<Value>, Vec<Value>), Error> {
    let mut flows: BTreeMap<String, Value> = BTreeMap::new();
    let (mut errors, mut cursor) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let request = Arguments::new()
            .with(Location::Path, "pipeline_id", id)
            .with(Location::Query, "max_results", 100)
            .with(Location::Query, "order_by", json!(["timestamp desc"]));
        let operation = &operations::PIPELINES_PIPELINES_LIST_PIPELINE_EVENTS;
        let page = context.client.page(operation, request, cursor.as_ref()).await?;
        let mut is_older = false;
        for event in &page.items {
            let origin = |name: &str| event.get("origin").and_then(|origin| origin.get(name)).and_then(Value::as_str);
            if origin("update_id") != Some(update) {
                // Events of the update stand together; before them are those of earlier ones.
                is_older = is_older || (origin("update_id").is_some() && !(flows.is_empty() && errors.is_empty()));
                continue;
            }
            let flow = origin("flow_name");
            if let Some(name) = flow.filter(|_| event.get("event_type").is_some_and(|kind| kind == "flow_progress")) {
                flows.entry(name.to_owned()).or_insert_with(|| progress(name, event));
            }
            let exceptions = shape::at(event, "error.exceptions").and_then(Value::as_array);
            if let Some(exceptions) = exceptions.filter(|exceptions| !exceptions.is_empty()) {
                let kept = exceptions.iter().map(|exception| shape::keep(exception, &["class_name", "message"]));
                errors.push(json!({
                    "flow": flow, "message": event.get("message"), "exceptions": kept.collect::<Vec<_>>(),
                }));
            }
        }
        cursor = page.next;
        if cursor.is_none() || is_older {
            break;
        }
    }
    Ok((flows.into_values().collect(), errors))
}

/// How far a flow is by one of its events. The REST API promises the text alone; the event log has details too.
fn progress(name: &str, event: &Value) -> Value {
    const STATES: [&str; 9] =
        ["QUEUED", "STARTING", "PLANNING", "RUNNING", "COMPLETED", "FAILED", "SKIPPED", "STOPPED", "EXCLUDED"];
    let words =
        event.get("message").and_then(Value::as_str).unwrap_or_default().split(|sign: char| !sign.is_alphabetic());
    let told = words.rev().find(|word| STATES.contains(word)).map(Value::from);
    let status = shape::at(event, "details.flow_progress.status").cloned().or(told);
    let mut flow = json!({ "flow": name, "status": status.unwrap_or_else(|| "UNKNOWN".into()) });
    if let Some(rows) = shape::at(event, "details.flow_progress.metrics.num_output_rows") {
        shape::put(&mut flow, "rows", rows.clone());
    }
    flow
}
