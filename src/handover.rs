//! How work that takes long goes from the call that started it to whoever asks about it later: what the call leaves, and
//! which of the three, starting, looking or cancelling, a call is for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

/// What a call is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// It does what its arguments say.
    #[default]
    Call,
    /// It sees how work stands that an earlier call has left; its arguments are the handle.
    Look,
    /// It ends such work.
    Cancel,
}

impl Stage {
    /// Its word in records; nothing for a usual call.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Call => None,
            Self::Look => Some("look"),
            Self::Cancel => Some("cancel"),
        }
    }
}

/// Where a call leaves the handle of work that goes on; cheap to clone. The default takes none, and no call ends its wait
/// for it.
#[derive(Debug, Clone, Default)]
pub struct Handover {
    pub(crate) stage: Stage,
    open: Option<Arc<Open>>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    left: Mutex<Left>,
}

/// What a call has left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// What finds its work again; `None` where nothing goes on.
    pub(crate) handle: Option<Map<String, Value>>,
    /// How long its caller has said to wait.
    pub(crate) limit: Option<Duration>,
}

impl Handover {
    /// A call that waits for so long itself, and leaves what takes longer.
    pub(crate) fn after(patience: Duration) -> Self {
        Self {
            stage: Stage::Call,
            open: Some(Arc::new(Open { until: Instant::now() + patience, left: Mutex::default() })),
        }
    }

    /// A call for work that an earlier one has left.
    pub(crate) fn of(stage: Stage) -> Self {
        Self { stage, ..Self::after(Duration::ZERO) }
    }

    /// Until when the call waits for its work.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.until)
    }

    /// Leaves the handle of work that goes on.
    pub(crate) fn leave(&self, handle: &impl Serialize) {
        if let (Some(open), Ok(Value::Object(handle))) = (&self.open, serde_json::to_value(handle)) {
            open.left.lock().unwrap_or_else(PoisonError::into_inner).handle = Some(handle);
        }
    }

    /// Tells for how long the arguments say to wait: not at all where they say not to.
    pub(crate) fn limit(&self, arguments: &Map<String, Value>) {
        let Some(open) = &self.open else { return };
        let seconds = match arguments.get("wait") {
            Some(Value::Bool(false)) => Some(0),
            _ => arguments.get("timeout_seconds").and_then(Value::as_u64),
        };
        open.left.lock().unwrap_or_else(PoisonError::into_inner).limit = seconds.map(Duration::from_secs);
    }

    /// What the call has left.
    pub(crate) fn left(&self) -> Left {
        let left = self.open.as_ref().map(|open| open.left.lock().unwrap_or_else(PoisonError::into_inner).clone());
        left.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Map, Value, json};

    use super::{Handover, Left, Stage};

    fn arguments(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn what_is_left_is_found_by_all_who_share_it() {
        let handover = Handover::after(Duration::from_secs(5));
        assert_eq!(handover.left(), Left::default());
        handover.clone().leave(&json!({ "run_id": 7 }));
        handover.clone().limit(&arguments(json!({ "timeout_seconds": 60 })));
        let left = Left { handle: Some(arguments(json!({ "run_id": 7 }))), limit: Some(Duration::from_secs(60)) };
        assert_eq!(handover.left(), left);
        handover.limit(&arguments(json!({ "timeout_seconds": 60, "wait": false })));
        assert_eq!(handover.left().limit, Some(Duration::ZERO));
    }

    #[test]
    fn a_usual_call_leaves_nothing_and_ends_no_wait() {
        let usual = Handover::default();
        usual.leave(&json!({ "run_id": 7 }));
        assert_eq!((usual.left(), usual.until(), usual.stage.word()), (Left::default(), None, None));
        let look = Handover::of(Stage::Look);
        assert!(look.until().is_some() && look.stage.word() == Some("look"));
    }
}
