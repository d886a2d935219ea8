//! What is exposed, what is excluded, and what nobody has decided on: `cargo xtask audit`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use codegen::audit::{self, LOCK_FILE, Package};
use codegen::{Allowlist, Api};

use crate::{print, root};

/// Check the allowlist against the specs
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Record the exposed operations as they are now, after reviewing the differences
    #[arg(long)]
    accept: bool,
    /// Check also that the behavior tests, which ran before, made each composite call every operation that it uses
    #[arg(long)]
    exercised: bool,
    /// The OpenAPI documents (`specs` of this repository)
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    /// The toolset files (`allowlist` of this repository)
    #[arg(long, value_name = "DIR")]
    allowlist: Option<PathBuf>,
}

/// Ends with 0 if everything that must be decided is, and as it was accepted.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let api = Api::load(&arguments.specs.clone().unwrap_or_else(|| root().join("specs")))?;
    let directory = arguments.allowlist.clone().unwrap_or_else(|| root().join("allowlist"));
    let allowlist = Allowlist::load(&directory, &api)?;
    let packages = audit::packages(&api, &allowlist);
    let mut report = String::new();
    let mut findings = 0;
    for (name, package) in &packages {
        let Package { operations, exposed, reachable, excluded, undecided, .. } = package;
        writeln!(
            report,
            "{name:22} {operations:4} operations: {exposed:3} exposed, {reachable:3} reachable, {excluded:3} excluded, {:3} undecided",
            undecided.len()
        )?;
        undecided.iter().try_for_each(|id| writeln!(report, "  undecided: {id}"))?;
        findings += undecided.len();
    }
    if findings > 0 {
        writeln!(
            report,
            "{findings} operation(s) are undecided: give each a `tool`, a `resource` or `reach`, or name it in `uses` of a composite, in \
             a file of `{}`, or name it under `exclude` with a reason",
            directory.display()
        )?;
    }
    // The build refuses the same.
    if let Err(error) = codegen::emit::tools(&api, &allowlist) {
        writeln!(report, "{error:#}")?;
        findings += 1;
    }
    let differences = lock(&directory.join(LOCK_FILE), arguments.accept, &audit::lock(&api, &allowlist))?;
    differences.iter().try_for_each(|line| writeln!(report, "{line}"))?;
    if !differences.is_empty() {
        writeln!(report, "exposed operations changed; review them, then run `cargo xtask audit --accept`")?;
    }
    let total = |count: fn(&Package) -> usize| packages.values().map(count).sum::<usize>();
    writeln!(
        report,
        "{} tools and {} resources; {} operations: {} exposed, {} reachable, {} excluded, {} undecided",
        allowlist.tools.len(),
        allowlist.resources.len(),
        total(|package| package.operations),
        total(|package| package.exposed),
        total(|package| package.reachable),
        total(|package| package.excluded),
        total(|package| package.undecided.len()),
    )?;
    let strayed = if arguments.exercised { exercised(&allowlist)? } else { Vec::new() };
    strayed.iter().try_for_each(|line| writeln!(report, "{line}"))?;
    print(&report)?;
    let passed = findings == 0 && differences.is_empty() && strayed.is_empty();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Where what the behavior tests made composites call differs from what the allowlist says that they use.
fn exercised(allowlist: &Allowlist) -> Result<Vec<String>> {
    let path = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let path = path.join("tmp/uses.tsv");
    let used = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`, which `cargo test --test behavior` writes", path.display()))?;
    let used: BTreeSet<_> = used.lines().filter_map(|line| line.split_once('\t')).collect();
    let composites = allowlist.tools.values().filter(|tool| tool.operation.is_none());
    let uses = composites.flat_map(|tool| tool.uses.iter().map(|id| (tool.name.as_str(), id.as_str())));
    let declared: BTreeSet<_> = uses.collect();
    let idle = declared
        .difference(&used)
        .map(|(tool, id)| format!("`{tool}` has `{id}` under `uses`, and no behavior test makes it call that"));
    let refused = used
        .difference(&declared)
        .map(|(tool, id)| format!("`{tool}` calls `{id}`, which it has not under `uses`; the client refuses that"));
    Ok(idle.chain(refused).collect())
}

/// The differences to the lock file; none where it is accepted, as it is written anew.
fn lock(path: &Path, accept: bool, current: &str) -> Result<Vec<String>> {
    if accept {
        std::fs::write(path, current).with_context(|| format!("cannot write `{}`", path.display()))?;
        return Ok(Vec::new());
    }
    let accepted = read(path)?;
    Ok(audit::differences(&accepted, current))
}

fn read(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        outcome => outcome.with_context(|| format!("cannot read `{}`", path.display())),
    }
}
