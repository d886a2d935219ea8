//! A client that does not read what the server writes.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::wire::{Outcome, PATIENCE, Wire, binary, binary_of, request};

#[tokio::test]
async fn unread_logs_stop_nothing_and_are_counted() -> Outcome {
    // More than a pipe and the queue of the log hold.
    const REQUESTS: usize = 4_000;
    let mut wire = Wire::legacy(binary(&[])).await?;
    for id in 0..REQUESTS {
        let answer = wire.ask(&request(id, "nothing/at_all", json!({}))).await?;
        assert_eq!(answer["id"], id);
    }
    let (code, stderr) = wire.end().await?;
    assert_eq!(code, Some(0));
    let (lines, notices): (Vec<_>, Vec<_>) = stderr.lines().partition(|line| !line.contains("were dropped"));
    let dropped: usize = notices.iter().filter_map(|line| line.split(' ').next()?.parse::<usize>().ok()).sum();
    assert!(dropped > 0, "{} lines", lines.len());
    assert!(lines.len() + dropped >= REQUESTS, "{} lines and {dropped} dropped", lines.len());
    Ok(())
}

/// The most memory that a process has had, in MiB.
#[cfg(target_os = "linux")]
fn peak_memory(id: Option<u32>) -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", id.ok_or("it has ended")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? / 1_024)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn unread_answers_take_little_memory_and_none_is_lost() -> Outcome {
    // Their answers would be over 100 MiB.
    const REQUESTS: usize = 3_000;
    let mut wire = Wire::legacy(binary(&[])).await?;
    let before = peak_memory(wire.child.id())?;
    let mut stdin = wire.stdin;
    let writing = tokio::spawn(async move {
        for id in 1..=REQUESTS {
            stdin.write_all(format!("{}\n", request(id, "tools/list", json!({}))).as_bytes()).await?;
        }
        Ok::<_, std::io::Error>(stdin)
    });
    // The server reads no more while its answers are not read, so a part of the requests waits in the pipe.
    let mut writing = Box::pin(writing);
    assert!(timeout(Duration::from_secs(5), &mut writing).await.is_err(), "all requests were read");
    let mut ids = std::collections::BTreeSet::new();
    while ids.len() < REQUESTS {
        let line = timeout(PATIENCE, wire.stdout.next_line()).await??.ok_or("stdout ended early")?;
        let answer: Value = serde_json::from_str(&line)?;
        assert!(answer["result"]["tools"].is_array(), "{line:.200}");
        assert!(ids.insert(answer["id"].as_u64()), "twice: {}", answer["id"]);
    }
    let after = peak_memory(wire.child.id())?;
    assert!(after - before < 64, "{before} MiB, then {after} MiB");
    drop(writing.await??);
    Ok(())
}

/// Each of 4 million objects takes 9 bytes on the wire, and 100 times as much as a value in memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_long_answer_of_small_items_takes_little_memory() -> Outcome {
    const BODY: usize = 32 << 20;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut command = binary(&[]);
    command.env("DATABRICKS_HOST", format!("http://{}", listener.local_addr()?)).env("DATABRICKS_TOKEN", "dapi-test");
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let body = format!("{{\"jobs\":[{}{{}}]}}", "{\"a\":0},".repeat(BODY / 8));
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await?;
        // The server may have had enough of it.
        let _ = stream.write_all(body.as_bytes()).await;
        Ok::<_, std::io::Error>(stream)
    });
    let mut wire = Wire::legacy(command).await?;
    let before = peak_memory(wire.child.id())?;
    let answer = wire.ask(&request(1, "tools/call", json!({ "name": "list_jobs", "arguments": {} }))).await?;
    let text = answer["result"]["content"][0]["text"].as_str().ok_or("no text")?;
    assert!(text.contains("memory") && text.contains("hint: ask for less"), "{answer}");
    let after = peak_memory(wire.child.id())?;
    assert!(after - before < 128, "{before} MiB, then {after} MiB: {answer}");
    drop(answering.await??);
    Ok(())
}

#[tokio::test]
async fn a_broken_stdout_ends_the_server_and_undoes_what_runs() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let mut wire = Wire::legacy(binary_of(&sandbox, &[])).await?;
    let call = |id: u32, name: &str, arguments: Value| {
        let params = json!({ "name": name, "arguments": arguments, "_meta": { "progressToken": id } });
        request(id, "tools/call", params)
    };
    let source = json!({ "path": "/Users/slow", "content": "import time\ntime.sleep(3600)\n", "language": "PYTHON" });
    wire.ask(&call(1, "import_notebook", source)).await?;
    wire.send(&call(2, "run_notebook", json!({ "notebook_path": "/Users/slow" }))).await?;
    let run_id = loop {
        let state = wire.next().await?["params"]["message"].as_str().ok_or("no progress")?.to_owned();
        if state.contains("RUNNING") {
            break state.split([' ', ':']).nth(1).ok_or("no id")?.to_owned();
        }
    };
    let Wire { mut child, mut stdin, stdout } = wire;
    drop(stdout);
    stdin.write_all(format!("{}\n", request(3, "ping", json!({}))).as_bytes()).await?;
    // Its input is still open.
    let status = timeout(PATIENCE, child.wait()).await??;
    let mut stderr = String::new();
    child.stderr.take().ok_or("no stderr")?.read_to_string(&mut stderr).await?;
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    drop(stdin);

    let mut wire = Wire::legacy(binary_of(&sandbox, &[])).await?;
    let answer = wire.ask(&call(1, "get_run", json!({ "run_id": run_id }))).await?;
    assert_eq!(answer["result"]["structuredContent"]["state"]["result_state"], "CANCELED", "{answer}");
    Ok(())
}

