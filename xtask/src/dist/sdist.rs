//! The source package of Python: pip builds the wheel from it with maturin and cargo where there is no wheel that fits.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::about::About;
use super::{Package, Parts, wheel};
use crate::archive::{Entry, gzip, tar};
use crate::root;

/// What the build needs none of.
const LEFT_OUT: [&str; 8] = [
    ".",
    "benches/",
    "deploy/",
    "docs/",
    "tests/",
    "crates/codegen/tests/",
    "crates/databricks/tests/",
    "crates/sandbox/tests/",
];
/// The directory of the module in the package, and that of other files of the wheel.
const PYTHON: &str = "python";
const DATA: &str = "wheel.data";

pub(super) fn make(parts: &Parts) -> Result<Vec<Package>> {
    let Parts { about, manual, .. } = parts;
    let stem = format!("{}-{}", about.module(), about.version);
    let mut entries = Vec::new();
    for name in files()? {
        let content = std::fs::read(root().join(&name)).with_context(|| format!("cannot read `{name}`"))?;
        // Registries show the README with links that lead to the repository.
        let content = if name == "README.md" { wheel::readme(about)?.into_bytes() } else { content };
        entries.push(Entry::file(format!("{stem}/{name}"), content));
    }
    entries.extend(wheel::module(about, &format!("{stem}/{PYTHON}/")));
    entries.extend(manual.installed(&format!("{stem}/{DATA}/data/"), "site-functions"));
    entries.extend(manual.pages(&format!("{stem}/{DATA}/data/share/man/man1/")));
    // maturin makes no entry points beside a program, so the second command is a script; pip fills in which Python runs
    // it.
    let script = include_str!("wheel/script.py").replace("@MODULE@", &about.module());
    entries.push(Entry::program(format!("{stem}/{DATA}/scripts/{}", about.more.pypi), script.into_bytes()));
    let third_party = parts.licenses.files.iter().filter(|(name, _)| *name == "THIRD-PARTY.txt");
    entries.extend(third_party.map(|(name, text)| Entry::text(format!("{stem}/{name}"), text.as_str())));
    entries.push(Entry::text(format!("{stem}/pyproject.toml"), project(about)));
    entries.push(Entry::text(format!("{stem}/PKG-INFO"), wheel::metadata(about)?));
    let content = gzip(&tar::of(&entries, parts.style.seconds)?, parts.style.level)?;
    Ok(vec![Package { name: format!("{stem}.tar.gz"), content }])
}

/// The files of the repository that the build needs, those that nobody has added to git yet too.
fn files() -> Result<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root()).output().context("cannot run `git`")?;
    ensure!(output.status.success(), "`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8(output.stdout).context("a file has a name that is no text")?;
    let names = text.split('\0').filter(|name| !name.is_empty());
    let mut names: Vec<_> =
        names.filter(|name| !LEFT_OUT.iter().any(|start| name.starts_with(start))).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

fn project(about: &About) -> String {
    let About { version, description, license, repository, keywords, more, .. } = about;
    // A string of JSON is one of TOML.
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let keywords: Vec<_> = keywords.iter().map(|keyword| text(keyword)).collect();
    format!(
        r#"[build-system]
requires = ["maturin>=1.9,<2"]
build-backend = "maturin"

[project]
name = {name}
version = {version}
description = {description}
readme = "README.md"
requires-python = ">=3.9"
license = {license}
license-files = ["LICENSE", "NOTICE", "THIRD-PARTY.txt"]
authors = [{{ name = {author} }}]
keywords = [{keywords}]

[project.urls]
Source = {repository}

[tool.maturin]
bindings = "bin"
manifest-path = "Cargo.toml"
module-name = {module}
python-source = "{PYTHON}"
data = "{DATA}"
locked = true
strip = true
"#,
        name = text(&more.pypi),
        version = text(version),
        description = text(description),
        license = text(license),
        author = text(&more.author),
        keywords = keywords.join(", "),
        repository = text(repository),
        module = text(&about.module()),
    )
}
