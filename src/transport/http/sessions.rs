//! Sessions of the revisions before 2026-07-28: what a client said when it began, the requests that are under way, and the
//! streams by which the server can tell it something.
//!
//! An idle session is a few kilobytes of memory. Nothing waits for its next request: each request has a service of its own,
//! which ends with its answer. rmcp's sessions have one for as long as they last, whose channels take 85 kB. A client that
//! loses the stream of a request finds the rest of it by `Last-Event-ID`, and the request goes on meanwhile.

mod exchange;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::{self, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetExtensions as _, InitializeRequestParams, InitializeResult, JsonRpcMessage,
    JsonRpcNotification, JsonRpcRequest, ProtocolVersion, RequestId,
};
use rmcp::service::{RoleServer, serve_directly_with_ct};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::server::{Outlet, SESSION, Server};
use crate::transport::http::problem::Problem;
use crate::transport::http::sessions::exchange::{Exchange, Wire, asked_by};
use crate::transport::message::{self, Refusal};
use crate::transport::watched::Watched;

/// A session ends when its client has sent nothing for so long. Editors keep theirs open for a working day.
const LIFE: Duration = Duration::from_secs(8 * 3_600);
/// A session that has been idle for so long makes room for another.
const IDLE: Duration = Duration::from_secs(60);
/// So many answers are kept for a client that has lost their streams, and for so long.
const MOST_KEPT: usize = 16;
const KEPT: Duration = Duration::from_secs(60);
/// After how long a client that has lost its stream asks for the rest.
const RETRY: Duration = Duration::from_secs(3);
/// How often an open stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// So many messages wait for a client that does not read its stream. Further ones are dropped: what they say can be asked for.
const MOST_WAITING: usize = 16;
/// What a client says of itself is kept for as long as its session.
const MOST_INTRODUCTION: usize = 64 << 10;
/// The header of a client that comes back to a stream.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx whether it may keep events back.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The sessions of one caller.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Arc<str>, Arc<Session>>>);

/// Of which of the caller's servers a session is: they differ in what they were narrowed to.
pub(crate) type Home = u64;

/// A client that has introduced itself.
pub(crate) struct Session {
    id: Arc<str>,
    server: Server,
    home: Home,
    /// What the client said of itself, with the revision that was agreed on.
    client: OnceLock<InitializeRequestParams>,
    closed: CancellationToken,
    state: Mutex<State>,
}

struct State {
    used: Instant,
    /// The number of the last request.
    number: u64,
    /// The requests that are not answered, and those whose answers nobody has taken yet.
    exchanges: Vec<Arc<Exchange>>,
    /// The open streams of GET. The first has what is said, as each message goes by one stream.
    listeners: Vec<mpsc::Sender<String>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("home", &self.home).finish_non_exhaustive()
    }
}

impl Sessions {
    /// The session that a request names.
    ///
    /// # Errors
    /// Where there is none, or not on this path.
    pub(crate) fn of(&self, headers: &HeaderMap, home: Home) -> Result<Arc<Session>, Problem> {
        let id = headers.get(SESSION).ok_or_else(|| {
            let message =
                "the request has no `Mcp-Session-Id` header: send the one that the answer to `initialize` has";
            Problem::new(StatusCode::BAD_REQUEST, message)
        })?;
        let mut open = self.open();
        let found = id.to_str().ok().and_then(|id| open.get(id)).filter(|session| session.home == home).cloned();
        match found {
            Some(session) if session.is_over() => session.close(&mut open),
            Some(session) => {
                session.state().used = Instant::now();
                return Ok(session);
            }
            None => {}
        }
        let message = "no session has this `Mcp-Session-Id`, or it has ended; send `initialize` to begin one";
        Err(Problem::new(StatusCode::NOT_FOUND, message))
    }

    /// Makes room for one more session, if need be in place of the one that has been idle for longest.
    ///
    /// # Errors
    /// Where all are in use.
    pub(crate) fn make_room(&self, most: usize) -> Result<(), Problem> {
        room(&mut self.open(), most)
    }

