//! Which SQL warehouse a statement would run on, and in what state it is.

use std::sync::Arc;

use databricks::Attribute;
use serde_json::{Map, Value, json};

use crate::calls;
use crate::cli::doctor::Subject;
use crate::cli::doctor::connectivity::failed;
use crate::cli::doctor::report::Check;
use crate::context::Context;
use crate::domain::sql::warehouse;
use crate::workspaces::{ARGUMENT, Workspaces};

const NAME: &str = "warehouse";
const TOOL: &str = "execute_sql";

/// The warehouse; with `--sql`, also whether it answers.
pub(super) async fn check(subject: &Subject<'_>, may_ask: bool) -> Check {
    if subject.registry.tool(TOOL).is_err() {
        return Check::skipped(NAME, "no tool that runs SQL is enabled");
    }
    if !may_ask {
        return Check::skipped(NAME, "the identity is not known");
    }
    let (id, saw, state) = match found(&subject.context, subject).await {
        Ok(found) => found,
        Err(check) => return check,
    };
    if subject.sql {
        return answers(subject, &id, &saw).await;
    }
    match state.as_str() {
        "RUNNING" | "STARTING" => Check::ok(NAME, saw),
        "DELETED" | "DELETING" => Check::failed(NAME, saw, "name another in DATABRICKS_WAREHOUSE_ID or in the profile"),
        _ => Check::warning(NAME, saw, "nothing to do: the first statement starts it, which takes a while and costs"),
    }
}

/// The id of the warehouse, a sentence about it, and its state.
async fn found(context: &Context, subject: &Subject<'_>) -> Result<(String, String, String), Check> {
    let all = warehouse::all(context).await.map_err(|error| match error.api() {
        Some(error) if error.is_permission_denied() => {
            let saw = format!("the warehouses cannot be listed: {}", error.message());
            Check::failed(NAME, saw, "ask the owner for access, or leave out SQL with `--exclude-tools execute_sql`")
        }
        Some(error) => failed(NAME, error),
        None => Check::failed(NAME, error.to_string(), "try again"),
    })?;
    let count = all.len();
    let source = subject.config.settings.sources().find(|(attribute, _)| *attribute == Attribute::WarehouseId);
    let (warehouse, by) = match (&context.warehouse_id, source) {
        (None, _) | (Some(_), None) => (all.into_iter().next(), "chosen because it is ready soonest".to_owned()),
        (Some(id), Some((_, source))) => {
            let named = all.into_iter().find(|warehouse| warehouse.id == *id);
            let Some(named) = named else {
                return Err(Check::failed(
                    NAME,
                    format!("`{id}`, {source}, is not among the {count} that you may use"),
                    "correct DATABRICKS_WAREHOUSE_ID or `warehouse_id` of the profile, or ask for CAN USE on it",
                ));
            };
            (Some(named), source)
        }
    };
    let Some(warehouse) = warehouse else {
        return Err(Check::failed(
            NAME,
            "there is none that you may use: no SQL can run",
            "ask for CAN USE on one, or leave out SQL with `--exclude-tools execute_sql`",
        ));
    };
    let id = warehouse.id;
    let state = warehouse.state.unwrap_or_else(|| "unknown".to_owned());
    let name = warehouse.name.unwrap_or_default();
    Ok((id.clone(), format!("`{name}` ({id}), {by}, is {state}"), state))
}

async fn answers(subject: &Subject<'_>, id: &str, saw: &str) -> Check {
    let workspaces = Workspaces::new(subject.name, subject.context.clone());
    let mut arguments = Map::new();
    arguments.insert("statement".to_owned(), json!("SELECT 1"));
    arguments.insert("warehouse_id".to_owned(), json!(id));
    if !subject.registry.workspaces().is_empty() {
        arguments.insert(ARGUMENT.to_owned(), json!(subject.name));
    }
    let registry = Arc::new(Arc::clone(subject.registry).into());
    match calls::call(&registry, &workspaces, TOOL, arguments).await {
        Ok(answer) if answer.get("still_running").and_then(Value::as_bool) == Some(true) => {
            Check::warning(NAME, format!("{saw}; `SELECT 1` still waits for it"), "try again in a few minutes")
        }
        Ok(_) => Check::ok(NAME, format!("{saw}; `SELECT 1` ran")),
        Err(error) => Check::failed(
            NAME,
            format!("{saw}; `SELECT 1` failed: {error}"),
            "see the state of the warehouse in the workspace",
        ),
    }
}
