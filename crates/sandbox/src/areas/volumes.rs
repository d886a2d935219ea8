//! The Files API: files and directories of Unity Catalog volumes under `/Volumes/catalog/schema/volume`.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::text::{http_date, parse_http_date};
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/fs/files{*path}", read),
    route("HEAD", "/api/2.0/fs/files{*path}", metadata),
    route("PUT", "/api/2.0/fs/files{*path}", write),
    route("DELETE", "/api/2.0/fs/files{*path}", delete),
    route("GET", "/api/2.0/fs/directories{*path}", list),
    route("HEAD", "/api/2.0/fs/directories{*path}", directory_metadata),
    route("PUT", "/api/2.0/fs/directories{*path}", make_directory),
    route("DELETE", "/api/2.0/fs/directories{*path}", delete_directory),
];

#[derive(Debug, Clone)]
pub(crate) struct File {
    content: Bytes,
    modified: i64,
}

/// Files by path; directories that are there without one have an entry of their own.
#[derive(Debug, Default)]
pub(crate) struct Files {
    files: BTreeMap<String, File>,
    directories: BTreeMap<String, i64>,
}

impl Files {
    pub(crate) fn put(&mut self, path: &str, content: impl Into<Bytes>, now: i64) {
        let mut parent = path;
        while let Some((above, _)) = parent.rsplit_once('/') {
            // `/Volumes/catalog/schema/volume` has four slashes; the volume itself is no directory to keep.
            if above.matches('/').count() <= 4 {
                break;
            }
            self.directories.entry(above.to_owned()).or_insert(now);
            parent = above;
        }
        self.files.insert(path.to_owned(), File { content: content.into(), modified: now });
    }

    pub(crate) fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(|file| file.content.as_ref())
    }

    /// The file at this path, or those below it but for hidden ones, by name.
    pub(crate) fn below(&self, path: &str) -> Vec<(String, Bytes)> {
        let prefix = format!("{path}/");
        let is_shown = |rest: &str| !rest.split('/').any(|part| part.starts_with(['_', '.']));
        let files = self
            .files
            .iter()
            .filter(|(name, _)| name.as_str() == path || name.strip_prefix(&prefix).is_some_and(is_shown));
        files.map(|(name, file)| (name.clone(), file.content.clone())).collect()
    }

    /// Moves everything of a volume to another name.
    pub(crate) fn move_volume(&mut self, root: &str, other: &str) {
        let prefix = format!("{root}/");
        let moved = |path: &str| path.strip_prefix(&prefix).map(|rest| format!("{other}/{rest}"));
        let files = std::mem::take(&mut self.files);
        self.files = files.into_iter().map(|(path, file)| (moved(&path).unwrap_or(path), file)).collect();
        let directories = std::mem::take(&mut self.directories);
        self.directories = directories.into_iter().map(|(path, at)| (moved(&path).unwrap_or(path), at)).collect();
    }

    /// Forgets everything of a volume.
    pub(crate) fn drop_volume(&mut self, root: &str) {
        let prefix = format!("{root}/");
        self.files.retain(|path, _| !path.starts_with(&prefix));
        self.directories.retain(|path, _| !path.starts_with(&prefix));
    }

    fn children(&self, path: &str) -> Vec<Value> {
        let prefix = format!("{path}/");
        let name = |child: &str| {
            child.strip_prefix(&prefix).filter(|rest| !rest.is_empty() && !rest.contains('/')).map(str::to_owned)
        };
        let directories = self.directories.iter().filter_map(|(child, modified)| {
            Some(json!({"path": child, "name": name(child)?, "is_directory": true, "last_modified": modified}))
        });
        let files = self.files.iter().filter_map(|(child, file)| {
            Some(json!({"path": child, "name": name(child)?, "is_directory": false, "file_size": file.content.len(), "last_modified": file.modified}))
        });
        let mut children: Vec<_> = directories.chain(files).collect();
        children.sort_by(|a, b| a.at("path").as_str().cmp(&b.at("path").as_str()));
        children
    }

    fn has_directory(&self, path: &str) -> bool {
        self.directories.contains_key(path) || path.matches('/').count() == 4
    }
}

/// The path of a request.
pub(super) fn path(workspace: &Workspace, request: &Request) -> Result<String, ApiError> {
    checked(workspace, request.parameter("path"))
}

/// A path as it is kept; its volume has to exist.
pub(super) fn checked(workspace: &Workspace, given: &str) -> Result<String, ApiError> {
    super::objects::check_length(given)?;
    let given = given.replace("//", "/");
    let given = given.trim_end_matches('/');
    let parts: Vec<_> = given.split('/').collect();
    let ["", "Volumes", catalog, schema, volume, rest @ ..] = parts.as_slice() else {
        return Err(ApiError::invalid_parameter(format!(
            "Invalid path: {given}. Paths start with /Volumes/<catalog>/<schema>/<volume>"
        )));
    };
    if rest.iter().any(|part| part.is_empty() || *part == "." || *part == "..") {
        return Err(ApiError::invalid_parameter(format!("Invalid path: {given}")));
    }
    let name = [catalog.to_lowercase(), schema.to_lowercase(), volume.to_lowercase()];
    if !lock(&workspace.catalog).volumes.contains_key(&name) {
        return Err(not_found(format!("Volume '{}' does not exist.", name.join("."))));
    }
    Ok(given.to_owned())
}

