//! Python by simple rules: enough to see a notebook exit, fail, print, and hand values on.
//!
//! Lines at the left margin count, in order: `name = …`, `print(…)`, `display(…)`, `plt.show()`, `spark.sql(…)`,
//! `dbutils.widgets.text("n", "default")`, `dbutils.jobs.taskValues.set(key="k", value=…)`,
//! `dbutils.notebook.exit(…)`, `raise Error("…")`, and an expression as the last line. Everything else does nothing,
//! and what it would have bound is not known. `expression` says what a value can be; to print or hand on one that is
//! not known fails, as it would be a guess.

mod expression;

use std::collections::{BTreeMap, BTreeSet};

use super::tasks::{Call, Done, run_sql, sql_failure};
use crate::sql::Table;
use crate::workspace::Workspace;
use expression::Failure;
pub(crate) use expression::Value;

/// What names stand for. A context of commands keeps them from one command to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    values: BTreeMap<String, Value>,
    /// Words of lines that do nothing here: what they bind is not known.
    unknown: BTreeSet<String>,
    widgets: BTreeMap<String, String>,
}

/// What a source did.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    pub(crate) done: Done,
    pub(crate) logs: String,
    pub(crate) table: Option<Table>,
    pub(crate) images: usize,
    /// The value of an expression in the last line.
    pub(crate) last: Option<String>,
}

pub(super) struct Script<'a> {
    workspace: &'a Workspace,
    call: &'a Call<'a>,
    names: &'a mut Names,
    ran: Ran,
    /// Whether `raise` counts.
    armed: bool,
}

/// How a source ends before its last line.
enum Stop {
    Exit(String),
    Failed(Box<Done>),
    /// Class and message.
    Raised(String, String),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unknown(what) => Self::Raised(
                "NotImplementedError".to_owned(),
                format!("the sandbox runs Python by simple rules, which do not tell what this is worth: {what}"),
            ),
            Failure::Raised(class, message) => Self::Raised(class.to_owned(), message),
            Failure::Sql(error) => Self::Failed(Box::new(sql_failure(&error))),
        }
    }
}

impl<'a> Script<'a> {
    pub(super) fn new(workspace: &'a Workspace, call: &'a Call<'a>, names: &'a mut Names, armed: bool) -> Self {
        Self { workspace, call, names, ran: Ran { done: Done::success(), ..Ran::default() }, armed }
    }

    /// Runs the lines of a cell; false if the source ends there.
    pub(super) fn cell(&mut self, cell: &str) -> bool {
        self.ran.last = None;
        for (index, line) in cell.lines().enumerate() {
            let Err(stop) = self.line(line.trim_end()) else { continue };
            let values = std::mem::take(&mut self.ran.done.values);
            let done = match stop {
                Stop::Exit(value) => Done { exit: Some(value), ..Done::success() },
                Stop::Failed(done) => *done,
                Stop::Raised(class, message) => traced(&class, &message, index + 1, cell),
            };
            self.ran.done = Done { values, ..done };
            return false;
        }
        true
    }

    pub(super) fn finish(self) -> Ran {
        self.ran
    }

    fn line(&mut self, line: &str) -> Result<(), Stop> {
        self.ran.last = None;
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(arguments) = inside(line, "dbutils.widgets.text(") {
            let arguments = self.arguments(arguments)?;
            let mut texts = arguments.into_iter().map(|(_, value)| value.text());
            if let (Some(name), Some(default)) = (texts.next(), texts.next()) {
                self.names.widgets.entry(name).or_insert(default);
            }
        } else if let Some(value) = inside(line, "dbutils.notebook.exit(") {
            return Err(Stop::Exit(self.value(value)?.text()));
        } else if let Some(arguments) = inside(line, "dbutils.jobs.taskValues.set(") {
            let arguments = self.arguments(arguments)?;
            if let (Some(key), Some(value)) = (named(&arguments, "key", 0), named(&arguments, "value", 1)) {
                self.ran.done.values.insert(key.text(), value.json());
            }
        } else if let Some(arguments) = inside(line, "print(") {
            let texts: Vec<_> = self.arguments(arguments)?.into_iter().map(|(_, value)| value.text()).collect();
            self.ran.logs.push_str(&texts.join(" "));
            self.ran.logs.push('\n');
        } else if let Some(value) = inside(line, "display(") {
            match self.value(value) {
                Ok(Value::Table(table)) => self.ran.table = Some(*table),
                Ok(value) => self.ran.logs.push_str(&(value.text() + "\n")),
                // A frame that the rules cannot compute is shown to nobody.
                Err(Failure::Unknown(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        } else if line == "plt.show()" {
            self.ran.images += 1;
        } else if let Some(raised) = line.strip_prefix("raise ") {
            if self.armed {
                return Err(self.raised(raised));
            }
        } else if let Some((name, value)) = assignment(line) {
            self.names.values.remove(name);
            self.names.unknown.remove(name);
            match self.value(value) {
                Ok(value) => drop(self.names.values.insert(name.to_owned(), value)),
                Err(Failure::Unknown(_)) => drop(self.names.unknown.insert(name.to_owned())),
                Err(failure) => return Err(failure.into()),
            }
        } else if does_nothing(line) {
            let words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            self.names.unknown.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        } else {
            match self.value(line) {
                Ok(Value::None) | Err(Failure::Unknown(_)) => {}
                Ok(value) => self.ran.last = Some(value.shown()),
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    fn raised(&self, raised: &str) -> Stop {
        let (class, message) = match raised.split_once('(') {
            Some((class, rest)) => {
                let message = rest.strip_suffix(')').unwrap_or(rest).trim();
                let text =
                    if message.is_empty() { Ok(String::new()) } else { self.value(message).map(|value| value.text()) };
                // What cannot be computed is shown as it stands in the source.
                (class, text.unwrap_or_else(|_| message.to_owned()))
            }
            None => (raised, String::new()),
        };
        Stop::Raised(class.trim().to_owned(), message)
    }
}

/// An argument by its name or its place.
fn named<'v>(arguments: &'v [(Option<String>, Value)], name: &str, place: usize) -> Option<&'v Value> {
    let by_name = arguments.iter().find(|(given, _)| given.as_deref() == Some(name));
    let in_place = arguments.get(place).filter(|(given, _)| given.is_none());
    by_name.or(in_place).map(|(_, value)| value)
}

/// `name = value`, for a plain name.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && name.chars().next().is_some_and(|letter| !letter.is_ascii_digit());
    (is_plain && !value.starts_with('=')).then(|| (name, value.trim()))
}

/// Lines that the rules leave out: indented ones, and those that open a block or bring in names.
fn does_nothing(line: &str) -> bool {
    const WORDS: [&str; 16] = [
        "import", "from", "def", "class", "if", "elif", "else:", "for", "while", "with", "try:", "except", "finally:",
        "assert", "del", "async",
    ];
    let first = line.split(' ').next().unwrap_or_default();
    line.starts_with(char::is_whitespace)
        || line.starts_with(['@', '%', ')', ']', '}'])
        || line.ends_with([':', '(', '[', '{', ',', '\\'])
        || WORDS.contains(&first)
        || WORDS.contains(&first.trim_end_matches(':'))
}

/// The arguments of a call that takes up a whole line.
fn inside<'l>(line: &'l str, call: &str) -> Option<&'l str> {
    line.strip_prefix(call)?.strip_suffix(')')
}

/// A failure with a trace that points at its line.
fn traced(class: &str, message: &str, number: usize, cell: &str) -> Done {
    let error = if message.is_empty() { class.to_owned() } else { format!("{class}: {message}") };
    let mut trace =
        format!("{}\n{class:<42}Traceback (most recent call last)\nFile <command-1>, line {number}\n", "-".repeat(75));
    for (index, line) in cell.lines().enumerate() {
        let arrow = if index + 1 == number { "---->" } else { "     " };
        trace.push_str(&format!("{arrow} {} {line}\n", index + 1));
    }
    trace.push_str(&format!("\n{error}"));
    Done::failure(error, trace)
}

impl Script<'_> {
    fn value(&self, expression: &str) -> Result<Value, Failure> {
        expression::evaluate(self, expression)
    }

