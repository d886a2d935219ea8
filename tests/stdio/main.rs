//! The real binary: what is on stdout, when it ends, what it never says.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

mod approved;
#[cfg(target_os = "linux")] // Files are elsewhere on other systems.
mod clients;
mod discovery;
mod long;
mod people;
mod pressure;
mod prompts;
mod protocol;
mod wire;

use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "dapi-0123456789-never-shown";

fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_databricks-mcp-server"));
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

fn initialize() -> Value {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

/// Sends the messages, closes stdin, and gives what came on stdout line by line, stderr, and the exit code.
async fn talk(
    mut child: Child,
    messages: &[Value],
    answers: usize,
) -> Result<(Vec<Value>, String, Option<i32>), Box<dyn Error>> {
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
    for message in messages {
        stdin.write_all(format!("{message}\n").as_bytes()).await?;
    }
    let mut received = Vec::new();
    while received.len() < answers {
        let line = timeout(PATIENCE, lines.next_line()).await??.ok_or("stdout ended early")?;
        received.push(serde_json::from_str(&line).map_err(|_| format!("not protocol: {line}"))?);
    }
    drop(stdin);
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await?? {
        received.push(serde_json::from_str(&line).map_err(|_| format!("not protocol: {line}"))?);
    }
    let output = timeout(PATIENCE, child.wait_with_output()).await??;
    Ok((received, String::from_utf8(output.stderr)?, output.status.code()))
}

#[tokio::test]
async fn it_starts_and_lists_without_network_and_ends_with_its_client() -> Outcome {
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let (received, stderr, code) = talk(binary(&[]).spawn()?, &[initialize(), initialized, list], 2).await?;
    assert_eq!(received[0]["result"]["serverInfo"]["name"], "databricks-mcp-server");
    let tools = received[1]["result"]["tools"].as_array().ok_or("no tools")?;
    let names: Vec<_> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert!(names.is_sorted() && names.len() > 30 && names.len() <= 40, "{names:?}");
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    Ok(())
}

#[tokio::test]
async fn the_revision_without_a_handshake_is_spoken_too() -> Outcome {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    let request = |id: u32, method: &str, mut params: Value| {
        params["_meta"] = meta.clone();
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    };
    let messages = [
        request(1, "server/discover", json!({})),
        request(2, "tools/list", json!({})),
        request(3, "tools/call", json!({ "name": "list_jobs", "arguments": { "limit": 0 } })),
        request(4, "tools/call", json!({ "name": "list_jobs", "arguments": "none" })),
    ];
    let (mut received, _, _) = talk(binary(&[]).spawn()?, &messages, 4).await?;
    received.sort_by_key(|message| message["id"].as_u64());
    assert!(received[0]["result"]["supportedVersions"].to_string().contains("2026-07-28"), "{}", received[0]);
    for message in &received[..3] {
        let info = &message["result"]["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(info["name"], "databricks-mcp-server", "{message}");
        assert_eq!(message["result"]["resultType"], "complete");
    }
    assert!(received[1]["result"]["ttlMs"].as_u64() > Some(0));
    assert_eq!(received[2]["result"]["isError"], true);
    assert_eq!(received[3]["error"]["code"], -32602, "{}", received[3]);
    Ok(())
}

#[tokio::test]
async fn a_token_is_never_shown() -> Outcome {
    let mut command = binary(&["--log-level", "trace"]);
    // Nothing listens on the discard port.
    command.env("DATABRICKS_HOST", "http://127.0.0.1:9").env("DATABRICKS_TOKEN", SECRET);
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "list_jobs" } });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let (received, stderr, _) = talk(command.spawn()?, &[initialize(), initialized, call], 2).await?;
    assert_eq!(received[1]["result"]["isError"], true, "{}", received[1]);
    assert!(!stderr.is_empty() && !stderr.contains(SECRET), "{stderr}");
    assert!(!Value::from(received).to_string().contains(SECRET));
    Ok(())
}

