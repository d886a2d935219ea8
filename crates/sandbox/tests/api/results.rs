//! Results in all their forms, and what sessions and tables remember.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use databricks_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::client::{Checked, get, post, raw, start};
use crate::sql::{check, run};

const WAREHOUSE: &str = "a1b2c3d4e5f60718";
const STATEMENTS: &str = "/api/2.0/sql/statements";

async fn ask(sandbox: &Sandbox, disposition: &str, format: &str, sql: &str) -> Result<Value, Box<dyn Error>> {
    let body = json!({"warehouse_id": WAREHOUSE, "statement": sql, "disposition": disposition, "format": format, "wait_timeout": "50s"});
    Ok(post(sandbox, STATEMENTS, body).await?.json())
}

/// What is behind a link, asked for without a token.
async fn follow(sandbox: &Sandbox, link: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = link["external_link"].as_str().unwrap_or_default().trim_start_matches(sandbox.url()).to_owned();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let found = raw(sandbox, request.as_bytes()).await?;
    assert_eq!(found.status, 200, "{}", found.head);
    Ok(found.body)
}

/// The messages of an Arrow stream: their metadata's length, and their body.
fn messages(stream: &[u8]) -> Vec<(usize, &[u8])> {
    let word = |at: usize| stream.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    let long = |at: usize| stream.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_le_bytes);
    let (mut found, mut at) = (Vec::new(), 0);
    while word(at) == u32::MAX && word(at + 4) > 0 {
        let (length, start) = (word(at + 4) as usize, at + 8);
        // The fourth field of the root is the length of the body.
        let root = start + word(start) as usize;
        let layout = root - word(root) as usize;
        let place = root + (word(layout + 10) & 0xffff) as usize;
        let body = usize::try_from(long(place)).unwrap_or(0);
        found.push((length, stream.get(start + length..start + length + body).unwrap_or_default()));
        at = start + length + body;
    }
    assert_eq!((word(at), word(at + 4), at + 8), (u32::MAX, 0, stream.len()), "the end of the stream");
    found
}

