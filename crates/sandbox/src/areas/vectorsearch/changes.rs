//! Changes of endpoints: their tags, their budget policy, their size; that they stop and start.
//!
//! Derived: that an endpoint stops at once.

use serde_json::{Value, json};

use super::{ENDPOINTS, START, endpoint_json};
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::workspace::{USER, Workspace};

/// Changes an endpoint, and tells it as it is then.
fn change(
    workspace: &Workspace,
    request: &Request,
    body: impl FnOnce(&mut Value) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let now = workspace.clock.now();
    let changed = ENDPOINTS.change(workspace, request.parameter("endpoint_name"), |endpoint| {
        body(endpoint)?;
        endpoint.set("last_updated_timestamp", now);
        endpoint.set("last_updated_user", USER);
        Ok(endpoint.clone())
    })?;
    Ok(endpoint_json(workspace, changed))
}

pub(super) fn patch(workspace: &Workspace, request: &Request) -> Outcome {
    let target = request.fields()?.integer("target_qps")?;
    let set = |endpoint: &mut Value| {
        if let Some(target) = target {
            endpoint.set("scaling_info", json!({"requested_target_qps": target}));
        }
        Ok(())
    };
    change(workspace, request, set).map(Reply::json)
}

pub(super) fn tag(workspace: &Workspace, request: &Request) -> Outcome {
    let tags = request.fields()?.array("custom_tags")?.to_vec();
    let told = change(workspace, request, |endpoint| {
        endpoint.set("custom_tags", tags);
        Ok(())
    })?;
    Ok(Reply::json(json!({"name": told.at("name"), "custom_tags": told.at("custom_tags")})))
}

pub(super) fn set_budget_policy(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let policy = fields.required_text("budget_policy_id")?;
    change(workspace, request, |endpoint| {
        endpoint.set("budget_policy_id", policy);
        endpoint.set("effective_budget_policy_id", policy);
        Ok(())
    })?;
    Ok(Reply::json(json!({"effective_budget_policy_id": policy})))
}

pub(super) fn stop(workspace: &Workspace, request: &Request) -> Outcome {
    let stopped = change(workspace, request, |endpoint| {
        endpoint.set("stopped", true);
        Ok(())
    });
    stopped.map(Reply::json)
}

pub(super) fn start(workspace: &Workspace, request: &Request) -> Outcome {
    let ready = workspace.clock.now() + workspace.clock.lapse(START);
    let started = change(workspace, request, |endpoint| {
        if *endpoint.at("stopped") == json!(true) {
            endpoint.set("stopped", false);
            endpoint.set("ready", ready);
        }
        Ok(())
    });
    started.map(Reply::json)
}
