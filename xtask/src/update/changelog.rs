//! `CHANGELOG.md`, in the form of Keep a Changelog: what a release of the API means for those who use the server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use codegen::Allowlist;
use codegen::allowlist::{Source, Tool};

use super::state::Before;
use super::touched::{Touch, Touched, listed};
use crate::specs::diff::{Change, How, What};
use crate::specs::wheel::DISTRIBUTION;

const FILE: &str = "CHANGELOG.md";
const UNRELEASED: &str = "## [Unreleased]";
const HEADER: &str = "\
# Changelog

What changes for people who use the server, in the form of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).
`cargo xtask update` writes the lines that begin with `API` and the release of the SDK that the specs come from.
";

/// Headings under a version, in order.
const SECTIONS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// Lines by section.
type Lines = BTreeMap<&'static str, Vec<String>>;

/// Writes what the update means, in place of what an earlier run wrote for the same release.
pub(super) fn write(root: &Path, entry: &Lines, version: &str) -> Result<()> {
    let path = root.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => HEADER.to_owned(),
        text => text.with_context(|| format!("cannot read `{FILE}`"))?,
    };
    std::fs::write(&path, with(&text, entry, version)).with_context(|| format!("cannot write `{FILE}`"))
}

/// What to say of the update from one release to another.
pub(super) fn entry(before: &Before, version: &str, allowlist: &Allowlist, touched: &[Touched<'_>]) -> Lines {
    let mut lines = Lines::new();
    let mut add = |section, line: String| lines.entry(section).or_default().push(line);
    add(
        "Changed",
        format!("the specs are those of {DISTRIBUTION} {version}; they were those of {}", before.specs.version),
    );
    let (old, new) = (&before.allowlist.tools, &allowlist.tools);
    for tool in new.values().filter(|tool| !old.contains_key(&tool.name)) {
        add("Added", format!("the tool `{}`", tool.name));
    }
    for tool in old.values().filter(|tool| !new.contains_key(&tool.name)) {
        add("Removed", format!("the tool `{}`", tool.name));
    }
    for (old, new) in new.values().filter_map(|tool| Some((old.get(&tool.name)?, tool))) {
        let (before, now) = (arguments(old), arguments(new));
        now.difference(&before).for_each(|name| add("Added", format!("`{}` takes `{name}`", new.name)));
        before.difference(&now).for_each(|name| add("Removed", format!("`{}` no longer takes `{name}`", new.name)));
    }
    let mut groups: BTreeMap<(Meaning, &[Touch]), Vec<String>> = BTreeMap::new();
    for (touched, meaning) in touched.iter().filter_map(|touched| Some((touched, meaning(touched)?))) {
        groups.entry((meaning, touched.touches.as_slice())).or_default().push(item(touched.change));
    }
    for ((meaning, touches), items) in groups {
        let items = items.join(", ");
        match meaning {
            Meaning::Gain => add("Added", format!("{} may hold {items}", listed(arguments_of(touches)))),
            Meaning::Break => add("Changed", format!("{}: {items}", listed(touches))),
            Meaning::Deprecation => add("Deprecated", format!("{}, which Databricks marks so", listed(touches))),
        }
    }
    let (old, new) = (reachable(&before.allowlist), reachable(allowlist));
    for (service, methods) in by_service(new.difference(&old)) {
        add("Added", format!("`reach` calls {methods} of `{service}`"));
    }
    let lost = old.difference(&new).filter(|id| !allowlist.decisions.get(**id).is_some_and(|found| found.is_exposed()));
    for (service, methods) in by_service(lost) {
        add("Removed", format!("`reach` no longer calls {methods} of `{service}`"));
    }
    lines
}

/// The names of the arguments that callers give.
fn arguments(tool: &Tool) -> BTreeSet<&str> {
    let arguments = tool.operation.iter().flat_map(|operation| &operation.arguments);
    let names = arguments.filter_map(|argument| match &argument.source {
        Source::Caller(input) => Some(input.name.as_str()),
        Source::Fixed(_) | Source::Uuid => None,
    });
    names.collect()
}

/// What a change means for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    /// An argument may hold more.
    Gain,
    /// A call that was right may fail, or an answer lacks something.
    Break,
    Deprecation,
}

fn meaning(touched: &Touched<'_>) -> Option<Meaning> {
    let change = touched.change;
    match change.what {
        // What is gone with its operation is told as such.
        What::Operation if change.how != How::Changed => None,
        What::Operation if change.detail == "deprecated" => Some(Meaning::Deprecation),
        _ if change.breaking => Some(Meaning::Break),
        What::Field | What::EnumValue if change.how == How::Added && !arguments_of(&touched.touches).is_empty() => {
            Some(Meaning::Gain)
        }
        _ => None,
    }
}

/// The arguments among touches, which are in order.
fn arguments_of(touches: &[Touch]) -> &[Touch] {
    let count = touches.iter().take_while(|touch| matches!(touch, Touch::Argument { .. })).count();
    touches.get(..count).unwrap_or_default()
}

/// A change in a clause; the operation that it is of stands before it already.
fn item(change: &Change) -> String {
    let is_operation = matches!(change.what, What::Operation | What::Parameter | What::Body | What::Response);
    let of = if is_operation { String::new() } else { format!(" of `{}`", change.id) };
    let value = if change.what == What::EnumValue { "the value " } else { "" };
    // A parameter has its place before its name.
    let name = change.field.rsplit(' ').next().filter(|name| !name.is_empty()).unwrap_or(&change.detail);
    match change.how {
        How::Added if change.breaking => format!("needs {value}`{name}`{of}"),
        How::Added => format!("{value}`{name}`{of}"),
        How::Removed => format!("lost {value}`{name}`{of}"),
        How::Changed => format!("changed `{}`{of}", change.detail),
    }
}

