//! A client's file on disk: read with care, and replaced in one step that keeps its mode and its owner.

use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// More is no configuration. The longest that is known is Claude Code's, with its history, at some megabytes.
const MOST_BYTES: u64 = 64 << 20;

/// A file as it was found.
#[derive(Debug)]
pub(super) struct File {
    /// Where it is said to be.
    pub(super) path: PathBuf,
    /// Where it really is, behind links.
    real: PathBuf,
    /// `None` if there is none yet.
    text: Option<String>,
}

impl File {
    /// Reads a file. `within` is the directory that links must not lead out of.
    pub(super) fn read(path: PathBuf, within: Option<&Path>) -> Result<Self, Error> {
        let failed = |error: &io::Error| Error::failed(format!("cannot read `{}`: {error}", path.display()));
        let own = match path.symlink_metadata() {
            Ok(own) => own,
            Err(error) if is_missing(&error) => {
                stay_within(&path, within)?;
                return Ok(Self { real: path.clone(), path, text: None });
            }
            Err(error) => return Err(failed(&error)),
        };
        let real = match path.canonicalize() {
            Ok(_) if !own.is_symlink() => path.clone(),
            Ok(real) => real,
            Err(error) if own.is_symlink() => {
                let message = format!("`{}` is a link that leads nowhere: {error}", path.display());
                return Err(Error::failed(message).with_hint("remove the link, or make the file that it names"));
            }
            Err(error) => return Err(failed(&error)),
        };
        stay_within(&real, within)?;
        let metadata = real.metadata().map_err(|error| failed(&error))?;
        refuse(&path, &metadata)?;
        let bytes = fs::read(&real).map_err(|error| failed(&error))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let is_wide = error.as_bytes().starts_with(&[0xff, 0xfe]) || error.as_bytes().starts_with(&[0xfe, 0xff]);
            let what = if is_wide { "UTF-16" } else { "not UTF-8" };
            Error::failed(format!("`{}` is {what}, and nothing in it was changed", path.display()))
                .with_hint("save it as UTF-8")
        })?;
        Ok(Self { path, real, text: Some(text) })
    }

    /// What is in it; nothing if there is none.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    pub(super) fn exists(&self) -> bool {
        self.text.is_some()
    }

    /// Where a link leads.
    pub(super) fn leads_to(&self) -> Option<&Path> {
        (self.real != self.path).then_some(&*self.real)
    }

    /// The directories that have to be made, from the outside.
    pub(super) fn missing_directories(&self) -> Vec<PathBuf> {
        missing(self.real.parent())
    }

    /// Puts another text in its place, unless somebody else has changed it meanwhile. The directories are there.
    pub(super) fn replace(&self, text: &str) -> Result<(), Error> {
        let failed = |error: io::Error| Error::failed(format!("cannot write `{}`: {error}", self.path.display()));
        let directory = self.real.parent().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".databricks-mcp-server-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // What a program gives that does not think of it; the mask of the process applies.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut new = builder.tempfile_in(directory).map_err(failed)?;
        new.write_all(text.as_bytes()).map_err(failed)?;
        if self.exists() {
            keep(&self.real.metadata().map_err(failed)?, new.path()).map_err(failed)?;
        }
        new.as_file().sync_all().map_err(failed)?;
        self.refuse_changed()?;
        if self.exists() {
            new.persist(&self.real).map_err(|error| failed(error.error))?;
        } else {
            new.persist_noclobber(&self.real).map_err(|error| failed(error.error))?;
        }
        Ok(())
    }

    /// Removes it, unless somebody else has changed it meanwhile.
    pub(super) fn remove(&self) -> Result<(), Error> {
        self.refuse_changed()?;
        fs::remove_file(&self.path)
            .map_err(|error| Error::failed(format!("cannot remove `{}`: {error}", self.path.display())))
    }

    fn refuse_changed(&self) -> Result<(), Error> {
        let now = match fs::read(&self.real) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(Error::failed(format!("cannot read `{}` again: {error}", self.path.display())));
            }
        };
        if now.as_deref() == self.text.as_deref().map(str::as_bytes) {
            return Ok(());
        }
        let message = format!("`{}` was changed by another program meanwhile; it was left alone", self.path.display());
        Err(Error::failed(message).with_hint("run the command again"))
    }
}

