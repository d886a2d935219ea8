//! SQL statement execution: submit, wait, poll, chunks, cancel.
//!
//! Derived: the texts of refused requests, and how a statement fails whose warehouse does not come up, or stops.

mod arrow;
mod order;
mod results;
mod sessions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::history::End;
use super::warehouses::Readiness;
use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Pending, Route, public, route, waiting};
use crate::sql::{Cancel, SqlError, Table, sleep_millis, use_target};
use crate::work::aside;
use crate::workspace::{Workspace, lock};
use order::{Order, read};
use results::{Delivery, Sending, Told, cut};
use sessions::Place;

/// Finished statements that are remembered.
const KEPT: usize = 500;
/// Bytes of results that are kept, besides the newest one.
const KEPT_BYTES: usize = 128 * 1024 * 1024;
/// How long a result is kept, in milliseconds.
const RESULT_LIFE: i64 = 3_600_000;
/// How long a statement of a job, an alert or a dashboard took.
const USUAL: Lapse = Lapse::new(120, 2_000);
pub(crate) const ROUTES: &[Route] = &[
    waiting("POST", "/api/2.0/sql/statements", execute),
    route("GET", "/api/2.0/sql/statements/{statement_id}", get),
    route("GET", "/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}", chunk),
    route("POST", "/api/2.0/sql/statements/{statement_id}/cancel", cancel),
    route("DELETE", "/api/2.0/sql/statements/{statement_id}", close),
    route("POST", "/api/2.0/sql/sessions", sessions::create),
    route("DELETE", "/api/2.0/sql/sessions/{session_id}", sessions::delete),
    public("GET", "/sandbox-storage/results/{statement_id}/{chunk_index}", results::download),
];

#[derive(Debug, Clone)]
enum State {
    Pending,
    Running,
    /// With the instant it ended at.
    Succeeded(Arc<Table>, i64),
    Failed(SqlError),
    Canceled,
    Closed,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded(..) => "SUCCEEDED",
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
    warehouse: String,
    state: watch::Sender<State>,
    cancel: Cancel,
    sending: Sending,
}

#[derive(Debug, Default)]
pub(crate) struct Statements {
    by_id: BTreeMap<String, Statement>,
    order: VecDeque<String>,
    sessions: BTreeMap<String, Place>,
}

impl Statements {
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Keeps a statement, and forgets the oldest where there are too many or their results take too much memory.
    fn keep(&mut self, id: &str, statement: Statement) {
        self.by_id.insert(id.to_owned(), statement);
        self.order.push_back(id.to_owned());
        while self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        self.forget();
    }

    /// Closes the oldest statements where results take too much memory.
    fn forget(&self) {
        let mut bytes = 0;
        for id in self.order.iter().rev().skip(1) {
            let Some(statement) = self.by_id.get(id) else { continue };
            statement.state.send_if_modified(|state| {
                if let State::Succeeded(table, _) = state {
                    bytes += table.bytes();
                }
                let is_too_much = bytes > KEPT_BYTES && matches!(state, State::Succeeded(..));
                if is_too_much {
                    *state = State::Closed;
                }
                is_too_much
            });
        }
    }
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
            let seed = crate::ids::mix(u64::from_str_radix(&workspace.ids.hex16(), 16).unwrap_or_default());
            let whole = order.session_id.is_some() && order.delivery == Delivery::Inline;
            let sending = Sending { delivery: order.delivery, seed, whole };
            let warehouse = order.warehouse.clone();
            let statement = Statement { warehouse, state: state.clone(), cancel: cancel.clone(), sending };
            statements.keep(&id, statement);
        }
        super::history::begin(&workspace, &id, &order.sql, &order.warehouse, workspace.clock.now());
        super::history::tag(&workspace, &id, order.tags.clone());
        let (wait, cancel_on_timeout) = (order.wait, order.cancel_on_timeout);
        tokio::spawn(run(Arc::clone(&workspace), id.clone(), order, state, cancel.clone(), ready_at));
        if wait.is_zero() {
            // Who does not wait is answered before anything runs.
            return Ok(Reply::json(json!({"statement_id": id, "status": {"state": State::Pending.name()}})));
        }
        let finished = tokio::time::timeout(wait, watched.wait_for(State::is_final)).await.is_ok();
        if !finished && cancel_on_timeout {
            stop(&workspace, &id);
        }
        aside(move || describe(&workspace, &id)).await
    })
}

