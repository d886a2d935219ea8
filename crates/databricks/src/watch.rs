//! Sees each request of a client before it is sent, and its outcome.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

use crate::arguments::Arguments;
use crate::error::Error;
use crate::operation::Operation;

/// Whether a request may be sent.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Sees every request that a client would send, see [`Client::watched`](crate::Client::watched).
///
/// ```
/// use databricks::{Error, Outgoing, Verdict, Watch};
///
/// /// Lets nothing pass but reads.
/// #[derive(Debug)]
/// struct OnlyReads;
///
/// impl Watch for OnlyReads {
///     fn before<'a>(&'a self, request: &'a Outgoing<'a>) -> Verdict<'a> {
///         let is_read = request.operation.method == databricks::Method::Get;
///         Box::pin(async move { if is_read { Ok(()) } else { Err(Error::held_back("only reads are sent")) } })
///     }
///
///     fn after(&self, _: Option<&str>) {}
/// }
/// # let client = databricks::Client::new(databricks::Config::default())?;
/// let client = client.watched(std::sync::Arc::new(OnlyReads));
/// # Ok::<(), databricks::Error>(())
/// ```
pub trait Watch: fmt::Debug + Send + Sync {
    /// Decides whether a request is sent. An error, such as [`Error::held_back`], is the outcome of the call then.
    fn before<'a>(&'a self, request: &'a Outgoing<'a>) -> Verdict<'a>;

    /// Hears that a request was answered, with a success or an error, and under which id.
    fn after(&self, request_id: Option<&str>);

    /// Hears that a request waits so long for the limit of requests per second.
    fn waits(&self, _wait: Duration) {}

    /// Whether [`Watch::answered`] wants to see what an operation answers. Of an answer that nobody sees, only what the
    /// caller will look at is read.
    fn sees(&self, _operation: &'static Operation) -> bool {
        false
    }

    /// Sees an answer in JSON before anybody else does, and may leave something of it out.
    fn answered(&self, _operation: &'static Operation, _answer: &mut Value) {}
}

/// A request that is complete and not sent yet.
pub struct Outgoing<'a> {
    /// The operation.
    pub operation: &'static Operation,
    /// Its values, those included that the client supplies.
    pub arguments: &'a Arguments,
    /// The path below the host, percent-encoded.
    pub path: &'a str,
    /// The query, not encoded.
    pub query: &'a [(String, String)],
    /// The bytes of a body that is not JSON.
    pub content_bytes: Option<u64>,
    /// Whether it undoes what an earlier request began, see [`Client::ahead`](crate::Client::ahead).
    pub is_undoing: bool,
}

impl Outgoing<'_> {
    /// The JSON body; `None` where the request carries none.
    pub fn body(&self) -> Option<Value> {
        let body = self.arguments.values(crate::Location::Body);
        (self.operation.body == crate::Body::Json).then(|| Value::Object(body.clone()))
    }
}

/// Names only, as for [`Arguments`].
impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Outgoing")
            .field("operation", &self.operation.id)
            .field("arguments", self.arguments)
            .finish_non_exhaustive()
    }
}
