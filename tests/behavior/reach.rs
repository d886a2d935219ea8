//! The toolset `reach`: any operation or tool, found by words and called by the executor of its risk.

use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

async fn reach(read_only: bool) -> Result<Harness, Box<dyn std::error::Error>> {
    let toolsets = vec!["reach".to_owned()];
    Harness::open(
        Selection { toolsets, read_only, exclude_tools: vec!["delete_job".to_owned()], ..Selection::default() },
        6_000,
    )
    .await
}

fn operation(name: &str, arguments: Value) -> Value {
    json!({ "operation": name, "arguments": arguments })
}

fn named<'a>(found: &'a Value, name: &str) -> Option<&'a Value> {
    found["operations"].as_array()?.iter().find(|operation| operation["operation"] == name)
}

#[tokio::test]
async fn operations_are_found_by_words_and_described() -> Outcome {
    let harness = reach(false).await?;
    let found = harness.answer("search_operations", json!({ "query": "list the clusters" })).await?;
    let clusters = named(&found, "list_clusters").expect("a tool that is not enabled");
    assert_eq!((&clusters["risk"], &clusters["call_with"]), (&json!("read"), &json!("call_read_operation")), "{found}");
    assert!(clusters.get("arguments").is_none(), "{found}");
    let described = json!({ "query": "run_notebook", "describe": true, "limit": 1 });
    let found = harness.answer("search_operations", described).await?;
    let notebook = named(&found, "run_notebook").expect("found by its name");
    assert_eq!(notebook["arguments"]["properties"]["path"]["type"], "string", "{found}");
    assert_eq!(notebook["call_with"], "call_write_operation", "{found}");
    // By its name in any form, or by the id of its operation, which errors tell, it is the first.
    for (query, first) in [
        ("create dashboard", "create_dashboard"),
        ("create_experiment", "create_experiment"),
        ("apps.apps.deploy", "deploy_app"),
        ("ml.experiments.create_run", "ml.experiments.create_run"),
    ] {
        let found = harness.answer("search_operations", json!({ "query": query, "limit": 3 })).await?;
        assert_eq!(found["operations"][0]["operation"], first, "{query}: {found}");
    }
    let found = harness.answer("search_operations", json!({ "query": "delete job", "limit": 50 })).await?;
    assert!(named(&found, "delete_job").is_none(), "what is left out is not shown: {found}");
    let refusal = harness.refusal("search_operations", json!({ "query": "xyzzy" })).await?;
    assert!(refusal.contains("no operation has any of these words"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn each_executor_calls_what_is_no_riskier_than_itself() -> Outcome {
    let harness = reach(false).await?;
    let jobs = harness.answer("call_read_operation", operation("list_jobs", json!({ "limit": 1 }))).await?;
    assert_eq!((&jobs["returned"], &jobs["truncated"]), (&json!(1), &json!(true)), "{jobs}");
    let more = operation("jobs.jobs.list", json!({ "limit": 1, "page_token": jobs["next_page_token"] }));
    let more = harness.answer("call_destructive_operation", more).await?;
    assert_ne!(more["items"][0]["job_id"], jobs["items"][0]["job_id"], "{more}");
    let query = json!({ "statement": "SELECT 41 + 1 AS n" });
    let refusal = harness.refusal("call_read_operation", operation("execute_sql", query.clone())).await?;
    assert!(refusal.contains("the risk of `execute_sql` is `destructive`"), "{refusal}");
    assert!(refusal.contains("call it with `call_destructive_operation`"), "{refusal}");
    let refusal = harness.refusal("call_write_operation", operation("execute_sql", query.clone())).await?;
    assert!(refusal.contains("`call_destructive_operation`"), "{refusal}");
    let rows = harness.answer("call_destructive_operation", operation("execute_sql", query)).await?;
    assert_eq!(rows["rows"], json!([[42]]), "{rows}");
    Ok(())
}

#[tokio::test]
async fn arguments_are_checked_as_those_of_a_tool() -> Outcome {
    let harness = reach(false).await?;
    let refusal = harness.refusal("call_read_operation", operation("get_job", json!({ "jobid": 1 }))).await?;
    assert!(refusal.contains("`job_id`"), "{refusal}");
    for (name, words) in [
        ("list_clusterz", "did you mean `list_clusters`?"),
        ("delete_job", "left out of this server by `--exclude-tools`"),
        ("call_read_operation", "works on other tools"),
        ("settings.token_management.create_obo_token", "is not exposed"),
    ] {
        let refusal = harness.refusal("call_destructive_operation", operation(name, json!({}))).await?;
        assert!(refusal.contains(words), "{name}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn advice_says_once_how_to_call_what_is_not_listed() -> Outcome {
    let harness = reach(false).await?;
    let refusal =
        harness.refusal("call_write_operation", operation("create_experiment", json!({ "name": "no path" }))).await?;
    let way = "call what is not listed with the `call_…_operation` tool for its risk: `get_input_schema`, `create_experiment`";
    assert_eq!(refusal.matches(way).count(), 1, "{refusal}");
    assert!(!refusal.contains("not enabled on this server"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn only_reading_is_reached_where_only_reading_is_allowed() -> Outcome {
    let harness = reach(true).await?;
    let refusal = harness.call("call_write_operation", operation("run_notebook", json!({ "path": "/a" }))).await;
    assert!(refusal.is_err_and(|error| error.to_string().contains("this server is read-only")));
    let read = async |name, arguments| harness.call("call_read_operation", operation(name, arguments)).await;
    let rows = read("execute_sql", json!({ "statement": "SELECT 1" })).await?;
    assert_ne!(rows.is_error, Some(true), "a guarded tool reads: {rows:?}");
    let refused = read("execute_sql", json!({ "statement": "DELETE FROM samples.retail.orders" })).await?;
    assert!(format!("{refused:?}").contains("read-only"), "{refused:?}");
    let refused = read("run_notebook", json!({ "path": "/a" })).await?;
    assert!(format!("{refused:?}").contains("only reads are allowed here"), "{refused:?}");
    let found = harness.answer("search_operations", json!({ "query": "create job cluster", "limit": 50 })).await?;
    let risks: Vec<_> = found["operations"].as_array().into_iter().flatten().map(|found| &found["risk"]).collect();
    assert!(!risks.is_empty() && risks.iter().all(|risk| *risk == "read"), "{found}");
    Ok(())
}

#[tokio::test]
async fn a_search_names_what_is_not_exposed_and_what_needs_an_account() -> Outcome {
    let harness = reach(false).await?;
    let found = harness.answer("search_operations", json!({ "query": "create a token" })).await?;
    assert_eq!(found["not_exposed"][0]["operation"], "settings.tokens.create", "{found}");
    assert!(found["not_exposed"][0]["reason"].as_str().is_some_and(|reason| reason.contains("token")), "{found}");
    let found = harness.answer("search_operations", json!({ "query": "list the clusters" })).await?;
    assert!(found.get("not_exposed").is_none(), "{found}");
    assert!(named(&found, "list_clusters").expect("found").get("needs").is_none(), "{found}");
    let found = harness.answer("search_operations", json!({ "query": "list_budgets" })).await?;
    let needs = named(&found, "list_budgets").expect("found")["needs"].as_str().unwrap_or_default();
    assert!(needs.contains("account"), "{found}");
    Ok(())
}

#[tokio::test]
async fn what_the_sandbox_makes_up_says_so() -> Outcome {
    let harness = reach(false).await?;
    let room = operation("cleanrooms.clean_rooms.get", json!({ "name": "never-existed" }));
    let room = harness.answer("call_read_operation", room).await?;
    assert!(room["sandbox"].as_str().is_some_and(|note| note.contains("this answer")), "{room}");
    let jobs = harness.answer("call_read_operation", operation("list_jobs", json!({}))).await?;
    assert!(jobs.get("sandbox").is_none(), "{jobs}");
    Ok(())
}
