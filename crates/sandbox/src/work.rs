//! Code of notebooks, tasks and commands at work: on threads of their own and a few at a time, so that no request waits for
//! it. A thread is no runtime worker, and whoever starts it holds no lock while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::clock::Speed;
use crate::sql::Cancel;
use crate::workspace::lock;

/// So many sources run at once. Each may take some hundred megabytes.
pub(crate) const MOST_AT_ONCE: usize = 4;
/// How long one may run.
const LONGEST: Duration = Duration::from_secs(60);
/// Work that takes less is waited for, so that its end is told as soon as a clock that is moved by hand says that it is
/// there.
const GRACE: Duration = Duration::from_secs(1);
/// The same where the clock moves by itself, and who asks again is told then.
const SHORT_GRACE: Duration = Duration::from_millis(100);

/// The places at work.
#[derive(Debug)]
pub(crate) struct Workers {
    state: Mutex<State>,
    changed: Notify,
    grace: Duration,
    patience: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// When the work at each place began.
    begun: BTreeMap<u64, Instant>,
    next: u64,
    /// Whether any has ended since it was last asked.
    have_ended: bool,
}

/// A place at work, which is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    workers: Arc<Workers>,
    id: u64,
}

/// A piece of work, of which whoever holds it is told the outcome once. It stops when nobody holds it any more.
#[derive(Debug)]
pub(crate) struct Work<T> {
    cancel: Cancel,
    begun: Instant,
    outcome: Mutex<oneshot::Receiver<T>>,
}

impl Workers {
    pub(crate) fn new(speed: Speed) -> Self {
        let (grace, patience) = if speed == Speed::Manual { (GRACE, LONGEST) } else { (SHORT_GRACE, SHORT_GRACE) };
        Self { state: Mutex::default(), changed: Notify::new(), grace, patience }
    }

    /// How long work is waited for.
    pub(crate) fn grace(&self) -> Duration {
        self.grace
    }

    /// How long a request waits for what is due, be it work or its turn. Where the clock is moved by hand, everything that is
    /// due has happened then.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// A place, where one is free.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        let mut state = lock(&self.state);
        if state.begun.len() >= MOST_AT_ONCE {
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.begun.insert(id, Instant::now());
        Some(Place { workers: Arc::clone(self), id })
    }

    /// A place, as soon as one is free.
    pub(crate) async fn wait_for_place(self: &Arc<Self>) -> Place {
        loop {
            let changed = self.changed.notified();
            if let Some(place) = self.place() {
                return place;
            }
            changed.await;
        }
    }

    /// Whether any work has ended since the last time.
    pub(crate) fn have_ended(&self) -> bool {
        std::mem::take(&mut lock(&self.state).have_ended)
    }

    /// Waits until work ends, as long as the last one that began is within its grace; says whether any ended.
    pub(crate) async fn settle(&self, until: Instant) -> bool {
        let changed = self.changed.notified();
        let youngest = {
            let state = lock(&self.state);
            if state.have_ended {
                return true;
            }
            state.begun.values().max().copied()
        };
        let Some(until) = youngest.map(|begun| until.min(begun + self.grace)) else { return false };
        tokio::time::timeout_at(until.into(), changed).await.is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.workers.state);
        state.begun.remove(&self.id);
        state.have_ended = true;
        drop(state);
        self.workers.changed.notify_waiters();
    }
}

impl Place {
    /// Works here. What comes of it is lost where the work panics.
    pub(crate) fn work<T: Send + 'static>(
        self,
        cancel: &Cancel,
        body: impl FnOnce(&Cancel) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, outcome) = oneshot::channel();
        let cancel = cancel.or_within(LONGEST);
        // Where there is no thread for it, the sender is dropped, which tells it.
        drop(std::thread::Builder::new().spawn(move || {
            let place = self;
            let _ = sender.send(body(&cancel));
            drop(place);
        }));
        outcome
    }

    /// The same, for who asks now and then.
    pub(crate) fn begin<T: Send + 'static>(self, body: impl FnOnce(&Cancel) -> T + Send + 'static) -> Work<T> {
        let cancel = Cancel::default();
        let outcome = Mutex::new(self.work(&cancel, body));
        Work { cancel, begun: Instant::now(), outcome }
    }
}

impl<T> Work<T> {
    /// What came of it; `lost` where it panicked, and nothing while it goes on.
    pub(crate) fn outcome(&self, lost: impl FnOnce() -> T) -> Option<T> {
        match lock(&self.outcome).try_recv() {
            Ok(outcome) => Some(outcome),
            Err(oneshot::error::TryRecvError::Closed) => Some(lost()),
            Err(oneshot::error::TryRecvError::Empty) => None,
        }
    }

    /// How long it has taken beyond what is waited for.
    pub(crate) fn overrun(&self) -> Duration {
        self.begun.elapsed().saturating_sub(GRACE)
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Does on a thread for such work what may take its time, as it would hold up others on a worker of the runtime.
pub(crate) async fn aside<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(body).await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime stops, and nobody waits for an answer.
        Err(Err(_)) => std::future::pending().await,
    }
}
