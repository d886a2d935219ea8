//! Pipelines: updates that complete, fail, go on and are stopped.

use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

async fn harness() -> Result<Harness, Box<dyn std::error::Error>> {
    Harness::open(Selection { toolsets: vec!["pipelines".to_owned()], ..Selection::default() }, 6_000).await
}

/// The id of a pipeline whose last update ended so.
async fn pipeline(harness: &Harness, ended: &str) -> Result<String, Box<dyn std::error::Error>> {
    let (pipelines, _) = harness.all("list_pipelines", json!({})).await?;
    let found = pipelines.iter().find(|pipeline| pipeline["latest_updates"][0]["state"] == ended);
    let id = found.and_then(|pipeline| pipeline["pipeline_id"].as_str()).map(str::to_owned);
    id.ok_or_else(|| format!("no pipeline ended {ended}: {pipelines:?}").into())
}

#[tokio::test]
async fn an_update_completes_and_tells_of_its_flows() -> Outcome {
    let harness = harness().await?;
    let id = pipeline(&harness, "COMPLETED").await?;
    let answer = harness.answer("run_pipeline", json!({ "pipeline_id": id })).await?;
    assert_eq!(answer["state"], "COMPLETED", "{answer}");
    let flows = answer["flows"].as_array().ok_or("no flows")?;
    assert!(!flows.is_empty() && flows.iter().all(|flow| flow["status"] == "COMPLETED"), "{answer}");
    assert!(answer["page_url"].as_str().is_some_and(|url| url.contains(&id)), "{answer}");
    let now = harness.answer("get_pipeline", json!({ "pipeline_id": id })).await?;
    assert_eq!(now["latest_updates"][0]["update_id"], answer["update_id"], "{now}");
    Ok(())
}

#[tokio::test]
async fn a_failed_update_is_an_error_with_its_exceptions() -> Outcome {
    let harness = harness().await?;
    let id = pipeline(&harness, "FAILED").await?;
    let refusal = harness.refusal("run_pipeline", json!({ "pipeline_id": id })).await?;
    for expected in ["is FAILED", &id, "StreamingQueryException: [DELTA_SCHEMA_CHANGED]", "page: http", "hint:"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn an_update_goes_on_after_the_call_and_is_stopped_by_another() -> Outcome {
    let harness = harness().await?;
    let id = pipeline(&harness, "COMPLETED").await?;
    let started = harness.answer("run_pipeline", json!({ "pipeline_id": id, "wait": false })).await?;
    assert_eq!(started["still_running"], true, "{started}");
    let refusal = harness.refusal("run_pipeline", json!({ "pipeline_id": id, "wait": false })).await?;
    assert!(
        refusal.contains(started["update_id"].as_str().ok_or("no id")?) && refusal.contains("stop_pipeline"),
        "{refusal}"
    );
    let stopped = harness.answer("stop_pipeline", json!({ "pipeline_id": id })).await?;
    assert_eq!(stopped["state"], "IDLE", "{stopped}");
    let now = harness.answer("get_pipeline", json!({ "pipeline_id": id })).await?;
    assert_eq!(now["latest_updates"][0]["state"], "CANCELED", "{now}");
    let again = harness.answer("stop_pipeline", json!({ "pipeline_id": id })).await?;
    assert_eq!(again["note"], "it was not running");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_call_stops_the_update_it_started() -> Outcome {
    let harness = harness().await?;
    let id = pipeline(&harness, "COMPLETED").await?;
    let arguments = json!({ "pipeline_id": id });
    let is = |state: &'static str| move |pipeline: &Value| pipeline["latest_updates"][0]["state"] == state;
    let started = ("get_pipeline", arguments.clone());
    harness.cancelled("run_pipeline", arguments.clone(), started, is("WAITING_FOR_RESOURCES")).await?;
    harness.until("get_pipeline", arguments, is("CANCELED")).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_told() -> Outcome {
    let harness = harness().await?;
    for tool in ["run_pipeline", "stop_pipeline", "get_pipeline"] {
        let refusal = harness.refusal(tool, json!({ "pipeline_id": "none" })).await?;
        assert!(refusal.contains("list_pipelines"), "{tool}: {refusal}");
    }
    Ok(())
}
