//! Pipelines that are being stopped, which takes its time: who waits for it, who gives up, who comes next.

use std::sync::Arc;
use std::time::Duration;

use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::Selection;
use databricks_sandbox::{Faults, Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::{beside, standing_still};

const PIPELINE: &str = "0a1b2c3d-0001-4000-8000-000000000001";
/// Longer than an update takes, and longer than it takes to stop.
const LONG: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;

fn call() -> Value {
    json!({ "pipeline_id": PIPELINE })
}

fn for_seconds(seconds: u64) -> Value {
    json!({ "pipeline_id": PIPELINE, "timeout_seconds": seconds })
}

/// A server of the same workspace, whose client has heard nothing yet.
async fn another(sandbox: &Arc<Sandbox>) -> Result<Harness, Failure> {
    let selection = Selection { toolsets: vec!["pipelines".to_owned()], ..Selection::default() };
    Harness::beside(sandbox, selection, 6_000, LocalRoots::default()).await
}

/// A pipeline of a workspace in which time stands still, whose update is being stopped.
async fn stopping() -> Result<(Arc<Sandbox>, Harness, Value), Failure> {
    let (sandbox, harness) = standing_still(&["pipelines"]).await?;
    harness.answer("run_pipeline", json!({ "pipeline_id": PIPELINE, "wait": false })).await?;
    let told = harness.answer("stop_pipeline", for_seconds(0)).await?;
    Ok((sandbox, harness, told))
}

#[tokio::test]
async fn a_stop_that_outlasts_the_call_is_waited_for_by_another() -> Outcome {
    let (sandbox, harness, told) = stopping().await?;
    assert_eq!((&told["state"], &told["still_running"]), (&json!("STOPPING"), &json!(true)), "{told}");
    let hint = told["hint"].to_string();
    assert!(hint.contains("`stop_pipeline`") && hint.contains("`get_pipeline`"), "{told}");
    let shown = harness.answer("get_pipeline", call()).await?;
    assert_eq!((&shown["state"], &shown["latest_updates"][0]["state"]), (&json!("STOPPING"), &json!("STOPPING")));

    let second = another(&sandbox).await?;
    let end = async {
        second.until_heard(|state| state.contains("STOPPING")).await?;
        sandbox.advance(LONG);
        Ok::<_, Failure>(())
    };
    let (told, ended) = tokio::join!(second.answer("stop_pipeline", call()), end);
    ended?;
    let told = told?;
    assert_eq!((&told["pipeline_id"], &told["state"]), (&json!(PIPELINE), &json!("IDLE")), "{told}");
    assert!(told.get("still_running").is_none(), "{told}");
    second.until_heard(|state| state.contains("IDLE")).await?;
    let heard = second.client.service().heard();
    assert!(heard.is_sorted_by(|one, next| one.0 < next.0), "{heard:?}");
    let shown = harness.answer("get_pipeline", call()).await?;
    assert_eq!(shown["latest_updates"][0]["state"], "CANCELED", "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_stop_goes_on_when_the_call_is_cancelled() -> Outcome {
    let (sandbox, harness) = standing_still(&["pipelines"]).await?;
    let started = harness.answer("run_pipeline", json!({ "pipeline_id": PIPELINE, "wait": false })).await?;
    let second = another(&sandbox).await?;
    second.cancelled_at("stop_pipeline", call(), |state| state.contains("STOPPING")).await?;
    sandbox.advance(LONG);
    let shown = harness.answer("get_pipeline", call()).await?;
    assert_eq!((&shown["state"], &shown["latest_updates"][0]["state"]), (&json!("IDLE"), &json!("CANCELED")));
    assert_eq!(shown["latest_updates"][0]["update_id"], started["update_id"], "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_permission_that_is_lost_while_it_stops_hides_no_stop() -> Outcome {
    // The start looks at the pipeline once, and so does the stop before it tells it to stop.
    let denied = json!([{ "route": "GET /api/2.0/pipelines/*", "fault": "permission_denied", "after": 2 }]);
    let harness = Harness::impatient(denied, LocalRoots::default()).await?;
    harness.answer("run_pipeline", json!({ "pipeline_id": PIPELINE, "wait": false })).await?;
    let refusal = harness.refusal("stop_pipeline", call()).await?;
    for expected in [PIPELINE, "stop requested", "lacks the permission"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    harness.advance(LONG);
    let updates = harness.updates(PIPELINE).await?;
    assert_eq!(updates[0]["state"], "CANCELED", "{updates:?}");
    Ok(())
}

#[tokio::test]
async fn an_update_begins_when_the_one_before_has_stopped() -> Outcome {
    let (sandbox, harness, _) = stopping().await?;
    let before = harness.updates(PIPELINE).await?;
    let told = harness.answer("run_pipeline", for_seconds(0)).await?;
    assert_eq!((&told["state"], &told["still_running"]), (&json!("STOPPING"), &json!(true)), "{told}");
    assert!(told.get("update_id").is_none() && told["hint"].to_string().contains("none was started"), "{told}");

    // To give up that wait leaves nothing behind.
    let second = another(&sandbox).await?;
    second.cancelled_at("run_pipeline", call(), |state| state.contains("STOPPING")).await?;
    assert_eq!(harness.updates(PIPELINE).await?, before);

    let third = another(&sandbox).await?;
    let move_on = async {
        third.until_heard(|state| state.contains("STOPPING")).await?;
        sandbox.advance(Duration::from_secs(1));
        third.until_heard(|state| state.contains("WAITING_FOR_RESOURCES")).await?;
        sandbox.advance(LONG);
        Ok::<_, Failure>(())
    };
    let (answer, moved) = tokio::join!(third.answer("run_pipeline", call()), move_on);
    moved?;
    let answer = answer?;
    assert_eq!(answer["state"], "COMPLETED", "{answer}");
    let updates = harness.updates(PIPELINE).await?;
    let states: Vec<_> = updates.iter().take(2).map(|update| update["state"].clone()).collect();
    assert_eq!((states, updates.len()), (vec![json!("COMPLETED"), json!("CANCELED")], before.len() + 1));
    assert_eq!(updates[0]["update_id"], answer["update_id"]);
    Ok(())
}

#[tokio::test]
async fn a_start_that_comes_too_late_for_a_stop_says_when_to_come_again() -> Outcome {
    // The second start is on its way while the first update is told to stop.
    let slow = json!([{ "route": "POST /api/2.0/pipelines/*/updates", "fault": "slow_headers", "delay_ms": 2_000, "after": 1 }]);
    let options = Options::default().with_speed(Speed::Manual).with_faults(Faults::parse(&slow.to_string())?);
    let (_sandbox, harness) = beside(options, &["pipelines"], 6_000).await?;
    harness.answer("run_pipeline", json!({ "pipeline_id": PIPELINE, "wait": false })).await?;
    let stop = async {
        harness.until_fault("hits", 1).await?;
        harness.answer("stop_pipeline", for_seconds(0)).await
    };
    let (refusal, stopped) = tokio::join!(harness.refusal("run_pipeline", call()), stop);
    assert_eq!(stopped?["state"], "STOPPING");
    let refusal = refusal?;
    assert!(refusal.contains("is being stopped: call `run_pipeline` again once"), "{refusal}");
    assert_eq!(harness.updates(PIPELINE).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn an_update_that_somebody_stops_is_told_to_be() -> Outcome {
    let (sandbox, harness) = standing_still(&["pipelines"]).await?;
    let stop = async {
        harness.until_heard(|state| state.contains("WAITING_FOR_RESOURCES")).await?;
        harness.direct("POST", &format!("/api/2.0/pipelines/{PIPELINE}/stop"), Some(json!({}))).await?;
        harness.until_heard(|state| state.contains("STOPPING")).await?;
        sandbox.advance(LONG);
        Ok::<_, Failure>(())
    };
    let (refusal, stopped) = tokio::join!(harness.refusal("run_pipeline", call()), stop);
    stopped?;
    let refusal = refusal?;
    for expected in ["is CANCELED", "somebody stopped it", "page"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }

    harness.answer("run_pipeline", json!({ "pipeline_id": PIPELINE, "wait": false })).await?;
    let update = harness.updates(PIPELINE).await?[0]["update_id"].clone();
    let refusal = harness.refusal("run_pipeline", call()).await?;
    assert!(refusal.contains(update.as_str().ok_or("no id")?) && refusal.contains("`stop_pipeline`"), "{refusal}");
    Ok(())
}
