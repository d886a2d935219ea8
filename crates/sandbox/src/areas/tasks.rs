//! What a task does when it runs, by simple rules.
//!
//! SQL notebooks and SQL tasks run on the engine. Of a Python source these lines at the left margin count, in order:
//! `dbutils.widgets.text("n", "default")`, `x = dbutils.widgets.get("n")`, `x = "text"`, `print(…)`,
//! `spark.sql("…")`, `%sql` cells, `dbutils.notebook.exit(…)` and `raise Error("…")`; the rest does nothing.
//! `time.sleep(n)` anywhere makes the task take that long. With a line `# sandbox: flaky`, `raise` counts only in
//! the first attempt of runs with an odd number.
//!
//! Derived: tasks of other kinds succeed without doing anything, and say so in their logs.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::objects::{Kind, cells, normal};
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
    pub(crate) internal: bool,
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

    pub(crate) fn other(result: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { result, code, kind: "SUCCESS", message: message.into(), ..Self::default() }
    }
}

/// How a task is called: its place in a run, and its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) spec: &'a Map<String, Value>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) run_number: i64,
    pub(crate) attempt: i64,
}

/// How long a statement of a task may take; all requests wait for it.
const LONGEST: Duration = Duration::from_secs(3);

const USUAL: Lapse = Lapse::new(300, 20_000);

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
        Kind::Notebook(language) => language.to_owned(),
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

/// Runs a Python source that belongs to no task; what it prints is in the logs.
pub(super) fn run_python(workspace: &Workspace, source: &str) -> Done {
    let spec = Map::new();
    let call = Call { spec: &spec, parameters: BTreeMap::new(), run_number: 1, attempt: 0 };
    python(workspace, source, &call, false)
}

/// Runs the statements of a SQL source; gives what the last one gave.
pub(super) fn run_statements(workspace: &Workspace, source: &str) -> Result<Option<Table>, SqlError> {
    let mut last = None;
    for statement in sql_statements(source) {
        last = Some(run_sql(workspace, &statement, &BTreeMap::new())?);
    }
    Ok(last)
}

pub(crate) fn execute(workspace: &Workspace, call: &Call<'_>) -> Done {
    let spec = call.spec;
    if let Some(id) = spec.get("existing_cluster_id").and_then(Value::as_str)
        && !super::clusters::usable(workspace, id)
    {
        return Done::refused("CLUSTER_ERROR", format!("Cluster {id} does not exist or cannot be used"));
    }
    if let Some(condition) = spec.get("condition_task") {
        return compare(condition, call);
    }
    if let Some(task) = spec.get("sql_task") {
        return sql_task(workspace, task, call);
    }
    let notebook = spec.contains_key("notebook_task");
    if !notebook && !spec.contains_key("spark_python_task") {
        return Done {
            logs: Some("The sandbox does not run tasks of this kind; it only lets them succeed.\n".to_owned()),
            ..Done::success()
        };
    }
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
        "SQL" => sql_source(workspace, &source, &call.parameters),
        "PYTHON" => python(workspace, &source, call, notebook),
        language => Done::refused("UNSUPPORTED", format!("The sandbox does not run notebooks in {language}")),
    }
}

/// Replaces `{{job.parameters.x}}` and its kin.
pub(crate) fn substitute(text: &str, parameters: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in parameters {
        text =
            text.replace(&format!("{{{{job.parameters.{name}}}}}"), value).replace(&format!("{{{{{name}}}}}"), value);
    }
    text
}

fn compare(condition: &Value, call: &Call<'_>) -> Done {
    let side = |name: &str| substitute(condition.at(name).as_str().unwrap_or_default(), &call.parameters);
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
        op => return Done::refused("UNSUPPORTED", format!("Unknown operator {op}")),
    };
    Done { outcome: Some(holds.to_string()), ..Done::success() }
}

fn session(workspace: &Workspace, parameters: &BTreeMap<String, String>) -> Session {
    let mut session = workspace.session();
    session.parameters = parameters
        .iter()
        .map(|(name, value)| (name.clone(), (crate::sql::Type::String, Some(value.clone()))))
        .collect();
    session
}

fn run_sql(workspace: &Workspace, sql: &str, parameters: &BTreeMap<String, String>) -> Result<Table, SqlError> {
    let limits = Limits { rows: Some(1000), ..Limits::default() };
    workspace.engine.run(&workspace.catalog, &session(workspace, parameters), sql, limits, &Cancel::within(LONGEST))
}

