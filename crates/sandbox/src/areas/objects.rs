//! The workspace tree: folders, notebooks and files, with import and export in every format.
//!
//! Derived: sizes and ids, and the longest path.

mod archive;
mod export;
mod import;
mod jupyter;
mod language;
mod markdown;
mod model;
mod notebook;
mod page;
mod plan;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{Workspace, lock};

pub(crate) use export::page as page_of;
pub(crate) use language::Language;
use notebook::Notebook;
pub(crate) use notebook::cells;

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/workspace/list", list),
    route("GET", "/api/2.0/workspace/get-status", get_status),
    route("GET", "/api/2.0/workspace/export", export::export),
    route("POST", "/api/2.0/workspace/import", import::import),
    route("POST", "/api/2.0/workspace-files/import-file{*path}", import::import_file),
    route("POST", "/api/2.0/workspace/mkdirs", mkdirs),
    route("POST", "/api/2.0/workspace/delete", delete),
];

/// The most that one import or export may carry.
const LARGEST: usize = 10 * 1024 * 1024;
/// The longest path, in bytes.
const LONGEST_PATH: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    Notebook(Language),
    File,
    /// A dashboard, which its own API writes.
    Dashboard,
    /// A clone of a repository: a folder by another name.
    Repo,
}

impl Kind {
    fn is_folder(self) -> bool {
        matches!(self, Self::Directory | Self::Repo)
    }

    /// As the API writes it.
    fn name(self) -> &'static str {
        match self {
            Self::Directory => "DIRECTORY",
            Self::Notebook(_) => "NOTEBOOK",
            Self::File => "FILE",
            Self::Dashboard => "DASHBOARD",
            Self::Repo => "REPO",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) content: Vec<u8>,
    id: i64,
    created: i64,
    modified: i64,
}

/// All objects by path, without a final slash; the root is there from the start.
#[derive(Debug, Default)]
pub(crate) struct Objects(pub(crate) BTreeMap<String, Object>);

impl Objects {
    /// Adds a folder and those above it.
    pub(crate) fn make_directories(&mut self, path: &str, workspace: &Workspace) -> Result<(), ApiError> {
        let now = workspace.clock.now();
        let mut so_far = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            so_far = format!("{so_far}/{part}");
            match self.0.get(&so_far) {
                Some(object) if !object.kind.is_folder() => {
                    return Err(already_exists(&so_far));
                }
                Some(_) => {}
                None => {
                    let id = workspace.ids.number();
                    self.0.insert(
                        so_far.clone(),
                        Object { kind: Kind::Directory, content: Vec::new(), id, created: now, modified: now },
                    );
                }
            }
        }
        Ok(())
    }

    pub(crate) fn put(&mut self, path: &str, kind: Kind, content: Vec<u8>, workspace: &Workspace) {
        let now = workspace.clock.now();
        let (id, created) =
            self.0.get(path).map_or_else(|| (workspace.ids.number(), now), |before| (before.id, before.created));
        self.0.insert(path.to_owned(), Object { kind, content, id, created, modified: now });
    }

    /// Makes all that is there as old as this.
    pub(crate) fn date_back(&mut self, to: i64) {
        for object in self.0.values_mut() {
            (object.created, object.modified) = (to, to);
        }
    }

    fn is_directory(&self, path: &str) -> bool {
        path == "/" || self.0.get(path).is_some_and(|object| object.kind.is_folder())
    }

    /// Whether something is at a path.
    fn is_taken(&self, path: &str) -> bool {
        path == "/" || self.0.contains_key(path)
    }

    /// The objects right inside of a folder.
    fn children(&self, path: &str) -> impl Iterator<Item = (&String, &Object)> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        self.0.iter().filter(move |(child, _)| {
            child.strip_prefix(&prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        })
    }
}

impl Object {
    /// Its cells, if it is a notebook.
    fn notebook(&self) -> Option<Notebook> {
        match self.kind {
            Kind::Notebook(language) => Some(Notebook::parse(language, &String::from_utf8_lossy(&self.content))),
            _ => None,
        }
    }

    /// As the API tells of it; asked for, with the format that a notebook is exported in.
    fn json(&self, path: &str, with_format: bool) -> Value {
        let mut json = json!({"object_type": self.kind.name(), "path": path, "object_id": self.id,
            "resource_id": self.id.to_string()});
        if let Kind::Notebook(language) = self.kind {
            json.set("language", language.name());
            if with_format {
                json.set("repos_export_format", "SOURCE");
            }
        }
        if !self.kind.is_folder() {
            json.set("created_at", json!(self.created));
            json.set("modified_at", json!(self.modified));
        }
        if self.kind == Kind::File {
            json.set("size", json!(self.content.len()));
        }
        json
    }
}

