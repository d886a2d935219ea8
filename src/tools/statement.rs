//! SQL statements: waiting for one, and its rows from any point on.

use std::time::Duration;

use databricks::api::types::{ColumnInfo, ResultData, StatementResponse, StatementState};
use serde_json::{Value, json};

use super::wait::Wait;
use crate::context::Context;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::shape::{self, Budget};

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Waits for a statement and gives its rows, from the cursor on; if it still runs when the time is up, says
/// how to go on.
pub(crate) async fn finish(
    context: &Context,
    mut statement: StatementResponse,
    seconds: u64,
    cursor: Cursor,
) -> Result<Value, Error> {
    let id = statement.statement_id.clone().unwrap_or_default();
    let mut wait = Wait::new(seconds, LONGEST_PAUSE);
    let mut reported = None;
    loop {
        let status = statement.status.clone().unwrap_or_default();
        if reported != status.state {
            let state = status.state.as_ref().map(ToString::to_string).unwrap_or_default();
            context.progress.report(format!("statement {id}: {state} after {} s", wait.elapsed().as_secs()));
            reported.clone_from(&status.state);
        }
        match status.state {
            Some(StatementState::Succeeded) => return rows(context, &id, statement, cursor).await,
            Some(StatementState::Pending | StatementState::Running) | None => {}
            Some(StatementState::Closed) => {
                let message = format!("the result of statement `{id}` is gone: results are kept for an hour at most");
                return Err(Error::failed(message).with_hint("run the statement again with `execute_sql`"));
            }
            Some(state) => return Err(failure(&id, &state, &statement)),
        }
        if !wait.pause().await {
            let state = status.state.map_or_else(|| "PENDING".to_owned(), |state| state.to_string());
            return Ok(json!({
                "statement_id": id,
                "state": state,
                "still_running": true,
                "hint": "it goes on; pass `statement_id` to `get_sql_result`, or stop it with `cancel_sql`",
            }));
        }
        statement = get(context, &id).await?;
    }
}

/// The state of a statement, with its first rows if it succeeded.
pub(crate) async fn get(context: &Context, id: &str) -> Result<StatementResponse, Error> {
    let answer = context.client.api().sql_statement_execution_get_statement(id).await;
    Ok(answer.map_err(databricks::Error::from)?.into_inner())
}

fn failure(id: &str, state: &StatementState, statement: &StatementResponse) -> Error {
    let status = statement.status.clone().unwrap_or_default();
    let error = status.error.unwrap_or_default();
    let code = error.error_code.map(|code| format!(" `{code}`")).unwrap_or_default();
    let sql_state = status.sql_state.map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default();
    let message = error.message.unwrap_or_default();
    let failed = Error::failed(format!("statement `{id}` is {state}{code}{sql_state}: {}", message.trim()));
    if message.contains("TABLE_OR_VIEW_NOT_FOUND") || message.contains("SCHEMA_NOT_FOUND") {
        return failed.with_hint("name tables as `catalog.schema.table`; see what exists with `list_tables`");
    }
    if message.contains("UNRESOLVED_COLUMN") {
        return failed.with_hint("see the columns with `get_table_schema`");
    }
    failed
}

