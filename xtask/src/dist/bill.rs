//! The bill of materials: what is in the binary, in the format of CycloneDX.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::Parts;
use super::about::About;
use super::checksums;
use super::licenses::Linked;
use super::program::Program;
use crate::crates::{Metadata, Package};
use crate::root;

const SPECIFICATION: &str = "1.6";

/// The name of the file.
pub(super) fn name(parts: &Parts) -> String {
    format!("{}-{}.cdx.json", parts.about.stem(), parts.program.target())
}

/// Its text.
pub(super) fn write(
    about: &About,
    program: &Program,
    metadata: &Metadata,
    linked: &Linked<'_>,
    seconds: u64,
) -> Result<String> {
    let server = metadata.package(&about.name)?;
    let names: BTreeMap<&str, String> =
        metadata.packages.iter().map(|package| (package.id.as_str(), address(package))).collect();
    let hashes = locked(&std::fs::read_to_string(root().join("Cargo.lock")).context("cannot read `Cargo.lock`")?);
    // Ours, which are in the binary too, and those of others.
    let ours = metadata.packages.iter().filter(|package| {
        package.source.is_none() && package.id != server.id && linked.uses.contains_key(package.id.as_str())
    });
    let mut components: Vec<_> =
        ours.chain(linked.crates.iter().copied()).map(|package| component(package, &hashes)).collect();
    components.extend(linked.carried.iter().map(|(carried, version)| {
        json!({
            "type": "library",
            "bom-ref": format!("pkg:generic/{}@{version}", carried.name),
            "name": carried.name,
            "version": version,
            "licenses": [{ "license": { "id": carried.license } }],
            "purl": format!("pkg:generic/{}@{version}", carried.name),
        })
    }));
    let uses = linked.uses.iter().filter_map(|(id, uses)| {
        let uses: Vec<_> = uses.iter().filter_map(|id| names.get(id)).collect();
        Some(json!({ "ref": names.get(id)?, "dependsOn": uses }))
    });
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).context("no time")?)?;
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {
            "timestamp": time.to_string(),
            "component": {
                "type": "application",
                "bom-ref": address(server),
                "name": about.name,
                "version": about.version,
                "description": about.description,
                "licenses": [{ "license": { "id": about.license } }],
                "purl": address(server),
                "hashes": [{ "alg": "SHA-256", "content": checksums::of(&program.content) }],
                "properties": [{ "name": "target", "value": program.target() }],
            },
        },
        "components": components,
        "dependencies": uses.collect::<Vec<_>>(),
    });
    Ok(format!("{bill:#}\n"))
}

/// The address of a package (purl), which names it in the bill too.
fn address(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package, hashes: &BTreeMap<(String, String), String>) -> Value {
    let hash = hashes.get(&(package.name.clone(), package.version.clone()));
    let fields = [
        ("type", Some(json!("library"))),
        ("bom-ref", Some(json!(address(package)))),
        ("name", Some(json!(package.name))),
        ("version", Some(json!(package.version))),
        ("hashes", hash.map(|hash| json!([{ "alg": "SHA-256", "content": hash }]))),
        // `/` is the older way to write `OR`.
        ("licenses", package.license.as_ref().map(|text| json!([{ "expression": text.replace('/', " OR ") }]))),
        ("purl", Some(json!(address(package)))),
        ("externalReferences", package.repository.as_ref().map(|url| json!([{ "type": "vcs", "url": url }]))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

/// The checksums of `Cargo.lock`, by name and version.
fn locked(text: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let package = |block: &str| Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?));
    text.split("[[package]]").filter_map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_come_from_the_lock_file() {
        let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"ff\"\n\n\
                    [[package]]\nname = \"ours\"\nversion = \"1.0.0\"\n";
        let hashes = locked(text);
        assert_eq!(hashes.len(), 1);
        assert_eq!(hashes[&("a".to_owned(), "1.0.0".to_owned())], "ff");
    }
}
