//! What the server does: a real MCP client against it, and it against the sandbox workspace.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

mod advice;
mod ai;
mod ai_faults;
mod ai_rows;
mod ai_shapes;
mod arguments;
mod audit_log;
mod bounds;
mod budget;
mod cancelling;
mod code;
mod completions;
mod compute_shapes;
mod consent;
mod data;
mod data_edges;
mod diagnosis;
mod dry_run;
mod exposed;
mod faults;
mod files;
mod files_edges;
mod files_faults;
mod given_up;
mod harness;
mod insight;
mod insight_edges;
mod jobs;
mod kept;
mod large;
#[cfg(unix)]
mod leaving;
mod lineage;
mod machines;
mod pipelines;
mod pipelines_faults;
mod policy;
mod policy_edges;
mod prompts;
mod reach;
mod read_only;
mod runs_shapes;
mod save_to;
mod scenarios;
mod scripted;
mod secrets;
mod sql;
mod sql_chunks;
mod sql_results;
mod stopping;
mod times;
mod traces;
mod twist;
mod unsure;
mod uses;
mod waiting;
mod warehouses;
mod workspaces;

use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use harness::{Harness, Outcome};

#[tokio::test]
async fn pages_of_any_size_make_the_same_list() -> Outcome {
    let harness = Harness::default().await?;
    let (whole, _) = harness.all("list_jobs", json!({ "limit": 100 })).await?;
    let (paged, pages) = harness.all("list_jobs", json!({ "limit": 2 })).await?;
    assert_eq!(paged, whole);
    assert!(pages > 1 && whole.len() > 2, "{pages} pages of {} jobs", whole.len());
    Ok(())
}

