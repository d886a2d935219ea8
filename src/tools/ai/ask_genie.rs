//! `ask_genie`: a question in plain words to a Genie space, with the SQL of the answer and its rows. The API cannot
//! withdraw a question, so Genie answers it even if the call is cancelled.

use std::time::Duration;

use databricks::requests::dashboards::genie;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cleanup::Lasting;
use crate::context::Context;
use crate::definition::Composite;
use crate::domain::genie::MessageId;
use crate::domain::request::{integer, text};
use crate::domain::wait::{PollState, Timeout, Wait, watch};
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, one_of: ["question", "message_id"]);

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Id of the space, from `list_genie_spaces`.
    space_id: String,
    /// The question; unset to keep waiting for `message_id`.
    question: Option<String>,
    /// Conversation to continue, from an answer; a new one if unset.
    conversation_id: Option<String>,
    /// Message to wait for, from a `still_running` answer.
    message_id: Option<String>,
    /// Time to wait; after it Genie keeps working.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let seconds = input.timeout_seconds.seconds();
    let place = find_message(&context, input).await?;
    let mut wait = Wait::new(seconds, LONGEST_PAUSE);
    let MessageId { space, conversation, message } = &place;
    let poll = || context.send(genie::GetMessage::new(space, conversation, message));
    let look = |message: &Value| {
        let status = status(message).to_owned();
        let is_over = matches!(status.as_str(), "COMPLETED" | "QUERY_RESULT_EXPIRED" | "FAILED" | "CANCELLED");
        PollState { state: status, done: None, is_over }
    };
    let question = Lasting::new(format!("message {message} of Genie conversation {conversation}"));
    let message = watch(&context, "Genie", &mut wait, poll, look).await;
    question.settle();
    let message = message.map_err(|error| {
        let MessageId { conversation, message, .. } = &place;
        error.after(format!("Genie has the question (`message_id` {message}, `conversation_id` {conversation})"))
    })?;
    match status(&message) {
        // An expired result is there again once its query is.
        "COMPLETED" | "QUERY_RESULT_EXPIRED" => answer(&context, &place, &message, &mut wait).await,
        status @ ("FAILED" | "CANCELLED") => Err(failure(&place, status, &message)),
        status => Ok(json!({
            "conversation_id": place.conversation, "message_id": place.message, "status": status,
            "page_url": page(&context, &place), "still_running": true,
            "hint": "Genie is still working; pass `conversation_id` and `message_id` to `ask_genie`, without \
                     `question`",
        })),
    }
}

/// The page of the space, where its conversations are.
fn page(context: &Context, place: &MessageId) -> String {
    format!("{}/genie/rooms/{}", context.client.host(), place.space)
}

fn status(message: &Value) -> &str {
    text(message, "status").unwrap_or("SUBMITTED")
}

/// Puts the question, or finds the message that is asked for.
async fn find_message(context: &Context, input: Input) -> Result<MessageId, Error> {
    let Input { space_id: space, question, conversation_id, message_id, .. } = input;
    let (answer, conversation) = match (question, conversation_id, message_id) {
        (None, Some(conversation), Some(message)) => return Ok(MessageId { space, conversation, message }),
        (Some(question), None, None) => (context.send(genie::StartConversation::new(&space, question)).await?, None),
        (Some(question), Some(conversation), None) => {
            (context.send(genie::CreateMessage::new(&space, &conversation, question)).await?, Some(conversation))
        }
        _ => {
            return Err(Error::failed("there is neither a question nor a message to wait for").with_hint(
                "give `question`, with `conversation_id` to follow up; or, to keep waiting, `conversation_id` and \
                 `message_id` without `question`",
            ));
        }
    };
    let conversation = conversation.or_else(|| text(&answer, "conversation_id").map(str::to_owned));
    let message = text(&answer, "message_id").or_else(|| text(&answer, "id")).map(str::to_owned);
    match (conversation, message) {
        (Some(conversation), Some(message)) => Ok(MessageId { space, conversation, message }),
        _ => Err(Error::unclear("Genie accepted the question but named no message to wait for")
            .with_hint("look for its answer on the space's page, or query with `execute_sql`")),
    }
}

fn failure(place: &MessageId, status: &str, message: &Value) -> Error {
    let error = message.get("error").cloned().unwrap_or_default();
    let kind = text(&error, "type").map(|kind| format!(" `{kind}`")).unwrap_or_default();
    let reason = text(&error, "error").unwrap_or("Genie gives no reason");
    let MessageId { conversation, message: id, .. } = place;
    let failed = format!("message `{id}` of conversation `{conversation}` is {status}{kind}: {reason}");
    // A query that does not run can be mended by whoever sees it.
    let queries = message.get("attachments").and_then(Value::as_array).into_iter().flatten();
    let sql: String = queries
        .filter_map(|attachment| shape::at(attachment, "query.query")?.as_str())
        .map(|sql| format!("\nits SQL: {sql}"))
        .collect();
    Error::failed(format!("{failed}{sql}")).with_hint(advice(
        text(&error, "type").unwrap_or_default(),
        status == "CANCELLED",
        !sql.is_empty(),
    ))
}

