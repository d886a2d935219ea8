//! `stop_warehouse`: stops a SQL warehouse and waits until it is stopped.

use schemars::JsonSchema;
use serde::Deserialize;

use super::machine::Kind;
use super::power::{self, Patience};
use super::{Composite, input, input_schema};

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| {
        Box::pin(async move {
            let Input { warehouse_id, patience } = input(arguments)?;
            power::stop(&context, Kind::Warehouse, &warehouse_id, &mut patience.wait()).await
        })
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Warehouse id, from `list_warehouses`.
    warehouse_id: String,
    #[serde(flatten)]
    patience: Patience,
}
