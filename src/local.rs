//! Files of the machine the server runs on: only below the directories that were opened to it.
//!
//! A directory is held open, and everything in it is accessed through that handle: neither `..` nor a symbolic link
//! leads outside, not even one that is made between check and use. A file with several names is not read: a hard link
//! may be the name of a file outside.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use databricks::Content;

use crate::digest::Sha256Hex;
use crate::error::Error;

/// The directories that tools may read from and write to; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct LocalRoots {
    roots: Arc<[Root]>,
    /// Whether nothing is written.
    only_read: bool,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// As it was given, which may lead here through links.
    given: PathBuf,
    directory: Arc<Dir>,
}

/// A path below one of the roots.
#[derive(Debug, Clone)]
pub(crate) struct LocalPath {
    root: Arc<Dir>,
    /// Relative to the root; empty for the root itself.
    path: PathBuf,
    /// The whole path, for messages and answers.
    shown: PathBuf,
    /// Whether nothing is written there.
    only_read: bool,
}

impl LocalRoots {
    /// Opens the directories.
    ///
    /// # Errors
    /// When one is none, or cannot be opened.
    pub fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        let open = |path: &PathBuf| {
            let (path, given) = (path.canonicalize()?, std::path::absolute(path)?);
            let directory = Dir::open_ambient_dir(&path, ambient_authority())?;
            Ok(Root { path, given, directory: Arc::new(directory) })
        };
        let roots = paths.iter().map(|path| {
            open(path).map_err(|error: io::Error| {
                Error::failed(format!("cannot open the local directory `{}`: {error}", path.display()))
            })
        });
        Ok(Self { roots: roots.collect::<Result<Vec<_>, _>>()?.into(), only_read: false })
    }

    /// The same directories, to which nothing is written.
    pub(crate) fn only_read(&self) -> Self {
        Self { only_read: true, ..self.clone() }
    }

    /// The place of a path: absolute below a root, or relative to the first.
    pub(crate) fn place(&self, path: &str) -> Result<LocalPath, Error> {
        let Some(first) = self.roots.first() else {
            return Err(Error::failed("this server may not touch local files")
                .with_hint(
                    "whoever runs this server can open a directory of its machine with `--local-root DIR`, from which tools may \
                     read and to which they may write",
                ));
        };
        let given = Path::new(path);
        let below = |root: &Root| given.strip_prefix(&root.path).or_else(|_| given.strip_prefix(&root.given)).ok();
        let found = match given.is_absolute() {
            true => self.roots.iter().find_map(|root| Some((root, below(root)?))),
            false => Some((first, given)),
        };
        let inside = found.filter(|(_, path)| {
            path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir))
        });
        let Some((root, relative)) = inside else {
            let roots: Vec<_> = self.roots.iter().map(|root| format!("`{}`", root.path.display())).collect();
            return Err(Error::failed(format!("`{path}` is outside of {}", roots.join(", ")))
                .with_hint("give a path below it, without `..`"));
        };
        let path: PathBuf = relative.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        Ok(LocalPath {
            root: Arc::clone(&root.directory),
            shown: root.path.join(&path),
            path,
            only_read: self.only_read,
        })
    }
}

