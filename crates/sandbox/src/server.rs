//! The HTTP surface: authentication, dispatch, and replies as responses.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router as Http;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::contract::{self, Contract, Found, is_exempt_route};
use crate::control::{control, is_control};
use crate::error::ApiError;
use crate::faults::{self, Kind as Fault, Target, UnderWay};
use crate::line::{Cutter, Lines};
use crate::loopback;
use crate::reply::{Content, Reply};
use crate::request::Request;
use crate::router::{Bound, Handler, Route, Router};
use crate::synthesize;
use crate::text::http_date;
use crate::work::aside;
use crate::workspace::Workspace;

/// Larger than any body the API takes inline.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The routes whose errors have a form of their own.
const SCIM: &str = "/api/2.0/preview/scim/";

#[derive(Clone)]
struct Surface {
    workspace: Arc<Workspace>,
    router: Arc<Router>,
}

pub(crate) async fn serve(
    listener: TcpListener,
    workspace: Arc<Workspace>,
    router: Arc<Router>,
    stopped: oneshot::Receiver<()>,
) {
    let surface = Surface { workspace, router };
    let http = Http::new().fallback(answer).with_state(surface).into_make_service_with_connect_info::<Cutter>();
    // The listener is ours and loopback only; what `serve` could report has nobody to tell.
    let _ = axum::serve(Lines(listener), http).with_graceful_shutdown(async { drop(stopped.await) }).await;
}

async fn answer(
    State(surface): State<Surface>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: axum::extract::Request,
) -> Response {
    let request_id = surface.workspace.ids.uuid();
    let head = request.method() == axum::http::Method::HEAD;
    let refused = match request.uri().path().starts_with(SCIM) {
        true => ApiError::into_scim_reply,
        false => ApiError::into_reply,
    };
    // The API goes by the workspace's clock, as the times of its objects do; what tells of the host goes by the machine's.
    let keeps_own_time = request.uri().path().starts_with("/api/");
    let mut under_way = UnderWay::default();
    let reply = contained(Box::pin(dispatch(&surface, request, &mut under_way)), refused).await;
    let fault = under_way.answered();
    if fault == Some(Fault::ConnectionReset) {
        cutter.cut();
    }
    let reply =
        if keeps_own_time { reply.with_header("date", http_date(surface.workspace.clock.now())) } else { reply };
    let reply = aside(|| reply.written()).await;
    respond(reply, &request_id, head, surface.workspace.id(), fault)
}

/// Tells tests of an answer that a panic kept from coming.
const PANICKED: &str = "x-sandbox-panic";

/// What a request is answered with, whatever happens on the way: a panic is a fault of the sandbox, and costs no more
/// than the one answer.
async fn contained(
    mut dispatched: Pin<Box<impl Future<Output = Result<Reply, ApiError>>>>,
    refused: fn(ApiError) -> Reply,
) -> Reply {
    let outcome =
        std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| dispatched.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => std::task::Poll::Ready(Err(())),
        });
    match outcome.await {
        Ok(outcome) => outcome.unwrap_or_else(refused),
        Err(()) => {
            let error =
                ApiError::new(500, "INTERNAL_ERROR", "The sandbox failed to answer; this is a fault of its own.");
            refused(error).with_header(PANICKED, "true")
        }
    }
}

/// Answers a request. What is under way with it is told the fault that has spoilt it, or shall spoil it on its way.
async fn dispatch(
    surface: &Surface,
    request: axum::extract::Request,
    under_way: &mut UnderWay,
) -> Result<Reply, ApiError> {
    let workspace = &surface.workspace;
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    loopback::check(&parts.headers)?;
    let routed = surface.router.find(method, path);
    if !routed.as_ref().is_some_and(|(route, _)| route.public) {
        authenticate(&parts.headers, workspace)?;
    }
    let query = parts.uri.query().unwrap_or_default();
    if is_control(path) {
        let request = Request::new(query, parts.headers.clone(), read(body).await?);
        let told = control(workspace, method, path, &request);
        workspace.tick().await;
        return told.unwrap_or_else(|| Err(ApiError::no_endpoint(method, path)));
    }
    let found = match &routed {
        Some((route, _)) if is_exempt_route(route.method, route.template) => Vec::new(),
        _ => Contract::get().find(method, path),
    };
    if routed.is_none() && found.is_empty() {
        return Err(not_there(method, path));
    }
    let operation = found.first().map(|found| found.operation.id.as_str());
    let target = Target { method, path, operation };
    let due = workspace.faults.due(target);
    let fault = due.as_ref().map(|due| (due.kind, due.handled));
    under_way.meets(due);
    if let Some((kind, false)) = fault
        && let Some(reply) = faults::instead(kind).await
    {
        return Ok(reply);
    }
    let mut request = Request::new(query, parts.headers, read(body).await?);
    let has_faults = !workspace.faults.is_empty();
    if has_faults {
        faults::undo_cursor(&mut request);
        let names = faults::named(found.first(), &request);
        if matches!(method, "GET" | "HEAD")
            && let Some(name) = workspace.faults.not_there_yet(target, &names)
        {
            return Err(ApiError::does_not_exist(format!("'{name}' does not exist.")));
        }
    }
    let found = fitting(found, method, &request)?;
    let mut reply = handle(workspace, routed, found.as_ref(), &mut request).await?;
    if has_faults && matches!(method, "POST" | "PUT") && matches!(reply.status, 200..=299) {
        workspace.faults.created(target, || faults::names_of_new(&request, &reply));
    }
    if let Some((kind, handled)) = fault {
        faults::on_json(kind, found.as_ref(), &request, &mut reply);
        if handled && let Some(lost) = faults::instead(kind).await {
            return Ok(lost);
        }
    }
    Ok(reply)
}

