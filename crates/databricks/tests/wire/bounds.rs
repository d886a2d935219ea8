//! A workspace that is slow, silent, endless or heavy: each call ends in time and says why.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use databricks::{Arguments, Client, Config, Patience, Payload, RetryPolicy};
use serde_json::json;

use crate::workspace::{LIST, Workspace, call};

/// Less than any wait of these tests would take without a limit.
const SOON: Duration = Duration::from_secs(20);

fn hurried(workspace: &Workspace, time: Duration) -> (Client, Patience) {
    let retry = RetryPolicy::default();
    let client = Client::new(Config { retry, ..workspace.config().unwrap() }).unwrap();
    let patience = Patience::lasting(time);
    (client.with_patience(patience.clone()), patience)
}

#[tokio::test]
async fn a_pause_that_does_not_fit_is_not_begun() {
    let headers = [("retry-after", "250")];
    let workspace = Workspace::always(429, &headers, r#"{"error_code":"X","message":"slow down"}"#).await.unwrap();
    let (client, _) = hurried(&workspace, Duration::from_secs(60));
    let start = Instant::now();
    let error = call(&client, &LIST).await.unwrap_err();
    assert!(error.is_rate_limited() && start.elapsed() < SOON, "{error}");
    assert_eq!(workspace.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_never_ends_ends_with_the_time() {
    let workspace = Workspace::start(|_| {
        let parts = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::io::Error>(" "), ()))
        });
        Response::new(Body::from_stream(parts))
    })
    .await
    .unwrap();
    let (client, _) = hurried(&workspace, Duration::from_secs(1));
    let start = Instant::now();
    let error = call(&client, &LIST).await.unwrap_err();
    assert!(error.is_timeout() && start.elapsed() < SOON, "{error}");
    assert!(error.to_string().contains("waits for the answer of the workspace"), "{error}");
}

#[tokio::test]
async fn an_answer_that_would_fill_the_memory_is_refused() {
    let heavy = format!("[{}0]", "{\"a\":0},".repeat(2_000_000));
    let workspace = Workspace::start(move |_| Response::new(Body::from(heavy.clone()))).await.unwrap();
    let error = call(&workspace.client().unwrap(), &LIST).await.unwrap_err();
    assert!(error.to_string().contains("512 MB of memory"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("ask for less")), "{error}");
}

#[tokio::test]
async fn odd_values_are_replaced_and_told() {
    let workspace = Workspace::always(200, &[], r#"{"jobs":[{"name":"a\ud83d","size":1e400}]}"#).await.unwrap();
    let (client, patience) = hurried(&workspace, SOON);
    let answer = call(&client, &LIST).await.unwrap();
    assert_eq!(answer, Payload::Json(json!({ "jobs": [{ "name": "a\u{fffd}", "size": "1e400" }] })));
    let repairs = ["half of a surrogate pair in `name`", "a number out of range, given as text in `size`"];
    assert_eq!(patience.repairs(), repairs);
}

#[tokio::test]
async fn an_answer_that_is_nested_too_deeply_is_refused() {
    static DEEP: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "[".repeat(1_000_000));
    let workspace = Workspace::always(200, &[], DEEP.as_str()).await.unwrap();
    let client = workspace.client().unwrap();
    let error = call(&client, &LIST).await.unwrap_err();
    assert!(error.to_string().contains("not JSON"), "{error}");
    let error = databricks::Error::from(client.api().sql_statement_execution_get_statement("1").await.err().unwrap());
    assert!(error.to_string().contains("expected shape"), "{error}");
}

#[tokio::test]
async fn a_list_ends_where_the_service_says_so() {
    let page = r#"{"jobs":[],"next_page_token":"more","has_next_page":false}"#;
    let workspace = Workspace::always(200, &[], page).await.unwrap();
    let page = workspace.client().unwrap().page(&LIST, Arguments::new(), None).await.unwrap();
    assert_eq!(page.next, None);
}
