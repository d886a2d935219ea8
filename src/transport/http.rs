//! MCP over HTTP: Streamable HTTP on `/mcp` for many callers, each with a server of their own.
//!
//! A request passes, in this order: the limits of its connection (`listen`), the check of `Host` and `Origin` (`origin`), the
//! proof of who calls (`auth`), what is left for that caller (`narrowing`, `tenants`), the bounds of its body (`body`, and
//! `transport::message`, which answers what is no message), and the risk that the caller may take (here). What belongs
//! to a session goes to `sessions`. rmcp has what is behind.

mod auth;
mod body;
mod grants;
mod health;
mod listen;
mod narrowing;
mod negotiation;
mod options;
mod origin;
mod preface;
mod principal;
mod problem;
mod sessions;
mod sse;
mod tenants;
mod tls;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use databricks::Secret;
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use prometheus_client::metrics::gauge::Gauge;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::metrics::Metrics;
use crate::server::{Ceiling, SESSION, Server};
use crate::transport::http::auth::Auth;
use crate::transport::http::body::Room;
use crate::transport::http::health::Readiness;
use crate::transport::http::listen::{Listener, Terms};
use crate::transport::http::origin::Allowed;
use crate::transport::http::principal::{Denied, Principal};
use crate::transport::http::problem::Problem;
use crate::transport::http::sessions::Introduction;
use crate::transport::http::sse::Streams;
use crate::transport::http::tenants::{Tenant, Tenants};
use crate::transport::http::tls::Tls;
use crate::transport::message::{self, Received, Refusal};
use crate::workspaces::Workspaces;

pub(crate) use auth::hash;
pub use options::{Address, AuthMode, CallAs, HttpOptions, SocketMode};

/// How many connections the port of the metrics takes.
const METRICS_CONNECTIONS: usize = 64;
/// The header with a Databricks token of the caller, for `--call-as header`.
const CALLER_TOKEN: &str = "x-databricks-token";

/// An HTTP server that is being served.
#[derive(Debug)]
pub struct Service {
    app: Arc<App>,
    address: Address,
    is_tls: bool,
    served: Vec<tokio::task::JoinHandle<()>>,
    closing: CancellationToken,
    drain: Duration,
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    auth: Auth,
    allowed: Allowed,
    call_as: CallAs,
    tenants: Tenants,
    room: Room,
    workspaces: Workspaces,
    sse: Streams,
    metrics: Metrics,
    /// Whether `/metrics` has a port of its own.
    has_metrics_port: bool,
    /// The server is told to stop, and takes no new calls.
    draining: CancellationToken,
    /// The calls under way.
    under_way: TaskTracker,
    readiness: Readiness,
}

impl App {
    /// Whether it takes no new calls.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Whether the workspaces answer, as it was found last.
    pub(crate) fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Who sends a request that is not one of the protocol. Where `/metrics` has a port of its own, callers do not see it.
    pub(crate) async fn reader_of_metrics(&self, request: &Parts) -> Result<Principal, Problem> {
        if self.has_metrics_port {
            return Err(Problem::new(StatusCode::NOT_FOUND, "`/metrics` is on a port of its own"));
        }
        Ok(self.auth.principal(request).await?)
    }

    /// Who sends a request, and what serves them. `rest` is what follows `/mcp` in its path.
    async fn caller(&self, request: &Parts, rest: &str) -> Result<Caller, Problem> {
        let principal = self.auth.principal(request).await?;
        let asked = narrowing::asked(rest, &request.headers)?;
        let token = caller_token(self, &principal, request)?;
        let tenant = self.tenants.of(&principal, &asked, token)?;
        Ok(Caller { principal, tenant })
    }

    /// Refuses what is new when the server is about to end.
    fn check_draining(&self) -> Result<(), Problem> {
        match self.is_draining() {
            true => Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, "this server is about to end", 1)),
            false => Ok(()),
        }
    }

    /// The counters, as text.
    pub(crate) fn metrics(&self) -> String {
        self.metrics.text(self.tenants.len())
    }

    /// The workspaces that calls go to.
    pub(crate) fn workspaces(&self) -> &Workspaces {
        &self.workspaces
    }
}

