//! `databricks-cli`: the tokens of the Databricks CLI, which is run for them. Where the CLI keeps its tokens is its own
//! business: mostly the keyring.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::program::{Program, not_run};
use crate::auth::settings::Source;
use crate::auth::token::{Token, parse_time, text};
use crate::error::{Error, plain_text};

/// The old CLI, in Python, is a small script that imports this.
const OLD_CLI: &str = "from databricks_cli.cli import ";
/// The CLI is larger, scripts are smaller.
const LARGEST_SCRIPT: u64 = 1024 * 1024;
const VERSION_PATIENCE: Duration = Duration::from_secs(5);

type Version = (u32, u32, u32);
const KNOWS_PROFILE: Version = (0, 207, 1);
const KNOWS_FORCE_REFRESH: Version = (0, 296, 0);

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    context.need_host()?;
    let cli = Program::new(find(&context)?);
    // The CLI's login decides on the scopes, and it writes them into the profile.
    if matches!(context.settings.source(Attribute::Scopes), Some(Source::Explicit | Source::Variable(_))) {
        return Err(NotConfigured::Failed(
            Error::credentials("`databricks auth login` decides on the scopes").with_hint("remove the scopes"),
        ));
    }
    let version = version(&context, &cli).await;
    let command = command(&context, version);
    let forces = version >= Some(KNOWS_FORCE_REFRESH);
    let shared = Arc::clone(&context);
    Ok(Credential::bearer(context.cache(move |previous| {
        let (context, cli, mut command) = (Arc::clone(&shared), cli.clone(), command.clone());
        if forces && previous.is_some() {
            // Without this, the CLI may give the same token again.
            command.push("--force-refresh".to_owned());
        }
        async move { fetch(&context, &cli, &command).await }
    })))
}

fn find(context: &Context) -> Result<PathBuf, NotConfigured> {
    let given = context.settings.get(Attribute::DatabricksCliPath);
    let path = match given {
        Some(path) if path.contains(['/', '\\']) => {
            Some(context.environment.expand(path)).filter(|path| path.is_file())
        }
        Some(name) => context.environment.find_program(name),
        None => context.environment.find_program("databricks"),
    };
    match (path, given) {
        (Some(path), _) if is_old(&path) => Err(NotConfigured::Lacks(format!(
            "`{}` is the old CLI; version 0.100.0 or later is needed",
            path.display()
        ))),
        (Some(path), _) => Ok(path),
        (None, Some(given)) => Err(NotConfigured::Lacks(format!("there is no program `{given}`"))),
        (None, None) => Err(NotConfigured::Lacks("`databricks` is not on PATH".to_owned())),
    }
}

fn is_old(path: &Path) -> bool {
    let small = path.metadata().is_ok_and(|metadata| metadata.len() < LARGEST_SCRIPT);
    small && std::fs::read(path).is_ok_and(|script| String::from_utf8_lossy(&script).contains(OLD_CLI))
}

/// `Databricks CLI v0.296.0`; `None` where it does not say, which then counts as an early one.
async fn version(context: &Context, cli: &Program) -> Option<Version> {
    let output = cli.run(&context.environment, &["version".to_owned()], VERSION_PATIENCE).await.ok()?;
    let text = output.stdout.trim().rsplit(' ').next()?.trim_start_matches('v');
    let mut parts = text.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

fn command(context: &Context, version: Option<Version>) -> Vec<String> {
    let mut command = vec!["auth", "token"];
    match context.settings.get(Attribute::Profile).filter(|_| version >= Some(KNOWS_PROFILE)) {
        Some(profile) => command.extend(["--profile", profile]),
        None => {
            command.extend(context.host().map(|host| ["--host", host.as_str()]).into_iter().flatten());
            let account_id = context.account_id().filter(|_| context.is_account_host());
            command.extend(account_id.map(|id| ["--account-id", id]).into_iter().flatten());
        }
    }
    command.into_iter().map(str::to_owned).collect()
}

async fn fetch(context: &Context, cli: &Program, command: &[String]) -> Result<Token, Error> {
    let output =
        cli.run(&context.environment, command, cli.patience()).await.map_err(|error| not_run("databricks", &error))?;
    if !output.success {
        let login = match context.settings.get(Attribute::Profile) {
            Some(profile) => format!("run `databricks auth login --profile {profile}`"),
            None => "run `databricks auth login`".to_owned(),
        };
        return Err(Error::credentials(format!("`databricks auth token` failed: {}", plain_text(&output.stderr)))
            .with_hint(login));
    }
    let answer: Value = serde_json::from_str(&output.stdout)
        .map_err(|_| Error::credentials("`databricks auth token` did not print JSON"))?;
    let expiry = answer.get("expiry").and_then(Value::as_str).and_then(parse_time);
    let expiry =
        expiry.ok_or_else(|| Error::credentials("`databricks auth token` does not say when the token expires"))?;
    Ok(Token { access: text(&answer, "access_token")?, expiry: Some(expiry), refresh: None })
}
