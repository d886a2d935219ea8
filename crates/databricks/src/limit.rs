//! Holding back on the client's side: so many requests at once, so many a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use crate::departure::Terms;

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
    /// Requests in single_flight at the same time; at least one.
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
    /// As many again for the requests that go ahead of the others.
    reserved: Semaphore,
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
        let concurrency = limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Gate { slots: Semaphore::new(concurrency), reserved: Semaphore::new(concurrency), rate }
    }

    /// Waits for a turn. The slot is free again when the result is dropped.
    pub(crate) async fn pass(&self, terms: &Terms) -> Option<SemaphorePermit<'_>> {
        let is_ahead = matches!(terms, Terms::Ahead);
        // The slot comes first, so that a turn once taken is used at once. It fails only for a closed semaphore, and
        // nobody closes these.
        let slot = if is_ahead { &self.reserved } else { &self.slots }.acquire().await.ok();
        // A request that goes ahead takes a turn too, which the others then wait for.
        let turn = self.rate.as_ref().map(Rate::turn);
        // A timer would take a moment even where there is nothing to wait for.
        if let Some(turn) = turn.filter(|turn| !is_ahead && *turn > Instant::now()) {
            sleep_until(turn).await;
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
            gate.pass(&Terms::Usual).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..20 {
            gate.pass(&Terms::Usual).await;
        }
        assert_eq!(start.elapsed().as_millis(), 2_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_free_again_when_dropped() {
        let gate = Gate::new(Limits { concurrency: 1, requests_per_second: None });
        let slot = gate.pass(&Terms::Usual).await;
        let second = tokio::time::timeout(Duration::from_secs(1), gate.pass(&Terms::Usual)).await;
        assert!(second.is_err());
        drop(slot);
        assert!(gate.pass(&Terms::Usual).await.is_some());
    }
    #[tokio::test(start_paused = true)]
    async fn what_goes_ahead_waits_for_no_other_and_the_others_wait_for_it() {
        let gate = Gate::new(Limits { concurrency: 1, requests_per_second: Some(10) });
        let slot = gate.pass(&Terms::Usual).await;
        let start = Instant::now();
        for _ in 0..20 {
            assert!(gate.pass(&Terms::Ahead).await.is_some());
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(slot);
        gate.pass(&Terms::Usual).await;
        // 21 turns were taken, half a second's worth of them as a burst.
        assert_eq!(start.elapsed().as_millis(), 1_600);
        // They have slots of their own, as many as the others.
        let _reserved = gate.pass(&Terms::Ahead).await;
        assert!(tokio::time::timeout(Duration::from_secs(1), gate.pass(&Terms::Ahead)).await.is_err());
    }
}
