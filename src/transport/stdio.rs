//! MCP on stdin and stdout: one message a line.
//!
//! Nothing that a client sends ends the server but the end of its input. Every request with a readable `id` is answered
//! with that `id`, each id has one request at a time, and what is read and what waits to be written is bounded. rmcp's
//! own transport does none of this, so this one stands in its place; rmcp has what is behind it.

mod intake;
mod lines;
mod outbox;
mod session;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetMeta, JsonRpcMessage, JsonRpcRequest, ProtocolVersion, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::{QuitReason, RoleServer, RxJsonRpcMessage, TxJsonRpcMessage, serve_directly};
use rmcp::transport::Transport;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::server::Server;
use crate::transport::envelope::Envelope;
use crate::transport::message::{self, Received, Refusal};
use crate::transport::stdio::intake::{Intake, Load};
use crate::transport::stdio::lines::{Line, Lines};
use crate::transport::stdio::outbox::Outbox;
use crate::transport::stdio::session::{Batch, Session};
use crate::transport::watched::Watched;

/// A longer line is refused. It has room for a notebook of 20 MB, whose line breaks and quotes are escaped.
const MOST_LINE_BYTES: usize = 32 << 20;
/// `-32000` to `-32019` are left to servers.
const BUSY: rmcp::model::ErrorCode = rmcp::model::ErrorCode(-32_000);

/// How long the end waits for calls to answer, and then for the client to read.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A client that is being served.
#[derive(Debug)]
pub struct Connection {
    session: Session,
    outbox: Outbox,
    served: JoinHandle<Result<QuitReason, JoinError>>,
}

/// Serves a client from now on.
pub fn open(
    server: Server,
    input: impl AsyncRead + Unpin + Send + 'static,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> Connection {
    let (session, outbox) = (Session::default(), Outbox::open(output));
    let (inbox, messages) = mpsc::channel(1);
    let input_ended = server.input_ended();
    let intake = Intake::default();
    let reader = Arc::new(Reader { session: session.clone(), outbox: outbox.clone(), intake, inbox, input_ended });
    tokio::spawn(reader.run(Lines::new(BufReader::new(input), MOST_LINE_BYTES)));
    let transport = Stdio { session: session.clone(), outbox: outbox.clone(), messages };
    // Without rmcp's handshake, which ends the server at any notification that comes first. It answers `initialize`
    // all the same: https://github.com/modelcontextprotocol/rust-sdk/issues/613 was the first case of this kind.
    let ended = {
        let session = session.clone();
        move |id: &RequestId| session.ended(id)
    };
    let running = serve_directly(Watched { server, ended }, transport, None);
    // A task, as dropping it ends the calls one by one. The caller first sees to it that nothing starts any more.
    Connection { session, outbox, served: tokio::spawn(running.waiting()) }
}

impl Connection {
    /// Waits until the client's input ends, or nobody reads the answers any more.
    pub async fn ended(&mut self) -> Result<(), Error> {
        tokio::select! {
            ended = &mut self.served => match ended.and_then(|ended| ended) {
                Ok(_) => Ok(()),
                Err(error) => Err(Error::failed(format!("the server stopped: {error}"))),
            },
            () = self.outbox.broken() => Ok(()),
        }
    }

    /// Waits until the client has the answers of the calls that were told to end, and answers those that did not.
    pub async fn finish(self) {
        let answered = async {
            // They end at once, but for what is on the wire.
            let _ = timeout(LAST_ANSWERS, self.session.idle()).await;
            for id in self.session.unanswered() {
                let error = ErrorData::internal_error("the server ended before the call did", None);
                let batch = self.session.answered(&id);
                self.outbox.answer(batch.as_ref(), Some(Refusal { id: Some(json!(id)), error }.to_json()));
            }
            let _ = timeout(LAST_ANSWERS, self.outbox.empty()).await;
        };
        tokio::select! {
            () = answered => {}
            () = self.outbox.broken() => {}
        }
    }
}

/// The side of the connection that rmcp sees.
#[derive(Debug)]
struct Stdio {
    session: Session,
    outbox: Outbox,
    messages: mpsc::Receiver<ClientJsonRpcMessage>,
}

