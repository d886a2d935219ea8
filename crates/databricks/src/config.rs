//! What a client needs to know, as one value that the caller builds.

mod plausible;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{self, Attribute, Environment, MissingProfile, OnBehalf, Settings};
use crate::error::Error;
use crate::host::Host;
use crate::limit::Limits;
use crate::observe::Observe;
use crate::retry::RetryPolicy;
use crate::secret::Secret;
use crate::user_agent::UserAgent;

/// Variables that some ways of authenticating look up when they are tried.
const LATER_VARIABLES: [&str; 10] = [
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "DATABRICKS_OIDC_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
    "SYSTEM_TEAMPROJECTID",
    "SYSTEM_HOSTTYPE",
    "SYSTEM_PLANID",
    "SYSTEM_JOBID",
];

/// The configuration of a [`Client`](crate::Client). The default has neither host nor credentials: a client can be
/// made from it, and only a call will ask for what is missing.
///
/// ```
/// use std::time::Duration;
///
/// use databricks::Config;
///
/// let config = Config { idle_timeout: Duration::from_secs(120), ..Config::new("acme.test", "dapi123")? };
/// assert_eq!(config.to_string(), "https://acme.test with a token"); // never the token itself
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The workspace.
    pub host: Option<Host>,
    /// A personal access token, or any other bearer token.
    pub token: Option<Secret>,
    /// The workspace that calls are routed to; taken from the host's URL when not set.
    pub workspace_id: Option<String>,
    /// The account for account-level operations; taken from the host's URL when not set.
    pub account_id: Option<String>,
    /// The other settings of unified authentication. Of what the fields above say as well, the fields count.
    pub settings: Settings,
    /// What in the profile of the configuration file may be meant otherwise than it is taken, with file and line. Errors about a
    /// missing host or credential repeat it.
    pub remarks: Vec<String>,
    /// Where authentication looks for variables, files and programs.
    pub environment: Environment,
    /// On whose behalf calls are made. It wins over all credentials.
    pub on_behalf: Option<OnBehalf>,
    /// Who hears of each request.
    pub observer: Option<Arc<dyn Observe>>,
    /// Who is calling.
    pub user_agent: UserAgent,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long the service may be silent, before or in the middle of an answer.
    pub idle_timeout: Duration,
    /// How failed attempts are repeated.
    pub retry: RetryPolicy,
    /// How many requests are made at once and per second.
    pub limits: Limits,
    /// The largest answer taken, in bytes. Answers are held in memory.
    pub max_response_bytes: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            host: None,
            token: None,
            workspace_id: None,
            account_id: None,
            settings: Settings::default(),
            remarks: Vec::new(),
            on_behalf: None,
            observer: None,
            environment: Environment::default(),
            user_agent: UserAgent::default(),
            connect_timeout: Duration::from_secs(10),
            // A SQL statement waits for up to 50 s on the service's side.
            idle_timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            max_response_bytes: 256 * 1024 * 1024,
        }
    }
}

impl Config {
    /// A workspace and a token for it.
    ///
    /// ```
    /// use databricks::Config;
    ///
    /// let config = Config::new("https://acme.test/jobs?o=7", "dapi123")?;
    /// assert_eq!(config.host.map(|host| host.to_string()).as_deref(), Some("https://acme.test"));
    /// assert!(Config::new("http://acme.test", "dapi123").is_err()); // no credentials in clear text
    /// # Ok::<(), databricks::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `host` is not a usable address.
    pub fn new(host: &str, token: impl Into<Secret>) -> Result<Config, Error> {
        Ok(Config { host: Some(host.parse()?), token: Some(token.into()), ..Config::default() })
    }

    /// Databricks' unified configuration: explicit settings, then variables, then the profile of `~/.databrickscfg`.
    /// A profile that is named explicitly wins over variables. No network is used and no program run; how to
    /// authenticate is decided at the first call.
    ///
    /// ```no_run
    /// use databricks::{Attribute, Config, Environment, Settings};
    ///
    /// let explicit = Settings::default().with(Attribute::Profile, "dev");
    /// let config = Config::resolve(explicit, Environment::system())?;
    /// # Ok::<(), databricks::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the configuration file cannot be read, the profile named does not exist, a setting is a placeholder that nobody
    /// has filled in, the host is not a usable address, the token cannot be one, or a limit is not a number.
    pub fn resolve(explicit: Settings, environment: Environment) -> Result<Config, Error> {
        let (settings, remarks) = auth::resolve(explicit, &environment, MissingProfile::Refused)?;
        Ok(Config { remarks, ..Config::from_settings(settings, environment)? })
    }

