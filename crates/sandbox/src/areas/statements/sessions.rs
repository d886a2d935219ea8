//! SQL sessions, which keep a current catalog and schema between statements.
//!
//! Derived: the route is not documented; it has the shape that JDBC recordings and the SQL connector show.

use serde_json::json;

use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::sql::TemporaryViews;
use crate::workspace::{Workspace, lock};

/// Sessions that are remembered.
const KEPT: usize = 1000;

/// Where the statements of a session run.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) catalog: String,
    pub(super) schema: String,
    pub(super) temporary: TemporaryViews,
}

pub(super) fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    crate::areas::warehouses::wake(workspace, fields.required_text("warehouse_id")?)?;
    fields.object("session_confs")?;
    let defaults = workspace.session();
    let place = Place {
        catalog: fields.text("catalog")?.map_or(defaults.catalog, str::to_lowercase),
        schema: fields.text("schema")?.map_or(defaults.schema, str::to_lowercase),
        temporary: TemporaryViews::default(),
    };
    let id = workspace.ids.statement();
    let mut statements = lock(&workspace.statements);
    if statements.sessions.len() >= KEPT {
        statements.sessions.pop_first();
    }
    statements.sessions.insert(id.clone(), place);
    Ok(Reply::json(json!({"session_id": id})))
}

pub(super) fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("session_id");
    lock(&workspace.statements).sessions.remove(id).map(|_| Reply::nothing()).ok_or_else(|| missing(id))
}

pub(super) fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("The session {id} was not found."))
}