impl Transport<RoleServer> for Stdio {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        // The request counts as answered before its answer is in the outbox.
        let _held = self.outbox.hold();
        let written = self.take(&message).map(|line| line.map(|line| self.outbox.push(line)));
        async move {
            match written? {
                Some(written) => written.await,
                None => Ok(()),
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.messages.recv().await
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        Ok(())
    }
}

impl Stdio {
    /// The line for a message, unless it is held back for its batch.
    fn take(&self, message: &ServerJsonRpcMessage) -> io::Result<Option<Vec<u8>>> {
        let id = match message {
            JsonRpcMessage::Response(response) => {
                if let ServerResult::InitializeResult(result) = &response.result {
                    self.session.agree(result.protocol_version.clone());
                }
                Some(&response.id)
            }
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        match id.and_then(|id| self.session.answered(id)) {
            None => Ok(Some(serde_json::to_vec(message)?)),
            Some(batch) => match batch.settle(Some(serde_json::to_value(message)?)) {
                Some(answers) => Ok(Some(serde_json::to_vec(&answers)?)),
                None => Ok(None),
            },
        }
    }
}

/// The side of the connection that reads.
struct Reader {
    session: Session,
    outbox: Outbox,
    intake: Intake,
    inbox: mpsc::Sender<ClientJsonRpcMessage>,
    /// Cancelled at the end of input.
    input_ended: CancellationToken,
}

/// A request on its way to its handler.
type Request = JsonRpcRequest<ClientRequest>;

impl Reader {
    async fn run<R: AsyncRead + Unpin>(self: Arc<Self>, mut lines: Lines<BufReader<R>>) {
        tokio::select! {
            () = self.read(&mut lines) => {}
            () = self.outbox.broken() => {}
        }
        self.input_ended.cancel();
    }

    async fn read<R: AsyncRead + Unpin>(self: &Arc<Self>, lines: &mut Lines<BufReader<R>>) {
        loop {
            self.outbox.room().await;
            match lines.next().await {
                Ok(Some(Line::Whole(line))) => self.take(line).await,
                Ok(Some(Line::TooLong(envelope, length))) => {
                    self.settle(message::unreadable(&envelope, &too_long(length)), None, Load::default()).await;
                }
                Ok(None) => return,
                Err(error) => return tracing::error!(%error, "stdin cannot be read"),
            }
        }
    }

    /// Takes a line, once there is room for what it holds.
    async fn take(self: &Arc<Self>, line: &[u8]) {
        let weight = databricks::weight(line);
        if weight > message::MOST_WEIGHT {
            return self.take_message(message::read(line, weight), Load::default()).await;
        }
        if let Some(load) = self.intake.load(weight) {
            return self.take_message(message::read(line, weight), load).await;
        }
        let envelope = Envelope::of(line);
        let Some(place) = self.intake.place(line.len()).await else { return self.refuse_heavy(envelope) };
        // Known from now on, so that it can be cancelled.
        let id = envelope.id.clone().and_then(|id| serde_json::from_value(id).ok());
        if let Some(id) = id.as_ref().filter(|id| !self.session.begin(id, None)) {
            return self.refuse(&Refusal::duplicate(id), None);
        }
        let (reader, line) = (Arc::clone(self), line.to_vec());
        tokio::spawn(async move {
            let load = tokio::select! {
                load = reader.intake.load_later(weight) => load,
                () = reader.input_ended.cancelled() => None,
            };
            let is_cancelled = id.as_ref().is_some_and(|id| reader.session.forget(id).is_none());
            match load {
                _ if is_cancelled => {}
                Some(load) => {
                    let received = message::read(&line, weight);
                    drop((line, place));
                    reader.take_message(received, load).await;
                }
                None => reader.refuse_heavy(envelope),
            }
        });
    }

    fn refuse_heavy(&self, envelope: Envelope) {
        let message = "the messages under way take as much memory as they may; send this one again when others are \
                       answered, or pass a large text by a file";
        if !envelope.is_answer && !envelope.is_notification() {
            self.refuse(&Refusal { id: envelope.id, error: ErrorData::new(BUSY, message, None) }, None);
        }
    }

    async fn take_message(self: &Arc<Self>, received: Received, load: Load) {
        match received {
            Received::Batch(messages) => self.take_batch(messages, load).await,
            received => self.settle(received, None, load).await,
        }
    }

    async fn take_batch(self: &Arc<Self>, messages: Vec<Received>, load: Load) {
        if self.session.version() != Some(ProtocolVersion::V_2025_03_26) {
            let reason = "batches are only in revision 2025-03-26 of the protocol; send one message a line";
            return self.refuse(&Refusal::invalid_request(None, reason), None);
        }
        let batch = Batch::of(messages.len());
        for message in messages {
            self.settle(message, Some(&batch), load.clone()).await;
        }
    }

