//! Constraints of tables, which are told and not enforced; and online tables, which follow a table after a while.
//!
//! Derived: the texts of refusals, and how long an online table takes.

use serde_json::{Value, json};

use super::securable::{missing, name};
use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::catalog::Table;
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/2.1/unity-catalog/constraints", create),
    route("DELETE", "/api/2.1/unity-catalog/constraints/{full_name}", delete),
    route("POST", "/api/2.0/online-tables", create_online),
    route("GET", "/api/2.0/online-tables/{name}", get_online),
    route("DELETE", "/api/2.0/online-tables/{name}", |w, r| ONLINE.drop(w, r.parameter("name"))),
];

const SNAPSHOT: Lapse = Lapse::new(600, 300_000);

const ONLINE: Kind = Kind { name: "online-tables", missing: |name| missing("Online_Table", name) };

const FORMS: [&str; 3] = ["primary_key_constraint", "foreign_key_constraint", "named_table_constraint"];

fn constraints(table: &Table) -> Vec<Value> {
    table.node.extra.get("table_constraints").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// What a constraint is in itself, by whichever form it has.
fn inside(constraint: &Value) -> &Value {
    FORMS.iter().map(|form| constraint.at(form)).find(|inside| !inside.is_null()).unwrap_or(&Value::Null)
}

fn check_columns(table: &Table, constraint: &Value, list: &str) -> Result<(), ApiError> {
    for column in inside(constraint).at(list).as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !table.columns.iter().any(|known| known.name == column) {
            return Err(ApiError::invalid_parameter(format!(
                "Column '{column}' is not in table '{}'",
                table.full_name()
            )));
        }
    }
    Ok(())
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let full_name = name(fields.required_text("full_name_arg")?)?;
    let constraint = Value::Object(fields.object("constraint")?.cloned().unwrap_or_default());
    let own = inside(&constraint).text_at("name").to_owned();
    if own.is_empty() {
        return Err(ApiError::missing_field("constraint.name"));
    }
    let mut catalog = lock(&workspace.catalog);
    let parent = constraint.at("foreign_key_constraint").text_at("parent_table");
    if !parent.is_empty() {
        let parent = name(parent)?;
        let table = catalog.table(&parent).ok_or_else(|| missing("Table", &parent.join(".")))?;
        check_columns(table, &constraint, "parent_columns")?;
    }
    let table = catalog.tables.get_mut(&full_name).ok_or_else(|| missing("Table", &full_name.join(".")))?;
    check_columns(table, &constraint, "child_columns")?;
    let mut known = constraints(table);
    let is_key = |constraint: &Value| !constraint.at("primary_key_constraint").is_null();
    if known.iter().any(|known| inside(known).text_at("name") == own || is_key(known) && is_key(&constraint)) {
        let message =
            format!("Constraint '{own}' already exists on table '{}', or it has a primary key.", table.full_name());
        return Err(ApiError::conflict("CONSTRAINT_ALREADY_EXISTS", message));
    }
    known.push(constraint.clone());
    table.node.extra.insert("table_constraints".to_owned(), json!(known));
    Ok(Reply::json(constraint))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let full_name = name(request.parameter("full_name"))?;
    let own = request.required_query("constraint_name")?;
    let mut catalog = lock(&workspace.catalog);
    let table = catalog.tables.get_mut(&full_name).ok_or_else(|| missing("Table", &full_name.join(".")))?;
    let mut known = constraints(table);
    let before = known.len();
    known.retain(|constraint| inside(constraint).text_at("name") != own);
    if known.len() == before {
        return Err(missing("Constraint", own));
    }
    table.node.extra.insert("table_constraints".to_owned(), json!(known));
    Ok(Reply::nothing())
}

fn online_json(workspace: &Workspace, table: Value) -> Value {
    let is_up = table.at("ready").as_i64().unwrap_or(0) <= workspace.clock.now();
    let mut json = table.without(&["ready"]);
    json.set("unity_catalog_provisioning_state", if is_up { "ACTIVE" } else { "PROVISIONING" });
    let state = if is_up { "ONLINE_NO_PENDING_UPDATE" } else { "PROVISIONING_INITIAL_SNAPSHOT" };
    json.set("status", json!({"detailed_state": state, "message": if is_up { "The table is online." } else { "The first snapshot is being made." }}));
    json
}

fn create_online(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let own = name(fields.required_text("name")?)?.join(".");
    let spec = Value::Object(fields.object("spec")?.cloned().unwrap_or_default());
    let source = name(spec.text_at("source_table_full_name"))?;
    let key = spec.at("primary_key_columns").as_array().is_some_and(|columns| !columns.is_empty());
    if !key {
        return Err(ApiError::missing_field("spec.primary_key_columns"));
    }
    {
        let catalog = lock(&workspace.catalog);
        catalog.table(&source).ok_or_else(|| missing("Table", &source.join(".")))?;
    }
    let ready = workspace.clock.now() + workspace.clock.lapse(SNAPSHOT);
    let table = json!({"name": own, "spec": spec, "ready": ready, "table_serving_url": format!("{}/online/{own}", workspace.url())});
    if !ONLINE.add_unless(workspace, &own, table.clone(), |known, _| known == own) {
        return Err(super::securable::exists("Online_Table", &own));
    }
    Ok(Reply::json(online_json(workspace, table)))
}

fn get_online(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(online_json(workspace, ONLINE.get(workspace, request.parameter("name"))?)))
}
