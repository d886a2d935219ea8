//! The seam to the generated typed client: its requests go out through the transport, and its errors become ours.
//!
//! progenitor's hook may only return reqwest's own errors, which nobody else can make. So an error travels inside a
//! response that the generated code does not expect, and is taken out again on the other side.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method, StatusCode};
use reqwest::{Request, Url};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::encode::{conform, has_key, is_no_key, query_pairs, supplied};
use crate::error::{Error, plain_text};
use crate::host::Host;
use crate::operation::{Location, Operation, Response};
use crate::transport::{Call, Transport};

/// progenitor's own header; Databricks does not know it.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");
/// The address of a client that has none; a call is refused before anything is looked up.
const NOWHERE: &str = "https://host-is-not-set.invalid";

/// An error on its way through the generated code.
#[derive(Clone)]
struct Carried(Error);

impl Transport {
    /// The base URL for the generated client.
    pub fn base_url(&self) -> &str {
        self.known_host().map_or(NOWHERE, Host::as_str)
    }

    /// What `progenitor_client::ClientHooks::exec` is to call. An error comes as a response of unexpected status;
    /// turning progenitor's error into an [`Error`] brings it back.
    ///
    /// # Errors
    /// Never: the signature is progenitor's.
    pub async fn exec(&self, request: Request, operation: &'static Operation) -> reqwest::Result<reqwest::Response> {
        Ok(match self.forward(request, operation).await {
            Ok(answer) => response(answer, operation),
            Err(error) => carrier(error),
        })
    }

    async fn forward(&self, mut request: Request, operation: &'static Operation) -> Result<Answer, Error> {
        if request.url().as_str().starts_with(NOWHERE) {
            // The client was made before Azure told the host.
            let host = self.host().await.map_err(|error| error.in_operation(operation.id))?;
            let rest = request.url().as_str().strip_prefix(NOWHERE).unwrap_or_default();
            *request.url_mut() = Url::parse(&format!("{host}{rest}")).map_err(|error| {
                Error::argument(format!("the path is not usable: {error}")).in_operation(operation.id)
            })?;
        }
        let path = conform(operation, request.url().path()).map_err(|error| error.in_operation(operation.id))?;
        request.url_mut().set_path(&path);
        request.headers_mut().remove(API_VERSION);
        supply(operation, &mut request).map_err(|error| error.in_operation(operation.id))?;
        let repeatable =
            matches!(*request.method(), Method::GET | Method::HEAD) || has_key(operation, &values(&request));
        self.send(request, Call::new(operation, repeatable)).await
    }
}

/// Adds what the caller left out and the table supplies, once, so that every attempt sends the same.
fn supply(operation: &Operation, request: &mut Request) -> Result<(), Error> {
    let (body, mut added) = (body(request), Map::new());
    for parameter in operation.parameters {
        let is_given = match parameter.location {
            Location::Path => true,
            Location::Query => request.url().query_pairs().any(|(name, _)| name == parameter.name),
            // A body that is no object is not for us to fill.
            Location::Body => body
                .as_ref()
                .is_none_or(|body| body.get(parameter.name).is_some_and(|value| !is_no_key(parameter, value))),
        };
        let Some(value) = (if is_given { None } else { supplied(parameter)? }) else { continue };
        match parameter.location {
            Location::Query => {
                let pairs = query_pairs(operation, &Map::from_iter([(parameter.name.to_owned(), value)]))?;
                request.url_mut().query_pairs_mut().extend_pairs(pairs);
            }
            Location::Path | Location::Body => {
                added.insert(parameter.name.to_owned(), value);
            }
        }
    }
    if let Some(mut body) = body.filter(|_| !added.is_empty()) {
        body.extend(added);
        let json = serde_json::to_vec(&body)
            .map_err(|error| Error::argument(format!("the body cannot be written as JSON: {error}")))?;
        *request.body_mut() = Some(json.into());
    }
    Ok(())
}

/// The body of a finished request, where it is a JSON object.
fn body(request: &Request) -> Option<Map<String, Value>> {
    serde_json::from_slice(request.body()?.as_bytes()?).ok()
}

/// The values of a finished request by name, as far as keys of repetition are concerned.
fn values(request: &Request) -> Map<String, Value> {
    let mut values = body(request).unwrap_or_default();
    values.extend(request.url().query_pairs().map(|(name, value)| (name.into_owned(), value.into())));
    values
}

fn response(answer: Answer, operation: &Operation) -> reqwest::Response {
    let empty = operation.response == Response::Json && answer.bytes.trim_ascii().is_empty();
    let mut response = http::Response::new(if empty { Bytes::from_static(b"{}") } else { answer.bytes });
    // Until the answer is parsed.
    response.extensions_mut().insert(Arc::new(answer.room));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.into()
}

fn carrier(error: Error) -> reqwest::Response {
    let mut response = http::Response::new(Bytes::new());
    *response.status_mut() = error
        .status()
        .filter(|status| *status >= 400)
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(Carried(error));
    response.into()
}

impl<E> From<progenitor_client::Error<E>> for Error {
    /// Never through progenitor's own text, which prints headers and bodies.
    fn from(error: progenitor_client::Error<E>) -> Error {
        use progenitor_client::Error as Generated;
        match error {
            Generated::InvalidRequest(why) | Generated::Custom(why) => Error::argument(plain_text(&why)),
            Generated::CommunicationError(error)
            | Generated::InvalidUpgrade(error)
            | Generated::ResponseBodyError(error) => Error::http(error),
            Generated::InvalidResponsePayload(_, error) => Error::answer(format!(
                "the answer does not have the expected shape: {}",
                plain_text(&error.to_string())
            )),
            Generated::UnexpectedResponse(mut response) => match response.extensions_mut().remove::<Carried>() {
                Some(Carried(error)) => error,
                None => Error::answer(format!("the answer has the unexpected status {}", response.status().as_u16())),
            },
            Generated::ErrorResponse(response) => {
                Error::answer(format!("the answer has the unexpected status {}", response.status().as_u16()))
            }
        }
    }
}
