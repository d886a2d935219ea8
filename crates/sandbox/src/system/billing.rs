//! `system.billing`: a month of usage of what a new workspace has, and what a unit of it costs.

use serde_json::{Value as Json, json};

use super::{CLOUD, HOUR, METASTORE, Row, Source, account, at, day, text, whole, workspace_id};
use crate::areas::jobs::Jobs;
use crate::seed::{DAY, JOBS, RUNNING, WAREHOUSE, pick};
use crate::workspace::{USER, Workspace, lock};
use rusqlite::types::Value;

pub(super) const SOURCES: &[Source] = &[
    Source {
        name: ["billing", "usage"],
        comment: "Billable usage",
        columns: "record_id STRING, account_id STRING, workspace_id STRING, sku_name STRING, cloud STRING, \
            usage_start_time TIMESTAMP, usage_end_time TIMESTAMP, usage_date DATE, custom_tags MAP<STRING, STRING>, \
            usage_unit STRING, usage_quantity DECIMAL(18,4), usage_metadata STRUCT<cluster_id: STRING, job_id: STRING, \
            warehouse_id: STRING, instance_pool_id: STRING, node_type: STRING, job_run_id: STRING, job_name: STRING, \
            notebook_id: STRING, notebook_path: STRING, dlt_pipeline_id: STRING, endpoint_name: STRING, \
            endpoint_id: STRING, run_name: STRING, metastore_id: STRING, budget_policy_id: STRING>, \
            identity_metadata STRUCT<run_as: STRING, owned_by: STRING, created_by: STRING>, record_type STRING, \
            ingestion_date DATE, billing_origin_product STRING, product_features STRUCT<jobs_tier: STRING, \
            sql_tier: STRING, dlt_tier: STRING, is_serverless: BOOLEAN, is_photon: BOOLEAN>, usage_type STRING",
        rows: usage,
        live: false,
    },
    Source {
        name: ["billing", "list_prices"],
        comment: "List prices, also those of the past",
        columns: "price_start_time TIMESTAMP, price_end_time TIMESTAMP, account_id STRING, sku_name STRING, \
            cloud STRING, currency_code STRING, usage_unit STRING, pricing STRUCT<default: DECIMAL(18,4), \
            promotional: STRUCT<default: DECIMAL(18,4)>, effective_list: STRUCT<default: DECIMAL(18,4)>>",
        rows: prices,
        live: false,
    },
];

/// Units, products, and cents for one; the last is what it cost until forty days ago.
const SKUS: [(&str, &str, i64, i64); 3] = [
    ("PREMIUM_JOBS_SERVERLESS_COMPUTE", "JOBS", 35, 39),
    ("PREMIUM_SQL_PRO_COMPUTE", "SQL", 55, 55),
    ("PREMIUM_ALL_PURPOSE_COMPUTE", "ALL_PURPOSE", 55, 60),
];
const DAYS: i64 = 30;

/// What an hour of something cost: its kind as an index of [`SKUS`], and what it was used for.
struct Hour {
    sku: usize,
    start: i64,
    /// In ten-thousandths of a unit.
    quantity: i64,
    metadata: Json,
    tags: Json,
}

fn usage(workspace: &Workspace) -> Vec<Row> {
    let today = workspace.clock.epoch().div_euclid(DAY) * DAY;
    let mut hours = Vec::new();
    let has_warehouse = lock(&workspace.warehouses).by_id.contains_key(WAREHOUSE);
    let has_cluster = lock(&workspace.clusters).0.contains_key(RUNNING);
    for age in 1..=DAYS {
        let start = today - age * DAY;
        let seed = usize::try_from(age).unwrap_or(0);
        for hour in (8..18).filter(|_| has_warehouse) {
            let salt = u64::try_from(hour).unwrap_or(0);
            hours.push(Hour {
                sku: 1,
                start: start + hour * HOUR,
                quantity: 20_000 + pick(seed, salt, 60_000),
                metadata: json!({"warehouse_id": WAREHOUSE}),
                tags: json!({"team": "analytics"}),
            });
        }
        for hour in [9, 13, 17].into_iter().filter(|_| has_cluster) {
            let salt = 30 + u64::try_from(hour).unwrap_or(0);
            hours.push(Hour {
                sku: 2,
                start: start + hour * HOUR,
                quantity: 10_000 + pick(seed, salt, 30_000),
                metadata: json!({"cluster_id": RUNNING, "node_type": "i3.xlarge"}),
                tags: json!({}),
            });
        }
    }
    hours.extend(runs(workspace, today));
    hours.sort_by_key(|hour| hour.start);
    let rows = hours.into_iter().enumerate();
    rows.map(|(index, hour)| row(workspace, index, hour)).collect()
}

