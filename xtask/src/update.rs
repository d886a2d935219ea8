//! `cargo xtask update`: brings specs, allowlist and generated files to a release of the API.
//!
//! It keeps no state of its own: what git has is the state before the update, what is in the checkout is the state now.
//! It does what it can, says what a person has to decide, and continues when it is run again.
//!
//! [`state`] reads both states, [`touched`] says which changes affect what is exposed, [`propose`] prepares decisions,
//! [`proposals`] is the file with them, [`decide`] moves them into the allowlist, and [`changelog`] writes the
//! changelog.

mod changelog;
mod decide;
mod entries;
mod proposals;
mod propose;
mod report;
mod state;
mod touched;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use codegen::allowlist::Problems;
use codegen::{Allowlist, audit};

use crate::root;
use crate::specs::download::Pip;
use crate::specs::update::{import_into, read_source};
use crate::specs::wheel::{DISTRIBUTION, Wheel};
use entries::Entries;
use proposals::Edited;
use propose::Proposer;
use state::{Before, Specs};

/// What to bring the repository to.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Release of the SDK; the newest unless given
    #[arg(long, value_name = "VERSION", conflicts_with = "wheel")]
    to: Option<String>,
    /// Wheel of the release, for a machine without a package index
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// Git revision before the update
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    against: String,
}

/// How an update ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything is decided and generated.
    Done,
    /// A person has to decide or to correct something.
    Undecided,
    /// There is no newer release, and nothing to decide.
    Newest,
}

/// What an update begins with.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// The release was imported by this run.
    Imported,
    /// It was imported by an earlier one.
    UnderWay,
    /// There is none that is newer.
    Newest,
}

/// The report on what changed, below the repository.
const CHANGES: &str = "target/update/changes.txt";

impl Outcome {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Undecided => 1,
            Self::Newest => 3,
        }
    }
}

/// What generates files of specs and allowlist, in order.
const GENERATE: [&[&str]; 3] = [
    &["cargo", "xtask", "audit", "--accept"],
    &["cargo", "xtask", "docs"],
    &["cargo", "test", "--quiet", "--test", "snapshots"],
];

/// Ends with 0 when all is done, 1 when a person has to decide, 2 after an error, 3 when there is nothing newer, 4 when no
/// package index could be asked, and 5 when the index does not have the release.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let update = Update { root: root(), pip: Pip::default(), generate: &generate };
    Ok(ExitCode::from(update.run(arguments, &mut std::io::stdout())?.exit_code()))
}

/// Runs a command line in the repository; whether it ended well.
fn generate(command: &[&str]) -> Result<bool> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let mut process = Command::new(program);
    // Snapshots are written under this variable; nothing else reads it.
    process.args(arguments).current_dir(root()).env("UPDATE_SNAPSHOTS", "1");
    Ok(process.status().with_context(|| format!("cannot run `{program}`"))?.success())
}

/// An update of a repository.
struct Update<'a> {
    root: &'a Path,
    pip: Pip,
    /// Runs one of the commands that generate files; whether it ended well.
    generate: &'a dyn Fn(&[&str]) -> Result<bool>,
}

