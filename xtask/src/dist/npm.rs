//! The packages of npm: one that starts the program, and one for each platform that holds it. npm installs the one that
//! fits the machine, as an optional dependency; nothing is downloaded by a script.

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::about::About;
use super::program::System;
use super::{Package, Parts, wheel};
use crate::archive::{Entry, gzip, tar};

/// The platforms that a release has packages for, as [`super::program::Program::platform`] calls them.
const PLATFORMS: [&str; 7] =
    ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-arm64-musl", "linux-x64", "linux-x64-musl", "win32-x64"];
const LAUNCHER: &str = include_str!("npm/launcher.js");

/// The package that people install.
pub(super) fn launcher(parts: &Parts) -> Result<Vec<Package>> {
    let Parts { about, manual, .. } = parts;
    let name = &about.more.npm;
    let others: Map<String, Value> =
        PLATFORMS.iter().map(|platform| (format!("{name}-{platform}"), about.version.as_str().into())).collect();
    let mut manifest = manifest(about, name, &about.description);
    manifest.extend(fields(json!({
        "mcpName": about.more.mcp,
        "keywords": about.keywords,
        // Both names: that of the package for `npx`, and that of the program.
        "bin": { name: "launcher.js", &about.name: "launcher.js" },
        "man": manual.pages.iter().map(|(page, _)| format!("man/{page}")).collect::<Vec<_>>(),
        "engines": { "node": ">=18" },
        "optionalDependencies": others,
    })));
    let code = LAUNCHER.replace("@PACKAGE@", name).replace("@PROGRAM@", &about.name);
    let mut entries = vec![
        Entry::text("package/package.json", text(&manifest)),
        Entry::program("package/launcher.js", code.into_bytes()),
        Entry::text("package/README.md", wheel::readme(about)?),
    ];
    entries.extend(parts.notices("package/").into_iter().filter(|entry| !entry.path.ends_with("THIRD-PARTY.txt")));
    entries.extend(manual.completions("package/completions/"));
    entries.extend(manual.pages("package/man/"));
    packed(parts, name, &entries)
}

/// The package with the program.
pub(super) fn platform(parts: &Parts) -> Result<Vec<Package>> {
    let Parts { about, program, .. } = parts;
    let platform = program.platform();
    PLATFORMS.iter().find(|known| **known == platform).with_context(|| format!("no package for `{platform}`"))?;
    let name = format!("{}-{platform}", about.more.npm);
    let (system, machine) = program.node();
    let mut manifest = manifest(about, &name, &format!("The program of {} for {platform}", about.more.npm));
    manifest.extend(fields(json!({ "os": [system], "cpu": [machine], "preferUnplugged": true })));
    match program.system {
        System::Gnu(..) => manifest.insert("libc".to_owned(), json!(["glibc"])),
        System::Static => manifest.insert("libc".to_owned(), json!(["musl"])),
        System::MacOs(..) | System::Windows => None,
    };
    let mut entries = vec![
        Entry::text("package/package.json", text(&manifest)),
        Entry::program(format!("package/bin/{}", program.file(&about.name)), program.content.as_slice()),
        Entry::text("package/README.md", format!("The program of the package `{}`, for {platform}.\n", about.more.npm)),
        Entry::text("package/sbom.cdx.json", parts.bill.as_str()),
    ];
    entries.extend(parts.notices("package/"));
    packed(parts, &name, &entries)
}

/// What all the packages say.
fn manifest(about: &About, name: &str, description: &str) -> Map<String, Value> {
    fields(json!({
        "name": name,
        "version": about.version,
        "description": description,
        "license": about.license,
        "author": about.more.author,
        "homepage": format!("{}#readme", about.repository),
        "repository": { "type": "git", "url": format!("git+{}.git", about.repository) },
    }))
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn text(manifest: &Map<String, Value>) -> String {
    format!("{:#}\n", Value::Object(manifest.clone()))
}

fn packed(parts: &Parts, name: &str, entries: &[Entry<'_>]) -> Result<Vec<Package>> {
    let archive = tar::of(entries, parts.style.seconds)?;
    let file = format!("{}-{}.tgz", name.trim_start_matches('@').replace('/', "-"), parts.about.version);
    Ok(vec![Package { name: file, content: gzip(&archive, parts.style.level)? }])
}
