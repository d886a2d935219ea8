//! What is exposed, what is excluded, and what nobody has decided on: `cargo xtask audit`.

mod confusable;
mod diff;
mod markdown;
mod page;
mod report;
mod surface;
mod tokens;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use codegen::Allowlist;
use codegen::audit::{self, LOCK_FILE, Package};

use self::report::Report;
use self::surface::Surface;
use crate::{print, root};

/// Check the allowlist against the specs
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Record what the server can do now, after you have reviewed the differences
    #[arg(long)]
    accept: bool,
    /// Also check that the behavior tests, which must have run before, made each composite call every operation that it
    /// uses
    #[arg(long)]
    exercised: bool,
    /// Print the whole audit as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the whole audit as Markdown
    #[arg(long)]
    markdown: bool,
    /// Write the whole audit as one page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The OpenAPI documents (`specs` of this repository)
    #[arg(long, value_name = "DIR")]
    specs: Option<PathBuf>,
    /// The toolset files (`allowlist` of this repository)
    #[arg(long, value_name = "DIR")]
    allowlist: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a change does to the surface, as Markdown for a pull request
    Diff(diff::Arguments),
}

/// Ends with 0 if everything that must be decided is, and as it was accepted.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(Command::Diff(arguments)) = &arguments.command {
        return diff::run(arguments);
    }
    let specs = arguments.specs.clone().unwrap_or_else(|| root().join("specs"));
    let directory = arguments.allowlist.clone().unwrap_or_else(|| root().join("allowlist"));
    let surface = Surface::load(&specs, &directory, &root().join("tests/tools"))?;
    let mut findings = findings(&surface, &directory);
    let current = audit::lock(&surface.api, &surface.allowlist);
    let differences = lock(&directory.join(LOCK_FILE), arguments.accept, &current)?;
    if !differences.is_empty() {
        findings.extend(differences);
        findings.push("what was accepted changed; review it, then run `cargo xtask audit --accept`".to_owned());
    }
    if arguments.exercised {
        findings.extend(exercised(&surface.allowlist)?);
    }
    let passed = findings.is_empty();
    if !arguments.json && !arguments.markdown {
        print(&summary(&surface, &findings)?)?;
    }
    if arguments.json || arguments.markdown || arguments.html.is_some() {
        let report = Report::new(&surface, findings)?;
        if arguments.json {
            print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        } else if arguments.markdown {
            print(&markdown::report(&report))?;
        }
        if let Some(path) = &arguments.html {
            let page = page::page(&surface, &report)?;
            std::fs::write(path, page).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What must not be, but for differences from the lock: what nobody has decided on, what says too little, and what would
/// break a client.
fn findings(surface: &Surface, directory: &Path) -> Vec<String> {
    let packages = audit::packages(&surface.api, &surface.allowlist);
    let undecided = packages.into_values().flat_map(|package| package.undecided);
    let mut findings: Vec<_> = undecided.map(|id| format!("undecided: {id}")).collect();
    if !findings.is_empty() {
        findings.push(format!(
            "{} operation(s) are undecided: give each a `tool`, a `resource` or `reach`, or name it in `uses` of a composite, in \
             a file of `{}`, or name it under `exclude` with a reason",
            findings.len(),
            directory.display()
        ));
    }
    findings.extend(audit::evidence(&surface.api, &surface.allowlist).iter().map(ToString::to_string));
    // The build refuses the same.
    findings.extend(codegen::emit::tools(&surface.api, &surface.allowlist).err().map(|error| format!("{error:#}")));
    findings
}

/// A line for each package, the findings, and the sum.
fn summary(surface: &Surface, findings: &[String]) -> Result<String> {
    let packages = audit::packages(&surface.api, &surface.allowlist);
    let mut text = String::new();
    for (name, package) in &packages {
        let Package { operations, exposed, reachable, excluded, undecided, .. } = package;
        writeln!(
            text,
            "{name:22} {operations:4} operations: {exposed:3} exposed, {reachable:3} reachable, {excluded:3} excluded, {:3} undecided",
            undecided.len()
        )?;
    }
    findings.iter().try_for_each(|finding| writeln!(text, "{finding}"))?;
    let total = |count: fn(&Package) -> usize| packages.values().map(count).sum::<usize>();
    writeln!(
        text,
        "{} tools, {} resources and {} prompts; {} operations: {} exposed, {} reachable, {} excluded, {} undecided",
        surface.allowlist.tools.len(),
        surface.allowlist.resources.len(),
        surface.allowlist.prompts.len(),
        total(|package| package.operations),
        total(|package| package.exposed),
        total(|package| package.reachable),
        total(|package| package.excluded),
        total(|package| package.undecided.len()),
    )?;
    Ok(text)
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
