//! Messages of a conversation: asked, answered over a while, and the results of their queries.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answers::{Plan, plan, suggestions};
use super::{CONVERSATIONS, SPACES};
use crate::areas::statements::{self, Ran};
use crate::areas::tasks;
use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Pending};
use crate::sql::{Cancel, Table};
use crate::store::Kind;
use crate::workspace::{USER_ID, Workspace};

/// Each of the phases before an answer.
const PHASE: Lapse = Lapse::new(120, 4_000);
const PHASES: [&str; 6] =
    ["SUBMITTED", "FETCHING_METADATA", "FILTERING_CONTEXT", "ASKING_AI", "PENDING_WAREHOUSE", "EXECUTING_QUERY"];

pub(super) const MESSAGES: Kind =
    Kind { name: "genie-messages", missing: |id| ApiError::does_not_exist(format!("Message {id} does not exist.")) };

/// An id in the form of those of Genie.
pub(super) fn id(workspace: &Workspace) -> String {
    workspace.ids.statement().replace('-', "")
}

/// Runs SQL on the warehouse of a space; the statement, and why it failed if it did.
async fn run(workspace: &Arc<Workspace>, space: &str, sql: &str) -> Result<(String, usize, Option<String>), ApiError> {
    let (worker, source) = (Arc::clone(workspace), sql.to_owned());
    let ran = tokio::task::spawn_blocking(move || tasks::run_statements(&worker, &source, &Cancel::default()));
    let lost = |_| ApiError::new(500, "INTERNAL_ERROR", "The query could not be run");
    let outcome = ran.await.map_err(lost)?.map(|table: Option<Table>| table.unwrap_or_default());
    let count = outcome.as_ref().map_or(0, |table| table.rows.len());
    let failure = outcome.as_ref().err().map(|error| error.message.trim().to_owned());
    let warehouse = SPACES.get(workspace, space)?.text_at("warehouse_id").to_owned();
    let ran = Ran { sql, warehouse: &warehouse, ended: workspace.clock.now() };
    Ok((statements::enter(workspace, &ran, outcome), count, failure))
}

/// Asks a question, and tells the message that has just been submitted.
pub(super) async fn add(
    workspace: &Arc<Workspace>,
    space: &str,
    conversation: &str,
    content: &str,
) -> Result<Value, ApiError> {
    let before = of(workspace, conversation).iter().rev().find_map(|message| {
        let sql = message.at("query").text_at("query");
        (!sql.is_empty() && message.at("error").is_null()).then(|| sql.to_owned())
    });
    let (id, now) = (id(workspace), workspace.clock.now());
    let mut message = json!({"id": id, "message_id": id, "space_id": space, "conversation_id": conversation, "user_id": USER_ID,
        "content": content, "created_timestamp": now, "last_updated_timestamp": now, "phase": workspace.clock.lapse(PHASE),
        "attachment": workspace.ids.uuid().replace('-', ""), "end": "COMPLETED"});
    match plan(space, content, before.as_deref()) {
        Plan::Query { description, sql, expires } => {
            let (statement, count, failure) = run(workspace, space, &sql).await?;
            message.set(
                "query",
                json!({"query": sql, "title": description, "description": description, "statement_id": statement,
                    "query_result_metadata": {"row_count": count, "is_truncated": false}}),
            );
            if let Some(failure) = failure {
                message.set("end", "FAILED");
                message.set("error", json!({"type": "SQL_EXECUTION_EXCEPTION", "error": failure}));
            } else if expires {
                message.set("end", "QUERY_RESULT_EXPIRED");
            }
        }
        Plan::Text { content, is_question } => {
            let purpose = if is_question { "FOLLOW_UP_QUESTION" } else { "TEXT_ATTACHMENT_PURPOSE_ANSWER" };
            message.set("text", json!({"content": content, "purpose": purpose}));
        }
        Plan::Failure { kind, message: error } => {
            message.set("end", "FAILED");
            message.set("error", json!({"type": kind, "error": error}));
        }
        Plan::Canceled => message.set("end", "CANCELLED"),
    }
    MESSAGES.put(workspace, &id, message.clone());
    Ok(told(&message, now))
}

/// All messages of a conversation, oldest first.
fn of(workspace: &Workspace, conversation: &str) -> Vec<Value> {
    let mut all = MESSAGES.all(workspace);
    all.retain(|message| message.text_at("conversation_id") == conversation);
    all
}

/// How far a message is.
fn status(message: &Value, now: i64) -> &str {
    let integer = |name| message.at(name).as_i64().unwrap_or(0);
    let phase = (now - integer("created_timestamp")) / integer("phase").max(1);
    // What needs no query skips the last two phases.
    let phases = if message.at("query").is_null() { PHASES.len() - 2 } else { PHASES.len() };
    let under_way = usize::try_from(phase).ok().filter(|phase| *phase < phases).and_then(|phase| PHASES.get(phase));
    under_way.copied().unwrap_or_else(|| message.text_at("end"))
}

