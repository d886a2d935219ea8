//! How the server authenticates, and as whom.

use databricks::{Attribute, Authentication, Error};
use serde_json::Value;

use super::Patient;
use super::report::Check;
use super::way::{Way, failed};

/// What the workspace said to the question who is calling.
pub(super) struct Identity {
    pub(super) check: Check,
    /// Whether further questions make sense.
    pub(super) may_ask: bool,
}

/// Authentication and identity.
pub(super) async fn check(patient: &Patient<'_>, way: &Way) -> (Check, Identity) {
    let skipped = |why: &str| Identity { check: Check::skipped("identity", why), may_ask: false };
    if !way.is_open() {
        let why = "the host does not answer";
        return (Check::skipped("authentication", why), skipped(why));
    }
    let Authentication { chosen, declined, .. } = patient.context.client.authentication().await;
    let name = match chosen {
        Ok(name) => name,
        Err(error) => return (failed("authentication", &error), skipped("there is no credential")),
    };
    let before: String = declined.iter().map(|(method, why)| format!("; not `{method}`: {why}")).collect();
    let authentication = Check::ok("authentication", format!("`{name}`{before}"));
    let identity = match patient.context.client.me().await {
        Ok(me) => Identity { check: person(&me), may_ask: true },
        Err(error) => Identity {
            check: refused(patient, way, name, &error),
            may_ask: error.is_permission_denied() && !error.is_private_link(),
        },
    };
    (authentication, identity)
}

fn person(me: &Value) -> Check {
    let text = |name: &str| me.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("userName").or_else(|| text("displayName")).or_else(|| text("id")).unwrap_or("nobody by name");
    let display = text("displayName").filter(|display| *display != name);
    let shown = display.map_or_else(|| name.to_owned(), |display| format!("{name} ({display})"));
    if me.get("active").and_then(Value::as_bool) == Some(false) {
        return Check::warning("identity", format!("{shown}, not active"), "ask an administrator to activate it");
    }
    Check::ok("identity", shown)
}

fn refused(patient: &Patient<'_>, way: &Way, method: &str, error: &Error) -> Check {
    const NAME: &str = "identity";
    if error.is_login_page() {
        let is_known = way.greeting().is_some_and(|greeting| greeting.is_metadata);
        let is_routed = patient.config.workspace_id.is_some()
            || way.greeting().is_some_and(|greeting| greeting.workspace_id.is_some());
        return match (is_known, is_routed) {
            (true, false) => Check::failed(
                NAME,
                "a login page came instead of an answer: the host serves several workspaces, and none is named",
                "set DATABRICKS_WORKSPACE_ID, or `workspace_id` of the profile: the number after `?o=` in the browser",
            ),
            (true, true) => failed(NAME, error),
            (false, _) => Check::failed(
                NAME,
                "a web page came instead of an answer",
                "check DATABRICKS_HOST, or `host` of the profile: the address of the workspace in the browser",
            ),
        };
    }
    if error.is_rate_limited() {
        let after = error.retry_after().map_or_else(String::new, |after| format!(" in {} s", after.as_secs().max(1)));
        let saw = format!("not told: the workspace limits the rate of requests (status 429): {}", error.message());
        return Check::failed(NAME, saw, format!("try again{after}; another program may use up the same limit"));
    }
    if error.is_private_link() {
        return failed(NAME, error);
    }
    let status = error.status().map_or_else(String::new, |status| format!(" (status {status})"));
    let saw = format!("refused{status}: {}", error.message());
    if error.is_permission_denied() && error.hint().is_none() {
        return Check::failed(NAME, saw, "the credential is known and may not enter: ask for access to this workspace");
    }
    let source = patient.config.settings.sources().find(|(attribute, _)| *attribute == Attribute::Token);
    match (method, error.is_unauthenticated() || error.hint().is_some(), source) {
        ("pat", true, Some((_, source))) => {
            Check::failed(NAME, saw, format!("make a new token in the workspace; the one that was refused is {source}"))
        }
        _ => Check::failed(NAME, saw, error.hint().unwrap_or("try again; if it stays, ask the owner of the workspace")),
    }
}
