//! What differs between two lock files: lines of blocks, and nested fields by their path.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::LOCK_FILE;
use super::lock::{EXCLUDED, HASHES, is_intact};

/// The lines of a block.
type Lines<'a> = Vec<&'a str>;

/// What differs between two lock files, one line each. Files that differ in a byte have a difference at least.
pub fn differences(accepted: &str, current: &str) -> Vec<String> {
    if accepted == current {
        return Vec::new();
    }
    let mut lines = Vec::new();
    if !accepted.is_empty() && !is_intact(accepted) {
        lines.push(format!("`{LOCK_FILE}` was edited by hand, or by a merge: its digest is that of another content"));
    }
    let old = Lock::parse(accepted);
    let new = Lock::parse(current);
    lines.extend(old.twice.iter().map(|heading| format!("{heading}: stands twice in `{LOCK_FILE}`")));
    let nested = Nested::new(&old, &new);
    let headings: BTreeSet<_> = old.blocks.keys().chain(new.blocks.keys()).copied().collect();
    for heading in headings {
        let (kind, name) = heading.split_once(' ').unwrap_or(("", heading));
        let (was, is) = (old.blocks.get(heading), new.blocks.get(heading));
        match kind {
            // Told for the operations that they are part of.
            "schema" => {}
            "file" if was.is_some() && is.is_some() => {
                let is_other = was != is;
                lines.extend(is_other.then(|| format!("{heading}: an entry changed, or a word of one")));
            }
            "operation" => lines.extend(operation(name, was, is, &nested)),
            _ => lines.extend(block(heading, was, is)),
        }
    }
    if lines.is_empty() {
        lines.push(format!("`{LOCK_FILE}` has other bytes than `cargo xtask audit --accept` writes"));
    }
    lines
}

/// The blocks of a lock file by heading.
struct Lock<'a> {
    blocks: BTreeMap<&'a str, Lines<'a>>,
    /// Headings that stand there more than once.
    twice: BTreeSet<&'a str>,
}

impl<'a> Lock<'a> {
    fn parse(text: &'a str) -> Self {
        let mut lock = Self { blocks: BTreeMap::new(), twice: BTreeSet::new() };
        for block in text.split("\n\n").map(|block| block.trim_start_matches('\n')) {
            let mut lines = block.lines();
            let Some(heading) = lines.next().filter(|heading| !heading.starts_with('#')) else { continue };
            if lock.blocks.insert(heading, lines.map(str::trim).collect()).is_some() {
                lock.twice.insert(heading);
            }
        }
        lock
    }

    /// The fields of a schema and their types.
    fn fields(&self, schema: &str) -> BTreeMap<&'a str, &'a str> {
        let lines = self.blocks.get(format!("schema {schema}").as_str());
        let field = |line: &'a str| match line.split_once(": ") {
            Some(pair) if !line.starts_with("= ") => pair,
            _ => ("", line),
        };
        lines.into_iter().flatten().map(|line| field(line)).collect()
    }
}

fn block(heading: &str, was: Option<&Lines>, is: Option<&Lines>) -> Vec<String> {
    match (was, is) {
        (Some(_), None) => vec![format!("{heading}: removed")],
        (None, Some(_)) => vec![format!("{heading}: added")],
        (Some(was), Some(is)) => changed(heading, was, is),
        (None, None) => Vec::new(),
    }
}

fn operation(id: &str, was: Option<&Lines>, is: Option<&Lines>, nested: &Nested) -> Vec<String> {
    let is_excluded = |lines: &Lines| lines.contains(&EXCLUDED);
    let line = |text: &str| vec![format!("{id}: {text}")];
    match (was, is) {
        (Some(was), None) if is_excluded(was) => line("no longer excluded"),
        (Some(_), None) => line("no longer exposed"),
        (None, Some(is)) if is_excluded(is) => line("newly excluded"),
        (None, Some(_)) => line("newly exposed"),
        (Some(was), Some(is)) if is_excluded(was) && !is_excluded(is) => line("was excluded, and is exposed"),
        (Some(was), Some(is)) if !is_excluded(was) && is_excluded(is) => line("was exposed, and is excluded"),
        (Some(was), Some(is)) => {
            let mut lines = changed(id, was, is);
            lines.extend(nested.changes(was, is).into_iter().map(|change| format!("{id}: {change}")));
            lines
        }
        (None, None) => Vec::new(),
    }
}

