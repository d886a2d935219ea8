//! The questions of `setup`, at the terminal.

use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, MultiSelect, Select};

use crate::cli::clients::places::{Machine, Scope};
use crate::cli::clients::table::{CLIENTS, Client};
use crate::controls;
use crate::error::Error;
use crate::registry::Registry;

/// An item of a list, with its mark, on 80 columns.
const MOST_CHARACTERS: usize = 74;

/// Which workspace to serve.
#[derive(Debug)]
pub(super) enum Workspace {
    Sandbox,
    /// One of the profiles that there are.
    Profile(String),
    /// One to log in to: its address, or none to choose it in the browser, and the profile to write.
    New {
        host: Option<String>,
        profile: String,
    },
}

/// Which tools to serve.
#[derive(Debug)]
pub(super) enum Tools {
    Default,
    Preset(String),
    Discover,
}

pub(super) fn workspace(machine: &Machine) -> Result<Workspace, Error> {
    let profiles = databricks::profiles(machine.environment()).unwrap_or_default();
    let mut items = vec!["The sandbox: sample data, no account needed".to_owned()];
    items.extend(profiles.iter().map(|(name, host)| {
        let host = host.as_deref().unwrap_or("no host");
        cut(&controls::on_one_line(&format!("The workspace of profile `{name}`: {host}")))
    }));
    items.push("Another workspace: log in with the browser".to_owned());
    let chosen = select("Which workspace should the tools work on?", &items)?;
    if chosen == 0 {
        return Ok(Workspace::Sandbox);
    }
    if let Some((name, _)) = profiles.get(chosen - 1) {
        return Ok(Workspace::Profile(name.clone()));
    }
    let host: String = Input::with_theme(&theme())
        .with_prompt("Its address (empty: choose it in the browser)")
        .allow_empty(true)
        .interact_text()
        .map_err(ended)?;
    let host = Some(host.trim().to_owned()).filter(|host| !host.is_empty());
    let taken: Vec<_> = profiles.into_iter().map(|(name, _)| name).collect();
    let profile = Input::with_theme(&theme())
        .with_prompt("A name for it")
        .default(suggestion(host.as_deref()))
        .validate_with(move |name: &String| match name.trim() {
            "" => Err("a name is needed".to_owned()),
            name if taken.iter().any(|taken| taken == name) => Err(format!("there is a profile `{name}` already")),
            _ => Ok(()),
        })
        .interact_text()
        .map_err(ended)?;
    Ok(Workspace::New { host, profile: profile.trim().to_owned() })
}

/// What fits on a line of a narrow terminal: a longer one is drawn twice when the choice moves.
fn cut(text: &str) -> String {
    if text.chars().count() <= MOST_CHARACTERS {
        return text.to_owned();
    }
    let head: String = text.chars().take(MOST_CHARACTERS - 1).collect();
    format!("{}…", head.trim_end())
}

/// The first label of an address.
fn suggestion(host: Option<&str>) -> String {
    let host = host.map(|host| host.rsplit("//").next().unwrap_or(host));
    let label = host.and_then(|host| host.split(['.', '/', ':']).next()).filter(|label| !label.is_empty());
    label.unwrap_or("databricks").to_owned()
}

pub(super) fn tools() -> Result<Tools, Error> {
    let presets = Registry::all_presets();
    let mut items = vec!["The default: jobs, SQL, compute, the catalog and the workspace".to_owned()];
    items.extend(presets.iter().map(|preset| cut(&format!("{}: {}", preset.title, preset.description))));
    items.push("Everything: a few tools that find and enable all others".to_owned());
    let chosen = select("Which tools?", &items)?;
    Ok(match chosen.checked_sub(1) {
        None => Tools::Default,
        Some(index) => presets.get(index).map_or(Tools::Discover, |preset| Tools::Preset(preset.name.to_owned())),
    })
}

pub(super) fn read_only() -> Result<bool, Error> {
    Confirm::with_theme(&theme()).with_prompt("Only read, and change nothing?").default(true).interact().map_err(ended)
}

/// Those that were found stand first, and are chosen already.
pub(super) fn clients(found: &[&'static Client], scope: Scope) -> Result<Vec<&'static Client>, Error> {
    let is_found = |client: &Client| found.iter().any(|found| found.name == client.name);
    let others = CLIENTS.iter().filter(|client| !is_found(client));
    let others = others.filter(|client| scope == Scope::User || client.has_project());
    let all: Vec<_> = found.iter().copied().chain(others).collect();
    let items = all.iter().map(|client| {
        let title = if is_found(client) { client.title.to_owned() } else { format!("{} (not found)", client.title) };
        (title, is_found(client))
    });
    let items: Vec<_> = items.collect();
    let chosen = MultiSelect::with_theme(&theme())
        .with_prompt("Which clients? (space chooses, enter goes on)")
        .items_checked(items)
        .interact()
        .map_err(ended)?;
    Ok(chosen.into_iter().filter_map(|index| all.get(index).copied()).collect())
}

fn select(question: &str, items: &[String]) -> Result<usize, Error> {
    Select::with_theme(&theme()).with_prompt(question).items(items).default(0).interact().map_err(ended)
}

fn theme() -> ColorfulTheme {
    ColorfulTheme::default()
}

fn ended(error: dialoguer::Error) -> Error {
    Error::failed(format!("nobody answered the question: {error}"))
        .with_hint("start again, or say it by flags; see `setup --help`")
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn a_profile_is_named_after_its_host() {
        for (host, name) in [
            (Some("https://acme-dev.cloud.databricks.test"), "acme-dev"),
            (Some("acme.test/"), "acme"),
            (Some("https://"), "databricks"),
            (None, "databricks"),
        ] {
            assert_eq!(suggestion(host), name, "{host:?}");
        }
    }
}
