//! Pipelines under faults and time: nothing is started twice, nothing that was started is lost, and refusals say why.

use std::time::Duration;

use databricks_mcp_server::local::LocalRoots;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const PIPELINE: &str = "0a1b2c3d-0001-4000-8000-000000000001";
const START: &str = "POST /api/2.0/pipelines/*/updates";

type Failure = Box<dyn std::error::Error>;

async fn harness(faults: Value) -> Result<Harness, Failure> {
    Harness::impatient(faults, LocalRoots::default()).await
}

impl Harness {
    /// The updates of a pipeline, newest first, as the workspace knows them.
    pub(crate) async fn updates(&self, pipeline: &str) -> Result<Vec<Value>, Failure> {
        let answer = self.direct("GET", &format!("/api/2.0/pipelines/{pipeline}/updates"), None).await?;
        Ok(answer["updates"].as_array().cloned().unwrap_or_default())
    }

    /// Makes a pipeline of these settings.
    async fn pipeline(&self, mut settings: Value) -> Result<Value, Failure> {
        settings["libraries"] = json!([{ "notebook": { "path": "/Shared/etl/load_orders" } }]);
        settings["catalog"] = json!("main");
        settings["schema"] = json!("sales");
        Ok(self.direct("POST", "/api/2.0/pipelines", Some(settings)).await?["pipeline_id"].clone())
    }
}

fn call(extra: Value) -> Value {
    let mut call = json!({ "pipeline_id": PIPELINE });
    if let (Some(call), Value::Object(extra)) = (call.as_object_mut(), extra) {
        call.extend(extra);
    }
    call
}

fn newest_is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |pipeline| pipeline["latest_updates"][0]["state"] == state
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_not_made_again() -> Outcome {
    for fault in ["connection_reset", "html_error", "internal_error", "unavailable"] {
        let harness = harness(json!([{ "route": START, "fault": fault, "handled": true, "times": 1 }])).await?;
        let before = harness.updates(PIPELINE).await?.len();
        let refusal = harness.refusal("run_pipeline", call(json!({}))).await?;
        let updates = harness.updates(PIPELINE).await?;
        assert_eq!(updates.len(), before + 1, "{fault}: {updates:?}");
        let update = updates[0]["update_id"].as_str().ok_or("no id")?;
        for expected in [update, "may be the one that you asked for", "`get_pipeline` before you start another"] {
            assert!(refusal.contains(expected), "{fault}: no {expected}: {refusal}");
        }
        assert_eq!(harness.faults().await?[0]["seen"], 1, "{fault}");
        let now = harness.until("get_pipeline", call(json!({})), newest_is("COMPLETED")).await?;
        assert_eq!(now["latest_updates"][0]["update_id"], update);
    }
    // What never arrived is not there to be found.
    let harness = harness(json!([{ "route": START, "fault": "connection_reset" }])).await?;
    let before = harness.updates(PIPELINE).await?.len();
    let refusal = harness.refusal("run_pipeline", call(json!({}))).await?;
    assert!(refusal.contains("may have been started") && refusal.contains("`get_pipeline`"), "{refusal}");
    assert_eq!(harness.updates(PIPELINE).await?.len(), before);
    Ok(())
}

#[tokio::test]
async fn a_start_that_is_turned_away_is_made_once_more() -> Outcome {
    let harness = harness(json!([{ "route": START, "fault": "too_many_requests", "times": 2 }])).await?;
    let before = harness.updates(PIPELINE).await?.len();
    let answer = harness.answer("run_pipeline", call(json!({}))).await?;
    assert_eq!(answer["state"], "COMPLETED", "{answer}");
    assert_eq!(harness.updates(PIPELINE).await?.len(), before + 1);
    harness.until_heard(|state| state.contains("COMPLETED")).await?;
    let heard = harness.client.service().heard();
    assert!(heard.is_sorted_by(|one, next| one.0 < next.0), "{heard:?}");
    Ok(())
}

#[tokio::test]
async fn an_update_that_outlasts_the_call_is_followed_by_its_pipeline() -> Outcome {
    let harness = harness(json!([])).await?;
    let before = harness.updates(PIPELINE).await?.len();
    let started = harness.answer("run_pipeline", call(json!({ "timeout_seconds": 0 }))).await?;
    assert_eq!(started["still_running"], true, "{started}");
    assert!(started["hint"].to_string().contains("`get_pipeline`"), "{started}");
    assert!(started["page_url"].to_string().contains(PIPELINE), "{started}");
    let now = harness.until("get_pipeline", call(json!({})), newest_is("COMPLETED")).await?;
    assert_eq!(now["latest_updates"][0]["update_id"], started["update_id"], "{now}");
    assert_eq!(harness.updates(PIPELINE).await?.len(), before + 1);
    Ok(())
}

