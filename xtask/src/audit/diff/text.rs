//! The changes as Markdown for a pull request.

use std::fmt::Write as _;

use super::super::markdown::{escape, table};
use super::changes::{Changes, Raised};

/// The whole text; every name in it is escaped.
pub(super) fn markdown(changes: &Changes, commit: &str) -> String {
    let mut text = format!("# Change of the surface since {}\n\n", escape(commit));
    let figures = changes.figures.iter().filter(|(_, before, now)| before != now);
    let rows: Vec<_> = figures
        .map(|(name, before, now)| vec![name.clone(), before.to_string(), now.to_string(), difference(*before, *now)])
        .collect();
    if !rows.is_empty() {
        table(&mut text, &["", "before", "now", "difference"], rows);
    }
    let undecided: Vec<_> = changes.undecided().map(raised).collect();
    section(&mut text, "Raised without a `decided` note", undecided);
    let decided = changes.raised.iter().filter(|raised| raised.decided.is_some());
    section(&mut text, "Raised, and decided", decided.map(raised));
    let added = changes.added.iter().map(|tool| {
        let (name, toolset) = (escape(&tool.name), escape(&tool.toolset));
        format!("**{name}** ({}, toolset {toolset}, {} tokens): {}", tool.risk, tool.tokens, escape(&tool.description))
    });
    section(&mut text, "Tools added", added);
    section(&mut text, "Tools removed", changes.removed.iter().map(|name| format!("**{}**", escape(name))));
    let changed = changes.changed.iter().map(|tool| {
        let (before, now) = tool.tokens;
        let clauses: String = tool.clauses.iter().map(|clause| format!("\n  - {}", escape(clause))).collect();
        format!("**{}** ({before} → {now} tokens, {}){clauses}", escape(&tool.name), difference(before, now))
    });
    section(&mut text, "Tools changed", changed);
    section(&mut text, "Exclusions lifted", changes.lifted.iter().map(|id| escape(id)));
    section(&mut text, "Exposed less", changes.lowered.iter().map(|line| escape(line)));
    section(
        &mut text,
        "Operations, toolsets, presets, resources and prompts",
        changes.lines.iter().map(|line| escape(line)),
    );
    if !text.contains("\n## ") {
        text.push_str("Nothing changes.\n");
    }
    text
}

fn raised(raised: &Raised) -> String {
    let (name, what) = (escape(&raised.name), escape(&raised.what));
    match &raised.decided {
        None => format!("**{name}**: {what}"),
        Some(note) => {
            let (by, why, date) = (escape(&note.by), escape(&note.why), escape(&note.date));
            format!("**{name}**: {what}. Decided by {by} on {date}: {why}")
        }
    }
}

fn section(text: &mut String, title: &str, items: impl IntoIterator<Item = String>) {
    let items: Vec<_> = items.into_iter().collect();
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "## {title} ({})\n", items.len());
    items.iter().for_each(|item| *text += &format!("- {item}\n"));
    text.push('\n');
}

fn difference(before: usize, now: usize) -> String {
    if now >= before { format!("+{}", now - before) } else { format!("−{}", before - now) }
}
