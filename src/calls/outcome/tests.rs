use crate::calls::outcome::*;

const OPERATION: &databricks::Operation = &databricks::operations::JOBS_JOBS_LIST;

const BY_NAME: Look = Look {
    operation: OPERATION,
    bind: &[],
    items: Some("jobs"),
    matches: &[("settings.name", "name")],
    removes: false,
    gone: &[],
    created: Some("created_time"),
    show: &["job_id", "created_time"],
};

fn found(objects: Value) -> Found {
    Found { objects: objects.as_array().cloned().unwrap_or_default(), is_cut: false }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn what_is_there_and_new_is_of_this_call() {
    let earliest = Some(at("2026-03-01T09:55:00Z"));
    for (created, is_new) in [
        (json!(1_772_359_201_000_i64), true),
        (json!("1772359201000"), true),
        (json!("2026-03-01T10:00:01Z"), true),
        (json!("2026-03-01T09:58:00Z"), true),
        (json!("2026-02-28T10:00:00Z"), false),
    ] {
        let seen = judge(&BY_NAME, found(json!([{ "job_id": 7, "created_time": created }])), earliest);
        match (&seen, is_new) {
            (Seen::Done(text), true) => {
                assert!(text.starts_with("there is one with `job_id` `7`, `created_time` `20"), "{text}")
            }
            (Seen::NotDone(text), false) => assert!(text.contains("older than the call"), "{text}"),
            _ => panic!("{created}: {seen:?}"),
        }
    }
    // A workspace that does not tell its time leaves it open.
    let new = json!([{ "job_id": 7, "created_time": "2026-03-01T10:00:01Z" }]);
    assert!(matches!(judge(&BY_NAME, found(new), None), Seen::Unclear(_)));
    assert_eq!(judge(&BY_NAME, found(json!([])), earliest), Seen::NotDone("no such object exists yet".to_owned()));
    let unread = Found { objects: Vec::new(), is_cut: true };
    assert_eq!(judge(&BY_NAME, unread, earliest), Seen::Unclear(String::new()));
}

#[test]
fn what_has_no_time_may_be_older() {
    let look = Look { created: None, show: &["id"], ..BY_NAME };
    let many = json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }, { "id": 4 }]);
    let Seen::Unclear(text) = judge(&look, found(many), Some(at("2026-03-01T10:00:00Z"))) else {
        panic!("decided without a time")
    };
    assert_eq!(
        text,
        "there is one with `id` `1` and one with `id` `2` and one with `id` `3` and 1 more, which may be older"
    );
}

#[test]
fn a_removal_is_done_when_nothing_is_left() {
    let look = Look { removes: true, created: None, gone: &[("lifecycle_state", "TRASHED")], ..BY_NAME };
    assert!(matches!(judge(&look, found(json!([])), None), Seen::Done(_)));
    assert!(matches!(judge(&look, found(json!([{ "lifecycle_state": "TRASHED" }])), None), Seen::Done(_)));
    assert!(matches!(judge(&look, found(json!([{ "lifecycle_state": "ACTIVE" }])), None), Seen::NotDone(_)));
}

#[test]
fn templates_take_the_arguments_of_the_call() {
    let Value::Object(given) = json!({ "catalog_name": "main", "schema_name": "sales", "job_id": 7 }) else {
        unreachable!()
    };
    for (template, expected) in [
        ("{catalog_name}.{schema_name}", Some(json!("main.sales"))),
        ("{job_id}", Some(json!(7))),
        ("jobs/{job_id}", Some(json!("jobs/7"))),
        ("{path}", None),
        ("{catalog_name}.{volume_name}", None),
    ] {
        assert_eq!(filled(template, &given), expected, "{template}");
    }
}

#[test]
fn the_words_say_what_is_known_and_what_to_do() {
    let verify = Verify { tool: Some("list_jobs"), note: None, look: None };
    let silent = Verify { tool: None, note: Some("the model may have answered"), look: None };
    for (verify, idempotent, seen, expected) in [
        (
            &verify,
            false,
            Seen::Done("there is one with `job_id` `7`".to_owned()),
            "the change was made although its answer was lost: there is one with `job_id` `7`; do not repeat the call",
        ),
        (
            &verify,
            false,
            Seen::NotDone("no such object exists yet".to_owned()),
            "the change does not seem to have been made: no such object exists yet; repeat the call once you have checked \
             again with `list_jobs`",
        ),
        (
            &verify,
            true,
            Seen::NotDone("the object still exists".to_owned()),
            "the change does not seem to have been made: the object still exists; repeat the call",
        ),
        (
            &verify,
            false,
            Seen::Unclear(String::new()),
            "the change may have been made although its answer was lost; check with `list_jobs` before you repeat the call",
        ),
        (
            &verify,
            true,
            Seen::Unclear("checking took too long".to_owned()),
            "the change may have been made although its answer was lost: checking took too long; check with \
             `list_jobs`, or repeat the call: doing it twice has the same effect as once",
        ),
        (&silent, false, Seen::Unclear(String::new()), "although its answer was lost, the model may have answered"),
    ] {
        assert_eq!(words(verify, idempotent, &seen), expected);
    }
}
