//! The one error of this crate: what failed, why, and what to do about it.
//!
//! Ask it questions instead of matching its text. It is safe to show: it never holds a credential, a header or a URL
//! with a query, and what a service said is cut to a length suitable for a message.

mod body;
mod class;
mod repeat;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

pub(crate) use body::{Refusal, is_error, is_html, may_be_error, plain_text};
use class::Class;
pub(crate) use class::PRIVATE_LINK_CODE;
pub(crate) use repeat::Repeat;

const CHECK_THE_WAY: &str = "check DATABRICKS_HOST, the network and the proxy settings";

/// What went wrong with a call, or with setting up a client.
///
/// `Display` gives one line in the style ``cannot call `jobs.jobs.list`: no workspace host is set``; advice is apart,
/// in [`Error::hint`].
///
/// ```
/// let error = databricks::Config::new("http://acme.test", "dapi123").unwrap_err();
/// assert!(error.is_configuration() && !error.is_retryable());
/// assert!(error.message().contains("in clear text"));
/// assert!(error.hint().is_some_and(|hint| hint.contains("https://")));
/// ```
///
/// What the service refuses is told apart the same way:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
/// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
/// use databricks::{Arguments, Location, operations};
///
/// let arguments = Arguments::new().with(Location::Path, "full_name", "main.nowhere");
/// let error = client.execute(&operations::CATALOG_SCHEMAS_GET, arguments).await.unwrap_err();
/// assert!(error.is_not_found());
/// assert_eq!((error.status(), error.operation()), (Some(404), Some("catalog.schemas.get")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    operation: Option<String>,
    hint: Option<Cow<'static, str>>,
    may_have_happened: bool,
    parameter: Option<Box<str>>,
    turned_away: bool,
    attempts: u32,
}

