//! The rows of a query that Genie wrote.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use databricks::requests::dashboards::genie::{ExecuteMessageAttachmentQuery, GetMessageAttachmentQueryResult};
use databricks::types::{StatementResponse, StatementState};
use serde_json::{Value, json};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::domain::request;
use crate::domain::sql::statement;
use crate::domain::wait::{PollState, Wait, watch};
use crate::error::Error;

/// Which message of which conversation.
#[derive(Debug)]
pub(crate) struct MessageId {
    pub(crate) space: String,
    pub(crate) conversation: String,
    pub(crate) message: String,
}

/// Waits for the rows. Only a query whose rows are not there any more is run again, and only once.
pub(crate) async fn rows(
    context: &Context,
    id: &MessageId,
    attachment: &str,
    is_expired: bool,
    wait: &mut Wait,
) -> Result<Value, Error> {
    let MessageId { space, conversation, message } = id;
    let (is_gone, was_run_again) = (AtomicBool::new(is_expired), AtomicBool::new(false));
    let poll = || {
        let again = is_gone.load(Relaxed) && !was_run_again.swap(true, Relaxed);
        async move {
            let answer = if again {
                context.send(ExecuteMessageAttachmentQuery::new(space, conversation, message, attachment)).await
            } else {
                context.send(GetMessageAttachmentQueryResult::new(space, conversation, message, attachment)).await
            };
            read(answer?)
        }
    };
    let is_over = |response: &StatementResponse| match statement::state(response) {
        StatementState::Closed => statement::has_result(response) || was_run_again.load(Relaxed),
        state => !statement::is_open(&state),
    };
    let look = |response: &StatementResponse| {
        let is_over = is_over(response);
        let state = statement::state(response);
        is_gone.store(state == StatementState::Closed && !is_over, Relaxed);
        PollState { state: state.to_string(), done: None, is_over }
    };
    let response = watch(context, "the query of the answer", wait, poll, look).await?;
    if !is_over(&response) {
        return Err(Error::failed("the query was still running when the time was up").with_hint(
            "pass `conversation_id` and `message_id` to `ask_genie`, without `question`, to keep waiting for its rows",
        ));
    }
    statement::finish(context, response, 0, Cursor::default()).await
}

/// The statement of an answer, with its rows in the form that all statements have.
fn read(answer: Value) -> Result<StatementResponse, Error> {
    let mut response = match answer {
        Value::Object(mut answer) => answer.remove("statement_response").unwrap_or_else(|| json!({})),
        _ => json!({}),
    };
    if let Some(result) = response.get_mut("result").and_then(Value::as_object_mut)
        && let Some(typed) = result.remove("data_typed_array")
        && !result.contains_key("data_array")
    {
        result.insert("data_array".to_owned(), untyped(&typed));
    }
    serde_json::from_value(response)
        .map_err(|error| Error::failed(format!("the rows of the query cannot be read: {error}")))
}

/// Genie also gives each cell as an object with its text: `{ "values": [{ "str": "1" }, {}] }` is a row of `1` and
/// NULL.
fn untyped(rows: &Value) -> Value {
    let cell = |cell: &Value| match cell {
        Value::Object(cell) => cell.values().find(|value| !value.is_null()).map_or(Value::Null, text),
        cell => text(cell),
    };
    let row = |row: &Value| -> Value {
        match row {
            Value::Array(cells) => cells.iter().map(cell).collect(),
            row => request::array(row, "values").iter().map(cell).collect(),
        }
    };
    rows.as_array().into_iter().flatten().map(row).collect()
}

fn text(value: &Value) -> Value {
    match value {
        Value::String(_) | Value::Null => value.clone(),
        other => Value::String(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn typed_cells_become_text() {
        let typed = json!([{ "values": [{ "str": "a" }, {}, { "str": null }] }, { "values": [{ "str": "" }, { "i64": 7 }, null] }]);
        let answer = json!({ "statement_response": { "statement_id": "s", "result": { "data_typed_array": typed } } });
        let rows = read(answer).expect("a statement").result.expect("a result").data_array;
        assert_eq!(json!(rows), json!([["a", null, null], ["", "7", null]]));
    }

    #[test]
    fn an_answer_without_a_statement_is_one_that_has_yet_to_begin() {
        assert!(read(json!(null)).expect("a statement").status.is_none());
        read(json!({ "statement_response": { "result": { "data_array": 7 } } })).expect_err("no rows");
    }
}
