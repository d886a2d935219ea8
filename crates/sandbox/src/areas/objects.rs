//! The workspace tree: folders, notebooks and files, with import and export.
//!
//! Derived: sizes and ids; HTML and JUPYTER exports are minimal documents that hold the source.

mod formats;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::workspace::{Workspace, lock};

pub(crate) use formats::{cells, html};
use formats::{classify, header, jupyter};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/workspace/list", list),
    route("GET", "/api/2.0/workspace/get-status", get_status),
    route("GET", "/api/2.0/workspace/export", export),
    route("POST", "/api/2.0/workspace/import", import),
    route("POST", "/api/2.0/workspace/mkdirs", mkdirs),
    route("POST", "/api/2.0/workspace/delete", delete),
];

/// The most that one import or export may carry.
const LARGEST: usize = 10 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    Notebook(&'static str),
    File,
    /// A dashboard, which its own API writes.
    Dashboard,
    /// A clone of a repository: a folder by another name.
    Repo,
}

impl Kind {
    fn is_folder(&self) -> bool {
        matches!(self, Self::Directory | Self::Repo)
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
                    return Err(ApiError::new(
                        400,
                        "RESOURCE_ALREADY_EXISTS",
                        format!("Path ({so_far}) already exists."),
                    ));
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

    /// The objects right inside of a folder.
    fn children(&self, path: &str) -> impl Iterator<Item = (&String, &Object)> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        self.0.iter().filter(move |(child, _)| {
            child.strip_prefix(&prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
        })
    }
}

impl Object {
    fn json(&self, path: &str) -> Value {
        let kind = match self.kind {
            Kind::Directory => "DIRECTORY",
            Kind::Notebook(_) => "NOTEBOOK",
            Kind::File => "FILE",
            Kind::Dashboard => "DASHBOARD",
            Kind::Repo => "REPO",
        };
        let mut json =
            json!({"object_type": kind, "path": path, "object_id": self.id, "resource_id": self.id.to_string()});
        if let Kind::Notebook(language) = self.kind {
            json.set("language", json!(language));
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

/// A path as it is kept; it has to be absolute.
pub(crate) fn normal(path: &str) -> Result<String, ApiError> {
    if !path.starts_with('/') {
        return Err(ApiError::invalid_parameter(format!("Path ({path}) doesn't start with '/'")));
    }
    let path = path.strip_prefix("/Workspace").filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    let trimmed = path.trim_end_matches('/');
    Ok(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}

fn missing(path: &str) -> ApiError {
    ApiError::does_not_exist(format!("Path ({path}) doesn't exist."))
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
    objects.0.values().find(|object| object.id.to_string() == id).map(|object| object.kind.clone())
}

/// The id of what a path leads to.
pub(crate) fn id_of(workspace: &Workspace, path: &str) -> Option<i64> {
    lock(&workspace.objects).0.get(path).map(|object| object.id)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.required_query("path")?)?;
    let after = request.query_integer("notebooks_modified_after")?;
    let objects = lock(&workspace.objects);
    if !objects.is_directory(&path) {
        let object = objects.0.get(&path).ok_or_else(|| missing(&path))?;
        return Ok(Reply::json(json!({"objects": [object.json(&path)]})));
    }
    let children: Vec<_> = objects
        .children(&path)
        .filter(|(_, object)| {
            after.is_none_or(|after| !matches!(object.kind, Kind::Notebook(_)) || object.modified >= after)
        })
        .map(|(path, object)| object.json(path))
        .collect();
    // An empty folder has no `objects` at all.
    Ok(Reply::json(if children.is_empty() { json!({}) } else { json!({"objects": children}) }))
}

fn get_status(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.required_query("path")?)?;
    if path == "/" {
        return Ok(Reply::json(json!({"object_type": "DIRECTORY", "path": "/", "object_id": 0})));
    }
    let objects = lock(&workspace.objects);
    objects.0.get(&path).map(|object| Reply::json(object.json(&path))).ok_or_else(|| missing(&path))
}

fn export(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.required_query("path")?)?;
    let format = request.query("format").unwrap_or("SOURCE");
    let direct = request.query_flag("direct_download")?;
    let object = lock(&workspace.objects).0.get(&path).cloned().ok_or_else(|| missing(&path))?;
    let (content, file_type) = match (&object.kind, format) {
        (Kind::Directory | Kind::Repo, _) => {
            return Err(ApiError::invalid_parameter(
                "Folders can be exported as DBC archives only, which the sandbox does not write",
            ));
        }
        (Kind::File | Kind::Dashboard, "SOURCE" | "AUTO" | "RAW") => {
            (object.content, path.rsplit_once('.').map_or("", |(_, extension)| extension).to_owned())
        }
        (Kind::Notebook(language), "SOURCE" | "AUTO") => {
            let extension = match *language {
                "PYTHON" => "py",
                "SQL" => "sql",
                "SCALA" => "scala",
                _ => "r",
            };
            let mut source = format!("{}\n", header(language)).into_bytes();
            source.extend(object.content);
            (source, extension.to_owned())
        }
        (Kind::Notebook(language), "JUPYTER") => {
            (jupyter(language, &object.content).to_string().into_bytes(), "ipynb".to_owned())
        }
        (Kind::Notebook(_), "HTML") => (html(&path, &object.content).into_bytes(), "html".to_owned()),
        (_, format) => {
            return Err(ApiError::invalid_parameter(format!("{path} cannot be exported in format {format} here")));
        }
    };
    if content.len() > LARGEST {
        return Err(ApiError::new(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "File size imported is too large to be exported"));
    }
    if direct {
        return Ok(Reply::bytes("application/octet-stream", content));
    }
    Ok(Reply::json(json!({"content": STANDARD.encode(content), "file_type": file_type})))
}

/// The fields of an import, and its content: base64 in JSON, raw in a form.
fn upload(request: &Request) -> Result<(Fields, Vec<u8>), ApiError> {
    let media_type = request.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media_type.starts_with("multipart/form-data") {
        let fields = request.fields()?;
        let content = STANDARD.decode(fields.text("content")?.unwrap_or_default());
        return Ok((fields, content.map_err(|_| ApiError::invalid_parameter("The content is not valid base64"))?));
    }
    let parts =
        crate::form::parts(media_type, &request.body).ok_or_else(|| ApiError::malformed("The form is not complete"))?;
    let mut fields = Fields::default();
    let mut content = Vec::new();
    for (name, part) in parts {
        if name == "content" {
            content = part;
        } else {
            fields.0.insert(name, String::from_utf8_lossy(&part).into_owned().into());
        }
    }
    Ok((fields, content))
}

fn import(workspace: &Workspace, request: &Request) -> Outcome {
    let (fields, content) = upload(request)?;
    let path = normal(fields.required_text("path")?)?;
    let overwrite = fields.flag("overwrite")?;
    let format = fields.text("format")?.unwrap_or("SOURCE");
    if content.len() > LARGEST {
        return Err(ApiError::new(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "File size imported is too large"));
    }
    let (path, kind, content) = classify(path, format, fields.text("language")?, content)?;
    let mut objects = lock(&workspace.objects);
    if !objects.is_directory(parent(&path)) {
        return Err(ApiError::not_found(format!("The parent folder ({}) does not exist.", parent(&path))));
    }
    match objects.0.get(&path) {
        Some(_) if !overwrite => {
            return Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("Path ({path}) already exists.")));
        }
        Some(before) if std::mem::discriminant(&before.kind) != std::mem::discriminant(&kind) => {
            return Err(ApiError::invalid_parameter(format!(
                "Cannot overwrite the asset at {path} due to type mismatch (asked: {}).",
                if kind == Kind::File { "FILE" } else { "NOTEBOOK" }
            )));
        }
        _ => {}
    }
    objects.put(&path, kind, content, workspace);
    Ok(Reply::nothing())
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
