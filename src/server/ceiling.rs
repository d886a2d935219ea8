//! The risk that whoever sends a request may take at the most.

use rmcp::model::CallToolRequestParams;
use rmcp::service::{RequestContext, RoleServer};

use super::Server;
use crate::calls;
use crate::definition::Risk;
use crate::error::Error;
use crate::workspaces::Workspaces;

/// The highest risk that the sender of a request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ceiling(pub(crate) Risk);

impl Server {
    /// What a call that somebody may not make who may take the risk `ceiling` would do, and why.
    pub(crate) async fn excess(&self, call: &CallToolRequestParams, ceiling: Risk) -> Option<(Risk, Option<Error>)> {
        let registry = self.registry.current();
        let tool = registry.tool(&call.name).ok().filter(|tool| tool.risk > ceiling)?;
        // Where the server allows nothing but reading, no right of the caller changes that.
        let policy = self.workspaces.first().policy.and(registry.policy());
        if tool.definition.guards_itself() && policy.read_only {
            return None;
        }
        let (risk, why) = calls::risk(tool, policy, call.arguments.clone().unwrap_or_default()).await;
        (risk > ceiling).then_some((risk, why))
    }

    /// The highest risk that the sender of a request may take.
    pub(super) fn ceiling(&self, request: &RequestContext<RoleServer>) -> Risk {
        let parts = request.extensions.get::<http::request::Parts>();
        let sent = parts.and_then(|parts| parts.extensions.get::<Ceiling>());
        sent.map_or(self.ceiling, |Ceiling(ceiling)| self.ceiling.min(*ceiling))
    }

    /// The workspaces of a call of this tool. What is above the ceiling is refused by the name of its tool; one that guards
    /// itself learns here that it must only read, as it cannot tell what writes from what destroys.
    pub(super) fn bounded(&self, workspaces: Workspaces, tool: &str, ceiling: Risk) -> Workspaces {
        match self.registry.current().tool(tool) {
            Ok(tool) if tool.risk > ceiling => only_reading(workspaces),
            Ok(_) | Err(_) => workspaces,
        }
    }
}

/// The workspaces where nothing but reading is allowed.
pub(super) fn only_reading(workspaces: Workspaces) -> Workspaces {
    workspaces.each(|mut context| {
        context.policy.read_only = true;
        context
    })
}
