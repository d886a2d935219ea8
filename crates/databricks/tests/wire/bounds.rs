//! A workspace that is slow, silent, endless or heavy: each call ends in time and says why.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not \"in tests\" for clippy")]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use databricks::requests::sql::statement_execution::GetStatement;
use databricks::{Arguments, Client, Config, Deadline, Error, Limits, Payload, RetryPolicy};
use futures_util::stream::unfold;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::workspace::{CREATE, LIST, Workspace, call};

/// Less than any wait of these tests would take without a deadline.
const SOON: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// A client with the usual patience, but for the deadline.
fn within(workspace: &Workspace, time: Duration) -> (Client, Deadline) {
    let retry = RetryPolicy::default();
    let client = Client::new(Config { retry, ..workspace.config().unwrap() }).unwrap();
    let deadline = Deadline::after(time);
    (client.with_deadline(deadline.clone()), deadline)
}

/// A body of blanks, one after each pause, without end.
fn dripping(pause: Duration) -> Response<Body> {
    let parts = unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(" "), ()))
    });
    Response::new(Body::from_stream(parts))
}

/// A host that takes connections and answers nothing.
async fn silent() -> (tokio::net::TcpListener, Config) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let config = Config::new(&format!("http://{}", listener.local_addr().unwrap()), "dapi-1").unwrap();
    (listener, config)
}

#[track_caller]
fn ran_out(error: &Error, start: Instant, expected: &str) {
    assert!(error.is_timeout() && start.elapsed() < SOON, "{error}");
    let text = error.to_string();
    assert!(text.contains("ran out of time after 1 s") && text.contains(expected), "{text}");
}

