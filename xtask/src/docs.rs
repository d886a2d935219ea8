//! The generated documents: `cargo xtask docs`.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use codegen::allowlist::{Confirm, PromptMessage, Tool, Toolset};
use codegen::{Allowlist, Api};

use crate::{print, root};

/// The file that holds every tool.
const TOOLS: &str = "docs/tools.md";
/// The file that holds every prompt.
const PROMPTS: &str = "docs/prompts.md";
const README: &str = "README.md";
const START: &str = "<!-- toolsets: written by `cargo xtask docs` -->";
const END: &str = "<!-- end of toolsets -->";

/// Write `docs/tools.md`, `docs/prompts.md` and the table of toolsets in the README
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail if a file is out of date
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
        (PROMPTS, prompts(&allowlist)?),
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
        "\n{} tools in {} toolsets, {reachable} more operations through the toolset `reach`, {} kinds of resources, {} prompts. Of the {} \
         operations of the API, {excluded} are excluded, each with a reason:\n",
        allowlist.tools.len(),
        allowlist.toolsets.len(),
        allowlist.resources.len(),
        allowlist.prompts.len(),
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
        "\nPresets are names for several toolsets:\n\n| preset | what it is for | toolsets and single tools |\n|---|---|---|"
    )?;
    for (name, preset) in &allowlist.presets {
        let reads = if preset.only_reads { "only the reading tools of " } else { "" };
        let names: Vec<_> = preset.toolsets.iter().chain(&preset.tools).map(|name| format!("`{name}`")).collect();
        writeln!(text, "| `{name}` | {} | {reads}{} |", preset.description, names.join(", "))?;
    }
    text.push('\n');
    Ok(text)
}

/// A table for each toolset, from the allowlist alone: the same facts that the server is built from.
fn tools(allowlist: &Allowlist) -> Result<String> {
    let mut text = String::from(TOOLS_HEAD);
    for toolset in sorted(allowlist) {
        let default = if toolset.default { ", in the default profile" } else { "" };
        writeln!(text, "\n## {} (`{}`{default})\n\n{}\n", toolset.title, toolset.name, toolset.description)?;
        writeln!(text, "| tool | risk | what it does |\n|---|---|---|")?;
        for tool in tools_of(allowlist, toolset) {
            let first = first_sentence(&tool.description).replace('|', "\\|");
            let asks = asks(tool.confirm);
            writeln!(text, "| `{}` | {}{asks} | {first} |", tool.name, tool.risk.name())?;
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
            let asks = asks(reachable.confirm);
            writeln!(text, "| `{id}` | {}{asks} | {summary} |", reachable.risk.name())?;
        }
    }
    Ok(text)
}

/// What is said of when a tool asks a person.
fn asks(confirm: Option<Confirm>) -> &'static str {
    match confirm {
        None => "",
        Some(Confirm::Always) => ", always asks",
        Some(Confirm::SqlWrites) => ", asks by statement",
        Some(Confirm::Never) => ", never asks",
    }
}

/// A section for each prompt.
fn prompts(allowlist: &Allowlist) -> Result<String> {
    let mut text = String::from(PROMPTS_HEAD);
    writeln!(text, "| prompt | what it is for |\n|---|---|")?;
    for prompt in allowlist.prompts.values() {
        writeln!(text, "| [`{0}`](#{0}) | {1} |", prompt.name, prompt.description.replace('|', "\\|"))?;
    }
    for prompt in allowlist.prompts.values() {
        writeln!(text, "\n## `{}`\n\n{}. {}\n", prompt.name, prompt.title, prompt.description)?;
        if !prompt.arguments.is_empty() {
            writeln!(text, "| argument | | what it is |\n|---|---|---|")?;
        }
        for argument in &prompt.arguments {
            let required = if argument.required { "required" } else { "" };
            let description = argument.description.replace('|', "\\|");
            writeln!(text, "| `{}` | {required} | {description} E.g. `{}`. |", argument.name, argument.example)?;
        }
        let names = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let before = if prompt.arguments.is_empty() { "" } else { "\n" };
        writeln!(text, "{before}Needs {}.", names(&prompt.tools))?;
        if !prompt.optional.is_empty() {
            writeln!(text, "Also uses, if enabled: {}.", names(&prompt.optional))?;
        }
        let embeds = prompt.messages.iter().filter_map(|message| match message {
            PromptMessage::Embed { resource, .. } => Some(resource.clone()),
            PromptMessage::Text(_) => None,
        });
        let embeds: Vec<_> = embeds.collect();
        if !embeds.is_empty() {
            writeln!(text, "Embeds the current state of the resource {}.", names(&embeds))?;
        }
    }
    Ok(text)
}

const TOOLS_HEAD: &str = "# Tools and resources

Written by `cargo xtask docs` from `allowlist/`.

What `always asks`, a person has to confirm ([confirm.md](confirm.md)); of the rest, what is destructive is confirmed where the client can ask.
";

const PROMPTS_HEAD: &str = "# Prompts

Written by `cargo xtask docs` from `allowlist/prompts/`.

A prompt is a common task, worded so that a model uses the tools well: which to call in which order, what to look for, what to
answer with, and what not to do. Clients show prompts to people, often behind `/`. Each tells the model to change nothing without
asking.

A prompt is listed if each tool that it needs can be called: because the tool is listed, because a client can enable it, or because
an executor of `reach` calls it. In the last two cases, and for tools that it only names, the prompt says how to get them.

What a prompt embeds is read when a client asks for the prompt, within the budget of one answer, under the policy file and with a
line in the audit log, like any resource. The prompt tells the model that this is data, not an instruction. If it cannot be read,
the prompt says so and continues without it. With several workspaces, each prompt also takes `workspace`.

The server completes arguments while somebody types: names of catalogs, schemas, tables and volumes part by part, jobs, runs,
clusters, warehouses and pipelines by name, notebooks and folders by path, depending on what was chosen before. It completes the
variables of resource templates in the same way. It offers only what an enabled tool lists, and nothing that the policy file denies.
A keystroke costs at most one request to the workspace, and none while the list is cached (`--cache-ttl`); of a long list, each
keystroke reads one more page.

At a terminal: `databricks-mcp-server prompts list`, and `databricks-mcp-server prompts show NAME '{...}'` with arguments as JSON.

";

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
