//! `cargo xtask specs`: the API as OpenAPI documents, imported from the source of Databricks' Python SDK.
//!
//! The way of a release: [`download`] gets its wheel, [`wheel`] gives the source files, [`import`] reads their classes ([`dataclass`], [`service`] with
//! [`method`] and [`waiter`], [`long_running`]) by matching their syntax trees with [`pattern`]s, [`link`] puts the
//! operations together as a [`model`], [`openapi`] writes them down, and [`update`] brings the files to disk.

mod call;
mod dataclass;
pub(crate) mod diff;
mod docstring;
pub(crate) mod download;
mod import;
mod link;
mod long_running;
mod method;
mod model;
mod openapi;
mod pattern;
mod python;
mod repairs;
mod resource_names;
mod service;
mod signature;
mod source;
mod types;
pub(crate) mod update;
mod waiter;
mod waits;
pub(crate) mod wheel;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What to do with the specs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write `specs/` from a release of the SDK
    Update(update::Arguments),
    /// Compare `specs/` with another state of it; ends with 1 if something breaks
    Diff(diff::Arguments),
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Update(arguments) => update::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
    }
}

/// `specs/` of this repository.
fn directory() -> PathBuf {
    crate::root().join("specs")
}
