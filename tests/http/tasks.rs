//! Calls that become tasks: how long work is followed, by whom, through which server, and how it is ended.

use std::sync::Arc;
use std::time::Duration;

use databricks_mcp_server::consent::{Choice, Consent, Terms};
use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::callers::{ANNA, BEN};
use crate::house::{Failure, House, Outcome, answer, call, initialize, modern, structured};

const TASKS: &str = "io.modelcontextprotocol/tasks";
const SLOW: &str = "/Users/slow";

/// A workspace in which time stands still, and two servers of it that share their keys.
struct Street {
    first: House,
    second: House,
    sandbox: Arc<Sandbox>,
    arguments: String,
    _folder: tempfile::TempDir,
}

impl Street {
    async fn open() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let (keys, signing) = (folder.path().join("keys.yaml"), folder.path().join("signing"));
        std::fs::write(
            &keys,
            format!("keys:\n- {{ name: anna, sha256: {ANNA} }}\n- {{ name: ben, sha256: {BEN} }}\n"),
        )?;
        std::fs::write(&signing, format!("{}=\n", "A".repeat(43)))?;
        let arguments = format!("--auth bearer --keys {}", keys.display());
        let shared = format!("{arguments} --signing-keys {}", signing.display());
        let sandbox = Arc::new(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?);
        let open = async || {
            let terms = Terms::new(Choice::default(), &[])?;
            House::of(&shared, &sandbox, |context| context.consent = Consent::under(terms)).await
        };
        let (first, second) = (open().await?, open().await?);
        let source = "import time\ntime.sleep(3600)\ndbutils.notebook.exit('done')\n";
        let notebook = json!({ "path": SLOW, "content": source, "language": "PYTHON" });
        let made = first.modern("tools/call", json!({ "name": "import_notebook", "arguments": notebook }));
        structured(made.bearer_auth("anna-key").send().await?).await?;
        Ok(Self { first, second, sandbox, arguments, _folder: folder })
    }

    /// What the first server answers to a call of Anna's client, which takes tasks.
    async fn call(&self, tool: &str, arguments: Value, more: Value) -> Result<Value, Failure> {
        let mut params = json!({ "name": tool, "arguments": arguments });
        for (name, value) in more.as_object().into_iter().flatten() {
            params[name] = value.clone();
        }
        ask(&self.first, "anna-key", "tools/call", params).await
    }

    /// The id of the task that a call becomes.
    async fn task(&self, tool: &str, arguments: Value) -> Result<String, Failure> {
        let begun = self.call(tool, arguments, json!({})).await?;
        let task = &begun["result"];
        assert_eq!((&task["resultType"], &task["status"]), (&json!("task"), &json!("working")), "{begun}");
        assert!(task["ttlMs"].as_u64() > Some(0) && task["pollIntervalMs"].as_u64() > Some(0), "{begun}");
        assert!(task["_meta"]["io.modelcontextprotocol/serverInfo"].is_object(), "{begun}");
        Ok(task["taskId"].as_str().ok_or("no id")?.to_owned())
    }

    /// How a task stands, as the second server tells Anna.
    async fn get(&self, task: &str) -> Result<Value, Failure> {
        let told = ask(&self.second, "anna-key", "tasks/get", json!({ "taskId": task })).await?;
        assert_eq!(
            (&told["result"]["resultType"], &told["result"]["taskId"]),
            (&json!("complete"), &json!(task)),
            "{told}"
        );
        Ok(told["result"].clone())
    }

    async fn cancel(&self, task: &str) -> Outcome {
        let told = ask(&self.second, "anna-key", "tasks/cancel", json!({ "taskId": task })).await?;
        assert_eq!(told["result"]["resultType"], "complete", "{told}");
        Ok(())
    }

    /// A warehouse that stands still, and never starts here.
    async fn stopped_warehouse(&self) -> Result<Value, Failure> {
        let listed = self.first.direct("/api/2.0/sql/warehouses").await?;
        let mut all = listed["warehouses"].as_array().into_iter().flatten();
        let stopped = all.find(|warehouse| warehouse["state"] == "STOPPED").ok_or("no stopped warehouse")?;
        Ok(stopped["id"].clone())
    }

    async fn warehouse(&self, id: &Value) -> Result<Value, Failure> {
        let id = id.as_str().unwrap_or_default();
        Ok(self.first.direct(&format!("/api/2.0/sql/warehouses/{id}")).await?["state"].clone())
    }

    /// The state of the newest run in the workspace, and its id.
    async fn newest_run(&self) -> Result<(Value, Value), Failure> {
        let listed = self.first.direct("/api/2.2/jobs/runs/list?limit=1").await?;
        let run = &listed["runs"][0];
        Ok((run["run_id"].clone(), run["state"].clone()))
    }
}

