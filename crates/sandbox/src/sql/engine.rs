//! Runs statements: one SQLite database in memory, used by one statement at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::limits::Limit;
use rusqlite::types::Value;
use sqlparser::ast::{ObjectName, Statement, TableObject, visit_relations};
use sqlparser::tokenizer::Token;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::stack::on_large_stack;
use crate::workspace::catalog::{Catalog, Flow, Name};
use crate::workspace::lock;

use super::cancel::{Cancel, Running, interrupted};
use super::compile::{Compiled, Compiler, identifier};
use super::error::SqlError;
use super::relation::Ctes;
use super::session::Session;
use super::types::{Column, Type};
use super::{commands, parse, render, rewrite, runtime};

/// Rows of a result that are kept; more than any client reads here.
const ROW_LIMIT: usize = 1_000_000;
/// Bytes of a result by default: the limit of INLINE results.
const BYTE_LIMIT: usize = 25 * 1024 * 1024;
/// Bytes of a text or of a row, at most.
const LONGEST_VALUE: i32 = 24 * 1024 * 1024;
/// Bytes that a row may have beyond those that are left for the result.
const WIDEST_ROW: usize = 64 * 1024 * 1024;
/// Bytes that SQLite has in this process: what its tables hold, and what its statements sort and join.
const MOST_MEMORY: usize = 384 * 1024 * 1024;
/// How long a statement may compute unless told otherwise.
const LONGEST_RUN: Duration = Duration::from_secs(20);
/// How long a statement waits for others to end.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A statement that waits looks this often whether it was cancelled.
const LOOK: Duration = Duration::from_millis(50);
/// SQLite asks after so many of its steps whether to go on.
const STEPS: i32 = 1_000;

/// What a statement gave: its rows as text. DDL has no columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    pub(crate) truncated: bool,
}

impl Table {
    /// Rows of strings under these column names.
    pub(crate) fn of_texts<const N: usize>(names: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Self {
        Self {
            columns: names.iter().map(|name| Column::new(*name, Type::String)).collect(),
            rows: rows.into_iter().map(|row| row.into_iter().map(Some).collect()).collect(),
            truncated: false,
        }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        // An allocation takes some bytes more than it is asked for.
        const OWN: usize = size_of::<Option<String>>() + 32;
        let texts = self.rows.iter().flatten().flatten().map(String::len).sum::<usize>();
        texts + self.rows.len() * (self.columns.len() + 1) * OWN
    }

    /// The counts of a DML statement.
    pub(crate) fn of_counts(counts: &[(&str, usize)]) -> Self {
        Self {
            columns: counts.iter().map(|(name, _)| Column::new(*name, Type::BigInt)).collect(),
            rows: vec![counts.iter().map(|(_, count)| Some(count.to_string())).collect()],
            truncated: false,
        }
    }
}

/// How much of a result is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) rows: Option<usize>,
    /// More than these fail, or are cut off.
    pub(crate) bytes: usize,
    pub(crate) cut: bool,
    /// Dates as days and timestamps as microseconds, as other formats than text need them.
    pub(crate) exact: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: None, bytes: BYTE_LIMIT, cut: false, exact: false }
    }
}

#[derive(Debug)]
pub(crate) struct Engine {
    /// Nothing while a statement has it.
    connection: Mutex<Slot>,
    freed: Condvar,
    /// Where those wait that need no thread to do so.
    queue: Semaphore,
    running: Running,
    /// How long a statement may compute; the statements after it wait.
    longest: Duration,
}

/// Where the connection is.
#[derive(Debug, Default)]
enum Slot {
    #[default]
    Unopened,
    Free(Connection),
    Taken,
}

/// The connection for the time that one statement has it.
struct Turn<'e> {
    engine: &'e Engine,
    connection: Option<Connection>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.engine.connection) = self.connection.take().map_or(Slot::Unopened, Slot::Free);
        self.engine.freed.notify_one();
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            connection: Mutex::default(),
            freed: Condvar::new(),
            queue: Semaphore::new(1),
            running: Running::default(),
            longest: LONGEST_RUN,
        }
    }
}

/// A statement at work: the connection it has for itself, and the shared catalog.
pub(crate) struct Work<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) catalog: &'a Mutex<Catalog>,
    pub(crate) session: &'a Session,
    pub(crate) sql: &'a str,
    pub(crate) limits: Limits,
    running: &'a Running,
}

