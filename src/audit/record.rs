//! The record of one call: what is known of it so far, and its lines in the audit log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::AuditLog;
use crate::error::Error;

/// So many request ids are told of one call.
const MOST_REQUEST_IDS: usize = 200;

/// The record of one call; cheap to clone. Where there is no audit log, it does nothing.
#[derive(Debug, Clone, Default)]
pub struct Record(Option<Arc<Open>>);

#[derive(Debug)]
struct Open {
    log: AuditLog,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What both lines of the call tell.
    fields: Map<String, Value>,
    request_ids: Vec<String>,
    has_ended: bool,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum End<'a> {
    /// With an answer of so many bytes.
    Answer(usize),
    /// With a question to a person: nothing was changed.
    Asked,
    /// With an error.
    Error(&'a Error),
    /// It was given up.
    Cancelled,
}

impl Record {
    /// Begins a record with what is known when a call comes in.
    pub(crate) fn open(log: &AuditLog, fields: Map<String, Value>) -> Self {
        let mut all = Map::new();
        all.insert("call".to_owned(), uuid::Uuid::new_v4().to_string().into());
        all.extend(fields);
        let state = State { fields: all, request_ids: Vec::new(), has_ended: false };
        Self(Some(Arc::new(Open { log: log.clone(), began: Instant::now(), state: Mutex::new(state) })))
    }

    /// The log, where there is one.
    pub(crate) fn log(&self) -> Option<&AuditLog> {
        self.0.as_ref().map(|open| &open.log)
    }

    /// Tells more of the call.
    pub(crate) fn tell(&self, name: &str, value: impl Into<Value>) {
        self.with(|_, state| _ = state.fields.insert(name.to_owned(), value.into()));
    }

    /// Writes that the call is about to change something.
    ///
    /// # Errors
    /// When that cannot be written: nothing may be sent then.
    pub(crate) fn intend(&self) -> Result<(), Error> {
        let mut written = Ok(());
        self.with(|open, state| written = open.log.append("intent", state.fields.clone(), true));
        written
    }

    /// Notes the id of a request that was answered.
    pub(crate) fn hear(&self, request_id: &str) {
        self.with(|_, state| {
            if state.request_ids.len() < MOST_REQUEST_IDS {
                state.request_ids.push(request_id.to_owned());
            }
        });
    }

    /// Writes that a part of the call is about to be undone. The call may have ended by then.
    pub(crate) fn undo(&self, operation: &str) {
        let Some(open) = &self.0 else { return };
        let state = open.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fields = Map::new();
        fields.insert("call".to_owned(), state.fields.get("call").cloned().unwrap_or_default());
        fields.insert("operation".to_owned(), operation.into());
        // It goes on without: what is not undone is worse than what is not recorded.
        let _ = open.log.append("undo", fields, false);
    }

    /// Writes how the call ended. Only the first end counts.
    pub(crate) fn end(&self, end: &End<'_>) {
        self.with(|open, state| {
            state.has_ended = true;
            let mut fields = std::mem::take(&mut state.fields);
            if let Some(id) = fields.get("call") {
                state.fields.insert("call".to_owned(), id.clone());
            }
            let (outcome, error, bytes, refusal) = match end {
                End::Answer(bytes) => ("ok", None, *bytes, None),
                End::Error(error) => ("error", Some(error.kind()), error.to_string().len(), error.rule()),
                End::Asked => ("asked", None, 0, None),
                End::Cancelled => ("cancelled", None, 0, None),
            };
            let decision = if refusal.is_some() { "refused" } else { "allowed" };
            fields.insert("decision".to_owned(), decision.into());
            if let Some(rule) = refusal {
                fields.insert("rule".to_owned(), rule.into());
            }
            fields.insert("request_ids".to_owned(), json!(state.request_ids));
            fields.insert("outcome".to_owned(), outcome.into());
            fields.insert("error".to_owned(), json!(error));
            fields.insert(
                "duration_ms".to_owned(),
                json!(u64::try_from(open.began.elapsed().as_millis()).unwrap_or(u64::MAX)),
            );
            fields.insert("result_bytes".to_owned(), bytes.into());
            // The log says itself that it cannot be written, and refuses the next change.
            let _ = open.log.append("call", fields, false);
        });
    }

    /// A guard that writes that the call was cancelled if it is dropped before the call has ended.
    pub(crate) fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    fn with(&self, change: impl FnOnce(&Open, &mut State)) {
        let Some(open) = &self.0 else { return };
        let mut state = open.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.has_ended {
            change(open, &mut state);
        }
    }
}

/// Ends the record of a call that is dropped.
#[derive(Debug)]
pub(crate) struct Guard(Record);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.end(&End::Cancelled);
    }
}
