//! `execute_sql`: runs one statement on a SQL warehouse, waits, and returns its rows.

use databricks::types::StatementParameterListItem;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::{Composite, Work};
use crate::domain::sql::read_only::{self, Circumstances};
use crate::domain::sql::statement::{self, Export, Outcome, StatementHandle, StatementRequest};
use crate::domain::sql::warehouse;
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::policy::{Policy, READ_ONLY};
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, guard: only_reads, work: WORK);

static WORK: Work = work!(StatementHandle, look: statement::look, cancel: cancel);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// One SQL statement in Databricks SQL; values as named markers, e.g. `SELECT * FROM orders WHERE day = :day`.
    statement: String,
    /// Values of the named markers.
    #[serde(default)]
    parameters: Vec<Parameter>,
    /// Catalog for names without one, from `list_catalogs`.
    catalog: Option<String>,
    /// Schema for names without one, from `list_schemas`.
    schema: Option<String>,
    /// SQL warehouse, from `list_warehouses`; if unset, the configured one or a running one.
    warehouse_id: Option<String>,
    /// Maximum rows that the statement may return.
    #[schemars(range(min = 1))]
    row_limit: Option<i64>,
    /// The result may exceed 25 MiB. Queries adapt by themselves.
    #[serde(default)]
    large_result: bool,
    /// Put all rows into this file, `.csv` or `.jsonl`, in a volume or below `--local-root`.
    save_to: Option<String>,
    /// Replace that file.
    #[serde(default)]
    overwrite: bool,
    /// Refuse everything but queries.
    #[serde(default)]
    read_only: bool,
    /// Time to wait; after it the statement keeps running and its id is returned.
    #[serde(default)]
    timeout_seconds: Timeout,
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

/// Refuses what does more than read. What is told to refuse it by itself needs no other refusal.
async fn only_reads(policy: Policy, input: &Input) -> Result<(), Error> {
    if input.read_only {
        return Ok(());
    }
    read_only::check(&input.statement, circumstances(policy, input)).await?;
    match input.save_to.as_ref().filter(|path| !path.is_empty()) {
        Some(_) => Err(Error::failed("`save_to` writes a file")),
        None => Ok(()),
    }
}

/// What decides about the statement besides its text.
fn circumstances(policy: Policy, input: &Input) -> Circumstances {
    Circumstances {
        parameters: input.parameters.iter().map(|parameter| (parameter.marker(), parameter.value.clone())).collect(),
        catalog: input.catalog.clone(),
        no_user_functions: policy.no_user_functions,
    }
}

async fn cancel(context: Context, StatementHandle { statement_id }: StatementHandle) -> Result<Value, Error> {
    statement::cancel(&context.client, &statement_id).await?;
    Ok(json!({ "statement_id": statement_id }))
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    // Whoever looks later has no file to put the rows into.
    let saves = input.save_to.as_ref().is_some_and(|path| !path.is_empty());
    let context = if saves { context.by_itself() } else { context };
    let circumstances = circumstances(context.policy, &input);
    let parameters: Vec<_> = input.parameters.into_iter().map(Parameter::plain).collect();
    if context.policy.read_only || input.read_only {
        let way_out = match context.policy.read_only {
            true => "this workspace is read-only on this server, at least for you; nothing was run",
            false => "nothing was run, because `read_only` is set",
        };
        read_only::check(&input.statement, circumstances.clone()).await.map_err(|error| {
            let error = error.with_hint(way_out);
            if context.policy.read_only { error.refused_by(READ_ONLY) } else { error }
        })?;
    }
    if input.read_only && input.save_to.as_ref().is_some_and(|path| !path.is_empty()) {
        return Err(Error::failed("`save_to` writes a file, and `read_only` is set; nothing was run")
            .with_hint("leave out one of the two"));
    }
    let started = Instant::now();
    let export = match input.save_to.as_ref().filter(|path| !path.is_empty()) {
        Some(path) => Some(Export::open(&context, path, input.overwrite).await?),
        None => None,
    };
    let warehouse = warehouse::choose(&context, input.warehouse_id).await?;
    let mut request = StatementRequest {
        sql: input.statement.into(),
        parameters,
        catalog: input.catalog,
        schema: input.schema,
        row_limit: input.row_limit,
        by_links: input.large_result || export.is_some(),
    };
    let mut end = match statement::run(&context, &warehouse, &request, input.timeout_seconds.seconds()).await {
        Ok(end) => end,
        Err(error) => return Err(about_syntax(error, &request.sql).await),
    };
    // That a result is too large shows only after it was computed. Computing a query once more changes nothing.
    if matches!(end, Outcome::TooLarge(_)) && read_only::check(&request.sql, circumstances).await.is_ok() {
        context.progress.report("the result is beyond 25 MiB: running the query again for delivery by links");
        request.by_links = true;
        let left = input.timeout_seconds.seconds().saturating_sub(started.elapsed().as_secs());
        end = statement::run(&context, &warehouse, &request, left).await?;
    }
    let mut answer = match (end, export) {
        (Outcome::Done(statement), Some(export)) => export.write(&context, *statement).await?,
        (Outcome::Done(statement), None) => {
            let mut answer = statement::page(&context, *statement, Cursor::default()).await?;
            if is_of_session(&request.sql) {
                let advice = "each call has its own session, so later calls do not see this: pass `catalog` and \
                              `schema`, or values in `parameters`";
                shape::advise(&mut answer, advice);
            }
            answer
        }
        (Outcome::Running(mut answer), export) => {
            if export.is_some() {
                let advice = "no file was written: page through its rows, or run the query again with `save_to` and a \
                              longer `timeout_seconds`";
                shape::advise(&mut answer, advice);
            }
            answer
        }
        (Outcome::TooLarge(error) | Outcome::Unserved(error), _) => return Err(error),
    };
    warehouse.put(&mut answer);
    statement::put_elapsed(&mut answer, started.elapsed());
    Ok(answer)
}

impl Parameter {
    /// Markers are often named as they are written.
    fn marker(&self) -> String {
        self.name.strip_prefix(':').unwrap_or(&self.name).to_owned()
    }

    fn plain(self) -> StatementParameterListItem {
        StatementParameterListItem { name: self.marker(), value: self.value, type_: self.r#type }
    }
}

/// Says what is wrong with several statements in one call, which the workspace calls an error of syntax.
async fn about_syntax(error: Error, sql: &str) -> Error {
    match error.to_string().contains("PARSE_SYNTAX_ERROR") && read_only::has_several_statements(sql).await {
        true => error.with_hint(
            "one call takes one statement: send each in its own call, or all as a script between `BEGIN` and `END`",
        ),
        false => error,
    }
}

/// Whether all that a statement does is for those after it in the same session.
fn is_of_session(sql: &str) -> bool {
    let mut words =
        sql.split_whitespace().map(str::to_ascii_uppercase).filter(|word| !matches!(word.as_str(), "OR" | "REPLACE"));
    match words.next().as_deref() {
        Some("USE" | "SET" | "RESET" | "DECLARE") => true,
        Some("CREATE") => words.next().is_some_and(|word| matches!(word.as_str(), "TEMP" | "TEMPORARY")),
        _ => false,
    }
}