/// Serves clients from now on. `template` is the server that each caller gets one like.
///
/// # Errors
/// Where the options contradict each other or open more than they protect, and where the address cannot be used.
pub async fn open(options: &HttpOptions, template: Server) -> Result<Service, Error> {
    let (workspaces, metrics) = (template.all_workspaces().clone(), template.metrics().clone());
    let under_way = template.under_way().clone();
    let auth = Auth::open(options)?;
    let call_as = call_as(options, &workspaces)?;
    let allowed = Allowed::new(options)?;
    let tls = Tls::open(options)?.map(Arc::new);
    if tls.is_none() && !options.listen.is_local() {
        tracing::warn!("keys and tokens go over the network as clear text, unless a proxy before this server adds TLS");
    }
    let app = Arc::new(App {
        auth,
        allowed,
        call_as,
        tenants: Tenants::new(template, call_as, options, body::MOST_BYTES)?,
        room: Room::default(),
        sse: Streams::default(),
        metrics,
        has_metrics_port: options.metrics_listen.is_some(),
        workspaces,
        draining: CancellationToken::new(),
        under_way,
        readiness: Readiness::default(),
    });
    let listener = Listener::open(&options.listen, options.socket_mode).await?;
    let address = listener.address();
    let closing = CancellationToken::new();
    let terms =
        Terms { connections: Arc::new(Semaphore::new(options.max_connections as usize)), closing: closing.clone() };
    let is_tls = tls.is_some();
    let mut served = vec![tokio::spawn(listen::serve(listener, tls, router(&app, options), terms.clone()))];
    if let Some(address) = options.metrics_listen {
        let listener = Listener::open(&Address::Tcp(address), options.socket_mode).await?;
        // Probes are answered however many callers are connected.
        let terms = Terms { connections: Arc::new(Semaphore::new(METRICS_CONNECTIONS)), ..terms };
        served.push(tokio::spawn(listen::serve(listener, None, health::router(&app), terms)));
    }
    Ok(Service { app, address, is_tls, served, closing, drain: Duration::from_secs(options.drain_seconds.into()) })
}

impl Service {
    /// Where clients reach it on this machine.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        match &self.address {
            Address::Tcp(address) => format!("{scheme}://{address}/mcp"),
            Address::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Takes no new calls, and waits until those under way have ended, for as long as the options allow.
    pub async fn drain(&self) {
        self.app.draining.cancel();
        self.app.under_way.close();
        if tokio::time::timeout(self.drain, self.app.under_way.wait()).await.is_err() {
            tracing::warn!("calls were under way when the time to end them was over; they are cancelled");
        }
    }

    /// Ends the connections, once their answers are out.
    pub async fn finish(self, limit: Duration) {
        self.closing.cancel();
        for served in self.served {
            let _ = tokio::time::timeout(limit, served).await;
        }
    }
}

/// As whom the workspace is called, if it can be done with these options.
fn call_as(options: &HttpOptions, workspaces: &Workspaces) -> Result<CallAs, Error> {
    let default = if options.auth == AuthMode::App { CallAs::Forwarded } else { CallAs::Service };
    let call_as = options.call_as.unwrap_or(default);
    let needed = match call_as {
        CallAs::Exchange => Some((AuthMode::Oauth, "`--call-as exchange` needs the tokens of `--auth oauth`")),
        CallAs::Forwarded => Some((AuthMode::App, "`--call-as forwarded` needs the proxy of `--auth app`")),
        CallAs::Service | CallAs::Header => None,
    };
    if let Some((_, message)) = needed.filter(|(mode, _)| *mode != options.auth) {
        return Err(Error::failed(message));
    }
    if call_as != CallAs::Service && workspaces.iter().count() > 1 {
        // A token of one workspace would be shown to another.
        return Err(Error::failed("`--call-as` other than `service` is for one workspace, and there are several")
            .with_hint("name one with `--profile`"));
    }
    Ok(call_as)
}

fn router(app: &Arc<App>, options: &HttpOptions) -> Router {
    let mut router = Router::new()
        .route("/mcp", any(mcp))
        .route("/mcp/", any(mcp))
        .route("/mcp/{*rest}", any(mcp))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/.well-known/oauth-protected-resource", get(metadata))
        .route("/.well-known/oauth-protected-resource/{*rest}", get(metadata));
    if options.legacy_sse {
        router = router.merge(sse::router());
    }
    router = router.fallback(nothing).method_not_allowed_fallback(wrong_method);
    if let Some(cors) = app.allowed.cors() {
        router = router.layer(cors);
    }
    router.layer(middleware::from_fn_with_state(Arc::clone(app), checked)).with_state(Arc::clone(app))
}

