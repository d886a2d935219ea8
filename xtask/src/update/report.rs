//! What an update reports to the person who runs it.

use std::collections::BTreeMap;
use std::fmt::{Error, Write as _};

use codegen::yaml::Problem;

use super::entries::{Entries, Entry, Kind};
use super::proposals::FILE;
use super::propose::Proposal;
use super::state::{Before, Specs};
use super::touched::{self, Touch, Touched};
use crate::specs::diff::{self, Change, How};
use crate::specs::wheel::DISTRIBUTION;

/// The changes that touch what is exposed, and how many do not.
pub(super) fn changes(
    changes: &[Change],
    touched: &[Touched<'_>],
    before: &Before,
    now: &Specs,
) -> Result<String, Error> {
    let mut text = String::new();
    let breaking = touched.iter().filter(|touched| touched.change.breaking).count();
    for (heading, is_breaking, count) in
        [("break what is exposed", true, breaking), ("touch what is exposed", false, touched.len() - breaking)]
    {
        writeln!(text, "\n{count} change(s) {heading}{}", if count == 0 { "" } else { ":" })?;
        let mut groups: BTreeMap<&[Touch], Vec<&Change>> = BTreeMap::new();
        for touched in touched.iter().filter(|touched| touched.change.breaking == is_breaking) {
            groups.entry(&touched.touches).or_default().push(touched.change);
        }
        for (touches, changes) in groups {
            writeln!(text, "  {}", touched::listed(touches))?;
            changes.into_iter().try_for_each(|change| writeln!(text, "    {}", diff::line(change)))?;
        }
    }
    let is_operation = |change: &Change| change.what == diff::What::Operation && change.how == How::Added;
    let new = changes.iter().filter(|change| is_operation(change)).count();
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    let is_touched = |change: &Change| touched.iter().any(|touched| std::ptr::eq(touched.change, change));
    for change in changes.iter().filter(|change| !is_operation(change) && !is_touched(change)) {
        *others.entry(&change.package).or_default() += 1;
    }
    let count: usize = others.values().sum();
    let packages: Vec<_> = others.iter().map(|(package, count)| format!("{package} {count}")).collect();
    let packages = if packages.is_empty() { String::new() } else { format!(" ({})", packages.join(", ")) };
    writeln!(
        text,
        "\n{count} change(s) touch nothing that was exposed in {DISTRIBUTION} {}{packages}",
        before.specs.version
    )?;
    writeln!(text, "{new} operation(s) are new in {}", now.version)?;
    Ok(text)
}

/// The decisions that went into the allowlist.
pub(super) fn taken_over(decided: &[Proposal]) -> Result<String, Error> {
    let mut text = String::new();
    writeln!(text, "\n{} decision(s) moved from `{FILE}` into the allowlist:", decided.len())?;
    for proposal in decided {
        writeln!(text, "  {} into allowlist/{}.yaml", described(proposal), proposal.toolset)?;
    }
    Ok(text)
}

/// What a person has to decide or to correct.
pub(super) fn open(
    open: &[Proposal],
    entries: &Entries,
    now: &Specs,
    before: &Before,
    problems: &[Problem],
) -> Result<String, Error> {
    let mut text = String::new();
    let gone = gone(entries, now, before);
    if !gone.is_empty() {
        writeln!(text, "\nthe API no longer has these:")?;
        gone.iter().try_for_each(|problem| writeln!(text, "  {problem}"))?;
    }
    let is_told = |problem: &&Problem| gone.iter().any(|told| (&told.file, told.line) == (&problem.file, problem.line));
    let others: Vec<_> = problems.iter().filter(|problem| !is_told(problem)).collect();
    if !others.is_empty() {
        writeln!(text, "\nto correct in the allowlist:")?;
        others.iter().try_for_each(|problem| writeln!(text, "  {problem}"))?;
    }
    if !open.is_empty() {
        writeln!(text, "\n{} operation(s) to decide, prepared in `{FILE}`:", open.len())?;
        for proposal in open {
            writeln!(text, "  {} in {}", described(proposal), proposal.toolset)?;
            proposal.because.iter().try_for_each(|line| writeln!(text, "      {line}"))?;
        }
    }
    writeln!(text, "\nthen run `cargo xtask update` again")?;
    Ok(text)
}

/// The places of the allowlist that name an operation which the API no longer has, and what to do there.
fn gone(entries: &Entries, now: &Specs, before: &Before) -> Vec<Problem> {
    let is_known = |id: &String| now.api.operations.contains_key(id) || entries.undocumented.contains(id);
    let named = entries.named.iter().filter(|(id, _)| !is_known(id));
    let places = named.flat_map(|(id, places)| places.iter().map(move |place| (id, place)));
    let problem = |(id, place): (&String, &Entry)| {
        let tool = before.allowlist.decisions.get(id).and_then(|decision| decision.tool.as_ref());
        let what = match (&place.kind, tool) {
            (Kind::Operation, Some(tool)) => format!("delete the entry, and with it the tool `{tool}`"),
            (Kind::Operation, None) => "delete the entry".to_owned(),
            (Kind::Excluded(_), _) => "delete it from the list".to_owned(),
            (Kind::Used(composite), _) => format!("`{composite}` has to do without it"),
        };
        place.position.problem(format!("`{id}` is gone: {what}"))
    };
    places.map(problem).collect()
}

fn described(proposal: &Proposal) -> String {
    let Proposal { operation, entry, .. } = proposal;
    let text = |key: &str| entry.get(key).and_then(serde_json::Value::as_str);
    match (text("reach"), text("tool")) {
        (Some(risk), _) => format!("{operation}: reach, {risk},"),
        (None, Some(tool)) => format!("{operation}: tool `{tool}`,"),
        (None, None) => format!("{operation}: {},", entry.keys().next().map_or("nothing", String::as_str)),
    }
}
