//! What a caller can do about an error of the API.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::registry::{self, Registry, Tool};

/// Adds to an error of the API what the caller can do about it.
pub(super) fn advise(registry: &Registry, tool: &Tool, given: &Map<String, Value>, error: Error) -> Error {
    match error.api().and_then(|api| advice(registry, tool, given, api)) {
        Some(advice) => error.with_hint(advice),
        None => error,
    }
}

fn advice(registry: &Registry, tool: &Tool, given: &Map<String, Value>, error: &databricks::Error) -> Option<String> {
    let code = error.error_code().unwrap_or_default();
    let after = error.retry_after().map(|after| after.as_secs().max(1));
    // The client's own advice knows more than the class of the error.
    if error.hint().is_some() {
        return None;
    }
    if code == "ENDPOINT_NOT_FOUND" {
        let text = "this workspace does not have that part of the API: check the host with `databricks-mcp-server \
                    doctor`, and ask an admin whether the feature is enabled";
        return Some(text.to_owned());
    }
    if code == "DIRECTORY_NOT_EMPTY" && takes(tool, "recursive") {
        return Some("see what is in it first; to delete it with everything in it, set `recursive: true`".to_owned());
    }
    if let Some(advice) = case(tool, given, error) {
        return Some(advice.to_owned());
    }
    if (error.is_not_found() || error.is_bad_request())
        && let Some(advice) = short_name(tool, given)
    {
        return Some(advice);
    }
    if error.is_not_found() || (error.is_bad_request() && names_what_is_missing(&error.message())) {
        let elsewhere = match registry.workspaces() {
            [] => "",
            _ => "; what another workspace named exists only there",
        };
        let finders = registry.finders(tool, given, &error.message());
        if !finders.is_empty() {
            return Some(format!("see what exists with `{}`{elsewhere}", finders.join("`, `")));
        }
    }
    if error.is_permission_denied() {
        let needs = needs(tool.definition.description).map_or(String::new(), |needs| format!(" (it needs {needs})"));
        return Some(format!("the identity of this server lacks the permission{needs}; ask the owner to grant it"));
    }
    if code.ends_with("ALREADY_EXISTS") {
        let look = registry.list_of(tool);
        let look = look.map_or(String::new(), |list| format!(", or look at what is there with `{list}`"));
        return Some(format!("it already exists: give another name{look}"));
    }
    if error.is_bad_request() && registry::full_schema(tool.definition).is_some() {
        let name = tool.definition.name;
        return Some(format!("see every field that the API accepts with `get_input_schema` of `{name}`"));
    }
    match (error.is_rate_limited(), after) {
        (true, Some(seconds)) => Some(format!("the workspace limits the rate of requests; try again in {seconds} s")),
        (true, None) => Some("the workspace limits the rate of requests; try again".to_owned()),
        (false, Some(seconds)) => Some(format!("the workspace asks to wait: try again in {seconds} s")),
        (false, None) => None,
    }
}

/// What to do about an error whose class does not tell it.
fn case(tool: &Tool, given: &Map<String, Value>, error: &databricks::Error) -> Option<&'static str> {
    let says = |word: &str| error.message().to_lowercase().contains(word);
    match tool.definition.name {
        "deploy_app" if says("compute") || says("starting") || says("stopped") => Some(
            "an app accepts a deployment only while its compute is ACTIVE: look at `compute_status` with `get_app`, \
             start a stopped app with `start_app`, and call again in a minute",
        ),
        "deploy_app" if says("in progress") => Some("wait until it has ended: see `list_app_deployments`"),
        "get_published_dashboard" if error.is_not_found() => Some(
            "it has not been published, or no dashboard has this id: see drafts with `list_dashboards`, and publish \
             one with `publish_dashboard`",
        ),
        "update_group" | "create_group" if (error.is_bad_request() || error.is_not_found()) && has_address(given) => {
            Some("members are given by their numeric ids: find that of an email address with `list_users`")
        }
        _ => None,
    }
}

/// Whether a value at any depth is an email address.
fn has_address(given: &Map<String, Value>) -> bool {
    fn is_in(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('@'),
            Value::Array(items) => items.iter().any(is_in),
            Value::Object(fields) => fields.values().any(is_in),
            _ => false,
        }
    }
    given.values().any(is_in)
}

/// Some services refuse a name that they do not know as a bad value.
fn names_what_is_missing(message: &str) -> bool {
    ["does not exist", "doesn't exist", "not found"].iter().any(|words| message.contains(words))
}

/// Whether a tool has an argument of this name.
pub(super) fn takes(tool: &Tool, argument: &str) -> bool {
    tool.input_schema.get("properties").is_some_and(|properties| properties.get(argument).is_some())
}

/// What to say of a name that has fewer parts than its argument asks for, such as `orders` for `catalog.schema.table`.
fn short_name(tool: &Tool, arguments: &Map<String, Value>) -> Option<String> {
    let properties = tool.input_schema.get("properties")?;
    arguments.iter().find_map(|(name, value)| {
        let (given, text) = (value.as_str()?, properties.get(name)?.get("description")?.as_str()?);
        let pattern = text.split('`').skip(1).step_by(2).find(|quoted| quoted.starts_with("catalog.schema"))?;
        let (wanted, parts) = (pattern.split('.').count(), given.split('.').count());
        let source = text.split_once("from `").and_then(|(_, rest)| rest.split('`').next());
        let source = source.map(|list| format!("; find it with `{list}`")).unwrap_or_default();
        (parts < wanted).then(|| format!("`{given}` is only part of a name: give `{name}` as `{pattern}`{source}"))
    })
}

/// The permission that a tool needs, as its description says it.
fn needs(description: &str) -> Option<&str> {
    let sentence = description.get(description.find("Needs ")?..)?;
    let sentence = sentence.split_once(". ").map_or(sentence, |(sentence, _)| sentence);
    // What it needs of this server is no permission.
    sentence.strip_prefix("Needs ").map(|needs| needs.trim_end_matches('.')).filter(|needs| !needs.contains("`--"))
}
