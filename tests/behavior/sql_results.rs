//! Results of every shape, cursors that are not theirs, and statements that get out of sight.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use databricks_sandbox::Options;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::{beside, faulty, standing_still};
use crate::waiting::items;

const ORDERS: &str = "SELECT order_id FROM samples.retail.orders ORDER BY order_id";
const STATEMENTS: &str = "POST /api/2.0/sql/statements";

/// A statement that succeeded with this one row.
fn succeeded(columns: &[(&str, &str)], row: &Value) -> Value {
    let columns: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(at, (kind, text))| json!({ "name": format!("c{at}"), "type_name": kind, "type_text": text, "position": at }))
        .collect();
    json!({
        "statement_id": "01f0-scripted", "status": { "state": "SUCCEEDED" },
        "manifest": {
            "format": "JSON_ARRAY", "schema": { "column_count": columns.len(), "columns": columns },
            "total_chunk_count": 1, "chunks": [{ "chunk_index": 0, "row_offset": "0", "row_count": "1" }],
            "total_row_count": "1", "truncated": false,
        },
        "result": { "chunk_index": 0, "row_offset": 0, "row_count": 1, "data_array": [row] },
    })
}

/// Always this answer to a new statement.
fn answering(statement: Value) -> impl Fn(&str, &str) -> Option<Value> {
    move |request: &str, _: &str| request.starts_with(STATEMENTS).then(|| statement.clone())
}

async fn statuses(harness: &Harness) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let history = harness.answer("list_query_history", json!({ "fields": ["status"], "limit": 500 })).await?;
    Ok(items(&history).map(|query| query["status"].clone()).collect())
}

#[tokio::test]
async fn values_keep_what_their_types_can_hold() -> Outcome {
    let columns = [
        ("LONG", "BIGINT"),
        ("DECIMAL", "DECIMAL(38,18)"),
        ("DOUBLE", "DOUBLE"),
        ("DOUBLE", "DOUBLE"),
        ("INTERVAL", "INTERVAL DAY TO SECOND"),
        ("BINARY", "BINARY"),
        ("VARIANT", "VARIANT"),
        ("TIMESTAMP", "TIMESTAMP"),
        ("ARRAY", "ARRAY<STRUCT<a: BIGINT>>"),
        ("MAP", "MAP<STRING, DECIMAL(4,2)>"),
        ("STRING", "STRING"),
        ("NULL", "VOID"),
    ];
    let row = json!([
        "-9223372036854775808",
        "0.100000000000000000",
        "-Infinity",
        "1.5E300",
        "1 02:03:04.000000000",
        "AAH/",
        "{\"a\":1.10}",
        "2026-01-31T10:00:00.000-08:00",
        "[{\"a\":9007199254740993}]",
        "{\"k\":1.10}",
        "null",
        null,
    ]);
    let harness = Harness::scripted(answering(succeeded(&columns, &row))).await?;
    let answer = harness.answer("execute_sql", json!({ "statement": "SELECT 1" })).await?;
    assert_eq!(
        answer["rows"][0],
        json!([
            "-9223372036854775808", "0.100000000000000000", "-Infinity", 1.5e300, "1 02:03:04.000000000", "AAH/",
            "{\"a\":1.10}", "2026-01-31T10:00:00.000-08:00", [{ "a": "9007199254740993" }], "{\"k\":1.10}", "null", null,
        ])
    );
    assert_eq!((&answer["total_rows"], &answer["columns"][4]["type"]), (&json!(1), &json!("INTERVAL DAY TO SECOND")));
    Ok(())
}

#[tokio::test]
async fn results_without_rows_columns_or_names_of_their_own_are_told_as_they_are() -> Outcome {
    let harness = Harness::default().await?;
    let run = async |sql: &str| harness.answer("execute_sql", json!({ "statement": sql })).await;
    let twins = run("SELECT 1 AS a, 2 AS a, NULL AS x, 'null' AS y").await?;
    let names: Value = twins["columns"].as_array().into_iter().flatten().map(|column| column["name"].clone()).collect();
    assert_eq!((names, &twins["rows"]), (json!(["a", "a", "x", "y"]), &json!([[1, 2, null, "null"]])));
    let made = run("CREATE TABLE main.default.shapes (n INT)").await?;
    assert_eq!((&made["state"], &made["columns"], &made["rows"]), (&json!("SUCCEEDED"), &json!([]), &json!([])));
    let written = run("INSERT INTO main.default.shapes VALUES (1), (2)").await?;
    assert_eq!((&written["columns"][0]["name"], &written["rows"][0][0]), (&json!("num_affected_rows"), &json!(2)));
    let none = run("SELECT n FROM main.default.shapes WHERE n > 2").await?;
    assert_eq!((&none["total_rows"], &none["rows"], &none["truncated"]), (&json!(0), &json!([]), &json!(false)));
    assert_eq!(none["columns"], json!([{ "name": "n", "type": "INT" }]));
    Ok(())
}

