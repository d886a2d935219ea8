//! Clusters and SQL warehouses: started and stopped from any state, by anybody.

use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const RUNNING: &str = "0301-081500-etlmain1";
const TERMINATED: &str = "0227-143000-adhoc001";
const BROKEN: &str = "0226-120000-broken01";
const WAREHOUSE: &str = "a1b2c3d4e5f60718";
const STOPPED_WAREHOUSE: &str = "b2c3d4e5f6071829";

fn cluster(id: &str) -> Value {
    json!({ "cluster_id": id })
}

fn at_once(mut arguments: Value) -> Value {
    arguments["wait"] = json!(false);
    arguments
}

fn is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |answer| answer["state"] == state
}

#[tokio::test]
async fn a_cluster_is_started_from_any_state_and_stopped() -> Outcome {
    let harness = Harness::whole().await?;
    let answer = harness.answer("start_cluster", cluster(TERMINATED)).await?;
    assert_eq!((&answer["state"], &answer["cluster_id"]), (&json!("RUNNING"), &json!(TERMINATED)), "{answer}");
    assert!(answer["page_url"].to_string().contains("/compute/clusters/"), "{answer}");
    let again = harness.answer("start_cluster", cluster(TERMINATED)).await?;
    assert_eq!(again["already_running"], true, "{again}");
    let stopping = harness.answer("stop_cluster", at_once(cluster(TERMINATED))).await?;
    assert_eq!((&stopping["state"], &stopping["still_running"]), (&json!("TERMINATING"), &json!(true)), "{stopping}");
    assert!(stopping["hint"].to_string().contains("`stop_cluster`"), "{stopping}");
    // It has to end before it can begin.
    let answer = harness.answer("start_cluster", cluster(TERMINATED)).await?;
    assert_eq!(answer["state"], "RUNNING", "{answer}");
    let answer = harness.answer("stop_cluster", cluster(TERMINATED)).await?;
    assert_eq!(answer["state"], "TERMINATED", "{answer}");
    let again = harness.answer("stop_cluster", cluster(TERMINATED)).await?;
    assert_eq!(again["already_stopped"], true, "{again}");
    let starting = harness.answer("start_cluster", at_once(cluster(TERMINATED))).await?;
    assert_eq!((&starting["state"], &starting["still_running"]), (&json!("PENDING"), &json!(true)), "{starting}");
    assert!(starting["hint"].to_string().contains("`start_cluster`"), "{starting}");
    let answer = harness.answer("start_cluster", cluster(TERMINATED)).await?;
    assert_eq!(answer["state"], "RUNNING", "{answer}");
    Ok(())
}

