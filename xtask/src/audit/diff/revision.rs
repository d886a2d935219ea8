//! The files of a git revision, in a directory of their own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

/// What the surface is made of.
const PATHS: [&str; 3] = ["specs", "allowlist", "tests/tools"];

/// The files of a revision that make the surface, and the commit's short name. The repository and its index stay as they are.
pub(super) fn checkout(repository: &Path, revision: &str) -> Result<(TempDir, String)> {
    let directory = TempDir::new().context("cannot make a temporary directory")?;
    let commit = git(
        repository,
        &["rev-parse", "--short=12", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")],
    )
    .with_context(|| format!("`{revision}` is no revision of `{}`", repository.display()))?;
    let commit = commit.trim().to_owned();
    let index = directory.path().join("index");
    let with_index = |arguments: &[&str], input: &[u8]| run(repository, arguments, Some(&index), input);
    with_index(&["read-tree", &commit], &[])?;
    let mut list = vec!["ls-files", "-z", "--"];
    list.extend(PATHS);
    let names = with_index(&list, &[])?;
    ensure!(!names.is_empty(), "`{revision}` has no `specs` and no `allowlist`");
    let prefix = format!("--prefix={}/", directory.path().display());
    with_index(&["checkout-index", "--quiet", "-z", "--stdin", &prefix], names.as_bytes())?;
    Ok((directory, commit))
}

fn git(repository: &Path, arguments: &[&str]) -> Result<String> {
    run(repository, arguments, None, &[])
}

fn run(repository: &Path, arguments: &[&str], index: Option<&Path>, input: &[u8]) -> Result<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(arguments);
    // A hook that calls this names the repository of the hook.
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().context("cannot run `git`")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).context("`git` does not read its input")?;
    }
    let output = child.wait_with_output().context("cannot wait for `git`")?;
    if !output.status.success() {
        bail!("`git {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("`git` gave other than UTF-8")
}
