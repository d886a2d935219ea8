//! The binary that is packed: which machines it runs on, as each kind of package calls them. The file itself says it.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::{elf, macho};

/// The libraries that every system with the GNU C library has: what wheels may take from outside.
const OF_THE_SYSTEM: [&str; 9] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
];

/// A program and where it runs.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) content: Vec<u8>,
    pub(super) system: System,
    pub(super) machine: Machine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// Linux with the GNU C library, of this version or newer.
    Gnu(u32, u32),
    /// Any Linux: the program needs no library at all.
    Static,
    /// macOS from this version on.
    MacOs(u32, u32),
    Windows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    X86_64,
    Arm64,
}

impl Program {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let content = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Self::of(content).with_context(|| format!("in `{}`", path.display()))
    }

    fn of(content: Vec<u8>) -> Result<Self> {
        let (system, machine) = if content.starts_with(b"\x7fELF") {
            let (machine, needs) = elf::read(&content)?;
            (linux(&needs)?, machine)
        } else if content.starts_with(&macho::MAGIC) {
            let (machine, (major, minor)) = macho::read(&content)?;
            (System::MacOs(major, minor), machine)
        } else if content.starts_with(b"MZ") {
            (System::Windows, windows(&content)?)
        } else {
            bail!("it is no program that is known here");
        };
        Ok(Self { content, system, machine })
    }

    /// The name of the platform for cargo.
    pub(super) fn target(&self) -> String {
        let machine = match self.machine {
            Machine::X86_64 => "x86_64",
            Machine::Arm64 => "aarch64",
        };
        let system = match self.system {
            System::Gnu(..) => "unknown-linux-gnu",
            System::Static => "unknown-linux-musl",
            System::MacOs(..) => "apple-darwin",
            System::Windows => "pc-windows-msvc",
        };
        format!("{machine}-{system}")
    }

    /// The tag of a wheel.
    pub(super) fn wheel_tag(&self) -> String {
        match (self.system, self.machine) {
            (System::Gnu(major, minor), machine) => format!("manylinux_{major}_{minor}_{}", machine.of_linux()),
            // It needs nothing of musl: this is the oldest version for which there are wheels.
            (System::Static, machine) => format!("musllinux_1_1_{}", machine.of_linux()),
            // From macOS 11 on, only the first number counts.
            (System::MacOs(major, minor), machine) => {
                let minor = if major >= 11 { 0 } else { minor };
                let machine = if machine == Machine::Arm64 { "arm64" } else { "x86_64" };
                format!("macosx_{major}_{minor}_{machine}")
            }
            (System::Windows, Machine::X86_64) => "win_amd64".to_owned(),
            (System::Windows, Machine::Arm64) => "win_arm64".to_owned(),
        }
    }

    /// What Node calls the system and the machine.
    pub(super) fn node(&self) -> (&'static str, &'static str) {
        let system = match self.system {
            System::Gnu(..) | System::Static => "linux",
            System::MacOs(..) => "darwin",
            System::Windows => "win32",
        };
        (system, if self.machine == Machine::Arm64 { "arm64" } else { "x64" })
    }

    /// The platform in the names of bundles and of npm's packages.
    pub(super) fn platform(&self) -> String {
        let (system, machine) = self.node();
        format!("{system}-{machine}{}", if self.system == System::Static { "-musl" } else { "" })
    }

    /// The name of the file of a program.
    pub(super) fn file(&self, name: &str) -> String {
        format!("{name}{}", if self.system == System::Windows { ".exe" } else { "" })
    }
}

impl Machine {
    fn of_linux(self) -> &'static str {
        match self {
            Machine::X86_64 => "x86_64",
            Machine::Arm64 => "aarch64",
        }
    }

    /// What Debian calls it.
    pub(super) fn of_debian(self) -> &'static str {
        match self {
            Machine::X86_64 => "amd64",
            Machine::Arm64 => "arm64",
        }
    }
}

