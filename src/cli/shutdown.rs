//! Being asked to stop by a signal, so that what calls had started is undone before the process ends.

use std::future::Future;
use std::io;

use crate::error::Error;

/// Returns when the process is asked to end: by Ctrl-C, by whoever supervises it, or as its terminal is gone.
///
/// It listens from here on, not only when it is awaited: a signal that comes in between would end the process at once.
pub(crate) fn requested() -> impl Future<Output = Result<(), Error>> {
    let listening = listen();
    async {
        let asked = async { listening?.await };
        asked.await.map_err(|error| Error::failed(format!("cannot listen for signals: {error}")))
    }
}

#[cfg(unix)]
fn listen() -> io::Result<impl Future<Output = io::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate, mut hang_up) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        Ok(())
    })
}

#[cfg(not(unix))]
fn listen() -> io::Result<impl Future<Output = io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}
