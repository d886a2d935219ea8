//! What a call started and must not leave behind: if the caller goes away, it is undone in the workspace.

use std::future::Future;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::error::Error;

/// The work that calls have started; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Cleanup {
    tasks: TaskTracker,
}

/// Holds started work. Dropping it undoes the work, which is what happens when a call is cancelled.
#[derive(Debug)]
#[must_use = "dropping it undoes the work"]
pub(crate) struct Guard {
    kept: Option<oneshot::Sender<()>>,
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

impl Cleanup {
    /// Starts work and holds it: `start` gives the work's id and its answer, `undo` takes the id. The start
    /// itself runs to its end even if the caller goes away meanwhile, for only then is known what to undo.
    pub(crate) async fn start<I, T, S, U>(
        &self,
        start: impl Future<Output = Result<(I, T), Error>> + Send + 'static,
        undo: U,
    ) -> Result<(T, Guard), Error>
    where
        I: Send + 'static,
        T: Send + 'static,
        S: Future<Output = Result<(), databricks::Error>> + Send,
        U: FnOnce(I) -> S + Send + 'static,
    {
        let (kept, is_kept) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let guard = Guard { kept: Some(kept) };
        self.tasks.spawn(async move {
            // Where nobody waits for the answer, the guard is gone too.
            let id = match start.await {
                Ok((id, started)) => {
                    let _ = answer.send(Ok(started));
                    id
                }
                Err(error) => {
                    let _ = answer.send(Err(error));
                    return;
                }
            };
            if is_kept.await.is_err()
                && let Err(error) = undo(id).await
            {
                tracing::warn!(%error, "what a cancelled call had started goes on");
            }
        });
        match answered.await {
            Ok(outcome) => Ok((outcome?, guard)),
            Err(_) => Err(Error::failed("the request was given up before its answer came")),
        }
    }

    /// Waits, within limits, until everything that is to be undone is.
    pub async fn finish(&self, limit: Duration) {
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "not everything that was started could be undone in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::Cleanup;

    async fn started(cleanup: Cleanup, undone: Arc<AtomicU32>, pause: u64) -> super::Guard {
        let start = async move {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            Ok((7, ()))
        };
        let undo = move |id: u32| async move {
            undone.fetch_add(id, Ordering::Relaxed);
            Ok(())
        };
        cleanup.start(start, undo).await.expect("started").1
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_dropped_is_undone_and_what_is_kept_is_not() {
        let (cleanup, undone) = (Cleanup::default(), Arc::new(AtomicU32::new(0)));
        started(cleanup.clone(), undone.clone(), 0).await.keep();
        drop(started(cleanup.clone(), undone.clone(), 0).await);
        cleanup.finish(Duration::from_secs(1)).await;
        assert_eq!(undone.load(Ordering::Relaxed), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_nobody_waits_for_is_undone_once_it_is_known() {
        let (cleanup, undone) = (Cleanup::default(), Arc::new(AtomicU32::new(0)));
        let call = started(cleanup.clone(), undone.clone(), 10);
        tokio::time::timeout(Duration::from_secs(1), call).await.expect_err("still starting");
        assert_eq!(undone.load(Ordering::Relaxed), 0);
        cleanup.finish(Duration::from_secs(60)).await;
        assert_eq!(undone.load(Ordering::Relaxed), 7);
    }
}
