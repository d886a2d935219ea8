//! A search for traces, page by page. Databricks has a search of its own, which knows experiments and tables; where
//! it is missing, as in open source MLflow, the older one is asked, which knows experiments only.

use std::time::Duration;

use databricks::Request;
use databricks::requests::mlflow_traces::{GetSearch, Search, SearchLongRunning};
use serde_json::{Value, json};

use super::place::{self, Place};
use super::source::is_missing_endpoint;
use crate::context::Context;
use crate::domain::request;
use crate::domain::wait::{self, PollState, Wait};
use crate::error::Error;
use crate::shape;

/// How long a search may take.
const SECONDS: u64 = 45;
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is searched for, and where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) places: Vec<Place>,
    pub(crate) filter: Option<String>,
    pub(crate) order_by: Vec<String>,
    /// Traces per page.
    pub(crate) size: usize,
    pub(crate) warehouse_id: Option<String>,
}

impl Wanted {
    /// A page of what is found, and the cursor of the next.
    pub(crate) async fn page(
        &self,
        context: &Context,
        token: Option<String>,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        let found = match self.newer(context, token.as_deref(), self.warehouse_id.clone()).await {
            Err(error) if self.warehouse_id.is_none() && place::wants_warehouse(&error) => {
                let warehouse = place::warehouse(context).await?;
                self.newer(context, token.as_deref(), Some(warehouse)).await
            }
            found => found,
        };
        let found = match found {
            Err(error) if knows_no_experiments(&error) || is_missing_endpoint(&error) => {
                if self.places.iter().any(|place| matches!(place, Place::Catalog { .. })) {
                    return Err(error.with_hint(
                        "this workspace cannot search traces in Unity Catalog together with others: name experiments \
                         only, or one schema",
                    ));
                }
                self.older(context, token).await?
            }
            found => found?,
        };
        let traces = ["trace_infos", "traces"].iter().flat_map(|name| request::array(&found, name)).cloned();
        Ok((traces.collect(), request::text(&found, "next_page_token").map(str::to_owned)))
    }

    fn places(&self) -> Value {
        self.places.iter().map(Place::to_json).collect()
    }

    async fn newer(&self, context: &Context, token: Option<&str>, warehouse: Option<String>) -> Result<Value, Error> {
        let request = SearchLongRunning::new(self.places())
            .max_results(self.size)
            .maybe(self.filter.clone(), SearchLongRunning::filter)
            .maybe(self.order(), SearchLongRunning::order_by)
            .maybe(token, SearchLongRunning::page_token)
            .maybe(warehouse, SearchLongRunning::sql_warehouse_id);
        let mut operation = request::get(context, request).await?;
        if let Some(name) = request::text(&operation, "name").filter(|_| !is_done(&operation)).map(str::to_owned) {
            let mut wait = Wait::new(SECONDS, LONGEST_PAUSE);
            let poll = || context.send(GetSearch::new(&name));
            let look =
                |operation: &Value| PollState { state: state(operation), done: None, is_over: is_done(operation) };
            operation = wait::watch(context, "the search", &mut wait, poll, look).await?;
        }
        if let Some(error) = operation.get("error").filter(|error| !error.is_null()) {
            let text = |name| request::text(error, name).unwrap_or("unknown");
            return Err(Error::failed(format!("the search failed: {} ({})", text("message"), text("error_code"))));
        }
        if !is_done(&operation) {
            return Err(Error::failed(format!("the search did not end within {SECONDS} s"))
                .with_hint("narrow it with `filter`, e.g. by `timestamp_ms`, or ask again once the warehouse runs"));
        }
        Ok(operation.get("response").cloned().unwrap_or_default())
    }

    async fn older(&self, context: &Context, token: Option<String>) -> Result<Value, Error> {
        let request = Search::new(self.places())
            .max_results(self.size)
            .maybe(self.filter.clone(), Search::filter)
            .maybe(self.order(), Search::order_by)
            .maybe(token, Search::page_token);
        request::get(context, request).await
    }

    fn order(&self) -> Option<Value> {
        (!self.order_by.is_empty()).then(|| json!(self.order_by))
    }
}

fn is_done(operation: &Value) -> bool {
    operation.get("done").and_then(Value::as_bool) == Some(true)
}

fn state(operation: &Value) -> String {
    let state = shape::at(operation, "metadata.state").and_then(Value::as_str);
    state.unwrap_or(if is_done(operation) { "SUCCEEDED" } else { "RUNNING" }).to_owned()
}

/// Whether the search of Databricks says that it takes no experiments yet.
fn knows_no_experiments(error: &Error) -> bool {
    error.api().is_some_and(|error| error.is_bad_request() && error.message().contains("locations not yet supported"))
}
