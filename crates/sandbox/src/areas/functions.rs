//! User-defined functions, as far as reading goes. The engine does not call them.

use serde_json::{Value, json};

use super::securable::{answer, in_schema, missing, name};
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::{Name, Node};
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/functions", list),
    route("GET", "/api/2.1/unity-catalog/functions/{name}", get),
    route("DELETE", "/api/2.1/unity-catalog/functions/{name}", delete),
];

fn function_json(name: &Name, node: &Node) -> Value {
    let mut fields = in_schema(name, node);
    fields.insert("function_id".to_owned(), json!(node.id));
    Value::Object(fields)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let c = request.required_query("catalog_name")?.to_lowercase();
    let s = request.required_query("schema_name")?.to_lowercase();
    let catalog = lock(&workspace.catalog);
    if !catalog.has_schema(&c, &s) {
        return Err(missing("Schema", &format!("{c}.{s}")));
    }
    let inside = catalog.functions.iter().filter(|([a, b, _], _)| *a == c && *b == s);
    answer("functions", inside.map(|(name, node)| function_json(name, node)).collect(), request)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("name"))?;
    let catalog = lock(&workspace.catalog);
    catalog
        .functions
        .get(&name)
        .map(|node| Reply::json(function_json(&name, node)))
        .ok_or_else(|| missing("Function", &name.join(".")))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("name"))?;
    lock(&workspace.catalog)
        .functions
        .remove(&name)
        .map(|_| Reply::nothing())
        .ok_or_else(|| missing("Function", &name.join(".")))
}
