//! Where files are on this machine: the directories of each system, and the variables that move them.

use std::path::{Component, Path, PathBuf};

use databricks::Environment;

use super::table::{CLIENTS, Client};
use crate::error::Error;
use crate::nearest::did_you_mean;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scope {
    /// Yours, for everything that you do
    User,
    /// That of the project in the current directory, which others may share
    Project,
}

/// A system, as far as places go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Os {
    Linux,
    Mac,
    Windows,
}

/// A directory that systems have at different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Home,
    /// Where programs with windows keep their files: `~/.config`, `~/Library/Application Support`, `%APPDATA%`.
    Data,
    /// `%LOCALAPPDATA%`; elsewhere the same.
    LocalData,
    /// `$XDG_CONFIG_HOME` on Linux, `~/.config` elsewhere.
    Config,
    /// `$XDG_CONFIG_HOME`, or `~/.config`, on every system.
    DotConfig,
    Root,
}

/// A path, on one system or on all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    os: Option<Os>,
    /// The variable that says where, instead of the base.
    variable: Option<&'static str>,
    base: Base,
    path: &'static str,
}

pub(super) const fn at(base: Base, path: &'static str) -> Place {
    Place { os: None, variable: None, base, path }
}

pub(super) const fn on(os: Os, base: Base, path: &'static str) -> Place {
    Place { os: Some(os), variable: None, base, path }
}

pub(super) const fn env(variable: &'static str, path: &'static str) -> Place {
    Place { os: None, variable: Some(variable), base: Base::Root, path }
}

/// What this machine is like.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Machine {
    os: Os,
    home: PathBuf,
    environment: Environment,
    project: PathBuf,
}

impl Machine {
    /// The one that this program runs on.
    pub(in crate::cli) fn this() -> Result<Self, Error> {
        let os = match std::env::consts::OS {
            "windows" => Os::Windows,
            "macos" | "ios" => Os::Mac,
            _ => Os::Linux,
        };
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let home = home.ok_or_else(|| Error::failed("there is no home directory: HOME is not set"))?;
        let project = std::env::current_dir()
            .map_err(|error| Error::failed(format!("cannot tell the current directory: {error}")))?;
        Ok(Self { os, home, environment: Environment::system(), project })
    }

    pub(in crate::cli) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(super) fn project(&self) -> &Path {
        &self.project
    }

    /// A path as people write it, from the current directory or with `~`.
    pub(super) fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~').map(|rest| rest.trim_start_matches(['/', '\\'])) {
            Some(rest) => self.home.join(rest),
            None => self.project.join(path),
        }
    }

    /// Where this program keeps what it has to remember.
    pub(super) fn state(&self) -> PathBuf {
        let base = match self.os {
            Os::Linux => self.path_in("XDG_STATE_HOME").unwrap_or_else(|| self.home.join(".local/state")),
            Os::Mac => self.base(Base::Data),
            Os::Windows => self.base(Base::LocalData),
        };
        base.join("databricks-mcp-server")
    }

    /// The file of a client.
    pub(super) fn file(&self, client: &Client, scope: Scope, name: &str) -> Result<PathBuf, Error> {
        let path = match scope {
            Scope::Project => {
                let path = client.project.ok_or_else(|| {
                    let message = format!("{} has no file for a project", client.title);
                    Error::failed(message).with_hint("leave out `--scope project`")
                })?;
                self.project.join(path)
            }
            Scope::User => {
                let places: Vec<_> = client.user.iter().filter_map(|place| Some((place, self.path(place)?))).collect();
                let said = places.iter().find(|(place, _)| place.variable.is_some());
                let there = |path: &Path| path.exists() || path.symlink_metadata().is_ok();
                let file = || places.iter().find(|(_, path)| there(&path_of(path, name)));
                let directory = || places.iter().find(|(_, path)| path.parent().is_some_and(there));
                let (_, path) = said
                    .or_else(file)
                    .or_else(directory)
                    .or(places.first())
                    .ok_or_else(|| Error::failed(format!("{} is not known on this system", client.title)))?;
                path.clone()
            }
        };
        Ok(path_of(&path, name))
    }

    /// Whether something shows that the client is on this machine.
    pub(in crate::cli) fn has(&self, client: &Client) -> bool {
        let moved = client.user.iter().filter(|place| place.variable.is_some()).any(|place| self.path(place).is_some());
        moved
            || client.traces.iter().filter_map(|place| self.path(place)).any(|path| path.exists())
            || client.programs.iter().any(|name| self.program(name).is_some())
    }

    /// Where a program is on `PATH`.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.environment.variable("PATH")?;
        let endings: &[&str] = if self.os == Os::Windows { &[".exe", ".cmd", ""] } else { &[""] };
        std::env::split_paths(&path)
            .filter(|directory| directory.is_absolute())
            .flat_map(|directory| endings.iter().map(move |ending| directory.join(format!("{name}{ending}"))))
            .find(|candidate| candidate.is_file())
    }

    fn path(&self, place: &Place) -> Option<PathBuf> {
        if place.os.is_some_and(|os| os != self.os) {
            return None;
        }
        let base = match place.variable {
            Some(variable) => self.path_in(variable)?,
            None => self.base(place.base),
        };
        // Component by component, so that a path has the separators of its system.
        Some(place.path.split('/').filter(|part| !part.is_empty()).fold(base, |path, part| path.join(part)))
    }

    /// The path in a variable, if it holds a whole one.
    fn path_in(&self, variable: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.environment.variable(variable)?);
        path.is_absolute().then_some(path)
    }

    fn base(&self, base: Base) -> PathBuf {
        let dot_config = || self.path_in("XDG_CONFIG_HOME").unwrap_or_else(|| self.home.join(".config"));
        match (base, self.os) {
            (Base::Home, _) => self.home.clone(),
            (Base::Root, _) => PathBuf::from(Component::RootDir.as_os_str()),
            (Base::DotConfig, _) | (Base::Data | Base::LocalData | Base::Config, Os::Linux) => dot_config(),
            (Base::Config, _) => self.home.join(".config"),
            (Base::Data | Base::LocalData, Os::Mac) => self.home.join("Library").join("Application Support"),
            (Base::Data, Os::Windows) => {
                self.path_in("APPDATA").unwrap_or_else(|| self.home.join("AppData").join("Roaming"))
            }
            (Base::LocalData, Os::Windows) => {
                self.path_in("LOCALAPPDATA").unwrap_or_else(|| self.home.join("AppData").join("Local"))
            }
        }
    }
}

/// A client that has a file for each server is told its name.
fn path_of(path: &Path, name: &str) -> PathBuf {
    match path.file_name().and_then(|file| file.to_str()) {
        Some(file) if file.contains("{name}") => path.with_file_name(file.replace("{name}", name)),
        _ => path.to_owned(),
    }
}

/// The clients of these names.
pub(in crate::cli) fn named(names: &[String]) -> Result<Vec<&'static Client>, Error> {
    let mut clients: Vec<&'static Client> = Vec::new();
    for name in names.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()) {
        let client = CLIENTS.iter().find(|client| client.name == name).ok_or_else(|| {
            let hint = did_you_mean(&name, CLIENTS.iter().map(|client| client.name));
            let known: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
            Error::failed(format!("there is no client `{name}`{hint}"))
                .with_hint(format!("the clients are {}", known.join(", ")))
        })?;
        if !clients.iter().any(|known| known.name == client.name) {
            clients.push(client);
        }
    }
    Ok(clients)
}

#[cfg(test)]
mod tests;
