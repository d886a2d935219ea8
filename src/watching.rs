//! Watches resources for those who want to hear of changes: one poller for each resource, however many listen. It pauses the
//! longer the longer nothing changes, and ends when nothing more can change or nobody listens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::wait::may_pass;
use crate::error::Error;
use crate::registry::LiveRegistry;
use crate::resources::{self, Stand};
use crate::uri::Address;
use crate::workspaces::Workspaces;

/// So many looks in a row may fail for a reason that may pass.
const FAILED_LOOKS: u32 = 8;
/// How long the requests of one look may take.
const LOOK_TIME: Duration = Duration::from_secs(25);

/// The pollers of one caller; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Watching {
    pollers: Arc<Mutex<HashMap<String, Weak<Poller>>>>,
    pace: Pace,
}

/// How long a poller pauses between two looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { shortest: Duration::from_secs(2), longest: Duration::from_secs(60) }
    }
}

/// What is polled. Dropping it ends the poller.
#[derive(Debug)]
struct Poller {
    seen: watch::Receiver<Seen>,
    _stop: DropGuard,
}

/// What the last look has shown.
#[derive(Debug, Clone, Default)]
enum Seen {
    /// There was none yet.
    #[default]
    Nothing,
    Stands(Stand),
    /// It cannot be read any more.
    Lost(Arc<Error>),
}

/// A resource that somebody listens to. It is polled until nobody has one of these.
#[derive(Debug)]
pub(crate) struct Watched {
    seen: watch::Receiver<Seen>,
    _poller: Arc<Poller>,
}

/// What becomes of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has changed, and may again.
    Changed,
    /// Nothing more will change, or it cannot be read any more; whether it has changed before.
    Over(bool),
}

impl Watching {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pollers: Arc::default(), pace }
    }

    /// The same pace for another caller.
    pub(crate) fn apart(&self) -> Self {
        Self::new(self.pace)
    }

    /// Listens to a resource, with the poller of those who do already.
    pub(crate) fn listen(
        &self,
        registry: &Arc<LiveRegistry>,
        workspaces: &Workspaces,
        uri: &str,
        stop: &CancellationToken,
    ) -> Watched {
        let key = key(workspaces, uri);
        let mut pollers = self.pollers.lock().unwrap_or_else(PoisonError::into_inner);
        pollers.retain(|_, poller| poller.strong_count() > 0);
        // One that has ended has nothing more to say, and the resource may go on all the same.
        let running = pollers.get(&key).and_then(Weak::upgrade).filter(|poller| poller.seen.has_changed().is_ok());
        let poller = running.unwrap_or_else(|| {
            let (sender, seen) = watch::channel(Seen::Nothing);
            let stop = stop.child_token();
            let poll = poll(Arc::clone(registry), workspaces.clone(), uri.to_owned(), sender, self.pace);
            tokio::spawn({
                let stop = stop.clone();
                async move { stop.run_until_cancelled(poll).await }
            });
            let poller = Arc::new(Poller { seen, _stop: stop.drop_guard() });
            pollers.insert(key, Arc::downgrade(&poller));
            poller
        });
        let mut seen = poller.seen.clone();
        // Who joins later knows what was seen before; of the first look they hear with the others.
        seen.borrow_and_update();
        Watched { seen, _poller: poller }
    }
}

/// What tells the resources of one caller apart: the workspace and the URI in it.
fn key(workspaces: &Workspaces, uri: &str) -> String {
    let address = Address::parse(uri);
    let workspace = address.workspace.as_deref().unwrap_or_else(|| workspaces.first_name());
    format!("{workspace} {}", address.uri)
}

impl Watched {
    /// How the resource stands, once it was looked at.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn stand(&mut self) -> Result<Stand, Arc<Error>> {
        let stopped = || Arc::new(Error::failed("the server is stopping"));
        match self.seen.wait_for(|seen| !matches!(seen, Seen::Nothing)).await.as_deref() {
            Ok(Seen::Stands(stand)) => Ok(stand.clone()),
            Ok(Seen::Lost(error)) => Err(Arc::clone(error)),
            Ok(Seen::Nothing) | Err(_) => Err(stopped()),
        }
    }

    /// Waits until it is no more as it was `before`, or is so for good.
    pub(crate) async fn turn(&mut self, before: &Stand) -> Turn {
        loop {
            match &*self.seen.borrow_and_update() {
                Seen::Nothing => {}
                Seen::Stands(stand) if stand.is_over => return Turn::Over(stand.digest != before.digest),
                Seen::Stands(stand) if stand.digest != before.digest => return Turn::Changed,
                Seen::Stands(_) => {}
                Seen::Lost(_) => return Turn::Over(true),
            }
            if self.seen.changed().await.is_err() {
                return Turn::Over(false);
            }
        }
    }
}

/// Looks at a resource again and again.
async fn poll(registry: Arc<LiveRegistry>, workspaces: Workspaces, uri: String, seen: watch::Sender<Seen>, pace: Pace) {
    let (mut pause, mut failures, mut is_known) = (pace.shortest, 0, false);
    loop {
        let workspaces = workspaces.each(|context| context.within(LOOK_TIME));
        match Box::pin(resources::look(&registry.current(), &workspaces, &uri)).await {
            Ok(stand) => {
                (failures, is_known) = (0, true);
                let is_over = stand.is_over;
                let has_changed = seen.send_if_modified(|seen| {
                    let is_new = !matches!(seen, Seen::Stands(before) if *before == stand);
                    if is_new {
                        *seen = Seen::Stands(stand);
                    }
                    is_new
                });
                if is_over {
                    return;
                }
                pause = if has_changed { pace.shortest } else { (pause * 3 / 2).min(pace.longest) };
            }
            Err(error) if failures < FAILED_LOOKS && may_pass(&error, is_known) => {
                failures += 1;
                tracing::debug!(%error, "a resource that somebody listens to could not be read");
                pause = (pause * 2).min(pace.longest);
            }
            Err(error) => {
                tracing::debug!(%error, "a resource that somebody listens to cannot be read any more");
                seen.send_replace(Seen::Lost(Arc::new(error)));
                return;
            }
        }
        // Pauses differ by up to a quarter, so that many pollers do not ask at the same moment.
        tokio::time::sleep(pause.mul_f64(0.75 + 0.25 * fastrand::f64())).await;
    }
}
