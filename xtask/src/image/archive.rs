//! A directory as a tar archive (ustar) that tells nothing of the machine and the time it was made at.

use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

const BLOCK: usize = 512;
/// Bytes of a name in a header.
const LONGEST: usize = 100;
/// The one directory that everybody may write to.
const SHARED: u32 = 0o1777;

/// Everything below a directory, in order, owned by root.
pub(super) fn of(tree: &Path) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    add(tree, "", &mut archive)?;
    // An archive ends with two blocks of zeros.
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Ok(archive)
}

fn add(directory: &Path, above: &str, archive: &mut Vec<u8>) -> Result<()> {
    let failed = || format!("cannot read `{}`", directory.display());
    let mut entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>).with_context(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        let found = fs::symlink_metadata(&path).with_context(failed)?;
        if found.is_dir() {
            let name = format!("{name}/");
            archive.extend_from_slice(&header(&name, &found, 0, b'5')?);
            add(&path, &name, archive)?;
        } else if found.is_file() {
            let content = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            archive.extend_from_slice(&header(&name, &found, content.len(), b'0')?);
            archive.extend_from_slice(&content);
            archive.resize(archive.len().next_multiple_of(BLOCK), 0);
        } else {
            bail!("`{name}` is neither a file nor a directory");
        }
    }
    Ok(())
}

fn header(name: &str, found: &Metadata, size: usize, kind: u8) -> Result<Vec<u8>> {
    ensure!(name.len() <= LONGEST, "the path `{name}` is too long for the archive");
    let mode = match found.permissions().mode() & 0o7777 {
        SHARED => SHARED,
        // Whatever the mask of whoever made it was.
        mode if found.is_dir() || mode & 0o100 != 0 => 0o755,
        _ => 0o644,
    };
    let mut header = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        let end = header.len() + width;
        header.extend_from_slice(text.as_bytes());
        header.resize(end, 0);
    };
    field(name, LONGEST);
    field(&format!("{mode:07o}"), 8);
    // The user and the group of root.
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{size:011o}"), 12);
    field("00000000000", 12);
    // The sum of all bytes, where this field counts as blanks.
    field("        ", 8);
    field(&char::from(kind).to_string(), 1);
    // No link, and the version of the format.
    field("", 100);
    field("ustar\u{0}00", 8);
    field("", 247);
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header.splice(148..156, format!("{sum:06o}\u{0} ").into_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn others_read_the_archive() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("root");
        fs::create_dir_all(tree.join("usr/bin")).unwrap();
        fs::create_dir(tree.join("tmp")).unwrap();
        fs::set_permissions(tree.join("tmp"), fs::Permissions::from_mode(SHARED)).unwrap();
        fs::write(tree.join("usr/bin/run"), "x".repeat(700)).unwrap();
        fs::set_permissions(tree.join("usr/bin/run"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(tree.join("etc"), "text").unwrap();
        let archive = of(&tree).unwrap();
        assert_eq!(archive.len() % BLOCK, 0);
        let path = folder.path().join("root.tar");
        fs::write(&path, archive).unwrap();
        let listed = Command::new("tar").args(["--numeric-owner", "--utc", "-tvf"]).arg(&path).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let listed: Vec<_> = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let no_time = "1970-01-01 00:00";
        assert_eq!(
            listed,
            [
                format!("-rw-r--r-- 0/0 4 {no_time} etc"),
                format!("drwxrwxrwt 0/0 0 {no_time} tmp/"),
                format!("drwxr-xr-x 0/0 0 {no_time} usr/"),
                format!("drwxr-xr-x 0/0 0 {no_time} usr/bin/"),
                format!("-rwxr-xr-x 0/0 700 {no_time} usr/bin/run"),
            ]
        );
    }

    #[test]
    fn what_an_image_must_not_have_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/shadow", folder.path().join("link")).unwrap();
        assert!(of(folder.path()).unwrap_err().to_string().contains("neither a file nor a directory"));
    }
}
