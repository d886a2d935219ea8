//! What a waiting call tells its caller meanwhile.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Where a call reports to; silent where the caller did not ask for progress.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    sender: Option<UnboundedSender<String>>,
}

impl Progress {
    /// A progress that somebody listens to.
    pub(crate) fn listened() -> (Self, UnboundedReceiver<String>) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender: Some(sender) }, receiver)
    }

    /// Tells the real state of the work, at each change.
    pub(crate) fn report(&self, state: impl Into<String>) {
        if let Some(sender) = &self.sender {
            // A caller that has gone needs no report.
            let _ = sender.send(state.into());
        }
    }
}