#[derive(Debug, Clone)]
enum Kind {
    /// The configuration lacks something or is wrong.
    Configuration(String),
    /// No credential could be had, or none that is taken.
    Credentials { message: String, transient: bool },
    /// The caller's values do not fit the operation.
    Argument(String),
    /// No connection was made, so nothing was sent.
    Unreachable(String),
    /// As `Unreachable`, because the host's certificate is not trusted; that does not change by itself.
    Untrusted(String),
    /// The request was called off before it was sent, for this reason.
    CalledOff(&'static str),
    /// A watch did not let the request be sent, for this reason.
    HeldBack(String),
    /// The request was on its way, but no whole answer came.
    Interrupted(String),
    /// As `Interrupted`, for lack of time.
    TimedOut(String),
    /// The answer comes too slowly, as it would again.
    TooSlow(String),
    /// The deadline of the caller came before the answer.
    OutOfTime { message: String, may_have_happened: bool },
    /// The service answered with an error.
    Api(ApiError),
    /// A login page came instead of an answer.
    LoginPage { status: u16 },
    /// The answer was a success that cannot be understood.
    Answer(String),
}

#[derive(Debug, Clone)]
struct ApiError {
    class: Class,
    status: u16,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    details: Vec<Value>,
    is_private_link: bool,
}

impl Error {
    fn new(kind: Kind) -> Error {
        Error(Box::new(Inner {
            kind,
            operation: None,
            hint: None,
            may_have_happened: false,
            parameter: None,
            turned_away: false,
            attempts: 1,
        }))
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Error {
        Error::new(Kind::Configuration(message.into()))
    }

    pub(crate) fn credentials(message: impl Into<String>) -> Error {
        Error::new(Kind::Credentials { message: message.into(), transient: false })
    }

    /// Marks an error about credentials as one that may go away by itself.
    pub(crate) fn transient(mut self) -> Error {
        if let Kind::Credentials { transient, .. } = &mut self.0.kind {
            *transient = true;
        }
        self
    }

    /// Says around an error about credentials what it was in the way of.
    pub(crate) fn within(mut self, failed: &str) -> Error {
        if let Kind::Credentials { message, .. } | Kind::Configuration(message) = &mut self.0.kind {
            *message = format!("{failed}: {message}");
        }
        self
    }

    pub(crate) fn argument(message: impl Into<String>) -> Error {
        Error::new(Kind::Argument(message.into()))
    }

    /// The value of this parameter does not fit.
    pub(crate) fn parameter(name: &str, message: impl Into<String>) -> Error {
        let mut error = Error::argument(message);
        error.0.parameter = Some(name.into());
        error
    }

    pub(crate) fn answer(message: impl Into<String>) -> Error {
        Error::new(Kind::Answer(message.into()))
    }

    pub(crate) fn called_off() -> Error {
        Error::new(Kind::CalledOff("the call was cancelled before its request was sent"))
    }

    /// A [`Watch`](crate::Watch) does not let a request be sent, for this reason.
    pub fn held_back(reason: impl Into<String>) -> Error {
        Error::new(Kind::HeldBack(reason.into()))
    }

    /// The client's input has ended, and it was not the request's turn yet.
    pub(crate) fn too_late() -> Error {
        Error::new(Kind::CalledOff(
            "the request was not sent, because the input had ended while the call waited for its turn",
        ))
        .with_hint("keep the input open until every call is answered, or make fewer calls at once")
    }

    /// The answers of other calls take all the memory that there is for answers.
    pub(crate) fn no_room() -> Error {
        Error::answer("there is no memory left for the answer: the answers of other calls use all of it")
            .with_hint("try again when the calls under way have ended, or ask for less at once")
    }

    /// The deadline of the caller has come; `may_have_happened` says whether the request may have been carried out.
    pub(crate) fn out_of_time(message: impl Into<String>, may_have_happened: bool) -> Error {
        Error::new(Kind::OutOfTime { message: message.into(), may_have_happened }).with_outcome(may_have_happened)
    }

    pub(crate) fn timed_out(after: Duration) -> Error {
        Error::new(Kind::TimedOut(format!("no answer within {} s", after.as_secs_f64())))
    }

    /// The body of the answer comes too slowly to be waited for.
    pub(crate) fn too_slow(bytes: usize, after: Duration) -> Error {
        Error::new(Kind::TooSlow(format!("only {bytes} bytes of the answer came within {} s", after.as_secs())))
    }

    pub(crate) fn login_page(status: u16) -> Error {
        Error::new(Kind::LoginPage { status }).with_hint(
            "check DATABRICKS_HOST; if one host serves several workspaces, set DATABRICKS_WORKSPACE_ID as well",
        )
    }

    /// No connection, for this reason.
    pub(crate) fn unreachable(cause: impl Into<String>) -> Error {
        Error::new(Kind::Unreachable(cause.into())).with_hint(CHECK_THE_WAY)
    }

    /// An error of the HTTP layer. Its URL is dropped, and of its causes only the innermost is told: the ones around
    /// it name the layers of the HTTP library.
    pub(crate) fn http(error: reqwest::Error) -> Error {
        let error = error.without_url();
        let cause = innermost(&error);
        if error.is_builder() {
            return Error::argument(format!("the request cannot be built: {cause}"));
        }
        if !error.is_connect() {
            return Error::new(Kind::Interrupted(cause));
        }
        if cause.contains("certificate") {
            return Error::new(Kind::Untrusted(cause))
                .with_hint("set SSL_CERT_FILE to a file that holds the certificate authority of your network");
        }
        Error::unreachable(cause)
    }

    /// An error answer of the service.
    pub(crate) fn refused(refusal: Refusal) -> Error {
        let class = class::classify(&refusal);
        let is_private_link = class::is_private_link(&refusal);
        let hint = class::hint(class, is_private_link);
        let error = Error::new(Kind::Api(ApiError {
            class,
            status: refusal.status,
            code: refusal.code,
            message: refusal.message,
            request_id: refusal.request_id,
            retry_after: refusal.retry_after,
            details: refusal.details,
            is_private_link,
        }));
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    /// Names the operation that failed, unless it is named already.
    pub(crate) fn in_operation(mut self, operation: &str) -> Error {
        self.0.operation.get_or_insert_with(|| operation.to_owned());
        self
    }

    /// Records whether a request that changes something may have been carried out although it ended in this error.
    pub(crate) fn with_outcome(mut self, may_have_happened: bool) -> Error {
        self.0.may_have_happened = may_have_happened;
        self
    }

    /// Records how many attempts were made, of which this is the outcome of the last.
    pub(crate) fn after_attempts(mut self, attempts: u32) -> Error {
        self.0.attempts = attempts;
        self
    }

    /// Records that the service is known to have begun nothing, whatever its answer says in general.
    pub(crate) fn turned_away(mut self) -> Error {
        self.0.turned_away = true;
        self
    }

    fn api(&self) -> Option<&ApiError> {
        match &self.0.kind {
            Kind::Api(error) => Some(error),
            _ => None,
        }
    }

    fn is_class(&self, class: Class) -> bool {
        self.api().is_some_and(|error| error.class == class)
    }

    /// The thing asked for does not exist (or is hidden from this caller).
    pub fn is_not_found(&self) -> bool {
        self.is_class(Class::NotFound)
    }

    /// The caller is known but may not do this.
    pub fn is_permission_denied(&self) -> bool {
        self.is_class(Class::PermissionDenied)
    }

    /// The service does not know who is calling: no, a wrong or an expired credential, or a login page. Or an identity
    /// provider has refused to give a token.
    pub fn is_unauthenticated(&self) -> bool {
        self.is_class(Class::Unauthenticated)
            || matches!(self.0.kind, Kind::LoginPage { .. } | Kind::Credentials { transient: false, .. })
    }

    /// Whether the service has refused the credential itself, which another one may cure.
    pub fn refuses_credential(&self) -> bool {
        self.api().is_some_and(|error| error.status == 401 || error.class == Class::Unauthenticated)
    }

    /// Too many requests, also after the retries of this client.
    pub fn is_rate_limited(&self) -> bool {
        self.is_class(Class::RateLimited)
    }

    /// The thing exists already, or somebody else changed it meanwhile.
    pub fn is_conflict(&self) -> bool {
        self.is_class(Class::Conflict)
    }

    /// The values given do not fit: refused here before sending, or by the service.
    pub fn is_bad_request(&self) -> bool {
        self.is_class(Class::BadRequest) || matches!(self.0.kind, Kind::Argument(_))
    }

    /// The client is not set up for this call; [`Error::hint`] says what to set.
    pub fn is_configuration(&self) -> bool {
        matches!(self.0.kind, Kind::Configuration(_))
    }

    /// No connection to the host could be made; nothing was sent.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.0.kind, Kind::Unreachable(_) | Kind::Untrusted(_))
    }

    /// The call was called off by its caller; nothing was sent.
    pub fn is_called_off(&self) -> bool {
        matches!(self.0.kind, Kind::CalledOff(_))
    }

    /// A [`Watch`](crate::Watch) did not let the request be sent.
    pub fn is_held_back(&self) -> bool {
        matches!(self.0.kind, Kind::HeldBack(_))
    }

    /// The service answered with a success that cannot be understood, for example as its end is missing.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.0.kind, Kind::Answer(_))
    }

