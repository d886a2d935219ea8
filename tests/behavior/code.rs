//! `run_code`: on clusters, in contexts, on serverless compute.

use databricks::{Arguments, Location, Operation, Payload, operations};
use databricks_mcp_server::registry::Selection;
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome, text};

const RUNNING: &str = "0301-081500-etlmain1";
const TERMINATED: &str = "0227-143000-adhoc001";

impl Harness {
    /// Runs code on the running cluster.
    async fn run(&self, code: &str, more: Value) -> Result<Value, Box<dyn std::error::Error>> {
        self.answer("run_code", on_cluster(code, more)).await
    }

    /// What the workspace itself tells of a context or a command.
    async fn wire(&self, operation: &'static Operation, ids: &[(&str, &str)]) -> Result<Value, databricks::Error> {
        let start = Arguments::new().with(Location::Query, "clusterId", RUNNING);
        let request = ids.iter().fold(start, |request, (name, id)| request.with(Location::Query, *name, *id));
        Ok(match self.workspace.execute(operation, request).await? {
            Payload::Json(answer) => answer,
            _ => Value::Null,
        })
    }
}

fn on_cluster(code: &str, more: Value) -> Value {
    let mut call = json!({ "cluster_id": RUNNING, "code": code });
    if let (Some(call), Some(more)) = (call.as_object_mut(), more.as_object()) {
        call.extend(more.clone());
    }
    call
}

