//! Traces: what a collector gets, whom the trace continues, and what becomes of it where there is no collector.
#![cfg(unix)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode as Http};
use axum::response::{IntoResponse as _, Response};
use databricks_sandbox::{Options, Sandbox};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use crate::callers::{ANNA, Keys};
use crate::house::{Failure, Outcome, PATIENCE, answer, client, modern, structured, until};
use crate::process::{Process, command};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ABOVE: &str = "b7ad6b7169203331";
/// In headers for the collector.
const COLLECTOR_KEY: &str = "collector-key-never-shown";

fn parent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{ABOVE}-{flags}")
}

async fn served(router: Router) -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// Takes spans over HTTP, as a collector does.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

impl Collector {
    async fn open(&self) -> Result<String, Failure> {
        async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> Response {
            collector.0.lock().unwrap_or_else(PoisonError::into_inner).push((headers, body));
            ([("content-type", "application/x-protobuf")], Bytes::new()).into_response()
        }
        served(Router::new().route("/v1/traces", axum::routing::post(take)).with_state(self.clone())).await
    }

    fn taken(&self) -> Vec<(HeaderMap, Bytes)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has come so far: each span with the name of the service.
    fn spans(&self) -> Result<Vec<(String, Span)>, Failure> {
        let mut spans = Vec::new();
        for (_, body) in self.taken() {
            for resource in ExportTraceServiceRequest::decode(body)?.resource_spans {
                let service = resource.resource.map(|resource| text(&resource.attributes, "service.name"));
                let found = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
                spans.extend(found.map(|span| (service.clone().unwrap_or_default(), span)));
            }
        }
        Ok(spans)
    }

