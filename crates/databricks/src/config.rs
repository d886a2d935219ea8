//! What a client needs to know, as one value that the caller builds.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::host::Host;
use crate::limit::Limits;
use crate::retry::RetryPolicy;
use crate::secret::Secret;
use crate::user_agent::UserAgent;

/// The configuration of a [`Client`](crate::Client). The default has neither host nor credentials: a client can be
/// made from it, and only a call will ask for what is missing.
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
    /// # Errors
    /// When `host` is not a usable address.
    pub fn new(host: &str, token: impl Into<Secret>) -> Result<Config, Error> {
        Ok(Config { host: Some(host.parse()?), token: Some(token.into()), ..Config::default() })
    }

    /// Reads the variables of Databricks' unified authentication through `lookup`: `DATABRICKS_HOST`,
    /// `DATABRICKS_TOKEN`, `DATABRICKS_WORKSPACE_ID`, `DATABRICKS_ACCOUNT_ID`, `DATABRICKS_RATE_LIMIT` (requests per
    /// second; 0 for no limit), and those of [`UserAgent::with_environment`]. An empty variable counts as unset.
    ///
    /// ```
    /// let config = databricks::Config::from_env(|name| std::env::var(name).ok())?;
    /// # Ok::<(), databricks::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the host is not a usable address or the rate limit not a number.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let lookup = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let mut config = Config {
            host: lookup("DATABRICKS_HOST").map(|host| host.parse()).transpose()?,
            token: lookup("DATABRICKS_TOKEN").map(Secret::from),
            workspace_id: lookup("DATABRICKS_WORKSPACE_ID"),
            account_id: lookup("DATABRICKS_ACCOUNT_ID"),
            user_agent: UserAgent::default().with_environment(lookup),
            ..Config::default()
        };
        if let Some(rate) = lookup("DATABRICKS_RATE_LIMIT") {
            let rate = rate.parse::<u32>().map_err(|_| {
                Error::configuration(format!("DATABRICKS_RATE_LIMIT is `{rate}`, not a whole number"))
                    .with_hint("set DATABRICKS_RATE_LIMIT to requests per second, or to 0 for no limit")
            })?;
            config.limits.requests_per_second = (rate > 0).then_some(rate);
        }
        Ok(config)
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

/// For logs and diagnosis: where calls go and how they authenticate, without any credential.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_ref().map_or("no host", Host::as_str);
        let token = if self.token.is_some() { "a token" } else { "no token" };
        write!(formatter, "{host} with {token}")
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
    fn a_wrong_rate_limit_is_told() {
        let error = read(&[("DATABRICKS_RATE_LIMIT", "fast")]).unwrap_err();
        assert_eq!(error.to_string(), "DATABRICKS_RATE_LIMIT is `fast`, not a whole number");
        assert!(error.hint().unwrap().contains("DATABRICKS_RATE_LIMIT"));
    }
}
