//! Files as a git revision has them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The files of a directory with this extension at a revision: text by name without the extension.
pub(crate) fn files(directory: &Path, revision: &str, extension: &str) -> Result<BTreeMap<String, String>> {
    let no_revision = || format!("`{revision}` is not a git revision of `{}`", directory.display());
    if revision.starts_with('-') {
        bail!(no_revision());
    }
    let names = git(directory, &["ls-tree", "--name-only", revision]).with_context(no_revision)?;
    let mut files = BTreeMap::new();
    for name in names.lines() {
        if let Some(stem) = name.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.')) {
            files.insert(stem.to_owned(), git(directory, &["show", &format!("{revision}:./{name}")])?);
        }
    }
    Ok(files)
}

fn git(directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().context("cannot run `git`")?;
    if output.status.success() {
        return String::from_utf8(output.stdout).with_context(|| format!("`git {}`", arguments.join(" ")));
    }
    bail!("`git {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim())
}
