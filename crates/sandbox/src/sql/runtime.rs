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

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;

use super::error::SqlError;
pub(crate) use documents::schema_of;
pub(crate) use maths::overflow;

/// The arguments of one call.
pub(crate) struct Arguments(Vec<Value>);

pub(crate) type Outcome = Result<Value, SqlError>;

/// A function's name and body. Unless it says so, it is not called with a NULL but gives NULL.
pub(crate) type Definition = (&'static str, fn(&Arguments) -> Outcome);

impl Arguments {
    pub(crate) fn get(&self, index: usize) -> &Value {
        self.0.get(index).unwrap_or(&Value::Null)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn all(&self) -> &[Value] {
        &self.0
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
            _ => 0.0,
        }
    }
}

/// Makes all functions known to a connection.
pub(crate) fn register(connection: &Connection) -> rusqlite::Result<()> {
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
        add(
            connection,
            name,
            move |arguments| {
                if arguments.all().contains(&Value::Null) { Ok(Value::Null) } else { body(arguments) }
            },
        )?;
    }
    for (name, body) in [strings::LENIENT, maths::LENIENT].concat() {
        add(connection, name, body)?;
    }
    aggregates::register(connection)
}

fn add(
    connection: &Connection,
    name: &str,
    body: impl Fn(&Arguments) -> Outcome + Send + Sync + std::panic::UnwindSafe + 'static,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(name, -1, flags, move |context| body(&arguments(context)?).map_err(user_error))
}

pub(crate) fn arguments(context: &Context<'_>) -> rusqlite::Result<Arguments> {
    (0..context.len()).map(|index| context.get::<Value>(index)).collect::<Result<_, _>>().map(Arguments)
}

/// An error that leaves SQLite with its text as it is.
pub(crate) fn user_error(error: SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.message.into())
}
