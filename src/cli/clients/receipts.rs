//! What `install` has done, so that `uninstall` can leave each file as it was. Nothing in it is a secret: an entry that
//! somebody has added variables to is not kept, only that there is one.
//!
//! Backups of files lie beside it, for their owner only, as a client's file may hold secrets of other servers.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file;
use super::format::Splice;
use crate::digest::Sha256Hex;
use crate::error::Error;

const FILE: &str = "clients.json";
const BACKUPS: &str = "backups";
/// Backups of one file that are kept.
const MOST_BACKUPS: usize = 5;

/// One entry in one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) client: String,
    pub(super) path: PathBuf,
    /// The name of the server.
    pub(super) name: String,
    /// Whether the file was made for it.
    pub(super) made_file: bool,
    /// How many of the maps around the entry were made for it, from the inside.
    pub(super) made_maps: usize,
    /// The directories that were made for it, from the outside.
    pub(super) made_directories: Vec<PathBuf>,
    /// The digest of the file before.
    pub(super) before: String,
    /// What was written, unless it holds what somebody else has added.
    pub(super) splice: Option<Splice>,
}

impl Receipt {
    /// Notes directories that are made for it.
    pub(super) fn has_made(&mut self, directories: Vec<PathBuf>) {
        let new = directories.into_iter().filter(|made| !self.made_directories.contains(made));
        let new: Vec<_> = new.collect();
        self.made_directories.extend(new);
        self.made_directories.sort();
    }
}

/// All of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Receipts {
    entries: Vec<Receipt>,
    /// The directories that were made for this file.
    made_directories: Vec<PathBuf>,
    #[serde(skip)]
    directory: PathBuf,
}

impl Receipts {
    /// Those in a directory; none if there is none.
    pub(super) fn load(directory: PathBuf) -> Result<Self, Error> {
        let path = directory.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { directory, ..Self::default() }),
            Err(error) => return Err(Error::failed(format!("cannot read `{}`: {error}", path.display()))),
        };
        let known: Self = serde_json::from_str(&text).map_err(|_| {
            Error::failed(format!("`{}` is not what this program has written", path.display()))
                .with_hint("remove it; `uninstall` then takes entries out without it")
        })?;
        Ok(Self { directory, ..known })
    }

    pub(super) fn get(&self, path: &Path, name: &str) -> Option<&Receipt> {
        self.entries.iter().find(|entry| entry.path == path && entry.name == name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Receipt> {
        self.entries.iter()
    }

    /// Notes what is about to be done.
    pub(super) fn put(&mut self, receipt: Receipt) -> Result<(), Error> {
        self.entries.retain(|entry| entry.path != receipt.path || entry.name != receipt.name);
        self.entries.push(receipt);
        self.store()
    }

    /// Whoever is last in a file that was made for another server of ours takes it away.
    pub(super) fn hand_over(&mut self, path: &Path, name: &str) {
        let Some(index) = self.entries.iter().position(|entry| entry.path == path && entry.name == name) else {
            return;
        };
        let Some(gone) = self.entries.get(index).cloned() else { return };
        let others = self.entries.iter_mut().enumerate().filter(|(_, entry)| entry.path == path && entry.name != name);
        let Some((place, heir)) = others.last() else { return };
        heir.made_file |= gone.made_file;
        heir.made_maps = heir.made_maps.max(gone.made_maps);
        heir.has_made(gone.made_directories);
        if place > index {
            // What it was put into is not what it was before us.
            (heir.before, heir.splice) = (gone.before, None);
        }
    }

    /// Forgets what was undone.
    pub(super) fn drop(&mut self, path: &Path, name: &str) -> Result<(), Error> {
        let count = self.entries.len();
        self.entries.retain(|entry| entry.path != path || entry.name != name);
        if self.entries.len() == count { Ok(()) } else { self.store() }
    }

    fn store(&mut self) -> Result<(), Error> {
        let path = self.directory.join(FILE);
        let failed = |error: io::Error| Error::failed(format!("cannot write `{}`: {error}", path.display()));
        if self.entries.is_empty() {
            fs::remove_file(&path).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(failed(error)),
            })?;
            file::unmake(&self.made_directories);
            return Ok(());
        }
        self.make_directory(None)?;
        let text = serde_json::to_string_pretty(&self).map_err(|error| failed(error.into()))?;
        let mut new = tempfile::NamedTempFile::new_in(&self.directory).map_err(failed)?;
        new.write_all(text.as_bytes()).and_then(|()| new.write_all(b"\n")).map_err(failed)?;
        new.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn make_directory(&mut self, below: Option<&str>) -> Result<PathBuf, Error> {
        let directory = below.map_or_else(|| self.directory.clone(), |below| self.directory.join(below));
        let missing = file::missing(Some(&directory));
        file::make(&missing)?;
        for made in &missing {
            // For its owner only, from here on down.
            if made.starts_with(&self.directory) {
                close(made)?;
            }
            if !self.made_directories.contains(made) {
                self.made_directories.push(made.clone());
            }
        }
        Ok(directory)
    }

    /// Copies a file as it is before a change, and says where to.
    pub(super) fn back_up(&mut self, path: &Path, text: &str) -> Result<PathBuf, Error> {
        let directory = self.make_directory(Some(BACKUPS))?;
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%fZ");
        let backup = directory.join(format!("{}{time}", stem(path)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let failed = |error| Error::failed(format!("cannot write the backup `{}`: {error}", backup.display()));
        options.open(&backup).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
        let mut backups = self.backups(path);
        backups.sort();
        for old in backups.iter().rev().skip(MOST_BACKUPS) {
            // An old one more does no harm.
            let _ = fs::remove_file(old);
        }
        Ok(backup)
    }

    /// Removes the copies of a file that is as it was, unless another server of ours is in it.
    pub(super) fn drop_backups(&self, path: &Path) {
        if self.entries.iter().filter(|entry| entry.path == path).count() > 1 {
            return;
        }
        for backup in self.backups(path) {
            // One that stays does no harm.
            let _ = fs::remove_file(backup);
        }
        file::unmake(&[self.directory.join(BACKUPS)]);
    }

    fn backups(&self, path: &Path) -> Vec<PathBuf> {
        let stem = stem(path);
        let entries = fs::read_dir(self.directory.join(BACKUPS)).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&stem))
            .map(|entry| entry.path())
            .collect()
    }
}

/// How the names of a file's backups begin.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let digest = digest_of(&path.to_string_lossy());
    format!("{name}.{}.", digest.get(..12).unwrap_or_default())
}

/// A digest of a text.
pub(super) fn digest_of(text: &str) -> String {
    let mut digest = Sha256Hex::default();
    digest.add(text.as_bytes());
    digest.finish()
}

#[cfg(unix)]
fn close(directory: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
        .map_err(|error| Error::failed(format!("cannot close `{}` to others: {error}", directory.display())))
}

#[cfg(not(unix))]
fn close(_: &Path) -> Result<(), Error> {
    // Windows keeps a user's directories from other users.
    Ok(())
}
