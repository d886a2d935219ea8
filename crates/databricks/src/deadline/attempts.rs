//! The attempts of one request: how many there were, how they failed, and what is waited for now.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::trace::Span;

/// The attempts of one request so far, and what it waits for now.
#[derive(Debug)]
pub(crate) struct Attempts {
    name: &'static str,
    record: Mutex<Record>,
    /// What follows the request, where it is traced.
    span: Option<Box<dyn Span>>,
}

#[derive(Debug, Default)]
struct Record {
    stage: Stage,
    /// The attempts that were sent.
    sent: u32,
    /// How the last attempt failed.
    failure: Option<Error>,
    /// Whether an attempt that failed may have been carried out.
    may_have_happened: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Credential,
    Turn,
    Answer,
    Pause,
}

impl Attempts {
    /// The attempts of a request for an operation.
    pub(crate) fn new(name: &'static str) -> Attempts {
        Attempts { name, record: Mutex::default(), span: None }
    }

    /// The same, which are told to what follows the request.
    pub(crate) fn traced(self, span: Option<Box<dyn Span>>) -> Attempts {
        Attempts { span, ..self }
    }

    /// An attempt was answered, or has failed before.
    pub(crate) fn attempted(&self, number: u32, status: Option<u16>) {
        if let Some(span) = &self.span {
            span.attempted(number, status);
        }
    }

    /// The request has ended.
    pub(crate) fn ended(&self, outcome: Result<u16, &Error>) {
        if let Some(span) = &self.span {
            span.ended(outcome);
        }
    }

    /// The name of the operation.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// An attempt waits for a credential.
    pub(crate) fn authenticates(&self) {
        self.write(|record| record.stage = Stage::Credential);
    }

    /// An attempt waits for its turn among those of other requests.
    pub(crate) fn queues(&self) {
        self.write(|record| record.stage = Stage::Turn);
    }

    /// An attempt is sent.
    pub(crate) fn sends(&self) {
        self.write(|record| {
            record.stage = Stage::Answer;
            record.sent += 1;
        });
    }

    /// An attempt has failed. If there is another, it comes after a pause.
    pub(crate) fn failed(&self, error: &Error) {
        self.write(|record| {
            record.stage = Stage::Pause;
            record.may_have_happened |= error.leaves_open();
            record.failure = Some(error.clone());
        });
    }

    fn write(&self, write: impl FnOnce(&mut Record)) {
        write(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What is waited for now.
    pub(super) fn now(&self) -> String {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = record.sent + u32::from(record.stage != Stage::Answer);
        let attempt = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        match record.stage {
            Stage::Credential => format!("waiting for a credential for `{}`{attempt}", self.name),
            Stage::Turn => format!("waiting for the rate limit of this client to send `{}`{attempt}", self.name),
            Stage::Answer => format!("waiting for the workspace to answer `{}`{attempt}", self.name),
            Stage::Pause => format!("waiting to send `{}` again{attempt}", self.name),
        }
    }

    /// The error at the deadline, so long after the work began.
    pub(super) fn out_of_time(&self, after: Duration) -> Error {
        let now = self.now();
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let failure =
            record.failure.as_ref().map(|error| format!("; the previous attempt failed: {}", error.message()));
        let message =
            format!("the call ran out of time after {} s {now}{}", after.as_secs(), failure.unwrap_or_default());
        let is_open = record.stage == Stage::Answer || record.may_have_happened;
        Error::out_of_time(message, is_open).with_hint("the workspace may be busy; try again later")
    }
}
