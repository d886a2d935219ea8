//! Statements over time: waiting, polling, chunks, cancelling; warehouses; history.

use serde_json::json;

use crate::client::{Checked, get, post, start};

const WAREHOUSE: &str = "a1b2c3d4e5f60718";
const STOPPED: &str = "b2c3d4e5f6071829";
const STATEMENTS: &str = "/api/2.0/sql/statements";

#[tokio::test]
async fn ddl_dml_and_errors_have_the_recorded_shapes() -> Checked {
    let sandbox = start().await?;
    let run = |sql: &str| json!({"warehouse_id": WAREHOUSE, "statement": sql});
    let reply = post(&sandbox, "/api/2.0/sql/statements/", run("CREATE TABLE shapes (a INT)")).await?.json();
    assert_eq!(reply["manifest"]["schema"], json!({"column_count": 0}));
    assert_eq!(reply["result"], json!({}));
    let reply = post(&sandbox, STATEMENTS, run("INSERT INTO shapes VALUES (1)")).await?.json();
    assert_eq!(reply["result"]["data_array"], json!([["1", "1"]]));
    let reply = post(&sandbox, STATEMENTS, run("SELECT NULL")).await?.json();
    assert_eq!(
        reply["manifest"]["schema"]["columns"],
        json!([{"name": "NULL", "type_text": "VOID", "type_name": "NULL", "position": 0}])
    );
    assert_eq!(reply["result"]["data_array"], json!([[null]]));
    let reply = post(&sandbox, STATEMENTS, run("INSER INTO x")).await?;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json()["status"]["error"],
        json!({"error_code": "BAD_REQUEST", "message": "\n[PARSE_SYNTAX_ERROR] Syntax error at or near 'INSER'. SQLSTATE: 42601 (line 1, pos 0)\n\n== SQL ==\nINSER INTO x\n^^^\n"})
    );
    Ok(())
}

