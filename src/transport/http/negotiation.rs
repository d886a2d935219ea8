//! What a request speaks: its method, the forms of content that it sends and takes, and the revision of the protocol.
//!
//! rmcp decides on these by itself, with texts as bodies of its errors and without the rules of HTTP for `Accept`.

use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorData, GetMeta as _, JsonRpcMessage, ProtocolVersion};
use serde_json::json;

use crate::transport::http::problem::Problem;
use crate::transport::message::Refusal;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// No text of an error is longer.
const MOST_TEXT: usize = 64 << 10;

/// The methods of `/mcp`. GET and DELETE are for sessions, which a client of the newest revision has none of.
pub(crate) fn methods(headers: &HeaderMap, sessions: bool, cors: bool) -> &'static str {
    match (sessions && !is_modern(headers), cors) {
        (true, false) => "GET, POST, DELETE",
        (true, true) => "GET, POST, DELETE, OPTIONS",
        (false, false) => "POST",
        (false, true) => "POST, OPTIONS",
    }
}

/// Refuses what cannot be answered in a form that the client takes, and a message that is not JSON. The rest is told to rmcp in
/// its words.
pub(crate) fn check_content(parts: &mut Parts) -> Result<(), Problem> {
    let needed: &[_] = if parts.method == Method::POST { &[JSON, EVENTS] } else { &[EVENTS] };
    if parts.method != Method::DELETE && !needed.iter().all(|form| is_taken(&parts.headers, form)) {
        let needed = needed.join(", ");
        let message = format!("this is answered in a form that the `Accept` header excludes; send `Accept: {needed}`");
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, message));
    }
    if parts.method == Method::POST {
        let given = parts.headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let form = given.as_deref().map(|given| given.split(';').next().unwrap_or_default().trim());
        if !form.is_some_and(|form| form.eq_ignore_ascii_case(JSON)) {
            let given = match form {
                Some(form) => format!("is `{}`", crate::nearest::shortened(form)),
                None => "is missing".to_owned(),
            };
            let message = format!("the `Content-Type` header {given}; send a JSON-RPC message as `{JSON}`");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        parts.headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    }
    Ok(())
}

/// Whether a client takes a form of content: the range of its `Accept` headers that fits best decides.
fn is_taken(headers: &HeaderMap, form: &str) -> bool {
    let kind = form.split('/').next().unwrap_or_default();
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(',')).map(str::trim).filter(|range| !range.is_empty());
    let (mut best, mut is_any) = (None, false);
    for range in ranges {
        is_any = true;
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let fit = match name.split_once('/') {
            Some(("*", "*")) => 0,
            Some((of, "*")) if of.eq_ignore_ascii_case(kind) => 1,
            Some(_) if name.eq_ignore_ascii_case(form) => 2,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let is_wanted = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
        if best.is_none_or(|(before, _)| fit > before) {
            best = Some((fit, is_wanted));
        }
    }
    best.map_or(!is_any, |(_, is_wanted)| is_wanted)
}

/// Whether a message is of the revision without a handshake. The handshake itself never is, unless it says so.
///
/// # Errors
/// For a revision that is not spoken.
pub(crate) fn is_stateless(headers: &HeaderMap, message: &ClientJsonRpcMessage) -> Result<bool, Problem> {
    let JsonRpcMessage::Request(request) = message else {
        check_revision(headers)?;
        return Ok(is_modern(headers));
    };
    let Some(meant) = request.request.get_meta().protocol_version() else {
        check_revision(headers).map_err(|problem| problem.of(Some(json!(request.id))))?;
        return Ok(match &request.request {
            ClientRequest::InitializeRequest(_) => false,
            ClientRequest::DiscoverRequest(_) => true,
            _ => is_modern(headers),
        });
    };
    if meant >= ProtocolVersion::V_2026_07_28 {
        return Ok(true);
    }
    match headers.get(REVISION) {
        Some(sent) if sent.as_bytes() != meant.as_str().as_bytes() => {
            let message =
                "the header `MCP-Protocol-Version` names another revision than `params._meta`; send the same in both";
            Err(Problem::refused(Refusal {
                id: Some(json!(request.id)),
                error: ErrorData::header_mismatch(message, None),
            }))
        }
        Some(_) | None => Ok(false),
    }
}

/// Refuses a revision that is not spoken.
pub(crate) fn check_revision(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(REVISION) else { return Ok(()) };
    let known = ProtocolVersion::KNOWN_VERSIONS;
    if known.iter().any(|version| version.as_str().as_bytes() == value.as_bytes()) {
        return Ok(());
    }
    let sent = String::from_utf8_lossy(value.as_bytes());
    let spoken: Vec<_> = known.iter().map(ProtocolVersion::as_str).collect();
    let mut error = ErrorData::unsupported_protocol_version(ProtocolVersion::LATEST, known);
    error.message = format!(
        "this server does not speak the revision `{}` of the header `MCP-Protocol-Version`; send one of `{}`",
        crate::nearest::shortened(&sent),
        spoken.join("`, `")
    )
    .into();
    error.data = Some(json!({ "requested": crate::nearest::shortened(&sent), "supported": spoken }));
    Err(Problem::refused(Refusal { id: None, error }))
}

fn is_modern(headers: &HeaderMap) -> bool {
    let sent = headers.get(REVISION).and_then(|value| value.to_str().ok());
    sent.is_some_and(|sent| sent >= ProtocolVersion::V_2026_07_28.as_str())
}

/// The response, whose body is one of JSON-RPC where it tells of an error.
pub(crate) async fn worded<B>(response: http::Response<B>) -> Response
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let status = response.status();
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|form| form.as_bytes().starts_with(JSON.as_bytes()));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response.map(axum::body::Body::new);
    }
    let text = Limited::new(response.into_body(), MOST_TEXT).collect().await.map(http_body_util::Collected::to_bytes);
    let text = text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
    Problem::new(status, text).into_response()
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;
    use http::{HeaderMap, HeaderValue};

    use super::{EVENTS, JSON, is_taken};

    #[test]
    fn the_range_that_fits_best_decides() {
        for (accepts, json, events) in [
            (&[][..], true, true),
            (&[""][..], true, true),
            (&["*/*"][..], true, true),
            (&["application/json"][..], true, false),
            (&["application/*", "text/event-stream"][..], true, true),
            (&["application/*"][..], true, false),
            (&["TEXT/*;q=0.1, application/JSON"][..], true, true),
            (&["text/html, */*;q=0.8"][..], true, true),
            (&["*/*, application/json;q=0"][..], false, true),
            (&["application/json;q=0.5, application/*;q=0, */*"][..], true, true),
            (&["text/html"][..], false, false),
            (&["application/json; charset=utf-8, text/event-stream"][..], true, true),
        ] {
            let mut headers = HeaderMap::new();
            accepts.iter().for_each(|accept| {
                headers.append(ACCEPT, HeaderValue::from_static(accept));
            });
            assert_eq!((is_taken(&headers, JSON), is_taken(&headers, EVENTS)), (json, events), "{accepts:?}");
        }
    }
}
