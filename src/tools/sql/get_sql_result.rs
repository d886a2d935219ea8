//! `get_sql_result`: continues a statement by its id: waits for it or returns its next rows.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::{Composite, Work};
use crate::domain::sql::statement::{self, StatementHandle};
use crate::domain::wait::Timeout;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, work: WORK);

/// Who waits for a statement may not have started it, and ends no more than the wait.
static WORK: Work = work!(StatementHandle, look: statement::look);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Statement id, from `execute_sql` or `list_query_history`.
    statement_id: String,
    /// `next_page_token` of the last answer.
    page_token: Option<String>,
    /// Time to wait for a statement that is still running.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let cursor = match &input.page_token {
        Some(text) => Cursor::decode(text).ok_or_else(Error::bad_page_token)?,
        None => Cursor::default(),
    };
    statement::result(&context, &input.statement_id, input.timeout_seconds.seconds(), cursor).await
}
