//! Sessions of the revisions before 2026-07-28: ids, streams that break, and what an idle one costs.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::header::{ACCEPT, HeaderValue};
use serde_json::{Value, json};

use crate::house::{Failure, House, Outcome, PATIENCE, answer, call, initialize, request, until};

/// A statement that takes its time.
const SLOW: &str = "SELECT count(*) FROM range(100000) a CROSS JOIN range(100000) b WHERE a.id * b.id % 7 = 3";

async fn begin(house: &House) -> Result<HeaderValue, Failure> {
    let begun = house.post(initialize()).send().await?;
    assert_eq!(begun.status(), 200);
    let session = begun.headers()["mcp-session-id"].clone();
    assert_eq!(answer(begun).await?["result"]["protocolVersion"], "2025-11-25");
    Ok(session)
}

fn slow(id: u64) -> Value {
    call(id, "execute_sql", json!({ "statement": SLOW, "timeout_seconds": 300 }))
}

/// How many statements run in the workspace.
async fn running(house: &House) -> Result<usize, Failure> {
    let history = house.direct("/api/2.0/sql/history/queries?max_results=50").await?;
    let is_running = |query: &&Value| query["status"] == "RUNNING";
    Ok(history["res"].as_array().into_iter().flatten().filter(is_running).count())
}

#[tokio::test]
async fn an_id_has_one_request_at_a_time() -> Outcome {
    let house = House::open("").await?;
    let (session, other) = (begin(&house).await?, begin(&house).await?);
    let post = |session: &HeaderValue, body: Value| house.post(body).header("mcp-session-id", session).send();
    let first = tokio::spawn(post(&session, slow(7)));
    until("the statement runs", || async { Ok(running(&house).await? == 1) }).await?;
    let second = post(&session, call(7, "list_jobs", json!({}))).await?;
    assert_eq!(second.status(), 400);
    let told = answer(second).await?;
    assert_eq!((&told["id"], &told["error"]["code"]), (&json!(7), &json!(-32600)), "{told}");
    assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains("id `7` is under way")), "{told}");
    // It is another request for anybody else, and text is another id than a number.
    for (session, id) in [(&other, json!(7)), (&session, json!("7"))] {
        let mut list = call(0, "list_jobs", json!({}));
        list["id"] = id.clone();
        let listed = answer(post(session, list).await?).await?;
        assert!(listed["id"] == id && listed["result"]["isError"] == false, "{listed}");
    }
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    assert_eq!(post(&session, cancelled).await?.status(), 202);
    // A cancelled request has no answer, and its id is free again.
    let streamed = first.await??.text().await?;
    assert!(!streamed.contains("\"result\"") && !streamed.contains("\"error\""), "{streamed}");
    until("the statement is cancelled", || async { Ok(running(&house).await? == 0) }).await?;
    until("the id is free", || async { Ok(post(&session, call(7, "list_jobs", json!({}))).await?.status() == 200) })
        .await
}

#[tokio::test]
async fn a_stream_that_broke_is_found_again() -> Outcome {
    let house = House::open("").await?;
    let session = begin(&house).await?;
    let job = house.call("list_jobs", json!({ "limit": 1 })).await?["items"][0]["job_id"].clone();
    let mut run = call(1, "run_job_now", json!({ "job_id": job, "wait": true, "timeout_seconds": 60 }));
    run["params"]["_meta"] = json!({ "progressToken": "p" });
    let response = house.post(run).header("mcp-session-id", &session).send().await?;
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    while !text.contains("notifications/progress") {
        let more = tokio::time::timeout(PATIENCE, stream.next()).await?.ok_or("the stream ended")??;
        text.push_str(std::str::from_utf8(&more)?);
    }
    drop(stream);
    let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("id:")).map(str::trim).collect();
    assert!(ids.len() >= 2 && text.starts_with(&format!("id: {}\nretry: 3000\ndata: \n\n", ids[0])), "{text}");
    let resume = |id: &str| {
        let get = house.http.get(house.url("/mcp")).header(ACCEPT, "text/event-stream");
        get.header("mcp-session-id", &session).header("last-event-id", id).send()
    };
    let rest = resume(ids.last().ok_or("no id")?).await?.text().await?;
    assert!(rest.contains("\"run_id\"") && rest.contains("\"id\":1"), "{rest}");
    for line in text.lines().filter(|line| line.starts_with("data: {")) {
        assert!(!rest.contains(line), "it came twice: {line}");
    }
    // Somebody who has everything has nothing to come back for.
    until("the answer is not kept", || async { Ok(resume(ids[0]).await?.text().await?.is_empty()) }).await?;
    let stray = resume("99-1").await?;
    assert_eq!((stray.status().as_u16(), stray.text().await?.as_str()), (200, ""));
    Ok(())
}

#[tokio::test]
async fn a_call_counts_as_long_as_it_runs_whether_or_not_its_client_listens() -> Outcome {
    let house = House::open("--max-calls 1").await?;
    let session = begin(&house).await?;
    let post = |body: Value| house.post(body).header("mcp-session-id", &session).send();
    let lost = tokio::spawn(post(slow(1)));
    until("the statement runs", || async { Ok(running(&house).await? == 1) }).await?;
    lost.abort();
    drop(lost.await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(post(call(2, "list_jobs", json!({}))).await?.status(), 429);
    assert_eq!(running(&house).await?, 1, "in a session, a broken stream cancels nothing");
    let ended = house.http.delete(house.url("/mcp")).header("mcp-session-id", &session).send().await?;
    assert_eq!(ended.status(), 204);
    until("the end of the session cancels it", || async { Ok(running(&house).await? == 0) }).await?;
    until("there is room again", || async {
        Ok(house.post(request(1, "tools/list", json!({}))).send().await?.status() == 200)
    })
    .await
}

#[tokio::test]
async fn a_client_says_only_so_much_of_itself() -> Outcome {
    let house = House::open("").await?;
    let mut long = initialize();
    long["params"]["clientInfo"]["name"] = "x".repeat(100 << 10).into();
    let refused = house.post(long).send().await?;
    assert!(refused.status() == 400 && refused.headers().get("mcp-session-id").is_none());
    assert!(answer(refused).await?["error"]["message"].as_str().is_some_and(|text| text.contains("at most")));
    Ok(())
}
