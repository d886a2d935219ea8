//! Results whose chunks are not what was announced: told, or taken as far as they go, and never passed over in silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const STATEMENTS: &str = "POST /api/2.0/sql/statements";
const QUERY: &str = "SELECT n FROM t";

/// A statement of one column in this state, whose manifest announces chunks of these sizes.
fn statement(state: &str, sizes: &[usize], result: Value) -> Value {
    let mut offset = 0;
    let chunks = sizes.iter().enumerate().map(|(index, size)| {
        let chunk = json!({ "chunk_index": index, "row_offset": offset, "row_count": size });
        offset += size;
        chunk
    });
    let chunks: Vec<_> = chunks.collect();
    json!({
        "statement_id": "s1", "status": { "state": state },
        "manifest": {
            "format": "JSON_ARRAY",
            "schema": { "column_count": 1, "columns": [{ "name": "n", "type_name": "INT", "type_text": "INT" }] },
            "total_chunk_count": sizes.len(), "total_row_count": sizes.iter().sum::<usize>(), "chunks": chunks,
            "truncated": false,
        },
        "result": result,
    })
}

/// A chunk with these numbers, which says where it is and what follows.
fn chunk(index: usize, offset: usize, numbers: &[i64], next: Option<usize>) -> Value {
    let rows: Vec<_> = numbers.iter().map(|number| json!([number.to_string()])).collect();
    let mut chunk = json!({ "chunk_index": index, "row_offset": offset, "row_count": rows.len(), "data_array": rows });
    if let Some(next) = next {
        chunk["next_chunk_index"] = json!(next);
    }
    chunk
}

/// A workspace that answers every new statement so, and gives these chunks after the first.
async fn answering(first: Value, others: Vec<Value>) -> Result<Harness, Box<dyn std::error::Error>> {
    Harness::scripted(move |request, _| {
        if let Some((_, index)) = request.split_once("/s1/result/chunks/") {
            let missing = json!({ "error_code": "NOT_FOUND", "message": "there is no such chunk" });
            let index: usize = index.parse().unwrap_or(usize::MAX);
            return Some(others.get(index.wrapping_sub(1)).cloned().unwrap_or(missing));
        }
        (request.starts_with(STATEMENTS) || request == "GET /api/2.0/sql/statements/s1").then(|| first.clone())
    })
    .await
}

