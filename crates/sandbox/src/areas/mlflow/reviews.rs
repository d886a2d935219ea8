//! What people say of versions of models: comments, and requests to move a version to another stage.
//!
//! Derived: the texts of refusals, and that a request is one per version and stage.

use serde_json::{Value, json};

use super::registry;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::store::Kind;
use crate::workspace::{USER, Workspace};

const COMMENTS: Kind =
    Kind { name: "model-comments", missing: |id| ApiError::does_not_exist(format!("Comment with id={id} not found")) };
const REQUESTS: Kind = Kind {
    name: "transition-requests",
    missing: |key| {
        let mut parts = key.rsplitn(3, '/');
        let (stage, version, name) = (parts.next(), parts.next(), parts.next());
        let told = |part: Option<&str>| part.unwrap_or_default().to_owned();
        ApiError::does_not_exist(format!(
            "No transition request to stage {} for the Model Version (name={}, version={})",
            told(stage),
            told(name),
            told(version)
        ))
    },
};

pub(super) fn comment(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    registry::named_version(workspace, &fields)?;
    let (id, now) = (workspace.ids.uuid().replace('-', ""), workspace.clock.now());
    let comment = json!({"id": id, "user_id": USER, "comment": fields.required_text("comment")?, "creation_timestamp": now,
        "last_updated_timestamp": now, "available_actions": ["EDIT_COMMENT", "DELETE_COMMENT"]});
    COMMENTS.put(workspace, &id, comment.clone());
    Ok(Reply::json(json!({"comment": comment})))
}

pub(super) fn update_comment(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (text, now) = (fields.required_text("comment")?, workspace.clock.now());
    COMMENTS.change(workspace, fields.required_text("id")?, |comment| {
        comment.set("comment", text);
        comment.set("last_updated_timestamp", now);
        Ok(Reply::json(json!({"comment": comment})))
    })
}

pub(super) fn delete_comment(workspace: &Workspace, request: &Request) -> Outcome {
    COMMENTS.drop(workspace, request.required_query("id")?)
}

fn key(name: &str, version: &str, stage: &str) -> String {
    format!("{name}/{version}/{stage}")
}

/// The key of the request that a body names.
fn key_of(request: &Request) -> Result<String, ApiError> {
    let fields = request.fields()?;
    let stage = registry::stage(fields.required_text("stage")?)?;
    Ok(key(fields.required_text("name")?, fields.required_text("version")?, stage))
}

/// What became of a request, as activities tell it.
fn activity(workspace: &Workspace, asked: &Value, kind: &str, comment: Option<&str>) -> Value {
    let mut activity = asked.clone().without(&["name", "version"]);
    activity.set("activity_type", kind);
    activity.set("user_id", USER);
    activity.set("last_updated_timestamp", workspace.clock.now());
    if let Some(comment) = comment {
        activity.set("comment", comment);
    }
    activity
}

pub(super) fn ask(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let version = registry::named_version(workspace, &fields)?;
    let stage = registry::stage(fields.required_text("stage")?)?;
    let (name, number, now) = (version.text_at("name"), version.text_at("version"), workspace.clock.now());
    let mut asked = json!({"id": workspace.ids.uuid().replace('-', ""), "name": name, "version": number, "activity_type": "REQUESTED_TRANSITION",
        "from_stage": version.at("current_stage"), "to_stage": stage, "user_id": USER, "creation_timestamp": now, "last_updated_timestamp": now});
    if let Some(comment) = fields.text("comment")? {
        asked.set("comment", comment);
    }
    let own = key(name, number, stage);
    if !REQUESTS.add_unless(workspace, &own, asked.clone(), |known, _| known == own) {
        let message = format!("There is a transition request to stage {stage} already");
        return Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", message));
    }
    let actions = ["APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST", "CANCEL_TRANSITION_REQUEST"];
    let mut told = asked.without(&["id", "name", "version", "activity_type", "from_stage", "last_updated_timestamp"]);
    told.set("available_actions", json!(actions));
    Ok(Reply::json(json!({"request": told})))
}

pub(super) fn asked(workspace: &Workspace, request: &Request) -> Outcome {
    let (name, number) = (request.required_query("name")?, request.required_query("version")?);
    registry::version(workspace, name, number)?;
    let mut open = REQUESTS.all(workspace);
    open.retain(|asked| asked.text_at("name") == name && asked.text_at("version") == number);
    let open: Vec<_> = open.into_iter().map(|asked| asked.without(&["name", "version"])).collect();
    Ok(Reply::json(if open.is_empty() { json!({}) } else { json!({"requests": open}) }))
}

pub(super) fn approve(workspace: &Workspace, request: &Request) -> Outcome {
    let key = key_of(request)?;
    let asked = REQUESTS.get(workspace, &key)?;
    registry::transition(workspace, request)?;
    REQUESTS.remove(workspace, &key)?;
    let activity = activity(workspace, &asked, "APPLIED_TRANSITION", request.fields()?.text("comment")?);
    Ok(Reply::json(json!({"activity": activity})))
}

pub(super) fn reject(workspace: &Workspace, request: &Request) -> Outcome {
    let asked = REQUESTS.remove(workspace, &key_of(request)?)?;
    let activity = activity(workspace, &asked, "REJECTED_REQUEST", request.fields()?.text("comment")?);
    Ok(Reply::json(json!({"activity": activity})))
}

pub(super) fn withdraw(workspace: &Workspace, request: &Request) -> Outcome {
    let stage = registry::stage(request.required_query("stage")?)?;
    let key = key(request.required_query("name")?, request.required_query("version")?, stage);
    let asked = REQUESTS.remove(workspace, &key)?;
    Ok(Reply::json(json!({"activity": activity(workspace, &asked, "CANCELLED_REQUEST", request.query("comment"))})))
}

/// Forgets the requests of a model that is gone.
pub(super) fn forget(workspace: &Workspace, name: &str) {
    REQUESTS.remove_all(workspace, |asked| asked.text_at("name") == name);
}
