//! Other people's clients against the real binary: `cargo xtask interop`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::print;

/// Drive the real binary with the official Python SDK of MCP and with the MCP Inspector, its sandbox with the official
/// Python SDK of Databricks and its SQL connector; compare the client with that SDK on the wire, and let it drive an
/// MLflow server
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The binary to drive
    #[arg(long, default_value = "target/debug/databricks-mcp-server", value_name = "FILE")]
    binary: PathBuf,
}

/// Each makes and keeps what it needs under `target/`: `interop/`, `sdk/` or `mlflow/`.
const SCRIPTS: [&str; 6] = [
    "tests/interop/client.py",
    "tests/interop/inspector.py",
    "tests/sdk/sdk.py",
    "tests/sdk/connector.py",
    "tests/differential/differential.py",
    "tests/mlflow/mlflow_server.py",
];
/// The program that calls any operation; scripts find it beside the binary.
const CALLER: [&str; 6] = ["build", "--locked", "--quiet", "--package=databricks", "--example=call", "--message-format=short"];
/// The exit code of a script that cannot run on this machine.
const SKIPPED: i32 = 77;

/// Ends with 0 if every client is content. What cannot run on this machine is skipped, except on CI.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let binary = arguments
        .binary
        .canonicalize()
        .with_context(|| format!("there is no binary `{}`: run `cargo build` first", arguments.binary.display()))?;
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skip("`python3` is not on PATH")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut passed = true;
    for script in SCRIPTS {
        passed &= passes(Path::new(script), &binary)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn passes(script: &Path, binary: &Path) -> Result<bool> {
    let status = Command::new("python3").arg(script).arg(binary).status().context("cannot run `python3`")?;
    if status.code() == Some(SKIPPED) {
        skip(&format!("`{}` cannot run here", script.display()))?;
        return Ok(true);
    }
    Ok(status.success())
}

fn skip(reason: &str) -> Result<()> {
    if std::env::var_os("CI").is_some_and(|value| value == "true") {
        bail!("{reason}, and CI=true allows no check to be skipped");
    }
    print(&format!("skipped: {reason}\n"))
}
