//! Chores of this repository that are too slow, too surprising or too rare for a build script: `cargo xtask <chore>`.

mod archive;
mod audit;
#[cfg(unix)]
mod bench;
mod ci;
mod crates;
mod dependencies;
mod dist;
mod docs;
mod format;
mod git;
#[cfg(unix)]
mod image;
mod interop;
mod release;
mod specs;
mod update;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use specs::download::Unavailable;

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Check the allowlist against the specs: what is exposed, excluded, undecided or changed
    Audit(audit::Arguments),
    /// Measure the server over stdio beside the same requests without it
    #[cfg(unix)]
    Bench(bench::Arguments),
    /// Run every check that a change must pass
    Ci(ci::Arguments),
    /// Check the licenses of what the binary is built from, and known vulnerabilities
    Dependencies,
    /// Write the packages of the server for this platform, with checksums, licenses and a list of what is in it
    Dist(dist::Arguments),
    /// Write `docs/tools.md` and the table of toolsets in the README
    Docs(docs::Arguments),
    /// Format the code, `src/tools/` and `src/readers/` too, which `cargo fmt` alone does not find
    Format(format::Arguments),
    /// Write an OCI image of the server, without a container engine
    #[cfg(unix)]
    Image(image::Arguments),
    /// Drive the real binary with real MCP clients
    Interop(interop::Arguments),
    /// Build the release binary, without paths of this machine in it
    Release(release::Arguments),
    /// Call the server for a long time, and see that it holds no more at the end
    #[cfg(unix)]
    Soak(bench::SoakArguments),
    /// Import the API's description, or compare two imports
    #[command(subcommand)]
    Specs(specs::Command),
    /// Bring specs, allowlist and generated files to the newest release of the API
    Update(update::Arguments),
}

/// Ends with 0 for success, 1 for a finding (a check that failed, a breaking change), and 2 for an error, but for what
/// [`Unavailable`] and [`update`] tell apart.
fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to do when this fails too.
            _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(error.downcast_ref().map_or(2, Unavailable::exit_code))
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.chore {
        Chore::Audit(arguments) => audit::run(&arguments),
        #[cfg(unix)]
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::Ci(arguments) => ci::run(&arguments),
        Chore::Dependencies => dependencies::run(),
        Chore::Dist(arguments) => dist::run(&arguments),
        Chore::Docs(arguments) => docs::run(&arguments),
        Chore::Format(arguments) => format::run(&arguments),
        #[cfg(unix)]
        Chore::Image(arguments) => image::run(&arguments),
        Chore::Interop(arguments) => interop::run(&arguments),
        Chore::Release(arguments) => release::run(&arguments),
        #[cfg(unix)]
        Chore::Soak(arguments) => bench::soak(&arguments),
        Chore::Specs(command) => specs::run(&command),
        Chore::Update(arguments) => update::run(&arguments),
    }
}

/// The repository, wherever a chore is called from.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Prints to stdout; a reader that stops reading is no error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}
