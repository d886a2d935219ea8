//! The sandbox within this program.

use std::fmt::Display;
use std::path::Path;

use databricks_sandbox::{Faults, Sandbox, Seed};
use tokio::runtime::{Builder, Runtime};

use crate::config::Options;
use crate::error::Error;

/// The stack of each thread of a sandbox. Memory that is not touched costs nothing.
const STACK_BYTES: usize = 4 << 20;

/// A sandbox with a runtime of its own: whatever it works at, the server goes on, and ends at once when it is told to.
pub(crate) struct Embedded {
    sandbox: Sandbox,
    _runtime: OwnRuntime,
}

impl Embedded {
    /// Starts a sandbox. Each has a token of its own, so that no call reaches the wrong one.
    pub(crate) async fn start(options: &Options, port: u16) -> Result<Self, Error> {
        let speed =
            options.sandbox_clock.parse().map_err(|error| Error::failed(format!("`--sandbox-clock`: {error}")))?;
        let mut sandbox = databricks_sandbox::Options::default().with_port(port).with_speed(speed);
        if let Some(path) = &options.sandbox_faults {
            sandbox = sandbox.with_faults(read_file("faults", path, Faults::parse)?);
        }
        if let Some(path) = &options.sandbox_seed {
            sandbox = sandbox.with_seed(read_file("a seed", path, Seed::parse)?);
        }
        Self::run(sandbox).await
    }

    async fn run(options: databricks_sandbox::Options) -> Result<Self, Error> {
        let failed = |error: &dyn Display| Error::failed(format!("cannot start the sandbox: {error}"));
        let mut runtime = Builder::new_multi_thread();
        runtime.enable_all().thread_name("sandbox").thread_stack_size(STACK_BYTES);
        let runtime = runtime.build().map_err(|error| failed(&error))?;
        let handle = runtime.handle().clone();
        let runtime = OwnRuntime(Some(runtime));
        let started = handle.spawn(Sandbox::start(options)).await.map_err(|error| failed(&error))?;
        let sandbox = started.map_err(|error| Error::failed(error.to_string()))?;
        Ok(Self { sandbox, _runtime: runtime })
    }

    /// The base address.
    pub(crate) fn url(&self) -> &str {
        self.sandbox.url()
    }

    /// The token that it accepts.
    pub(crate) fn token(&self) -> &str {
        self.sandbox.token()
    }
}

/// Ends without waiting for what runs on it, as a runtime otherwise does.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a file of the sandbox says; an error names the file.
fn read_file<T>(
    what: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, databricks_sandbox::Error>,
) -> Result<T, Error> {
    let in_file = |error: &dyn Display| Error::failed(format!("{what} in `{}`: {error}", path.display()));
    let text = crate::text_file::read(path).map_err(|error| in_file(&error))?;
    parse(&text).map_err(|error| in_file(&error))
}
