//! Reads the operator's files: regular ones only, because a pipe could block the start forever, and only up to a size.

use std::io::{self, Read as _};
use std::path::Path;

/// Files of configuration are smaller.
pub(crate) const MOST_BYTES: u64 = 16 << 20;

/// The text of a file.
///
/// # Errors
/// When it cannot be read, is no regular file, is too large, or is not UTF-8.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let other = |text: String| Err(io::Error::other(text));
    // Before it is opened: opening a pipe waits for who writes to it.
    if !std::fs::metadata(path)?.is_file() {
        return other("it is not a regular file".to_owned());
    }
    let mut text = String::new();
    let length = std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if length as u64 > MOST_BYTES {
        return other(format!("it has more than {} MiB", MOST_BYTES >> 20));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, read};

    #[test]
    fn only_regular_files_of_a_size_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "text").expect("written");
        assert!(read(&path).is_ok_and(|text| text == "text"));
        assert!(read(folder.path()).is_err_and(|error| error.to_string().contains("not a regular file")));
        let large = std::fs::File::create(&path).expect("a file");
        large.set_len(MOST_BYTES + 1).expect("a length");
        assert!(read(&path).is_err_and(|error| error.to_string().contains("more than 16 MiB")));
        #[cfg(unix)]
        assert!(read(std::path::Path::new("/dev/zero")).is_err());
    }
}