async fn rows(context: &Context, id: &str, statement: StatementResponse, cursor: Cursor) -> Result<Value, Error> {
    let manifest = statement.manifest.unwrap_or_default();
    let columns = manifest.schema.unwrap_or_default().columns;
    let mut chunk = match cursor.page.as_deref().map(str::parse::<i64>) {
        None => statement.result.unwrap_or_default(),
        Some(Ok(index)) => self::chunk(context, id, index).await?,
        Some(Err(_)) => return Err(Error::bad_page_token()),
    };
    let mut budget = Budget { characters: context.budget.characters.saturating_sub(100 * columns.len() + 400) };
    let (mut rows, mut skip, mut cuts) = (Vec::new(), cursor.skip, Vec::new());
    let next = loop {
        let index = chunk.chunk_index.unwrap_or_default();
        let left = chunk.data_array.len().saturating_sub(skip);
        let cells = chunk.data_array.iter().skip(skip).map(|row| typed(&columns, row));
        let page = shape::page(cells, budget);
        // A row that is too large alone is cut only where no other row was given before it.
        if !page.cuts.is_empty() && !rows.is_empty() {
            break Some((index, skip));
        }
        let used: usize = page.items.iter().map(|row| row.to_string().chars().count() + 1).sum();
        budget.characters = budget.characters.saturating_sub(used);
        rows.extend(page.items);
        cuts.extend(page.cuts);
        if page.taken < left {
            break Some((index, skip + page.taken));
        }
        match chunk.next_chunk_index {
            Some(next) if budget.characters > 0 => chunk = self::chunk(context, id, next).await?,
            Some(next) => break Some((next, 0)),
            None => break None,
        }
        skip = 0;
    };
    let names = columns.iter().map(|column| json!({ "name": column.name, "type": column.type_text }));
    let mut answer = json!({
        "statement_id": id,
        "state": "SUCCEEDED",
        "columns": names.collect::<Vec<_>>(),
        "returned": rows.len(),
        "rows": rows,
        "total_rows": manifest.total_row_count.unwrap_or_default(),
        "truncated": next.is_some() || manifest.truncated.unwrap_or_default(),
    });
    shape::notice(&mut answer, cuts, "select fewer or shorter columns");
    if let Some((index, skip)) = next {
        let cursor = Cursor { page: Some(index.to_string()), skip, ..Cursor::default() };
        shape::put(&mut answer, "next_page_token", cursor.encode());
        shape::put(
            &mut answer,
            "hint",
            "more rows: pass `statement_id` and `page_token` to `get_sql_result`, or select less",
        );
    } else if manifest.truncated.unwrap_or_default() {
        shape::put(&mut answer, "hint", "the row or byte limit cut the result; raise `row_limit` or select less");
    }
    Ok(answer)
}

async fn chunk(context: &Context, id: &str, index: i64) -> Result<ResultData, Error> {
    let index = i32::try_from(index).map_err(|_| Error::bad_page_token())?;
    let answer = context.client.api().sql_statement_execution_get_statement_result_chunk_n(id, index.into()).await;
    Ok(answer.map_err(databricks::Error::from)?.into_inner())
}

/// A row in JSON types: the API gives every cell as text.
fn typed(columns: &[ColumnInfo], row: &[Option<String>]) -> Value {
    let cells = row.iter().enumerate().map(|(index, cell)| {
        let Some(text) = cell else { return Value::Null };
        let name = columns.get(index).and_then(|column| column.type_name.as_ref()).map(ToString::to_string);
        let parsed = match name.as_deref() {
            Some("BYTE" | "SHORT" | "INT" | "LONG") => text.parse::<i64>().ok().map(Value::from),
            Some("FLOAT" | "DOUBLE") => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
            Some("BOOLEAN") => text.parse::<bool>().ok().map(Value::from),
            _ => None,
        };
        let mut cell = parsed.unwrap_or_else(|| Value::String(text.clone()));
        shape::exact(&mut cell);
        cell
    });
    cells.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::typed;

    #[test]
    fn cells_get_their_json_types_and_lose_nothing() {
        let names = ["LONG", "LONG", "DOUBLE", "DOUBLE", "BOOLEAN", "DECIMAL", "STRING", "DATE", "INT"];
        let columns: Vec<_> =
            names.iter().map(|name| serde_json::from_value(json!({ "type_name": name })).expect("a column")).collect();
        let texts = ["1", "9007199254740993", "1.5", "NaN", "true", "12.340", "007", "2026-01-31", "x"]
            .map(|text| Some(text.to_owned()));
        assert_eq!(
            typed(&columns, &texts),
            json!([1, "9007199254740993", 1.5, "NaN", true, "12.340", "007", "2026-01-31", "x"])
        );
        assert_eq!(typed(&columns, &[None, Some("2".into())]), json!([null, 2]));
    }
}
