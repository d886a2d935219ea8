//! Formatting: `cargo fmt`, and the files that it does not find since the build declares their modules.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::root;

/// What to do with what is not formatted.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail where something is not formatted
    #[arg(long)]
    check: bool,
}

/// The directories whose modules the build declares.
const DECLARED_BY_THE_BUILD: [&str; 2] = ["src/tools", "src/readers"];

/// Ends with 0 if all is formatted.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut files = Vec::new();
    for directory in DECLARED_BY_THE_BUILD {
        let found = codegen::emit::Functions::find(&root().join(directory))?;
        files.extend(found.names().map(|name| root().join(directory).join(name).with_extension("rs")));
    }
    let mut command = Command::new("cargo");
    command.current_dir(root()).args(["fmt", "--all"]);
    if arguments.check {
        command.arg("--check");
    }
    command.arg("--").args::<Vec<PathBuf>, _>(files);
    let status = command.status().context("cannot run `cargo fmt`")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
