//! Reports on how far a call is, for clients that ask for them.

use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{RequestContext, RoleServer};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::controls;
use crate::progress::{Meter, Progress, Step};
use crate::workspaces::Workspaces;

/// How long the result may wait for a report. A client that has closed its side takes none, but may take the result.
const REPORT_TIME: Duration = Duration::from_secs(1);

/// The outcome of `work`, whose progress is sent to a client that asked for it. The work goes on while a report is on its
/// way, and all reports go out before the result.
pub(super) async fn reporting<T>(
    request: &RequestContext<RoleServer>,
    workspaces: Workspaces,
    work: impl AsyncFnOnce(Workspaces) -> T,
) -> T {
    let Some(token) = request.meta.get_progress_token() else { return work(workspaces).await };
    let (progress, steps) = Progress::listened();
    let workspaces = workspaces.each(|context| Context { progress: progress.clone(), ..context });
    let is_over = CancellationToken::new();
    let outcome = async {
        let outcome = work(workspaces).await;
        is_over.cancel();
        outcome
    };
    tokio::join!(outcome, relay(request, token, steps, &is_over)).0
}

/// Sends a progress notification for each step, with the state in its message, until the call is over.
async fn relay(
    request: &RequestContext<RoleServer>,
    token: ProgressToken,
    mut steps: UnboundedReceiver<Step>,
    is_over: &CancellationToken,
) {
    let mut meter = Meter::default();
    loop {
        let step = tokio::select! {
            biased;
            Some(step) = steps.recv() => step,
            () = is_over.cancelled() => return,
        };
        let (done, total) = meter.next(&step);
        let mut progress = ProgressNotificationParam::new(token.clone(), done);
        progress.total = total;
        progress.message = Some(controls::on_one_line(&step.state));
        match timeout(REPORT_TIME, request.peer.notify_progress(progress)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "progress was not sent"),
            Err(_) => return tracing::debug!("progress is no longer sent, because nobody reads it"),
        }
    }
}
