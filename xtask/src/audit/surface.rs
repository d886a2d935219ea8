//! One state of what the server can do: specs, allowlist, and the tools as clients see them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use codegen::allowlist::{Decision, Risk};
use codegen::{Allowlist, Api};
use serde::Serialize;
use serde_json::Value;

/// What the server can do at one state of the repository.
pub(super) struct Surface {
    pub(super) api: Api,
    pub(super) allowlist: Allowlist,
    /// Tools by name, as `tools/list` shows them.
    pub(super) shown: BTreeMap<String, Value>,
}

/// How far an operation is exposed, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Exposure {
    /// Nobody has decided on it.
    Undecided,
    /// Not at all, with a reason.
    Excluded,
    /// Through the executors of the toolset `reach`.
    Reachable,
    /// Through composites or a resource.
    Used,
    /// Through a tool of its own.
    Tool,
}

impl Exposure {
    /// Every exposure, from the most to the least.
    pub(super) const ALL: [Self; 5] = [Self::Tool, Self::Used, Self::Reachable, Self::Excluded, Self::Undecided];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Excluded => "excluded",
            Self::Reachable => "reachable",
            Self::Used => "used",
            Self::Tool => "tool",
        }
    }

    fn of(decision: &Decision) -> Self {
        match decision {
            Decision { excluded: Some(_), .. } => Self::Excluded,
            Decision { tool: Some(_), .. } => Self::Tool,
            Decision { reachable: Some(_), .. } => Self::Reachable,
            _ => Self::Used,
        }
    }
}

impl Surface {
    /// The state in a directory that has `specs/`, `allowlist/` and `tests/tools/`.
    pub(super) fn at(root: &Path) -> Result<Self> {
        Self::load(&root.join("specs"), &root.join("allowlist"), &root.join("tests/tools"))
    }

    /// As [`Surface::at`], with each directory named. `tools` has a file for each tool; where it is not there, the tools that
    /// call one operation are shown all the same.
    pub(super) fn load(specs: &Path, allowlist: &Path, tools: &Path) -> Result<Self> {
        let api = Api::load(specs)?;
        let allowlist = Allowlist::load(allowlist, &api)?;
        let mut shown = BTreeMap::new();
        for definition in codegen::emit::definitions(&api, &allowlist)? {
            let name = definition.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            shown.insert(name, definition);
        }
        for name in allowlist.tools.keys() {
            let path = tools.join(format!("{name}.json"));
            // A tool that is new has no file until the snapshots are accepted.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let definition = serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", path.display()))?;
            shown.insert(name.clone(), definition);
        }
        Ok(Self { api, allowlist, shown })
    }

    /// How far an operation is exposed.
    pub(super) fn exposure(&self, id: &str) -> Exposure {
        self.allowlist.decisions.get(id).map_or(Exposure::Undecided, Exposure::of)
    }

    /// Every way to an operation: its tool, and the composites that use it.
    pub(super) fn callers<'a>(&'a self, id: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let decision = self.allowlist.decisions.get(id);
        decision.into_iter().flat_map(|decision| decision.tool.iter().chain(&decision.used_by).map(String::as_str))
    }

    /// Whether a tool of the default profile calls it.
    pub(super) fn is_default(&self, id: &str) -> bool {
        self.callers(id).any(|name| {
            let tool = self.allowlist.tools.get(name);
            let toolset = tool.and_then(|tool| self.allowlist.toolsets.get(&tool.toolset));
            toolset.is_some_and(|toolset| toolset.default)
        })
    }

    /// The risk of a call: that of its tool or of the executor. Where only composites call it, the highest of theirs, but for a
    /// read.
    pub(super) fn risk(&self, id: &str) -> Option<Risk> {
        let decision = self.allowlist.decisions.get(id)?;
        let of = |name: &String| self.allowlist.tools.get(name).map(|tool| tool.risk);
        let own = decision.tool.as_ref().and_then(of).or(decision.reachable.as_ref().map(|reachable| reachable.risk));
        let is_read = self.allowlist.operation(&self.api, id).is_some_and(|source| source.method == "GET");
        let shared = || if is_read { Some(Risk::Read) } else { decision.used_by.iter().filter_map(of).max() };
        if decision.excluded.is_some() { None } else { own.or_else(shared) }
    }
}
