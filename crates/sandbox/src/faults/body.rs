//! Bodies that come slowly or end too soon.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// A slow body comes in so many pieces.
const PIECES: usize = 4;

/// Announces its whole length, waits before each piece, and may break off.
pub(super) struct Piecemeal {
    left: Bytes,
    total: u64,
    piece: usize,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
    breaks_off: bool,
}

impl Piecemeal {
    /// All of it, over `delay`.
    pub(super) fn slow(bytes: Bytes, delay: Duration) -> Self {
        let pause = delay / u32::try_from(PIECES).unwrap_or(1);
        let piece = bytes.len().div_ceil(PIECES).max(1);
        Self { total: length(&bytes), left: bytes, piece, pause, sleep: Box::pin(sleep(pause)), breaks_off: false }
    }

    /// The first half, and then the connection is closed.
    pub(super) fn truncated(bytes: &Bytes) -> Self {
        let half = bytes.slice(..bytes.len() / 2);
        let (total, piece) = (length(bytes), half.len().max(1));
        // The pause lets what was sent go out before the connection is given up.
        let pause = Duration::from_millis(10);
        Self { total, left: half, piece, pause, sleep: Box::pin(sleep(Duration::ZERO)), breaks_off: true }
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl Body for Piecemeal {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left.is_empty() && !self.breaks_off {
            return Poll::Ready(None);
        }
        if self.sleep.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if self.left.is_empty() {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        let next = Instant::now() + self.pause;
        self.sleep.as_mut().reset(next);
        let end = self.piece.min(self.left.len());
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(end)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.total)
    }
}
