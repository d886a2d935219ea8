//! SQL: every row of a result, however large; what goes wrong on the way; nothing done twice.

use std::sync::Arc;
use std::time::Duration;

use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::Selection;
use databricks_sandbox::{Faults, Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::waiting::items;

type Opened = Result<(Arc<Sandbox>, Harness), Box<dyn std::error::Error>>;

/// A server of a sandbox where these faults happen.
pub(crate) async fn faulty(rules: Value) -> Opened {
    let faults = Faults::parse(&rules.to_string())?;
    beside(Options::default().with_faults(faults), &[], 6_000).await
}

/// A server with these toolsets, and its sandbox, in which time stands still.
pub(crate) async fn standing_still(toolsets: &[&str]) -> Opened {
    beside(Options::default().with_speed(Speed::Manual), toolsets, 6_000).await
}

pub(crate) async fn beside(options: Options, toolsets: &[&str], tokens: usize) -> Opened {
    let sandbox = Arc::new(Sandbox::start(options).await?);
    let toolsets = toolsets.iter().map(|name| (*name).to_owned()).collect();
    let selection = Selection { toolsets, ..Selection::default() };
    let harness = Harness::beside(&sandbox, selection, tokens, LocalRoots::default()).await?;
    Ok((sandbox, harness))
}

impl Harness {
    /// A warehouse that stands still, and in a sandbox whose time does so too, never starts.
    pub(crate) async fn stopped_warehouse(&self) -> Result<Value, Box<dyn std::error::Error>> {
        let listed = self.answer("list_warehouses", json!({})).await?;
        let stopped = items(&listed).find(|warehouse| warehouse["state"] == "STOPPED").map(|found| found["id"].clone());
        stopped.ok_or_else(|| format!("no stopped warehouse in {listed}").into())
    }

    /// The rows of a statement, over all its pages, and how many pages there were.
    async fn rows(&self, mut answer: Value) -> Result<(Vec<Value>, usize), Box<dyn std::error::Error>> {
        let id = answer["statement_id"].clone();
        let (mut rows, mut pages) = (Vec::new(), 0);
        loop {
            assert_eq!(answer["row_offset"].as_u64().unwrap_or_default(), rows.len() as u64, "no gap between pages");
            rows.extend(answer["rows"].as_array().cloned().unwrap_or_default());
            pages += 1;
            let Some(token) = answer.get("next_page_token").cloned() else { return Ok((rows, pages)) };
            answer = self.answer("get_sql_result", json!({ "statement_id": id, "page_token": token })).await?;
        }
    }

    async fn one(&self, statement: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Ok(self.answer("execute_sql", json!({ "statement": statement })).await?["rows"][0][0].clone())
    }
}

/// Numbers from 0 to 99,999, each with a text of its own.
fn hundred_thousand(text: &str) -> String {
    let digits = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))";
    let joined: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|name| format!("{digits} AS {name}(n)")).collect();
    format!(
        "SELECT n, {text} AS text FROM (SELECT a.n * 10000 + b.n * 1000 + c.n * 100 + d.n * 10 + e.n AS n FROM {}) all_of_them ORDER BY n",
        joined.join(" CROSS JOIN ")
    )
}

#[tokio::test]
async fn a_hundred_thousand_rows_come_whole_through_the_cursor() -> Outcome {
    let (_sandbox, harness) = beside(Options::default(), &[], 20_000).await?;
    let query = hundred_thousand("concat('row ', CAST(n AS STRING))");
    let answer = harness.answer("execute_sql", json!({ "statement": query })).await?;
    assert_eq!((&answer["total_rows"], &answer["truncated"]), (&json!(100_000), &json!(true)));
    let (rows, pages) = harness.rows(answer).await?;
    assert!(pages > 20, "{pages} pages");
    let expected: Vec<_> = (0..100_000).map(|number| json!([number, format!("row {number}")])).collect();
    assert!(rows == expected, "{} rows came, or others than those of the source", rows.len());
    Ok(())
}

#[tokio::test]
async fn no_row_is_lost_however_small_the_answers_are() -> Outcome {
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    for tokens in [200, 350, 500, 700, 1_000] {
        let harness = Harness::beside(&sandbox, Selection::default(), tokens, LocalRoots::default()).await?;
        let query = format!("SELECT n FROM ({}) WHERE n < 700", hundred_thousand("NULL"));
        let answer = harness.answer("execute_sql", json!({ "statement": query })).await?;
        let (rows, pages) = harness.rows(answer).await?;
        let expected: Vec<_> = (0..700).map(|number| json!([number])).collect();
        assert!(rows == expected, "{} rows in {pages} pages of {tokens} tokens", rows.len());
        assert!(pages > 1, "{tokens} tokens");
    }
    Ok(())
}

