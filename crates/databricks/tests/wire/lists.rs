//! Lists read through all their pages.

use databricks::{Arguments, Bookmark, Cursor, Location, Operation, PageStyle, Pagination, operations};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::workspace::{CREATE, LIST, Workspace, json as answer};

static SCIM: Operation = Operation {
    id: "iam.users.list",
    pagination: Some(Pagination {
        style: PageStyle::Scim,
        location: Location::Query,
        items: Some("Resources"),
        request: Some("limit"),
        response: None,
        start: 1,
        count: None,
    }),
    ..LIST
};

static SEARCH: Operation = Operation {
    pagination: Some(Pagination {
        style: PageStyle::Token,
        location: Location::Body,
        items: Some("jobs"),
        request: Some("page_token"),
        response: Some("next_page_token"),
        start: 0,
        count: None,
    }),
    ..CREATE
};

/// Answers with these pages, the last one again and again.
async fn pages(pages: &'static [&'static str]) -> std::io::Result<Workspace> {
    let page = |number: usize| pages.get(number).or(pages.last()).copied().unwrap_or_default();
    Workspace::start(move |number| answer(200, page(number))).await
}

fn queries(workspace: &Workspace) -> Vec<String> {
    workspace.requests().iter().map(|request| request.uri.query().unwrap_or_default().to_owned()).collect()
}

const SHORT: &[&str] = &[
    r#"{"jobs":[1,2,3],"next_page_token":"a"}"#,
    r#"{"next_page_token":"b"}"#,
    r#"{"jobs":[],"next_page_token":"c"}"#,
    r#"{"jobs":[4]}"#,
];

#[tokio::test]
async fn empty_pages_are_passed_over() {
    let workspace = pages(SHORT).await.unwrap();
    let mut listing = workspace.client().unwrap().list(&LIST, Arguments::new());
    assert_eq!(listing.next_page().await.unwrap(), Some(vec![json!(1), json!(2), json!(3)]));
    assert_eq!(listing.next_page().await.unwrap(), Some(vec![json!(4)]));
    assert_eq!((listing.next_page().await.unwrap(), listing.bookmark()), (None, None));
    assert_eq!(queries(&workspace), ["", "page_token=a", "page_token=b", "page_token=c"]);
}

