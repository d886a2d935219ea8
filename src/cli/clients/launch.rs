//! What a client starts: the program, and the options of this command line as its arguments.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory as _, Parser as _};
use serde_json::{Map, Value, json};

use super::places::Machine;
use super::table::{Command, Fixed, Layout};
use crate::cli::Cli;
use crate::config::Options;
use crate::error::Error;
use crate::registry::Registry;

/// The name of the program, of its packages, and of this server where nothing says it.
const PROGRAM: &str = "databricks-mcp-server";
/// Said of this run, and not of the server.
const OF_THIS_RUN: [&str; 1] = ["dry_run"];
/// What says where profiles are, and is no secret.
const CONFIG_FILE: &str = "DATABRICKS_CONFIG_FILE";
/// The profile of people who name none.
const PROFILE: &str = "DATABRICKS_CONFIG_PROFILE";

/// The command of a server.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Launch {
    program: String,
    /// Before the options: what `uvx` or `npx` are to start.
    words: Vec<String>,
    options: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Launch {
    /// From the command line of this process, whose options are the server's.
    pub(in crate::cli) fn new(machine: &Machine, command: Option<&str>) -> Result<Self, Error> {
        let matches = Cli::command().get_matches_from(std::env::args_os());
        let options = options(&matches, machine)?;
        let mut words = match command {
            Some(command) => words(command, machine)?,
            None => itself(machine)?,
        }
        .into_iter();
        let program = words.next().ok_or_else(|| Error::failed("`--command` names no program"))?;
        Ok(Self { program, words: words.collect(), options, variables: Vec::new() })
    }

    /// Adds an option.
    pub(in crate::cli) fn push(&mut self, flag: &str, value: Option<&str>) {
        self.options.push(flag.to_owned());
        self.options.extend(value.map(str::to_owned));
    }

    /// Adds a preset to the toolsets that were named.
    pub(in crate::cli) fn add_preset(&mut self, preset: &str) -> Result<(), Error> {
        if !Registry::all_presets().iter().any(|known| known.name == preset) {
            let names: Vec<_> = Registry::all_presets().iter().map(|known| known.name).collect();
            let hint = crate::nearest::did_you_mean(preset, names.iter().copied());
            return Err(Error::failed(format!("there is no preset `{preset}`{hint}"))
                .with_hint(format!("the presets are {}", names.join(", "))));
        }
        let named = self.options.iter().position(|word| word == "--toolsets");
        match named.and_then(|flag| self.options.get_mut(flag + 1)) {
            Some(value) => *value = format!("{value},{preset}"),
            None => self.push("--toolsets", Some(preset)),
        }
        Ok(())
    }

    /// The options as the server will read them, checked: its toolsets and profiles exist, and it knows its workspace.
    pub(in crate::cli) fn checked(&mut self, machine: &Machine) -> Result<Options, Error> {
        let mut options = self.parsed()?;
        let profile = machine.environment().variable(PROFILE);
        if let Some(profile) = profile.filter(|_| options.profiles.is_empty() && !options.sandbox) {
            self.push("--profile", Some(&profile));
            options = self.parsed()?;
        }
        Registry::new(&options.selection()?)?;
        if !options.sandbox {
            if options.profiles.is_empty() && options.host.is_none() {
                return Err(nothing_to_serve(machine));
            }
            for workspace in options.workspaces()? {
                options.client_config(&workspace)?;
            }
            if let Some(file) = machine.environment().variable(CONFIG_FILE) {
                self.variables = vec![(CONFIG_FILE.to_owned(), machine.expand(&file).to_string_lossy().into_owned())];
            }
        }
        Ok(options)
    }

    fn parsed(&self) -> Result<Options, Error> {
        let words = [PROGRAM].into_iter().chain(self.options.iter().map(String::as_str));
        let cli = Cli::try_parse_from(words).map_err(|error| Error::failed(error.to_string()))?;
        // What is dry is this run.
        Ok(Options { dry_run: false, ..cli.options })
    }

    /// The entry of a client's file.
    pub(super) fn entry(&self, layout: &Layout, name: &str) -> Value {
        let mut entry = Map::new();
        let fixed = |value: &Fixed| match value {
            Fixed::Text(text) => json!(text),
            Fixed::True => json!(true),
            Fixed::Number(number) => json!(number),
            Fixed::Name => json!(name),
        };
        entry.extend(layout.before.iter().map(|(key, value)| ((*key).to_owned(), fixed(value))));
        let arguments: Vec<_> = self.words.iter().chain(&self.options).collect();
        match layout.command {
            Command::Apart(key) => {
                entry.insert(key.to_owned(), json!(self.program));
                entry.insert("args".to_owned(), json!(arguments));
            }
            Command::Together => {
                let words: Vec<_> = [&self.program].into_iter().chain(arguments).collect();
                entry.insert("command".to_owned(), json!(words));
            }
        }
        if !self.variables.is_empty() {
            let variables = self.variables.iter().map(|(name, value)| (name.clone(), json!(value)));
            entry.insert(layout.environment.to_owned(), Value::Object(variables.collect()));
        }
        entry.extend(layout.after.iter().map(|(key, value)| ((*key).to_owned(), fixed(value))));
        Value::Object(entry)
    }
}

