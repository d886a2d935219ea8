//! Moves what was decided into the files of the allowlist, beside what was decided on the siblings.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use codegen::yaml::Position;
use serde_json::Value;

use super::entries::{Kind, named};
use super::proposals::flow;
use super::propose::Proposal;

/// The length up to which an entry is one line.
const LINE: usize = 120;

/// The sections of a toolset's file that follow its operations.
const LATER: [&str; 3] = ["undocumented:", "composites:", "exclude:"];

/// Writes an entry into the text of its toolset's file.
pub(super) fn decide(files: &mut BTreeMap<String, String>, proposal: &Proposal) -> Result<()> {
    let toolset = &proposal.toolset;
    let Some(text) = files.get(toolset) else {
        let known: Vec<_> = files.keys().map(String::as_str).collect();
        bail!(
            "`{}` is proposed for the toolset `{toolset}`, which is not there\nhint: the toolsets are {}",
            proposal.operation,
            known.join(", ")
        );
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if !beside_equal_reason(toolset, text, &mut lines, proposal)? {
        let at = place(&mut lines, &proposal.operation);
        lines.splice(at..at, entry(proposal));
    }
    files.insert(toolset.clone(), format!("{}\n", lines.join("\n")));
    Ok(())
}

/// Adds an excluded operation to the group that has the same reason, if there is one.
fn beside_equal_reason(toolset: &str, text: &str, lines: &mut Vec<String>, proposal: &Proposal) -> Result<bool> {
    let reason = proposal.entry.get("exclude").and_then(Value::as_str).filter(|_| proposal.entry.len() == 1);
    let Some(reason) = reason else { return Ok(false) };
    let named = named(toolset, text).map_err(|problem| anyhow!("{problem}"))?;
    let is_equal = |kind: &Kind| matches!(kind, Kind::Excluded(other) if other.trim() == reason.trim());
    let Some((sibling, entry)) = named.entries.iter().rfind(|(_, entry)| is_equal(&entry.kind)) else {
        return Ok(false);
    };
    let (line, column) = indices(&entry.position);
    let Some(text) = lines.get_mut(line) else { return Ok(false) };
    if let Some(indent) = text.strip_suffix(sibling).filter(|indent| indent.trim() == "-") {
        let added = format!("{indent}{}", proposal.operation);
        lines.insert(line + 1, added);
        return Ok(true);
    }
    // A list in brackets.
    let end = column + sibling.len();
    let is_there = text.get(column..end) == Some(sibling);
    if is_there {
        text.insert_str(end, &format!(", {}", proposal.operation));
    }
    Ok(is_there)
}

/// Line and column, from 0.
fn indices(position: &Position) -> (usize, usize) {
    let start = position.problem("");
    let index = |from_one: u64| usize::try_from(from_one).unwrap_or_default().saturating_sub(1);
    (index(start.line), index(start.column))
}

/// The line for an entry under `operations`: behind those of the same service, or else behind all.
fn place(lines: &mut Vec<String>, operation: &str) -> usize {
    let section = lines.iter().position(|line| line == "operations:").unwrap_or_else(|| {
        let at = lines.iter().position(|line| LATER.contains(&line.as_str())).unwrap_or(lines.len());
        lines.insert(at, "operations:".to_owned());
        at
    });
    let first = section + 1;
    let inside = |line: &&String| line.is_empty() || line.starts_with([' ', '#']);
    let end = first + lines.iter().skip(first).take_while(inside).count();
    let end = before_comments(lines, end);
    let is_key = |line: &String| line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  #");
    let service = operation.rsplit_once('.').map_or("", |(service, _)| service);
    let prefix = format!("  {service}.");
    let sibling = (first..end).rev().find(|index| lines.get(*index).is_some_and(|line| line.starts_with(&prefix)));
    match sibling {
        Some(sibling) => {
            let next = (sibling + 1..end).find(|index| lines.get(*index).is_some_and(is_key));
            next.map_or(end, |next| before_comments(lines, next))
        }
        None => end,
    }
}

/// The line before the comments and empty lines that go before a line: they belong to what follows.
fn before_comments(lines: &[String], line: usize) -> usize {
    let before = lines.iter().take(line).rev();
    line - before.take_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#')).count()
}

/// The lines of an entry.
fn entry(proposal: &Proposal) -> Vec<String> {
    let inline: Vec<_> = proposal.entry.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
    let line = format!("  {}: {{ {} }}", proposal.operation, inline.join(", "));
    if line.chars().count() <= LINE {
        return vec![line];
    }
    let block = inline.iter().map(|field| format!("    {field}"));
    std::iter::once(format!("  {}:", proposal.operation)).chain(block).collect()
}
