//! Times, durations, and what is told of runs.

use databricks_mcp_server::registry::Registry;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

/// Milliseconds since 1970 of this century have thirteen digits.
fn raw_times(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| raw_times(item, path, found)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| raw_times(field, &format!("{path}.{name}"), found));
        }
        Value::Number(number)
            if (1_000_000_000_000..10_000_000_000_000).contains(&number.as_i64().unwrap_or_default()) =>
        {
            found.push(format!("{path}: {number}"));
        }
        _ => {}
    }
}

/// Durations in a unit that nobody tells.
fn bare_durations(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| bare_durations(item, path, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if name.ends_with("duration") && field.is_number() {
                    found.push(format!("{path}.{name}"));
                }
                bare_durations(field, &format!("{path}.{name}"), found);
            }
        }
        _ => {}
    }
}

/// The sandbox is a workspace, which the client asks for nothing of an account.
fn is_of_account(name: &str) -> bool {
    let all = Registry::all();
    let tool = all.iter().find(|tool| tool.definition.name == name);
    tool.is_some_and(|tool| tool.definition.uses.iter().any(|operation| operation.is_of_account()))
}

#[tokio::test]
async fn no_tool_answers_with_milliseconds_since_1970() -> Outcome {
    let harness = Harness::whole().await?;
    let mut calls: Vec<(String, Value)> = Vec::new();
    for tool in harness.client.list_all_tools().await? {
        if is_of_account(&tool.name) {
            continue;
        }
        let is_reading = tool.annotations.as_ref().and_then(|annotations| annotations.read_only_hint) == Some(true);
        if is_reading && tool.name.starts_with("list_") && tool.input_schema.get("required").is_none() {
            calls.push((tool.name.to_string(), json!({})));
        }
    }
    assert!(calls.len() > 15, "{} lists", calls.len());
    let first = async |tool: &'static str, field: &str| -> Result<Value, Box<dyn std::error::Error>> {
        Ok(harness.answer(tool, json!({})).await?["items"][0][field].clone())
    };
    let (cluster, run) = (first("list_clusters", "cluster_id").await?, first("list_job_runs", "run_id").await?);
    let (pipeline, warehouse) = (first("list_pipelines", "pipeline_id").await?, first("list_warehouses", "id").await?);
    let job = harness.job("nightly-orders").await?;
    let saved = json!({ "query": { "display_name": "times", "query_text": "SELECT 1", "warehouse_id": warehouse } });
    for (tool, arguments) in [
        ("get_job", json!({ "job_id": job })),
        ("get_run", json!({ "run_id": run, "include_history": true })),
        ("get_run_output", json!({ "run_id": run })),
        ("diagnose_run", json!({ "run_id": run })),
        ("get_cluster", json!({ "cluster_id": cluster })),
        ("get_cluster_events", json!({ "cluster_id": cluster })),
        ("get_pipeline", json!({ "pipeline_id": pipeline })),
        ("get_warehouse", json!({ "warehouse_id": warehouse })),
        ("list_schemas", json!({ "catalog_name": "main" })),
        ("list_tables", json!({ "catalog_name": "samples", "schema_name": "retail", "fields": ["*"] })),
        ("get_table_schema", json!({ "full_name": "samples.retail.orders" })),
        ("list_volumes", json!({ "catalog_name": "main", "schema_name": "default" })),
        ("list_volume_files", json!({ "path": "/Volumes/main/default/landing" })),
        ("list_workspace_items", json!({ "path": "/Shared/etl" })),
        ("list_dbfs_files", json!({ "path": "/" })),
        ("list_jobs", json!({ "fields": ["*"] })),
        ("list_job_runs", json!({ "fields": ["*"] })),
        ("list_query_history", json!({ "fields": ["*"], "include_metrics": true })),
        ("create_schema", json!({ "catalog_name": "main", "schema_name": "times" })),
        ("create_volume", json!({ "catalog_name": "main", "schema_name": "times", "volume_name": "times" })),
        ("update_schema", json!({ "full_name": "main.times", "comment": "times" })),
        ("create_saved_query", saved),
        ("get_job_costs", json!({})),
    ] {
        calls.push((tool.to_owned(), arguments));
    }
    let mut found = Vec::new();
    for (tool, arguments) in calls {
        let tool: &'static str = tool.leak();
        let answer = harness.answer(tool, arguments).await?;
        raw_times(&answer, tool, &mut found);
        bare_durations(&answer, tool, &mut found);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

#[tokio::test]
async fn times_come_and_go_in_one_form() -> Outcome {
    let harness = Harness::default().await?;
    let (runs, _) = harness.all("list_job_runs", json!({ "limit": 100 })).await?;
    let started = |run: &Value| run["start_time"].as_str().map(str::to_owned);
    let at = runs.get(runs.len() / 2).and_then(started).ok_or("no time")?;
    assert!(at.ends_with('Z') && runs[0]["run_duration_ms"].is_number(), "{}", runs[0]);
    let (later, _) = harness.all("list_job_runs", json!({ "start_time_from": at, "limit": 100 })).await?;
    assert!(!later.is_empty() && later.len() < runs.len(), "{} of {}", later.len(), runs.len());
    assert!(later.iter().filter_map(started).all(|time| time >= at));
    // The number itself is there for whoever asks for it.
    let raw = harness.answer("list_job_runs", json!({ "limit": 1, "fields": ["start_time", "run_duration"] })).await?;
    assert!(raw["items"][0]["start_time"].is_i64() && raw["items"][0]["run_duration"].is_number(), "{raw}");
    let refusal = harness.refusal("list_job_runs", json!({ "start_time_from": "yesterday" })).await?;
    assert!(refusal.contains("`start_time_from`: expected a time such as"), "{refusal}");
    Ok(())
}

/// A time within a filter is given as any other: the service takes milliseconds there.
#[tokio::test]
async fn times_within_a_filter_are_read() -> Outcome {
    let harness = Harness::whole().await?;
    let since = |time: Value| {
        let filter = json!({ "query_start_time_range": { "start_time_ms": time } });
        json!({ "limit": 100, "fields": ["query_start_time_ms"], "filter_by": filter })
    };
    let times = async |time: Value| {
        let (found, _) = harness.all("list_query_history", since(time)).await?;
        let times = found.iter().filter_map(|query| query["query_start_time_ms"].as_i64());
        Ok::<Vec<_>, Box<dyn std::error::Error>>(times.collect())
    };
    let all = times(json!("2020-01-01")).await?;
    let at = *all.get(all.len() / 2).ok_or("no time")?;
    let later = times(json!(at)).await?;
    assert!(!later.is_empty() && later.len() < all.len(), "{} of {}", later.len(), all.len());
    let in_words = jiff::Timestamp::from_millisecond(at)?.to_string();
    for time in [json!(in_words), json!(at.to_string())] {
        assert_eq!(times(time.clone()).await?, later, "{time}");
    }
    let operation = json!({ "operation": "list_query_history", "arguments": since(json!(in_words)) });
    let called = harness.answer("call_read_operation", operation).await?;
    assert_eq!(called["items"][0]["query_start_time_ms"], later[0], "{called}");
    let refusal = harness.refusal("list_query_history", since(json!("yesterday"))).await?;
    assert!(refusal.contains("`yesterday` is not a time") && refusal.contains("give e.g. `20"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_run_tells_its_tasks_times_and_its_first_error() -> Outcome {
    let harness = Harness::default().await?;
    let job = harness.job("data-quality-check").await?;
    for tool in ["run_job_now", "wait_for_run"] {
        let run = match tool {
            "wait_for_run" => harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone(),
            _ => Value::Null,
        };
        let call =
            if tool == "run_job_now" { json!({ "job_id": job, "wait": true }) } else { json!({ "run_id": run }) };
        let refusal = harness.refusal(tool, call).await?;
        assert!(refusal.contains("ValueError: expected 1500 rows") && !refusal.contains("see run output"), "{refusal}");
    }
    let run = harness.answer("list_job_runs", json!({ "job_id": job, "failed_only": true, "limit": 1 })).await?["items"][0]
        ["run_id"]
        .clone();
    let shown = harness.answer("get_run", json!({ "run_id": run })).await?;
    let task = &shown["tasks"][0];
    assert!(
        task["start_time"].is_string() && task["end_time"].is_string() && task["execution_duration_ms"].is_number(),
        "{shown}"
    );
    let repaired = harness.refusal("repair_run", json!({ "run_id": run, "wait": true })).await?;
    assert!(repaired.contains("ValueError: expected 1500 rows"), "{repaired}");
    let shown = harness.answer("get_run", json!({ "run_id": run, "include_history": true })).await?;
    let attempts = shown["tasks"].as_array().into_iter().flatten().filter_map(|task| task["attempt"].as_u64()).max();
    assert_eq!(attempts, Some(2), "{shown}");
    let diagnosis = harness.answer("diagnose_run", json!({ "run_id": run })).await?;
    assert_eq!(
        (&diagnosis["run_name"], &diagnosis["first_failure"]["attempt"]),
        (&json!("data-quality-check"), &json!(2)),
        "{diagnosis}"
    );
    Ok(())
}

#[tokio::test]
async fn a_notebook_that_is_not_there_starts_no_run() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/plain", "dbutils.notebook.exit(\"ok\")\n").await?;
    let answer = harness.answer("run_notebook", json!({ "path": "/Users/plain.ipynb" })).await?;
    assert_eq!(answer["result"], "ok", "{answer}");
    let (before, _) = harness.all("list_job_runs", json!({ "limit": 100 })).await?;
    for (path, why) in [
        ("Users/plain", "from the root"),
        ("/Users/none.ipynb", "there is no notebook"),
        ("/Shared/etl", "is a folder"),
        ("/Volumes/main/default/landing/x", "there is no notebook"),
    ] {
        let refusal = harness.refusal("run_notebook", json!({ "path": path })).await?;
        assert!(refusal.contains(why) && refusal.contains("`list_workspace_items`"), "{path}: {refusal}");
    }
    let (after, _) = harness.all("list_job_runs", json!({ "limit": 100 })).await?;
    assert_eq!(before.len(), after.len());
    Ok(())
}
