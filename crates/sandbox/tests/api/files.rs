//! The workspace tree, volumes, DBFS, secrets.

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::json;

use crate::client::{Checked, follow, get, post, send, start};

const WORKSPACE: &str = "/api/2.0/workspace";

#[tokio::test]
async fn notebooks_are_imported_exported_and_deleted() -> Checked {
    let sandbox = start().await?;
    let body = |path: &str| json!({"path": path, "format": "AUTO", "content": "IyBEYXRhYnJpY2tzIG5vdGVib29rIHNvdXJjZQpwcmludCgxKQo="});
    let refused = post(&sandbox, &format!("{WORKSPACE}/import"), body("/Shared/new/note.py")).await?;
    assert_eq!(
        (refused.status, refused.json()["message"].clone()),
        (404, json!("The parent folder (/Shared/new) does not exist."))
    );
    post(&sandbox, &format!("{WORKSPACE}/mkdirs"), json!({"path": "/Shared/new"})).await?;
    assert_eq!(post(&sandbox, &format!("{WORKSPACE}/import"), body("/Shared/new/note.py")).await?.status, 200);
    let status = get(&sandbox, &format!("{WORKSPACE}/get-status?path=/Shared/new/note")).await?.json();
    assert_eq!((&status["object_type"], &status["language"]), (&json!("NOTEBOOK"), &json!("PYTHON")));
    let export = get(&sandbox, &format!("{WORKSPACE}/export?path=%2FShared%2Fnew%2Fnote&direct_download=true")).await?;
    assert_eq!(export.body, b"# Databricks notebook source\nprint(1)");
    assert_eq!(get(&sandbox, &format!("{WORKSPACE}/export?path=/Shared/new/note")).await?.json()["file_type"], "py");
    for format in ["HTML", "JUPYTER"] {
        assert_eq!(
            get(&sandbox, &format!("{WORKSPACE}/export?path=/Shared/new/note&format={format}")).await?.status,
            200
        );
    }
    assert_eq!(
        post(&sandbox, &format!("{WORKSPACE}/delete"), json!({"path": "/Shared/new"})).await?.code(),
        "DIRECTORY_NOT_EMPTY"
    );
    post(&sandbox, &format!("{WORKSPACE}/delete"), json!({"path": "/Shared/new", "recursive": true})).await?;
    let gone = get(&sandbox, &format!("{WORKSPACE}/list?path=/Shared/new")).await?;
    assert_eq!(
        (gone.code(), gone.json()["message"].clone()),
        ("RESOURCE_DOES_NOT_EXIST".to_owned(), json!("Path (/Shared/new) doesn't exist."))
    );
    let list = get(&sandbox, &format!("{WORKSPACE}/list?path=/Shared")).await?.json();
    assert_eq!(list["objects"].as_array().map(Vec::len), Some(4));
    Ok(())
}

#[tokio::test]
async fn volumes_hold_files_and_directories() -> Checked {
    let sandbox = start().await?;
    let file = "/api/2.0/fs/files/Volumes/main/default/landing/a%20b/c%23d.txt";
    assert_eq!(send(&sandbox, "PUT", file, b"hello").await?.status, 204);
    assert_eq!(send(&sandbox, "PUT", file, b"hello").await?.status, 409);
    assert_eq!(send(&sandbox, "PUT", &format!("{file}?overwrite=true"), b"hello!").await?.status, 204);
    assert_eq!(get(&sandbox, file).await?.body, b"hello!");
    let head = send(&sandbox, "HEAD", file, b"").await?;
    assert!(
        head.status == 200 && head.head.contains("content-length: 6") && head.head.contains("last-modified: "),
        "{}",
        head.head
    );
    let list = get(&sandbox, "/api/2.0/fs/directories/Volumes/main/default/landing?page_size=2").await?.json();
    assert_eq!(list["contents"].as_array().map(Vec::len), Some(2));
    assert!(list["next_page_token"].is_string());
    let inside = get(&sandbox, "/api/2.0/fs/directories/Volumes/main/default/landing/a%20b/").await?.json();
    assert_eq!(inside["contents"][0]["path"], "/Volumes/main/default/landing/a b/c#d.txt");
    assert_eq!(
        send(&sandbox, "DELETE", "/api/2.0/fs/directories/Volumes/main/default/landing/a%20b", b"")
            .await?
            .at("/details/0/reason"),
        "FILES_API_DIRECTORY_IS_NOT_EMPTY"
    );
    assert_eq!(send(&sandbox, "DELETE", file, b"").await?.status, 204);
    let gone = get(&sandbox, file).await?;
    assert_eq!(
        (gone.status, gone.json()["details"][0]["reason"].clone()),
        (404, json!("FILES_API_RESOURCE_NOT_FOUND"))
    );
    let missing = get(&sandbox, "/api/2.0/fs/files/Volumes/main/default/nope/x").await?;
    assert_eq!(missing.json()["message"], "Volume 'main.default.nope' does not exist.");
    Ok(())
}

