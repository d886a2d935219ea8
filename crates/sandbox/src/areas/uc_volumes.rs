//! Volumes as securables; their files are in `volumes`.

use serde_json::{Value, json};

use super::securable::{InSchema, in_schema};
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

const VOLUMES: InSchema =
    InSchema { what: "Volume", list: "volumes", nodes: |catalog| &mut catalog.volumes, json: volume_json };

fn volume_json(name: &Name, node: &Node) -> Value {
    let mut fields = in_schema(name, node);
    fields.insert("volume_id".to_owned(), json!(node.id));
    fields.entry("volume_type").or_insert_with(|| json!("MANAGED"));
    fields.entry("storage_location").or_insert_with(|| json!(format!("s3://sandbox-metastore/volumes/{}", node.id)));
    Value::Object(fields)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    VOLUMES.list(workspace, request)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    VOLUMES.create(workspace, &request.fields()?, &["volume_type", "storage_location"])
}

fn read(workspace: &Workspace, request: &Request) -> Outcome {
    VOLUMES.get(workspace, request.parameter("name")).map(Reply::json)
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let before = super::securable::name(request.parameter("name"))?;
    let reply = VOLUMES.update(workspace, request.parameter("name"), &fields, |_| Ok(()))?;
    if let Some(name) = fields.text("new_name")? {
        let [c, s, old] = &before;
        lock(&workspace.files)
            .move_volume(&format!("/Volumes/{c}/{s}/{old}"), &format!("/Volumes/{c}/{s}/{}", name.to_lowercase()));
    }
    Ok(reply)
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let name = VOLUMES.delete(workspace, request.parameter("name"))?;
    lock(&workspace.files).drop_volume(&format!("/Volumes/{}", name.join("/")));
    Ok(Reply::nothing())
}
