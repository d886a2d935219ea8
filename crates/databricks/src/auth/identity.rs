//! Talking to identity providers: forms and JSON, with retries, and errors that hold no secret.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Request, Url};
use serde_json::Value;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::auth::environment::Environment;
use crate::departure::Terms;
use crate::error::{Error, Refusal};
use crate::host::is_loopback;
use crate::mask::Mask;
use crate::queue::Queue;
use crate::retry::RetryPolicy;
use crate::secret::Secret;
use crate::weight::Form;

/// An answer of an identity provider is small.
const LARGEST_ANSWER: usize = 1024 * 1024;
/// How long a provider may be silent.
const PATIENCE: Duration = Duration::from_secs(30);
/// A provider on this machine or on its link answers at once or not at all.
pub(crate) const NEARBY_PATIENCE: Duration = Duration::from_secs(10);
/// How long failed attempts are repeated.
const BUDGET: Duration = Duration::from_secs(60);

const FORM: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The way to identity providers.
#[derive(Debug)]
pub(crate) struct Identity {
    http: reqwest::Client,
    user_agent: HeaderValue,
    retry: RetryPolicy,
    environment: Environment,
    /// Hides what must not come back in an error.
    mask: Mask,
}

/// A request to an identity provider.
pub(crate) struct TokenRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<String>,
    /// What must not come back in an error, besides the settings.
    secrets: Vec<Secret>,
    patience: Duration,
    retry: bool,
}

impl TokenRequest {
    /// A `GET`.
    pub(crate) fn get(url: &str) -> Result<TokenRequest, Error> {
        TokenRequest::new(Method::GET, url)
    }

    /// A `POST` without a body.
    pub(crate) fn post(url: &str) -> Result<TokenRequest, Error> {
        let mut request = TokenRequest::new(Method::POST, url)?;
        request.body = Some(String::new());
        Ok(request)
    }

    /// A `POST` of a form.
    pub(crate) fn form(url: &str, fields: &[(&str, &str)]) -> Result<TokenRequest, Error> {
        let mut request = TokenRequest::post(url)?;
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.body = Some(urlencoded(fields));
        let secret = |name: &str| {
            let names = ["secret", "token", "assertion", "code", "verifier", "password"];
            names.iter().any(|part| name.contains(part)) && !name.ends_with("_type") && name != "grant_type"
        };
        request.secrets =
            fields.iter().filter(|(name, _)| secret(name)).map(|(_, value)| Secret::new(*value)).collect();
        Ok(request)
    }

    /// A `POST` of JSON.
    pub(crate) fn json(url: &str, body: &Value) -> Result<TokenRequest, Error> {
        let mut request = TokenRequest::post(url)?;
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.body = Some(body.to_string());
        Ok(request)
    }