#[tokio::test]
async fn the_rest_answers() -> Checked {
    let sandbox = start().await?;
    for path in [
        "dbfs/list?path=/",
        "dbfs/get-status?path=dbfs:/databricks-datasets/cities.csv",
        "dbfs/read?path=/databricks-datasets/README.md",
        "repos",
        "secrets/scopes/list",
        "secrets/list?scope=etl",
        "preview/scim/v2/Me",
        "git-credentials",
    ] {
        assert_eq!(get(&sandbox, &format!("/api/2.0/{path}")).await?.status, 200, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn links_take_no_token_and_expire() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let path = "/Volumes/main/default/landing/linked.txt";
    let upload = post(&sandbox, "/api/2.0/fs/create-upload-url", json!({"path": path})).await?;
    let url = upload.at("/url").as_str().unwrap_or_default().to_owned();
    assert_eq!(follow(&sandbox, "PUT", &url, b"hello").await?.status, 200);
    let download = post(&sandbox, &format!("/api/2.0/fs/create-download-url?path={path}"), json!({})).await?;
    let url = download.at("/url").as_str().unwrap_or_default().to_owned();
    assert_eq!(follow(&sandbox, "GET", &url, b"").await?.body, b"hello");
    let with_token = get(&sandbox, url.strip_prefix(sandbox.url()).unwrap_or_default()).await?;
    assert_eq!(with_token.status, 400);
    assert_eq!(follow(&sandbox, "GET", &url.replace("Signature=", "Signature=0"), b"").await?.status, 403);
    sandbox.advance(std::time::Duration::from_secs(3601));
    let late = follow(&sandbox, "GET", &url, b"").await?;
    assert!(late.status == 403 && String::from_utf8_lossy(&late.body).contains("Request has expired"));
    let missing =
        post(&sandbox, "/api/2.0/fs/create-download-url", json!({"path": "/Volumes/main/default/landing/no"})).await?;
    assert_eq!((missing.status, missing.code()), (404, "NOT_FOUND".to_owned()));
    Ok(())
}

#[tokio::test]
async fn files_are_uploaded_in_parts() -> Checked {
    let sandbox = start().await?;
    let path = "/Volumes/main/default/landing/parts.bin";
    let file = format!("/api/2.0/fs/files{path}");
    let begun = post(&sandbox, &format!("{file}?action=initiate-upload"), json!({})).await?;
    let token = begun.at("/multipart_upload/session_token").as_str().unwrap_or_default().to_owned();
    let body = json!({"path": path, "session_token": token, "start_part_number": 1, "count": 2});
    let urls = post(&sandbox, "/api/2.0/fs/create-upload-part-urls", body).await?.at("/upload_part_urls");
    let mut parts = Vec::new();
    for (url, content) in urls.as_array().into_iter().flatten().zip([b"hel".as_slice(), b"lo".as_slice()]) {
        let put = follow(&sandbox, "PUT", url["url"].as_str().unwrap_or_default(), content).await?;
        let etag = put.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default().to_owned();
        parts.push(json!({"part_number": url["part_number"], "etag": etag}));
    }
    let complete = format!("{file}?action=complete-upload&upload_type=multipart&session_token={token}");
    let wrong = post(&sandbox, &complete, json!({"parts": [{"part_number": 1, "etag": "x"}]})).await?;
    assert_eq!(wrong.status, 400);
    assert_eq!(post(&sandbox, &complete, json!({"parts": parts})).await?.status, 200);
    assert_eq!(get(&sandbox, &file).await?.body, b"hello");
    assert_eq!(post(&sandbox, &complete, json!({"parts": parts})).await?.status, 404);
    let again = post(&sandbox, &format!("{file}?action=initiate-upload"), json!({})).await?;
    assert_eq!((again.status, again.code()), (409, "ALREADY_EXISTS".to_owned()));
    let begun = post(&sandbox, &format!("{file}?action=initiate-upload&overwrite=true"), json!({})).await?;
    let token = begun.at("/multipart_upload/session_token").as_str().unwrap_or_default().to_owned();
    let abort = format!("{file}?action=abort-upload&session_token={token}");
    assert_eq!(post(&sandbox, &abort, json!({})).await?.status, 200);
    assert_eq!(post(&sandbox, &abort, json!({})).await?.status, 404);
    Ok(())
}
