//! Starts work in the workspace, so that it is undone when its call is cancelled.

use std::future::Future;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Context;
use crate::cleanup::{Begun, Cleanup, Guard};
use crate::error::Error;

/// How long a start that was called off may take to say so.
const A_MOMENT: Duration = Duration::from_millis(200);

impl Context {
    /// Starts work and holds it.
    ///
    /// `start` gets a context whose requests are called off when the caller goes away, all but the one that is on the
    /// wire: that one is answered first, for only then is it known what to undo. `undo` gets the id and a context whose
    /// requests wait for no other. `work` says what is started, for the log.
    pub(crate) async fn start<I, T, S, U>(
        &self,
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
        let Cleanup { tasks, closed, out_of_time } = self.cleanup.clone();
        let wanted = closed.child_token();
        let (kept, is_kept) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let start = start(Context { client: self.client.until(wanted.clone()), ..self.clone() });
        let undoing = self.ahead();
        let guard = Guard::new(kept, wanted.drop_guard());
        tasks.spawn(async move {
            let Some(begun) = out_of_time.run_until_cancelled(start).await else {
                tracing::warn!(work, "the server stops before a start was answered; the work may continue");
                return;
            };
            let Begun { id, answer: started, name } = match begun {
                Ok(begun) => begun,
                Err(error) => {
                    // Where nobody takes the error, the log has to say what it leaves open.
                    if let Err(Err(error)) = answer.send(Err(error))
                        && leaves_open(&error)
                    {
                        tracing::warn!(work, %error, "a call was cancelled, and the work may have been started");
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
                    tracing::warn!(work = name, %error, "the work that a call had started before it was cancelled \
                                                         continues");
                }
                None => {
                    tracing::warn!(work = name, "the server stops before the work is undone; the work may continue")
                }
            }
        });
        let mut answered = answered;
        let in_time = match self.client.deadline() {
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
            Err(_) => Err(Error::failed("the request was abandoned before its answer came")),
        }
    }
}

/// The error of a start whose caller has no more time. A start that has not left is called off by now, and says so at
/// once; one that has left is undone as soon as its answer comes.
async fn given_up<T>(answered: oneshot::Receiver<Result<T, Error>>, late: Error) -> Error {
    match timeout(A_MOMENT, answered).await {
        Ok(Ok(Err(error))) if !error.may_have_happened() => error.after(late.message()),
        _ => late.with_hint("if the start still succeeds, this server undoes it: check before you start it again"),
    }
}

/// Whether work may go on although its start failed: it may have been carried out, or its answer names nothing.
fn leaves_open(error: &Error) -> bool {
    error.leaves_open() || error.api().is_none()
}

#[cfg(test)]
mod tests;
