//! When and how often a failed attempt is made again.
//!
//! A call that may have happened is repeated only when that does no harm, and its error says that it may have. Dropping
//! the future stops everything at once.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, Repeat};
use crate::queue::Queue;

/// How many attempts a host gets that cannot be connected to. A wrong name or a closed port should be told within
/// seconds, not after the whole budget.
const ATTEMPTS_TO_CONNECT: u32 = 3;

/// How patient a client is.
///
/// ```
/// use std::time::Duration;
///
/// use databricks::{Config, RetryPolicy};
///
/// let retry = RetryPolicy { budget: Duration::from_secs(30), ..RetryPolicy::default() };
/// let config = Config { retry, ..Config::new("acme.test", "dapi123")? };
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The time after which no further attempt begins, counted from the first one. Zero means a single attempt.
    pub budget: Duration,
    /// The pause after the first failure; it doubles with each further one.
    pub pause: Duration,
    /// The longest pause, unless the service asks for a longer one.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    /// Five minutes in all, pausing from half a second to ten.
    fn default() -> RetryPolicy {
        RetryPolicy {
            budget: Duration::from_secs(300),
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// Makes attempts until one succeeds, none may follow, or the budget is used up; then the last error is returned. It
    /// may have happened if any of the attempts may have.
    pub(crate) async fn run<T, F>(
        &self,
        repeatable: bool,
        queue: Queue<'_>,
        mut attempt: impl FnMut(u32) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let start = Instant::now();
        let mut made = 0;
        let mut may_have_happened = false;
        loop {
            made += 1;
            let error = match attempt(made).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            may_have_happened |= error.leaves_open();
            let may_repeat = match error.repeat() {
                Repeat::Always => true,
                Repeat::Briefly => made < ATTEMPTS_TO_CONNECT,
                Repeat::IfSafe => repeatable,
                Repeat::Never => false,
            };
            let pause = self.pause_after(made, error.retry_after());
            // Where the call is called off, what the last attempt came to says more than that no other follows.
            if !may_repeat
                || start.elapsed().saturating_add(pause) > self.budget
                || queue.turn(sleep(pause)).await.is_err()
            {
                return Err(error.with_outcome(may_have_happened).after_attempts(made));
            }
        }
    }

    /// Half to all of the doubled pause, so that many clients do not come back at the same moment; never less than the
    /// service asks for.
    fn pause_after(&self, made: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.pause.saturating_mul(2_u32.saturating_pow(made - 1)).min(self.longest_pause);
        let pause = doubled.mul_f64(0.5 + 0.5 * fastrand::f64());
        match asked {
            Some(asked) if asked > pause => asked.saturating_add(self.pause.mul_f64(0.5 * fastrand::f64())),
            Some(_) | None => pause,
        }
    }
}

#[cfg(test)]
mod tests;
