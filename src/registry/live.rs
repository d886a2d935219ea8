//! The registry of a connection, to which a client can add toolsets.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::{Registry, Tool, definition};
use crate::error::Error;

/// The tool that adds toolsets.
pub(super) const ENABLING_TOOL: &str = "enable_toolset";

/// A registry that grows when a client enables a toolset. Calls see it as it is when they begin.
#[derive(Debug)]
pub struct LiveRegistry {
    current: RwLock<Arc<Registry>>,
    /// How often it has grown.
    changes: watch::Sender<u64>,
}

impl From<Arc<Registry>> for LiveRegistry {
    fn from(registry: Arc<Registry>) -> Self {
        Self { current: RwLock::new(registry), changes: watch::Sender::new(0) }
    }
}

impl From<Registry> for LiveRegistry {
    fn from(registry: Registry) -> Self {
        Arc::new(registry).into()
    }
}

impl LiveRegistry {
    /// The registry as it is now.
    pub fn current(&self) -> Arc<Registry> {
        // Whoever held the lock has replaced the whole value or nothing.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it can grow: only then do clients hear of changes.
    pub fn can_grow(&self) -> bool {
        self.current().has(ENABLING_TOOL)
    }

    /// Hears of every change after this.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Adds the tools of a toolset, and returns all that it has here.
    ///
    /// # Errors
    /// For an unknown name, and where this server allows no tool of the toolset.
    pub fn enable(&self, toolset: &str) -> Result<Vec<Tool>, Error> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let before = current.tools().count();
        let grown = current.with_toolset(toolset)?;
        let is_of = |tool: &&Tool| tool.definition.toolset == toolset;
        let tools: Vec<_> = grown.tools().filter(is_of).cloned().collect();
        if tools.is_empty() {
            let message = format!("this server allows none of the tools of `{toolset}`");
            return Err(Error::failed(message).with_hint(
                "whoever runs it has started it with `--read-only` or `--exclude-tools`, or you may use fewer toolsets",
            ));
        }
        if grown.tools().count() > before {
            *current = Arc::new(grown);
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(tools)
    }
}

impl Registry {
    /// Whether a tool is enabled.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.tools.contains_key(name)
    }

    /// The same with one more toolset.
    fn with_toolset(&self, name: &str) -> Result<Self, Error> {
        let mut selection = self.selection.clone();
        // The name of a preset would be taken as well, and `all` would fill the context of any model.
        super::toolset(name)?;
        selection.toolsets.push(name.to_owned());
        let mut grown = Self::with(&selection, &self.tools)?;
        if let Some(limit) = &self.limit {
            grown.tools.retain(|name, _| limit.contains(name));
            grown.limit = Some(limit.clone());
        }
        grown.withheld.clone_from(&self.withheld);
        Ok(grown)
    }

    /// The tools that fit the words best, enabled or not, the best first.
    pub(crate) fn search_tools(
        &self,
        words: &str,
        policy: crate::policy::Policy,
    ) -> impl Iterator<Item = (Tool, bool)> {
        self.search(words, policy).filter(|(tool, _)| definition(tool.definition.name).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::LiveRegistry;
    use crate::registry::{Registry, Selection};

    fn live(read_only: bool) -> LiveRegistry {
        let toolsets = vec!["discovery".to_owned()];
        Registry::new(&Selection { toolsets, read_only, ..Selection::default() }).expect("a registry").into()
    }

    #[test]
    fn a_toolset_is_added_once() {
        let live = live(false);
        let (mut changes, began_with) = (live.changes(), live.current());
        let names =
            || live.enable("apps").map(|tools| tools.iter().map(|tool| tool.definition.name).collect::<Vec<_>>());
        assert!(names().is_ok_and(|names| names.contains(&"deploy_app")));
        assert!(changes.has_changed().is_ok_and(|changed| changed));
        changes.mark_unchanged();
        assert!(names().is_ok_and(|names| names.contains(&"deploy_app")), "it is told again");
        assert!(changes.has_changed().is_ok_and(|changed| !changed), "and nothing has changed");
        assert!(
            !began_with.has("deploy_app") && live.current().has("deploy_app") && live.current().has("search_tools")
        );
    }

    #[test]
    fn only_toolsets_are_added_and_only_what_is_allowed() {
        let refusal = |read_only, name: &str| live(read_only).enable(name).expect_err(name).to_string();
        assert!(refusal(false, "app").contains("did you mean `apps`?"), "{}", refusal(false, "app"));
        for name in ["all", "default", "analyst", ""] {
            assert!(refusal(false, name).contains("no toolset is named"), "{}", refusal(false, name));
        }
        let reading = live(true);
        let tools = reading.enable("apps").expect("some only read");
        assert!(tools.iter().all(|tool| !tool.definition.name.starts_with("deploy")), "{tools:?}");
    }
}
