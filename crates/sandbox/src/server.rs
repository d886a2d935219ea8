//! The HTTP surface: authentication, dispatch, and replies as responses.

use std::sync::Arc;

use axum::Router as Http;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::areas;
use crate::error::ApiError;
use crate::reply::{Content, Reply};
use crate::request::Request;
use crate::router::{Handler, Router};
use crate::workspace::Workspace;

/// Larger than any body the API takes inline.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

#[derive(Clone)]
struct Surface {
    workspace: Arc<Workspace>,
    router: Arc<Router>,
}

pub(crate) async fn serve(listener: TcpListener, workspace: Arc<Workspace>, stopped: oneshot::Receiver<()>) {
    let surface = Surface { workspace, router: Arc::new(Router::new(areas::routes())) };
    let http = Http::new().fallback(answer).with_state(surface);
    // The listener is ours and loopback only; what `serve` could report has nobody to tell.
    let _ = axum::serve(listener, http).with_graceful_shutdown(async { drop(stopped.await) }).await;
}

async fn answer(State(surface): State<Surface>, request: axum::extract::Request) -> Response {
    let request_id = surface.workspace.ids.uuid();
    let head = request.method() == axum::http::Method::HEAD;
    let reply = dispatch(&surface, request).await.unwrap_or_else(ApiError::into_reply);
    respond(reply, &request_id, head, surface.workspace.id())
}

async fn dispatch(surface: &Surface, request: axum::extract::Request) -> Result<Reply, ApiError> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let found = surface.router.find(parts.method.as_str(), path);
    if !found.as_ref().is_some_and(|(route, _)| route.public) {
        authenticate(&parts.headers, surface.workspace.token())?;
    }
    let Some((route, bound)) = found else {
        return Err(ApiError::no_endpoint(parts.method.as_str(), path));
    };
    let body = to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| ApiError::new(413, "MAX_REQUEST_SIZE_EXCEEDED", "The request body is too large or was cut off"))?;
    let query = parts.uri.query().unwrap_or_default();
    let mut request = Request::new(query, parts.headers, body);
    request.bind(bound);
    surface.workspace.tick();
    match route.handler {
        Handler::Now(handler) => handler(&surface.workspace, &request),
        Handler::Later(handler) => handler(Arc::clone(&surface.workspace), request).await,
    }
}

fn authenticate(headers: &HeaderMap, token: &str) -> Result<(), ApiError> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match given {
        Some((_, given)) if given.trim() == token => Ok(()),
        Some(_) => Err(ApiError::authentication(403, "Invalid access token.")),
        None => {
            Err(ApiError::authentication(401, "Credential was not sent or was of an unsupported type for this API."))
        }
    }
}

fn respond(reply: Reply, request_id: &str, head: bool, workspace_id: i64) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (media_type, bytes) = match reply.content {
        Content::Empty => (None, axum::body::Bytes::new()),
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
        *response.body_mut() = Body::from(bytes);
    }
    response
}
