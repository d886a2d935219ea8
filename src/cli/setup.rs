//! `setup`: from nothing to a client that answers, one question after the other. What the command line says already is
//! not asked; without a terminal, nothing is.

mod questions;

use std::process::ExitCode;

use crate::cli::arguments::{AuthCommand, StorageChoice};
use crate::cli::auth;
use crate::cli::clients::arguments::SetupOptions;
use crate::cli::clients::launch::Launch;
use crate::cli::clients::places::{self, Machine};
use crate::cli::clients::table::Client;
use crate::cli::clients::{self, Consent};
use crate::cli::doctor;
use crate::cli::terminal::{note, print};
use crate::config::Options;
use crate::error::Error;
use questions::{Tools, Workspace};

/// How long the browser may take.
const LOGIN_SECONDS: u32 = 300;

/// Runs it.
pub(super) async fn run(options: Options, setup: &SetupOptions) -> Result<ExitCode, Error> {
    let machine = Machine::this()?;
    let consent = Consent::of(options.dry_run, setup.what.yes);
    let asks = clients::is_terminal() && !setup.what.yes;
    if !asks {
        note("Asking nothing: the command line says what to do. At a terminal and without `--yes`, `setup` asks.");
    }
    let mut launch = Launch::new(&machine, setup.what.command.as_deref())?;
    if asks && !options.sandbox && options.profiles.is_empty() && options.host.is_none() {
        match blocking({
            let machine = machine.clone();
            move || questions::workspace(&machine)
        })
        .await?
        {
            Workspace::Sandbox => launch.push("--sandbox", None),
            Workspace::Profile(name) => launch.push("--profile", Some(&name)),
            Workspace::New { host, profile } => {
                log_in(&options, host, &profile).await?;
                launch.push("--profile", Some(&profile));
            }
        }
    }
    let mut preset = setup.what.preset.clone();
    let has_tools = !options.toolsets.is_empty() || !options.tools.is_empty() || options.discover;
    if asks && preset.is_none() && !has_tools {
        match blocking(questions::tools).await? {
            Tools::Default => {}
            Tools::Preset(name) => preset = Some(name),
            Tools::Discover => launch.push("--discover", None),
        }
    }
    if asks && !options.read_only && blocking(questions::read_only).await? {
        launch.push("--read-only", None);
    }
    if let Some(preset) = &preset {
        launch.add_preset(preset)?;
    }
    let served = launch.checked(&machine)?;
    let chosen = chosen(&machine, setup, asks).await?;
    let outcome = clients::write(&machine, &setup.what, &chosen, &launch, consent)?;
    let healthy = !outcome.is_done || setup.no_doctor || examine(&served).await?;
    let code = if outcome.has_failed || !healthy { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if !outcome.is_done {
        return Ok(code);
    }
    print(&format!("\nThen ask, for example: {}", first_question(&served, preset.as_deref())))?;
    Ok(code)
}

async fn chosen(machine: &Machine, setup: &SetupOptions, asks: bool) -> Result<Vec<&'static Client>, Error> {
    let named = places::named(&setup.what.clients)?;
    if !named.is_empty() {
        return Ok(named);
    }
    let found = clients::found(machine, setup.what.scope);
    if asks {
        let scope = setup.what.scope;
        return blocking(move || questions::clients(&found, scope)).await;
    }
    let names: Vec<_> = found.iter().map(|client| client.name).collect();
    if setup.what.yes && !found.is_empty() {
        return Ok(found);
    }
    let advice = if names.is_empty() { "`install --list` shows their names".to_owned() } else { names.join(", ") };
    Err(Error::failed("nothing says which clients to set up")
        .with_hint(format!("name them with `--client`; on this machine: {advice}")))
}

async fn log_in(options: &Options, host: Option<String>, profile: &str) -> Result<(), Error> {
    let options = Options { host, profiles: vec![profile.to_owned()], ..options.clone() };
    let login = AuthCommand::Login { no_browser: false, storage: StorageChoice::Auto, timeout: LOGIN_SECONDS };
    auth::run(&options, login).await
}

/// Whether the doctor finds nothing wrong.
async fn examine(served: &Options) -> Result<bool, Error> {
    let report = doctor::examine(served, false).await?;
    print(&format!("\n{report}"))?;
    Ok(report.is_healthy())
}

/// What to ask first: something that this set-up can answer.
fn first_question(served: &Options, preset: Option<&str>) -> &'static str {
    match (preset, served.sandbox) {
        (Some("account-admin"), _) => "“Which workspaces does this account have?”",
        (Some("ml-engineer"), _) => "“Which models are registered, and which of them are served?”",
        (Some("platform-admin"), _) => "“Which clusters are there, and who started them?”",
        (Some("data-engineer"), true) => "“Why did the last run of the job data-quality-check fail?”",
        (Some("data-engineer"), false) => "“Which jobs failed since yesterday, and why?”",
        (_, true) => "“Which channel has the highest revenue in main.sales.daily_revenue?”",
        (_, false) => "“Which tables can I read, and what is in the largest?”",
    }
}

/// Asks a question on a thread that may wait.
async fn blocking<T: Send + 'static>(ask: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.map_err(|error| Error::failed(format!("cannot ask: {error}")))?
}
