//! The crates of the workspace and of other people, as `cargo metadata` tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::root;

/// What `cargo metadata` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) authors: Vec<String>,
    /// `None` for the packages of this repository.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    /// The tables of other tools.
    #[serde(default)]
    pub(crate) metadata: Value,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    /// `None` for what the code itself uses.
    kind: Option<String>,
}

impl Metadata {
    /// For every platform and with every feature.
    pub(crate) fn of_everything() -> Result<Self> {
        Self::read(&["--all-features"])
    }

    /// What a build for this target needs.
    pub(crate) fn of_target(target: &str) -> Result<Self> {
        Self::read(&["--filter-platform", target])
    }

    fn read(arguments: &[&str]) -> Result<Self> {
        let output = Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--locked", "--quiet"])
            .args(arguments)
            .current_dir(root())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed");
        }
        serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` says")
    }

    /// The package of this repository with this name.
    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        let found = self.packages.iter().find(|package| package.name == name && package.source.is_none());
        found.with_context(|| format!("there is no package `{name}`"))
    }

    /// What a package is built into: itself, and what its code uses, directly or not; with what each of them uses. What
    /// only builds or tests it is left out.
    pub(crate) fn linked<'a>(&'a self, package: &'a Package) -> BTreeMap<&'a str, Vec<&'a str>> {
        let nodes: BTreeMap<_, _> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let (mut linked, mut open) = (BTreeMap::new(), vec![package.id.as_str()]);
        while let Some(id) = open.pop() {
            if linked.contains_key(id) {
                continue;
            }
            let uses = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let uses = uses.filter(|used| used.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            let uses: BTreeSet<_> = uses.map(|used| used.pkg.as_str()).collect();
            open.extend(&uses);
            linked.insert(id, uses.into_iter().collect());
        }
        linked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_builds_or_tests_is_not_linked() {
        let package = |id: &str| {
            serde_json::json!({
                "id": id, "name": id, "version": "1.0.0", "keywords": [], "authors": [], "manifest_path": "x"
            })
        };
        let packages = ["a", "b", "c", "d", "e"].map(package);
        let uses = |id: &str, kind: Option<&str>| serde_json::json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        let metadata: Metadata = serde_json::from_value(serde_json::json!({
            "packages": packages,
            "resolve": { "nodes": [
                { "id": "a", "deps": [uses("b", None), uses("c", Some("build")), uses("d", Some("dev"))] },
                { "id": "b", "deps": [uses("e", None), uses("a", None)] },
                { "id": "c", "deps": [] },
                { "id": "d", "deps": [] },
                { "id": "e", "deps": [] },
            ] },
        }))
        .unwrap();
        let linked = metadata.linked(metadata.package("a").unwrap());
        assert_eq!(linked.keys().copied().collect::<Vec<_>>(), ["a", "b", "e"]);
        assert_eq!(linked["b"], ["a", "e"]);
    }
}
