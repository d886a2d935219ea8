//! Export: what leaves the tree, in which format.
//!
//! Documented: that folders leave as DBC, SOURCE or AUTO, and only the last one takes files along. Recorded, of published
//! archives: that a DBC archive has a manifest, its folder on top, and notebooks under the names of their languages.
//! Derived: that the archive of sources has the same folder on top, that only notebooks in R become R Markdown, and texts.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::archive::{self, Entry, MOST_BYTES};
use super::notebook::Notebook;
use super::{Kind, LARGEST, Language, Object, jupyter, markdown, missing, model, name, normal, page as pages};
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::workspace::{Workspace, lock};

/// What an export gives: the content and its file type.
type Exported = (Vec<u8>, String);

pub(super) fn export(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.required_query("path")?)?;
    let format = request.query("format").unwrap_or("SOURCE");
    let direct = request.query_flag("direct_download")?;
    let object = lock(&workspace.objects).0.get(&path).cloned();
    let (content, file_type) = match object {
        Some(object) if !object.kind.is_folder() => single(&path, &object, format)?,
        None if path != "/" => return Err(missing(&path)),
        _ => folder(workspace, &path, format)?,
    };
    if content.len() > LARGEST {
        return Err(too_large(content.len()));
    }
    if direct {
        return Ok(Reply::bytes("application/octet-stream", content));
    }
    Ok(Reply::json(json!({"content": STANDARD.encode(content), "file_type": file_type})))
}

/// What is larger than an import or an export may be. [recorded: the text]
pub(super) fn too_large(bytes: usize) -> ApiError {
    let message = format!("File size imported is ({bytes} bytes), exceeded max size ({LARGEST} bytes)");
    ApiError::new(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", message)
}

/// The page of a notebook, as runs show it; of one that is gone, an empty page.
pub(crate) fn page(workspace: &Workspace, path: &str) -> String {
    let object = lock(&workspace.objects).0.get(path).cloned();
    let notebook = object.as_ref().and_then(Object::notebook);
    let notebook = notebook.unwrap_or_else(|| Notebook::parse(Language::Python, ""));
    pages::write(&notebook, name(path), object.map_or(0, |object| object.id))
}

fn single(path: &str, object: &Object, format: &str) -> Result<Exported, ApiError> {
    let name = name(path);
    let Some(notebook) = object.notebook() else {
        return match format {
            "SOURCE" | "AUTO" | "RAW" => {
                let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
                Ok((object.content.clone(), extension.to_owned()))
            }
            format => Err(ApiError::invalid_parameter(format!(
                "{path} is not a notebook and cannot be exported as {format}: use AUTO"
            ))),
        };
    };
    let (content, file_type) = match format {
        "SOURCE" | "AUTO" => (notebook.file().into_bytes(), notebook.language.extension()),
        "JUPYTER" => (jupyter::write(&notebook, name, object.id), "ipynb"),
        "HTML" => (pages::write(&notebook, name, object.id).into_bytes(), "html"),
        "DBC" => (archive::write(&[manifest(object.id), entry(&notebook, name, "", object.id)])?, "dbc"),
        "R_MARKDOWN" if notebook.language == Language::R => (markdown::write(&notebook).into_bytes(), "Rmd"),
        "R_MARKDOWN" => {
            return Err(ApiError::invalid_parameter(format!(
                "{path} is a notebook in {} and only those in R can be exported as R_MARKDOWN: use JUPYTER, HTML or SOURCE",
                notebook.language.name()
            )));
        }
        format => {
            return Err(ApiError::invalid_parameter(format!(
                "{path} is a notebook and cannot be exported as {format}: use SOURCE"
            )));
        }
    };
    Ok((content, file_type.to_owned()))
}

fn folder(workspace: &Workspace, path: &str, format: &str) -> Result<Exported, ApiError> {
    if !matches!(format, "DBC" | "SOURCE" | "AUTO") {
        return Err(ApiError::invalid_parameter(format!(
            "{path} is a folder and cannot be exported as {format}: use DBC, SOURCE or AUTO"
        )));
    }
    let (id, objects) = below(workspace, path)?;
    let top = name(path);
    let mut entries = Vec::new();
    if format == "DBC" {
        entries.push(manifest(id));
    }
    if !top.is_empty() {
        entries.push(folder_entry(top, id, format));
    }
    for (relative, object) in objects {
        let inside = if top.is_empty() { relative } else { format!("{top}/{relative}") };
        let (folder, name) = inside.rsplit_once('/').map_or(("", inside.as_str()), |(folder, name)| (folder, name));
        match (object.notebook(), object.kind, format) {
            (_, Kind::Directory | Kind::Repo, _) => entries.push(folder_entry(&inside, object.id, format)),
            (Some(notebook), _, "DBC") => entries.push(entry(&notebook, name, folder, object.id)),
            (Some(notebook), ..) => entries.push(Entry {
                path: format!("{inside}.{}", notebook.language.extension()),
                content: notebook.file().into_bytes(),
            }),
            (None, Kind::File, "AUTO") => entries.push(Entry { path: inside, content: object.content }),
            // Only notebooks leave as DBC or SOURCE, and nothing takes dashboards along.
            _ => {}
        }
    }
    let file_type = if format == "DBC" { "dbc" } else { "zip" };
    Ok((archive::write(&entries)?, file_type.to_owned()))
}

/// The id of a folder, and all that is below it by relative path.
fn below(workspace: &Workspace, path: &str) -> Result<(i64, Vec<(String, Object)>), ApiError> {
    let objects = lock(&workspace.objects);
    let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
    let mut bytes = 0_usize;
    let mut found = Vec::new();
    for (path, object) in objects.0.range(prefix.clone()..) {
        let Some(relative) = path.strip_prefix(&prefix) else { break };
        // What does not even fit unpacked is not packed to see how small it gets.
        bytes = bytes.saturating_add(object.content.len());
        if bytes > MOST_BYTES {
            return Err(too_large(bytes));
        }
        found.push((relative.to_owned(), object.clone()));
    }
    Ok((objects.0.get(path).map_or(0, |object| object.id), found))
}

/// A notebook in a DBC archive.
fn entry(notebook: &Notebook, name: &str, folder: &str, id: i64) -> Entry {
    let slash = if folder.is_empty() { "" } else { "/" };
    let path = format!("{folder}{slash}{name}.{}", notebook.language.word());
    Entry { path, content: model::write(notebook, name, id).to_string().into_bytes() }
}

/// A folder in an archive; in a DBC archive it says something of itself.
fn folder_entry(path: &str, id: i64, format: &str) -> Entry {
    let mut content = Vec::new();
    if format == "DBC" {
        let folder = json!({"version": "FolderV1", "origId": id, "name": name(path), "guid": "", "children": []});
        let _ = write!(content, "{folder}");
    }
    Entry { path: format!("{path}/"), content }
}

fn manifest(id: i64) -> Entry {
    let manifest =
        json!({"version": "Manifest", "guid": model::guid(id, u32::MAX), "origId": -1, "name": "manifest.mf"});
    Entry { path: "manifest.mf".to_owned(), content: manifest.to_string().into_bytes() }
}