#[tokio::test]
async fn a_continuous_pipeline_is_told_once_it_runs() -> Outcome {
    let harness = harness(json!([])).await?;
    let id = harness.pipeline(json!({ "name": "endless", "continuous": true })).await?;
    let answer = harness.answer("run_pipeline", json!({ "pipeline_id": id })).await?;
    assert_eq!((&answer["state"], &answer["still_running"]), (&json!("RUNNING"), &json!(true)), "{answer}");
    assert!(answer["hint"].to_string().contains("`stop_pipeline`"), "{answer}");
    harness.until_heard(|state| state.contains("RUNNING")).await?;
    let stopped = harness.answer("stop_pipeline", json!({ "pipeline_id": id })).await?;
    assert_eq!(stopped["state"], "IDLE", "{stopped}");
    harness.until("get_pipeline", json!({ "pipeline_id": id }), newest_is("CANCELED")).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_refreshed_is_what_was_asked_for() -> Outcome {
    let harness = harness(json!([])).await?;
    let tables = json!(["silver_orders"]);
    for (asked, full, names, fully, is_check) in [
        (json!({}), false, Value::Null, Value::Null, false),
        (json!({ "full_refresh": true }), true, Value::Null, Value::Null, false),
        (json!({ "refresh_selection": tables }), false, tables.clone(), Value::Null, false),
        // All of the pipeline is not what a selection means.
        (json!({ "refresh_selection": tables, "full_refresh": true }), false, Value::Null, tables.clone(), false),
        (json!({ "validate_only": true }), false, Value::Null, Value::Null, true),
    ] {
        let mut arguments = call(asked.clone());
        arguments["wait"] = json!(false);
        let started = harness.answer("run_pipeline", arguments).await?;
        let update = harness.updates(PIPELINE).await?[0].clone();
        assert_eq!(update["update_id"], started["update_id"], "{asked}");
        assert_eq!((&update["full_refresh"], &update["validate_only"]), (&json!(full), &json!(is_check)), "{asked}");
        assert_eq!((&update["refresh_selection"], &update["full_refresh_selection"]), (&names, &fully), "{asked}");
        harness.advance(Duration::from_secs(60));
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_permission_is_told_and_loses_no_update() -> Outcome {
    let denied = |route: &str| json!([{ "route": route, "fault": "permission_denied" }]);
    for (route, tool) in [
        (START, "run_pipeline"),
        ("GET /api/2.0/pipelines/*", "run_pipeline"),
        ("GET /api/2.0/pipelines/*", "stop_pipeline"),
    ] {
        let harness = harness(denied(route)).await?;
        let refusal = harness.refusal(tool, call(json!({}))).await?;
        assert!(refusal.contains("lacks the permission"), "{tool}: {refusal}");
        assert_eq!(harness.updates(PIPELINE).await?.len(), 1, "{tool} has started something");
    }
    let harness = harness(denied("GET /api/2.0/pipelines/*/updates/*")).await?;
    let refusal = harness.refusal("run_pipeline", call(json!({}))).await?;
    let update = harness.updates(PIPELINE).await?[0]["update_id"].as_str().ok_or("no id")?.to_owned();
    for expected in [update.as_str(), "was started", "`get_pipeline`", "lacks the permission"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    harness.until("get_pipeline", call(json!({})), newest_is("COMPLETED")).await?;

    let harness = self::harness(denied("GET /api/2.0/pipelines/*/events")).await?;
    let answer = harness.answer("run_pipeline", call(json!({}))).await?;
    assert_eq!(answer["state"], "COMPLETED", "{answer}");
    assert!(answer["events_error"].to_string().contains("permission"), "{answer}");

    let harness = self::harness(denied("POST /api/2.0/pipelines/*/stop")).await?;
    harness.answer("run_pipeline", call(json!({ "wait": false }))).await?;
    let refusal = harness.refusal("stop_pipeline", call(json!({}))).await?;
    assert!(refusal.contains("lacks the permission"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_stop_whose_answer_is_lost_is_made_again() -> Outcome {
    let route = "POST /api/2.0/pipelines/*/stop";
    let harness =
        harness(json!([{ "route": route, "fault": "connection_reset", "handled": true, "times": 1 }])).await?;
    harness.answer("run_pipeline", call(json!({ "wait": false }))).await?;
    let stopped = harness.answer("stop_pipeline", call(json!({}))).await?;
    assert_eq!(stopped["state"], "IDLE", "{stopped}");
    assert_eq!(harness.faults().await?[0]["seen"], 2);
    harness.until("get_pipeline", call(json!({})), newest_is("CANCELED")).await?;
    Ok(())
}

#[tokio::test]
async fn a_failure_of_many_words_is_cut_and_keeps_its_ids() -> Outcome {
    let harness = harness(json!([])).await?;
    let words = "the column is not there ".repeat(2_000);
    let id = harness.pipeline(json!({ "name": "wordy", "configuration": { "sandbox.fail": words } })).await?;
    let refusal = harness.refusal("run_pipeline", json!({ "pipeline_id": id })).await?;
    for expected in ["is FAILED", id.as_str().ok_or("no id")?, "/updates/", "the column is not there", "hint:"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    assert!(refusal.chars().count() <= 2_100, "{} characters", refusal.chars().count());
    Ok(())
}