#[tokio::test]
async fn large_results_come_in_chunks() -> Checked {
    let sandbox = start().await?;
    let body =
        json!({"warehouse_id": WAREHOUSE, "statement": "SELECT trip_id FROM samples.taxi.trips ORDER BY trip_id"});
    let first = post(&sandbox, STATEMENTS, body).await?.json();
    assert_eq!(first["manifest"]["total_chunk_count"], 3);
    assert_eq!(first["manifest"]["total_row_count"], 2500);
    let mut rows = first["result"]["data_array"].as_array().map_or(0, Vec::len);
    let mut chunk = first["result"].clone();
    while let Some(link) = chunk["next_chunk_internal_link"].as_str() {
        chunk = get(&sandbox, link).await?.json();
        rows += chunk["data_array"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(rows, 2500);
    let id = first["statement_id"].as_str().unwrap_or_default();
    assert!(id.starts_with("01f0"));
    assert_eq!(get(&sandbox, &format!("{STATEMENTS}/{id}/result/chunks/9")).await?.status, 400);
    let body = json!({"warehouse_id": WAREHOUSE, "statement": "SELECT * FROM samples.taxi.trips", "row_limit": 10});
    let cut = post(&sandbox, STATEMENTS, body).await?.json();
    assert_eq!((&cut["manifest"]["truncated"], &cut["manifest"]["total_row_count"]), (&json!(true), &json!(10)));
    Ok(())
}

#[tokio::test]
async fn parameters_are_named_and_typed() -> Checked {
    let sandbox = start().await?;
    let body = json!({"warehouse_id": WAREHOUSE, "catalog": "samples", "schema": "retail",
        "statement": "SELECT order_id + :n AS a, :missing AS b, :day AS c FROM orders WHERE order_id = :n LIMIT :n",
        "parameters": [{"name": "n", "value": "1", "type": "INT"}, {"name": "missing"}, {"name": "day", "value": "2024-01-01", "type": "DATE"}]});
    let reply = post(&sandbox, STATEMENTS, body).await?.json();
    assert_eq!(reply["result"]["data_array"], json!([["2", null, "2024-01-01"]]), "{reply}");
    Ok(())
}

#[tokio::test]
async fn a_long_statement_runs_on_and_can_be_canceled() -> Checked {
    let sandbox = start().await?;
    let body = json!({"warehouse_id": WAREHOUSE, "statement": "SELECT sandbox_sleep(60)", "wait_timeout": "0s"});
    let reply = post(&sandbox, STATEMENTS, body).await?.json();
    let id = reply["statement_id"].as_str().unwrap_or_default().to_owned();
    assert!(["PENDING", "RUNNING"].contains(&reply["status"]["state"].as_str().unwrap_or_default()));
    // Others are served meanwhile.
    let other = post(&sandbox, STATEMENTS, json!({"warehouse_id": WAREHOUSE, "statement": "SELECT 1"})).await?.json();
    assert_eq!(other["status"]["state"], "SUCCEEDED");
    assert_eq!(
        get(&sandbox, &format!("{STATEMENTS}/{id}")).await?.json(),
        json!({"statement_id": id, "status": {"state": "RUNNING"}})
    );
    post(&sandbox, &format!("{STATEMENTS}/{id}/cancel"), json!({})).await?;
    assert_eq!(get(&sandbox, &format!("{STATEMENTS}/{id}")).await?.json()["status"]["state"], "CANCELED");
    let busy = json!({"warehouse_id": WAREHOUSE, "wait_timeout": "5s", "on_wait_timeout": "CANCEL",
        "statement": "SELECT count(*) FROM samples.taxi.trips a, samples.taxi.trips b, samples.taxi.trips c"});
    assert_eq!(post(&sandbox, STATEMENTS, busy).await?.json()["status"]["state"], "CANCELED");
    let after =
        post(&sandbox, STATEMENTS, json!({"warehouse_id": WAREHOUSE, "statement": "SELECT 2 AS n"})).await?.json();
    assert_eq!(after["status"]["state"], "SUCCEEDED");
    let history = get(&sandbox, "/api/2.0/sql/history/queries?max_results=2&include_metrics=true").await?.json();
    assert_eq!((&history["res"][0]["status"], &history["res"][1]["status"]), (&json!("FINISHED"), &json!("CANCELED")));
    assert!(history["next_page_token"].is_string());
    let failed = get(&sandbox, "/api/2.0/sql/history/queries?filter_by.statuses=FAILED").await?.json();
    assert!(failed["res"].as_array().is_some_and(|entries| !entries.is_empty()));
    Ok(())
}

#[tokio::test]
async fn warehouses_wake_and_stop() -> Checked {
    let sandbox = start().await?;
    let path = format!("/api/2.0/sql/warehouses/{STOPPED}");
    assert_eq!(get(&sandbox, &path).await?.json()["state"], "STOPPED");
    let reply = post(&sandbox, STATEMENTS, json!({"warehouse_id": STOPPED, "statement": "SELECT 1"})).await?.json();
    assert_eq!(reply["status"]["state"], "SUCCEEDED");
    assert_eq!(get(&sandbox, &path).await?.json()["state"], "RUNNING");
    post(&sandbox, &format!("{path}/stop"), json!({})).await?;
    assert_eq!(get(&sandbox, &path).await?.json()["state"], "STOPPING");
    assert_eq!(get(&sandbox, "/api/2.0/sql/warehouses/default").await?.json()["id"], WAREHOUSE);
    assert_eq!(post(&sandbox, STATEMENTS, json!({"warehouse_id": "nope", "statement": "SELECT 1"})).await?.status, 404);
    let page = get(&sandbox, "/api/2.0/sql/warehouses?page_size=1").await?.json();
    let token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
    let next = get(&sandbox, &format!("/api/2.0/sql/warehouses?page_size=1&page_token={token}")).await?.json();
    assert_eq!(next["warehouses"][0]["id"], STOPPED);
    assert!(next.get("next_page_token").is_none());
    Ok(())
}
