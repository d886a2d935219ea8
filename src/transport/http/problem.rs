//! Answers that say what is wrong with a request.

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use rmcp::model::{ErrorCode, ErrorData};
use serde_json::Value;

use crate::transport::http::principal::Denied;
use crate::transport::message::Refusal;

/// `-32000` to `-32019` are left to servers.
const REFUSED: ErrorCode = ErrorCode(-32_000);

/// Why a request is not answered: an HTTP status, and an error of JSON-RPC as its body.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// On the heap, as it is large and seldom.
    refusal: Box<Refusal>,
    challenge: Option<String>,
    retry_after: Option<u64>,
    /// The methods that are taken.
    allow: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let refusal = Refusal { id: None, error: ErrorData::new(REFUSED, message.into(), None) };
        Self { status, refusal: Box::new(refusal), challenge: None, retry_after: None, allow: None }
    }

    /// The message is not one of JSON-RPC, or not one that is taken.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self { refusal: Box::new(refusal), ..Self::new(StatusCode::BAD_REQUEST, "") }
    }

    /// There is something, but not by this method.
    pub(crate) fn wrong_method(methods: &'static str) -> Self {
        let message = format!("this is not done by this method; there are `{}`", methods.replace(", ", "`, `"));
        Self { allow: Some(methods), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message) }
    }

    /// Too much at once: it may be sent again after so many seconds.
    pub(crate) fn later(status: StatusCode, message: impl Into<String>, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(status, message) }
    }

    /// The same, as the answer to a request with this id.
    #[must_use]
    pub(crate) fn of(mut self, id: Option<Value>) -> Self {
        self.refusal.id = id;
        self
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthorized { reason, challenge } => {
                Self { challenge: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, reason) }
            }
            Denied::Forbidden { reason, challenge } => Self { challenge, ..Self::new(StatusCode::FORBIDDEN, reason) },
            Denied::Unavailable(reason) => Self::later(StatusCode::SERVICE_UNAVAILABLE, reason, 5),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        tracing::debug!(status = self.status.as_u16(), reason = %self.refusal.error.message, "refused");
        let mut response = (self.status, self.refusal.to_json().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(challenge) = self.challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
