//! `get_warehouse_costs`: what SQL warehouses have cost, by warehouse or by day.

use databricks::requests::sql::warehouses;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::request;
use crate::domain::sql::costs::{Period, Subject, costs};
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

const MOST_PAGES: usize = 10;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Only this SQL warehouse, from `list_warehouses`.
    of_warehouse_id: Option<String>,
    #[serde(flatten)]
    period: Period,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let subject = Subject {
        field: "warehouse_id",
        id: input.of_warehouse_id,
        names: None,
        without: "a query's share of a warehouse is unknown: all the time that the warehouse ran is counted",
        whole: "`share_percent` is the share of the list cost of all warehouses in the period",
    };
    let list = request::list(&context, warehouses::List::new(), MOST_PAGES);
    let (answer, warehouses) = tokio::join!(costs(&context, subject, input.period), list);
    let mut answer = answer?;
    // The list tells names without a grant, though only of this workspace's warehouses.
    let rows = request::array(&answer, "rows").iter().filter_map(|row| row.get(0)?.as_str());
    let ids: Vec<_> = rows.map(str::to_owned).collect();
    let known = warehouses.map(|list| list.items).unwrap_or_default();
    let names = known.iter().filter_map(|warehouse| {
        let id = request::text(warehouse, "id").filter(|id| ids.iter().any(|known| known == id))?;
        Some((id.to_owned(), request::text(warehouse, "name")?.into()))
    });
    let names: Map<String, Value> = names.collect();
    if !names.is_empty() {
        shape::put(&mut answer, "warehouse_names", names);
    }
    Ok(answer)
}
