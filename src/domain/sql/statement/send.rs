//! Sending a statement: a query may be sent again, anything else is sent once. A statement whose answer is lost is looked
//! for in the query history, by a tag that no other statement has.

use std::time::Duration;

use databricks::requests::sql::query_history;
use databricks::requests::sql::statement_execution::ExecuteStatement;
use databricks::types::{QueryTag, StatementResponse};
use databricks::{Client, Request};
use serde_json::{Value, json};

use crate::domain::request;
use crate::error::Error;

/// The key of the tag.
const TAG: &str = "mcp_statement";
/// A statement may still be on its way into the history when its answer is lost: how long before each look.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1_500)];
/// Statements of the warehouse that are looked through, newest first.
const MOST_STATEMENTS: i64 = 200;
/// A look that fails is tried again for so long.
const RETRY_BUDGET: Duration = Duration::from_secs(3);

/// Sends a statement to a warehouse, and gives its first answer; of one that was only found in the history, just the id.
/// `looking` looks there, also for a call that has been given up: only then is it known what to undo.
pub(super) async fn send(
    client: &Client,
    looking: &Client,
    request: ExecuteStatement,
    warehouse: &str,
    is_query: bool,
) -> Result<StatementResponse, Error> {
    let tag = uuid::Uuid::new_v4().to_string();
    let tags = vec![QueryTag { key: TAG.to_owned(), value: Some(tag.clone()) }];
    let error = match execute(client, request.query_tags(tags).idempotent(is_query)).await {
        Ok(statement) => return Ok(statement),
        Err(error) if error.may_have_happened() => error,
        Err(error) => return Err(error),
    };
    match find(looking, warehouse, &tag).await {
        Ok(Some(id)) => Ok(StatementResponse { statement_id: Some(id), manifest: None, result: None, status: None }),
        // Nothing is lost by asking again.
        Ok(None) | Err(_) if is_query => Err(error.without_effect()),
        Ok(None) => Err(error.with_outcome(
            "the statement does not seem to have run: the query history does not show it; check once more with \
             `list_query_history` before you send it again",
        )),
        Err(unseen) => Err(error.with_outcome(format!(
            "the statement may have run, but the query history cannot be read ({}): look with `list_query_history` \
             for the query tag `{TAG}` = `{tag}` before you send it again",
            unseen.message()
        ))),
    }
}

async fn execute(client: &Client, request: ExecuteStatement) -> Result<StatementResponse, Error> {
    let statement = client.send(request).await?;
    match statement.statement_id.as_deref() {
        None | Some("") => Err(Error::unclear("the answer names no statement")),
        Some(_) => Ok(statement),
    }
}

/// The id of the statement with this tag.
async fn find(client: &Client, warehouse: &str, tag: &str) -> Result<Option<String>, Error> {
    let is_it = |query: &&Value| {
        request::array(query, "query_tags").iter().any(|told| request::text(told, "value") == Some(tag))
    };
    for pause in PAUSES {
        tokio::time::sleep(pause).await;
        let request = query_history::List::new()
            .filter_by(json!({ "warehouse_ids": [warehouse] }))
            .max_results(MOST_STATEMENTS)
            .with_retry_budget(RETRY_BUDGET);
        let answer = client.send(request).await?;
        if let Some(id) =
            request::array(&answer, "res").iter().find(is_it).and_then(|query| request::text(query, "query_id"))
        {
            return Ok(Some(id.to_owned()));
        }
    }
    Ok(None)
}
