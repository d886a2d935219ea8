//! One request of a session: what is said about it until it is answered, and the transport by which rmcp serves it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::Stream;
use futures_util::stream;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, InitializeRequestParams, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
    ServerNotification, ServerResult,
};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, watch};

use crate::transport::http::sessions::{RETRY, Session};

/// So many events are kept for a client that has lost its stream. Of more progress than that, the first is forgotten.
const MOST_EVENTS: usize = 64;
/// So many answers of the client can wait until the handler takes them.
const MOST_HEARD: usize = 8;
/// What a request asks the client has the number of the request in the upper bits of its id, as each request counts for
/// itself. 53 bits are what every client can hold.
const OWN_BITS: u32 = 20;

/// One request.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Unlike that of any other request of the session.
    pub(super) number: u64,
    id: RequestId,
    /// Whether the stream begins with an event that says how to come back to it.
    is_primed: bool,
    said: watch::Sender<Said>,
    inbox: Mutex<Option<mpsc::Sender<Box<ClientJsonRpcMessage>>>>,
}

/// What was said about it.
#[derive(Debug, Default)]
struct Said {
    events: VecDeque<Arc<str>>,
    /// How many events were forgotten.
    forgotten: u64,
    /// Its id may be used again.
    is_answered: bool,
    /// Nothing more will be said.
    is_over: bool,
    /// A client has everything.
    is_taken: bool,
}

/// What a stream does next.
enum Next {
    Say(Arc<str>),
    Wait,
    End,
}

impl Exchange {
    pub(super) fn new(
        number: u64,
        id: RequestId,
        is_primed: bool,
    ) -> (Arc<Self>, mpsc::Receiver<Box<ClientJsonRpcMessage>>) {
        let (sender, inbox) = mpsc::channel(MOST_HEARD);
        (
            Arc::new(Self { number, id, is_primed, said: watch::Sender::default(), inbox: Mutex::new(Some(sender)) }),
            inbox,
        )
    }

    /// Whether it is the one with this id that waits for its answer.
    pub(super) fn is_under_way(&self, id: &RequestId) -> bool {
        self.id == *id && !self.said.borrow().is_answered
    }

    pub(super) fn is_over(&self) -> bool {
        self.said.borrow().is_over
    }

    /// Its events from a place on, and then the end.
    pub(super) fn events(self: &Arc<Self>, from: u64) -> impl Stream<Item = String> + Send + use<> {
        let primer = (self.is_primed && from == 0).then(|| primer(&self.event_id(0)));
        let reader = (Arc::clone(self), self.said.subscribe(), from);
        let events = stream::unfold(reader, |(exchange, mut said, mut next)| async move {
            loop {
                match look(&mut said, &mut next) {
                    Next::Say(text) => {
                        next += 1;
                        let id = exchange.is_primed.then(|| exchange.event_id(next));
                        return Some((event(id.as_deref(), &text), (exchange, said, next)));
                    }
                    Next::Wait => said.changed().await.ok()?,
                    Next::End => {
                        exchange.said.send_modify(|said| said.is_taken = true);
                        return None;
                    }
                }
            }
        });
        futures_util::StreamExt::chain(stream::iter(primer), events)
    }

    /// The last that is said about it: its answer, unless it was cancelled.
    pub(super) async fn answer(&self) -> Option<Arc<str>> {
        let mut said = self.said.subscribe();
        let last = said.wait_for(|said| said.is_over).await.ok()?.events.back().cloned();
        self.said.send_modify(|said| said.is_taken = true);
        last
    }

    /// Waits until a client has everything.
    pub(super) async fn taken(&self) {
        let _ = self.said.subscribe().wait_for(|said| said.is_taken).await;
    }

    /// Passes something on to its handler.
    pub(super) fn hear(&self, message: ClientJsonRpcMessage) {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if inbox.as_ref().is_some_and(|inbox| inbox.try_send(Box::new(message)).is_err()) {
            tracing::debug!("a message for a call is ignored, as it has too many");
        }
    }

