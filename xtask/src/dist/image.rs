//! The image as one file: the layout that `cargo xtask image` writes, in an archive that `podman load` and `skopeo copy`
//! read.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::program::System;
use super::{Package, Parts};
use crate::archive::tar::Tar;
use crate::archive::{FILE, PROGRAM};
use crate::image;

pub(super) fn make(parts: &Parts, binary: &Path) -> Result<Vec<Package>> {
    let Parts { about, program, style, .. } = parts;
    if matches!(program.system, System::MacOs(..) | System::Windows) {
        return Ok(Vec::new());
    }
    let directory = tempfile::tempdir().context("cannot make a directory")?;
    let layout = directory.path().join("image");
    image::make(binary, &layout)?;
    let mut archive = Tar::new(style.seconds);
    add(&layout, "", &mut archive)?;
    Ok(vec![Package { name: format!("{}-{}.oci.tar", about.stem(), program.platform()), content: archive.finish() }])
}

fn add(directory: &Path, above: &str, archive: &mut Tar) -> Result<()> {
    let failed = || format!("cannot read `{}`", directory.display());
    let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.with_context(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            archive.directory(&format!("{name}/"), PROGRAM)?;
            add(&entry.path(), &format!("{name}/"), archive)?;
        } else {
            archive.file(&name, FILE, &std::fs::read(entry.path()).with_context(failed)?)?;
        }
    }
    Ok(())
}
