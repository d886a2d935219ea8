//! `cancel_sql`: cancels a statement and checks whether it has ended.

use databricks::types::{StatementResponse, StatementState};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::sql::statement;
use crate::domain::wait::{PollState, Wait, watch};
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// How long it takes, at the most, to see a cancel take effect.
const SECONDS: u64 = 10;
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Statement id, from `execute_sql` or `list_query_history` (`query_id`).
    statement_id: String,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let id = input.statement_id;
    let before = statement::state(&statement::get(&context, &id).await?);
    if !statement::is_open(&before) {
        let hint = "it had already ended, so there was nothing to cancel";
        return Ok(json!({ "statement_id": id, "state": before, "hint": hint }));
    }
    statement::cancel(&context.client, &id).await?;
    let look = |statement: &StatementResponse| {
        let state = statement::state(statement);
        PollState { state: state.to_string(), done: None, is_over: !statement::is_open(&state) }
    };
    let name = format!("statement {id}");
    let mut wait = Wait::new(SECONDS, LONGEST_PAUSE);
    let after = watch(&context, &name, &mut wait, || statement::get(&context, &id), look).await;
    let now = statement::state(&after.map_err(|error| error.after(format!("{name}: cancellation requested")))?);
    let mut answer = json!({ "statement_id": id, "state": now });
    if statement::is_open(&now) {
        shape::put(&mut answer, "still_running", true);
        shape::put(
            &mut answer,
            "hint",
            "the cancellation was accepted but has not taken effect yet; see \
                                         `get_sql_result`",
        );
    } else if now == StatementState::Succeeded {
        shape::put(&mut answer, "hint", "it ended before the cancellation reached it; its effects stay");
    }
    Ok(answer)
}
