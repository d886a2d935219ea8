//! What the binary is built from: its licenses, and known vulnerabilities.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use spdx::{Expression, LicenseReq, ParseMode};

use crate::crates::{Metadata, Package};
use crate::{print, root};

/// Licenses that ask for no more than to be named.
const PERMISSIVE: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];
/// Licenses that ask for the source of their own files only. Each package under one stands in NOTICE.
const NOTED: [&str; 1] = ["MPL-2.0"];

/// How a package may be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Free,
    /// If NOTICE names it.
    Noted,
    /// Not, and why.
    Refused(String),
}

/// Ends with 1 if a license is not allowed or not noted, or if a dependency has a known vulnerability.
pub(crate) fn run() -> Result<ExitCode> {
    let notice = std::fs::read_to_string(root().join("NOTICE")).context("cannot read NOTICE")?;
    let packages = Metadata::of_everything()?.packages;
    let packages: Vec<_> = packages.into_iter().filter(|package| package.source.is_some()).collect();
    let problems: Vec<String> = packages.iter().filter_map(|package| problem(package, &notice)).collect();
    for problem in &problems {
        print(&format!("{problem}\n"))?;
    }
    print(&format!("{} packages, {} with a license that does not fit\n", packages.len(), problems.len()))?;
    let is_safe = advisories()?;
    Ok(ExitCode::from(u8::from(!problems.is_empty() || !is_safe)))
}

fn problem(package: &Package, notice: &str) -> Option<String> {
    let why = match standing(package.license.as_deref()) {
        Standing::Free => return None,
        // A name may be a part of another.
        Standing::Noted if words(notice).contains(package.name.as_str()) => return None,
        Standing::Noted => "its license asks to be named: add it to NOTICE".to_owned(),
        Standing::Refused(why) => why,
    };
    Some(format!("{} {}: {why}", package.name, package.version))
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|character: char| !character.is_alphanumeric() && !"-_".contains(character)).collect()
}

/// How a package with this license may be used.
pub(crate) fn standing(license: Option<&str>) -> Standing {
    let Some(license) = license else { return Standing::Refused("it names no license".to_owned()) };
    let expression = match Expression::parse_mode(license, ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => return Standing::Refused(format!("the license `{license}` cannot be read: {}", error.reason)),
    };
    let is_one_of = |required: &LicenseReq, known: &[&str]| {
        required.license.id().is_some_and(|license| known.contains(&license.name))
    };
    if expression.evaluate(|required| is_one_of(required, &PERMISSIVE)) {
        Standing::Free
    } else if expression.evaluate(|required| is_one_of(required, &PERMISSIVE) || is_one_of(required, &NOTED)) {
        Standing::Noted
    } else {
        Standing::Refused(format!("the license `{license}` is not among those that this project takes"))
    }
}

/// Whether no dependency has a known vulnerability, as far as it can be told here.
fn advisories() -> Result<bool> {
    let mut probe = Command::new("cargo");
    probe.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        print("advisories: not checked, as `cargo deny` is not installed; `cargo install cargo-deny` installs it\n")?;
        return Ok(true);
    }
    let status = Command::new("cargo").args(["deny", "check", "advisories"]).current_dir(root()).status();
    Ok(status.context("cannot run `cargo deny`")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licenses_are_told_apart() {
        for (license, expected) in [
            (Some("MIT OR Apache-2.0"), Some(Standing::Free)),
            (Some("MIT/Apache-2.0"), Some(Standing::Free)),
            (Some("Apache-2.0 WITH LLVM-exception"), Some(Standing::Free)),
            (Some("MIT OR LGPL-2.1-or-later"), Some(Standing::Free)),
            (Some("MPL-2.0"), Some(Standing::Noted)),
            (Some("MIT AND MPL-2.0"), Some(Standing::Noted)),
            (Some("MIT AND GPL-3.0-only"), None),
            (Some("Custom words"), None),
            (None, None),
        ] {
            let found = standing(license);
            match expected {
                Some(expected) => assert_eq!(found, expected, "{license:?}"),
                None => assert!(matches!(found, Standing::Refused(_)), "{license:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_noted_package_is_named_as_a_whole_word() {
        let package = |name: &str| -> Package {
            let package = serde_json::json!({
                "id": name, "name": name, "version": "1.0.0", "license": "MPL-2.0", "source": "registry",
                "keywords": [], "authors": [], "manifest_path": "Cargo.toml",
            });
            serde_json::from_value(package).unwrap()
        };
        let notice = "The binary contains progenitor-client, under the";
        assert_eq!(problem(&package("progenitor-client"), notice), None);
        assert!(problem(&package("progenitor"), notice).is_some());
    }
}