#[tokio::test]
async fn a_pause_that_does_not_fit_is_not_begun() {
    for status in [429, 503] {
        let headers = [("retry-after", "250")];
        let workspace = Workspace::always(status, &headers, r#"{"error_code":"X","message":"later"}"#).await.unwrap();
        let (client, _) = within(&workspace, Duration::from_secs(60));
        let start = Instant::now();
        let error = call(&client, &LIST).await.unwrap_err();
        assert!(error.retry_after() == Some(Duration::from_secs(250)) && start.elapsed() < SOON, "{error}");
        assert_eq!(workspace.requests().len(), 1);
    }
}

#[tokio::test]
async fn attempts_end_before_the_deadline_and_are_counted() {
    let workspace = Workspace::always(503, &[], r#"{"error_code":"X","message":"later"}"#).await.unwrap();
    let (client, _) = within(&workspace, 2 * SECOND);
    let start = Instant::now();
    let error = call(&client, &LIST).await.unwrap_err();
    let attempts = workspace.requests().len();
    assert!(attempts > 1 && start.elapsed() < SOON, "{attempts}");
    assert!(error.to_string().contains(&format!("failed in {attempts} attempts with `X`")), "{error}");
}

#[tokio::test]
async fn a_host_that_never_answers_is_told_as_such() {
    let (_listener, config) = silent().await;
    let client = Client::new(config).unwrap();
    for (operation, may_have_happened) in [(&LIST, false), (&CREATE, true)] {
        let start = Instant::now();
        let error = call(&client.with_deadline(Deadline::after(SECOND)), operation).await.unwrap_err();
        ran_out(&error, start, &format!("waiting for the workspace to answer `{}`", operation.id));
        assert_eq!(error.may_have_happened(), may_have_happened, "{error}");
    }
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_is_not_sent_after_the_deadline() {
    let (listener, config) = silent().await;
    let limits = Limits { concurrency: 1, requests_per_second: None };
    let client = Client::new(Config { limits, ..config }).unwrap();
    let first = tokio::spawn({
        let client = client.clone();
        async move { call(&client, &LIST).await }
    });
    let _connection = listener.accept().await.unwrap();
    let start = Instant::now();
    let error = call(&client.with_deadline(Deadline::after(SECOND)), &CREATE).await.unwrap_err();
    ran_out(&error, start, "waiting for the rate limit of this client");
    assert!(!error.may_have_happened(), "{error}");
    first.abort();
}

#[tokio::test]
async fn a_body_that_never_ends_ends_at_the_deadline() {
    let workspace = Workspace::start(|_| dripping(Duration::from_millis(50))).await.unwrap();
    let (client, _) = within(&workspace, SECOND);
    let start = Instant::now();
    ran_out(&call(&client, &LIST).await.unwrap_err(), start, "waiting for the workspace to answer");
    let (client, _) = within(&workspace, SECOND);
    let start = Instant::now();
    let error = client.download_presigned(&format!("{}/part", workspace.url())).await.unwrap_err();
    ran_out(&error, start, "presigned download");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_ends_without_a_deadline() {
    let workspace = Workspace::start(|_| dripping(Duration::from_millis(100))).await.unwrap();
    // It would come as slowly once more, so that is not tried.
    let config = Config { idle_timeout: SECOND, ..workspace.config().unwrap() };
    let start = Instant::now();
    let error = call(&Client::new(config).unwrap(), &LIST).await.unwrap_err();
    assert!(error.is_timeout() && start.elapsed() < SOON, "{error}");
    assert!(error.to_string().contains("bytes of the answer came within 1 s"), "{error}");
}

#[tokio::test]
async fn what_must_be_answered_or_undone_has_no_deadline() {
    let workspace = Workspace::start(|_| {
        let parts = unfold(0, |sent| async move {
            tokio::time::sleep(Duration::from_millis(400)).await;
            ["{\"job_id\"", ":7", "}"].get(sent).map(|part| (Ok::<_, Infallible>(*part), sent + 1))
        });
        Response::new(Body::from_stream(parts))
    })
    .await
    .unwrap();
    let (client, _) = within(&workspace, Duration::from_millis(100));
    assert!(call(&client, &CREATE).await.unwrap_err().may_have_happened());
    for client in [client.until(CancellationToken::new()), client.ahead()] {
        assert_eq!(call(&client, &CREATE).await.unwrap(), Payload::Json(json!({ "job_id": 7 })));
    }
}

#[tokio::test]
async fn an_error_of_megabytes_keeps_its_code() {
    let long = format!(r#"{{"error_code":"QUOTA_EXCEEDED","message":"too many","seen":"{}"}}"#, "x".repeat(5_000_000));
    let workspace = Workspace::start(move |_| {
        let mut response = Response::new(Body::from(long.clone()));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    });
    let error = call(&workspace.await.unwrap().client().unwrap(), &LIST).await.unwrap_err();
    assert_eq!((error.error_code(), &*error.message()), (Some("QUOTA_EXCEEDED"), "too many"));
}

#[tokio::test]
async fn an_answer_that_would_fill_the_memory_is_refused() {
    let heavy = format!("[{}0]", "{\"a\":0},".repeat(2_000_000));
    let workspace = Workspace::start(move |_| Response::new(Body::from(heavy.clone()))).await.unwrap();
    let client = workspace.client().unwrap();
    let url = workspace.url();
    let rows = client.download_presigned_json::<Vec<serde_json::Value>>(&url, []);
    for error in [call(&client, &LIST).await.unwrap_err(), rows.await.unwrap_err()] {
        assert!(error.to_string().contains("512 MB of memory"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("ask for less")), "{error}");
    }
    // What is not parsed takes no more than its bytes.
    assert!(client.download_presigned(&url).await.is_ok());
}

#[tokio::test]
async fn odd_values_are_replaced_and_told() {
    let workspace = Workspace::always(200, &[], r#"{"jobs":[{"name":"a\ud83d","size":1e400}]}"#).await.unwrap();
    let (client, deadline) = within(&workspace, SOON);
    let answer = call(&client, &LIST).await.unwrap();
    assert_eq!(answer, Payload::Json(json!({ "jobs": [{ "name": "a\u{fffd}", "size": "1e400" }] })));
    let repairs = ["half of a surrogate pair in `name`", "a number out of range, given as text in `size`"];
    assert_eq!(deadline.repairs(), repairs);

    let statement = "\u{feff}{\"statement_id\":\"1\",\"status\":{\"error\":{\"message\":\"\\udead\"}}}";
    let statement: &'static str = Box::leak(statement.to_owned().into_boxed_str());
    let workspace = Workspace::always(200, &[("content-type", "application/json")], statement).await.unwrap();
    let (client, deadline) = within(&workspace, SOON);
    let answer = client.send(GetStatement::new("1")).await.unwrap();
    let error = answer.status.and_then(|status| status.error).unwrap();
    assert_eq!(error.message.as_deref(), Some("\u{fffd}"));
    assert_eq!(deadline.repairs(), ["half of a surrogate pair in `message`"]);
}

#[tokio::test]
async fn an_answer_that_is_nested_too_deeply_is_refused() {
    static DEEP: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "[".repeat(1_000_000));
    let workspace = Workspace::always(200, &[], DEEP.as_str()).await.unwrap();
    let client = workspace.client().unwrap();
    let error = call(&client, &LIST).await.unwrap_err();
    assert!(error.to_string().contains("not JSON"), "{error}");
    let error = client.send(GetStatement::new("1")).await.unwrap_err();
    assert!(error.to_string().contains("not JSON"), "{error}");
}

#[tokio::test]
async fn a_list_ends_where_the_service_says_so() {
    for page in [
        r#"{"jobs":[],"next_page_token":"more","has_next_page":false}"#,
        r#"{"jobs":[],"next_page_token":"more","has_more":false}"#,
    ] {
        let workspace = Workspace::always(200, &[], page).await.unwrap();
        let page = workspace.client().unwrap().page(&LIST, Arguments::new(), None).await.unwrap();
        assert_eq!(page.next, None);
    }
}
