//! Python: the small part of it that notebooks and commands are tried out with.
//!
//! `tokens` and `parse` read a cell, `run` runs statements, `evaluate` and `operate` expressions; `show` and `json` give
//! the texts of values. `library`, `builtin`, `methods` and `dbutils` hold what code can call, and `frame` what Spark
//! gives. Whatever they do not know is refused by name with `NotImplementedError`: to pass over it would be a wrong success. A cell is read as a whole before any of it
//! runs. All that a source does takes from its `budget`.

mod budget;
mod builtin;
mod dbutils;
mod evaluate;
mod format;
mod frame;
mod json;
mod library;
mod methods;
mod operate;
mod parse;
mod run;
mod show;
mod syntax;
mod tokens;
mod value;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::tasks::{Call, Done};
use crate::sql::Table;
use crate::workspace::Workspace;
use run::{Failure, Script};
use value::Value;

/// What names stand for. A context of commands keeps them from one command to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    values: BTreeMap<String, Value>,
    widgets: BTreeMap<String, String>,
}

impl Names {
    /// About how many bytes all takes that the names stand for.
    pub(crate) fn bytes(&self) -> usize {
        let mut known = HashSet::new();
        let mut pending: Vec<_> = self.values.values().cloned().collect();
        let mut bytes = 0;
        while let Some(value) = pending.pop() {
            bytes += size_of::<Value>() + value.own_bytes();
            if let Value::List(items) | Value::Tuple(items) | Value::Dict(items) | Value::Once(_, items) = &value
                && known.insert(Arc::as_ptr(items))
            {
                pending.extend(items.all().iter().cloned());
            }
        }
        bytes
    }
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
    values: BTreeMap<String, String>,
}

/// A cell of a notebook that has SQL in it, or its Python.
pub(crate) enum Cell<'c> {
    Python(&'c str),
    /// What runs it; it fails with what it gives.
    Other(Box<dyn FnOnce() -> Option<Done> + Send + 'c>),
}

/// Runs cells one after the other, up to one that fails or ends the notebook.
pub(crate) fn run<'c>(
    workspace: &Workspace,
    call: &Call,
    names: &mut Names,
    armed: bool,
    cells: impl IntoIterator<Item = Cell<'c>> + Send,
) -> Ran {
    let run = || {
        let mut script = Script::new(workspace, call, names, armed);
        let mut done = Done::success();
        for cell in cells {
            let ended = match cell {
                Cell::Python(source) => script.run(source).err().map(|failure| end(failure, script.line, source)),
                Cell::Other(run) => run(),
            };
            if let Some(ended) = ended {
                done = ended;
                break;
            }
        }
        let values = std::mem::take(&mut script.ran.values);
        Ran { done: Done { values, ..done }, ..std::mem::take(&mut script.ran) }
    };
    crate::stack::on_large_stack(run)
        .unwrap_or_else(|| Ran { done: Done::failure("the sandbox could not run this", ""), ..Ran::default() })
}

fn end(failure: Failure, line: usize, source: &str) -> Done {
    match failure {
        Failure::Exit(value) => Done { exit: Some(value), ..Done::success() },
        Failure::Refused(message) => traced("NotImplementedError", &format!("{message} (line {line})"), line, source),
        Failure::Raised(exception) => traced(&exception.class, &exception.message, line, source),
    }
}

/// A cell in a language or for a purpose that the sandbox does not run.
pub(crate) fn refused(command: &str, cell: &str) -> Done {
    end(Failure::refused(&format!("`{command}` cells")), 1, cell)
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

#[cfg(test)]
mod tests;