#[tokio::test]
async fn arrow_streams_have_a_schema_and_a_batch() -> Checked {
    let sandbox = start().await?;
    let sql = "SELECT id, language, id > 2 AS late FROM main.default.greetings ORDER BY id";
    let reply = ask(&sandbox, "INLINE_OR_EXTERNAL_LINKS", "ARROW_STREAM", sql).await?;
    assert_eq!(reply["manifest"]["format"], "ARROW_STREAM");
    let result = &reply["result"];
    assert_eq!((&result["row_count"], &result["chunk_index"]), (&json!(4), &json!(0)));
    let stream = STANDARD.decode(result["attachment"].as_str().unwrap_or_default())?;
    assert_eq!(result["byte_count"], stream.len());
    let messages = messages(&stream);
    let [(_, schema), (_, body)] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    assert!(schema.is_empty());
    // Validity, numbers; validity, ends, texts; validity, bits: each to eight bytes.
    let mut wanted = vec![0b1111, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0];
    wanted
        .extend([0b1111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
    wanted.extend(b"ennlfrja");
    wanted.extend([0b1111, 0, 0, 0, 0, 0, 0, 0, 0b1100, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(*body, wanted.as_slice());
    Ok(())
}

#[tokio::test]
async fn a_hundred_thousand_rows_arrive_whole() -> Checked {
    let sandbox = start().await?;
    let sql = "SELECT id FROM range(100001)";
    let reply = ask(&sandbox, "EXTERNAL_LINKS", "ARROW_STREAM", sql).await?;
    let (mut rows, mut sum, mut links) = (0_i64, 0_i64, reply["result"].clone());
    loop {
        let link = links["external_links"][0].clone();
        assert_eq!(link["row_offset"], rows);
        let stream = follow(&sandbox, &link).await?;
        let messages = messages(&stream);
        let (_, body) = messages.last().copied().unwrap_or_default();
        let count = link["row_count"].as_i64().unwrap_or_default();
        let skip = usize::try_from(count)?.div_ceil(8).next_multiple_of(8);
        for bytes in body.get(skip..).unwrap_or_default().chunks_exact(8) {
            sum += i64::from_le_bytes(bytes.try_into()?);
        }
        rows += count;
        let Some(next) = link["next_chunk_internal_link"].as_str() else { break };
        links = get(&sandbox, next).await?.json();
    }
    assert_eq!((rows, sum), (100_001, 100_000 * 100_001 / 2));
    assert_eq!(reply["manifest"]["total_row_count"], rows);
    let chunks = reply["manifest"]["chunks"].as_array().map_or(0, Vec::len);
    assert_eq!(reply["manifest"]["total_chunk_count"], chunks);
    Ok(())
}

#[tokio::test]
async fn inline_results_have_a_limit() -> Checked {
    let sandbox = start().await?;
    let sql = "SELECT repeat('x', 1000) FROM range(27000)";
    let reply = ask(&sandbox, "INLINE", "JSON_ARRAY", sql).await?;
    assert_eq!(reply["status"]["state"], "FAILED");
    assert!(
        reply["status"]["error"]["message"].as_str().is_some_and(|text| text.contains("EXTERNAL_LINKS")),
        "{reply}"
    );
    let reply = ask(&sandbox, "EXTERNAL_LINKS", "JSON_ARRAY", sql).await?;
    assert_eq!(reply["manifest"]["total_row_count"], 27_000);
    Ok(())
}

#[tokio::test]
async fn sessions_have_views_and_whole_results() -> Checked {
    let sandbox = start().await?;
    let session = post(&sandbox, "/api/2.0/sql/sessions", json!({"warehouse_id": WAREHOUSE})).await?.at("/session_id");
    let order = |sql: &str| json!({"warehouse_id": WAREHOUSE, "session_id": session, "statement": sql});
    let reply = post(&sandbox, STATEMENTS, order("SELECT trip_id FROM samples.taxi.trips")).await?;
    assert_eq!((reply.at("/manifest/total_chunk_count"), reply.at("/result/row_count")), (json!(1), json!(2500)));
    let made = order("CREATE TEMP VIEW early (n) AS SELECT id FROM greetings WHERE id < 3");
    assert_eq!(post(&sandbox, STATEMENTS, made.clone()).await?.at("/status/state"), "SUCCEEDED");
    let reply = post(&sandbox, STATEMENTS, order("SELECT sum(n) FROM early e JOIN early USING (n)")).await?;
    assert_eq!(reply.at("/result/data_array"), json!([["3"]]));
    let again = post(&sandbox, STATEMENTS, made).await?.at("/status/error/message");
    assert!(again.as_str().is_some_and(|text| text.starts_with("[TEMP_TABLE_OR_VIEW_ALREADY_EXISTS]")), "{again}");
    // Nobody else sees it, and it can be dropped.
    let other = run(&sandbox, "SELECT * FROM early").await?;
    assert_eq!(other["status"]["state"], "FAILED");
    assert_eq!(post(&sandbox, STATEMENTS, order("DROP VIEW early")).await?.at("/status/state"), "SUCCEEDED");
    assert_eq!(post(&sandbox, STATEMENTS, order("SELECT * FROM early")).await?.at("/status/state"), "FAILED");
    Ok(())
}

#[tokio::test]
async fn tables_remember_their_versions_and_keys() -> Checked {
    check(&[
        ("CREATE TABLE main.default.parent (id INT NOT NULL, name STRING, CONSTRAINT parent_id PRIMARY KEY (id))", ""),
        ("CREATE TABLE main.default.child (id INT NOT NULL PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES main.default.parent)", ""),
        ("CREATE TABLE main.default.wrong (id INT, PRIMARY KEY (missing))", "[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION]"),
        ("CREATE TABLE main.default.wrong (id INT, CHECK (id > 0))", "[UNSUPPORTED_FEATURE.SANDBOX]"),
        ("SELECT constraint_name FROM main.information_schema.table_constraints ORDER BY ALL", "constraint_name:STRING / child_parent_fk / child_pk / parent_id"),
        ("SHOW CREATE TABLE main.default.child", "createtab_stmt:STRING / CREATE TABLE main.default.child (\n  id INT NOT NULL,\n  parent INT,\n  CONSTRAINT child_pk PRIMARY KEY (id),\n  CONSTRAINT child_parent_fk FOREIGN KEY (parent) REFERENCES main.default.parent (id))\nUSING delta\n"),
        ("INSERT INTO main.default.parent VALUES (1, 'a'), (2, 'b')", "num_affected_rows:BIGINT num_inserted_rows:BIGINT / 2|2"),
        ("DELETE FROM main.default.parent WHERE id = 1", "num_affected_rows:BIGINT / 1"),
        ("SELECT count(*) AS n FROM main.default.parent VERSION AS OF 2", "n:BIGINT / 1"),
        ("SELECT count(*) AS n FROM main.default.parent VERSION AS OF 1", "[UNSUPPORTED_FEATURE.SANDBOX]"),
        ("SELECT count(*) AS n FROM main.default.parent VERSION AS OF 3", "[DELTA_VERSION_NOT_FOUND]"),
    ])
    .await?;
    let sandbox = start().await?;
    run(&sandbox, "UPDATE main.default.greetings SET text = 'Hi' WHERE id = 1").await?;
    let history = run(&sandbox, "DESCRIBE HISTORY main.default.greetings").await?;
    let rows = history["result"]["data_array"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> = rows.iter().map(|row| (row[0].clone(), row[4].clone(), row[12].clone())).collect();
    assert_eq!(
        told,
        [
            (json!("2"), json!("UPDATE"), json!(r#"{"numUpdatedRows":"1"}"#)),
            (json!("1"), json!("WRITE"), json!(r#"{"numOutputRows":"4"}"#)),
            (json!("0"), json!("CREATE TABLE"), json!("{}")),
        ]
    );
    let detail = run(&sandbox, "DESCRIBE DETAIL main.default.greetings").await?;
    assert_eq!(detail["result"]["data_array"][0][2], "main.default.greetings");
    assert_eq!(run(&sandbox, "DESCRIBE HISTORY main.sales.top_customers").await?["status"]["state"], "FAILED");
    Ok(())
}

#[tokio::test]
async fn plans_name_what_a_query_does() -> Checked {
    let sandbox = start().await?;
    let query = "SELECT c.country, sum(o.total) FROM samples.retail.orders o JOIN samples.retail.customers c ON o.customer_id = c.customer_id WHERE o.status = 'new' GROUP BY c.country ORDER BY 2 LIMIT 5";
    let mut plans = Vec::new();
    for form in ["", "FORMATTED", "EXTENDED", "COST"] {
        let reply = run(&sandbox, &format!("EXPLAIN {form} {query}")).await?;
        plans.push(reply["result"]["data_array"][0][0].as_str().unwrap_or_default().to_owned());
    }
    for plan in &plans {
        let parts = [
            "== Physical Plan ==",
            "PhotonGlobalLimit",
            "PhotonSort",
            "PhotonGroupingAgg",
            "PhotonBroadcastHashJoin",
            "PhotonFilter",
            "samples.retail.orders",
        ];
        assert!(parts.iter().all(|part| plan.contains(part)), "{plan}");
    }
    let [_, formatted, extended, cost] = plans.as_slice() else { panic!("{} plans", plans.len()) };
    assert!(formatted.contains("(1) PhotonScan parquet\nLocation: samples.retail.orders"), "{formatted}");
    assert!(
        extended.contains("== Analyzed Logical Plan ==\ncountry: string, sum(total): decimal(22,2)\n"),
        "{extended}"
    );
    assert!(cost.contains("rowCount=1500"), "{cost}");
    Ok(())
}

#[tokio::test]
async fn the_history_of_statements_is_a_table() -> Checked {
    let sandbox = start().await?;
    run(&sandbox, "SELECT 'find me' AS a").await?;
    let found = run(&sandbox, "SELECT execution_status, produced_rows FROM system.query.history WHERE statement_text = 'SELECT ''find me'' AS a'").await?;
    assert_eq!(found["result"]["data_array"], json!([["FINISHED", "1"]]));
    Ok(())
}
