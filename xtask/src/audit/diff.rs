//! What a change does to the surface, for the review of a pull request: `cargo xtask audit diff <rev>`.

mod changes;
mod revision;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use self::changes::Changes;
use super::surface::Surface;
use super::tokens::Tokenizer;
use crate::{print, root};

/// Show what a change does to the surface, as Markdown for a pull request
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The git revision that the files here are compared with
    revision: String,
    /// The repository to look at (this one)
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,
}

/// Ends with 1 if more is exposed, or a risk is lower, and nobody noted who decided that.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let repository = arguments.repository.as_deref().unwrap_or(root());
    let (text, is_decided) = compare(repository, &arguments.revision)?;
    print(&text)?;
    Ok(if is_decided { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What the files of a repository change since a revision, and whether all that needs a decision has one.
fn compare(repository: &Path, revision: &str) -> Result<(String, bool)> {
    let (before, commit) = revision::checkout(repository, revision)?;
    let old = Surface::at(before.path())
        .with_context(|| format!("cannot read the surface of `{revision}` by the rules of today"))?;
    let new = Surface::at(repository)?;
    let changes = Changes::new(&old, &new, &Tokenizer::new()?);
    Ok((text::markdown(&changes, &commit), changes.undecided().next().is_none()))
}
