//! Warehouses that do not come up: they fail, are stopped or deleted, and statements that waited for them say so.

use std::error::Error;
use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, Reply, get, post, send};

const RUNNING: &str = "a1b2c3d4e5f60718";
const STOPPED: &str = "b2c3d4e5f6071829";
const WAREHOUSES: &str = "/api/2.0/sql/warehouses";
const WHY: &str = "No addresses are left in the subnet.";

async fn manual() -> Result<Sandbox, Box<dyn Error>> {
    Ok(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?)
}

async fn shown(sandbox: &Sandbox, id: &str) -> Result<Reply, Box<dyn Error>> {
    get(sandbox, &format!("{WAREHOUSES}/{id}")).await
}

/// The path of a statement that waits for its warehouse.
async fn sent(sandbox: &Sandbox, warehouse: &str) -> Result<String, Box<dyn Error>> {
    let body = json!({"warehouse_id": warehouse, "statement": "SELECT 1", "wait_timeout": "0s"});
    let id = post(sandbox, "/api/2.0/sql/statements", body).await?.at("/statement_id");
    Ok(format!("/api/2.0/sql/statements/{}", id.as_str().ok_or("no id")?))
}

/// The status of a statement that is due to end.
async fn ended(sandbox: &Sandbox, path: &str) -> Result<Value, Box<dyn Error>> {
    for _ in 0..10_000 {
        let status = get(sandbox, path).await?.at("/status");
        if status["state"] != "PENDING" && status["state"] != "RUNNING" {
            return Ok(status);
        }
    }
    Err("it does not end".into())
}

#[tokio::test]
async fn one_that_cannot_start_says_why() -> Checked {
    let sandbox = manual().await?;
    let tags = json!({"custom_tags": [{"key": "sandbox.fail", "value": WHY}]});
    let doomed = json!({"name": "doomed", "cluster_size": "Small", "tags": tags});
    let id = post(&sandbox, WAREHOUSES, doomed).await?.at("/id").as_str().ok_or("no id")?.to_owned();
    let states = async || -> Result<[Value; 2], Box<dyn Error>> {
        let shown = shown(&sandbox, &id).await?;
        Ok([shown.at("/state"), shown.at("/health/status")])
    };
    let statement = sent(&sandbox, &id).await?;
    assert_eq!(states().await?, ["STARTING", "HEALTHY"]);
    sandbox.advance(Duration::from_millis(400));
    assert_eq!(states().await?, ["STARTING", "FAILED"]);
    assert_eq!(get(&sandbox, &statement).await?.at("/status"), json!({"state": "PENDING"}));
    sandbox.advance(Duration::from_millis(400));
    assert_eq!(states().await?, ["STOPPED", "FAILED"]);
    let health = shown(&sandbox, &id).await?.at("/health");
    assert_eq!((&health["details"], &health["failure_reason"]["type"]), (&json!(WHY), &json!("CLOUD_FAILURE")));
    let status = ended(&sandbox, &statement).await?;
    assert_eq!(status["error"]["error_code"], "TEMPORARILY_UNAVAILABLE", "{status}");
    assert!(status["error"]["message"].as_str().is_some_and(|text| text.ends_with(WHY)), "{status}");
    assert!(status.get("sql_state").is_none(), "{status}");
    assert_eq!(get(&sandbox, "/api/2.0/sql/history/queries").await?.at("/res/0/status"), "FAILED");

    // Without the tag it starts.
    let mended = json!({"name": "mended", "tags": {"custom_tags": []}});
    assert_eq!(post(&sandbox, &format!("{WAREHOUSES}/{id}/edit"), mended).await?.status, 200);
    let statement = sent(&sandbox, &id).await?;
    assert_eq!(states().await?, ["STARTING", "HEALTHY"]);
    sandbox.advance(Duration::from_millis(800));
    assert_eq!(states().await?, ["RUNNING", "HEALTHY"]);
    assert_eq!(ended(&sandbox, &statement).await?["state"], "SUCCEEDED");
    Ok(())
}

#[tokio::test]
async fn what_runs_on_one_that_is_stopped_fails() -> Checked {
    let sandbox = manual().await?;
    let sleep = |warehouse: &str| json!({"warehouse_id": warehouse, "statement": "SELECT sandbox_sleep(60)", "wait_timeout": "0s"});
    let id = post(&sandbox, "/api/2.0/sql/statements", sleep(RUNNING)).await?.at("/statement_id");
    let path = format!("/api/2.0/sql/statements/{}", id.as_str().ok_or("no id")?);
    while get(&sandbox, &path).await?.at("/status/state") == "PENDING" {}
    post(&sandbox, &format!("{WAREHOUSES}/{STOPPED}/stop"), json!({})).await?;
    assert_eq!(get(&sandbox, &path).await?.at("/status/state"), "RUNNING", "it runs on another");
    post(&sandbox, &format!("{WAREHOUSES}/{RUNNING}/stop"), json!({})).await?;
    let status = get(&sandbox, &path).await?.at("/status");
    assert!(status["error"]["message"].to_string().contains("stopped while"), "{status}");
    assert_eq!(get(&sandbox, "/api/2.0/sql/history/queries").await?.at("/res/0/status"), "FAILED");
    Ok(())
}

#[tokio::test]
async fn what_waits_for_one_that_is_stopped_or_deleted_fails() -> Checked {
    let sandbox = manual().await?;
    let statement = sent(&sandbox, STOPPED).await?;
    post(&sandbox, &format!("{WAREHOUSES}/{STOPPED}/stop"), json!({})).await?;
    // One that is sent while it stops wakes it again, for both.
    let second = sent(&sandbox, STOPPED).await?;
    sandbox.advance(Duration::from_millis(800));
    assert_eq!(ended(&sandbox, &statement).await?["state"], "SUCCEEDED");
    assert_eq!(ended(&sandbox, &second).await?["state"], "SUCCEEDED");
    post(&sandbox, &format!("{WAREHOUSES}/{STOPPED}/stop"), json!({})).await?;
    sandbox.advance(Duration::from_millis(300));
    let statement = sent(&sandbox, STOPPED).await?;
    post(&sandbox, &format!("{WAREHOUSES}/{STOPPED}/stop"), json!({})).await?;
    sandbox.advance(Duration::from_millis(800));
    let status = ended(&sandbox, &statement).await?;
    assert!(status["error"]["message"].to_string().contains("was stopped before"), "{status}");

    let statement = sent(&sandbox, STOPPED).await?;
    assert_eq!(send(&sandbox, "DELETE", &format!("{WAREHOUSES}/{STOPPED}"), b"").await?.status, 200);
    assert_eq!(shown(&sandbox, STOPPED).await?.at("/state"), "DELETING");
    assert_eq!(post(&sandbox, &format!("{WAREHOUSES}/{STOPPED}/start"), json!({})).await?.code(), "INVALID_STATE");
    let listed = get(&sandbox, WAREHOUSES).await?.at("/warehouses");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    sandbox.advance(Duration::from_millis(300));
    assert_eq!(shown(&sandbox, STOPPED).await?.at("/state"), "DELETED");
    sandbox.advance(Duration::from_millis(800));
    assert_eq!(shown(&sandbox, STOPPED).await?.status, 404);
    let status = ended(&sandbox, &statement).await?;
    assert!(status["error"]["message"].to_string().contains("was deleted before"), "{status}");
    Ok(())
}
