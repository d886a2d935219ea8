//! Archives that tell nothing of the machine that made them: the same input gives the same bytes.

pub(crate) mod ar;
pub(crate) mod tar;
pub(crate) mod zip;

use std::borrow::Cow;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};

/// The one mode of programs and directories, and that of other files.
pub(crate) const PROGRAM: u32 = 0o755;
pub(crate) const FILE: u32 = 0o644;

/// A file of an archive.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    /// Its path, with `/` between names.
    pub(crate) path: String,
    pub(crate) content: Cow<'a, [u8]>,
    pub(crate) mode: u32,
}

impl<'a> Entry<'a> {
    pub(crate) fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), content: Cow::Owned(text.into().into_bytes()), mode: FILE }
    }

    pub(crate) fn file(path: impl Into<String>, content: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { path: path.into(), content: content.into(), mode: FILE }
    }

    pub(crate) fn program(path: impl Into<String>, content: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { mode: PROGRAM, ..Self::file(path, content) }
    }
}

/// How archives are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// The time of everything in them, in seconds since 1970.
    pub(crate) seconds: u64,
    /// How hard they are compressed, up to 9.
    pub(crate) level: u32,
}

/// Compresses with gzip, without a time and a name.
pub(crate) fn gzip(content: &[u8], level: u32) -> Result<Vec<u8>> {
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(level));
    packed.write_all(content).and_then(|()| packed.finish()).context("cannot compress")
}