/// Refuses a path that is too long: what is in it makes a folder for each of its parts.
pub(super) fn check_length(path: &str) -> Result<(), ApiError> {
    if path.len() > LONGEST_PATH {
        let message = format!("A path of {} bytes is too long: at most {LONGEST_PATH} are allowed", path.len());
        return Err(ApiError::invalid_parameter(message));
    }
    Ok(())
}

/// A path as it is kept; it has to be absolute.
pub(crate) fn normal(path: &str) -> Result<String, ApiError> {
    if !path.starts_with('/') {
        return Err(ApiError::invalid_parameter(format!("Path ({path}) doesn't start with '/'")));
    }
    check_length(path)?;
    let path = path.strip_prefix("/Workspace").filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    let trimmed = path.trim_end_matches('/');
    Ok(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}

fn missing(path: &str) -> ApiError {
    ApiError::does_not_exist(format!("Path ({path}) doesn't exist."))
}

fn already_exists(path: &str) -> ApiError {
    ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("Path ({path}) already exists."))
}

/// The path of something in a folder.
fn join(folder: &str, name: &str) -> String {
    if folder == "/" { format!("/{name}") } else { format!("{folder}/{name}") }
}

/// The last part of a path.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// Puts what another API keeps into the tree: its folder has to be there, and its path to be free.
pub(crate) fn place(workspace: &Workspace, path: &str, kind: Kind, content: &str) -> Result<(), ApiError> {
    let mut objects = lock(&workspace.objects);
    if !objects.is_directory(parent(path)) {
        return Err(ApiError::does_not_exist(format!("Path ({}) doesn't exist.", parent(path))));
    }
    if objects.0.contains_key(path) {
        return Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("Node with path '{path}' already exists")));
    }
    objects.put(path, kind, content.as_bytes().to_vec(), workspace);
    Ok(())
}

/// Takes an object out of the tree, with all that is below it.
pub(crate) fn take(workspace: &Workspace, path: &str) {
    let prefix = format!("{path}/");
    lock(&workspace.objects).0.retain(|other, _| other != path && !other.starts_with(&prefix));
}

/// The kind of the object with an id.
pub(crate) fn kind_of(workspace: &Workspace, id: &str) -> Option<Kind> {
    let objects = lock(&workspace.objects);
    objects.0.values().find(|object| object.id.to_string() == id).map(|object| object.kind)
}

/// The id of what a path leads to.
pub(crate) fn id_of(workspace: &Workspace, path: &str) -> Option<i64> {
    lock(&workspace.objects).0.get(path).map(|object| object.id)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.required_query("path")?)?;
    let after = request.query_integer("notebooks_modified_after")?;
    let with_format = request.query_flag("return_export_info")?;
    let objects = lock(&workspace.objects);
    if !objects.is_directory(&path) {
        let object = objects.0.get(&path).ok_or_else(|| missing(&path))?;
        return Ok(Reply::json(json!({"objects": [object.json(&path, with_format)]})));
    }
    let children: Vec<_> = objects
        .children(&path)
        .filter(|(_, object)| {
            after.is_none_or(|after| !matches!(object.kind, Kind::Notebook(_)) || object.modified >= after)
        })
        .map(|(path, object)| object.json(path, with_format))
        .collect();
    // An empty folder has no `objects` at all.
    Ok(Reply::json(if children.is_empty() { json!({}) } else { json!({"objects": children}) }))
}

fn get_status(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.required_query("path")?)?;
    let with_format = request.query_flag("return_export_info")?;
    if path == "/" {
        return Ok(Reply::json(json!({"object_type": "DIRECTORY", "path": "/", "object_id": 0})));
    }
    let objects = lock(&workspace.objects);
    objects.0.get(&path).map(|object| Reply::json(object.json(&path, with_format))).ok_or_else(|| missing(&path))
}

fn mkdirs(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.fields()?.required_text("path")?)?;
    lock(&workspace.objects).make_directories(&path, workspace)?;
    Ok(Reply::nothing())
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let path = normal(fields.required_text("path")?)?;
    let recursive = fields.flag("recursive")?;
    let mut objects = lock(&workspace.objects);
    if path == "/" {
        return Err(ApiError::invalid_parameter("The root folder cannot be deleted"));
    }
    if !objects.0.contains_key(&path) {
        return Err(missing(&path));
    }
    if !recursive && objects.children(&path).next().is_some() {
        return Err(ApiError::new(400, "DIRECTORY_NOT_EMPTY", format!("Folder ({path}) is not empty")));
    }
    let prefix = format!("{path}/");
    objects.0.retain(|other, _| *other != path && !other.starts_with(&prefix));
    drop(objects);
    super::repos::forget(workspace, &path);
    Ok(Reply::nothing())
}