#[tokio::test]
async fn two_who_start_the_same_cluster_both_get_it() -> Outcome {
    let harness = Harness::whole().await?;
    let start = || harness.answer("start_cluster", cluster(TERMINATED));
    let (one, two, three) = tokio::join!(start(), start(), start());
    for answer in [one?, two?, three?] {
        assert_eq!(answer["state"], "RUNNING", "{answer}");
    }
    let (events, _) = harness.all("get_cluster_events", cluster(TERMINATED)).await?;
    assert_eq!(events.iter().filter(|event| event["type"] == "STARTING").count(), 1, "{events:?}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_cannot_start_says_why() -> Outcome {
    let harness = Harness::whole().await?;
    let refusal = harness.refusal("start_cluster", cluster(BROKEN)).await?;
    assert!(refusal.contains("CLOUD_PROVIDER_LAUNCH_FAILURE") && refusal.contains("`get_cluster_events`"), "{refusal}");
    let doomed = json!({ "cluster_name": "doomed", "spark_version": "16.4.x-scala2.12", "node_type_id": "p3.2xlarge", "num_workers": 1 });
    let id = harness.answer("create_cluster", doomed).await?["cluster_id"].clone();
    let refusal = harness.refusal("start_cluster", json!({ "cluster_id": id })).await?;
    assert!(refusal.contains("CLOUD_PROVIDER_LAUNCH_FAILURE (CLOUD_FAILURE)"), "{refusal}");
    let missing = harness.refusal("start_cluster", cluster("0000-000000-nothing0")).await?;
    assert!(missing.contains("does not exist") && missing.contains("`list_clusters`"), "{missing}");
    let missing = harness.refusal("stop_cluster", cluster("0000-000000-nothing0")).await?;
    assert!(missing.contains("`list_clusters`"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn a_restart_needs_a_running_cluster_and_joins_one_that_is_coming_up() -> Outcome {
    let harness = Harness::whole().await?;
    let refusal = harness.refusal("restart_cluster", cluster(TERMINATED)).await?;
    assert!(refusal.contains("only a running one") && refusal.contains("`start_cluster`"), "{refusal}");
    let answer = harness.answer("restart_cluster", cluster(RUNNING)).await?;
    assert_eq!(answer["state"], "RUNNING", "{answer}");
    let restarts = |events: &[Value]| events.iter().filter(|event| event["type"] == "RESTARTING").count();
    let (events, _) = harness.all("get_cluster_events", cluster(RUNNING)).await?;
    assert_eq!(restarts(&events), 1, "{events:?}");
    let restarting = harness.answer("restart_cluster", at_once(cluster(RUNNING))).await?;
    assert_eq!(
        (&restarting["state"], &restarting["still_running"]),
        (&json!("RESTARTING"), &json!(true)),
        "{restarting}"
    );
    let answer = harness.answer("restart_cluster", cluster(RUNNING)).await?;
    assert_eq!(answer["state"], "RUNNING", "{answer}");
    let (events, _) = harness.all("get_cluster_events", cluster(RUNNING)).await?;
    assert_eq!(restarts(&events), 2, "a restart under way was restarted: {events:?}");
    assert!(events.is_sorted_by(|one, next| one["timestamp"].as_i64() >= next["timestamp"].as_i64()), "{events:?}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_start_stops_what_it_started_and_leaves_what_others_did() -> Outcome {
    let harness = Harness::whole().await?;
    let look = ("get_cluster", cluster(TERMINATED));
    harness.cancelled("start_cluster", cluster(TERMINATED), look.clone(), is("PENDING")).await?;
    harness.until(look.0, look.1.clone(), is("TERMINATED")).await?;

    harness.answer("start_cluster", at_once(cluster(TERMINATED))).await?;
    harness.cancelled("start_cluster", cluster(TERMINATED), look.clone(), is("PENDING")).await?;
    harness.until(look.0, look.1, is("RUNNING")).await?;

    let look = ("get_warehouse", json!({ "warehouse_id": STOPPED_WAREHOUSE }));
    harness.cancelled("start_warehouse", look.1.clone(), look.clone(), is("STARTING")).await?;
    harness.until(look.0, look.1, is("STOPPED")).await?;
    Ok(())
}

#[tokio::test]
async fn a_warehouse_is_started_from_any_state_and_stopped() -> Outcome {
    let harness = Harness::whole().await?;
    let warehouse = json!({ "warehouse_id": STOPPED_WAREHOUSE });
    let starting = harness.answer("start_warehouse", at_once(warehouse.clone())).await?;
    assert_eq!((&starting["state"], &starting["still_running"]), (&json!("STARTING"), &json!(true)), "{starting}");
    let answer = harness.answer("start_warehouse", warehouse.clone()).await?;
    assert_eq!((&answer["state"], &answer["warehouse_id"]), (&json!("RUNNING"), &json!(STOPPED_WAREHOUSE)), "{answer}");
    assert!(answer["page_url"].to_string().contains("/sql/warehouses/"), "{answer}");
    let again = harness.answer("start_warehouse", warehouse.clone()).await?;
    assert_eq!(again["already_running"], true, "{again}");
    let stopping = harness.answer("stop_warehouse", at_once(warehouse.clone())).await?;
    assert_eq!(stopping["state"], "STOPPING", "{stopping}");
    let answer = harness.answer("start_warehouse", warehouse.clone()).await?;
    assert_eq!(answer["state"], "RUNNING", "{answer}");
    let answer = harness.answer("stop_warehouse", warehouse.clone()).await?;
    assert_eq!(answer["state"], "STOPPED", "{answer}");
    let again = harness.answer("stop_warehouse", warehouse.clone()).await?;
    assert_eq!(again["already_stopped"], true, "{again}");
    let missing = harness.refusal("start_warehouse", json!({ "warehouse_id": "nothing" })).await?;
    assert!(missing.contains("`list_warehouses`"), "{missing}");
    let shown = harness.answer("get_warehouse", json!({ "warehouse_id": WAREHOUSE, "fields": ["state"] })).await?;
    assert_eq!(shown, json!({ "state": "RUNNING" }));
    Ok(())
}

#[tokio::test]
async fn faults_under_way_are_survived_and_refusals_told() -> Outcome {
    let lost = |route: &str| json!({ "route": route, "fault": "connection_reset", "handled": true, "times": 1 });
    let harness = Harness::with_faults(json!([
        lost("POST /api/2.1/clusters/start"),
        lost("POST /api/2.1/clusters/delete"),
        lost("POST /api/2.1/clusters/restart"),
        { "route": "GET /api/2.1/clusters/get", "fault": "unavailable", "after": 1, "times": 1 },
    ]))
    .await?;
    // The answer is lost, the start is not: asking again finds it under way.
    let answer = harness.answer("start_cluster", cluster(TERMINATED)).await?;
    assert_eq!(answer["state"], "RUNNING", "{answer}");
    let answer = harness.answer("stop_cluster", cluster(TERMINATED)).await?;
    assert_eq!(answer["state"], "TERMINATED", "{answer}");
    let answer = harness.answer("restart_cluster", cluster(RUNNING)).await?;
    assert_eq!(answer["state"], "RUNNING", "{answer}");
    let (events, _) = harness.all("get_cluster_events", cluster(RUNNING)).await?;
    assert_eq!(events.iter().filter(|event| event["type"] == "RESTARTING").count(), 1, "{events:?}");

    let denied = |route: &str| json!({ "route": route, "fault": "permission_denied" });
    let harness =
        Harness::with_faults(json!([denied("POST /api/2.1/clusters/*"), denied("POST /api/2.0/sql/warehouses/*/*"),]))
            .await?;
    for (tool, arguments) in [
        ("start_cluster", cluster(TERMINATED)),
        ("stop_cluster", cluster(RUNNING)),
        ("restart_cluster", cluster(RUNNING)),
        ("get_cluster_events", cluster(RUNNING)),
        ("start_warehouse", json!({ "warehouse_id": STOPPED_WAREHOUSE })),
        ("stop_warehouse", json!({ "warehouse_id": WAREHOUSE })),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains("lacks the permission"), "{tool}: {refusal}");
    }
    Ok(())
}
