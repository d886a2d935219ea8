//! Personal access tokens: of one's own, of others, and for service principals. A value is told once, when it is made.
//!
//! What was made here opens the sandbox until it is deleted or expires. Derived: the texts of refusals.

use serde_json::{Value, json};

use super::scim::SERVICE_PRINCIPALS;
use crate::error::ApiError;
use crate::ids::secret;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::{Kind, masked};
use crate::workspace::{USER, USER_ID, Workspace};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/token/list", list),
    route("POST", "/api/2.0/token/create", create),
    route("POST", "/api/2.0/token/delete", delete),
    route("PATCH", "/api/2.0/token/{token_id}", update),
    route("GET", "/api/2.0/token-management/tokens", list_all),
    route("GET", "/api/2.0/token-management/tokens/{token_id}", get),
    route("PATCH", "/api/2.0/token-management/tokens/{token_id}", update_managed),
    route("DELETE", "/api/2.0/token-management/tokens/{token_id}", |w, r| TOKENS.drop(w, r.parameter("token_id"))),
    route("POST", "/api/2.0/token-management/on-behalf-of/tokens", create_for_principal),
];

const TOKENS: Kind =
    Kind { name: "tokens", missing: |id| ApiError::does_not_exist(format!("Token with tokenId {id} does not exist.")) };

/// Whether a token that was made here opens the sandbox.
pub(crate) fn is_valid(workspace: &Workspace, value: &str) -> bool {
    let now = workspace.clock.now();
    let lives = |token: &Value| token.at("expiry_time").as_i64().is_none_or(|expiry| expiry < 0 || now < expiry);
    value.starts_with("dapi")
        && TOKENS.all(workspace).iter().any(|token| token.text_at("value") == value && lives(token))
}

/// Adds a token that nobody knows the value of.
pub(crate) fn seed(workspace: &Workspace, comment: &str) {
    let fields = Fields([("comment".to_owned(), json!(comment))].into_iter().collect());
    // Nothing in this comment can be refused.
    let _ = make(workspace, &fields, USER_ID, USER);
}

fn make(workspace: &Workspace, fields: &Fields, owner: i64, owner_name: &str) -> Result<(Value, String), ApiError> {
    let now = workspace.clock.now();
    let expiry = match fields.integer("lifetime_seconds")? {
        None | Some(-1) => -1,
        Some(seconds) if seconds > 0 => now.saturating_add(seconds.saturating_mul(1000)),
        Some(_) => return Err(ApiError::invalid_parameter("lifetime_seconds must be positive, or -1 for no expiry")),
    };
    let hex = || workspace.ids.uuid().replace('-', "");
    let (id, value) = (format!("{}{}", hex(), hex()), format!("dapi{}", secret().map_err(ApiError::no_secret)?));
    let token = json!({"token_id": id, "comment": fields.text("comment")?.unwrap_or_default(), "creation_time": now, "expiry_time": expiry,
        "created_by_id": USER_ID, "created_by_username": USER, "owner_id": owner, "owner": owner_name, "workspace_id": workspace.id(), "value": value});
    TOKENS.put(workspace, &id, token.clone());
    Ok((token, value))
}

/// What its owner sees of a token.
fn own(token: Value) -> Value {
    managed(token).without(&["created_by_id", "created_by_username", "owner_id", "workspace_id"])
}

/// What an administrator sees.
fn managed(token: Value) -> Value {
    token.without(&["value", "owner"])
}

fn list(workspace: &Workspace, _: &Request) -> Outcome {
    let is_own = |token: &Value| token.at("owner_id").as_i64() == Some(USER_ID);
    let tokens: Vec<_> = TOKENS.all(workspace).into_iter().filter(is_own).map(own).collect();
    Ok(Reply::json(json!({"token_infos": tokens})))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let (token, value) = make(workspace, &request.fields()?, USER_ID, USER)?;
    Ok(Reply::json(json!({"token_value": value, "token_info": own(token)})))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    TOKENS.drop(workspace, request.fields()?.required_text("token_id")?)
}

fn change(workspace: &Workspace, request: &Request) -> Result<Value, ApiError> {
    let fields = request.fields()?;
    let mask = fields.required_text("update_mask")?;
    let mut changes = masked(&fields.object("token")?.cloned().unwrap_or_default(), mask);
    changes.retain(|name, _| matches!(name.as_str(), "comment" | "scopes"));
    TOKENS.merge(workspace, request.parameter("token_id"), changes)
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    change(workspace, request).map(|_| Reply::nothing())
}

fn update_managed(workspace: &Workspace, request: &Request) -> Outcome {
    change(workspace, request).map(managed).map(Reply::json)
}

fn list_all(workspace: &Workspace, request: &Request) -> Outcome {
    let by_id = request.query_integer("created_by_id")?;
    let by_name = request.query("created_by_username");
    let mut tokens = TOKENS.all(workspace);
    tokens.retain(|token| {
        by_id.is_none_or(|id| token.at("created_by_id").as_i64() == Some(id))
            && by_name.is_none_or(|name| token.text_at("created_by_username") == name)
    });
    Ok(Reply::json(json!({"token_infos": tokens.into_iter().map(managed).collect::<Vec<_>>()})))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let token = TOKENS.get(workspace, request.parameter("token_id"))?;
    Ok(Reply::json(json!({"token_info": managed(token)})))
}

fn create_for_principal(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let application = fields.required_text("application_id")?;
    let principals = SERVICE_PRINCIPALS.all(workspace);
    let principal = principals.iter().find(|principal| principal.text_at("applicationId") == application);
    let principal = principal.ok_or_else(|| {
        ApiError::does_not_exist(format!("Service principal with application id {application} does not exist."))
    })?;
    let owner = principal.text_at("id").parse().unwrap_or_default();
    let (token, value) = make(workspace, &fields, owner, application)?;
    Ok(Reply::json(json!({"token_value": value, "token_info": managed(token)})))
}
