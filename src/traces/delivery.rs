//! The way of spans to the collector: a bounded queue, and one task that takes them from it in batches.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use databricks::Deliveries;
use http::{Request, Response};
use opentelemetry::Context;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// So many spans wait for the collector. Further ones are dropped.
const MOST_WAITING: usize = 2_048;
/// So many go in one batch.
const MOST_IN_BATCH: usize = 512;
/// How long a span waits for others to go with it.
const DELAY: Duration = Duration::from_secs(1);
/// How long a batch may take, with all attempts.
const PATIENCE: Duration = Duration::from_secs(30);

/// The queue of spans that have ended; clones are the same queue.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    entries: mpsc::Sender<Entry>,
    dropped: Counter,
}

#[derive(Debug)]
enum Entry {
    Span(Box<SpanData>),
    /// What came before goes at once, and then this is told.
    Flush(oneshot::Sender<()>),
}

impl Outbox {
    /// A queue that a task empties.
    pub(super) fn open(exporter: SpanExporter, dropped: Counter) -> Self {
        let (entries, queue) = mpsc::channel(MOST_WAITING);
        tokio::spawn(deliver(exporter, queue, dropped.clone()));
        Self { entries, dropped }
    }

    /// Delivers what has ended, within this time.
    pub(super) async fn finish(&self, limit: Duration) {
        let delivered = async {
            let (told, is_told) = oneshot::channel();
            // Both fail only when the task is gone, and everything with it.
            let _ = self.entries.send(Entry::Flush(told)).await;
            let _ = is_told.await;
        };
        if timeout(limit, delivered).await.is_err() {
            tracing::warn!("the collector of traces did not take the last ones in time");
        }
    }
}

impl SpanProcessor for Outbox {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.entries.try_send(Entry::Span(Box::new(span))).is_err() {
            self.dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _limit: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Sends batch after batch until nobody can add to the queue. What a collector does not take is dropped.
async fn deliver(exporter: SpanExporter, mut queue: mpsc::Receiver<Entry>, dropped: Counter) {
    let mut missed: u64 = 0;
    while let Some(first) = queue.recv().await {
        let (mut batch, mut flush) = (Vec::new(), None);
        let (end, mut next) = (Instant::now() + DELAY, Some(first));
        while let Some(entry) = next {
            match entry {
                Entry::Span(span) => batch.push(*span),
                Entry::Flush(told) => flush = Some(told),
            }
            let is_full = flush.is_some() || batch.len() >= MOST_IN_BATCH;
            next = if is_full { None } else { timeout_at(end, queue.recv()).await.ok().flatten() };
        }
        let spans = batch.len() as u64;
        if spans > 0 {
            let sent = timeout(PATIENCE, exporter.export(batch)).await;
            let failure = match sent {
                Ok(sent) => sent.err().map(|error| error.to_string()),
                Err(_) => Some("it does not answer".to_owned()),
            };
            // One line when it begins, and one when it is over.
            match failure {
                Some(why) => {
                    dropped.inc_by(spans);
                    if missed == 0 {
                        tracing::warn!(why, "the collector of traces does not take spans, which are dropped");
                    }
                    missed += spans;
                }
                None if missed > 0 => {
                    tracing::warn!(missed, "the collector of traces takes spans again");
                    missed = 0;
                }
                None => {}
            }
        }
        if let Some(told) = flush {
            // Whoever waited may have given up.
            let _ = told.send(());
        }
    }
}

/// The collector, as the exporter reaches it.
#[derive(Debug)]
pub(super) struct Collector(pub(super) Deliveries);

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            self.0.send(request).await.map_err(|error| {
                // The exporter keeps the reason to itself.
                tracing::debug!(%error, "the collector of traces was not reached");
                error.into()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use prometheus_client::metrics::counter::Counter;
    use tokio::sync::mpsc;

    use super::{MOST_WAITING, Outbox};

    #[test]
    fn what_is_too_much_for_the_queue_is_counted_and_makes_nobody_wait() {
        // Nobody takes anything from it.
        let (entries, _queue) = mpsc::channel(MOST_WAITING);
        let outbox = Outbox { entries, dropped: Counter::default() };
        let tracer = SdkTracerProvider::builder().with_span_processor(outbox.clone()).build().tracer("test");
        for _ in 0..MOST_WAITING + 100 {
            drop(tracer.start("call"));
        }
        assert_eq!(outbox.dropped.get(), 100);
    }
}
