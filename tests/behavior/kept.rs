//! Lists that are kept for some time: they say of when they are, and no change through this server is hidden by them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

/// A harness that counts the requests to the workspace.
async fn counted() -> Result<(Harness, Arc<AtomicUsize>), Box<dyn std::error::Error>> {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let harness = Harness::scripted(move |_, _| {
        seen.fetch_add(1, Ordering::SeqCst);
        None
    });
    Ok((harness.await?, requests))
}

#[tokio::test]
async fn a_kept_list_says_of_when_it_is() -> Outcome {
    let (harness, requests) = counted().await?;
    let fresh = harness.answer("list_catalogs", json!({})).await?;
    let read = requests.load(Ordering::SeqCst);
    let mut kept = harness.answer("list_catalogs", json!({})).await?;
    assert_eq!(requests.load(Ordering::SeqCst), read);
    let as_of = kept.as_object_mut().and_then(|fields| fields.remove("as_of")).ok_or("no `as_of`")?;
    assert!(as_of.as_str().is_some_and(|time| time.len() == 20 && time.ends_with('Z')), "{as_of}");
    assert_eq!(kept, fresh);
    // Other fields are of the same list.
    let fields = harness.answer("list_catalogs", json!({ "fields": ["name"] })).await?;
    assert!(fields.get("as_of").is_some() && requests.load(Ordering::SeqCst) == read, "{fields}");
    Ok(())
}

#[tokio::test]
async fn a_change_through_this_server_is_seen_at_once() -> Outcome {
    let (harness, _) = counted().await?;
    let list = json!({ "catalog_name": "main" });
    let names = |answer: &Value| {
        let items = answer["items"].as_array().into_iter().flatten();
        items.filter_map(|item| item["full_name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    harness.answer("list_schemas", list.clone()).await?;
    harness.answer("create_schema", json!({ "catalog_name": "main", "name": "kept_one" })).await?;
    let after = harness.answer("list_schemas", list.clone()).await?;
    assert!(names(&after).contains(&"main.kept_one".to_owned()) && after.get("as_of").is_none(), "{after}");
    harness.answer("execute_sql", json!({ "statement": "CREATE SCHEMA main.kept_two" })).await?;
    let after = harness.answer("list_schemas", list.clone()).await?;
    assert!(names(&after).contains(&"main.kept_two".to_owned()), "{after}");
    let through = json!({ "operation": "delete_schema", "arguments": { "full_name": "main.kept_one" } });
    harness.answer("call_destructive_operation", through).await?;
    let after = harness.answer("list_schemas", list).await?;
    assert!(!names(&after).contains(&"main.kept_one".to_owned()), "{after}");
    Ok(())
}

#[tokio::test]
async fn what_shows_a_state_is_never_kept() -> Outcome {
    let (harness, requests) = counted().await?;
    for tool in ["list_clusters", "list_warehouses", "list_job_runs", "list_jobs", "list_pipelines"] {
        let mut costs = Vec::new();
        for _ in 0..2 {
            let before = requests.load(Ordering::SeqCst);
            let answer = harness.answer(tool, json!({})).await?;
            assert!(answer.get("as_of").is_none(), "{tool}: {answer}");
            costs.push(requests.load(Ordering::SeqCst) - before);
        }
        assert!(costs[0] > 0 && costs[0] == costs[1], "{tool}: {costs:?}");
    }
    Ok(())
}
