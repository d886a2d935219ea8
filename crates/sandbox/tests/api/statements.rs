//! Statements over time: waiting, polling, chunks, cancelling; warehouses; history.

use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::json;

use crate::client::{Checked, get, post, raw, send, start};

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

#[tokio::test]
async fn who_does_not_wait_sees_pending_first() -> Checked {
    let sandbox = start().await?;
    let body = json!({"warehouse_id": WAREHOUSE, "statement": "SELECT 1", "wait_timeout": "0s"});
    let reply = post(&sandbox, STATEMENTS, body).await?.json();
    assert_eq!(reply, json!({"statement_id": reply["statement_id"], "status": {"state": "PENDING"}}));
    Ok(())
}

#[tokio::test]
async fn external_links_carry_results_without_a_token() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let body = json!({"warehouse_id": WAREHOUSE, "disposition": "EXTERNAL_LINKS", "format": "CSV",
        "statement": "SELECT trip_id, 'a,b' AS text, NULL AS nothing FROM samples.taxi.trips ORDER BY trip_id"});
    let reply = post(&sandbox, STATEMENTS, body).await?.json();
    assert_eq!((&reply["manifest"]["format"], &reply["manifest"]["total_chunk_count"]), (&json!("CSV"), &json!(3)));
    let link = &reply["result"]["external_links"][0];
    assert_eq!((&link["row_count"], &link["next_chunk_index"]), (&json!(1000), &json!(1)));
    let path = link["external_link"].as_str().unwrap_or_default().trim_start_matches(sandbox.url()).to_owned();
    let bare = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let found = raw(&sandbox, bare(&path).as_bytes()).await?;
    let csv = String::from_utf8_lossy(&found.body).into_owned();
    assert!(csv.starts_with("trip_id,text,nothing\r\n1,\"a,b\",null\r\n"), "{csv}");
    assert_eq!(get(&sandbox, &path).await?.status, 400);
    let forged = raw(&sandbox, bare(&path.replace("/0?", "/1?")).as_bytes()).await?;
    assert!(forged.status == 403 && String::from_utf8_lossy(&forged.body).contains("SignatureDoesNotMatch"));
    sandbox.advance(Duration::from_secs(900));
    let late = raw(&sandbox, bare(&path).as_bytes()).await?;
    assert!(late.status == 403 && String::from_utf8_lossy(&late.body).contains("Request has expired"));
    let next = link["next_chunk_internal_link"].as_str().unwrap_or_default();
    assert_eq!(get(&sandbox, next).await?.at("/external_links/0/chunk_index"), 1);
    // After an hour the result is gone.
    sandbox.advance(Duration::from_secs(3600));
    let id = reply["statement_id"].as_str().unwrap_or_default();
    assert_eq!(get(&sandbox, &format!("{STATEMENTS}/{id}")).await?.at("/status/state"), "CLOSED");
    let arrow =
        json!({"warehouse_id": WAREHOUSE, "statement": "SELECT 1", "disposition": "INLINE", "format": "ARROW_STREAM"});
    assert_eq!(post(&sandbox, STATEMENTS, arrow).await?.code(), "INVALID_PARAMETER_VALUE");
    Ok(())
}

#[tokio::test]
async fn results_are_cut_to_bytes() -> Checked {
    let sandbox = start().await?;
    let body =
        json!({"warehouse_id": WAREHOUSE, "statement": "SELECT trip_id FROM samples.taxi.trips", "byte_limit": 100});
    let reply = post(&sandbox, STATEMENTS, body).await?.json();
    assert_eq!(reply["manifest"]["truncated"], true);
    assert!(reply["manifest"]["total_byte_count"].as_i64().is_some_and(|bytes| (50..=100).contains(&bytes)), "{reply}");
    Ok(())
}

#[tokio::test]
async fn a_session_keeps_where_it_is() -> Checked {
    let sandbox = start().await?;
    let session =
        post(&sandbox, "/api/2.0/sql/sessions", json!({"warehouse_id": WAREHOUSE, "catalog": "samples"})).await?;
    let id = session.at("/session_id");
    let run = |sql: &str| json!({"warehouse_id": WAREHOUSE, "session_id": id, "statement": sql});
    let reply = post(&sandbox, STATEMENTS, run("USE SCHEMA taxi")).await?;
    assert_eq!(reply.at("/status/state"), "SUCCEEDED");
    let reply = post(&sandbox, STATEMENTS, run("SELECT current_catalog(), current_schema()")).await?;
    assert_eq!(reply.at("/result/data_array/0"), json!(["samples", "taxi"]));
    let reply = post(&sandbox, STATEMENTS, run("USE nowhere")).await?;
    assert_eq!(reply.at("/status/state"), "FAILED");
    let path = format!("/api/2.0/sql/sessions/{}", id.as_str().unwrap_or_default());
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 200);
    assert_eq!(post(&sandbox, STATEMENTS, run("SELECT 1")).await?.status, 404);
    Ok(())
}
