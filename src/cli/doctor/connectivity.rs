//! The connection to the host: its name, the proxy, TLS, its metadata, and the clocks at both ends.

use std::time::Duration;

use databricks::{Client, Error, Greeting, Route};

use crate::cli::doctor::report::Check;

/// Tokens are replaced ahead of their end by about this much.
const TOLERABLE: Duration = Duration::from_secs(30);
/// Identity providers take assertions that are off by up to about this much.
const FATAL: Duration = Duration::from_secs(300);

/// What was seen on the way to the host.
pub(super) struct Connectivity {
    route: Route,
    /// Whether the host, or the proxy before it, takes connections, and at which address.
    reached: Result<String, Error>,
    /// What the host answered; `None` where it was not asked.
    greeting: Option<Result<Greeting, Error>>,
}

impl Connectivity {
    pub(super) async fn look(client: &Client) -> Self {
        let route = client.route();
        let target = route.proxy.as_deref().unwrap_or_else(|| client.host());
        if target.is_empty() {
            let reached = client.greet().await.map(|_| String::new());
            return Self { route, reached, greeting: None };
        }
        let reached = client.connect(target).await.map(|address| address.to_string());
        let greeting = if reached.is_ok() { Some(client.greet().await) } else { None };
        Self { route, reached, greeting }
    }

    /// Whether the host answers at all.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.greeting, Some(Ok(_)))
    }

    pub(super) fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_ref()?.as_ref().ok()
    }

    fn skipped(name: &'static str) -> Check {
        Check::skipped(name, "the host does not answer")
    }

    pub(super) fn host(&self, client: &Client) -> Check {
        const NAME: &str = "host";
        let host = client.host();
        match (&self.reached, &self.greeting) {
            (Err(_), _) if self.route.proxy.is_some() => {
                Check::skipped(NAME, "it is behind a proxy that does not answer")
            }
            (Err(error), _) => Check::failed(NAME, cause(error), error.hint().unwrap_or_default()),
            (Ok(_), Some(Err(error))) if error.is_untrusted() => Check::ok(NAME, format!("{host} accepts connections")),
            (Ok(_), Some(Err(_))) if self.route.proxy.is_some() => {
                Check::skipped(NAME, "the proxy does not connect to it")
            }
            (Ok(_), Some(Err(error))) => failed(NAME, error),
            (Ok(address), _) if self.route.proxy.is_none() => Check::ok(NAME, format!("{host} answers at {address}")),
            (Ok(_), _) => Check::ok(NAME, format!("{host} answers through the proxy")),
        }
    }

    /// What the host says of itself. A page in place of it tells that the host is no workspace, unless a workspace
    /// answered all the same.
    pub(super) fn metadata(&self, is_workspace: bool) -> Check {
        const NAME: &str = "metadata";
        let Some(greeting) = self.greeting() else { return Self::skipped(NAME) };
        let status = greeting.status;
        if greeting.is_metadata {
            let part = |name: &str, value: &Option<String>| Some(format!("{name} {}", value.as_ref()?));
            let parts = [
                part("workspace", &greeting.workspace_id),
                part("account", &greeting.account_id),
                part("cloud", &greeting.cloud),
                part("host type", &greeting.host_type),
            ];
            return Check::ok(NAME, parts.into_iter().flatten().collect::<Vec<_>>().join(", "));
        }
        if greeting.is_page && !is_workspace {
            return Check::failed(
                NAME,
                format!("a web page came instead (status {status}): this does not seem to be a Databricks workspace"),
                "check DATABRICKS_HOST, or `host` of the profile: it is the workspace's address in the browser",
            );
        }
        let saw = format!("the host returned no metadata (status {status})");
        Check::warning(NAME, saw, "nothing to do if the rest works: OAuth then uses the default endpoints")
    }

    pub(super) fn clock(&self, client: &Client) -> Check {
        const NAME: &str = "clock";
        let Some(greeting) = self.greeting() else { return Self::skipped(NAME) };
        let Some((skew, is_host_ahead)) = greeting.skew(client.now()) else {
            return Check::skipped(NAME, "the host does not say what time it is");
        };
        // The header has whole seconds, and the answer took its time.
        if skew <= TOLERABLE {
            return Check::ok(NAME, "agrees with the host's");
        }
        let direction = if is_host_ahead { "behind" } else { "ahead of" };
        let saw = format!("{} {direction} the host's", span(skew));
        let hint = "set this machine's clock from a time server: it tells when tokens expire";
        if skew > FATAL { Check::failed(NAME, saw, hint) } else { Check::warning(NAME, saw, hint) }
    }

    pub(super) fn proxy(&self, client: &Client) -> Check {
        const NAME: &str = "proxy";
        let variables = self.route.variables.join(", ");
        let Some(proxy) = &self.route.proxy else {
            return Check::ok(
                NAME,
                match (variables.as_str(), client.is_local()) {
                    ("", _) => "none".to_owned(),
                    (variables, true) => format!("{variables} set; a host on this machine is reached directly"),
                    (variables, false) => format!("{variables} set; this host is reached directly"),
                },
            );
        };
        let by = if variables.is_empty() { "the system's settings" } else { &variables };
        let fault = match (&self.reached, &self.greeting) {
            (Err(error), _) => Some(error),
            (Ok(_), Some(Err(error))) if !error.is_untrusted() => Some(error),
            (Ok(_), _) => None,
        };
        match fault {
            None => Check::ok(NAME, format!("{proxy}, by {by}")),
            Some(error) => Check::failed(
                NAME,
                format!("{proxy}, by {by}: {}", cause(error)),
                "correct the variable, or add the workspace to NO_PROXY if it needs no proxy",
            ),
        }
    }

    pub(super) fn tls(&self, client: &Client) -> Check {
        const NAME: &str = "tls";
        if client.host().is_empty() {
            return Self::skipped(NAME);
        }
        if client.host().starts_with("http://") {
            return if client.is_local() {
                Check::ok(NAME, "not needed on this machine")
            } else {
                Check::warning(NAME, "the host is `http`: credentials are sent in clear text", "use `https`")
            };
        }
        match &self.greeting {
            Some(Ok(greeting)) => Check::ok(NAME, format!("trusted by {}; {}", client.trust(), greeting.protocol)),
            Some(Err(error)) if error.is_untrusted() => {
                let cause = error.message();
                Check::failed(
                    NAME,
                    format!("not trusted by {}: {}", client.trust(), cause.rsplit(": ").next().unwrap_or(&cause)),
                    error.hint().unwrap_or_default(),
                )
            }
            Some(Err(_)) | None => Self::skipped(NAME),
        }
    }
}

/// A failure in the words of its error.
pub(super) fn failed(name: &'static str, error: &Error) -> Check {
    Check::failed(
        name,
        error.message(),
        error.hint().unwrap_or("try again; if it persists, see the logs with `--log-level debug`"),
    )
}

/// What is behind a failed connection; where it was to, the check says.
fn cause(error: &Error) -> String {
    let message = error.message();
    message.strip_prefix("no connection to the host: ").unwrap_or(&message).to_owned()
}

fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} minutes", (seconds + 30) / 60),
        seconds => format!("{} hours", (seconds + 1_800) / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::span;

    #[test]
    fn spans_are_told_in_fitting_units() {
        for (seconds, expected) in [(45, "45 s"), (600, "10 minutes"), (629, "10 minutes"), (86_400, "24 hours")] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }
}
