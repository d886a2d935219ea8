//! Machines that do not come up: they fail, or somebody stops or deletes them meanwhile.

use std::sync::Arc;
use std::time::Duration;

use databricks_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::standing_still;
use crate::waiting::items;

const RUNNING: &str = "a1b2c3d4e5f60718";
const STOPPED: &str = "b2c3d4e5f6071829";
const TERMINATED: &str = "0227-143000-adhoc001";
const WHY: &str = "No addresses are left in the subnet.";
/// Half of the time that a start takes: then it shows what comes of it.
const HALF: Duration = Duration::from_millis(400);

type Failure = Box<dyn std::error::Error>;

/// A warehouse that cannot be started, stopped after its first try, where time stands still.
async fn doomed() -> Result<(Arc<Sandbox>, Harness, Value), Failure> {
    let (sandbox, harness) = standing_still(&["all"]).await?;
    let tags = json!({ "custom_tags": [{ "key": "sandbox.fail", "value": WHY }] });
    let body = json!({ "name": "doomed", "cluster_size": "Small", "tags": tags });
    let id = harness.direct("POST", "/api/2.0/sql/warehouses", Some(body)).await?["id"].clone();
    sandbox.advance(HALF * 2);
    Ok((sandbox, harness, json!({ "warehouse_id": id })))
}

fn statement(warehouse: &Value, seconds: u64) -> Value {
    json!({ "statement": "SELECT 1", "warehouse_id": warehouse["warehouse_id"], "timeout_seconds": seconds })
}

fn assert_says(refusal: &str, expected: &[&str]) {
    for words in expected {
        assert!(refusal.contains(words), "no {words}: {refusal}");
    }
}

impl Harness {
    /// Waits until the workspace has a statement that has not ended.
    async fn until_sent(&self) -> Outcome {
        let fields = json!({ "fields": ["status"] });
        let is_open = |listed: &Value| items(listed).next().is_some_and(|query| query["status"] == "RUNNING");
        self.until("list_query_history", fields, is_open).await.map(drop)
    }
}

#[tokio::test]
async fn a_warehouse_that_cannot_start_says_why() -> Outcome {
    let (sandbox, harness, warehouse) = doomed().await?;
    let fail = async {
        harness.until_heard(|state| state.ends_with("STARTING after 0 s")).await?;
        sandbox.advance(HALF);
        harness
            .until_heard(|state| state.contains("STARTING (CLOUD_PROVIDER_LAUNCH_FAILURE") && state.contains(WHY))
            .await?;
        sandbox.advance(HALF);
        Ok::<_, Failure>(())
    };
    let (refusal, failed) = tokio::join!(harness.refusal("start_warehouse", warehouse.clone()), fail);
    failed?;
    let id = warehouse["warehouse_id"].as_str().ok_or("no id")?;
    let reason = "CLOUD_PROVIDER_LAUNCH_FAILURE (CLOUD_FAILURE)";
    assert_says(&refusal?, &["warehouse doomed", id, "is not running (STOPPED)", reason, WHY, "`list_warehouses`"]);

    // While it has not given up, that is told too.
    harness.answer("start_warehouse", json!({ "warehouse_id": id, "wait": false })).await?;
    sandbox.advance(HALF);
    let told = harness.answer("start_warehouse", json!({ "warehouse_id": id, "timeout_seconds": 0 })).await?;
    assert_eq!((&told["state"], &told["still_running"]), (&json!("STARTING"), &json!(true)), "{told}");
    assert!(told["problem"].to_string().contains(WHY), "{told}");
    let shown = harness.answer("get_warehouse", warehouse.clone()).await?;
    assert_eq!((&shown["health"]["status"], &shown["health"]["details"]), (&json!("FAILED"), &json!(WHY)), "{shown}");
    Ok(())
}

