//! The parts of a workspace agree: what one of them did, the others tell of.

use std::error::Error;
use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::json;

use crate::client::{Checked, get, post};
use crate::sql::run as sql;

const WAREHOUSE: &str = "a1b2c3d4e5f60718";

async fn manual() -> Result<Sandbox, Box<dyn Error>> {
    Ok(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?)
}

/// The names of the tables on one side of a table's lineage.
async fn neighbours(sandbox: &Sandbox, table: &str, side: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let told = get(sandbox, &format!("/api/2.0/lineage-tracking/table-lineage?table_name={table}")).await?;
    let told = told.at(&format!("/{side}"));
    let names = told.as_array().into_iter().flatten().filter_map(|one| one["tableInfo"]["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

#[tokio::test]
async fn a_sql_task_of_a_saved_query_stands_in_query_history() -> Checked {
    let sandbox = manual().await?;
    let text = "CREATE TABLE main.default.by_query AS SELECT :day AS day;\nSELECT count(*) FROM main.default.by_query";
    let query = json!({"query": {"display_name": "made", "warehouse_id": WAREHOUSE, "query_text": text}});
    let id = post(&sandbox, "/api/2.0/sql/queries", query).await?.at("/id");
    for (id, result) in [(id, "SUCCESS"), (json!("none"), "FAILED")] {
        let task = json!({"task_key": "a", "sql_task": {"warehouse_id": WAREHOUSE, "query": {"query_id": id}, "parameters": {"day": "3"}}});
        let run = post(&sandbox, "/api/2.2/jobs/runs/submit", json!({"tasks": [task]})).await?.at("/run_id");
        sandbox.advance(Duration::from_secs(60));
        let run = get(&sandbox, &format!("/api/2.2/jobs/runs/get?run_id={run}")).await?;
        assert_eq!(run.at("/state/result_state"), json!(result), "{}", run.json());
    }
    let rows = sql(&sandbox, "SELECT * FROM main.default.by_query").await?;
    assert_eq!(rows["result"]["data_array"], json!([["3"]]));
    let history = get(&sandbox, "/api/2.0/sql/history/queries?max_results=10").await?.at("/res");
    let texts: Vec<_> = history.as_array().into_iter().flatten().collect();
    let entry = texts.iter().find(|entry| entry["query_text"] == "SELECT count(*) FROM main.default.by_query");
    let entry = entry.ok_or("the statement is not in the history")?;
    assert_eq!(entry["status"], "FINISHED");
    assert!(entry["duration"].as_i64() > Some(0), "{entry}");
    Ok(())
}

#[tokio::test]
async fn all_tell_the_same_durations() -> Checked {
    let sandbox = manual().await?;
    let query = json!({"query": {"display_name": "two", "warehouse_id": WAREHOUSE, "query_text": "SELECT 11 AS a;\nSELECT 12 AS a"}});
    let id = post(&sandbox, "/api/2.0/sql/queries", query).await?.at("/id");
    let task = json!({"task_key": "a", "sql_task": {"warehouse_id": WAREHOUSE, "query": {"query_id": id}}});
    let run = post(&sandbox, "/api/2.2/jobs/runs/submit", json!({"tasks": [task]})).await?.at("/run_id");
    // Nobody asks for an hour.
    sandbox.advance(Duration::from_secs(3_600));
    sql(&sandbox, "SELECT 13 AS a").await?;
    let run = get(&sandbox, &format!("/api/2.2/jobs/runs/get?run_id={run}")).await?.json();
    let number = |value: &serde_json::Value| value.as_i64().unwrap_or(-1);
    let history = get(&sandbox, "/api/2.0/sql/history/queries?max_results=50&include_metrics=true").await?.at("/res");
    let history = history.as_array().cloned().unwrap_or_default();
    let task = &run["tasks"][0];
    let begins = number(&task["start_time"]) + number(&task["setup_duration"]);
    let mut before = number(&task["end_time"]);
    for text in ["SELECT 12 AS a", "SELECT 11 AS a"] {
        let entry = history.iter().find(|entry| entry["query_text"] == text).ok_or(text)?;
        let (start, end) = (number(&entry["query_start_time_ms"]), number(&entry["query_end_time_ms"]));
        assert!(begins <= start && start < end && end <= before, "{entry} in {task}");
        before = start;
    }
    let starts: Vec<_> = history.iter().map(|entry| number(&entry["query_start_time_ms"])).collect();
    assert!(starts.is_sorted_by(|a, b| a >= b), "newest first: {starts:?}");
    for entry in &history {
        let duration = number(&entry["query_end_time_ms"]) - number(&entry["query_start_time_ms"]);
        assert_eq!([&entry["duration"], &entry["metrics"]["total_time_ms"]].map(number), [duration; 2], "{entry}");
    }
    let table = sql(&sandbox, "SELECT count(*) FROM system.query.history WHERE total_duration_ms <> timestampdiff(MILLISECOND, start_time, end_time)").await?;
    assert_eq!(table["result"]["data_array"], json!([["0"]]), "{table}");
    let list = get(&sandbox, "/api/2.2/jobs/runs/list?limit=25&expand_tasks=true").await?.at("/runs");
    for run in list.as_array().into_iter().flatten() {
        let got = get(&sandbox, &format!("/api/2.2/jobs/runs/get?run_id={}", run["run_id"])).await?.json();
        let names =
            ["start_time", "setup_duration", "execution_duration", "cleanup_duration", "end_time", "run_duration"];
        assert_eq!(names.map(|name| &run[name]), names.map(|name| &got[name]), "{run}");
        for times in [run].into_iter().chain(run["tasks"].as_array().into_iter().flatten()) {
            let [start, setup, execution, cleanup, end] = [0, 1, 2, 3, 4].map(|name| number(&times[names[name]]));
            assert!(end == 0 || start + setup + execution + cleanup == end, "{times}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_update_of_a_pipeline_leaves_the_tables_of_its_flows() -> Checked {
    let sandbox = manual().await?;
    let settings = json!({"name": "p", "catalog": "main", "schema": "lake", "serverless": true});
    let id = post(&sandbox, "/api/2.0/pipelines", settings).await?.at("/pipeline_id");
    let id = id.as_str().unwrap_or_default();
    let table = "/api/2.1/unity-catalog/tables/main.lake.silver_orders";
    post(&sandbox, &format!("/api/2.0/pipelines/{id}/updates"), json!({"validate_only": true})).await?;
    sandbox.advance(Duration::from_secs(60));
    assert_eq!(get(&sandbox, table).await?.status, 404);
    post(&sandbox, &format!("/api/2.0/pipelines/{id}/updates"), json!({})).await?;
    assert_eq!(get(&sandbox, table).await?.status, 404);
    sandbox.advance(Duration::from_secs(60));
    let events = get(&sandbox, &format!("/api/2.0/pipelines/{id}/events?max_results=100")).await?.at("/events");
    let flows = events.as_array().into_iter().flatten().filter_map(|event| event["origin"]["flow_name"].as_str());
    let mut flows: Vec<_> = flows.collect();
    flows.sort_unstable();
    flows.dedup();
    assert_eq!(flows, ["main.lake.bronze_orders", "main.lake.silver_orders"]);
    for flow in flows {
        let counted = sql(&sandbox, &format!("SELECT count(*) FROM {flow}")).await?;
        assert_eq!(counted["result"]["data_array"], json!([["1500"]]), "{flow}");
    }
    assert_eq!(neighbours(&sandbox, "main.lake.silver_orders", "upstreams").await?, ["bronze_orders"]);
    assert_eq!(neighbours(&sandbox, "main.lake.bronze_orders", "upstreams").await?, ["orders"]);
    Ok(())
}

#[tokio::test]
async fn lineage_follows_statements_in_chains_and_cycles() -> Checked {
    let sandbox = manual().await?;
    for statement in [
        "CREATE TABLE main.default.first AS SELECT order_id AS id FROM samples.retail.orders",
        "CREATE TABLE main.default.second AS SELECT id FROM main.default.first WHERE id > 1",
        "CREATE TABLE main.default.third AS SELECT s.id FROM main.default.second s",
        "INSERT INTO main.default.first SELECT id FROM main.default.third",
        "INSERT INTO main.default.first VALUES (1)",
    ] {
        assert_eq!(sql(&sandbox, statement).await?["status"]["state"], "SUCCEEDED", "{statement}");
    }
    for (table, up) in [("third", ["second"].as_slice()), ("second", &["first"]), ("first", &["third", "orders"])] {
        assert_eq!(neighbours(&sandbox, &format!("main.default.{table}"), "upstreams").await?, up, "{table}");
    }
    let path = "/api/2.0/lineage-tracking/column-lineage?table_name=main.default.second&column_name=id";
    assert_eq!(get(&sandbox, path).await?.at("/upstream_cols/0/table_name"), json!("first"));
    let rows = "SELECT count(*) FROM system.access.table_lineage WHERE target_table_full_name = 'main.default.third'";
    assert_eq!(sql(&sandbox, rows).await?["result"]["data_array"], json!([["1"]]));
    // A table that is made anew is made of nothing else.
    sql(&sandbox, "CREATE OR REPLACE TABLE main.default.first AS SELECT order_id AS id FROM samples.retail.orders")
        .await?;
    assert_eq!(neighbours(&sandbox, "main.default.first", "upstreams").await?, ["orders"]);
    Ok(())
}

#[tokio::test]
async fn a_search_of_an_index_gives_as_many_as_are_asked_for() -> Checked {
    let sandbox = manual().await?;
    let path = "/api/2.0/vector-search/indexes/main.default.support_articles_index/query";
    for (more, count) in [
        (json!({}), 5),
        (json!({"query_type": "HYBRID"}), 5),
        (json!({"query_type": "FULL_TEXT"}), 0),
        (json!({"score_threshold": 0.5}), 0),
    ] {
        let mut body = json!({"columns": ["id"], "query_text": "xylophone", "num_results": 5});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let told = post(&sandbox, path, body).await?;
        assert_eq!(told.at("/result/row_count"), json!(count), "{more}: {}", told.json());
    }
    Ok(())
}

#[tokio::test]
async fn a_pipeline_takes_a_hundred_libraries() -> Checked {
    let sandbox = manual().await?;
    let libraries = |number: usize| json!(vec![json!({"notebook": {"path": "/Shared/flow"}}); number]);
    let create = |number: usize| json!({"name": format!("of {number}"), "libraries": libraries(number)});
    let made = post(&sandbox, "/api/2.0/pipelines", create(100)).await?;
    assert_eq!(made.status, 200, "{}", made.json());
    let refused = post(&sandbox, "/api/2.0/pipelines", create(101)).await?;
    assert_eq!((refused.status, refused.at("/error_code")), (400, json!("INVALID_PARAMETER_VALUE")));
    Ok(())
}
