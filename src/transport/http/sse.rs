//! The transport of 2024-11-05 for old clients: answers come as events of `GET /sse`, messages go to `POST /messages`.
//!
//! A stream is a session of its own. Behind it is what serves stdio, line by line, so that bounds, errors and cancelling are
//! the same; here a message becomes a line, and a line an event. A client that closes its stream cancels its calls.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, StreamExt as _};
use http::StatusCode;
use http::request::Parts;
use rmcp::model::JsonRpcMessage;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio_util::sync::DropGuard;

use crate::transport::http::body;
use crate::transport::http::problem::Problem;
use crate::transport::http::tenants::Tenant;
use crate::transport::http::{App, Caller, Counted};
use crate::transport::message::{self, Received};
use crate::transport::stdio;

/// Between the two sides of a session; more waits.
const PIPE_BYTES: usize = 64 << 10;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a message waits until those before it are taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The open streams.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<String, Arc<Stream>>>);

/// One of them.
struct Stream {
    /// Who has opened it; nobody else can send to it.
    principal: Arc<str>,
    tenant: Arc<Tenant>,
    input: tokio::sync::Mutex<DuplexStream>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// Forgets a stream when its client is gone, and cancels its calls.
struct Open {
    app: Arc<App>,
    id: String,
    _stop: DropGuard,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.app.sse.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// The two paths.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/sse", get(open)).route("/messages", post(send))
}

async fn open(State(app): State<Arc<App>>, request: Request) -> Response {
    match opened(&app, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn opened(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let Caller { principal, tenant } = app.caller(&parts, "").await?;
    app.check_draining()?;
    let place = (tenant.stream()?, Counted::new(&app.metrics.streams));
    let id = uuid::Uuid::new_v4().to_string();
    let server = tenant.server().for_session().with_ceiling(principal.grant.ceiling);
    let stop = server.stop();
    let (input, far_input) = tokio::io::duplex(PIPE_BYTES);
    let (output, far_output) = tokio::io::duplex(PIPE_BYTES);
    let mut connection = stdio::open(server, far_input, far_output);
    let over = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = connection.ended() => {}
            () = over.cancelled() => {}
        }
        over.cancel();
        connection.finish().await;
    });
    let stream = Stream { principal: principal.id, tenant, input: tokio::sync::Mutex::new(input) };
    app.sse.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), Arc::new(stream));
    let endpoint = Event::default().event("endpoint").data(format!("/messages?session_id={id}"));
    let open = Open { app: Arc::clone(app), id, _stop: stop.drop_guard() };
    let answers = stream::unfold((BufReader::new(output).lines(), open, place), |(mut lines, open, place)| async {
        let line = lines.next_line().await.ok()??;
        Some((Event::default().event("message").data(line), (lines, open, place)))
    });
    let events = stream::once(async { endpoint }).chain(answers).map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

async fn send(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = Some(body);
    match sent(&app, &parts, &mut body).await {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(problem) => {
            if let Some(body) = body {
                body::pass_over(body).await;
            }
            problem.into_response()
        }
    }
}

async fn sent(app: &Arc<App>, parts: &Parts, body: &mut Option<Body>) -> Result<(), Problem> {
    let principal = app.auth.principal(parts).await?;
    let query = parts.uri.query().unwrap_or_default();
    let id = query.split('&').find_map(|pair| pair.strip_prefix("session_id=")).unwrap_or_default();
    let stream = app.sse.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
    let stream = stream.filter(|stream| stream.principal == principal.id).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no open stream of `/sse` has this `session_id`; open one first")
    })?;
    let held = app.room.read(&parts.headers, body.take().unwrap_or_default()).await?;
    // What is no message is answered on the stream, as everything else.
    if let Received::Message(message) = message::read(&held.bytes, held.weight)
        && let JsonRpcMessage::Request(_) = &*message
    {
        super::admit(app, &principal, &stream.tenant, &message).await?;
    }
    // A line break stands between the parts of JSON only; inside of a text it is escaped.
    let line: Vec<u8> =
        held.bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    let written = tokio::time::timeout(PATIENCE, async {
        let mut input = stream.input.lock().await;
        input.write_all(&line).await?;
        input.write_all(b"\n").await
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Problem::new(StatusCode::GONE, "the stream has ended")),
        Err(_) => {
            Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, "the messages before this one are not taken yet", 5))
        }
    }
}
