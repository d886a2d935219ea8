//! The reading of answers.

use std::time::Duration;

use axum::body::Bytes;
use databricks::{Arguments, Client, Config, Location, Operation, Payload, Response};
use serde_json::json;

use crate::workspace::{CREATE, DOWNLOAD, LIST, TOKEN, Workspace, call};

static TEXT: Operation = Operation { response: Response::Text, ..LIST };
static SILENT: Operation = Operation { response: Response::Empty, ..CREATE };

#[tokio::test]
async fn each_kind_of_answer_is_read() {
    let workspace = Workspace::always(200, &[("content-type", "Text/CSV; charset=utf-8")], "a,b").await.unwrap();
    let client = workspace.client().unwrap();
    let text = Payload::Text { media_type: "text/csv".to_owned(), text: "a,b".to_owned() };
    assert_eq!(call(&client, &TEXT).await.unwrap(), text);
    let arguments = Arguments::new().with(Location::Path, "file_path", "/f");
    let binary = Payload::Binary { media_type: "text/csv".to_owned(), bytes: Bytes::from("a,b") };
    assert_eq!(client.execute(&DOWNLOAD, arguments).await.unwrap(), binary);
    assert_eq!(call(&client, &SILENT).await.unwrap(), Payload::Empty);
}

#[tokio::test]
async fn json_is_exact_and_may_be_absent() {
    for (body, expected) in
        [(r#"{"id":9007199254740993}"#, json!({"id": 9_007_199_254_740_993_u64})), ("", json!({})), (" \n", json!({}))]
    {
        let workspace = Workspace::always(200, &[], body).await.unwrap();
        let answer = call(&workspace.client().unwrap(), &LIST).await.unwrap();
        assert_eq!(answer, Payload::Json(expected), "{body}");
    }
}

#[tokio::test]
async fn what_is_not_json_is_an_error_that_does_not_repeat_it() {
    let workspace = Workspace::always(200, &[], r#"{"a": "private"#).await.unwrap();
    let error = call(&workspace.client().unwrap(), &LIST).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot call `jobs.jobs.list`: the answer is not JSON (line 1, column 14)");
}

/// What can be asked of an error, in one line.
fn asked(error: &databricks::Error) -> String {
    let classes = [
        ("bad request", error.is_bad_request()),
        ("unauthenticated", error.is_unauthenticated()),
        ("permission denied", error.is_permission_denied()),
        ("not found", error.is_not_found()),
        ("conflict", error.is_conflict()),
        ("rate limited", error.is_rate_limited()),
        ("timeout", error.is_timeout()),
        ("retryable", error.is_retryable()),
    ];
    let classes: Vec<_> = classes.iter().filter_map(|(class, holds)| holds.then_some(*class)).collect();
    let code = error.error_code().unwrap_or("no code");
    let id = error.request_id().unwrap_or("no id");
    format!("{} | {code} | {} | {id} | {} details", classes.join(", "), error.message(), error.details().len())
}

#[tokio::test]
async fn every_shape_of_error_becomes_the_one_error() {
    let id = ("x-request-id", "r-1");
    let html = ("content-type", "text/html; charset=utf-8");
    let text = ("content-type", "text/plain");
    for (status, headers, body, expected) in [
        // JSON with a code, as text and as a number.
        (
            404,
            vec![id],
            r#"{"error_code":"NOT_FOUND","message":"Volume 'c.s.v' does not exist.","details":[
                {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"FILES_API_RESOURCE_NOT_FOUND","domain":"d"},
                {"@type":"type.googleapis.com/google.rpc.RequestInfo","request_id":"r-2","serving_data":""}]}"#,
            "not found | NOT_FOUND | Volume 'c.s.v' does not exist. | r-1 | 2 details",
        ),
        (
            403,
            vec![],
            r#"{"error_code":403,"message":"Invalid access token."}"#,
            "unauthenticated | 403 | Invalid access token. | no id | 0 details",
        ),
        (
            401,
            vec![("www-authenticate", "Bearer realm=\"DatabricksRealm\"")],
            r#"{"error_code":401,"message":"Credential was not sent or was of an unsupported type for this API."}"#,
            "unauthenticated | 401 | Credential was not sent or was of an unsupported type for this API. | no id | 0 details",
        ),
        (
            429,
            vec![("retry-after", "3600")],
            r#"{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow down","details":"none"}"#,
            "rate limited, retryable | REQUEST_LIMIT_EXCEEDED | slow down | no id | 0 details",
        ),
        (
            409,
            vec![],
            r#"{"error_code":"ABORTED","message":"changed","details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","request_id":"r-3"}, 7]}"#,
            "conflict | ABORTED | changed | r-3 | 2 details",
        ),
        // SCIM.
        (
            409,
            vec![id],
            r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"User exists","status":"409","scimType":"uniqueness"}"#,
            "conflict | SCIM_409 | uniqueness User exists | r-1 | 0 details",
        ),
        (
            500,
            vec![],
            r#"{"schemas":["x"],"detail":null,"status":"500"}"#,
            " | SCIM_500 | SCIM API Internal Error | no id | 0 details",
        ),
        // API 1.2, OAuth, and a model server behind an endpoint.
        (
            400,
            vec![],
            r#"{"error":"Context not found"}"#,
            "bad request | no code | Context not found | no id | 0 details",
        ),
        (
            400,
            vec![],
            r#"{"error":"invalid_scope","error_description":"no such scope"}"#,
            "bad request | invalid_scope | no such scope | no id | 0 details",
        ),
        (
            400,
            vec![],
            r#"{"error":{"message":"too many tokens","type":"invalid_request_error"}}"#,
            "bad request | invalid_request_error | too many tokens | no id | 0 details",
        ),
        // HTML, plain text, nothing.
        (
            504,
            vec![html],
            "<html><body><h1>Error</h1><pre>upstream request timeout.</pre></body></html>",
            "timeout, retryable | GATEWAY_TIMEOUT | upstream request timeout | no id | 0 details",
        ),
        (
            403,
            vec![text],
            "PERMISSION_DENIED: not yours",
            "permission denied | PERMISSION_DENIED | not yours | no id | 0 details",
        ),
        (400, vec![text], "no healthy upstream", "bad request | no code | no healthy upstream | no id | 0 details"),
        (
            500,
            vec![("x-databricks-reason-phrase", "TEMPORARILY_DOWN")],
            "",
            " | no code | TEMPORARILY_DOWN | no id | 0 details",
        ),
        (503, vec![], "", "retryable | no code | Service Unavailable | no id | 0 details"),
    ] {
        let workspace = Workspace::always(status, &headers, body).await.unwrap();
        let arguments = Arguments::new().with_retry_budget(Duration::ZERO);
        let error = workspace.client().unwrap().execute(&LIST, arguments).await.unwrap_err();
        assert_eq!(asked(&error), expected, "{body}");
        assert_eq!((error.status(), error.operation()), (Some(status), Some(LIST.id)));
    }
}

