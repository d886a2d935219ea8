//! What waits to be written: in order, counted, and given up once nobody can read it.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::transport::stdio::session::Batch;

/// While more than this waits to be written, nothing is read: a client that does not read its answers gets no more.
const MOST_UNWRITTEN_BYTES: usize = 4 << 20;

/// Takes lines for a writer; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    queue: mpsc::UnboundedSender<Entry>,
    unwritten: watch::Sender<usize>,
    broken: CancellationToken,
}

#[derive(Debug)]
struct Entry {
    line: Vec<u8>,
    written: oneshot::Sender<()>,
}

impl Outbox {
    /// Writes to a stream from now on.
    pub(super) fn open(writer: impl AsyncWrite + Unpin + Send + 'static) -> Self {
        let (queue, entries) = mpsc::unbounded_channel();
        let outbox = Self { queue, unwritten: watch::Sender::new(0), broken: CancellationToken::new() };
        let (unwritten, broken) = (outbox.unwritten.clone(), outbox.broken.clone());
        tokio::spawn(async move {
            if let Err(error) = write(writer, entries, &unwritten).await {
                tracing::warn!(%error, "nobody reads the answers any more");
            }
            broken.cancel();
        });
        outbox
    }

    /// Queues a line at once. What is returned waits until the line is written.
    pub(super) fn push(&self, mut line: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send + 'static {
        line.push(b'\n');
        let length = line.len();
        let (written, is_written) = oneshot::channel();
        self.unwritten.send_modify(|bytes| *bytes += length);
        // Where nobody takes it, `is_written` says so.
        let _ = self.queue.send(Entry { line, written });
        async move { is_written.await.map_err(|_| io::ErrorKind::BrokenPipe.into()) }
    }

    /// Queues the answer to a message, if it gets one; within a batch, all answers go out after the last.
    pub(super) fn answer(&self, batch: Option<&Batch>, answer: Option<Value>) {
        let answer = match batch {
            Some(batch) => batch.settle(answer),
            None => answer,
        };
        if let Some(answer) = answer {
            // Nobody waits for it: `Outbox::room` does, for all.
            drop(self.push(answer.to_string().into_bytes()));
        }
    }

    /// Waits until there is room for more answers.
    pub(super) async fn room(&self) {
        // The sender is held here, so it does not close.
        let _ = self.unwritten.subscribe().wait_for(|bytes| *bytes <= MOST_UNWRITTEN_BYTES).await;
    }

    /// Counts as something to be written until it is dropped.
    pub(super) fn hold(&self) -> Held {
        self.unwritten.send_modify(|bytes| *bytes += 1);
        Held(self.unwritten.clone())
    }

    /// Waits until everything is written.
    pub(super) async fn empty(&self) {
        let _ = self.unwritten.subscribe().wait_for(|bytes| *bytes == 0).await;
    }

    /// Waits until nothing can be written any more.
    pub(super) async fn broken(&self) {
        self.broken.cancelled().await;
    }
}

/// A place in the outbox for what is about to be queued.
#[derive(Debug)]
pub(super) struct Held(watch::Sender<usize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|bytes| *bytes = bytes.saturating_sub(1));
    }
}

async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut entries: mpsc::UnboundedReceiver<Entry>,
    unwritten: &watch::Sender<usize>,
) -> io::Result<()> {
    while let Some(Entry { line, written }) = entries.recv().await {
        writer.write_all(&line).await?;
        writer.flush().await?;
        unwritten.send_modify(|bytes| *bytes = bytes.saturating_sub(line.len()));
        // Nobody may be waiting for it.
        let _ = written.send(());
    }
    Ok(())
}
