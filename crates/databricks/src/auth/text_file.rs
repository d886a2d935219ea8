//! Reading small files that people name: settings, tokens, keys.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// No file of settings or credentials is larger.
const LARGEST: u64 = 1024 * 1024;

/// The text of a file. Only a regular one is opened: a named pipe would block until somebody writes to it.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_regular_files_of_text_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (content, expected) in [
            (b"host = x".to_vec(), Ok("host = x")),
            (vec![0xff], Err("it is not UTF-8 text")),
            (vec![b'x'; 1024 * 1024 + 1], Err("it is larger than 1 MiB")),
        ] {
            fs::write(&path, content).unwrap();
            let text = read(&path).map_err(|error| error.to_string());
            assert_eq!(text.as_deref().map_err(String::as_str), expected);
        }
        assert!(read(directory.path()).unwrap_err().to_string().contains("not a regular file"));
        assert_eq!(read(&directory.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(read(&path).unwrap_err().to_string().contains("not a regular file"));
    }
}
