//! The world outside of the program, as far as authentication looks at it: variables, the home directory, the clock
//! and other programs. It comes in as one value, so that nothing in this crate reads the process environment unasked.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::SystemTime;

use reqwest::Url;

use crate::auth::keyring::Keyring;

type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;
type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;
type Runner = Arc<dyn Fn(Vec<String>) -> Running + Send + Sync>;
type Route = Arc<dyn Fn(Url) -> Url + Send + Sync>;

/// A program under way.
pub type Running = Pin<Box<dyn Future<Output = io::Result<ProgramOutput>> + Send>>;

/// What a program said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramOutput {
    /// Whether it ended well.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Where authentication looks for what is not in the configuration itself. The default is an empty world: no
/// variables, no home directory, no programs, no keyring, and the clock of the system.
///
/// ```
/// let environment = databricks::Environment::default()
///     .with_variables(|name| (name == "DATABRICKS_HOST").then(|| "acme.test".to_owned()));
/// assert_eq!(environment.variable("DATABRICKS_HOST").as_deref(), Some("acme.test"));
/// ```
#[derive(Clone)]
pub struct Environment {
    variables: Variables,
    home: Option<PathBuf>,
    clock: Clock,
    runner: Runner,
    route: Option<Route>,
    keyring: Option<Keyring>,
}

impl Default for Environment {
    fn default() -> Environment {
        Environment {
            variables: Arc::new(|_| None),
            home: None,
            clock: Arc::new(SystemTime::now),
            runner: Arc::new(|_| Box::pin(async { Err(io::ErrorKind::NotFound.into()) })),
            route: None,
            keyring: None,
        }
    }
}

impl Environment {
    /// The world of this process.
    pub fn system() -> Environment {
        Environment::default()
            .with_variables(process_variable)
            .with_home(std::env::home_dir())
            .with_runner(|command| Box::pin(run(command)))
            .with_keyring(Some(Keyring::system()))
    }

    /// The same world with other variables.
    #[must_use]
    pub fn with_variables(mut self, lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Environment {
        self.variables = Arc::new(lookup);
        self
    }

    /// The same world with another home directory.
    #[must_use]
    pub fn with_home(mut self, home: Option<PathBuf>) -> Environment {
        self.home = home;
        self
    }

    /// The same world at another time.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// // Tokens end an hour earlier.
    /// let ahead = databricks::Environment::system().with_clock(|| SystemTime::now() + Duration::from_secs(3_600));
    /// ```
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Environment {
        self.clock = Arc::new(now);
        self
    }

    /// The same world with other programs. The first of the words is the program's path.
    ///
    /// ```
    /// use databricks::{Environment, ProgramOutput};
    ///
    /// let environment = Environment::default().with_runner(|command| {
    ///     let stdout = format!("instead of {}", command.join(" "));
    ///     Box::pin(async { Ok(ProgramOutput { success: true, stdout, ..ProgramOutput::default() }) })
    /// });
    /// ```
    #[must_use]
    pub fn with_runner(mut self, run: impl Fn(Vec<String>) -> Running + Send + Sync + 'static) -> Environment {
        self.runner = Arc::new(run);
        self
    }

    /// The same world with another keyring, or without one.
    #[must_use]
    pub(crate) fn with_keyring(mut self, keyring: Option<Keyring>) -> Environment {
        self.keyring = keyring;
        self
    }

    pub(crate) fn keyring(&self) -> Option<Keyring> {
        self.keyring.clone()
    }

    /// Sends requests to identity providers elsewhere: the tests' provider stands in for Azure and Google.
    #[cfg(test)]
    pub(crate) fn with_route(mut self, route: impl Fn(Url) -> Url + Send + Sync + 'static) -> Environment {
        self.route = Some(Arc::new(route));
        self
    }

    /// A variable. An empty one counts as unset.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The time.
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// A path in the home directory, where there is one.
    pub(crate) fn in_home(&self, path: &str) -> Option<PathBuf> {
        Some(self.home.as_ref()?.join(path))
    }

    /// A path as people write it, with `~` for the home directory.
    pub(crate) fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix('~').map(|rest| rest.trim_start_matches(['/', '\\'])) {
            Some(rest) => self.in_home(rest).unwrap_or_else(|| path.into()),
            None => path.into(),
        }
    }

    /// Where a program is on `PATH`. Directories that depend on the working directory are passed over: whoever can write there,
    /// as into a checked-out repository, would decide what runs.
    pub(crate) fn find_program(&self, name: &str) -> Option<PathBuf> {
        let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat"] } else { &[""] };
        let path = self.variable("PATH")?;
        std::env::split_paths(&path)
            .filter(|directory| directory.is_absolute())
            .flat_map(|directory| endings.iter().map(move |ending| directory.join(format!("{name}{ending}"))))
            .find(|candidate| candidate.is_file())
    }

    /// Runs a program to its end. Dropping the future stops it.
    pub(crate) async fn run(&self, command: Vec<String>) -> io::Result<ProgramOutput> {
        (self.runner)(command).await
    }

    /// Where a URL of an identity provider really leads.
    pub(crate) fn route(&self, url: Url) -> Url {
        match &self.route {
            Some(route) => route(url),
            None => url,
        }
    }
}

/// Not what is in it: variables hold credentials.
impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Environment").field("home", &self.home).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the process environment")]
fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

async fn run(command: Vec<String>) -> io::Result<ProgramOutput> {
    let mut words = command.into_iter();
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    let output = tokio::process::Command::new(program)
        .args(words)
        // A program that asks a question would wait for ever, and ours may be a protocol.
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    Ok(ProgramOutput {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_world_is_empty() {
        let environment = Environment::default();
        assert_eq!(environment.variable("PATH"), None);
        assert_eq!(environment.in_home("x"), None);
        assert_eq!(environment.find_program("sh"), None);
        assert_eq!(environment.expand("~/x"), PathBuf::from("~/x"));
    }

    #[test]
    fn paths_are_expanded() {
        let environment = Environment::default().with_home(Some("/home/me".into()));
        assert_eq!(environment.expand("~/.databrickscfg"), PathBuf::from("/home/me/.databrickscfg"));
        assert_eq!(environment.expand("/x~"), PathBuf::from("/x~"));
    }

    #[cfg(unix)]
    #[test]
    fn programs_of_the_working_directory_are_not_run() {
        // Cargo runs tests in the directory of their package, where this file is.
        for path in ["", ".", ":", "src:", "./src", ":.:src/auth"] {
            let environment = Environment::default().with_variables(move |_| Some(path.to_owned()));
            assert_eq!(environment.find_program("Cargo.toml"), None, "{path}");
            assert_eq!(environment.find_program("environment.rs"), None, "{path}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn programs_are_found_and_run() {
        let environment = Environment::system();
        let shell = environment.find_program("sh").unwrap().to_string_lossy().into_owned();
        let command = [&shell, "-c", "cat; echo out; echo err >&2; exit 3"].map(str::to_owned).to_vec();
        let output = environment.run(command).await.unwrap();
        let expected = ProgramOutput { success: false, stdout: "out\n".to_owned(), stderr: "err\n".to_owned() };
        assert_eq!(output, expected);
        assert!(environment.run(Vec::new()).await.is_err());
    }
}
