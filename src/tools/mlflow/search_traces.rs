//! `search_traces`: what agents and LLM apps were asked, what they said, and how it went.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::Composite;
use crate::domain::listing::gather;
use crate::domain::traces::info;
use crate::domain::traces::place::Place;
use crate::domain::traces::search::Wanted;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// Traces per page of the API.
const PAGE: usize = 100;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Experiments by id or name, from `list_experiments`, e.g. `["/Users/me@example.com/agent"]`; or a Unity Catalog
    /// schema of traces, `["main.traces"]`.
    experiment_ids: Vec<String>,
    /// SQL-like condition, e.g. `trace.status = 'ERROR' AND trace.execution_time_ms > 5000 AND tags.team = 'shop'`;
    /// also `trace.timestamp_ms`, `trace.name`, `metadata.…`, `feedback.…`.
    filter: Option<String>,
    /// Order, e.g. `["execution_time_ms DESC"]`; the newest first if unset.
    #[serde(default)]
    order_by: Vec<String>,
    /// Most traces to return.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1))]
    limit: usize,
    /// `next_page_token` of the last answer.
    page_token: Option<String>,
    /// SQL warehouse for traces in Unity Catalog, from `list_warehouses`; if unset, one that runs.
    warehouse_id: Option<String>,
}

fn default_limit() -> usize {
    25
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let cursor = match input.page_token.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Cursor::decode(text).ok_or_else(Error::bad_page_token)?,
        None => Cursor::default(),
    };
    let named: BTreeSet<_> = input.experiment_ids.iter().map(|named| named.trim()).collect();
    if named.is_empty() {
        return Err(Error::failed("`experiment_ids` is empty")
            .with_hint("name at least one experiment, by its id or name from `list_experiments`"));
    }
    let mut places = Vec::new();
    for named in named {
        places.push(Place::of(&context, named).await?);
    }
    let wanted = Wanted {
        places,
        filter: input.filter.filter(|filter| !filter.trim().is_empty()),
        order_by: input.order_by,
        size: input.limit.clamp(1, PAGE),
        warehouse_id: input.warehouse_id,
    };
    let read = |page: Option<String>| {
        let (context, wanted) = (context.clone(), wanted.clone());
        async move { wanted.page(&context, page).await }
    };
    let show = |trace: Value| Some(info::row(&trace));
    let gathered = gather(context.budget.for_items(), cursor, Some(input.limit), read, show).await?;
    Ok(gathered.answer(None, "narrow with `filter`", "see that trace with `get_trace`"))
}