impl Engine {
    /// Runs one statement to its end, on a stack that is large enough for any the parser accepts.
    pub(crate) fn run(
        &self,
        catalog: &Mutex<Catalog>,
        session: &Session,
        sql: &str,
        limits: Limits,
        cancel: &Cancel,
    ) -> Result<Table, SqlError> {
        let turn = self.turn(cancel)?;
        on_large_stack(move || self.run_here(turn.connection()?, catalog, session, sql, limits, cancel))
            .unwrap_or_else(|| Err(SqlError::unsupported("this statement (its engine gave up)")))
    }

    fn run_here(
        &self,
        connection: &Connection,
        catalog: &Mutex<Catalog>,
        session: &Session,
        sql: &str,
        limits: Limits,
        cancel: &Cancel,
    ) -> Result<Table, SqlError> {
        self.running.set(cancel.or_within(self.longest));
        let work = Work { connection, catalog, session, sql, limits, running: &self.running };
        let result = work.drop_garbage().and_then(|()| work.run());
        self.running.set(Cancel::default());
        result
    }

    /// The turn of a statement that waits without a thread: first come, first served.
    pub(crate) async fn queue(&self) -> Result<SemaphorePermit<'_>, SqlError> {
        let permit = tokio::time::timeout(LONGEST_WAIT, self.queue.acquire()).await;
        permit.ok().and_then(Result::ok).ok_or_else(waited)
    }

    /// Fills a new table; for seeds.
    pub(crate) fn load(
        &self,
        full_name: &str,
        columns: &[Column],
        rows: impl Iterator<Item = Vec<Value>>,
    ) -> Result<(), SqlError> {
        let turn = self.turn(&Cancel::default())?;
        let connection = turn.connection()?;
        connection.execute_batch(&create_sql(full_name, columns)).map_err(internal)?;
        fill(connection, full_name, rows)
    }

    /// Fills a table anew.
    pub(crate) fn refill(&self, full_name: &str, rows: impl Iterator<Item = Vec<Value>>) -> Result<(), SqlError> {
        let turn = self.turn(&Cancel::default())?;
        let connection = turn.connection()?;
        connection.execute_batch(&format!("DELETE FROM {}", identifier(full_name))).map_err(internal)?;
        fill(connection, full_name, rows)
    }

    /// Waits for the connection, as long as the statement is not cancelled.
    fn turn(&self, cancel: &Cancel) -> Result<Turn<'_>, SqlError> {
        let patience = Cancel::within(LONGEST_WAIT);
        let mut slot = lock(&self.connection);
        loop {
            match std::mem::replace(&mut *slot, Slot::Taken) {
                Slot::Free(connection) => return Ok(Turn { engine: self, connection: Some(connection) }),
                Slot::Unopened => break,
                Slot::Taken if cancel.is_canceled() => return Err(interrupted()),
                Slot::Taken if patience.is_canceled() => {
                    return Err(waited());
                }
                Slot::Taken => slot = self.freed.wait_timeout(slot, LOOK).unwrap_or_else(PoisonError::into_inner).0,
            }
        }
        drop(slot);
        // Where it cannot be opened, the drop of the turn says so.
        let mut turn = Turn { engine: self, connection: None };
        turn.connection = Some(self.open()?);
        Ok(turn)
    }

    fn open(&self) -> Result<Connection, SqlError> {
        let mut connection = Connection::open_in_memory().map_err(internal)?;
        connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;").map_err(internal)?;
        connection.query_row(&format!("PRAGMA hard_heap_limit = {MOST_MEMORY}"), [], |_| Ok(())).map_err(internal)?;
        runtime::register(&connection, &self.running).map_err(internal)?;
        let running = self.running.clone();
        connection.progress_handler(STEPS, Some(move || running.is_over())).map_err(internal)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE).map_err(internal)?;
        Ok(connection)
    }
}

impl Turn<'_> {
    fn connection(&self) -> Result<&Connection, SqlError> {
        self.connection.as_ref().ok_or_else(|| SqlError::unsupported("SQL without an engine"))
    }
}

fn fill(connection: &Connection, full_name: &str, rows: impl Iterator<Item = Vec<Value>>) -> Result<(), SqlError> {
    let mut rows = rows.peekable();
    let Some(width) = rows.peek().map(Vec::len) else { return Ok(()) };
    let marks = vec!["?"; width].join(", ");
    connection.execute_batch("BEGIN").map_err(internal)?;
    let insert = format!("INSERT INTO {} VALUES ({marks})", identifier(full_name));
    let filled = connection
        .prepare(&insert)
        .and_then(|mut insert| rows.try_for_each(|row| insert.execute(rusqlite::params_from_iter(row)).map(|_| ())));
    connection.execute_batch(if filled.is_ok() { "COMMIT" } else { "ROLLBACK" }).map_err(internal)?;
    filled.map_err(internal)
}