#[tokio::test]
async fn a_limit_that_cuts_is_told() -> Outcome {
    let harness = Harness::default().await?;
    let answer = harness.answer("execute_sql", json!({ "statement": ORDERS, "row_limit": 2 })).await?;
    assert_eq!((&answer["rows"], &answer["truncated"]), (&json!([[1], [2]]), &json!(true)));
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("`row_limit`")), "{answer}");
    assert!(answer.get("next_page_token").is_none(), "there is nothing more: {answer}");
    Ok(())
}

#[tokio::test]
async fn a_result_too_wide_for_an_answer_keeps_its_rows_and_says_which_columns_it_shows() -> Outcome {
    let harness = Harness::default().await?;
    let columns: Vec<_> = (0..1_000).map(|number| format!("n + {number} AS column_number_{number}")).collect();
    let query = format!("SELECT {} FROM (VALUES (1), (2), (3)) t(n) ORDER BY n", columns.join(", "));
    let mut answer = harness.answer("execute_sql", json!({ "statement": query })).await?;
    let mut rows = Vec::new();
    loop {
        let size = answer.to_string().chars().count();
        assert!(size < 18_500, "{size} characters");
        let shown = answer["columns"].as_array().map_or(0, Vec::len);
        assert!(
            shown > 100 && answer["hint"].to_string().contains(&format!("first {shown} of 1000 columns")),
            "{answer}"
        );
        assert_eq!(answer["truncated"], true);
        for row in answer["rows"].as_array().into_iter().flatten() {
            assert_eq!(row.as_array().map(Vec::len), Some(shown), "a cell for each column that is shown");
            rows.push(row[0].clone());
        }
        let Some(token) = answer.get("next_page_token") else { break };
        let next = json!({ "statement_id": answer["statement_id"], "page_token": token });
        answer = harness.answer("get_sql_result", next).await?;
    }
    assert_eq!(rows, [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn cells_of_megabytes_are_cut_one_by_one_and_no_row_is_lost() -> Outcome {
    let harness = Harness::default().await?;
    let query = "SELECT n, repeat('x', 5000000) AS text FROM (VALUES (1), (2)) t(n) ORDER BY n";
    let mut answer = harness.answer("execute_sql", json!({ "statement": query })).await?;
    let mut rows = Vec::new();
    loop {
        assert!(answer["hint"].to_string().contains("of 5000000 characters"), "{}", answer["hint"]);
        rows.extend(answer["rows"].as_array().into_iter().flatten().map(|row| row[0].clone()));
        let Some(token) = answer.get("next_page_token") else { break };
        let next = json!({ "statement_id": answer["statement_id"], "page_token": token });
        answer = harness.answer("get_sql_result", next).await?;
    }
    assert_eq!(rows, [1, 2]);
    Ok(())
}

#[tokio::test]
async fn a_map_of_thousands_of_keys_is_cut_beside_the_other_cells() -> Outcome {
    let map: serde_json::Map<_, _> = (0..5_000).map(|at| (format!("key{at}"), json!("value"))).collect();
    let row = json!([Value::Object(map).to_string(), "7"]);
    let harness =
        Harness::scripted(answering(succeeded(&[("MAP", "MAP<STRING, STRING>"), ("INT", "INT")], &row))).await?;
    let answer = harness.answer("execute_sql", json!({ "statement": "SELECT 1" })).await?;
    assert!(answer.to_string().chars().count() <= 18_000, "{}", answer["hint"]);
    let kept = answer["rows"][0][0].as_object().map_or(0, serde_json::Map::len);
    assert!(kept > 100 && answer["rows"][0][1] == 7, "{kept} keys");
    assert!(answer["hint"].to_string().contains(&format!("[0]: {kept} of 5000 fields")), "{}", answer["hint"]);
    Ok(())
}

#[tokio::test]
async fn a_cursor_leads_nowhere_but_on_in_its_own_statement() -> Outcome {
    let (_sandbox, harness) = beside(Options::default(), &[], 1_000).await?;
    let first = harness.answer("execute_sql", json!({ "statement": ORDERS })).await?;
    let other = harness.answer("execute_sql", json!({ "statement": ORDERS })).await?;
    let token = first["next_page_token"].as_str().ok_or("no token")?;
    let next = |id: &Value, token: &str| json!({ "statement_id": id, "page_token": token });
    let refusal = harness.refusal("get_sql_result", next(&other["statement_id"], token)).await?;
    assert!(
        refusal.contains("does not belong to statement") && refusal.contains("the answer that it came from"),
        "{refusal}"
    );
    let cursor: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token)?)?;
    for (field, value) in [
        ("p", json!("-1")),
        ("p", json!("4000:0")),
        ("p", json!("0:-1")),
        ("p", json!("x")),
        ("s", json!(900_000)),
        ("o", Value::Null),
    ] {
        let mut cursor = cursor.clone();
        cursor[field] = value;
        let tampered = URL_SAFE_NO_PAD.encode(cursor.to_string());
        let refusal = harness.refusal("get_sql_result", next(&first["statement_id"], &tampered)).await?;
        assert!(refusal.contains("`page_token` was not issued by this server"), "{cursor}: {refusal}");
    }
    let list = harness.answer("list_job_runs", json!({ "limit": 1 })).await?;
    let foreign = list["next_page_token"].as_str().ok_or("no token")?;
    let refusal = harness.refusal("get_sql_result", next(&first["statement_id"], foreign)).await?;
    assert!(refusal.contains("`page_token`"), "{refusal}");
    let answer = harness.answer("get_sql_result", next(&first["statement_id"], token)).await?;
    assert_eq!(answer["row_offset"], first["returned"]);
    Ok(())
}

#[tokio::test]
async fn a_result_that_is_closed_is_no_reason_to_run_a_write_again() -> Outcome {
    let closed = json!({ "statement_id": "01f0-scripted", "status": { "state": "CLOSED" } });
    let harness = Harness::scripted(answering(closed)).await?;
    let refusal = harness.refusal("execute_sql", json!({ "statement": "DELETE FROM t" })).await?;
    assert!(refusal.contains("statement `01f0-scripted` succeeded") && refusal.contains("is gone"), "{refusal}");
    assert!(refusal.contains("run a query again") && refusal.contains("already taken effect"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_state_that_nobody_knows_is_no_end() -> Outcome {
    let (_sandbox, harness) =
        faulty(json!([{ "route": "sql.statement_execution.get_statement", "fault": "unknown_enums", "times": 1 }]))
            .await?;
    let query = json!({ "statement": "SELECT sandbox_sleep(1)", "timeout_seconds": 0 });
    let answer = harness.answer("execute_sql", query).await?;
    let id = json!({ "statement_id": answer["statement_id"] });
    let answer = harness.answer("get_sql_result", id).await?;
    assert_eq!((&answer["state"], &answer["returned"]), (&json!("SUCCEEDED"), &json!(1)), "{answer}");
    assert_eq!(harness.faults().await?[0]["hits"], 1);
    Ok(())
}

#[tokio::test]
async fn a_statement_out_of_sight_is_named() -> Outcome {
    let polls = "GET /api/2.0/sql/statements/*";
    let (_sandbox, harness) = faulty(json!([{ "route": polls, "fault": "permission_denied" }])).await?;
    let query = json!({ "statement": "SELECT sandbox_sleep(25)", "timeout_seconds": 3 });
    let refusal = harness.refusal("execute_sql", query).await?;
    let history = harness.answer("list_query_history", json!({ "fields": ["query_id", "status"] })).await?;
    let query = items(&history).next().ok_or("no query")?;
    assert!(refusal.contains(query["query_id"].as_str().ok_or("no id")?), "{refusal}");
    assert!(refusal.contains("`get_sql_result`") && refusal.contains("`cancel_sql`"), "{refusal}");
    for tool in ["get_sql_result", "cancel_sql"] {
        let refusal = harness.refusal(tool, json!({ "statement_id": query["query_id"] })).await?;
        assert!(refusal.contains("PERMISSION_DENIED") && refusal.contains("permission"), "{tool}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_do_not_come_need_no_second_run() -> Outcome {
    let fault = json!({ "route": "GET /sandbox-storage/**", "fault": "permission_denied" });
    let (_sandbox, harness) = faulty(json!([fault])).await?;
    let before = statuses(&harness).await?.len();
    let refusal = harness.refusal("execute_sql", json!({ "statement": ORDERS, "large_result": true })).await?;
    assert!(refusal.contains("succeeded, but its rows did not come"), "{refusal}");
    assert!(refusal.contains("`get_sql_result`") && refusal.contains("need not run again"), "{refusal}");
    let id = refusal.split('`').nth(1).ok_or("no id")?;
    harness.direct("DELETE", "/__sandbox/faults", None).await?;
    let answer = harness.answer("get_sql_result", json!({ "statement_id": id })).await?;
    assert_eq!(answer["total_rows"], 1_500);
    assert_eq!(statuses(&harness).await?.len(), before + 1);
    Ok(())
}

#[tokio::test]
async fn waiting_for_a_statement_goes_on_until_it_has_ended_and_never_ends_it() -> Outcome {
    let (sandbox, harness) = standing_still(&[]).await?;
    let query =
        json!({ "statement": "SELECT 7", "warehouse_id": harness.stopped_warehouse().await?, "timeout_seconds": 0 });
    let id = harness.answer("execute_sql", query).await?["statement_id"].clone();
    let still = harness.answer("get_sql_result", json!({ "statement_id": id, "timeout_seconds": 0 })).await?;
    assert_eq!((&still["still_running"], &still["statement_id"]), (&json!(true), &id), "{still}");
    assert!(still["hint"].as_str().is_some_and(|hint| hint.contains("`cancel_sql`")), "{still}");
    // It was there before the call, so the end of the call is none of its business.
    let list = ("list_query_history", json!({ "fields": ["status"] }));
    harness.cancelled("get_sql_result", json!({ "statement_id": id }), list, |_| true).await?;
    let again = harness.answer("get_sql_result", json!({ "statement_id": id, "timeout_seconds": 0 })).await?;
    assert_eq!(again["still_running"], true, "{again}");
    sandbox.advance(Duration::from_secs(60));
    assert_eq!(harness.answer("get_sql_result", json!({ "statement_id": id })).await?["rows"], json!([[7]]));
    Ok(())
}

#[tokio::test]
async fn parameters_have_types_and_may_be_named_as_they_are_written() -> Outcome {
    let harness = Harness::default().await?;
    let parameter = |name: &str, kind: &str, value: &str| json!({ "name": name, "type": kind, "value": value });
    let parameters = json!([
        parameter(":day", "DATE", "2026-01-31"),
        parameter("price", "DECIMAL(10,2)", "1.50"),
        parameter("is_new", "BOOLEAN", "true"),
        parameter("text", "STRING", "'; DROP TABLE t --"),
        { "name": "nothing", "type": "INT" },
    ]);
    let query = "SELECT :day AS d, :price AS p, :is_new AS b, :text AS t, :nothing AS n";
    let answer = harness.answer("execute_sql", json!({ "statement": query, "parameters": parameters })).await?;
    assert_eq!(answer["rows"], json!([["2026-01-31", "1.50", true, "'; DROP TABLE t --", null]]));
    for (parameter, expected) in [
        (parameter("x", "DATE", "yesterday"), "CAST_INVALID_INPUT"),
        (parameter("x", "SHAPE", "round"), "SHAPE is not supported"),
        (parameter("y", "INT", "1"), "give a value for each `:name`"),
    ] {
        let query = json!({ "statement": "SELECT :x", "parameters": [parameter] });
        let refusal = harness.refusal("execute_sql", query).await?;
        assert!(refusal.contains(expected), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_statement_that_ends_before_the_cancel_arrives_is_not_called_cancelled() -> Outcome {
    let polls = AtomicUsize::new(0);
    let script = move |request: &str, _: &str| {
        let state = match request {
            "POST /api/2.0/sql/statements/s1/cancel" => return Some(json!({})),
            "GET /api/2.0/sql/statements/s1" if polls.fetch_add(1, Relaxed) == 0 => "RUNNING",
            "GET /api/2.0/sql/statements/s1" => "SUCCEEDED",
            _ => return None,
        };
        Some(json!({ "statement_id": "s1", "status": { "state": state } }))
    };
    let answer = Harness::scripted(script).await?.answer("cancel_sql", json!({ "statement_id": "s1" })).await?;
    assert_eq!(answer["state"], "SUCCEEDED");
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("its effects stay")), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_privilege_that_is_missing_is_told_by_each_tool_that_asks_by_sql() -> Outcome {
    let message = "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have USE SCHEMA on Schema 'x'. SQLSTATE: 42501";
    let failed = json!({
        "statement_id": "s1", "status": { "state": "FAILED", "error": { "error_code": "BAD_REQUEST", "message": message } },
    });
    let script = move |request: &str, _: &str| {
        if request.contains("/lineage-tracking/") {
            return Some(json!({ "error_code": "ENDPOINT_NOT_FOUND", "message": "No API found" }));
        }
        request.starts_with(STATEMENTS).then(|| failed.clone())
    };
    let harness = Harness::scripted(script).await?;
    for (tool, call, expected) in [
        ("execute_sql", json!({ "statement": "SELECT 1" }), "`get_effective_grants`"),
        ("explain_query", json!({ "statement": "SELECT 1" }), "`get_effective_grants`"),
        ("get_table_lineage", json!({ "full_name": "a.b.c" }), "USE SCHEMA and SELECT on `system.access`"),
        ("get_job_costs", json!({}), "USE SCHEMA and SELECT on `system.billing`"),
        ("get_warehouse_costs", json!({}), "USE SCHEMA and SELECT on `system.billing`"),
    ] {
        let refusal = harness.refusal(tool, call).await?;
        assert!(refusal.contains("INSUFFICIENT_PERMISSIONS") && refusal.contains(expected), "{tool}: {refusal}");
    }
    let table = json!({ "full_name": "samples.retail.orders", "sample_rows": 1 });
    let described = harness.answer("get_table_schema", table).await?;
    assert!(described["sample"]["error"].to_string().contains("INSUFFICIENT_PERMISSIONS"), "{described}");
    let found = harness.answer("search_tables", json!({ "query": "orders" })).await?;
    assert!(found["searched"].to_string().contains("INSUFFICIENT_PERMISSIONS"), "{found}");
    assert!(items(&found).next().is_some(), "names are found without SQL: {found}");
    Ok(())
}

#[tokio::test]
async fn a_search_among_too_many_tables_says_so() -> Outcome {
    let rows: Vec<_> =
        (0..5_000).map(|at| json!(["main", "big", format!("orders_{at:05}"), "MANAGED", null, null])).collect();
    let columns = ["table_catalog", "table_schema", "table_name", "table_type", "comment", "column_name"];
    let columns: Vec<_> = columns.map(|name| json!({ "name": name, "type_name": "STRING" })).into();
    let all = json!({
        "statement_id": "s1", "status": { "state": "SUCCEEDED" },
        "manifest": { "schema": { "columns": columns }, "total_chunk_count": 1, "total_row_count": 5_000 },
        "result": { "chunk_index": 0, "row_count": 5_000, "data_array": rows },
    });
    let harness = Harness::scripted(answering(all)).await?;
    let answer = harness.answer("search_tables", json!({ "query": "orders 00007" })).await?;
    assert_eq!(items(&answer).next().map(|item| &item["full_name"]), Some(&json!("main.big.orders_00007")), "{answer}");
    let hint = answer["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("`page_token`") && hint.contains("name a `catalog_name`"), "{hint}");
    Ok(())
}

#[tokio::test]
async fn only_a_query_is_run_again_for_a_result_that_is_too_large() -> Outcome {
    let message = "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at \
                   most 26214400 bytes. Please execute the statement with disposition=EXTERNAL_LINKS";
    let failed = json!({
        "statement_id": "s1", "status": { "state": "FAILED", "error": { "error_code": "BAD_REQUEST", "message": message } },
    });
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&sent);
    let script = move |request: &str, body: &str| {
        request.starts_with(STATEMENTS).then(|| {
            log.lock().expect("no test panics with it").push(body.to_owned());
            failed.clone()
        })
    };
    let harness = Harness::scripted(script).await?;
    for (statement, dispositions) in
        [("CALL main.default.p()", &["INLINE"][..]), ("SELECT 1", &["INLINE", "EXTERNAL_LINKS"])]
    {
        let refusal = harness.refusal("execute_sql", json!({ "statement": statement })).await?;
        assert!(refusal.contains("`large_result`") && refusal.contains("25 MiB"), "{refusal}");
        let sent = std::mem::take(&mut *sent.lock().expect("no test panics with it"));
        assert_eq!(sent.len(), dispositions.len(), "{statement}");
        for (body, disposition) in sent.iter().zip(dispositions) {
            assert!(body.contains(&format!("\"disposition\":\"{disposition}\"")), "{statement}: {body}");
        }
    }
    Ok(())
}