impl Update<'_> {
    fn run(&self, arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome> {
        let before = Before::at(self.root, &arguments.against)?;
        let start = self.import(arguments, &before.specs.version, out)?;
        let now = Specs::read(&self.root.join("specs"))?;
        let changes = now.changes_since(&before.specs);
        let touched = touched::touched(&changes, &before, &now);
        if start != Start::Newest {
            let changes = report::changes(&changes, &touched, &before, &now)?;
            write_file(self.root, CHANGES, &changes)?;
            if start == Start::Imported {
                writeln!(out, "{changes}\n(also in `{CHANGES}`)")?;
            } else {
                writeln!(out, "what changed is in `{CHANGES}`")?;
            }
        }
        let Some(allowlist) = self.decide(&before, &now, out)? else { return Ok(Outcome::Undecided) };
        if start == Start::Newest {
            return Ok(Outcome::Newest);
        }
        for command in GENERATE {
            let line = command.join(" ");
            writeln!(out, "== {line}")?;
            if !(self.generate)(command)? {
                writeln!(out, "`{line}` failed: correct what it names, then run `cargo xtask update` again")?;
                return Ok(Outcome::Undecided);
            }
        }
        let entry = changelog::entry(&before, &now.version, &allowlist, &touched);
        changelog::write(self.root, &entry, &now.version)?;
        writeln!(
            out,
            "all is that of {DISTRIBUTION} {}: review the difference, run `cargo xtask ci`, and commit it as one",
            now.version
        )?;
        Ok(Outcome::Done)
    }

    /// Imports the release, unless an update is under way already.
    fn import(&self, arguments: &Arguments, before: &str, out: &mut dyn Write) -> Result<Start> {
        let specs = self.root.join("specs");
        let vendored = read_source(&specs)?.version;
        let is_asked = arguments.wheel.is_some() || arguments.to.as_ref().is_some_and(|to| *to != vendored);
        if vendored != before && !is_asked {
            writeln!(out, "the update from {DISTRIBUTION} {before} to {vendored} is under way")?;
            return Ok(Start::UnderWay);
        }
        let wheel = match &arguments.wheel {
            Some(file) => Wheel::open(file)?,
            None => self.pip.wheel(arguments.to.as_deref())?,
        };
        let version = &wheel.version;
        match order(version, &vendored) {
            Ordering::Greater => {
                import_into(&specs, &wheel)?;
                writeln!(out, "imported {DISTRIBUTION} {version} in place of {vendored}")?;
                return Ok(Start::Imported);
            }
            Ordering::Equal => writeln!(out, "nothing newer: `specs/` is that of {DISTRIBUTION} {vendored}")?,
            Ordering::Less if is_asked => bail!(
                "{version} is older than {vendored}, which `specs/` is of\n\
                 hint: `cargo xtask specs update --version {version}` imports it all the same"
            ),
            Ordering::Less => {
                writeln!(out, "nothing newer: `specs/` is that of {DISTRIBUTION} {vendored}, the index has {version}")?;
            }
        }
        Ok(if vendored == before { Start::Newest } else { Start::UnderWay })
    }

    /// Takes over what was decided, and says what is not; the allowlist if that is nothing.
    fn decide(&self, before: &Before, now: &Specs, out: &mut dyn Write) -> Result<Option<Allowlist>> {
        let directory = self.root.join("allowlist");
        let mut entries = Entries::read(&directory)?;
        let (edited, proposer) = (Edited::read(self.root)?, Proposer::new(before));
        let undecided = now.api.operations.values().filter(|operation| !entries.named.contains_key(&operation.id));
        let proposals = undecided.map(|operation| edited.apply(proposer.propose(operation)));
        let (decided, open): (Vec<_>, Vec<_>) = proposals.partition(|proposal| proposal.is_decided());
        if !decided.is_empty() {
            let mut files = entries.files.clone();
            for proposal in &decided {
                decide::decide(&mut files, proposal)?;
            }
            for (toolset, text) in files.iter().filter(|(toolset, text)| entries.files.get(*toolset) != Some(*text)) {
                let path = directory.join(format!("{toolset}.yaml"));
                std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
            }
            entries = Entries::read(&directory)?;
            write!(out, "{}", report::taken_over(&decided)?)?;
        }
        proposals::write(self.root, &open)?;
        let problems = match Allowlist::load(&directory, &now.api) {
            Ok(allowlist) => match audit::evidence(&now.api, &allowlist) {
                problems if problems.is_empty() && open.is_empty() => return Ok(Some(allowlist)),
                problems => problems,
            },
            Err(error) => match error.downcast::<Problems>() {
                Ok(Problems(problems)) => problems,
                Err(error) => return Err(error),
            },
        };
        write!(out, "{}", report::open(&open, &entries, now, before, &problems)?)?;
        Ok(None)
    }
}

/// Writes a file below the repository.
fn write_file(root: &Path, file: &str, text: &str) -> Result<()> {
    let path = root.join(file);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write `{file}`"))
}

/// How two versions compare, number by number.
fn order(one: &str, other: &str) -> Ordering {
    let numbers = |version: &str| {
        let parts = version.split(|character: char| !character.is_ascii_digit());
        parts.map(|part| part.parse().unwrap_or_default()).collect::<Vec<u64>>()
    };
    numbers(one).cmp(&numbers(other))
}