    /// The certificate of the host is not trusted.
    pub fn is_untrusted(&self) -> bool {
        matches!(self.0.kind, Kind::Untrusted(_))
    }

    /// A web page came where the API should answer: that of a login, or of a host that is no workspace.
    pub fn is_login_page(&self) -> bool {
        matches!(self.0.kind, Kind::LoginPage { .. })
    }

    /// The workspace takes calls over its private link only.
    pub fn is_private_link(&self) -> bool {
        self.api().is_some_and(|error| error.is_private_link)
    }

    /// No answer came in time; the call may have happened nevertheless.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, Kind::TimedOut(_) | Kind::TooSlow(_) | Kind::OutOfTime { .. })
            || self.is_class(Class::DeadlineExceeded)
    }

    /// The same call may succeed later. It does not say that repeating it is harmless: after an interruption or a
    /// gateway error the call may already have happened.
    pub fn is_retryable(&self) -> bool {
        self.repeat() != Repeat::Never || matches!(self.0.kind, Kind::Credentials { transient: true, .. })
    }

    /// The parameter, by its name on the wire, whose value was refused before anything was sent.
    pub fn refused_parameter(&self) -> Option<&str> {
        self.0.parameter.as_deref()
    }

    /// Whether the call may have changed something although it ended in this error: the answer of this or an earlier
    /// attempt was lost, or does not say what was done. Never for a `GET` or `HEAD`.
    ///
    /// A call that was refused, or that never reached the service, has changed nothing.
    pub fn may_have_happened(&self) -> bool {
        self.0.may_have_happened
    }

