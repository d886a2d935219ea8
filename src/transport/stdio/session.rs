//! What is under way on a connection: its handshake, the requests that are not answered, and batches of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ProtocolVersion, RequestId};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

/// So many requests are worked on at once. One more waits until another is answered and is refused after [`PATIENCE`];
/// then those that follow are refused at once, until a request is answered.
const MOST_REQUESTS: usize = 512;
/// How long a request waits for its turn. The client sends nothing else meanwhile, not even a cancellation.
const PATIENCE: Duration = Duration::from_secs(5);

/// The state of a connection; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: HashMap<RequestId, Request>,
    version: Option<ProtocolVersion>,
    /// Whether no request was answered since one was refused.
    is_stuck: bool,
}

#[derive(Debug)]
struct Request {
    /// A cancelled request is not answered. It is under way until its handler has ended.
    is_cancelled: bool,
    batch: Option<Batch>,
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Another one with this id is under way.
    Duplicate,
    /// Too many are.
    Busy,
}

impl Session {
    /// Takes a request, once it is its turn.
    pub(super) async fn begin(&self, id: &RequestId, batch: Option<&Batch>) -> Result<(), NotTaken> {
        let mut changes = self.state.subscribe();
        let room = changes.wait_for(|state| state.requests.len() < MOST_REQUESTS || state.requests.contains_key(id));
        let patience = if self.state.borrow().is_stuck { Duration::ZERO } else { PATIENCE };
        if timeout(patience, room).await.is_err() {
            self.state.send_if_modified(|state| {
                state.is_stuck = state.requests.len() >= MOST_REQUESTS;
                false
            });
            return Err(NotTaken::Busy);
        }
        let is_new = self.state.send_if_modified(|state| {
            let is_new = !state.requests.contains_key(id);
            if is_new {
                state.requests.insert(id.clone(), Request { is_cancelled: false, batch: batch.cloned() });
            }
            is_new
        });
        if is_new { Ok(()) } else { Err(NotTaken::Duplicate) }
    }

    /// The request has its answer. Gives the batch that the answer belongs to.
    pub(super) fn answered(&self, id: &RequestId) -> Option<Batch> {
        let mut batch = None;
        self.state.send_if_modified(|state| {
            let request = state.requests.remove(id);
            let is_known = request.is_some();
            state.is_stuck &= !is_known;
            batch = request.and_then(|request| request.batch);
            is_known
        });
        batch
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
                state.is_stuck = false;
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
    use tokio::time::Instant;

    use super::{Batch, MOST_REQUESTS, NotTaken, PATIENCE, Session};

    #[tokio::test(start_paused = true)]
    async fn an_id_is_free_once_its_request_is_answered_or_its_cancelled_handler_has_ended() {
        let (session, id) = (Session::default(), RequestId::Number(1));
        session.begin(&id, None).await.expect("free");
        assert_eq!(session.begin(&id, None).await, Err(NotTaken::Duplicate));
        session.ended(&id);
        assert_eq!(session.begin(&id, None).await, Err(NotTaken::Duplicate));
        session.answered(&id);
        session.begin(&id, None).await.expect("answered");
        session.cancelled(&id);
        assert_eq!(session.begin(&id, None).await, Err(NotTaken::Duplicate));
        session.ended(&id);
        session.begin(&id, None).await.expect("ended");
        session.begin(&RequestId::String("1".into()), None).await.expect("text is another id than a number");
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_requests_wait_and_are_refused() {
        let session = Session::default();
        for id in 0..MOST_REQUESTS {
            session.begin(&RequestId::Number(id as i64), None).await.expect("room");
        }
        let late = RequestId::Number(-1);
        let start = Instant::now();
        assert_eq!(session.begin(&late, None).await, Err(NotTaken::Busy));
        // Those that follow do not wait as well: a cancellation may be among them.
        assert_eq!(session.begin(&late, None).await, Err(NotTaken::Busy));
        assert_eq!(start.elapsed(), PATIENCE);
        session.answered(&RequestId::Number(1));
        session.begin(&RequestId::Number(1), None).await.expect("one was answered");
        let (taken, ()) = tokio::join!(session.begin(&late, None), async {
            tokio::task::yield_now().await;
            session.answered(&RequestId::Number(0));
        });
        taken.expect("one was answered");
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
