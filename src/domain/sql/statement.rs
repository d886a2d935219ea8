//! SQL statements: starting one, waiting for it, and its result.

mod chunks;
mod rows;
mod save;
mod send;

use std::sync::Arc;
use std::time::Duration;

use databricks::requests::sql::statement_execution::{CancelExecution, ExecuteStatement, GetStatement};
use databricks::types::{
    Disposition, ExecuteStatementRequestOnWaitTimeout, Format, StatementParameterListItem, StatementResponse,
    StatementState,
};
use databricks::{Client, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cleanup::{Begun, Guard};
use crate::context::Context;
use crate::cursor::Cursor;
use crate::domain::sql::read_only::{self, Circumstances};
use crate::domain::sql::warehouse::Warehouse;
use crate::domain::wait::{PollState, Wait, watch};
use crate::error::Error;
use crate::shape;

pub(crate) use rows::Table;
pub(crate) use save::Export;

const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The API waits this long within the request, the least that it takes besides 0. Most statements are done by
/// then; one that is not can be cancelled only once its id is known.
const SERVER_WAIT: u64 = 5;

/// What finds a statement again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StatementHandle {
    pub(crate) statement_id: String,
}

/// A statement to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct StatementRequest {
    /// Shared, as it may be many megabytes.
    pub(crate) sql: Arc<str>,
    pub(crate) parameters: Vec<StatementParameterListItem>,
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) row_limit: Option<i64>,
    /// Have the result delivered by links, which are not bound to the size of an answer.
    pub(crate) by_links: bool,
}

impl StatementRequest {
    /// A statement with named text values.
    pub(crate) fn new(sql: impl Into<String>, values: &[(&str, String)]) -> Self {
        let parameters = values.iter().map(|(name, value)| StatementParameterListItem {
            name: (*name).to_owned(),
            value: Some(value.clone()),
            type_: None,
        });
        Self { sql: Arc::from(sql.into()), parameters: parameters.collect(), ..Self::default() }
    }
}

/// How a wait for a statement ended; a statement that failed is an error.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It succeeded.
    Done(Box<StatementResponse>),
    /// The time is up and it goes on; the answer says how to go on.
    Running(Value),
    /// Its result is too large to be given inline; what the API said.
    TooLarge(Error),
    /// It failed before it began, for what its warehouse is.
    Unserved(Error),
}

/// What a composite gets from a query of its own.
#[derive(Debug)]
pub(crate) enum TableOutcome {
    /// All its rows.
    Table(Table),
    /// The time is up and it goes on; the answer says how to go on.
    Running(Value),
}

/// Runs a statement and waits for it. It is cancelled if this call is, but not if the time is up.
pub(crate) async fn run(
    context: &Context,
    warehouse: &Warehouse,
    request: &StatementRequest,
    seconds: u64,
) -> Result<Outcome, Error> {
    let server_wait = if seconds < SERVER_WAIT { 0 } else { SERVER_WAIT };
    if warehouse.must_start() {
        let name = warehouse.name.as_deref().unwrap_or(&warehouse.id);
        context.progress.report(format!("warehouse {name} has to start first"));
    }
    // On the heap, as the futures of composites hold several of these.
    let (statement, guard) = Box::pin(start(context, &warehouse.id, request, server_wait)).await?;
    let end = Box::pin(wait(context, statement, seconds.saturating_sub(server_wait))).await;
    guard.keep();
    match end? {
        Outcome::Unserved(error) => Err(warehouse.blame(context, error).await),
        Outcome::Running(mut answer) => {
            if answer.get("state").is_some_and(|state| state == "PENDING") {
                warehouse.excuse(context, &mut answer).await;
            }
            Ok(Outcome::Running(answer))
        }
        end => Ok(end),
    }
}

/// Runs a query of a composite and gives all its rows. Such queries bound their results themselves.
pub(crate) async fn table(
    context: &Context,
    warehouse: &Warehouse,
    request: &StatementRequest,
    seconds: u64,
) -> Result<TableOutcome, Error> {
    match run(context, warehouse, request, seconds).await? {
        Outcome::Done(statement) => Ok(TableOutcome::Table(Box::pin(Table::read(context, *statement)).await?)),
        Outcome::Running(answer) => Ok(TableOutcome::Running(answer)),
        Outcome::TooLarge(error) | Outcome::Unserved(error) => Err(error),
    }
}

