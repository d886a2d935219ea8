//! `stop_warehouse`: stops a SQL warehouse and waits until it is stopped.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::compute::lifecycle::{self, WaitArguments};
use crate::domain::compute::state::ComputeKind;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Warehouse id, from `list_warehouses`.
    warehouse_id: String,
    #[serde(flatten)]
    waiting: WaitArguments,
}

async fn run(context: Context, Input { warehouse_id, waiting }: Input) -> Result<Value, Error> {
    lifecycle::stop(&context, ComputeKind::Warehouse, &warehouse_id, &mut waiting.wait()).await
}
