//! What the checks found, for people and for scripts.

use std::fmt;

use serde_json::{Value, json};

use crate::shape;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    /// Works, but not as it should, or not for long.
    Warning,
    Failed,
    /// Nothing is known, as an earlier check failed or nothing needs it.
    Skipped,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One check.
#[derive(Debug)]
pub(super) struct Check {
    name: &'static str,
    status: Status,
    saw: String,
    /// The particulars of a failure.
    notes: Vec<String>,
    hint: Option<String>,
}

impl Check {
    fn new(name: &'static str, status: Status, saw: impl Into<String>) -> Self {
        let saw = saw.into();
        let mut lines = saw.lines().map(str::trim);
        let first = lines.next().unwrap_or_default().trim_end_matches(':').to_owned();
        Self { name, status, saw: first, notes: lines.map(str::to_owned).collect(), hint: None }
    }

    pub(super) fn ok(name: &'static str, saw: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, saw)
    }

    pub(super) fn warning(name: &'static str, saw: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(name, Status::Warning, saw) }
    }

    pub(super) fn failed(name: &'static str, saw: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(name, Status::Failed, saw) }
    }

    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, Status::Skipped, why)
    }

    pub(super) fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }

    pub(super) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    fn to_json(&self) -> Value {
        let mut check = json!({ "check": self.name, "status": self.status.name(), "saw": self.saw });
        if !self.notes.is_empty() {
            shape::put(&mut check, "notes", json!(self.notes));
        }
        if let Some(hint) = &self.hint {
            shape::put(&mut check, "hint", json!(hint));
        }
        check
    }
}

/// The status, the name, and what was seen, in columns.
impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, status, saw, notes, hint } = self;
        writeln!(formatter, "  {:7}  {name:14}  {saw}", status.name())?;
        for note in notes {
            writeln!(formatter, "{:27}{note}", "")?;
        }
        hint.as_ref().map_or(Ok(()), |hint| writeln!(formatter, "{:27}hint: {hint}", ""))
    }
}

/// The checks of one workspace.
#[derive(Debug)]
pub(super) struct Section {
    /// Its name; empty where it is the only one and has none.
    pub(super) workspace: String,
    /// Its address; empty where it is not known.
    pub(super) host: String,
    pub(super) checks: Vec<Check>,
}

/// Everything that was found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) sections: Vec<Section>,
    pub(super) server: Check,
    /// What else belongs to no workspace.
    pub(super) program: Vec<Check>,
}

impl Report {
    /// Whether nothing failed.
    pub(crate) fn is_healthy(&self) -> bool {
        self.count(Status::Failed) == 0
    }

    /// For scripts.
    pub(crate) fn to_json(&self) -> Value {
        let workspaces = self.sections.iter().map(|section| {
            let named = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
            let checks: Vec<_> = section.checks.iter().map(Check::to_json).collect();
            json!({ "workspace": named(&section.workspace), "host": named(&section.host), "checks": checks })
        });
        let workspaces: Vec<_> = workspaces.collect();
        let program: Vec<_> = self.program.iter().map(Check::to_json).collect();
        json!({
            "healthy": self.is_healthy(), "workspaces": workspaces, "server": self.server.to_json(), "program": program,
        })
    }

    fn count(&self, status: Status) -> usize {
        let checks = self.sections.iter().flat_map(|section| &section.checks);
        let checks = checks.chain([&self.server]).chain(&self.program);
        checks.filter(|check| check.status == status).count()
    }
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Section { workspace, host, checks } in &self.sections {
            let host = if host.is_empty() { "no host" } else { host };
            match workspace.as_str() {
                "" => writeln!(formatter, "{host}")?,
                name => writeln!(formatter, "{name}: {host}")?,
            }
            checks.iter().try_for_each(|check| check.fmt(formatter))?;
            writeln!(formatter)?;
        }
        write!(formatter, "this program\n{}", self.server)?;
        self.program.iter().try_for_each(|check| check.fmt(formatter))?;
        writeln!(formatter)?;
        let count = |status, what| match self.count(status) {
            0 => None,
            1 => Some(format!("1 check {what}")),
            more => Some(format!("{more} checks {what}")),
        };
        let (failed, warned) = (count(Status::Failed, "failed"), count(Status::Warning, "with a warning"));
        let told: Vec<_> = failed.into_iter().chain(warned).collect();
        if told.is_empty() { formatter.write_str("all is well") } else { formatter.write_str(&told.join(", ")) }
    }
}
