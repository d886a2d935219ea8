//! `ask_genie`: a question in plain words to a Genie space, with the SQL of the answer and its rows. The API cannot take
//! a question back, so one whose call is cancelled is answered all the same.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use databricks::api::types::{StatementResponse, StatementState};
use databricks::{Arguments, Location, operations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::rest::text;
use super::wait::{Stand, Wait, watch};
use super::{Composite, input, input_schema, statement};
use crate::context::Context;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Id of the space, from `list_genie_spaces`.
    space_id: String,
    /// The question; unset to go on waiting for `message_id`.
    question: Option<String>,
    /// Conversation to go on with, from an answer; a new one if unset.
    conversation_id: Option<String>,
    /// Message to wait for, from a `still_running` answer.
    message_id: Option<String>,
    /// Time to wait; after it Genie goes on.
    #[serde(default = "super::wait::default_seconds")]
    #[schemars(range(min = 0, max = 600))]
    timeout_seconds: u64,
}

/// Where a message is.
#[derive(Debug)]
struct Place {
    space: String,
    conversation: String,
    message: String,
}

impl Place {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with(Location::Path, "space_id", self.space.as_str())
            .with(Location::Path, "conversation_id", self.conversation.as_str())
            .with(Location::Path, "message_id", self.message.as_str())
    }
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let seconds = input.timeout_seconds;
    let place = asked(&context, input).await?;
    let mut wait = Wait::new(seconds, LONGEST_PAUSE);
    let poll = || context.json(&operations::DASHBOARDS_GENIE_GET_MESSAGE, place.arguments());
    let look = |message: &Value| {
        let status = status(message).to_owned();
        let is_over = matches!(status.as_str(), "COMPLETED" | "QUERY_RESULT_EXPIRED" | "FAILED" | "CANCELLED");
        Stand { state: status, done: None, is_over }
    };
    let message = watch(&context, "Genie", &mut wait, poll, look).await;
    let message = message.map_err(|error| {
        let Place { conversation, message, .. } = &place;
        error.after(format!("Genie has the question (`message_id` {message}, `conversation_id` {conversation})"))
    })?;
    match status(&message) {
        // An expired result is there again once its query is.
        "COMPLETED" | "QUERY_RESULT_EXPIRED" => answer(&context, &place, &message, &mut wait).await,
        status @ ("FAILED" | "CANCELLED") => Err(failure(&place, status, &message)),
        status => Ok(json!({
            "conversation_id": place.conversation, "message_id": place.message, "status": status,
            "still_running": true,
            "hint": "it goes on; pass `conversation_id` and `message_id` to `ask_genie`, without `question`",
        })),
    }
}

fn status(message: &Value) -> &str {
    text(message, "status").unwrap_or("SUBMITTED")
}

/// Puts the question, or finds the message that is asked for.
async fn asked(context: &Context, input: Input) -> Result<Place, Error> {
    let Input { space_id: space, question, conversation_id, message_id, .. } = input;
    let request = Arguments::new().with(Location::Path, "space_id", space.as_str());
    let (answer, conversation) = match (question, conversation_id, message_id) {
        (None, Some(conversation), Some(message)) => return Ok(Place { space, conversation, message }),
        (Some(question), None, None) => {
            let request = request.with(Location::Body, "content", question);
            let answer = context.json(&operations::DASHBOARDS_GENIE_START_CONVERSATION, request).await;
            (answer.map_err(unanswered)?, None)
        }
        (Some(question), Some(conversation), None) => {
            let request = request.with(Location::Path, "conversation_id", conversation.as_str()).with(
                Location::Body,
                "content",
                question,
            );
            let answer = context.json(&operations::DASHBOARDS_GENIE_CREATE_MESSAGE, request).await;
            (answer.map_err(unanswered)?, Some(conversation))
        }
        _ => {
            return Err(Error::failed(
                "give `question`, with `conversation_id` to follow up; or, to go on waiting, \
                                      `conversation_id` and `message_id` without `question`",
            ));
        }
    };
    let conversation = conversation.or_else(|| text(&answer, "conversation_id").map(str::to_owned));
    let message = text(&answer, "message_id").or_else(|| text(&answer, "id")).map(str::to_owned);
    match (conversation, message) {
        (Some(conversation), Some(message)) => Ok(Place { space, conversation, message }),
        _ => Err(Error::failed("the answer names no message")),
    }
}

