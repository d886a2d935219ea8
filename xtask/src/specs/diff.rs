//! `cargo xtask specs diff`: what changed between two states of the documents, and whether it breaks a caller.

mod changes;
mod documents;
mod report;
mod surface;

#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::directory;
pub(crate) use changes::{Change, How, What, compare};
pub(crate) use documents::{Documents, read};
pub(crate) use report::line;
pub(crate) use surface::{Shape, Surface};

/// What is compared with what.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The older state: a directory of documents, or a git revision of this one
    #[arg(long, value_name = "REV|DIR")]
    against: String,
    /// The newer state (`specs` of this repository)
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Compares, prints, and ends with 1 if something breaks.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let specs = arguments.specs.clone().unwrap_or_else(directory);
    let old = documents::older(&arguments.against, &specs)?;
    let new = read(&specs)?;
    let changes = compare(&Surface::new(&old)?, &Surface::new(&new)?);
    let printed = match arguments.json {
        true => report::json(&changes)?,
        false => report::text(&changes),
    };
    write!(std::io::stdout().lock(), "{printed}")?;
    Ok(match changes.iter().any(|change| change.breaking) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}