fn told(message: &Value, now: i64) -> Value {
    let status = status(message, now);
    let mut json = message.clone().without(&["phase", "attachment", "end", "query", "text", "error", "result_is_back"]);
    json.set("status", status);
    if PHASES.contains(&status) {
        json.set("last_updated_timestamp", now);
        return json;
    }
    if !message.at("error").is_null() {
        json.set("error", message.at("error").clone());
    }
    let mut attachments = Vec::new();
    for kind in ["query", "text"] {
        if !message.at(kind).is_null() {
            let mut attachment = json!({"attachment_id": message.at("attachment")});
            attachment.set(kind, message.at(kind).clone());
            attachments.push(attachment);
        }
    }
    let questions = suggestions(message.text_at("space_id"), message.text_at("content"));
    if status == "COMPLETED" && !questions.is_empty() {
        let id = format!("{}s", message.text_at("attachment"));
        attachments.push(json!({"attachment_id": id, "suggested_questions": {"questions": questions}}));
    }
    if !attachments.is_empty() {
        json.set("attachments", attachments);
    }
    if status == "COMPLETED" && !message.at("query").is_null() {
        let query = message.at("query");
        let count = query.at("query_result_metadata").at("row_count");
        json.set(
            "query_result",
            json!({"statement_id": query.at("statement_id"), "row_count": count, "is_truncated": false}),
        );
    }
    json
}

/// The message that the path leads to, as it lies there.
fn found(workspace: &Workspace, request: &Request) -> Result<Value, ApiError> {
    SPACES.get(workspace, request.parameter("space_id"))?;
    let id = request.parameter("message_id");
    let message = MESSAGES.get(workspace, id)?;
    let is_here = |name| message.text_at(name) == request.parameter(name);
    if is_here("conversation_id") && is_here("space_id") { Ok(message) } else { Err((MESSAGES.missing)(id)) }
}

pub(super) fn get(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(told(&found(workspace, request)?, workspace.clock.now())))
}

pub(super) fn list(workspace: &Workspace, request: &Request) -> Outcome {
    super::conversation_of(workspace, request)?;
    let now = workspace.clock.now();
    let messages = of(workspace, request.parameter("conversation_id"));
    page::asked("messages", messages.iter().map(|message| told(message, now)).collect(), request, 20, 100)
}

pub(super) fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    found(workspace, request)?;
    MESSAGES.drop(workspace, request.parameter("message_id"))
}

pub(super) fn feedback(workspace: &Workspace, request: &Request) -> Outcome {
    let message = found(workspace, request)?;
    let feedback = Value::Object(request.fields()?.0);
    MESSAGES.change(workspace, message.text_at("id"), |message| {
        message.set("feedback", feedback);
        Ok(Reply::nothing())
    })
}

/// A follow-up question.
pub(super) fn ask(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let conversation = super::conversation_of(&workspace, &request)?;
        let id = conversation.text_at("conversation_id");
        let fields = request.fields()?;
        add(&workspace, request.parameter("space_id"), id, fields.required_text("content")?).await.map(Reply::json)
    })
}

/// The message's statement, where it has one and the path names its attachment or none.
fn statement(workspace: &Workspace, request: &Request) -> Result<(Value, String), ApiError> {
    let message = found(workspace, request)?;
    let wanted = request.parameter("attachment_id");
    let statement = message.at("query").text_at("statement_id").to_owned();
    if statement.is_empty() || !wanted.is_empty() && wanted != message.text_at("attachment") {
        return Err(ApiError::does_not_exist(format!("Attachment {wanted} has no query.")));
    }
    if PHASES.contains(&status(&message, workspace.clock.now())) {
        return Err(ApiError::invalid_state("The message is not answered yet: wait until its status is COMPLETED"));
    }
    Ok((message, statement))
}

pub(super) fn query_result(workspace: &Workspace, request: &Request) -> Outcome {
    let (message, statement) = statement(workspace, request)?;
    if message.text_at("end") == "QUERY_RESULT_EXPIRED" {
        return Err(ApiError::invalid_state("The query result has expired: execute the query of the attachment again"));
    }
    Ok(Reply::json(json!({"statement_response": statements::told(workspace, &statement)?})))
}

/// Runs the query of an attachment again.
pub(super) fn execute(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let (message, _) = statement(&workspace, &request)?;
        let sql = message.at("query").text_at("query");
        let (statement, count, _) = run(&workspace, message.text_at("space_id"), sql).await?;
        MESSAGES.change(&workspace, message.text_at("id"), |message| {
            if let Some(query) = message.get_mut("query") {
                query.set("statement_id", statement.clone());
                query.set("query_result_metadata", json!({"row_count": count, "is_truncated": false}));
            }
            if message.text_at("end") == "QUERY_RESULT_EXPIRED" {
                message.set("end", "COMPLETED");
            }
            Ok(())
        })?;
        Ok(Reply::json(json!({"statement_response": statements::told(&workspace, &statement)?})))
    })
}

/// Forgets what belongs to a conversation.
pub(super) fn forget(workspace: &Workspace, conversation: &str) {
    MESSAGES.remove_all(workspace, |message| message.text_at("conversation_id") == conversation);
}

/// Begins a conversation with a question.
pub(super) fn begin(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let space = request.parameter("space_id");
        SPACES.get(&workspace, space)?;
        let fields = request.fields()?;
        let content = fields.required_text("content")?;
        let (id, now) = (id(&workspace), workspace.clock.now());
        let conversation = json!({"id": id, "conversation_id": id, "space_id": space, "user_id": USER_ID, "title": content,
            "created_timestamp": now, "last_updated_timestamp": now});
        CONVERSATIONS.put(&workspace, &id, conversation.clone());
        let message = add(&workspace, space, &id, content).await?;
        Ok(Reply::json(
            json!({"conversation_id": id, "message_id": message.at("id"), "conversation": conversation, "message": message}),
        ))
    })
}
