//! Runs statements: one SQLite database in memory, used by one statement at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::limits::Limit;
use rusqlite::types::Value;
use sqlparser::ast::{ObjectName, Statement, TableObject, visit_relations};
use sqlparser::tokenizer::Token;

use crate::areas::volumes::Files;
use crate::stack::on_large_stack;
use crate::workspace::catalog::{Catalog, Flow, Name};
use crate::workspace::lock;

use super::compile::{Compiled, Compiler, identifier};
use super::error::SqlError;
use super::relation::Ctes;
use super::types::{Column, Type};
use super::{commands, parse, render, rewrite, runtime};

/// Rows of a result that are kept; more than any client reads here.
const ROW_LIMIT: usize = 1_000_000;
/// Bytes of a result by default: the limit of INLINE results.
const BYTE_LIMIT: usize = 25 * 1024 * 1024;
/// Bytes of a text or of a row, at most.
const LONGEST_VALUE: i32 = 64 * 1024 * 1024;
/// Bytes that a row may have beyond those that are left for the result.
const WIDEST_ROW: usize = 64 * 1024 * 1024;
/// Bytes that all statements of this process have together.
const MOST_MEMORY: usize = 1024 * 1024 * 1024;
/// How long a statement may compute unless told otherwise.
const LONGEST_RUN: Duration = Duration::from_secs(20);
/// SQLite asks after so many of its steps whether to go on.
const STEPS: i32 = 1_000;

/// Who runs a statement, where and when.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) catalog: String,
    pub(crate) schema: String,
    pub(crate) user: String,
    pub(crate) now_micros: i64,
    /// Views that live as long as the session.
    pub(crate) temporary: TemporaryViews,
    /// The files of volumes.
    pub(crate) files: Arc<Mutex<Files>>,
    /// Named parameters: their type, and their text unless NULL.
    pub(crate) parameters: BTreeMap<String, (Type, Option<String>)>,
}

impl Session {
    pub(crate) fn new(user: &str, now_micros: i64) -> Self {
        Self {
            catalog: "main".to_owned(),
            schema: "default".to_owned(),
            user: user.to_owned(),
            now_micros,
            temporary: Arc::default(),
            files: Arc::default(),
            parameters: BTreeMap::new(),
        }
    }

    pub(crate) fn temporary_view(&self, name: &str) -> Option<TemporaryView> {
        lock(&self.temporary).get(&name.to_lowercase()).cloned()
    }
}

/// A view that only its session knows.
#[derive(Debug, Clone)]
pub(crate) struct TemporaryView {
    pub(crate) query: String,
    /// Where its names are resolved.
    pub(crate) catalog: String,
    pub(crate) schema: String,
    pub(crate) columns: Vec<String>,
}

/// Views of one session.
pub(crate) type TemporaryViews = Arc<Mutex<BTreeMap<String, TemporaryView>>>;

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
        let width = self.columns.len() * size_of::<Option<String>>();
        let texts = self.rows.iter().flatten().flatten().map(String::len).sum::<usize>();
        texts + self.rows.len() * width
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

/// Asks a running statement to stop, or stops it after a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel {
    asked: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Cancel {
    /// Stops a statement that runs longer.
    pub(crate) fn within(limit: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(limit), ..Self::default() }
    }

    pub(crate) fn cancel(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// The same request, which also stops the statement after this time.
    fn or_within(&self, limit: Duration) -> Self {
        let deadline = [self.deadline, Instant::now().checked_add(limit)].into_iter().flatten().min();
        Self { asked: Arc::clone(&self.asked), deadline }
    }

    pub(crate) fn is_canceled(&self) -> bool {
        self.asked.load(Ordering::Acquire) || self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }
}

/// Bytes of values that the aggregates of a statement keep, at most. SQLite's own limit does not count them.
const MOST_KEPT: usize = 256 * 1024 * 1024;

/// What stops the statement that runs now. SQLite asks it between its steps, and functions ask it within long work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    cancel: Arc<Mutex<Cancel>>,
    /// Bytes of values that its aggregates keep.
    kept: Arc<AtomicUsize>,
}

