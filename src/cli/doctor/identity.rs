//! How the server authenticates, and as whom.

use databricks::{Attribute, Authentication, DeclinedMethod, Error};
use serde_json::Value;

use crate::cli::doctor::Subject;
use crate::cli::doctor::connectivity::{Connectivity, failed};
use crate::cli::doctor::report::Check;

/// What the workspace said to the question who is calling.
pub(super) struct Identity {
    pub(super) check: Check,
    /// Whether further questions make sense.
    pub(super) may_ask: bool,
}

/// Authentication and identity.
pub(super) async fn check(subject: &Subject<'_>, way: &Connectivity) -> (Check, Identity) {
    let skipped = |why: &str| Identity { check: Check::skipped("identity", why), may_ask: false };
    if !way.is_open() {
        let why = "the host does not answer";
        return (Check::skipped("authentication", why), skipped(why));
    }
    let Authentication { chosen, declined, .. } = subject.context.client.authentication().await;
    let name = match chosen {
        Ok(name) => name,
        Err(error) => return (unauthenticated(subject, &declined, &error), skipped("there is no credential")),
    };
    let before: String =
        declined.iter().map(|declined| format!("; not `{}`: {}", declined.method, declined.reason)).collect();
    let authentication = Check::ok("authentication", format!("`{name}`{before}"));
    let identity = match subject.context.client.me().await {
        Ok(me) => Identity { check: person(&me), may_ask: true },
        Err(error) => Identity {
            check: refused(subject, way, name, &error),
            may_ask: error.is_permission_denied() && !error.is_private_link() && !error.refuses_credential(),
        },
    };
    (authentication, identity)
}

/// Where a method is set up and does not work, that is the fault, whatever the others lack.
fn unauthenticated(subject: &Subject<'_>, declined: &[DeclinedMethod], error: &Error) -> Check {
    const NAME: &str = "authentication";
    let faulty: Vec<_> = declined.iter().filter(|declined| declined.failed).collect();
    if faulty.is_empty() {
        // Variables are not taken for one of several.
        let stands_alone = !declined.is_empty() && !subject.registry.workspaces().is_empty();
        let hint = format!(
            "put credentials into profile `{0}`, or run `databricks-mcp-server auth login --profile {0}`",
            subject.name
        );
        return if stands_alone { Check::failed(NAME, error.message(), hint) } else { failed(NAME, error) };
    }
    let told: Vec<_> = faulty.iter().map(|faulty| format!("`{}`: {}", faulty.method, faulty.reason)).collect();
    Check::failed(NAME, told.join("; "), error.hint().unwrap_or("correct the settings of this method"))
}

fn person(me: &Value) -> Check {
    let text = |name: &str| me.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("userName").or_else(|| text("displayName")).or_else(|| text("id")).unwrap_or("nobody by name");
    let display = text("displayName").filter(|display| *display != name);
    let shown = display.map_or_else(|| name.to_owned(), |display| format!("{name} ({display})"));
    if me.get("active").and_then(Value::as_bool) == Some(false) {
        return Check::warning("identity", format!("{shown}, inactive"), "ask an administrator to activate it");
    }
    Check::ok("identity", shown)
}

fn refused(subject: &Subject<'_>, way: &Connectivity, method: &str, error: &Error) -> Check {
    const NAME: &str = "identity";
    if error.is_login_page() {
        let is_known = way.greeting().is_some_and(|greeting| greeting.is_metadata);
        let is_routed = subject.config.workspace_id.is_some()
            || way.greeting().is_some_and(|greeting| greeting.workspace_id.is_some());
        return match (is_known, is_routed) {
            (true, false) => Check::failed(
                NAME,
                "a login page came instead of an answer: the host serves several workspaces, and the configuration \
                 names none",
                "set DATABRICKS_WORKSPACE_ID, or `workspace_id` of the profile: the number after `?o=` in the browser",
            ),
            (true, true) => failed(NAME, error),
            // The fault of the metadata: the host is no workspace.
            (false, _) if way.greeting().is_some_and(|greeting| greeting.is_page) => {
                Check::skipped(NAME, "a web page came here, too")
            }
            (false, _) => failed(NAME, error),
        };
    }
    if error.is_rate_limited() {
        let after = error.retry_after().map_or_else(String::new, |after| format!(" in {} s", after.as_secs().max(1)));
        let saw = "refused (status 429): the workspace limits the rate of requests";
        return Check::failed(NAME, saw, format!("try again{after}; another program may use up the same limit"));
    }
    if error.is_private_link() {
        return failed(NAME, error);
    }
    let status = error.status().map_or_else(String::new, |status| format!(" (status {status})"));
    let saw = format!("refused{status}: {}", error.message());
    if error.is_permission_denied() && error.hint().is_none() {
        return Check::failed(NAME, saw, "the credential is valid, but has no access to this workspace: ask for it");
    }
    let source = subject.config.settings.sources().find(|(attribute, _)| *attribute == Attribute::Token);
    match (method, error.is_unauthenticated() || error.hint().is_some(), source) {
        ("pat", true, Some((_, source))) => {
            Check::failed(NAME, saw, format!("make a new token in the workspace; the one that was refused is {source}"))
        }
        _ => Check::failed(NAME, saw, error.hint().unwrap_or("try again; if it stays, ask the owner of the workspace")),
    }
}
