//! What a Linux program needs at run time, from its file (the ELF format, 64 bits, little-endian).

use anyhow::{Context as _, Result, bail, ensure};

use super::program::Machine;

/// Segments of the program.
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
/// Entries of the dynamic segment.
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;
const VERSIONS: u64 = 0x6fff_fffe;
const VERSION_COUNT: u64 = 0x6fff_ffff;
/// More than any program has.
const MOST: usize = 4_096;

/// Libraries and versions of their interfaces.
#[derive(Debug)]
pub(super) struct Needs {
    pub(super) libraries: Vec<String>,
    pub(super) versions: Vec<String>,
}

/// The machine that a program is for, and what it needs there.
pub(super) fn read(content: &[u8]) -> Result<(Machine, Needs)> {
    let file = File(content);
    ensure!(content.get(4..6) == Some(&[2, 1]), "it is no program for 64 bits in the order of Intel and ARM");
    let machine = match file.u16(18)? {
        0x3e => Machine::X86_64,
        0xb7 => Machine::Arm64,
        other => bail!("its machine, {other}, is not known here"),
    };
    Ok((machine, file.needs()?))
}

/// A segment: its kind, where it lies in the file and in memory, and its size in the file.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

struct File<'a>(&'a [u8]);

impl File<'_> {
    fn needs(&self) -> Result<Needs> {
        let segments = self.segments()?;
        let Some(dynamic) = segments.iter().find(|segment| segment.kind == DYNAMIC) else {
            return Ok(Needs { libraries: Vec::new(), versions: Vec::new() });
        };
        let entries = self.entries(dynamic)?;
        let of = |kind: u64| entries.iter().filter(move |(found, _)| *found == kind).map(|(_, value)| *value);
        let place = |address: u64| {
            let holds = |segment: &&Segment| {
                segment.kind == LOAD && address.checked_sub(segment.address).is_some_and(|within| within < segment.size)
            };
            let segment = segments.iter().find(holds).context("an address is outside of the program")?;
            Ok::<u64, anyhow::Error>(address - segment.address + segment.offset)
        };
        let Some(strings) = of(STRINGS).next() else {
            return Ok(Needs { libraries: Vec::new(), versions: Vec::new() });
        };
        let strings = place(strings)?;
        let text = |offset: u64| self.text(strings.saturating_add(offset));
        let libraries = of(NEEDED).map(text).collect::<Result<_>>()?;
        let mut versions = Vec::new();
        if let Some(start) = of(VERSIONS).next() {
            let mut entry = place(start)?;
            // For each library: how many versions, where they begin, and where the next library is.
            for _ in 0..of(VERSION_COUNT).next().unwrap_or_default().min(MOST as u64) {
                let mut version = entry + u64::from(self.u32(entry + 8)?);
                for _ in 0..self.u16(entry + 2)? {
                    versions.push(text(u64::from(self.u32(version + 8)?))?);
                    version += u64::from(self.u32(version + 12)?);
                }
                entry += u64::from(self.u32(entry + 12)?);
            }
        }
        Ok(Needs { libraries, versions })
    }

    fn segments(&self) -> Result<Vec<Segment>> {
        let (start, size, count) = (self.u64(32)?, u64::from(self.u16(54)?), u64::from(self.u16(56)?));
        let segment = |index: u64| {
            let at = start.saturating_add(index * size);
            Ok(Segment {
                kind: self.u32(at)?,
                offset: self.u64(at.saturating_add(8))?,
                address: self.u64(at.saturating_add(16))?,
                size: self.u64(at.saturating_add(32))?,
            })
        };
        (0..count).map(segment).collect()
    }

    /// The entries of the dynamic segment, each a kind and a value, up to the empty one.
    fn entries(&self, dynamic: &Segment) -> Result<Vec<(u64, u64)>> {
        let mut entries = Vec::new();
        for index in 0..(dynamic.size / 16).min(MOST as u64) {
            let at = dynamic.offset.saturating_add(index * 16);
            let entry = (self.u64(at)?, self.u64(at.saturating_add(8))?);
            if entry.0 == 0 {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn bytes<const N: usize>(&self, at: u64) -> Result<[u8; N]> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = self.0.get(at..at.saturating_add(N)).and_then(|bytes| bytes.try_into().ok());
        bytes.context("the program is cut off")
    }

    fn u16(&self, at: u64) -> Result<u16> {
        Ok(u16::from_le_bytes(self.bytes(at)?))
    }

    fn u32(&self, at: u64) -> Result<u32> {
        Ok(u32::from_le_bytes(self.bytes(at)?))
    }

    fn u64(&self, at: u64) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes(at)?))
    }

    fn text(&self, at: u64) -> Result<String> {
        let bytes = self.0.get(usize::try_from(at).unwrap_or(usize::MAX)..).context("the program is cut off")?;
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_program_needs_the_c_library() {
        let content = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let (_, needs) = read(&content).unwrap();
        assert!(needs.libraries.iter().any(|name| name.starts_with("libc.")), "{needs:?}");
        assert!(needs.versions.iter().any(|version| version.starts_with("GLIBC_2.")), "{needs:?}");
        // Wherever a program is cut off, that is an error or a smaller need, and no end of this one.
        for end in (0..4_096).step_by(7).chain((4_096..content.len()).step_by(content.len() / 50)) {
            _ = read(&content[..end]);
        }
    }
}
