//! The binary: the command line, logs on stderr, and the exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use databricks_mcp_server::commands;
use databricks_mcp_server::config::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // stdout belongs to the protocol.
    tracing_subscriber::fmt()
        .with_max_level(cli.options.log_level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match commands::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