    fn arguments(&self, arguments: &str) -> Result<Vec<(Option<String>, Value)>, Failure> {
        expression::arguments(self, arguments)
    }

    fn name(&self, name: &str) -> Result<Value, Failure> {
        match self.names.values.get(name) {
            Some(value) => Ok(value.clone()),
            None if self.names.unknown.contains(name) || matches!(name, "spark" | "dbutils" | "sc") => {
                Err(Failure::Unknown(name.to_owned()))
            }
            None => Err(Failure::Raised("NameError", format!("name '{name}' is not defined"))),
        }
    }

    /// A function that the rules know; nothing where they do not.
    fn function(&self, name: &str, arguments: &[(Option<String>, Value)]) -> Result<Option<Value>, Failure> {
        let first = arguments.first().map(|(_, value)| value);
        let text = || first.map(Value::text).unwrap_or_default();
        let query = |sql: &str| {
            let table = run_sql(self.workspace, sql, &self.call.parameters).map_err(Failure::Sql)?;
            Ok(Some(Value::Table(Box::new(table))))
        };
        match name {
            "dbutils.widgets.get" | "getArgument" => {
                let name = text();
                let value = self.call.parameters.get(&name).or_else(|| self.names.widgets.get(&name));
                let missing =
                    || Failure::Raised("InputWidgetNotDefined", format!("No input widget named {name} is defined"));
                Ok(Some(Value::Text(value.cloned().ok_or_else(missing)?)))
            }
            "dbutils.jobs.taskValues.get" => {
                let task = named(arguments, "taskKey", 0).map(Value::text).unwrap_or_default();
                let key = named(arguments, "key", 1).map(Value::text).unwrap_or_default();
                let set = self.call.values.of_task(&task, &key).map(Value::of_json);
                let missing =
                    || Failure::Raised("ValueError", format!("Task value with key {key} not found in task {task}"));
                let default = || named(arguments, "default", 2).or_else(|| named(arguments, "debugValue", 3)).cloned();
                Ok(Some(set.or_else(default).ok_or_else(missing)?))
            }
            "dbutils.secrets.get" => {
                let scope = named(arguments, "scope", 0).map(Value::text).unwrap_or_default();
                let key = named(arguments, "key", 1).map(Value::text).unwrap_or_default();
                // Whatever prints a secret prints this.
                match super::secrets::has(self.workspace, &scope, &key) {
                    true => Ok(Some(Value::Text("[REDACTED]".to_owned()))),
                    false => Err(Failure::Raised(
                        "IllegalArgumentException",
                        format!("Secret does not exist with scope: {scope} and key: {key}"),
                    )),
                }
            }
            "spark.sql" => query(&text()),
            "spark.table" => query(&format!("SELECT * FROM {}", text())),
            "str" => Ok(Some(Value::Text(text()))),
            "int" => match text().trim().parse() {
                Ok(number) => Ok(Some(Value::Int(number))),
                Err(_) => {
                    Err(Failure::Raised("ValueError", format!("invalid literal for int() with base 10: '{}'", text())))
                }
            },
            "json.dumps" => Ok(first.map(|value| Value::Text(value.json()))),
            _ => Ok(None),
        }
    }
}
