//! The seam to the generated typed client.

use crate::workspace::{CREATE, DOWNLOAD, KEYED, LIST, TOKEN, Workspace, json};
use databricks::Error;
use progenitor_client::Error as Generated;

fn url(workspace: &Workspace, path: &str) -> String {
    format!("{}{path}", workspace.url())
}

#[tokio::test]
async fn requests_go_the_same_way() {
    let workspace = Workspace::start(|number| json(if number == 0 { 503 } else { 200 }, "")).await.unwrap();
    let client = workspace.client().unwrap();
    let transport = client.transport();
    assert_eq!(transport.base_url(), workspace.url());
    let request = transport.http_client().get(url(&workspace, LIST.path)).header("api-version", "1").build().unwrap();
    let response = transport.exec(request, &LIST).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), "{}", "an empty answer where JSON is expected");
    let requests = workspace.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(requests[1].header("api-version"), None);
}

#[tokio::test]
async fn slashes_of_file_paths_are_restored() {
    let workspace = Workspace::always(200, &[], "").await.unwrap();
    let client = workspace.client().unwrap();
    let request = client.transport().http_client().get(url(&workspace, "/api/2.0/fs/files%2FVolumes%2Fa%20b"));
    client.transport().exec(request.build().unwrap(), &DOWNLOAD).await.unwrap();
    assert_eq!(workspace.requests()[0].uri, "/api/2.0/fs/files/Volumes/a%20b");
}

#[tokio::test]
async fn errors_come_through_whole() {
    let body = r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Job 1 does not exist."}"#;
    for (status, body) in [(400, body), (200, "<!doctype html>")] {
        let workspace = Workspace::start(move |_| json(status, body)).await.unwrap();
        let client = workspace.client().unwrap();
        let request = client.transport().http_client().post(url(&workspace, CREATE.path)).build().unwrap();
        let response = client.transport().exec(request, &CREATE).await.unwrap();
        assert!(!response.status().is_success());
        let error = Error::from(Generated::<()>::UnexpectedResponse(response));
        assert_eq!(error.operation(), Some(CREATE.id));
        assert_eq!(error.status(), Some(status));
        assert_eq!((error.is_not_found(), error.is_unauthenticated()), (status == 400, status == 200));
    }
}

#[tokio::test]
async fn keys_are_found_in_finished_requests() {
    for (body, expected) in [(r#"{"request_id":"k"}"#, 2), (r#"{"other":"k"}"#, 1)] {
        let workspace = Workspace::start(|number| json(if number == 0 { 502 } else { 200 }, "{}")).await.unwrap();
        let client = workspace.client().unwrap();
        let request = client.transport().http_client().post(url(&workspace, KEYED.path)).body(body).build().unwrap();
        client.transport().exec(request, &KEYED).await.unwrap();
        assert_eq!(workspace.requests().len(), expected, "{body}");
    }
}

#[tokio::test]
async fn credentials_go_to_no_other_host() {
    let (workspace, other) =
        (Workspace::always(200, &[], "{}").await.unwrap(), Workspace::always(200, &[], "{}").await.unwrap());
    let client = workspace.client().unwrap();
    let request = client.transport().http_client().get(url(&other, LIST.path)).build().unwrap();
    let response = client.transport().exec(request, &LIST).await.unwrap();
    let error = Error::from(Generated::<()>::UnexpectedResponse(response));
    assert_eq!(error.to_string(), "cannot call `jobs.jobs.list`: the request is for another host");
    assert!(other.requests().is_empty());
}
