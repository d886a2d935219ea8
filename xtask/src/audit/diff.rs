//! What a change does to the surface, for the review of a pull request: `cargo xtask audit diff <rev>`.

mod changes;
mod revision;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use self::changes::Changes;
use super::surface::Surface;
use super::tokens::Tokenizer;
use crate::{print, root};

/// Tell what a change does to the surface, as Markdown for a pull request
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
    let repository = arguments.repository.clone().unwrap_or_else(|| root().to_owned());
    let (before, commit) = revision::checkout(&repository, &arguments.revision)?;
    let old = Surface::at(before.path())
        .with_context(|| format!("cannot read the surface of `{}` by the rules of today", arguments.revision))?;
    let new = Surface::at(&repository)?;
    let changes = Changes::new(&old, &new, &Tokenizer::new()?);
    print(&text::markdown(&changes, &commit))?;
    Ok(if changes.undecided().next().is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
