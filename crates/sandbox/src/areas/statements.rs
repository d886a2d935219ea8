//! SQL statement execution: submit, wait, poll, chunks, cancel.
//!
//! Derived: how long results are kept and the texts of refused requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sqlparser::dialect::DatabricksDialect;
use sqlparser::parser::Parser;
use tokio::sync::watch;

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Pending, Route, route, waiting};
use crate::sql::{Cancel, SqlError, Table, Type, sleep_millis};
use crate::workspace::{Workspace, lock};

/// Small, so that a few thousand rows are several chunks.
const CHUNK_ROWS: usize = 1000;
/// Finished statements that are remembered.
const KEPT: usize = 500;

pub(crate) const ROUTES: &[Route] = &[
    waiting("POST", "/api/2.0/sql/statements", execute),
    route("GET", "/api/2.0/sql/statements/{statement_id}", get),
    route("GET", "/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}", chunk),
    route("POST", "/api/2.0/sql/statements/{statement_id}/cancel", cancel),
    route("DELETE", "/api/2.0/sql/statements/{statement_id}", close),
];

#[derive(Debug, Clone)]
enum State {
    Pending,
    Running,
    Succeeded(Arc<Table>),
    Failed(SqlError),
    Canceled,
    Closed,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded(_) => "SUCCEEDED",
            Self::Failed(_) => "FAILED",
            Self::Canceled => "CANCELED",
            Self::Closed => "CLOSED",
        }
    }

    fn is_final(&self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

#[derive(Debug)]
struct Statement {
    state: watch::Sender<State>,
    cancel: Cancel,
}

#[derive(Debug, Default)]
pub(crate) struct Statements {
    by_id: BTreeMap<String, Statement>,
    order: VecDeque<String>,
}

/// What a request asks to run.
struct Order {
    sql: String,
    warehouse: String,
    wait: Duration,
    cancel_on_timeout: bool,
    row_limit: Option<usize>,
    session: crate::sql::Session,
}

fn execute(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let order = read(&workspace, &request.fields()?)?;
        let ready_at = super::warehouses::wake(&workspace, &order.warehouse)?;
        let id = workspace.ids.statement();
        let (state, mut watched) = watch::channel(State::Pending);
        let cancel = Cancel::default();
        {
            let mut statements = lock(&workspace.statements);
            statements.by_id.insert(id.clone(), Statement { state: state.clone(), cancel: cancel.clone() });
            statements.order.push_back(id.clone());
            if statements.order.len() > KEPT
                && let Some(oldest) = statements.order.pop_front()
            {
                statements.by_id.remove(&oldest);
            }
        }
        super::history::begin(&workspace, &id, &order.sql, &order.warehouse);
        let (wait, cancel_on_timeout) = (order.wait, order.cancel_on_timeout);
        tokio::spawn(run(Arc::clone(&workspace), id.clone(), order, state, cancel.clone(), ready_at));
        let finished = tokio::time::timeout(wait, watched.wait_for(State::is_final)).await.is_ok();
        if !finished && cancel_on_timeout {
            stop(&workspace, &id);
        }
        describe(&workspace, &id)
    })
}

async fn run(
    workspace: Arc<Workspace>,
    id: String,
    order: Order,
    state: watch::Sender<State>,
    cancel: Cancel,
    ready_at: i64,
) {
    let mut watched = state.subscribe();
    let begin = async {
        workspace.clock.sleep_until(ready_at).await;
        state.send_if_modified(|state| {
            let pending = matches!(state, State::Pending);
            if pending {
                *state = State::Running;
            }
            pending
        });
        if let Some(millis) = sleep_millis(&order.sql) {
            workspace.clock.sleep_until(workspace.clock.now() + millis).await;
        }
    };
    tokio::select! {
        () = begin => {}
        _ = watched.wait_for(State::is_final) => return,
    }
    let worker = Arc::clone(&workspace);
    let result = tokio::task::spawn_blocking(move || {
        worker.engine.run(&worker.catalog, &order.session, &order.sql, order.row_limit, &cancel)
    })
    .await;
    let outcome = match result {
        Ok(Ok(table)) => State::Succeeded(Arc::new(table)),
        Ok(Err(error)) => State::Failed(error),
        Err(_) => State::Failed(SqlError::unsupported("this statement (its engine gave up)")),
    };
    let rows = if let State::Succeeded(table) = &outcome { table.rows.len() } else { 0 };
    let message = if let State::Failed(error) = &outcome { Some(error.message.clone()) } else { None };
    let name = outcome.name();
    let changed = state.send_if_modified(|state| {
        // A cancel that came first stands.
        let open = !state.is_final();
        if open {
            *state = outcome;
        }
        open
    });
    if changed {
        super::history::end(&workspace, &id, name, rows, message);
    }
}

