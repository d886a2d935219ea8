//! Catalogs, and the metastore they are in.
//!
//! Derived: the JSON of securables and their errors follow the SDK's types.

use serde_json::{Map, Value, json};

use super::securable::{METASTORE, answer, change, common, exists, missing, node, not_empty, plain};
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::Node;
use crate::workspace::{USER, Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/catalogs", list),
    route("POST", "/api/2.1/unity-catalog/catalogs", create),
    route("GET", "/api/2.1/unity-catalog/catalogs/{name}", get),
    route("PATCH", "/api/2.1/unity-catalog/catalogs/{name}", update),
    route("DELETE", "/api/2.1/unity-catalog/catalogs/{name}", delete),
    route("GET", "/api/2.1/unity-catalog/metastore_summary", summary),
    route("GET", "/api/2.1/unity-catalog/current-metastore-assignment", assignment),
];

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
    let name = plain(request.fields()?.required_text("name")?)?;
    let node = node(workspace, &request.fields()?)?;
    let mut catalog = lock(&workspace.catalog);
    if catalog.catalogs.contains_key(&name) {
        return Err(exists("Catalog", &name));
    }
    for schema in ["default", "information_schema"] {
        catalog.schemas.insert(
            [name.clone(), schema.to_owned()],
            Node { id: workspace.ids.uuid(), comment: None, ..node.clone() },
        );
    }
    let reply = catalog_json(&name, &node);
    catalog.catalogs.insert(name, node);
    Ok(Reply::json(reply))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name").to_lowercase();
    let fields = request.fields()?;
    let mut catalog = lock(&workspace.catalog);
    let node = catalog.catalogs.get_mut(&name).ok_or_else(|| missing("Catalog", &name))?;
    change(node, &fields)?;
    node.updated_at = workspace.clock.now();
    Ok(Reply::json(catalog_json(&name, node)))
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

fn summary(workspace: &Workspace, _: &Request) -> Outcome {
    let at = workspace.clock.epoch() - 90 * 86_400_000;
    Ok(Reply::json(json!({
        "metastore_id": METASTORE, "name": "sandbox-metastore", "owner": USER, "cloud": "aws", "region": "us-west-2",
        "global_metastore_id": format!("aws:us-west-2:{METASTORE}"), "privilege_model_version": "1.0",
        "delta_sharing_scope": "INTERNAL", "created_at": at, "created_by": USER, "updated_at": at, "updated_by": USER,
    })))
}

fn assignment(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"metastore_id": METASTORE, "workspace_id": workspace.id(), "default_catalog_name": "main"})))
}