fn sql_failure(error: &SqlError) -> Done {
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

fn sql_source(workspace: &Workspace, source: &str, parameters: &BTreeMap<String, String>) -> Done {
    for statement in sql_statements(source) {
        if let Err(error) = run_sql(workspace, &statement, parameters) {
            return sql_failure(&error);
        }
    }
    Done::success()
}

fn sql_task(workspace: &Workspace, task: &Value, call: &Call<'_>) -> Done {
    let warehouse = task.at("warehouse_id").as_str().unwrap_or_default();
    if let Err(error) = super::warehouses::wake(workspace, warehouse) {
        let _ = error;
        return Done::refused("RESOURCE_NOT_FOUND", format!("SQL warehouse {warehouse} does not exist."));
    }
    let mut parameters = call.parameters.clone();
    for (name, value) in task.at("parameters").as_object().into_iter().flatten() {
        parameters.insert(name.clone(), substitute(value.as_str().unwrap_or_default(), &call.parameters));
    }
    let Some((source, _)) = source(workspace, call.spec) else {
        return Done::refused(
            "RESOURCE_NOT_FOUND",
            "The sandbox runs SQL tasks from files of the workspace only; there is no such file",
        );
    };
    let mut done = sql_source(workspace, &source, &parameters);
    let output = json!({"query_output": {"warehouse_id": warehouse, "endpoint_id": warehouse, "query_text": source,
        "sql_statements": sql_statements(&source).iter().map(|_| json!({"lookup_key": workspace.ids.hex16()})).collect::<Vec<_>>()}});
    done.extra.insert("sql_output".to_owned(), output);
    done
}

struct Script<'a> {
    workspace: &'a Workspace,
    call: &'a Call<'a>,
    widgets: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    logs: String,
}

enum Step {
    Go,
    Stop(Box<Done>),
}

fn python(workspace: &Workspace, source: &str, call: &Call<'_>, notebook: bool) -> Done {
    let mut script =
        Script { workspace, call, widgets: BTreeMap::new(), variables: BTreeMap::new(), logs: String::new() };
    let flaky = source.lines().any(|line| line.trim() == "# sandbox: flaky");
    let armed = !flaky || (call.run_number % 2 == 1 && call.attempt == 0);
    let mut done = Done::success();
    'source: for cell in cells(source) {
        if let Some(sql) = cell.strip_prefix("# MAGIC %sql") {
            let sql: Vec<_> = sql.lines().map(|line| line.trim_start_matches("# MAGIC")).collect();
            done = sql_source(workspace, &sql.join("\n"), &call.parameters);
            if done.result != "SUCCESS" {
                break;
            }
            continue;
        }
        for (number, line) in cell.lines().enumerate() {
            match script.step(line, number + 1, &cell, armed) {
                Step::Go => {}
                Step::Stop(stop) => {
                    done = *stop;
                    break 'source;
                }
            }
        }
    }
    // Notebooks have no logs, scripts no exit value.
    if !notebook {
        done.logs = Some(script.logs);
        done.exit = None;
    }
    done
}

impl Script<'_> {
    fn step(&mut self, line: &str, number: usize, cell: &str, armed: bool) -> Step {
        let line = line.trim_end();
        if let Some(arguments) = inside(line, "dbutils.widgets.text(") {
            let mut arguments = arguments.split(',').map(|argument| self.value(argument));
            if let (Some(name), Some(default)) = (arguments.next(), arguments.next()) {
                self.widgets.insert(name, default);
            }
        } else if let Some(value) = inside(line, "dbutils.notebook.exit(") {
            return Step::Stop(Box::new(Done { exit: Some(self.value(value)), ..Done::success() }));
        } else if let Some(value) = inside(line, "print(") {
            let text = self.value(value);
            self.logs.push_str(&text);
            self.logs.push('\n');
        } else if let Some(sql) = inside(line, "spark.sql(") {
            let sql = self.value(sql);
            if let Err(error) = run_sql(self.workspace, &sql, &self.call.parameters) {
                return Step::Stop(Box::new(sql_failure(&error)));
            }
        } else if let Some(raised) = line.strip_prefix("raise ").filter(|_| armed) {
            return Step::Stop(Box::new(self.raise(raised, number, cell)));
        } else if let Some((name, value)) = line.split_once(" = ") {
            let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            if plain {
                let value = self.value(value);
                self.variables.insert(name.to_owned(), value);
            }
        }
        Step::Go
    }

    fn raise(&self, raised: &str, number: usize, cell: &str) -> Done {
        let (class, message) = match raised.split_once('(') {
            Some((class, rest)) => (class, self.value(rest.rsplit_once(')').map_or(rest, |(message, _)| message))),
            None => (raised, String::new()),
        };
        let error = if message.is_empty() { class.to_owned() } else { format!("{class}: {message}") };
        let mut trace = format!(
            "{}\n{class:<42}Traceback (most recent call last)\nFile <command-1>, line {number}\n",
            "-".repeat(75)
        );
        for (index, line) in cell.lines().enumerate() {
            let arrow = if index + 1 == number { "---->" } else { "     " };
            trace.push_str(&format!("{arrow} {} {line}\n", index + 1));
        }
        trace.push_str(&format!("\n{error}"));
        Done::failure(error, trace)
    }

    /// What an expression is worth: a string, a widget, a variable, or its own text.
    fn value(&self, expression: &str) -> String {
        let expression = expression.trim();
        if let Some(name) = inside(expression, "dbutils.widgets.get(") {
            let name = self.value(name);
            return self.call.parameters.get(&name).or_else(|| self.widgets.get(&name)).cloned().unwrap_or_default();
        }
        for quote in ["\"\"\"", "\"", "'"] {
            if let Some(text) = expression.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
                return text.replace("\\\"", "\"").replace("\\n", "\n");
            }
        }
        self.variables.get(expression).cloned().unwrap_or_else(|| expression.to_owned())
    }
}

/// The arguments of a call that takes up a whole line.
fn inside<'a>(line: &'a str, call: &str) -> Option<&'a str> {
    line.strip_prefix(call)?.strip_suffix(')')
}