/// Why no operation has this method and path: the method is another one's, or nothing has the path.
fn not_there(method: &str, path: &str) -> ApiError {
    match Contract::get().other_methods(method, path).as_slice() {
        [] => ApiError::no_endpoint(method, path),
        known => ApiError::wrong_method(method, path, known),
    }
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    let too_large = "The request body is too large or was cut off";
    to_bytes(body, BODY_LIMIT).await.map_err(|_| ApiError::new(413, "MAX_REQUEST_SIZE_EXCEEDED", too_large))
}

/// Carries out a request that comes from within, as seeds do: checked and handled like any other.
pub(crate) async fn perform(
    workspace: &Arc<Workspace>,
    router: &Router,
    method: &str,
    path: &str,
    body: Bytes,
) -> Result<Reply, ApiError> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let routed = router.find(method, path);
    let found = Contract::get().find(method, path);
    if routed.is_none() && found.is_empty() {
        return Err(not_there(method, path));
    }
    let mut request = Request::new(query, HeaderMap::new(), body);
    let found = fitting(found, method, &request)?;
    handle(workspace, routed, found.as_ref(), &mut request).await
}

/// By the route's handler, or made up where the specs have an operation and the workspace no state for it.
async fn handle(
    workspace: &Arc<Workspace>,
    routed: Option<(Route, Bound)>,
    found: Option<&Found>,
    request: &mut Request,
) -> Result<Reply, ApiError> {
    workspace.tick().await;
    match (routed, found) {
        (Some((route, bound)), _) => {
            request.bind(bound);
            match route.handler {
                Handler::Now(handler) => {
                    let (workspace, request) = (Arc::clone(workspace), request.clone());
                    aside(move || handler(&workspace, &request)).await
                }
                Handler::Later(handler) => handler(Arc::clone(workspace), request.clone()).await,
            }
        }
        (None, Some(found)) => Ok(synthesize::answer(Contract::get(), found, request, workspace.clock.epoch())),
        (None, None) => Ok(Reply::nothing()),
    }
}

/// The first operation that the request keeps to; nothing where the specs have none to keep to.
fn fitting(found: Vec<Found>, method: &str, request: &Request) -> Result<Option<Found>, ApiError> {
    let mut refused = None;
    for found in found {
        match contract::check(Contract::get(), &found, method, request) {
            Ok(()) => return Ok(Some(found)),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    refused.map_or(Ok(None), Err)
}

fn authenticate(headers: &HeaderMap, workspace: &Workspace) -> Result<(), ApiError> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match given {
        Some((_, given))
            if given.trim() == workspace.token()
                || crate::areas::tokens::is_valid(workspace, given.trim())
                || crate::areas::oidc::is_valid(workspace, given.trim()) =>
        {
            Ok(())
        }
        Some(_) => Err(ApiError::authentication(403, "Invalid access token.")),
        None => {
            Err(ApiError::authentication(401, "Credential was not sent or was of an unsupported type for this API."))
        }
    }
}

fn respond(reply: Reply, request_id: &str, head: bool, workspace_id: i64, fault: Option<Fault>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (media_type, bytes) = match reply.content {
        Content::Empty => (None, Bytes::new()),
        Content::Json(value) => (Some("application/json"), value.to_string().into()),
        Content::Bytes(media_type, bytes) => (Some(media_type), bytes),
    };
    let headers = response.headers_mut();
    if let Some(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    headers.insert("server", HeaderValue::from_static("databricks"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    headers.insert("x-databricks-org-id", HeaderValue::from(workspace_id));
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if head {
        if !headers.contains_key(header::CONTENT_LENGTH) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
    } else {
        *response.body_mut() = faults::body(fault, bytes);
    }
    response
}

#[cfg(test)]
mod tests;
