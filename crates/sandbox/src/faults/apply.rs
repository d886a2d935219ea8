//! Where faults meet requests: instead of the answer, on its JSON, or on its way.

use std::time::Duration;

use axum::body::{Body, Bytes};
use serde_json::Value;
use tokio::time::sleep;

use super::Kind;
use super::body::Piecemeal;
use super::spoil::{EMPTY_PAGE, spoil};
use crate::contract::{Contract, Found};
use crate::error::ApiError;
use crate::reply::{Content, Reply};
use crate::request::Request;

/// Derived: no recording of these pages is public.
const HTML_ERROR: &str = "<!doctype html>\n<html><head><title>Bad Gateway</title></head>\n<body><h1>Error</h1>\n<pre>upstream connect error or disconnect before headers.</pre></body></html>\n";
const LOGIN_PAGE: &str = "<!doctype html>\n<html><head><title>Databricks - Sign In</title></head>\n<body><form action=\"/login.html\" method=\"post\"><input name=\"email\"></form></body></html>\n";

/// What is answered instead, for the kinds that keep the request from being answered.
pub(crate) async fn instead(kind: Kind) -> Option<Reply> {
    let error = |status, code, message: &str| ApiError::new(status, code, message).into_reply();
    let reply = match kind {
        Kind::TooManyRequests { retry_after } => {
            let message = "Current request has to be retried: the rate limit of the workspace is exceeded.";
            retry(error(429, "REQUEST_LIMIT_EXCEEDED", message), retry_after)
        }
        Kind::InternalError => error(500, "INTERNAL_ERROR", "An internal error occurred."),
        Kind::Unavailable { retry_after } => {
            let message = "The service is temporarily under maintenance. Please try again later.";
            retry(error(503, "TEMPORARILY_UNAVAILABLE", message), retry_after)
        }
        Kind::HtmlError { status } => Reply::bytes("text/html;charset=utf-8", HTML_ERROR).with_status(status),
        Kind::LoginPage => Reply::bytes("text/html;charset=utf-8", LOGIN_PAGE),
        Kind::ExpiredToken { status: 401 } => {
            ApiError::authentication(401, "Credential was not sent or was of an unsupported type for this API.")
                .into_reply()
        }
        Kind::ExpiredToken { status } => ApiError::authentication(status, "Invalid access token.").into_reply(),
        // Derived: the words; code and status are recorded.
        Kind::PermissionDenied => error(403, "PERMISSION_DENIED", "User does not have the permission that this needs."),
        // The answer never gets out.
        Kind::ConnectionReset => Reply::nothing(),
        Kind::SlowHeaders { delay_ms } => {
            sleep(Duration::from_millis(delay_ms)).await;
            return None;
        }
        Kind::TruncatedBody
        | Kind::SlowBody { .. }
        | Kind::EventualConsistency { .. }
        | Kind::UnknownEnums
        | Kind::Int64Strings
        | Kind::NullLists
        | Kind::ExtraFields
        | Kind::EmptyPage => return None,
    };
    Some(reply)
}

fn retry(reply: Reply, after: Option<u64>) -> Reply {
    match after {
        Some(seconds) => reply.with_header("retry-after", seconds.to_string()),
        None => reply,
    }
}

/// Changes the JSON of a success, for the kinds that do so.
pub(crate) fn on_json(kind: Kind, found: Option<&Found>, request: &Request, reply: &mut Reply) {
    if let (Some(found), Content::Json(value), 200..=299) = (found, &mut reply.content, reply.status) {
        spoil(Contract::get(), found.operation, kind, request, value);
    }
}

/// The body as it goes out.
pub(crate) fn body(kind: Option<Kind>, bytes: Bytes) -> Body {
    match kind {
        Some(Kind::SlowBody { delay_ms }) => Body::new(Piecemeal::slow(bytes, Duration::from_millis(delay_ms))),
        Some(Kind::TruncatedBody) => Body::new(Piecemeal::truncated(&bytes)),
        _ => Body::from(bytes),
    }
}

/// Takes what empty pages added to a cursor off again; what is empty then was the first page's.
pub(crate) fn undo_cursor(request: &mut Request) {
    let mut pages = 0;
    let mut undo = |value: &mut String| {
        let before = value.len();
        while let Some(asked) = value.strip_prefix(EMPTY_PAGE) {
            *value = asked.to_owned();
            pages += 1;
        }
        !value.is_empty() || value.len() == before
    };
    request.edit_queries(&mut undo);
    if request.body.windows(EMPTY_PAGE.len()).any(|window| window == EMPTY_PAGE.as_bytes())
        && let Ok(mut fields) = request.fields()
    {
        fields.0.retain(|_, value| if let Value::String(text) = value { undo(text) } else { true });
        request.body = Value::Object(fields.0).to_string().into();
    }
    request.empty_pages = pages;
}

/// What a request names: the values of its path and its query.
pub(crate) fn named(found: Option<&Found>, request: &Request) -> Vec<String> {
    let path = found.into_iter().flat_map(|found| found.path.iter().map(|(_, value)| value.clone()));
    path.chain(request.queries().iter().map(|(_, value)| value.clone())).collect()
}

/// By what names something that was just created will be asked for.
pub(crate) fn names_of_new(request: &Request, reply: &Reply) -> Vec<String> {
    let mut names = Vec::new();
    let mut collect = |name: &str, value: &Value| match value {
        Value::String(text) if !text.is_empty() => names.push(text.clone()),
        Value::Number(number) if name.ends_with("id") => names.push(number.to_string()),
        _ => {}
    };
    for (name, value) in request.fields().unwrap_or_default().0 {
        if matches!(name.as_str(), "name" | "path") {
            collect(&name, &value);
        }
    }
    if let Content::Json(Value::Object(members)) = &reply.content {
        for (name, value) in members {
            if matches!(name.as_str(), "id" | "name" | "full_name" | "path") || name.ends_with("_id") {
                collect(name, value);
            }
        }
    }
    names
}
