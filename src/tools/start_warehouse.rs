//! `start_warehouse`: starts a SQL warehouse and waits until it runs.

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
            let mut wait = patience.wait();
            let started = power::start(&context, Kind::Warehouse, &warehouse_id, &mut wait).await?;
            Ok(power::answer(&context, Kind::Warehouse, &warehouse_id, &started, &wait))
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