#[tokio::test]
async fn the_value_of_a_secret_is_in_no_log() -> Outcome {
    let command = &["--sandbox", "--toolsets", "secrets", "--log-level", "trace"];
    let call = |id: u32, name: &str, arguments: Value| {
        let params = json!({ "name": name, "arguments": arguments });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
    };
    let messages = [
        initialize(),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        call(2, "create_secret_scope", json!({ "scope": "s" })),
        call(3, "put_secret", json!({ "scope": "s", "key": "k", "string_value": SECRET })),
    ];
    let (received, stderr, _) = talk(binary(command).spawn()?, &messages, 3).await?;
    assert!(received[1..].iter().all(|message| message["id"].is_u64()), "{received:?}");
    assert!(stderr.contains("put_secret") && !stderr.contains(SECRET), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn a_missing_configuration_says_what_to_set() -> Outcome {
    let output = binary(&["call", "list_jobs"]).output().await?;
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()));
    let text = String::from_utf8(output.stderr)?;
    assert!(text.contains("DATABRICKS_HOST"), "{text}");
    let output = binary(&["tools", "list", "--toolsets", "jbos"]).output().await?;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr)?.contains("did you mean `jobs`?"));
    Ok(())
}

/// A server of a workspace that is not its own, after the handshake.
async fn server_of(
    sandbox: &databricks_sandbox::Sandbox,
) -> Result<(Child, ChildStdin, Lines<BufReader<ChildStdout>>), Box<dyn Error>> {
    let mut command = binary(&[]);
    command.env("DATABRICKS_HOST", sandbox.url()).env("DATABRICKS_TOKEN", sandbox.token());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    stdin.write_all(format!("{}\n{initialized}\n", initialize()).as_bytes()).await?;
    timeout(PATIENCE, lines.next_line()).await??.ok_or("no answer to the handshake")?;
    Ok((child, stdin, lines))
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Value, Box<dyn Error>> {
    let line = timeout(PATIENCE, lines.next_line()).await??.ok_or("stdout ended early")?;
    Ok(serde_json::from_str(&line)?)
}

fn call(id: u32, tool: &str, arguments: Value) -> String {
    let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": id } });
    format!("{}\n", json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
}

/// Starts a notebook that runs for so many seconds, and gives the id of the run once it does.
async fn slow_run(
    stdin: &mut ChildStdin,
    lines: &mut Lines<BufReader<ChildStdout>>,
    seconds: u32,
) -> Result<String, Box<dyn Error>> {
    let source = format!("import time\ntime.sleep({seconds})\ndbutils.notebook.exit(\"survived\")\n");
    let import = json!({ "path": "/Users/slow", "content": source, "language": "PYTHON", "overwrite": true });
    stdin.write_all(call(2, "import_notebook", import).as_bytes()).await?;
    assert_eq!(next(lines).await?.pointer("/result/isError"), Some(&json!(false)));
    stdin.write_all(call(3, "run_notebook", json!({ "path": "/Users/slow" })).as_bytes()).await?;
    loop {
        let message = next(lines).await?;
        let state = message.pointer("/params/message").and_then(Value::as_str);
        let state = state.ok_or(format!("no progress but {message}"))?;
        if state.contains("RUNNING") {
            return Ok(state.split([' ', ':']).nth(1).ok_or("no id")?.to_owned());
        }
    }
}

#[tokio::test]
async fn a_killed_server_leaves_nothing_that_a_new_one_cannot_go_on_with() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let (mut child, mut stdin, mut lines) = server_of(&sandbox).await?;
    // What the client was told before the end is all that is left.
    let run_id = slow_run(&mut stdin, &mut lines, 4).await?;
    child.start_kill()?;
    timeout(PATIENCE, child.wait()).await??;

    let (_child, mut stdin, mut lines) = server_of(&sandbox).await?;
    stdin.write_all(call(2, "wait_for_run", json!({ "run_id": run_id })).as_bytes()).await?;
    let answer = loop {
        let message = next(&mut lines).await?;
        if message.get("result").is_some() {
            break message["result"].clone();
        }
    };
    assert_eq!(answer["structuredContent"]["result_state"], "SUCCESS", "{answer}");
    stdin.write_all(call(3, "get_run_output", json!({ "run_id": run_id })).as_bytes()).await?;
    let output = next(&mut lines).await?["result"].clone();
    assert_eq!(output["structuredContent"]["tasks"][0]["result"], "survived", "{output}");
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_is_told_to_stop_cancels_what_its_calls_had_started() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    // Its client is there as a rule, and has closed stdin where it does not get the end that it waits for.
    for (signal, is_open) in [("-TERM", true), ("-INT", true), ("-TERM", false)] {
        let (mut child, mut stdin, mut lines) = server_of(&sandbox).await?;
        let run_id = slow_run(&mut stdin, &mut lines, 3_600).await?;
        let stdin = is_open.then_some(stdin);
        let id = child.id().ok_or("it has ended")?.to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await?.success());
        assert_eq!(timeout(PATIENCE, child.wait()).await??.code(), Some(0), "{signal}");
        drop(stdin);

        let (_child, mut stdin, mut lines) = server_of(&sandbox).await?;
        stdin.write_all(call(2, "get_run", json!({ "run_id": run_id })).as_bytes()).await?;
        let answer = next(&mut lines).await?["result"].clone();
        assert_eq!(answer["structuredContent"]["state"]["result_state"], "CANCELED", "{signal}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_sends_no_more_still_gets_its_result() -> Outcome {
    let arguments = json!({ "job_id": 620_114_300_000_101_i64, "wait": true });
    let params = json!({ "name": "run_job_now", "arguments": arguments, "_meta": { "progressToken": "p" } });
    let messages = [
        initialize(),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params }),
    ];
    let server = binary(&["--sandbox", "--sandbox-clock", "fast"]).spawn()?;
    let (received, _, code) = talk(server, &messages, 1).await?;
    let result = received.last().and_then(|message| message["result"]["structuredContent"]["result_state"].as_str());
    assert_eq!((result, code), (Some("SUCCESS"), Some(0)), "{received:?}");
    Ok(())
}