    /// The spans of a trace, once there are so many.
    async fn trace(&self, id: &str, many: usize) -> Result<Vec<Span>, Failure> {
        let of_trace = || {
            let spans = self.spans()?.into_iter().map(|(_, span)| span);
            Ok::<Vec<_>, Failure>(spans.filter(|span| hex(&span.trace_id) == id).collect())
        };
        until("the spans have come", || async { Ok(of_trace()?.len() >= many) }).await?;
        of_trace()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text or the number of an attribute.
fn text(attributes: &[KeyValue], name: &str) -> String {
    let value = attributes.iter().find(|attribute| attribute.key == name).and_then(|found| found.value.clone()?.value);
    match value {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// The heads of the requests that have come to a workspace: each its path, and its headers.
type Heads = Arc<Mutex<Vec<(String, HeaderMap)>>>;

#[derive(Clone)]
struct Between {
    sandbox: Arc<Sandbox>,
    heads: Heads,
    http: reqwest::Client,
}

/// A workspace before which somebody listens, and which is busy at the first request for jobs.
async fn workspace() -> Result<(Between, String), Failure> {
    async fn pass(State(between): State<Between>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let is_first = {
            let mut heads = between.heads.lock().unwrap_or_else(PoisonError::into_inner);
            heads.push((path.clone(), parts.headers.clone()));
            path.ends_with("/jobs/list") && heads.iter().filter(|(known, _)| *known == path).count() == 1
        };
        if is_first {
            return (Http::SERVICE_UNAVAILABLE, [("retry-after", "0")], "busy").into_response();
        }
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
        let url = format!("{}{}", between.sandbox.url(), parts.uri);
        let mut headers = parts.headers;
        headers.remove("host");
        match between.http.request(parts.method, url).headers(headers).body(body).send().await {
            Ok(answer) => {
                let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
                let bytes = answer.bytes().await.unwrap_or_default();
                let mut response = (status, bytes).into_response();
                if let Some(kind) = kind {
                    response.headers_mut().insert("content-type", kind);
                }
                response
            }
            Err(_) => Http::BAD_GATEWAY.into_response(),
        }
    }
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    let between = Between { sandbox, heads: Heads::default(), http: client()? };
    let url = served(Router::new().fallback(pass).with_state(between.clone())).await?;
    Ok((between, url))
}

impl Between {
    /// The value that a header had in the requests for a path, as each had it.
    fn sent(&self, path: &str, header: &str) -> Vec<Option<String>> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let of_path = heads.iter().filter(|(known, _)| known.ends_with(path));
        of_path.map(|(_, headers)| Some(headers.get(header)?.to_str().ok()?.to_owned())).collect()
    }
}

/// A server of this workspace, with this collector.
async fn server(workspace: (&Between, &str), collector: &str, arguments: &[&str]) -> Result<Process, Failure> {
    let arguments: Vec<_> = ["http", "--listen", "127.0.0.1:0"].iter().chain(arguments).copied().collect();
    let mut command = command(&arguments);
    traced(&mut command, workspace, collector);
    Process::open(command).await
}

fn traced(command: &mut Command, (between, url): (&Between, &str), collector: &str) {
    command.env("DATABRICKS_HOST", url).env("DATABRICKS_TOKEN", between.sandbox.token());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector).env("OTEL_SERVICE_NAME", "team");
    command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("x-key={COLLECTOR_KEY}"));
}

/// A call that succeeds, with what it carries in its message and in its head.
async fn call(url: &str, tool: &str, arguments: Value, meta: Option<String>, head: Option<String>) -> Outcome {
    structured(prepared(url, tool, arguments, meta, head)?.send().await?).await.map(drop)
}

fn prepared(
    url: &str,
    tool: &str,
    arguments: Value,
    meta: Option<String>,
    head: Option<String>,
) -> Result<RequestBuilder, Failure> {
    let mut message = modern(1, "tools/call", json!({ "name": tool, "arguments": arguments }));
    if let Some(meta) = meta {
        message["params"]["_meta"]["traceparent"] = meta.into();
        message["params"]["_meta"]["tracestate"] = "vendor=message".into();
    }
    let mut request = client()?
        .post(url)
        .bearer_auth("anna-key")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    if let Some(head) = head {
        request = request.header("traceparent", head).header("tracestate", "vendor=head");
    }
    Ok(request.body(message.to_string()))
}

#[tokio::test]
async fn a_call_continues_the_trace_of_its_caller_into_the_workspace() -> Outcome {
    let collector = Collector::default();
    let (between, workspace) = workspace().await?;
    let keys = Keys::new(&format!("keys: [{{ name: anna, sha256: {ANNA} }}]\n"))?;
    let arguments = keys.arguments();
    let mut arguments: Vec<_> = arguments.split_whitespace().collect();
    arguments.extend(["--otlp", "--toolsets", "default,secrets"]);
    let process = server((&between, &workspace), &collector.open().await?, &arguments).await?;
    let url = process.url.clone();

    // The message says more than the head.
    call(&url, "list_jobs", json!({}), Some(parent(TRACE, "01")), Some(parent(OTHER, "01"))).await?;
    let spans = collector.trace(TRACE, 2).await?;
    let of_kind = |kind: SpanKind| spans.iter().filter(|span| span.kind == kind as i32).collect::<Vec<_>>();
    let (calls, requests) = (of_kind(SpanKind::Server), of_kind(SpanKind::Client));
    let [span] = calls.as_slice() else { return Err(format!("{spans:?}").into()) };
    assert_eq!((span.name.as_str(), hex(&span.parent_span_id).as_str()), ("tools/call list_jobs", ABOVE));
    for (name, expected) in [
        ("gen_ai.tool.name", "list_jobs"),
        ("databricks_mcp.outcome", "ok"),
        ("databricks_mcp.risk", "read"),
        ("enduser.id", "anna"),
        ("mcp.protocol.version", "2026-07-28"),
        ("network.transport", "tcp"),
        ("error.type", ""),
    ] {
        assert_eq!(text(&span.attributes, name), expected, "{name}");
    }
    assert!(!text(&span.attributes, "session.id").is_empty());
    let [request] = requests.as_slice() else { return Err(format!("{spans:?}").into()) };
    assert_eq!(request.parent_span_id, span.span_id);
    let template = text(&request.attributes, "url.template");
    assert!(template.ends_with("/jobs/list") && request.name == format!("GET {template}"), "{request:?}");
    for (name, expected) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.request.resend_count", "1"),
        ("databricks.operation", "jobs.jobs.list"),
    ] {
        assert_eq!(text(&request.attributes, name), expected, "{name}");
    }
    let [busy] = request.events.as_slice() else { return Err(format!("{request:?}").into()) };
    assert_eq!(text(&busy.attributes, "http.response.status_code"), "503");
    let below = Some(format!("00-{TRACE}-{}-01", hex(&request.span_id)));
    assert_eq!(between.sent("/jobs/list", "traceparent"), [below.clone(), below], "each attempt is of the same span");
    assert_eq!(between.sent("/jobs/list", "tracestate")[0].as_deref(), Some("vendor=message"));

