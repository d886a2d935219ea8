//! Files: streamed uploads and downloads in parts.

use std::fs::File;
use std::io::Write;

use databricks::{Arguments, Content, Location, Payload};

use crate::workspace::{DOWNLOAD, UPLOAD, Workspace, json};

fn file(bytes: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}

fn content(file: &tempfile::NamedTempFile, length: u64) -> Content {
    let path = file.path().to_owned();
    Content::new(length, move || File::open(&path))
}

fn to(path: &str) -> Arguments {
    Arguments::new().with(Location::Path, "file_path", path)
}

#[tokio::test]
async fn an_upload_is_read_anew_for_each_attempt() {
    let workspace = Workspace::start(|number| json(if number == 0 { 503 } else { 204 }, "")).await.unwrap();
    let bytes: Vec<u8> = (0_u32..1_000_003).map(|number| (number % 251) as u8).collect();
    let file = file(&bytes).unwrap();
    let content = content(&file, bytes.len() as u64);
    let uploaded = workspace.client().unwrap().upload(&UPLOAD, to("/f").idempotent(true), &content).await.unwrap();
    assert_eq!(uploaded, Payload::Empty);
    let requests = workspace.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.header("content-length"), Some("1000003"));
        assert_eq!(request.header("transfer-encoding"), None);
        assert_eq!(request.header("content-type"), Some("application/octet-stream"));
        assert!(request.body.as_ref() == bytes, "other bytes arrived");
    }
}

#[tokio::test]
async fn an_upload_sends_what_it_said_or_fails() {
    let workspace = Workspace::always(204, &[], "").await.unwrap();
    let client = workspace.client().unwrap();
    let file = file(b"0123456789").unwrap();
    client.upload(&UPLOAD, to("/f"), &content(&file, 4)).await.unwrap();
    assert_eq!(workspace.requests()[0].body.as_ref(), b"0123");
    client.upload(&UPLOAD, to("/f"), &content(&file, 0)).await.unwrap();
    assert_eq!(workspace.requests()[1].header("content-length"), Some("0"));
    client.upload(&UPLOAD, to("/f"), &content(&file, 11)).await.unwrap_err();
    assert_eq!(workspace.requests().len(), 2, "no server takes half a file for a whole one");
}

#[tokio::test]
async fn a_part_is_asked_for_and_placed() {
    let headers = [("content-range", "bytes 2-4/10"), ("last-modified", "Sun, 22 Nov 2026 10:00:00 GMT")];
    let workspace = Workspace::always(206, &headers, "234").await.unwrap();
    let client = workspace.client().unwrap();
    let part = client.read_part(&DOWNLOAD, to("/f"), 2..5, None).await.unwrap();
    assert_eq!((part.bytes.as_ref(), part.start, part.total), (b"234".as_ref(), 2, Some(10)));
    client.read_part(&DOWNLOAD, to("/f"), 5..7, part.last_modified.as_deref()).await.unwrap();
    let requests = workspace.requests();
    assert_eq!(requests[0].header("range"), Some("bytes=2-4"));
    assert_eq!(requests[0].header("if-unmodified-since"), None);
    assert_eq!(requests[1].header("range"), Some("bytes=5-6"));
    assert_eq!(requests[1].header("if-unmodified-since"), Some("Sun, 22 Nov 2026 10:00:00 GMT"));
    client.read_part(&DOWNLOAD, to("/f"), 5..5, None).await.unwrap_err();
}

#[tokio::test]
async fn a_service_without_parts_gives_the_whole() {
    let workspace = Workspace::always(200, &[], "0123456789").await.unwrap();
    let part = workspace.client().unwrap().read_part(&DOWNLOAD, to("/f"), 2..5, None).await.unwrap();
    assert_eq!((part.bytes.as_ref(), part.start, part.total), (b"0123456789".as_ref(), 0, Some(10)));
}

#[tokio::test]
async fn a_file_that_changed_is_an_error() {
    let workspace = Workspace::always(412, &[], "").await.unwrap();
    let error = workspace.client().unwrap().read_part(&DOWNLOAD, to("/f"), 0..5, Some("then")).await.unwrap_err();
    assert_eq!(error.status(), Some(412));
}
