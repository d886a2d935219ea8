//! What the workspace knows of the object that a call would change: two short reads at the most, by the read that shows whether
//! such a call did its work.

use std::time::Duration;

use databricks::operations::{
    CATALOG_SCHEMAS_LIST, CATALOG_TABLES_GET, CATALOG_TABLES_LIST, JOBS_JOBS_LIST_RUNS, WORKSPACE_SECRETS_LIST_SECRETS,
};
use databricks::{Arguments, Client, Location, Operation};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::question::{About, plain};
use crate::calls::outcome;
use crate::definition::Look;
use crate::domain::sql::read_only::Target;
use crate::registry;
use crate::shape;

/// Somebody waits for the question.
const PATIENCE: Duration = Duration::from_secs(8);
/// The name of an object, in the order in which they are looked for.
const NAMES: [&str; 8] =
    ["settings.name", "cluster_name", "full_name", "display_name", "name", "title", "path", "spec.name"];
/// What is told of an object: the field, and its name for people.
const TOLD: [(&str, &str); 22] = [
    ("owner", "owner"),
    ("creator_user_name", "made by"),
    ("creator_name", "made by"),
    ("creator", "made by"),
    ("created_by", "made by"),
    ("state", "state"),
    ("status.state", "state"),
    ("table_type", "type"),
    ("catalog_type", "type"),
    ("volume_type", "type"),
    ("settings.schedule.quartz_cron_expression", "schedule"),
    ("settings.schedule.pause_status", "schedule is"),
    ("num_active_sessions", "open sessions"),
    ("last_activity_time", "last active"),
    ("last_restarted_time", "last started"),
    ("updated_at", "last changed"),
    ("update_time", "last changed"),
    ("last_updated_timestamp", "last changed"),
    ("modified_at", "last changed"),
    ("created_time", "made at"),
    ("create_time", "made at"),
    ("comment", "comment"),
];
/// Statistics of a table that Databricks keeps among its properties.
const STATISTICS: [(&str, &str); 2] =
    [("spark.sql.statistics.numRows", "rows"), ("spark.sql.statistics.totalSize", "bytes")];
/// Items of a list that are counted.
const MOST_COUNTED: u64 = 50;

/// What is known of an object.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Its name.
    pub(super) name: Option<String>,
    /// Each is a fact.
    pub(super) lines: Vec<String>,
}

/// What is known of the object of a call; an error says why it could not be read.
pub(super) async fn of(client: &Client, about: &About<'_>) -> Result<Facts, String> {
    match timeout(PATIENCE, found(client, about)).await {
        Ok(found) => found,
        Err(_) => Err("the workspace took too long".to_owned()),
    }
}

async fn found(client: &Client, about: &About<'_>) -> Result<Facts, String> {
    let given = &about.asking.given;
    if let Some(destroys) = &about.reason.destroys {
        let Some(target) = &destroys.target else { return Ok(Facts::default()) };
        return of_target(client, target).await;
    }
    match about.asking.definition.verify.as_ref().and_then(|verify| verify.look.as_ref()).filter(|look| look.removes) {
        Some(look) => of_look(client, look, given).await,
        None => Ok(Facts::default()),
    }
}

/// The object that a statement names.
async fn of_target(client: &Client, target: &Target) -> Result<Facts, String> {
    let name = target.parts.join(".");
    let by_tool = |tool: &str, argument: &str| {
        let look = registry::any(tool)?.verify.as_ref()?.look.as_ref()?;
        Some((look, Map::from_iter([(argument.to_owned(), Value::from(name.clone()))])))
    };
    let look = match target.kind.as_str() {
        "TABLE" => {
            let arguments = Arguments::new().with(Location::Path, "full_name", name.clone());
            return read(client, &CATALOG_TABLES_GET, arguments).await.map(|table| facts(&table));
        }
        "SCHEMA" => by_tool("delete_schema", "full_name"),
        "CATALOG" => by_tool("delete_catalog", "catalog_name"),
        "VOLUME" => by_tool("delete_volume", "full_name"),
        _ => None,
    };
    match look {
        Some((look, given)) => of_look(client, look, &given).await,
        None => Ok(Facts::default()),
    }
}

async fn of_look(client: &Client, look: &Look, given: &Map<String, Value>) -> Result<Facts, String> {
    let found = outcome::find(client, look, given).await.map_err(|error| error.message())?;
    let Some(object) = found.and_then(|found| found.objects.into_iter().next()) else {
        return Err("nothing of this name was found".to_owned());
    };
    let mut facts = facts(&object);
    facts.lines.extend(inside(client, look.operation.id, &object).await);
    Ok(facts)
}

async fn read(client: &Client, operation: &'static Operation, arguments: Arguments) -> Result<Value, String> {
    let answer = client.execute(operation, arguments.with_retry_budget(Duration::from_secs(2))).await;
    answer.map(|answer| answer.into_json().unwrap_or_default()).map_err(|error| error.message().into_owned())
}

