//! The file of an audit log: locked, continued after its last line, and only appended to.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::Value;

use super::hash;
use crate::error::Error;

/// No line is longer.
pub(super) const LONGEST_LINE: u64 = 4 << 20;

/// A log that this process alone writes.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// The bytes of whole lines; `None` where it is no regular file, such as a pipe to a collector.
    length: Option<u64>,
}

impl LogFile {
    /// Opens a log, and gives the hash of its last line.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<String>), Error> {
        let failed = |error: io::Error| {
            Error::failed(format!("cannot open the audit log `{}`: {error}", path.display()))
                .with_hint("name a file that can be written with `--audit-log`")
        };
        // Opening a pipe waits until somebody reads it, and what is no file keeps no record.
        #[cfg(unix)]
        if fs::metadata(path).is_ok_and(|file| std::os::unix::fs::FileTypeExt::is_fifo(&file.file_type())) {
            return Err(failed(io::Error::other("it is a pipe")));
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        private(&mut options);
        let file = options.open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Ok((Self { file, length: None }, None));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::failed(format!("another process writes the audit log `{}`", path.display()))
                    .with_hint("give each server its own log with `--audit-log`"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let length = file.metadata().map_err(failed)?.len();
        let previous = last_line(path, length)?.map(|line| hash::of(&line));
        Ok((Self { file, length: Some(length) }, previous))
    }

    pub(super) fn is_regular(&self) -> bool {
        self.length.is_some()
    }

    /// Appends a line, or nothing of it.
    pub(super) fn append(&mut self, line: &str, durable: bool) -> io::Result<()> {
        let written = self.file.write_all(format!("{line}\n").as_bytes());
        let Some(length) = &mut self.length else { return written };
        let written = written.and_then(|()| if durable { self.file.sync_data() } else { Ok(()) });
        match written {
            Ok(()) => *length += line.len() as u64 + 1,
            // A part of a line would end the chain.
            Err(_) => self.file.set_len(*length)?,
        }
        written
    }
}

/// Whether another process writes a log.
pub(crate) fn is_in_use(path: &Path) -> bool {
    let lock = File::open(path).map(|file| file.try_lock());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

/// Only the owner may read what is made with these options.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

/// The last line of a log, which must be whole.
pub(super) fn last_line(path: &Path, length: u64) -> Result<Option<Vec<u8>>, Error> {
    if length == 0 {
        return Ok(None);
    }
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_LINE)))?;
        let mut end = Vec::new();
        file.take(LONGEST_LINE).read_to_end(&mut end)?;
        Ok(end)
    };
    let end =
        read().map_err(|error| Error::failed(format!("cannot read the audit log `{}`: {error}", path.display())))?;
    let line = end.strip_suffix(b"\n").map(|lines| lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default());
    match line {
        Some(line) if is_link(line) => Ok(Some(line.to_vec())),
        _ => Err(Error::failed(format!("the last line of the audit log `{}` is broken", path.display())).with_hint(
            "nothing was written to it: check it with `databricks-mcp-server audit verify`, move it away, and start \
             again",
        )),
    }
}

/// Whether a line is one of a chain.
fn is_link(line: &[u8]) -> bool {
    serde_json::from_slice::<Value>(line).is_ok_and(|line| line.get("previous").is_some())
}
