//! Catalogs.
//!
//! Derived: the JSON of securables and their errors follow the SDK's types.

use serde_json::{Map, Value, json};

use super::securable::{answer, change, common, exists, keep, missing, node, not_empty, not_renamed, plain};
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::Node;
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/catalogs", list),
    route("POST", "/api/2.1/unity-catalog/catalogs", create),
    route("GET", "/api/2.1/unity-catalog/catalogs/{name}", get),
    route("PATCH", "/api/2.1/unity-catalog/catalogs/{name}", update),
    route("DELETE", "/api/2.1/unity-catalog/catalogs/{name}", delete),
];

/// What is told as it was given.
const KEPT: [&str; 3] = ["isolation_mode", "enable_predictive_optimization", "options"];

fn catalog_json(name: &str, node: &Node) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(name));
    fields.insert("full_name".to_owned(), json!(name));
    let kind = if name == "system" { "SYSTEM_CATALOG" } else { "MANAGED_CATALOG" };
    fields.insert("catalog_type".to_owned(), json!(kind));
    fields.insert("securable_type".to_owned(), json!("CATALOG"));
    fields.insert("isolation_mode".to_owned(), json!("OPEN"));
    fields.extend(common(node));
    Value::Object(fields)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let items = lock(&workspace.catalog).catalogs.iter().map(|(name, node)| catalog_json(name, node)).collect();
    answer("catalogs", items, request)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name").to_lowercase();
    let catalog = lock(&workspace.catalog);
    catalog
        .catalogs
        .get(&name)
        .map(|node| Reply::json(catalog_json(&name, node)))
        .ok_or_else(|| missing("Catalog", &name))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(make(workspace, &request.fields()?)?))
}

/// Makes a catalog of a body.
pub(crate) fn make(workspace: &Workspace, fields: &Fields) -> Result<Value, ApiError> {
    let name = plain(fields.required_text("name")?)?;
    let mut node = node(workspace, fields)?;
    keep(&mut node, fields, &KEPT);
    keep(&mut node, fields, &["storage_root"]);
    let mut catalog = lock(&workspace.catalog);
    if catalog.catalogs.contains_key(&name) {
        return Err(exists("Catalog", &name));
    }
    for schema in ["default", "information_schema"] {
        catalog.schemas.insert(
            [name.clone(), schema.to_owned()],
            Node { id: workspace.ids.uuid(), comment: None, extra: Map::new(), ..node.clone() },
        );
    }
    let reply = catalog_json(&name, &node);
    catalog.catalogs.insert(name, node);
    Ok(reply)
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name").to_lowercase();
    let fields = request.fields()?;
    let mut catalog = lock(&workspace.catalog);
    let mut name = name;
    let mut changed = catalog.catalogs.get(&name).cloned().ok_or_else(|| missing("Catalog", &name))?;
    change(&mut changed, &fields)?;
    keep(&mut changed, &fields, &KEPT);
    changed.updated_at = workspace.clock.now();
    if let Some(other) = fields.text("new_name")?.map(plain).transpose()?.filter(|other| *other != name) {
        if catalog.catalogs.contains_key(&other) {
            return Err(exists("Catalog", &other));
        }
        let schemas: Vec<_> = catalog.schemas_of(&name).map(|([_, schema], _)| schema.clone()).collect();
        if schemas.iter().any(|schema| !catalog.is_schema_empty(&name, schema)) {
            return Err(not_renamed("Catalog", &name));
        }
        for schema in schemas {
            catalog.move_schema([&name, &schema], [&other, &schema]);
        }
        catalog.move_grants("catalog", &name, &other);
        catalog.catalogs.remove(&name);
        name = other;
    }
    let reply = catalog_json(&name, &changed);
    catalog.catalogs.insert(name, changed);
    Ok(Reply::json(reply))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name").to_lowercase();
    let force = request.query_flag("force")?;
    let mut catalog = lock(&workspace.catalog);
    if !catalog.catalogs.contains_key(&name) {
        return Err(missing("Catalog", &name));
    }
    let full = catalog.schemas_of(&name).any(|([_, schema], _)| {
        !catalog.is_schema_empty(&name, schema) || !matches!(schema.as_str(), "default" | "information_schema")
    });
    if full && !force {
        return Err(not_empty("Catalog", &name));
    }
    catalog.drop_catalog(&name);
    Ok(Reply::nothing())
}
