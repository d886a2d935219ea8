//! What compute has cost, from the system tables: DBUs and list prices, by job or by warehouse.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::rest;
use super::statement::{self, End, Order};
use super::warehouse::{self, Warehouse};
use crate::context::Context;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::shape;

const MOST_ROWS: i64 = 1_000;
/// A longer time than this the system tables need not keep.
const MOST_DAYS: u32 = 365;

/// What both tools take.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Period {
    /// Days back from today.
    #[serde(default = "default_days")]
    #[schemars(range(min = 1, max = 365))]
    pub(super) days: u32,
    /// One row per day; default for a single one.
    pub(super) by_day: Option<bool>,
    /// SQL warehouse to ask with; if unset, one that runs.
    pub(super) warehouse_id: Option<String>,
    /// Time to wait; after it the statement goes on.
    #[serde(default = "super::wait::default_seconds")]
    #[schemars(range(min = 0, max = 600))]
    pub(super) timeout_seconds: u64,
}

fn default_days() -> u32 {
    30
}

/// Whose costs: a field of `usage_metadata`, and the one value of it that is asked for.
pub(super) struct Subject {
    /// `job_id` or `warehouse_id`.
    pub(super) field: &'static str,
    pub(super) id: Option<String>,
    /// Where names of it are: SQL of a relation with `workspace`, `id` and `name`.
    pub(super) names: Option<&'static str>,
    /// What such costs leave out.
    pub(super) without: &'static str,
}

/// The costs in a period, with what must be known to read them.
pub(super) async fn costs(context: &Context, subject: Subject, period: Period) -> Result<Value, Error> {
    let warehouse = warehouse::choose(context, period.warehouse_id.clone()).await?;
    let mut notes = Vec::new();
    let asked = ask(context, &warehouse, &subject, &period, subject.names).await;
    let end = match asked {
        // Names are a convenience of another schema; costs can be told without.
        Err(error) if subject.names.is_some() && statement::lacks_access(&error) => {
            let end = ask(context, &warehouse, &subject, &period, None).await.map_err(|error| explained(&error))?;
            notes.push("names are missing: they need USE SCHEMA and SELECT on `system.lakeflow`");
            end
        }
        other => other.map_err(|error| if statement::lacks_access(&error) { explained(&error) } else { error })?,
    };
    let mut answer = match end {
        End::Done(statement) => {
            let mut answer = statement::page(context, *statement, Cursor::default()).await?;
            if rest::integer(&answer, "total_rows").is_some_and(|rows| rows >= MOST_ROWS) {
                let most = format!("only the first {MOST_ROWS} rows were asked for: take fewer `days`, or one id");
                shape::put(&mut answer, "truncated", true);
                shape::advise(&mut answer, &most);
            }
            answer
        }
        End::Running(answer) => answer,
        End::TooLarge(error) | End::Unserved(error) => return Err(error),
    };
    notes.push("`list_cost` is DBUs at list price: not the invoice, which has discounts, and for classic compute without the cloud's machines");
    notes.push(
        "usage is of all workspaces of the account and arrives hours late: `last_usage` is the newest that is counted",
    );
    notes.push(subject.without);
    shape::put(&mut answer, "days", period.days);
    shape::put(&mut answer, "notes", notes);
    warehouse.put(&mut answer);
    Ok(answer)
}

async fn ask(
    context: &Context,
    warehouse: &Warehouse,
    subject: &Subject,
    period: &Period,
    names: Option<&str>,
) -> Result<End, Error> {
    let by_day = period.by_day.unwrap_or(subject.id.is_some());
    let sql = sql(subject, period.days.min(MOST_DAYS), by_day, names);
    let values: Vec<_> = subject.id.iter().map(|id| ("id", id.clone())).collect();
    statement::run(context, warehouse, &Order::new(sql, &values), period.timeout_seconds).await
}

/// One statement, whose rows are the answer: so it can be continued by its id.
fn sql(subject: &Subject, days: u32, by_day: bool, names: Option<&str>) -> String {
    let Subject { field, id, .. } = subject;
    let which = if id.is_some() { "= :id" } else { "IS NOT NULL" };
    let (day, order) = if by_day { (", day", "day DESC, list_cost DESC") } else { ("", "list_cost DESC") };
    let (name, join) = match names {
        Some(relation) => {
            let on = "named.id = priced.id AND named.workspace = priced.workspace";
            (", name", format!(" LEFT JOIN {relation} named ON {on}"))
        }
        None => ("", String::new()),
    };
    // Ids are only unique within a workspace, and usage is of all of an account. A price ends where the next begins,
    // whatever its own end is: usage that two prices were joined to would count twice.
    format!(
        "SELECT priced.id AS {field}{name}{day}, CAST(sum(dbus) AS DOUBLE) AS dbus, \
         round(CAST(sum(cost) AS DOUBLE), 2) AS list_cost, currency, CAST(max(ended) AS STRING) AS last_usage, \
         priced.workspace AS workspace_id \
         FROM (SELECT u.usage_metadata.{field} AS id, u.workspace_id AS workspace, u.usage_date AS day, u.usage_quantity AS dbus, \
         u.usage_quantity * p.pricing.effective_list.default AS cost, p.currency_code AS currency, u.usage_end_time AS ended \
         FROM system.billing.usage u LEFT JOIN (SELECT sku_name, cloud, usage_unit, currency_code, pricing, \
         price_start_time, price_end_time, lead(price_start_time) OVER (PARTITION BY sku_name, cloud, usage_unit, \
         currency_code ORDER BY price_start_time) AS next_start FROM system.billing.list_prices) p \
         ON p.sku_name = u.sku_name AND p.cloud = u.cloud AND p.usage_unit = u.usage_unit \
         AND u.usage_end_time >= p.price_start_time \
         AND (p.price_end_time IS NULL OR u.usage_end_time < p.price_end_time) \
         AND (p.next_start IS NULL OR u.usage_end_time < p.next_start) \
         WHERE u.usage_date >= date_sub(current_date(), {days}) AND u.usage_unit = 'DBU' \
         AND u.usage_metadata.{field} {which}) priced{join} \
         GROUP BY priced.id, priced.workspace{name}{day}, currency ORDER BY {order} LIMIT {MOST_ROWS}"
    )
}

/// The error for system tables that cannot be read, with what is to be granted.
fn explained(error: &Error) -> Error {
    Error::failed(format!("the costs cannot be read from `system.billing`: {}", statement::head(error))).with_hint(
        "an administrator must enable the schema `billing`, and grant USE CATALOG on `system`, USE SCHEMA and SELECT \
         on `system.billing` (tables `usage` and `list_prices`); `get_effective_grants` shows who has them",
    )
}
