//! The spans of requests, where they are traced.

use rmcp::service::{RequestContext, RoleServer};

use super::Server;
use crate::context::Context;
use crate::error::Error;
use crate::traces::{CallSpan, Caller, Carried};
use crate::workspaces::Workspaces;

impl Server {
    /// Begins the span of a call of a tool, and gives the workspaces whose requests are below it.
    pub(super) fn traced_call(
        &self,
        tool: &str,
        workspaces: Workspaces,
        request: &RequestContext<RoleServer>,
    ) -> (CallSpan, Workspaces) {
        let registry = self.registry.current();
        // What a client calls by a name that there is not may be anything.
        let tool = registry.tool(tool).ok();
        let risk = tool.map(|tool| tool.risk.name());
        self.begun("tools/call", tool.map(|tool| tool.definition.name), risk, workspaces, request)
    }

    /// The same for another method; `target` is what it is about, where this binary has a name for it.
    pub(super) fn traced(
        &self,
        method: &'static str,
        target: Option<&'static str>,
        request: &RequestContext<RoleServer>,
    ) -> (CallSpan, Workspaces) {
        self.begun(method, target, None, self.workspaces(request), request)
    }

    fn begun(
        &self,
        method: &'static str,
        target: Option<&'static str>,
        risk: Option<&'static str>,
        workspaces: Workspaces,
        request: &RequestContext<RoleServer>,
    ) -> (CallSpan, Workspaces) {
        if !self.traces.are_on() {
            return (CallSpan::default(), workspaces);
        }
        let headers = request.extensions.get::<http::request::Parts>().map(|parts| &parts.headers);
        let in_message = |name: &str| request.meta.get(name).and_then(|value| value.as_str());
        let in_head = |name: &str| headers.and_then(|headers| headers.get(name)?.to_str().ok());
        // The message comes from the one who calls; a proxy on the way may have written the head.
        let carried = [
            Carried { parent: in_message("traceparent"), state: in_message("tracestate") },
            Carried { parent: in_head("traceparent"), state: in_head("tracestate") },
        ];
        let known = &workspaces.first().caller;
        let revision = request.protocol_version();
        let caller = Caller {
            principal: known.principal.as_deref(),
            session: known.session.as_deref(),
            revision: revision.as_ref().map(|revision| revision.as_str()),
            risk,
            is_http: headers.is_some(),
        };
        let span = self.traces.begin(method, target, caller, &carried);
        let workspaces = match span.below() {
            Some(trace) => {
                workspaces.each(|context| Context { client: context.client.traced(trace.clone()), ..context })
            }
            None => workspaces,
        };
        (span, workspaces)
    }
}

/// Ends a span as its request has ended, and gives the outcome.
pub(super) fn ended<T>(span: &CallSpan, outcome: Result<T, Error>) -> Result<T, Error> {
    match &outcome {
        Ok(_) => span.succeeded(),
        Err(error) => span.failed("error", error.kind()),
    }
    outcome
}
