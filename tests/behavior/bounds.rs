//! A workspace that does not come to an end, or to the point: each call answers in time and says where it stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::json;

use crate::house::{House, Outcome};

#[tokio::test]
async fn empty_pages_are_passed_over() -> Outcome {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let house = House::scripted(move |target, _| {
        target.contains("/jobs/list").then(|| match counted.fetch_add(1, Relaxed) {
            page @ 0..=4 => json!({ "next_page_token": format!("page {page}") }),
            _ => json!({ "jobs": [{ "job_id": 7 }] }),
        })
    })
    .await?;
    let answer = house.answer("list_jobs", json!({})).await?;
    assert_eq!((&answer["returned"], &answer["items"][0]["job_id"]), (&json!(1), &json!(7)), "{answer}");
    assert_eq!(asked.load(Relaxed), 6);
    Ok(())
}

#[tokio::test]
async fn a_list_of_nothing_but_empty_pages_ends_and_says_so() -> Outcome {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let house = House::scripted(move |target, _| {
        let page = || json!({ "next_page_token": format!("page {}", counted.fetch_add(1, Relaxed)) });
        target.contains("/jobs/list").then(page)
    })
    .await?;
    let answer = house.answer("list_jobs", json!({})).await?;
    assert!(answer["next_page_token"].is_string() && answer["returned"] == 0, "{answer}");
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("looked at 0 items")), "{answer}");
    assert!(asked.load(Relaxed) <= 200, "{} requests", asked.load(Relaxed));
    Ok(())
}

#[tokio::test]
async fn long_names_take_no_long_time() -> Outcome {
    let house = House::default().await?;
    let start = std::time::Instant::now();
    let unknown =
        house.call("a".repeat(4_000_000).leak(), json!({})).await.err().ok_or("an unknown tool was called")?;
    assert!(unknown.to_string().contains("no tool is named"), "{}", unknown.to_string().len());
    let refusal = house.refusal("list_jobs", json!({ "b".repeat(1_000_000): 1 })).await?;
    assert!(refusal.contains("unknown"), "{}", refusal.len());
    // Quadratic work takes minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    Ok(())
}
