//! Every check in one command: `cargo xtask ci`.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{print, root};

/// Run every check that a change must pass
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Stop at the first check that fails
    #[arg(long)]
    fail_fast: bool,
}

/// A check: its name and its command line.
type Check = (&'static str, &'static [&'static str]);

const CHECKS: [Check; 16] = [
    ("format", &["cargo", "xtask", "format", "--check"]),
    ("lints", &["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ("tests", &["cargo", "test", "--workspace", "--locked", "--quiet"]),
    ("audit", &["cargo", "xtask", "audit", "--exercised"]),
    ("dependencies", &["cargo", "xtask", "dependencies"]),
    ("generated docs", &["cargo", "xtask", "docs", "--check"]),
    ("specs", &["cargo", "xtask", "specs", "update", "--check"]),
    ("documentation", &["cargo", "doc", "--workspace", "--no-deps", "--locked", "--quiet"]),
    ("build", &["cargo", "build", "--locked", "--quiet"]),
    ("interop", &["cargo", "xtask", "interop", "clients", "sdk"]),
    ("http", &["cargo", "xtask", "interop", "http"]),
    ("differential", &["cargo", "xtask", "interop", "differential"]),
    ("page", &["cargo", "xtask", "interop", "page"]),
    ("dist", &["cargo", "xtask", "interop", "dist"]),
    ("deploy", &["cargo", "xtask", "interop", "deploy"]),
    ("mlflow", &["cargo", "xtask", "interop", "mlflow"]),
];

/// Ends with 0 if every check passed.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut failed = Vec::new();
    for (name, command) in CHECKS {
        print(&format!("== {name}: {}\n", command.join(" ")))?;
        let started = Instant::now();
        let passed = passes(command).with_context(|| format!("in check `{name}`"))?;
        let outcome = if passed { "passed" } else { "FAILED" };
        print(&format!("== {name} {outcome} in {} s\n", started.elapsed().as_secs()))?;
        if !passed {
            failed.push(name);
            if arguments.fail_fast {
                break;
            }
        }
    }
    if failed.is_empty() {
        print("== every check passed\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("== failed: {}\n", failed.join(", ")))?;
    Ok(ExitCode::from(1))
}

fn passes(command: &[&str]) -> Result<bool> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).env("RUSTDOCFLAGS", "-D warnings");
    Ok(command.status().with_context(|| format!("cannot run `{program}`"))?.success())
}