    /// Nobody waits for its answer any more. Its id is free when its handler has ended.
    pub(super) fn cancel(&self) {
        self.close_inbox();
        self.said.send_modify(|said| said.is_over = true);
    }

    /// Nobody comes back for its answer.
    pub(super) fn forget(&self) {
        self.said.send_modify(|said| {
            said.forgotten += said.events.len() as u64;
            said.events.clear();
            said.is_taken = true;
        });
    }

    /// Its handler has ended.
    pub(super) fn end(&self) {
        self.close_inbox();
        self.said.send_modify(|said| {
            said.is_answered = true;
            said.is_over = true;
        });
    }

    /// Says something about it; the answer is the last.
    fn say(&self, text: String, is_answer: bool) {
        self.said.send_modify(|said| {
            if said.is_over {
                return;
            }
            said.events.push_back(text.into());
            if said.events.len() > MOST_EVENTS {
                said.events.pop_front();
                said.forgotten += 1;
            }
            said.is_answered |= is_answer;
            said.is_over |= is_answer;
        });
        if is_answer {
            self.close_inbox();
        }
    }

    fn close_inbox(&self) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn event_id(&self, place: u64) -> String {
        format!("{}-{place}", self.number)
    }

    /// The id under which the client is asked what a handler asks as `own`.
    fn asked_as(&self, own: &RequestId) -> RequestId {
        match (own, i64::try_from(self.number)) {
            (RequestId::Number(own), Ok(number)) => RequestId::Number((number << OWN_BITS) | own),
            _ => own.clone(),
        }
    }
}

/// An event as it is written. JSON has no line breaks.
pub(super) fn event(id: Option<&str>, json: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}data: {json}\n\n")
}

/// The event that says how to come back to a stream. Its data is there, and empty.
pub(super) fn primer(id: &str) -> String {
    format!("id: {id}\nretry: {}\ndata: \n\n", RETRY.as_millis())
}

/// The next event of a stream that has come to a place.
fn look(said: &mut watch::Receiver<Said>, next: &mut u64) -> Next {
    let said = said.borrow_and_update();
    *next = (*next).max(said.forgotten);
    let index = usize::try_from(*next - said.forgotten).unwrap_or(usize::MAX);
    match said.events.get(index) {
        Some(text) => Next::Say(Arc::clone(text)),
        None if said.is_over => Next::End,
        None => Next::Wait,
    }
}

/// The request and the place in its events that a client has come to.
pub(super) fn place(event_id: &str) -> Option<(u64, u64)> {
    let (number, place) = event_id.split_once('-')?;
    Some((number.parse().ok()?, place.parse().ok()?))
}

/// Which request has asked the client under an id, and the id of the question there.
pub(super) fn asked_by(id: &RequestId) -> Option<(u64, RequestId)> {
    let RequestId::Number(id) = id else { return None };
    let own = id & ((1 << OWN_BITS) - 1);
    Some((u64::try_from(id >> OWN_BITS).ok()?, RequestId::Number(own)))
}

/// The transport of one request.
pub(super) struct Wire {
    session: Arc<Session>,
    exchange: Arc<Exchange>,
    request: Option<ClientJsonRpcMessage>,
    inbox: mpsc::Receiver<Box<ClientJsonRpcMessage>>,
    /// What the client says of itself, where this is the handshake.
    introduction: Option<InitializeRequestParams>,
}

impl Wire {
    pub(super) fn new(
        session: Arc<Session>,
        exchange: Arc<Exchange>,
        request: ClientJsonRpcMessage,
        inbox: mpsc::Receiver<Box<ClientJsonRpcMessage>>,
    ) -> Self {
        let introduction = match &request {
            JsonRpcMessage::Request(request) => match &request.request {
                ClientRequest::InitializeRequest(initialize) => Some(initialize.params.clone()),
                _ => None,
            },
            _ => None,
        };
        Self { session, exchange, request: Some(request), inbox, introduction }
    }

