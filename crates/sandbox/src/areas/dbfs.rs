//! DBFS: files by blocks, `/databricks-datasets`, and for reading the volumes under `dbfs:/Volumes`.
//!
//! Derived: the files behind `/databricks-datasets` are the sandbox's own.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/dbfs/list", list),
    route("GET", "/api/2.0/dbfs/get-status", get_status),
    route("GET", "/api/2.0/dbfs/read", read),
    route("POST", "/api/2.0/dbfs/create", create),
    route("POST", "/api/2.0/dbfs/add-block", add_block),
    route("POST", "/api/2.0/dbfs/close", close),
    route("POST", "/api/2.0/dbfs/put", put),
    route("POST", "/api/2.0/dbfs/mkdirs", mkdirs),
    route("POST", "/api/2.0/dbfs/delete", delete),
    route("POST", "/api/2.0/dbfs/move", rename),
];

/// Files and directories that were written, and when; a directory has no content. Files that are open.
#[derive(Debug, Default)]
pub(crate) struct Dbfs {
    entries: BTreeMap<String, (i64, Option<Vec<u8>>)>,
    open: BTreeMap<i64, (String, Vec<u8>)>,
}

impl Dbfs {
    /// Adds the directories above a path.
    fn make_parents(&mut self, path: &str, now: i64) {
        let mut path = path;
        while let Some((above, _)) = path.rsplit_once('/').filter(|(above, _)| !above.is_empty()) {
            self.entries.entry(above.to_owned()).or_insert((now, None));
            path = above;
        }
    }

    fn write(&mut self, path: &str, content: Vec<u8>, now: i64) {
        self.make_parents(path, now);
        self.entries.insert(path.to_owned(), (now, Some(content)));
    }
}

/// What one read gives unless asked for less.
const BLOCK: usize = 512 * 1024;
const LARGEST_BLOCK: i64 = 1024 * 1024;

const FILES: [(&str, &str); 2] = [
    ("/databricks-datasets/README.md", "# Datasets\n\nA few small files of the sandbox.\n"),
    ("/databricks-datasets/cities.csv", "name,population\nGhent,265086\nUtrecht,361966\n"),
];

fn path(request: &Request) -> Result<String, ApiError> {
    normal(request.required_query("path")?)
}

fn normal(path: &str) -> Result<String, ApiError> {
    super::objects::check_length(path)?;
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
    let fixed = fixed.or_else(|| lock(&workspace.files).get(path).map(<[u8]>::to_vec));
    fixed.or_else(|| lock(&workspace.dbfs).entries.get(path).and_then(|(_, content)| content.clone()))
}

fn told(path: &str, size: Option<usize>, at: i64) -> Value {
    json!({"path": if path.is_empty() { "/" } else { path }, "is_dir": size.is_none(), "file_size": size.unwrap_or(0), "modification_time": at})
}

/// Of what was not written through DBFS, the time is that of the start.
fn info(workspace: &Workspace, path: &str, size: Option<usize>) -> Value {
    let written = lock(&workspace.dbfs).entries.get(path).map(|(at, _)| *at);
    told(path, size, written.unwrap_or_else(|| workspace.clock.epoch()))
}

fn is_directory(workspace: &Workspace, path: &str) -> bool {
    matches!(path, "" | "/databricks-datasets") || matches!(lock(&workspace.dbfs).entries.get(path), Some((_, None)))
}