impl Running {
    fn set(&self, cancel: Cancel) {
        *lock(&self.cancel) = cancel;
        self.kept.store(0, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        lock(&self.cancel).is_canceled()
    }

    /// Fails where the statement has to stop.
    pub(crate) fn check(&self) -> Result<(), SqlError> {
        if self.is_over() { Err(interrupted()) } else { Ok(()) }
    }

    /// Counts bytes that an aggregate keeps, and fails where it is too many.
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), SqlError> {
        match self.kept.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) {
            kept if kept > MOST_KEPT => Err(SqlError::unsupported("statements that take this much memory")),
            _ => Ok(()),
        }
    }

    /// Counts no longer what an aggregate has dropped.
    pub(crate) fn drop_kept(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(crate) struct Engine {
    connection: Mutex<Option<Connection>>,
    running: Running,
    /// How long a statement may compute; the statements after it wait.
    longest: Duration,
}

impl Default for Engine {
    fn default() -> Self {
        Self { connection: Mutex::default(), running: Running::default(), longest: LONGEST_RUN }
    }
}

/// A statement at work: the connection it has for itself, and the shared catalog.
pub(crate) struct Work<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) catalog: &'a Mutex<Catalog>,
    pub(crate) session: &'a Session,
    pub(crate) sql: &'a str,
    pub(crate) limits: Limits,
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
        on_large_stack(|| self.run_here(catalog, session, sql, limits, cancel))
            .unwrap_or_else(|| Err(SqlError::unsupported("this statement (its engine gave up)")))
    }

    fn run_here(
        &self,
        catalog: &Mutex<Catalog>,
        session: &Session,
        sql: &str,
        limits: Limits,
        cancel: &Cancel,
    ) -> Result<Table, SqlError> {
        let mut slot = lock(&self.connection);
        let connection = self.open(&mut slot)?;
        self.running.set(cancel.or_within(self.longest));
        let work = Work { connection: &*connection, catalog, session, sql, limits };
        let result = work.drop_garbage().and_then(|()| work.run());
        self.running.set(Cancel::default());
        result
    }

    /// Whether a statement is running.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.connection.try_lock(), Err(std::sync::TryLockError::WouldBlock))
    }

    /// Fills a new table; for seeds.
    pub(crate) fn load(
        &self,
        full_name: &str,
        columns: &[Column],
        rows: impl Iterator<Item = Vec<Value>>,
    ) -> Result<(), SqlError> {
        let mut slot = lock(&self.connection);
        let connection = self.open(&mut slot)?;
        connection.execute_batch(&create_sql(full_name, columns)).map_err(internal)?;
        fill(connection, full_name, rows)
    }

    /// Fills a table anew.
    pub(crate) fn refill(&self, full_name: &str, rows: impl Iterator<Item = Vec<Value>>) -> Result<(), SqlError> {
        let mut slot = lock(&self.connection);
        let connection = self.open(&mut slot)?;
        connection.execute_batch(&format!("DELETE FROM {}", identifier(full_name))).map_err(internal)?;
        fill(connection, full_name, rows)
    }

    fn open<'a>(&self, slot: &'a mut Option<Connection>) -> Result<&'a mut Connection, SqlError> {
        if slot.is_none() {
            let mut connection = Connection::open_in_memory().map_err(internal)?;
            connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;").map_err(internal)?;
            connection
                .query_row(&format!("PRAGMA hard_heap_limit = {MOST_MEMORY}"), [], |_| Ok(()))
                .map_err(internal)?;
            runtime::register(&connection, &self.running).map_err(internal)?;
            let running = self.running.clone();
            connection.progress_handler(STEPS, Some(move || running.is_over())).map_err(internal)?;
            connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE).map_err(internal)?;
            *slot = Some(connection);
        }
        slot.as_mut().ok_or_else(|| SqlError::unsupported("SQL without an engine"))
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
                bytes += cell.as_ref().map_or(0, String::len);
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
        if result.is_err() {
            let _ = self.execute("ROLLBACK TO change");
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

fn interrupted() -> SqlError {
    SqlError::unsupported("statements that run this long here")
}

fn internal(error: rusqlite::Error) -> SqlError {
    failed(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_without_end_leaves_the_engine_to_the_next() {
        let engine = Engine { longest: Duration::from_millis(20), ..Engine::default() };
        let (catalog, session) = (Mutex::default(), Session::new("someone", 0));
        let run = |sql| engine.run(&catalog, &session, sql, Limits::default(), &Cancel::default());
        for sql in [
            "SELECT count(*) FROM range(100000000000)",
            // One call of a function may take as long as many steps of a query.
            "SELECT repeat('a', 300000) LIKE '%' || repeat('a', 100000) || 'b'",
            "SELECT length(regexp_replace(repeat('a', 1000000), '(b?)a', repeat('$1', 100000)))",
            "SELECT regexp_count(repeat('a', 1000000), '(?:a{1,200}b)|c|(?:a)')",
            "SELECT max(m) FROM (SELECT median(id) OVER (ORDER BY id) AS m FROM range(100000))",
            "SELECT size(zip_with(sequence(1, 100000), sequence(1, 100000), (x, y) -> x + y))",
        ] {
            let error = run(sql).unwrap_err();
            assert!(error.message.contains("statements that run this long"), "{sql}: {}", error.message);
        }
        assert_eq!(run("SELECT 1").unwrap().rows, [[Some("1".to_owned())]]);
    }

    #[test]
    fn work_on_many_values_grows_with_their_number() {
        let (engine, catalog, session) = (Engine::default(), Mutex::default(), Session::new("someone", 0));
        let sql = "SELECT mode(id), length(string_agg(DISTINCT CAST(id AS STRING), ',')), mode(id % 3),
            length(trim(BOTH repeat('ab', 1000000) || 'c' FROM repeat('c', 1000000))),
            instr(repeat('a', 16000000), repeat('a', 4000000) || 'b') FROM range(200000)";
        let table = engine.run(&catalog, &session, sql, Limits::default(), &Cancel::default()).unwrap();
        assert_eq!(table.rows, [["0", "1288889", "0", "0", "0"].map(|cell| Some(cell.to_owned()))]);
    }

    #[test]
    fn a_search_by_a_large_pattern_in_a_long_text_is_refused() {
        let (engine, catalog, session) = (Engine::default(), Mutex::default(), Session::new("someone", 0));
        let sql = "SELECT repeat('ab', 5000000) RLIKE '[ab]*a[ab]{5000}c'";
        let error = engine.run(&catalog, &session, sql, Limits::default(), &Cancel::default()).unwrap_err();
        assert!(error.message.contains("a regular expression this large"), "{}", error.message);
    }
}
