//! `get_sql_result`: continues a statement by its id: waits for it or returns its next rows.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::Composite;
use crate::domain::sql::statement;
use crate::domain::sql::warehouse::Warehouse;
use crate::domain::wait::Timeout;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

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
    let id = &input.statement_id;
    let found = statement::get(&context, id).await?;
    let mut answer = statement::finish(&context, found, input.timeout_seconds.seconds(), cursor).await?;
    // What has yet to begin waits for its warehouse, which may never come up.
    if answer.get("state").is_some_and(|state| state == "PENDING")
        && let Some(warehouse) = Warehouse::of_statement(&context, id).await
    {
        warehouse.put(&mut answer);
        warehouse.excuse(&context, &mut answer).await;
    }
    Ok(answer)
}
