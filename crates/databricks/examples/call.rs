//! Calls any operation of the API's description: reads calls as lines of JSON, writes an answer for each.
//!
//! ```text
//! call specs/
//! {"operation": "jobs.jobs.get", "query": {"job_id": 123}}
//! {"operation": "files.files.upload", "path": {"file_path": "/Volumes/a"}, "text": "a file"}
//! {"operation": "jobs.jobs.list", "list": true}
//! ```
//!
//! An answer is `{"answer": …}`, for a list `{"items": […]}`, or `{"error": {…}}`. Where and how to log in is read from
//! the environment, as any client of Databricks does it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use codegen::api;
use databricks::{
    Arguments, Body, Client, Config, Limits, Location, Method, Operation, PageStyle, Pagination, Parameter, Payload,
    Response, RetryPolicy,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One line of the input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    operation: String,
    #[serde(default)]
    path: Map<String, Value>,
    #[serde(default)]
    query: Map<String, Value>,
    #[serde(default)]
    body: Map<String, Value>,
    /// The raw content of an upload.
    text: Option<String>,
    /// Whether to give the items of all pages instead of the first answer.
    #[serde(default)]
    list: bool,
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, with this one place to read settings in")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let specs = std::env::args_os().nth(1).map(PathBuf::from).context("usage: call SPECS_DIRECTORY")?;
    let operations = operations(&api::Api::load(&specs)?)?;
    // A tool to look with: what is asked for is sent at once, and sent once.
    let config = Config {
        limits: Limits { requests_per_second: None, ..Limits::default() },
        retry: RetryPolicy { budget: std::time::Duration::ZERO, ..RetryPolicy::default() },
        ..Config::from_env(|name| std::env::var(name).ok())?
    };
    let client = Client::new(config)?;
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match call(&client, &operations, &line?).await {
            Ok(answer) => answer,
            Err(error) => json!({ "error": explain(&error) }),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

async fn call(client: &Client, operations: &BTreeMap<String, &'static Operation>, line: &str) -> Result<Value> {
    let call: Call = serde_json::from_str(line).context("a line is not a call")?;
    let operation = operations.get(&call.operation).context("there is no such operation")?;
    let mut arguments = Arguments::new();
    for (location, values) in [(Location::Path, call.path), (Location::Query, call.query), (Location::Body, call.body)]
    {
        for (name, value) in values {
            arguments.insert(location, name, value);
        }
    }
    if let Some(text) = call.text {
        arguments = arguments.with_bytes(text);
    }
    if call.list {
        return Ok(json!({ "items": client.list(operation, arguments).collect().await? }));
    }
    Ok(json!({ "answer": match client.execute(operation, arguments).await? {
        Payload::Empty => Value::Null,
        Payload::Json(value) => value,
        Payload::Text { text, .. } => text.into(),
        Payload::Binary { bytes, .. } => String::from_utf8_lossy(&bytes).into(),
    } }))
}

/// Everything that can be asked of an error.
fn explain(error: &anyhow::Error) -> Value {
    let Some(error) = error.downcast_ref::<databricks::Error>() else {
        return json!({ "message": format!("{error:#}") });
    };
    let classes = [
        ("bad_request", error.is_bad_request()),
        ("unauthenticated", error.is_unauthenticated()),
        ("permission_denied", error.is_permission_denied()),
        ("not_found", error.is_not_found()),
        ("conflict", error.is_conflict()),
        ("rate_limited", error.is_rate_limited()),
        ("unreachable", error.is_unreachable()),
        ("timeout", error.is_timeout()),
        ("retryable", error.is_retryable()),
    ];
    let classes: Vec<_> = classes.iter().filter_map(|(class, holds)| holds.then_some(*class)).collect();
    json!({
        "message": error.message(),
        "status": error.status(),
        "code": error.error_code(),
        "classes": classes,
        "hint": error.hint(),
    })
}

/// Every operation of the specs in the client's terms. They live as long as the program.
fn operations(api: &api::Api) -> Result<BTreeMap<String, &'static Operation>> {
    let operations = api.operations.iter().map(|(id, operation)| {
        let operation: &Operation = Box::leak(Box::new(self::operation(operation)?));
        if let Some(generated) = databricks::operations::find(id) {
            // The allowlist may say more about paging.
            let generated = Operation { pagination: operation.pagination, ..*generated };
            anyhow::ensure!(generated == *operation, "`{id}` is another operation in the generated table");
        }
        Ok((id.clone(), operation))
    });
    operations.collect()
}

fn operation(source: &api::Operation) -> Result<Operation> {
    let text = |text: &str| &*String::leak(text.to_owned());
    let location = |location| match location {
        api::Location::Path => Location::Path,
        api::Location::Query => Location::Query,
        api::Location::Body => Location::Body,
    };
    let parameters = source.parameters.iter().map(|parameter| Parameter {
        name: text(&parameter.name),
        location: location(parameter.location),
        required: parameter.required,
        multi_segment: parameter.multi_segment,
        flatten: parameter.flatten,
        auto_uuid: parameter.auto_uuid,
        from_config: parameter.from_config,
        preset: parameter.preset.as_ref().map(|value| text(&value.to_string())),
    });
    let pagination = match &source.pagination {
        None => None,
        Some(pagination) => Some(Pagination {
            style: match pagination.style.as_str() {
                "token" => PageStyle::Token,
                "offset" => PageStyle::Offset,
                "page" => PageStyle::Page,
                "scim" => PageStyle::Scim,
                "none" => PageStyle::None,
                other => bail!("page style `{other}` is not understood"),
            },
            location: if pagination.in_body { Location::Body } else { Location::Query },
            items: pagination.items.as_deref().map(text),
            request: pagination.request.as_deref().map(text),
            response: pagination.response.as_deref().map(text),
            start: pagination.start,
            count: pagination.count.as_deref().map(text),
        }),
    };
    Ok(Operation {
        id: text(&source.id),
        method: match source.method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            other => bail!("method `{other}` is not understood"),
        },
        path: text(&source.path),
        parameters: Vec::leak(parameters.collect()),
        body: match source.body {
            api::Body::None => Body::None,
            api::Body::Object | api::Body::Other(_) => Body::Json,
            api::Body::Binary => Body::Binary,
        },
        response: match source.response {
            api::Response::Empty => Response::Empty,
            api::Response::Json(_) => Response::Json,
            api::Response::Text(_) => Response::Text,
            api::Response::Binary(_) => Response::Binary,
        },
        pagination,
        workspace_routing: source.workspace_routing,
        deprecated: source.deprecated,
    })
}
