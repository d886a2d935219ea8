//! Pipelines: their updates, how the flows of one went, and stopping.

use std::collections::BTreeMap;
use std::time::Duration;

use databricks::requests::pipelines::pipelines;
use databricks::{Client, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::domain::request::{self, array, integer, text};
use crate::domain::text::{Keep, excerpt, without_markup};
use crate::domain::wait::{PollState, Wait, watch};
use crate::error::Error;
use crate::shape;

pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Pages of events that are looked through for the flows of one update.
const MOST_PAGES: usize = 5;
/// The text of an error names no more of them, and no more of what each says.
const MOST_ERRORS: usize = 4;
const MOST_OF_MESSAGE: usize = 350;

/// What finds an update of a pipeline again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UpdateHandle {
    pipeline_id: String,
    update_id: String,
    is_continuous: bool,
}

/// The pipeline with its settings and latest updates.
pub(crate) async fn get(context: &Context, id: &str) -> Result<Value, Error> {
    context.send(pipelines::Get::new(id)).await
}

/// Asks for the end of whatever the pipeline does.
pub(crate) async fn request_stop(client: &Client, id: &str) -> Result<(), databricks::Error> {
    client.send(pipelines::Stop::new(id).idempotent(true)).await
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
        let answer = context.send(pipelines::GetUpdate::new(id, update)).await?;
        Ok(answer.get("update").cloned().unwrap_or_default())
    };
    let look = |told: &Value| {
        let state = state(told).to_owned();
        let is_over = is_over(told) || (is_continuous && state == "RUNNING");
        PollState { state, done: None, is_over }
    };
    watch(context, &format!("update {update}"), wait, poll, look).await
}

/// The answer for an update that was waited for until now.
pub(crate) async fn look(context: Context, handle: UpdateHandle) -> Result<Value, Error> {
    let UpdateHandle { pipeline_id: id, update_id: update, is_continuous } = &handle;
    let told = wait(&context, id, update, *is_continuous, &mut Wait::new(0, LONGEST_PAUSE)).await?;
    outcome(&context, id, update, *is_continuous, told).await
}

/// Asks for the end of an update, unless it is over and the pipeline does something else.
pub(crate) async fn cancel(context: Context, handle: UpdateHandle) -> Result<Value, Error> {
    let settings = get(&context, &handle.pipeline_id).await?;
    let is_it = |update: &&Value| text(update, "update_id") == Some(&handle.update_id) && !is_over(update);
    if latest(&settings).filter(is_it).is_some() {
        request_stop(&context.client, &handle.pipeline_id).await?;
    }
    Ok(json!({ "update_id": handle.update_id }))
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
    let url = page(context, id, update);
    let mut answer = json!({ "pipeline_id": id, "update_id": update, "state": state, "page_url": url });
    let started = integer(&told, "creation_time");
    if let Some(at) = started.and_then(shape::time) {
        shape::put(&mut answer, "start_time", at);
    }
    if !is_over(&told) {
        if !(is_continuous && state == "RUNNING") {
            let (pipeline_id, update_id) = (id.to_owned(), update.to_owned());
            context.handover.leave(&UpdateHandle { pipeline_id, update_id, is_continuous });
        }
        shape::put(&mut answer, "still_running", true);
        let hint = match is_continuous {
            _ if state == "STOPPING" => "it is being stopped; see its state with `get_pipeline`",
            true => "the pipeline is continuous and runs until `stop_pipeline`",
            false => "it is still running; see its state with `get_pipeline`, or stop it with `stop_pipeline`",
        };
        shape::put(&mut answer, "hint", hint);
        return Ok(answer);
    }
    // How it ended is known; that the events cannot be read must not hide it.
    let flows = flows(context, id, update).await;
    if state == "COMPLETED" {
        match flows {
            Ok(flows) => {
                if let Some(duration) = flows.latest.zip(started).map(|(end, start)| (end - start).max(0)) {
                    shape::put(&mut answer, "duration_ms", duration);
                }
                flows.put(&mut answer);
            }
            Err(error) => shape::put(&mut answer, "events_error", error.to_string()),
        }
        let cuts = shape::fit(&mut answer, context.budget);
        shape::notice(&mut answer, cuts, "the rest is on the update's page");
        return Ok(answer);
    }
    let words = match &flows {
        Ok(flows) => flows.words(),
        Err(error) => format!("\nits events cannot be read: {}", error.message()),
    };
    let error = Error::failed(format!("update {update} of pipeline {id} is {state}\npage: {url}{words}"));
    Err(error.with_hint(match state.as_str() {
        "CANCELED" => "somebody stopped it; `run_pipeline` starts another",
        _ => "correct what the exceptions say, then `run_pipeline` again",
    }))
}

