//! The questions that are open: what a client sends back with the answer, sealed, so that the answer holds for the caller who
//! was asked, for this call with these arguments, for some minutes, and once.
//!
//! That it holds once, a server knows of the answers that it has taken itself. Of several that share their keys, each
//! could take the same answer once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::digest::Sha256Hex;
use crate::seal::{Broken, Seal};

/// What the seals are for.
const PURPOSE: &str = "consent";
/// Answers that are remembered; more are refused until the oldest are over.
const MOST: usize = 100_000;

/// The open questions of one caller; clones share what is used up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Questions {
    seal: Option<Seal>,
    used: Arc<Mutex<HashMap<String, Instant>>>,
}

/// Why an answer does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// This server, or one with its keys, has not given it to this caller.
    Foreign,
    /// It is to another question.
    OtherCall,
    Late,
    Used,
}

impl Questions {
    /// The same of another caller.
    pub(crate) fn of(&self, seal: Option<Seal>) -> Self {
        Self { seal, used: Arc::clone(&self.used) }
    }

    /// What a client sends back with the answer to the question about this call. `None` where nothing can be sealed.
    pub(crate) fn open(&self, tool: &str, arguments: &Map<String, Value>, open: Duration) -> Option<String> {
        let id = uuid::Uuid::new_v4();
        Some(self.seal.as_ref()?.seal_for(PURPOSE, &format!("{id}.{}", digest(tool, arguments)), open))
    }

    /// Takes what a client has sent back, for this call; an answer that is `taken` holds no more.
    pub(crate) fn check(
        &self,
        state: &str,
        tool: &str,
        arguments: &Map<String, Value>,
        is_taken: bool,
        open: Duration,
    ) -> Result<(), Wrong> {
        let opened = self.seal.as_ref().ok_or(Wrong::Foreign)?.open_for(PURPOSE, state);
        let text = opened.map_err(|broken| match broken {
            Broken::Foreign => Wrong::Foreign,
            Broken::Late => Wrong::Late,
        })?;
        let (id, asked) = text.split_once('.').ok_or(Wrong::Foreign)?;
        if asked != digest(tool, arguments) {
            return Err(Wrong::OtherCall);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        used.retain(|_, end| *end > now);
        if used.contains_key(id) || used.len() >= MOST {
            return Err(Wrong::Used);
        }
        if is_taken {
            // It outlasts the seal, whose end is in whole seconds.
            used.insert(id.to_owned(), now + open + Duration::from_secs(2));
        }
        Ok(())
    }
}

/// What tells one call from every other. The order of names in an object says nothing.
fn digest(tool: &str, arguments: &Map<String, Value>) -> String {
    let mut digest = Sha256Hex::default();
    let mut text = Value::from(tool).to_string();
    write(&Value::Object(arguments.clone()), &mut text);
    digest.add(text.as_bytes());
    digest.finish()
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, field) in fields {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(field, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::seal::SigningKeys;

    fn arguments(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn an_answer_holds_for_its_caller_its_call_its_time_and_once() {
        let open = Duration::from_secs(60);
        let keys = SigningKeys::random().expect("keys");
        let anna = Questions::default().of(Some(keys.of("anna")));
        let ben = anna.of(Some(keys.of("ben")));
        let call = arguments(json!({ "job_id": 1, "with": { "a": [1, 2], "b": null } }));
        let same = arguments(json!({ "with": { "b": null, "a": [1, 2] }, "job_id": 1 }));
        let state = anna.open("delete_job", &call, open).expect("a state");
        assert_eq!(ben.check(&state, "delete_job", &call, true, open), Err(Wrong::Foreign));
        assert_eq!(anna.check(&state, "delete_jobs", &call, true, open), Err(Wrong::OtherCall));
        for other in
            [json!({}), json!({ "job_id": 2, "with": call["with"] }), json!({ "job_id": 1, "with": { "a": [2, 1] } })]
        {
            assert_eq!(anna.check(&state, "delete_job", &arguments(other), true, open), Err(Wrong::OtherCall));
        }
        assert_eq!(anna.check(&format!("{state}A"), "delete_job", &call, true, open), Err(Wrong::Foreign));
        // A page token is no answer.
        assert_eq!(anna.check(&keys.of("anna").seal("x"), "delete_job", &call, true, open), Err(Wrong::Foreign));
        let late = anna.open("delete_job", &call, Duration::ZERO).expect("a state");
        assert_eq!(anna.check(&late, "delete_job", &call, true, open), Err(Wrong::Late));
        assert_eq!(anna.check(&state, "delete_job", &same, false, open), Ok(()), "nobody has answered yet");
        assert_eq!(anna.check(&state, "delete_job", &same, true, open), Ok(()));
        assert_eq!(anna.check(&state, "delete_job", &call, true, open), Err(Wrong::Used));
        // Another server with the same keys takes it; it does not know of the first.
        let replica = Questions::default().of(Some(keys.of("anna")));
        assert_eq!(replica.check(&state, "delete_job", &call, true, open), Ok(()));
    }
}