#[tokio::test]
async fn a_result_beyond_the_inline_limit_comes_whole_by_links() -> Outcome {
    let (_sandbox, harness) = beside(Options::default(), &[], 1_500_000).await?;
    let query = hundred_thousand("repeat('x', 270)");
    let answer = harness.answer("execute_sql", json!({ "statement": query, "timeout_seconds": 120 })).await?;
    assert_eq!(answer["total_rows"], 100_000);
    let (rows, pages) = harness.rows(answer).await?;
    assert!(pages > 3, "{pages} pages");
    let text = "x".repeat(270);
    let first_wrong = rows.iter().enumerate().find(|(number, row)| row[0] != *number || row[1] != text.as_str());
    assert_eq!((rows.len(), first_wrong), (100_000, None));
    let history = harness.answer("list_query_history", json!({ "fields": ["status"] })).await?;
    let states: Vec<_> = items(&history).take(2).map(|query| query["status"].clone()).collect();
    assert_eq!(states, ["FINISHED", "FAILED"], "first inline, then by links");
    Ok(())
}

#[tokio::test]
async fn a_link_that_fails_is_fetched_anew_and_no_row_is_lost() -> Outcome {
    for fault in ["truncated_body", "internal_error", "permission_denied"] {
        let (_sandbox, harness) =
            faulty(json!([{ "route": "GET /sandbox-storage/**", "fault": fault, "times": 1 }])).await?;
        let query = json!({ "statement": "SELECT order_id FROM samples.retail.orders ORDER BY order_id", "large_result": true });
        let (rows, _) = harness.rows(harness.answer("execute_sql", query).await?).await?;
        assert_eq!((rows.len(), &rows[1_499]), (1_500, &json!([1_500])), "{fault}");
        assert_eq!(harness.faults().await?[0]["hits"], 1, "{fault} was not met");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_started_anew_goes_on_where_the_last_one_was() -> Outcome {
    let (sandbox, first) = beside(Options::default(), &[], 1_000).await?;
    let query = json!({ "statement": "SELECT order_id FROM samples.retail.orders ORDER BY order_id" });
    let answer = first.answer("execute_sql", query).await?;
    let given = answer["returned"].as_u64().unwrap_or_default();
    drop(first);
    let second = Harness::beside(&sandbox, Selection::default(), 1_000, LocalRoots::default()).await?;
    let next = json!({ "statement_id": answer["statement_id"], "page_token": answer["next_page_token"] });
    let answer = second.answer("get_sql_result", next).await?;
    assert_eq!(answer["rows"][0], json!([given + 1]), "{answer}");
    Ok(())
}

#[tokio::test]
async fn results_that_are_gone_are_told_to_be() -> Outcome {
    let (sandbox, harness) = beside(Options::default(), &[], 1_000).await?;
    let query = json!({ "statement": "SELECT order_id FROM samples.retail.orders" });
    let answer = harness.answer("execute_sql", query).await?;
    sandbox.advance(Duration::from_secs(3_700));
    let next = json!({ "statement_id": answer["statement_id"], "page_token": answer["next_page_token"] });
    let refusal = harness.refusal("get_sql_result", next).await?;
    assert!(refusal.contains("is gone") && refusal.contains("run a query again"), "{refusal}");
    let refusal = harness.refusal("get_sql_result", json!({ "statement_id": "01f0-unknown" })).await?;
    assert!(refusal.contains("about an hour") && refusal.contains("`list_query_history`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_statement_whose_answer_is_lost_is_done_once_and_found_again() -> Outcome {
    let (_sandbox, harness) =
        faulty(json!([{ "route": "POST /api/2.0/sql/statements", "fault": "truncated_body", "times": 1, "after": 1 }]))
            .await?;
    harness.one("CREATE TABLE main.default.once (n INT)").await?;
    let insert = json!({ "statement": "INSERT INTO main.default.once VALUES (1)" });
    let answer = harness.answer("execute_sql", insert).await?;
    assert!(answer["statement_id"].is_string() && answer["state"] == "SUCCEEDED", "{answer}");
    assert_eq!(harness.one("SELECT count(*) FROM main.default.once").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_refusal_to_begin_is_tried_again() -> Outcome {
    let (_sandbox, harness) = faulty(
        json!([{ "route": "POST /api/2.0/sql/statements", "fault": "too_many_requests", "retry_after": 0, "times": 2 }]),
    )
    .await?;
    harness.one("CREATE TABLE main.default.again (n INT)").await?;
    harness.one("INSERT INTO main.default.again VALUES (1)").await?;
    assert_eq!(harness.one("SELECT count(*) FROM main.default.again").await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_the_service_sends_in_odd_ways_is_understood() -> Outcome {
    let query = json!({ "statement": "SELECT 7 AS n, NULL AS nothing" });
    for fault in ["int64_strings", "extra_fields"] {
        let (_sandbox, harness) = faulty(json!([{ "route": "sql.statement_execution.*", "fault": fault }])).await?;
        assert_eq!(harness.answer("execute_sql", query.clone()).await?["rows"], json!([[7, null]]), "{fault}");
    }
    // Rows that do not come are no empty result.
    let (_sandbox, harness) = faulty(json!([{ "route": "sql.statement_execution.*", "fault": "null_lists" }])).await?;
    let refusal = harness.refusal("execute_sql", query).await?;
    assert!(refusal.contains("0 of its 1 rows"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_warehouse_is_chosen_and_named_and_woken() -> Outcome {
    let harness = Harness::default().await?;
    let answer = harness.answer("execute_sql", json!({ "statement": "SELECT 1" })).await?;
    assert!(answer["warehouse_id"].is_string() && answer["warehouse_name"].is_string(), "{answer}");
    assert!(answer["elapsed_ms"].is_u64(), "{answer}");
    let stopped = harness.stopped_warehouse().await?;
    let query = json!({ "statement": "SELECT 1", "warehouse_id": stopped });
    let answer = harness.answer("execute_sql", query).await?;
    assert_eq!((&answer["rows"], &answer["warehouse_id"]), (&json!([[1]]), &stopped), "it was woken");
    let refusal = harness.refusal("execute_sql", json!({ "statement": "SELECT 1", "warehouse_id": "nothing" })).await?;
    assert!(refusal.contains("`list_warehouses`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn catalog_and_schema_say_where_names_are() -> Outcome {
    let harness = Harness::default().await?;
    let query = json!({ "statement": "SELECT count(*) FROM orders", "catalog": "samples", "schema": "retail" });
    assert_eq!(harness.answer("execute_sql", query).await?["rows"], json!([[1_500]]));
    // What would hold for a session holds for nothing here, which is told.
    for statement in ["USE CATALOG samples", "use samples.retail"] {
        let answer = harness.answer("execute_sql", json!({ "statement": statement })).await?;
        assert!(answer["hint"].to_string().contains("pass `catalog` and `schema`"), "{answer}");
    }
    harness.refusal("execute_sql", json!({ "statement": "SELECT count(*) FROM retail.orders" })).await?;
    Ok(())
}

#[tokio::test]
async fn a_statement_is_cancelled_by_its_id() -> Outcome {
    let (_sandbox, harness) = standing_still(&[]).await?;
    let query =
        json!({ "statement": "SELECT 1", "warehouse_id": harness.stopped_warehouse().await?, "timeout_seconds": 0 });
    let sent = harness.answer("execute_sql", query).await?;
    assert_eq!(sent["still_running"], true, "{sent}");
    let id = json!({ "statement_id": sent["statement_id"] });
    assert_eq!(harness.answer("cancel_sql", id.clone()).await?["state"], "CANCELED");
    let again = harness.answer("cancel_sql", id.clone()).await?;
    assert!(again["hint"].as_str().is_some_and(|hint| hint.contains("already ended")), "{again}");
    let refusal = harness.refusal("get_sql_result", id).await?;
    assert!(refusal.contains("CANCELED"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_cell_that_is_too_long_is_cut_and_told() -> Outcome {
    let harness = Harness::open(Selection::default(), 1_000).await?;
    let answer =
        harness.answer("execute_sql", json!({ "statement": "SELECT repeat('x', 9000) AS text, 2 AS n" })).await?;
    assert_eq!(answer["returned"], 1);
    let hint = answer["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("of 9000 characters") && hint.contains("shorter columns"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_lost_permission_is_named() -> Outcome {
    let (_sandbox, harness) =
        faulty(json!([{ "route": "POST /api/2.0/sql/statements", "fault": "permission_denied" }])).await?;
    let refusal = harness.refusal("execute_sql", json!({ "statement": "SELECT 1" })).await?;
    assert!(refusal.contains("PERMISSION_DENIED") && refusal.contains("lacks the permission"), "{refusal}");
    Ok(())
}
