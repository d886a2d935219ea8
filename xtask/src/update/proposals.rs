//! The file with what there is to decide: written for a person, and read again once it was edited.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use codegen::yaml::{self, Problem, STUB};
use serde_json::{Map, Value};

use super::propose::Proposal;
use super::write_file;

/// The file, below the repository.
pub(super) const FILE: &str = "target/update/proposals.yaml";

const HEADER: &str = "\
# Written by `cargo xtask update`: what to decide on the operations that are new in the API.
#
# Correct what is wrong, replace each TODO by your own words, and run `cargo xtask update` again: it moves each entry
# without a TODO into the file of its toolset in `allowlist/`. `allowlist/README.md` has the keys of an entry. A tool or a
# resource is better written there at once, and so is a use by a composite.
";

/// What a person left in the file: toolset and entry by operation.
#[derive(Debug, Default)]
pub(super) struct Edited(BTreeMap<String, (String, Map<String, Value>)>);

impl Edited {
    /// Reads the file; nothing where there is none.
    pub(super) fn read(root: &Path) -> Result<Self> {
        match std::fs::read_to_string(root.join(FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read `{FILE}`")),
            Ok(text) => Self::parse(&text).map_err(|problem| anyhow!("{problem}")),
        }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let mut edited = Self::default();
        for (operation, node) in
            yaml::parse(FILE, text)?.mapping("operations and what to decide on them")?.into_entries()
        {
            let mut entry = node.mapping("`toolset` and the keys of an entry")?;
            let toolset = entry.require("toolset")?.string()?;
            let fields = entry.into_entries().into_iter().map(|(key, node)| (key.text, node.value())).collect();
            edited.0.insert(operation.text, (toolset, fields));
        }
        Ok(edited)
    }

    /// The proposal, with what the person made of it.
    pub(super) fn apply(&self, mut proposal: Proposal) -> Proposal {
        if let Some((toolset, entry)) = self.0.get(&proposal.operation) {
            (proposal.toolset, proposal.entry) = (toolset.clone(), entry.clone());
        }
        proposal
    }
}

impl Proposal {
    /// Whether a person has written everything.
    pub(super) fn is_decided(&self) -> bool {
        let texts = self.entry.values().filter_map(Value::as_str);
        !self.entry.is_empty() && texts.chain([self.toolset.as_str()]).all(|text| !text.starts_with(STUB))
    }
}

/// A value in YAML, on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if is_word(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        // What is left of JSON is YAML too.
        other => other.to_string(),
    }
}

/// Whether a text is itself in YAML without quotes.
fn is_word(text: &str) -> bool {
    let is_plain = text.chars().all(|character| character.is_ascii_lowercase() || "_.".contains(character));
    is_plain
        && text.starts_with(char::is_alphabetic)
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text)
}

/// Writes the file; removes it where nothing is left to decide.
pub(super) fn write(root: &Path, proposals: &[Proposal]) -> Result<()> {
    let path = root.join(FILE);
    if proposals.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove `{FILE}`"))
            }
            _ => Ok(()),
        };
    }
    let mut text = HEADER.to_owned();
    for proposal in proposals {
        text.push('\n');
        proposal.because.iter().try_for_each(|line| writeln!(text, "# {line}"))?;
        writeln!(text, "{}:\n  toolset: {}", proposal.operation, proposal.toolset)?;
        proposal.entry.iter().try_for_each(|(key, value)| writeln!(text, "  {key}: {}", flow(value)))?;
    }
    write_file(root, FILE, &text)
}
