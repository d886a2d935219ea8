//! What a task does when it runs, by simple rules.
//!
//! SQL notebooks and SQL tasks run on the engine, and so do `%sql` cells; `python` runs the others. `time.sleep(n)` anywhere makes the task take that long. With a line `# sandbox: flaky`, `raise` counts only
//! in the first attempt of runs with an odd number; with `# sandbox: driver out of memory` the driver dies.
//!
//! A task of another kind fails with an error that names the kind: a success would say that its work was done.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::objects::{Kind, cells, normal};
use super::python::{self, Cell, Names};
use super::queries::QUERIES;
use super::runs::{Values, plain};
use super::scim;
use super::statements::Ran;
use crate::clock::Lapse;
use crate::json::Members;
use crate::sql::{Cancel, Limits, Session, SqlError, Table};
use crate::workspace::{Workspace, lock};

/// What a finished task left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    pub(crate) result: &'static str,
    /// Why it ended other than well: termination code and type.
    pub(crate) code: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) error: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) exit: Option<String>,
    pub(crate) logs: Option<String>,
    /// The outcome of a condition task, or further output of a SQL or run-job task.
    pub(crate) outcome: Option<String>,
    pub(crate) extra: Map<String, Value>,
    /// What it has set for the tasks after it.
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) internal: bool,
    /// Whether its texts were too long to be kept whole.
    pub(crate) truncated: bool,
}

impl Done {
    pub(crate) fn success() -> Self {
        Self { result: "SUCCESS", code: "SUCCESS", kind: "SUCCESS", ..Self::default() }
    }

    /// The code of the task itself failed.
    pub(crate) fn failure(error: impl Into<String>, trace: impl Into<String>) -> Self {
        Self {
            result: "FAILED",
            code: "RUN_EXECUTION_ERROR",
            kind: "CLIENT_ERROR",
            message: "Workload failed, see run output for details".to_owned(),
            error: Some(error.into()),
            trace: Some(trace.into()),
            ..Self::default()
        }
    }

    /// The task could not begin.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            result: "FAILED",
            code,
            kind: "CLIENT_ERROR",
            error: Some(message.clone()),
            message,
            internal: true,
            ..Self::default()
        }
    }

    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let given = [&mut self.error, &mut self.trace, &mut self.exit, &mut self.logs];
        given.into_iter().flatten().chain([&mut self.message])
    }

    /// The same with texts of at most so many bytes.
    pub(crate) fn cut(mut self, most: usize) -> Self {
        let mut truncated = false;
        for text in self.texts() {
            truncated |= text.len() > most;
            text.truncate(text.floor_char_boundary(most));
        }
        Self { truncated, ..self }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [&self.error, &self.trace, &self.exit, &self.logs].into_iter().flatten();
        texts.chain(self.values.values()).chain([&self.message]).map(String::len).sum()
    }

    pub(crate) fn other(result: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { result, code, kind: "SUCCESS", message: message.into(), ..Self::default() }
    }
}

/// How a task is called: its place in a run, and its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) spec: Map<String, Value>,
    pub(crate) parameters: BTreeMap<String, String>,
    /// What the tasks before it have set.
    pub(crate) values: Values,
    pub(crate) run_number: i64,
    pub(crate) attempt: i64,
    /// When its work ends, as the clock of the workspace tells.
    pub(crate) ends: i64,
    /// What stops its work.
    pub(crate) cancel: Cancel,
}

/// How long a statement of a task may take; other statements wait for it.
const LONGEST: Duration = Duration::from_secs(3);

/// Rows of a statement that a task runs, at most.
const ROWS: usize = 1_000;

const USUAL: Lapse = Lapse::new(300, 20_000).in_demo(4_000);

