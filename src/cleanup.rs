//! What a call started and must not leave behind: if the caller goes away, it is undone in the workspace.

use std::fmt::Display;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How long the end waits until everything that is left behind is named, which takes no requests.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The work that calls have started; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Cleanup {
    pub(crate) tasks: TaskTracker,
    /// Cancelled when nothing may start any more.
    pub(crate) closed: CancellationToken,
    /// Cancelled when no time is left for undoing.
    pub(crate) out_of_time: CancellationToken,
}

/// Work that has begun.
#[derive(Debug)]
pub(crate) struct Begun<I, T> {
    /// What undoing it takes.
    pub(crate) id: I,
    /// What its call goes on with.
    pub(crate) answer: T,
    /// How people find it in the workspace, for example `run 12`.
    pub(crate) name: String,
}

/// Holds started work. Dropping it undoes the work, which is what happens when a call is cancelled.
#[derive(Debug)]
#[must_use = "dropping it undoes the work"]
pub(crate) struct Guard {
    kept: Option<oneshot::Sender<()>>,
    /// Calls the start off, as far as it has not left for the workspace yet.
    _wanted: DropGuard,
}

impl Guard {
    /// Tells `kept` that nothing is undone; without it, calls off what is `wanted` no more.
    pub(crate) fn new(kept: oneshot::Sender<()>, wanted: DropGuard) -> Self {
        Self { kept: Some(kept), _wanted: wanted }
    }

    /// The work has ended, or is to go on: nothing is undone.
    pub(crate) fn keep(mut self) {
        if let Some(kept) = self.kept.take() {
            // The other side waits for exactly this.
            let _ = kept.send(());
        }
    }
}

/// Work that cannot be undone. Dropping it says in the log that the work goes on.
#[derive(Debug)]
#[must_use = "dropping it says that the call was given up"]
pub(crate) struct Lasting(Option<String>);

impl Lasting {
    /// Work that has begun, by its name.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self(Some(name.into()))
    }

    /// The call has come to its end, and its answer says how the work stands.
    pub(crate) fn settle(mut self) {
        self.0 = None;
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        if let Some(work) = &self.0 {
            tracing::warn!(
                work,
                "a call was cancelled, but the work that it had started continues: it cannot be \
                                  undone"
            );
        }
    }
}

/// Work by its kind and id.
pub(crate) fn begun<I: Display, T>(work: &str, id: I, answer: T) -> Begun<I, T> {
    Begun { name: format!("{work} {id}"), id, answer }
}

impl Cleanup {
    /// A call under way: the end of the server waits until it has said what it leaves behind.
    pub(crate) fn call(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// From now on nothing starts any more.
    pub fn close(&self) {
        self.closed.cancel();
        self.tasks.close();
    }

    /// Ends the server's part: nothing starts any more, and what is to be undone is, within the time. What then still
    /// goes on is named in the log. A second call with less time cuts the first one short.
    pub async fn finish(&self, limit: Duration) {
        self.close();
        if timeout(limit, self.tasks.wait()).await.is_err() {
            self.out_of_time.cancel();
            // Each says what it leaves behind.
            let _ = timeout(LAST_WORDS, self.tasks.wait()).await;
        }
    }
}