/// Everything right inside of a directory.
fn children(workspace: &Workspace, path: &str) -> Vec<Value> {
    let prefix = format!("{path}/");
    let inside = |child: &str| child.strip_prefix(&prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
    let mut children = Vec::new();
    if path.is_empty() {
        children.push(info(workspace, "/databricks-datasets", None));
    }
    let fixed = FILES.iter().filter(|(name, _)| inside(name));
    children.extend(fixed.map(|(name, text)| info(workspace, name, Some(text.len()))));
    let dbfs = lock(&workspace.dbfs);
    let written = dbfs.entries.iter().filter(|(name, _)| inside(name));
    children.extend(written.map(|(name, (at, content))| told(name, content.as_ref().map(Vec::len), *at)));
    children
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(request)?;
    let files = if is_directory(workspace, &path) {
        children(workspace, &path)
    } else {
        vec![info(workspace, &path, Some(content(workspace, &path).ok_or_else(|| missing(&path))?.len()))]
    };
    Ok(Reply::json(json!({"files": files})))
}

fn get_status(workspace: &Workspace, request: &Request) -> Outcome {
    let path = path(request)?;
    if is_directory(workspace, &path) {
        return Ok(Reply::json(info(workspace, &path, None)));
    }
    let content = content(workspace, &path).ok_or_else(|| missing(&path))?;
    Ok(Reply::json(info(workspace, &path, Some(content.len()))))
}

/// Refuses what is there for reading.
fn check_writable(path: &str) -> Result<(), ApiError> {
    if path.is_empty() || path.starts_with("/Volumes/") || path.starts_with("/databricks-datasets") {
        let message = format!("The path {path} cannot be written through DBFS here");
        return Err(ApiError::new(403, "PERMISSION_DENIED", message));
    }
    Ok(())
}

fn already_there(path: &str) -> ApiError {
    let message = format!("A file or directory already exists at the input path {path}.");
    ApiError::new(400, "RESOURCE_ALREADY_EXISTS", message)
}

/// Where a file may be written.
fn target(workspace: &Workspace, fields: &Fields) -> Result<String, ApiError> {
    let path = normal(fields.required_text("path")?)?;
    check_writable(&path)?;
    if is_directory(workspace, &path) {
        return Err(ApiError::invalid_parameter(format!("{path} is a directory")));
    }
    if content(workspace, &path).is_some() && !fields.flag("overwrite")? {
        return Err(already_there(&path));
    }
    Ok(path)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let path = target(workspace, &request.fields()?)?;
    let handle = workspace.ids.number();
    lock(&workspace.dbfs).open.insert(handle, (path, Vec::new()));
    Ok(Reply::json(json!({"handle": handle})))
}

fn no_handle(handle: i64) -> ApiError {
    ApiError::does_not_exist(format!("No stream found for handle {handle}."))
}

fn block(fields: &Fields, name: &str) -> Result<Vec<u8>, ApiError> {
    let data = STANDARD.decode(fields.text(name)?.unwrap_or_default());
    let data = data.map_err(|_| ApiError::invalid_parameter(format!("{name} is not valid base64")))?;
    if i64::try_from(data.len()).is_ok_and(|length| length <= LARGEST_BLOCK) {
        return Ok(data);
    }
    Err(ApiError::new(400, "MAX_BLOCK_SIZE_EXCEEDED", "A block must be at most 1 MB"))
}

fn add_block(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let handle = fields.required_integer("handle")?;
    let data = block(&fields, "data")?;
    let mut dbfs = lock(&workspace.dbfs);
    let (_, content) = dbfs.open.get_mut(&handle).ok_or_else(|| no_handle(handle))?;
    content.extend(data);
    Ok(Reply::nothing())
}

fn close(workspace: &Workspace, request: &Request) -> Outcome {
    let handle = request.fields()?.required_integer("handle")?;
    let mut dbfs = lock(&workspace.dbfs);
    let (path, content) = dbfs.open.remove(&handle).ok_or_else(|| no_handle(handle))?;
    dbfs.write(&path, content, workspace.clock.now());
    Ok(Reply::nothing())
}

fn put(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let path = target(workspace, &fields)?;
    let content = block(&fields, "contents")?;
    lock(&workspace.dbfs).write(&path, content, workspace.clock.now());
    Ok(Reply::nothing())
}

fn mkdirs(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.fields()?.required_text("path")?)?;
    if content(workspace, &path).is_some() {
        return Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("A file already exists at {path}.")));
    }
    lock(&workspace.dbfs).make_parents(&format!("{path}/"), workspace.clock.now());
    Ok(Reply::nothing())
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let path = normal(fields.required_text("path")?)?;
    let recursive = fields.flag("recursive")?;
    let prefix = format!("{path}/");
    let mut dbfs = lock(&workspace.dbfs);
    if !recursive && dbfs.entries.keys().any(|other| other.starts_with(&prefix)) {
        return Err(ApiError::new(400, "DIRECTORY_NOT_EMPTY", format!("The directory {path} is not empty")));
    }
    // What is not there is deleted already.
    dbfs.entries.retain(|other, _| *other != path && !other.starts_with(&prefix));
    Ok(Reply::nothing())
}

/// Moves a file, or a directory with all that is in it; into a directory where one has the other name.
fn rename(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let from = normal(fields.required_text("source_path")?)?;
    let mut to = normal(fields.required_text("destination_path")?)?;
    check_writable(&from)?;
    check_writable(&to)?;
    let mut dbfs = lock(&workspace.dbfs);
    if !dbfs.entries.contains_key(&from) {
        return Err(missing(&from));
    }
    if matches!(dbfs.entries.get(&to), Some((_, None))) {
        let (_, name) = from.rsplit_once('/').unwrap_or_default();
        to = format!("{to}/{name}");
    }
    if dbfs.entries.contains_key(&to) {
        return Err(already_there(&to));
    }
    let prefix = format!("{from}/");
    if to.starts_with(&prefix) {
        return Err(ApiError::invalid_parameter(format!("{from} cannot be moved into itself")));
    }
    let is_moved = |path: &String| *path == from || path.starts_with(&prefix);
    let (moved, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
        std::mem::take(&mut dbfs.entries).into_iter().partition(|(path, _)| is_moved(path));
    dbfs.entries = left;
    dbfs.make_parents(&to, workspace.clock.now());
    let renamed =
        moved.into_iter().filter_map(|(path, entry)| Some((format!("{to}{}", path.strip_prefix(&from)?), entry)));
    dbfs.entries.extend(renamed);
    Ok(Reply::nothing())
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
