//! Chores of this repository that are too slow, too surprising or too rare for a build script: `cargo xtask <chore>`.

mod specs;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Chores of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Import the API's description, or compare two imports
    #[command(subcommand)]
    Specs(specs::Command),
}

/// Ends with 0 for success, 1 for a finding (a check that failed, a breaking change), and 2 for an error.
fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to do when this fails too.
            _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.chore {
        Chore::Specs(command) => specs::run(&command),
    }
}