/// A statement that another area has run: where, and when it ended.
pub(crate) struct Ran<'a> {
    pub(crate) sql: &'a str,
    pub(crate) warehouse: &'a str,
    pub(crate) ended: i64,
}

/// Enters a statement that another area has run; gives its id.
pub(crate) fn enter(workspace: &Workspace, ran: &Ran<'_>, outcome: Result<Table, SqlError>) -> String {
    let id = workspace.ids.statement();
    super::history::begin(workspace, &id, ran.sql, ran.warehouse, ran.ended - usual(workspace));
    let (state, rows, error) = match outcome {
        Ok(table) => {
            let rows = table.rows.len();
            (State::Succeeded(Arc::new(table), workspace.clock.now()), rows, None)
        }
        Err(error) => (State::Failed(error.clone()), 0, Some(error.message)),
    };
    super::history::end(workspace, &id, End { at: ran.ended, state: state.name(), rows, error });
    let (state, _) = watch::channel(state);
    let sending = Sending { delivery: Delivery::Inline, seed: 0, whole: false };
    let statement = Statement { warehouse: ran.warehouse.to_owned(), state, cancel: Cancel::default(), sending };
    lock(&workspace.statements).keep(&id, statement);
    id
}

/// How long such a statement takes, in milliseconds.
pub(crate) fn usual(workspace: &Workspace) -> i64 {
    workspace.clock.lapse(USUAL)
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
        loop {
            match super::warehouses::readiness(&workspace, &order.warehouse) {
                Readiness::Now => break,
                Readiness::At(instant) => workspace.clock.sleep_until(instant).await,
                Readiness::Never(why) => return Err(SqlError { message: why, sql_state: String::new() }),
            }
        }
        if let Some(millis) = sleep_millis(&order.sql) {
            set_running(&state);
            workspace.clock.sleep_until(workspace.clock.now() + millis).await;
        }
        let turn = workspace.engine.queue().await?;
        set_running(&state);
        Ok(turn)
    };
    let begun = tokio::select! {
        begun = begin => begun,
        _ = watched.wait_for(State::is_final) => return,
    };
    let (begun, _turn) = match begun {
        Ok(turn) => (Ok(()), Some(turn)),
        Err(error) => (Err(error), None),
    };
    let worker = Arc::clone(&workspace);
    let result = tokio::task::spawn_blocking(move || {
        begun?;
        crate::system::refresh(&worker, &order.sql);
        let mut table = worker.engine.run(&worker.catalog, &order.session, &order.sql, order.limits(), &cancel)?;
        if let Some(limit) = order.byte_limit {
            cut(&mut table, limit);
        }
        move_session(&worker, &order);
        Ok(table)
    })
    .await;
    let outcome = match result {
        Ok(Ok(table)) => State::Succeeded(Arc::new(table), workspace.clock.now()),
        Ok(Err(error)) => State::Failed(error),
        Err(_) => State::Failed(SqlError::unsupported("this statement (its engine gave up)")),
    };
    let rows = if let State::Succeeded(table, _) = &outcome { table.rows.len() } else { 0 };
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
        lock(&workspace.statements).forget();
        super::history::end(&workspace, &id, End { at: workspace.clock.now(), state: name, rows, error: message });
    }
}

fn set_running(state: &watch::Sender<State>) {
    state.send_if_modified(|state| {
        let pending = matches!(state, State::Pending);
        if pending {
            *state = State::Running;
        }
        pending
    });
}

