//! Files that are replaced as a whole, so that a reader sees the old one or the new one: settings, which keep the permissions that
//! people gave them, and secrets, which only their owner can read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file of settings anew. One that is there keeps its permissions; a new one is its owner's alone.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link, such as people have for their settings, stays one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let permissions = fs::metadata(path).map(|metadata| metadata.permissions()).ok();
    replace_exactly(path, content, permissions)
}

/// Writes a secret anew: into a new file of its owner alone, whatever was there before. A link is refused, as it could lead to where
/// others read.
pub(crate) fn replace_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::other("it is a link or something else that is not a regular file; remove it"));
    }
    replace_exactly(path, content, None)
}

fn replace_exactly(path: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    let draft = path.with_extension(format!("{:x}.new", fastrand::u64(..)));
    let replaced = write(&draft, content, permissions).and_then(|()| fs::rename(&draft, path));
    if replaced.is_err() {
        // Nothing to be done if this fails as well.
        let _ = fs::remove_file(&draft);
    }
    replaced
}

fn write(path: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    let mut file = create(path, OpenOptions::new().write(true).create_new(true))?;
    file.write_all(content)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.sync_all()
}

/// Opens a file that may have to be made, for its owner alone.
pub(crate) fn create(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

/// Makes a directory for secrets, or takes access to one that is there from everybody else: whoever can write there could replace
/// them.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(io::Error::other(format!(
            "`{}` is a link or something else that is not a directory",
            path.display()
        )));
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            // This fails where the directory is somebody else's.
            fs::set_permissions(path, Permissions::from_mode(mode & 0o700))?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_and_keeps_what_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        symlink(&file, &link).unwrap();
        fs::write(&file, "old").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("new", 0o640));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let linked = replace_secret(&link, b"x").unwrap_err();
        assert!(linked.to_string().contains("a link"), "{linked}");
        replace_secret(&file, b"secret").unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("secret", 0o600));

        let made = directory.path().join("made");
        replace(&made, b"x").unwrap();
        assert_eq!(mode(&made), 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "a draft is left");
        assert!(replace(&directory.path().join("no/such"), b"x").is_err());
    }

    #[test]
    fn a_directory_of_secrets_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (open, link) = (directory.path().join("open"), directory.path().join("link"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        create_directory(&open).unwrap();
        assert_eq!(fs::metadata(&open).unwrap().permissions().mode() & 0o777, 0o700);
        symlink(&open, &link).unwrap();
        assert!(create_directory(&link).unwrap_err().to_string().contains("a link"));
    }
}
