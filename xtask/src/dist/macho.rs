//! Which machine and which macOS a program is for, from its file (the Mach-O format, 64 bits).

use anyhow::{Context as _, Result, bail};

use super::program::Machine;

/// How such a file begins.
pub(super) const MAGIC: [u8; 4] = [0xcf, 0xfa, 0xed, 0xfe];
/// Commands that name the oldest macOS, and where in them it stands.
const BUILD_VERSION: (u32, usize) = (0x32, 12);
const VERSION_MINIMUM: (u32, usize) = (0x24, 8);

/// The machine, and the oldest version of macOS.
pub(super) fn read(content: &[u8]) -> Result<(Machine, (u32, u32))> {
    let word = |at: usize| {
        let bytes = content.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).context("the program is cut off")
    };
    let machine = match word(4)? {
        0x0100_0007 => Machine::X86_64,
        0x0100_000c => Machine::Arm64,
        other => bail!("its machine, {other}, is not known here"),
    };
    let mut command = 32;
    for _ in 0..word(16)? {
        let kind = word(command)?;
        if let Some((_, within)) = [BUILD_VERSION, VERSION_MINIMUM].into_iter().find(|(known, _)| *known == kind) {
            // Two bytes, one, and one.
            let version = word(command + within)?;
            return Ok((machine, (version >> 16, version >> 8 & 0xff)));
        }
        command += word(command + 4)?.max(8) as usize;
    }
    bail!("it does not say which macOS it is for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_macos_says_so() {
        let mut content = MAGIC.to_vec();
        let mut word = |word: u32| content.extend_from_slice(&word.to_le_bytes());
        // The header: machine, kind of it, kind of file, two commands, their size, flags.
        for field in [0x0100_000c, 0, 2, 2, 40, 0, 0] {
            word(field);
        }
        // A command of another kind, then the one that is looked for: macOS 11.3.
        for field in [0x1b, 16, 0, 0, 0x32, 24, 1, 0x000b_0300, 0, 0] {
            word(field);
        }
        assert_eq!(read(&content).unwrap(), (Machine::Arm64, (11, 3)));
        for end in 0..content.len() {
            _ = read(&content[..end]);
        }
    }
}
