//! The file with what there is to decide: written for a person, and read again once it was edited.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use codegen::yaml::{self, Key, Node, Problem, STUB};

use super::propose::{Proposal, What};
use super::write_file;

/// The file, below the repository.
pub(super) const FILE: &str = "target/update/proposals.yaml";

const HEADER: &str = "\
# Written by `cargo xtask update`: what to decide on the operations that are new in the API.
#
# Correct what is wrong, replace each TODO by your own words, and run `cargo xtask update` again: it moves each entry
# without a TODO into the file of its toolset in `allowlist/`. An entry has `reach` and `summary`, or `exclude` with a
# reason. To make a tool or a resource of an operation, or to let a composite use it, write that into `allowlist/`
# yourself.
";

/// What a person left in the file, by operation.
#[derive(Debug, Default)]
pub(super) struct Edited(BTreeMap<String, (String, What)>);

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
        let entries = yaml::parse(FILE, text)?.mapping("operations and what to decide on them")?.into_entries();
        entries.into_iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// The proposal, with what the person made of it.
    pub(super) fn apply(&self, mut proposal: Proposal) -> Proposal {
        if let Some((toolset, what)) = self.0.get(&proposal.operation) {
            (proposal.toolset, proposal.what) = (toolset.clone(), what.clone());
        }
        proposal
    }
}

fn entry((key, node): (Key, Node)) -> Result<(String, (String, What)), Problem> {
    let mut entry = node.mapping("`toolset`, and `reach` with `summary`, or `exclude`")?;
    let toolset = entry.require("toolset")?.string()?;
    let what = match entry.take("exclude") {
        Some(reason) => What::Exclude { reason: reason.string()? },
        None => What::Reach {
            risk: entry.require("reach")?.string()?,
            summary: entry.require("summary")?.string()?,
            secret: entry.strings("secret")?,
        },
    };
    entry.finish()?;
    Ok((key.text, (toolset, what)))
}

impl Proposal {
    /// Whether a person has written everything.
    pub(super) fn is_decided(&self) -> bool {
        let text = match &self.what {
            What::Reach { summary, .. } => summary,
            What::Exclude { reason } => reason,
        };
        [&self.toolset, text].iter().all(|text| !text.starts_with(STUB))
    }
}

impl What {
    /// The keys of the entry and their values, in YAML.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Reach { risk, summary, secret } => {
                let mut fields = vec![("reach", risk.clone()), ("summary", quoted(summary))];
                if !secret.is_empty() {
                    fields.push(("secret", format!("[{}]", secret.join(", "))));
                }
                fields
            }
            Self::Exclude { reason } => vec![("exclude", quoted(reason))],
        }
    }
}

/// A text of JSON is one of YAML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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
        proposal.what.fields().iter().try_for_each(|(key, value)| writeln!(text, "  {key}: {value}"))?;
    }
    write_file(root, FILE, &text)
}
