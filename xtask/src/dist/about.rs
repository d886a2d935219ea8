//! What packages say of the server: `Cargo.toml` says it once.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::crates::{Metadata, Package};

/// The package of this repository that is packed.
const SERVER: &str = "databricks-mcp-server";

/// The server in the words of its manifest.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// The name of the project and of its program.
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) license: String,
    pub(super) repository: String,
    pub(super) keywords: Vec<String>,
    pub(super) more: More,
}

/// The table `package.metadata.dist`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct More {
    /// What people see in a list of servers.
    pub(super) title: String,
    pub(super) pypi: String,
    pub(super) npm: String,
    /// The name in the MCP registry.
    pub(super) mcp: String,
    pub(super) author: String,
    pub(super) email: String,
}

impl About {
    pub(super) fn read() -> Result<Self> {
        Self::of(Metadata::of_everything()?.package(SERVER)?)
    }

    fn of(package: &Package) -> Result<Self> {
        let missing = |field: &str| format!("`Cargo.toml` has no `{field}` for `{SERVER}`");
        let more = package.metadata.get("dist").cloned().with_context(|| missing("metadata.dist"))?;
        Ok(Self {
            name: package.name.clone(),
            version: package.version.clone(),
            description: package.description.clone().with_context(|| missing("description"))?,
            license: package.license.clone().with_context(|| missing("license"))?,
            repository: package.repository.clone().with_context(|| missing("repository"))?,
            keywords: package.keywords.clone(),
            more: serde_json::from_value(more).context("in `package.metadata.dist` of `Cargo.toml`")?,
        })
    }

    /// The name of the package in Python, where it names a module too.
    pub(super) fn module(&self) -> String {
        self.more.pypi.replace(['-', '.'], "_")
    }

    /// The name of a file of this version.
    pub(super) fn stem(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}
