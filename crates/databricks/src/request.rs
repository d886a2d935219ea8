//! A call of one operation, as a type that knows what the operation takes and gives.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::arguments::{Arguments, Payload};
use crate::error::{Error, plain_text};
use crate::operation::Operation;

/// A request, ready to be sent with [`Client::send`](crate::Client::send). Those in [`requests`](crate::requests) are
/// generated.
pub trait Request: Sized + Send {
    /// The operation that is called.
    const OPERATION: &'static Operation;
    /// What a success gives: a generated type, JSON, nothing, or the payload as it came.
    type Answer;

    /// The values, for calls that are made from an operation and its values.
    fn into_arguments(self) -> Arguments;

    /// The values in place.
    fn arguments_mut(&mut self) -> &mut Arguments;

    /// The answer in a success.
    ///
    /// # Errors
    /// When it does not have the expected shape.
    fn read(payload: Payload) -> Result<Self::Answer, Error>;

    /// Reads an answer in JSON at once, where it has a type and is as expected. What is wrong with it, [`Request::read`] tells.
    fn parse(_text: &[u8]) -> Option<Self::Answer> {
        None
    }

    /// Sets a value where there is one.
    ///
    /// ```
    /// use databricks::Request;
    /// use databricks::requests::jobs::jobs::ListRuns;
    ///
    /// let job_id: Option<i64> = None;
    /// assert_eq!(ListRuns::new().maybe(job_id, ListRuns::job_id), ListRuns::new());
    /// ```
    #[must_use]
    fn maybe<T>(self, value: Option<T>, set: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => set(self, value),
            None => self,
        }
    }

    /// See [`Arguments::idempotent`].
    #[must_use]
    fn idempotent(self, idempotent: bool) -> Self {
        self.map(|arguments| arguments.idempotent(idempotent))
    }

    /// See [`Arguments::with_retry_budget`].
    #[must_use]
    fn with_retry_budget(self, budget: Duration) -> Self {
        self.map(|arguments| arguments.with_retry_budget(budget))
    }

    /// See [`Arguments::with_idle_timeout`].
    #[must_use]
    fn with_idle_timeout(self, timeout: Duration) -> Self {
        self.map(|arguments| arguments.with_idle_timeout(timeout))
    }

    /// See [`Arguments::unavailable_is_refusal`].
    #[must_use]
    fn unavailable_is_refusal(self, is_refusal: bool) -> Self {
        self.map(|arguments| arguments.unavailable_is_refusal(is_refusal))
    }

    /// See [`Arguments::held_open`].
    #[must_use]
    fn held_open(self, is_held_open: bool) -> Self {
        self.map(|arguments| arguments.held_open(is_held_open))
    }

    /// Changes the values.
    #[must_use]
    fn map(mut self, change: impl FnOnce(Arguments) -> Arguments) -> Self {
        let arguments = self.arguments_mut();
        *arguments = change(std::mem::take(arguments));
        self
    }
}

/// The reader of an operation that answers with nothing.
#[expect(clippy::unnecessary_wraps, reason = "one of the readers that requests name")]
pub(crate) fn nothing(_: Payload) -> Result<(), Error> {
    Ok(())
}

/// The reader of an operation that answers with text or bytes.
#[expect(clippy::unnecessary_wraps, reason = "one of the readers that requests name")]
pub(crate) fn whole(payload: Payload) -> Result<Payload, Error> {
    Ok(payload)
}

/// The reader of an operation that answers with JSON.
pub(crate) fn json(payload: Payload) -> Result<Value, Error> {
    payload.into_json().ok_or_else(|| Error::answer("the answer is not JSON"))
}

/// The reader of an operation whose answer has a type.
pub(crate) fn typed<T: DeserializeOwned>(payload: Payload) -> Result<T, Error> {
    serde_json::from_value(json(payload)?).map_err(|error| {
        Error::answer(format!("the answer does not have the expected shape: {}", plain_text(&error.to_string())))
    })
}

/// A value of a generated type; these can always be written as JSON.
pub(crate) fn value<T: Serialize>(value: T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
