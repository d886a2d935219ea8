//! `auth`: logging in with the browser, listing stored logins, and logging out.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use databricks::{Attribute, Client, Config, Deadline, KeptLogin, LoggedIn, Login, Storage};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::cli::arguments::{AuthCommand, StorageChoice};
use crate::cli::json::pretty;
use crate::cli::terminal::{self, print};
use crate::config::Options;
use crate::error::Error;

/// How a login is called where methods of authentication are named.
const METHOD: &str = "external-browser";
/// How long it may take to see whether a workspace takes the credentials.
const LONGEST_CHECK: Duration = Duration::from_secs(45);

/// Runs a subcommand.
pub(super) async fn run(options: &Options, command: AuthCommand) -> Result<(), Error> {
    if options.sandbox {
        return Err(Error::failed("the sandbox needs no login").with_hint("leave out `--sandbox`"));
    }
    match command {
        AuthCommand::Login { no_browser, storage, timeout } => {
            log_in(options, no_browser, storage, Duration::from_secs(timeout.into())).await
        }
        AuthCommand::Status { json } => status(options, json).await,
        AuthCommand::Logout { all } => log_out(options, all).await,
    }
}

async fn log_in(options: &Options, no_browser: bool, storage: StorageChoice, patience: Duration) -> Result<(), Error> {
    let config = options.login_config()?;
    let login = Login::start(&config).await?;
    let login = match storage {
        StorageChoice::Auto => login,
        StorageChoice::Keyring => login.keep_in(Storage::Keyring),
        StorageChoice::File => login.keep_in(Storage::File),
    };
    let opened = !no_browser && open(login.url()).is_ok();
    let invitation = if opened { "Opening the browser. If it shows nothing, open" } else { "In a browser, open" };
    print(&format!("{invitation} this page:\n\n  {}\n", login.url()))?;
    if !opened {
        let port = login.port();
        print(&format!(
            "The browser returns to port {port} of this machine. If the browser runs elsewhere, forward the port \
             first: `ssh -L {port}:localhost:{port} …`\n"
        ))?;
    }
    terminal::note(&format!("Waiting for the browser, at most {} s. Ctrl-C cancels.", patience.as_secs()));
    let finished = timeout(patience, login.finish()).await.map_err(|_| {
        Error::failed(format!("the browser did not come back within {} s", patience.as_secs()))
            .with_hint("log in again; `--timeout` sets a longer time")
    })?;
    report(&finished?, config).await
}

/// Says what came of a login, and how to use it.
async fn report(done: &LoggedIn, mut config: Config) -> Result<(), Error> {
    let host = done.login.host();
    let was_chosen = config.host.is_none();
    if was_chosen {
        config.host = Some(host.parse()?);
    }
    let client = Client::new(config)?;
    let (method, user) = (client.authentication().await.chosen, current_user(&client).await);
    let user = user.ok().flatten().filter(|_| method.as_ref().is_ok_and(|method| *method == METHOD));
    let user = user.map_or(String::new(), |user| format!(" as {user}"));
    print(&format!("Logged in to {host}{user}. The tokens are stored {}.", place(done.login.storage())))?;
    if let Some(failure) = &done.keyring_failure {
        print(&format!("A file, because {failure}."))?;
    }
    match (&done.written, done.login.profile()) {
        (Some(path), Some(name)) => {
            print(&format!("Profile `{name}` of `{}` now names this workspace.", path.display()))?
        }
        _ if was_chosen => print(&format!("To use it, set DATABRICKS_HOST={host}."))?,
        _ => {}
    }
    match method {
        Ok(METHOD) => Ok(()),
        Ok(other) => print(&format!(
            "But this configuration authenticates with `{other}`, which comes before logins; to use the login, set \
             DATABRICKS_AUTH_TYPE={METHOD}."
        )),
        Err(error) => Err(error.into()),
    }
}

fn place(storage: Storage) -> &'static str {
    match storage {
        Storage::Keyring => "in the keyring of this system",
        _ => "in a file that only you can read",
    }
}

/// How the configuration at hand authenticates.
#[derive(Debug, Default)]
struct Check {
    host: String,
    profile: Option<String>,
    method: Option<&'static str>,
    user: Option<String>,
    failure: Option<Error>,
}

impl Check {
    /// `None` if no workspace is configured.
    async fn run(config: Config) -> Result<Option<Self>, Error> {
        let profile = config.settings.get(Attribute::Profile).map(str::to_owned);
        let is_named = config.host.is_some() || config.settings.get(Attribute::AzureResourceId).is_some();
        if !is_named && profile.is_none() {
            return Ok(None);
        }
        let client = Client::new(config)?.with_deadline(Deadline::after(LONGEST_CHECK));
        let method = client.authentication().await.chosen;
        // Azure may have told the host by now.
        let mut check = Self { host: client.host().to_owned(), profile, ..Self::default() };
        match method {
            Ok(method) => {
                check.method = Some(method);
                match current_user(&client).await {
                    Ok(user) => check.user = user,
                    Err(error) => check.failure = Some(error.into()),
                }
            }
            Err(error) => check.failure = Some(error.into()),
        }
        Ok(Some(check))
    }

