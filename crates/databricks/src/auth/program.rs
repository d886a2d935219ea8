//! Running another program for a token.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use crate::auth::environment::{Environment, ProgramOutput};
use crate::error::Error;

/// Programs in Python take their time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that was found.
#[derive(Debug, Clone)]
pub(crate) struct Program(PathBuf);

impl Program {
    pub(crate) fn new(path: PathBuf) -> Program {
        Program(path)
    }

    /// How long such a program may take.
    pub(crate) fn patience(&self) -> Duration {
        PATIENCE
    }

    pub(crate) async fn run(
        &self,
        environment: &Environment,
        arguments: &[String],
        patience: Duration,
    ) -> io::Result<ProgramOutput> {
        let command = std::iter::once(self.0.to_string_lossy().into_owned()).chain(arguments.iter().cloned());
        timeout(patience, environment.run(command.collect()))
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long")))
    }
}

/// The error of a program that could not be run to its end.
pub(crate) fn not_run(name: &str, error: &io::Error) -> Error {
    Error::credentials(format!("`{name}` could not be run: {error}"))
}
