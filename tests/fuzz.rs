//! Texts of all kinds, bent at random, for every parser of the server that a client or workspace reaches: SQL that may
//! only read or is to be planned, notebooks, names, pages, and the URIs of resources. Nothing may panic, hang, or end the server.
//!
//! It runs for a few seconds; `SERVER_FUZZ_SECONDS=300` makes it five minutes, and a failure tells its
//! `SERVER_FUZZ_SEED`. The parsers of the sandbox have a harness of the same form.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, ReadResourceRequestParams};
use serde_json::{Value, json};

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
        let (tool, arguments): (_, Value) = match random.below(7) {
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
    Ok(())
}
