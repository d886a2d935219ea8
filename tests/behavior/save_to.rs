//! Rows of a query as a file, on this machine or in a volume.

use std::fs;

use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::Selection;
use databricks_sandbox::{Faults, Options, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Harness, Outcome};
use crate::waiting::items;

const ORDERS: &str = "SELECT order_id, status FROM samples.retail.orders ORDER BY order_id";
const VOLUME: &str = "/Volumes/main/default/landing";

type Opened = Result<(Harness, tempfile::TempDir), Box<dyn std::error::Error>>;

async fn house_with(faults: Value, read_only: bool) -> Opened {
    let home = tempfile::tempdir()?;
    let toolsets = vec!["default".to_owned(), "files".to_owned()];
    let selection = Selection { toolsets, read_only, ..Selection::default() };
    let local = LocalRoots::open(&[home.path().to_owned()])?;
    let sandbox = Sandbox::start(Options::default().with_faults(Faults::parse(&faults.to_string())?)).await?;
    Ok((Harness::beside(&sandbox.into(), selection, 6_000, local).await?, home))
}

async fn harness() -> Opened {
    house_with(json!([]), false).await
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn all_rows_go_to_a_local_file_and_not_into_the_answer() -> Outcome {
    let (harness, home) = harness().await?;
    let call = json!({ "statement": ORDERS, "save_to": "out/orders.csv" });
    let answer = harness.answer("execute_sql", call.clone()).await?;
    let csv = fs::read_to_string(home.path().join("out/orders.csv"))?;
    let lines: Vec<_> = csv.lines().collect();
    // More rows than one chunk holds, and than one answer would.
    assert_eq!((lines.len(), lines[0]), (1_501, "order_id,status"));
    assert!(lines.iter().skip(1).zip(1..).all(|(line, id): (&&str, i32)| line.starts_with(&format!("{id},"))));
    assert_eq!((&answer["row_count"], &answer["size"]), (&json!(1_500), &json!(csv.len())), "{answer}");
    assert_eq!((&answer["sha256"], &answer["truncated"]), (&json!(sha256(csv.as_bytes())), &json!(false)));
    assert!(answer.get("rows").is_none() && answer["saved_to"].to_string().contains("orders.csv"), "{answer}");
    assert_eq!(answer["columns"][1]["name"], "status", "{answer}");

    let refusal = harness.refusal("execute_sql", call.clone()).await?;
    assert!(refusal.contains("already exists") && refusal.contains("`overwrite: true`"), "{refusal}");
    let mut again = call;
    again["overwrite"] = json!(true);
    again["row_limit"] = json!(3);
    let cut = harness.answer("execute_sql", again).await?;
    assert_eq!((&cut["row_count"], &cut["truncated"]), (&json!(3), &json!(true)), "{cut}");
    assert!(cut["hint"].to_string().contains("`row_limit`"), "{cut}");
    assert_eq!(fs::read_to_string(home.path().join("out/orders.csv"))?.lines().count(), 4);
    assert_eq!(fs::read_dir(home.path().join("out"))?.count(), 1, "no partial file stays");
    Ok(())
}

#[tokio::test]
async fn json_lines_go_to_a_volume_with_every_digit() -> Outcome {
    let (harness, _home) = harness().await?;
    let path = format!("{VOLUME}/made here/rows.jsonl");
    let statement =
        "SELECT 9007199254740993 AS n, CAST(1.50 AS DECIMAL(4,2)) AS price, NULL AS x, 'ü' AS text, true AS b";
    let call = json!({ "statement": statement, "save_to": path });
    let answer = harness.answer("execute_sql", call.clone()).await?;
    assert_eq!(answer["saved_to"], path, "{answer}");
    let file = harness.answer("read_volume_file", json!({ "path": path })).await?;
    let expected = "{\"n\":9007199254740993,\"price\":\"1.50\",\"x\":null,\"text\":\"ü\",\"b\":true}\n";
    assert_eq!(file["content"], expected);
    assert_eq!((&answer["sha256"], &answer["size"]), (&json!(sha256(expected.as_bytes())), &json!(expected.len())));
    let refusal = harness.refusal("execute_sql", call).await?;
    assert!(refusal.contains("already exists"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn what_may_only_read_saves_nothing() -> Outcome {
    let (harness, home) = harness().await?;
    let call = json!({ "statement": "SELECT 1", "save_to": "one.csv", "read_only": true, "overwrite": true });
    let refusal = harness.refusal("execute_sql", call).await?;
    assert!(refusal.contains("`save_to` writes a file") && fs::read_dir(home.path())?.count() == 0, "{refusal}");
    Ok(())
}

#[tokio::test]
async fn globs_that_would_take_the_process_are_refused() -> Outcome {
    let (harness, _home) = harness().await?;
    let braces = format!("{}a{}", "{".repeat(100_000), "}".repeat(100_000));
    for name in ["include", "exclude"] {
        let mut call = json!({ "local_path": ".", "path": VOLUME });
        call[name] = json!([braces]);
        let refusal = harness.refusal("upload_folder", call).await?;
        assert!(refusal.contains("too long") && refusal.len() < 2_000, "{refusal:.300}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_saved_is_told_before_anything_runs() -> Outcome {
    let (harness, home) = harness().await?;
    let queries = async || -> Result<usize, Box<dyn std::error::Error>> {
        let history =
            harness.answer("list_query_history", json!({ "fields": ["query_id"], "max_results": 500 })).await?;
        Ok(items(&history).count())
    };
    let before = queries().await?;
    for (path, expected) in [
        ("rows.parquet", "does not return Parquet"),
        ("rows", "`.csv`"),
        ("../rows.csv", "outside of"),
        ("/etc/rows.csv", "outside of"),
        ("/Volumes/main/rows.csv", "does not name a volume"),
        ("/Volumes/main/default/landing/../rows.csv", "`..` part"),
    ] {
        let refusal = harness.refusal("execute_sql", json!({ "statement": ORDERS, "save_to": path })).await?;
        assert!(refusal.contains(expected), "{path}: {refusal}");
    }
    let (reader, _) = house_with(json!([]), true).await?;
    let refusal = reader.refusal("execute_sql", json!({ "statement": ORDERS, "save_to": "rows.csv" })).await?;
    assert!(refusal.contains("read-only on this server"), "{refusal}");
    let bare = Harness::default().await?;
    let refusal = bare.refusal("execute_sql", json!({ "statement": ORDERS, "save_to": "rows.csv" })).await?;
    assert!(refusal.contains("`--local-root"), "{refusal}");
    assert_eq!(queries().await?, before, "a statement was run");
    assert_eq!(fs::read_dir(home.path())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_result_that_is_not_whole_leaves_no_file() -> Outcome {
    let (harness, home) =
        house_with(json!([{ "route": "GET /sandbox-storage/**", "fault": "permission_denied", "after": 1 }]), false)
            .await?;
    for path in ["orders.csv".to_owned(), format!("{VOLUME}/orders.csv")] {
        let refusal = harness.refusal("execute_sql", json!({ "statement": ORDERS, "save_to": path })).await?;
        assert!(refusal.contains("its rows did not come"), "{refusal}");
    }
    let twins = json!({ "statement": "SELECT 1 AS a, 2 AS a", "save_to": "twins.jsonl" });
    let refusal = harness.refusal("execute_sql", twins).await?;
    assert!(refusal.contains("two columns are named `a`"), "{refusal}");
    let made = json!({ "statement": "CREATE TABLE main.default.none (n INT)", "save_to": "none.csv" });
    let answer = harness.answer("execute_sql", made).await?;
    assert!(answer["hint"].to_string().contains("no file was written"), "{answer}");
    assert_eq!(fs::read_dir(home.path())?.count(), 0, "a file is left");
    let listed = harness.answer("list_volume_files", json!({ "directory_path": VOLUME })).await?;
    assert!(!listed.to_string().contains("orders.csv"), "{listed}");
    Ok(())
}

#[tokio::test]
async fn a_statement_that_goes_on_says_that_nothing_was_saved() -> Outcome {
    let (harness, home) = harness().await?;
    let call = json!({ "statement": "SELECT sandbox_sleep(30)", "save_to": "late.csv", "timeout_seconds": 0 });
    let answer = harness.answer("execute_sql", call).await?;
    assert_eq!(answer["still_running"], true, "{answer}");
    assert!(answer["hint"].to_string().contains("no file was written"), "{answer}");
    assert_eq!(fs::read_dir(home.path())?.count(), 0);
    Ok(())
}
