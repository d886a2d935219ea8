//! Whether the identity may do the least that the enabled toolsets need: list what exists.

use databricks::Arguments;
use serde_json::{Map, Value, json};

use crate::cli::doctor::Subject;
use crate::cli::doctor::report::Check;
use crate::definition::{Action, OperationTool};
use crate::operation;
use crate::registry::Tool;

const NAME: &str = "permissions";

/// Calls every list that needs no knowledge of the workspace, for a single item.
pub(super) async fn check(subject: &Subject<'_>, may_ask: bool) -> Check {
    if !may_ask {
        return Check::skipped(NAME, "the identity is not known");
    }
    let (mut allowed, mut denied, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    for tool in subject.registry.tools() {
        let Some((plain, request)) = question(tool) else { continue };
        let name = tool.definition.name;
        match subject.context.client.execute(plain.operation, request).await {
            Ok(_) => allowed.push(name),
            Err(error) if error.is_permission_denied() => {
                denied.push(format!("`{name}` of toolset `{}`: {}", tool.definition.toolset, error.message()));
            }
            Err(error) => {
                broken.push(format!("`{name}` of toolset `{}`: {}", tool.definition.toolset, error.message()));
                if error.is_rate_limited() || error.is_unreachable() || error.is_unauthenticated() {
                    break;
                }
            }
        }
    }
    let all = allowed.len() + denied.len() + broken.len();
    if !denied.is_empty() {
        let saw = format!("{} of {all} lists are denied", denied.len());
        let hint = "ask the owner for these permissions, or leave out the toolset with `--toolsets`";
        return Check::failed(NAME, saw, hint).with_notes([denied, broken].concat());
    }
    if !broken.is_empty() {
        let saw = format!("{} of {all} lists could not be read", broken.len());
        return Check::warning(NAME, saw, "nothing to do if this workspace does not use them; otherwise try again")
            .with_notes(broken);
    }
    match allowed.as_slice() {
        [] => Check::skipped(NAME, "no enabled tool lists anything"),
        allowed => Check::ok(NAME, allowed.join(", ")),
    }
}

/// The smallest call of a list, if its arguments are known without the workspace.
fn question(tool: &Tool) -> Option<(&'static OperationTool, Arguments)> {
    let Action::Operation(plain) = tool.definition.action else { return None };
    plain.result.items?;
    let mut arguments = Map::new();
    let required = tool.input_schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        match (name, tool.definition.toolset) {
            // The root of the workspace; other paths mean other things.
            ("path", "workspace") if tool.definition.name == "list_workspace_items" => {
                arguments.insert(name.to_owned(), json!("/"));
            }
            _ => return None,
        }
    }
    let mut request = operation::request(plain.arguments, arguments).ok()?.idempotent(true);
    if let Some(limit) = &plain.limit {
        request.insert(limit.location, limit.wire, 1);
    }
    Some((plain, request))
}
