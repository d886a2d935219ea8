//! `get_warehouse`: one SQL warehouse. A composite, because the operation also serves the default profile's resource.

use databricks::requests::sql::warehouses;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::Composite;
use crate::error::Error;
use crate::shape::{self, Fields};

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// What is told unless the caller names other fields.
const FIELDS: [&str; 20] = [
    "id",
    "name",
    "state",
    "health.status",
    "health.summary",
    "health.details",
    "cluster_size",
    "warehouse_type",
    "enable_serverless_compute",
    "enable_photon",
    "auto_stop_mins",
    "min_num_clusters",
    "max_num_clusters",
    "num_clusters",
    "num_active_sessions",
    "creator_name",
    "odbc_params.hostname",
    "odbc_params.path",
    "channel.name",
    "spot_instance_policy",
];

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Warehouse id, from `list_warehouses`.
    warehouse_id: String,
    /// Other fields: dotted paths, or `*`.
    #[serde(default)]
    fields: Vec<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let warehouse = context.send(warehouses::Get::new(input.warehouse_id)).await?;
    let mut fields = Fields::new(&FIELDS, input.fields)?;
    let mut answer = fields.of(warehouse);
    if let Some(unknown) = fields.unknown() {
        shape::advise(&mut answer, &unknown);
    }
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "name the fields that you need in `fields`");
    Ok(answer)
}
