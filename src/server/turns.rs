//! How many requests of clients this server works on at once. More wait for their turn, and still more are refused, so
//! that a flood of requests does not fill the memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::Error;

/// Requests under way at once.
const UNDER_WAY: usize = 256;
/// Requests that wait for their turn.
const WAITING: usize = 1_024;
/// How long a request waits for its turn: together with the time of a call, less than common clients wait.
const LONGEST: Duration = Duration::from_secs(10);

/// The turns of one server; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    under_way: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self::new(UNDER_WAY, WAITING)
    }
}

impl Turns {
    /// The turns of a caller who may have so many calls under way.
    pub(crate) fn of(calls: usize) -> Self {
        Self::new(calls.max(1), WAITING)
    }

    fn new(under_way: usize, waiting: usize) -> Self {
        Self { under_way: Arc::new(Semaphore::new(under_way)), waiting: Arc::new(Semaphore::new(waiting)) }
    }

    /// Waits for a turn, which ends when the result is dropped.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(turn) = Arc::clone(&self.under_way).try_acquire_owned() {
            return Ok(turn);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(busy(
                "and as many as may wait are already \
            waiting",
            ));
        };
        match timeout(LONGEST, Arc::clone(&self.under_way).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(busy(&format!("and none has ended within {} s", LONGEST.as_secs()))),
        }
    }
}

fn busy(why: &str) -> Error {
    Error::failed(format!("this server is working on as many calls as it can, {why}"))
        .with_hint("wait until calls have ended, or cancel some, then try again")
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{LONGEST, Turns};

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_waits_and_what_is_far_too_much_is_refused() {
        let turns = Turns::new(2, 1);
        let first = turns.take().await.expect("a turn");
        let _second = turns.take().await.expect("a turn");
        let waits = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take().await }
        });
        tokio::task::yield_now().await;
        let refusal = turns.take().await.expect_err("nobody else may wait");
        assert!(refusal.to_string().contains("as many as may wait"), "{refusal}");
        drop(first);
        let third = waits.await.expect("no panic").expect("the turn of the first");
        let start = Instant::now();
        let refusal = turns.take().await.expect_err("no turn ends");
        assert_eq!(start.elapsed(), LONGEST);
        assert!(refusal.to_string().contains("within 10 s"), "{refusal}");
        drop(third);
        assert!(turns.take().await.is_ok());
    }
}
