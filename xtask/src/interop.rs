//! Real MCP clients against the real binary: `cargo xtask interop`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::print;

/// Drive the real binary with the official Python SDK and the MCP Inspector
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The binary to drive
    #[arg(long, default_value = "target/debug/databricks-mcp-server", value_name = "FILE")]
    binary: PathBuf,
}

const SCRIPTS: &str = "tests/interop";
const WORK: &str = "target/interop";

/// Ends with 0 if both clients are content. Where Python or npm is missing, says so and skips what needs
/// it, except on CI.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let binary = arguments.binary.canonicalize().with_context(|| {
        format!("there is no binary `{}`: run `cargo build` first", arguments.binary.display())
    })?;
    std::fs::create_dir_all(WORK).with_context(|| format!("cannot make `{WORK}`"))?;
    if !is_there("python3", "--version")? {
        return Ok(ExitCode::SUCCESS);
    }
    let mut passed = python_client(&binary)?;
    if is_there("npm", "--version")? {
        passed &= inspector(&binary)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn is_there(program: &str, argument: &str) -> Result<bool> {
    if Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success()) {
        return Ok(true);
    }
    if std::env::var_os("CI").is_some_and(|value| value == "true") {
        bail!("`{program}` is not on PATH, and CI=true allows no check to be skipped");
    }
    print(&format!("skipped: `{program}` is not on PATH\n"))?;
    Ok(false)
}

fn python_client(binary: &Path) -> Result<bool> {
    let venv = Path::new(WORK).join("venv");
    let python = venv.join("bin").join("python");
    let requirements = Path::new(SCRIPTS).join("requirements.txt");
    if !python.exists() {
        must(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    must(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements))?;
    succeeds(Command::new(&python).arg(Path::new(SCRIPTS).join("client.py")).arg(binary))
}

fn inspector(binary: &Path) -> Result<bool> {
    let python = Path::new(WORK).join("venv").join("bin").join("python");
    succeeds(Command::new(python).arg(Path::new(SCRIPTS).join("inspector.py")).arg(binary))
}

fn must(command: &mut Command) -> Result<()> {
    ensure!(succeeds(command)?, "`{}` failed", command.get_program().to_string_lossy());
    Ok(())
}

fn succeeds(command: &mut Command) -> Result<bool> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run `{program}`"))?;
    Ok(status.success())
}