    /// Begins a session by its first request, and answers that.
    ///
    /// # Errors
    /// Where the client says too much, or has too many.
    pub(crate) async fn begin<T: Send + 'static>(
        &self,
        server: Server,
        home: Home,
        introduction: Introduction,
        held: T,
    ) -> Result<Response, Problem> {
        let Introduction { request, bytes, parts, most } = introduction;
        let asked = serde_json::json!(request.id);
        if bytes > MOST_INTRODUCTION {
            let message = format!("`initialize` has {bytes} bytes, and at most {MOST_INTRODUCTION} are taken");
            return Err(Problem::refused(Refusal::invalid_request(Some(asked), message)));
        }
        let id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
        let session = Arc::new_cyclic(|session| Session {
            id: Arc::clone(&id),
            server: server.with_outlet(Arc::new(Streams(Weak::clone(session)))),
            home,
            client: OnceLock::new(),
            closed: CancellationToken::new(),
            state: Mutex::new(State { used: Instant::now(), number: 0, exchanges: Vec::new(), listeners: Vec::new() }),
        });
        let answer = session.exchange(request, parts, held)?.answer().await.ok_or_else(|| {
            let message = "the session could not be begun; please report it";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, message).of(Some(asked.clone()))
        })?;
        let mut response = ([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response();
        if session.client.get().is_some()
            && let Ok(name) = HeaderValue::try_from(&*id)
        {
            let mut open = self.open();
            // Others may have begun meanwhile.
            room(&mut open, most).map_err(|problem| problem.of(Some(asked)))?;
            response.headers_mut().insert(SESSION, name);
            open.insert(id, session);
        }
        Ok(response)
    }

    /// Ends a session and the requests in it.
    pub(crate) fn end(&self, session: &Arc<Session>) {
        session.close(&mut self.open());
    }

    /// Whether one of the caller's servers has a session.
    pub(crate) fn has_any(&self, home: Home) -> bool {
        self.open().values().any(|session| session.home == home && !session.is_over())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first request of a client.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub(crate) request: JsonRpcRequest<ClientRequest>,
    /// The length of its message.
    pub(crate) bytes: usize,
    pub(crate) parts: Parts,
    /// How many sessions its caller may have.
    pub(crate) most: usize,
}

/// The streams of a session, for what is told outside of its requests.
#[derive(Debug)]
struct Streams(Weak<Session>);

impl Outlet for Streams {
    fn is_heard(&self) -> bool {
        let session = self.0.upgrade().filter(|session| !session.closed.is_cancelled());
        session.is_some_and(|session| session.state().listeners.iter().any(|listener| !listener.is_closed()))
    }

    fn tell(&self, message: &str) -> bool {
        let Some(session) = self.0.upgrade() else { return false };
        let mut listeners = session.state().listeners.clone().into_iter();
        listeners.any(|listener| listener.try_send(message.to_owned()).is_ok())
    }
}

impl Session {
    /// Takes what a client sends in its session, and answers it: a request by the stream of its events. `held` is held until
    /// the request is over, whether or not its client still listens.
    ///
    /// # Errors
    /// Where another request with the same id is under way.
    pub(crate) fn take<T: Send + 'static>(
        self: &Arc<Self>,
        message: ClientJsonRpcMessage,
        parts: Parts,
        held: T,
    ) -> Result<Response, Problem> {
        match message {
            JsonRpcMessage::Request(request) => Ok(events(self.exchange(request, parts, held)?.events(0))),
            message => {
                self.hear(message);
                Ok(StatusCode::ACCEPTED.into_response())
            }
        }
    }

    /// The stream of GET: of what the server has to say by itself, or the rest of one that the client has lost.
    pub(crate) fn listen(self: &Arc<Self>, headers: &HeaderMap) -> Response {
        let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).and_then(exchange::place);
        let Some((number, next)) = last else { return events(self.listener()) };
        let exchange = self.state().exchanges.iter().find(|exchange| exchange.number == number).cloned();
        match exchange {
            Some(exchange) => events(exchange.events(next)),
            // With an error, clients would ask again and again.
            None => events(stream::empty::<String>()),
        }
    }

    /// What is said outside of answers, until the session ends.
    fn listener(self: &Arc<Self>) -> impl Stream<Item = String> + Send + use<> {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        self.state().listeners.push(sender);
        let over = self.closed.clone();
        let said = stream::unfold(receiver, |mut receiver| async {
            let text = receiver.recv().await?;
            Some((exchange::event(None, &text), receiver))
        });
        stream::once(async { exchange::primer("0") }).chain(said).take_until(async move { over.cancelled().await })
    }

    /// A request of this session, which is under way from now on.
    fn exchange<T: Send + 'static>(
        self: &Arc<Self>,
        mut request: JsonRpcRequest<ClientRequest>,
        parts: Parts,
        held: T,
    ) -> Result<Arc<Exchange>, Problem> {
        let id = request.id.clone();
        let is_primed =
            self.client.get().is_some_and(|client| client.protocol_version >= ProtocolVersion::V_2025_11_25);
        let (exchange, inbox) = {
            let mut state = self.state();
            if state.exchanges.iter().any(|exchange| exchange.is_under_way(&id)) {
                return Err(Problem::refused(Refusal::duplicate(&id)));
            }
            state.number += 1;
            let kept = state.exchanges.iter().filter(|exchange| exchange.is_over());
            if kept.clone().count() >= MOST_KEPT {
                kept.take(1).for_each(|oldest| oldest.forget());
            }
            let (exchange, inbox) = Exchange::new(state.number, id, is_primed);
            state.exchanges.push(Arc::clone(&exchange));
            (exchange, inbox)
        };
        request.request.extensions_mut().insert(parts);
        let wire = Wire::new(Arc::clone(self), Arc::clone(&exchange), JsonRpcMessage::Request(request), inbox);
        let ended = |_: &RequestId| {};
        let service = Watched { server: self.server.clone(), ended };
        let client = self.client.get().cloned();
        let running =
            serve_directly_with_ct::<RoleServer, _, _, _, _>(service, wire, client, self.closed.child_token());
        let (session, served) = (Arc::clone(self), Arc::clone(&exchange));
        tokio::spawn(async move {
            if let Err(error) = running.waiting().await {
                tracing::error!(%error, "the service of a request ended by itself");
            }
            drop(held);
            served.end();
            let _ = timeout(KEPT, served.taken()).await;
            session.state().exchanges.retain(|other| !Arc::ptr_eq(other, &served));
        });
        Ok(exchange)
    }

    /// Takes what needs no answer: that nobody waits for one any more, or the answer to what a call has asked.
    fn hear(&self, message: ClientJsonRpcMessage) {
        if let Some(id) = message::cancelled(&message) {
            let exchange = self.state().exchanges.iter().find(|exchange| exchange.is_under_way(id)).cloned();
            if let Some(exchange) = exchange {
                exchange.hear(message);
                exchange.cancel();
            }
            return;
        }
        let number = match &message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(JsonRpcNotification { .. }) => None,
        };
        let Some((number, own)) = number.and_then(asked_by) else { return };
        let exchange = self.state().exchanges.iter().find(|exchange| exchange.number == number).cloned();
        if let Some(exchange) = exchange {
            exchange.hear(match message {
                JsonRpcMessage::Response(response) => JsonRpcMessage::response(response.result, own),
                JsonRpcMessage::Error(error) => JsonRpcMessage::error(error.error, Some(own)),
                other => other,
            });
        }
    }

    /// Tells the client something that belongs to no request. Gives it back where nobody listens.
    fn tell(&self, mut text: String) -> Option<String> {
        let mut state = self.state();
        state.listeners.retain(|listener| !listener.is_closed());
        for listener in &state.listeners {
            match listener.try_send(text) {
                Ok(()) => return None,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    tracing::debug!("a client does not read its stream, and misses a message");
                    return None;
                }
                Err(mpsc::error::TrySendError::Closed(back)) => text = back,
            }
        }
        Some(text)
    }

    /// The handshake came to this.
    fn agree(&self, asked: Option<InitializeRequestParams>, result: &InitializeResult) {
        if let Some(mut client) = asked {
            client.protocol_version = result.protocol_version.clone();
            // A session has one handshake.
            let _ = self.client.set(client);
        }
    }

    /// For how long it has been idle, if it is.
    fn idle(&self) -> Option<Duration> {
        let state = self.state();
        state.exchanges.iter().all(|exchange| exchange.is_over()).then(|| state.used.elapsed())
    }

    fn is_over(&self) -> bool {
        self.idle().is_some_and(|idle| idle >= LIFE)
    }

    fn close(&self, open: &mut HashMap<Arc<str>, Arc<Self>>) {
        open.remove(&self.id);
        // Nobody is answered any more.
        self.state().exchanges.iter().for_each(|exchange| exchange.cancel());
        self.closed.cancel();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for one more among the open sessions.
fn room(open: &mut MutexGuard<'_, HashMap<Arc<str>, Arc<Session>>>, most: usize) -> Result<(), Problem> {
    let over: Vec<_> = open.values().filter(|session| session.is_over()).cloned().collect();
    over.iter().for_each(|session| session.close(open));
    if open.len() < most {
        return Ok(());
    }
    let idle = open.values().filter_map(|session| Some((session.idle()?, session)));
    let oldest = idle.filter(|(idle, _)| *idle >= IDLE).max_by_key(|(idle, _)| *idle);
    let oldest = oldest.map(|(_, session)| Arc::clone(session)).ok_or_else(too_many)?;
    oldest.close(open);
    Ok(())
}

fn too_many() -> Problem {
    let message = "you have as many sessions as this server allows; end one with DELETE first";
    Problem::later(StatusCode::TOO_MANY_REQUESTS, message, 10)
}

/// A response of events, which shows that it is alive where there are none.
fn events(events: impl Stream<Item = String> + Send + 'static) -> Response {
    let texts = stream::unfold(Box::pin(events), |mut events| async {
        let text = match timeout(KEEP_ALIVE, events.next()).await {
            Ok(text) => text?,
            Err(_) => ":\n\n".to_owned(),
        };
        Some((Ok::<_, Infallible>(text), events))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache"), (BUFFERING, "no")];
    (headers, Body::from_stream(texts)).into_response()
}
