//! The prompts of a server: those whose tools can all be called.
//!
//! What a client can enable, or an executor calls, counts as much as what is listed: a person who asks for a prompt
//! does not know which tools are listed, and the prompt says how to get the others. So the list is the same from the
//! start, whatever a client enables.

use std::collections::BTreeSet;

use super::{ENABLING_TOOL, Registry, definition};
use crate::definition::{PromptDefinition, ToolDefinition};
use crate::error::Error;
use crate::generated::{PROMPTS, RESOURCES};
use crate::nearest::{did_you_mean, shortened};

impl Registry {
    /// Every prompt that the allowlist defines.
    pub fn all_prompts() -> &'static [PromptDefinition] {
        PROMPTS
    }

    /// The prompts whose tools can all be called, by name.
    pub fn prompts(&self) -> impl Iterator<Item = &'static PromptDefinition> + use<> {
        let callable = self.callable_names();
        PROMPTS.iter().filter(move |prompt| prompt.tools.iter().all(|tool| callable.contains(tool)))
    }

    /// Whether a tool can be called: because it is listed, can be enabled, or is called by an executor.
    pub(crate) fn can_call(&self, tool: &ToolDefinition) -> bool {
        self.has(tool.name) || self.callable().any(|found| found.definition.name == tool.name)
    }

    fn callable_names(&self) -> BTreeSet<&'static str> {
        self.callable().map(|found| found.definition.name).collect()
    }

    /// A prompt by its name.
    pub(crate) fn prompt(&self, name: &str) -> Result<&'static PromptDefinition, Error> {
        let name = shortened(name);
        if let Some(prompt) = self.prompts().find(|prompt| prompt.name == name) {
            return Ok(prompt);
        }
        let Some(known) = PROMPTS.iter().find(|prompt| prompt.name == name) else {
            let hint = did_you_mean(name, self.prompts().map(|prompt| prompt.name));
            return Err(Error::bad_request(format!("no prompt is named `{name}`{hint}")));
        };
        let callable = self.callable_names();
        let missing: Vec<_> = known.tools.iter().copied().filter(|tool| !callable.contains(tool)).collect();
        let ways = toolsets(&missing).join(",");
        Err(Error::bad_request(format!(
            "prompt `{name}` needs tools that are not enabled: `{}`; whoever runs this server can enable them with \
             `--toolsets {ways}` in addition, or with `--tools`",
            missing.join("`, `"),
        )))
    }

    /// The URI template of any resource that the allowlist defines: reading it says whether it is enabled.
    pub(crate) fn template_of(&self, resource: &str) -> Option<&'static str> {
        RESOURCES.iter().find(|known| known.name == resource).map(|known| known.uri)
    }

    /// How to come by the tools of a prompt that are not listed, and what to do without.
    pub(crate) fn ways_to_tools(&self, prompt: &PromptDefinition) -> Option<String> {
        let callable = self.callable_names();
        let named = prompt.tools.iter().chain(prompt.optional).copied();
        let (hidden, missing): (Vec<_>, Vec<_>) =
            named.filter(|tool| !self.has(tool)).partition(|tool| callable.contains(tool));
        let mut notes = Vec::new();
        if !hidden.is_empty() {
            let names = hidden.join("`, `");
            notes.push(match self.has(ENABLING_TOOL) {
                true => format!(
                    "Not listed yet: `{names}`. Enable what you need with `{ENABLING_TOOL}`, toolset by toolset: {}.",
                    toolsets(&hidden).join(", ")
                ),
                false => {
                    format!("Not listed, so call them with the `call_…_operation` tool for their risk: `{names}`.")
                }
            });
        }
        if !missing.is_empty() {
            notes.push(format!("Not enabled on this server, so do without: `{}`.", missing.join("`, `")));
        }
        (!notes.is_empty()).then(|| notes.join(" "))
    }
}