fn not_found(message: String) -> ApiError {
    let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "FILES_API_RESOURCE_NOT_FOUND",
        "domain": "filesystem.databricks.com", "metadata": {"unity_catalog_error_message": message}}]);
    ApiError::not_found(message).with_details(details)
}

pub(super) fn file(workspace: &Workspace, path: &str) -> Result<File, ApiError> {
    let file = lock(&workspace.files).files.get(path).cloned();
    file.ok_or_else(|| not_found(format!("The file being accessed is not found: {path}")))
}

fn read(workspace: &Workspace, request: &Request) -> Outcome {
    content(&file(workspace, &path(workspace, request)?)?, &request.headers)
}

/// What of a file a request asks for: all, or the range of its header.
pub(super) fn content(file: &File, headers: &HeaderMap) -> Outcome {
    let total = file.content.len();
    let since = headers.get("if-unmodified-since").and_then(|time| parse_http_date(time.to_str().ok()?));
    // The header knows whole seconds only. Derived: code and text.
    if since.is_some_and(|since| file.modified / 1_000 > since / 1_000) {
        return Err(ApiError::new(412, "PRECONDITION_FAILED", "The file has been modified since the time given"));
    }
    let reply = |content| {
        Reply::bytes("application/octet-stream", content).with_header("last-modified", http_date(file.modified))
    };
    let range =
        headers.get("range").and_then(|range| range.to_str().ok()).and_then(|range| range.strip_prefix("bytes="));
    let Some((start, end)) = range.and_then(|range| range.split_once('-')) else {
        return Ok(reply(file.content.clone()));
    };
    let start: usize = start.parse().unwrap_or(0);
    let end = end.parse::<usize>().map_or(total, |end| end.saturating_add(1)).min(total);
    if start >= end {
        return Err(ApiError::new(416, "RANGE_NOT_SATISFIABLE", "The range is outside of the file"));
    }
    Ok(reply(file.content.slice(start..end))
        .with_status(206)
        .with_header("content-range", format!("bytes {start}-{}/{total}", end - 1)))
}

fn metadata(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(workspace, request)?;
    let file = file(workspace, &path)?;
    let reply = Reply::bytes("application/octet-stream", Bytes::new());
    Ok(reply
        .with_header("content-length", file.content.len().to_string())
        .with_header("last-modified", http_date(file.modified)))
}

fn write(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(workspace, request)?;
    check_free(workspace, &path, request.query_flag("overwrite")?)?;
    lock(&workspace.files).put(&path, request.body.clone(), workspace.clock.now());
    Ok(Reply::no_content())
}

/// Whether a file can be written.
pub(super) fn check_free(workspace: &Workspace, path: &str, overwrite: bool) -> Result<(), ApiError> {
    let files = lock(&workspace.files);
    if files.has_directory(path) {
        return Err(ApiError::invalid_parameter(format!("{path} is a directory")));
    }
    if files.files.contains_key(path) && !overwrite {
        return Err(ApiError::conflict("ALREADY_EXISTS", "The file being created already exists."));
    }
    Ok(())
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(workspace, request)?;
    file(workspace, &path)?;
    lock(&workspace.files).files.remove(&path);
    Ok(Reply::no_content())
}

fn directory(workspace: &Workspace, request: &Request) -> Result<String, ApiError> {
    let path = path(workspace, request)?;
    if lock(&workspace.files).has_directory(&path) {
        Ok(path)
    } else {
        Err(not_found(format!("The directory being accessed is not found: {path}")))
    }
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let path = directory(workspace, request)?;
    let size = page::size(request.query_integer("page_size")?, 1000, 1000)?;
    page::told("contents", lock(&workspace.files).children(&path), size, request.query("page_token"))
}

fn directory_metadata(workspace: &Workspace, request: &Request) -> Outcome {
    directory(workspace, request)?;
    Ok(Reply::nothing())
}

fn make_directory(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(workspace, request)?;
    let mut files = lock(&workspace.files);
    if files.files.contains_key(&path) {
        return Err(ApiError::new(409, "ALREADY_EXISTS", "A file of this name already exists."));
    }
    let now = workspace.clock.now();
    let mut path = path.as_str();
    while path.matches('/').count() > 4 {
        files.directories.entry(path.to_owned()).or_insert(now);
        path = path.rsplit_once('/').map_or("", |(above, _)| above);
    }
    Ok(Reply::no_content())
}

fn delete_directory(workspace: &Workspace, request: &Request) -> Outcome {
    let path = directory(workspace, request)?;
    let mut files = lock(&workspace.files);
    if !files.children(&path).is_empty() {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "filesystem.databricks.com",
            "reason": "FILES_API_DIRECTORY_IS_NOT_EMPTY", "metadata": {}}]);
        return Err(ApiError::invalid_parameter(format!("The directory is not empty: {path}")).with_details(details));
    }
    files.directories.remove(&path);
    Ok(Reply::no_content())
}