/// The API takes no token that would make a second question harmless, so none is asked by itself.
fn unanswered(error: Error) -> Error {
    match error.may_have_happened() {
        true => error.with_hint("Genie may be at it nevertheless; to ask again asks a second time"),
        false => error,
    }
}

fn failure(place: &Place, status: &str, message: &Value) -> Error {
    let error = message.get("error").cloned().unwrap_or_default();
    let kind = text(&error, "type").map(|kind| format!(" `{kind}`")).unwrap_or_default();
    let reason = text(&error, "error").unwrap_or("Genie gives no reason");
    let Place { conversation, message: id, .. } = place;
    let failed = format!("message `{id}` of conversation `{conversation}` is {status}{kind}: {reason}");
    // A query that does not run can be mended by whoever sees it.
    let queries = message.get("attachments").and_then(Value::as_array).into_iter().flatten();
    let sql: String = queries
        .filter_map(|attachment| shape::at(attachment, "query.query")?.as_str())
        .map(|sql| format!("\nits SQL: {sql}"))
        .collect();
    Error::failed(format!("{failed}{sql}")).with_hint(match text(&error, "type").unwrap_or_default() {
        kind if kind.contains("RATE_LIMIT") => "wait a minute, then ask again",
        kind if kind.contains("WAREHOUSE") => {
            "the space's warehouse cannot be used: see `list_warehouses`, or query on another with `execute_sql`"
        }
        "TABLES_MISSING_EXCEPTION" | "NO_TABLES_TO_QUERY_EXCEPTION" => {
            "the space's tables are gone or may not be read: see `search_tables` and `get_effective_grants`"
        }
        _ if status == "CANCELLED" => "somebody cancelled it; ask again if the answer is still wanted",
        _ if !sql.is_empty() => "mend the SQL and run it with `execute_sql`, or ask in other words",
        _ => "ask in other words, or query with `execute_sql`",
    })
}

/// What Genie said: texts, and of each query the SQL with its rows.
async fn answer(context: &Context, place: &Place, message: &Value, wait: &mut Wait) -> Result<Value, Error> {
    let mut answer = json!({ "conversation_id": place.conversation, "message_id": place.message });
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
            match result(context, place, id, is_expired, wait).await {
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

/// The rows of a query; one whose result is gone is run again.
async fn result(
    context: &Context,
    place: &Place,
    attachment: &str,
    is_expired: bool,
    wait: &mut Wait,
) -> Result<Value, Error> {
    let request = &place.arguments().with(Location::Path, "attachment_id", attachment);
    let is_gone = AtomicBool::new(is_expired);
    let poll = || {
        let operation = match is_gone.load(Relaxed) {
            true => &operations::DASHBOARDS_GENIE_EXECUTE_MESSAGE_ATTACHMENT_QUERY,
            false => &operations::DASHBOARDS_GENIE_GET_MESSAGE_ATTACHMENT_QUERY_RESULT,
        };
        async move {
            let answer = context.json(operation, request.clone()).await?;
            let response = answer.get("statement_response").cloned().unwrap_or_default();
            serde_json::from_value(response).map_err(|error| Error::failed(format!("no result: {error}")))
        }
    };
    let is_over = |state: &StatementState| !statement::is_open(state) && *state != StatementState::Closed;
    let look = |response: &StatementResponse| {
        let state = statement::state(response);
        is_gone.store(state == StatementState::Closed, Relaxed);
        Stand { state: state.to_string(), done: None, is_over: is_over(&state) }
    };
    let response = watch(context, "the query of the answer", wait, poll, look).await?;
    if !is_over(&statement::state(&response)) {
        return Err(Error::failed("the query was still running when the time was up"));
    }
    statement::finish(context, response, 0, Cursor::default()).await
}
