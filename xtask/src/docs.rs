//! The generated documents: `cargo xtask docs`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use codegen::allowlist::{Tool, Toolset};
use codegen::{Allowlist, Api};

use crate::{print, root};

/// The file that holds every tool.
const TOOLS: &str = "docs/tools.md";
const README: &str = "README.md";
const START: &str = "<!-- toolsets: written by `cargo xtask docs` -->";
const END: &str = "<!-- end of toolsets -->";

/// Write `docs/tools.md` and the table of toolsets in the README
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail if a file is not what it would be
    #[arg(long)]
    check: bool,
}

/// Ends with 0 if the files are, or now are, up to date.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let api = codegen::Api::load(&root().join("specs"))?;
    let allowlist = codegen::Allowlist::load(&root().join("allowlist"), &api)?;
    let readme = read(README)?;
    let (before, rest) = readme.split_once(START).with_context(|| format!("`{README}` has no line `{START}`"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("`{README}` has no line `{END}`"))?;
    let current = [
        (README, format!("{before}{START}\n{}{END}{after}", toolsets(&api, &allowlist)?)),
        (TOOLS, tools(&allowlist)?),
    ];
    let mut is_current = true;
    for (name, text) in current {
        // A file that is not there yet is out of date.
        if read(name).is_ok_and(|there| there == text) {
            continue;
        }
        if arguments.check {
            print(&format!("`{name}` is out of date: run `cargo xtask docs`\n"))?;
            is_current = false;
        } else {
            std::fs::write(root().join(name), text).with_context(|| format!("cannot write `{name}`"))?;
        }
    }
    Ok(if is_current { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn read(name: &str) -> Result<String> {
    std::fs::read_to_string(root().join(name)).with_context(|| format!("cannot read `{name}`"))
}

/// The toolsets, those of the default profile first.
fn sorted(allowlist: &Allowlist) -> Vec<&Toolset> {
    let mut toolsets: Vec<_> = allowlist.toolsets.values().collect();
    toolsets.sort_by_key(|toolset| (!toolset.default, toolset.name.clone()));
    toolsets
}

fn tools_of<'a>(allowlist: &'a Allowlist, toolset: &'a Toolset) -> impl Iterator<Item = &'a Tool> {
    allowlist.tools.values().filter(|tool| tool.toolset == toolset.name)
}

/// One line for each toolset.
fn toolsets(api: &Api, allowlist: &Allowlist) -> Result<String> {
    let reachable = allowlist.decisions.values().filter(|decision| decision.reachable.is_some()).count();
    let excluded = allowlist.decisions.values().filter(|decision| decision.excluded.is_some()).count();
    let mut text = String::new();
    writeln!(
        text,
        "\n{} tools in {} toolsets, {reachable} more operations through the toolset `reach`, {} kinds of resources. Of the {} \
         operations of the API {excluded} are excluded, each with a reason:\n",
        allowlist.tools.len(),
        allowlist.toolsets.len(),
        allowlist.resources.len(),
        api.operations.len(),
    )?;
    writeln!(text, "| toolset | tools | what it is for |\n|---|---:|---|")?;
    for toolset in sorted(allowlist) {
        let default = if toolset.default { " (default)" } else { "" };
        let count = tools_of(allowlist, toolset).count();
        writeln!(text, "| `{}`{default} | {count} | {} |", toolset.name, toolset.description)?;
    }
    writeln!(
        text,
        "\nPresets are names for several of them:\n\n| preset | what it is for | toolsets |\n|---|---|---|"
    )?;
    for (name, preset) in &allowlist.presets {
        let reads = if preset.only_reads { "only the reading tools of " } else { "" };
        let names: Vec<_> = preset.toolsets.iter().map(|toolset| format!("`{toolset}`")).collect();
        writeln!(text, "| `{name}` | {} | {reads}{} |", preset.description, names.join(", "))?;
    }
    text.push('\n');
    Ok(text)
}

/// A table for each toolset, from the allowlist alone: the same facts that the server is built from.
fn tools(allowlist: &Allowlist) -> Result<String> {
    let mut text = String::from("# Tools and resources\n\nWritten by `cargo xtask docs` from `allowlist/`.\n");
    for toolset in sorted(allowlist) {
        let default = if toolset.default { ", in the default profile" } else { "" };
        writeln!(text, "\n## {} (`{}`{default})\n\n{}\n", toolset.title, toolset.name, toolset.description)?;
        writeln!(text, "| tool | risk | what it does |\n|---|---|---|")?;
        for tool in tools_of(allowlist, toolset) {
            let first = first_sentence(&tool.description).replace('|', "\\|");
            writeln!(text, "| `{}` | {} | {first} |", tool.name, tool.risk.name())?;
        }
    }
    writeln!(text, "\n## Resources\n\n| resource | what it is |\n|---|---|")?;
    for resource in allowlist.resources.values() {
        let description = resource.description.trim().replace('|', "\\|");
        writeln!(text, "| `{}` | {description} |", resource.uri)?;
    }
    writeln!(text, "\n## Operations without a tool\n")?;
    writeln!(text, "The toolset `reach` finds and calls these.\n\n| operation | risk | what it does |\n|---|---|---|")?;
    for (id, decision) in &allowlist.decisions {
        if let Some(reachable) = &decision.reachable {
            let summary = reachable.summary.replace('|', "\\|");
            writeln!(text, "| `{id}` | {} | {summary} |", reachable.risk.name())?;
        }
    }
    Ok(text)
}

/// Up to the first full stop before a capital letter or a backtick, so not that of "e.g.".
fn first_sentence(text: &str) -> &str {
    let begins = |rest: &str| rest.starts_with(|first: char| first.is_uppercase() || first == '`');
    let ends = |(index, _): &(usize, &str)| {
        text.get(index + 2..).is_some_and(begins) && !text.get(..*index).is_some_and(|before| before.ends_with("e.g"))
    };
    match text.match_indices(". ").find(ends) {
        Some((index, _)) => text.get(..=index).unwrap_or(text),
        None => text.trim_end(),
    }
}

#[cfg(test)]
mod tests {
    use super::{END, README, START, first_sentence, read};

    /// Counts are written by `cargo xtask docs`, or they are budgets that a test holds.
    #[test]
    fn no_count_is_written_by_hand() {
        const BUDGETS: [&str; 6] =
            ["40 tools", "128 tools", "10,000 tokens", "25,000 tokens", "1,500 tokens", "220 tokens"];
        const COUNTED: [&str; 5] = ["tools", "toolsets", "operations", "resources", "tokens"];
        for name in [README, "ARCHITECTURE.md", "CONTRIBUTING.md", "allowlist/README.md"] {
            let text = read(name).unwrap();
            let (before, rest) = text.split_once(START).unwrap_or((&text, ""));
            let after = rest.split_once(END).map_or("", |(_, after)| after);
            let words: Vec<_> = before.split_whitespace().chain(after.split_whitespace()).collect();
            for pair in words.windows(2) {
                let counted = pair[1].trim_matches(|letter: char| !letter.is_alphanumeric());
                let is_number = pair[0].chars().all(|digit| digit.is_ascii_digit() || digit == ',');
                let count = format!("{} {counted}", pair[0]);
                let is_by_hand = is_number && COUNTED.contains(&counted) && !BUDGETS.contains(&count.as_str());
                assert!(!is_by_hand, "`{name}` says \"{count}\": let `cargo xtask docs` write it");
            }
        }
    }

    #[test]
    fn abbreviations_do_not_end_a_sentence() {
        assert_eq!(
            first_sentence("Restarts it, e.g. after a change. Not for jobs."),
            "Restarts it, e.g. after a change."
        );
        assert_eq!(first_sentence("Works in `a`, e.g. `b`. `c` is other."), "Works in `a`, e.g. `b`.");
        assert_eq!(first_sentence("One sentence"), "One sentence");
    }
}
