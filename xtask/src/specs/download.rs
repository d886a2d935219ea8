//! Where a release comes from: pip downloads its wheel, as it knows the indexes, proxies and certificates of a machine.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::wheel::{DISTRIBUTION, Wheel};

/// The command lines under which pip is found.
const PIPS: [(&str, &[&str]); 3] = [("pip", &[]), ("pip3", &[]), ("python3", &["-m", "pip"])];

/// Why there is no wheel of a release.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// No package index could be asked.
    Index {
        /// What pip says of it.
        reason: String,
    },
    /// The package index has other releases only.
    Version {
        /// The release that was asked for.
        asked: String,
        /// The newest that there is.
        newest: String,
    },
}

impl Unavailable {
    /// 4 if no index could be asked, 5 if the index does not have the release.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Index { .. } => 4,
            Self::Version { .. } => 5,
        }
    }

    /// What pip's messages mean; nothing where they are about something else.
    fn read(asked: &str, messages: &str) -> Option<Self> {
        let (_, versions) = messages.split_once("(from versions: ")?;
        let (versions, _) = versions.split_once(')')?;
        if versions != "none" {
            let newest = versions.rsplit(", ").next().unwrap_or_default().to_owned();
            return Some(Self::Version { asked: asked.to_owned(), newest });
        }
        let broken = messages.lines().rev().find_map(|line| line.split_once("connection broken by '"));
        let reason = broken.map_or("it lists no release, or does not answer", |(_, reason)| said(reason));
        Some(Self::Index { reason: reason.to_owned() })
    }
}

/// The words in an exception of Python: without the object that raised it, and what follows the exception.
fn said(exception: &str) -> &str {
    let said = exception.rsplit_once(">: ").map_or(exception, |(_, said)| said);
    said.split_once("')").map_or(said, |(said, _)| said)
}

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { reason } => write!(
                formatter,
                "cannot ask the package index for {DISTRIBUTION}: {reason}\n\
                 hint: check the network, the proxy and pip's settings, or give the wheel of a release with `--wheel FILE`"
            ),
            Self::Version { asked, newest } => write!(
                formatter,
                "the package index has no {DISTRIBUTION} {asked}\nhint: the newest release there is {newest}"
            ),
        }
    }
}

impl std::error::Error for Unavailable {}

/// The pip of this machine.
#[derive(Debug, Default)]
pub(crate) struct Pip {
    /// Variables that its environment has besides those of this program.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Pip {
    /// Downloads and reads the wheel of a release, or of the newest.
    pub(crate) fn wheel(&self, version: Option<&str>) -> Result<Wheel> {
        let directory = tempfile::tempdir().context("cannot make a directory")?;
        Wheel::open(&self.download(version, directory.path())?)
    }

    fn download(&self, version: Option<&str>, directory: &Path) -> Result<PathBuf> {
        let requirement = match version {
            Some(version) => format!("{DISTRIBUTION}=={version}"),
            None => DISTRIBUTION.to_owned(),
        };
        for (program, arguments) in PIPS {
            let mut command = Command::new(program);
            command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
            command.args(["download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]);
            command.args(["--only-binary", ":all:", "--dest"]).arg(directory).arg(&requirement);
            let output = match command.output() {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                output => output.with_context(|| format!("cannot run `{program}`"))?,
            };
            if output.status.success() {
                return only_wheel(directory);
            }
            let messages = String::from_utf8_lossy(&output.stderr);
            if let Some(unavailable) = Unavailable::read(version.unwrap_or_default(), &messages) {
                return Err(unavailable.into());
            }
            let reason = messages.lines().rfind(|line| line.starts_with("ERROR")).unwrap_or("no reason given");
            bail!("`{program}` cannot download `{requirement}`: {reason}");
        }
        bail!(
            "cannot download `{requirement}`: neither `pip` nor `python3` is on PATH\n\
             hint: install pip, or give the wheel of a release with `--wheel FILE`"
        )
    }
}

fn only_wheel(directory: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel in `{}`", directory.display())
}

#[cfg(test)]
mod tests {
    use super::Unavailable;

    #[test]
    fn what_pip_says() {
        let lacks = "ERROR: Could not find a version that satisfies the requirement x==3 (from versions: 1.0, 2.0)\n\
                     ERROR: No matching distribution found for x==3\n";
        let expected = Unavailable::Version { asked: "3".to_owned(), newest: "2.0".to_owned() };
        assert_eq!(expected.exit_code(), 5);
        assert_eq!(Unavailable::read("3", lacks), Some(expected));
        let broken = "WARNING: Retrying (Retry(total=0)) after connection broken by \
                      'Broken('<Connection object at 0x7f>: Connection refused')': /simple/x/\n\
                      ERROR: Could not find a version that satisfies the requirement x==3 (from versions: none)\n";
        let expected = Unavailable::Index { reason: "Connection refused".to_owned() };
        assert_eq!(expected.exit_code(), 4);
        assert_eq!(Unavailable::read("3", broken), Some(expected));
        let empty = "ERROR: Could not find a version that satisfies the requirement x (from versions: none)\n";
        let expected = Unavailable::Index { reason: "it lists no release, or does not answer".to_owned() };
        assert_eq!(Unavailable::read("", empty), Some(expected));
        assert_eq!(Unavailable::read("", "ERROR: no such option: --dest\n"), None);
    }
}