pub(crate) fn create_sql(full_name: &str, columns: &[Column]) -> String {
    let columns: Vec<_> = columns
        .iter()
        .map(|column| {
            format!(
                "{} {}{}",
                identifier(&column.name),
                column.kind.affinity(),
                if column.nullable { "" } else { " NOT NULL" }
            )
        })
        .collect();
    format!("CREATE TABLE {} ({})", identifier(full_name), columns.join(", "))
}

/// How long a statement asks to sleep: `sandbox_sleep(seconds)` anywhere in it, in milliseconds.
///
/// The function exists in the sandbox only; it keeps a statement RUNNING for tests of waiting and cancelling.
pub(crate) fn sleep_millis(sql: &str) -> Option<i64> {
    let tokens = parse::tokens(sql).ok()?;
    let position = tokens.iter().position(|token| parse::word(&token.token).as_deref() == Some("SANDBOX_SLEEP"))?;
    let Token::Number(seconds, _) = &tokens.get(position + 2)?.token else { return None };
    let seconds = seconds.parse::<f64>().ok()?.clamp(0.0, 86_400.0);
    #[expect(clippy::cast_possible_truncation, reason = "clamped above")]
    Some((seconds * 1000.0) as i64)
}

impl Work<'_> {
    fn run(&self) -> Result<Table, SqlError> {
        let mut tokens = rewrite::with_identifiers(parse::tokens(self.sql)?, self.session)?;
        if tokens.is_empty() {
            return Err(SqlError::syntax("EOF", 1, 0, self.sql));
        }
        if let Some(command) = commands::parse(&tokens, self.sql)? {
            return self.command(command);
        }
        let view_comment = parse::take_view_comment(&mut tokens);
        let properties = parse::take_properties(&mut tokens)?;
        let inserting = rewrite::take_inserting(&mut tokens)?;
        let statement = parse::statement(self.sql, tokens)?;
        let flow = self.flow(&statement);
        let result = self.execute_statement(statement, properties, view_comment, &inserting)?;
        if let Some((target, flow)) = flow {
            lock(self.catalog).add_flow(target, flow);
        }
        Ok(result)
    }

    fn execute_statement(
        &self,
        statement: Statement,
        properties: BTreeMap<String, String>,
        view_comment: Option<String>,
        inserting: &rewrite::Inserting,
    ) -> Result<Table, SqlError> {
        match statement {
            Statement::Query(query) => {
                let compiled = Compiler::new(&lock(self.catalog), self.session).query(&query, None, &Ctes::new())?;
                self.fetch(&compiled)
            }
            Statement::Insert(insert) => self.insert(&insert, inserting),
            Statement::Update(update) => self.update(&update),
            Statement::Delete(delete) => self.delete(&delete),
            Statement::Merge(merge) => self.merge(&merge),
            Statement::Truncate(truncate) => self.truncate(&truncate),
            Statement::CreateTable(create) => self.create_table(&create, properties),
            Statement::CreateView(create) => self.create_view(&create, view_comment),
            Statement::Drop { object_type, if_exists, names, .. } => self.drop(object_type, if_exists, &names),
            statement => {
                let text = statement.to_string();
                let words: Vec<_> = text.split_whitespace().take(2).collect();
                Err(SqlError::unsupported(format!("the statement {}", words.join(" "))))
            }
        }
    }

    /// What goes into a table by CREATE TABLE AS and INSERT.
    fn flow(&self, statement: &Statement) -> Option<(Name, Flow)> {
        let (target, query) = match statement {
            Statement::CreateTable(create) => (&create.name, create.query.as_deref()?),
            Statement::Insert(insert) => match &insert.table {
                TableObject::TableName(name) => (name, insert.source.as_deref()?),
                _ => return None,
            },
            _ => return None,
        };
        let catalog = lock(self.catalog);
        let compiler = Compiler::new(&catalog, self.session);
        let full = |name: &ObjectName| compiler.qualify(&parse::parts(name).ok()?).ok();
        let mut sources = BTreeSet::new();
        let _ = visit_relations(query, |name| {
            sources.extend(full(name));
            ControlFlow::<()>::Continue(())
        });
        let target = full(target)?;
        sources.retain(|name| catalog.table(name).is_some());
        let is_kept = matches!(statement, Statement::CreateTable(create) if create.if_not_exists)
            && catalog.table(&target).is_some();
        (!sources.is_empty() && !is_kept).then(|| (target, Flow { query: query.to_string(), sources }))
    }

    /// The rows of a compiled query, as text.
    pub(crate) fn fetch(&self, compiled: &Compiled) -> Result<Table, SqlError> {
        let limit = self.limits.rows.unwrap_or(ROW_LIMIT).min(ROW_LIMIT);
        let mut statement = self.connection.prepare(&compiled.sql).map_err(|error| failed(&error))?;
        let mut rows = statement.query([]).map_err(|error| failed(&error))?;
        let mut table = Table { columns: compiled.columns.clone(), ..Table::default() };
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            if table.rows.len() == limit {
                table.truncated = true;
                break;
            }
            let mut cells = Vec::with_capacity(compiled.columns.len());
            for (index, column) in compiled.columns.iter().enumerate() {
                let value: Value = row.get(index).map_err(|error| failed(&error))?;
                let cell = match (&value, self.limits.exact && column.kind.is_temporal()) {
                    (Value::Integer(number), true) => Some(number.to_string()),
                    _ => render::cell(&value, &column.kind)?,
                };
                let length = cell.as_ref().map_or(0, String::len);
                self.running.keep(length + size_of::<Option<String>>() + 32)?;
                bytes += length;
                if bytes > self.limits.bytes.saturating_add(WIDEST_ROW) {
                    return Err(SqlError::unsupported("rows this wide"));
                }
                cells.push(cell);
            }
            if bytes > self.limits.bytes && self.limits.cut {
                table.truncated = true;
                break;
            }
            if bytes > self.limits.bytes {
                return Err(SqlError {
                    message: "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most 26214400 bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to download the full result.".to_owned(),
                    sql_state: "54000".to_owned(),
                });
            }
            table.rows.push(cells);
        }
        Ok(table)
    }

    /// Runs SQLite's own SQL; gives the number of rows it changed.
    pub(crate) fn execute(&self, sql: &str) -> Result<usize, SqlError> {
        self.connection.execute(sql, []).map_err(|error| failed(&error))
    }

    /// Runs a change of several steps, all or nothing.
    pub(crate) fn all_or_nothing<T>(&self, body: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        self.execute("SAVEPOINT change")?;
        let result = body();
        // Some failures, such as an interrupt, have rolled all of it back already.
        if result.is_err() && self.connection.is_autocommit() {
            return result;
        }
        if result.is_err() {
            self.execute("ROLLBACK TO change")?;
        }
        self.execute("RELEASE change")?;
        result
    }

    /// Drops the rows of tables that left the catalog.
    fn drop_garbage(&self) -> Result<(), SqlError> {
        let dropped = std::mem::take(&mut lock(self.catalog).dropped);
        for name in dropped {
            self.execute(&format!("DROP TABLE IF EXISTS {}", identifier(&name)))?;
        }
        Ok(())
    }
}

