//! Changes whose answer is lost: nothing is done twice, and the error says what became of it or how to find out.

use std::collections::BTreeSet;
use std::fs;

use databricks_mcp_server::definition::{Action, Risk};
use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::Registry;
use databricks_sandbox::{Options, Speed};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Harness, Outcome};

type Failure = Box<dyn std::error::Error>;

const RUNNING: &str = "0301-081500-etlmain1";
const TERMINATED: &str = "0227-143000-adhoc001";
const WAREHOUSE: &str = "a1b2c3d4e5f60718";
const STOPPED_WAREHOUSE: &str = "b2c3d4e5f6071829";
const PIPELINE: &str = "0a1b2c3d-0001-4000-8000-000000000001";
const SPACE: &str = "01f0aaaa00001111a2b2c3d4e5f60718";
const JOB: i64 = 620_114_300_000_104;

/// How an answer is lost: with the work done, and without.
fn losses() -> Vec<Value> {
    let mut losses = vec![json!({ "fault": "truncated_body" })];
    for handled in [true, false] {
        for loss in [
            json!({ "fault": "connection_reset" }),
            json!({ "fault": "internal_error" }),
            json!({ "fault": "unavailable" }),
            json!({ "fault": "html_error", "status": 502 }),
            json!({ "fault": "html_error", "status": 504 }),
        ] {
            let mut loss = loss;
            loss["handled"] = json!(handled);
            losses.push(loss);
        }
    }
    losses
}

/// A composite that changes something, arguments for it, the operation by which it does, and whether a second request
/// does no more than the first.
fn composites() -> Vec<(&'static str, Value, &'static str, bool)> {
    let task = "/Shared/etl/load_orders";
    vec![
        (
            "ask_genie",
            json!({ "space_id": SPACE, "question": "How many?" }),
            "dashboards.genie.start_conversation",
            false,
        ),
        (
            "query_endpoint",
            json!({ "name": "sandbox-chat", "prompt": "Hi" }),
            "POST /serving-endpoints/*/invocations",
            false,
        ),
        ("start_cluster", json!({ "cluster_id": TERMINATED, "wait": false }), "compute.clusters.start", true),
        ("stop_cluster", json!({ "cluster_id": RUNNING, "wait": false }), "compute.clusters.delete", true),
        ("restart_cluster", json!({ "cluster_id": RUNNING, "wait": false }), "compute.clusters.restart", false),
        ("run_code", json!({ "cluster_id": RUNNING, "code": "print(1)" }), "compute.command_execution.execute", false),
        ("run_code", json!({ "cluster_id": RUNNING, "code": "print(1)" }), "compute.command_execution.create", false),
        ("run_job_now", json!({ "job_id": JOB }), "jobs.jobs.run_now", true),
        ("run_notebook", json!({ "notebook_path": task }), "jobs.jobs.submit", true),
        ("cancel_run", json!({ "run_id": "RUN", "wait": false }), "jobs.jobs.cancel_run", true),
        ("repair_run", json!({ "run_id": "FAILED" }), "jobs.jobs.repair_run", false),
        ("run_pipeline", json!({ "pipeline_id": PIPELINE, "wait": false }), "pipelines.pipelines.start_update", false),
        ("stop_pipeline", json!({ "pipeline_id": PIPELINE }), "pipelines.pipelines.stop", true),
        ("start_warehouse", json!({ "warehouse_id": STOPPED_WAREHOUSE, "wait": false }), "sql.warehouses.start", true),
        ("stop_warehouse", json!({ "warehouse_id": WAREHOUSE, "wait": false }), "sql.warehouses.stop", true),
        (
            "execute_sql",
            json!({ "statement": "INSERT INTO main.default.unsure VALUES (1)", "warehouse_id": WAREHOUSE }),
            "sql.statement_execution.execute_statement",
            false,
        ),
        ("cancel_sql", json!({ "statement_id": "STATEMENT" }), "sql.statement_execution.cancel_execution", true),
        (
            "upload_file",
            json!({ "path": "/Volumes/main/default/landing/x", "content": "x" }),
            "files.files.upload",
            false,
        ),
        (
            "upload_folder",
            json!({ "path": "/Volumes/main/default/landing", "local_path": "up" }),
            "files.files.upload",
            false,
        ),
        (
            "import_notebook",
            json!({ "path": "/Shared/x", "content": "1", "language": "PYTHON" }),
            "workspace.workspace.import",
            false,
        ),
    ]
}

/// They call other tools, which have their own lines here.
const EXECUTORS: [&str; 2] = ["call_write_operation", "call_destructive_operation"];
/// Only this changes nothing in the workspace.
const LOCAL: &str = "download_file";

