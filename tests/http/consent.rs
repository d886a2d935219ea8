//! What a person confirms over HTTP: by a result that asks for input, by a request to a client with a session, and through
//! another server than the one that has asked.

use std::sync::Arc;

use databricks_mcp_server::consent::{Choice, Consent, Terms};
use databricks_sandbox::{Options, Sandbox};
use futures_util::StreamExt as _;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::house::{Failure, House, Outcome, answer, call, initialize, modern};

/// SHA-256 of `anna-key` and `ben-key`, as `sha256sum` gives them.
const ANNA: &str = "c2ee7195c6e40b50ba61576394dd66f870e592e2333947c51c39cc11bd332f7a";
const BEN: &str = "4bb8ce95dd3ed1fa07d76324a29481a578d7039c30d8e78a4b974b68808e1212";
const JOB: &str = "811111111111111";

async fn house(arguments: &str, sandbox: &Arc<Sandbox>) -> Result<House, Failure> {
    let terms = Terms::new(Choice::default(), &[])?;
    House::of(arguments, sandbox, |context| context.consent = Consent::under(terms)).await
}

/// A job of the workspace, as an argument.
async fn job(house: &House) -> Result<Value, Failure> {
    let jobs = house.direct("/api/2.2/jobs/list?limit=1").await?;
    Ok(json!({ "job_id": jobs["jobs"][0]["job_id"] }))
}

async fn exists(house: &House, job: &Value) -> bool {
    house.direct(&format!("/api/2.2/jobs/get?job_id={}", job["job_id"])).await.is_ok()
}

/// A call in the revision without a handshake, of a client that can ask.
fn asked(house: &House, key: &str, job: &Value, more: Value) -> RequestBuilder {
    let mut params = json!({ "name": "delete_job", "arguments": job });
    for (name, value) in more.as_object().into_iter().flatten() {
        params[name] = value.clone();
    }
    let mut body = modern(1, "tools/call", params);
    body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    let request = house.post(body).header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/call");
    request.header("mcp-name", "delete_job").bearer_auth(key)
}

fn confirmed(state: &Value) -> Value {
    let person = json!({ "action": "accept", "content": { "confirm": true } });
    json!({ "requestState": state, "inputResponses": { "confirm": person } })
}

#[tokio::test]
async fn a_question_of_one_server_is_answered_through_another_by_its_caller_alone() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (keys, signing) = (folder.path().join("keys.yaml"), folder.path().join("signing"));
    std::fs::write(&keys, format!("keys:\n- {{ name: anna, sha256: {ANNA} }}\n- {{ name: ben, sha256: {BEN} }}\n"))?;
    std::fs::write(&signing, format!("{}=\n", "A".repeat(43)))?;
    let arguments = format!("--auth bearer --keys {}", keys.display());
    let shared = format!("{arguments} --signing-keys {}", signing.display());
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    let (first, second) = (house(&shared, &sandbox).await?, house(&shared, &sandbox).await?);
    let stranger = house(&arguments, &sandbox).await?;
    let job = job(&first).await?;
    let question = answer(asked(&first, "anna-key", &job, json!({})).send().await?).await?;
    assert_eq!(question["result"]["resultType"], "input_required", "{question}");
    let text = question["result"]["inputRequests"]["confirm"]["params"]["message"].as_str().unwrap_or_default();
    assert!(text.starts_with("Delete job `"), "{text}");
    let state = &question["result"]["requestState"];
    for (house, key) in [(&second, "ben-key"), (&stranger, "anna-key")] {
        let refused = answer(asked(house, key, &job, confirmed(state)).send().await?).await?;
        assert_eq!(refused["error"]["code"], -32_602, "{refused}");
    }
    assert!(exists(&first, &job).await);
    let done = answer(asked(&second, "anna-key", &job, confirmed(state)).send().await?).await?;
    assert_eq!(done["result"]["isError"], false, "{done}");
    assert!(!exists(&first, &job).await);
    let again = answer(asked(&second, "anna-key", &job, confirmed(state)).send().await?).await?;
    assert!(again["result"]["content"][0]["text"].to_string().contains("was used before"), "{again}");
    Ok(())
}

#[tokio::test]
async fn a_client_with_a_session_is_asked_while_it_waits() -> Outcome {
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    let house = house("", &sandbox).await?;
    let job = job(&house).await?;
    let mut hello = initialize();
    hello["params"]["capabilities"] = json!({ "elicitation": {} });
    let begun = house.post(hello).send().await?;
    let session = begun.headers().get("mcp-session-id").ok_or("no session")?.clone();
    let with = |body: Value| house.post(body).header("mcp-session-id", &session);
    with(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).send().await?;
    let mut stream = with(call(7, "delete_job", job.clone())).send().await?.bytes_stream();
    let (mut text, mut is_answered) = (String::new(), false);
    while let Some(part) = stream.next().await {
        text.push_str(std::str::from_utf8(&part?)?);
        let asked = text.lines().filter_map(|line| line.strip_prefix("data:")).filter_map(|data| {
            serde_json::from_str::<Value>(data.trim()).ok().filter(|message| message["method"] == "elicitation/create")
        });
        if let Some(asked) = { asked }.next().filter(|_| !is_answered) {
            assert!(exists(&house, &job).await, "nothing was sent");
            let person = json!({ "action": "accept", "content": { "confirm": true } });
            let told = with(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": person })).send().await?;
            assert_eq!(told.status(), 202);
            is_answered = true;
        }
    }
    assert!(is_answered && text.contains("\"isError\":false"), "{text}");
    assert!(!exists(&house, &job).await);
    Ok(())
}

#[tokio::test]
async fn without_a_session_nobody_can_be_asked_and_the_way_out_is_told() -> Outcome {
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    for arguments in ["", "--no-sessions"] {
        let house = house(arguments, &sandbox).await?;
        let request = house.post(call(1, "delete_job", json!({ "job_id": JOB })));
        let refused = answer(request.header("mcp-protocol-version", "2025-11-25").send().await?).await?;
        assert_eq!(refused["result"]["isError"], true, "{refused}");
        let text = refused["result"]["content"][0]["text"].as_str().unwrap_or_default();
        for words in ["needs the consent of a person", "in a session", "2026-07-28"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    Ok(())
}