/// The page where people see an update.
fn page(context: &Context, id: &str, update: &str) -> String {
    format!("{}/#joblist/pipelines/{id}/updates/{update}", context.client.host())
}

/// What the events of an update tell.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    /// How each flow ended.
    flows: Vec<Value>,
    /// What went wrong, newest first.
    pub(crate) errors: Vec<Value>,
    /// When the newest event was, in milliseconds since 1970.
    latest: Option<i64>,
    /// Whether older events were left unread.
    is_cut: bool,
}

impl Flows {
    /// Adds them to an answer.
    pub(crate) fn put(self, answer: &mut Value) {
        shape::put(answer, "flows", self.flows);
        if !self.errors.is_empty() {
            shape::put(answer, "errors", self.errors);
        }
        if self.is_cut {
            shape::put(answer, "flows_are", "from the newest events; older ones are on the update's page");
        }
    }

    /// What went wrong in a few lines, for the text of an error.
    fn words(&self) -> String {
        let mut words = String::new();
        for error in self.errors.iter().take(MOST_ERRORS) {
            let place = text(error, "flow").map_or_else(|| "the update".to_owned(), |flow| format!("flow `{flow}`"));
            let exceptions = array(error, "exceptions").iter().map(|exception| {
                let message = excerpt(text(exception, "message").unwrap_or_default(), MOST_OF_MESSAGE, Keep::Head).text;
                format!("{}: {message}", text(exception, "class_name").unwrap_or("exception"))
            });
            words.push_str(&format!("\n{place}: {}", exceptions.collect::<Vec<_>>().join("; ")));
        }
        let more = self.errors.len().saturating_sub(MOST_ERRORS);
        if more > 0 {
            words.push_str(&format!("\nand {more} more errors"));
        }
        words
    }
}

/// How each flow of an update ended, and what went wrong, from the pipeline's events, newest first.
pub(crate) async fn flows(context: &Context, id: &str, update: &str) -> Result<Flows, Error> {
    let mut flows: BTreeMap<String, Value> = BTreeMap::new();
    let (mut told, mut cursor, mut is_older) = (Flows::default(), None, false);
    for _ in 0..MOST_PAGES {
        let request = pipelines::ListPipelineEvents::new(id).max_results(100).order_by(json!(["timestamp desc"]));
        let page = request::page(context, request, cursor.as_ref()).await?;
        for event in &page.items {
            let origin = |name: &str| event.get("origin").and_then(|origin| origin.get(name)).and_then(Value::as_str);
            if origin("update_id") != Some(update) {
                // Events of the update stand together; before them are those of earlier ones.
                is_older = is_older || (origin("update_id").is_some() && told.latest.is_some());
                continue;
            }
            let at = text(event, "timestamp").and_then(|at| at.parse::<jiff::Timestamp>().ok());
            told.latest = told.latest.or(at.map(jiff::Timestamp::as_millisecond));
            let flow = origin("flow_name");
            if let Some(name) = flow.filter(|_| event.get("event_type").is_some_and(|kind| kind == "flow_progress")) {
                flows.entry(name.to_owned()).or_insert_with(|| progress(name, event));
            }
            let exceptions = shape::at(event, "error.exceptions").and_then(Value::as_array);
            if let Some(exceptions) = exceptions.filter(|exceptions| !exceptions.is_empty()) {
                let exceptions: Vec<_> = exceptions.iter().map(exception).collect();
                told.errors.push(json!({ "flow": flow, "exceptions": exceptions }));
            }
        }
        cursor = page.next;
        if cursor.is_none() || is_older {
            break;
        }
    }
    told.is_cut = cursor.is_some() && !is_older;
    told.flows = flows.into_values().collect();
    // The update fails with the exceptions of its flows.
    let has_flow = |error: &Value| text(error, "flow").is_some();
    let of_flows: Vec<_> = told.errors.iter().filter(|error| has_flow(error)).cloned().collect();
    let is_known = |error: &Value| of_flows.iter().any(|known| known.get("exceptions") == error.get("exceptions"));
    told.errors.retain(|error| has_flow(error) || !is_known(error));
    Ok(told)
}

/// An exception without its stack, and without the colours and markup of notebooks.
fn exception(exception: &Value) -> Value {
    let clean = |name: &str| text(exception, name).map(without_markup);
    json!({ "class_name": clean("class_name"), "message": clean("message") })
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
