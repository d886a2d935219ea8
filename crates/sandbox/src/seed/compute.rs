//! Clusters, warehouses, secret scopes and queries of the past.

use serde_json::{Value, json};

use super::DAY;
use super::securables::{one_of, pick};
use crate::areas::clusters::{Cluster, State};
use crate::areas::history::Entry;
use crate::areas::warehouses::Warehouse;
use crate::workspace::{USER, Workspace, lock};

pub(super) const RUNNING: &str = "0301-081500-etlmain1";
pub(super) const WAREHOUSE: &str = "a1b2c3d4e5f60718";
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
        ("0226-120000-broken01", "gpu-broken", State::Error, json!({"num_workers": 1, "node_type_id": "p3.2xlarge"})),
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
    secrets.0.insert("etl".to_owned(), ["api-key", "db-password"].map(|key| (key.to_owned(), epoch - 10 * DAY)).into());
    secrets.0.insert("empty-scope".to_owned(), std::collections::BTreeMap::new());
    drop(secrets);
    history(workspace);
}

fn history(workspace: &Workspace) {
    let texts = [
        "SELECT count(*) FROM samples.retail.orders",
        "SELECT * FROM main.sales.top_customers LIMIT 10",
        "SELECT channel, sum(total) FROM samples.retail.orders GROUP BY channel",
        "SELECT avg(fare_amount) FROM samples.taxi.trips",
        "SELECT * FROM samples.retail.missing_table",
        "SHOW TABLES IN main.sales",
    ];
    let entries = (0..30_usize).map(|index| {
        let sql = one_of(&texts, index, 1);
        let started = workspace.clock.epoch() - 600_000 - i64::try_from(index).unwrap_or(0) * 3_600_000;
        let failed = sql.contains("missing_table");
        let (status, error) = match index {
            7 | 19 => ("CANCELED", None),
            _ if failed => ("FAILED", Some("[TABLE_OR_VIEW_NOT_FOUND] The table or view `samples`.`retail`.`missing_table` cannot be found. SQLSTATE: 42P01".to_owned())),
            _ => ("FINISHED", None),
        };
        let rows = if status == "FINISHED" { usize::try_from(pick(index, 2, 50)).unwrap_or(0) } else { 0 };
        let ended = Some(started + 80 + pick(index, 3, 4_000));
        Entry { id: workspace.ids.statement(), sql: sql.to_owned(), warehouse: WAREHOUSE.to_owned(), started, ended, status, rows, error }
    });
    lock(&workspace.history).0.extend(entries);
}

/// A field of the settings of seeded jobs: where their tasks run.
pub(super) fn cluster_field() -> (String, Value) {
    ("existing_cluster_id".to_owned(), json!(RUNNING))
}