#[tokio::test]
async fn output_is_text_a_table_an_image_or_an_error() -> Outcome {
    let harness = Harness::default().await?;
    let answer = harness.run("print(\"hello\")", json!({})).await?;
    assert_eq!((&answer["output"], &answer["result_type"]), (&json!("hello"), &json!("text")), "{answer}");
    assert!(answer.get("context_id").is_none(), "{answer}");
    let answer = harness.run("SELECT 1 AS one, 'x' AS word", json!({ "language": "sql" })).await?;
    assert_eq!((&answer["result_type"], &answer["columns"][1]["name"]), (&json!("table"), &json!("word")), "{answer}");
    assert_eq!((answer["rows"].as_array().map(Vec::len), &answer["truncated"]), (Some(1), &json!(false)), "{answer}");
    let answer = harness.run("println(\"from scala\")", json!({ "language": "scala" })).await?;
    assert_eq!(answer["output"], "from scala", "{answer}");
    let answer = harness.run("print(\"from r\")", json!({ "language": "r" })).await?;
    assert!(answer["output"].to_string().contains("from r"), "{answer}");

    let result = harness.call("run_code", on_cluster("import matplotlib.pyplot as plt\nplt.show()", json!({}))).await?;
    let image = result.content.iter().find_map(|block| block.as_image()).ok_or("no image among the content")?;
    assert!(image.mime_type == "image/png" && image.data.starts_with("iVBOR"), "{}", image.mime_type);
    let told = result.structured_content.ok_or("no structured content")?;
    assert_eq!(told["images"][0]["mime_type"], "image/png", "{told}");

    let refusal = harness.refusal("run_code", on_cluster("raise ValueError(\"a < b\")", json!({}))).await?;
    assert!(refusal.contains("ValueError: a < b") && !refusal.contains("<span"), "{refusal}");
    let refusal = harness.refusal("run_code", on_cluster("SELEC 1", json!({ "language": "sql" }))).await?;
    assert!(refusal.contains("PARSE_SYNTAX_ERROR"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_context_is_kept_only_where_that_is_wanted() -> Outcome {
    let harness = Harness::default().await?;
    let first = harness.run("word = \"kept\"", json!({ "keep_context": true })).await?;
    let context = first["context_id"].as_str().ok_or("no context")?.to_owned();
    let again = harness.run("print(word)", json!({ "context_id": context })).await?;
    assert_eq!((&again["output"], &again["context_id"]), (&json!("kept"), &json!(context)), "{again}");
    let refusal =
        harness.refusal("run_code", on_cluster("raise ValueError(\"x\")", json!({ "context_id": context }))).await?;
    assert!(refusal.contains("the variables are kept") && refusal.contains(&context), "{refusal}");
    let last = harness.run("print(word)", json!({ "context_id": context, "keep_context": false })).await?;
    assert_eq!(last["output"], "kept", "{last}");
    let status = &operations::COMPUTE_COMMAND_EXECUTION_CONTEXT_STATUS;
    let gone = harness.wire(status, &[("contextId", &context)]).await.err().ok_or("the context is still there")?;
    assert!(gone.to_string().contains("ContextNotFound"), "{gone}");
    let refusal = harness.refusal("run_code", on_cluster("print(word)", json!({ "context_id": context }))).await?;
    assert!(refusal.contains("is gone, with its variables"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_context_does_not_outlive_its_cluster() -> Outcome {
    let harness = Harness::whole().await?;
    let first = harness.run("word = \"lost\"", json!({ "keep_context": true })).await?;
    harness.answer("restart_cluster", json!({ "cluster_id": RUNNING })).await?;
    let call = on_cluster("print(word)", json!({ "context_id": first["context_id"] }));
    let refusal = harness.refusal("run_code", call).await?;
    assert!(refusal.contains("is gone, with its variables") && refusal.contains("without `context_id`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn code_that_runs_on_is_waited_for_by_its_ids() -> Outcome {
    let harness = Harness::default().await?;
    let slow = "import time\ntime.sleep(3)\nprint(\"late\")";
    let answer = harness.run(slow, json!({ "timeout_seconds": 1 })).await?;
    assert_eq!((&answer["still_running"], &answer["keep_context"]), (&json!(true), &json!(false)), "{answer}");
    let ids = |answer: &Value| {
        let mut ids = json!({});
        for name in ["cluster_id", "context_id", "command_id", "keep_context"] {
            ids[name] = answer[name].clone();
        }
        ids
    };
    let ended = harness.answer("run_code", ids(&answer)).await?;
    assert_eq!((&ended["output"], &ended["state"]), (&json!("late"), &json!("Finished")), "{ended}");
    let context = answer["context_id"].as_str().ok_or("no context")?;
    let status = &operations::COMPUTE_COMMAND_EXECUTION_CONTEXT_STATUS;
    assert!(harness.wire(status, &[("contextId", context)]).await.is_err(), "the context was left behind");
    let sent = harness.run("print(\"now\")", json!({ "wait": false })).await?;
    let ended = harness.answer("run_code", ids(&sent)).await?;
    assert_eq!(ended["output"], "now", "{ended}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_call_cancels_its_command_and_ends_its_context() -> Outcome {
    let harness = Harness::default().await?;
    let Value::Object(arguments) = on_cluster("import time\ntime.sleep(25)\n", json!({})) else {
        return Err("no object".into());
    };
    let request = CallToolRequest::new(CallToolRequestParams::new("run_code").with_arguments(arguments));
    let request = ClientRequest::CallToolRequest(request);
    let call = harness.client.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    let state = harness.until_heard(|state| state.starts_with("command ") && state.contains("Running")).await?;
    let words: Vec<_> = state.split([' ', ':']).collect();
    let (command, context) = (words[1].to_owned(), words[4].to_owned());
    call.cancel(Some("the person pressed stop".into())).await?;
    let status = &operations::COMPUTE_COMMAND_EXECUTION_COMMAND_STATUS;
    let ids = [("contextId", context.as_str()), ("commandId", command.as_str())];
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let seen = harness.wire(status, &ids).await?;
        if seen["status"] == "Cancelled" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{seen}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let status = &operations::COMPUTE_COMMAND_EXECUTION_CONTEXT_STATUS;
    while harness.wire(status, &[("contextId", &context)]).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "the context was left behind");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_stopped_cluster_is_started_and_one_that_is_late_runs_nothing() -> Outcome {
    let harness = Harness::default().await?;
    let call = |more: Value| {
        let mut call = on_cluster("print(\"up\")", more);
        call["cluster_id"] = json!(TERMINATED);
        call
    };
    let late = harness.answer("run_code", call(json!({ "wait": false }))).await?;
    assert_eq!((&late["state"], &late["still_running"]), (&json!("PENDING"), &json!(true)), "{late}");
    assert!(late["hint"].to_string().contains("nothing was run"), "{late}");
    let answer = harness.answer("run_code", call(json!({}))).await?;
    assert_eq!(answer["output"], "up", "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_can() -> Outcome {
    let harness = Harness::default().await?;
    for (arguments, words) in [
        (json!({ "code": "SELECT 1", "language": "sql" }), "`execute_sql`"),
        (json!({ "code": "print(1)", "keep_context": true }), "keeps no context"),
        (json!({ "cluster_id": RUNNING }), "either `code` or `command_id`"),
        (json!({ "code": "print(1)", "context_id": "1" }), "belongs to a cluster"),
        (json!({ "code": "print(1)", "language": "perl" }), "python"),
        (json!({ "code": "print(1)", "cluster_id": "0000-000000-nothing0" }), "`list_clusters`"),
    ] {
        let refusal = harness.refusal("run_code", arguments.clone()).await?;
        assert!(refusal.contains(words), "{arguments}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn python_runs_on_serverless_and_leaves_no_file_behind() -> Outcome {
    let harness = Harness::default().await?;
    let answer = harness.answer("run_code", json!({ "code": "print(\"serverless\")" })).await?;
    assert_eq!((&answer["output"], &answer["result_state"]), (&json!("serverless\n"), &json!("SUCCESS")), "{answer}");
    let refusal = harness.refusal("run_code", json!({ "code": "raise ValueError(\"bad\")" })).await?;
    assert!(refusal.contains("ValueError: bad") && refusal.contains("FAILED"), "{refusal}");
    let slow = json!({ "code": "import time\ntime.sleep(25)\n" });
    let list = ("list_job_runs", json!({ "limit": 1, "fields": ["run_name", "state"] }));
    let newest = |field: &'static str, value: &'static str| {
        move |answer: &Value| {
            answer["items"][0]["state"][field] == value && answer["items"][0]["run_name"] == "run_code"
        }
    };
    harness.cancelled("run_code", slow.clone(), list.clone(), newest("life_cycle_state", "RUNNING")).await?;
    harness.until(list.0, list.1, newest("result_state", "CANCELED")).await?;
    let root = harness.answer("list_workspace_items", json!({ "path": "/Users" })).await?;
    let users = root["items"].as_array().cloned().unwrap_or_default();
    let home =
        users.iter().filter_map(|item| item["path"].as_str()).find(|path| path.contains('@')).ok_or("no home")?;
    let folder = json!({ "path": format!("{home}/.databricks-mcp-server") });
    let is_empty = |answer: &Value| answer["items"].as_array().is_some_and(Vec::is_empty);
    harness.until("list_workspace_items", folder.clone(), is_empty).await?;

    // A run that goes on needs its file.
    let mut slow = slow;
    slow["timeout_seconds"] = json!(1);
    let answer = harness.answer("run_code", slow).await?;
    assert_eq!(answer["still_running"], true, "{answer}");
    let file = answer["temporary_file"].as_str().ok_or("no file is told")?;
    let left = harness.answer("list_workspace_items", folder).await?;
    assert_eq!(left["items"][0]["path"], file, "{left}");
    harness.answer("cancel_run", json!({ "run_id": answer["run_id"] })).await?;
    Ok(())
}

#[tokio::test]
async fn code_is_never_run_twice_and_a_lost_answer_is_told() -> Outcome {
    let harness = Harness::with_faults(json!([
        { "route": "POST /api/1.2/commands/execute", "fault": "connection_reset", "handled": true, "times": 1 },
        { "route": "POST /api/1.2/contexts/create", "fault": "unavailable", "handled": true, "times": 1 },
    ]))
    .await?;
    // Another context would be one more that nobody ends.
    let refusal = harness.refusal("run_code", on_cluster("print(1)", json!({}))).await?;
    assert!(
        refusal.contains("the code did not run") && refusal.contains("a context may have been created"),
        "{refusal}"
    );
    assert_eq!(harness.faults().await?[1]["seen"], 1, "the request for a context was sent again");
    let refusal = harness.refusal("run_code", on_cluster("print(1)", json!({}))).await?;
    assert!(refusal.contains("and may have run") && refusal.contains("before you run it again"), "{refusal}");
    let answer = harness.run("print(\"next\")", json!({})).await?;
    assert_eq!(answer["output"], "next", "{answer}");
    let executed = harness.faults().await?;
    assert_eq!(executed[0]["seen"], 2, "the lost request was sent again: {executed}");
    Ok(())
}

#[tokio::test]
async fn a_lost_permission_is_told() -> Outcome {
    for route in ["POST /api/1.2/contexts/create", "POST /api/1.2/commands/execute"] {
        let harness = Harness::with_faults(json!([{ "route": route, "fault": "permission_denied" }])).await?;
        let refusal = harness.refusal("run_code", on_cluster("print(1)", json!({}))).await?;
        assert!(refusal.contains("lacks the permission"), "{route}: {refusal}");
    }
    let harness =
        Harness::with_faults(json!([{ "route": "GET /api/1.2/commands/status", "fault": "permission_denied" }]))
            .await?;
    let refusal = harness.refusal("run_code", on_cluster("print(1)", json!({}))).await?;
    assert!(refusal.contains("was sent to cluster") && refusal.contains("lacks the permission"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_large_output_is_cut_with_exact_notice() -> Outcome {
    let harness = Harness::open(Selection::default(), 1_000).await?;
    let long = "abcdefghij".repeat(5_000);
    let answer = harness.run(&format!("print(\"{long}\")"), json!({})).await?;
    assert!(answer.to_string().chars().count() <= 3_000, "{answer}");
    assert!(answer["hint"].to_string().contains("first 562 and last 1688 of 50000 characters"), "{answer}");
    let table = "SELECT order_id FROM samples.retail.orders";
    let result = harness.call("run_code", on_cluster(table, json!({ "language": "sql" }))).await?;
    assert!(text(&result).chars().count() <= 3_000, "{}", text(&result));
    let answer = result.structured_content.ok_or("no structured content")?;
    assert_eq!(answer["truncated"], true, "{answer}");
    let (shown, total) = (answer["returned"].as_u64(), answer["total_rows"].as_u64());
    assert!(shown < total && answer["hint"].to_string().contains(" rows; select less"), "{answer}");
    Ok(())
}