/// A run that the API tells no longer of, and the system tables do.
pub(super) struct Forgotten {
    pub(super) job: i64,
    pub(super) name: &'static str,
    pub(super) run: i64,
    pub(super) start: i64,
    /// As the seeds write it.
    pub(super) outcome: char,
}

/// One run a day of each seeded job that has a past, from before the runs that the API knows.
pub(super) fn forgotten(jobs: &Jobs, epoch: i64) -> Vec<Forgotten> {
    let today = epoch.div_euclid(DAY) * DAY;
    let mut runs = Vec::new();
    for (offset, seed) in (0..).zip(JOBS.iter()).filter(|(_, seed)| jobs.jobs.contains_key(&seed.id)) {
        for age in 9..=DAYS {
            let Some(outcome) = usize::try_from(age).ok().and_then(|age| seed.outcome_of(age)) else { continue };
            let (run, start) = (910_000_000_000_000 + age * 100 + offset, today - age * DAY + (2 + offset) * HOUR);
            runs.push(Forgotten { job: seed.id, name: seed.name, run, start, outcome });
        }
    }
    runs
}

/// The hours of job runs: of those the API knows, and of those before them.
fn runs(workspace: &Workspace, today: i64) -> Vec<Hour> {
    let of = |job: i64, name: &str, run: i64, start: i64, salt: i64| Hour {
        sku: 0,
        start: start.div_euclid(HOUR) * HOUR,
        quantity: 2_000 + pick(usize::try_from(run % 100_000).unwrap_or(0), salt.unsigned_abs(), 40_000),
        metadata: json!({"job_id": job.to_string(), "job_run_id": run.to_string(), "job_name": name}),
        tags: json!({"team": "retail"}),
    };
    let jobs = lock(&workspace.jobs);
    let mut hours: Vec<_> = jobs
        .runs
        .values()
        .filter_map(|run| Some(of(run.job?, &run.name, run.id, run.started, 1)))
        .filter(|hour| hour.start < today)
        .collect();
    let before = forgotten(&jobs, workspace.clock.epoch());
    hours.extend(before.into_iter().map(|run| of(run.job, run.name, run.run, run.start, 2)));
    hours
}

fn row(workspace: &Workspace, index: usize, hour: Hour) -> Row {
    let (sku, product, ..) = SKUS.get(hour.sku).copied().unwrap_or(("", "", 0, 0));
    let (jobs, sql) = (product == "JOBS", product == "SQL");
    let features = json!({"jobs_tier": jobs.then_some("CLASSIC"), "sql_tier": sql.then_some("PRO"), "dlt_tier": null,
        "is_serverless": u8::from(jobs), "is_photon": 1});
    let mut metadata = hour.metadata;
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("metastore_id".to_owned(), json!(METASTORE));
    }
    vec![
        text(format!("record-{index:05}")),
        account(),
        workspace_id(workspace),
        text(sku),
        text(CLOUD),
        at(hour.start),
        at(hour.start + HOUR),
        day(hour.start),
        text(hour.tags.to_string()),
        text("DBU"),
        whole(hour.quantity),
        text(metadata.to_string()),
        text(json!({"run_as": USER, "owned_by": if jobs { None } else { Some(USER) }, "created_by": null}).to_string()),
        text("ORIGINAL"),
        day(hour.start + DAY),
        text(product),
        text(features.to_string()),
        text("COMPUTE_TIME"),
    ]
}

fn prices(workspace: &Workspace) -> Vec<Row> {
    let today = workspace.clock.epoch().div_euclid(DAY) * DAY;
    let changed = today - 40 * DAY;
    let row = |sku: &str, cents: i64, from: i64, until: Value| {
        // Unscaled: 0.35 with four digits is 3500.
        let amount = json!({"default": cents * 100});
        let pricing = json!({"default": cents * 100, "promotional": amount, "effective_list": amount});
        vec![at(from), until, account(), text(sku), text(CLOUD), text("USD"), text("DBU"), text(pricing.to_string())]
    };
    SKUS.iter()
        .flat_map(|(sku, _, now, before)| {
            [row(sku, *before, today - 400 * DAY, at(changed)), row(sku, *now, changed, Value::Null)]
        })
        .collect()
}
