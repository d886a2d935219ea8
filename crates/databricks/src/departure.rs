//! When a request leaves: with all others, only as long as it is wanted, or ahead of the others.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Method;
use http_body::{Body, Frame, SizeHint};
use reqwest::Request;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// The terms on which a client's requests leave.
#[derive(Debug, Clone, Default)]
pub(crate) enum Terms {
    /// A request waits for its turn, and dropping its future ends it.
    #[default]
    Usual,
    /// As usual, and cancelling the token ends what has not left yet.
    Until(CancellationToken),
    /// A request does not wait for the requests of others.
    Ahead,
}

impl Terms {
    /// Waits for something that comes before a request leaves.
    pub(crate) async fn wait<T>(&self, wait: impl Future<Output = T>) -> Result<T, Error> {
        match self {
            Terms::Until(token) => token.run_until_cancelled(wait).await.ok_or_else(Error::called_off),
            Terms::Usual | Terms::Ahead => Ok(wait.await),
        }
    }

    /// Sends a request and reads its answer by `exchange`. Cancelling ends the exchange until the request is on the
    /// wire. After that the answer is waited for: without it, nobody knows what the request did.
    pub(crate) async fn exchange<T, F>(
        &self,
        mut request: Request,
        exchange: impl FnOnce(Request) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Terms::Until(token) = self else { return exchange(request).await };
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            // It does nothing, so its answer tells nothing that must be known.
            return self.wait(exchange(request)).await?;
        }
        let departure = Departure::default();
        if token.is_cancelled() {
            return Err(Error::called_off());
        }
        match request.body_mut().take().filter(|body| !body.is_end_stream()) {
            Some(body) => *request.body_mut() = Some(departure.watch(body)),
            // Nothing tells when a request without a body is written. From here on it may be.
            None => _ = departure.settle(Fate::Left),
        }
        let mut exchange = pin!(exchange(request));
        tokio::select! {
            biased;
            () = token.cancelled() => {}
            outcome = &mut exchange => return outcome,
        }
        match departure.settle(Fate::CalledOff) {
            Fate::CalledOff => Err(Error::called_off()),
            Fate::Left => exchange.await,
        }
    }
}

/// Whether one request has left or was called off before. Whoever settles it first decides.
#[derive(Debug, Clone, Default)]
struct Departure(Arc<OnceLock<Fate>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Left,
    CalledOff,
}

impl Departure {
    fn settle(&self, fate: Fate) -> Fate {
        *self.0.get_or_init(|| fate)
    }

    /// The same body, which settles the departure when the connection asks for its first part: it is connected then,
    /// and has yet to write the request.
    fn watch(&self, body: reqwest::Body) -> reqwest::Body {
        reqwest::Body::wrap(Watched { body, departure: self.clone() })
    }
}

struct Watched {
    body: reqwest::Body,
    departure: Departure,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.departure.settle(Fate::Left) {
            Fate::Left => Pin::new(&mut self.body).poll_frame(context).map_err(Into::into),
            // The connection breaks off, and a request without its body is none.
            Fate::CalledOff => Poll::Ready(Some(Err("the request was cancelled".into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An attempt under way. Dropped before its answer, one that changes something is named in the log: nobody else can
/// tell what came of it.
pub(crate) struct UnderWay<'a>(Option<&'a str>);

impl<'a> UnderWay<'a> {
    pub(crate) fn new(operation: &'a str, method: &Method) -> UnderWay<'a> {
        UnderWay((!matches!(*method, Method::GET | Method::HEAD)).then_some(operation))
    }

    pub(crate) fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(operation) = self.0 {
            tracing::warn!(operation, "a call was abandoned before its answer; the workspace may have carried it out");
        }
    }
}

#[cfg(test)]
mod tests;
