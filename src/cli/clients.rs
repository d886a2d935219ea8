//! `install` and `uninstall`: this server in the files of MCP clients, and out of them again.
//!
//! The clients are data (`table.rs`). A command plans each file first (`plan.rs`), shows what would change
//! (`difference.rs`), and then applies it; `format/` edits JSON, TOML and YAML, and proves that all else stays.

pub(super) mod arguments;
mod difference;
mod file;
mod format;
pub(super) mod launch;
pub(super) mod places;
mod plan;
mod receipts;
pub(super) mod table;

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use arguments::{InstallOptions, UninstallOptions, Writing};
use launch::Launch;
use places::{Machine, Scope};
use plan::{Plan, Step, Target};
use receipts::Receipts;
use table::{CLIENTS, Client};

use crate::cli::terminal::{note, print};
use crate::error::Error;

/// Whether to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// Show it, and write nothing.
    DryRun,
    /// Ask at the terminal; without one, write.
    Ask,
    Given,
}

impl Consent {
    pub(super) fn of(dry_run: bool, yes: bool) -> Self {
        match (dry_run, yes) {
            (true, _) => Self::DryRun,
            (false, true) => Self::Given,
            (false, false) => Self::Ask,
        }
    }
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// Whether a file could not be changed.
    pub(super) has_failed: bool,
    /// Whether the rest was written, or needed nothing.
    pub(super) is_done: bool,
}

impl Outcome {
    fn code(self) -> ExitCode {
        if self.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Whether a person can be asked.
pub(super) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// `install`.
pub(super) fn install(dry_run: bool, options: &InstallOptions) -> Result<ExitCode, Error> {
    let machine = Machine::this()?;
    if options.list {
        return list(&machine, &options.what);
    }
    let options = &options.what;
    let consent = Consent::of(dry_run, options.yes);
    let mut launch = Launch::new(&machine, options.command.as_deref())?;
    if let Some(preset) = &options.preset {
        launch.add_preset(preset)?;
    }
    launch.checked(&machine)?;
    let clients = chosen(&machine, options, consent)?;
    write(&machine, options, &clients, &launch, consent).map(Outcome::code)
}

/// The clients of the command line, or those that are on this machine.
fn chosen(machine: &Machine, options: &Writing, consent: Consent) -> Result<Vec<&'static Client>, Error> {
    let named = places::named(&options.clients)?;
    if !named.is_empty() {
        return Ok(named);
    }
    let found = found(machine, options.scope);
    let names: Vec<_> = found.iter().map(|client| client.name).collect();
    if found.is_empty() {
        return Err(Error::failed("no client that this command knows was found on this machine")
            .with_hint("name one with `--client`; `install --list` shows them"));
    }
    if consent == Consent::Ask && !is_terminal() {
        return Err(Error::failed("there is no terminal to ask at which clients to set up").with_hint(format!(
            "name them with `--client`, or add `--yes` for all that were found: {}",
            names.join(", ")
        )));
    }
    Ok(found)
}

/// The clients on this machine that have a file of this scope.
pub(super) fn found(machine: &Machine, scope: Scope) -> Vec<&'static Client> {
    let fits = |client: &&Client| scope == Scope::User || client.has_project();
    CLIENTS.iter().filter(fits).filter(|client| machine.has(client)).collect()
}

