//! Other people's clients against the real binary: `cargo xtask interop`.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::{print, root};

/// Drive the real binary and the client with other people's programs
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to run; everything unless named
    #[arg(value_enum)]
    suites: Vec<Suite>,
    /// The binary to drive (by default, the one next to this program)
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// The binary, with the official MCP Python SDK and the MCP Inspector
    Clients,
    /// The server over HTTP, with these, the MCP TypeScript SDKs, the conformance suite, and through nginx
    Http,
    /// The sandbox, with the official Databricks Python SDK and SQL connector
    Sdk,
    /// The client compared with that SDK, call by call on the wire
    Differential,
    /// The client against an MLflow server
    Mlflow,
    /// The page of `cargo xtask audit --html`, in Chromium
    Page,
    /// The packages of `cargo xtask dist`: installed into clean places, and run
    Dist,
    /// The content of `deploy/`: the chart, the image's root directory, the systemd unit, nginx in front of replicas,
    /// the app
    Deploy,
}

impl Suite {
    /// Each makes and keeps what it needs under `target/`: `interop/`, `sdk/`, `mlflow/`, `page/`, `dist/` or `deploy/`.
    fn scripts(self) -> &'static [&'static str] {
        match self {
            Suite::Clients => &["tests/interop/client.py", "tests/interop/inspector.py"],
            Suite::Http => &[
                "tests/interop/over_http.py",
                "tests/interop/oauth.py",
                "tests/interop/replicas.py",
                "tests/interop/conformance.py",
            ],
            Suite::Sdk => &["tests/sdk/counts.py", "tests/sdk/sdk.py", "tests/sdk/connector.py"],
            Suite::Differential => &["tests/differential/differential.py"],
            Suite::Mlflow => &["tests/mlflow/mlflow_server.py"],
            Suite::Page => &["tests/page/page.py"],
            Suite::Dist => &["tests/dist/dist.py"],
            Suite::Deploy => &["tests/deploy/deploy.py"],
        }
    }

    /// What it drives: the page is made by this program, everything else is about the server.
    fn program(self, binary: Option<&Path>) -> Result<PathBuf> {
        let this = std::env::current_exe()?;
        let program = match (self, binary) {
            (Suite::Page, _) => this,
            (_, Some(path)) => path.to_owned(),
            (_, None) => this.with_file_name(format!("databricks-mcp-server{EXE_SUFFIX}")),
        };
        let missing = || format!("there is no binary `{}`: run `cargo build` first", program.display());
        program.canonicalize().with_context(missing)
    }

    /// Whether it calls through the program that reads calls as lines, which lies beside the binary.
    fn needs_caller(self) -> bool {
        matches!(self, Suite::Differential | Suite::Mlflow)
    }
}

/// The exit code of a script that cannot run on this machine.
const SKIPPED: i32 = 77;

/// Ends with 0 if every client is content. What cannot run on this machine is skipped, except on CI.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skip("`python3` is not on PATH")?;
        return Ok(ExitCode::SUCCESS);
    }
    let suites = if arguments.suites.is_empty() { Suite::value_variants() } else { &arguments.suites };
    if suites.iter().any(|suite| suite.needs_caller()) {
        build_caller()?;
    }
    let mut passed = true;
    for suite in suites {
        let program = suite.program(arguments.binary.as_deref())?;
        for script in suite.scripts() {
            passed &= passes(Path::new(script), &[&program])?;
        }
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn build_caller() -> Result<()> {
    let arguments = ["build", "--locked", "--quiet", "--package", "databricks", "--example", "call"];
    let status = Command::new("cargo").args(arguments).current_dir(root()).status().context("cannot run `cargo`")?;
    ensure!(status.success(), "cannot build the example `call`");
    Ok(())
}

/// Whether the packages of a directory can be installed and run; all of them, as on the day of a release.
pub(crate) fn packages(directory: &Path, build_source: bool) -> Result<bool> {
    let mut arguments = vec![Path::new("--packages"), directory];
    arguments.extend(build_source.then_some(Path::new("--source")));
    passes(Path::new("tests/dist/dist.py"), &arguments)
}

fn passes(script: &Path, arguments: &[&Path]) -> Result<bool> {
    let mut command = Command::new("python3");
    let status = command.arg(script).args(arguments).current_dir(root()).status().context("cannot run `python3`")?;
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
