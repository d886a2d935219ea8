//! The checksums of what is in the output: `sha256sum --check SHA256SUMS`.

use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// The name of the file.
pub(super) const NAME: &str = "SHA256SUMS";

/// Writes the sum of each file but itself.
pub(super) fn write(output: &Path) -> Result<()> {
    let mut lines = String::new();
    for name in files(output)?.iter().filter(|name| *name != NAME) {
        let content = std::fs::read(output.join(name)).with_context(|| format!("cannot read `{name}`"))?;
        lines.push_str(&format!("{}  {name}\n", of(&content)));
    }
    std::fs::write(output.join(NAME), lines).with_context(|| format!("cannot write `{NAME}`"))
}

/// The names of the files of a directory, in order.
pub(super) fn files(directory: &Path) -> Result<Vec<String>> {
    let failed = || format!("cannot read `{}`", directory.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        if entry.file_type().with_context(failed)?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The SHA-256 of a content, in hexadecimal.
pub(super) fn of(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
