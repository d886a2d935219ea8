//! Cluster policies, which new settings of clusters have to keep to, and instance pools, of which there are names only.
//!
//! Derived: the fields that the workspace adds.

mod rules;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/policies/clusters/list", list),
    route("GET", "/api/2.0/policies/clusters/get", get),
    route("POST", "/api/2.0/policies/clusters/create", create),
    route("POST", "/api/2.0/policies/clusters/edit", edit),
    route("POST", "/api/2.0/policies/clusters/delete", delete),
    route("GET", "/api/2.0/instance-pools/list", pools),
    route("GET", "/api/2.0/instance-pools/get", pool),
    route("POST", "/api/2.0/instance-pools/create", create_pool),
    route("POST", "/api/2.0/instance-pools/edit", edit_pool),
    route("POST", "/api/2.0/instance-pools/delete", delete_pool),
];

/// Policies and pools by id, as they are told.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    policies: BTreeMap<String, Value>,
    pools: BTreeMap<String, Value>,
}

impl Policies {
    pub(crate) fn seed_policy(&mut self, id: &str, settings: Map<String, Value>, at: i64) {
        self.policies.insert(id.to_owned(), policy_json(id, settings, at));
    }

    pub(crate) fn seed_pool(&mut self, id: &str, settings: Map<String, Value>) {
        self.pools.insert(id.to_owned(), pool_json(id, settings));
    }
}

fn policy_json(id: &str, settings: Map<String, Value>, at: i64) -> Value {
    let mut json = Value::Object(settings);
    json.set("policy_id", json!(id));
    json.set("creator_user_name", json!(USER));
    json.set("created_at_timestamp", json!(at));
    json.set("is_default", json!(false));
    json
}

fn pool_json(id: &str, settings: Map<String, Value>) -> Value {
    let idle = settings.get("min_idle_instances").cloned().unwrap_or_else(|| json!(0));
    let mut json = Value::Object(settings);
    json.set("instance_pool_id", json!(id));
    json.set("state", json!("ACTIVE"));
    json.set("status", json!({}));
    json.set("stats", json!({"used_count": 0, "idle_count": idle, "pending_used_count": 0, "pending_idle_count": 0}));
    json
}

fn no_policy(id: &str) -> ApiError {
    ApiError::does_not_exist(format!("Cluster policy {id} does not exist"))
}

fn no_pool(id: &str) -> ApiError {
    ApiError::does_not_exist(format!("Instance pool {id} does not exist"))
}

/// Checks the settings of a cluster against its policy, and adds what that sets.
pub(super) fn apply(
    workspace: &Workspace,
    policy: &str,
    settings: &mut Map<String, Value>,
    defaults: bool,
) -> Result<(), ApiError> {
    let definition = {
        let policies = lock(&workspace.policies);
        let policy = policies.policies.get(policy).ok_or_else(|| no_policy(policy))?;
        serde_json::from_str(policy.text_at("definition")).unwrap_or_default()
    };
    rules::apply(&definition, settings, defaults)
}

/// Refuses the id of a pool that does not exist.
pub(super) fn check_pool(workspace: &Workspace, id: &str) -> Result<(), ApiError> {
    let exists = lock(&workspace.policies).pools.contains_key(id);
    exists.then_some(()).ok_or_else(|| no_pool(id))
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let by_name = request.query("sort_column") == Some("POLICY_NAME");
    let mut found: Vec<_> = lock(&workspace.policies).policies.values().cloned().collect();
    found.sort_by_key(|policy| match by_name {
        true => (0, policy.at("name").as_str().unwrap_or_default().to_owned()),
        false => (policy.at("created_at_timestamp").as_i64().unwrap_or(0), String::new()),
    });
    if request.query("sort_order") != Some("ASC") {
        found.reverse();
    }
    Ok(Reply::json(json!({"total_count": found.len(), "policies": found})))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.required_query("policy_id")?;
    lock(&workspace.policies).policies.get(id).cloned().map(Reply::json).ok_or_else(|| no_policy(id))
}

/// The settings of a policy, whose definition has to be a JSON object.
fn definition(request: &Request) -> Result<Map<String, Value>, ApiError> {
    let fields = request.fields()?;
    if let Some(text) = fields.text("definition")?
        && !serde_json::from_str::<Value>(text).is_ok_and(|definition| definition.is_object())
    {
        return Err(ApiError::invalid_parameter("The policy definition is not a valid JSON object"));
    }
    Ok(fields.0)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let settings = definition(request)?;
    let mut policies = lock(&workspace.policies);
    let name = settings.get("name").cloned().unwrap_or_default();
    if policies.policies.values().any(|policy| *policy.at("name") == name) {
        return Err(ApiError::invalid_parameter(format!("Policy name {name} is already used")));
    }
    let id = workspace.ids.hex16().to_uppercase();
    policies.seed_policy(&id, settings, workspace.clock.now());
    Ok(Reply::json(json!({"policy_id": id})))
}

fn edit(workspace: &Workspace, request: &Request) -> Outcome {
    let settings = definition(request)?;
    let id = request.fields()?.required_text("policy_id")?.to_owned();
    let mut policies = lock(&workspace.policies);
    let at = policies.policies.get(&id).ok_or_else(|| no_policy(&id))?.at("created_at_timestamp").as_i64();
    policies.seed_policy(&id, settings, at.unwrap_or(0));
    Ok(Reply::nothing())
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("policy_id")?;
    lock(&workspace.policies).policies.remove(id).map(|_| Reply::nothing()).ok_or_else(|| no_policy(id))
}

fn pools(workspace: &Workspace, _: &Request) -> Outcome {
    let pools: Vec<_> = lock(&workspace.policies).pools.values().cloned().collect();
    Ok(Reply::json(json!({"instance_pools": pools})))
}

fn pool(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.required_query("instance_pool_id")?;
    lock(&workspace.policies).pools.get(id).cloned().map(Reply::json).ok_or_else(|| no_pool(id))
}

fn create_pool(workspace: &Workspace, request: &Request) -> Outcome {
    let settings = request.fields()?.0;
    let id = format!("{}-pool-{}", workspace.ids.cluster(workspace.clock.now()), &workspace.ids.hex16());
    lock(&workspace.policies).seed_pool(&id, settings);
    Ok(Reply::json(json!({"instance_pool_id": id})))
}

fn edit_pool(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("instance_pool_id")?;
    let mut policies = lock(&workspace.policies);
    let known = policies.pools.get(id).and_then(Value::as_object).cloned().ok_or_else(|| no_pool(id))?;
    let settings = known.into_iter().chain(fields.0.clone()).collect();
    policies.seed_pool(id, settings);
    Ok(Reply::nothing())
}

fn delete_pool(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("instance_pool_id")?;
    lock(&workspace.policies).pools.remove(id).map(|_| Reply::nothing()).ok_or_else(|| no_pool(id))
}