fn linux(needs: &elf::Needs) -> Result<System> {
    if needs.libraries.is_empty() {
        return Ok(System::Static);
    }
    let others: Vec<_> =
        needs.libraries.iter().map(String::as_str).filter(|name| !OF_THE_SYSTEM.contains(name)).collect();
    ensure!(others.is_empty(), "it needs `{}`, which not every system has", others.join("`, `"));
    let versions = needs.versions.iter().filter_map(|version| version.strip_prefix("GLIBC_"));
    let versions = versions.filter_map(|version| {
        let mut numbers = version.split('.').map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    let (major, minor) = versions.max().context("it needs libraries and no version of the GNU C library")?;
    Ok(System::Gnu(major, minor))
}

/// The machine of a Windows program: a header, whose place stands in the one of old, names it.
fn windows(content: &[u8]) -> Result<Machine> {
    let place = content.get(0x3c..0x40).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let place = place.context("it is cut off")? as usize;
    match content.get(place..place.saturating_add(6)) {
        Some(b"PE\0\0\x64\x86") => Ok(Machine::X86_64),
        Some(b"PE\0\0\x64\xaa") => Ok(Machine::Arm64),
        _ => bail!("it is a Windows program for a machine that is not known here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(libraries: &[&str], versions: &[&str]) -> elf::Needs {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        elf::Needs { libraries: owned(libraries), versions: owned(versions) }
    }

    #[test]
    fn a_program_says_where_it_runs() {
        let versions = ["GLIBC_2.2.5", "GLIBC_2.35", "GCC_3.0", "GLIBC_2.9"];
        assert_eq!(linux(&needs(&["libc.so.6", "libgcc_s.so.1"], &versions)).unwrap(), System::Gnu(2, 35));
        assert_eq!(linux(&needs(&[], &[])).unwrap(), System::Static);
        let refused = linux(&needs(&["libc.so.6", "libssl.so.3"], &versions)).unwrap_err().to_string();
        assert!(refused.contains("libssl.so.3"), "{refused}");
        let mut pe = vec![0; 0x40];
        pe[..2].copy_from_slice(b"MZ");
        pe[0x3c] = 0x40;
        pe.extend_from_slice(b"PE\0\0\x64\x86");
        let program = Program::of(pe).unwrap();
        assert_eq!((program.system, program.machine), (System::Windows, Machine::X86_64));
        assert_eq!((program.wheel_tag().as_str(), program.file("a").as_str()), ("win_amd64", "a.exe"));
        for wrong in [&b"#!/bin/sh"[..], b"MZ", b"\x7fELF\x02\x01", b"\xcf\xfa\xed\xfe", b""] {
            assert!(Program::of(wrong.to_vec()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn each_kind_of_package_has_its_own_names_for_platforms() {
        let program = |system, machine| Program { content: Vec::new(), system, machine };
        let names = |program: Program| (program.target(), program.wheel_tag(), program.platform());
        let expect = |found: (String, String, String), target: &str, tag: &str, platform: &str| {
            assert_eq!(found, (target.to_owned(), tag.to_owned(), platform.to_owned()));
        };
        let gnu = names(program(System::Gnu(2, 35), Machine::X86_64));
        expect(gnu, "x86_64-unknown-linux-gnu", "manylinux_2_35_x86_64", "linux-x64");
        let musl = names(program(System::Static, Machine::Arm64));
        expect(musl, "aarch64-unknown-linux-musl", "musllinux_1_1_aarch64", "linux-arm64-musl");
        let mac = names(program(System::MacOs(11, 3), Machine::Arm64));
        expect(mac, "aarch64-apple-darwin", "macosx_11_0_arm64", "darwin-arm64");
        let old = names(program(System::MacOs(10, 12), Machine::X86_64));
        expect(old, "x86_64-apple-darwin", "macosx_10_12_x86_64", "darwin-x64");
    }
}
