//! What is kept, cut and said.

use serde_json::{Value, json};

use super::{Budget, decode, exact, fit, keep, notice, page};

#[test]
fn paths_are_kept_through_objects_and_lists() {
    let job = json!({
        "job_id": 1, "settings": { "name": "a", "tasks": [{ "task_key": "t", "x": 1 }, { "y": 2 }] }, "other": null,
    });
    assert_eq!(
        keep(&job, &["job_id", "settings.tasks.task_key", "missing.field"]),
        json!({ "job_id": 1, "settings": { "tasks": [{ "task_key": "t" }, {}] } })
    );
    assert_eq!(keep(&job, &["settings"]), json!({ "settings": job["settings"] }));
    assert_eq!(keep(&job, &["*"]), job);
    assert_eq!(keep(&job, &[]), job);
}

#[test]
fn only_integers_beyond_two_to_the_53_become_text() {
    let mut value =
        json!([9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64, -9_007_199_254_740_993_i64, 1.5, u64::MAX]);
    exact(&mut value);
    assert_eq!(
        value,
        json!([9_007_199_254_740_992_u64, "9007199254740993", "-9007199254740993", 1.5, "18446744073709551615"])
    );
}

#[test]
fn base64_becomes_text_where_it_is_text() {
    let mut value = json!({ "content": "cHJpbnQoMSk=", "blob": "/w==", "plain": "no base64!" });
    decode(&mut value, &["content", "blob", "plain", "missing"]);
    assert_eq!(value, json!({ "content": "print(1)", "blob": "/w==", "plain": "no base64!" }));
}

#[test]
fn a_page_is_cut_between_items() {
    let items: Vec<Value> = (0..100).map(|number| json!({ "number": number })).collect();
    let page = page(items, Budget { characters: 60 });
    assert_eq!((page.items.len(), page.taken, page.cuts.len()), (4, 4, 0));
}

#[test]
fn one_huge_item_is_cut_inside_and_never_lost() {
    let page = page([json!({ "text": "x".repeat(9_000) }), json!(1)], Budget { characters: 5_000 });
    assert_eq!(page.taken, 1);
    assert_eq!(page.cuts, ["text: first 4000 of 9000 characters"]);
}

#[test]
fn a_cut_object_says_what_was_cut() {
    let mut value = json!({ "rows": vec![0; 5_000], "name": "n" });
    let cuts = fit(&mut value, Budget { characters: 300 });
    notice(&mut value, cuts, "ask for less");
    assert_eq!(value["rows"].as_array().map(Vec::len), Some(100));
    assert_eq!(value["hint"], "cut rows: first 100 of 5000 items; ask for less");
    assert_eq!(value["truncated"], true);
}
