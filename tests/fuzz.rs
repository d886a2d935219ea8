//! Texts of all kinds, bent at random, for every parser of the server that a client, a workspace or a person's file reaches: SQL
//! that may only read or is to be planned, notebooks, names, pages, the URIs of resources, completions, the lines of stdio, and
//! the files of policies and of the sandbox. Nothing may panic, hang, or end the server.
//!
//! It runs for a few seconds; `SERVER_FUZZ_SECONDS=300` makes it five minutes, and a failure tells its
//! `SERVER_FUZZ_SEED`. The parsers of the sandbox have a harness of the same form.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

use std::error::Error;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_mcp_server::transport::stdio;
use databricks_sandbox::{Faults, Options, Sandbox, Seed};
use rmcp::ServiceExt;
use rmcp::model::{ArgumentInfo, CallToolRequestParams, CompleteRequestParams, ReadResourceRequestParams, Reference};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// Statements to bend.
const SEEDS: [&str; 2] =
    [include_str!("../src/domain/sql/read_only/reads.sql"), include_str!("../src/domain/sql/read_only/attacks.sql")];

/// Notebooks to bend.
const NOTEBOOKS: [&str; 4] = [
    "# Databricks notebook source\n# MAGIC %md\n# MAGIC ## Title\n# COMMAND ----------\nprint(1)\n",
    "\u{feff}-- Databricks notebook source\r\nSELECT 1\r\n-- COMMAND ----------\r\nSELECT 2",
    r#"{"cells": [{"cell_type": "code", "source": ["1"], "outputs": [], "metadata": {}}], "metadata": {}, "nbformat": 4}"#,
    "<!DOCTYPE html><html><script>var __DATABRICKS_NOTEBOOK_MODEL = 'e30=';</script></html>",
];

/// Files to bend: policies, seeds and faults of the sandbox.
const FILES: [&str; 4] = [
    "rules:\n- { tools: [execute_sql], risk: write, effect: deny }\n- { object: { catalog: \"prod*\" }, effect: deny }\nlimits: { rows: 10 }\n",
    "rules: &a\n- effect: allow\n  toolsets: [jobs]\ndefault: *a\n",
    r#"{"catalogs": [{"name": "main", "schemas": [{"name": "a", "tables": [{"name": "t", "columns": [["id", "BIGINT"]], "rows": [[1]]}]}]}]}"#,
    r#"[{"method": "GET", "path": "/api/2.1/jobs/list", "times": 2, "fault": {"status": 503, "retry_after": 1}}]"#,
];

/// Lines to bend.
const LINES: [&str; 4] = [
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}"#,
    r#"[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}]"#,
    r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"list_jobs","arguments":{"limit":"2"},"_meta":{"progressToken":[]}}}"#,
    r#"{"jsonrpc":"2.0","id":null,"result":{"action":"accept","content":{}}}"#,
];

/// What makes a tree deeper each time that it repeats.
const LINKS: [&str; 24] = [
    "+1",
    " OR 1",
    " AND a",
    "||'x'",
    "::INT",
    " IS NULL",
    " LIKE 'x'",
    " BETWEEN 1 AND 2",
    ":b",
    ".b",
    "[0]",
    "(1)",
    " UNION ALL SELECT 1",
    " EXCEPT TABLE t",
    " JOIN t",
    " |> WHERE a",
    "(",
    "CASE WHEN 1 THEN ",
    "NOT ",
    "- ",
    "x -> ",
    "ARRAY<",
    "f(",
    "/* ",
];

const PIECES: [&str; 40] = [
    "'",
    "\"",
    "`",
    "\\",
    "--",
    "/*",
    "*/",
    ";",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    ":",
    "::",
    "?",
    "@v1",
    "|>",
    "->",
    "=>",
    "$",
    "${",
    "\n",
    "\r",
    "\0",
    "\u{212a}",
    "\u{1f389}",
    "SELECT ",
    "IDENTIFIER(",
    "INTERVAL ",
    "TABLE ",
    "EXCEPT (",
    "'\\u0041'",
    "r'",
    "1e400",
    "%2F..%2F",
    "{+x}",
];

/// A small generator: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A text that is cut, doubled, mixed with pieces, and sometimes made long.
    fn bend(&mut self, text: &str, other: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..self.below(4) {
            let at = self.below(letters.len() + 1);
            match self.below(5) {
                0 => letters.truncate(at),
                1 => letters.splice(at..at, self.of(&PIECES).chars()).for_each(drop),
                2 => letters.extend(other.chars().skip(at)),
                3 => {
                    letters.drain(at..(at + self.below(6)).min(letters.len()));
                }
                _ => {
                    let count = [10, 100, 2_000][self.below(3)];
                    letters.splice(at..at, self.of(&LINKS).repeat(count).chars()).for_each(drop);
                }
            }
        }
        letters.into_iter().collect()
    }
}

/// What becomes part of an address is no longer: a longer one tests the HTTP client, and no parser.
const LONGEST_NAME: usize = 2_000;

