//! The packages of the server, written without the tools of their makers: `cargo xtask dist`.
//!
//! Each file in `dist/` makes one kind of package from the same [`Parts`]. What a package says of the server stands in
//! `Cargo.toml` once. The same input gives the same bytes: times are that of the commit.

mod about;
mod bill;
mod checksums;
mod deb;
mod elf;
#[cfg(unix)]
mod image;
mod licenses;
mod macho;
mod manual;
mod mcpb;
mod npm;
mod program;
mod registry;
mod sdist;
mod tarball;
mod wheel;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::archive::{Entry, Style};
use crate::crates::Metadata;
use crate::{interop, print, release, root};
use about::About;
use licenses::Licenses;
use manual::Manual;
use program::Program;

/// Write the packages of the server for this platform, with checksums, licenses and a list of what is in it
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The binary to pack (a release build, made now)
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The platform to build for, such as `x86_64-unknown-linux-musl`, instead of this one
    #[arg(long, value_name = "TRIPLE", conflicts_with = "binary")]
    target: Option<String>,
    /// The same binary for this machine, where the packed one is for another: it prints completions and manual pages
    #[arg(long, value_name = "FILE")]
    manual: Option<PathBuf>,
    /// The directory of the packages; packages that are there are replaced
    #[arg(long, value_name = "DIRECTORY", default_value = "dist")]
    output: PathBuf,
    /// Only these kinds; what is there of others stays
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KINDS")]
    only: Vec<Kind>,
    /// The image in a registry, for `server.json`: `HOST/NAME:VERSION`
    #[arg(long, value_name = "REFERENCE")]
    image: Option<String>,
    /// How hard to compress, from 0 to 9
    #[arg(long, value_name = "LEVEL", default_value_t = 6, value_parser = clap::value_parser!(u32).range(0..=9))]
    level: u32,
    /// Then install each package into a clean place and run it over MCP
    #[arg(long)]
    check: bool,
    /// With `--check`: also build the source package, which takes as long as a release build
    #[arg(long, requires = "check")]
    build_source: bool,
}

/// A kind of package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// An archive of the binary, for `cargo binstall` and for people
    Tarball,
    /// A wheel, for pip and uv
    Wheel,
    /// A source package, for pip and uv
    Sdist,
    /// The package of npm with the binary
    Npm,
    /// The package of npm that starts it, the same for all platforms
    Launcher,
    /// A bundle for desktop clients
    Mcpb,
    /// A Debian package
    Deb,
    /// An image, as an archive of the OCI layout
    Image,
    /// `server.json` for the MCP registry, about the packages that are there
    Registry,
}

/// What packages are made from.
#[derive(Debug)]
struct Parts {
    about: About,
    program: Program,
    manual: Manual,
    licenses: Licenses,
    /// What is in the binary, as CycloneDX.
    bill: String,
    style: Style,
}

/// A file of the output.
#[derive(Debug)]
struct Package {
    name: String,
    content: Vec<u8>,
}

impl Parts {
    /// The texts that everybody who gets the binary gets, below a directory: how it may be used, and what is in it.
    fn notices(&self, directory: &str) -> Vec<Entry<'_>> {
        let file = |(name, text): &(&'static str, String)| Entry::text(format!("{directory}{name}"), text.as_str());
        self.licenses.files.iter().map(file).collect()
    }
}

/// Prints what it wrote. Ends with 1 if a check of the packages fails.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let output = root().join(&arguments.output);
    let kinds = if arguments.only.is_empty() { Kind::value_variants() } else { &arguments.only };
    if arguments.only.is_empty() {
        clear(&output)?;
    }
    std::fs::create_dir_all(&output).with_context(|| format!("cannot make `{}`", output.display()))?;
    let binary = match &arguments.binary {
        _ if kinds == [Kind::Registry] => None,
        Some(binary) => Some(binary.clone()),
        None => Some(release::built_for(arguments.target.as_deref())?),
    };
    if let Some(binary) = &binary {
        let style = Style { seconds: commit_time()?, level: arguments.level };
        let parts = parts(binary, arguments.manual.as_deref(), style)?;
        for kind in kinds {
            for package in kind.make(&parts, binary).with_context(|| format!("in the package `{kind:?}`"))? {
                write(&output, &package)?;
            }
        }
        write(&output, &Package { name: bill::name(&parts), content: parts.bill.into_bytes() })?;
    }
    if kinds.contains(&Kind::Registry) {
        write(&output, &registry::make(&About::read()?, &output, arguments.image.as_deref())?)?;
    }
    checksums::write(&output)?;
    if arguments.check {
        let passed = interop::packages(&output, arguments.build_source)?;
        return Ok(ExitCode::from(u8::from(!passed)));
    }
    Ok(ExitCode::SUCCESS)
}

impl Kind {
    fn make(self, parts: &Parts, binary: &Path) -> Result<Vec<Package>> {
        match self {
            Kind::Tarball => tarball::make(parts),
            Kind::Wheel => wheel::make(parts),
            Kind::Sdist => sdist::make(parts),
            Kind::Npm => npm::platform(parts),
            Kind::Launcher => npm::launcher(parts),
            Kind::Mcpb => mcpb::make(parts),
            Kind::Deb => deb::make(parts),
            #[cfg(unix)]
            Kind::Image => image::make(parts, binary),
            #[cfg(not(unix))]
            Kind::Image => Ok(Vec::new()),
            // It is about the others, whoever made them.
            Kind::Registry => Ok(Vec::new()),
        }
    }
}

fn parts(binary: &Path, manual: Option<&Path>, style: Style) -> Result<Parts> {
    let about = About::read()?;
    let program = Program::read(binary)?;
    let manual = Manual::of(manual.unwrap_or(binary), &about)?;
    let crates = Metadata::of_target(&program.target())?;
    let linked = licenses::linked(&crates, &about.name)?;
    let licenses = Licenses::of(&linked)?;
    let bill = bill::write(&about, &program, &crates, &linked, style.seconds)?;
    Ok(Parts { about, program, manual, licenses, bill, style })
}

/// The time of everything: what `SOURCE_DATE_EPOCH` says, or that of the commit.
fn commit_time() -> Result<u64> {
    if let Some(seconds) = std::env::var_os("SOURCE_DATE_EPOCH") {
        let seconds = seconds.to_str().and_then(|seconds| seconds.parse().ok());
        return seconds.context("SOURCE_DATE_EPOCH is no number of seconds");
    }
    let mut git = Command::new("git");
    let output = git.args(["log", "-1", "--format=%ct"]).current_dir(root()).output().context("cannot run `git`")?;
    let seconds = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    seconds.context("there is no commit to take the time from; set SOURCE_DATE_EPOCH")
}

/// Takes away packages that were written before, and nothing else.
fn clear(output: &Path) -> Result<()> {
    let is_empty = std::fs::read_dir(output).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        return Ok(());
    }
    ensure!(output.join(checksums::NAME).is_file(), "`{}` is there and holds no packages", output.display());
    std::fs::remove_dir_all(output).with_context(|| format!("cannot remove `{}`", output.display()))
}

fn write(output: &Path, package: &Package) -> Result<()> {
    let path = output.join(&package.name);
    std::fs::write(&path, &package.content).with_context(|| format!("cannot write `{}`", path.display()))?;
    print(&format!("{}\n", path.display()))
}

#[cfg(test)]
mod tests;
