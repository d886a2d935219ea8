//! `explain_query`: where the time of a query went, how it is planned, and what stands out.

use databricks::requests::sql::{query_history, warehouses};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::request;
use crate::domain::sql::plan_hints;
use crate::domain::sql::read_only::{self, Circumstances};
use crate::domain::sql::statement::{self, StatementRequest};
use crate::domain::sql::warehouse::{self, Warehouse};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, one_of: ["statement_id", "statement"]);

/// Characters of the statement and of its plan that are shown.
const TEXT: usize = 1_000;
const PLAN: usize = 8_000;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// A query that ran: `query_id` of `list_query_history`.
    statement_id: Option<String>,
    /// Or the text of one.
    statement: Option<String>,
    /// Show the plan.
    #[serde(default = "yes")]
    plan: bool,
    /// Catalog for names without one.
    catalog: Option<String>,
    /// Schema for names without one.
    schema: Option<String>,
    /// SQL warehouse for the plan; if unset, that of the query if it is running.
    warehouse_id: Option<String>,
    /// Time to wait for the plan.
    #[serde(default)]
    timeout_seconds: Timeout,
}

fn yes() -> bool {
    true
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let query = match (&input.statement_id, &input.statement) {
        (Some(id), None) => Some(history(&context, id).await?),
        (None, Some(_)) => None,
        _ => {
            return Err(Error::failed("give either `statement_id` or `statement`")
                .with_hint("ids come from `execute_sql` and `list_query_history`"));
        }
    };
    let mut answer = query.as_ref().map_or_else(|| json!({}), facts);
    let text = query
        .as_ref()
        .and_then(|query| request::text(query, "query_text").map(str::to_owned))
        .or(input.statement.clone());
    let mut plan = None;
    if input.plan {
        match planned(&context, query.as_ref(), text.as_deref(), &input).await {
            Ok((warehouse, text)) => {
                warehouse.put(&mut answer);
                plan = Some(text);
            }
            // What the history tells is worth having without the plan.
            Err(error) if query.is_some() => shape::put(&mut answer, "plan_error", error.to_string()),
            Err(error) => return Err(error),
        }
    }
    let hints = plan_hints::of(query.as_ref(), plan.as_deref());
    shape::put(&mut answer, "findings", hints);
    if let Some(plan) = plan {
        shape::put(&mut answer, "plan", head(&plan, PLAN));
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "see all of it with EXPLAIN in `execute_sql`");
    Ok(answer)
}

async fn history(context: &Context, id: &str) -> Result<Value, Error> {
    let request = query_history::List::new().filter_by(json!({ "statement_ids": [id] })).include_metrics(true);
    let answer = context.send(request).await?;
    let found = request::array(&answer, "res").iter().find(|query| request::text(query, "query_id") == Some(id));
    found.cloned().ok_or_else(|| {
        Error::failed(format!("the query history has no statement `{id}`")).with_hint(
            "it shows the last 30 days and, without admin rights, only your own queries; find ids with \
             `list_query_history`",
        )
    })
}

/// What the history tells of a query.
fn facts(query: &Value) -> Value {
    let mut told = json!({});
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            shape::put(&mut told, name, value);
        }
    };
    for (name, field) in [
        ("statement_id", "query_id"),
        ("status", "status"),
        ("statement_type", "statement_type"),
        ("user_name", "user_name"),
        ("error_message", "error_message"),
    ] {
        put(name, query.get(field).cloned());
    }
    put("statement", request::text(query, "query_text").map(|text| head(text, TEXT).into()));
    put("started", request::integer(query, "query_start_time_ms").and_then(shape::time));
    put("warehouse_id", query.get("warehouse_id").cloned());
    put(
        "times_ms",
        Some(plan_hints::times(query)).filter(|times| times.as_object().is_some_and(|times| !times.is_empty())),
    );
    let metrics = query.get("metrics");
    for (name, fields) in [
        (
            "read",
            &[
                "read_bytes",
                "rows_read_count",
                "read_files_count",
                "read_partitions_count",
                "read_cache_bytes",
                "read_remote_bytes",
            ][..],
        ),
        ("pruned", &["pruned_files_count", "pruned_bytes"][..]),
        ("wrote", &["write_remote_bytes", "spill_to_disk_bytes", "network_sent_bytes"][..]),
    ] {
        let known = fields.iter().filter_map(|field| Some(((*field).to_owned(), metrics?.get(*field)?.clone())));
        let known: serde_json::Map<_, _> = known.filter(|(_, value)| !value.is_null()).collect();
        put(name, (!known.is_empty()).then_some(Value::Object(known)));
    }
    put("rows_produced", query.get("rows_produced").cloned());
    put("result_from_cache", metrics.and_then(|metrics| metrics.get("result_from_cache")).cloned());
    told
}

/// The plan, and the warehouse that made it. EXPLAIN runs nothing of what has a plan.
async fn planned(
    context: &Context,
    query: Option<&Value>,
    text: Option<&str>,
    input: &Input,
) -> Result<(Warehouse, String), Error> {
    let text = text.ok_or_else(|| {
        Error::failed("the text of the statement is hidden from you").with_hint("pass its text as `statement`")
    })?;
    let text = text.trim().trim_end_matches(';');
    let circumstances = Circumstances {
        parameters: Vec::new(),
        catalog: input.catalog.clone(),
        no_user_functions: context.policy.no_user_functions,
    };
    read_only::check_planned(text, circumstances).await?;
    let warehouse = match query.and_then(|query| request::text(query, "warehouse_id")) {
        Some(own) if input.warehouse_id.is_none() => of_query(context, own).await?,
        _ => warehouse::choose(context, input.warehouse_id.clone()).await?,
    };
    let request = StatementRequest {
        catalog: input.catalog.clone(),
        schema: input.schema.clone(),
        ..StatementRequest::new(format!("EXPLAIN FORMATTED {text}"), &[])
    };
    let advice = "raise `timeout_seconds`";
    let table = statement::table_in_time(context, &warehouse, &request, input.timeout_seconds.seconds(), advice).await;
    let table = table.map_err(|error| match error.to_string().contains("UNBOUND_SQL_PARAMETER") {
        true => Error::failed("no plan: the values of the statement's parameters are unknown")
            .with_hint("pass its text as `statement`, with values in place of the markers"),
        false => error,
    })?;
    let lines = table.rows.iter().filter_map(|row| row.first()?.as_deref());
    let plan = lines.collect::<Vec<_>>().join("\n");
    // Mistakes in the statement come as text in place of a plan.
    if let Some((_, error)) = plan.split_once("Error occurred during query planning:") {
        return Err(Error::failed(format!("the statement cannot be planned: {}", head(error.trim(), TEXT)))
            .with_hint("if its names lack a catalog or schema, pass `catalog` and `schema`"));
    }
    Ok((warehouse, plan))
}

/// The warehouse that ran a query, unless it would have to start for the plan alone.
async fn of_query(context: &Context, id: &str) -> Result<Warehouse, Error> {
    let found = context.send(warehouses::Get::new(id)).await?;
    let state = request::text(&found, "state").unwrap_or("UNKNOWN");
    if state != "RUNNING" {
        return Err(Error::failed(format!("no plan: the warehouse `{id}` of the query is {state}"))
            .with_hint("give a `warehouse_id` to plan with; it is started if necessary"));
    }
    let name = request::text(&found, "name").map(str::to_owned);
    Ok(Warehouse { id: id.to_owned(), name, state: Some(state.to_owned()) })
}

fn head(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let head: String = text.chars().take(most).collect();
    format!("{head}… (first {most} of {length} characters)")
}
