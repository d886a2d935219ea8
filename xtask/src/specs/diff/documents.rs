//! The documents of a state: from a directory, or from git.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Documents by package.
pub(super) type Documents = BTreeMap<String, Value>;

/// The state to compare with: a directory if there is one of that name, otherwise a revision of `specs`.
pub(super) fn older(against: &str, specs: &Path) -> Result<Documents> {
    let directory = Path::new(against);
    if directory.is_dir() { read(directory) } else { at_revision(against, specs) }
}

/// The documents in a directory.
pub(super) fn read(directory: &Path) -> Result<Documents> {
    let mut documents = Documents::new();
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read `{}`", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if let Some(package) = path.file_name().and_then(|name| package(name.to_str()?)) {
            let bytes = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            documents.insert(package.to_owned(), parse(&path.to_string_lossy(), &bytes)?);
        }
    }
    non_empty(documents, &directory.to_string_lossy())
}

fn at_revision(revision: &str, specs: &Path) -> Result<Documents> {
    if revision.starts_with('-') {
        bail!("`{revision}` is neither a directory nor a git revision");
    }
    let names = git(specs, &["ls-tree", "--name-only", revision])
        .with_context(|| format!("`{revision}` is neither a directory nor a git revision"))?;
    let mut documents = Documents::new();
    for name in String::from_utf8_lossy(&names).lines() {
        if let Some(package) = package(name) {
            let place = format!("{revision}:./{name}");
            documents.insert(package.to_owned(), parse(&place, &git(specs, &["show", &place])?)?);
        }
    }
    non_empty(documents, revision)
}

fn git(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().context("cannot run `git`")?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    bail!("`git {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())
}

fn package(file: &str) -> Option<&str> {
    file.strip_suffix(".json").filter(|package| *package != "source")
}

fn parse(place: &str, bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).with_context(|| format!("`{place}` is not JSON"))
}

fn non_empty(documents: Documents, place: &str) -> Result<Documents> {
    if documents.is_empty() {
        bail!("no documents in `{place}`");
    }
    Ok(documents)
}
