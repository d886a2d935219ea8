//! Attribute-based access policies of Unity Catalog.
//!
//! They are kept, and hide nothing. Derived: the texts of refusals.

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::{Kind, masked};
use crate::workspace::{USER, Workspace};

const POLICIES: Kind = Kind {
    name: "access-policies",
    missing: |name| ApiError::not_found(format!("The policy '{name}' does not exist.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/2.1/unity-catalog/policies", create),
    route("GET", "/api/2.1/unity-catalog/policies/{kind}/{on}", list),
    route("GET", "/api/2.1/unity-catalog/policies/{kind}/{on}/{name}", |w, r| POLICIES.tell(w, &named(r))),
    route("PATCH", "/api/2.1/unity-catalog/policies/{kind}/{on}/{name}", update),
    route("DELETE", "/api/2.1/unity-catalog/policies/{kind}/{on}/{name}", delete),
];

fn key(kind: &str, on: &str, name: &str) -> String {
    format!("{}/{}/{name}", kind.to_uppercase(), on.to_lowercase())
}

fn named(request: &Request) -> String {
    key(request.parameter("kind"), request.parameter("on"), request.parameter("name"))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = fields.required_text("name")?.to_owned();
    let key = key(fields.required_text("on_securable_type")?, fields.required_text("on_securable_fullname")?, &name);
    for field in ["policy_type", "for_securable_type"] {
        fields.required_text(field)?;
    }
    let now = workspace.clock.now();
    let mut policy = Value::Object(fields.0);
    let more: Map<_, _> = [
        ("id", json!(workspace.ids.uuid())),
        ("created_at", json!(now)),
        ("created_by", json!(USER)),
        ("updated_at", json!(now)),
        ("updated_by", json!(USER)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    policy.merge(more);
    match POLICIES.add_unless(workspace, &key, policy.clone(), |known, _| known == key) {
        true => Ok(Reply::json(policy)),
        false => Err(ApiError::conflict("ALREADY_EXISTS", format!("The policy '{name}' exists already."))),
    }
}

/// Those on an object, and with `include_inherited` those on its schema and its catalog.
fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let (kind, on) = (request.parameter("kind"), request.parameter("on"));
    let mut inside = vec![key(kind, on, "")];
    if request.query("include_inherited") == Some("true") {
        let parts: Vec<_> = on.split('.').collect();
        let above = ["CATALOG", "SCHEMA"].into_iter().zip(1..parts.len());
        inside.extend(
            above.map(|(kind, count)| key(kind, &parts.iter().take(count).copied().collect::<Vec<_>>().join("."), "")),
        );
    }
    let is_on = |policy: &Value| {
        inside.contains(&key(policy.text_at("on_securable_type"), policy.text_at("on_securable_fullname"), ""))
    };
    let size = page::size(request.query_integer("max_results")?, 100, 1_000)?;
    let policies = POLICIES.all(workspace).into_iter().filter(is_on).collect();
    page::told("policies", policies, size, request.query("page_token"))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let changes = match request.query("update_mask") {
        Some(mask) => masked(&fields.0, mask),
        None => fields.0,
    };
    POLICIES.merge(workspace, &named(request), changes).map(Reply::json)
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    POLICIES.remove(workspace, &named(request))?;
    Ok(Reply::json(json!({})))
}