fn facts(object: &Value) -> Facts {
    let name = NAMES.iter().find_map(|field| plain(shape::at(object, field)?));
    let mut lines: Vec<String> = Vec::new();
    let mut told = Vec::new();
    for (field, label) in TOLD {
        let value = shape::at(object, field).and_then(|value| time(value, label).or_else(|| plain(value)));
        if let Some(value) = value.filter(|_| !told.contains(&label)) {
            told.push(label);
            lines.push(format!("{label} {value}"));
        }
    }
    let properties = object.get("properties");
    for (property, unit) in STATISTICS {
        if let Some(value) = properties.and_then(|properties| plain(properties.get(property)?)) {
            lines.push(format!("{value} {unit}, as last counted"));
        }
    }
    Facts { name, lines }
}

/// A time of the API, for people.
fn time(value: &Value, label: &str) -> Option<String> {
    if !["last ", "made at"].iter().any(|start| label.starts_with(start)) {
        return None;
    }
    let milliseconds = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    let time = Timestamp::from_millisecond(milliseconds).ok().filter(|_| milliseconds > 0)?;
    Some(time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// What goes with an object, or used it last: one more read, where there is one that tells.
async fn inside(client: &Client, look: &str, object: &Value) -> Option<String> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).map(str::to_owned);
    let query = |name: &str, value: Value| Arguments::new().with(Location::Query, name, value);
    match look {
        "jobs.jobs.get" => {
            let arguments = query("job_id", object.get("job_id")?.clone()).with(Location::Query, "limit", 1);
            let runs = read(client, &JOBS_JOBS_LIST_RUNS, arguments).await.ok()?;
            let Some(run) = runs.get("runs").and_then(Value::as_array).and_then(|runs| runs.first()) else {
                return Some("it has no runs".to_owned());
            };
            let started = time(run.get("start_time")?, "last ")?;
            let state = ["state.result_state", "state.life_cycle_state"];
            let state = state.iter().find_map(|field| plain(shape::at(run, field)?)).unwrap_or_default();
            Some(format!("last run {started} {state}").trim_end().to_owned())
        }
        "catalog.catalogs.get" => {
            let arguments = query("catalog_name", json!(text("name")?));
            let listed = read(client, &CATALOG_SCHEMAS_LIST, arguments).await.ok()?;
            counted(&listed, "schemas", "schemas", &["information_schema"])
        }
        "catalog.schemas.get" => {
            let arguments = query("catalog_name", json!(text("catalog_name")?))
                .with(Location::Query, "schema_name", text("name")?)
                .with(Location::Query, "max_results", MOST_COUNTED)
                .with(Location::Query, "omit_columns", true);
            let listed = read(client, &CATALOG_TABLES_LIST, arguments).await.ok()?;
            counted(&listed, "tables", "tables and views", &[])
        }
        "workspace.secrets.list_scopes" => {
            let arguments = query("scope", json!(text("name")?));
            let listed = read(client, &WORKSPACE_SECRETS_LIST_SECRETS, arguments).await.ok()?;
            counted(&listed, "secrets", "secrets", &[])
        }
        _ => None,
    }
}

/// How many there are of a list, as far as its first page tells.
fn counted(listed: &Value, field: &str, what: &str, except: &[&str]) -> Option<String> {
    let empty = Vec::new();
    let items = listed.get(field).and_then(Value::as_array).unwrap_or(&empty);
    let is_counted =
        |item: &&Value| !item.get("name").and_then(Value::as_str).is_some_and(|name| except.contains(&name));
    let count = items.iter().filter(is_counted).count();
    let is_cut = listed.get("next_page_token").and_then(Value::as_str).is_some_and(|token| !token.is_empty());
    let least = if is_cut { "at least " } else { "" };
    Some(format!("it holds {least}{count} {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_told_by_its_name_and_what_people_know_it_by() {
        let job = json!({
            "job_id": 1, "creator_user_name": "anna@acme.test", "created_time": 1_790_000_000_000_i64,
            "settings": { "name": "nightly\nload", "schedule": { "quartz_cron_expression": "0 0 2 * * ?" } },
        });
        let found = facts(&job);
        assert_eq!(found.name.as_deref(), Some("nightly load"));
        assert_eq!(
            found.lines.join("; "),
            "made by anna@acme.test; schedule 0 0 2 * * ?; made at 2026-09-21 14:13 UTC"
        );
        let table =
            json!({ "full_name": "a.b.c", "owner": "ben", "properties": { "spark.sql.statistics.numRows": "12" } });
        assert_eq!(facts(&table).lines.join("; "), "owner ben; 12 rows, as last counted");
        assert_eq!(counted(&json!({}), "tables", "tables", &[]).as_deref(), Some("it holds 0 tables"));
    }
}
