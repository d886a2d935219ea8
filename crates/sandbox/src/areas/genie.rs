//! Genie: spaces that know a few questions, each answered by SQL that really runs.
//!
//! `answers` tells what becomes of a question, `messages` keeps them. Derived: no recording of these bodies is public;
//! they follow the SDK's types.

mod answers;
mod messages;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route, waiting};
use crate::store::Kind;
use crate::text::rfc3339;
use crate::workspace::Workspace;

pub(crate) const RETAIL: &str = "01f0aaaa00001111a2b2c3d4e5f60718";
pub(crate) const TAXI: &str = "01f0aaaa00002222a2b2c3d4e5f60718";

pub(crate) const SPACES: Kind =
    Kind { name: "genie-spaces", missing: |id| ApiError::does_not_exist(format!("Genie space {id} does not exist.")) };

const CONVERSATIONS: Kind = Kind {
    name: "genie-conversations",
    missing: |id| ApiError::does_not_exist(format!("Conversation {id} does not exist.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/genie/spaces", spaces),
    route("POST", "/api/2.0/genie/spaces", create),
    route("GET", "/api/2.0/genie/spaces/{space_id}", space),
    route("PATCH", "/api/2.0/genie/spaces/{space_id}", update),
    route("DELETE", "/api/2.0/genie/spaces/{space_id}", trash),
    waiting("POST", "/api/2.0/genie/spaces/{space_id}/start-conversation", messages::begin),
    route("GET", "/api/2.0/genie/spaces/{space_id}/conversations", conversations),
    route("DELETE", "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}", delete_conversation),
    route("GET", "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages", messages::list),
    waiting("POST", "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages", messages::ask),
    route(
        "GET",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}",
        messages::get,
    ),
    route(
        "DELETE",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}",
        messages::delete,
    ),
    route(
        "POST",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/feedback",
        messages::feedback,
    ),
    route(
        "GET",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/query-result",
        messages::query_result,
    ),
    route(
        "GET",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/query-result/{attachment_id}",
        messages::query_result,
    ),
    route(
        "GET",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/attachments/{attachment_id}/query-result",
        messages::query_result,
    ),
    waiting(
        "POST",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/execute-query",
        messages::execute,
    ),
    waiting(
        "POST",
        "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/attachments/{attachment_id}/execute-query",
        messages::execute,
    ),
];

/// Adds a space that asks tables on a warehouse.
pub(crate) fn seed(workspace: &Workspace, id: &str, title: &str, description: &str, warehouse: &str, tables: &[&str]) {
    let tables: Vec<_> = tables.iter().map(|table| json!({"identifier": table})).collect();
    let inside = json!({"version": 1, "data_sources": {"tables": tables}}).to_string();
    let at = rfc3339(workspace.clock.epoch() - 30 * 86_400_000);
    let space = json!({"space_id": id, "title": title, "description": description, "warehouse_id": warehouse,
        "parent_path": "/Workspace/Shared", "serialized_space": inside, "etag": "1", "create_time": at, "update_time": at});
    SPACES.put(workspace, id, space);
}

fn spaces(workspace: &Workspace, request: &Request) -> Outcome {
    let brief = |space: Value| space.without(&["serialized_space"]);
    page::asked("spaces", SPACES.all(workspace).into_iter().map(brief).collect(), request, 20, 100)
}

fn space(workspace: &Workspace, request: &Request) -> Outcome {
    let space = SPACES.get(workspace, request.parameter("space_id"))?;
    let is_whole = request.query_flag("include_serialized_space")?;
    Ok(Reply::json(if is_whole { space } else { space.without(&["serialized_space"]) }))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    check(fields.required_text("serialized_space")?)?;
    let (id, at) = (messages::id(workspace), rfc3339(workspace.clock.now()));
    let mut space = json!({"space_id": id, "title": "New space", "parent_path": "/Workspace/Shared", "etag": "1", "create_time": at, "update_time": at});
    space.merge(fields.0);
    SPACES.put(workspace, &id, space.clone());
    Ok(Reply::json(space))
}

/// What a space is made of has to be JSON.
fn check(serialized: &str) -> Result<(), ApiError> {
    match serde_json::from_str::<Value>(serialized) {
        Ok(Value::Object(_)) => Ok(()),
        _ => Err(ApiError::invalid_parameter("serialized_space must be a JSON object")),
    }
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    if let Some(serialized) = fields.text("serialized_space")? {
        check(serialized)?;
    }
    let etag = fields.text("etag")?.map(str::to_owned);
    let at = rfc3339(workspace.clock.now());
    SPACES.change(workspace, request.parameter("space_id"), |space| {
        let known = space.text_at("etag").to_owned();
        if etag.is_some_and(|etag| etag != known) {
            return Err(ApiError::conflict("ABORTED", "The space was changed by somebody else: read it again"));
        }
        space.merge(fields.0);
        space.set("update_time", at);
        space.set("etag", (known.parse::<i64>().unwrap_or(0) + 1).to_string());
        Ok(Reply::json(space.clone()))
    })
}

fn trash(workspace: &Workspace, request: &Request) -> Outcome {
    SPACES.drop(workspace, request.parameter("space_id"))
}

/// The conversation that the path leads to.
fn conversation_of(workspace: &Workspace, request: &Request) -> Result<Value, ApiError> {
    let space = request.parameter("space_id");
    SPACES.get(workspace, space)?;
    let id = request.parameter("conversation_id");
    let found = CONVERSATIONS.find(workspace, id).filter(|conversation| conversation.text_at("space_id") == space);
    found.ok_or_else(|| (CONVERSATIONS.missing)(id))
}

/// Newest first.
fn conversations(workspace: &Workspace, request: &Request) -> Outcome {
    let space = request.parameter("space_id");
    SPACES.get(workspace, space)?;
    let mut all = CONVERSATIONS.all(workspace);
    all.retain(|conversation| conversation.text_at("space_id") == space);
    let brief = |conversation: &Value| {
        json!({"conversation_id": conversation.at("conversation_id"), "title": conversation.at("title"),
            "created_timestamp": conversation.at("created_timestamp"), "agent_type": "GENIE_CONVERSATION_TYPE_CHAT"})
    };
    page::asked("conversations", all.iter().rev().map(brief).collect(), request, 20, 100)
}

fn delete_conversation(workspace: &Workspace, request: &Request) -> Outcome {
    conversation_of(workspace, request)?;
    let id = request.parameter("conversation_id");
    messages::forget(workspace, id);
    CONVERSATIONS.drop(workspace, id)
}
