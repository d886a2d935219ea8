//! What a call started and must not leave behind: if the caller goes away, it is undone in the workspace.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::context::Context;
use crate::error::Error;

/// How long a start that was called off may take to say so.
const A_MOMENT: Duration = Duration::from_millis(200);
/// How long the end waits until everything that is left behind is named, which takes no requests.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The work that calls have started; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Cleanup {
    tasks: TaskTracker,
    /// Cancelled when nothing may start any more.
    closed: CancellationToken,
    /// Cancelled when no time is left for undoing.
    out_of_time: CancellationToken,
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
    pub(crate) fn told(mut self) {
        self.0 = None;
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        if let Some(work) = &self.0 {
            tracing::warn!(work, "a call was given up, and the work that it had started goes on: it cannot be undone");
        }
    }
}

/// Starts work and holds it.
///
/// `start` gets a context whose requests are called off when the caller goes away, all but the one that is on the
/// wire: that one is answered first, for only then is it known what to undo. `undo` gets the id and a context whose
/// requests wait for no other. `work` says what is started, for the log.
pub(crate) async fn start<I, T, S, U>(
    context: &Context,
    work: &'static str,
    start: impl FnOnce(Context) -> S,
    undo: impl FnOnce(Context, I) -> U + Send + 'static,
) -> Result<(T, Guard), Error>
where
    I: Send + 'static,
    T: Send + 'static,
    S: Future<Output = Result<Begun<I, T>, Error>> + Send + 'static,
    U: Future<Output = Result<(), Error>> + Send,
{
    let Cleanup { tasks, closed, out_of_time } = context.cleanup.clone();
    let wanted = closed.child_token();
    let (kept, is_kept) = oneshot::channel();
    let (answer, answered) = oneshot::channel();
    let start = start(Context { client: context.client.until(wanted.clone()), ..context.clone() });
    let undoing = context.ahead();
    let guard = Guard { kept: Some(kept), _wanted: wanted.drop_guard() };
    tasks.spawn(async move {
        let Some(begun) = out_of_time.run_until_cancelled(start).await else {
            tracing::warn!(work, "the server ends before a start was answered; the work may go on");
            return;
        };
        let Begun { id, answer: started, name } = match begun {
            Ok(begun) => begun,
            Err(error) => {
                // Where nobody takes the error, the log has to say what it leaves open.
                if let Err(Err(error)) = answer.send(Err(error))
                    && leaves_open(&error)
                {
                    tracing::warn!(work, %error, "a call was given up, and the work may have been started");
                }
                return;
            }
        };
        let _ = answer.send(Ok(started));
        let undone = async {
            // Where nobody waits for the answer, the guard is gone too.
            if is_kept.await.is_ok() { Ok(()) } else { undo(undoing, id).await }
        };
        match out_of_time.run_until_cancelled(undone).await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(work = name, %error, "the work that a call had started before it was given up goes on");
            }
            None => tracing::warn!(work = name, "the server ends before the work is undone; it may go on"),
        }
    });
    let mut answered = answered;
    let in_time = match context.client.deadline() {
        Some(deadline) => deadline.wait(work, &mut answered).await,
        None => Ok((&mut answered).await),
    };
    let answered = match in_time {
        Ok(answered) => answered,
        Err(late) => {
            drop(guard);
            return Err(given_up(answered, late.into()).await);
        }
    };
    match answered {
        Ok(outcome) => Ok((outcome?, guard)),
        Err(_) => Err(Error::failed("the request was given up before its answer came")),
    }
}

/// The error of a start whose caller has no more time. A start that has not left is called off by now, and says so at
/// once; one that has left is undone as soon as its answer comes.
async fn given_up<T>(answered: oneshot::Receiver<Result<T, Error>>, late: Error) -> Error {
    match timeout(A_MOMENT, answered).await {
        Ok(Ok(Err(error))) if !error.may_have_happened() => error.after(late.message()),
        _ => late.with_hint("if the start still succeeds, this server undoes it: look before you start it again"),
    }
}

/// Whether work may go on although its start failed: it may have been carried out, or its answer names nothing.
fn leaves_open(error: &Error) -> bool {
    error.leaves_open() || error.api().is_none()
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

#[cfg(test)]
mod tests;
