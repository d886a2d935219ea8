//! What people see at a terminal, and what they pass to a call.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::wire::{Outcome, Wire, binary, binary_of, request};

const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}job\u{9b}1m\u{202e}cod.exe\rfake\nline";

fn hides(text: &str) -> bool {
    let is_hiding = |letter: char| {
        (letter.is_control() && !"\n\r\t".contains(letter)) || ('\u{202a}'..='\u{202e}').contains(&letter)
    };
    text.contains(is_hiding)
}

#[tokio::test]
async fn no_name_of_a_workspace_moves_the_cursor_or_hides_text() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let mut wire = Wire::legacy(binary_of(&sandbox, &["--toolsets", "jobs"])).await?;
    let task = json!({ "task_key": "a", "notebook_task": { "notebook_path": "/Users/a" } });
    let call = |id: u32, name: &str, arguments: Value| {
        request(id, "tools/call", json!({ "name": name, "arguments": arguments }))
    };
    let made = wire.ask(&call(1, "create_job", json!({ "name": HOSTILE, "tasks": [task] }))).await?;
    let job_id = made["result"]["structuredContent"]["job_id"].clone();
    assert!(!job_id.is_null(), "{made}");
    let got = wire.ask(&call(2, "get_job", json!({ "job_id": job_id }))).await?;
    let name = got["result"]["structuredContent"]["settings"]["name"].as_str().unwrap_or_default();
    assert_eq!(name, "[2J]0;ownedjob1mcod.exe\rfake\nline", "{got}");
    let hint = got["result"]["structuredContent"]["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("control characters"), "{got}");
    let listed = wire.ask(&request(3, "resources/list", json!({}))).await?;
    assert!(listed.to_string().contains("[2J]0;ownedjob1mcod.exe fake line"), "{listed}");
    let uri = format!("databricks://jobs/{}", job_id.as_str().map_or(job_id.to_string(), str::to_owned));
    let read = wire.ask(&request(4, "resources/read", json!({ "uri": uri }))).await?;
    let text = read["result"]["contents"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("ownedjob") && !text.contains("\\u001b") && !hides(text), "{text}");
    let failed = wire.ask(&call(5, "get_job", json!({ "job_id": HOSTILE }))).await?;
    let text = failed["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("owned") && !hides(text), "{text:?}");

    let arguments = json!({ "job_id": job_id }).to_string();
    for command in [
        &["resources", "list"][..],
        &["call", "get_job", &arguments],
        &["call", "list_jobs"],
        &["resources", "read", &uri],
    ] {
        let output = binary_of(&sandbox, command).output().await?;
        let text = String::from_utf8(output.stdout)?;
        assert!(text.contains("owned") && !hides(&text), "{command:?}: {text:?}");
    }
    let output = binary_of(&sandbox, &["call", HOSTILE]).output().await?;
    let text = String::from_utf8(output.stderr)?;
    assert!(text.contains("owned") && !hides(&text), "{text:?}");
    Ok(())
}

#[tokio::test]
async fn arguments_come_from_stdin() -> Outcome {
    let mut child = binary(&["--sandbox", "call", "execute_sql", "-"]).spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    stdin.write_all(b"{\"statement\": \"SELECT 1\"}\n").await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout)?["rows"], json!([[1]]));

    for (given, words) in [("", "no arguments on stdin"), ("[1]", "not a JSON object")] {
        let mut child = binary(&["--sandbox", "call", "execute_sql", "-"]).spawn()?;
        let mut stdin = child.stdin.take().ok_or("no stdin")?;
        stdin.write_all(given.as_bytes()).await?;
        drop(stdin);
        let output = child.wait_with_output().await?;
        let text = String::from_utf8(output.stderr)?;
        assert!(output.status.code() == Some(1) && text.contains(words), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_long_resource_comes_in_parts_that_say_how_to_read_on() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let mut wire = Wire::legacy(binary_of(&sandbox, &["--max-result-tokens", "1000"])).await?;
    let source: String = (0..2_000).map(|line| format!("# line {line}: \"é\"\n")).collect();
    let arguments = json!({ "path": "/Users/long", "content": source, "language": "PYTHON" });
    let made =
        wire.ask(&request(1, "tools/call", json!({ "name": "import_notebook", "arguments": arguments }))).await?;
    assert_eq!(made["result"]["isError"], false, "{made}");
    let (mut whole, mut uri, mut parts) = (String::new(), "databricks://notebooks/Users/long".to_owned(), 0);
    loop {
        let read = wire.ask(&request(2, "resources/read", json!({ "uri": uri }))).await?;
        let contents = read["result"]["contents"].as_array().ok_or("no contents")?;
        let part = contents[0]["text"].as_str().ok_or("no text")?;
        assert!(part.chars().count() <= 3_000, "{}", part.len());
        assert_eq!(contents[0]["uri"], uri);
        whole.push_str(part);
        parts += 1;
        let Some(notice) = contents.get(1) else { break };
        uri = notice["uri"].as_str().ok_or("no uri")?.to_owned();
        let notice: Value = serde_json::from_str(notice["text"].as_str().ok_or("no notice")?)?;
        assert_eq!((&notice["truncated"], &notice["next_offset"]), (&json!(true), &json!(whole.chars().count())));
        assert_eq!(notice["hint"], format!("read the rest with `{uri}`"));
    }
    assert!(parts > 10 && whole.ends_with(source.trim_end()), "{parts} parts of {} characters", whole.len());
    let past = wire
        .ask(&request(3, "resources/read", json!({ "uri": "databricks://notebooks/Users/long?offset=9999999" })))
        .await?;
    assert!(past["error"]["message"].as_str().is_some_and(|text| text.contains("past its end")), "{past}");

    // A person gets all of it.
    let output =
        binary_of(&sandbox, &["--max-result-tokens", "1000", "resources", "read", "databricks://notebooks/Users/long"]);
    let output = { output }.output().await?;
    assert_eq!(String::from_utf8(output.stdout)?.trim_end(), whole.trim_end());
    Ok(())
}

#[tokio::test]
async fn the_audit_log_of_a_command_is_checked_by_another() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("audit.jsonl");
    let file = log.to_str().ok_or("a path that is text")?;
    for command in [&["call", "list_jobs"][..], &["call", "get_job", "{\"job_id\": 1}"], &["doctor"]] {
        binary_of(&sandbox, &[&["--audit-log", file], command].concat()).output().await?;
    }
    let verify = async || binary_of(&sandbox, &["audit", "verify", file]).output().await;
    let whole = verify().await?;
    let told = String::from_utf8(whole.stdout)?;
    // Each of the three opened it, and two made a call.
    assert!(
        whole.status.success() && told.contains(": 5 lines from ") && told.contains("the chain is intact"),
        "{told}"
    );
    let text = std::fs::read_to_string(&log)?;
    assert!(text.contains("\"databricks-mcp-server call\"") && text.contains("\"program\":\"doctor\""), "{text}");
    std::fs::write(&log, text.replace("list_jobs", "list_runs"))?;
    let broken = verify().await?;
    let told = String::from_utf8(broken.stderr)?;
    assert!(!broken.status.success() && told.contains("line 3 of the audit log"), "{told}");
    std::fs::write(&log, text.trim_end())?;
    for (command, expected) in
        [(&["call", "list_jobs"][..], "is broken"), (&["audit", "verify", "no-such-file"], "cannot read")]
    {
        let refused = binary_of(&sandbox, &[&["--audit-log", file], command].concat()).output().await?;
        assert!(!refused.status.success() && String::from_utf8(refused.stderr)?.contains(expected), "{command:?}");
    }
    let doctor = binary_of(&sandbox, &["--audit-log", file, "doctor"]).output().await?;
    let told = String::from_utf8(doctor.stdout)?;
    assert!(!doctor.status.success() && told.contains("failed   audit log") && told.contains("is broken"), "{told}");
    let stderr = binary_of(&sandbox, &["--audit-log", "-", "call", "list_jobs"]).output().await?;
    let lines = String::from_utf8(stderr.stderr)?;
    let events: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(events.len(), 2, "{lines}");
    assert_eq!((&events[0]["event"], &events[1]["tool"]), (&json!("open"), &json!("list_jobs")), "{lines}");
    Ok(())
}

