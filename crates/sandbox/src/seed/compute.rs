//! Clusters, warehouses, secret scopes and queries of the past.

use serde_json::{Value, json};

use super::DAY;
use super::securables::pick;
use crate::areas::clusters::{Cluster, State};
use crate::areas::history::Entry;
use crate::areas::secrets::Scope;
use crate::areas::warehouses::Warehouse;
use crate::json::Members;
use crate::workspace::{USER, Workspace, lock};

pub(crate) const RUNNING: &str = "0301-081500-etlmain1";
pub(crate) const BROKEN: &str = "0226-120000-broken01";
pub(crate) const WAREHOUSE: &str = "a1b2c3d4e5f60718";
const STOPPED_WAREHOUSE: &str = "b2c3d4e5f6071829";

pub(super) fn fill(workspace: &Workspace) {
    let epoch = workspace.clock.epoch();
    let clusters = [
        (RUNNING, "shared-etl", State::Running, json!({"num_workers": 2})),
        (
            "0227-143000-adhoc001",
            "ad-hoc-analysis",
            State::Terminated,
            json!({"autoscale": {"min_workers": 1, "max_workers": 4}}),
        ),
        (
            "0228-090000-mltrain1",
            "ml-training",
            State::Terminated,
            json!({"num_workers": 0, "data_security_mode": "SINGLE_USER", "single_user_name": USER}),
        ),
        (BROKEN, "gpu-broken", State::Error, json!({"num_workers": 1, "node_type_id": "p3.2xlarge"})),
    ];
    for (index, (id, name, state, settings)) in clusters.into_iter().enumerate() {
        let mut settings = settings.as_object().cloned().unwrap_or_default();
        settings.insert("cluster_name".to_owned(), json!(name));
        settings.insert("spark_version".to_owned(), json!("16.4.x-scala2.12"));
        settings.entry("node_type_id").or_insert_with(|| json!("i3.xlarge"));
        let at = epoch - DAY - i64::try_from(index).unwrap_or(0) * DAY;
        lock(&workspace.clusters).0.insert(id.to_owned(), Cluster::new(settings, state, at));
    }
    let mut warehouses = lock(&workspace.warehouses);
    warehouses.by_id.insert(WAREHOUSE.to_owned(), Warehouse::new("Shared warehouse", "Small", true));
    warehouses.by_id.insert(STOPPED_WAREHOUSE.to_owned(), Warehouse::new("Reporting warehouse", "2X-Small", false));
    warehouses.default = Some(WAREHOUSE.to_owned());
    drop(warehouses);
    let mut secrets = lock(&workspace.secrets);
    let keys = ["api-key", "db-password"].map(|key| (key.to_owned(), epoch - 10 * DAY));
    secrets.0.insert("etl".to_owned(), Scope::new(keys));
    secrets.0.insert("empty-scope".to_owned(), Scope::new([]));
    drop(secrets);
    lock(&workspace.libraries).seed(RUNNING, json!({"pypi": {"package": "requests==2.32.3"}}), epoch - DAY);
    let policy = json!({"name": "Small clusters", "description": "At most four workers.", "max_clusters_per_user": 5,
        "definition": "{\"num_workers\":{\"type\":\"range\",\"maxValue\":4}}"});
    let pool = json!({"instance_pool_name": "shared-pool", "node_type_id": "i3.xlarge", "min_idle_instances": 1,
        "max_capacity": 10, "idle_instance_autotermination_minutes": 15, "enable_elastic_disk": true});
    let mut policies = lock(&workspace.policies);
    policies.seed_policy("E0001234ABCD5678", policy.as_object().cloned().unwrap_or_default(), epoch - DAY);
    policies.seed_pool("0302-090000-pool01-pool-aaaa1111", pool.as_object().cloned().unwrap_or_default());
    drop(policies);
    pipelines(workspace);
    history(workspace);
}

fn pipelines(workspace: &Workspace) {
    let at = workspace.clock.epoch() - DAY;
    let settings = |name: &str| {
        json!({"name": name, "catalog": "main", "schema": "sales", "serverless": true, "continuous": false, "channel": "CURRENT",
            "libraries": [{"notebook": {"path": "/Shared/etl/load_orders"}}]})
    };
    let mut failing = settings("returns-pipeline");
    failing.set(
        "configuration",
        json!({"sandbox.fail": "[DELTA_SCHEMA_CHANGED] Detected schema change: column `reason` was added."}),
    );
    let mut pipelines = lock(&workspace.pipelines);
    pipelines.seed(
        "0a1b2c3d-0001-4000-8000-000000000001",
        settings("orders-pipeline"),
        "9a1b2c3d-0001-4000-8000-000000000001",
        at,
    );
    pipelines.seed("0a1b2c3d-0002-4000-8000-000000000002", failing, "9a1b2c3d-0002-4000-8000-000000000002", at);
}

/// What these texts give, as far as their rows go.
const QUERIES: [(&str, usize); 6] = [
    ("SELECT count(*) FROM samples.retail.orders", 1),
    ("SELECT * FROM main.sales.top_customers LIMIT 10", 10),
    ("SELECT channel, sum(total) FROM samples.retail.orders GROUP BY channel", 3),
    ("SELECT avg(fare_amount) FROM samples.taxi.trips", 1),
    ("SELECT * FROM samples.retail.missing_table", 0),
    ("SHOW TABLES IN main.sales", 2),
];

fn history(workspace: &Workspace) {
    let entries = (0..30_usize).map(|index| {
        let query = usize::try_from(pick(index, 1, 6)).ok().and_then(|query| QUERIES.get(query));
        let (sql, produced) = query.copied().unwrap_or(("SELECT 1", 1));
        let started = workspace.clock.epoch() - 600_000 - i64::try_from(index).unwrap_or(0) * 3_600_000;
        let failed = sql.contains("missing_table");
        let (status, error) = match index {
            7 | 19 => ("CANCELED", None),
            _ if failed => ("FAILED", Some("[TABLE_OR_VIEW_NOT_FOUND] The table or view `samples`.`retail`.`missing_table` cannot be found. SQLSTATE: 42P01".to_owned())),
            _ => ("FINISHED", None),
        };
        let rows = if status == "FINISHED" { produced } else { 0 };
        let ended = Some(started + 80 + pick(index, 3, 4_000));
        Entry { id: workspace.ids.statement(), sql: sql.to_owned(), warehouse: WAREHOUSE.to_owned(), started, ended, status, rows, error, tags: Vec::new() }
    });
    lock(&workspace.history).0.extend(entries);
}

/// A field of the settings of seeded jobs: where their tasks run.
pub(super) fn cluster_field() -> (String, Value) {
    ("existing_cluster_id".to_owned(), json!(RUNNING))
}