    // The head does where the message says nothing that can be read.
    call(&url, "list_clusters", json!({}), None, Some(parent(OTHER, "01"))).await?;
    call(&url, "list_catalogs", json!({}), Some("00-none".to_owned()), Some(parent(OTHER, "01"))).await?;
    assert_eq!(collector.trace(OTHER, 4).await?.len(), 4);
    assert_eq!(between.sent("/clusters/list", "tracestate")[0].as_deref(), Some("vendor=head"));

    // Nothing is kept of what its caller does not keep, and the workspace is told so.
    let unsampled = "11111111111111111111111111111111";
    call(&url, "list_warehouses", json!({}), Some(parent(unsampled, "00")), None).await?;
    let sent = between.sent("/sql/warehouses", "traceparent").pop().flatten().ok_or("no header")?;
    assert!(sent.starts_with(&format!("00-{unsampled}-")) && sent.ends_with("-00"), "{sent}");

    // No secret is in any span, and each comes with the name and the key that the variables give.
    let failing = "22222222222222222222222222222222";
    let secret = json!({ "scope": "no-such-scope", "key": "k", "string_value": "secret-of-a-call" });
    let refused =
        answer(prepared(&url, "put_secret", secret, Some(parent(failing, "01")), None)?.send().await?).await?;
    assert_eq!(refused["result"]["isError"], true, "{refused}");
    call(&url, "execute_sql", json!({ "statement": "SELECT 'secret-of-a-call'" }), Some(parent(TRACE, "01")), None)
        .await?;
    let spans = collector.trace(failing, 2).await?;
    for (name, kind) in [("tools/call put_secret", "databricks_mcp.outcome"), ("POST ", "url.template")] {
        let span = spans.iter().find(|span| span.name.starts_with(name)).ok_or_else(|| format!("{spans:?}"))?;
        assert_eq!(span.status.as_ref().map(|status| status.code), Some(StatusCode::Error as i32), "{span:?}");
        assert_eq!(text(&span.attributes, "error.type"), "RESOURCE_DOES_NOT_EXIST", "{span:?}");
        assert!(!text(&span.attributes, kind).is_empty());
    }
    collector.trace(TRACE, 4).await?;
    let secrets = ["secret-of-a-call", "anna-key", COLLECTOR_KEY, between.sandbox.token()];
    for (headers, body) in collector.taken() {
        assert_eq!(headers["x-key"], COLLECTOR_KEY);
        for secret in secrets {
            assert!(!body.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
    }
    let spans = collector.spans()?;
    assert!(spans.iter().all(|(service, span)| service == "team" && hex(&span.trace_id) != unsampled));
    process.signal()?;
    assert!(process.ended().await?.0.success());
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_given_up_has_a_span_that_says_so() -> Outcome {
    let collector = Collector::default();
    let (between, workspace) = workspace().await?;
    let process = server((&between, &workspace), &collector.open().await?, &["--otlp"]).await?;
    let slow = "SELECT count(*) FROM range(100000) a CROSS JOIN range(100000) b WHERE a.id * b.id % 7 = 3";
    let arguments = json!({ "statement": slow, "timeout_seconds": 300 });
    let sending = prepared(&process.url, "execute_sql", arguments, Some(parent(TRACE, "01")), None)?.send();
    let sending = tokio::spawn(sending);
    until("the statement is sent", || async { Ok(!between.sent("/sql/statements", "traceparent").is_empty()) }).await?;
    sending.abort();
    let ended =
        || collector.spans().map(|spans| spans.into_iter().find(|(_, span)| span.name.starts_with("tools/call")));
    until("its span has ended", || async { Ok(ended()?.is_some()) }).await?;
    let (_, span) = ended()?.ok_or("no span")?;
    assert_eq!(text(&span.attributes, "databricks_mcp.outcome"), "cancelled");
    // What was begun is undone in the same trace.
    until("the undoing is traced", || async {
        let spans = collector.spans()?;
        Ok(spans.iter().any(|(_, span)| span.name.ends_with("/cancel") && hex(&span.trace_id) == TRACE))
    })
    .await
}

#[tokio::test]
async fn over_stdio_the_last_spans_come_when_the_client_leaves() -> Outcome {
    let collector = Collector::default();
    let (between, workspace) = workspace().await?;
    let mut command = command(&["--otlp"]);
    traced(&mut command, (&between, &workspace), &collector.open().await?);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
    let mut message = modern(1, "tools/call", json!({ "name": "list_clusters", "arguments": {} }));
    message["params"]["_meta"]["traceparent"] = parent(TRACE, "01").into();
    stdin.write_all(format!("{message}\n").as_bytes()).await?;
    let answer = timeout(PATIENCE, lines.next_line()).await??.ok_or("no answer")?;
    assert!(answer.contains("structuredContent"), "{answer}");
    drop(stdin);
    assert!(timeout(PATIENCE, child.wait()).await??.success());
    let spans: Vec<_> = collector.spans()?.into_iter().map(|(_, span)| span).collect();
    let call = spans.iter().find(|span| span.name == "tools/call list_clusters").ok_or("no span of the call")?;
    assert_eq!((hex(&call.trace_id).as_str(), hex(&call.parent_span_id).as_str()), (TRACE, ABOVE));
    assert_eq!(text(&call.attributes, "network.transport"), "pipe");
    assert!(spans.iter().any(|span| span.parent_span_id == call.span_id), "{spans:?}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_unless_it_is_asked_for() -> Outcome {
    let collector = Collector::default();
    let (between, workspace) = workspace().await?;
    let process = server((&between, &workspace), &collector.open().await?, &[]).await?;
    call(&process.url, "list_jobs", json!({}), Some(parent(TRACE, "01")), Some(parent(OTHER, "01"))).await?;
    process.signal()?;
    assert!(process.ended().await?.0.success());
    assert!(collector.taken().is_empty());
    for header in ["traceparent", "tracestate"] {
        assert!(between.sent("", header).iter().all(Option::is_none), "{header}");
    }
    Ok(())
}

#[tokio::test]
async fn a_collector_that_is_away_or_silent_makes_nobody_wait() -> Outcome {
    let (between, workspace) = workspace().await?;
    let away = TcpListener::bind("127.0.0.1:0").await?;
    let nowhere = format!("http://{}", away.local_addr()?);
    drop(away);
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let silent_url = format!("http://{}", silent.local_addr()?);
    for (collector, is_away) in [(&nowhere, true), (&silent_url, false)] {
        let process = server((&between, &workspace), collector, &["--otlp"]).await?;
        let (url, began) = (process.url.clone(), Instant::now());
        for _ in 0..10 {
            call(&url, "list_clusters", json!({}), None, None).await?;
        }
        assert!(began.elapsed() < Duration::from_secs(9), "the calls wait for the collector");
        if is_away {
            let metrics = url.replace("/mcp", "/metrics");
            until("what was dropped is counted", || async {
                let text = client()?.get(&metrics).send().await?.text().await?;
                let dropped = text.lines().find_map(|line| line.strip_prefix("databricks_mcp_spans_dropped_total "));
                Ok(dropped.is_some_and(|dropped| dropped != "0"))
            })
            .await?;
        }
        let ending = Instant::now();
        process.signal()?;
        let (status, said) = process.ended().await?;
        assert!(status.success(), "{said}");
        assert!(ending.elapsed() < Duration::from_secs(8), "the end waits for the collector");
        let told = if is_away { "the collector of traces does not take spans" } else { "did not take the last ones" };
        assert!(said.contains(told), "{said}");
    }
    drop(silent);
    Ok(())
}
