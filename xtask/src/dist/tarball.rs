//! An archive of the binary with what belongs to it: `cargo binstall` and people unpack it.

use anyhow::Result;

use super::program::System;
use super::{Package, Parts};
use crate::archive::{Entry, gzip, tar, zip};
use crate::root;

pub(super) fn make(parts: &Parts) -> Result<Vec<Package>> {
    let Parts { about, program, manual, .. } = parts;
    let stem = format!("{}-{}", about.stem(), program.target());
    let mut entries = vec![Entry::program(format!("{stem}/{}", program.file(&about.name)), program.content.as_slice())];
    for name in ["README.md", "CHANGELOG.md"] {
        entries.push(Entry::file(format!("{stem}/{name}"), std::fs::read(root().join(name))?));
    }
    entries.extend(parts.notices(&format!("{stem}/")));
    entries.push(Entry::text(format!("{stem}/sbom.cdx.json"), parts.bill.as_str()));
    entries.extend(manual.completions(&format!("{stem}/completions/")));
    entries.extend(manual.pages(&format!("{stem}/man/man1/")));
    let package = if program.system == System::Windows {
        Package { name: format!("{stem}.zip"), content: zip::of(&entries, parts.style)? }
    } else {
        let archive = tar::of(&entries, parts.style.seconds)?;
        Package { name: format!("{stem}.tar.gz"), content: gzip(&archive, parts.style.level)? }
    };
    Ok(vec![package])
}
