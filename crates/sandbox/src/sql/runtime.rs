//! The functions that SQLite lacks, registered on a connection as `dbx_…`.

mod aggregates;
pub(crate) mod casts;
mod digests;
mod documents;
mod formats;
mod instants;
mod lists;
mod maths;
mod patterns;
mod statistics;
mod strings;
mod sums;

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;

use super::cancel::Running;
use super::error::SqlError;
use super::types::NAN;
pub(crate) use documents::{read, schema_of};
pub(crate) use maths::overflow;

/// The arguments of one call.
pub(crate) struct Arguments {
    values: Vec<Value>,
    running: Running,
}

pub(crate) type Outcome = Result<Value, SqlError>;

/// A function's name and body. Unless it says so, it is not called with a NULL but gives NULL.
pub(crate) type Definition = (&'static str, fn(&Arguments) -> Outcome);

impl Arguments {
    pub(crate) fn get(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Null)
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn all(&self) -> &[Value] {
        &self.values
    }

    /// Whether the statement may go on. A call whose work is not linear in its arguments asks it again and again.
    pub(crate) fn check(&self) -> Result<(), SqlError> {
        self.running.check()
    }

    pub(crate) fn text(&self, index: usize) -> &str {
        match self.get(index) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    pub(crate) fn integer(&self, index: usize) -> i64 {
        match self.get(index) {
            Value::Integer(value) => *value,
            #[expect(clippy::cast_possible_truncation, reason = "a result of SQLite's own that left the integers")]
            Value::Real(value) => *value as i64,
            _ => 0,
        }
    }

    pub(crate) fn real(&self, index: usize) -> f64 {
        match self.get(index) {
            #[expect(clippy::cast_precision_loss, reason = "what a cast to DOUBLE does")]
            Value::Integer(value) => *value as f64,
            Value::Real(value) => *value,
            Value::Text(text) if text == NAN => f64::NAN,
            _ => 0.0,
        }
    }
}

/// Makes all functions known to a connection.
pub(crate) fn register(connection: &Connection, running: &Running) -> rusqlite::Result<()> {
    let strict = [
        strings::FUNCTIONS,
        patterns::FUNCTIONS,
        maths::FUNCTIONS,
        instants::FUNCTIONS,
        casts::FUNCTIONS,
        lists::FUNCTIONS,
        documents::FUNCTIONS,
        digests::FUNCTIONS,
    ]
    .concat();
    for (name, body) in strict {
        add(connection, running, name, move |arguments| {
            if arguments.all().contains(&Value::Null) { Ok(Value::Null) } else { body(arguments) }
        })?;
    }
    for (name, body) in [strings::LENIENT, maths::LENIENT].concat() {
        add(connection, running, name, body)?;
    }
    aggregates::register(connection, running)
}

fn add(
    connection: &Connection,
    running: &Running,
    name: &str,
    body: impl Fn(&Arguments) -> Outcome + Send + Sync + std::panic::UnwindSafe + 'static,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let running = running.clone();
    connection.create_scalar_function(name, -1, flags, move |context| {
        let arguments = Arguments { values: values(context)?, running: running.clone() };
        arguments.check().and_then(|()| body(&arguments)).map_err(user_error)
    })
}

fn values(context: &Context<'_>) -> rusqlite::Result<Vec<Value>> {
    (0..context.len()).map(|index| context.get(index)).collect()
}

/// A text that two values share if they are the same.
fn key(value: &Value) -> String {
    match value {
        // Zero has two signs.
        Value::Real(number) => format!("{:?}", number + 0.0),
        value => format!("{value:?}"),
    }
}

/// An error that leaves SQLite with its text as it is.
pub(crate) fn user_error(error: SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.message.into())
}
