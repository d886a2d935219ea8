//! How a request waits until it may leave: for its turn, and between attempts.

use std::future::{Future, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::departure::Terms;
use crate::error::Error;

/// The time after which one piece of work, such as a call of a tool, may still read but begins no change.
///
/// When the token is cancelled, a request of the work that changes something is sent only if it can leave at once. If
/// it waits for its turn under the rate limit, or between two attempts, it is called off. So is one that follows a
/// request which waited beyond that time.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), databricks::Error> {
/// use databricks::{Client, Closing, Config};
/// use tokio_util::sync::CancellationToken;
///
/// let input_ended = CancellationToken::new();
/// let client = Client::new(Config::new("acme.test", "dapi123")?)?;
/// let closing = Closing::at(input_ended);
/// // The work may have to wait before its first request, too.
/// closing.wait(std::future::ready(())).await;
/// let client = client.with_closing(closing);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Closing {
    closed: CancellationToken,
    has_waited: Arc<AtomicBool>,
}

impl Closing {
    /// The closing of one piece of work when the token is cancelled.
    pub fn at(closed: CancellationToken) -> Closing {
        Closing { closed, has_waited: Arc::default() }
    }

    /// Waits for something that the work needs before it can go on.
    pub async fn wait<T>(&self, turn: impl Future<Output = T>) -> T {
        let mut turn = pin!(turn);
        tokio::select! {
            biased;
            turn = &mut turn => turn,
            // It does not come at once.
            () = ready(()) => {
                let turn = turn.await;
                self.has_waited.fetch_or(self.closed.is_cancelled(), Ordering::Relaxed);
                turn
            }
        }
    }

    /// Waits for the turn of a request that changes something, unless it is too late.
    async fn wait_to_change<T>(&self, turn: impl Future<Output = T>) -> Result<T, Error> {
        let mut turn = pin!(turn);
        let turn = tokio::select! {
            biased;
            turn = &mut turn => turn,
            () = ready(()) => self.closed.run_until_cancelled(turn).await.ok_or_else(Error::too_late)?,
        };
        if self.has_waited.load(Ordering::Relaxed) { Err(Error::too_late()) } else { Ok(turn) }
    }
}

/// What a request obeys while it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue<'a> {
    pub(crate) terms: &'a Terms,
    pub(crate) closing: Option<&'a Closing>,
    /// Whether the request changes something.
    pub(crate) changes: bool,
}

impl<'a> Queue<'a> {
    /// The queue of requests that only read.
    pub(crate) fn of(terms: &'a Terms) -> Queue<'a> {
        Queue { terms, closing: None, changes: false }
    }

    /// Waits for a turn.
    pub(crate) async fn turn<T>(&self, turn: impl Future<Output = T>) -> Result<T, Error> {
        let turn = async {
            match self.closing {
                Some(closing) if self.changes => closing.wait_to_change(turn).await,
                Some(closing) => Ok(closing.wait(turn).await),
                None => Ok(turn.await),
            }
        };
        self.terms.wait(turn).await?
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use tokio::time::sleep;
    use tokio_util::sync::CancellationToken;

    use super::{Closing, Queue};
    use crate::departure::Terms;

    fn queue(closing: &Closing, changes: bool) -> Queue<'_> {
        Queue { terms: &Terms::Usual, closing: Some(closing), changes }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_when_the_input_ends_changes_nothing_any_more() {
        let ended = CancellationToken::new();
        let closing = Closing::at(ended.clone());
        queue(&closing, true).turn(sleep(Duration::from_secs(1))).await.expect("the input is open");
        let waiting = queue(&closing, true);
        let waits = waiting.turn(pending::<()>());
        let (waited, ()) = tokio::join!(waits, async { ended.cancel() });
        assert!(waited.expect_err("too late").is_called_off());
        assert!(queue(&closing, true).turn(sleep(Duration::from_secs(1))).await.is_err());
        // What can leave at once does: a client may send its requests and close its end.
        queue(&closing, true).turn(ready(())).await.expect("at once");
        queue(&closing, false).turn(ready(())).await.expect("a read");
        queue(&closing, true).turn(ready(())).await.expect("the read has not waited");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_does_not_follow_what_waited_beyond_the_end() {
        let ended = CancellationToken::new();
        let (closing, other) = (Closing::at(ended.clone()), Closing::at(ended.clone()));
        ended.cancel();
        queue(&closing, false).turn(sleep(Duration::from_secs(1))).await.expect("reads may finish");
        let error = queue(&closing, true).turn(ready(())).await.expect_err("too late");
        assert!(error.is_called_off() && !error.may_have_happened(), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("keep the input open")), "{error:?}");
        queue(&other, true).turn(ready(())).await.expect("this work has not waited");
    }
}