/// What a server answers to a client that takes tasks, and can ask.
async fn ask(house: &House, key: &str, method: &str, params: Value) -> Result<Value, Failure> {
    let name = ["name", "taskId"].iter().find_map(|name| params[*name].as_str()).unwrap_or_default().to_owned();
    let mut body = modern(1, method, params);
    body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        json!({ "elicitation": {}, "extensions": { TASKS: {} } });
    let request = house.post(body).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    answer(request.header("mcp-name", name).bearer_auth(key).send().await?).await
}

#[tokio::test]
async fn a_task_is_followed_to_its_result_through_another_server_by_its_caller_alone() -> Outcome {
    let street = Street::open().await?;
    let task = street.task("run_notebook", json!({ "path": SLOW })).await?;
    let stands = street.get(&task).await?;
    assert_eq!(stands["status"], "working", "{stands}");
    assert!(stands["statusMessage"].as_str().is_some_and(|state| !state.is_empty()), "{stands}");
    let acknowledged = ask(&street.second, "anna-key", "tasks/update", json!({ "taskId": task, "inputResponses": {} }));
    assert_eq!(acknowledged.await?["result"]["resultType"], "complete");
    let stranger = House::beside(&street.arguments, &street.sandbox).await?;
    let tampered = task.replacen(|letter: char| letter.is_ascii_lowercase(), "A", 1);
    for (house, key, id) in [
        (&street.first, "ben-key", &task),
        (&stranger, "anna-key", &task),
        (&street.first, "anna-key", &tampered),
        (&street.first, "anna-key", &"none".to_owned()),
    ] {
        for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
            let refused = ask(house, key, method, json!({ "taskId": id, "inputResponses": {} })).await?;
            assert_eq!(refused["error"]["code"], -32_602, "{method} of {key}: {refused}");
        }
    }
    assert_ne!(street.newest_run().await?.1["life_cycle_state"], "TERMINATED", "nobody has cancelled it");
    street.sandbox.advance(Duration::from_secs(7_200));
    let stands = street.get(&task).await?;
    assert_eq!(stands["status"], "completed", "{stands}");
    let result = &stands["result"];
    assert_eq!(
        (&result["isError"], &result["structuredContent"]["result"]),
        (&json!(false), &json!("done")),
        "{stands}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_cancelled_ends_in_the_workspace() -> Outcome {
    let street = Street::open().await?;
    let warehouse = street.stopped_warehouse().await?;
    let query = street.task("execute_sql", json!({ "statement": "SELECT 1", "warehouse_id": warehouse })).await?;
    assert_eq!(street.get(&query).await?["status"], "working");
    street.cancel(&query).await?;
    let stands = street.get(&query).await?;
    assert_eq!((&stands["status"], &stands["result"]["isError"]), (&json!("completed"), &json!(true)), "{stands}");
    assert!(stands["result"]["content"][0]["text"].to_string().contains("CANCELED"), "{stands}");
    let run = street.task("run_notebook", json!({ "path": SLOW })).await?;
    // Whoever only waits for a run ends the wait.
    let (run_id, _) = street.newest_run().await?;
    let wait = street.task("wait_for_run", json!({ "run_id": run_id })).await?;
    street.cancel(&wait).await?;
    assert_ne!(street.newest_run().await?.1["life_cycle_state"], "TERMINATED");
    street.cancel(&run).await?;
    assert_eq!(street.newest_run().await?.1["result_state"], "CANCELED");
    // It is over, and cancelling it again is no error.
    street.cancel(&run).await?;
    let stands = street.get(&wait).await?;
    assert_eq!((&stands["status"], &stands["result"]["isError"]), (&json!("completed"), &json!(true)), "{stands}");
    Ok(())
}

