//! Which operations the allowlist names, and where, whether or not the API has them: what a check of the allowlist
//! cannot say while it has mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use codegen::yaml::{self, Node, Position, Problem};

/// What the files of the allowlist name.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// By operation.
    pub(super) named: BTreeMap<String, Vec<Entry>>,
    /// Operations that stand under `undocumented`.
    pub(super) undocumented: BTreeSet<String>,
    /// The text of each file, by toolset.
    pub(super) files: BTreeMap<String, String>,
}

/// A place that names an operation.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) position: Position,
    pub(super) kind: Kind,
}

/// How an operation is named.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has an entry under `operations`.
    Operation,
    /// It is excluded, for this reason.
    Excluded(String),
    /// This composite uses it.
    Used(String),
}

impl Entries {
    /// Reads the files of a directory.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let mut entries = Self::default();
        for entry in std::fs::read_dir(directory).with_context(|| format!("cannot read `{}`", directory.display()))? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "yaml") && stem != "presets" {
                let text =
                    std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
                let named = named(&format!("allowlist/{stem}.yaml"), &text).map_err(|problem| anyhow!("{problem}"))?;
                for (id, entry) in named.entries {
                    entries.named.entry(id).or_default().push(entry);
                }
                entries.undocumented.extend(named.undocumented);
                entries.files.insert(stem.to_owned(), text);
            }
        }
        Ok(entries)
    }
}

/// What one file names.
#[derive(Default)]
pub(super) struct Named {
    pub(super) entries: Vec<(String, Entry)>,
    undocumented: Vec<String>,
}

/// Reads one file.
pub(super) fn named(file: &str, text: &str) -> Result<Named, Problem> {
    let mut named = Named::default();
    let mut toolset = yaml::parse(file, text)?.mapping("a toolset")?;
    for (key, _) in entries(toolset.take("operations"))? {
        named.entries.push((key.text, Entry { position: key.position, kind: Kind::Operation }));
    }
    named.undocumented = entries(toolset.take("undocumented"))?.into_iter().map(|(key, _)| key.text).collect();
    for (composite, node) in entries(toolset.take("composites"))? {
        let uses = node.mapping("a composite")?.take("uses");
        named.list(uses, || Kind::Used(composite.text.clone()))?;
    }
    for group in items(toolset.take("exclude"))? {
        let mut group = group.mapping("`reason` and `operations`")?;
        let reason = group.string("reason")?;
        named.list(group.take("operations"), || Kind::Excluded(reason.clone()))?;
    }
    Ok(named)
}

impl Named {
    fn list(&mut self, operations: Option<Node>, kind: impl Fn() -> Kind) -> Result<(), Problem> {
        for node in items(operations)? {
            let position = node.position.clone();
            self.entries.push((node.string()?, Entry { position, kind: kind() }));
        }
        Ok(())
    }
}

fn entries(node: Option<Node>) -> Result<Vec<(yaml::Key, Node)>, Problem> {
    node.map_or(Ok(Vec::new()), |node| Ok(node.mapping("entries by name")?.into_entries()))
}

fn items(node: Option<Node>) -> Result<Vec<Node>, Problem> {
    node.map_or(Ok(Vec::new()), |node| node.sequence("a list"))
}
