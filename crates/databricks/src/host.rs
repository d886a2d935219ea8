//! The address of a workspace, in whatever form a user pastes it.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::error::Error;

/// The origin of a workspace or account, with what a pasted browser URL tells besides.
///
/// ```
/// let host: databricks::Host = "acme.test/jobs?o=123".parse()?;
/// assert_eq!(host.as_str(), "https://acme.test");
/// assert_eq!(host.workspace_id(), Some("123"));
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    origin: String,
    is_loopback: bool,
    workspace_id: Option<String>,
    account_id: Option<String>,
}

impl Host {
    /// `https://name` or `https://name:port`, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// The workspace named by `?w=`, else by a numeric `?o=` or `?workspace_id=`.
    pub fn workspace_id(&self) -> Option<&str> {
        self.workspace_id.as_deref()
    }

    /// The account named by `?a=` or `?account_id=`.
    pub fn account_id(&self) -> Option<&str> {
        self.account_id.as_deref()
    }

    /// Whether the host is this very machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

impl FromStr for Host {
    type Err = Error;

    /// Adds `https://` where no scheme is given; path, query and default port are dropped. Plain `http` is for this very
    /// machine only, as credentials would travel in clear text.
    fn from_str(text: &str) -> Result<Host, Error> {
        let text = text.trim();
        // The text itself stays out of the message: somebody may have pasted a password with it.
        let unusable = |why: &str| {
            Error::configuration(format!("the workspace host is not usable: {why}")).with_hint(
                "set DATABRICKS_HOST to the workspace's URL, for example `https://acme.cloud.databricks.com`",
            )
        };
        if text.is_empty() {
            return Err(unusable("it is empty"));
        }
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
        let url = url.map_err(|error| unusable(&error.to_string()))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(unusable("it is neither `https` nor `http`"));
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            // There is no way around this: a token that has once been sent in clear text is anybody's.
            return Err(Error::configuration(
                "the workspace host is not usable: over `http` credentials would be sent in clear text",
            )
            .with_hint(
                "write it with `https://`; to use your own gateway without TLS, forward a port of this machine to it \
                 and set DATABRICKS_HOST to `http://localhost:<port>`",
            ));
        }
        // A URL takes characters that no name of a host has; such a name would be looked up until the retries end.
        let is_of_names = |character: char| character.is_ascii_alphanumeric() || ".-_:[]".contains(character);
        if !url.host_str().is_some_and(|name| name.chars().all(is_of_names)) {
            return Err(unusable("its name contains characters that are not allowed in a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(unusable("it contains a user name or password"));
        }
        let parameter = |names: &[&str]| {
            names.iter().find_map(|name| {
                let (_, value) = url.query_pairs().find(|(key, value)| key == name && !value.is_empty())?;
                Some(value.into_owned())
            })
        };
        let numeric = |id: &String| id.bytes().all(|byte| byte.is_ascii_digit());
        Ok(Host {
            origin: url.origin().ascii_serialization(),
            is_loopback: is_loopback(&url),
            workspace_id: parameter(&["w"]).or_else(|| parameter(&["o", "workspace_id"]).filter(numeric)),
            account_id: parameter(&["a", "account_id"]),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.origin)
    }
}

/// Whether a URL leads to this very machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_normalised() {
        for (text, origin, workspace_id, account_id) in [
            ("acme.test", "https://acme.test", None, None),
            (" https://ACME.test/ ", "https://acme.test", None, None),
            ("https://acme.test:443/", "https://acme.test", None, None),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080", None, None),
            ("http://[::1]:8080", "http://[::1]:8080", None, None),
            ("https://acme.test/?o=123#job/1", "https://acme.test", Some("123"), None),
            ("https://acme.test/?o=abc", "https://acme.test", None, None),
            ("acme.test?workspace_id=7", "https://acme.test", Some("7"), None),
            ("https://acme.test/?o=123&w=my-space", "https://acme.test", Some("my-space"), None),
            ("https://acme.test/?w=&o=5&a=acc", "https://acme.test", Some("5"), Some("acc")),
        ] {
            let host: Host = text.parse().unwrap();
            assert_eq!(host.as_str(), origin, "{text}");
            assert_eq!(host.workspace_id(), workspace_id, "{text}");
            assert_eq!(host.account_id(), account_id, "{text}");
        }
    }

    #[test]
    fn unusable_hosts_are_refused_without_repeating_them() {
        for text in [
            "",
            "  ",
            "ftp://acme.test",
            "https://user:hunter2@acme.test",
            "https://",
            "https://a b.test",
            "https://${HOST}",
            "{{host}}",
            "\"acme.test\"",
            "https://a$b.test",
        ] {
            let error = text.parse::<Host>().unwrap_err();
            assert!(error.is_configuration(), "{text}");
            assert!(error.hint().unwrap().contains("DATABRICKS_HOST"));
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn loopback_is_recognised() {
        for (text, expected) in [
            ("http://localhost:1", true),
            ("http://LOCALHOST", true),
            ("http://127.0.0.2", true),
            ("http://[::1]", true),
            ("https://localhost", true),
            ("acme.test", false),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn clear_text_stays_on_this_machine() {
        for text in [
            "http://acme.test",
            "HTTP://acme.test:8080/x?o=1",
            "http://10.0.0.1",
            "http://0.0.0.0:8020",
            "http://localhost.acme.test",
            "http://127.0.0.1.acme.test",
            "http://[::ffff:10.0.0.1]",
        ] {
            let error = text.parse::<Host>().unwrap_err();
            assert!(error.is_configuration() && error.to_string().contains("in clear text"), "{text}: {error}");
            assert!(error.hint().unwrap().contains("`https://`"), "{text}");
        }
    }
}