#[tokio::test]
async fn items_come_as_a_stream() {
    let client = pages(SHORT).await.unwrap().client().unwrap();
    let stream = client.list(&LIST, Arguments::new()).into_stream();
    assert_eq!(stream.try_collect::<Vec<Value>>().await.unwrap(), [1, 2, 3, 4]);
    let failing = pages(&[r#"{"jobs":[1],"next_page_token":"a"}"#, "no JSON"]).await.unwrap().client().unwrap();
    let stream = failing.list(&LIST, Arguments::new()).into_stream();
    let items: Vec<_> = stream.map(|item| item.ok()).collect().await;
    assert_eq!(items, [Some(json!(1)), None], "the stream ends after the error");
}

#[tokio::test]
async fn a_bookmark_goes_on_within_a_page_after_a_restart() {
    let workspace = pages(SHORT).await.unwrap();
    let mut listing = workspace.client().unwrap().list(&LIST, Arguments::new()).at_most(2);
    assert_eq!(listing.next_page().await.unwrap(), Some(vec![json!(1), json!(2)]));
    assert_eq!(listing.next_page().await.unwrap(), None);
    let text = serde_json::to_string(listing.bookmark().unwrap()).unwrap();
    assert_eq!(text, r#"{"skip":2}"#);

    // Another process: another client, and the service begins where it is told.
    let bookmark: Bookmark = serde_json::from_str(&text).unwrap();
    let rest = pages(SHORT).await.unwrap().client().unwrap().list(&LIST, Arguments::new()).starting_at(bookmark);
    assert_eq!(rest.collect().await.unwrap(), [3, 4]);

    let later = Bookmark { page: Some(Cursor::Token("c".to_owned())), skip: 0 };
    let text = serde_json::to_string(&later).unwrap();
    assert_eq!(text, r#"{"page":{"token":"c"},"skip":0}"#);
    let workspace = pages(&[r#"{"jobs":[4]}"#]).await.unwrap();
    let listing = workspace.client().unwrap().list(&LIST, Arguments::new());
    assert_eq!(listing.starting_at(serde_json::from_str(&text).unwrap()).collect().await.unwrap(), [4]);
    assert_eq!(queries(&workspace), ["page_token=c"]);
}

#[tokio::test]
async fn a_cap_at_the_end_of_a_page_leaves_the_next_one() {
    let client = pages(SHORT).await.unwrap().client().unwrap();
    let mut listing = client.list(&LIST, Arguments::new()).at_most(3);
    assert_eq!(listing.next_page().await.unwrap().unwrap().len(), 3);
    let next = Bookmark { page: Some(Cursor::Token("a".to_owned())), skip: 0 };
    assert_eq!(listing.bookmark(), Some(&next));
}

#[tokio::test]
async fn a_page_named_twice_is_an_error_after_the_items() {
    let workspace = pages(&[
        r#"{"jobs":[1],"next_page_token":"a"}"#,
        r#"{"jobs":[2],"next_page_token":"b"}"#,
        r#"{"jobs":[3],"next_page_token":"a"}"#,
    ])
    .await
    .unwrap();
    let mut listing = workspace.client().unwrap().list(&LIST, Arguments::new());
    for expected in 1..=3 {
        assert_eq!(listing.next_page().await.unwrap(), Some(vec![json!(expected)]));
    }
    let error = listing.next_page().await.unwrap_err();
    assert!(error.message().contains("named a page for the second time"), "{error}");
    assert_eq!((error.operation(), workspace.requests().len()), (Some(LIST.id), 3));
}

#[tokio::test]
async fn an_empty_page_may_name_itself_until_it_has_items() {
    let workspace = pages(&[
        r#"{"jobs":[1],"next_page_token":"a"}"#,
        r#"{"jobs":[],"next_page_token":"a"}"#,
        r#"{"next_page_token":"a"}"#,
        r#"{"jobs":[2]}"#,
    ])
    .await
    .unwrap();
    assert_eq!(workspace.client().unwrap().list(&LIST, Arguments::new()).collect().await.unwrap(), [1, 2]);
    assert_eq!(queries(&workspace), ["", "page_token=a", "page_token=a", "page_token=a"]);
}

#[tokio::test]
async fn empty_pages_come_to_an_end() {
    let workspace = Workspace::start(|number| {
        let body = format!(r#"{{"jobs":[],"next_page_token":"{number}"}}"#);
        axum::http::Response::new(axum::body::Body::from(body))
    });
    let config = databricks::Config {
        limits: databricks::Limits { requests_per_second: None, ..databricks::Limits::default() },
        ..workspace.await.unwrap().config().unwrap()
    };
    let listing = databricks::Client::new(config).unwrap().list(&LIST, Arguments::new());
    let error = listing.collect().await.unwrap_err();
    assert!(error.message().contains("1000 empty pages in a row"), "{error}");
}

#[tokio::test]
async fn what_shifts_between_pages_comes_once() {
    let workspace = pages(&[
        r#"{"Resources":[{"id":"1"},{"id":"2"}]}"#,
        r#"{"Resources":[{"id":"2"},{"id":"3"},{"name":"none"},{"name":"none"}]}"#,
        r#"{"Resources":[]}"#,
    ])
    .await
    .unwrap();
    let items = workspace.client().unwrap().list(&SCIM, Arguments::new()).collect().await.unwrap();
    assert_eq!(json!(items), json!([{"id": "1"}, {"id": "2"}, {"id": "3"}, {"name": "none"}, {"name": "none"}]));
    // The position counts what the service has sent, not what was new.
    assert_eq!(queries(&workspace), ["", "limit=3", "limit=7"]);
}

#[tokio::test]
async fn a_given_position_is_where_counting_begins() {
    let workspace = pages(&[r#"{"Resources":[{"id":"5"},{"id":"6"}]}"#, r#"{"Resources":[]}"#]).await.unwrap();
    let client = workspace.client().unwrap();
    let arguments = Arguments::new().with(Location::Query, "limit", 5);
    assert_eq!(client.list(&SCIM, arguments.clone()).collect().await.unwrap().len(), 2);
    assert_eq!(queries(&workspace), ["limit=5", "limit=7"]);
    let workspace = pages(&[r#"{"Resources":[{"id":"5"},{"id":"6"}]}"#]).await.unwrap();
    let page = workspace.client().unwrap().page(&SCIM, arguments, None).await.unwrap();
    assert_eq!(page.next, Some(Cursor::Position(7)));
}

#[tokio::test]
async fn a_list_asked_for_with_post_is_asked_again() {
    let workspace = Workspace::start(|number| match number {
        0 => answer(200, r#"{"jobs":[1],"next_page_token":"a"}"#),
        1 => answer(502, ""),
        _ => answer(200, r#"{"jobs":[2]}"#),
    })
    .await
    .unwrap();
    assert_eq!(workspace.client().unwrap().list(&SEARCH, Arguments::new()).collect().await.unwrap(), [1, 2]);
    let bodies: Vec<_> = workspace.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, ["{}", r#"{"page_token":"a"}"#, r#"{"page_token":"a"}"#]);
}

#[tokio::test]
async fn after_an_error_the_same_page_is_tried_again() {
    let workspace = Workspace::start(|number| match number {
        0 => answer(200, r#"{"jobs":[1,2],"next_page_token":"a"}"#),
        1 => answer(500, "{}"),
        _ => answer(200, r#"{"jobs":[3]}"#),
    })
    .await
    .unwrap();
    let mut listing = workspace.client().unwrap().list(&LIST, Arguments::new());
    assert_eq!(listing.next_page().await.unwrap().unwrap().len(), 2);
    assert_eq!(listing.next_page().await.unwrap_err().status(), Some(500));
    assert_eq!(listing.next_page().await.unwrap(), Some(vec![json!(3)]));
    assert_eq!(listing.next_page().await.unwrap(), None);
}

#[tokio::test]
async fn an_object_is_a_list_of_one_put_together() {
    let workspace = pages(&[
        r#"{"job_id":1,"settings":{"tasks":[1],"parameters":null},"next_page_token":"a"}"#,
        r#"{"settings":{"tasks":[2],"parameters":[7],"job_clusters":null},"next_page_token":"b"}"#,
        r#"{"job_id":1}"#,
    ])
    .await
    .unwrap();
    let arguments = Arguments::new().with(Location::Query, "job_id", 1);
    let expected = json!({"job_id": 1, "settings": {"tasks": [1, 2], "parameters": [7]}});
    let client = workspace.client().unwrap();
    assert_eq!(client.whole(&operations::JOBS_JOBS_GET, arguments.clone()).await.unwrap(), expected);
    assert_eq!(queries(&workspace), ["job_id=1", "job_id=1&page_token=a", "job_id=1&page_token=b"]);
    let client = pages(&[r#"{"job_id":1}"#]).await.unwrap().client().unwrap();
    assert_eq!(client.list(&operations::JOBS_JOBS_GET, arguments).collect().await.unwrap(), [json!({"job_id": 1})]);
}

#[tokio::test]
async fn a_run_has_further_tasks_or_further_iterations() {
    let arguments = || Arguments::new().with(Location::Query, "run_id", 1);
    for (first, second, expected) in [
        (
            r#"{"tasks":[1],"repair_history":[8],"next_page_token":"a"}"#,
            r#"{"tasks":[2],"repair_history":[9]}"#,
            json!({"tasks": [1, 2], "repair_history": [8, 9]}),
        ),
        (
            r#"{"tasks":[1],"iterations":[4],"next_page_token":"a"}"#,
            r#"{"tasks":[1],"iterations":[5]}"#,
            json!({"tasks": [1], "iterations": [4, 5]}),
        ),
    ] {
        let workspace = Workspace::start(move |number| answer(200, if number == 0 { first } else { second }));
        let client = workspace.await.unwrap().client().unwrap();
        assert_eq!(client.whole(&operations::JOBS_JOBS_GET_RUN, arguments()).await.unwrap(), expected);
    }
    let endless = pages(&[r#"{"tasks":[1],"next_page_token":"a"}"#]).await.unwrap().client().unwrap();
    let error = endless.whole(&operations::JOBS_JOBS_GET_RUN, arguments()).await.unwrap_err();
    assert!(error.message().contains("named a page for the second time"), "{error}");
}
