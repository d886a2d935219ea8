//! Files that only their owner can read, replaced as a whole: a reader sees the old one or the new one.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file anew. One that is there keeps its permissions; a new one is its owner's alone.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link, such as people have for their settings, stays one.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let permissions = fs::metadata(path).map(|metadata| metadata.permissions()).ok();
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

/// Makes a directory for such files.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
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

        let made = directory.path().join("made");
        replace(&made, b"x").unwrap();
        assert_eq!(mode(&made), 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "a draft is left");
        assert!(replace(&directory.path().join("no/such"), b"x").is_err());
    }
}