/// What says what became of it, or how to find out.
const TOLD: [&str; 5] = [
    "although its answer was lost",
    "although the answer was lost",
    "does not seem to have",
    "may have run",
    "may be the one that you asked for",
];

/// A harness in which rules come and go.
struct Ground {
    harness: Harness,
    _home: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Result<Self, Failure> {
        Self::at(Speed::Fast).await
    }

    async fn at(speed: Speed) -> Result<Self, Failure> {
        let home = tempfile::tempdir()?;
        fs::create_dir(home.path().join("up"))?;
        fs::write(home.path().join("up/one.txt"), "one")?;
        let harness =
            Harness::impatient_in(Options::default().with_speed(speed), LocalRoots::open(&[home.path().to_owned()])?)
                .await?;
        Ok(Self { harness, _home: home })
    }

    /// Calls a tool while an operation loses its answers; gives how it ended and how often the operation was asked for.
    async fn lose(
        &self,
        tool: &'static str,
        call: &Value,
        route: &str,
        loss: &Value,
    ) -> Result<(bool, String, u64), Failure> {
        let mut rule = loss.clone();
        rule["route"] = json!(route);
        self.harness.direct("POST", "/__sandbox/faults", Some(json!([rule]))).await?;
        let answer = self.harness.call(tool, call.clone()).await?;
        let seen = self.harness.faults().await?[0]["seen"].as_u64().unwrap_or_default();
        self.harness.direct("DELETE", "/__sandbox/faults", None).await?;
        Ok((answer.is_error == Some(true), crate::harness::text(&answer), seen))
    }
}

/// The arguments that the error of an empty call gives as an example, with values of the right type.
async fn example(harness: &Harness, tool: &'static str) -> Result<Value, Failure> {
    let answer = harness.call(tool, json!({ "no_such_argument": 1 })).await?;
    let text = crate::harness::text(&answer);
    let (_, valid) = text.split_once("\nvalid: ").ok_or_else(|| format!("{tool}: no example in {text}"))?;
    let valid = valid.lines().next().unwrap_or_default();
    let valid = ["/<path>", "/<source_path>", "/<destination_path>", "<path>", "<source_path>", "<destination_path>"]
        .iter()
        .fold(valid.to_owned(), |valid, path| valid.replace(path, "/Volumes/main/default/landing/unsure"));
    Ok(serde_json::from_str(&valid)?)
}

