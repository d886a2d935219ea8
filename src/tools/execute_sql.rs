//! `execute_sql`: runs one statement on a SQL warehouse, waits, and gives its rows.

use databricks::api::types::{
    Disposition, EndpointInfo, ExecuteStatementRequestOnWaitTimeout, Format, SqlStatementExecutionExecuteStatementBody,
    StatementParameterListItem, StatementResponse,
};
use databricks::{Arguments, Location, operations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Composite, input, input_schema, read_only_sql, statement};
use crate::cleanup::Guard;
use crate::context::Context;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

/// The API waits this long within the request, the least that it takes besides 0. Most statements are done by
/// then; one that is not can be cancelled only once its id is known.
const SERVER_WAIT: u64 = 5;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// One SQL statement in Databricks SQL; values as named markers, e.g. `WHERE day = :day`.
    statement: String,
    /// Values of the named markers.
    #[serde(default)]
    parameters: Vec<Parameter>,
    /// Catalog for names without one, from `list_catalogs`.
    catalog: Option<String>,
    /// Schema for names without one, from `list_schemas`.
    schema: Option<String>,
    /// SQL warehouse, from `list_warehouses`; if unset, the configured one or one that runs.
    warehouse_id: Option<String>,
    /// Most rows the statement may give.
    #[schemars(range(min = 1))]
    row_limit: Option<i64>,
    /// Refuse everything but queries.
    #[serde(default)]
    read_only: bool,
    /// Time to wait; after it the statement goes on and its id is returned.
    #[serde(default = "super::wait::default_seconds")]
    #[schemars(range(min = 0, max = 600))]
    timeout_seconds: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Parameter {
    /// Name of the marker without `:`.
    name: String,
    /// Value as text; unset = NULL.
    value: Option<String>,
    /// SQL type such as `DATE` or `INT`; `STRING` if unset.
    r#type: Option<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    if context.read_only || input.read_only {
        read_only_sql::check(&input.statement)?;
    }
    let warehouse_id = match input.warehouse_id.or_else(|| context.warehouse_id.clone()) {
        Some(id) => id,
        None => choose_warehouse(&context).await?,
    };
    let server_wait = if input.timeout_seconds < SERVER_WAIT { 0 } else { SERVER_WAIT };
    let parameters = input.parameters.into_iter().map(|parameter| StatementParameterListItem {
        name: parameter.name,
        value: parameter.value,
        type_: parameter.r#type,
    });
    let body = SqlStatementExecutionExecuteStatementBody {
        byte_limit: None,
        catalog: input.catalog,
        disposition: Some(Disposition::Inline),
        format: Some(Format::JsonArray),
        on_wait_timeout: Some(ExecuteStatementRequestOnWaitTimeout::Continue),
        parameters: parameters.collect(),
        query_tags: Vec::new(),
        row_limit: input.row_limit,
        schema: input.schema,
        statement: input.statement,
        wait_timeout: Some(format!("{server_wait}s")),
        warehouse_id: warehouse_id.clone(),
    };
    let (statement, guard) = start(&context, body).await?;
    let left = input.timeout_seconds.saturating_sub(server_wait);
    let answer = statement::finish(&context, statement, left, Cursor::default()).await;
    guard.keep();
    let mut answer = answer?;
    shape::put(&mut answer, "warehouse_id", warehouse_id);
    Ok(answer)
}

/// Executes the statement; it is cancelled if this call is, but not if the time is up.
async fn start(
    context: &Context,
    body: SqlStatementExecutionExecuteStatementBody,
) -> Result<(StatementResponse, Guard), Error> {
    let (starting, undoing) = (context.client.clone(), context.client.clone());
    let start = async move {
        let answer = starting.api().sql_statement_execution_execute_statement(&body).await;
        let statement = answer.map_err(databricks::Error::from)?.into_inner();
        Ok((statement.statement_id.clone().unwrap_or_default(), statement))
    };
    let undo = move |id: String| async move {
        let request = Arguments::new().with(Location::Path, "statement_id", id).idempotent(true);
        undoing.execute(&operations::SQL_STATEMENT_EXECUTION_CANCEL_EXECUTION, request).await.map(drop)
    };
    context.cleanup.start(start, undo).await
}

/// The warehouse that answers soonest.
async fn choose_warehouse(context: &Context) -> Result<String, Error> {
    warehouses(context).await?.into_iter().find_map(|warehouse| warehouse.id).ok_or_else(|| {
        Error::failed("there is no SQL warehouse that you may use").with_hint(
            "ask for CAN USE on one, or name one in `warehouse_id` or in the variable DATABRICKS_WAREHOUSE_ID",
        )
    })
}

/// The warehouses in the order in which they are chosen: one that runs, else one that starts, else one that can be
/// started.
pub(crate) async fn warehouses(context: &Context) -> Result<Vec<EndpointInfo>, Error> {
    let answer = context.client.api().sql_warehouses_list(None, None, None).await;
    let mut warehouses = answer.map_err(databricks::Error::from)?.into_inner().warehouses;
    warehouses.sort_by_cached_key(|warehouse| {
        let state = warehouse.state.as_ref().map(ToString::to_string).unwrap_or_default();
        let order = ["RUNNING", "STARTING", "STOPPED", "STOPPING"];
        let rank = order.iter().position(|known| *known == state).unwrap_or(order.len());
        (rank, warehouse.name.clone())
    });
    Ok(warehouses)
}