#[tokio::test]
async fn sql_on_a_warehouse_that_cannot_start_says_why() -> Outcome {
    let (sandbox, harness, warehouse) = doomed().await?;
    let fail = async {
        harness.until_sent().await?;
        sandbox.advance(HALF * 2);
        Ok::<_, Failure>(())
    };
    let (refusal, failed) = tokio::join!(harness.refusal("execute_sql", statement(&warehouse, 45)), fail);
    failed?;
    let id = warehouse["warehouse_id"].as_str().ok_or("no id")?;
    let expected =
        ["statement `", "is FAILED `TEMPORARILY_UNAVAILABLE`", "warehouse doomed", id, "is not running (STOPPED)", WHY];
    assert_says(&refusal?, &expected);

    let told = harness.answer("execute_sql", statement(&warehouse, 0)).await?;
    assert_eq!((&told["state"], &told["warehouse_state"]), (&json!("PENDING"), &json!("STARTING")), "{told}");
    assert!(told.get("warehouse_problem").is_none() && told["warehouse_id"] == id, "{told}");
    sandbox.advance(HALF);
    let told = harness.answer("execute_sql", statement(&warehouse, 0)).await?;
    assert!(told["warehouse_problem"].to_string().contains(WHY) && told["still_running"] == true, "{told}");
    let searched = json!({ "query": "orders", "warehouse_id": id, "timeout_seconds": 0 });
    let searched = harness.answer("search_tables", searched).await?;
    assert!(searched["searched"].to_string().contains("its warehouse is STARTING"), "{searched}");
    let end = json!({ "statement_id": told["statement_id"], "timeout_seconds": 0 });
    let waiting = harness.answer("get_sql_result", end).await?;
    assert_eq!((&waiting["state"], &waiting["warehouse_id"]), (&json!("PENDING"), &json!(id)), "{waiting}");
    assert!(waiting["warehouse_problem"].to_string().contains(WHY), "{waiting}");
    sandbox.advance(HALF);
    // It ends a little after the clock has moved.
    let end = json!({ "statement_id": told["statement_id"] });
    assert_says(&harness.refusal("get_sql_result", end).await?, &["is FAILED", WHY, "`list_warehouses`"]);

    // A mistake in the SQL is not blamed on the warehouse.
    let mistake = json!({ "statement": "SELEC 1", "warehouse_id": "a1b2c3d4e5f60718" });
    let refusal = harness.refusal("execute_sql", mistake).await?;
    assert!(refusal.contains("PARSE_SYNTAX_ERROR") && !refusal.contains("warehouse"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_warehouse_that_somebody_stops_while_it_starts_is_told_to_be_stopped() -> Outcome {
    let (sandbox, harness) = standing_still(&["all"]).await?;
    let warehouse = json!({ "warehouse_id": STOPPED });
    let stop = || harness.direct("POST", "/api/2.0/sql/warehouses/b2c3d4e5f6071829/stop", Some(json!({})));
    let stopped = async {
        harness.until_heard(|state| state.contains("STARTING")).await?;
        stop().await?;
        sandbox.advance(HALF);
        Ok::<_, Failure>(())
    };
    let (refusal, stopped) = tokio::join!(harness.refusal("start_warehouse", warehouse.clone()), stopped);
    stopped?;
    assert_says(&refusal?, &["Reporting warehouse", STOPPED, "(STOPPED): somebody stopped it"]);

    let stopped = async {
        harness.until_sent().await?;
        stop().await?;
        sandbox.advance(HALF * 2);
        Ok::<_, Failure>(())
    };
    let (refusal, stopped) = tokio::join!(harness.refusal("execute_sql", statement(&warehouse, 45)), stopped);
    stopped?;
    assert_says(&refusal?, &["was stopped before", "warehouse Reporting warehouse", "somebody stopped it"]);
    Ok(())
}

#[tokio::test]
async fn a_query_whose_warehouse_is_stopped_under_it_says_so() -> Outcome {
    let (_sandbox, harness) = standing_still(&["all"]).await?;
    let stopped = async {
        harness.until_sent().await?;
        harness.answer("stop_warehouse", json!({ "warehouse_id": RUNNING, "wait": false })).await
    };
    let query = json!({ "statement": "SELECT sandbox_sleep(3600)", "warehouse_id": RUNNING });
    let (refusal, stopped) = tokio::join!(harness.refusal("execute_sql", query), stopped);
    assert_eq!(stopped?["state"], "STOPPING");
    assert_says(&refusal?, &["statement `", "was stopped", "warehouse Shared warehouse", "(STOPPING): somebody"]);
    Ok(())
}

#[tokio::test]
async fn a_warehouse_that_is_deleted_is_told_to_be_gone() -> Outcome {
    let (sandbox, harness) = standing_still(&["all"]).await?;
    let warehouse = json!({ "warehouse_id": STOPPED });
    let deleted = async {
        harness.until_heard(|state| state.contains("STARTING")).await?;
        harness.direct("DELETE", "/api/2.0/sql/warehouses/b2c3d4e5f6071829", None).await?;
        Ok::<_, Failure>(())
    };
    let (refusal, deleted) = tokio::join!(harness.refusal("start_warehouse", warehouse.clone()), deleted);
    deleted?;
    assert_says(&refusal?, &["Reporting warehouse", "is not running (DELETING)", "`list_warehouses`"]);
    for state in ["DELETING", "DELETED"] {
        assert_says(&harness.refusal("start_warehouse", warehouse.clone()).await?, &[state, "`list_warehouses`"]);
        let told = harness.answer("stop_warehouse", warehouse.clone()).await?;
        assert_eq!((&told["state"], &told["already_stopped"]), (&json!(state), &json!(true)), "{told}");
        assert_says(&harness.refusal("execute_sql", statement(&warehouse, 45)).await?, &["INVALID_STATE", "deleted"]);
        sandbox.advance(HALF);
    }
    sandbox.advance(HALF * 2);
    for tool in ["start_warehouse", "stop_warehouse", "get_warehouse"] {
        let refusal = harness.refusal(tool, warehouse.clone()).await?;
        assert!(refusal.contains("does not exist") && refusal.contains("`list_warehouses`"), "{tool}: {refusal}");
    }

    // One that goes while a statement waits for it.
    let (sandbox, harness) = standing_still(&["all"]).await?;
    let deleted = async {
        harness.until_sent().await?;
        harness.direct("DELETE", "/api/2.0/sql/warehouses/b2c3d4e5f6071829", None).await?;
        sandbox.advance(HALF * 2);
        Ok::<_, Failure>(())
    };
    let (refusal, deleted) = tokio::join!(harness.refusal("execute_sql", statement(&warehouse, 45)), deleted);
    deleted?;
    assert_says(&refusal?, &["was deleted before", "warehouse Reporting warehouse", "is not running (DELETED)"]);
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_is_deleted_for_good_while_it_starts_is_told_to_be_gone() -> Outcome {
    let (_sandbox, harness) = standing_still(&["all"]).await?;
    let cluster = json!({ "cluster_id": TERMINATED });
    let deleted = async {
        harness.until_heard(|state| state.contains("PENDING")).await?;
        harness.direct("POST", "/api/2.1/clusters/permanent-delete", Some(cluster.clone())).await?;
        Ok::<_, Failure>(())
    };
    let (refusal, deleted) = tokio::join!(harness.refusal("start_cluster", cluster.clone()), deleted);
    deleted?;
    assert_says(&refusal?, &[TERMINATED, "start requested", "does not exist", "`list_clusters`"]);
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_somebody_terminates_while_it_starts_says_who() -> Outcome {
    let (sandbox, harness) = standing_still(&["all"]).await?;
    let cluster = json!({ "cluster_id": TERMINATED });
    let terminated = async {
        harness.until_heard(|state| state.contains("PENDING")).await?;
        harness.direct("POST", "/api/2.1/clusters/delete", Some(cluster.clone())).await?;
        sandbox.advance(Duration::from_secs(60));
        Ok::<_, Failure>(())
    };
    let (refusal, terminated) = tokio::join!(harness.refusal("start_cluster", cluster.clone()), terminated);
    terminated?;
    assert_says(&refusal?, &["ad-hoc-analysis", "(TERMINATED): USER_REQUEST", "sandbox.user@example.test"]);
    Ok(())
}