#[tokio::test]
async fn a_small_budget_cuts_between_items_and_loses_none() -> Outcome {
    let (whole, _) = Harness::default().await?.all("list_job_runs", json!({})).await?;
    let harness = Harness::open(Selection::default(), 500).await?;
    let (paged, pages) = harness.all("list_job_runs", json!({ "fields": ["*"] })).await?;
    let ids = |runs: &[Value]| runs.iter().map(|run| run["run_id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&paged), ids(&whole));
    assert!(pages > 3, "{pages} pages");
    Ok(())
}

#[tokio::test]
async fn every_row_of_a_query_is_reached_by_cursor() -> Outcome {
    let harness = Harness::open(Selection::default(), 1_000).await?;
    let query = json!({ "statement": "SELECT order_id FROM samples.retail.orders ORDER BY order_id" });
    let mut answer = harness.answer("execute_sql", query).await?;
    let (id, total) = (answer["statement_id"].clone(), answer["total_rows"].as_u64().unwrap_or_default());
    let mut rows = Vec::new();
    loop {
        rows.extend(answer["rows"].as_array().cloned().unwrap_or_default());
        let Some(token) = answer.get("next_page_token").cloned() else { break };
        answer = harness.answer("get_sql_result", json!({ "statement_id": id, "page_token": token })).await?;
    }
    assert_eq!(rows.len() as u64, total);
    assert!(total > 500, "{total} rows are too few for this test");
    let mut sorted = rows.clone();
    sorted.sort_by_key(|row| row[0].as_i64());
    sorted.dedup();
    assert_eq!(sorted, rows);
    Ok(())
}

#[tokio::test]
async fn sql_takes_parameters_and_its_mistakes_teach() -> Outcome {
    let harness = Harness::default().await?;
    let parameters = json!([{ "name": "least", "value": "2", "type": "INT" }]);
    let answer = harness
        .answer("execute_sql", json!({ "statement": "SELECT :least + 1 AS n", "parameters": parameters }))
        .await?;
    assert_eq!((&answer["rows"], &answer["state"]), (&json!([[3]]), &json!("SUCCEEDED")), "{answer}");
    let refusal =
        harness.refusal("execute_sql", json!({ "statement": "SELECT * FROM samples.retail.nothing" })).await?;
    assert!(refusal.contains("TABLE_OR_VIEW_NOT_FOUND") && refusal.contains("`list_tables`"), "{refusal}");
    let refusal = harness.refusal("execute_sql", json!({ "statement": "SELEC 1" })).await?;
    assert!(refusal.contains("PARSE_SYNTAX_ERROR"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn mistakes_are_answered_by_what_is_right() -> Outcome {
    let harness = Harness::default().await?;
    let refusal = harness.refusal("list_jobs", json!({ "limt": 3, "limit": "many" })).await?;
    assert_eq!(
        refusal,
        "cannot call `list_jobs`: problems with its arguments\n  \
         `limt`: unknown; did you mean `limit`? it takes: name, limit, page_token, fields\n  \
         `limit`: expected a whole number of at least 1, got the text `many`\nvalid: {}"
    );
    let refusal = harness.refusal("get_job", json!({ "job_id": 1 })).await?;
    assert!(refusal.contains("hint: see what exists with `list_jobs`"), "{refusal}");
    let refusal = harness.refusal("get_table_schema", json!({ "full_name": "samples.retail.nothing" })).await?;
    assert!(refusal.contains("`search_tables`"), "{refusal}");
    for (tool, argument) in [("get_table_schema", "full_name"), ("get_table_lineage", "table_name")] {
        let refusal = harness.refusal(tool, json!({ argument: "orders" })).await?;
        assert!(refusal.contains("`orders` is not a full name") && refusal.contains("`search_tables`"), "{refusal}");
    }
    let unknown = harness.call("list_job", json!({})).await.err().ok_or("an unknown tool was called")?;
    assert!(unknown.to_string().contains("did you mean `list_jobs`?"), "{unknown}");
    let refusal = harness.refusal("list_jobs", json!({ "page_token": "x" })).await?;
    assert!(refusal.contains("`page_token`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_notebook_runs_and_its_failure_is_a_failure() -> Outcome {
    let harness = Harness::default().await?;
    let source = "# Databricks notebook source\ndbutils.notebook.exit(\"done\")\n";
    let folder = "/Users/test@sandbox.test/behavior";
    let import = |name: &str, source: &str| json!({ "path": format!("{folder}/{name}"), "content": source, "language": "PYTHON", "format": "SOURCE" });
    harness.answer("import_notebook", import("good", source)).await?;
    harness
        .answer("import_notebook", import("bad", "# Databricks notebook source\nraise ValueError(\"broken\")\n"))
        .await?;
    let exported = harness.answer("export_notebook", json!({ "path": format!("{folder}/good") })).await?;
    assert_eq!(exported["content"], source.trim_end());
    let answer = harness.answer("run_notebook", json!({ "path": format!("{folder}/good") })).await?;
    assert_eq!((&answer["result"], &answer["result_state"]), (&json!("done"), &json!("SUCCESS")), "{answer}");
    let refusal = harness.refusal("run_notebook", json!({ "path": format!("{folder}/bad") })).await?;
    assert!(refusal.contains("broken") && refusal.contains("FAILED"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn resources_are_listed_by_page_and_read() -> Outcome {
    let harness = Harness::default().await?;
    let listed = harness.client.list_all_resources().await?;
    assert!(listed.iter().all(|resource| resource.title.is_some() && resource.mime_type.is_some()));
    for kind in ["jobs", "runs", "clusters", "warehouses", "catalogs"] {
        let prefix = format!("databricks://{kind}/");
        let resource = listed.iter().find(|resource| resource.uri.starts_with(&prefix)).ok_or(prefix)?;
        let read = harness.read(&resource.uri).await?;
        serde_json::from_str::<Value>(&read.1)?;
        assert_eq!(read.0.as_deref(), Some("application/json"));
    }
    let table = harness.read("databricks://tables/samples.retail.orders").await?;
    assert!(table.1.contains("order_id"), "{}", table.1);
    let missing =
        harness.read("databricks://tables/samples.retail.nothing").await.err().ok_or("read what is not there")?;
    assert!(missing.to_string().contains("-32002") || missing.to_string().contains("does not exist"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn read_only_has_no_way_to_write() -> Outcome {
    let harness = Harness::open(Selection { read_only: true, ..Selection::default() }, 6_000).await?;
    for tool in harness.client.list_all_tools().await? {
        let annotations = tool.annotations.ok_or("no annotations")?;
        assert_eq!(annotations.read_only_hint, Some(true), "{}", tool.name);
    }
    let refusal = harness.call("delete_job", json!({ "job_id": 1 })).await.err().ok_or("a write was called")?;
    assert!(refusal.to_string().contains("read-only"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn read_only_sql_lets_queries_pass_and_nothing_else() -> Outcome {
    let harness = Harness::open(Selection { read_only: true, ..Selection::default() }, 6_000).await?;
    let answer = harness.answer("execute_sql", json!({ "statement": "SELECT 1" })).await?;
    assert_eq!(answer["rows"], json!([[1]]));
    let write = json!({ "statement": "WITH s AS (SELECT 'x') INSERT INTO main.default.greetings SELECT * FROM s" });
    let refusal = harness.refusal("execute_sql", write).await?;
    assert!(
        refusal.contains("only queries are allowed") && refusal.contains("this workspace is read-only"),
        "{refusal}"
    );
    let open = Harness::default().await?;
    let refusal = open.refusal("execute_sql", json!({ "statement": "DROP TABLE t", "read_only": true })).await?;
    assert!(refusal.contains("only queries are allowed") && refusal.contains("`read_only` is set"), "{refusal}");
    Ok(())
}