fn read(workspace: &Workspace, fields: &Fields) -> Result<Order, ApiError> {
    let sql = fields.required_text("statement")?.to_owned();
    let warehouse = fields.required_text("warehouse_id")?.to_owned();
    let disposition = fields.text("disposition")?.unwrap_or("INLINE");
    let format = fields.text("format")?.unwrap_or("JSON_ARRAY");
    if disposition != "INLINE" || format != "JSON_ARRAY" {
        return Err(ApiError::invalid_parameter(format!(
            "The sandbox delivers results with disposition INLINE and format JSON_ARRAY only, not {disposition} and {format}"
        )));
    }
    let cancel_on_timeout = match fields.text("on_wait_timeout")?.unwrap_or("CONTINUE") {
        "CONTINUE" => false,
        "CANCEL" => true,
        other => return Err(ApiError::invalid_parameter(format!("Invalid on_wait_timeout: {other}"))),
    };
    let row_limit = match fields.integer("row_limit")? {
        None => None,
        Some(limit) => Some(
            usize::try_from(limit)
                .ok()
                .filter(|limit| *limit > 0)
                .ok_or_else(|| ApiError::invalid_parameter(format!("row_limit must be positive, not {limit}")))?,
        ),
    };
    let mut session = workspace.session();
    if let Some(catalog) = fields.text("catalog")? {
        session.catalog = catalog.to_lowercase();
    }
    if let Some(schema) = fields.text("schema")? {
        session.schema = schema.to_lowercase();
    }
    for parameter in fields.array("parameters")? {
        let (name, value) = read_parameter(parameter)?;
        session.parameters.insert(name, value);
    }
    let wait = wait(fields.text("wait_timeout")?.unwrap_or("10s"))?;
    Ok(Order { sql, warehouse, wait, cancel_on_timeout, row_limit, session })
}

fn wait(text: &str) -> Result<Duration, ApiError> {
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse::<u64>().ok());
    match seconds {
        Some(seconds) if seconds == 0 || (5..=50).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::invalid_parameter(format!("wait_timeout must be 0s or between 5s and 50s, not {text}"))),
    }
}

fn read_parameter(parameter: &Value) -> Result<(String, (Type, Option<String>)), ApiError> {
    let Value::Object(object) = parameter else {
        return Err(ApiError::malformed("Could not parse request object: a parameter must be an object"));
    };
    let fields = Fields(object.clone());
    let name = fields.required_text("name")?.to_owned();
    let kind = match fields.text("type")? {
        None => Type::String,
        Some(text) if text.len() > 100 => {
            return Err(ApiError::invalid_parameter("The parameter type is not supported"));
        }
        Some(text) => Parser::new(&DatabricksDialect {})
            .try_with_sql(text)
            .and_then(|mut parser| parser.parse_data_type())
            .ok()
            .and_then(|kind| Type::from_ast(&kind))
            .filter(|kind| !kind.is_nested())
            .ok_or_else(|| ApiError::invalid_parameter(format!("The parameter type {text} is not supported")))?,
    };
    let value = match fields.get("value") {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Bool(flag)) => Some(flag.to_string()),
        Some(_) => {
            return Err(ApiError::malformed("Could not parse request object: a parameter's value must be a string"));
        }
    };
    Ok((name, (kind, value)))
}

fn find(workspace: &Workspace, id: &str) -> Result<State, ApiError> {
    let statements = lock(&workspace.statements);
    let statement = statements.by_id.get(id).ok_or_else(|| missing(id))?;
    let state = statement.state.borrow().clone();
    Ok(state)
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("The statement {id} was not found."))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    describe(workspace, request.parameter("statement_id"))
}

fn describe(workspace: &Workspace, id: &str) -> Outcome {
    let state = find(workspace, id)?;
    let mut reply = json!({"statement_id": id, "status": {"state": state.name()}});
    match &state {
        State::Failed(error) => {
            let error_json = json!({"error_code": "BAD_REQUEST", "message": error.message});
            reply.set("status", json!({"state": state.name(), "error": error_json, "sql_state": error.sql_state}));
        }
        State::Succeeded(table) => {
            reply.set("manifest", manifest(table));
            reply.set("result", if table.columns.is_empty() { json!({}) } else { chunk_json(id, table, 0) });
        }
        _ => {}
    }
    Ok(Reply::json(reply))
}