#[tokio::test]
async fn chunks_that_contradict_what_was_announced_are_an_error() -> Outcome {
    let whole = |result| statement("SUCCEEDED", &[2, 1], result);
    let begin = || chunk(0, 0, &[1, 2], Some(1));
    let mut unlinked = chunk(0, 0, &[1, 2], None);
    unlinked["next_chunk_internal_link"] = json!("/api/2.0/sql/statements/s1/result");
    let mut wide = chunk(1, 2, &[3], None);
    wide["data_array"] = json!([["3", "4"]]);
    let mut unannounced = whole(begin());
    unannounced["manifest"]["chunks"] = json!([]);
    let mut fewer = unannounced.clone();
    fewer["manifest"]["total_row_count"] = json!(2);
    for (first, others, expected) in [
        (whole(chunk(1, 0, &[1, 2], Some(1))), vec![], "chunk 1 came in place of chunk 0"),
        (whole(chunk(0, 0, &[1], Some(1))), vec![], "chunk 0 came with 1 of its 2 rows"),
        (whole(chunk(0, 7, &[1, 2], Some(1))), vec![], "chunk 0 begins at row 7"),
        (whole(chunk(0, 0, &[1, 2], Some(0))), vec![], "chunk 0 is followed by chunk 0"),
        (whole(chunk(0, 0, &[1, 2], Some(5))), vec![], "chunk 0 is followed by chunk 5"),
        (whole(unlinked), vec![], "names no chunk"),
        (whole(begin()), vec![chunk(0, 0, &[1, 2], Some(1))], "chunk 0 came in place of chunk 1"),
        (
            whole(begin()),
            vec![chunk(1, 3, &[3], None)],
            "chunk 1 begins at row 3, and the chunks before it end at row 2",
        ),
        (whole(begin()), vec![chunk(1, 2, &[], None)], "chunk 1 came with 0 of its 1 rows"),
        (whole(begin()), vec![wide], "a row of chunk 1 has 2 cells for 1 columns"),
        (whole(begin()), vec![], "NOT_FOUND"),
        (fewer, vec![chunk(1, 2, &[3], None)], "chunk 1 ends at row 3, and the result has 2 rows"),
    ] {
        let harness = answering(first, others).await?;
        let refusal = harness.refusal("execute_sql", json!({ "statement": QUERY })).await?;
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
        assert!(refusal.contains("statement `s1` succeeded"), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_link_without_an_index_is_followed() -> Outcome {
    let mut first = chunk(0, 0, &[1, 2], None);
    first["next_chunk_internal_link"] = json!("/api/2.0/sql/statements/s1/result/chunks/1?row_offset=2");
    let mut whole = statement("SUCCEEDED", &[2, 1], first);
    for field in ["total_chunk_count", "chunks"] {
        whole["manifest"][field] = Value::Null;
    }
    let harness = answering(whole, vec![chunk(1, 2, &[3], None)]).await?;
    let answer = harness.answer("execute_sql", json!({ "statement": QUERY })).await?;
    assert_eq!((&answer["rows"], &answer["truncated"]), (&json!([[1], [2], [3]]), &json!(false)));
    Ok(())
}

#[tokio::test]
async fn rows_that_no_chunk_brings_are_counted() -> Outcome {
    let mut short = statement("SUCCEEDED", &[2], chunk(0, 0, &[1, 2], None));
    short["manifest"]["total_row_count"] = json!(5);
    let harness = answering(short, vec![]).await?;
    let answer = harness.answer("execute_sql", json!({ "statement": QUERY })).await?;
    assert_eq!((&answer["rows"], &answer["total_rows"]), (&json!([[1], [2]]), &json!(5)));
    assert_eq!(answer["truncated"], true, "{answer}");
    let hint = answer["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("announced 5 rows") && hint.contains("3 of them"), "{hint}");
    Ok(())
}

#[tokio::test]
async fn a_statement_that_is_closed_at_once_gives_the_rows_it_came_with() -> Outcome {
    let harness = answering(statement("CLOSED", &[2], chunk(0, 0, &[1, 2], None)), vec![]).await?;
    let answer = harness.answer("execute_sql", json!({ "statement": QUERY })).await?;
    assert_eq!((&answer["rows"], &answer["state"]), (&json!([[1], [2]]), &json!("CLOSED")));
    assert_eq!(answer["truncated"], false, "{answer}");

    let mut nothing = statement("CLOSED", &[], json!({}));
    nothing["manifest"]["schema"] = json!({ "column_count": 0 });
    let answer = answering(nothing, vec![]).await?.answer("execute_sql", json!({ "statement": "USE a" })).await?;
    assert_eq!((&answer["rows"], &answer["total_rows"]), (&json!([]), &json!(0)));

    // What it did not come with cannot be had.
    let harness = answering(statement("CLOSED", &[2, 1], chunk(0, 0, &[1, 2], Some(1))), vec![]).await?;
    let answer = harness.answer("execute_sql", json!({ "statement": QUERY })).await?;
    assert_eq!((&answer["rows"], &answer["truncated"]), (&json!([[1], [2]]), &json!(true)));
    assert!(answer.get("next_page_token").is_none(), "a token that leads nowhere: {answer}");
    assert!(answer["hint"].to_string().contains("stores no more of this result"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_statement_that_tells_nothing_of_a_result_has_none() -> Outcome {
    let chunks = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&chunks);
    let harness = Harness::scripted(move |request, _| {
        asked.fetch_add(usize::from(request.contains("/result/chunks/")), Relaxed);
        let bare = json!({ "statement_id": "s1", "status": { "state": "SUCCEEDED" } });
        request.starts_with(STATEMENTS).then_some(bare)
    })
    .await?;
    let answer = harness.answer("execute_sql", json!({ "statement": "GRANT SELECT ON t TO a" })).await?;
    assert_eq!((&answer["state"], &answer["rows"]), (&json!("SUCCEEDED"), &json!([])), "{answer}");
    assert_eq!((&answer["total_rows"], &answer["truncated"]), (&json!(0), &json!(false)));
    assert_eq!(chunks.load(Relaxed), 0, "there is no chunk to ask for");

    let unnamed = json!({
        "statement_id": "s1", "status": { "state": "SUCCEEDED" }, "result": { "data_array": [["1", "x"]] },
    });
    let answer = answering(unnamed, vec![]).await?.answer("execute_sql", json!({ "statement": QUERY })).await?;
    assert_eq!((&answer["rows"], &answer["total_rows"]), (&json!([["1", "x"]]), &json!(1)), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_null_among_parameters_is_the_null_of_sql() -> Outcome {
    let harness = Harness::default().await?;
    let parameters =
        json!([{ "name": "a", "type": "INT", "value": null }, { "name": "b", "value": "x", "type": null }]);
    let query = json!({ "statement": "SELECT :a AS a, :b AS b", "parameters": parameters, "catalog": null });
    assert_eq!(harness.answer("execute_sql", query).await?["rows"], json!([[null, "x"]]));
    let refusal = harness
        .refusal("execute_sql", json!({ "statement": "SELECT :a", "parameters": [{ "name": null, "value": "1" }] }))
        .await?;
    assert!(refusal.contains("`parameters.0.name`: missing"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn errors_of_sql_say_what_to_do_next() -> Outcome {
    let failing = |message: &str, state: &str| {
        let error = json!({ "error_code": "BAD_REQUEST", "message": message });
        json!({ "statement_id": "s1", "status": { "state": state, "error": error } })
    };
    for (message, state, sql, expected) in [
        (
            "[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELECT'. SQLSTATE: 42601",
            "FAILED",
            "SELECT 1; SELECT 2",
            "one statement",
        ),
        ("[NO_SUCH_CATALOG_EXCEPTION] Catalog 'x' was not found. SQLSTATE: 42704", "FAILED", QUERY, "`list_catalogs`"),
        ("[UNRESOLVED_ROUTINE] Cannot resolve routine `f`. SQLSTATE: 42883", "FAILED", QUERY, "SHOW FUNCTIONS"),
        ("[DELTA_CONCURRENT_APPEND] Transaction conflict. SQLSTATE: 2D521", "FAILED", QUERY, "run it again"),
        ("", "CANCELED", QUERY, "run it again"),
    ] {
        let harness = answering(failing(message, state), vec![]).await?;
        let refusal = harness.refusal("execute_sql", json!({ "statement": sql })).await?;
        assert!(refusal.contains("hint: ") && refusal.contains(expected), "no {expected}: {refusal}");
    }
    let harness = answering(failing("[PARSE_SYNTAX_ERROR] Syntax error. SQLSTATE: 42601", "FAILED"), vec![]).await?;
    let refusal = harness.refusal("execute_sql", json!({ "statement": "SELEC 1;" })).await?;
    assert!(!refusal.contains("one statement"), "{refusal}");
    Ok(())
}