/// Lets no request through that a web page of a foreign site may have sent.
async fn checked(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = match app.allowed.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        app.metrics.refused(response.status().as_u16());
    }
    response
}

async fn nothing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here; MCP is on `/mcp`")
}

async fn wrong_method() -> Problem {
    let message = "this is not done by this method; the `Allow` header names those that there are";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, message)
}

async fn metadata(State(app): State<Arc<App>>, uri: Uri) -> Response {
    match app.auth.metadata(uri.path()) {
        Some(metadata) => axum::Json(metadata).into_response(),
        None => Problem::new(StatusCode::NOT_FOUND, "there is nothing here that is protected by OAuth").into_response(),
    }
}

async fn mcp(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = Some(body);
    match answer(&app, parts, &mut body).await {
        Ok(response) => response,
        Err(problem) => {
            if let Some(body) = body {
                body::pass_over(body).await;
            }
            problem.into_response()
        }
    }
}

/// The body is taken once it is known who sends it.
async fn answer(app: &App, mut parts: Parts, body: &mut Option<Body>) -> Result<Response, Problem> {
    let rest = parts.uri.path().strip_prefix("/mcp").unwrap_or_default();
    let Caller { principal, tenant } = app.caller(&parts, rest).await?;
    parts.extensions.insert(Ceiling(principal.grant.ceiling));
    let sessions = tenant.sessions();
    let methods = negotiation::methods(&parts.headers, sessions.is_some(), app.allowed.has_origins());
    if !methods.contains(parts.method.as_str()) || parts.method == Method::OPTIONS {
        return Err(Problem::wrong_method(methods));
    }
    negotiation::check_content(&mut parts)?;
    if let Some((sessions, _)) = sessions.filter(|_| parts.method != Method::POST) {
        negotiation::check_revision(&parts.headers)?;
        let place = (tenant.stream()?, Counted::new(&app.metrics.streams));
        let session = sessions.of(&parts.headers, tenant.home())?;
        if parts.method == Method::DELETE {
            sessions.end(&session);
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        let response = session.listen(&parts.headers);
        return Ok(held(response, (place, tenant)));
    }
    app.check_draining()?;
    let body::Held { bytes, weight, share } = app.room.read(&parts.headers, body.take().unwrap_or_default()).await?;
    let message = match message::read(&bytes, weight) {
        Received::Message(message) => *message,
        Received::Refused(refusal) => return Err(Problem::refused(refusal)),
        Received::Batch(_) => {
            let message = "batches are not taken over HTTP; send one message in each request";
            return Err(Problem::refused(Refusal::invalid_request(None, message)));
        }
        Received::Nothing if bytes.trim_ascii().is_empty() => {
            return Err(Problem::refused(Refusal::invalid_request(None, "the request has no body")));
        }
        // A notification that means nothing here.
        Received::Nothing => return Ok(StatusCode::ACCEPTED.into_response()),
    };
    let (id, kind) = (id(&message), Kind::of(&message));
    admit(app, &principal, &tenant, &message).await.map_err(|problem| problem.of(id.clone()))?;
    let is_stateless = negotiation::is_stateless(&parts.headers, &message)?;
    let sessions =
        sessions.filter(|_| !is_stateless && (kind == Kind::Initialize || parts.headers.contains_key(SESSION)));
    let session = match sessions {
        Some((sessions, most)) if kind == Kind::Initialize => {
            sessions.make_room(most).map_err(|problem| problem.of(id.clone()))?;
            None
        }
        Some((sessions, _)) => {
            Some(sessions.of(&parts.headers, tenant.home()).map_err(|problem| problem.of(id.clone()))?)
        }
        None => None,
    };
    let place = match kind {
        Kind::Stream => Some((tenant.stream(), &app.metrics.streams)),
        Kind::Call => Some((tenant.call(), &app.metrics.under_way)),
        Kind::Initialize | Kind::Light => None,
    };
    let place = place.map(|(place, gauge)| place.map(|place| (place, Counted::new(gauge))));
    let place = place.transpose().map_err(|problem| problem.of(id))?;
    match (session, sessions, message) {
        (Some(session), _, message) => session.take(message, parts, (place, share, tenant)),
        (None, Some((sessions, most)), JsonRpcMessage::Request(request)) => {
            let introduction = Introduction { request, bytes: bytes.len(), parts, most };
            let (server, home) = (tenant.server().for_session(), tenant.home());
            sessions.begin(server, home, introduction, (place, share)).await
        }
        (None, _, message) => {
            drop(message);
            let response = tenant.answer(http::Request::from_parts(parts, Full::new(bytes))).await;
            Ok(held(response, (place, share, tenant)))
        }
    }
}

/// Who sends a request, and the server that serves them.
#[derive(Debug)]
struct Caller {
    principal: Principal,
    tenant: Arc<Tenant>,
}

/// What a message asks for, as far as limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Initialize,
    /// It stays open until the client closes it.
    Stream,
    Call,
    /// A ping, a notification, or an answer.
    Light,
}

