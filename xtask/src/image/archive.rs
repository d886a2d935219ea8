//! A directory as a tar archive that tells nothing of the machine and the time it was made at.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::archive::tar::Tar;
use crate::archive::{FILE, PROGRAM};

/// The one directory that everybody may write to.
const SHARED: u32 = 0o1777;

/// Everything below a directory, in order, owned by root, without times.
pub(super) fn of(tree: &Path) -> Result<Vec<u8>> {
    let mut archive = Tar::new(0);
    add(tree, "", &mut archive)?;
    Ok(archive.finish())
}

fn add(directory: &Path, above: &str, archive: &mut Tar) -> Result<()> {
    let failed = || format!("cannot read `{}`", directory.display());
    let mut entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>).with_context(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        let found = fs::symlink_metadata(&path).with_context(failed)?;
        let mode = found.permissions().mode() & 0o7777;
        // Whatever the mask of whoever made it was.
        if found.is_dir() {
            let name = format!("{name}/");
            archive.directory(&name, if mode == SHARED { SHARED } else { PROGRAM })?;
            add(&path, &name, archive)?;
        } else if found.is_file() {
            let content = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            archive.file(&name, if mode & 0o100 == 0 { FILE } else { PROGRAM }, &content)?;
        } else {
            bail!("`{name}` is neither a file nor a directory");
        }
    }
    Ok(())
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
        assert_eq!(archive.len() % 512, 0);
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
