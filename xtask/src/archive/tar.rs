//! Tar archives (ustar), owned by root.

use anyhow::{Context as _, Result};

use super::Entry;

const BLOCK: usize = 512;
/// Bytes of a name in a header, and of the directories in front of a longer one.
const NAME: usize = 100;
const PREFIX: usize = 155;

/// An archive that grows.
#[derive(Debug)]
pub(crate) struct Tar {
    bytes: Vec<u8>,
    seconds: u64,
}

impl Tar {
    /// An empty one, whose files will all have this time.
    pub(crate) fn new(seconds: u64) -> Self {
        Self { bytes: Vec::new(), seconds }
    }

    /// Adds a directory; its path ends with `/`.
    pub(crate) fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        self.header(path, mode, 0, '5')
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.header(path, mode, content.len(), '0')?;
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        // An archive ends with two blocks of zeros.
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    fn header(&mut self, path: &str, mode: u32, size: usize, kind: char) -> Result<()> {
        let (prefix, name) = split(path).with_context(|| format!("the path `{path}` is too long for the archive"))?;
        let mut header = Vec::with_capacity(BLOCK);
        let mut field = |text: &str, width: usize| {
            let end = header.len() + width;
            header.extend_from_slice(text.as_bytes());
            header.resize(end, 0);
        };
        field(name, NAME);
        field(&format!("{mode:07o}"), 8);
        // The user and the group of root.
        field("0000000", 8);
        field("0000000", 8);
        field(&format!("{size:011o}"), 12);
        field(&format!("{:011o}", self.seconds), 12);
        // The sum of all bytes, where this field counts as blanks.
        field("        ", 8);
        field(&kind.to_string(), 1);
        // No link, the version of the format, no names of users, no device.
        field("", 100);
        field("ustar\u{0}00", 8);
        field("", 80);
        field(prefix, PREFIX);
        field("", 12);
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header.splice(148..156, format!("{sum:06o}\u{0} ").into_bytes());
        self.bytes.extend_from_slice(&header);
        Ok(())
    }
}

/// These files, in this order.
pub(crate) fn of(entries: &[Entry<'_>], seconds: u64) -> Result<Vec<u8>> {
    let mut archive = Tar::new(seconds);
    for Entry { path, content, mode } in entries {
        archive.file(path, *mode, content)?;
    }
    Ok(archive.finish())
}

/// A long path in two: what stands before some `/`, and what stands behind it.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME {
        return Some(("", path));
    }
    let places = path.match_indices('/').filter_map(|(place, _)| path.split_at_checked(place));
    let mut halves = places.filter_map(|(before, after)| Some((before, after.strip_prefix('/')?)));
    halves.find(|(before, after)| before.len() <= PREFIX && (1..=NAME).contains(&after.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_split_between_names() {
        let long = format!("{}/{}", "a".repeat(90), "b".repeat(90));
        assert_eq!(split(&long), Some(("a".repeat(90).as_str(), "b".repeat(90).as_str())));
        assert_eq!(split(&"a".repeat(101)), None);
        assert_eq!(split(&format!("{}/{}", "a".repeat(156), "b")), None);
    }
}
