//! Rate limits on the client's side: how many requests at once, and how many per second.

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
    /// Requests under way at the same time; at least one. Those that the service holds open until its work is done are
    /// not among them, of which there may be four times as many.
    pub concurrency: usize,
    /// Requests started per second, a short burst aside; `None` for no limit.
    pub requests_per_second: Option<u32>,
}

impl Limits {
    /// How many requests may be under way by default. The service limits their rate, and answers beyond it wait for room in
    /// memory; so this bounds only the connections of HTTP/1.1, and is more than a client has calls at once.
    pub const AT_ONCE: u32 = 64;
}

impl Default for Limits {
    /// Sixty-four at once, and fifteen a second, as the official Go SDK.
    fn default() -> Limits {
        Limits { concurrency: Limits::AT_ONCE as usize, requests_per_second: Some(15) }
    }
}

/// The gate that every request passes.
#[derive(Debug)]
pub(crate) struct Gate {
    slots: Semaphore,
    /// As many again for the requests that go ahead of the others.
    reserved: Semaphore,
    /// Those of requests that the service holds open, which would keep quick ones waiting.
    held_open: Semaphore,
    rate: Option<Rate>,
}

/// How many more requests there may be that the service holds open.
const HELD_OPEN: usize = 4;

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
        let held_open = concurrency.saturating_mul(HELD_OPEN).min(Semaphore::MAX_PERMITS);
        Gate {
            slots: Semaphore::new(concurrency),
            reserved: Semaphore::new(concurrency),
            held_open: Semaphore::new(held_open),
            rate,
        }
    }

    /// Waits for a turn of a request, which the service may hold open. `waits` hears how long the rate makes it wait, if it does.
    /// The slot is free again when the result is dropped.
    pub(crate) async fn pass(
        &self,
        terms: &Terms,
        held_open: bool,
        waits: impl FnOnce(Duration),
    ) -> Option<SemaphorePermit<'_>> {
        let is_ahead = matches!(terms, Terms::Ahead);
        // The slot comes first, so that a turn once taken is used at once. It fails only for a closed semaphore, and
        // nobody closes these.
        let slots = match (is_ahead, held_open) {
            (true, _) => &self.reserved,
            (false, true) => &self.held_open,
            (false, false) => &self.slots,
        };
        let slot = slots.acquire().await.ok();
        // A request that goes ahead takes a turn too, which the others then wait for.
        let turn = self.rate.as_ref().map(Rate::turn);
        // A timer would take a moment even where there is nothing to wait for.
        if let Some(turn) = turn.filter(|turn| !is_ahead && *turn > Instant::now()) {
            waits(turn.saturating_duration_since(Instant::now()));
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
            gate.pass(&Terms::Usual, false, drop).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            gate.pass(&Terms::Usual, false, |wait| longest = longest.max(wait)).await;
        }
        assert_eq!((start.elapsed().as_millis(), longest.as_millis()), (2_000, 100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_free_again_when_dropped() {
        let gate = Gate::new(Limits { concurrency: 1, requests_per_second: None });
        let slot = gate.pass(&Terms::Usual, false, drop).await;
        let second = tokio::time::timeout(Duration::from_secs(1), gate.pass(&Terms::Usual, false, drop)).await;
        assert!(second.is_err());
        drop(slot);
        assert!(gate.pass(&Terms::Usual, false, drop).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_open_keeps_no_other_waiting() {
        let gate = Gate::new(Limits { concurrency: 1, requests_per_second: None });
        let mut held = Vec::new();
        for _ in 0..HELD_OPEN {
            held.push(gate.pass(&Terms::Usual, true, drop).await);
        }
        assert!(gate.pass(&Terms::Usual, false, drop).await.is_some());
        let more = tokio::time::timeout(Duration::from_secs(1), gate.pass(&Terms::Usual, true, drop)).await;
        assert!(more.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_ahead_waits_for_no_other_and_the_others_wait_for_it() {
        let gate = Gate::new(Limits { concurrency: 1, requests_per_second: Some(10) });
        let slot = gate.pass(&Terms::Usual, false, drop).await;
        let start = Instant::now();
        for _ in 0..20 {
            assert!(gate.pass(&Terms::Ahead, false, drop).await.is_some());
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(slot);
        gate.pass(&Terms::Usual, false, drop).await;
        // 21 turns were taken, half a second's worth of them as a burst.
        assert_eq!(start.elapsed().as_millis(), 1_600);
        // They have slots of their own, as many as the others.
        let _reserved = gate.pass(&Terms::Ahead, false, drop).await;
        assert!(tokio::time::timeout(Duration::from_secs(1), gate.pass(&Terms::Ahead, false, drop)).await.is_err());
    }
}
