//! What compute has cost, from the system tables: DBUs and list prices, by job or by warehouse.

mod span;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::cursor::Cursor;
use crate::domain::request;
use crate::domain::sql::statement::{self, Outcome, StatementRequest};
use crate::domain::sql::warehouse::{self, Warehouse};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::shape;
use span::Span;

const MOST_ROWS: i64 = 1_000;

/// What both tools take.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Period {
    /// Days back from today; 30 if no dates are given.
    #[schemars(range(min = 1, max = 365))]
    days: Option<u32>,
    /// Calendar month, e.g. `2026-01`.
    month: Option<String>,
    /// First day, e.g. `2026-01-15`.
    start_date: Option<String>,
    /// Last day, inclusive; today if unset.
    end_date: Option<String>,
    /// One row per day; default for a single one.
    by_day: Option<bool>,
    /// SQL warehouse to use; if unset, a running one.
    warehouse_id: Option<String>,
    /// Time to wait; after it the statement keeps running.
    #[serde(default)]
    timeout_seconds: Timeout,
}

/// Whose costs: a field of `usage_metadata`, and the one value of it that is asked for.
pub(crate) struct Subject {
    /// `job_id` or `warehouse_id`.
    pub(crate) field: &'static str,
    pub(crate) id: Option<String>,
    /// Where names of it are: SQL of a relation with `workspace`, `id` and `name`.
    pub(crate) names: Option<&'static str>,
    /// What such costs leave out.
    pub(crate) without: &'static str,
    /// What a share is a share of.
    pub(crate) whole: &'static str,
}

/// The costs in a period, with what must be known to read them.
pub(crate) async fn costs(context: &Context, subject: Subject, period: Period) -> Result<Value, Error> {
    let span = Span::of(&period)?;
    let warehouse = warehouse::choose(context, period.warehouse_id.clone()).await?;
    let mut notes = Vec::new();
    let asked = query(context, &warehouse, &subject, &period, span, subject.names).await;
    let end = match asked {
        // Names are a convenience of another schema; costs can be told without.
        Err(error) if subject.names.is_some() && statement::lacks_access(&error) => {
            let end =
                query(context, &warehouse, &subject, &period, span, None).await.map_err(|error| explained(&error))?;
            notes.push("names are missing: they need USE SCHEMA and SELECT on `system.lakeflow`");
            end
        }
        other => other.map_err(|error| if statement::lacks_access(&error) { explained(&error) } else { error })?,
    };
    let mut answer = match end {
        Outcome::Done(statement) => {
            let mut answer = statement::page(context, *statement, Cursor::default()).await?;
            if request::array(&answer, "rows").is_empty() {
                shape::advise(
                    &mut answer,
                    "no usage is recorded for it in this period: choose a longer one, or check the id",
                );
            }
            if request::integer(&answer, "total_rows").is_some_and(|rows| rows >= MOST_ROWS) {
                let most = format!("only the first {MOST_ROWS} rows were read: choose a shorter period, or one id");
                shape::put(&mut answer, "truncated", true);
                shape::advise(&mut answer, &most);
            }
            answer
        }
        Outcome::Running(answer) => answer,
        Outcome::TooLarge(error) | Outcome::Unserved(error) => return Err(error),
    };
    notes.push(
        "`list_cost` is DBUs at list price: it is not the invoice, which has discounts, and for classic \
                compute it leaves out the cloud's machines",
    );
    notes.push(
        "usage covers all workspaces of the account and arrives hours late: `last_usage` is the newest that is counted",
    );
    notes.push(subject.without);
    notes.push(subject.whole);
    span.put(&mut answer);
    shape::put(&mut answer, "notes", notes);
    warehouse.put(&mut answer);
    Ok(answer)
}

async fn query(
    context: &Context,
    warehouse: &Warehouse,
    subject: &Subject,
    period: &Period,
    span: Span,
    names: Option<&str>,
) -> Result<Outcome, Error> {
    let by_day = period.by_day.unwrap_or(subject.id.is_some());
    let sql = sql(subject, span, by_day, names);
    let values: Vec<_> = subject.id.iter().map(|id| ("id", id.clone())).collect();
    statement::run(context, warehouse, &StatementRequest::new(sql, &values), period.timeout_seconds.seconds()).await
}

/// One statement, whose rows are the answer: so it can be continued by its id.
fn sql(subject: &Subject, span: Span, by_day: bool, names: Option<&str>) -> String {
    let field = subject.field;
    let period = span.condition();
    // Only after the shares are known: one job's share is of what all jobs cost.
    let which = if subject.id.is_some() { " WHERE shares.id = :id" } else { "" };
    let (day, order) = if by_day { (", day", "day DESC, list_cost DESC") } else { ("", "list_cost DESC") };
    let (name, join) = match names {
        Some(relation) => {
            let on = "named.id = shares.id AND named.workspace = shares.workspace";
            (", name", format!(" LEFT JOIN {relation} named ON {on}"))
        }
        None => ("", String::new()),
    };
    // Ids are only unique within a workspace, and usage is of all of an account. A price ends where the next begins,
    // whatever its own end is: usage that two prices were joined to would count twice.
    let priced = format!(
        "SELECT u.usage_metadata.{field} AS id, u.workspace_id AS workspace, u.usage_date AS day, u.usage_quantity AS dbus, \
         u.usage_quantity * p.pricing.effective_list.default AS cost, p.currency_code AS currency, u.usage_end_time AS ended \
         FROM system.billing.usage u LEFT JOIN (SELECT sku_name, cloud, usage_unit, currency_code, pricing, \
         price_start_time, price_end_time, lead(price_start_time) OVER (PARTITION BY sku_name, cloud, usage_unit, \
         currency_code ORDER BY price_start_time) AS next_start FROM system.billing.list_prices) p \
         ON p.sku_name = u.sku_name AND p.cloud = u.cloud AND p.usage_unit = u.usage_unit \
         AND u.usage_end_time >= p.price_start_time \
         AND (p.price_end_time IS NULL OR u.usage_end_time < p.price_end_time) \
         AND (p.next_start IS NULL OR u.usage_end_time < p.next_start) \
         WHERE {period} AND u.usage_unit = 'DBU' AND u.usage_metadata.{field} IS NOT NULL"
    );
    let sums = format!(
        "SELECT id, workspace{day}, CAST(sum(dbus) AS DOUBLE) AS dbus, CAST(sum(cost) AS DOUBLE) AS cost, currency, \
         CAST(max(ended) AS STRING) AS last_usage FROM ({priced}) priced GROUP BY id, workspace{day}, currency"
    );
    let shares = format!(
        "SELECT id, workspace{day}, dbus, cost, sum(cost) OVER (PARTITION BY currency) AS whole, currency, last_usage \
         FROM ({sums}) sums"
    );
    format!(
        "SELECT shares.id AS {field}{name}{day}, dbus, round(cost, 2) AS list_cost, \
         round(100 * cost / nullif(whole, 0), 1) AS share_percent, currency, last_usage, \
         shares.workspace AS workspace_id FROM ({shares}) shares{join}{which} ORDER BY {order} LIMIT {MOST_ROWS}"
    )
}

/// The error for system tables that cannot be read, with what is to be granted.
fn explained(error: &Error) -> Error {
    Error::failed(format!("the costs cannot be read from `system.billing`: {}", statement::head(error))).with_hint(
        "an administrator must enable the schema `billing`, and grant USE CATALOG on `system`, USE SCHEMA and SELECT \
         on `system.billing` (tables `usage` and `list_prices`); `get_effective_grants` shows who has them",
    )
}
