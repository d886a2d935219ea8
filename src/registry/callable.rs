//! Everything that can be called on a server: what is listed, and what can be enabled or executed without being listed.

use super::{Registry, live};
use crate::definition::ToolDefinition;
use crate::generated::{REACHABLE, TOOLS};
use crate::risk::Risk;

/// The tool that calls what has a risk, and what has less.
pub(crate) fn executor(risk: Risk) -> &'static str {
    match risk {
        Risk::Read => "call_read_operation",
        Risk::Write => "call_write_operation",
        Risk::Destructive => "call_destructive_operation",
    }
}

/// A tool or an operation that can be called.
#[derive(Debug)]
pub(crate) struct Callable {
    pub(crate) definition: &'static ToolDefinition,
    /// What a call can do on this server.
    pub(crate) risk: Risk,
    /// Whether it is listed; otherwise an executor calls it, or a client can enable it.
    pub(crate) is_listed: bool,
}

impl Registry {
    /// Everything that can be called.
    pub(crate) fn callable(&self) -> impl Iterator<Item = Callable> {
        let risks = [Risk::Read, Risk::Write, Risk::Destructive];
        let most = risks.into_iter().rfind(|risk| self.has(executor(*risk)));
        let can_grow = self.has(live::ENABLING_TOOL);
        let tools = TOOLS.iter().map(move |tool| (tool, can_grow));
        let operations = REACHABLE.iter().map(|operation| (operation, false));
        tools.chain(operations).filter_map(move |(definition, can_be_enabled)| {
            let risk = definition.risk_under(self.policy);
            let is_listed = self.has(definition.name);
            let is_left = self.limit.as_ref().is_none_or(|limit| limit.contains(definition.name));
            let can_be_enabled = can_be_enabled && is_left;
            let is_executed = most.is_some_and(|most| risk <= most);
            let is_reached = (can_be_enabled || is_executed) && self.check_reach(definition, self.policy).is_ok();
            (is_listed || is_reached).then_some(Callable { definition, risk, is_listed })
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::{Registry, Selection};
    use crate::risk::Risk;

    fn callable(toolsets: &str, exclude: &[&str], read_only: bool) -> Vec<(String, Risk, bool)> {
        let toolsets = toolsets.split(',').map(str::to_owned).collect();
        let exclude_tools = exclude.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection { toolsets, exclude_tools, read_only, ..Selection::default() };
        let registry = Registry::new(&selection).expect("a registry");
        registry.callable().map(|found| (found.definition.name.to_owned(), found.risk, found.is_listed)).collect()
    }

    #[test]
    fn it_is_what_is_listed_and_what_executors_and_enabling_reach() {
        let jobs = callable("jobs", &[], false);
        assert!(!jobs.is_empty() && jobs.iter().all(|(.., listed)| *listed));
        let has = |all: &[(String, Risk, bool)], name: &str| all.iter().any(|(known, ..)| known == name);
        let reach = callable("reach", &["delete_job"], false);
        assert!(has(&reach, "delete_cluster") && has(&reach, "apps.apps.create_space") && !has(&reach, "delete_job"));
        assert!(!has(&reach, "enable_toolset"), "no executor calls it");
        let without = callable("reach", &["call_destructive_operation"], false);
        assert!(!has(&without, "delete_cluster") && has(&without, "apps.apps.create_space"));
        let reading = callable("discovery,reach", &[], true);
        assert!(has(&reading, "list_apps") && reading.iter().all(|(_, risk, _)| *risk == Risk::Read));
        // A client can enable what no executor of this server would call.
        let enabling = callable("discovery", &[], false);
        assert!(has(&enabling, "delete_cluster") && !has(&enabling, "apps.apps.create_space"));
    }
}