#[tokio::test]
async fn no_plain_tool_repeats_a_change_or_leaves_its_outcome_unsaid() -> Outcome {
    let ground = Ground::new().await?;
    for tool in Registry::all() {
        let definition = tool.definition;
        let (Action::Operation(plain), true) = (&definition.action, definition.risk != Risk::Read) else { continue };
        // The sandbox is a workspace, which the client asks for nothing of an account.
        if plain.operation.is_of_account() {
            continue;
        }
        // An example does not tell how a name such as `projects/shop` is built.
        if plain
            .operation
            .parameters
            .iter()
            .any(|parameter| parameter.multi_segment && !parameter.name.contains("path"))
        {
            continue;
        }
        let call = example(&ground.harness, definition.name).await?;
        for loss in losses() {
            let case = format!("{} {call}, {loss}", definition.name);
            let (is_error, text, seen) = ground.lose(definition.name, &call, plain.operation.id, &loss).await?;
            assert_eq!(seen, 1, "{case}: {text}");
            // A truncated body without content is whole. What the example names may not exist: then the work is refused,
            // and the fault does not come.
            let is_whole = !is_error && loss["fault"] == "truncated_body";
            if is_whole || (loss["handled"] == true && text.contains("(status 4")) {
                continue;
            }
            assert!(is_error && TOLD.iter().any(|told| text.contains(told)), "{case}: {text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn no_composite_repeats_a_change_or_leaves_its_outcome_unsaid() -> Outcome {
    let known: BTreeSet<_> = composites().iter().map(|(tool, ..)| *tool).chain([LOCAL]).chain(EXECUTORS).collect();
    let all = Registry::all();
    let changing = all.iter().map(|tool| tool.definition).filter(|tool| tool.risk != Risk::Read);
    let composite: BTreeSet<_> =
        changing.filter(|tool| matches!(tool.action, Action::Composite(_))).map(|tool| tool.name).collect();
    assert_eq!(known, composite, "each composite that changes something has its line here");
    for (tool, call, route, harmless) in composites() {
        // Most of the time is spent waiting between retries.
        let mut cases = JoinSet::new();
        for loss in losses() {
            let (call, route) = (call.clone(), route.to_owned());
            cases.spawn(async move {
                outcome(tool, call, &route, &loss).await.map(|end| (loss, end)).map_err(|error| error.to_string())
            });
        }
        for case in cases.join_all().await {
            let (loss, (is_error, text, seen)) = case?;
            let case = format!("{tool}, {loss}: {text}");
            assert!(seen >= 1 && (harmless || seen == 1), "asked for {seen} times: {case}");
            // What was done can be found to be done; an answer without content has nothing to be cut off.
            let is_done = loss["handled"] == true || loss["fault"] == "truncated_body";
            assert!(is_error || is_done, "{case}");
            let is_told = TOLD.iter().any(|told| text.contains(told)) && text.contains("hint: ");
            assert!(!is_error || is_told, "{case}");
        }
    }
    Ok(())
}

/// How one composite ends that loses its answers, and how often its operation was asked for.
async fn outcome(tool: &'static str, call: Value, route: &str, loss: &Value) -> Result<(bool, String, u64), Failure> {
    let ground = Ground::at(if tool == "cancel_sql" { Speed::Manual } else { Speed::Fast }).await?;
    let call = with_ids(&ground.harness, call).await?;
    ground.lose(tool, &call, route, loss).await
}

/// Puts ids of things that are there in the place of words for them.
async fn with_ids(harness: &Harness, mut call: Value) -> Result<Value, Failure> {
    if call["statement"].is_string() {
        harness.answer("execute_sql", json!({ "statement": "CREATE TABLE main.default.unsure (n INT)" })).await?;
    }
    if call["statement_id"] == "STATEMENT" {
        // It waits for its warehouse.
        let query = json!({ "statement": "SELECT 1", "warehouse_id": STOPPED_WAREHOUSE, "timeout_seconds": 0 });
        call["statement_id"] = harness.answer("execute_sql", query).await?["statement_id"].clone();
    }
    if call["pipeline_id"] == PIPELINE && call.get("wait").is_none() {
        harness.answer("run_pipeline", json!({ "pipeline_id": PIPELINE, "wait": false })).await?;
    }
    if call["run_id"] == "RUN" {
        call["run_id"] = harness.answer("run_job_now", json!({ "job_id": JOB })).await?["run_id"].clone();
    }
    if call["run_id"] == "FAILED" {
        let runs =
            harness.answer("list_job_runs", json!({ "completed_only": true, "fields": ["run_id", "state"] })).await?;
        let runs = runs["items"].as_array().cloned().unwrap_or_default();
        let failed = runs.iter().find(|run| run["state"]["result_state"] == "FAILED").ok_or("no failed run")?;
        call["run_id"] = failed["run_id"].clone();
    }
    Ok(call)
}

#[test]
fn every_look_takes_arguments_that_its_tool_has() {
    let mut looks = 0;
    for tool in Registry::all() {
        let Some(look) = tool.definition.verify.as_ref().and_then(|verify| verify.look.as_ref()) else { continue };
        let templates = look.bind.iter().flat_map(|(_, _, template)| template.split('{').skip(1));
        let bound = templates.filter_map(|rest| rest.split('}').next());
        let matched = look.matches.iter().filter_map(|(_, argument)| argument.split('.').next());
        for argument in bound.chain(matched) {
            let known = tool.input_schema["properties"].get(argument).is_some();
            assert!(known, "`{}` has no argument `{argument}`", tool.definition.name);
        }
        looks += 1;
    }
    assert!(looks > 10, "{looks} looks");
}

#[tokio::test]
async fn the_server_looks_by_itself_whether_it_was_done() -> Outcome {
    let cluster = json!({ "cluster_name": "unsure", "spark_version": "15.4.x-scala2.12", "num_workers": 1 });
    let job = json!({ "name": "unsure", "tasks": [{ "task_key": "a", "notebook_task": { "notebook_path": "/Shared/etl/load_orders" } }] });
    let query = json!({ "query": { "display_name": "unsure", "query_text": "SELECT 1", "warehouse_id": WAREHOUSE } });
    for (tool, call, route, shown) in [
        ("create_cluster", cluster, "compute.clusters.create", "`cluster_id` `"),
        ("create_job", job, "jobs.jobs.create", "`job_id` `"),
        (
            "create_schema",
            json!({ "catalog_name": "main", "schema_name": "unsure" }),
            "catalog.schemas.create",
            "`created_at` `20",
        ),
        ("create_saved_query", query, "sql.queries.create", "`id` `"),
        (
            "create_workspace_folder",
            json!({ "path": "/Shared/unsure" }),
            "workspace.workspace.mkdirs",
            "an object of that name",
        ),
        ("delete_job", json!({ "job_id": JOB }), "jobs.jobs.delete", "no longer exists"),
        (
            "delete_workspace_item",
            json!({ "path": "/Shared/etl", "recursive": true }),
            "workspace.workspace.delete",
            "no longer exists",
        ),
    ] {
        for handled in [true, false] {
            let ground = Ground::new().await?;
            let loss = json!({ "fault": "connection_reset", "handled": handled });
            let (is_error, text, seen) = ground.lose(tool, &call, route, &loss).await?;
            assert!(is_error && seen == 1, "{tool} {handled}: {text}");
            let done = text.contains("the change was made although its answer was lost") && text.contains(shown);
            let undone = text.contains("the change does not seem to have been made");
            assert_eq!((done, undone), (handled, !handled), "{tool}: {text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_statement_is_found_again_by_its_tag() -> Outcome {
    for (fault, runs) in [
        (json!({ "fault": "connection_reset", "handled": true }), true),
        (json!({ "fault": "unavailable", "handled": true }), true),
        (json!({ "fault": "truncated_body" }), true),
        (json!({ "fault": "unavailable" }), false),
        (json!({ "fault": "connection_reset" }), false),
    ] {
        let ground = Ground::new().await?;
        ground
            .harness
            .answer("execute_sql", json!({ "statement": "CREATE TABLE main.default.unsure (n INT)" }))
            .await?;
        let insert = json!({ "statement": "INSERT INTO main.default.unsure VALUES (1)" });
        let route = "sql.statement_execution.execute_statement";
        let (is_error, text, seen) = ground.lose("execute_sql", &insert, route, &fault).await?;
        assert_eq!((is_error, seen), (!runs, 1), "{fault}: {text}");
        assert!(runs || text.contains("does not seem to have run") && text.contains("`list_query_history`"), "{text}");
        let count = json!({ "statement": "SELECT count(*) FROM main.default.unsure" });
        let rows = ground.harness.answer("execute_sql", count.clone()).await?["rows"].clone();
        assert_eq!(rows, json!([[i32::from(runs)]]), "{fault}");

        // A query changes nothing, so it is sent again.
        let mut passing = fault.clone();
        passing["times"] = json!(1);
        let (is_error, text, seen) = ground.lose("execute_sql", &count, route, &passing).await?;
        assert_eq!((is_error, seen), (false, 2), "{fault}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_history_that_cannot_be_read_leaves_it_open() -> Outcome {
    let ground = Ground::new().await?;
    ground
        .harness
        .direct(
            "POST",
            "/__sandbox/faults",
            Some(json!([{ "route": "sql.query_history.list", "fault": "permission_denied" }])),
        )
        .await?;
    let statement = json!({ "route": "sql.statement_execution.execute_statement", "fault": "connection_reset" });
    ground.harness.direct("POST", "/__sandbox/faults", Some(json!([statement]))).await?;
    let refusal =
        ground.harness.refusal("execute_sql", json!({ "statement": "DROP TABLE main.default.nothing" })).await?;
    assert!(refusal.contains("may have run") && refusal.contains("query tag `mcp_statement` = `"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn an_error_in_a_success_and_a_missing_content_are_errors() -> Outcome {
    let harness = Harness::scripted(|target, _| match target {
        target if target.starts_with("GET /api/2.0/workspace/export") && target.contains("empty") => Some(json!({})),
        target if target.starts_with("GET /api/2.0/workspace/export") => {
            Some(json!({ "errorCode": "MAX_NOTEBOOK_SIZE_EXCEEDED", "message": "too large" }))
        }
        target if target.ends_with("/jobs/delete") => {
            Some(json!({ "errorCode": "PERMISSION_DENIED", "message": "not yours" }))
        }
        target if target.ends_with("/jobs/create") => Some(json!({})),
        target if target.starts_with("POST /api/2.0/sql/warehouses") => Some(json!({ "name": "w" })),
        target if target.starts_with("GET /api/2.0/dbfs/read") => Some(json!({})),
        _ => None,
    })
    .await?;
    let refusal = harness.refusal("create_warehouse", json!({ "name": "w", "cluster_size": "Small" })).await?;
    assert!(refusal.contains("lacks `id`") && refusal.contains("`list_warehouses`"), "{refusal}");
    let refusal = harness.refusal("read_dbfs_file", json!({ "path": "/FileStore/x" })).await?;
    assert!(refusal.contains("lacks `bytes_read` and `data`"), "{refusal}");
    let refusal = harness.refusal("export_notebook", json!({ "path": "/Shared/etl/load_orders" })).await?;
    assert!(refusal.contains("MAX_NOTEBOOK_SIZE_EXCEEDED") && refusal.contains("10 MB"), "{refusal}");
    let refusal = harness.refusal("export_notebook", json!({ "path": "/Shared/etl/empty" })).await?;
    assert!(refusal.contains("has no content"), "{refusal}");
    let read =
        harness.read("databricks://notebooks/Shared/etl/empty").await.err().ok_or("an empty notebook was read")?;
    assert!(read.to_string().contains("has no content"), "{read}");
    let refusal = harness.refusal("delete_job", json!({ "job_id": JOB })).await?;
    assert!(refusal.contains("PERMISSION_DENIED") && !refusal.contains("although its answer"), "{refusal}");
    let task = json!({ "task_key": "a", "notebook_task": { "notebook_path": "/Shared/etl/load_orders" } });
    let refusal = harness.refusal("create_job", json!({ "name": "unsure", "tasks": [task] })).await?;
    assert!(refusal.contains("its answer lacks `job_id`") && refusal.contains("`list_jobs`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn an_error_in_a_success_is_one_in_every_shape() -> Outcome {
    for error in [
        json!({ "error": { "code": 1, "message": "it broke" } }),
        json!({ "error": { "type": "fault", "message": "it broke" }, "request_id": "r" }),
        json!({ "error": "ACCESS_DENIED", "error_description": "it broke" }),
        json!({ "code": 403, "message": "it broke" }),
        json!({ "code": "INTERNAL", "message": "it broke", "details": [] }),
    ] {
        let answer = error.clone();
        let harness = Harness::scripted(move |target, _| {
            (target.contains("/jobs/") || target.contains("/invocations")).then(|| answer.clone())
        })
        .await?;
        for (tool, arguments) in [("delete_job", json!({ "job_id": JOB })), ("list_jobs", json!({}))] {
            let refusal = harness.refusal(tool, arguments).await?;
            assert!(refusal.contains("it broke"), "{tool} {error}: {refusal}");
        }
        // What an endpoint answers has the shape that its maker chose.
        let answer = harness.answer("query_endpoint", json!({ "name": "sandbox-chat", "prompt": "Hi" })).await?;
        assert!(answer.to_string().contains("it broke"), "{answer}");
    }
    let harness = Harness::scripted(|target, _| {
        let run = json!({ "run_id": 1, "state": { "life_cycle_state": "TERMINATED", "result_state": "SUCCESS" } });
        match target {
            target if target.contains("/jobs/list") => {
                Some(json!({ "jobs": [], "error": { "code": 1, "message": "m" } }))
            }
            target if target.contains("/runs/get-output") => {
                Some(json!({ "error": "the task failed", "metadata": run }))
            }
            target if target.contains("/runs/get") => Some(run),
            _ => None,
        }
    })
    .await?;
    assert_eq!(harness.answer("list_jobs", json!({})).await?["returned"], 0);
    let output = harness.answer("get_run_output", json!({ "run_id": 1 })).await?;
    assert!(output.to_string().contains("the task failed"), "{output}");
    Ok(())
}

#[tokio::test]
async fn a_private_link_has_its_own_advice() -> Outcome {
    let harness = Harness::scripted(|target, _| {
        let refusal = json!({ "error_code": "PRIVATE_LINK_VALIDATION_ERROR", "message": "not from here" });
        target.contains("/jobs/list").then_some(refusal)
    })
    .await?;
    let refusal = harness.refusal("list_jobs", json!({})).await?;
    assert!(refusal.contains("private link settings allow") && !refusal.contains("lacks the permission"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn what_no_url_can_carry_is_refused_at_once() -> Outcome {
    let harness = Harness::whole().await?;
    let long = "x".repeat(65_536);
    let refusal = harness.refusal("list_jobs", json!({ "name": long })).await?;
    assert!(refusal.contains("`name` is too long: 65536 bytes"), "{refusal}");
    let refusal = harness.refusal("get_saved_query", json!({ "query_id": long })).await?;
    assert!(
        refusal.starts_with("`query_id` cannot be sent: ") && refusal.contains("is too long: 65536 bytes"),
        "{refusal}"
    );
    let read = harness.read(&format!("databricks://tables/{long}")).await.err().ok_or("it was read")?;
    assert!(read.to_string().contains("too long"), "{}", read.to_string().get(..300).unwrap_or_default());
    Ok(())
}