    /// As [`Config::resolve`], for a [`Login`](crate::Login): an explicitly named profile need not exist yet.
    ///
    /// ```no_run
    /// use databricks::{Attribute, Config, Environment, Login, Settings};
    ///
    /// # async fn example() -> Result<(), databricks::Error> {
    /// let explicit = Settings::default().with(Attribute::Profile, "dev").with(Attribute::Host, "acme.test");
    /// let login = Login::start(&Config::resolve_for_login(explicit, Environment::system())?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Config::resolve`].
    pub fn resolve_for_login(explicit: Settings, environment: Environment) -> Result<Config, Error> {
        let (settings, remarks) = auth::resolve(explicit, &environment, MissingProfile::Allowed)?;
        Ok(Config { remarks, ..Config::from_settings(settings, environment)? })
    }

    /// Reads the variables of Databricks' unified authentication through `lookup`, such as `DATABRICKS_HOST` and
    /// `DATABRICKS_TOKEN`, and those of [`UserAgent::with_environment`]. An empty variable counts as unset. Profiles
    /// are not read and programs not run; [`Config::resolve`] does both.
    ///
    /// ```
    /// let config = databricks::Config::from_env(|name| std::env::var(name).ok())?;
    /// # Ok::<(), databricks::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the host is not a usable address or the rate limit not a number.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let mut settings = Settings::default();
        settings.fill_from_variables(&lookup, |_| true);
        // What is looked up later is kept: the closure may not live that long.
        let named = settings.get(Attribute::OidcTokenEnv).into_iter();
        let kept: HashMap<String, String> =
            named.chain(LATER_VARIABLES).filter_map(|name| Some((name.to_owned(), lookup(name)?))).collect();
        let environment = Environment::default().with_variables(move |name| kept.get(name).cloned());
        let user_agent = UserAgent::default().with_environment(lookup);
        Ok(Config { user_agent, ..Config::from_settings(settings, environment)? })
    }

    fn from_settings(settings: Settings, environment: Environment) -> Result<Config, Error> {
        plausible::check(&settings)?;
        let text = |attribute| settings.get(attribute).map(str::to_owned);
        let mut config = Config {
            host: settings.get(Attribute::Host).map(str::parse).transpose()?,
            token: text(Attribute::Token).map(Secret::from),
            workspace_id: text(Attribute::WorkspaceId),
            account_id: text(Attribute::AccountId),
            user_agent: UserAgent::default().with_environment(|name| environment.variable(name)),
            ..Config::default()
        };
        if let Some(rate) = number(&settings, Attribute::RateLimit, "requests per second, or to 0 for no limit")? {
            let rate = u32::try_from(rate).unwrap_or(0);
            config.limits.requests_per_second = (rate > 0).then_some(rate);
        }
        let seconds = "a number of seconds, or leave it out";
        if let Some(timeout) = number(&settings, Attribute::HttpTimeoutSeconds, seconds)?.filter(|timeout| *timeout > 0)
        {
            config.idle_timeout = Duration::from_secs(timeout.unsigned_abs());
        }
        match number(&settings, Attribute::RetryTimeoutSeconds, seconds)? {
            Some(budget) if budget < 0 => config.retry.budget = Duration::MAX,
            Some(budget) if budget > 0 => config.retry.budget = Duration::from_secs(budget.unsigned_abs()),
            Some(_) | None => {}
        }
        Ok(Config { settings, environment, ..config })
    }

    /// The settings with what the fields of the configuration say.
    pub(crate) fn effective_settings(&self) -> Settings {
        let mut settings = self.settings.clone();
        settings.put(Attribute::Host, self.host.as_ref().map(Host::as_str));
        settings.put(Attribute::Token, self.token.as_ref().map(Secret::expose));
        settings.put(Attribute::WorkspaceId, self.workspace_id.as_deref());
        settings.put(Attribute::AccountId, self.account_id.as_deref());
        settings
    }

    /// The workspace to route to. `none` is how the Databricks CLI marks a profile that has no workspace.
    pub(crate) fn routed_workspace(&self) -> Option<String> {
        self.workspace_id
            .as_deref()
            .or_else(|| self.host.as_ref().and_then(Host::workspace_id))
            .filter(|id| !id.is_empty() && *id != "none")
            .map(str::to_owned)
    }

    /// The account, from the setting or the host's URL.
    pub(crate) fn known_account(&self) -> Option<String> {
        self.account_id.clone().or_else(|| self.host.as_ref()?.account_id().map(str::to_owned))
    }
}