/// The text that a canceled statement fails with inside; its state says the rest.
pub(crate) fn failed(error: &rusqlite::Error) -> SqlError {
    let text = match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        error => error.to_string(),
    };
    if text.starts_with('[') {
        let sql_state = text.rsplit_once("SQLSTATE: ").map_or("XX000", |(_, state)| state).trim().to_owned();
        return SqlError { message: text, sql_state };
    }
    if text == "interrupted" {
        return interrupted();
    }
    if text == "out of memory" {
        return SqlError::unsupported("statements that take this much memory");
    }
    if text == "string or blob too big" {
        return SqlError::unsupported("strings this long");
    }
    if text.contains("integer overflow") {
        return runtime::overflow();
    }
    if let Some(column) = text.strip_prefix("NOT NULL constraint failed: ") {
        let column = column.rsplit('.').next().unwrap_or(column);
        return SqlError::new(
            "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
            &format!("NOT NULL constraint violated for column: {column}."),
            "23502",
        );
    }
    SqlError::unsupported(format!("this statement (its engine says: {text})"))
}

fn waited() -> SqlError {
    SqlError::unsupported("so many long statements at once; run it again later")
}

fn internal(error: rusqlite::Error) -> SqlError {
    failed(&error)
}

#[cfg(test)]
mod tests;
