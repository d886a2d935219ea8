//! The body of a request, read within bounds: in bytes, in time, and in the memory that all bodies take together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::transport::http::problem::Problem;
use crate::transport::message;

/// A longer body is refused. It has room for a notebook of 20 MB, whose line breaks and quotes are escaped.
pub(crate) const MOST_BYTES: usize = 32 << 20;
/// What all messages in hand may take together, in KiB.
const MOST_KIB: usize = 512 << 10;
/// A body may take so long, and longer by its size: a second for each 64 KiB.
const TIME: Duration = Duration::from_secs(10);
const SLOWEST: u64 = 64 << 10;
/// So much of a body is read only so that the connection can be used again, and for so long.
const MOST_PASSED_OVER: usize = 256 << 10;
const TIME_TO_PASS_OVER: Duration = Duration::from_secs(1);

/// The room for bodies.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_KIB)))
    }
}

/// A message with its share of the room, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    /// What the message takes once it is read.
    pub(crate) weight: usize,
    pub(crate) share: Share,
}

/// A part of the room.
#[derive(Debug)]
pub(crate) struct Share(OwnedSemaphorePermit);

impl Room {
    /// Reads a body.
    pub(crate) async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<Held, Problem> {
        let announced = headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > MOST_BYTES as u64) {
            return Err(too_long());
        }
        let mut share = self.take(0)?;
        let (mut bytes, start) = (BytesMut::new(), Instant::now());
        loop {
            let time = TIME + Duration::from_secs(bytes.len() as u64 / SLOWEST);
            let frame = timeout_at(start + time, body.frame()).await.map_err(|_| {
                Problem::new(StatusCode::REQUEST_TIMEOUT, "the body of the request did not come in time")
            })?;
            let Some(frame) = frame else { break };
            let frame =
                frame.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body of the request broke off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > MOST_BYTES {
                return Err(too_long());
            }
            bytes.extend_from_slice(&data);
            self.grow(&mut share, bytes.len())?;
        }
        let weight = databricks::weight(&bytes);
        self.grow(&mut share, weight.min(message::MOST_WEIGHT))?;
        Ok(Held { bytes: bytes.freeze(), weight, share })
    }

    fn grow(&self, share: &mut Share, bytes: usize) -> Result<(), Problem> {
        let more = (bytes >> 10).saturating_sub(share.0.num_permits());
        if more > 0 {
            share.0.merge(self.take(more)?.0);
        }
        Ok(())
    }

    fn take(&self, kib: usize) -> Result<Share, Problem> {
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(kib).map(Share).map_err(|_| {
            let message = "the messages under way take as much memory as they may; send this one again when others are \
                           answered";
            Problem::later(StatusCode::SERVICE_UNAVAILABLE, message, 2)
        })
    }
}

/// Reads a body that nobody needs, as far as it is short and comes at once. Where a request is answered before its body has come,
/// the connection is closed, and clients that send the next request on it, as they do with a token after a 401, fail.
pub(crate) async fn pass_over(mut body: Body) {
    let mut left = MOST_PASSED_OVER;
    let pass = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { break };
            left = rest;
        }
    };
    // What takes longer costs its client the connection, as it did before.
    let _ = tokio::time::timeout(TIME_TO_PASS_OVER, pass).await;
}

fn too_long() -> Problem {
    let most = MOST_BYTES >> 20;
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a message may have {most} MiB; pass a large text by a file"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::{MOST_BYTES, Room};

    async fn read(room: &Room, body: Body) -> Result<usize, StatusCode> {
        use axum::response::IntoResponse as _;
        let held = room.read(&HeaderMap::new(), body).await;
        held.map(|held| held.bytes.len()).map_err(|problem| problem.into_response().status())
    }

    #[tokio::test]
    async fn bodies_are_bounded_by_size_and_by_what_they_take_together() {
        let room = Room::default();
        assert_eq!(read(&room, Body::from("{}")).await, Ok(2));
        let chunk = Bytes::from(vec![b' '; 1 << 20]);
        let endless = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        assert_eq!(read(&room, Body::from_stream(endless)).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        let mut held = Vec::new();
        let text = || Body::from(vec![b'a'; MOST_BYTES]);
        let refused = loop {
            match room.read(&HeaderMap::new(), text()).await {
                Ok(body) => held.push(body),
                Err(problem) => break problem,
            }
            assert!(held.len() <= 16, "the room has an end");
        };
        use axum::response::IntoResponse as _;
        assert_eq!(refused.into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
        held.clear();
        assert_eq!(read(&room, text()).await, Ok(MOST_BYTES), "it is free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(read(&Room::default(), Body::from_stream(never)).await, Err(StatusCode::REQUEST_TIMEOUT));
    }
}
