//! Holding back on the client's side: so many requests at once, so many a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// What a client allows itself towards its host.
///
/// ```
/// use databricks::{Config, Limits};
///
/// let limits = Limits { requests_per_second: Some(5), ..Limits::default() };
/// let config = Config { limits, ..Config::new("acme.test", "dapi123")? };
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests in flight at the same time; at least one.
    pub concurrency: usize,
    /// Requests started per second, a short burst aside; `None` for no limit.
    pub requests_per_second: Option<u32>,
}

impl Default for Limits {
    /// Eight at once and fifteen a second, as the official Go SDK.
    fn default() -> Limits {
        Limits { concurrency: 8, requests_per_second: Some(15) }
    }
}

/// The gate that every request passes.
#[derive(Debug)]
pub(crate) struct Gate {
    slots: Semaphore,
    rate: Option<Rate>,
}

/// A leaky bucket, kept as the time at which it will be empty.
#[derive(Debug)]
struct Rate {
    interval: Duration,
    burst: Duration,
    empty_at: Mutex<Instant>,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Gate {
        let rate = limits.requests_per_second.filter(|rate| *rate > 0).map(|rate| Rate {
            interval: Duration::from_secs(1) / rate,
            // Half a second's worth may start at once: a tool that makes a handful of calls is not slowed down.
            burst: Duration::from_millis(500),
            empty_at: Mutex::new(Instant::now()),
        });
        Gate { slots: Semaphore::new(limits.concurrency.clamp(1, Semaphore::MAX_PERMITS)), rate }
    }

    /// Waits for a turn. The slot is free again when the result is dropped.
    pub(crate) async fn pass(&self) -> Option<SemaphorePermit<'_>> {
        // The slot comes first, so that a turn once taken is used at once. It fails only for a closed semaphore, and
        // nobody closes this one.
        let slot = self.slots.acquire().await.ok();
        if let Some(rate) = &self.rate {
            sleep_until(rate.turn()).await;
        }
        slot
    }
}

impl Rate {
    fn turn(&self) -> Instant {
        let now = Instant::now();
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = now.max(empty_at.checked_sub(self.burst).unwrap_or(now));
        *empty_at = now.max(*empty_at) + self.interval;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_are_spaced_after_a_burst() {
        let gate = Gate::new(Limits { concurrency: 100, requests_per_second: Some(10) });
        let start = Instant::now();
        for _ in 0..6 {
            gate.pass().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..20 {
            gate.pass().await;
        }
        assert_eq!(start.elapsed().as_millis(), 2_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_free_again_when_dropped() {
        let gate = Gate::new(Limits { concurrency: 1, requests_per_second: None });
        let slot = gate.pass().await;
        let second = tokio::time::timeout(Duration::from_secs(1), gate.pass()).await;
        assert!(second.is_err());
        drop(slot);
        assert!(gate.pass().await.is_some());
    }
}