    fn to_json(&self) -> Value {
        json!({
            "host": self.host, "profile": self.profile, "method": self.method, "user": self.user,
            "works": self.failure.is_none(), "error": self.failure.as_ref().map(ToString::to_string),
        })
    }

    fn to_text(&self) -> String {
        let profile = self.profile.as_ref().map_or(String::new(), |name| format!(" (profile `{name}`)"));
        let host = if self.host.is_empty() { "no host" } else { &self.host };
        match (self.method, &self.failure) {
            (Some(method), None) => {
                let user = self.user.as_ref().map_or(String::new(), |user| format!(" as {user}"));
                format!("{host}{profile}: authenticates with `{method}`{user}")
            }
            (Some(method), Some(_)) => format!("{host}{profile}: `{method}` is chosen, but the host refuses it"),
            (None, _) => format!("{host}{profile}: no way to authenticate"),
        }
    }
}

/// The name of the caller, which also shows that the credentials are taken. An account's host does not tell it.
async fn current_user(client: &Client) -> Result<Option<String>, databricks::Error> {
    if client.host().starts_with("https://accounts.") || client.host().starts_with("https://accounts-dod.") {
        return Ok(None);
    }
    Ok(client.me().await?.get("userName").and_then(Value::as_str).map(str::to_owned))
}

async fn status(options: &Options, as_json: bool) -> Result<(), Error> {
    let logins = Login::kept(&databricks::Environment::system())?;
    let mut checks = Vec::new();
    for workspace in options.workspaces()? {
        checks.extend(Check::run(options.client_config(&workspace)?).await?);
    }
    if as_json {
        let logins: Vec<_> = logins.iter().map(login_json).collect();
        let workspaces: Vec<_> = checks.iter().map(Check::to_json).collect();
        print(&pretty(&json!({ "logins": logins, "workspaces": workspaces })))?;
    } else {
        print("Logins:")?;
        for login in &logins {
            print(&format!("  {}", login_text(login)))?;
        }
        if logins.is_empty() {
            print("  none; `databricks-mcp-server auth login` creates one")?;
        }
        print("This configuration:")?;
        for check in &checks {
            print(&format!("  {}", check.to_text()))?;
        }
        if checks.is_empty() {
            print("  no workspace is set")?;
        }
    }
    match checks.into_iter().find_map(|check| check.failure) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

fn state(login: &KeptLogin) -> &'static str {
    let lasts = login.expiry().is_none_or(|expiry| expiry > SystemTime::now());
    match (lasts, login.renews()) {
        (true, _) => "valid",
        (false, true) => "renewable",
        (false, false) => "ended",
    }
}

fn login_json(login: &KeptLogin) -> Value {
    json!({
        "host": login.host(), "account_id": login.account_id(), "profile": login.profile(), "scopes": login.scopes(),
        "state": state(login), "token_expires_at": login.expires_at(), "renews": login.renews(),
        "storage": if login.storage() == Storage::Keyring { "keyring" } else { "file" },
    })
}

fn login_text(login: &KeptLogin) -> String {
    let account = login.account_id().map_or(String::new(), |id| format!(" account {id}"));
    let end = login.expires_at().unwrap_or("never");
    let state = match state(login) {
        "valid" if login.renews() => format!("renews itself, next before {end}"),
        "valid" => format!("ends {end}"),
        "renewable" => "renews itself at the next call".to_owned(),
        _ => format!("ended {end}; log in again"),
    };
    format!("{}{account}: {state}; stored {}", name(login), place(login.storage()))
}

fn name(login: &KeptLogin) -> String {
    let profile = login.profile().map_or(String::new(), |name| format!(" (profile `{name}`)"));
    format!("{}{profile}", login.host())
}

async fn log_out(options: &Options, all: bool) -> Result<(), Error> {
    let environment = databricks::Environment::system();
    let kept = Login::kept(&environment)?;
    let chosen: Vec<_> = if all {
        kept
    } else {
        let config = options.login_config()?;
        let profile = config.settings.get(Attribute::Profile);
        // A profile may have gone from the file before its login.
        let of_profile = kept.into_iter().filter(|login| config.host.is_none() && login.profile() == profile);
        match of_profile.collect::<Vec<_>>() {
            logins if profile.is_some() && !logins.is_empty() => logins,
            _ => Login::find(&config)
                .map_err(|error| Error::from(error).with_hint("name it with `--host` or `--profile`, or say `--all`"))?
                .into_iter()
                .collect(),
        }
    };
    for login in &chosen {
        Login::forget(login, &environment).await?;
        print(&format!("Forgot the login to {}.", name(login)))?;
    }
    if chosen.is_empty() {
        print("There is no login to forget.")?;
    }
    Ok(())
}

/// Opens a page with what the system has for that. Whether somebody sees it is not known.
fn open(url: &str) -> io::Result<()> {
    let (program, arguments): (_, &[&str]) = if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else if cfg!(target_os = "macos") {
        ("open", &[])
    } else {
        ("xdg-open", &[])
    };
    // It outlives this command, and what it says is nobody's business.
    let mut command = Command::new(program);
    command.args(arguments).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}
