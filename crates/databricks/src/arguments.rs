//! What a caller gives to one call, and what comes back.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::operation::Location;

/// The values of one call, by place and wire name.
///
/// Nothing is sent for a name that is absent. In the body `null`, `false` and `0` are sent as given; in the query
/// `null` is left out.
///
/// ```
/// use databricks::{Arguments, Location};
/// use serde_json::json;
///
/// let arguments = Arguments::new()
///     .with(Location::Query, "limit", json!(25))
///     .with(Location::Body, "settings", json!({"name": "nightly", "timeout_seconds": 0}));
/// assert_eq!(arguments.get(Location::Query, "limit"), Some(&json!(25)));
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Arguments {
    path: Map<String, Value>,
    query: Map<String, Value>,
    body: Map<String, Value>,
    bytes: Option<Bytes>,
    idempotent: bool,
    unavailable_is_refusal: bool,
    held_open: bool,
    retry_budget: Option<Duration>,
    idle_timeout: Option<Duration>,
}

impl Arguments {
    /// No values.
    pub fn new() -> Arguments {
        Arguments::default()
    }

    /// Sets a value; an earlier one of the same place and name is replaced.
    pub fn with(mut self, location: Location, name: impl Into<String>, value: impl Into<Value>) -> Arguments {
        self.insert(location, name, value);
        self
    }

    /// Sets the raw body of an operation that takes bytes.
    ///
    /// ```
    /// use databricks::{Arguments, Location};
    ///
    /// let path = "/Volumes/main/default/landing/notes.txt";
    /// let arguments = Arguments::new().with(Location::Path, "file_path", path).with_bytes("ready");
    /// ```
    pub fn with_bytes(mut self, bytes: impl Into<Bytes>) -> Arguments {
        self.bytes = Some(bytes.into());
        self
    }

    /// Declares that doing the call twice does no harm, so that it is repeated even when it is not known whether the
    /// first attempt arrived. `GET` and `HEAD` never need this.
    ///
    /// ```
    /// use databricks::{Arguments, Location};
    ///
    /// // A cluster that is on its way down is not stopped a second time.
    /// let stop = Arguments::new().with(Location::Body, "cluster_id", "0301-100000-abcd").idempotent(true);
    /// ```
    pub fn idempotent(mut self, idempotent: bool) -> Arguments {
        self.idempotent = idempotent;
        self
    }

    /// Declares that the service answers 503 before it begins anything, so that the call is then repeated whatever it
    /// does. In general a 503 may come from a gateway that does not know what the service behind it did.
    ///
    /// ```
    /// // An endpoint that is still starting turns every question away.
    /// let question = databricks::Arguments::new().unavailable_is_refusal(true);
    /// ```
    pub fn unavailable_is_refusal(mut self, is_refusal: bool) -> Arguments {
        self.unavailable_is_refusal = is_refusal;
        self
    }

    /// Declares that the service holds the call open until its work is done, so that it takes no turn of quick calls: see
    /// [`Limits::concurrency`](crate::Limits::concurrency).
    ///
    /// ```
    /// // A statement that the service waits for.
    /// let statement = databricks::Arguments::new().held_open(true);
    /// ```
    pub fn held_open(mut self, is_held_open: bool) -> Arguments {
        self.held_open = is_held_open;
        self
    }

    /// Overrides [`RetryPolicy::budget`](crate::RetryPolicy::budget) for this call; zero means a single attempt.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let once = databricks::Arguments::new().with_retry_budget(Duration::ZERO);
    /// ```
    pub fn with_retry_budget(mut self, budget: Duration) -> Arguments {
        self.retry_budget = Some(budget);
        self
    }

    /// Overrides [`Config::idle_timeout`](crate::Config::idle_timeout) for this call: how long the service may think
    /// before it answers.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// // A language model may write for minutes before its answer is sent.
    /// let patient = databricks::Arguments::new().with_idle_timeout(Duration::from_secs(240));
    /// ```
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Arguments {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Sets a value in place; see [`Arguments::with`].
    pub fn insert(&mut self, location: Location, name: impl Into<String>, value: impl Into<Value>) {
        self.values_mut(location).insert(name.into(), value.into());
    }

    /// Takes a value away.
    pub fn remove(&mut self, location: Location, name: &str) -> Option<Value> {
        self.values_mut(location).shift_remove(name)
    }

    /// The value of this name at this place.
    pub fn get(&self, location: Location, name: &str) -> Option<&Value> {
        self.values(location).get(name)
    }

    /// All values of a place, in the order they were given.
    pub fn values(&self, location: Location) -> &Map<String, Value> {
        match location {
            Location::Path => &self.path,
            Location::Query => &self.query,
            Location::Body => &self.body,
        }
    }

    pub(crate) fn values_mut(&mut self, location: Location) -> &mut Map<String, Value> {
        match location {
            Location::Path => &mut self.path,
            Location::Query => &mut self.query,
            Location::Body => &mut self.body,
        }
    }

    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        self.bytes.as_ref()
    }

    pub(crate) fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    pub(crate) fn is_unavailable_refusal(&self) -> bool {
        self.unavailable_is_refusal
    }

    pub(crate) fn is_held_open(&self) -> bool {
        self.held_open
    }

    pub(crate) fn retry_budget(&self) -> Option<Duration> {
        self.retry_budget
    }

    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }
}

/// Names only: the values may be secrets on their way into a scope, or somebody's data.
impl fmt::Debug for Arguments {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Arguments")
            .field("path", &self.path.keys())
            .field("query", &self.query.keys())
            .field("body", &self.body.keys())
            .field("bytes", &self.bytes.as_ref().map(Bytes::len))
            .field("idempotent", &self.idempotent)
            .field("retry_budget", &self.retry_budget)
            .finish()
    }
}

/// The answer of one call.
///
/// ```
/// use databricks::Payload;
///
/// fn describe(payload: &Payload) -> String {
///     match payload {
///         Payload::Empty => "done".to_owned(),
///         Payload::Json(value) => value.to_string(),
///         Payload::Text { text, .. } => text.clone(),
///         Payload::Binary { media_type, bytes } => format!("{} bytes of {media_type}", bytes.len()),
///     }
/// }
/// assert_eq!(describe(&Payload::Json(serde_json::json!({ "job_id": 7 }))), r#"{"job_id":7}"#);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Success without content.
    Empty,
    /// A JSON value; `{}` where the service answered nothing although JSON was promised. Integers keep all digits.
    Json(Value),
    /// Text; bytes that are not UTF-8 are replaced by `U+FFFD`.
    Text {
        /// The media type that the service named, without parameters.
        media_type: String,
        /// The text.
        text: String,
    },
    /// Bytes as they came.
    Binary {
        /// The media type that the service named, without parameters.
        media_type: String,
        /// The content.
        bytes: Bytes,
    },
}

impl Payload {
    /// The JSON value, where there is one.
    ///
    /// ```
    /// use databricks::Payload;
    ///
    /// assert_eq!(Payload::Json(7.into()).into_json(), Some(7.into()));
    /// assert_eq!(Payload::Empty.into_json(), None);
    /// ```
    pub fn into_json(self) -> Option<Value> {
        match self {
            Payload::Json(value) => Some(value),
            Payload::Empty | Payload::Text { .. } | Payload::Binary { .. } => None,
        }
    }
}
