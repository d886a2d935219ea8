//! Model serving, vector search and Genie.

use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

async fn harness(tokens: usize) -> Result<Harness, Box<dyn std::error::Error>> {
    Harness::open(Selection { toolsets: vec!["ai".to_owned(), "sql".to_owned()], ..Selection::default() }, tokens).await
}

#[tokio::test]
async fn a_prompt_goes_to_an_endpoint_in_the_form_of_its_task() -> Outcome {
    let harness = harness(6_000).await?;
    let (endpoints, _) = harness.all("list_serving_endpoints", json!({})).await?;
    let chat = endpoints.iter().find(|endpoint| endpoint["task"] == "llm/v1/chat").ok_or("no chat endpoint")?;
    let prompt = json!({ "name": chat["name"], "prompt": "say something of lighthouses", "max_tokens": 50 });
    let answer = harness.answer("query_endpoint", prompt).await?;
    assert!(answer["choices"][0]["message"]["content"].to_string().contains("lighthouses"), "{answer}");
    let body = json!({ "messages": [{ "role": "user", "content": "of harbours" }], "stream": true });
    let answer = harness.answer("query_endpoint", json!({ "name": chat["name"], "body": body })).await?;
    assert!(answer["choices"][0]["message"]["content"].to_string().contains("harbours"), "{answer}");
    let refusal = harness.refusal("query_endpoint", json!({ "name": chat["name"] })).await?;
    assert!(refusal.contains("either `prompt`"), "{refusal}");
    let refusal = harness.refusal("query_endpoint", json!({ "name": "none", "prompt": "x" })).await?;
    assert!(refusal.contains("list_serving_endpoints"), "{refusal}");
    if let Some(custom) = endpoints.iter().find(|endpoint| endpoint.get("task").is_none()) {
        let refusal = harness.refusal("query_endpoint", json!({ "name": custom["name"], "prompt": "x" })).await?;
        assert!(refusal.contains("dataframe_records"), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn an_index_is_found_and_searched() -> Outcome {
    let harness = harness(6_000).await?;
    let listed = harness.answer("list_vector_indexes", json!({})).await?;
    let index = &listed["items"][0];
    let narrowed = harness.answer("list_vector_indexes", json!({ "endpoint_name": index["endpoint_name"] })).await?;
    assert_eq!(narrowed["items"][0], *index);
    let query = json!({ "full_name": index["name"], "query_text": "late delivery", "limit": 3 });
    let answer = harness.answer("query_index", query.clone()).await?;
    let columns = answer["columns"].as_array().ok_or("no columns")?;
    assert_eq!(columns.first(), Some(&index["primary_key"]), "{answer}");
    assert_eq!(columns.last(), Some(&json!("score")), "{answer}");
    let scores: Vec<f64> =
        answer["rows"].as_array().into_iter().flatten().filter_map(|row| row[columns.len() - 1].as_f64()).collect();
    assert!(!scores.is_empty() && scores.len() <= 3 && scores.is_sorted_by(|a, b| a >= b), "{answer}");
    let refusal = harness.refusal("query_index", json!({ "full_name": index["name"] })).await?;
    assert!(refusal.contains("either `query_text`"), "{refusal}");
    let refusal = harness.refusal("query_index", json!({ "index_name": "a.b.none", "query_text": "x" })).await?;
    assert!(refusal.contains("list_vector_indexes"), "{refusal}");
    Ok(())
}

async fn space(harness: &Harness) -> Result<Value, Box<dyn std::error::Error>> {
    let (spaces, _) = harness.all("list_genie_spaces", json!({})).await?;
    let space = spaces.iter().find(|space| space["title"].to_string().contains("Retail"));
    Ok(space.ok_or_else(|| format!("no space on retail: {spaces:?}"))?["space_id"].clone())
}

#[tokio::test]
async fn genie_answers_with_sql_and_rows_and_goes_on() -> Outcome {
    let harness = harness(6_000).await?;
    let space = space(&harness).await?;
    let asked = json!({ "space_id": space, "question": "What is the revenue per channel?" });
    let answer = harness.answer("ask_genie", asked).await?;
    let query = &answer["queries"][0];
    let rows = &query["result"]["rows"];
    let sql = query["sql"].as_str().ok_or_else(|| format!("no SQL: {answer}"))?;
    let direct = harness.answer("execute_sql", json!({ "statement": sql })).await?;
    assert_eq!(*rows, direct["rows"], "{answer}");
    let follow_up = json!({
        "space_id": space, "question": "And the top customers?", "conversation_id": answer["conversation_id"],
    });
    let second = harness.answer("ask_genie", follow_up).await?;
    assert_eq!(second["conversation_id"], answer["conversation_id"]);
    assert_ne!(second["message_id"], answer["message_id"]);
    Ok(())
}

#[tokio::test]
async fn genie_is_waited_for_by_another_call() -> Outcome {
    let harness = harness(6_000).await?;
    let space = space(&harness).await?;
    let asked = json!({ "space_id": space, "question": "orders per month", "timeout_seconds": 0 });
    let first = harness.answer("ask_genie", asked).await?;
    assert_eq!(first["still_running"], true, "{first}");
    let place = |extra: Value| {
        let mut place = json!({
            "space_id": space, "conversation_id": first["conversation_id"], "message_id": first["message_id"],
        });
        if let (Some(place), Value::Object(extra)) = (place.as_object_mut(), extra) {
            place.extend(extra);
        }
        place
    };
    let answer = harness.answer("ask_genie", place(json!({}))).await?;
    assert!(answer["queries"][0]["result"]["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{answer}");
    let refusal = harness.refusal("ask_genie", place(json!({ "question": "both" }))).await?;
    assert!(refusal.contains("cannot be given together with `question`"), "{refusal}");
    let refusal = harness.refusal("ask_genie", json!({ "space_id": "none", "question": "x" })).await?;
    assert!(refusal.contains("list_genie_spaces"), "{refusal}");
    Ok(())
}