#[tokio::test]
async fn compute_is_stopped_again_by_the_task_that_has_started_it() -> Outcome {
    let street = Street::open().await?;
    let id = street.stopped_warehouse().await?;
    let started = street.task("start_warehouse", json!({ "warehouse_id": id })).await?;
    let joined = street.task("start_warehouse", json!({ "warehouse_id": id })).await?;
    street.cancel(&joined).await?;
    assert_eq!(street.warehouse(&id).await?, "STARTING", "somebody else has started it");
    street.cancel(&started).await?;
    assert_ne!(street.warehouse(&id).await?, "STARTING");
    street.sandbox.advance(Duration::from_secs(600));
    let stands = street.get(&started).await?;
    assert_eq!((&stands["status"], &stands["result"]["isError"]), (&json!("completed"), &json!(true)), "{stands}");
    let again = street.task("start_warehouse", json!({ "warehouse_id": id })).await?;
    street.sandbox.advance(Duration::from_secs(600));
    let stands = street.get(&again).await?;
    assert_eq!(stands["result"]["structuredContent"]["state"], "RUNNING", "{stands}");
    Ok(())
}

#[tokio::test]
async fn a_person_is_asked_before_there_is_a_task() -> Outcome {
    let street = Street::open().await?;
    let warehouse = street.stopped_warehouse().await?;
    let call = json!({ "statement": "DELETE FROM samples.nyctaxi.trips", "warehouse_id": warehouse });
    let question = street.call("execute_sql", call.clone(), json!({})).await?;
    assert_eq!(question["result"]["resultType"], "input_required", "{question}");
    let person = json!({ "action": "accept", "content": { "confirm": true } });
    let more = json!({ "requestState": question["result"]["requestState"], "inputResponses": { "confirm": person } });
    let begun = street.call("execute_sql", call, more).await?;
    assert_eq!(begun["result"]["resultType"], "task", "{begun}");
    Ok(())
}

#[tokio::test]
async fn who_says_how_long_to_wait_gets_the_usual_answer_then() -> Outcome {
    let street = Street::open().await?;
    let warehouse = street.stopped_warehouse().await?;
    for arguments in [
        json!({ "statement": "SELECT 1", "warehouse_id": warehouse, "timeout_seconds": 0 }),
        json!({ "statement": "SELECT 1", "warehouse_id": warehouse, "timeout_seconds": 0, "save_to": "/Volumes/main/default/raw/x.csv" }),
    ] {
        let usual = street.call("execute_sql", arguments, json!({})).await?;
        assert_eq!(usual["result"]["structuredContent"]["still_running"], true, "{usual}");
    }
    let usual = street.call("run_notebook", json!({ "path": SLOW, "wait": false }), json!({})).await?;
    assert_eq!(usual["result"]["structuredContent"]["still_running"], true, "{usual}");
    let task =
        street.task("execute_sql", json!({ "statement": "SELECT 1", "warehouse_id": warehouse, "timeout_seconds": 1 }));
    let task = task.await?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let stands = street.get(&task).await?;
    assert_eq!(stands["status"], "completed", "{stands}");
    assert_eq!(stands["result"]["structuredContent"]["still_running"], true, "{stands}");
    Ok(())
}

#[tokio::test]
async fn who_declares_no_tasks_gets_none() -> Outcome {
    let street = Street::open().await?;
    let house = &street.first;
    let arguments = json!({ "path": SLOW, "timeout_seconds": 1 });
    let plain = house.modern("tools/call", json!({ "name": "run_notebook", "arguments": arguments }));
    let plain = structured(plain.bearer_auth("anna-key").send().await?).await?;
    assert_eq!(plain["still_running"], true, "{plain}");
    let refused = house.modern("tasks/get", json!({ "taskId": "x" })).bearer_auth("anna-key").send().await?;
    assert_eq!(answer(refused).await?["error"]["code"], -32_021);
    let told = answer(house.modern("server/discover", json!({})).bearer_auth("anna-key").send().await?).await?;
    assert!(told["result"]["capabilities"]["extensions"][TASKS].is_object(), "{told}");
    // A revision with a handshake has no such tasks, whatever its client declares.
    let mut hello = initialize();
    hello["params"]["capabilities"] = json!({ "extensions": { TASKS: {} } });
    let begun = house.post(hello).bearer_auth("anna-key").send().await?;
    let session = begun.headers().get("mcp-session-id").ok_or("no session")?.clone();
    let begun = answer(begun).await?;
    assert!(begun["result"]["capabilities"].get("extensions").is_none(), "{begun}");
    let with = |body: Value| house.post(body).bearer_auth("anna-key").header("mcp-session-id", &session);
    let usual = structured(with(call(7, "run_notebook", arguments)).send().await?).await?;
    assert_eq!(usual["still_running"], true, "{usual}");
    let get = json!({ "jsonrpc": "2.0", "id": 8, "method": "tasks/get", "params": { "taskId": "x" } });
    assert_eq!(answer(with(get).send().await?).await?["error"]["code"], -32_601);
    Ok(())
}
