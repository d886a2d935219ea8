//! Requests with mistakes of all kinds, at random but the same in every run: each that can be read is answered once,
//! and the server goes on.

use std::collections::BTreeMap;

use databricks::{Client, Config};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex};

use crate::context::Context;
use crate::registry::{Registry, Selection};
use crate::server::Server;
use crate::shape::Budget;
use crate::transport::envelope::Envelope;
use crate::transport::stdio::open;

const ROUNDS: u32 = 3_000;

/// Requests and others that contact no workspace. `ID` stands for one of their own.
const SEEDS: [&str; 10] = [
    r#"{"jsonrpc":"2.0","id":"ID","method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":"ID","method":"resources/templates/list","params":{"cursor":"é\u00e9"}}"#,
    r#"{"method":"tools/call","params":{"name":"nothing","arguments":{"a":[{"b":1e3}],"id":"x"}},"jsonrpc":"2.0","id":"ID"}"#,
    r#"{"jsonrpc":"2.0","id":"ID","method":"tools/call","params":{"name":"nothing","_meta":{"progressToken":"\ud83d\ude00"}}}"#,
    r#"{"jsonrpc":"2.0","id":"ID","method":"resources/read","params":{"uri":"databricks://nothing/1"}}"#,
    r#"{"jsonrpc":"2.0","id":"ID","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"n","version":"1"}}}"#,
    r#"{"jsonrpc":"2.0","id":"ID","method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
    r#"{"jsonrpc":"2.0","id":"ID","result":{"a":null}}"#,
    r#"[{"jsonrpc":"2.0","id":"ID","method":"ping"}]"#,
];

/// What stands where something else should.
const PIECES: [&str; 14] = [
    "null",
    "1e400",
    "-0.5",
    "\"\\ud83d\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\",
    "\u{feff}",
    "18446744073709551616",
];

/// A line with up to three mistakes.
fn line(random: &mut Rng, number: u32) -> Vec<u8> {
    let seed = random.choice(SEEDS).unwrap_or_default();
    let mut line = seed.replace("ID", &format!("r-{number}")).into_bytes();
    for _ in 0..random.u32(0..=3) {
        let (from, to) = (random.usize(0..=line.len()), random.usize(0..=line.len()));
        let (from, to) = (from.min(to), from.max(to));
        match random.u32(0..6) {
            0 => drop(line.drain(from..to.min(from + 3))),
            1 => line.truncate(to),
            2 => line.splice(from..from, line[from..to].to_vec()).for_each(drop),
            3 => line.splice(from..to.min(from + 2), [random.u8(..)]).for_each(drop),
            4 => line.splice(from..from, std::iter::repeat_n(b'[', random.usize(0..500))).for_each(drop),
            _ => line.splice(from..to.min(from + 4), random.choice(PIECES).unwrap_or_default().bytes()).for_each(drop),
        }
    }
    line.retain(|byte| *byte != b'\n');
    line
}

/// The id of a request as far as it can be read.
fn readable_id(line: &[u8]) -> Option<String> {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let Ok(message) = serde_json::from_slice::<Value>(line) else {
        let envelope = Envelope::of(line);
        return envelope.id.filter(|_| !envelope.is_answer).map(|id| id.to_string());
    };
    let id = message.get("id").filter(|id| id.is_string() || id.is_number())?;
    let is_answer = message.get("result").is_some() || message.get("error").is_some();
    (message.get("method").is_some() || !is_answer).then(|| id.to_string())
}

#[tokio::test]
async fn every_readable_request_is_answered_once_whatever_comes_between() {
    let config = Config::new("http://127.0.0.1:9", "token").expect("a configuration");
    let context = Context::new(Client::new(config).expect("a client"), Budget::tokens(1_000), None);
    let registry = Registry::new(&Selection::default()).expect("a registry");
    let (client, server) = duplex(1 << 16);
    let (input, output) = tokio::io::split(server);
    let serving = tokio::spawn(async move {
        let mut connection = open(Server::new(registry, context), input, output);
        connection.ended().await
    });
    let (answers, mut requests) = tokio::io::split(client);

    let mut random = Rng::with_seed(11);
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    let lines: Vec<_> = (0..ROUNDS).map(|number| line(&mut random, number)).collect();
    lines.iter().filter_map(|line| readable_id(line)).for_each(|id| *expected.entry(id).or_default() += 1);
    assert!(expected.len() > 500, "the mistakes leave {} requests", expected.len());
    let writing = tokio::spawn(async move {
        for line in lines {
            requests.write_all(&line).await?;
            requests.write_all(b"\n").await?;
        }
        let last = json!({ "jsonrpc": "2.0", "id": "last", "method": "ping" });
        requests.write_all(format!("{last}\n").as_bytes()).await?;
        requests.shutdown().await
    });

    let mut answers = BufReader::new(answers).lines();
    let (mut given, mut is_alive): (BTreeMap<String, usize>, _) = (BTreeMap::new(), false);
    while let Some(answer) = answers.next_line().await.expect("it reads from memory") {
        let answer: Value = serde_json::from_str(&answer).expect("an answer is JSON");
        is_alive |= answer["id"] == "last" && answer["result"].is_object();
        *given.entry(answer["id"].to_string()).or_default() += 1;
    }
    for (id, times) in expected {
        assert_eq!(given.get(&id), Some(&times), "answers to {id}");
    }
    assert!(is_alive);
    writing.await.expect("no panic").expect("everything is written");
    serving.await.expect("no panic").expect("the server ends with its input");
}
