//! What callers write: names, empty values, fields, limits and paths as they come.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use databricks_mcp_server::definition::Risk;
use databricks_mcp_server::registry::Registry;
use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const VOLUME: &str = "/Volumes/main/default/landing";

#[tokio::test]
async fn old_names_and_the_names_of_the_api_are_accepted() -> Outcome {
    let harness = Harness::whole().await?;
    for (tool, now, before) in [
        ("list_volume_files", json!({ "path": VOLUME }), json!({ "directory_path": VOLUME })),
        (
            "get_table_lineage",
            json!({ "full_name": "samples.retail.orders" }),
            json!({ "table_name": "samples.retail.orders" }),
        ),
        ("list_pipelines", json!({ "limit": 1 }), json!({ "max_results": 1 })),
        ("list_schemas", json!({ "catalog_name": "main" }), json!({ "catalog": "main" })),
        (
            "list_tables",
            json!({ "catalog_name": "main", "schema_name": "sales" }),
            json!({ "catalog": "main", "schema": "sales" }),
        ),
    ] {
        assert_eq!(harness.answer(tool, now).await?, harness.answer(tool, before).await?, "{tool}");
    }
    let both =
        harness.refusal("list_volume_files", json!({ "path": VOLUME, "directory_path": "/Volumes/a/b/c" })).await?;
    assert!(both.contains("`directory_path`: another name for `path`"), "{both}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_name_is_answered_by_the_one_that_is_meant() -> Outcome {
    let harness = Harness::whole().await?;
    for (tool, arguments, meant) in [
        ("list_volume_files", json!({ "folder": VOLUME }), "`path`"),
        (
            "create_volume",
            json!({ "catalog_name": "main", "schema_name": "default", "title": 1, "volume_nam": "x" }),
            "`volume_name`",
        ),
        ("get_job", json!({ "job": 1 }), "`job_id`"),
        ("execute_sql", json!({ "query": "SELECT 1" }), "`statement`"),
        ("export_notebook", json!({ "notebook": "/Shared/etl/load_orders" }), "`path`"),
        ("list_volume_files", json!({ "volume_name": "landing" }), "`path`"),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains(&format!("did you mean {meant}?")), "{tool}: {refusal}");
    }
    let tasks = json!([{ "task_key": "a", "notebook_task": { "notebook_path": "/a" } }]);
    let mails = json!({ "on_failure": ["a@example.test"] });
    let job = json!({ "name": "n", "tasks": tasks, "run_as": { "user_name": "a@example.test" }, "email_notifications": mails });
    let refusal = harness.refusal("create_job", job).await?;
    for name in ["run_as", "email_notifications"] {
        assert!(refusal.contains(&format!("`{name}`: not accepted here; set it with `update_job`")), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_job_is_created_with_its_usual_settings() -> Outcome {
    let harness = Harness::default().await?;
    let tasks = json!([{ "task_key": "a", "notebook_task": { "notebook_path": "/Shared/etl/load_orders" } }]);
    let settings = json!({
        "name": "tagged", "tasks": tasks, "queue": { "enabled": true }, "tags": { "team": "data" },
        "git_source": { "git_url": "https://git.test/a", "git_provider": "gitHub", "git_branch": "main" },
    });
    let job = harness.answer("create_job", settings.clone()).await?["job_id"].clone();
    let shown = harness.answer("get_job", json!({ "job_id": job })).await?;
    for name in ["queue", "tags", "git_source"] {
        assert_eq!(shown["settings"][name], settings[name], "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn empty_text_asks_for_nothing() -> Outcome {
    let harness = Harness::default().await?;
    let whole = harness.answer("list_jobs", json!({})).await?;
    assert_eq!(
        harness.answer("list_jobs", json!({ "name": "", "limit": "", "page_token": "", "fields": "" })).await?,
        whole
    );
    let query =
        json!({ "statement": "SELECT 1", "warehouse_id": "", "row_limit": "", "parameters": "", "catalog": "" });
    assert_eq!(harness.answer("execute_sql", query).await?["rows"], json!([[1]]));
    let missing = harness.refusal("get_job", json!({ "job_id": "" })).await?;
    assert!(missing.contains("`job_id`: missing"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn unknown_fields_are_named_with_the_nearest() -> Outcome {
    let harness = Harness::whole().await?;
    for (tool, mut arguments) in [
        ("list_jobs", json!({})),
        ("get_job", json!({ "job_id": harness.job("nightly-orders").await? })),
        ("list_tables", json!({ "catalog_name": "samples", "schema_name": "retail" })),
    ] {
        arguments["fields"] = json!(["created_tim"]);
        let answer = harness.answer(tool, arguments).await?;
        let hint = answer["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("`created_tim` (did you mean `created_"), "{tool}: {answer}");
    }
    let known = harness.answer("list_jobs", json!({ "fields": ["job_id", "settings.name"], "limit": 100 })).await?;
    assert_eq!(known.get("hint"), None, "{known}");
    Ok(())
}

/// Runs of a workspace that gives 24 of them on a page, every fifth failed, and what was asked of it.
fn runs(asked: Arc<Mutex<Vec<String>>>) -> impl Fn(&str, &str) -> Option<Value> {
    move |target, _| {
        let query = target.strip_prefix("GET /api/2.2/jobs/runs/list?")?;
        asked.lock().ok()?.push(query.to_owned());
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let from: usize =
            value("page_token").map_or(Some(0), |token| token.strip_prefix("from").and_then(|at| at.parse().ok()))?;
        let size: usize = value("limit").and_then(|size| size.parse().ok()).unwrap_or(20);
        if size > 24 {
            return Some(json!({ "error_code": "INVALID_PARAMETER_VALUE", "message": "limit" }));
        }
        let one = |at: usize| {
            let result = if at.is_multiple_of(5) { "FAILED" } else { "SUCCESS" };
            json!({ "run_id": at, "run_name": "n", "state": { "life_cycle_state": "TERMINATED", "result_state": result } })
        };
        let to = (from + size).min(120);
        let mut page = json!({ "runs": (from..to).map(one).collect::<Vec<_>>(), "has_more": to < 120 });
        if to < 120 {
            page["next_page_token"] = json!(format!("from{to}"));
        }
        Some(page)
    }
}

fn ids(items: &[Value]) -> Vec<u64> {
    items.iter().filter_map(|run| run["run_id"].as_u64()).collect()
}

#[tokio::test]
async fn a_list_is_as_long_as_asked_for() -> Outcome {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let harness = Harness::scripted(runs(Arc::clone(&asked))).await?;
    let answer = harness.answer("list_job_runs", json!({ "limit": 100, "fields": ["run_id"] })).await?;
    assert_eq!((answer["returned"].as_u64(), &answer["truncated"]), (Some(100), &json!(true)), "{answer}");
    assert_eq!(asked.lock().map(|asked| asked.len()).unwrap_or_default(), 5);
    for limit in [1, 7, 30, 500] {
        let (all, _) = harness.all("list_job_runs", json!({ "limit": limit, "fields": ["run_id"] })).await?;
        assert_eq!(ids(&all), (0..120).collect::<Vec<_>>(), "limit {limit}");
    }
    // Another limit on the way loses nothing and repeats nothing.
    let first = harness.answer("list_job_runs", json!({ "limit": 30, "fields": ["run_id"] })).await?;
    let rest = json!({ "limit": 4, "fields": ["run_id"], "page_token": first["next_page_token"] });
    let (rest, _) = harness.all("list_job_runs", rest).await?;
    assert_eq!(ids(&rest), (30..120).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn failed_runs_can_be_asked_for() -> Outcome {
    let harness = Harness::scripted(runs(Arc::default())).await?;
    let failed = harness.answer("list_job_runs", json!({ "failed_only": true, "limit": 10 })).await?;
    let runs = failed["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(ids(&runs), (0..50).step_by(5).collect::<Vec<_>>(), "{failed}");
    assert!(runs.iter().all(|run| run["state"]["result_state"] == "FAILED" && run.get("run_page_url").is_none()));
    let (all, _) = harness.all("list_job_runs", json!({ "failed_only": true, "limit": 7 })).await?;
    assert_eq!(all.len(), 24);
    Ok(())
}

#[tokio::test]
async fn folders_are_written_like_files() -> Outcome {
    let harness = Harness::whole().await?;
    let plain = harness.answer("list_volume_files", json!({ "path": VOLUME })).await?;
    for path in [format!("{VOLUME}/"), format!("dbfs:{VOLUME}"), format!("dbfs:{VOLUME}//")] {
        assert_eq!(harness.answer("list_volume_files", json!({ "path": path })).await?, plain, "{path}");
    }
    let items = harness.answer("list_workspace_items", json!({ "path": "/Shared/etl" })).await?;
    assert_eq!(harness.answer("list_workspace_items", json!({ "path": "/Shared/etl/" })).await?, items);
    harness.answer("list_workspace_items", json!({ "path": "/" })).await?;
    assert_eq!(
        harness.answer("list_dbfs_files", json!({ "path": "dbfs:/" })).await?,
        harness.answer("list_dbfs_files", json!({ "path": "/" })).await?
    );
    for path in ["Shared/etl", "/Shared/../etl", "/Shared//etl"] {
        let refusal = harness.refusal("list_workspace_items", json!({ "path": path })).await?;
        assert!(refusal.contains(&format!("`{path}`")) && refusal.contains("hint:"), "{refusal}");
    }
    let refusal = harness.refusal("delete_volume_file", json!({ "path": format!("{VOLUME}/a%2F..%2F..") })).await?;
    assert!(refusal.contains("`..`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_blank_at_the_end_is_part_of_the_name() -> Outcome {
    let harness = Harness::whole().await?;
    for name in ["blank", "blank "] {
        let write = json!({ "path": format!("{VOLUME}/{name}"), "content": format!("[{name}]") });
        harness.answer("upload_file", write).await?;
    }
    let read = |name: &str| json!({ "path": format!("{VOLUME}/{name}") });
    assert_eq!(harness.answer("read_volume_file", read("blank ")).await?["content"], "[blank ]");
    harness.answer("delete_volume_file", read("blank ")).await?;
    assert_eq!(harness.answer("read_volume_file", read("blank")).await?["content"], "[blank]");
    Ok(())
}

#[tokio::test]
async fn advice_leads_on() -> Outcome {
    let harness = Harness::whole().await?;
    let lost = json!({ "path": "/Volumes/main/default/nowhere/x", "content": "x" });
    let refusal = harness.refusal("upload_file", lost).await?;
    assert!(refusal.contains("`list_volumes`") && !refusal.contains("`list_dbfs_files`"), "{refusal}");
    let taken = json!({ "catalog_name": "main", "schema_name": "default" });
    let refusal = harness.refusal("create_schema", taken).await?;
    assert!(refusal.contains("it already exists") && refusal.contains("`list_schemas`"), "{refusal}");
    let refusal = harness.refusal("get_run_output", json!({ "run_id": harness.job("nightly-orders").await? })).await?;
    assert!(refusal.contains("`list_job_runs`"), "{refusal}");
    let refusal = harness.refusal("delete_workspace_item", json!({ "path": "/Shared" })).await?;
    assert!(refusal.contains("`recursive: true`"), "{refusal}");
    let missing = |_: &str, _: &str| Some(json!({ "error_code": "ENDPOINT_NOT_FOUND", "message": "no such thing" }));
    let refusal = Harness::scripted(missing).await?.refusal("list_jobs", json!({})).await?;
    assert!(refusal.contains("does not have that part of the API"), "{refusal}");
    // A conflict in spite of `overwrite` is with something of another kind.
    let conflict = |target: &str, _: &str| {
        target
            .starts_with("POST /api/2.0/workspace/import")
            .then(|| json!({ "error_code": "RESOURCE_ALREADY_EXISTS", "message": "it exists" }))
    };
    let harness = Harness::scripted(conflict).await?;
    let write = json!({ "path": "/Shared/x", "content": "x", "overwrite": true, "language": "PYTHON" });
    let refusal = harness.refusal("import_notebook", write.clone()).await?;
    assert!(refusal.contains("of another kind") && !refusal.contains("or `overwrite: true`"), "{refusal}");
    let mut fresh = write;
    fresh["overwrite"] = json!(false);
    assert!(harness.refusal("import_notebook", fresh).await?.contains("or `overwrite: true`"));
    Ok(())
}

#[tokio::test]
async fn what_does_not_exist_is_looked_for_where_such_things_are() -> Outcome {
    let harness = Harness::whole().await?;
    for (tool, arguments, list) in [
        ("list_workspace_items", json!({ "path": "/nope" }), "list_workspace_items"),
        ("get_permissions", json!({ "object_type": "jobs", "object_id": "999" }), "list_jobs"),
        ("get_permissions", json!({ "object_type": "warehouses", "object_id": "999" }), "list_warehouses"),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains(&format!("see what exists with `{list}`")), "{tool}: {refusal}");
    }
    for tool in ["run_job_now", "get_job"] {
        let refusal = harness.refusal(tool, json!({ "job_id": "nightly-orders" })).await?;
        assert!(refusal.contains("job_id") && refusal.contains("`nightly-orders`"), "{tool}: {refusal}");
    }
    let saved = harness.answer("execute_sql", json!({ "statement": "SELECT 1", "save_to": "" })).await?;
    assert_eq!(saved["total_rows"], 1, "{saved}");
    Ok(())
}

#[tokio::test]
async fn a_part_of_a_name_gets_the_whole_pattern() -> Outcome {
    let harness = Harness::whole().await?;
    for (tool, list) in [
        ("get_function", "list_functions"),
        ("get_registered_model", "list_registered_models"),
        ("delete_volume", "list_volumes"),
        ("delete_schema", "list_schemas"),
    ] {
        let refusal = harness.refusal(tool, json!({ "full_name": "orders" })).await?;
        assert!(refusal.contains("`orders` is only part of a name: give `full_name` as `catalog.schema"), "{refusal}");
        assert!(refusal.contains(&format!("find it with `{list}`")), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn another_word_for_a_tool_is_understood() -> Outcome {
    let harness = Harness::whole().await?;
    for (name, meant) in [
        ("remove_volume", "delete_volume"),
        ("describe_cluster", "get_cluster"),
        ("get_volume", "list_volumes"),
        ("read_volume", "list_volumes"),
    ] {
        let error = harness.call(name, json!({})).await.expect_err(name).to_string();
        assert!(error.contains(&format!("did you mean `{meant}`?")), "{error}");
    }
    Ok(())
}

/// Whoever asks to read is not led to what writes or deletes.
#[tokio::test]
async fn no_reading_name_is_answered_with_a_tool_that_changes_something() -> Outcome {
    let harness = Harness::whole().await?;
    let all = Registry::all();
    let things = all.iter().filter_map(|tool| tool.definition.name.split_once('_')).map(|(_, things)| things);
    let things: BTreeSet<_> = things.collect();
    for verb in ["get", "list", "read", "search"] {
        for thing in &things {
            let name = format!("{verb}_{thing}");
            if all.iter().any(|tool| tool.definition.name == name) {
                continue;
            }
            let asked = CallToolRequestParams::new(name.clone());
            // Some are names that a tool had before.
            let Err(error) = harness.client.call_tool(asked).await else { continue };
            let error = error.to_string();
            let Some((_, meant)) = error.split_once("did you mean `") else { continue };
            let meant = meant.split('`').next().unwrap_or_default();
            let tool = all.iter().find(|tool| tool.definition.name == meant).ok_or(meant)?;
            assert_eq!(tool.risk, Risk::Read, "{name}: {error}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_kind_that_has_tools_of_its_own_is_answered_with_these() -> Outcome {
    let harness = Harness::whole().await?;
    let permissions = |kind: &str| json!({ "object_type": kind, "object_id": "etl" });
    for (tool, kind, meant) in [
        ("get_permissions", "secret-scopes", "`list_secret_acls`"),
        ("get_permissions", "scope", "`list_secret_acls`"),
        ("get_permissions", "tables", "`get_effective_grants`"),
        ("get_permissions", "notebok", "did you mean `notebooks`?"),
        ("update_permissions", "secret_scope", "`put_secret_acl`"),
    ] {
        let refusal = harness.refusal(tool, permissions(kind)).await?;
        assert!(refusal.contains(meant) && !refusal.contains("cluster-policies`?"), "{tool} {kind}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn texts_of_megabytes_get_a_short_error() -> Outcome {
    let harness = Harness::whole().await?;
    let long = "x".repeat(3_000_000);
    for (tool, arguments, words) in [
        ("get_input_schema", json!({ "tool": "create_job", "path": long }), "there is no field `xxx"),
        ("get_table_schema", json!({ "full_name": long }), "`xxx"),
        ("search_tables", json!({ "query": long }), "`query` has 3000000 characters, and at most 1000"),
        ("call_read_operation", json!({ "operation": long }), "no operation or tool is named `xxx"),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains(words) && refusal.len() < 4_000, "{tool}: {} bytes", refusal.len());
    }
    Ok(())
}
