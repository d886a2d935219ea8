//! Completions of shells, and manual pages: the program prints them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::about::About;
use crate::archive::Entry;

/// What shells and `man` read.
#[derive(Debug)]
pub(super) struct Manual {
    bash: String,
    fish: String,
    powershell: String,
    zsh: String,
    /// Pages of section 1: names and contents.
    pub(super) pages: Vec<(String, Vec<u8>)>,
    /// The name of the program.
    name: String,
}

impl Manual {
    /// Asks a program of this machine; it has to be of this version.
    pub(super) fn of(program: &Path, about: &About) -> Result<Self> {
        let version = ask(program, &["--version"])?;
        ensure!(version.trim() == format!("{} {}", about.name, about.version), "`{}` is {version}", program.display());
        let directory = tempfile::tempdir().context("cannot make a directory")?;
        ask(program, &["man", &directory.path().to_string_lossy()])?;
        let completions = |shell| ask(program, &["completions", shell]);
        let mut pages = Vec::new();
        for entry in std::fs::read_dir(directory.path()).context("cannot read the manual pages")? {
            let entry = entry.context("cannot read the manual pages")?;
            let page = std::fs::read(entry.path()).context("cannot read a manual page")?;
            pages.push((entry.file_name().to_string_lossy().into_owned(), page));
        }
        pages.sort();
        Ok(Self {
            bash: completions("bash")?,
            fish: completions("fish")?,
            powershell: completions("powershell")?,
            zsh: completions("zsh")?,
            pages,
            name: about.name.clone(),
        })
    }

    /// Completions below a directory, under the names that shells expect.
    pub(super) fn completions(&self, directory: &str) -> Vec<Entry<'_>> {
        let name = &self.name;
        [
            (format!("{name}.bash"), &self.bash),
            (format!("{name}.fish"), &self.fish),
            (format!("_{name}.ps1"), &self.powershell),
            (format!("_{name}"), &self.zsh),
        ]
        .map(|(file, text)| Entry::text(format!("{directory}{file}"), text.as_str()))
        .into()
    }

    /// Completions where shells look for them below a prefix such as `usr/`. PowerShell looks nowhere.
    pub(super) fn installed(&self, prefix: &str, zsh: &str) -> Vec<Entry<'_>> {
        let name = &self.name;
        [
            (format!("share/bash-completion/completions/{name}"), &self.bash),
            (format!("share/fish/vendor_completions.d/{name}.fish"), &self.fish),
            (format!("share/{name}/completions/_{name}.ps1"), &self.powershell),
            (format!("share/zsh/{zsh}/_{name}"), &self.zsh),
        ]
        .map(|(file, text)| Entry::text(format!("{prefix}{file}"), text.as_str()))
        .into()
    }

    /// The manual pages below a directory.
    pub(super) fn pages(&self, directory: &str) -> Vec<Entry<'_>> {
        self.pages.iter().map(|(name, page)| Entry::file(format!("{directory}{name}"), page.as_slice())).collect()
    }
}

fn ask(program: &Path, arguments: &[&str]) -> Result<String> {
    let asked = || format!("`{} {}`", program.display(), arguments.join(" "));
    let output = Command::new(program).args(arguments).output();
    let output =
        output.with_context(|| format!("cannot run {}; for another machine's binary use `--manual`", asked()))?;
    if !output.status.success() {
        bail!("{} failed: {}", asked(), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(asked)
}

#[cfg(test)]
impl Manual {
    /// One that is short.
    pub(super) fn sample() -> Self {
        let text = |shell: &str| format!("# for {shell}\n");
        let page = |name: &str| (format!("{name}.1"), b".TH a 1\n".to_vec());
        Self {
            bash: text("bash"),
            fish: text("fish"),
            powershell: text("powershell"),
            zsh: text("zsh"),
            pages: vec![page("databricks-mcp-server"), page("databricks-mcp-server-http")],
            name: "databricks-mcp-server".to_owned(),
        }
    }
}
