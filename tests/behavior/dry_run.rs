//! A dry run: reads run, and whatever would change something is shown and not sent.

use std::sync::{Arc, Mutex};

use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::{Registry, Selection};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

fn dry() -> Selection {
    Selection { toolsets: vec!["all".to_owned()], dry_run: true, ..Selection::default() }
}

async fn harness() -> Result<Harness, Box<dyn std::error::Error>> {
    Harness::open(dry(), 6_000).await
}

#[tokio::test]
async fn a_change_is_shown_exactly_and_not_made() -> Outcome {
    let harness = harness().await?;
    let instructions = harness.client.peer_info().and_then(|info| info.instructions.clone()).unwrap_or_default();
    assert!(instructions.contains("Dry run"), "{instructions}");
    let created = harness.answer("create_secret_scope", json!({ "scope": "dry" })).await?;
    assert_eq!(created["dry_run"], true, "{created}");
    assert!(created["note"].as_str().is_some_and(|note| note.contains("nothing was sent")), "{created}");
    let request = json!({
        "operation": "workspace.secrets.create_scope", "method": "POST", "path": "/api/2.0/secrets/scopes/create",
        "body": { "scope": "dry" },
    });
    assert_eq!(created["would_send"], json!([request]));
    // The executors and the id of the operation lead to the same.
    for name in ["create_secret_scope", "workspace.secrets.create_scope"] {
        let executed = json!({ "operation": name, "arguments": { "scope": "dry" } });
        assert_eq!(harness.answer("call_write_operation", executed).await?["would_send"], json!([request]));
    }
    let scopes = harness.answer("list_secret_scopes", json!({})).await?;
    assert!(scopes.get("dry_run").is_none() && !scopes.to_string().contains("\"dry\""), "{scopes}");
    let secret = json!({ "scope": "dry", "key": "k", "string_value": "correct horse" });
    let put = harness.answer("put_secret", secret).await?;
    assert_eq!(put["would_send"][0]["body"]["string_value"], "***", "{put}");
    let query = harness.answer("delete_schema", json!({ "full_name": "main.default", "force": true })).await?;
    let sent = &query["would_send"][0];
    let expected =
        (&json!("DELETE"), &json!("/api/2.1/unity-catalog/schemas/main.default"), &json!([["force", "true"]]));
    assert_eq!((&sent["method"], &sent["path"], &sent["query"]), expected, "{query}");
    Ok(())
}

#[tokio::test]
async fn sql_that_reads_runs_and_sql_that_writes_is_shown() -> Outcome {
    let harness = harness().await?;
    let rows = harness.answer("execute_sql", json!({ "statement": "SELECT 41 + 1" })).await?;
    assert_eq!(rows["rows"], json!([[42]]), "{rows}");
    for statement in [
        "CREATE TABLE main.default.dry (a INT)",
        "WITH s AS (SELECT 'x') INSERT INTO main.default.greetings SELECT * FROM s",
        "SELECT http_request(conn => 'c', method => 'POST', path => '/')",
        "SELECT main.tools.send(1)",
    ] {
        let shown = harness.answer("execute_sql", json!({ "statement": statement })).await?;
        assert_eq!(shown["would_send"][0]["body"]["statement"], statement, "{shown}");
        assert!(shown["note"].as_str().is_some_and(|note| note.contains("nothing that changes anything was sent")));
    }
    let tables = harness.answer("list_tables", json!({ "catalog_name": "main", "schema_name": "default" })).await?;
    assert!(!tables.to_string().contains("\"dry\""), "{tables}");
    Ok(())
}

#[tokio::test]
async fn a_composite_reads_and_shows_its_first_change() -> Outcome {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("notes.txt"), "some notes")?;
    let local = LocalRoots::open(&[directory.path().to_owned()])?;
    let harness = Harness::with(dry(), 6_000, local).await?;
    let jobs = harness.answer("list_jobs", json!({ "limit": 1 })).await?;
    let run = harness.answer("run_job_now", json!({ "job_id": jobs["items"][0]["job_id"] })).await?;
    assert_eq!(run["would_send"][0]["operation"], "jobs.jobs.run_now", "{run}");
    assert!(run["note"].as_str().is_some_and(|note| note.contains("others may follow")), "{run}");
    let upload = json!({ "local_path": "notes.txt", "path": "/Volumes/main/default/landing/dry.txt" });
    let uploaded = harness.answer("upload_file", upload).await?;
    let sent = &uploaded["would_send"][0];
    assert_eq!((&sent["operation"], &sent["content_bytes"]), (&json!("files.files.upload"), &json!(10)), "{uploaded}");
    let download = json!({ "path": "/Volumes/main/default/landing/README.md", "local_path": "README.md" });
    let refusal = harness.refusal("download_file", download).await?;
    assert!(refusal.contains("dry run") && !directory.path().join("README.md").exists(), "{refusal}");
    Ok(())
}

/// Every tool and operation that can change something, called with what its schema asks for: whatever becomes of it,
/// nothing but reads reaches the workspace.
#[tokio::test]
async fn nothing_that_changes_anything_is_sent_whatever_is_called() -> Outcome {
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&sent);
    let harness = Harness::scripted_with(dry(), move |request, _| {
        if !request.starts_with("GET ") && !request.starts_with("HEAD ") {
            heard.lock().expect("the lock").push(request.to_owned());
        }
        None
    })
    .await?;
    let mut shown = 0;
    for tool in Registry::all().into_iter().chain(Registry::reachable()) {
        if tool.risk == databricks_mcp_server::definition::Risk::Read || tool.definition.toolset == "reach" {
            continue;
        }
        let call = json!({ "operation": tool.definition.name, "arguments": crate::exposed::arguments(&tool) });
        let result = harness.call("call_destructive_operation", call).await?;
        let is_shown = result.structured_content.as_ref().is_some_and(|answer| answer["dry_run"] == json!(true));
        shown += usize::from(is_shown);
        // Some arguments are refused before a request is made of them.
        assert!(is_shown || result.is_error == Some(true), "{}: {result:?}", tool.definition.name);
    }
    assert!(shown > 400, "{shown}");
    let sent = sent.lock().expect("the lock");
    let is_query = |request: &&String| !request.starts_with("POST /api/2.0/sql/statements ");
    let sent: Vec<_> = sent.iter().filter(is_query).collect();
    assert!(sent.is_empty(), "{sent:?}");
    Ok(())
}

#[tokio::test]
async fn what_only_reads_runs_as_usual() -> Outcome {
    let harness = harness().await?;
    let lineage = harness.answer("get_table_lineage", json!({ "table_name": "samples.retail.orders" })).await?;
    assert!(lineage.get("dry_run").is_none(), "{lineage}");
    let listed: Value = harness.answer("list_clusters", json!({})).await?;
    assert!(listed["items"].is_array(), "{listed}");
    Ok(())
}