/// The source that a task runs, with its language.
fn source(workspace: &Workspace, spec: &Map<String, Value>) -> Option<(String, String)> {
    let path = ["notebook_task", "spark_python_task", "sql_task"].iter().find_map(|kind| {
        let task = spec.get(*kind)?;
        task.get("notebook_path")
            .or_else(|| task.get("python_file"))
            .or_else(|| task.get("file").and_then(|file| file.get("path")))
            .and_then(Value::as_str)
    })?;
    let path = normal(path).ok()?;
    let objects = lock(&workspace.objects);
    let object = objects.0.get(&path)?;
    let language = match object.kind {
        Kind::Notebook(language) => language.name().to_owned(),
        Kind::File => if path.ends_with(".sql") { "SQL" } else { "PYTHON" }.to_owned(),
        _ => return None,
    };
    Some((String::from_utf8_lossy(&object.content).into_owned(), language))
}

static SLEEP: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"time\.sleep\(\s*(\d+(?:\.\d+)?)\s*\)").ok());

/// How long a task runs, in milliseconds.
pub(crate) fn duration(workspace: &Workspace, spec: &Map<String, Value>) -> i64 {
    let asleep = source(workspace, spec).map_or(0, |(source, _)| sleep_in(&source));
    workspace.clock.lapse(USUAL) + asleep
}

/// How long a Python source sleeps, in milliseconds.
pub(super) fn sleep_in(source: &str) -> i64 {
    let Some(pattern) = SLEEP.as_ref() else { return 0 };
    let seconds: f64 =
        pattern.captures_iter(source).filter_map(|found| found.get(1)?.as_str().parse::<f64>().ok()).sum();
    #[expect(clippy::cast_possible_truncation, reason = "clamped to a day")]
    let millis = (seconds.clamp(0.0, 86_400.0) * 1000.0) as i64;
    millis
}

/// Runs the statements of a SQL source; gives what the last one gave.
pub(super) fn run_statements(workspace: &Workspace, source: &str, cancel: &Cancel) -> Result<Option<Table>, SqlError> {
    let mut last = None;
    for statement in sql_statements(source) {
        last = Some(run_sql(workspace, &statement, &BTreeMap::new(), ROWS, cancel)?);
    }
    Ok(last)
}

/// What a task gives that has no code to run.
pub(crate) fn without_code(spec: &Map<String, Value>) -> Option<Done> {
    match spec.get("condition_task") {
        Some(condition) => Some(compare(condition)),
        None if ["notebook_task", "spark_python_task", "sql_task"].iter().any(|kind| spec.contains_key(*kind)) => None,
        None => Some(unknown_kind(spec)),
    }
}

/// Runs the code of a task.
pub(crate) fn execute(workspace: &Workspace, call: &Call) -> Done {
    let spec = &call.spec;
    if let Some(task) = spec.get("sql_task") {
        return sql_task(workspace, task, call);
    }
    let notebook = spec.contains_key("notebook_task");
    let Some((source, language)) = source(workspace, spec) else {
        let path = ["notebook_path", "python_file"]
            .iter()
            .find_map(|field| spec.values().find_map(|task| task.get(*field)?.as_str()))
            .unwrap_or_default();
        return Done::refused(
            "RESOURCE_NOT_FOUND",
            format!(
                "Unable to access the notebook \"{path}\". Either it does not exist, or the identity used to run this job lacks the required permissions."
            ),
        );
    };
    match language.as_str() {
        "SQL" => sql_source(workspace, &source, call),
        "PYTHON" => python(workspace, &source, call, notebook),
        language => Done::refused("FEATURE_DISABLED", format!("The sandbox does not run notebooks in {language}")),
    }
}

/// Refuses a task whose work the sandbox cannot do.
fn unknown_kind(spec: &Map<String, Value>) -> Done {
    let kinds: Vec<_> = spec.keys().filter(|key| key.ends_with("_task")).map(|key| format!("`{key}`")).collect();
    let message = match kinds.as_slice() {
        [] => "The task names no work to do.".to_owned(),
        kinds => format!(
            "The sandbox does not run tasks of the kind {}; it runs notebook, Python, SQL, condition, for-each and run-job tasks.",
            kinds.join(", ")
        ),
    };
    Done::refused("FEATURE_DISABLED", message)
}