    async fn settle(self: &Arc<Self>, received: Received, batch: Option<&Batch>, load: Load) {
        match received {
            Received::Message(message) => match *message {
                JsonRpcMessage::Request(request) => match self.admit(&request.request, &request.id, batch) {
                    None => self.give_slot(request, load).await,
                    Some(refusal) => self.refuse(&refusal, batch),
                },
                message => {
                    if let Some(id) = message::cancelled(&message)
                        && let Some(other) = self.session.cancelled(id)
                    {
                        self.without_answer(Some(&other));
                    }
                    self.forward(message).await;
                    self.without_answer(batch);
                }
            },
            Received::Refused(refusal) => self.refuse(&refusal, batch),
            Received::Batch(_) => {
                self.refuse(&Refusal::invalid_request(None, "a batch cannot be in a batch"), batch);
            }
            Received::Nothing => self.without_answer(batch),
        }
    }

    /// Takes a request, or gives the error that answers it.
    fn admit(&self, request: &ClientRequest, id: &RequestId, batch: Option<&Batch>) -> Option<Refusal> {
        let refused = |error| Some(Refusal { id: Some(json!(id)), error });
        let is_initialize = request.method() == "initialize";
        if is_initialize && batch.is_some() {
            return refused(ErrorData::invalid_request("`initialize` cannot be in a batch", None));
        }
        let needs_no_session = is_initialize || matches!(request, ClientRequest::PingRequest(_));
        if !needs_no_session && self.session.version().is_none() && request.get_meta().protocol_version().is_none() {
            return refused(ErrorData::invalid_params(
                "the session has not begun: send `initialize` first, or name the revision of the protocol in each \
                 request by `params._meta[\"io.modelcontextprotocol/protocolVersion\"]`",
                None,
            ));
        }
        (!self.session.begin(id, batch)).then(|| Refusal::duplicate(id))
    }

    /// Passes a request on, once it has a slot. Those that need none are answered at once.
    async fn give_slot(self: &Arc<Self>, request: Request, load: Load) {
        let method = request.request.method();
        if method == "initialize" || matches!(request.request, ClientRequest::PingRequest(_)) {
            return self.forward(JsonRpcMessage::Request(request)).await;
        }
        if let Some(slot) = self.intake.slot() {
            self.session.hold(&request.id, slot, load);
            return self.forward(JsonRpcMessage::Request(request)).await;
        }
        let Some(place) = self.intake.place(load.bytes()).await else {
            let message = "too many requests are under way; send this one again when others are answered";
            return self.refuse_begun(&request.id, ErrorData::new(BUSY, message, None));
        };
        let reader = Arc::clone(self);
        tokio::spawn(async move {
            let slot = tokio::select! {
                slot = reader.intake.slot_later() => slot,
                () = reader.input_ended.cancelled() => None,
            };
            drop(place);
            let Some(slot) = slot else {
                let message = "the input ended before it was the turn of the request";
                return reader.refuse_begun(&request.id, ErrorData::internal_error(message, None));
            };
            // Its answer would wait to be written, too.
            reader.outbox.room().await;
            match reader.session.hold(&request.id, slot, load) {
                true => reader.forward(JsonRpcMessage::Request(request)).await,
                false => reader.session.ended(&request.id),
            }
        });
    }

    /// Refuses a request that the session knows already, unless it was cancelled.
    fn refuse_begun(&self, id: &RequestId, error: ErrorData) {
        if let Some(batch) = self.session.forget(id) {
            self.refuse(&Refusal { id: Some(json!(id)), error }, batch.as_ref());
        }
    }

    /// Passes a message on. What follows `initialize` waits for its answer, which decides how it is understood.
    async fn forward(&self, message: ClientJsonRpcMessage) {
        let handshake = match &message {
            JsonRpcMessage::Request(request) if request.request.method() == "initialize" => Some(request.id.clone()),
            _ => None,
        };
        // Nobody takes it when the server is about to end.
        if self.inbox.send(message).await.is_ok()
            && let Some(id) = handshake
        {
            self.session.answer_of(&id).await;
        }
    }

    fn refuse(&self, refusal: &Refusal, batch: Option<&Batch>) {
        tracing::debug!(error = %refusal.error, "a request is refused");
        self.outbox.answer(batch, Some(refusal.to_json()));
    }

    fn without_answer(&self, batch: Option<&Batch>) {
        self.outbox.answer(batch, None);
    }
}

fn too_long(bytes: usize) -> String {
    format!(
        "the message has {bytes} bytes, and at most {MOST_LINE_BYTES} are taken; pass a large file by `local_path` \
         instead of `content` (the server's `--local-root` allows it)"
    )
}