fn name(text: &str) -> String {
    text.chars().take(LONGEST_NAME).collect()
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn number(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_all_kinds_are_answered() -> Result<(), Box<dyn Error>> {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        usual(info);
    }));
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    let seed = number("SERVER_FUZZ_SEED").unwrap_or_else(|| u64::try_from(clock()).unwrap_or(1)).max(1);
    let until = Instant::now() + Duration::from_secs(number("SERVER_FUZZ_SECONDS").unwrap_or(3));

    let sandbox = Sandbox::start(Options::default()).await?;
    let mut config = databricks::Config::new(sandbox.url(), sandbox.token())?;
    config.limits.requests_per_second = None;
    let context = Context::new(databricks::Client::new(config)?, Budget::tokens(6_000), None);
    let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
    let server = Server::new(Registry::new(&selection)?, context);
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        if let Ok(running) = server.serve(near).await {
            let _ = running.waiting().await;
        }
    });
    let client = ().serve(far).await?;

    let seeds: Vec<_> = SEEDS.iter().flat_map(|file| file.lines()).filter(|line| !line.starts_with("# ")).collect();
    let mut random = Random(seed);
    let mut asked = 0;
    while Instant::now() < until || asked < 200 {
        let (first, second) = (random.of(&seeds), random.of(&seeds));
        let text = random.bend(first, second);
        let (tool, arguments): (_, Value) = match random.below(9) {
            0 => ("explain_query", json!({ "statement": text })),
            1 => ("get_table_schema", json!({ "full_name": name(&text) })),
            2 => ("list_jobs", json!({ "page_token": name(&text) })),
            3 => ("get_job", json!({ "job_id": name(&text), "fields": [text] })),
            // No such warehouse: what passes the guard is not run.
            4 => ("execute_sql", json!({ "statement": text, "read_only": true, "warehouse_id": "none" })),
            5 => {
                let source = random.of(&NOTEBOOKS);
                let content = random.bend(source, &text);
                ("import_notebook", json!({ "path": "/Shared/fuzz", "content": content, "overwrite": true }))
            }
            6 => {
                let file = random.of(&FILES);
                read_files(&random.bend(file, &text))?;
                assert_eq!(PANICS.load(Ordering::SeqCst), 0, "SERVER_FUZZ_SEED={seed}: a file that panics");
                asked += 1;
                continue;
            }
            7 => {
                let reference = Reference::for_resource("databricks://tables/{full_name}");
                let argument = ArgumentInfo::new("full_name", name(&text));
                let asking = client.complete(CompleteRequestParams::new(reference, argument));
                let answered = tokio::time::timeout(Duration::from_secs(60), asking).await;
                assert!(answered.is_ok(), "SERVER_FUZZ_SEED={seed}: no completion of {text}");
                asked += 1;
                continue;
            }
            _ => {
                let uri = format!("databricks://{}", name(&random.bend("tables/samples.retail.orders", &text)));
                let read = client.read_resource(ReadResourceRequestParams::new(uri.clone()));
                let answered = tokio::time::timeout(Duration::from_secs(60), read).await;
                assert!(answered.is_ok(), "SERVER_FUZZ_SEED={seed}: no answer for {uri}");
                asked += 1;
                continue;
            }
        };
        let Value::Object(arguments) = arguments else { continue };
        let call = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments));
        let answered = tokio::time::timeout(Duration::from_secs(60), call).await;
        assert!(answered.is_ok(), "SERVER_FUZZ_SEED={seed}: no answer of {tool} for {text}");
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "SERVER_FUZZ_SEED={seed}: {tool} panics for {text}");
        asked += 1;
    }
    assert!(!client.list_all_tools().await?.is_empty(), "SERVER_FUZZ_SEED={seed}: the server is gone");
    lines_of_all_kinds(&mut random, &seeds, seed).await
}

/// Reads a text as every file that a person writes. Most are refused, some are read.
fn read_files(text: &str) -> Result<(), Box<dyn Error>> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    drop(Registry::load_policy(file.path()));
    drop(Seed::parse(text));
    drop(Faults::parse(text));
    Ok(())
}

/// Lines on stdin: whatever came before, the server answers the request that follows.
async fn lines_of_all_kinds(random: &mut Random, seeds: &[&str], seed: u64) -> Result<(), Box<dyn Error>> {
    let context = Context::new(databricks::Client::new(databricks::Config::default())?, Budget::tokens(6_000), None);
    let server = Server::new(Registry::new(&Selection::default())?, context);
    let (mut input, far_input) = tokio::io::duplex(1 << 16);
    let (output, far_output) = tokio::io::duplex(1 << 16);
    let _connection = stdio::open(server, far_input, far_output);
    let mut answers = BufReader::new(output).lines();
    for number in 0..100 {
        let (line, other) = (random.of(&LINES), random.of(seeds));
        let line = random.bend(line, other).replace('\n', " ");
        let asked = format!("{line}\n{{\"jsonrpc\":\"2.0\",\"id\":\"after-{number}\",\"method\":\"ping\"}}\n");
        let answered = async {
            tokio::try_join!(input.write_all(asked.as_bytes()), async {
                while let Some(answer) = answers.next_line().await? {
                    if answer.contains(&format!("\"after-{number}\"")) {
                        return Ok(());
                    }
                }
                Err(std::io::Error::other("the server is gone"))
            })
        };
        let answered = tokio::time::timeout(Duration::from_secs(60), answered).await;
        assert!(matches!(answered, Ok(Ok(_))), "SERVER_FUZZ_SEED={seed}: no answer after {line}");
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "SERVER_FUZZ_SEED={seed}: panics for {line}");
    }
    Ok(())
}