/// The toolsets of tools.
fn toolsets(tools: &[&'static str]) -> Vec<&'static str> {
    let found: BTreeSet<_> = tools.iter().filter_map(|tool| definition(tool).ok()).map(|tool| tool.toolset).collect();
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::registry::{LiveRegistry, Narrowing, Registry, Selection};

    fn registry(toolsets: &str, read_only: bool, exclude: &[&str]) -> Registry {
        let toolsets = toolsets.split(',').map(str::to_owned).collect();
        let exclude_tools = exclude.iter().map(|name| (*name).to_owned()).collect();
        Registry::new(&Selection { toolsets, read_only, exclude_tools, ..Selection::default() }).expect("a registry")
    }

    fn names(registry: &Registry) -> Vec<&'static str> {
        registry.prompts().map(|prompt| prompt.name).collect()
    }

    #[test]
    fn a_prompt_is_there_when_its_tools_can_be_called() {
        let all = Registry::all_prompts().len();
        assert_eq!(names(&registry("all", false, &[])).len(), all);
        assert_eq!(names(&registry("all", true, &[])).len(), all, "none needs a tool that only writes");
        assert_eq!(names(&registry("discovery", false, &[])).len(), all, "what can be enabled counts");
        assert_eq!(names(&registry("reach", false, &[])).len(), all, "and what is called without being listed");
        let without = registry("discovery,reach", false, &["diagnose_run"]);
        assert!(!names(&without).contains(&"debug_run") && names(&without).len() + 1 == all);
        let apps = registry("apps", false, &[]);
        assert!(names(&apps).is_empty());
        let jobs = registry("jobs", false, &[]);
        assert!(names(&jobs).contains(&"debug_run") && !names(&jobs).contains(&"profile_table"));
    }

    #[test]
    fn the_list_is_the_same_whatever_is_enabled() {
        for (toolsets, read_only, exclude) in [
            ("discovery", false, &[][..]),
            ("discovery,reach", true, &["list_tables"][..]),
            ("discovery,jobs", false, &["diagnose_run", "execute_sql"][..]),
        ] {
            let live = LiveRegistry::from(registry(toolsets, read_only, exclude));
            let before = names(&live.current());
            for toolset in Registry::all_toolsets() {
                let _ = live.enable(toolset.name);
                assert_eq!(names(&live.current()), before, "{toolsets} and {}", toolset.name);
            }
        }
    }

    #[test]
    fn what_a_narrowed_caller_cannot_enable_does_not_count() {
        let toolsets = Some(vec!["discovery".to_owned(), "jobs".to_owned()]);
        let narrowing = Narrowing { toolsets, ..Narrowing::default() };
        let narrowed = registry("discovery,jobs,catalog,sql", false, &[]).narrowed(&narrowing).expect("narrowed");
        assert!(names(&narrowed).contains(&"debug_run") && !names(&narrowed).contains(&"profile_table"));
    }

    #[test]
    fn what_is_not_there_says_what_is() {
        let jobs = registry("jobs", false, &[]);
        let refusal = |name: &str| jobs.prompt(name).expect_err(name).to_string();
        assert!(refusal("debug_runs").contains("did you mean `debug_run`?"), "{}", refusal("debug_runs"));
        let text = refusal("profile_table");
        assert!(text.contains("`get_table_schema`") && text.contains("--toolsets catalog,sql"), "{text}");
    }

    #[test]
    fn tools_that_are_not_listed_come_with_the_way_to_them() {
        let way = |registry: Registry| {
            registry.ways_to_tools(registry.prompt("debug_run").expect("a prompt")).unwrap_or_default()
        };
        let discovering = way(registry("discovery", false, &[]));
        assert!(discovering.contains("`diagnose_run`") && discovering.contains("compute, jobs"), "{discovering}");
        assert!(way(registry("reach", false, &[])).contains("call_…_operation"));
        assert_eq!(
            way(registry("jobs", true, &[])),
            "Not enabled on this server, so do without: `export_notebook`, `get_cluster_events`, `repair_run`."
        );
        assert_eq!(way(registry("all", false, &[])), "");
    }
}
