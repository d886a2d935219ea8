//! Schemas.

use serde_json::{Map, Value, json};

use super::securable::{answer, change, common, exists, keep, missing, node, not_empty, not_renamed, plain};
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::Node;
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/schemas", list),
    route("POST", "/api/2.1/unity-catalog/schemas", create),
    route("GET", "/api/2.1/unity-catalog/schemas/{full_name}", get),
    route("PATCH", "/api/2.1/unity-catalog/schemas/{full_name}", update),
    route("DELETE", "/api/2.1/unity-catalog/schemas/{full_name}", delete),
];

fn schema_json([catalog, schema]: &[String; 2], node: &Node) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(schema));
    fields.insert("catalog_name".to_owned(), json!(catalog));
    fields.insert("full_name".to_owned(), json!(format!("{catalog}.{schema}")));
    let kind = if catalog == "system" { "SYSTEM_CATALOG" } else { "MANAGED_CATALOG" };
    fields.insert("catalog_type".to_owned(), json!(kind));
    fields.insert("schema_id".to_owned(), json!(node.id));
    fields.extend(common(node));
    Value::Object(fields)
}

fn name(full_name: &str) -> Result<[String; 2], ApiError> {
    let parts: Vec<_> = full_name.split('.').map(str::to_lowercase).collect();
    <[String; 2]>::try_from(parts)
        .map_err(|_| ApiError::invalid_parameter(format!("'{full_name}' is not a name of two parts")))
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let parent = request.required_query("catalog_name")?.to_lowercase();
    let catalog = lock(&workspace.catalog);
    if !catalog.catalogs.contains_key(&parent) {
        return Err(missing("Catalog", &parent));
    }
    answer("schemas", catalog.schemas_of(&parent).map(|(name, node)| schema_json(name, node)).collect(), request)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let catalog = lock(&workspace.catalog);
    catalog
        .schemas
        .get(&name)
        .map(|node| Reply::json(schema_json(&name, node)))
        .ok_or_else(|| missing("Schema", &name.join(".")))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = [plain(fields.required_text("catalog_name")?)?, plain(fields.required_text("name")?)?];
    let mut node = node(workspace, &fields)?;
    keep(&mut node, &fields, &["storage_root"]);
    let mut catalog = lock(&workspace.catalog);
    let [parent, _] = &name;
    if !catalog.catalogs.contains_key(parent) {
        return Err(missing("Catalog", parent));
    }
    if catalog.schemas.contains_key(&name) {
        return Err(exists("Schema", &name.join(".")));
    }
    let reply = schema_json(&name, &node);
    catalog.schemas.insert(name, node);
    Ok(Reply::json(reply))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let fields = request.fields()?;
    let mut catalog = lock(&workspace.catalog);
    let mut name = name;
    let mut changed = catalog.schemas.get(&name).cloned().ok_or_else(|| missing("Schema", &name.join(".")))?;
    change(&mut changed, &fields)?;
    keep(&mut changed, &fields, &["enable_predictive_optimization"]);
    changed.updated_at = workspace.clock.now();
    if let Some(other) = fields.text("new_name")?.map(plain).transpose()? {
        let [c, s] = &name;
        let renamed = [c.clone(), other.clone()];
        if renamed != name {
            if catalog.schemas.contains_key(&renamed) {
                return Err(exists("Schema", &renamed.join(".")));
            }
            if !catalog.is_schema_empty(c, s) {
                return Err(not_renamed("Schema", &name.join(".")));
            }
            catalog.move_schema([c, s], [c, &other]);
            name = renamed;
        }
    }
    let reply = schema_json(&name, &changed);
    catalog.schemas.insert(name, changed);
    Ok(Reply::json(reply))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let force = request.query_flag("force")?;
    let mut catalog = lock(&workspace.catalog);
    let [c, s] = &name;
    if !catalog.schemas.contains_key(&name) {
        return Err(missing("Schema", &name.join(".")));
    }
    if !force && !catalog.is_schema_empty(c, s) {
        return Err(not_empty("Schema", &name.join(".")));
    }
    catalog.drop_schema(c, s);
    Ok(Reply::nothing())
}
