//! The documents of a state: from a directory, or from git.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::git;

/// Documents by package.
pub(crate) type Documents = BTreeMap<String, Value>;

/// The file that is no document.
const SOURCE: &str = "source";

/// The state to compare with: a directory if there is one of that name, otherwise a revision of `specs`.
pub(crate) fn older(against: &str, specs: &Path) -> Result<Documents> {
    let directory = Path::new(against);
    if directory.is_dir() { read(directory) } else { at_revision(against, specs) }
}

/// The documents in a directory.
pub(crate) fn read(directory: &Path) -> Result<Documents> {
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
    let files = git::files(specs, revision, "json")
        .with_context(|| format!("`{revision}` is neither a directory nor a git revision"))?;
    let documents = files.iter().filter(|(name, _)| *name != SOURCE);
    let documents =
        documents.map(|(name, text)| Ok((name.clone(), parse(&format!("{revision}:{name}.json"), text.as_bytes())?)));
    non_empty(documents.collect::<Result<_>>()?, revision)
}

fn package(file: &str) -> Option<&str> {
    file.strip_suffix(".json").filter(|package| *package != SOURCE)
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