/// The directories from here upwards that are not there, from the outside.
pub(super) fn missing(directory: Option<&Path>) -> Vec<PathBuf> {
    let above = directory.into_iter().flat_map(Path::ancestors);
    let mut missing: Vec<_> = above.take_while(|path| !path.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Makes directories; those are left that were made before one failed.
pub(super) fn make(directories: &[PathBuf]) -> Result<(), Error> {
    for directory in directories {
        fs::create_dir(directory)
            .or_else(|error| if directory.is_dir() { Ok(()) } else { Err(error) })
            .map_err(|error| Error::failed(format!("cannot make the directory `{}`: {error}", directory.display())))?;
    }
    Ok(())
}

/// Removes those directories that are empty, from the inside.
pub(super) fn unmake(directories: &[PathBuf]) {
    for directory in directories.iter().rev() {
        // What somebody has put something into stays.
        let _ = fs::remove_dir(directory);
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn refuse(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    let path = path.display();
    if !metadata.is_file() {
        return Err(Error::failed(format!("`{path}` is no file")));
    }
    if metadata.len() > MOST_BYTES {
        let megabytes = metadata.len() >> 20;
        let message = format!("`{path}` has {megabytes} MiB, which is more than a configuration has");
        return Err(Error::failed(message).with_hint("look what is in it, or add the server by hand"));
    }
    if metadata.permissions().readonly() {
        let message = format!("`{path}` is read-only");
        return Err(Error::failed(message).with_hint("make it writable, or add the server by hand"));
    }
    Ok(())
}

/// A checked-out project may hold a link to anywhere.
fn stay_within(path: &Path, within: Option<&Path>) -> Result<(), Error> {
    let Some(directory) = within else { return Ok(()) };
    let there = path.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok());
    let real = there.and_then(|there| there.canonicalize().ok());
    if directory.canonicalize().ok().zip(real).is_some_and(|(directory, real)| real.starts_with(directory)) {
        return Ok(());
    }
    let message = format!("`{}` is behind a link that leads out of the project", path.display());
    Err(Error::failed(message).with_hint("remove the link, or use `--scope user`"))
}

#[cfg(unix)]
fn keep(metadata: &Metadata, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let new = path.metadata()?;
    if (new.uid(), new.gid()) != (metadata.uid(), metadata.gid()) {
        chown(path, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    fs::set_permissions(path, metadata.permissions())
}

#[cfg(not(unix))]
fn keep(metadata: &Metadata, path: &Path) -> io::Result<()> {
    fs::set_permissions(path, metadata.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_else_has_changed_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.json");
        fs::write(&path, "1").expect("a file");
        let file = File::read(path.clone(), None).expect("a file");
        fs::write(&path, "2").expect("a file");
        let errors = [file.replace("3"), file.remove()].map(|done| done.expect_err("changed").to_string());
        assert!(errors.iter().all(|error| error.contains("by another program meanwhile")), "{errors:?}");
        let missing = File::read(directory.path().join("b.json"), None).expect("none");
        fs::write(&missing.path, "4").expect("a file");
        missing.replace("5").expect_err("made meanwhile");
        let texts = [&path, &missing.path].map(|path| fs::read_to_string(path).expect("text"));
        assert_eq!(texts, ["2", "4"]);
        assert_eq!(fs::read_dir(directory.path()).map(Iterator::count).ok(), Some(2));
    }

    #[test]
    fn a_long_file_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.json");
        fs::File::create(&path).and_then(|file| file.set_len(MOST_BYTES + 1)).expect("a file");
        let error = File::read(path, None).expect_err("long").to_string();
        assert!(error.contains("has 64 MiB, which is more than a configuration has"), "{error}");
    }
}
