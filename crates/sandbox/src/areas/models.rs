//! Registered models of Unity Catalog, their versions and aliases.
//!
//! Versions come from MLflow clients by other ways than this API, so here they are seeded, read, changed and deleted.

use serde_json::{Value, json};

use super::securable::{InSchema, METASTORE, answer, in_schema, missing, name};
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::catalog::{Name, Node};
use crate::workspace::{USER, Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/models", list),
    route("POST", "/api/2.1/unity-catalog/models", create),
    route("GET", "/api/2.1/unity-catalog/models/{full_name}", get),
    route("PATCH", "/api/2.1/unity-catalog/models/{full_name}", update),
    route("DELETE", "/api/2.1/unity-catalog/models/{full_name}", delete),
    route("PUT", "/api/2.1/unity-catalog/models/{full_name}/aliases/{alias}", set_alias),
    route("GET", "/api/2.1/unity-catalog/models/{full_name}/aliases/{alias}", by_alias),
    route("DELETE", "/api/2.1/unity-catalog/models/{full_name}/aliases/{alias}", delete_alias),
    route("GET", "/api/2.1/unity-catalog/models/{full_name}/versions", versions),
    route("GET", "/api/2.1/unity-catalog/models/{full_name}/versions/{version}", get_version),
    route("PATCH", "/api/2.1/unity-catalog/models/{full_name}/versions/{version}", update_version),
    route("DELETE", "/api/2.1/unity-catalog/models/{full_name}/versions/{version}", delete_version),
];

const MODELS: InSchema = InSchema {
    what: "Registered_Model",
    list: "registered_models",
    nodes: |catalog| &mut catalog.models,
    json: model_json,
};

const VERSIONS: Kind = Kind { name: "uc-model-versions", missing: |key| missing("Model_Version", key) };

fn model_json(name: &Name, node: &Node) -> Value {
    let mut fields = in_schema(name, node);
    fields.insert("storage_location".to_owned(), json!(format!("s3://sandbox-metastore/models/{}", node.id)));
    Value::Object(fields)
}

/// Adds a version that is ready.
pub(crate) fn seed_version(workspace: &Workspace, full_name: &str, number: i64, comment: &str, run: &str, at: i64) {
    let Ok(name) = name(full_name) else { return };
    let [c, s, m] = &name;
    let version = json!({"model_name": m, "catalog_name": c, "schema_name": s, "version": number, "status": "READY",
        "id": workspace.ids.uuid(), "metastore_id": METASTORE, "comment": comment, "run_id": run, "run_workspace_id": workspace.id(),
        "source": format!("dbfs:/databricks/mlflow-tracking/{run}/artifacts/model"),
        "storage_location": format!("s3://sandbox-metastore/models/{full_name}/versions/{number}"),
        "created_at": at, "created_by": USER, "updated_at": at, "updated_by": USER});
    VERSIONS.put(workspace, &key(&name, &number.to_string()), version);
}

fn key(name: &Name, version: &str) -> String {
    format!("{}/{version}", name.join("."))
}

/// A version of a model.
pub(crate) fn version(workspace: &Workspace, name: &Name, version: &str) -> Result<Value, ApiError> {
    VERSIONS.get(workspace, &key(name, version))
}

fn versions_of(workspace: &Workspace, name: &Name) -> Vec<Value> {
    let is_of = |version: &Value| {
        let parts = ["catalog_name", "schema_name", "model_name"].map(|part| version.text_at(part));
        parts.iter().zip(name).all(|(part, name)| part == name)
    };
    VERSIONS.all(workspace).into_iter().filter(is_of).collect()
}

fn without_aliases(json: Value, request: &Request) -> Result<Value, ApiError> {
    Ok(if request.query_flag("include_aliases")? { json } else { json.without(&["aliases"]) })
}

/// Of a schema, a catalog, or all there are.
fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let c = request.query("catalog_name").map(str::to_lowercase);
    let s = request.query("schema_name").map(str::to_lowercase);
    let catalog = lock(&workspace.catalog);
    let inside = catalog
        .models
        .iter()
        .filter(|([a, b, _], _)| c.as_ref().is_none_or(|c| a == c) && s.as_ref().is_none_or(|s| b == s));
    let told = inside.map(|(name, node)| model_json(name, node).without(&["aliases"]));
    answer("registered_models", told.collect(), request)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    for part in ["catalog_name", "schema_name"] {
        fields.required_text(part)?;
    }
    let reply = MODELS.create(workspace, &fields, &[])?;
    // A model that was dropped with its schema leaves versions that the new one has not.
    let parts =
        [fields.required_text("catalog_name")?, fields.required_text("schema_name")?, fields.required_text("name")?];
    forget(workspace, &parts.map(str::to_lowercase));
    Ok(reply)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    without_aliases(MODELS.get(workspace, request.parameter("full_name"))?, request).map(Reply::json)
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let before = name(request.parameter("full_name"))?;
    let fields = request.fields()?;
    let reply = MODELS.update(workspace, request.parameter("full_name"), &fields, |_| Ok(()))?;
    if let Some(new_name) = fields.text("new_name")? {
        let [c, s, _] = before.clone();
        let after = [c, s, new_name.to_lowercase()];
        for mut version in versions_of(workspace, &before) {
            let number = version.at("version").to_string();
            version.set("model_name", new_name.to_lowercase());
            VERSIONS.put(workspace, &key(&after, &number), version);
            VERSIONS.remove(workspace, &key(&before, &number))?;
        }
    }
    Ok(reply)
}

