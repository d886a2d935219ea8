//! Tags of entities, of Unity Catalog and of the workspace, and the policies that say which values a tag may have.

use std::collections::btree_map::Entry;

use serde_json::{Value, json};

use super::securable::answer;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::{Kind, masked};
use crate::text::rfc3339;
use crate::workspace::catalog::TagKey;
use crate::workspace::{USER, Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/2.1/unity-catalog/entity-tag-assignments", create),
    route("GET", "/api/2.1/unity-catalog/entity-tag-assignments/{entity_type}/{entity}/tags", list),
    route("GET", "/api/2.1/unity-catalog/entity-tag-assignments/{entity_type}/{entity}/tags/{tag_key}", get),
    route("PATCH", "/api/2.1/unity-catalog/entity-tag-assignments/{entity_type}/{entity}/tags/{tag_key}", update),
    route("DELETE", "/api/2.1/unity-catalog/entity-tag-assignments/{entity_type}/{entity}/tags/{tag_key}", delete),
    route("POST", "/api/2.0/entity-tag-assignments", create),
    route("GET", "/api/2.0/entity-tag-assignments/{entity_type}/{entity}/tags", list_of_workspace),
    route("GET", "/api/2.0/entity-tag-assignments/{entity_type}/{entity}/tags/{tag_key}", get),
    route("PATCH", "/api/2.0/entity-tag-assignments/{entity_type}/{entity}/tags/{tag_key}", update),
    route("DELETE", "/api/2.0/entity-tag-assignments/{entity_type}/{entity}/tags/{tag_key}", delete),
    route("GET", "/api/2.1/tag-policies", policies),
    route("POST", "/api/2.1/tag-policies", create_policy),
    route("GET", "/api/2.1/tag-policies/{tag_key}", |w, r| POLICIES.tell(w, r.parameter("tag_key"))),
    route("PATCH", "/api/2.1/tag-policies/{tag_key}", update_policy),
    route("DELETE", "/api/2.1/tag-policies/{tag_key}", |w, r| POLICIES.drop(w, r.parameter("tag_key"))),
];

const POLICIES: Kind =
    Kind { name: "tag-policies", missing: |key| ApiError::not_found(format!("Tag policy {key} does not exist.")) };

/// What a tag is assigned to, and the tag. The catalog writes names in lower case.
fn key(kind: &str, entity: &str, tag: &str) -> TagKey {
    let is_of_catalog = matches!(kind, "catalogs" | "schemas" | "tables" | "columns" | "volumes");
    let entity = if is_of_catalog { entity.to_lowercase() } else { entity.to_owned() };
    (kind.to_owned(), entity, tag.to_owned())
}

fn key_of(request: &Request) -> TagKey {
    key(request.parameter("entity_type"), request.parameter("entity"), request.parameter("tag_key"))
}

fn missing((kind, entity, tag): &TagKey) -> ApiError {
    ApiError::not_found(format!("Tag assignment {kind}/{entity}/{tag} does not exist."))
}

/// Adds a tag.
pub(crate) fn seed(workspace: &Workspace, kind: &str, entity: &str, tag: &str, value: &str) {
    let assignment = json!({"entity_type": kind, "entity_name": entity, "tag_key": tag, "tag_value": value});
    lock(&workspace.catalog).tags.insert(key(kind, entity, tag), assignment);
}

/// Whether Unity Catalog has what a tag is for; of the workspace's objects anything may be there.
fn check_entity(workspace: &Workspace, kind: &str, name: &str) -> Result<(), ApiError> {
    let catalog = lock(&workspace.catalog);
    let parts: Vec<_> = name.split('.').map(str::to_lowercase).collect();
    let three = |parts: &[String]| <[String; 3]>::try_from(parts.to_vec()).ok();
    let exists = match (kind, parts.as_slice()) {
        ("catalogs", [c]) => catalog.catalogs.contains_key(c),
        ("schemas", [c, s]) => catalog.has_schema(c, s),
        ("tables", parts) => three(parts).is_some_and(|name| catalog.tables.contains_key(&name)),
        ("volumes", parts) => three(parts).is_some_and(|name| catalog.volumes.contains_key(&name)),
        ("columns", [table @ .., column]) => three(table).is_some_and(|name| {
            catalog.table(&name).is_some_and(|table| table.columns.iter().any(|known| known.name == *column))
        }),
        ("catalogs" | "schemas" | "columns", _) => false,
        _ => true,
    };
    if exists { Ok(()) } else { Err(ApiError::not_found(format!("'{name}' does not exist among {kind}."))) }
}

