//! Endpoints, indexes, Genie and pipelines in the forms that the sandbox does not show by itself.

use std::sync::Mutex;
use std::time::Duration;

use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Faults, Options, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::twist::Exchange;

const RETAIL: &str = "01f0aaaa00001111a2b2c3d4e5f60718";
const INDEX: &str = "main.default.support_articles_index";
const PIPELINE: &str = "0a1b2c3d-0001-4000-8000-000000000001";
const FAILING: &str = "0a1b2c3d-0002-4000-8000-000000000002";

#[tokio::test]
async fn each_task_of_an_endpoint_has_its_form() -> Outcome {
    let harness = Harness::whole().await?;
    let ask = |name: &str, more: Value| {
        let mut call = json!({ "name": name });
        if let (Some(call), Value::Object(more)) = (call.as_object_mut(), more) {
            call.extend(more);
        }
        harness.answer("query_endpoint", call)
    };
    let chat = ask("sandbox-chat", json!({ "prompt": "of lighthouses" })).await?;
    assert!(chat["served_model"].as_str().is_some_and(|model| !model.is_empty()), "{chat}");
    assert!(chat["usage"]["total_tokens"].is_number(), "{chat}");
    let completed = ask("sandbox-completions", json!({ "prompt": "of harbours", "max_tokens": 20 })).await?;
    assert!(completed["choices"][0]["text"].to_string().contains("harbours"), "{completed}");
    let embedded = ask("sandbox-embeddings", json!({ "prompt": "of ships" })).await?;
    assert!(embedded["data"][0]["embedding"].as_array().is_some_and(|vector| !vector.is_empty()), "{embedded}");
    for body in [
        json!({ "dataframe_records": [{ "tenure": 3 }, { "tenure": 9 }] }),
        json!({ "dataframe_split": { "columns": ["tenure"], "data": [[3], [9]] } }),
        json!({ "instances": [{ "tenure": 3 }, { "tenure": 9 }] }),
        json!({ "inputs": [[3], [9]] }),
    ] {
        let answer = ask("churn-model", json!({ "body": body })).await?;
        assert_eq!(answer["predictions"].as_array().map(Vec::len), Some(2), "{body}: {answer}");
    }
    let refusal =
        harness.refusal("query_endpoint", json!({ "name": "churn-model", "body": { "rows": [[3]] } })).await?;
    assert!(refusal.contains("BAD_REQUEST") && refusal.contains("dataframe_records"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn an_answer_that_takes_long_to_write_is_waited_for() -> Outcome {
    let slow =
        json!([{ "route": "POST /serving-endpoints/*/invocations", "fault": "slow_headers", "delay_ms": 1_500 }]);
    let sandbox = Sandbox::start(Options::default().with_faults(Faults::parse(&slow.to_string())?)).await?;
    let mut config = databricks::Config::new(sandbox.url(), sandbox.token())?;
    // What the client waits for other calls.
    config.idle_timeout = Duration::from_millis(500);
    let context = Context::new(databricks::Client::new(config)?, Budget::tokens(6_000), None);
    let selection = Selection { toolsets: vec!["ai".to_owned()], ..Selection::default() };
    let harness = Harness::of(Server::new(Registry::new(&selection)?, context), sandbox).await?;
    let answer =
        harness.answer("query_endpoint", json!({ "name": "sandbox-chat", "prompt": "of lighthouses" })).await?;
    assert!(answer["choices"][0]["message"]["content"].to_string().contains("lighthouses"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn genie_may_say_several_things_and_rows_may_come_later() -> Outcome {
    let twist = |exchange: &mut Exchange| {
        if exchange.is("GET /api/2.0/genie/") && exchange.answer["status"] == "COMPLETED" {
            let Some(attachments) = exchange.answer["attachments"].as_array_mut() else { return };
            let again = attachments.iter().find(|attachment| attachment.get("query").is_some()).cloned();
            attachments.extend(again);
            attachments.push(json!({ "text": { "content": "One more thing." } }));
        }
    };
    let harness = Harness::twisted(twist).await?;
    let question = json!({ "space_id": RETAIL, "question": "What is the revenue per channel?" });
    let answer = harness.answer("ask_genie", question.clone()).await?;
    let queries = answer["queries"].as_array().ok_or("no queries")?;
    assert_eq!((queries.len(), &queries[0]["result"]["rows"]), (2, &queries[1]["result"]["rows"]), "{answer}");
    assert_eq!(answer["text"].as_array().and_then(|texts| texts.last()), Some(&json!("One more thing.")), "{answer}");
    assert!(answer["page_url"].to_string().contains(RETAIL) && answer["duration_ms"].is_number(), "{answer}");
    harness.until_heard(|state| state.contains("COMPLETED")).await?;
    let heard = harness.client.service().heard();
    let states: Vec<_> = heard.iter().filter_map(|(_, state)| state.strip_prefix("Genie: ")).collect();
    assert!(states.len() > 1 && states.last().is_some_and(|state| state.starts_with("COMPLETED")), "{heard:?}");

    let twist = |exchange: &mut Exchange| {
        if exchange.target.contains("/query-result") {
            exchange.answer["statement_response"] = json!({ "statement_id": "1", "status": { "state": "RUNNING" } });
        }
    };
    let harness = Harness::twisted(twist).await?;
    let mut call = question;
    call["timeout_seconds"] = json!(3);
    let answer = harness.answer("ask_genie", call).await?;
    let error = answer["queries"][0]["result_error"].to_string();
    assert!(error.contains("still running") && error.contains("`message_id`"), "{answer}");
    assert!(answer["queries"][0]["sql"].is_string(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn advice_does_not_lead_to_tools_that_are_not_there() -> Outcome {
    let harness = Harness::open(Selection { toolsets: vec!["ai".to_owned()], ..Selection::default() }, 6_000).await?;
    let question = json!({ "space_id": RETAIL, "question": "fail with WAREHOUSE_ACCESS_MISSING_EXCEPTION" });
    let refusal = harness.refusal("ask_genie", question).await?;
    assert!(refusal.contains("not enabled on this server: `list_warehouses`, `execute_sql`"), "{refusal}");
    let harness = Harness::default().await?;
    let run = json!({ "run_id": harness.answer("run_job_now", json!({ "job_id": harness.job("data-quality-check").await? })).await?["run_id"] });
    let refusal = harness.refusal("wait_for_run", run.clone()).await?;
    assert!(!refusal.contains("not enabled"), "{refusal}");
    let twist = |_: &mut Exchange| {};
    let bare = Harness::twisted_with(&["jobs"], 6_000, twist).await?;
    let run = json!({ "run_id": bare.answer("run_job_now", json!({ "job_id": bare.job("data-quality-check").await? })).await?["run_id"] });
    bare.refusal("wait_for_run", run.clone()).await?;
    let diagnosis = bare.answer("diagnose_run", run).await?;
    assert!(
        diagnosis["next_step"].to_string().contains("not enabled on this server: `export_notebook`"),
        "{diagnosis}"
    );
    Ok(())
}

#[tokio::test]
async fn an_index_that_takes_other_conditions_says_so() -> Outcome {
    let twist = |exchange: &mut Exchange| {
        if exchange.target.contains("/query ") || exchange.target.ends_with("/query") {
            exchange.status = 400;
            exchange.answer = json!({ "error_code": "INVALID_PARAMETER_VALUE", "message": "Filters must be SQL." });
        }
    };
    let harness = Harness::twisted(twist).await?;
    let call = json!({ "full_name": INDEX, "query_text": "delivery", "filters": { "id >": 1 } });
    let refusal = harness.refusal("query_index", call).await?;
    assert!(refusal.contains("Filters must be SQL") && refusal.contains("storage-optimized"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn an_update_that_failed_after_the_call_is_explained_by_its_pipeline() -> Outcome {
    let harness = Harness::whole().await?;
    let pipeline = json!({ "pipeline_id": FAILING });
    let started = harness.answer("run_pipeline", json!({ "pipeline_id": FAILING, "wait": false })).await?;
    assert!(started["hint"].to_string().contains("`get_pipeline`") && started["start_time"].is_string(), "{started}");
    let is_over = |pipeline: &Value| pipeline["latest_updates"][0]["state"] == "FAILED";
    let told = harness.until("get_pipeline", pipeline.clone(), is_over).await?;
    let update = &told["latest_update"];
    assert_eq!(update["update_id"], started["update_id"], "{told}");
    assert_eq!(update["errors"].as_array().map(Vec::len), Some(1), "the same error is told twice: {told}");
    assert_eq!(update["errors"][0]["flow"], "main.sales.bronze_orders", "{told}");
    assert!(update["errors"].to_string().contains("DELTA_SCHEMA_CHANGED"), "{told}");
    assert!(update["flows"].as_array().is_some_and(|flows| !flows.is_empty()), "{told}");
    let chosen = harness.answer("get_pipeline", json!({ "pipeline_id": FAILING, "fields": ["state"] })).await?;
    assert_eq!(chosen, json!({ "state": "FAILED" }));
    let denied = json!([{ "route": "GET /api/2.0/pipelines/*/events", "fault": "permission_denied" }]);
    let told = Harness::with_faults(denied).await?.answer("get_pipeline", pipeline).await?;
    assert!(
        told["state"] == "FAILED" && told["latest_update"]["events_error"].to_string().contains("permission"),
        "{told}"
    );
    Ok(())
}

/// Adds flows that completed to the events of the newest update.
fn crowd(exchange: &mut Exchange, flows: usize) {
    let Some(events) = exchange.answer["events"].as_array_mut() else { return };
    let Some(last) = events.first().cloned() else { return };
    for at in 0..flows {
        let mut event = last.clone();
        event["event_type"] = json!("flow_progress");
        event["message"] = json!(format!("Flow 'f{at}' has COMPLETED."));
        event["origin"]["flow_name"] = json!(format!("f{at}"));
        if let Some(event) = event.as_object_mut() {
            event.remove("error");
        }
        events.insert(0, event);
    }
}

#[tokio::test]
async fn what_failed_among_many_flows_is_what_is_told() -> Outcome {
    let twist = |exchange: &mut Exchange| {
        crowd(exchange, 80);
        let events = exchange.answer.get_mut("events").and_then(Value::as_array_mut);
        for event in events.into_iter().flatten().filter(|event| event.get("error").is_some()) {
            event["error"]["exceptions"][0]["message"] = json!("\u{1b}[31mno column\u{1b}[0m <b>reason</b>");
        }
    };
    let harness = Harness::twisted(twist).await?;
    let refusal = harness.refusal("run_pipeline", json!({ "pipeline_id": FAILING })).await?;
    for expected in
        ["is FAILED", FAILING, "page: ", "flow `main.sales.bronze_orders`", "StreamingQueryException: no column reason"]
    {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    assert!(!refusal.contains("f79") && refusal.chars().count() < 1_000, "{refusal}");

    // An update of more events than are read: each page is of it, and has a next one.
    let page = Mutex::new((0, Value::Null));
    let twist = move |exchange: &mut Exchange| {
        if !exchange.target.contains("/events?") {
            return;
        }
        let mut page = page.lock().expect("not poisoned");
        if !exchange.target.contains("page_token") {
            crowd(exchange, 3);
            let update = exchange.answer["events"][0]["origin"]["update_id"].clone();
            if let Some(events) = exchange.answer["events"].as_array_mut() {
                events.retain(|event| event["origin"]["update_id"] == update);
            }
            page.1 = exchange.answer.clone();
        }
        page.0 += 1;
        (exchange.status, exchange.answer) = (200, page.1.clone());
        exchange.answer["next_page_token"] = json!(format!("page {}", page.0));
    };
    let harness = Harness::twisted(twist).await?;
    let answer = harness.answer("run_pipeline", json!({ "pipeline_id": PIPELINE })).await?;
    assert!(answer["flows_are"].to_string().contains("newest events"), "{answer}");
    assert!(answer["duration_ms"].is_number() && answer["start_time"].is_string(), "{answer}");
    Ok(())
}
