//! Volumes as securables; their files are in `volumes`.

use serde_json::{Value, json};

use super::catalog::node;
use super::securable::{answer, exists, in_schema, missing, name, plain};
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::{Name, Node};
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/volumes", list),
    route("POST", "/api/2.1/unity-catalog/volumes", create),
    route("GET", "/api/2.1/unity-catalog/volumes/{name}", read),
    route("PATCH", "/api/2.1/unity-catalog/volumes/{name}", update),
    route("DELETE", "/api/2.1/unity-catalog/volumes/{name}", delete),
];

fn volume_json(name: &Name, node: &Node) -> Value {
    let mut fields = in_schema(name, node);
    fields.insert("volume_id".to_owned(), json!(node.id));
    fields.entry("volume_type").or_insert_with(|| json!("MANAGED"));
    fields.entry("storage_location").or_insert_with(|| json!(format!("s3://sandbox-metastore/volumes/{}", node.id)));
    Value::Object(fields)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let c = request.required_query("catalog_name")?.to_lowercase();
    let s = request.required_query("schema_name")?.to_lowercase();
    let catalog = lock(&workspace.catalog);
    if !catalog.has_schema(&c, &s) {
        return Err(missing("Schema", &format!("{c}.{s}")));
    }
    let inside = catalog.volumes.iter().filter(|([a, b, _], _)| *a == c && *b == s);
    answer("volumes", inside.map(|(name, node)| volume_json(name, node)).collect(), request)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = [
        plain(fields.required_text("catalog_name")?)?,
        plain(fields.required_text("schema_name")?)?,
        plain(fields.required_text("name")?)?,
    ];
    let kind = fields.required_text("volume_type")?;
    let mut node = node(workspace, request)?;
    node.extra.insert("volume_type".to_owned(), json!(kind));
    if let Some(location) = fields.text("storage_location")? {
        node.extra.insert("storage_location".to_owned(), json!(location));
    }
    let mut catalog = lock(&workspace.catalog);
    let [c, s, _] = &name;
    if !catalog.has_schema(c, s) {
        return Err(missing("Schema", &format!("{c}.{s}")));
    }
    if catalog.volumes.contains_key(&name) {
        return Err(exists("Volume", &name.join(".")));
    }
    let reply = volume_json(&name, &node);
    catalog.volumes.insert(name, node);
    Ok(Reply::json(reply))
}

fn read(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("name"))?;
    let catalog = lock(&workspace.catalog);
    catalog
        .volumes
        .get(&name)
        .map(|node| Reply::json(volume_json(&name, node)))
        .ok_or_else(|| missing("Volume", &name.join(".")))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("name"))?;
    let fields = request.fields()?;
    let mut catalog = lock(&workspace.catalog);
    let node = catalog.volumes.get_mut(&name).ok_or_else(|| missing("Volume", &name.join(".")))?;
    if let Some(comment) = fields.text("comment")? {
        node.comment = Some(comment.to_owned());
    }
    if let Some(owner) = fields.text("owner")? {
        node.owner = owner.to_owned();
    }
    node.updated_at = workspace.clock.now();
    Ok(Reply::json(volume_json(&name, node)))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("name"))?;
    lock(&workspace.catalog).volumes.remove(&name).ok_or_else(|| missing("Volume", &name.join(".")))?;
    lock(&workspace.files).drop_volume(&format!("/Volumes/{}", name.join("/")));
    Ok(Reply::nothing())
}
