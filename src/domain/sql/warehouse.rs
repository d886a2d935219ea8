//! Which SQL warehouse a call uses, whether it names one or not.

use databricks::requests::sql::{query_history, warehouses};
use serde_json::{Value, json};

use crate::context::Context;
use crate::domain::compute::state::{ComputeKind, Phase};
use crate::domain::request;
use crate::error::Error;
use crate::shape;

/// States from the one that answers soonest on; a warehouse in any other cannot run anything.
const STATES: [&str; 4] = ["RUNNING", "STARTING", "STOPPED", "STOPPING"];
/// Pages of warehouses that are looked through.
const MOST_PAGES: usize = 10;

/// A warehouse, with what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Warehouse {
    pub(crate) id: String,
    /// Known where this server chose it.
    pub(crate) name: Option<String>,
    /// Its state when it was chosen.
    pub(crate) state: Option<String>,
}

impl Warehouse {
    /// Says in an answer which one was used.
    pub(crate) fn put(&self, answer: &mut Value) {
        shape::put(answer, "warehouse_id", self.id.clone());
        if let Some(name) = &self.name {
            shape::put(answer, "warehouse_name", name.clone());
        }
    }

    /// The warehouse of a statement, as far as the query history tells.
    pub(crate) async fn of_statement(context: &Context, id: &str) -> Option<Self> {
        let request = query_history::List::new().filter_by(json!({ "statement_ids": [id] }));
        let answer = context.send(request).await.ok()?;
        let found = request::array(&answer, "res").iter().find(|query| request::text(query, "query_id") == Some(id))?;
        Some(Self { id: request::text(found, "warehouse_id")?.to_owned(), ..Self::default() })
    }

    /// Adds to an answer about a statement that has yet to begin what it waits for.
    pub(crate) async fn excuse(&self, context: &Context, answer: &mut Value) {
        if self.state.as_deref() == Some("RUNNING") {
            return;
        }
        // That it cannot be looked at must not hide the statement.
        if let Ok(compute) = ComputeKind::Warehouse.get(context, &self.id).await {
            shape::put(answer, "warehouse_state", compute.state.clone());
            if let Some(problem) = compute.problem() {
                shape::put(answer, "warehouse_problem", problem);
            }
        }
    }

    /// The error for a statement that failed for its warehouse's sake, with what the warehouse says.
    pub(crate) async fn blame(&self, context: &Context, error: Error) -> Error {
        match ComputeKind::Warehouse.get(context, &self.id).await {
            Ok(compute) if compute.phase == Phase::Running => error,
            Ok(compute) => ComputeKind::Warehouse.failure(&self.id, &compute).after(error.message()),
            Err(unseen) => unseen.after(error.message()),
        }
    }

    /// Whether a statement on it begins only after the warehouse has started.
    pub(crate) fn must_start(&self) -> bool {
        self.state.as_deref().is_some_and(|state| state != "RUNNING")
    }
}

/// The warehouse of a call: the one it names, else the configured one, else the one that answers soonest.
pub(crate) async fn choose(context: &Context, named: Option<String>) -> Result<Warehouse, Error> {
    if let Some(warehouse) = decided(context, named) {
        return Ok(warehouse);
    }
    soonest(context).await?.ok_or_else(|| {
        Error::failed("there is no SQL warehouse that you may use").with_hint(
            "ask for CAN USE on one, or name one in `warehouse_id` or in the variable DATABRICKS_WAREHOUSE_ID",
        )
    })
}

/// As [`choose`], but never one that would have to start first, unless the call names it: what can do without SQL
/// is not to cause costs.
pub(crate) async fn running(context: &Context, named: Option<String>) -> Result<Option<Warehouse>, Error> {
    if let Some(id) = named {
        return Ok(Some(Warehouse { id, ..Warehouse::default() }));
    }
    let Some(id) = context.warehouse_id.clone() else {
        return Ok(soonest(context).await?.filter(|warehouse| !warehouse.must_start()));
    };
    let found = context.send(warehouses::Get::new(id)).await?;
    Ok(Some(read(&found)).filter(|warehouse| !warehouse.must_start()))
}

fn decided(context: &Context, named: Option<String>) -> Option<Warehouse> {
    let id = named.or_else(|| context.warehouse_id.clone())?;
    Some(Warehouse { id, ..Warehouse::default() })
}

/// The first that can run something.
async fn soonest(context: &Context) -> Result<Option<Warehouse>, Error> {
    let can_run = |warehouse: &Warehouse| rank(warehouse) < STATES.len();
    Ok(all(context).await?.into_iter().find(can_run))
}

/// Every warehouse, in the order in which they are chosen: one that runs, else one that starts, else one that can be
/// started; among equals the workspace's default for this user, then by name.
pub(crate) async fn all(context: &Context) -> Result<Vec<Warehouse>, Error> {
    let default = async {
        // The workspace names the default of whoever asks under this id; not every workspace has one.
        let found = context.send(warehouses::Get::new("default")).await.ok();
        found.map(|found| read(&found).id)
    };
    let list = request::list(context, warehouses::List::new(), MOST_PAGES);
    let (default, list) = tokio::join!(default, list);
    let mut all: Vec<_> = list?.items.iter().map(read).collect();
    all.sort_by_cached_key(|warehouse| {
        (rank(warehouse), default.as_ref() != Some(&warehouse.id), warehouse.name.clone())
    });
    Ok(all)
}

fn rank(warehouse: &Warehouse) -> usize {
    STATES.iter().position(|state| warehouse.state.as_deref() == Some(*state)).unwrap_or(STATES.len())
}

fn read(warehouse: &Value) -> Warehouse {
    let text = |name: &str| warehouse.get(name).and_then(Value::as_str).map(str::to_owned);
    Warehouse { id: text("id").unwrap_or_default(), name: text("name"), state: text("state") }
}