    fn new(method: Method, url: &str) -> Result<TokenRequest, Error> {
        // The URL is not repeated: some carry credentials.
        let url = Url::parse(url)
            .map_err(|error| Error::configuration(format!("not a URL that can return a token: {error}")))?;
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        Ok(TokenRequest { method, url, headers, body: None, secrets: Vec::new(), patience: PATIENCE, retry: true })
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> TokenRequest {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Result<TokenRequest, Error> {
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            Error::configuration(format!(
                "the value of the header `{name}` contains a line break or another control \
                                          character"
            ))
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// A header whose value must not come back in an error.
    pub(crate) fn secret_header(mut self, name: HeaderName, scheme: &str, secret: &str) -> Result<TokenRequest, Error> {
        self.secrets.push(secret.into());
        self.header(name, &format!("{scheme} {secret}"))
    }

    pub(crate) fn within(mut self, patience: Duration) -> TokenRequest {
        self.patience = patience;
        self
    }

    pub(crate) fn once(mut self) -> TokenRequest {
        self.retry = false;
        self
    }

    fn request(&self, identity: &Identity) -> Request {
        let mut request = Request::new(self.method.clone(), identity.environment.route(self.url.clone()));
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().insert(USER_AGENT, identity.user_agent.clone());
        if let Some(body) = &self.body {
            *request.body_mut() = Some(body.clone().into());
        }
        request
    }

    fn refuse(&self, answer: &Answer, identity: &Identity) -> Error {
        let body = flattened(String::from_utf8_lossy(&answer.bytes).into_owned());
        let mask = Mask::credentials(self.secrets.iter().cloned()).and(&identity.mask);
        Error::refused(Refusal::read(&self.method, self.url.path(), answer.status, &answer.headers, &body, &mask))
    }
}

impl Identity {
    pub(crate) fn new(
        http: reqwest::Client,
        user_agent: HeaderValue,
        retry: RetryPolicy,
        environment: Environment,
        mask: Mask,
    ) -> Identity {
        let retry = RetryPolicy { budget: retry.budget.min(BUDGET), ..retry };
        Identity { http, user_agent, retry, environment, mask }
    }

    /// Hides the secret settings.
    pub(crate) fn mask(&self) -> &Mask {
        &self.mask
    }

    /// The JSON of a successful answer.
    pub(crate) async fn request(&self, request: TokenRequest) -> Result<Value, Error> {
        self.request_through(&self.http, request).await
    }

    /// As [`Identity::request`], past any proxy: for what runs on this machine or on its link.
    pub(crate) async fn request_nearby(&self, direct: &reqwest::Client, request: TokenRequest) -> Result<Value, Error> {
        self.request_through(direct, request.within(NEARBY_PATIENCE)).await
    }

    async fn request_through(&self, http: &reqwest::Client, request: TokenRequest) -> Result<Value, Error> {
        let answer = self.send(http, &request, |answer| answer.status.is_success()).await?;
        serde_json::from_slice(&answer.bytes)
            .map_err(|_| Error::credentials(format!("the answer of `{}` is not JSON", origin(&request.url))))
    }

    /// Where an answer redirects to; it is not followed.
    pub(crate) async fn location(&self, url: &str) -> Result<String, Error> {
        let request = TokenRequest::get(url)?;
        let answer = self.send(&self.http, &request, |answer| answer.status.is_redirection()).await?;
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        location
            .map(str::to_owned)
            .ok_or_else(|| Error::credentials(format!("the answer of `{}` redirects nowhere", origin(&request.url))))
    }

    async fn send(
        &self,
        http: &reqwest::Client,
        request: &TokenRequest,
        good: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, Error> {
        if !request.secrets.is_empty() && !is_secure(&request.url) {
            return Err(Error::credentials(format!(
                "a secret is not sent to `{}`, which is neither `https` nor on this machine",
                origin(&request.url)
            )));
        }
        let good = &good;
        let attempt = |_| async move {
            let late = |_| Error::timed_out(request.patience);
            let response = timeout(request.patience, http.execute(request.request(self))).await.map_err(late)?;
            let answer =
                Answer::receive(response.map_err(Error::http)?, request.patience, LARGEST_ANSWER, Form::Json).await?;
            if good(&answer) { Ok(answer) } else { Err(request.refuse(&answer, self)) }
        };
        let retry = if request.retry { self.retry } else { RetryPolicy { budget: Duration::ZERO, ..self.retry } };
        // Asking twice for a token does no harm.
        retry.run(true, Queue::of(&Terms::Usual), attempt).await.map_err(|error| provider_error(&error, &request.url))
    }
}

/// The provider's error as ours.
fn provider_error(error: &Error, url: &Url) -> Error {
    let origin = origin(url);
    let message = error.message();
    let told = match (error.status(), error.error_code()) {
        (Some(status), Some(code)) => format!("`{origin}` answered with status {status}: {code}: {message}"),
        (Some(status), None) => format!("`{origin}` answered with status {status}: {message}"),
        (None, _) => format!("no answer from `{origin}`: {message}"),
    };
    let transient = error.is_retryable();
    let mut told = Error::credentials(told);
    // What helps against a connection that fails helps here too; what helps against a refusal is about other credentials.
    if let Some(hint) = error.hint().filter(|_| error.status().is_none()) {
        told = told.with_hint(hint.to_owned());
    }
    if transient { told.transient() } else { told }
}

/// Only scheme, host and port: the rest of such a URL may be confidential.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Brings the shapes of Azure (`{"error": {"code", "message"}}`) and of Okta-like providers (`errorSummary`) into the
/// one of RFC 6749.
fn flattened(body: String) -> String {
    let Ok(Value::Object(mut object)) = serde_json::from_str(&body) else { return body };
    if let Some(Value::Object(inner)) = object.get("error") {
        return Value::Object(
            inner
                .iter()
                .map(|(name, value)| {
                    (if name == "code" { "error_code".to_owned() } else { name.clone() }, value.clone())
                })
                .collect(),
        )
        .to_string();
    }
    if let Some(summary) = object.remove("errorSummary") {
        object.insert("message".to_owned(), summary);
    }
    if let Some(Value::String(description)) = object.get_mut("error_description") {
        // Entra ID adds a trace id, a correlation id and a time.
        let end = [". Trace ID", "\r\nTrace ID", " Trace ID"].iter().find_map(|mark| description.find(mark));
        description.truncate(end.unwrap_or(description.len()));
    }
    Value::Object(object).to_string()
}

/// Fields as a form or a query.
pub(crate) fn urlencoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, &FORM).to_string();
    fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// Whether nobody can read along or answer in the place of this address.
pub(crate) fn is_secure(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}