fn forget(workspace: &Workspace, name: &Name) {
    for version in versions_of(workspace, name) {
        // It was there a moment ago; another one who deletes it has done the work.
        let _ = VERSIONS.remove(workspace, &key(name, &version.at("version").to_string()));
    }
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    forget(workspace, &MODELS.delete(workspace, request.parameter("full_name"))?);
    Ok(Reply::nothing())
}

/// Changes the aliases of a model.
fn aliases<T>(
    workspace: &Workspace,
    name: &Name,
    body: impl FnOnce(&mut Vec<Value>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut catalog = lock(&workspace.catalog);
    let node = catalog.models.get_mut(name).ok_or_else(|| missing("Registered_Model", &name.join(".")))?;
    let mut aliases = node.extra.get("aliases").and_then(Value::as_array).cloned().unwrap_or_default();
    let done = body(&mut aliases)?;
    node.extra.insert("aliases".to_owned(), json!(aliases));
    Ok(done)
}

fn set_alias(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let number = request.fields()?.required_integer("version_num")?;
    version(workspace, &name, &number.to_string())?;
    Ok(Reply::json(point(workspace, &name, request.parameter("alias"), number)?))
}

/// Lets an alias stand for a version.
pub(crate) fn point(workspace: &Workspace, name: &Name, alias: &str, number: i64) -> Result<Value, ApiError> {
    let [c, s, m] = name;
    let told =
        json!({"alias_name": alias, "version_num": number, "catalog_name": c, "schema_name": s, "model_name": m});
    aliases(workspace, name, |aliases| {
        aliases.retain(|known| known.text_at("alias_name") != alias);
        aliases.push(told.clone());
        Ok(told)
    })
}

fn no_alias(alias: &str) -> ApiError {
    missing("Alias", alias)
}

fn by_alias(workspace: &Workspace, request: &Request) -> Outcome {
    let (name, alias) = (name(request.parameter("full_name"))?, request.parameter("alias"));
    let number = aliases(workspace, &name, |aliases| {
        let found = aliases.iter().find(|known| known.text_at("alias_name") == alias);
        Ok(found.ok_or_else(|| no_alias(alias))?.at("version_num").to_string())
    })?;
    told_version(workspace, &name, &number, request)
}

fn delete_alias(workspace: &Workspace, request: &Request) -> Outcome {
    let (name, alias) = (name(request.parameter("full_name"))?, request.parameter("alias"));
    aliases(workspace, &name, |aliases| {
        let before = aliases.len();
        aliases.retain(|known| known.text_at("alias_name") != alias);
        if aliases.len() == before { Err(no_alias(alias)) } else { Ok(Reply::nothing()) }
    })
}

fn versions(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    MODELS.get(workspace, request.parameter("full_name"))?;
    answer("model_versions", versions_of(workspace, &name), request)
}

fn told_version(workspace: &Workspace, name: &Name, number: &str, request: &Request) -> Outcome {
    let mut json = version(workspace, name, number)?;
    let known = aliases(workspace, name, |aliases| Ok(aliases.clone()))?;
    let own: Vec<_> = known.into_iter().filter(|alias| alias.at("version_num") == json.at("version")).collect();
    json.set("aliases", own);
    without_aliases(json, request).map(Reply::json)
}

fn get_version(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    told_version(workspace, &name, request.parameter("version"), request)
}

fn update_version(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let fields = request.fields()?;
    let now = workspace.clock.now();
    VERSIONS.change(workspace, &key(&name, request.parameter("version")), |version| {
        if let Some(comment) = fields.text("comment")? {
            version.set("comment", comment);
        }
        version.set("updated_at", now);
        Ok(Reply::json(version.clone()))
    })
}

fn delete_version(workspace: &Workspace, request: &Request) -> Outcome {
    let name = name(request.parameter("full_name"))?;
    let number = request.parameter("version");
    let gone = VERSIONS.drop(workspace, &key(&name, number))?;
    aliases(workspace, &name, |aliases| {
        aliases.retain(|alias| alias.at("version_num").as_i64() != number.parse().ok());
        Ok(())
    })?;
    Ok(gone)
}
