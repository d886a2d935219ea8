//! DBFS, as far as reading goes: `/databricks-datasets` and the volumes under `dbfs:/Volumes`.
//!
//! Derived: the files behind `/databricks-datasets` are the sandbox's own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/dbfs/list", list),
    route("GET", "/api/2.0/dbfs/get-status", get_status),
    route("GET", "/api/2.0/dbfs/read", read),
];

/// What one read gives unless asked for less.
const BLOCK: usize = 512 * 1024;
const LARGEST_BLOCK: i64 = 1024 * 1024;

const FILES: [(&str, &str); 2] = [
    ("/databricks-datasets/README.md", "# Datasets\n\nA few small files of the sandbox.\n"),
    ("/databricks-datasets/cities.csv", "name,population\nGhent,265086\nUtrecht,361966\n"),
];

fn path(request: &Request) -> Result<String, ApiError> {
    let path = request.required_query("path")?;
    let path = path.strip_prefix("dbfs:").unwrap_or(path);
    if !path.starts_with('/') {
        return Err(ApiError::invalid_parameter(format!("Path must be absolute: {path}")));
    }
    Ok(path.trim_end_matches('/').to_owned())
}

fn missing(path: &str) -> ApiError {
    ApiError::does_not_exist(format!("No file or directory exists on path {path}."))
}

fn content(workspace: &Workspace, path: &str) -> Option<Vec<u8>> {
    let fixed = FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| text.as_bytes().to_vec());
    fixed.or_else(|| lock(&workspace.files).get(path).map(<[u8]>::to_vec))
}

fn info(workspace: &Workspace, path: &str, size: Option<usize>) -> Value {
    json!({"path": if path.is_empty() { "/" } else { path }, "is_dir": size.is_none(), "file_size": size.unwrap_or(0), "modification_time": workspace.clock.epoch()})
}

fn directories() -> [&'static str; 2] {
    ["", "/databricks-datasets"]
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(request)?;
    let files: Vec<_> = match path.as_str() {
        "" => vec![info(workspace, "/databricks-datasets", None)],
        "/databricks-datasets" => FILES.iter().map(|(name, text)| info(workspace, name, Some(text.len()))).collect(),
        path => vec![info(workspace, path, Some(content(workspace, path).ok_or_else(|| missing(path))?.len()))],
    };
    Ok(Reply::json(json!({"files": files})))
}

fn get_status(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(request)?;
    if directories().contains(&path.as_str()) {
        return Ok(Reply::json(info(workspace, &path, None)));
    }
    let content = content(workspace, &path).ok_or_else(|| missing(&path))?;
    Ok(Reply::json(info(workspace, &path, Some(content.len()))))
}

fn read(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(request)?;
    let offset = usize::try_from(request.query_integer("offset")?.unwrap_or(0))
        .map_err(|_| ApiError::invalid_parameter("The offset must not be negative"))?;
    let length = match request.query_integer("length")? {
        None => BLOCK,
        Some(length) if (0..=LARGEST_BLOCK).contains(&length) => usize::try_from(length).unwrap_or(BLOCK),
        Some(_) => return Err(ApiError::new(400, "MAX_READ_SIZE_EXCEEDED", "The read length must be at most 1 MB")),
    };
    let content = content(workspace, &path).ok_or_else(|| missing(&path))?;
    let block: Vec<u8> = content.into_iter().skip(offset).take(length).collect();
    Ok(Reply::json(json!({"bytes_read": block.len(), "data": STANDARD.encode(block)})))
}
