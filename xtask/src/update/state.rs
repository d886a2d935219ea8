//! Specs and allowlist before an update, as git has them, and now.

use std::path::Path;

use anyhow::{Context as _, Result};
use codegen::{Allowlist, Api};
use serde_json::Value;

use crate::git;
use crate::specs::diff::{self, Change, Documents, Surface};

/// The specs of a release.
#[derive(Debug)]
pub(super) struct Specs {
    pub(super) version: String,
    pub(super) api: Api,
    pub(super) surface: Surface,
}

/// What was exposed before the update.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) specs: Specs,
    pub(super) allowlist: Allowlist,
}

impl Before {
    /// The state of a git revision.
    pub(super) fn at(root: &Path, revision: &str) -> Result<Self> {
        let mut files = git::files(&root.join("specs"), revision, "json")?;
        let source = files.remove("source").with_context(|| format!("`{revision}` has no `specs/source.json`"))?;
        let parse = |(name, text): (&String, &String)| Ok((name.clone(), serde_json::from_str(text)?));
        let documents = files.iter().map(parse).collect::<Result<Documents>>()?;
        let specs = Specs::new(version(&source)?, Api::parse(files)?, &documents)?;
        let files = git::files(&root.join("allowlist"), revision, "yaml")?;
        let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let allowlist = Allowlist::parse(files, &specs.api).with_context(|| format!("at `{revision}`"))?;
        Ok(Self { specs, allowlist })
    }
}

impl Specs {
    /// The specs as they lie in a directory.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let source = directory.join("source.json");
        let text = std::fs::read_to_string(&source).with_context(|| format!("cannot read `{}`", source.display()))?;
        Self::new(version(&text)?, Api::load(directory)?, &diff::read(directory)?)
    }

    fn new(version: String, api: Api, documents: &Documents) -> Result<Self> {
        Ok(Self { version, api, surface: Surface::new(documents)? })
    }

    /// What changed since.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<Change> {
        diff::compare(&before.surface, &self.surface)
    }
}

fn version(source: &str) -> Result<String> {
    let source: Value = serde_json::from_str(source).context("`specs/source.json` is not JSON")?;
    let version = source.get("version").and_then(Value::as_str).context("`specs/source.json` names no version")?;
    Ok(version.to_owned())
}