#[tokio::test]
async fn a_policy_that_is_not_understood_keeps_the_server_from_starting() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let directory = tempfile::tempdir()?;
    let policy = directory.path().join("policy.yaml");
    let file = policy.to_str().ok_or("a path that is text")?;
    let run = async |command: &[&str]| {
        let output = binary_of(&sandbox, &[&["--policy", file], command].concat()).output().await?;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        Ok::<_, Box<dyn std::error::Error>>((output.status.success(), stdout + &stderr))
    };
    std::fs::write(&policy, "rules:\n- { effect: deny, tools: [list_jbs] }\n")?;
    for command in [
        &["serve"][..],
        &["call", "list_jobs"],
        &["doctor"],
        &["tools", "list"],
        &["tools", "show", "list_jobs"],
        &["resources", "list"],
        &["prompts", "list"],
    ] {
        let (is_well, told) = run(command).await?;
        assert!(!is_well && told.contains("2:27: no tool is named `list_jbs`; did you mean `list_jobs`?"), "{told}");
    }
    std::fs::write(&policy, "rules:\n- { name: no jobs, effect: deny, tools: [list_jobs] }\n")?;
    let (is_well, told) = run(&["doctor"]).await?;
    assert!(is_well && told.contains("policy") && told.contains("(rules: 1, SHA-256 "), "{told}");
    let (is_well, told) = run(&["call", "list_jobs"]).await?;
    assert!(!is_well && told.contains("does not allow `list_jobs` (`no jobs`)"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_policy_bounds_the_bytes_of_an_answer() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let directory = tempfile::tempdir()?;
    let policy = directory.path().join("policy.yaml");
    let file = policy.to_str().ok_or("a path that is text")?;
    let call = async |most: u32, tool: &str, arguments: &str| {
        std::fs::write(&policy, format!("limits: {{ answer_bytes: {most} }}\n"))?;
        let command = ["--toolsets", "all", "--policy", file, "call", tool, arguments];
        let output = binary_of(&sandbox, &command).output().await?;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        Ok::<_, Box<dyn std::error::Error>>((output.status.success(), stdout + &stderr))
    };
    let through = r#"{"operation": "list_jobs", "arguments": {}}"#;
    for (tool, arguments) in [
        ("list_jobs", "{}"),
        ("call_read_operation", through),
        ("get_cluster_events", r#"{"cluster_id": "0301-081500-etlmain1"}"#),
    ] {
        let (is_well, told) = call(50, tool, arguments).await?;
        assert!(!is_well && told.contains("50 bytes"), "{tool}: {told}");
        let (is_well, told) = call(1_000_000, tool, arguments).await?;
        assert!(is_well, "{tool}: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_command_without_a_terminal_asks_nobody() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let drop = json!({ "statement": "DROP TABLE main.default.greetings" }).to_string();
    let call = |more: &'static [&'static str]| {
        let command: Vec<_> = ["call", "execute_sql", &drop].into_iter().chain(more.iter().copied()).collect();
        binary_of(&sandbox, &command).output()
    };
    let refused = call(&[]).await?;
    let text = String::from_utf8(refused.stderr)?;
    assert!(!refused.status.success() && text.contains("drops a table") && text.contains("add `--yes`"), "{text}");
    let firm = call(&["--confirm", "write", "--protect", "main.*"]).await?;
    assert!(String::from_utf8(firm.stderr)?.contains("is protected (`--protect main.*`)"));
    assert!(call(&["--yes", "--protect", "main.*"]).await?.status.success());
    let wrong = call(&["--confirm", "always"]).await?;
    assert!(String::from_utf8(wrong.stderr)?.contains("expected `destructive`, `write` or `never`"));
    // A variable that nobody has filled in says nothing.
    let mut quiet = binary_of(&sandbox, &["call", "list_jobs"]);
    assert!(quiet.env("DATABRICKS_MCP_CONFIRM", "").env("DATABRICKS_MCP_PROTECT", "").output().await?.status.success());
    Ok(())
}
