//! Work that one does and many wait for.
//!
//! It is a task of its own: whoever started it may give up, and the others still get the result, be it good or bad.

use std::future::Future;

use tokio::sync::watch;

use crate::error::Error;

/// Work under way.
#[derive(Debug)]
pub(crate) struct Flight<T>(watch::Receiver<Option<Result<T, Error>>>);

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Flight<T> {
        Flight(self.0.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    pub(crate) fn start(work: impl Future<Output = Result<T, Error>> + Send + 'static) -> Flight<T> {
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            let result = work.await;
            sender.send_replace(Some(result));
        });
        Flight(receiver)
    }

    /// Whether it is worth waiting for: under way, or ended well. A task that ended with its runtime is neither.
    pub(crate) fn is_good(&self) -> bool {
        match &*self.0.borrow() {
            Some(result) => result.is_ok(),
            None => self.0.has_changed().is_ok(),
        }
    }

    /// Its result.
    pub(crate) async fn land(mut self) -> Result<T, Error> {
        match self.0.wait_for(Option::is_some).await.ok().and_then(|result| result.clone()) {
            Some(result) => result,
            None => Err(Error::credentials("the authentication was interrupted").transient()),
        }
    }
}
