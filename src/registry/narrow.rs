//! Narrowing a registry for one caller.

use std::collections::BTreeSet;

use super::{Registry, Selection};
use crate::error::Error;

/// What is left of a registry for a caller. It can take away, and never adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Narrowing {
    /// Names of toolsets or presets; `None` leaves all.
    pub(crate) toolsets: Option<Vec<String>>,
    /// Names of tools, besides the toolsets; `None` leaves all.
    pub(crate) tools: Option<Vec<String>>,
    /// Whether nothing but reading is left.
    pub(crate) read_only: bool,
}

impl Narrowing {
    /// Whether everything is left.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Registry {
    /// The part of this registry that a narrowing leaves.
    ///
    /// # Errors
    /// For a name of no toolset or tool, with the nearest match.
    pub(crate) fn narrowed(&self, narrowing: &Narrowing) -> Result<Self, Error> {
        let (toolsets, tools) = match (&narrowing.toolsets, &narrowing.tools) {
            (None, None) => (self.selection.toolsets.clone(), self.selection.tools.clone()),
            (toolsets, tools) => (toolsets.clone().unwrap_or_default(), tools.clone().unwrap_or_default()),
        };
        let read_only = self.selection.read_only || narrowing.read_only;
        let selection = Selection { toolsets, tools, read_only, ..self.selection.clone() };
        let mut narrowed = Self::with(&selection, &self.tools)?;
        // What is enabled later is of the same toolsets, too.
        if narrowing.toolsets.is_some() || narrowing.tools.is_some() {
            let named: BTreeSet<_> = narrowed.tools.keys().copied().collect();
            narrowed.limit = Some(match &self.limit {
                Some(before) => before.intersection(&named).copied().collect(),
                None => named,
            });
        } else {
            narrowed.limit.clone_from(&self.limit);
        }
        narrowed.tools.retain(|name, _| self.tools.contains_key(name));
        let taken = self.tools.keys().copied().filter(|name| !narrowed.tools.contains_key(name));
        narrowed.withheld = taken.chain(self.withheld.iter().copied()).collect();
        let left: BTreeSet<_> = narrowed.tools.values().map(|tool| tool.definition.toolset).collect();
        let had = |name: &str| self.toolsets.iter().any(|toolset| toolset.name == name);
        narrowed.toolsets.retain(|toolset| left.contains(toolset.name) && had(toolset.name));
        narrowed.resources.retain(|resource| self.resources.iter().any(|known| known.name == resource.name));
        Ok(narrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::Narrowing;
    use crate::registry::{LiveRegistry, Registry, Selection};

    fn names(toolsets: &[&str]) -> Vec<String> {
        toolsets.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_narrowing_takes_away_and_never_adds() {
        let registry = Registry::new(&Selection { toolsets: names(&["jobs", "sql"]), ..Selection::default() });
        let registry = registry.expect("a registry");
        let left = |narrowing: Narrowing| -> Vec<_> {
            registry.narrowed(&narrowing).expect("narrowed").tools().map(|tool| tool.definition.name).collect()
        };
        let all = left(Narrowing::default());
        assert_eq!(all, registry.tools().map(|tool| tool.definition.name).collect::<Vec<_>>());
        let jobs = left(Narrowing { toolsets: Some(names(&["jobs", "secrets"])), ..Narrowing::default() });
        assert!(jobs.contains(&"create_job") && !jobs.contains(&"execute_sql") && !jobs.contains(&"put_secret"));
        let one = left(Narrowing { tools: Some(names(&["list_jobs", "put_secret"])), ..Narrowing::default() });
        assert_eq!(one, ["list_jobs"]);
        let reading = left(Narrowing { read_only: true, ..Narrowing::default() });
        assert!(reading.contains(&"list_jobs") && !reading.contains(&"create_job"));
        let none = left(Narrowing { toolsets: Some(Vec::new()), ..Narrowing::default() });
        assert!(none.iter().all(|name| all.contains(name)), "{none:?}");
        let unknown = registry.narrowed(&Narrowing { toolsets: Some(names(&["job"])), ..Narrowing::default() });
        assert!(unknown.is_err_and(|error| error.to_string().contains("did you mean `jobs`?")));
    }

    #[test]
    fn what_finds_other_tools_is_narrowed_as_well() {
        let selection = Selection { toolsets: names(&["discovery", "reach"]), ..Selection::default() };
        let registry = Registry::new(&selection).expect("a registry");
        let narrowed = registry.narrowed(&Narrowing { read_only: true, ..Narrowing::default() }).expect("narrowed");
        assert!(narrowed.is_read_only() && narrowed.tool("call_write_operation").is_err());
        let of_jobs =
            registry.narrowed(&Narrowing { toolsets: Some(names(&["discovery", "jobs"])), ..Narrowing::default() });
        let live = LiveRegistry::from(of_jobs.expect("narrowed"));
        let refused = live.enable("identity").expect_err("it is not of these toolsets");
        assert!(refused.to_string().contains("allows none of the tools"), "{refused}");
        assert!(live.enable("jobs").is_ok() && live.current().tool("create_job").is_ok());
    }
}
