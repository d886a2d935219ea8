//! Files of the machine the server runs on: only below the directories that were opened to it.
//!
//! A directory is held open, and everything in it is reached through that handle: neither `..` nor a symbolic link
//! leads outside, not even one that is made between check and use.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use databricks::Content;

use crate::error::Error;
use crate::tools::remote::Digits;

/// The directories that tools may read from and write to; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct LocalRoots {
    roots: Arc<[Root]>,
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
pub(crate) struct Place {
    root: Arc<Dir>,
    /// Relative to the root; empty for the root itself.
    path: PathBuf,
    /// The whole path, for messages and answers.
    shown: PathBuf,
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
        Ok(Self { roots: roots.collect::<Result<Vec<_>, _>>()?.into() })
    }

    /// The place of a path: absolute below a root, or relative to the first.
    pub(crate) fn place(&self, path: &str) -> Result<Place, Error> {
        let Some(first) = self.roots.first() else {
            return Err(Error::failed("this server may not touch local files")
                .with_hint("restart it with `--local-root DIR`, a directory that tools may read from and write to"));
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
        Ok(Place { root: Arc::clone(&root.directory), shown: root.path.join(&path), path })
    }
}

impl Place {
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
        let metadata = self.root.metadata(&self.path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::failed(format!("`{}` is not a file", self.shown()))
                .with_hint("name a file in it as `local_path`, or upload a whole folder with `upload_folder`"));
        }
        let place = self.clone();
        let open = move || Ok(place.root.open(&place.path)?.into_std());
        // A file that cannot be opened is told before anything is sent.
        open().map_err(failed)?;
        Ok(Content::new(metadata.len(), open))
    }

    /// The SHA-256 of the file.
    pub(crate) fn digest(&self) -> Result<String, Error> {
        let mut digits = Digits::default();
        let mut buffer = vec![0; 256 * 1024];
        let mut file = self.root.open(&self.path).map_err(|error| self.failed("open", error))?;
        loop {
            let count = file.read(&mut buffer).map_err(|error| self.failed("read", error))?;
            match buffer.get(..count) {
                Some(bytes) if !bytes.is_empty() => digits.add(bytes),
                _ => return Ok(digits.finish()),
            }
        }
    }

    /// The directory's files, in the order of their paths, with these; links are not followed but counted.
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
                } else if kind.is_file() {
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

    /// Begins a file that replaces what is there only once it is complete.
    pub(crate) fn create(&self, overwrite: bool) -> Result<NewFile, Error> {
        let Some(name) = self.path.file_name() else {
            return Err(Error::failed(format!("`{}` is a directory", self.shown()))
                .with_hint("name a file in it as `local_path`, or end it with `/` to keep the name"));
        };
        match self.root.symlink_metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(Error::failed(format!("`{}` exists and is not a file", self.shown()))
                    .with_hint("give another `local_path`"));
            }
            Ok(_) if !overwrite => {
                return Err(Error::failed(format!("`{}` exists already", self.shown()))
                    .with_hint("give another `local_path`, or `overwrite: true`"));
            }
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
        let file = self.root.open_with(&part, OpenOptions::new().write(true).create_new(true));
        let file = file.map_err(|error| self.failed("create", error))?.into_std();
        Ok(NewFile { place: self.clone(), part: Some(part), file })
    }

    fn failed(&self, verb: &str, error: io::Error) -> Error {
        Error::failed(format!("cannot {verb} the local `{}`: {error}", self.shown()))
    }
}

/// What a directory holds.
#[derive(Debug)]
pub(crate) struct Files {
    root: Place,
    /// The files, relative to the directory.
    pub(crate) paths: Vec<PathBuf>,
    /// How many entries are neither files nor directories.
    pub(crate) links: usize,
}

impl Files {
    /// Where one of them is.
    pub(crate) fn place(&self, path: &Path) -> Place {
        let Place { root, path: above, shown } = &self.root;
        Place { root: Arc::clone(root), path: above.join(path), shown: shown.join(path) }
    }
}

/// A file that is being written under another name; without [`NewFile::finish`] it leaves nothing.
#[derive(Debug)]
pub(crate) struct NewFile {
    place: Place,
    part: Option<PathBuf>,
    file: std::fs::File,
}

impl NewFile {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|error| self.place.failed("write", error))
    }

    /// Puts the file in its place.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(|error| self.place.failed("write", error))?;
        let Some(part) = self.part.take() else { return Ok(()) };
        self.place.root.rename(&part, &self.place.root, &self.place.path).map_err(|error| {
            let _ = self.place.root.remove_file(&part);
            self.place.failed("create", error)
        })
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

#[cfg(test)]
mod tests;