/// A governed tag takes the values of its policy only.
fn check_value(workspace: &Workspace, tag: &str, value: &str) -> Result<(), ApiError> {
    let Some(policy) = POLICIES.find(workspace, tag) else { return Ok(()) };
    let allowed: Vec<_> =
        policy.at("values").as_array().into_iter().flatten().map(|value| value.text_at("name").to_owned()).collect();
    if allowed.is_empty() || allowed.iter().any(|allowed| allowed == value) {
        return Ok(());
    }
    Err(ApiError::invalid_parameter(format!(
        "Tag value '{value}' is not allowed for tag '{tag}': one of {} is",
        allowed.join(", ")
    )))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (kind, tag) = (fields.required_text("entity_type")?, fields.required_text("tag_key")?);
    let entity = fields.text("entity_name")?.map_or_else(|| fields.required_text("entity_id"), Ok)?;
    check_entity(workspace, kind, entity)?;
    check_value(workspace, tag, fields.text("tag_value")?.unwrap_or_default())?;
    let mut assignment = Value::Object(fields.0.clone());
    if fields.get("entity_name").is_some() {
        assignment.set("update_time", rfc3339(workspace.clock.now()));
        assignment.set("updated_by", USER);
    }
    let mut catalog = lock(&workspace.catalog);
    match catalog.tags.entry(key(kind, entity, tag)) {
        Entry::Vacant(place) => Ok(Reply::json(place.insert(assignment).clone())),
        Entry::Occupied(_) => {
            let message = format!("Tag '{tag}' is already assigned to '{entity}'.");
            Err(ApiError::conflict("ALREADY_EXISTS", message))
        }
    }
}

fn of_entity(workspace: &Workspace, request: &Request) -> Vec<Value> {
    let (kind, entity, _) = key_of(request);
    let catalog = lock(&workspace.catalog);
    let tags = catalog.tags.iter().filter(|((of, name, _), _)| *of == kind && *name == entity);
    tags.map(|(_, assignment)| assignment.clone()).collect()
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    check_entity(workspace, request.parameter("entity_type"), request.parameter("entity"))?;
    answer("tag_assignments", of_entity(workspace, request), request)
}

fn list_of_workspace(workspace: &Workspace, request: &Request) -> Outcome {
    page::asked("tag_assignments", of_entity(workspace, request), request, 100, 1000)
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let key = key_of(request);
    lock(&workspace.catalog).tags.get(&key).cloned().map(Reply::json).ok_or_else(|| missing(&key))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let changes = masked(&request.fields()?.0, request.required_query("update_mask")?);
    let value = changes.get("tag_value").and_then(Value::as_str).unwrap_or_default();
    check_value(workspace, request.parameter("tag_key"), value)?;
    let key = key_of(request);
    let mut catalog = lock(&workspace.catalog);
    let assignment = catalog.tags.get_mut(&key).ok_or_else(|| missing(&key))?;
    assignment.set("tag_value", value);
    Ok(Reply::json(assignment.clone()))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let key = key_of(request);
    lock(&workspace.catalog).tags.remove(&key).map(|_| Reply::nothing()).ok_or_else(|| missing(&key))
}

fn policies(workspace: &Workspace, request: &Request) -> Outcome {
    page::asked("tag_policies", POLICIES.all(workspace), request, 100, 1000)
}

fn create_policy(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let tag = fields.required_text("tag_key")?.to_owned();
    let at = rfc3339(workspace.clock.now());
    let mut policy = Value::Object(fields.0);
    policy.merge([
        ("id".to_owned(), json!(workspace.ids.uuid())),
        ("create_time".to_owned(), json!(at)),
        ("update_time".to_owned(), json!(at)),
    ]);
    if !POLICIES.add_unless(workspace, &tag, policy.clone(), |known, _| known == tag) {
        return Err(ApiError::conflict("ALREADY_EXISTS", format!("Tag policy {tag} already exists.")));
    }
    Ok(Reply::json(policy))
}

fn update_policy(workspace: &Workspace, request: &Request) -> Outcome {
    let mut changes = masked(&request.fields()?.0, request.required_query("update_mask")?);
    changes.remove("tag_key");
    changes.insert("update_time".to_owned(), json!(rfc3339(workspace.clock.now())));
    POLICIES.merge(workspace, request.parameter("tag_key"), changes).map(Reply::json)
}