/// A server whose workspace takes connections and answers nothing.
async fn silent() -> Result<(Wire, tokio::net::TcpListener), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut command = binary(&[]);
    command.env("DATABRICKS_HOST", format!("http://{}", listener.local_addr()?)).env("DATABRICKS_TOKEN", "dapi-test");
    Ok((Wire::legacy(command).await?, listener))
}

#[tokio::test]
async fn pings_and_cancellations_do_not_wait_behind_a_thousand_calls() -> Outcome {
    const CALLS: u64 = 1_000;
    let (mut wire, _listener) = silent().await?;
    for id in 1..=CALLS {
        wire.send(&request(id, "tools/call", json!({ "name": "list_jobs", "arguments": {} }))).await?;
    }
    // One that has not come to its turn.
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": CALLS } });
    wire.send(&cancel).await?;
    let answer = wire.ask(&request("ping", "ping", json!({}))).await?;
    assert_eq!(answer["id"], "ping", "{answer}");
    drop(wire.stdin);
    let mut answered = std::collections::BTreeSet::new();
    while let Some(line) = timeout(PATIENCE, wire.stdout.next_line()).await?? {
        let answer: Value = serde_json::from_str(&line)?;
        assert!(answered.insert(answer["id"].as_u64()), "twice: {answer}");
    }
    assert!(answered.iter().copied().eq((1..CALLS).map(Some)), "{} answers", answered.len());
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn calls_of_many_megabytes_wait_for_each_other() -> Outcome {
    const CALLS: u32 = 12;
    let (mut wire, _listener) = silent().await?;
    let before = peak_memory(wire.child.id())?;
    let mut stdin = wire.stdin;
    let writing = tokio::spawn(async move {
        for id in 1..=CALLS {
            let statement = format!("SELECT 1 -- {}", "y".repeat(30 << 20));
            let arguments = json!({ "statement": statement, "warehouse_id": "w" });
            let call = request(id, "tools/call", json!({ "name": "execute_sql", "arguments": arguments }));
            stdin.write_all(format!("{call}\n").as_bytes()).await?;
        }
        stdin.write_all(format!("{}\n", request("ping", "ping", json!({}))).as_bytes()).await?;
        Ok::<_, std::io::Error>(stdin)
    });
    let mut refused = 0;
    loop {
        let answer: Value =
            serde_json::from_str(&timeout(PATIENCE, wire.stdout.next_line()).await??.ok_or("stdout ended early")?)?;
        if answer["id"] == "ping" {
            break;
        }
        let text = answer.to_string();
        if text.contains("as much memory as they may") {
            assert!(text.contains("send this one again"), "{text:.300}");
            refused += 1;
        }
    }
    assert!(refused > 0);
    let after = peak_memory(wire.child.id())?;
    assert!(after - before < 768, "{before} MiB, then {after} MiB");
    drop(writing.await??);
    Ok(())
}

/// A call that a workspace keeps waiting: the server, its client's request, and what holds the connection.
async fn held() -> Result<(Wire, tokio::net::TcpStream), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut command = binary(&[]);
    command.env("DATABRICKS_HOST", format!("http://{}", listener.local_addr()?)).env("DATABRICKS_TOKEN", "dapi-test");
    let mut wire = Wire::legacy(command).await?;
    wire.send(&request(7, "tools/call", json!({ "name": "list_jobs", "arguments": {} }))).await?;
    let (connection, _) = timeout(PATIENCE, listener.accept()).await??;
    Ok((wire, connection))
}

#[tokio::test]
async fn a_call_is_answered_also_where_the_input_ends_before_it() -> Outcome {
    let (mut wire, _connection) = held().await?;
    drop(wire.stdin);
    let line = timeout(PATIENCE, wire.stdout.next_line()).await??.ok_or("no answer")?;
    let answer: Value = serde_json::from_str(&line)?;
    assert_eq!(answer["id"], 7, "{answer}");
    assert!(answer.to_string().contains("the server"), "{answer}");
    assert_eq!(timeout(PATIENCE, wire.child.wait()).await??.code(), Some(0));
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_call_is_answered_also_where_a_signal_ends_the_server() -> Outcome {
    for signal in ["TERM", "INT", "HUP"] {
        for _ in 0..3 {
            let (mut wire, _connection) = held().await?;
            let id = wire.child.id().ok_or("it has ended")?.to_string();
            let kill = tokio::process::Command::new("kill").args(["-s", signal, &id]).status().await?;
            assert!(kill.success());
            let answer = wire.next().await?;
            assert!(answer["id"] == 7 && answer.to_string().contains("the server is stopping"), "{signal}: {answer}");
            assert_eq!(timeout(PATIENCE, wire.child.wait()).await??.code(), Some(0), "{signal}");
        }
    }
    Ok(())
}