/// As [`table`], for a query whose rows are of no use by themselves: it is cancelled when the time is up, and `advice`
/// says what the caller can do then.
pub(crate) async fn table_in_time(
    context: &Context,
    warehouse: &Warehouse,
    request: &StatementRequest,
    seconds: u64,
    advice: &str,
) -> Result<Table, Error> {
    match table(context, warehouse, request, seconds).await? {
        TableOutcome::Table(table) => Ok(table),
        TableOutcome::Running(answer) => {
            if let Some(id) = answer.get("statement_id").and_then(Value::as_str)
                && let Err(error) = cancel(&context.client, id).await
            {
                tracing::warn!(%error, "a query that nobody waits for goes on");
            }
            let text = |name| answer.get(name).and_then(Value::as_str);
            let state = text("warehouse_state").map(|state| format!(", its warehouse is {state}")).unwrap_or_default();
            let problem = text("warehouse_problem").map(|problem| format!(": {problem}")).unwrap_or_default();
            let message = format!("no answer within {seconds} s{state}{problem}");
            Err(Error::failed(message).with_hint(advice))
        }
    }
}

async fn start(
    context: &Context,
    warehouse_id: &str,
    statement: &StatementRequest,
    server_wait: u64,
) -> Result<(StatementResponse, Guard), Error> {
    let (mut statement, warehouse_id) = (statement.clone(), warehouse_id.to_owned());
    if let Some(file) = &context.policy_file {
        statement.row_limit = file.rows(statement.row_limit);
    }
    let looking = context.ahead().client;
    let start = async move |starting: Context| {
        // Only what surely reads may be sent twice, so functions that people made count as more.
        let catalog = statement.catalog.clone();
        let circumstances = Circumstances { catalog, no_user_functions: true, ..Circumstances::default() };
        let is_query = read_only::check(&statement.sql, circumstances).await.is_ok();
        let request = request(statement, &warehouse_id, server_wait);
        let statement = send::send(&starting.client, &looking, request, &warehouse_id, is_query).await?;
        let id = statement.statement_id.clone().unwrap_or_default();
        Ok(Begun { name: format!("statement {id}"), id: (id, state(&statement)), answer: statement })
    };
    let undo = async |undoing: Context, (id, state): (String, StatementState)| match state {
        state if is_open(&state) => Ok(cancel(&undoing.client, &id).await?),
        StatementState::Succeeded | StatementState::Closed => {
            Err(Error::failed("it had finished before it could be cancelled"))
        }
        _ => Ok(()),
    };
    context.start("statement", start, undo).await
}

/// The request that runs a statement, for whose end the service waits so many seconds.
fn request(statement: StatementRequest, warehouse_id: &str, server_wait: u64) -> ExecuteStatement {
    let StatementRequest { sql, parameters, catalog, schema, row_limit, by_links } = statement;
    ExecuteStatement::new(&*sql, warehouse_id)
        .disposition(if by_links { Disposition::ExternalLinks } else { Disposition::Inline })
        .format(Format::JsonArray)
        .on_wait_timeout(ExecuteStatementRequestOnWaitTimeout::Continue)
        .wait_timeout(format!("{server_wait}s"))
        .maybe(catalog, ExecuteStatement::catalog)
        .maybe(schema, ExecuteStatement::schema)
        .maybe(row_limit, ExecuteStatement::row_limit)
        .maybe(Some(parameters).filter(|parameters| !parameters.is_empty()), ExecuteStatement::parameters)
        .held_open(server_wait > 0)
}

/// Asks the workspace to cancel a statement, which is best effort there.
pub(crate) async fn cancel(client: &Client, id: &str) -> Result<(), databricks::Error> {
    client.send(CancelExecution::new(id).idempotent(true)).await
}

