//! Commands and clusters that end, fail or stand in ways that the sandbox does not show by itself.

use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::twist::Exchange;

const RUNNING: &str = "0301-081500-etlmain1";
const TERMINATED: &str = "0227-143000-adhoc001";
const COMMAND: &str = "GET /api/1.2/commands/status";
const CLUSTER: &str = "GET /api/2.1/clusters/get";

type Failure = Box<dyn std::error::Error>;

fn code() -> Value {
    json!({ "cluster_id": RUNNING, "code": "print(1)" })
}

/// A harness where each command ends so.
async fn ending(status: &'static str, results: Value) -> Result<Harness, Failure> {
    let twist = move |exchange: &mut Exchange| {
        if exchange.is(COMMAND) {
            exchange.answer["status"] = json!(status);
            exchange.answer["results"] = results.clone();
        }
    };
    Harness::twisted(twist).await
}

#[tokio::test]
async fn whatever_a_command_ends_with_is_read() -> Outcome {
    let markup = json!({
        "resultType": "error", "summary": "<span class=\"ansi-red-fg\">NameError</span>: name &#39;x&#39;",
        "cause": "\u{1b}[0;31mTraceback\u{1b}[0m\nNameError: name 'x'",
    });
    for status in ["Finished", "Error"] {
        let refusal = ending(status, markup.clone()).await?.refusal("run_code", code()).await?;
        assert!(refusal.contains("the code failed") && refusal.contains("NameError: name 'x'"), "{status}: {refusal}");
        assert!(!refusal.contains(['\u{1b}', '<']) && !refusal.contains("&#39;"), "{status}: {refusal}");
    }
    for results in [Value::Null, json!({})] {
        let refusal = ending("Error", results).await?.refusal("run_code", code()).await?;
        assert!(refusal.contains("gives no reason") && refusal.contains("`get_cluster_events`"), "{refusal}");
    }
    let told = json!({ "resultType": "text", "data": "<div>The driver restarted.</div>" });
    let refusal = ending("Error", told).await?.refusal("run_code", code()).await?;
    assert!(refusal.contains("could not be run: The driver restarted."), "{refusal}");
    let refusal = ending("Cancelled", Value::Null).await?.refusal("run_code", code()).await?;
    assert!(refusal.contains("was cancelled"), "{refusal}");

    let text = json!({ "resultType": "text", "data": "\u{1b}[1mbold\u{1b}[0m", "truncated": true });
    let answer = ending("Finished", text).await?.answer("run_code", code()).await?;
    assert_eq!((&answer["output"], &answer["truncated"]), (&json!("bold"), &json!(true)), "{answer}");
    assert!(answer["hint"].to_string().contains("the cluster truncated it"), "{answer}");
    let schema = json!([{ "name": "id", "type": "\"bigint\"" }]);
    let table =
        json!({ "resultType": "table", "schema": schema, "data": [[9_007_199_254_740_993_i64]], "truncated": true });
    let answer = ending("Finished", table).await?.answer("run_code", code()).await?;
    assert_eq!((&answer["rows"], &answer["columns"][0]["type"]), (&json!([["9007199254740993"]]), &json!("bigint")));
    assert!(answer["truncated"] == true && answer["hint"].to_string().contains("the cluster truncated"), "{answer}");
    let pixel = "data:image/png;base64,iVBORw0KGgo=";
    let images = json!({ "resultType": "images", "fileNames": [pixel, pixel, "/plots/3.png"] });
    let result = ending("Finished", images).await?.call("run_code", code()).await?;
    assert_eq!(result.content.iter().filter(|block| block.as_image().is_some()).count(), 2);
    let told = result.structured_content.ok_or("no structured content")?;
    assert_eq!(told["images"][2], json!({ "file": "/plots/3.png" }), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_command_that_waits_its_turn_goes_on_after_the_call() -> Outcome {
    for status in ["Queued", "Cancelling", "A_NEW_ONE"] {
        let harness = ending(status, Value::Null).await?;
        let mut call = code();
        call["timeout_seconds"] = json!(0);
        let answer = harness.answer("run_code", call).await?;
        assert_eq!((&answer["state"], &answer["still_running"]), (&json!(status), &json!(true)), "{answer}");
        harness.until_heard(|state| state.contains(status)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_takes_no_more_contexts_says_what_helps() -> Outcome {
    let harness = Harness::default().await?;
    for _ in 0..145 {
        let body = json!({ "clusterId": RUNNING, "language": "python" });
        harness.direct("POST", "/api/1.2/contexts/create", Some(body)).await?;
    }
    let refusal = harness.refusal("run_code", code()).await?;
    for expected in ["Too many execution contexts", "145 contexts", "`restart_cluster`"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    let twist = |exchange: &mut Exchange| {
        if exchange.is("GET /api/1.2/contexts/status") {
            exchange.answer["status"] = json!("Error");
        }
    };
    let refusal = Harness::twisted(twist).await?.refusal("run_code", code()).await?;
    assert!(refusal.contains("could not set up python") && refusal.contains("`get_cluster_events`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn what_serverless_code_did_is_told_without_its_output() -> Outcome {
    let denied = |route: &str| json!([{ "route": route, "fault": "permission_denied" }]);
    let harness = Harness::with_faults(denied("GET /api/2.2/jobs/runs/get-output")).await?;
    let answer = harness.answer("run_code", json!({ "code": "print(1)" })).await?;
    assert_eq!(answer["result_state"], "SUCCESS", "{answer}");
    assert!(answer["run_id"].is_number() && answer["output_error"].to_string().contains("permission"), "{answer}");

    let harness = Harness::with_faults(denied("GET /api/2.2/jobs/runs/get")).await?;
    let refusal = harness.refusal("run_code", json!({ "code": "print(1)" })).await?;
    for expected in ["was started and is still running", "/.databricks-mcp-server/run_code-", "lacks the permission"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    for route in ["POST /api/2.0/workspace/import", "POST /api/2.2/jobs/runs/submit"] {
        let harness = Harness::with_faults(denied(route)).await?;
        let refusal = harness.refusal("run_code", json!({ "code": "print(1)" })).await?;
        assert!(refusal.contains("lacks the permission"), "{route}: {refusal}");
        let folder = json!({ "path": "/Users/sandbox.user@example.test/.databricks-mcp-server" });
        let is_empty = |folder: &Value| folder["items"].as_array().is_some_and(Vec::is_empty);
        harness.until("list_workspace_items", folder, is_empty).await?;
    }

    let harness = Harness::open(Selection::default(), 1_000).await?;
    let answer =
        harness.answer("run_code", json!({ "code": format!("print(\"{}\")", "abcdefghij".repeat(1_000)) })).await?;
    assert!(answer.to_string().chars().count() <= 3_000, "{answer}");
    assert!(answer["truncated"] == true && answer["hint"].to_string().contains("of 10001 characters"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn each_state_of_a_cluster_has_its_answer() -> Outcome {
    let standing = |state: &'static str| async move {
        let twist = move |exchange: &mut Exchange| {
            if exchange.is(CLUSTER) && exchange.target.contains(TERMINATED) {
                exchange.answer["state"] = json!(state);
            }
        };
        Harness::twisted(twist).await
    };
    let now = json!({ "cluster_id": TERMINATED, "wait": false });
    // A cluster that grows or shrinks runs.
    let harness = standing("RESIZING").await?;
    let answer = harness.answer("start_cluster", now.clone()).await?;
    assert_eq!((&answer["state"], &answer["already_running"]), (&json!("RESIZING"), &json!(true)), "{answer}");
    for state in ["PENDING", "RESTARTING", "A_NEW_ONE"] {
        let harness = standing(state).await?;
        let answer = harness.answer("start_cluster", now.clone()).await?;
        assert_eq!((&answer["state"], &answer["still_running"]), (&json!(state), &json!(true)), "{answer}");
        let answer = harness.answer("restart_cluster", now.clone()).await?;
        assert_eq!((&answer["state"], &answer["still_running"]), (&json!(state), &json!(true)), "{answer}");
        let (events, _) = harness.all("get_cluster_events", json!({ "cluster_id": TERMINATED })).await?;
        assert!(
            events
                .iter()
                .all(|event| event["type"] != "STARTING" || event["timestamp"].as_i64() < Some(1_772_442_000_000)),
            "it was started: {events:?}"
        );
    }
    for state in ["ERROR", "UNKNOWN"] {
        let harness = standing(state).await?;
        for tool in ["start_cluster", "restart_cluster"] {
            let refusal = harness.refusal(tool, now.clone()).await?;
            assert!(refusal.contains(state) && refusal.contains("`get_cluster_events`"), "{refusal}");
        }
    }
    let harness = standing("TERMINATING").await?;
    let answer = harness.answer("start_cluster", now.clone()).await?;
    assert!(answer["hint"].to_string().contains("was not started"), "{answer}");
    let refusal = harness.refusal("restart_cluster", now).await?;
    assert!(refusal.contains("`start_cluster`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_start_is_followed_by_its_states_and_joins_a_restart() -> Outcome {
    let harness = Harness::whole().await?;
    harness.answer("start_cluster", json!({ "cluster_id": TERMINATED })).await?;
    harness.until_heard(|state| state.contains("RUNNING")).await?;
    let heard = harness.client.service().heard();
    let states: Vec<_> = heard.iter().filter_map(|(_, state)| state.split(": ").nth(1)?.split(' ').next()).collect();
    assert_eq!(states.first(), Some(&"TERMINATED"), "{heard:?}");
    assert!(states.contains(&"PENDING") && states.last() == Some(&"RUNNING"), "{heard:?}");
    assert!(heard.is_sorted_by(|one, next| one.0 < next.0), "{heard:?}");
    let restarting = harness.answer("restart_cluster", json!({ "cluster_id": RUNNING, "wait": false })).await?;
    assert_eq!(restarting["state"], "RESTARTING", "{restarting}");
    let answer = harness.answer("start_cluster", json!({ "cluster_id": RUNNING })).await?;
    assert_eq!(answer["state"], "RUNNING", "{answer}");
    Ok(())
}

#[tokio::test]
async fn events_of_a_cluster_come_page_by_page() -> Outcome {
    let harness = Harness::whole().await?;
    for _ in 0..8 {
        harness.answer("restart_cluster", json!({ "cluster_id": RUNNING })).await?;
    }
    let (all, _) = harness.all("get_cluster_events", json!({ "cluster_id": RUNNING })).await?;
    let twist = |exchange: &mut Exchange| {
        if exchange.is("POST /api/2.1/clusters/events") && exchange.body["page_size"] != 50 {
            exchange.status = 400;
        }
    };
    let small = Harness::twisted_with(&["compute", "compute_admin"], 500, twist).await?;
    for _ in 0..8 {
        small.answer("restart_cluster", json!({ "cluster_id": RUNNING })).await?;
    }
    let (paged, pages) = small.all("get_cluster_events", json!({ "cluster_id": RUNNING })).await?;
    let kinds = |events: &[Value]| events.iter().map(|event| event["type"].clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&paged), kinds(&all));
    assert!(pages > 1, "{pages} pages");
    let (chosen, _) =
        harness.all("get_cluster_events", json!({ "cluster_id": RUNNING, "event_types": ["RESTARTING"] })).await?;
    assert_eq!(chosen.len(), 8, "{chosen:?}");
    let missing = harness.refusal("get_cluster_events", json!({ "cluster_id": "0000-000000-nothing0" })).await?;
    assert!(missing.contains("does not exist") && missing.contains("`list_clusters`"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn a_command_ends_with_its_cluster() -> Outcome {
    let harness = Harness::whole().await?;
    let mut call = code();
    call["code"] = json!("import time\ntime.sleep(25)\n");
    call["timeout_seconds"] = json!(0);
    let mut later = harness.answer("run_code", call).await?;
    harness.answer("stop_cluster", json!({ "cluster_id": RUNNING })).await?;
    if let Some(later) = later.as_object_mut() {
        later.retain(|name, _| ["cluster_id", "context_id", "command_id"].contains(&name.as_str()));
    }
    let refusal = harness.refusal("run_code", later).await?;
    assert!(refusal.contains("is gone, with its variables") && refusal.contains("to start a new one"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn lost_answers_of_machines_do_nothing_twice_and_how_long_it_took_is_told() -> Outcome {
    let lost = |route: &str| json!({ "route": route, "fault": "connection_reset", "handled": true, "times": 1 });
    let harness = Harness::with_faults(json!([
        lost("POST /api/2.0/sql/warehouses/*/start"),
        lost("POST /api/2.0/sql/warehouses/*/stop"),
        lost("POST /api/2.2/jobs/runs/cancel"),
    ]))
    .await?;
    let warehouse = json!({ "warehouse_id": "b2c3d4e5f6071829" });
    let answer = harness.answer("start_warehouse", warehouse.clone()).await?;
    assert!(answer["state"] == "RUNNING" && answer["duration_ms"].is_number(), "{answer}");
    let answer = harness.answer("stop_warehouse", warehouse).await?;
    assert!(answer["state"] == "STOPPED" && answer["duration_ms"].is_number(), "{answer}");
    let run = json!({ "run_id": harness.answer("run_job_now", json!({ "job_id": harness.job("slow-export").await? })).await?["run_id"] });
    let answer = harness.answer("cancel_run", run).await?;
    assert!(answer["result_state"] == "CANCELED" && answer["duration_ms"].is_number(), "{answer}");
    let seen: Vec<_> =
        harness.faults().await?.as_array().into_iter().flatten().map(|rule| rule["seen"].clone()).collect();
    assert_eq!(seen, [2, 2, 2], "each was asked for once more");
    let answer = harness.answer("run_code", code()).await?;
    assert!(answer["output"] == "1" && answer["duration_ms"].is_number(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_cancelled_leaves_what_was_there_before_it() -> Outcome {
    let harness = Harness::whole().await?;
    let look = ("get_cluster", json!({ "cluster_id": RUNNING }));
    let is = |state: &'static str| move |cluster: &Value| cluster["state"] == state;
    harness.cancelled("restart_cluster", look.1.clone(), look.clone(), is("RESTARTING")).await?;
    harness.until(look.0, look.1.clone(), is("RUNNING")).await?;
    harness.cancelled("stop_cluster", look.1.clone(), look.clone(), is("TERMINATING")).await?;
    harness.until(look.0, look.1, is("TERMINATED")).await?;
    Ok(())
}
