//! A few `system` tables: usage, list prices, lineage.
//!
//! Derived: the columns are the documented ones that the usual queries name.

use rusqlite::types::Value;
use serde_json::json;

use super::schedule::JOBS;
use super::securables::{pick, table};
use crate::areas::lineage::FLOWS;
use crate::sql::Type::{self, Date, Decimal, String as Text, Timestamp};
use crate::workspace::{USER, Workspace};

const SKUS: [(&str, &str, i64); 3] = [
    ("PREMIUM_JOBS_SERVERLESS_COMPUTE", "JOBS", 35),
    ("PREMIUM_SQL_PRO_COMPUTE", "SQL", 55),
    ("PREMIUM_ALL_PURPOSE_COMPUTE", "ALL_PURPOSE", 55),
];

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

fn structure(names: &[&str]) -> Type {
    Type::Struct(names.iter().map(|name| ((*name).to_owned(), Text)).collect())
}

pub(super) fn fill(workspace: &Workspace) -> Result<(), String> {
    let today = workspace.clock.epoch().div_euclid(super::DAY);
    let micros = 86_400_000_000;
    table(
        workspace,
        "system.billing.usage",
        "Billable usage",
        &[
            ("record_id", Text, ""),
            ("workspace_id", Text, ""),
            ("sku_name", Text, ""),
            ("cloud", Text, ""),
            ("usage_start_time", Timestamp, ""),
            ("usage_end_time", Timestamp, ""),
            ("usage_date", Date, ""),
            ("usage_unit", Text, ""),
            ("usage_quantity", Decimal(18, 4), "DBUs"),
            ("usage_metadata", structure(&["job_id", "warehouse_id", "cluster_id", "job_run_id"]), ""),
            ("identity_metadata", structure(&["run_as"]), ""),
            ("billing_origin_product", Text, ""),
        ],
        (0..360_usize).map(|index| {
            let day = today - 30 + i64::try_from(index / 12).unwrap_or(0);
            let (sku, product, _) = *SKUS.get(index % 3).unwrap_or(&("", "", 0));
            let job = JOBS.get(usize::try_from(pick(index, 3, 7)).unwrap_or(0)).map_or(0, |job| job.id);
            let metadata = match product {
                "JOBS" => json!({"job_id": job.to_string()}),
                "SQL" => json!({"warehouse_id": super::compute::WAREHOUSE}),
                _ => json!({"cluster_id": super::compute::RUNNING}),
            };
            let hour = i64::try_from(index % 12).unwrap_or(0) * 2;
            let start = day * micros + hour * 3_600_000_000;
            vec![
                text(format!("record-{index:04}")),
                text(workspace.id().to_string()),
                text(sku),
                text("AWS"),
                Value::Integer(start),
                Value::Integer(start + 3_600_000_000),
                Value::Integer(day),
                text("DBU"),
                Value::Integer(2_000 + pick(index, 1, 60_000)),
                text(metadata.to_string()),
                text(json!({"run_as": USER}).to_string()),
                text(product),
            ]
        }),
    )?;
    let price = Type::Struct(vec![
        ("default".to_owned(), Decimal(18, 4)),
        ("effective_list".to_owned(), Type::Struct(vec![("default".to_owned(), Decimal(18, 4))])),
    ]);
    table(
        workspace,
        "system.billing.list_prices",
        "List prices",
        &[
            ("sku_name", Text, ""),
            ("cloud", Text, ""),
            ("currency_code", Text, ""),
            ("usage_unit", Text, ""),
            ("pricing", price, ""),
            ("price_start_time", Timestamp, ""),
            ("price_end_time", Timestamp, "NULL for the current price"),
        ],
        SKUS.iter().map(|(sku, _, cents)| {
            // Unscaled: 0.35 with four digits is 3500.
            let pricing = json!({"default": cents * 100, "effective_list": {"default": cents * 100}});
            vec![
                text(*sku),
                text("AWS"),
                text("USD"),
                text("DBU"),
                text(pricing.to_string()),
                Value::Integer((today - 400) * micros),
                Value::Null,
            ]
        }),
    )?;
    lineage(workspace, today)?;
    table(
        workspace,
        "system.lakeflow.jobs",
        "All versions of all jobs",
        &[
            ("workspace_id", Text, ""),
            ("job_id", Text, ""),
            ("name", Text, ""),
            ("creator_user_name", Text, ""),
            ("change_time", Timestamp, ""),
            ("delete_time", Timestamp, ""),
        ],
        JOBS.iter().map(|job| {
            vec![
                text(workspace.id().to_string()),
                text(job.id.to_string()),
                text(job.name),
                text(USER),
                Value::Integer((today - 60) * micros),
                Value::Null,
            ]
        }),
    )
}

/// Who moved data, and from where to where.
type Edge = (&'static str, &'static str, &'static str, &'static str);

/// What moved which data, as the API of lineage tells it too.
fn edges() -> impl Iterator<Item = (Edge, &'static [(&'static str, &'static str)])> {
    FLOWS.iter().flat_map(|flow| {
        let target = flow.target.unwrap_or_default();
        flow.entities.iter().map(move |(kind, _, _, id)| ((*kind, *id, flow.source, target), flow.columns))
    })
}

/// The parts of a table's name, and the whole, or NULL where there is none.
fn place(full_name: &str) -> [Value; 4] {
    let mut parts = full_name.split('.').filter(|part| !part.is_empty()).map(text);
    let mut part = || parts.next().unwrap_or(Value::Null);
    let [c, s, t] = [part(), part(), part()];
    [if full_name.is_empty() { Value::Null } else { text(full_name) }, c, s, t]
}

const PLACES: [&str; 8] = [
    "source_table_full_name",
    "source_table_catalog",
    "source_table_schema",
    "source_table_name",
    "target_table_full_name",
    "target_table_catalog",
    "target_table_schema",
    "target_table_name",
];

fn lineage(workspace: &Workspace, today: i64) -> Result<(), String> {
    let first = [("workspace_id", Text, ""), ("entity_type", Text, ""), ("entity_id", Text, "")];
    let last = [("event_time", Timestamp, ""), ("event_date", Date, ""), ("created_by", Text, "")];
    let places = || PLACES.map(|name| (name, Text, ""));
    let begin = |(kind, id, source, target): Edge| {
        let who = [text(workspace.id().to_string()), text(kind), text(id)];
        who.into_iter().chain(place(source)).chain(place(target)).collect::<Vec<_>>()
    };
    let end = |index: usize| {
        let day = today - 1 - pick(index, 1, 5);
        [Value::Integer(day * 86_400_000_000), Value::Integer(day), text(USER)]
    };
    let columns: Vec<_> = first.clone().into_iter().chain(places()).chain(last.clone()).collect();
    let rows = edges().enumerate().map(|(index, (edge, _))| begin(edge).into_iter().chain(end(index)).collect());
    table(workspace, "system.access.table_lineage", "Which table was read to write which", &columns, rows)?;
    let names = [("source_column_name", Text, ""), ("target_column_name", Text, "")];
    let columns: Vec<_> = first.into_iter().chain(places()).chain(names).chain(last).collect();
    let by_job = edges().filter(|((kind, ..), _)| *kind == "JOB").enumerate();
    let rows = by_job.flat_map(|(index, (edge, columns))| {
        columns
            .iter()
            .map(move |(from, to)| begin(edge).into_iter().chain([text(*from), text(*to)]).chain(end(index)).collect())
    });
    table(workspace, "system.access.column_lineage", "Which column was read to write which", &columns, rows)
}
