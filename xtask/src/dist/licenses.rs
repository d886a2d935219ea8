//! What the binary is made of besides our own code, and how that may be used. A crate that is not permissively licensed,
//! or does not say how it is licensed, is an error: there is no package then.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::crates::{Metadata, Package};
use crate::dependencies::{Standing, standing};
use crate::root;

/// Code in other languages that crates carry and compile: the crate, what it carries, the license of that, and where in
/// the crate the license and the version stand.
const CARRIED: [Carried; 2] = [
    Carried {
        by: "libdbus-sys",
        name: "libdbus",
        license: "AFL-2.1",
        text: Some("vendor/dbus/COPYING"),
        version: ("build_vendored.rs", "DBUS_VERSION"),
    },
    Carried {
        by: "libsqlite3-sys",
        name: "sqlite",
        license: "blessing",
        text: None,
        version: ("sqlite3/sqlite3.h", "#define SQLITE_VERSION"),
    },
];
/// How files begin, in small letters, that say how a crate may be used.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

#[derive(Debug)]
pub(super) struct Carried {
    by: &'static str,
    pub(super) name: &'static str,
    /// By its name in the list of SPDX.
    pub(super) license: &'static str,
    text: Option<&'static str>,
    version: (&'static str, &'static str),
}

/// What is in the binary: crates of others in order, ours and theirs with what each uses, and code that they carry.
#[derive(Debug)]
pub(super) struct Linked<'a> {
    pub(super) crates: Vec<&'a Package>,
    pub(super) uses: BTreeMap<&'a str, Vec<&'a str>>,
    pub(super) carried: Vec<(&'static Carried, String)>,
}

/// The files that go with the binary.
#[derive(Debug)]
pub(super) struct Licenses {
    pub(super) files: Vec<(&'static str, String)>,
}

/// What is linked into the package with this name.
pub(super) fn linked<'a>(metadata: &'a Metadata, name: &str) -> Result<Linked<'a>> {
    let uses = metadata.linked(metadata.package(name)?);
    let mut crates: Vec<_> =
        metadata.packages.iter().filter(|package| uses.contains_key(package.id.as_str())).collect();
    crates.retain(|package| package.source.is_some());
    crates.sort_by_key(|package| (&package.name, &package.version));
    let refused: Vec<_> = crates.iter().filter_map(|package| refusal(package)).collect();
    if !refused.is_empty() {
        bail!("the binary must not contain:\n  {}", refused.join("\n  "));
    }
    let carried = CARRIED.iter().filter_map(|carried| {
        let package = crates.iter().find(|package| package.name == carried.by)?;
        Some(carried.version_in(package).map(|version| (carried, version)))
    });
    let carried = carried.collect::<Result<_>>()?;
    Ok(Linked { crates, uses, carried })
}

/// Why a crate must not be in the binary.
fn refusal(package: &Package) -> Option<String> {
    let why = match standing(package.license.as_deref()) {
        Standing::Free => return None,
        Standing::Noted => format!("its license `{}` asks for source", package.license.as_deref().unwrap_or_default()),
        Standing::Refused(why) => why,
    };
    Some(format!("{} {}: {why}", package.name, package.version))
}

impl Carried {
    /// The version in quotes behind the name of a constant.
    fn version_in(&self, package: &Package) -> Result<String> {
        let (file, name) = self.version;
        let path = folder(package)?.join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let line = text.lines().find(|line| line.contains(name)).unwrap_or_default();
        let version = line.split('"').map(|part| part.trim_matches('\\')).find(|part| is_version(part));
        Ok(version.with_context(|| format!("no version of {} in `{}`", self.name, path.display()))?.to_owned())
    }
}

fn is_version(text: &str) -> bool {
    text.contains('.') && text.chars().all(|letter| letter.is_ascii_digit() || letter == '.')
}

impl Licenses {
    pub(super) fn of(linked: &Linked<'_>) -> Result<Self> {
        let ours =
            |name: &str| std::fs::read_to_string(root().join(name)).with_context(|| format!("cannot read `{name}`"));
        let files =
            vec![("LICENSE", ours("LICENSE")?), ("NOTICE", ours("NOTICE")?), ("THIRD-PARTY.txt", third_party(linked)?)];
        Ok(Self { files })
    }
}

/// A list of all code of others, then the texts of their licenses, each once.
fn third_party(linked: &Linked<'_>) -> Result<String> {
    let mut list = String::from("The program contains code of others, under these licenses:\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in &linked.crates {
        let title = format!("{} {}", package.name, package.version);
        let authors =
            if package.authors.is_empty() { String::new() } else { format!(", {}", package.authors.join(", ")) };
        list.push_str(&format!("{title}: {}{authors}\n", package.license.as_deref().unwrap_or_default()));
        for text in texts_of(folder(package)?)? {
            texts.entry(text).or_default().push(title.clone());
        }
    }
    for (carried, version) in &linked.carried {
        let title = format!("{} {version}", carried.name);
        list.push_str(&format!("{title}, in {}: {}\n", carried.by, carried.license));
        let package = linked.crates.iter().find(|package| package.name == carried.by);
        if let (Some(package), Some(file)) = (package, carried.text) {
            let path = folder(package)?.join(file);
            let text = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            texts.entry(tidy(&text)).or_default().push(title);
        }
    }
    // In the order of what they are about.
    let mut texts: Vec<_> = texts.into_iter().map(|(text, titles)| (titles, text)).collect();
    texts.sort();
    for (titles, text) in texts {
        list.push_str(&format!("\n{}\n{}:\n\n{text}", "=".repeat(80), titles.join(", ")));
    }
    Ok(list)
}

/// The texts in the folder of a crate that say how it may be used.
fn texts_of(folder: &Path) -> Result<Vec<String>> {
    let failed = || format!("cannot read `{}`", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if NAMES.iter().any(|start| name.starts_with(start)) && entry.path().is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths.iter().map(|path| Ok(tidy(&std::fs::read(path).with_context(failed)?))).collect()
}

/// The same text for the same license, whatever ends its lines.
fn tidy(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text.trim_matches('\n').lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_end())
}

fn folder(package: &Package) -> Result<&Path> {
    package.manifest_path.parent().with_context(|| format!("`{}` has no folder", package.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copyleft_and_unknown_licenses_are_refused() {
        let metadata = |license: serde_json::Value| -> Metadata {
            let package = |id: &str, source: serde_json::Value, license: &serde_json::Value| {
                serde_json::json!({
                    "id": id, "name": id, "version": "1.0.0", "license": license, "source": source,
                    "keywords": [], "authors": [], "manifest_path": "nowhere/Cargo.toml",
                })
            };
            let ours = package("ours", serde_json::Value::Null, &"Apache-2.0".into());
            let kinds = serde_json::json!([{ "kind": null }]);
            serde_json::from_value(serde_json::json!({
                "packages": [ours, package("theirs", "registry".into(), &license)],
                "resolve": { "nodes": [
                    { "id": "ours", "deps": [{ "pkg": "theirs", "dep_kinds": kinds }] },
                    { "id": "theirs", "deps": [] },
                ] },
            }))
            .unwrap()
        };
        let free = metadata("MIT/Apache-2.0".into());
        assert_eq!(linked(&free, "ours").unwrap().crates.len(), 1);
        for license in ["GPL-3.0-only".into(), "MPL-2.0".into(), "Custom".into(), serde_json::Value::Null] {
            let error = linked(&metadata(license.clone()), "ours").unwrap_err().to_string();
            assert!(error.contains("theirs 1.0.0"), "{license}: {error}");
        }
    }
}
