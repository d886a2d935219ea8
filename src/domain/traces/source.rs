//! Where one trace comes from. What Databricks has is asked first; a 404 of a path, not of a trace, says that this is
//! open source MLflow, which keeps spans in its own database.

use databricks::Request;
use databricks::requests::mlflow_traces::{BatchGet, Get, GetDataLink, GetInfo};
use serde_json::Value;

use super::info;
use super::place;
use super::span::Span;
use crate::context::Context;
use crate::domain::files::path::Remote;
use crate::domain::request;
use crate::error::Error;
use crate::shape;

/// The file of the spans, within the artifacts of a trace.
const FILE: &str = "traces.json";
/// Bytes of such a file in a volume, at most.
const MOST_BYTES: u64 = 64 << 20;

/// A trace.
#[derive(Debug)]
pub(crate) struct Trace {
    /// What the API says of it.
    pub(crate) info: Value,
    /// Its spans, or why they did not come: the rest is worth having without them.
    pub(crate) spans: Result<Vec<Span>, Error>,
}

impl Trace {
    /// The trace with this id.
    pub(crate) async fn read(context: &Context, id: &str, warehouse: Option<String>) -> Result<Self, Error> {
        match place::split(id) {
            Some((location, id)) => Self::of_catalog(context, location, id, warehouse).await,
            None => Self::of_experiment(context, id).await,
        }
    }

    /// Only Databricks has traces in Unity Catalog, and gives their spans with them.
    async fn of_catalog(context: &Context, location: &str, id: &str, warehouse: Option<String>) -> Result<Self, Error> {
        let ask = |warehouse: Option<String>| {
            let request = BatchGet::new(location, id).maybe(warehouse, BatchGet::sql_warehouse_id);
            request::get(context, request)
        };
        let found = match ask(warehouse.clone()).await {
            Err(error) if warehouse.is_none() && place::wants_warehouse(&error) => {
                ask(Some(place::warehouse(context).await?)).await?
            }
            found => found?,
        };
        let trace = request::array(&found, "traces").first().ok_or_else(|| {
            Error::failed(format!("there is no trace `{id}` in `{location}`"))
                .with_hint("find it with `search_traces`; a trace that was just logged may take some seconds to appear")
        })?;
        let spans = request::array(trace, "spans").iter().map(Span::read).collect();
        Ok(Self { info: trace.get("trace_info").cloned().unwrap_or_default(), spans: Ok(spans) })
    }

    async fn of_experiment(context: &Context, id: &str) -> Result<Self, Error> {
        let found = context.send(GetInfo::new(id)).await.map_err(|error| match error.is_not_found() {
            true => error.with_hint(
                "find it with `search_traces`; the id of a trace in Unity Catalog has the form \
                 `trace:/<catalog>.<schema>/<id>`",
            ),
            false => error,
        })?;
        let info = shape::at(&found, "trace.trace_info").cloned().unwrap_or_default();
        let spans = spans(context, id, &info).await;
        Ok(Self { info, spans })
    }
}

/// The spans of a trace in an experiment, from where its tags say that they are.
async fn spans(context: &Context, id: &str, info: &Value) -> Result<Vec<Span>, Error> {
    let tag = |name| info::pair(info, "tags", name);
    if matches!(tag("mlflow.trace.spansLocation"), Some("TRACKING_STORE" | "ARCHIVE_REPO")) {
        return in_database(context, id).await;
    }
    if let Some(folder) = tag("mlflow.artifactLocation").and_then(volume) {
        return in_volume(context, folder).await;
    }
    match context.send(GetDataLink::new(id)).await {
        Ok(link) => match linked(context, &link).await {
            Ok(spans) => Ok(spans),
            // Links are short-lived and their storage is another service: a fresh one may do.
            Err(_) => linked(context, &context.send(GetDataLink::new(id)).await?).await,
        },
        // Where there is nothing either, the first refusal says more.
        Err(error) if is_missing_endpoint(&error) => in_database(context, id).await.map_err(|_| error),
        Err(error) => Err(error),
    }
}

/// The spans behind a signed link, which is a credential itself: none of ours goes along with it.
async fn linked(context: &Context, answer: &Value) -> Result<Vec<Span>, Error> {
    let info = answer.get("credential_info").unwrap_or(&Value::Null);
    let url =
        request::text(info, "signed_uri").ok_or_else(|| Error::failed("the workspace gave no link to the spans"))?;
    let headers = request::array(info, "headers").iter();
    let headers = headers.filter_map(|header| Some((request::text(header, "name")?, request::text(header, "value")?)));
    let data: Value = context.client.download_presigned_json(url, headers).await?;
    Ok(of_file(&data))
}

async fn in_database(context: &Context, id: &str) -> Result<Vec<Span>, Error> {
    // Without `allow_partial` the server waits for spans that are still on their way.
    let found = context.send(Get::new(id).allow_partial(true)).await?;
    Ok(shape::at(&found, "trace.spans").and_then(Value::as_array).into_iter().flatten().map(Span::read).collect())
}

async fn in_volume(context: &Context, folder: &str) -> Result<Vec<Span>, Error> {
    let path = format!("{}/{FILE}", folder.trim_end_matches('/'));
    let part = Remote::parse(&path)?.read(context, 0, MOST_BYTES, None).await?;
    if part.total.is_some_and(|total| total > MOST_BYTES) {
        return Err(Error::failed(format!("`{path}` is larger than {MOST_BYTES} bytes"))
            .with_hint("get the file with `download_file`"));
    }
    // The position only: the content is somebody's data.
    let unreadable = |error: serde_json::Error| {
        Error::failed(format!("`{path}` is no JSON at line {}, column {}", error.line(), error.column()))
    };
    Ok(of_file(&serde_json::from_slice(&part.bytes).map_err(unreadable)?))
}

fn of_file(data: &Value) -> Vec<Span> {
    request::array(data, "spans").iter().map(Span::read).collect()
}

/// The path of a folder in a volume, of the address of artifacts.
fn volume(address: &str) -> Option<&str> {
    Some(address.strip_prefix("dbfs:").unwrap_or(address)).filter(|path| path.starts_with("/Volumes/"))
}

/// Whether the host does not know the path, which is another 404 than that of a trace or an experiment. A plain
/// server says so with a page.
pub(super) fn is_missing_endpoint(error: &Error) -> bool {
    let is_missing = |error: &databricks::Error| match error.error_code() {
        Some("ENDPOINT_NOT_FOUND") => true,
        Some("RESOURCE_DOES_NOT_EXIST") => false,
        _ => matches!(error.status(), Some(404 | 405)),
    };
    error.api().is_some_and(is_missing)
}
