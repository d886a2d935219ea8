//! Zip archives, read as from a stranger: whatever is in one costs no more than it may.
//!
//! Derived: the limits, but for that of an import; and that names have to stay below the folder.

use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::ApiError;

/// The most that all entries together may hold, unpacked.
pub(super) const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The most entries.
pub(super) const MOST_ENTRIES: usize = 10_000;

/// A file, or with a slash at its end a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) content: Vec<u8>,
}

/// What is no archive, or cannot be unpacked. [recorded]
pub(super) fn invalid() -> ApiError {
    ApiError::invalid_parameter("The zip file may not be valid or may be an unsupported version.")
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Entry>, ApiError> {
    unpack(bytes, MOST_BYTES)
}

fn unpack(bytes: &[u8], most: usize) -> Result<Vec<Entry>, ApiError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| invalid())?;
    if archive.len() > MOST_ENTRIES {
        let message =
            format!("The archive has {} entries, and at most {MOST_ENTRIES} are imported at once", archive.len());
        return Err(ApiError::invalid_parameter(message));
    }
    let mut entries = Vec::new();
    let mut left = most;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|_| invalid())?;
        let path = file.name().map_err(|_| invalid())?.into_owned();
        check(&path)?;
        let mut content = Vec::new();
        // What an entry says of its size is not to be trusted.
        let limit = u64::try_from(left).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut content).map_err(|_| invalid())?;
        left = left.checked_sub(content.len()).ok_or_else(|| {
            let message = format!("The archive holds more than {most} bytes, unpacked: import its folders one by one");
            ApiError::new(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", message)
        })?;
        entries.push(Entry { path, content });
    }
    Ok(entries)
}

/// Refuses a name that leads elsewhere, and an archive in the archive.
fn check(path: &str) -> Result<(), ApiError> {
    let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
    if parts.any(|part| matches!(part, "" | "." | "..")) || path.contains(['\\', '\0']) {
        return Err(ApiError::invalid_parameter(format!("The archive has an entry with an invalid name: {path:?}")));
    }
    let name = path.to_ascii_lowercase();
    if name.ends_with(".zip") || name.ends_with(".dbc") {
        return Err(ApiError::invalid_parameter(format!("Zip files within directories are not supported: {path}")));
    }
    Ok(())
}

pub(super) fn write(entries: &[Entry]) -> Result<Vec<u8>, ApiError> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for Entry { path, content } in entries {
        writer.start_file(path.as_str(), options).map_err(failed)?;
        writer.write_all(content).map_err(failed)?;
    }
    Ok(writer.finish().map_err(failed)?.into_inner())
}

/// Writing into memory does not fail, but for names of more than 65,535 bytes.
fn failed(error: impl std::fmt::Display) -> ApiError {
    ApiError::invalid_parameter(format!("The folder cannot be exported as an archive: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, content: &[u8]) -> Entry {
        Entry { path: path.to_owned(), content: content.to_vec() }
    }

    #[test]
    fn what_is_written_is_read() {
        let entries = [entry("a/", b"{}"), entry("a/b c.txt", b"text"), entry("a/\u{e9}", b"")];
        assert_eq!(read(&write(&entries).unwrap()).unwrap(), entries);
    }

    #[test]
    fn bad_archives_are_refused() {
        let refusal = |bytes: &[u8]| format!("{:?}", read(bytes).unwrap_err());
        assert!(refusal(b"no archive").contains("may not be valid"));
        for path in ["../x", "/x", "a/../../x", "a//x", "a\\..\\x", ".", "x\0"] {
            assert!(refusal(&write(&[entry(path, b"")]).unwrap()).contains("invalid name"), "{path}");
        }
        assert!(refusal(&write(&[entry("a/b.ZIP", b"")]).unwrap()).contains("not supported"));
        let many: Vec<_> = (0..=MOST_ENTRIES).map(|number| entry(&number.to_string(), b"")).collect();
        assert!(refusal(&write(&many).unwrap()).contains("10001 entries"));
    }

    #[test]
    fn bombs_do_not_go_off() {
        let half = vec![0; 500_001];
        let bomb = write(&[entry("a", &half), entry("b", &half)]).unwrap();
        assert!(bomb.len() < 10_000, "{}", bomb.len());
        assert!(format!("{:?}", unpack(&bomb, 1_000_000).unwrap_err()).contains("MAX_NOTEBOOK_SIZE_EXCEEDED"));
        assert!(unpack(&bomb, 1_000_002).is_ok());
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let whole = write(&[entry("a/", b""), entry("a/b.py", b"print(1)\nprint(2)\n"), entry("c", b"3")]).unwrap();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        for index in 0..whole.len() {
            for bit in 0..8 {
                let mut bent = whole.clone();
                bent[index] ^= 1 << bit;
                let _ = read(&bent);
            }
        }
    }
}