impl LocalPath {
    /// The whole path, for messages and answers.
    pub(crate) fn shown(&self) -> String {
        self.shown.display().to_string()
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> Option<&str> {
        self.path.file_name()?.to_str()
    }

    /// The file's content, for an upload.
    pub(crate) fn content(&self) -> Result<Content, Error> {
        let failed = |error| self.failed("read", error);
        // Only a regular file is opened: a named pipe would block.
        if !self.root.metadata(&self.path).map_err(failed)?.is_file() {
            return Err(Error::failed(format!("`{}` is not a file", self.shown()))
                .with_hint("name a file in it as `local_path`, or upload a whole folder with `upload_folder`"));
        }
        let place = self.clone();
        let open = move || place.open();
        // A file that cannot be opened is told before anything is sent.
        let length = open().and_then(|file| file.metadata()).map_err(failed)?.len();
        Ok(Content::new(length, open))
    }

    /// Opens the file for reading, unless it has another name besides.
    fn open(&self) -> io::Result<std::fs::File> {
        let mut options = OpenOptions::new();
        options.read(true);
        // What was a file a moment ago may be a named pipe now, whose opening would wait for a writer.
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file = self.root.open_with(&self.path, &options)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        if has_several_names(&metadata) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it has several names (hard links), and one may belong to a file elsewhere; make a copy and give that",
            ));
        }
        Ok(file.into_std())
    }

    /// The SHA-256 of the file.
    pub(crate) fn digest(&self) -> Result<String, Error> {
        let mut digest = Sha256Hex::default();
        let mut buffer = vec![0; 256 * 1024];
        let mut file = self.open().map_err(|error| self.failed("open", error))?;
        loop {
            let count = file.read(&mut buffer).map_err(|error| self.failed("read", error))?;
            match buffer.get(..count) {
                Some(bytes) if !bytes.is_empty() => digest.add(bytes),
                _ => return Ok(digest.finish()),
            }
        }
    }

    /// The directory's files, in the order of their paths, with these; links of either kind are not followed but counted.
    pub(crate) fn files(&self, most: usize) -> Result<Files, Error> {
        let mut files = Files { root: self.clone(), paths: Vec::new(), links: 0 };
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let path = Path::new(".").join(&self.path).join(&folder);
            for entry in self.root.read_dir(path).map_err(|error| self.failed("list", error))? {
                let entry = entry.map_err(|error| self.failed("list", error))?;
                let kind = entry.file_type().map_err(|error| self.failed("list", error))?;
                let below = folder.join(entry.file_name());
                if kind.is_dir() {
                    folders.push(below);
                } else if kind.is_file() && !entry.metadata().is_ok_and(|metadata| has_several_names(&metadata)) {
                    files.paths.push(below);
                } else {
                    files.links += 1;
                }
            }
            if files.paths.len() > most {
                return Err(Error::failed(format!("`{}` holds more than {most} files", self.shown()))
                    .with_hint("upload its folders one by one"));
            }
        }
        files.paths.sort();
        Ok(files)
    }

    /// Begins a file that takes its place only once it is complete. With `overwrite` it then replaces what is there, and has its
    /// permissions; without, a file that is there by then is an error.
    pub(crate) fn create(&self, overwrite: bool) -> Result<NewFile, Error> {
        if self.only_read {
            return Err(Error::failed(format!("this is a dry run, and the local `{}` is not written", self.shown()))
                .with_hint("it is written once whoever runs this server starts it without `--dry-run`"));
        }
        let Some(name) = self.path.file_name() else {
            return Err(Error::failed(format!("`{}` is a directory", self.shown()))
                .with_hint("name a file in it, or end the path with `/` to keep the name"));
        };
        match self.root.symlink_metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(Error::failed(format!("`{}` exists and is not a file", self.shown()))
                    .with_hint("give the path of another local file"));
            }
            Ok(_) if !overwrite => return Err(self.exists()),
            _ => {}
        }
        let parent = self.path.parent().unwrap_or(Path::new(""));
        if !parent.as_os_str().is_empty() {
            self.root.create_dir_all(parent).map_err(|error| self.failed("create the folder of", error))?;
        }
        let mut part = OsString::from(".");
        part.push(name);
        part.push(format!(".{}.part", uuid::Uuid::new_v4().simple()));
        let part = parent.join(part);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // What replaces a file is nowhere readable for more people than that file.
        #[cfg(unix)]
        if overwrite && self.mode().is_some() {
            cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let file = self.root.open_with(&part, &options).map_err(|error| self.failed("create", error))?.into_std();
        Ok(NewFile { place: self.clone(), part: Some(part), file, overwrite })
    }

    /// The permissions of the file that is there, without set-user-ID and its like.
    #[cfg(unix)]
    fn mode(&self) -> Option<u32> {
        use cap_std::fs::PermissionsExt;
        Some(self.root.symlink_metadata(&self.path).ok()?.permissions().mode() & 0o777)
    }

    fn exists(&self) -> Error {
        Error::failed(format!("`{}` already exists", self.shown()))
            .with_hint("give the path of another local file, or `overwrite: true`")
    }

    fn failed(&self, verb: &str, error: io::Error) -> Error {
        let kind = error.kind();
        let failure = Error::failed(format!("cannot {verb} the local `{}`: {error}", self.shown()));
        match kind {
            io::ErrorKind::NotFound => failure.with_hint("give a path that exists on the machine of this server"),
            io::ErrorKind::NotADirectory => failure.with_hint("it is a file: for one file use `upload_file`"),
            io::ErrorKind::PermissionDenied => failure.with_hint("give the account that runs this server access to it"),
            _ => failure,
        }
    }
}

/// What a directory holds.
#[derive(Debug)]
pub(crate) struct Files {
    root: LocalPath,
    /// The files, relative to the directory.
    pub(crate) paths: Vec<PathBuf>,
    /// How many entries are neither files nor directories.
    pub(crate) links: usize,
}

impl Files {
    /// Where one of them is.
    pub(crate) fn place(&self, path: &Path) -> LocalPath {
        let LocalPath { root, path: above, shown, only_read } = &self.root;
        LocalPath { root: Arc::clone(root), path: above.join(path), shown: shown.join(path), only_read: *only_read }
    }
}

/// A file that is being written under another name; without [`NewFile::finish`] it leaves nothing.
#[derive(Debug)]
pub(crate) struct NewFile {
    place: LocalPath,
    part: Option<PathBuf>,
    file: std::fs::File,
    overwrite: bool,
}

impl NewFile {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|error| self.place.failed("write", error))
    }

    /// Puts the file in its place.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(|error| self.place.failed("write", error))?;
        let placed = if self.overwrite { self.replace() } else { self.place_anew() };
        placed.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists if !self.overwrite => self.place.exists(),
            _ => self.place.failed("create", error),
        })
    }

    /// Puts the file where none may be.
    fn place_anew(&mut self) -> io::Result<()> {
        let (root, path) = (&self.place.root, &self.place.path);
        let Some(part) = &self.part else { return Ok(()) };
        match root.hard_link(part, root, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // Not every file system has links. There the name is taken first, and then the file put in its place.
                root.open_with(path, OpenOptions::new().write(true).create_new(true))?;
                self.rename()
            }
            // Dropping takes the other name away.
            outcome => outcome,
        }
    }

    /// Puts the file in the place of what is there, with its permissions.
    fn replace(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(mode) = self.place.mode() {
            use std::os::unix::fs::PermissionsExt;
            self.file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        self.rename()
    }

    fn rename(&mut self) -> io::Result<()> {
        if let Some(part) = &self.part {
            self.place.root.rename(part, &self.place.root, &self.place.path)?;
            self.part = None;
        }
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(part) = self.part.take()
            && let Err(error) = self.place.root.remove_file(part)
        {
            tracing::warn!(%error, "a partial download stays");
        }
    }
}

/// Whether a file has another name besides the one that it was found by. Outside of Unix that is not told.
fn has_several_names(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    return cap_std::fs::MetadataExt::nlink(metadata) > 1;
    #[cfg(not(unix))]
    return false;
}

/// Runs what blocks, such as reading a disk, apart from what waits for the network.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::failed(error.to_string()))?
}

#[cfg(test)]
mod tests;
