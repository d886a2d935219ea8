//! The tables that an update of a pipeline leaves: those that its flows name.
//!
//! Derived: what is in them. The sandbox does not run the code of a pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::areas::tasks::run_sql;
use crate::sql::Cancel;
use crate::workspace::{Workspace, lock};

/// What the first flow reads, where the samples are there.
const SOURCE: [&str; 3] = ["samples", "retail", "orders"];

/// Makes the tables of the updates that have completed since the last time.
pub(crate) fn advance(workspace: &Arc<Workspace>) {
    let now = workspace.clock.now();
    for pipeline in lock(&workspace.pipelines).0.values_mut() {
        let tables = pipeline.place();
        if let Some(update) = pipeline.updates.last_mut().filter(|update| !update.made && now >= update.end()) {
            if update.state(now) == "COMPLETED" && update.request.get("validate_only") != Some(&true.into()) {
                // Those for which no worker is free now are made later.
                let Some(place) = workspace.workers.place() else { return };
                let workspace = Arc::clone(workspace);
                drop(place.work(&Cancel::default(), move |cancel| make(&workspace, &tables, cancel)));
            }
            update.made = true;
        }
    }
}

fn make(workspace: &Workspace, [catalog, schema]: &[String; 2], cancel: &Cancel) {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let schema = format!("{}.{}", quoted(catalog), quoted(schema));
    let has_samples = lock(&workspace.catalog).table(&SOURCE.map(str::to_owned)).is_some();
    let source = if has_samples { format!("SELECT * FROM {}", SOURCE.join(".")) } else { "SELECT 1 AS id".to_owned() };
    let statements = [
        format!("CREATE SCHEMA IF NOT EXISTS {schema}"),
        format!("CREATE OR REPLACE TABLE {schema}.bronze_orders AS {source}"),
        format!("CREATE OR REPLACE TABLE {schema}.silver_orders AS SELECT DISTINCT * FROM {schema}.bronze_orders"),
    ];
    for statement in statements {
        // What cannot be made, as in a catalog that is not there, is not made.
        if run_sql(workspace, &statement, &BTreeMap::new(), 1, cancel).is_err() {
            return;
        }
    }
}
