//! The binary: the command line, logs on stderr, and the exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use databricks_mcp_server::cli::{self, Cli};
use databricks_mcp_server::log::Log;

/// Gives the memory of a large answer back. After four of ten megabytes, glibc's allocator keeps a gigabyte for good.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the end waits for a reader of stderr.
const LAST_LINES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = Log::start(cli.options.log_level);
    let code = run(cli).unwrap_or_else(|error| {
        log.line(&format!("error: {error}"));
        ExitCode::FAILURE
    });
    log.finish(LAST_LINES);
    code
}

/// Twice the usual stack of a thread: the largest composites are deep futures, and a build without optimization puts
/// nearly 2 MiB of them on it. Memory that is not touched costs nothing.
const STACK_BYTES: usize = 4 << 20;

fn run(cli: Cli) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()?;
    let outcome = runtime.block_on(cli::run(cli));
    // A thread may still be reading stdin, which nothing but the client can end.
    runtime.shutdown_background();
    Ok(outcome?)
}