fn manifest(table: &Table) -> Value {
    if table.columns.is_empty() {
        return json!({"format": "ARROW_STREAM", "schema": {"column_count": 0}, "total_chunk_count": 0, "total_row_count": 0, "total_byte_count": 0, "truncated": false});
    }
    let columns: Vec<_> = table
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| {
            let mut json = json!({"name": column.name, "type_text": column.kind.text(), "type_name": column.kind.name(), "position": position});
            if let Type::Decimal(precision, scale) = column.kind {
                json.set("type_precision", json!(precision));
                json.set("type_scale", json!(scale));
            }
            json
        })
        .collect();
    let mut total = 0;
    let chunks: Vec<_> = table
        .rows
        .chunks(CHUNK_ROWS)
        .enumerate()
        .map(|(index, rows)| {
            let bytes = byte_count(rows);
            total += bytes;
            json!({"chunk_index": index, "row_offset": index * CHUNK_ROWS, "row_count": rows.len(), "byte_count": bytes})
        })
        .collect();
    let mut manifest = Map::new();
    manifest.insert("format".to_owned(), json!("JSON_ARRAY"));
    manifest.insert("schema".to_owned(), json!({"column_count": columns.len(), "columns": columns}));
    manifest.insert("total_chunk_count".to_owned(), json!(chunks.len()));
    if !chunks.is_empty() {
        manifest.insert("chunks".to_owned(), json!(chunks));
    }
    manifest.insert("total_row_count".to_owned(), json!(table.rows.len()));
    manifest.insert("total_byte_count".to_owned(), json!(total));
    manifest.insert("truncated".to_owned(), json!(table.truncated));
    Value::Object(manifest)
}

fn byte_count(rows: &[Vec<Option<String>>]) -> usize {
    rows.iter().flatten().map(|cell| cell.as_ref().map_or(4, |text| text.len() + 3)).sum()
}

fn chunk_json(id: &str, table: &Table, index: usize) -> Value {
    let rows = table.rows.chunks(CHUNK_ROWS).nth(index).unwrap_or_default();
    let mut chunk = json!({"chunk_index": index, "row_offset": index * CHUNK_ROWS, "row_count": rows.len()});
    if table.rows.len() > (index + 1) * CHUNK_ROWS {
        chunk.set("next_chunk_index", json!(index + 1));
        chunk.set(
            "next_chunk_internal_link",
            json!(format!(
                "/api/2.0/sql/statements/{id}/result/chunks/{}?row_offset={}",
                index + 1,
                (index + 1) * CHUNK_ROWS
            )),
        );
    }
    chunk.set("data_array", json!(rows));
    chunk
}

fn chunk(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("statement_id");
    let State::Succeeded(table) = find(workspace, id)? else {
        return Err(ApiError::not_found(format!("The statement {id} has no result.")));
    };
    let index = request.parameter("chunk_index");
    let count = table.rows.len().div_ceil(CHUNK_ROWS).max(1);
    match index.parse::<usize>() {
        Ok(index) if index < count => Ok(Reply::json(chunk_json(id, &table, index))),
        Ok(index) => {
            Err(ApiError::invalid_parameter(format!("Invalid chunk index {index}: the result has {count} chunks.")))
        }
        Err(_) => Err(ApiError::invalid_parameter(format!("Invalid chunk index {index}."))),
    }
}

fn stop(workspace: &Workspace, id: &str) -> bool {
    let statements = lock(&workspace.statements);
    let Some(statement) = statements.by_id.get(id) else { return false };
    statement.cancel.cancel();
    let changed = statement.state.send_if_modified(|state| {
        let open = !state.is_final();
        if open {
            *state = State::Canceled;
        }
        open
    });
    drop(statements);
    if changed {
        super::history::end(workspace, id, "CANCELED", 0, None);
    }
    true
}

fn cancel(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("statement_id");
    if stop(workspace, id) { Ok(Reply::nothing()) } else { Err(missing(id)) }
}

fn close(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("statement_id");
    if !stop(workspace, id) {
        return Err(missing(id));
    }
    if let Some(statement) = lock(&workspace.statements).by_id.get(id) {
        statement.state.send_replace(State::Closed);
    }
    Ok(Reply::nothing())
}