/// After a USE, the session is elsewhere.
fn move_session(workspace: &Workspace, order: &Order) {
    let Some(id) = &order.session_id else { return };
    if let Some((catalog, schema)) = use_target(&order.sql, &order.session)
        && let Some(place) = lock(&workspace.statements).sessions.get_mut(id)
    {
        (place.catalog, place.schema) = (catalog, schema);
    }
}

/// A statement's state, after an hour without its result, and how that is sent.
fn find_statement(statements: &mut Statements, id: &str, now: i64) -> Result<(State, Sending), ApiError> {
    let statement = statements.by_id.get(id).ok_or_else(|| missing(id))?;
    statement.state.send_if_modified(|state| {
        let expired = matches!(state, State::Succeeded(_, ended) if *ended + RESULT_LIFE <= now);
        if expired {
            *state = State::Closed;
        }
        expired
    });
    let state = statement.state.borrow().clone();
    Ok((state, statement.sending))
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("The statement {id} was not found."))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    describe(workspace, request.parameter("statement_id"))
}

fn describe(workspace: &Workspace, id: &str) -> Outcome {
    told(workspace, id).map(Reply::json)
}

/// A statement as its own API tells it.
pub(super) fn told(workspace: &Workspace, id: &str) -> Result<Value, ApiError> {
    let (state, sending) = find_statement(&mut lock(&workspace.statements), id, workspace.clock.now())?;
    let mut reply = json!({"statement_id": id, "status": {"state": state.name()}});
    match &state {
        State::Failed(error) => {
            // What is not the statement's fault has no SQLSTATE.
            let is_sql = !error.sql_state.is_empty();
            let code = if is_sql { "BAD_REQUEST" } else { "TEMPORARILY_UNAVAILABLE" };
            let mut status = json!({"state": state.name(), "error": {"error_code": code, "message": error.message}});
            if is_sql {
                status.set("sql_state", json!(error.sql_state));
            }
            reply.set("status", status);
        }
        State::Succeeded(table, _) => {
            let told = Told::new(id, table, sending);
            reply.set("manifest", told.manifest());
            reply.set("result", told.chunk(workspace, 0));
        }
        _ => {}
    }
    Ok(reply)
}

fn chunk(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("statement_id");
    let (state, sending) = find_statement(&mut lock(&workspace.statements), id, workspace.clock.now())?;
    let State::Succeeded(table, _) = &state else {
        return Err(ApiError::not_found(format!("The statement {id} has no result.")));
    };
    let told = Told::new(id, table, sending);
    let (index, count) = (request.parameter("chunk_index"), told.chunks());
    match index.parse::<usize>() {
        Ok(index) if index < count => Ok(Reply::json(told.chunk(workspace, index))),
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
        let end = End { at: workspace.clock.now(), state: "CANCELED", rows: 0, error: None };
        super::history::end(workspace, id, end);
    }
    true
}

/// Ends what runs on a warehouse that stops; what has yet to begin looks for itself.
pub(super) fn interrupt(workspace: &Workspace, warehouse: &str) {
    let message = "The SQL warehouse was stopped while the statement was running.";
    let error = SqlError { message: message.to_owned(), sql_state: String::new() };
    let statements = lock(&workspace.statements);
    let interrupted = statements.by_id.iter().filter(|(_, statement)| {
        let fail = |state: &mut State| {
            let is_running = matches!(state, State::Running);
            if is_running {
                *state = State::Failed(error.clone());
            }
            is_running
        };
        statement.warehouse == warehouse && statement.state.send_if_modified(fail)
    });
    for (id, statement) in interrupted {
        statement.cancel.cancel();
        let end = End { at: workspace.clock.now(), state: "FAILED", rows: 0, error: Some(message.to_owned()) };
        super::history::end(workspace, id, end);
    }
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
