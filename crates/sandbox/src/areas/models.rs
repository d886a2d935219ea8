//! Registered models and their versions, as far as reading goes.

use serde_json::{Value, json};

use super::securable::{answer, in_schema, missing, name};
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::{Name, Node};
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/models", list),
    route("GET", "/api/2.1/unity-catalog/models/{full_name}", get),
    route("GET", "/api/2.1/unity-catalog/models/{full_name}/versions", versions),
];

fn model_json(name: &Name, node: &Node) -> Value {
    let mut fields = in_schema(name, node);
    fields.insert("storage_location".to_owned(), json!(format!("s3://sandbox-metastore/models/{}", node.id)));
    Value::Object(fields)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let c = request.query("catalog_name").map(str::to_lowercase);
    let s = request.query("schema_name").map(str::to_lowercase);
    let catalog = lock(&workspace.catalog);
    let inside = catalog
        .models
        .iter()
        .filter(|([a, b, _], _)| c.as_ref().is_none_or(|c| a == c) && s.as_ref().is_none_or(|s| b == s));
    answer("registered_models", inside.map(|(name, node)| model_json(name, node)).collect(), request)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let catalog = lock(&workspace.catalog);
    catalog
        .models
        .get(&name)
        .map(|node| Reply::json(model_json(&name, node)))
        .ok_or_else(|| missing("Registered_Model", &name.join(".")))
}

fn versions(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let catalog = lock(&workspace.catalog);
    let node = catalog.models.get(&name).ok_or_else(|| missing("Registered_Model", &name.join(".")))?;
    let [c, s, m] = &name;
    let versions = (1..=2).map(|version| {
        json!({"model_name": m, "catalog_name": c, "schema_name": s, "version": version, "status": "READY",
            "created_at": node.created_at + version * 3_600_000, "created_by": node.owner})
    });
    answer("model_versions", versions.collect(), request)
}
