//! The workspace's own time, in milliseconds since 1970: fast, real or moved by hand.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long things take: a cluster start, a job run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speed {
    /// About a second where the real service takes minutes.
    #[default]
    Fast,
    /// As `Fast`, but runs of jobs and updates of pipelines last some seconds, so that who asks again sees them wait and
    /// run, and can cancel them.
    Demo,
    /// About as long as the real service.
    Real,
    /// As `Fast`, but time stands still until [`Sandbox::advance`](crate::Sandbox::advance) moves it, or a request
    /// `POST /__sandbox/clock`.
    Manual,
}

impl std::str::FromStr for Speed {
    type Err = crate::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "fast" => Ok(Self::Fast),
            "demo" => Ok(Self::Demo),
            "real" => Ok(Self::Real),
            "manual" => Ok(Self::Manual),
            _ => Err(crate::Error::speed(name)),
        }
    }
}

/// A span of time that depends on the [`Speed`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lapse {
    fast: i64,
    demo: i64,
    real: i64,
}

impl Lapse {
    /// From milliseconds at each speed; a demo is fast.
    pub(crate) const fn new(fast: i64, real: i64) -> Self {
        Self { fast, demo: fast, real }
    }

    /// The same span, but so many milliseconds in a demo.
    pub(crate) const fn in_demo(self, demo: i64) -> Self {
        Self { demo, ..self }
    }
}

#[derive(Debug)]
pub(crate) struct Clock {
    speed: Speed,
    epoch: i64,
    /// When time began to pass: after the samples are there, so that they tell the same at every start.
    started: OnceLock<Instant>,
    ahead: AtomicI64,
    moved: Notify,
}

impl Clock {
    pub(crate) fn new(speed: Speed, epoch: i64) -> Self {
        Self { speed, epoch, started: OnceLock::new(), ahead: AtomicI64::new(0), moved: Notify::new() }
    }

    /// Lets time pass. Until then the clock shows its epoch.
    pub(crate) fn run(&self) {
        self.started.get_or_init(Instant::now);
    }

    pub(crate) fn speed(&self) -> Speed {
        self.speed
    }

    /// The instant the workspace was created at; seeds hang on it.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }

    pub(crate) fn now(&self) -> i64 {
        let elapsed = match self.speed {
            Speed::Manual => 0,
            Speed::Fast | Speed::Demo | Speed::Real => {
                self.started.get().map_or(0, |started| millis(started.elapsed()))
            }
        };
        self.epoch.saturating_add(elapsed).saturating_add(self.ahead.load(Ordering::Acquire))
    }

    pub(crate) fn lapse(&self, lapse: Lapse) -> i64 {
        match self.speed {
            Speed::Fast | Speed::Manual => lapse.fast,
            Speed::Demo => lapse.demo,
            Speed::Real => lapse.real,
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        let farther = |ahead: i64| Some(ahead.saturating_add(millis(by)).min(i64::MAX / 4));
        // It gives a value always, so it cannot fail.
        let _ = self.ahead.fetch_update(Ordering::AcqRel, Ordering::Acquire, farther);
        self.moved.notify_waiters();
    }

    /// Waits until the clock shows `instant`.
    pub(crate) async fn sleep_until(&self, instant: i64) {
        loop {
            let moved = self.moved.notified();
            let left = instant - self.now();
            if left <= 0 {
                return;
            }
            match self.speed {
                Speed::Manual => moved.await,
                Speed::Fast | Speed::Demo | Speed::Real => {
                    let left = Duration::from_millis(left.unsigned_abs());
                    let _ = tokio::time::timeout(left, moved).await;
                }
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
