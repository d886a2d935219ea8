//! Completions: what is offered while somebody types, what it costs, and what is not offered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use databricks_mcp_server::audit::AuditLog;
use databricks_mcp_server::cache::Cache;
use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use rmcp::model::{ArgumentInfo, CompleteRequestParams, CompletionContext, CompletionInfo, ErrorCode, Reference};
use rmcp::service::ServiceError;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome, client};

const TABLE: &str = "databricks://tables/{full_name}";
const JOB: &str = "databricks://jobs/{job_id}";

async fn ask(
    harness: &Harness,
    reference: Reference,
    argument: &str,
    typed: &str,
    chosen: &[(&str, &str)],
) -> Result<CompletionInfo, ServiceError> {
    let argument = ArgumentInfo::new(argument, typed);
    let chosen: HashMap<_, _> = chosen.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let asked = CompleteRequestParams::new(reference, argument).with_context(CompletionContext::with_arguments(chosen));
    Ok(harness.client.complete(asked).await?.completion)
}

/// What is offered for an argument of a prompt.
async fn of_prompt(
    harness: &Harness,
    prompt: &str,
    argument: &str,
    typed: &str,
    chosen: &[(&str, &str)],
) -> Result<Vec<String>, ServiceError> {
    Ok(ask(harness, Reference::for_prompt(prompt), argument, typed, chosen).await?.values)
}

/// What is offered for a variable of a URI.
async fn of_uri(harness: &Harness, uri: &str, variable: &str, typed: &str) -> Result<Vec<String>, ServiceError> {
    Ok(ask(harness, Reference::for_resource(uri), variable, typed, &[]).await?.values)
}

#[tokio::test]
async fn names_are_offered_part_by_part() -> Outcome {
    let harness = Harness::default().await?;
    assert_eq!(of_prompt(&harness, "explore_catalog", "catalog", "SAM", &[]).await?, ["samples"]);
    let chosen = [("catalog", "samples")];
    let schemas = of_prompt(&harness, "explore_catalog", "schema", "ret", &chosen).await?;
    assert_eq!(schemas, ["samples.retail"]);
    assert_eq!(of_prompt(&harness, "profile_table", "table", "sam", &[]).await?, ["samples."]);
    assert_eq!(of_prompt(&harness, "profile_table", "table", "samples.ret", &[]).await?, ["samples.retail."]);
    let tables = of_prompt(&harness, "profile_table", "table", "samples.retail.order", &[]).await?;
    assert!(tables.contains(&"samples.retail.orders".to_owned()), "{tables:?}");
    assert_eq!(of_uri(&harness, TABLE, "full_name", "samples.retail.order").await?, tables);
    assert!(of_uri(&harness, TABLE, "full_name", "nothing.here.").await?.is_empty(), "what is not there is no error");
    Ok(())
}

#[tokio::test]
async fn things_with_ids_are_offered_by_name() -> Outcome {
    let harness = Harness::default().await?;
    for (tool, id, name, uri, variable, prompt) in [
        ("list_jobs", "job_id", "/settings/name", JOB, "job_id", Some(("review_job", "job"))),
        ("list_clusters", "cluster_id", "/cluster_name", "databricks://clusters/{cluster_id}", "cluster_id", None),
        ("list_warehouses", "id", "/name", "databricks://warehouses/{id}", "id", None),
    ] {
        let listed = harness.answer(tool, json!({})).await?;
        let item = &listed["items"][0];
        let name = item.pointer(name).and_then(Value::as_str).ok_or("no name")?;
        let id = item[id].as_str().map_or_else(|| item[id].to_string(), str::to_owned);
        let typed = name.to_uppercase();
        assert!(of_uri(&harness, uri, variable, &typed).await?.contains(&id), "{tool}");
        if let Some((prompt, argument)) = prompt {
            let offered = of_prompt(&harness, prompt, argument, &typed, &[]).await?;
            assert!(offered.contains(&format!("{name} ({id})")), "{tool}: {offered:?}");
        }
    }
    let runs = of_prompt(&harness, "debug_run", "run", "", &[]).await?;
    assert!(!runs.is_empty() && runs.iter().all(|run| run.ends_with(')')), "{runs:?}");
    let folders = of_uri(&harness, "databricks://notebooks/{+path}", "path", "Sha").await?;
    assert!(folders.contains(&"Shared/".to_owned()), "{folders:?}");
    assert_eq!(of_prompt(&harness, "review_notebook", "focus", "se", &[]).await?, ["security"]);
    Ok(())
}

/// A harness that counts the requests to the workspace, whose list of jobs has this many.
async fn counted(jobs: usize) -> Result<(Harness, Arc<AtomicUsize>), Box<dyn std::error::Error>> {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let harness = Harness::scripted(move |target, _| {
        seen.fetch_add(1, Ordering::SeqCst);
        let is_list = jobs > 0 && target.starts_with("GET /api/2.2/jobs/list");
        is_list.then(|| {
            let from =
                target.split("page_token=").nth(1).and_then(|rest| rest.split('&').next()?.parse().ok()).unwrap_or(0);
            let page = (from..jobs.min(from + 100))
                .map(|id| json!({ "job_id": id, "settings": { "name": format!("job {id:03}") } }));
            let mut answer = json!({ "jobs": page.collect::<Vec<_>>() });
            if from + 100 < jobs {
                answer["next_page_token"] = json!((from + 100).to_string());
            }
            answer
        })
    });
    Ok((harness.await?, requests))
}