/// Waits until a statement has ended or the time is up.
pub(crate) async fn wait(context: &Context, statement: StatementResponse, seconds: u64) -> Result<Outcome, Error> {
    let id = statement.statement_id.clone().unwrap_or_default();
    // The answer that is there already is the first look.
    let mut first = Some(statement);
    let id = id.as_str();
    let poll = || {
        let first = first.take();
        async move {
            match first {
                Some(statement) => Ok(statement),
                None => get(context, id).await,
            }
        }
    };
    let look = |statement: &StatementResponse| {
        let state = state(statement);
        PollState { state: state.to_string(), done: None, is_over: !is_open(&state) }
    };
    let mut wait = Wait::new(seconds, LONGEST_PAUSE);
    let statement = watch(context, &format!("statement {id}"), &mut wait, poll, look).await.map_err(|error| {
        let hint = "it may still run: pass `statement_id` to `get_sql_result`, or stop it with `cancel_sql`";
        error.after(format!("statement `{id}` was sent, but its state is not known")).with_hint(hint)
    })?;
    match state(&statement) {
        StatementState::Succeeded => Ok(Outcome::Done(Box::new(statement))),
        // A small result may come with a statement that is closed at once.
        StatementState::Closed if has_result(&statement) => Ok(Outcome::Done(Box::new(statement))),
        StatementState::Closed => Err(gone(id)),
        state if is_open(&state) => {
            context.handover.leave(&StatementHandle { statement_id: id.to_owned() });
            Ok(Outcome::Running(json!({
            "statement_id": id,
            "state": state,
            "still_running": true,
            "hint": "it is still running; pass `statement_id` to `get_sql_result`, or stop it with `cancel_sql`",
            })))
        }
        state => failure(id, &state, &statement),
    }
}

/// The state of a statement; one that tells none has yet to begin.
pub(crate) fn state(statement: &StatementResponse) -> StatementState {
    statement.status.as_ref().and_then(|status| status.state.clone()).unwrap_or(StatementState::Pending)
}

/// Whether a statement came with all that can be had of its result.
pub(crate) fn has_result(statement: &StatementResponse) -> bool {
    chunks::has_result(statement)
}

/// Whether a statement has yet to end. A state that nobody knows is no end.
pub(crate) fn is_open(state: &StatementState) -> bool {
    use StatementState::{Canceled, Closed, Failed, Succeeded};
    !matches!(state, Succeeded | Failed | Canceled | Closed)
}

/// Waits for a statement that is there, and gives its rows from the cursor on, or how to go on.
pub(crate) async fn finish(
    context: &Context,
    statement: StatementResponse,
    seconds: u64,
    cursor: Cursor,
) -> Result<Value, Error> {
    match wait(context, statement, seconds).await? {
        Outcome::Done(statement) => page(context, *statement, cursor).await,
        Outcome::Running(answer) => Ok(answer),
        Outcome::TooLarge(error) | Outcome::Unserved(error) => Err(error),
    }
}

/// How a statement stands, whoever ran it, with its rows from the cursor on once it succeeded.
pub(crate) async fn result(context: &Context, id: &str, seconds: u64, cursor: Cursor) -> Result<Value, Error> {
    let found = get(context, id).await?;
    let mut answer = finish(context, found, seconds, cursor).await?;
    // What has yet to begin waits for its warehouse, which may never come up.
    if answer.get("state").is_some_and(|state| state == "PENDING")
        && let Some(warehouse) = Warehouse::of_statement(context, id).await
    {
        warehouse.put(&mut answer);
        warehouse.excuse(context, &mut answer).await;
    }
    Ok(answer)
}

/// The same of a statement that a call has left, from its first row on.
pub(crate) async fn look(context: Context, StatementHandle { statement_id }: StatementHandle) -> Result<Value, Error> {
    result(&context, &statement_id, 0, Cursor::default()).await
}

/// The rows of a statement that succeeded, from the cursor on.
pub(crate) async fn page(context: &Context, statement: StatementResponse, cursor: Cursor) -> Result<Value, Error> {
    rows::page(context, statement, cursor).await
}