/// Plans, shows, asks and writes.
pub(super) fn write(
    machine: &Machine,
    options: &Writing,
    clients: &[&'static Client],
    launch: &Launch,
    consent: Consent,
) -> Result<Outcome, Error> {
    let receipts = Receipts::load(machine.state())?;
    let target = Target { machine, scope: options.scope, name: options.name.as_str() };
    let plans =
        clients.iter().map(|client| (client.title.to_owned(), plan::install(client, target, launch, &receipts)));
    let plans: Vec<_> = plans.collect();
    for client in clients.iter().filter(|client| !machine.has(client)) {
        note(&format!("{} was not found on this machine; its file is written all the same.", client.title));
    }
    run(plans, receipts, consent, false)
}

/// `uninstall`.
pub(super) fn uninstall(dry_run: bool, options: &UninstallOptions) -> Result<ExitCode, Error> {
    let machine = Machine::this()?;
    let receipts = Receipts::load(machine.state())?;
    let consent = Consent::of(dry_run, options.yes);
    let name = options.name.as_str();
    let target = Target { machine: &machine, scope: options.scope, name };
    if options.all {
        return run(plan::uninstall_all(&receipts), receipts, consent, true).map(Outcome::code);
    }
    let named = places::named(&options.clients)?;
    if !named.is_empty() {
        let plans =
            named.into_iter().map(|client| (client.title.to_owned(), plan::uninstall(client, target, &receipts)));
        let plans: Vec<_> = plans.collect();
        return run(plans, receipts, consent, true).map(Outcome::code);
    }
    let fits = |client: &&Client| options.scope == Scope::User || client.has_project();
    let mut plans: Vec<(String, Result<Plan, Error>)> = Vec::new();
    for client in CLIENTS.iter().filter(fits) {
        match plan::uninstall(client, target, &receipts) {
            Ok(plan) if !plan.changes() && receipts.get(&plan.file.path, name).is_none() => {}
            // A file that cannot be read matters only if this program has written it.
            Err(_) if !receipts.iter().any(|receipt| receipt.client == client.name) => {}
            planned => plans.push((client.title.to_owned(), planned)),
        }
    }
    if plans.is_empty() {
        print(&format!("No client has a server `{name}` of this program."))?;
        return Ok(ExitCode::SUCCESS);
    }
    run(plans, receipts, consent, true).map(Outcome::code)
}

/// Shows what was planned, asks, and does it. What cannot be done does not keep the rest from being done.
fn run(
    plans: Vec<(String, Result<Plan, Error>)>,
    mut receipts: Receipts,
    consent: Consent,
    forgets: bool,
) -> Result<Outcome, Error> {
    let mut failures = 0;
    let mut ready = Vec::new();
    for (title, plan) in plans {
        match plan {
            Err(error) => {
                failures += 1;
                note(&format!("{title}: {error}"));
            }
            Ok(plan) => {
                show(&plan)?;
                if plan.changes() {
                    ready.push(plan);
                } else if forgets && consent != Consent::DryRun {
                    plan.apply(&mut receipts)?;
                }
            }
        }
    }
    let ended = |failures, is_done| Outcome { has_failed: failures > 0, is_done };
    if ready.is_empty() {
        return Ok(ended(failures, true));
    }
    match consent {
        Consent::DryRun => {
            print("Nothing was written, because of `--dry-run`.")?;
            return Ok(ended(failures, false));
        }
        Consent::Ask if is_terminal() && !agreed(ready.len())? => {
            print("Nothing was written.")?;
            return Ok(ended(failures, false));
        }
        Consent::Ask | Consent::Given => {}
    }
    for plan in ready {
        match plan.apply(&mut receipts) {
            Ok(backup) => report(&plan, backup.as_deref())?,
            Err(error) => {
                failures += 1;
                note(&format!("{}: {error}", plan.client.title));
            }
        }
    }
    Ok(ended(failures, true))
}

fn show(plan: &Plan) -> Result<(), Error> {
    let title = plan.client.title;
    let path = plan.file.path.display();
    let link = plan.file.leads_to().map_or(String::new(), |real| format!(" (a link to `{}`)", real.display()));
    match &plan.step {
        Step::Nothing(why) => print(&format!("{title} {why}: {path}")),
        Step::Remove => print(&format!("{title}: {path}{link}\n  is removed, as `install` has made it")),
        Step::Write { .. } | Step::TakeOut { .. } => {
            let made = if plan.file.exists() { "" } else { " (new)" };
            print(&format!("{title}: {path}{link}{made}\n{}", plan.difference().trim_end()))
        }
    }
}

fn report(plan: &Plan, backup: Option<&Path>) -> Result<(), Error> {
    let title = plan.client.title;
    let backup = backup.map_or(String::new(), |path| format!(" The file before is in {}.", path.display()));
    match &plan.step {
        Step::Nothing(_) => Ok(()),
        Step::Write { .. } => print(&format!("{title} has the server now: {}.{backup}", plan.client.then)),
        Step::TakeOut { is_as_before: true, .. } => print(&format!("{title}'s file is as it was, byte for byte.")),
        Step::TakeOut { .. } => print(&format!("{title} does not have the server any more.{backup}")),
        Step::Remove => print(&format!("{title}'s file is gone, as it was before.")),
    }
}

/// Asks the person at the terminal.
fn agreed(count: usize) -> Result<bool, Error> {
    let what = if count == 1 { "this file".to_owned() } else { format!("these {count} files") };
    note(&format!("Write {what}? Type `yes` to do it: "));
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Error::failed(format!("cannot read the answer: {error}")))?;
    Ok(["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes)))
}

/// The clients, whether they are here, and their files.
fn list(machine: &Machine, options: &Writing) -> Result<ExitCode, Error> {
    let width = CLIENTS.iter().map(|client| client.name.len()).max().unwrap_or_default();
    for client in &CLIENTS {
        let here = if machine.has(client) { "found" } else { "-" };
        let file = machine.file(client, options.scope, options.name.as_str());
        let file = file.map_or_else(|_| "-".to_owned(), |file| file.display().to_string());
        print(&format!("{:width$}  {here:5}  {file}", client.name))?;
    }
    Ok(ExitCode::SUCCESS)
}
