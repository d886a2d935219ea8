//! The generated parts of the README: `cargo xtask docs`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{print, root};

const README: &str = "README.md";
const START: &str = "<!-- tools: written by `cargo xtask docs` -->";
const END: &str = "<!-- end of tools -->";

/// Write the tool table of the README
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail if the table is not what it would be
    #[arg(long)]
    check: bool,
}

/// Ends with 0 if the README is, or now is, up to date.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let path = root().join(README);
    let readme = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (before, rest) = readme.split_once(START).with_context(|| format!("`{README}` has no line `{START}`"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("`{README}` has no line `{END}`"))?;
    let current = format!("{before}{START}\n{}{END}{after}", table(&root().join("allowlist"), &root().join("specs"))?);
    if current == readme {
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.check {
        print("the tool table of README.md is out of date: run `cargo xtask docs`\n")?;
        return Ok(ExitCode::from(1));
    }
    std::fs::write(&path, current).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// A table for each toolset, from the allowlist alone: the same facts that the server is built from.
fn table(allowlist: &Path, specs: &Path) -> Result<String> {
    let api = codegen::Api::load(specs)?;
    let allowlist = codegen::Allowlist::load(allowlist, &api)?;
    let mut text = String::new();
    let mut toolsets: Vec<_> = allowlist.toolsets.values().collect();
    toolsets.sort_by_key(|toolset| (!toolset.default, toolset.name.clone()));
    let mut is_folded = false;
    writeln!(text, "\nThe default profile:")?;
    for toolset in toolsets {
        if !toolset.default && !is_folded {
            writeln!(text, "\n<details><summary>Further toolsets, for <code>--toolsets</code></summary>")?;
            is_folded = true;
        }
        writeln!(text, "\n**{}** (`{}`): {}\n", toolset.title, toolset.name, toolset.description)?;
        writeln!(text, "| tool | risk | what it does |\n|---|---|---|")?;
        for tool in allowlist.tools.values().filter(|tool| tool.toolset == toolset.name) {
            let first = first_sentence(&tool.description).replace('|', "\\|");
            writeln!(text, "| `{}` | {} | {first} |", tool.name, tool.risk.name())?;
        }
    }
    if is_folded {
        writeln!(text, "\n</details>")?;
    }
    writeln!(text, "\n| resource | what it is |\n|---|---|")?;
    for resource in allowlist.resources.values() {
        let description = resource.description.trim().replace('|', "\\|");
        writeln!(text, "| `{}` | {description} |", resource.uri)?;
    }
    text.push('\n');
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
    use super::first_sentence;

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
