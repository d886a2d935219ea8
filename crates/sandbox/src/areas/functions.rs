//! User-defined functions as securables. The engine does not call them.

use serde_json::{Value, json};

use super::securable::{InSchema, in_schema};
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::workspace::Workspace;
use crate::workspace::catalog::{Name, Node};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/functions", list),
    route("POST", "/api/2.1/unity-catalog/functions", create),
    route("GET", "/api/2.1/unity-catalog/functions/{name}", get),
    route("PATCH", "/api/2.1/unity-catalog/functions/{name}", update),
    route("DELETE", "/api/2.1/unity-catalog/functions/{name}", delete),
];

const FUNCTIONS: InSchema =
    InSchema { what: "Function", list: "functions", nodes: |catalog| &mut catalog.functions, json: function_json };

/// What a function is made of.
const PARTS: [&str; 15] = [
    "data_type",
    "external_language",
    "external_name",
    "full_data_type",
    "input_params",
    "is_deterministic",
    "is_null_call",
    "parameter_style",
    "return_params",
    "routine_body",
    "routine_definition",
    "routine_dependencies",
    "security_type",
    "specific_name",
    "sql_data_access",
];

fn function_json(name: &Name, node: &Node) -> Value {
    let mut fields = in_schema(name, node);
    fields.insert("function_id".to_owned(), json!(node.id));
    Value::Object(fields)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    FUNCTIONS.list(workspace, request)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    FUNCTIONS.get(workspace, request.parameter("name")).map(Reply::json)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let info = request.fields()?.object("function_info")?.cloned().unwrap_or_default();
    FUNCTIONS.create(workspace, &Fields(info), &PARTS)
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    FUNCTIONS.update(workspace, request.parameter("name"), &request.fields()?, |_| Ok(()))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    FUNCTIONS.delete(workspace, request.parameter("name")).map(|_| Reply::nothing())
}