    fn send_now(&mut self, mut message: ServerJsonRpcMessage) {
        let mut is_about_request = true;
        let mut is_answer = false;
        match &mut message {
            JsonRpcMessage::Response(response) => {
                is_answer = true;
                if let ServerResult::InitializeResult(result) = &response.result {
                    self.session.agree(self.introduction.take(), result);
                }
            }
            JsonRpcMessage::Error(_) => is_answer = true,
            JsonRpcMessage::Request(request) => request.id = self.exchange.asked_as(&request.id),
            JsonRpcMessage::Notification(notification) => match &mut notification.notification {
                ServerNotification::ProgressNotification(_) => {}
                ServerNotification::CancelledNotification(cancelled) => {
                    let asked = cancelled.params.request_id.take();
                    cancelled.params.request_id = asked.map(|id| self.exchange.asked_as(&id));
                }
                _ => is_about_request = false,
            },
        }
        let text = match serde_json::to_string(&message) {
            Ok(text) => text,
            Err(error) => return tracing::error!(%error, "a message cannot be written"),
        };
        let text = if is_about_request { Some(text) } else { self.session.tell(text) };
        if let Some(text) = text {
            self.exchange.say(text, is_answer);
        }
    }
}

impl Transport<RoleServer> for Wire {
    type Error = Infallible;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        self.send_now(message);
        ready(Ok(()))
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        match self.request.take() {
            Some(request) => Some(request),
            None => self.inbox.recv().await.map(|message| *message),
        }
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use rmcp::model::RequestId;

    use super::{Exchange, MOST_EVENTS, asked_by, event, place, primer};

    #[test]
    fn what_two_requests_ask_is_told_apart() {
        for (number, own) in [(1, 0), (1, 7), (2, 7), (1 << 30, 3)] {
            let (exchange, _inbox) = Exchange::new(number, RequestId::Number(5), true);
            let asked = exchange.asked_as(&RequestId::Number(own));
            assert_eq!(asked_by(&asked), Some((number, RequestId::Number(own))), "{asked}");
        }
        assert_eq!(asked_by(&RequestId::String("7".into())), None);
        assert_eq!(asked_by(&RequestId::Number(-1)), None);
    }

    #[tokio::test]
    async fn a_stream_begins_anywhere_and_of_too_much_the_first_is_forgotten() {
        let (exchange, _inbox) = Exchange::new(3, RequestId::Number(5), true);
        for number in 1..=MOST_EVENTS {
            exchange.say(number.to_string(), false);
        }
        assert!(exchange.is_under_way(&RequestId::Number(5)) && !exchange.is_under_way(&RequestId::Number(6)));
        exchange.say("\"answer\"".to_owned(), true);
        exchange.say("\"late\"".to_owned(), false);
        assert!(!exchange.is_under_way(&RequestId::Number(5)));
        let answer = event(Some(&format!("3-{}", MOST_EVENTS + 1)), "\"answer\"");
        let all: Vec<_> = exchange.events(0).collect().await;
        assert_eq!((&all[0], &all[1], all.last()), (&primer("3-0"), &event(Some("3-2"), "2"), Some(&answer)));
        assert_eq!(all.len(), 1 + MOST_EVENTS);
        let (number, next) = place(&format!("3-{MOST_EVENTS}")).expect("a place");
        let rest: Vec<_> = exchange.events(next).collect().await;
        assert_eq!((number, rest), (3, vec![answer]));
        // Revisions before 2025-11-25 know no events without data.
        let (exchange, _inbox) = Exchange::new(4, RequestId::Number(5), false);
        exchange.say("1".to_owned(), true);
        assert_eq!(exchange.events(0).collect::<Vec<_>>().await, ["data: 1\n\n"]);
        assert_eq!(place("0"), None);
    }
}