#[tokio::test]
async fn people_can_call_tools_of_the_sandbox() -> Outcome {
    let output = binary(&["--sandbox", "call", "execute_sql", r#"{"statement": "SELECT 1 AS one"}"#]).output().await?;
    let text = String::from_utf8(output.stderr)?;
    assert_eq!((output.status.code(), text.as_str()), (Some(0), ""));
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&answer["rows"], &answer["columns"][0]["name"]), (&json!([[1]]), &json!("one")));
    Ok(())
}

#[tokio::test]
async fn several_workspaces_are_listed_without_network_and_reached_by_name() -> Outcome {
    let home = tempfile::tempdir()?;
    // Names that have no address: whoever looks them up fails.
    let profiles = "[dev]\nhost = https://dev.invalid\ntoken = t1\n[prod]\nhost = https://prod.invalid\ntoken = t2\n";
    std::fs::write(home.path().join(".databrickscfg"), profiles)?;
    let both = ["--profile", "dev", "--profile", "prod", "--read-only-profile", "prod"];
    let mut command = binary(&both);
    command.env("HOME", home.path());
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let (received, stderr, code) = talk(command.spawn()?, &[initialize(), initialized, list], 2).await?;
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    let tools = received[1]["result"]["tools"].as_array().ok_or("no tools")?;
    assert!(tools.iter().all(|tool| tool["inputSchema"]["properties"]["workspace"].is_object()));
    let mut command = binary(&["--profile", "dev", "--profile", "prd"]);
    let output = command.env("HOME", home.path()).output().await?;
    let text = String::from_utf8(output.stderr)?;
    assert!(output.status.code() == Some(1) && text.contains("has no `prd` profile"), "{text}");

    let called = async |name: &str, arguments: &str| -> Result<(Option<i32>, String, String), Box<dyn Error>> {
        let mut command = binary(&both);
        let output = command.args(["--sandbox", "call", name, arguments]).output().await?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
    };
    let (code, answer, _) = called("list_catalogs", r#"{"workspace": "prod"}"#).await?;
    assert_eq!((code, &serde_json::from_str::<Value>(&answer)?["workspace"]), (Some(0), &json!("prod")));
    let (code, _, error) = called("delete_job", r#"{"workspace": "prod", "job_id": 1}"#).await?;
    assert!(code == Some(1) && error.contains("workspace `prod` is read-only on this server"), "{error}");
    Ok(())
}
