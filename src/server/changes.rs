//! Notifies clients that the lists of tools and of resource templates have changed, because a toolset was enabled.

use std::fmt::Display;

use rmcp::model::{ErrorData, SubscriptionFilter};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use tokio_util::sync::CancellationToken;

use super::is_modern;
use crate::registry::LiveRegistry;

/// Tells the client of a request, if its revision of the protocol takes notifications that it did not subscribe to.
pub(super) async fn tell(request: &RequestContext<RoleServer>) {
    if is_modern(request) {
        return;
    }
    for told in [request.peer.notify_tool_list_changed().await, request.peer.notify_resource_list_changed().await] {
        if let Err(error) = told {
            tracing::debug!(%error, "a change of the tools was not told");
        }
    }
}

/// What of a subscription there can be notifications for.
pub(super) fn of_definitions(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut accepted = SubscriptionFilter::default();
    accepted.tools_list_changed = requested.tools_list_changed;
    accepted.resources_list_changed = requested.resources_list_changed;
    accepted
}

/// Sends what a subscription is for, until the client or the server ends it.
pub(super) async fn relay(
    registry: &LiveRegistry,
    subscription: &SubscriptionContext,
    stop: &CancellationToken,
) -> Result<(), ErrorData> {
    let mut changes = registry.changes();
    // The client was told that it is subscribed before this began to listen: what came in between must not be lost.
    if *changes.borrow() > 0 {
        changes.mark_changed();
    }
    let (sink, accepted) = (subscription.sink(), subscription.accepted());
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
            () = subscription.cancelled() => return Ok(()),
            () = stop.cancelled() => return Ok(()),
        }
        if accepted.tools_list_changed == Some(true) {
            sink.notify_tool_list_changed().await.map_err(ended)?;
        }
        if accepted.resources_list_changed == Some(true) {
            sink.notify_resource_list_changed().await.map_err(ended)?;
        }
    }
}

/// The error of a subscription whose client can be told nothing any more.
pub(super) fn ended(error: impl Display) -> ErrorData {
    ErrorData::internal_error(format!("the subscription ended: {error}"), None)
}