fn reachable(allowlist: &Allowlist) -> BTreeSet<&str> {
    let reachable = allowlist.decisions.iter().filter(|(_, decision)| decision.reachable.is_some());
    reachable.map(|(id, _)| id.as_str()).collect()
}

/// The names of methods by service.
fn by_service<'a>(ids: impl Iterator<Item = &'a &'a str>) -> BTreeMap<&'a str, String> {
    let mut services: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (service, method) in ids.filter_map(|id| id.rsplit_once('.')) {
        services.entry(service).or_default().push(format!("`{method}`"));
    }
    services.into_iter().map(|(service, methods)| (service, methods.join(", "))).collect()
}

/// The text with these lines under what is not released yet.
fn with(text: &str, entry: &Lines, version: &str) -> String {
    let mark = format!("- API {version}: ");
    let lines: Vec<&str> = text.lines().collect();
    let is_version = |line: &&str| line.starts_with("## ");
    let found = lines.iter().position(|line| *line == UNRELEASED);
    let start = found.or_else(|| lines.iter().position(is_version)).unwrap_or(lines.len());
    let (head, rest) = lines.split_at(start);
    let rest = rest.get(usize::from(found.is_some())..).unwrap_or_default();
    let (body, later) = rest.split_at(rest.iter().position(is_version).unwrap_or(rest.len()));
    let mut sections = sections(body.iter().filter(|line| !line.starts_with(&mark)).copied());
    for (name, added) in entry {
        let section = sections.entry(index(name)).or_insert_with(|| (format!("### {name}"), Vec::new()));
        section.1.extend(added.iter().map(|line| format!("{mark}{line}.")));
    }
    let mut text = format!("{}\n\n{UNRELEASED}\n", head.join("\n").trim_end());
    for (heading, lines) in sections.into_values() {
        let lines = lines.join("\n");
        if !lines.trim().is_empty() {
            let heading = if heading.is_empty() { String::new() } else { format!("{heading}\n\n") };
            text.push_str(&format!("\n{heading}{}\n", lines.trim_matches('\n')));
        }
    }
    if !later.is_empty() {
        text.push_str(&format!("\n{}\n", later.join("\n").trim_end()));
    }
    text
}

/// The heading and the lines of each section, in order; what stands before the first has no heading.
fn sections<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<usize, (String, Vec<String>)> {
    let mut sections = BTreeMap::new();
    let mut at = (0, String::new());
    for line in lines {
        if let Some(name) = line.strip_prefix("### ") {
            at = (index(name), line.to_owned());
        } else {
            let section: &mut (String, Vec<String>) = sections.entry(at.0).or_insert((at.1.clone(), Vec::new()));
            section.1.push(line.to_owned());
        }
    }
    sections
}

/// Where a section stands; unknown ones are last.
fn index(name: &str) -> usize {
    SECTIONS.iter().position(|section| *section == name).unwrap_or(SECTIONS.len()) + 1
}

#[cfg(test)]
mod tests {
    use super::{HEADER, Lines, with};

    #[test]
    fn lines_go_under_what_is_not_released_and_replace_those_of_the_same_release() {
        let entry =
            Lines::from([("Added", vec!["`x` takes `y`".to_owned()]), ("Removed", vec!["the tool `z`".to_owned()])]);
        let once = with(HEADER, &entry, "1.2.3");
        let expected = "## [Unreleased]\n\n### Added\n\n- API 1.2.3: `x` takes `y`.\n\n### Removed\n\n- API 1.2.3: the tool `z`.\n";
        assert_eq!(once, format!("{HEADER}\n{expected}"));
        assert_eq!(with(&once, &entry, "1.2.3"), once);
        let less = Lines::from([("Added", vec!["`x` takes `w`".to_owned()])]);
        assert_eq!(
            with(&once, &less, "1.2.3"),
            format!("{HEADER}\n## [Unreleased]\n\n### Added\n\n- API 1.2.3: `x` takes `w`.\n")
        );
    }

    #[test]
    fn what_people_wrote_stays() {
        let text = "# Changelog\n\n## [Unreleased]\n\nIn short: a lot.\n\n### Fixed\n\n- A fault.\n\n## [0.1.0] - 2026-01-02\n\n### Added\n\n- All.\n";
        let entry = Lines::from([("Changed", vec!["new specs".to_owned()])]);
        let expected = "# Changelog\n\n## [Unreleased]\n\nIn short: a lot.\n\n### Changed\n\n- API 2: new specs.\n\n### Fixed\n\n- A fault.\n\n\
                        ## [0.1.0] - 2026-01-02\n\n### Added\n\n- All.\n";
        assert_eq!(with(text, &entry, "2"), expected);
        let released = text.replace("## [Unreleased]\n\nIn short: a lot.\n\n### Fixed\n\n- A fault.\n\n", "");
        let expected = "# Changelog\n\n## [Unreleased]\n\n### Changed\n\n- API 2: new specs.\n\n## [0.1.0] - 2026-01-02\n\n### Added\n\n- All.\n";
        assert_eq!(with(&released, &entry, "2"), expected);
    }
}