#[tokio::test]
async fn login_pages_are_recognised() {
    let page = "<!doctype html><title>Sign in</title>";
    let html = [("content-type", "text/html; charset=utf-8")];
    for (status, headers, body) in [
        (200, &html[..], page),
        (200, &[][..], page),
        (302, &[("location", "/login.html")][..], ""),
        (303, &[][..], ""),
    ] {
        let workspace = Workspace::always(status, headers, body).await.unwrap();
        let error = call(&workspace.client().unwrap(), &LIST).await.unwrap_err();
        assert!(error.is_unauthenticated() && !error.is_retryable(), "{error}");
        assert_eq!(error.status(), Some(status));
        assert!(error.hint().unwrap().contains("DATABRICKS_WORKSPACE_ID"));
        assert_eq!(workspace.requests().len(), 1, "a redirect is not followed");
    }
}

#[tokio::test]
async fn a_private_link_is_told_however_it_is_said() {
    let location = [("location", "https://acme.test/login.html?error=private-link-validation-error:123")];
    for (status, headers, body) in [
        (302, &location[..], ""),
        (403, &[], r#"{"error_code":"PRIVATE_LINK_VALIDATION_ERROR","message":"m"}"#),
        (400, &[], r#"{"error_code":"PRIVATE_LINK_VALIDATION_ERROR","message":"m"}"#),
        (200, &[], r#"{"error_code":"PRIVATE_LINK_VALIDATION_ERROR","message":"m"}"#),
        (403, &[], r#"{"error_code":"PERMISSION_DENIED","message":"PRIVATE_LINK_VALIDATION_ERROR: not from here"}"#),
        (403, &[], "PRIVATE_LINK_VALIDATION_ERROR: not from here"),
        (
            403,
            &[],
            r#"{"message":"m","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"PRIVATE_LINK_VALIDATION_ERROR"}]}"#,
        ),
    ] {
        let workspace = Workspace::always(status, headers, body).await.unwrap();
        let error = call(&workspace.client().unwrap(), &LIST).await.unwrap_err();
        assert!(error.is_permission_denied() && error.is_private_link(), "{body}: {error:?}");
        assert!(error.hint().unwrap().contains("private link"), "{body}");
    }
}

#[tokio::test]
async fn an_error_in_a_success_is_an_error() {
    for (body, expected) in [
        (
            r#"{"error_code":"MAX_NOTEBOOK_SIZE_EXCEEDED","message":"too large"}"#,
            " | MAX_NOTEBOOK_SIZE_EXCEEDED | too large | no id | 0 details",
        ),
        (
            r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"gone"}"#,
            "not found | RESOURCE_DOES_NOT_EXIST | gone | no id | 0 details",
        ),
        (r#"{"error_code":403,"message":"no"}"#, "permission denied | 403 | no | no id | 0 details"),
        (r#"{"errorCode":"INTERNAL_ERROR","message":"m"}"#, " | INTERNAL_ERROR | m | no id | 0 details"),
    ] {
        let workspace = Workspace::always(200, &[], body).await.unwrap();
        for operation in [&LIST, &CREATE, &SILENT] {
            let error = call(&workspace.client().unwrap(), operation).await.unwrap_err();
            assert_eq!((asked(&error).as_str(), error.status()), (expected, Some(200)));
        }
        let typed = databricks::requests::jobs::jobs::GetRun::new(1);
        let error = workspace.client().unwrap().send(typed).await.unwrap_err();
        assert_eq!(asked(&error), expected, "typed");
        // What somebody has stored may look like anything.
        let arguments = Arguments::new().with(Location::Path, "file_path", "/f");
        workspace.client().unwrap().execute(&DOWNLOAD, arguments).await.unwrap();
    }
    let long = "m".repeat(100_000);
    for body in [
        format!(r#"{{"error_code":"INTERNAL_ERROR","message":"{long}"}}"#),
        format!(r#"{{"message":"{long}","error_code":"INTERNAL_ERROR"}}"#),
    ] {
        let workspace = Workspace::always(200, &[], &body).await.unwrap();
        for operation in [&LIST, &CREATE, &SILENT] {
            let error = call(&workspace.client().unwrap(), operation).await.unwrap_err();
            assert_eq!(error.error_code(), Some("INTERNAL_ERROR"));
        }
    }
    let rows = format!(r#"{{"jobs":[{{"error_code":"X","name":"{long}"}}]}}"#);
    for body in
        [r#"{"error_code":"","message":"m"}"#, r#"{"error_code":null}"#, r#"{"jobs":[{"error_code":"X"}]}"#, &rows]
    {
        let workspace = Workspace::always(200, &[], body).await.unwrap();
        call(&workspace.client().unwrap(), &LIST).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_no_success() {
    for body in ["null", "1", "\"a\"", "[]", "[{}]", "true"] {
        let workspace = Workspace::always(200, &[], body).await.unwrap();
        for operation in [&LIST, &CREATE] {
            let error = call(&workspace.client().unwrap(), operation).await.unwrap_err();
            assert_eq!(error.message(), "the answer is not an object", "{body}");
            assert_eq!(error.may_have_happened(), operation.id == CREATE.id, "{body}");
        }
    }
    for (body, expected) in [
        (r#"{"jobs":{"a":1}}"#, "`jobs` of the answer is not a list"),
        (r#"{"jobs":[],"next_page_token":{"a":1}}"#, "`next_page_token` of the answer is not text"),
        (r#"{"jobs":[],"next_page_token":7}"#, "`next_page_token` of the answer is not text"),
    ] {
        let workspace = Workspace::always(200, &[], body).await.unwrap();
        let error = workspace.client().unwrap().page(&LIST, Arguments::new(), None).await.unwrap_err();
        assert!(error.message().starts_with(expected), "{body}: {}", error.message());
    }
    for body in ["{}", "", r#"{"jobs":null,"next_page_token":null}"#] {
        let workspace = Workspace::always(200, &[], body).await.unwrap();
        workspace.client().unwrap().page(&LIST, Arguments::new(), None).await.unwrap();
    }
}

#[tokio::test]
async fn errors_carry_what_the_service_said_but_not_the_token() {
    let body = r#"{"error_code":"PERMISSION_DENIED","message":"token dapi-0123456789 may not"}"#;
    assert!(body.contains(TOKEN));
    let workspace = Workspace::always(403, &[("x-request-id", "r-1")], body).await.unwrap();
    let error = call(&workspace.client().unwrap(), &LIST).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`jobs.jobs.list` failed with `PERMISSION_DENIED` (status 403, request `r-1`): token *** may not"
    );
    assert!(error.is_permission_denied());
    assert!(!format!("{error:?}").contains(TOKEN));
}

#[tokio::test]
async fn too_large_an_answer_is_refused() {
    let workspace = Workspace::always(200, &[], r#"{"long":"0123456789"}"#).await.unwrap();
    let client = Client::new(Config { max_response_bytes: 20, ..workspace.config().unwrap() }).unwrap();
    let error = call(&client, &LIST).await.unwrap_err();
    assert_eq!(error.message(), "the answer is larger than 20 bytes");
    assert!(error.hint().is_some() && !error.is_retryable());
}

#[tokio::test]
async fn silence_ends_the_call() {
    // The system accepts the connection; nobody ever reads from it.
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let config = Config { idle_timeout: Duration::from_millis(50), ..Config::new(&url, TOKEN).unwrap() };
    let error = call(&Client::new(config).unwrap(), &CREATE).await.unwrap_err();
    assert!(error.is_timeout() && error.is_retryable());
    assert_eq!(error.message(), "no answer within 0.05 s");
}

#[tokio::test]
async fn presigned_urls_get_no_credentials_and_are_never_shown() {
    let storage = Workspace::always(200, &[], "rows").await.unwrap();
    let client = storage.client().unwrap();
    let rows = client.download_presigned(&format!("{}/chunk?sig=s3cret", storage.url())).await.unwrap();
    assert_eq!(rows, "rows");
    let request = storage.requests().remove(0);
    assert_eq!(request.uri, "/chunk?sig=s3cret");
    assert_eq!(request.header("authorization"), None);
    client
        .download_presigned_with(&format!("{}/chunk", storage.url()), [("x-ms-blob-type", "BlockBlob")])
        .await
        .unwrap();
    let request = storage.requests().remove(1);
    assert_eq!((request.header("x-ms-blob-type"), request.header("authorization")), (Some("BlockBlob"), None));

    for name in ["Content-Length", "host", "Transfer-Encoding", "User-Agent"] {
        let url = format!("{}/chunk", storage.url());
        let error = client.download_presigned_with(&url, [(name, "1")]).await.unwrap_err();
        assert!(error.message().contains(&format!("`{}`", name.to_ascii_lowercase())), "{error}");
    }
    assert_eq!(storage.requests().len(), 2, "nothing is sent with such a header");

    let expired = Workspace::always(403, &[], "<html><pre>Request has expired</pre></html>").await.unwrap();
    let url = format!("{}/chunk?sig=s3cret", expired.url());
    for url in [url.as_str(), "http://storage.test/chunk?sig=s3cret", "s3cret"] {
        let error = client.download_presigned(url).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}