#[tokio::test]
async fn a_keystroke_costs_one_request_at_most() -> Outcome {
    let (harness, requests) = counted(250).await?;
    let mut cost = Vec::new();
    let mut found = Vec::new();
    for typed in ["", "j", "jo", "job", "job 2"] {
        let before = requests.load(Ordering::SeqCst);
        let completion = ask(&harness, Reference::for_prompt("review_job"), "job", typed, &[]).await?;
        cost.push(requests.load(Ordering::SeqCst) - before);
        found.push((completion.values.len(), completion.total, completion.has_more));
    }
    assert_eq!(cost, [1, 1, 1, 0, 0], "{found:?}");
    assert_eq!(
        found,
        [
            (100, None, Some(true)),
            (100, None, Some(true)),
            (100, Some(250), Some(true)),
            (100, Some(250), Some(true)),
            (50, Some(50), Some(false)),
        ]
    );
    Ok(())
}

#[tokio::test]
async fn one_read_serves_all_who_type_at_once() -> Outcome {
    let (harness, requests) = counted(5).await?;
    let asked = ["j", "jo", "job"].map(|typed| of_uri(&harness, JOB, "job_id", typed));
    let [one, two, three] = asked;
    let found = tokio::join!(one, two, three);
    for values in [found.0?, found.1?, found.2?] {
        assert_eq!(values.len(), 5);
    }
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    Ok(())
}

#[tokio::test]
async fn what_this_server_changes_is_read_anew() -> Outcome {
    let (harness, requests) = counted(0).await?;
    let typed = "only for completion";
    assert!(of_uri(&harness, JOB, "job_id", typed).await?.is_empty());
    let task = json!({ "task_key": "one", "notebook_task": { "notebook_path": "/Shared/hello" } });
    let job = harness.answer("create_job", json!({ "name": typed, "tasks": [task] })).await?["job_id"].clone();
    let id = job.as_str().map_or_else(|| job.to_string(), str::to_owned);
    assert_eq!(of_uri(&harness, JOB, "job_id", typed).await?, [id]);
    let before = requests.load(Ordering::SeqCst);
    of_uri(&harness, JOB, "job_id", typed).await?;
    assert_eq!(requests.load(Ordering::SeqCst), before);
    Ok(())
}

#[tokio::test]
async fn a_workspace_that_fails_is_asked_once_and_offers_nothing() -> Outcome {
    let faults = json!([{ "route": "GET /api/2.2/jobs/list", "fault": "unavailable" }]);
    let harness = Harness::with_faults(faults).await?;
    let completion = ask(&harness, Reference::for_prompt("review_job"), "job", "a", &[]).await?;
    assert_eq!((completion.values.len(), completion.total, completion.has_more), (0, None, Some(false)));
    assert_eq!(harness.faults().await?[0]["hits"], 1);
    Ok(())
}

#[tokio::test]
async fn what_no_tool_lists_is_not_offered() -> Outcome {
    let exclude_tools = vec!["list_jobs".to_owned()];
    let harness = Harness::open(Selection { exclude_tools, ..Selection::default() }, 6_000).await?;
    assert!(of_uri(&harness, JOB, "job_id", "").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_unknown_place_is_an_invalid_parameter() -> Outcome {
    let harness = Harness::default().await?;
    for (reference, argument, expected) in [
        (Reference::for_prompt("profile_tabel"), "table", "did you mean `profile_table`?"),
        (Reference::for_prompt("profile_table"), "tabel", "did you mean `table`?"),
        (Reference::for_prompt("profile_table"), "workspace", "no argument `workspace`"),
        (Reference::for_resource("databricks://job/{job_id}"), "job_id", "did you mean `databricks://jobs/{job_id}`?"),
        (Reference::for_resource(JOB), "id", "no variable `id`"),
    ] {
        match ask(&harness, reference, argument, "", &[]).await {
            Err(ServiceError::McpError(error)) => {
                assert_eq!(error.code, ErrorCode::INVALID_PARAMS, "{error:?}");
                assert!(error.message.contains(expected), "{error:?}");
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
    Ok(())
}

#[tokio::test]
async fn policy_and_audit_log_hold_for_them() -> Outcome {
    let directory = tempfile::tempdir()?;
    let (policy, log) = (directory.path().join("policy.yaml"), directory.path().join("audit.jsonl"));
    let rules = "rules:\n- { name: no retail, effect: deny, data: [samples.retail] }\n- { name: no list, effect: deny, tools: [list_clusters] }\n";
    std::fs::write(&policy, rules)?;
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    let mut context = Context::new(client(&sandbox)?, Budget::tokens(6_000), None);
    context.policy_file = Some(Arc::new(Registry::load_policy(&policy)?));
    context.audit = Some(AuditLog::open(&log)?);
    context.cache = Cache::new(Duration::from_secs(60));
    let harness = Harness::of(Server::new(Registry::new(&Selection::default())?, context), sandbox).await?;
    let schemas = of_uri(&harness, TABLE, "full_name", "samples.").await?;
    assert!(!schemas.is_empty() && !schemas.contains(&"samples.retail.".to_owned()), "{schemas:?}");
    assert!(of_uri(&harness, TABLE, "full_name", "samples.retail.").await?.is_empty());
    assert!(of_uri(&harness, "databricks://clusters/{cluster_id}", "cluster_id", "").await?.is_empty());
    // What comes from the cache was recorded when it was read.
    of_uri(&harness, TABLE, "full_name", "samples.x").await?;
    let lines: Vec<Value> =
        std::fs::read_to_string(&log)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let told: Vec<_> = lines.iter().map(|line| (&line["completion"], &line["operation"], &line["decision"])).collect();
    assert_eq!(
        told,
        [
            (&json!("schema"), &json!("catalog.schemas.list"), &json!("allowed")),
            (&json!("table"), &json!("catalog.tables.list"), &json!("refused")),
            (&json!("cluster"), &json!("compute.clusters.list"), &json!("refused")),
        ]
    );
    Ok(())
}