/// A setting that is a whole number.
fn number(settings: &Settings, attribute: Attribute, meaning: &str) -> Result<Option<i64>, Error> {
    let Some(text) = settings.get(attribute) else { return Ok(None) };
    let name = settings.name(attribute);
    text.parse().map(Some).map_err(|_| {
        Error::configuration(format!("{name} is `{text}`, not a whole number"))
            .with_hint(format!("set {name} to {meaning}"))
    })
}

/// For logs and diagnosis: where calls go and how they authenticate, without any credential.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_ref().map_or("no host", Host::as_str);
        let groups: Vec<_> = self.settings.groups().into_iter().filter(|group| *group != "pat").collect();
        match (&self.token, groups.as_slice()) {
            (Some(_), _) => write!(formatter, "{host} with a token"),
            (None, []) => write!(formatter, "{host} with no token"),
            (None, groups) => write!(formatter, "{host} with settings for {}", groups.join(" and ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Error> {
        Config::from_env(|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_is_a_valid_configuration() {
        let config = read(&[("DATABRICKS_HOST", ""), ("DATABRICKS_TOKEN", " ")]).unwrap();
        assert!(config.host.is_none() && config.token.is_none());
        assert_eq!(config.limits.requests_per_second, Some(15));
    }

    #[test]
    fn variables_are_read() {
        let config = read(&[
            ("DATABRICKS_HOST", "acme.test/?o=1&a=acc"),
            ("DATABRICKS_TOKEN", "dapi123"),
            ("DATABRICKS_WORKSPACE_ID", "2"),
            ("DATABRICKS_RATE_LIMIT", "0"),
        ])
        .unwrap();
        assert_eq!(config.routed_workspace().as_deref(), Some("2"));
        assert_eq!(config.known_account().as_deref(), Some("acc"));
        assert_eq!(config.limits.requests_per_second, None);
        assert_eq!(config.to_string(), "https://acme.test with a token");
        assert!(!format!("{config:?}").contains("dapi123"));
    }

    #[test]
    fn the_clis_mark_for_no_workspace_is_not_sent() {
        let config = read(&[("DATABRICKS_WORKSPACE_ID", "none")]).unwrap();
        assert_eq!(config.routed_workspace(), None);
    }

    #[test]
    fn timeouts_are_read() {
        let of = |timeout: &str, budget: &str| {
            let settings = Settings::default()
                .with(Attribute::HttpTimeoutSeconds, timeout)
                .with(Attribute::RetryTimeoutSeconds, budget);
            let config = Config::resolve(settings, Environment::default())?;
            Ok((config.idle_timeout.as_secs(), config.retry.budget))
        };
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (timeout, budget, expected) in [
            ("", "", (60, minutes(5))),
            ("0", "0", (60, minutes(5))),
            ("7", "120", (7, minutes(2))),
            ("-7", "-1", (60, Duration::MAX)),
        ] {
            assert_eq!(of(timeout, budget).unwrap(), expected, "{timeout} {budget}");
        }
        let result: Result<_, Error> = of("1.5", "");
        assert_eq!(result.unwrap_err().to_string(), "http_timeout_seconds is `1.5`, not a whole number");
    }

    #[test]
    fn a_wrong_rate_limit_is_told() {
        let error = read(&[("DATABRICKS_RATE_LIMIT", "fast")]).unwrap_err();
        assert_eq!(error.to_string(), "DATABRICKS_RATE_LIMIT is `fast`, not a whole number");
        assert!(error.hint().unwrap().contains("DATABRICKS_RATE_LIMIT"));
    }
}