    /// The HTTP status of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        match &self.0.kind {
            Kind::Api(error) => Some(error.status),
            Kind::LoginPage { status } => Some(*status),
            _ => None,
        }
    }

    /// The service's code, for example `RESOURCE_DOES_NOT_EXIST`; numeric codes as decimal text.
    pub fn error_code(&self) -> Option<&str> {
        self.api()?.code.as_deref()
    }

    /// What went wrong, without the operation and the code: the service's own words where it answered, at most about
    /// 2,000 characters of plain text.
    pub fn message(&self) -> Cow<'_, str> {
        match &self.0.kind {
            Kind::Configuration(message)
            | Kind::Credentials { message, .. }
            | Kind::Argument(message)
            | Kind::TimedOut(message)
            | Kind::TooSlow(message)
            | Kind::OutOfTime { message, .. }
            | Kind::HeldBack(message)
            | Kind::Answer(message) => message.into(),
            Kind::Unreachable(cause) | Kind::Untrusted(cause) => format!("no connection to the host: {cause}").into(),
            Kind::CalledOff(reason) => (*reason).into(),
            Kind::Interrupted(cause) => format!("the connection broke before the answer was complete: {cause}").into(),
            Kind::Api(error) => error.message.as_str().into(),
            Kind::LoginPage { .. } => "the host answered with a login page instead of an API response".into(),
        }
    }

    /// The id under which Databricks' support finds the request.
    pub fn request_id(&self) -> Option<&str> {
        self.api()?.request_id.as_deref()
    }

    /// How long the service asks to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.api()?.retry_after
    }

    /// The service's structured details (`google.rpc` objects with an `@type`), raw.
    pub fn details(&self) -> &[Value] {
        self.api().map_or(&[], |error| &error.details)
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The operation that failed, for example `jobs.jobs.get`.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message();
        let Some(operation) = self.operation() else {
            return formatter.write_str(&message);
        };
        let attempts = match self.0.attempts {
            1 => String::new(),
            attempts => format!(" in {attempts} attempts"),
        };
        let Some(error) = self.api() else {
            return write!(formatter, "cannot call `{operation}`{attempts}: {message}");
        };
        write!(formatter, "`{operation}` failed{attempts} with ")?;
        match &error.code {
            Some(code) => write!(formatter, "`{code}` (status {}", error.status)?,
            None => write!(formatter, "status {}", error.status)?,
        }
        match (&error.code, &error.request_id) {
            (Some(_), Some(id)) => write!(formatter, ", request `{id}`)")?,
            (Some(_), None) => formatter.write_str(")")?,
            (None, Some(id)) => write!(formatter, " (request `{id}`)")?,
            (None, None) => {}
        }
        write!(formatter, ": {message}")
    }
}

impl std::error::Error for Error {}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    plain_text(&cause.to_string())
}

#[cfg(test)]
mod tests;
