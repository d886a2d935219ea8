//! The release binary: built without paths of the machine that builds it, and measured.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{print, root};

const BINARY: &str = "databricks-mcp-server";
const README: &str = "README.md";
const START: &str = "<!-- figures: written by `cargo xtask release --figures` -->";
const END: &str = "<!-- end of figures -->";

/// Build the release binary, without paths of this machine in it
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Build from nothing, and write the build time and the size of the binary into the README
    #[arg(long)]
    figures: bool,
}

/// Ends with 1 if the binary holds a path of this machine.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let empty = if arguments.figures { Some(tempfile::tempdir().context("cannot make a directory")?) } else { None };
    let target = match &empty {
        Some(directory) => directory.path().to_owned(),
        None => root().join("target"),
    };
    let (started, before) = (Instant::now(), processor_seconds());
    build(&target, None)?;
    let binary = binary(&target, None);
    let content = std::fs::read(&binary).with_context(|| format!("cannot read `{}`", binary.display()))?;
    if let Some(path) = named(&content) {
        print(&format!("`{}` holds the path `{}` of this machine\n", binary.display(), path.display()))?;
        return Ok(ExitCode::from(1));
    }
    if arguments.figures {
        let figures = Figures {
            minutes: started.elapsed().as_secs_f64() / 60.0,
            processor_minutes: before.zip(processor_seconds()).map(|(before, after)| (after - before) / 60.0),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            bytes: content.len(),
        };
        write(&figures)?;
    } else {
        print(&format!("{}\n", binary.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The release binary, built now and without paths of this machine in it.
pub(crate) fn built() -> Result<PathBuf> {
    built_for(None)
}

/// The same, for this platform unless another is named.
pub(crate) fn built_for(platform: Option<&str>) -> Result<PathBuf> {
    let target = root().join("target");
    build(&target, platform)?;
    let binary = binary(&target, platform);
    let content = std::fs::read(&binary).with_context(|| format!("cannot read `{}`", binary.display()))?;
    match named(&content) {
        Some(path) => bail!("`{}` holds the path `{}` of this machine", binary.display(), path.display()),
        None => Ok(binary),
    }
}

fn binary(target: &Path, platform: Option<&str>) -> PathBuf {
    let target = platform.map_or(target.to_owned(), |platform| target.join(platform));
    target.join("release").join(BINARY).with_extension(std::env::consts::EXE_EXTENSION)
}

/// A path of this machine that a binary holds.
fn named(content: &[u8]) -> Option<PathBuf> {
    paths().into_iter().find(|path| contains(content, path.as_os_str().as_encoded_bytes()))
}

fn build(target: &Path, platform: Option<&str>) -> Result<()> {
    // Cargo's own way to trim paths is not stable yet.
    let named: [&str; 3] = ["/cargo", "/source", "/target"];
    let places = [cargo_home(), Some(root().to_owned()), Some(target.to_owned())];
    let flags = places
        .into_iter()
        .zip(named)
        .filter_map(|(place, name)| Some(format!("--remap-path-prefix={}={name}", place?.display())));
    let flags: Vec<_> = flags.collect();
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--bin", BINARY])
        .args(platform.into_iter().flat_map(|platform| ["--target", platform]))
        .current_dir(root())
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", target)
        .status()
        .context("cannot run `cargo build`")?;
    if !status.success() {
        bail!("the release build failed");
    }
    Ok(())
}

fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

/// What must not stand in a binary that other people get.
fn paths() -> Vec<PathBuf> {
    [cargo_home(), Some(root().to_owned())].into_iter().flatten().filter(|path| path.components().count() > 2).collect()
}

fn contains(content: &[u8], searched: &[u8]) -> bool {
    !searched.is_empty() && content.windows(searched.len()).any(|window| window == searched)
}

/// The processor time of all programs that this one has run; `None` where the system does not tell it.
fn processor_seconds() -> Option<f64> {
    // Fields 16 and 17 of proc_pid_stat(5), in hundredths of a second. The second field is a name in parentheses.
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(13);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / 100.0)
}

/// What came of a release build from nothing.
#[derive(Debug)]
struct Figures {
    minutes: f64,
    processor_minutes: Option<f64>,
    cores: usize,
    bytes: usize,
}

impl Figures {
    fn table(&self, day: &str) -> String {
        let Figures { minutes, processor_minutes, cores, bytes } = self;
        let processor =
            processor_minutes.map_or(String::new(), |minutes| format!(", {minutes:.1} minutes of processor time"));
        let megabytes = bytes.div_ceil(100_000);
        format!(
            "| `cargo xtask release --figures` | on {day} |\n|---|---|\n\
             | release build from nothing, {cores} cores | {minutes:.1} minutes{processor} |\n\
             | size of the binary | {}.{} MB |\n",
            megabytes / 10,
            megabytes % 10,
        )
    }
}

fn write(figures: &Figures) -> Result<()> {
    let path = root().join(README);
    let readme = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (before, rest) = readme.split_once(START).with_context(|| format!("`{README}` has no line `{START}`"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("`{README}` has no line `{END}`"))?;
    let text = format!(
        "{before}{START}\n{}{END}{after}",
        figures.table(&jiff::Timestamp::now().strftime("%Y-%m-%d").to_string())
    );
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_a_table() {
        let figures = Figures { minutes: 8.04, processor_minutes: Some(15.96), cores: 2, bytes: 33_812_345 };
        assert_eq!(
            figures.table("2026-11-29"),
            "| `cargo xtask release --figures` | on 2026-11-29 |\n|---|---|\n\
             | release build from nothing, 2 cores | 8.0 minutes, 16.0 minutes of processor time |\n\
             | size of the binary | 33.9 MB |\n"
        );
    }

    #[test]
    fn bytes_are_found() {
        assert!(contains(b"x/home/me/y", b"/home/me") && !contains(b"x/home/m", b"/home/me") && !contains(b"x", b""));
    }
}