fn compare(condition: &Value) -> Done {
    let side = |name: &str| condition.at(name).as_str().unwrap_or_default().to_owned();
    let (left, right) = (side("left"), side("right"));
    let order = match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.partial_cmp(&right),
        _ => Some(left.cmp(&right)),
    };
    let holds = match condition.at("op").as_str().unwrap_or_default() {
        "EQUAL_TO" => left == right,
        "NOT_EQUAL" => left != right,
        "GREATER_THAN" => order.is_some_and(std::cmp::Ordering::is_gt),
        "GREATER_THAN_OR_EQUAL" => order.is_some_and(std::cmp::Ordering::is_ge),
        "LESS_THAN" => order.is_some_and(std::cmp::Ordering::is_lt),
        "LESS_THAN_OR_EQUAL" => order.is_some_and(std::cmp::Ordering::is_le),
        op => return Done::refused("INVALID_RUN_CONFIGURATION", format!("Unknown operator {op}")),
    };
    Done { outcome: Some(holds.to_string()), ..Done::success() }
}

fn session(workspace: &Workspace, parameters: &BTreeMap<String, String>) -> Session {
    let mut session = workspace.session();
    session.grantees = Some(scim::grantees(workspace));
    session.parameters = parameters
        .iter()
        .map(|(name, value)| (name.clone(), (crate::sql::Type::String, Some(value.clone()))))
        .collect();
    session
}

/// Runs one statement; gives up to so many rows.
pub(crate) fn run_sql(
    workspace: &Workspace,
    sql: &str,
    parameters: &BTreeMap<String, String>,
    rows: usize,
    cancel: &Cancel,
) -> Result<Table, SqlError> {
    let limits = Limits { rows: Some(rows), ..Limits::default() };
    workspace.engine.run(&workspace.catalog, &session(workspace, parameters), sql, limits, &cancel.or_within(LONGEST))
}

pub(super) fn sql_failure(error: &SqlError) -> Done {
    let message = error.message.trim().to_owned();
    Done::failure(message.clone(), format!("AnalysisException: {message}"))
}

/// The statements of a SQL source, cell by cell.
fn sql_statements(source: &str) -> Vec<String> {
    cells(source)
        .iter()
        .filter(|cell| !cell.trim_start_matches("-- MAGIC ").starts_with("%md"))
        .flat_map(|cell| cell.split(";\n").map(str::to_owned).collect::<Vec<_>>())
        .map(|statement| statement.trim().trim_end_matches(';').to_owned())
        .filter(|statement| {
            statement.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--"))
        })
        .collect()
}

fn sql_source(workspace: &Workspace, source: &str, call: &Call) -> Done {
    for statement in sql_statements(source) {
        if let Err(error) = run_sql(workspace, &statement, &call.parameters, ROWS, &call.cancel) {
            return sql_failure(&error);
        }
    }
    Done::success()
}

/// The text of a saved query that is not in the trash.
fn saved_query(workspace: &Workspace, id: &str) -> Option<String> {
    let query = QUERIES.find(workspace, id).filter(|query| query.text_at("lifecycle_state") == "ACTIVE")?;
    Some(query.text_at("query_text").to_owned())
}

