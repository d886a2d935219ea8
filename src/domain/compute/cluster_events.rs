//! What happened to a cluster around a time.

use databricks::Request;
use databricks::requests::compute::clusters;
use serde_json::{Value, json};

use crate::context::Context;
use crate::domain::compute::state::ComputeKind;
use crate::domain::request;
use crate::domain::request::identifier;
use crate::error::Error;
use crate::shape;

/// How long before and after a task its cluster's events are of interest, in milliseconds.
const MARGIN: i64 = 15 * 60 * 1_000;
const MOST_EVENTS: usize = 8;

/// State of a cluster, and its events around a task, newest first.
pub(crate) async fn around(
    context: &Context,
    cluster_id: &str,
    from: Option<i64>,
    to: Option<i64>,
) -> Result<Value, Error> {
    let known = |time: Option<i64>| time.filter(|time| *time > 0);
    let request = clusters::Events::new(cluster_id)
        .page_size(50)
        .maybe(known(from).map(|from| from - MARGIN), clusters::Events::start_time)
        .maybe(known(to).map(|to| to + MARGIN), clusters::Events::end_time);
    let answer = request::get(context, request).await?;
    let events = answer.get("events").and_then(Value::as_array).into_iter().flatten();
    let events: Vec<_> = events.take(MOST_EVENTS).map(event).collect();
    // A job's own cluster vanishes with its run; its events stay.
    let mut cluster = match ComputeKind::Cluster.get(context, cluster_id).await {
        Ok(compute) => {
            let mut cluster = json!({ "cluster_id": cluster_id, "state": compute.state });
            if let Some(why) = compute.why() {
                shape::put(&mut cluster, "reason", why);
            }
            cluster
        }
        Err(_) => json!({ "cluster_id": cluster_id }),
    };
    let hint = if events.is_empty() { "no event around that time" } else { "newest first" };
    shape::put(&mut cluster, "events", events);
    shape::put(&mut cluster, "events_are", hint);
    Ok(cluster)
}

/// An event in one line.
fn event(event: &Value) -> Value {
    let at = event.get("timestamp").and_then(identifier).and_then(shape::time);
    let at = at.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = event.get("type").and_then(Value::as_str).unwrap_or("EVENT");
    let empty = json!({});
    let details = event.get("details").unwrap_or(&empty);
    let text = |path: &str| shape::at(details, path).and_then(Value::as_str).map(str::to_owned);
    let parameters = shape::at(details, "reason.parameters").and_then(Value::as_object);
    let parameters =
        parameters.into_iter().flatten().filter_map(|(name, value)| Some(format!("{name}: {}", value.as_str()?)));
    let parts: Vec<_> = [
        text("reason.code"),
        text("cause"),
        text("driver_state_message"),
        text("did_not_expand_reason"),
        text("user").map(|user| format!("by {user}")),
    ]
    .into_iter()
    .flatten()
    .chain(parameters)
    .collect();
    Value::from(format!("{at} {kind} {}", parts.join(", ")).trim().to_owned())
}