/// What to do about a failure of this type; there are about sixty.
fn advice(kind: &str, is_cancelled: bool, has_sql: bool) -> &'static str {
    let is = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    if is(&["RATE_LIMIT"]) {
        "wait a minute, then ask again"
    } else if is(&["WAREHOUSE"]) {
        "the space's warehouse cannot be used: see `list_warehouses`, or query on another with `execute_sql`"
    } else if is(&["TABLES_MISSING", "NO_TABLES", "UC_SCHEMA", "UNKNOWN_TABLE", "TABLE_IDENTIFIER"]) {
        "the space's tables are gone or may not be read: see `search_tables` and `get_effective_grants`"
    } else if is_cancelled || is(&["_WHILE_EXECUTING", "AUTO_REGENERATE"]) {
        "somebody cancelled it; ask again if the answer is still wanted"
    } else if is(&["MULTIPLE_EXECUTIONS"]) {
        "another question of this conversation is being answered: wait for it, or leave out `conversation_id`"
    } else if is(&["CONTEXT_EXCEEDED", "MAX_TOKEN", "TOO_LONG", "TOO_MANY_TABLES"]) {
        "the question is too large: ask for less, in a new conversation, without `conversation_id`"
    } else if has_sql {
        "correct the SQL and run it with `execute_sql`, or ask in other words"
    } else if is(&[
        "TIMEOUT",
        "NETWORK",
        "RETRYABLE",
        "CHAT_COMPLETION",
        "UNEXPECTED",
        "DEPLOYMENT",
        "SQL_EXEC_API_CALL",
    ]) {
        "the service failed, not the question: ask again later"
    } else if is(&["CERTIFIED_ANSWER", "INTERNAL_CATALOG", "FUNCTIONS_NOT_AVAILABLE", "AI_MODEL", "UNSUPPORTED"]) {
        "the space is not set up for it: tell its owner, or query with `execute_sql`"
    } else {
        "ask in other words, or query with `execute_sql`"
    }
}

/// What Genie said: texts, and of each query the SQL with its rows.
async fn answer(context: &Context, place: &MessageId, message: &Value, wait: &mut Wait) -> Result<Value, Error> {
    let mut answer = json!({ "conversation_id": place.conversation, "message_id": place.message });
    let times = integer(message, "created_timestamp").zip(integer(message, "last_updated_timestamp"));
    if let Some(duration) = times.map(|(from, to)| to - from).filter(|duration| *duration >= 0) {
        shape::put(&mut answer, "duration_ms", duration);
    }
    shape::put(&mut answer, "page_url", page(context, place));
    let is_expired = text(message, "status") == Some("QUERY_RESULT_EXPIRED");
    let attachments = message.get("attachments").and_then(Value::as_array).into_iter().flatten();
    let (mut texts, mut queries, mut questions) = (Vec::new(), Vec::new(), Vec::new());
    for attachment in attachments {
        if let Some(said) = shape::at(attachment, "text.content") {
            texts.push(said.clone());
        }
        if let Some(suggested) = shape::at(attachment, "suggested_questions.questions").and_then(Value::as_array) {
            questions.extend(suggested.iter().cloned());
        }
        if let Some(query) = attachment.get("query") {
            let mut told = json!({ "sql": query.get("query"), "description": query.get("description") });
            let id = text(attachment, "attachment_id").unwrap_or_default();
            // The SQL is worth having even where its rows cannot be had.
            match crate::domain::genie::rows(context, place, id, is_expired, wait).await {
                Ok(rows) => shape::put(&mut told, "result", rows),
                Err(error) => shape::put(&mut told, "result_error", error.to_string()),
            }
            queries.push(told);
        }
    }
    for (name, list) in [("text", texts), ("queries", queries), ("suggested_questions", questions)] {
        if !list.is_empty() {
            shape::put(&mut answer, name, list);
        }
    }
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "run the SQL with `execute_sql` to page through all rows");
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn each_kind_of_failure_has_its_advice() {
        let words = |kind| advice(kind, false, false);
        for (kinds, expected) in [
            (&["RATE_LIMIT_EXCEEDED_SPECIFIED_WAIT_EXCEPTION"][..], "wait a minute"),
            (&["WAREHOUSE_NOT_FOUND_EXCEPTION"], "`list_warehouses`"),
            (&["NO_TABLES_TO_QUERY_EXCEPTION", "INVALID_SQL_UNKNOWN_TABLE_EXCEPTION"], "`search_tables`"),
            (&["COULD_NOT_GET_UC_SCHEMA_EXCEPTION", "INVALID_TABLE_IDENTIFIER_EXCEPTION"], "`search_tables`"),
            (&["MESSAGE_DELETED_WHILE_EXECUTING_EXCEPTION", "STOP_PROCESS_DUE_TO_AUTO_REGENERATE"], "still wanted"),
            (&["BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION"], "wait for it"),
            (&["LOCAL_CONTEXT_EXCEEDED_EXCEPTION", "EXCEEDED_MAX_TOKEN_LENGTH_EXCEPTION"], "new conversation"),
            (&["GENERATED_SQL_QUERY_TOO_LONG_EXCEPTION", "TOO_MANY_TABLES_EXCEPTION"], "new conversation"),
            (&["REPLY_PROCESS_TIMEOUT_EXCEPTION", "RETRYABLE_PROCESSING_EXCEPTION"], "later"),
            (&["GENERIC_CHAT_COMPLETION_EXCEPTION", "NO_DEPLOYMENTS_AVAILABLE_TO_WORKSPACE"], "later"),
            (&["TOO_MANY_CERTIFIED_ANSWERS_EXCEPTION", "UNKNOWN_AI_MODEL"], "its owner"),
            (&["CONTENT_FILTER_EXCEPTION", "A_NEW_ONE", ""], "in other words"),
        ] {
            for kind in kinds {
                assert!(words(kind).contains(expected), "{kind}: {}", words(kind));
            }
        }
        assert!(advice("SQL_EXECUTION_EXCEPTION", false, true).contains("correct the SQL"));
        assert!(advice("", true, false).contains("somebody cancelled it"));
    }
}