fn sql_task(workspace: &Workspace, task: &Value, call: &Call) -> Done {
    let warehouse = task.at("warehouse_id").as_str().unwrap_or_default();
    if let Err(error) = super::warehouses::wake(workspace, warehouse) {
        let _ = error;
        return Done::refused("RESOURCE_NOT_FOUND", format!("SQL warehouse {warehouse} does not exist."));
    }
    if let Some(why) = super::warehouses::doom(workspace, warehouse) {
        return Done::refused("CLUSTER_ERROR", why);
    }
    let mut parameters = call.parameters.clone();
    for (name, value) in task.at("parameters").as_object().into_iter().flatten() {
        parameters.insert(name.clone(), plain(value));
    }
    let query = task.at("query").at("query_id").as_str();
    let source = match query {
        Some(id) => saved_query(workspace, id),
        None => source(workspace, &call.spec).map(|(source, _)| source),
    };
    let Some(source) = source else {
        let message = match query {
            Some(id) => format!("The query {id} does not exist."),
            None => "The sandbox runs SQL tasks of saved queries and of files of the workspace; this one names neither"
                .to_owned(),
        };
        return Done::refused("RESOURCE_NOT_FOUND", message);
    };
    let mut done = Done::success();
    let mut statements = Vec::new();
    let sources = sql_statements(&source);
    // One ends when the next one begins, and the last one with the task.
    let mut ended = call.ends - super::statements::usual(workspace) * i64::try_from(sources.len()).unwrap_or(0);
    for statement in sources {
        ended += super::statements::usual(workspace);
        let outcome = run_sql(workspace, &statement, &parameters, ROWS, &call.cancel);
        let failure = outcome.as_ref().err().map(sql_failure);
        let id = super::statements::enter(workspace, &Ran { sql: &statement, warehouse, ended }, outcome);
        statements.push(json!({"lookup_key": id}));
        if let Some(failure) = failure {
            done = failure;
            break;
        }
    }
    let output = json!({"query_output": {"warehouse_id": warehouse, "endpoint_id": warehouse, "query_text": source,
        "sql_statements": statements}});
    done.extra.insert("sql_output".to_owned(), output);
    done
}

/// What ran on a driver when it died.
pub(crate) fn driver_died() -> Done {
    let message =
        "The spark driver has stopped unexpectedly and is restarting. Your notebook will be automatically reattached.";
    Done::refused("DRIVER_ERROR", message)
}

/// Runs a Python source cell by cell.
fn python(workspace: &Workspace, source: &str, call: &Call, notebook: bool) -> Done {
    let has = |line: &str| source.lines().any(|known| known.trim() == line);
    if has("# sandbox: driver out of memory") {
        return driver_died();
    }
    let armed = !has("# sandbox: flaky") || (call.run_number % 2 == 1 && call.attempt == 0);
    let cells = cells(source);
    let cells = cells.iter().filter_map(|cell| python_cell(workspace, cell, call));
    let ran = python::run(workspace, call, &mut Names::default(), armed, cells);
    let mut done = ran.done;
    // Notebooks have no logs, scripts no exit value.
    if !notebook {
        done.logs = Some(ran.logs);
        done.exit = None;
    }
    done
}

/// A cell as it runs; nothing of one that is text.
fn python_cell<'c>(workspace: &'c Workspace, cell: &'c str, call: &'c Call) -> Option<Cell<'c>> {
    let command = |line: &'c str| line.strip_prefix("# MAGIC ").filter(|rest| rest.starts_with(['%', '!']));
    let mut code = cell.lines().skip_while(|line| line.is_empty() || line.starts_with("# DBTITLE"));
    let first = code.next().and_then(command);
    let Some(first) = first.or_else(|| code.find_map(command)) else { return Some(Cell::Python(cell)) };
    let (name, rest) = first.split_once(char::is_whitespace).unwrap_or((first, ""));
    match name {
        "%md" => None,
        "%sql" => {
            let lines = std::iter::once(rest).chain(code.map(|line| line.trim_start_matches("# MAGIC")));
            let sql = lines.collect::<Vec<_>>().join("\n");
            Some(Cell::Other(Box::new(move || {
                let done = sql_source(workspace, &sql, call);
                (done.result != "SUCCESS").then_some(done)
            })))
        }
        name => Some(Cell::Other(Box::new(move || Some(python::refused(name, cell))))),
    }
}
