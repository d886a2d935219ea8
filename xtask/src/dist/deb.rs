//! The Debian package. It starts nothing: a service is set up by hand, see `deploy/`.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::program::System;
use super::{Package, Parts};
use crate::archive::{Entry, PROGRAM, ar, gzip, tar::Tar};
use crate::root;

/// The revision of the packaging.
const REVISION: u32 = 1;

pub(super) fn make(parts: &Parts) -> Result<Vec<Package>> {
    let Parts { about, program, style, .. } = parts;
    let System::Gnu(major, minor) = program.system else { return Ok(Vec::new()) };
    let entries = files(parts)?;
    // In kibibytes, and one for each directory and file.
    let size: usize = entries.iter().map(|entry| entry.content.len().div_ceil(1024) + 1).sum();
    let control = format!(
        "Package: {}\nVersion: {}-{REVISION}\nArchitecture: {}\nMaintainer: {} <{}>\nInstalled-Size: {size}\n\
         Depends: libc6 (>= {major}.{minor}), libgcc-s1\nRecommends: ca-certificates\nSection: database\n\
         Priority: optional\nHomepage: {}\nDescription: {}\n \
         It gives AI clients a chosen part of a Databricks workspace as tools, resources\n and prompts of the Model \
         Context Protocol, over stdio and HTTP. A sandbox workspace\n is included.\n",
        about.name,
        about.version,
        program.machine.of_debian(),
        about.more.author,
        about.more.email,
        about.repository,
        about.description,
    );
    let mut meta = Tar::new(style.seconds);
    meta.directory("./", PROGRAM)?;
    meta.file("./control", 0o644, control.as_bytes())?;
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", gzip(&meta.finish(), style.level)?),
        ("data.tar.gz", gzip(&tree(&entries, style.seconds)?, style.level)?),
    ];
    let name = format!("{}_{}-{REVISION}_{}.deb", about.name, about.version, program.machine.of_debian());
    Ok(vec![Package { name, content: ar::of(&members, style.seconds) }])
}

fn files(parts: &Parts) -> Result<Vec<Entry<'_>>> {
    let Parts { about, program, manual, .. } = parts;
    let documents = format!("usr/share/doc/{}", about.name);
    let packed =
        |path: String, text: &[u8]| -> Result<Entry<'_>> { Ok(Entry::file(format!("{path}.gz"), gzip(text, 9)?)) };
    let mut entries = vec![Entry::program(format!("usr/bin/{}", about.name), program.content.as_slice())];
    entries.extend(manual.installed("usr/", "vendor-completions"));
    for page in manual.pages("usr/share/man/man1/") {
        entries.push(packed(page.path, &page.content)?);
    }
    let changes = std::fs::read(root().join("CHANGELOG.md")).context("cannot read `CHANGELOG.md`")?;
    entries.push(packed(format!("{documents}/changelog"), &changes)?);
    entries.push(packed(format!("{documents}/changelog.Debian"), debian_changes(parts)?.as_bytes())?);
    entries.push(Entry::text(format!("{documents}/copyright"), copyright(parts)));
    entries.push(Entry::text(format!("{documents}/sbom.cdx.json"), parts.bill.as_str()));
    let third_party = parts.licenses.files.iter().find(|(name, _)| *name == "THIRD-PARTY.txt");
    if let Some((name, text)) = third_party {
        entries.push(packed(format!("{documents}/{name}"), text.as_bytes())?);
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn debian_changes(parts: &Parts) -> Result<String> {
    let Parts { about, style, .. } = parts;
    let time = Timestamp::from_second(i64::try_from(style.seconds)?)?.strftime("%a, %d %b %Y %H:%M:%S +0000");
    let (name, version, author, email) = (&about.name, &about.version, &about.more.author, &about.more.email);
    Ok(format!(
        "{name} ({version}-{REVISION}) unstable; urgency=medium\n\n  * Version {version}; what is new stands in \
         changelog.gz.\n\n -- {author} <{email}>  {time}\n"
    ))
}

fn copyright(parts: &Parts) -> String {
    let notice = parts.licenses.files.iter().find(|(name, _)| *name == "NOTICE");
    format!(
        "Source: {}\n\n{}\nThe text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0 on Debian.\n\
         THIRD-PARTY.txt.gz names the code of others in the program, with its licenses.\n",
        parts.about.repository,
        notice.map_or("", |(_, text)| text.as_str()),
    )
}

/// The files, each after the directories that it is in.
fn tree(entries: &[Entry<'_>], seconds: u64) -> Result<Vec<u8>> {
    let (mut tree, mut made) = (Tar::new(seconds), BTreeSet::new());
    tree.directory("./", PROGRAM)?;
    for Entry { path, content, mode } in entries {
        for (place, _) in path.match_indices('/') {
            let directory = path.get(..=place).unwrap_or_default();
            if made.insert(directory) {
                tree.directory(&format!("./{directory}"), PROGRAM)?;
            }
        }
        tree.file(&format!("./{path}"), *mode, content)?;
    }
    Ok(tree.finish())
}
