//! The binary: the command line, logs on stderr, and the exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use databricks_mcp_server::commands;
use databricks_mcp_server::config::Cli;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(cli.options.log_level);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(commands::run(cli)).unwrap_or_else(|error| failed(&error));
    // A thread may still be reading stdin, which nothing but the client can end.
    runtime.shutdown_background();
    code
}

/// Writes logs to stderr, as stdout belongs to the protocol.
fn log(level: LevelFilter) {
    // In detail rmcp logs whole messages, and the arguments of a call may hold a secret.
    let filter = Targets::new().with_default(level).with_target("rmcp", level.min(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "error: {error}");
    ExitCode::FAILURE
}