/// The lines that only one of two blocks has, but for the hashes, which the changes themselves stand for.
fn changed(name: &str, was: &Lines, is: &Lines) -> Vec<String> {
    let is_told = |line: &&&str| !HASHES.iter().any(|hash| line.starts_with(hash));
    let only = |some: &Lines, others: &Lines| -> Vec<String> {
        some.iter().filter(|line| !others.contains(line)).filter(is_told).map(ToString::to_string).collect()
    };
    let was_lines = only(was, is).into_iter().map(|line| format!("{name}: was  {line}"));
    let is_lines = only(is, was).into_iter().map(|line| format!("{name}: is   {line}"));
    was_lines.chain(is_lines).collect()
}

/// Finds the nested fields that changed.
struct Nested<'a> {
    old: &'a Lock<'a>,
    new: &'a Lock<'a>,
    /// Schemas that changed, or that lead to one that did.
    changed: BTreeSet<&'a str>,
}

impl<'a> Nested<'a> {
    fn new(old: &'a Lock<'a>, new: &'a Lock<'a>) -> Self {
        let names = old.blocks.keys().chain(new.blocks.keys()).filter_map(|heading| heading.strip_prefix("schema "));
        let names: BTreeSet<_> = names.collect();
        let is_other = |name: &&&str| old.fields(name) != new.fields(name);
        let mut changed: BTreeSet<_> = names.iter().filter(is_other).copied().collect();
        // Who has a field of a changed schema is changed with it, until nothing more is.
        let mut holders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for name in &names {
            for kind in [old, new].iter().flat_map(|lock| lock.fields(name).into_values()) {
                holders.entry(inner(kind).0).or_default().insert(name);
            }
        }
        let mut open: Vec<_> = changed.iter().copied().collect();
        while let Some(name) = open.pop() {
            let holders = holders.get(name).into_iter().flatten();
            open.extend(holders.filter(|holder| changed.insert(holder)));
        }
        Self { old, new, changed }
    }

    /// The fields below the parameters and the answer of an operation that changed, each at its shortest path.
    fn changes(&self, was: &Lines, is: &Lines) -> Vec<String> {
        let kept = is.iter().filter(|line| was.contains(line)).filter_map(|line| line.split_once(": "));
        let mut open: VecDeque<_> = kept.map(|(place, kind)| self::place(place, inner(kind))).collect();
        let mut seen = BTreeSet::new();
        let mut changes = Vec::new();
        while let Some((path, schema)) = open.pop_front() {
            let direction = path.starts_with("answer");
            if !self.changed.contains(schema.as_str()) || !seen.insert((direction, schema.clone())) {
                continue;
            }
            let (old, new) = (self.old.fields(&schema), self.new.fields(&schema));
            for (field, kind) in &new {
                let path = join(&path, field);
                match old.get(field) {
                    None => changes.push(format!("{path}: added, {kind}")),
                    Some(before) if before != kind => changes.push(format!("{path}: was {before}, is {kind}")),
                    Some(_) => open.push_back(place(&path, inner(kind))),
                }
            }
            let removed = old.iter().filter(|(field, _)| !new.contains_key(*field));
            changes.extend(removed.map(|(field, kind)| format!("{}: removed, {kind}", join(&path, field))));
        }
        changes
    }
}

fn place(path: &str, (name, brackets): (&str, String)) -> (String, String) {
    (format!("{path}{brackets}"), name.to_owned())
}

fn join(path: &str, field: &str) -> String {
    match (path, field) {
        (path, "") => path.to_owned(),
        // An answer has no name of its own.
        (path, field) if path.trim_end_matches(['[', ']', '{', '}']) == "answer" => format!("{path} {field}"),
        (path, field) => format!("{path}.{field}"),
    }
}

/// The type inside lists and maps, and what leads to it.
fn inner(kind: &str) -> (&str, String) {
    let mut kind = kind.strip_prefix("= ").unwrap_or(kind);
    kind = kind.split(' ').next().unwrap_or_default();
    let mut brackets = String::new();
    loop {
        if let Some(items) = kind.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            (kind, brackets) = (items, brackets + "[]");
        } else if let Some(values) = kind.strip_prefix("map(").and_then(|rest| rest.strip_suffix(')')) {
            (kind, brackets) = (values, brackets + "{}");
        } else {
            return (kind, brackets);
        }
    }
}
