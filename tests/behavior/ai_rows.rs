//! The rows of Genie's queries, in each form in which they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::twist::Exchange;

const RETAIL: &str = "01f0aaaa00001111a2b2c3d4e5f60718";

fn question() -> Value {
    json!({ "space_id": RETAIL, "question": "What is the revenue per channel?" })
}

#[tokio::test]
async fn typed_rows_are_read_as_the_others() -> Outcome {
    let plain = Harness::whole().await?.answer("ask_genie", question()).await?;
    let harness = Harness::twisted(|exchange: &mut Exchange| {
        let Some(result) = exchange.answer.pointer_mut("/statement_response/result").and_then(Value::as_object_mut)
        else {
            return;
        };
        let Some(rows) = result.remove("data_array") else { return };
        let cell = |cell: &Value| if cell.is_null() { json!({}) } else { json!({ "str": cell }) };
        let rows = rows.as_array().into_iter().flatten();
        let rows =
            rows.map(|row| json!({ "values": row.as_array().into_iter().flatten().map(cell).collect::<Vec<_>>() }));
        result.insert("data_typed_array".to_owned(), rows.collect());
    })
    .await?;
    let typed = harness.answer("ask_genie", question()).await?;
    let rows = &typed["queries"][0]["result"]["rows"];
    assert!(rows.as_array().is_some_and(|rows| !rows.is_empty()), "{typed}");
    assert_eq!(*rows, plain["queries"][0]["result"]["rows"]);
    Ok(())
}

/// A harness whose Genie says that results are closed, and how often queries were run again in it.
async fn closed(keeps_rows: bool) -> Result<(Harness, Arc<AtomicUsize>), Box<dyn std::error::Error>> {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let harness = Harness::twisted(move |exchange: &mut Exchange| {
        counted.fetch_add(usize::from(exchange.target.ends_with("/execute-query")), Relaxed);
        if exchange.target.contains("/query-result") || exchange.target.ends_with("/execute-query") {
            exchange.answer["statement_response"]["status"]["state"] = json!("CLOSED");
            if let Some(response) = exchange.answer["statement_response"].as_object_mut().filter(|_| !keeps_rows) {
                response.remove("result");
                response.remove("manifest");
            }
        }
    })
    .await?;
    Ok((harness, runs))
}

#[tokio::test]
async fn rows_in_hand_are_not_fetched_by_running_again() -> Outcome {
    let (harness, runs) = closed(true).await?;
    let answer = harness.answer("ask_genie", question()).await?;
    let rows = answer["queries"][0]["result"]["rows"].as_array().ok_or("no rows")?;
    assert!(!rows.is_empty() && runs.load(Relaxed) == 0, "run {} times: {answer}", runs.load(Relaxed));
    Ok(())
}

#[tokio::test]
async fn a_query_whose_rows_are_gone_is_run_again_once() -> Outcome {
    let (harness, runs) = closed(false).await?;
    let answer = harness.answer("ask_genie", question()).await?;
    assert_eq!(runs.load(Relaxed), 1, "{answer}");
    let error = answer["queries"][0]["result_error"].as_str().ok_or("no error")?;
    assert!(error.contains("its result is gone") && error.contains("`execute_sql`"), "{error}");
    Ok(())
}
