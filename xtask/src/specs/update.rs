//! `cargo xtask specs update`: writes the documents, or checks that they are what the wheel gives.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use super::download::Pip;
use super::source::SourceFile;
use super::wheel::{DISTRIBUTION, Wheel};
use super::{directory, import, openapi};

const SOURCE: &str = "source.json";

/// Where the release comes from, and where its documents go.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Release to download with pip; without it, and without a wheel, the one that `specs/source.json` names
    #[arg(long, conflicts_with = "wheel")]
    version: Option<String>,
    /// Wheel of the release
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// Write nothing; fail if a file differs
    #[arg(long)]
    check: bool,
    /// Directory of the documents (`specs` of this repository)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The files by name.
type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(directory);
    let wheel = open(arguments, &out)?;
    let (files, source) = files(&wheel)?;
    let mut stdout = std::io::stdout().lock();
    let described = format!("{DISTRIBUTION} {}", wheel.version);
    if !arguments.check {
        write(&out, &files)?;
        let totals = &source.totals;
        writeln!(
            stdout,
            "{described}: {} operations and {} schemas in {} packages",
            totals.operations,
            totals.schemas,
            source.packages.len()
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let differing = differing(&out, &files)?;
    if differing.is_empty() {
        writeln!(stdout, "{} is what {described} gives", out.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "error: {} is not what {described} gives", out.display())?;
    for file in differing {
        writeln!(stderr, "  {file}")?;
    }
    writeln!(stderr, "hint: run `cargo xtask specs update --version {}`", wheel.version)?;
    Ok(ExitCode::FAILURE)
}

fn open(arguments: &Arguments, out: &Path) -> Result<Wheel> {
    if let Some(file) = &arguments.wheel {
        return Wheel::open(file);
    }
    let version = match &arguments.version {
        Some(version) => version.clone(),
        None => read_source(out).context("no `--version` and no `--wheel` given")?.version,
    };
    Pip::default().wheel(Some(&version))
}

/// The file that says what the other files come from.
pub(crate) fn read_source(directory: &Path) -> Result<SourceFile> {
    let path = directory.join(SOURCE);
    let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("`{}`", path.display()))
}

/// Writes the documents of a release in place of those of another.
pub(crate) fn import_into(out: &Path, wheel: &Wheel) -> Result<SourceFile> {
    let (files, source) = files(wheel)?;
    write(out, &files)?;
    Ok(source)
}

fn files(wheel: &Wheel) -> Result<(Files, SourceFile)> {
    let api = import::import(&wheel.sources)?;
    let source = SourceFile::new(wheel, &api);
    let mut files = Files::new();
    for (package, document) in openapi::documents(&api) {
        files.insert(format!("{package}.json"), to_bytes(&document)?);
    }
    files.insert(SOURCE.to_owned(), to_bytes(&source)?);
    Ok((files, source))
}

/// Pretty, with an indentation of one: small, and a line per change in a diff.
fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(b" ");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn write(out: &Path, files: &Files) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot create `{}`", out.display()))?;
    // Only what an earlier import wrote is removed.
    let before = read_source(out).map(|source| source.packages).unwrap_or_default();
    for file in before.keys().map(|package| format!("{package}.json")).filter(|file| !files.contains_key(file)) {
        let path = out.join(file);
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    for (name, bytes) in files {
        let path = out.join(name);
        if fs::read(&path).ok().as_ref() != Some(bytes) {
            fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
    }
    Ok(())
}

/// The files that are missing, differ, or should not be there.
fn differing(out: &Path, files: &Files) -> Result<Vec<String>> {
    let mut differing = Vec::new();
    for (name, bytes) in files {
        match fs::read(out.join(name)) {
            Ok(present) if present == *bytes => {}
            Ok(_) => differing.push(format!("{name} differs")),
            Err(_) => differing.push(format!("{name} is missing")),
        }
    }
    let entries = fs::read_dir(out).with_context(|| format!("cannot read `{}`", out.display()))?;
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") && !files.contains_key(&name) {
            differing.push(format!("{name} is of no service package"));
        }
    }
    Ok(differing)
}
