//! The metastore, of which a workspace has one, and the schemas of the platform in it.
//!
//! Derived: that the schemas of the platform are there from the start and stay.

use serde_json::{Value, json};

use super::securable::{METASTORE, answer};
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/metastores", list),
    route("GET", "/api/2.1/unity-catalog/metastores/{id}", get),
    route("GET", "/api/2.1/unity-catalog/metastore_summary", summary),
    route("GET", "/api/2.1/unity-catalog/current-metastore-assignment", assignment),
    route("GET", "/api/2.1/unity-catalog/metastores/{metastore_id}/systemschemas", system_schemas),
    route("PUT", "/api/2.1/unity-catalog/metastores/{metastore_id}/systemschemas/{schema_name}", enable),
    route("DELETE", "/api/2.1/unity-catalog/metastores/{metastore_id}/systemschemas/{schema_name}", disable),
];

fn metastore(workspace: &Workspace) -> Value {
    let at = workspace.clock.epoch() - 90 * 86_400_000;
    json!({
        "metastore_id": METASTORE, "name": "sandbox-metastore", "owner": USER, "cloud": "aws", "region": "us-west-2",
        "global_metastore_id": format!("aws:us-west-2:{METASTORE}"), "privilege_model_version": "1.0",
        "delta_sharing_scope": "INTERNAL", "created_at": at, "created_by": USER, "updated_at": at, "updated_by": USER,
    })
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    answer("metastores", vec![metastore(workspace)], request)
}

fn check(id: &str) -> Result<(), ApiError> {
    let message = || format!("Metastore '{id}' does not exist.");
    (id == METASTORE).then_some(()).ok_or_else(|| ApiError::new(404, "METASTORE_DOES_NOT_EXIST", message()))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    check(request.parameter("id"))?;
    summary(workspace, request)
}

fn summary(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(metastore(workspace)))
}

fn assignment(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"metastore_id": METASTORE, "workspace_id": workspace.id(), "default_catalog_name": "main"})))
}

fn system_schemas(workspace: &Workspace, request: &Request) -> Outcome {
    check(request.parameter("metastore_id"))?;
    let catalog = lock(&workspace.catalog);
    let told = catalog.schemas_of("system").map(|([_, name], _)| json!({"schema": name, "state": "ENABLE_COMPLETED"}));
    answer("schemas", told.collect(), request)
}

fn enable(workspace: &Workspace, request: &Request) -> Outcome {
    check(request.parameter("metastore_id"))?;
    let name = request.parameter("schema_name");
    if lock(&workspace.catalog).has_schema("system", name) {
        let message = format!("{name} system schema already exists");
        return Err(ApiError::conflict("SCHEMA_ALREADY_EXISTS", message));
    }
    Err(ApiError::invalid_parameter(format!("The sandbox has no data for the system schema {name}")))
}

fn disable(workspace: &Workspace, request: &Request) -> Outcome {
    check(request.parameter("metastore_id"))?;
    let name = request.parameter("schema_name");
    if lock(&workspace.catalog).has_schema("system", name) {
        return Err(ApiError::invalid_parameter("The sandbox keeps its system schemas: they cannot be disabled"));
    }
    Err(ApiError::new(404, "SCHEMA_DOES_NOT_EXIST", format!("Schema 'system.{name}' does not exist.")))
}