/// Whether an entry starts this server, whoever has written it.
pub(super) fn is_ours(entry: &Value) -> bool {
    let words = ["command", "cmd", "args"].into_iter().filter_map(|key| entry.get(key)).flat_map(|value| match value {
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect::<Vec<_>>(),
    });
    words.into_iter().any(|word| {
        let last = word.rsplit(['/', '\\']).next().unwrap_or(word);
        let last = last.split('@').next().unwrap_or(last);
        last.strip_suffix(".exe").unwrap_or(last) == PROGRAM
    })
}

/// What is to be written of an entry that is there: ours, with what the client or its user has added.
pub(super) fn merged(there: &Value, ours: &Value, layout: &Layout) -> Value {
    let (Value::Object(there), Value::Object(ours)) = (there, ours) else { return ours.clone() };
    let mut merged = there.clone();
    for (key, value) in ours {
        let variables = key == layout.environment;
        // Somebody may have switched the server off.
        if key == "enabled" && merged.contains_key(key) {
            continue;
        }
        match (merged.get_mut(key), value) {
            (Some(Value::Object(kept)), Value::Object(more)) if variables => kept.extend(more.clone()),
            (Some(kept), value) => *kept = value.clone(),
            (None, value) => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(merged)
}

fn nothing_to_serve(machine: &Machine) -> Error {
    let profiles = databricks::profiles(machine.environment()).unwrap_or_default();
    let names: Vec<_> = profiles.iter().map(|(name, _)| name.as_str()).collect();
    let hint = match names.as_slice() {
        [] => "add `--sandbox` to try it without a workspace, or `--profile NAME` after \
               `databricks-mcp-server auth login --profile NAME`; a token in a variable does not reach every client"
            .to_owned(),
        names => format!("add `--sandbox`, or `--profile` with one of {}", names.join(", ")),
    };
    Error::failed("nothing says which workspace the server is for").with_hint(hint)
}

/// The options that were given, as words.
fn options(matches: &ArgMatches, machine: &Machine) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let command = Cli::command();
    for argument in command.get_arguments().filter(|argument| argument.is_global_set()) {
        let id = argument.get_id().as_str();
        let given = matches.value_source(id);
        let given = matches!(given, Some(ValueSource::CommandLine | ValueSource::EnvVariable));
        let Some(flag) = argument.get_long().filter(|_| given && !OF_THIS_RUN.contains(&id)) else { continue };
        if matches!(argument.get_action(), ArgAction::SetTrue) {
            words.extend(matches.get_flag(id).then(|| format!("--{flag}")));
            continue;
        }
        let values = matches.get_raw(id).into_iter().flatten().map(|value| {
            let wrong = || Error::failed(format!("the value of `--{flag}` is no text"));
            value.to_str().map(|value| value.trim().to_owned()).ok_or_else(wrong)
        });
        let mut values: Vec<String> = values.collect::<Result<_, Error>>()?;
        values.retain(|value| !value.is_empty());
        let names = argument.get_value_names().unwrap_or_default();
        if names.iter().any(|name| *name == "FILE" || *name == "DIR") {
            // A client starts the server somewhere else.
            values.iter_mut().for_each(|value| *value = absolute(value, machine));
        }
        if argument.get_value_delimiter().is_some() && !values.is_empty() {
            values = vec![values.join(",")];
        }
        words.extend(values.into_iter().flat_map(|value| [format!("--{flag}"), value]));
    }
    Ok(words)
}

fn absolute(path: &str, machine: &Machine) -> String {
    if path == "-" { path.to_owned() } else { machine.project().join(path).to_string_lossy().into_owned() }
}

/// `--command`, split at blanks unless it is a file whose name has some. A path is made whole, as a client starts it
/// somewhere else; a name is left for the client to find.
fn words(command: &str, machine: &Machine) -> Result<Vec<String>, Error> {
    let command = command.trim();
    let whole = machine.expand(command);
    if command.is_empty() || whole.is_file() {
        return Ok(if command.is_empty() { Vec::new() } else { vec![whole.to_string_lossy().into_owned()] });
    }
    let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    if let Some(program) = words.first_mut().filter(|program| program.contains(['/', '\\'])) {
        *program = machine.expand(program).to_string_lossy().into_owned();
    }
    Ok(words)
}

/// How to start this very program again, also after the next update of what it came with.
fn itself(machine: &Machine) -> Result<Vec<String>, Error> {
    let this = std::env::current_exe()
        .map_err(|error| Error::failed(format!("cannot tell where this program is: {error}")))?;
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            Error::failed("the path of this program is no text").with_hint("say how to start it with `--command`")
        })
    };
    // `uvx` and `npx` run from caches, which they empty.
    let runner = |name: &str, words: &[&str]| -> Result<Vec<String>, Error> {
        let program = machine.program(name).map_or(Ok(name.to_owned()), |path| text(&path))?;
        Ok([program].into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect())
    };
    let parts: Vec<_> = this.iter().filter_map(|part| part.to_str()).collect();
    if parts.contains(&"_npx") {
        return runner("npx", &["-y", PROGRAM]);
    }
    if parts.iter().any(|part| part.starts_with("archive-v")) && parts.contains(&"uv") {
        return runner("uvx", &[PROGRAM]);
    }
    // A link on PATH stays when what it leads to gets another version.
    let linked = machine.program(PROGRAM).filter(|path| leads_to(path, &this));
    Ok(vec![text(&linked.unwrap_or(this))?])
}

fn leads_to(path: &Path, file: &Path) -> bool {
    let real = |path: &Path| -> Option<PathBuf> { path.canonicalize().ok() };
    real(path).is_some_and(|path| real(file) == Some(path))
}

#[cfg(test)]
mod tests;
