//! What is under way on a connection: its handshake, the requests that are not answered, and batches of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{ProtocolVersion, RequestId};
use serde_json::Value;
use tokio::sync::watch;

use crate::transport::stdio::intake::{Load, Share};

/// The state of a connection; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: HashMap<RequestId, Request>,
    version: Option<ProtocolVersion>,
}

#[derive(Debug)]
struct Request {
    /// A cancelled request is not answered. It is under way until its handler has ended.
    is_cancelled: bool,
    batch: Option<Batch>,
    /// What it holds of the intake.
    held: Option<(Share, Load)>,
}

impl Session {
    /// Takes a request, unless another one with its id is under way.
    pub(super) fn begin(&self, id: &RequestId, batch: Option<&Batch>) -> bool {
        self.state.send_if_modified(|state| {
            let is_new = !state.requests.contains_key(id);
            if is_new {
                let request = Request { is_cancelled: false, batch: batch.cloned(), held: None };
                state.requests.insert(id.clone(), request);
            }
            is_new
        })
    }

    /// Gives a request its share of the intake until it is over; `false` where it was cancelled meanwhile.
    pub(super) fn hold(&self, id: &RequestId, slot: Share, load: Load) -> bool {
        let mut is_wanted = false;
        self.state.send_if_modified(|state| {
            if let Some(request) = state.requests.get_mut(id).filter(|request| !request.is_cancelled) {
                request.held = Some((slot, load));
                is_wanted = true;
            }
            false
        });
        is_wanted
    }

    /// The request has its answer. Gives the batch that the answer belongs to.
    pub(super) fn answered(&self, id: &RequestId) -> Option<Batch> {
        let mut batch = None;
        self.state.send_if_modified(|state| {
            let request = state.requests.remove(id);
            let is_known = request.is_some();
            batch = request.and_then(|request| request.batch);
            is_known
        });
        batch
    }

    /// Takes a request out again that has not reached its handler. Gives the batch that waits for its answer, or `None`
    /// where nobody does, as it was cancelled.
    pub(super) fn forget(&self, id: &RequestId) -> Option<Option<Batch>> {
        let mut forgotten = None;
        self.state.send_if_modified(|state| {
            forgotten = state.requests.remove(id);
            forgotten.is_some()
        });
        forgotten.filter(|request| !request.is_cancelled).map(|request| request.batch)
    }

    /// The client wants no answer to the request any more. Gives the batch that is not to wait for it.
    pub(super) fn cancelled(&self, id: &RequestId) -> Option<Batch> {
        let mut batch = None;
        self.state.send_if_modified(|state| {
            if let Some(request) = state.requests.get_mut(id) {
                request.is_cancelled = true;
                batch = request.batch.take();
            }
            false
        });
        batch
    }

    /// The handler of the request has ended. Only now may the id of a cancelled one be used again: its handler might
    /// else answer the wrong request.
    pub(super) fn ended(&self, id: &RequestId) {
        self.state.send_if_modified(|state| {
            let is_over = state.requests.get(id).is_some_and(|request| request.is_cancelled);
            if is_over {
                state.requests.remove(id);
            }
            is_over
        });
    }

    /// Waits until the request is answered.
    pub(super) async fn answer_of(&self, id: &RequestId) {
        // The sender is held here, so it does not close.
        let _ = self.state.subscribe().wait_for(|state| !state.requests.contains_key(id)).await;
    }

    /// Waits until no request waits for its answer.
    pub(super) async fn idle(&self) {
        let _ =
            self.state.subscribe().wait_for(|state| state.requests.values().all(|request| request.is_cancelled)).await;
    }

    /// The requests that wait for their answers.
    pub(super) fn unanswered(&self) -> Vec<RequestId> {
        let state = self.state.borrow();
        let waiting = state.requests.iter().filter(|(_, request)| !request.is_cancelled);
        waiting.map(|(id, _)| id.clone()).collect()
    }

    /// The revision that was agreed on, after a handshake.
    pub(super) fn version(&self) -> Option<ProtocolVersion> {
        self.state.borrow().version.clone()
    }

    /// Keeps the revision of a handshake.
    pub(super) fn agree(&self, version: ProtocolVersion) {
        self.state.send_modify(|state| state.version = Some(version));
    }
}

/// The answers to a batch, which go out together; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Batch(Arc<Mutex<Answers>>);

#[derive(Debug)]
struct Answers {
    missing: usize,
    given: Vec<Value>,
}

impl Batch {
    /// A batch of so many messages, each of which is settled once.
    pub(super) fn of(messages: usize) -> Self {
        Self(Arc::new(Mutex::new(Answers { missing: messages, given: Vec::new() })))
    }

    /// Settles one message, by an answer or as one that gets none. Gives all answers after the last message; a batch
    /// of notifications has none.
    pub(super) fn settle(&self, answer: Option<Value>) -> Option<Value> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.missing = answers.missing.saturating_sub(1);
        answers.given.extend(answer);
        let is_complete = answers.missing == 0 && !answers.given.is_empty();
        is_complete.then(|| std::mem::take(&mut answers.given).into())
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::RequestId;
    use serde_json::json;

    use super::{Batch, Session};
    use crate::transport::stdio::intake::Intake;

    #[test]
    fn an_id_is_free_once_its_request_is_answered_or_its_cancelled_handler_has_ended() {
        let (session, id) = (Session::default(), RequestId::Number(1));
        assert!(session.begin(&id, None) && !session.begin(&id, None));
        session.ended(&id);
        assert!(!session.begin(&id, None));
        session.answered(&id);
        assert!(session.begin(&id, None), "answered");
        session.cancelled(&id);
        assert!(!session.begin(&id, None));
        session.ended(&id);
        assert!(session.begin(&id, None), "ended");
        assert!(session.begin(&RequestId::String("1".into()), None), "text is another id than a number");
    }

    #[test]
    fn a_request_holds_its_share_until_it_is_over_and_none_once_it_is_cancelled() {
        let (session, intake, id) = (Session::default(), Intake::default(), RequestId::Number(1));
        let all = 100 << 20;
        let share = || Some((intake.slot()?, intake.load(all)?));
        session.begin(&id, None);
        let (slot, load) = share().expect("all is free");
        assert!(session.hold(&id, slot, load) && share().is_none());
        session.answered(&id);
        session.begin(&id, None);
        session.cancelled(&id);
        let (slot, load) = share().expect("it was answered");
        assert!(!session.hold(&id, slot, load) && share().is_some());
    }

    #[test]
    fn a_batch_is_answered_after_its_last_message() {
        let batch = Batch::of(3);
        assert_eq!(batch.settle(Some(json!(1))), None);
        assert_eq!(batch.settle(None), None);
        assert_eq!(batch.settle(Some(json!(2))), Some(json!([1, 2])));
        assert_eq!(Batch::of(1).settle(None), None);
    }
}