impl Kind {
    fn of(message: &ClientJsonRpcMessage) -> Self {
        match message {
            JsonRpcMessage::Request(request) => match request.request.method() {
                "initialize" => Self::Initialize,
                "ping" => Self::Light,
                "subscriptions/listen" => Self::Stream,
                _ => Self::Call,
            },
            _ => Self::Light,
        }
    }
}

fn id(message: &ClientJsonRpcMessage) -> Option<Value> {
    match message {
        JsonRpcMessage::Request(request) => Some(json!(request.id)),
        _ => None,
    }
}

/// Refuses a call that is more than the caller may do.
async fn admit(
    app: &App,
    principal: &Principal,
    tenant: &Tenant,
    message: &ClientJsonRpcMessage,
) -> Result<(), Problem> {
    let JsonRpcMessage::Request(request) = message else { return Ok(()) };
    let ClientRequest::CallToolRequest(call) = &request.request else { return Ok(()) };
    let ceiling = principal.grant.ceiling;
    let Some((risk, why)) = tenant.server().excess(&call.params, ceiling).await else { return Ok(()) };
    let (name, risk_name, ceiling) = (&call.params.name, risk.name(), ceiling.name());
    let reason = match why {
        Some(why) => {
            format!("this call of `{name}` can be {risk_name}, and you may call what is {ceiling} at most: {why}")
        }
        None => format!("`{name}` is {risk_name}, and you may call what is {ceiling} at most"),
    };
    // Where the rules for this caller allow no more, another token would not help.
    let challenge = if risk <= principal.grant.attainable { app.auth.step_up(risk) } else { None };
    Err(Denied::Forbidden { reason, challenge }.into())
}

/// What the workspace is called with, where that is not the server's own identity.
fn caller_token(app: &App, principal: &Principal, request: &Parts) -> Result<Option<Secret>, Problem> {
    let missing = |what: &str| Problem::new(StatusCode::UNAUTHORIZED, format!("the request has no {what}"));
    match app.call_as {
        CallAs::Service => Ok(None),
        CallAs::Exchange => principal.token.clone().map(Some).ok_or_else(|| missing("token to exchange")),
        CallAs::Forwarded => principal.token.clone().map(Some).ok_or_else(|| {
            missing("`x-forwarded-access-token` header; add user authorization with its scopes to the app")
        }),
        CallAs::Header => {
            let mut values = request.headers.get_all(CALLER_TOKEN).iter();
            let value = values.next().and_then(|value| value.to_str().ok()).map(str::trim);
            match value.filter(|value| !value.is_empty() && values.next().is_none()) {
                Some(token) => Ok(Some(Secret::from(token))),
                None => Err(missing("`X-Databricks-Token` header, or more than one")),
            }
        }
    }
}

/// One more of what is counted, as long as it lasts.
#[derive(Debug)]
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The response, which holds something until its last byte is out or its client is gone.
fn held<T: Send + Unpin + 'static>(response: Response, what: T) -> Response {
    response.map(|body| Body::new(Holding { body, _what: what }))
}

/// A body that holds something. What is known of its length stays known.
struct Holding<T> {
    body: Body,
    _what: T,
}

impl<T: Unpin> http_body::Body for Holding<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