/// The state of a statement, with its first rows if it succeeded.
pub(crate) async fn get(context: &Context, id: &str) -> Result<StatementResponse, Error> {
    context.send(GetStatement::new(id)).await.map_err(|error| match error.is_not_found() {
        true => error.with_hint(
            "ids come from `execute_sql` and stay valid for about an hour: see how a statement ended with \
             `list_query_history`",
        ),
        false => error,
    })
}

/// The error for a result that the workspace has thrown away. The statement itself was carried out.
fn gone(id: &str) -> Error {
    Error::failed("its result is gone: results are kept for an hour at most")
        .after(format!("statement `{id}` succeeded"))
        .with_hint("run a query again with `execute_sql`; any other statement has already taken effect")
}

fn failure(id: &str, state: &StatementState, statement: &StatementResponse) -> Result<Outcome, Error> {
    let status = statement.status.clone().unwrap_or_default();
    let error = status.error.unwrap_or_default();
    let code = error.error_code.map(|code| format!(" `{code}`")).unwrap_or_default();
    let sql_state = status.sql_state.map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default();
    let message = error.message.unwrap_or_default();
    let is_sql = !sql_state.is_empty() || message.contains("SQLSTATE");
    let failed = Error::failed(format!("statement `{id}` is {state}{code}{sql_state}: {}", message.trim()));
    // The API's own advice is the sign: there is no code for it.
    if message.contains("disposition=EXTERNAL_LINKS") {
        let hint =
            "the result is beyond 25 MiB: select less, set `row_limit` or `large_result`, or save it with `save_to`";
        return Ok(Outcome::TooLarge(failed.with_hint(hint)));
    }
    let contains = |words: &[&str]| words.iter().any(|word| message.contains(word));
    Err(if contains(&["CATALOG_NOT_FOUND", "NO_SUCH_CATALOG"]) {
        failed.with_hint("see which catalogs exist with `list_catalogs`")
    } else if contains(&["TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND"]) {
        failed.with_hint("name tables as `catalog.schema.table`; see what exists with `search_tables` or `list_tables`")
    } else if contains(&["UNRESOLVED_COLUMN"]) {
        failed.with_hint("see the columns with `get_table_schema`")
    } else if contains(&["INSUFFICIENT_PERMISSIONS", "PERMISSION_DENIED"]) {
        failed.with_hint(
            "the identity of this server lacks the privilege named above; see who has it with `get_effective_grants`",
        )
    } else if contains(&["UNBOUND_SQL_PARAMETER"]) {
        failed.with_hint("give a value for each `:name` in `parameters`")
    } else if contains(&["UNRESOLVED_ROUTINE"]) {
        failed
            .with_hint("see the built-in functions with `SHOW FUNCTIONS`, and those of a schema with `list_functions`")
    } else if contains(&["DELTA_CONCURRENT", "ConcurrentAppendException"]) {
        failed.with_hint("another write interfered, and this one changed nothing: run it again")
    } else if *state == StatementState::Canceled {
        failed.with_hint("a user or a time limit of the warehouse cancelled it: run it again if it is still wanted")
    } else if !is_sql && *state == StatementState::Failed {
        return Ok(Outcome::Unserved(failed.with_hint("see the state of its warehouse with `list_warehouses`")));
    } else {
        failed
    })
}

/// Adds how long the call took.
pub(crate) fn put_elapsed(answer: &mut Value, elapsed: Duration) {
    shape::put(answer, "elapsed_ms", u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
}

/// Whether a query failed for what it may not read. A schema that is hidden, or a system schema that is not enabled,
/// looks as if it were not there.
pub(crate) fn lacks_access(error: &Error) -> bool {
    const SIGNS: [&str; 6] = [
        "TABLE_OR_VIEW_NOT_FOUND",
        "SCHEMA_NOT_FOUND",
        "CATALOG_NOT_FOUND",
        "NO_SUCH_CATALOG",
        "INSUFFICIENT_PERMISSIONS",
        "PERMISSION_DENIED",
    ];
    let text = error.to_string();
    error.api().is_none() && SIGNS.iter().any(|sign| text.contains(sign))
}

/// The first line of an error, for one that tells of it.
pub(crate) fn head(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(300).collect()
}
