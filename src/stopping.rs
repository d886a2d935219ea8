//! Being asked to stop by a signal, so that what calls had started is undone before the process ends.

use crate::error::Error;

/// Returns when the process is asked to end: by Ctrl-C, by whoever supervises it, or as its terminal is gone.
pub(crate) async fn asked() -> Result<(), Error> {
    signal().await.map_err(|error| Error::failed(format!("cannot listen for signals: {error}")))
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate, mut hang_up) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
