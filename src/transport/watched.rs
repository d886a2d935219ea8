//! A server whose transport learns when a handler has ended, however it did.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use rmcp::ErrorData;
use rmcp::model::{ClientNotification, ClientRequest, ProtocolVersion, RequestId, ServerConfig, ServerResult};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, Service};

use crate::server::Server;

/// The server, and what is told when the handler of a request has ended.
pub(crate) struct Watched<F> {
    pub(crate) server: Server,
    pub(crate) ended: F,
}

impl<F: Fn(&RequestId) + Send + Sync + 'static> Service<RoleServer> for Watched<F> {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let id = context.id.clone();
        // rmcp answers nothing where a handler panics, and the request would be under way for ever.
        // On the heap, as rmcp moves the futures of its requests about.
        let handled = Box::pin(Service::handle_request(&self.server, request, context));
        let handled = AssertUnwindSafe(handled).catch_unwind().await;
        (self.ended)(&id);
        handled.unwrap_or_else(|_| {
            tracing::error!(id = %id, "a request ended in a fault of this server");
            Err(ErrorData::internal_error("a fault of this server ended the request; please report it", None))
        })
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Service::handle_notification(&self.server, notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        Service::get_info(&self.server)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Service::supported_protocol_versions(&self.server)
    }
}
