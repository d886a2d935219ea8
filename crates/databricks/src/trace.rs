//! Following each request to a workspace from its beginning to its end, for traces.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::Error;

/// Follows the requests of a client, see [`Client::traced`](crate::Client::traced).
///
/// ```
/// use databricks::{Beginning, Error, Span, Trace};
///
/// /// Prints what begins and what it came to.
/// #[derive(Debug)]
/// struct Printer;
///
/// impl Trace for Printer {
///     fn begin(&self, request: &Beginning<'_>) -> Box<dyn Span> {
///         println!("{} {}", request.method, request.template);
///         Box::new(Printer)
///     }
/// }
///
/// impl Span for Printer {
///     fn headers(&self) -> Vec<(&'static str, String)> {
///         Vec::new()
///     }
///
///     fn attempted(&self, number: u32, status: Option<u16>) {
///         println!("attempt {number}: {status:?}");
///     }
///
///     fn ended(&self, outcome: Result<u16, &Error>) {
///         println!("ended: {outcome:?}");
///     }
/// }
/// # let client = databricks::Client::new(databricks::Config::default())?;
/// let client = client.traced(std::sync::Arc::new(Printer));
/// # Ok::<(), databricks::Error>(())
/// ```
pub trait Trace: fmt::Debug + Send + Sync {
    /// A request is about to be made. What follows it is dropped when the request is over, also when it is given up.
    fn begin(&self, request: &Beginning<'_>) -> Box<dyn Span>;
}

/// Follows one request, with all its attempts.
pub trait Span: fmt::Debug + Send + Sync {
    /// The headers by which the workspace can go on with the trace.
    fn headers(&self) -> Vec<(&'static str, String)>;

    /// One attempt has ended: its number from 1 on, and the HTTP status if there was an answer.
    fn attempted(&self, number: u32, status: Option<u16>);

    /// The request has ended, with the status of its answer or an error. It is not called where nobody waits for the end.
    fn ended(&self, outcome: Result<u16, &Error>);
}

/// A request that is about to be made.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Beginning<'a> {
    /// The name of the operation.
    pub operation: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path below the host, with names in place of values.
    pub template: &'static str,
    /// The origin of the workspace, for example `https://acme.test`.
    pub host: &'a str,
}

/// Adds the headers of a span.
pub(crate) fn send_along(span: &dyn Span, headers: &mut HeaderMap) {
    for (name, value) in span.headers() {
        // What cannot be a header is not sent: the request does not need it.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
