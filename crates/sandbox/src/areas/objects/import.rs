//! Import: what comes into the tree, in which format.
//!
//! Documented: that folders come as DBC, or as SOURCE without a language; that DBC takes no `overwrite`; that AUTO goes by
//! the extension and the header, takes the extension of a notebook off, and makes a folder of a zip file. Recorded: that
//! a folder which is alone in an archive becomes the one that is asked for, and a lone notebook the notebook. Derived:
//! which further files AUTO makes notebooks of, what becomes of files in archives of sources, and texts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::archive::{self, Entry};
use super::export::too_large;
use super::notebook::{after_header, check_cells};
use super::plan::{Made, Plan};
use super::{Kind, LARGEST, Language, Objects, already_exists, join, jupyter, markdown, model, normal, page, parent};
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::Outcome;
use crate::workspace::{Workspace, lock};

pub(super) fn import(workspace: &Workspace, request: &Request) -> Outcome {
    let (fields, content) = upload(request)?;
    let path = normal(fields.required_text("path")?)?;
    let overwrite = fields.flag("overwrite")?;
    if content.len() > LARGEST {
        return Err(too_large(content.len()));
    }
    let format = fields.text("format")?.unwrap_or("SOURCE");
    let (root, plan) = plan(path, format, fields.text("language")?, overwrite, content)?;
    carry_out(workspace, &root, plan, overwrite, already_exists)
}

/// What the command line uploads with: the raw content, to become what AUTO makes of it. It may be larger than an import.
/// [recorded: the routes and statuses, in the sources of that program]
pub(super) fn import_file(workspace: &Workspace, request: &Request) -> Outcome {
    let path = normal(request.parameter("path"))?;
    let (path, made) = auto(path, request.body.to_vec())?;
    let taken = match made.kind {
        Kind::File => {
            |path: &str| ApiError::conflict("RESOURCE_ALREADY_EXISTS", format!("File already exists at ({path})."))
        }
        _ => already_exists,
    };
    let (root, plan) = Plan::of(path, made);
    carry_out(workspace, &root, plan, request.query_flag("overwrite")?, taken)
}

fn carry_out(workspace: &Workspace, root: &str, plan: Plan, overwrite: bool, taken: fn(&str) -> ApiError) -> Outcome {
    let mut objects = lock(&workspace.objects);
    if !objects.is_directory(parent(root)) {
        return Err(ApiError::not_found(format!("The parent folder ({}) does not exist.", parent(root))));
    }
    if !overwrite && objects.is_taken(root) {
        return Err(taken(root));
    }
    // Before anything is written, so that an import is done whole or not at all.
    for (path, made) in &plan.0 {
        check(&objects, path, made.kind)?;
        if matches!(made.kind, Kind::Notebook(_)) {
            check_cells(&made.content)?;
        }
    }
    for (path, made) in plan.0 {
        match made.kind {
            Kind::Directory => objects.make_directories(&path, workspace)?,
            kind => objects.put(&path, kind, made.content, workspace),
        }
    }
    Ok(Reply::nothing())
}

/// The fields of an import, and its content: base64 in JSON, raw in a form.
fn upload(request: &Request) -> Result<(Fields, Vec<u8>), ApiError> {
    if !request.is_form() {
        let fields = request.fields()?;
        let content = STANDARD.decode(fields.text("content")?.unwrap_or_default());
        return Ok((fields, content.map_err(|_| ApiError::invalid_parameter("The content is not valid base64"))?));
    }
    let media_type = request.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
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

/// Refuses to make something else of what is at a path.
fn check(objects: &Objects, path: &str, kind: Kind) -> Result<(), ApiError> {
    let before = if path == "/" { Some(Kind::Directory) } else { objects.0.get(path).map(|object| object.kind) };
    let is_alike = |before: Kind| match kind {
        Kind::Directory => before.is_folder(),
        kind => std::mem::discriminant(&before) == std::mem::discriminant(&kind),
    };
    match before {
        Some(before) if !is_alike(before) => Err(ApiError::invalid_parameter(format!(
            "Cannot overwrite the asset at {path} due to type mismatch (asked: {}, actual: {}).",
            kind.name(),
            before.name()
        ))),
        _ => Ok(()),
    }
}

/// The path that an import is about, and what it makes there and below.
fn plan(
    path: String,
    format: &str,
    language: Option<&str>,
    overwrite: bool,
    content: Vec<u8>,
) -> Result<(String, Plan), ApiError> {
    match (format, language) {
        ("SOURCE", Some(language)) => {
            let unknown = || ApiError::invalid_parameter(format!("Unknown language: {language}"));
            let language = Language::from_name(language).ok_or_else(unknown)?;
            Ok(Plan::of(path, source(language, content)))
        }
        ("SOURCE", None) if !is_archive(&content) => {
            // What the real service says of every source without a language, and what to do about it.
            let message = "The zip file may not be valid or may be an unsupported version. To import the source of one \
                notebook, give its language; to import a file, use the format AUTO";
            Err(ApiError::invalid_parameter(message))
        }
        ("SOURCE", None) => Ok((path.clone(), sources(&path, &content)?)),
        ("JUPYTER", _) => Ok(Plan::of(path, jupyter::read(&content)?.into())),
        ("HTML", _) => Ok(Plan::of(path, page::read(&content)?.into())),
        ("R_MARKDOWN", _) => Ok(Plan::of(path, markdown::read(&String::from_utf8_lossy(&content)).into())),
        ("DBC", _) => Ok((path.clone(), dbc(&path, &content, overwrite)?)),
        ("RAW", _) => Ok(Plan::of(path, Made { kind: Kind::File, content })),
        ("AUTO", _) => match split(&path) {
            Some((stem, extension)) if extension.eq_ignore_ascii_case("zip") => {
                Ok((stem.to_owned(), sources(stem, &content)?))
            }
            Some((stem, extension)) if extension.eq_ignore_ascii_case("dbc") => {
                Ok((stem.to_owned(), dbc(stem, &content, overwrite)?))
            }
            _ => auto(path, content).map(|(path, made)| Plan::of(path, made)),
        },
        (format, _) => Err(ApiError::invalid_parameter(format!("Unknown format: {format}"))),
    }
}

/// A path before its extension, and the extension.
fn split(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('.').filter(|(stem, extension)| !stem.ends_with('/') && !extension.contains('/'))
}

/// Whether a content begins as zip archives do, empty ones too.
fn is_archive(content: &[u8]) -> bool {
    content.starts_with(b"PK\x03\x04") || content.starts_with(b"PK\x05\x06")
}

/// A notebook of its source, with the header or without.
fn source(language: Language, content: Vec<u8>) -> Made {
    let stripped = std::str::from_utf8(&content).ok().and_then(|text| after_header(language, text));
    Made { kind: Kind::Notebook(language), content: stripped.map(|text| text.as_bytes().to_vec()).unwrap_or(content) }
}

/// A notebook where the extension and the first line say so, and its path without the extension; else a file.
fn auto(path: String, content: Vec<u8>) -> Result<(String, Made), ApiError> {
    let notebook = |stem: &str, made: Made| Ok((stem.to_owned(), made));
    let Some((stem, extension)) = split(&path) else { return Ok((path, Made { kind: Kind::File, content })) };
    let by_header = Language::from_extension(extension)
        .filter(|language| std::str::from_utf8(&content).is_ok_and(|text| after_header(*language, text).is_some()));
    match (by_header, extension.to_ascii_lowercase().as_str()) {
        (Some(language), _) => notebook(stem, source(language, content)),
        (None, "ipynb") => notebook(stem, jupyter::read(&content)?.into()),
        (None, "html") if page::is_notebook(&content) => notebook(stem, page::read(&content)?.into()),
        (None, "rmd") => notebook(stem, markdown::read(&String::from_utf8_lossy(&content)).into()),
        _ => Ok((path, Made { kind: Kind::File, content })),
    }
}

/// The entries of an archive by path, without a folder that holds all others; folders have no content.
fn entries(mut entries: Vec<Entry>) -> Vec<(String, Option<Vec<u8>>)> {
    let top = entries.first().and_then(|entry| entry.path.split_once('/')).map(|(top, _)| format!("{top}/"));
    if let Some(top) = top.filter(|top| entries.iter().all(|entry| entry.path.starts_with(top))) {
        for entry in &mut entries {
            entry.path.replace_range(..top.len(), "");
        }
    }
    let named = entries.into_iter().filter(|entry| !entry.path.is_empty());
    named
        .map(|entry| match entry.path.strip_suffix('/') {
            Some(folder) => (folder.to_owned(), None),
            None => (entry.path, Some(entry.content)),
        })
        .collect()
}

/// A folder of an archive of sources. A file with the extension of a language is a notebook, header or not.
fn sources(root: &str, content: &[u8]) -> Result<Plan, ApiError> {
    let mut plan = Plan::folder(root)?;
    for (relative, content) in entries(archive::read(content)?) {
        let path = normal(&join(root, &relative))?;
        let Some(content) = content else {
            plan.add_folder(root, &path)?;
            continue;
        };
        let known = split(&path).and_then(|(stem, extension)| Some((stem, Language::from_extension(extension)?)));
        let (path, made) = match known {
            Some((stem, language)) => (stem.to_owned(), source(language, content)),
            None => auto(path, content)?,
        };
        plan.add(root, path, made)?;
    }
    Ok(plan)
}

/// A notebook, or a folder of them, in the archive format of Databricks.
fn dbc(root: &str, content: &[u8], overwrite: bool) -> Result<Plan, ApiError> {
    if overwrite {
        return Err(ApiError::invalid_parameter(format!(
            "overwrite is not supported for the format DBC, which may hold a folder: delete {root} first"
        )));
    }
    let mut found = archive::read(content)?;
    found.retain(|entry| entry.path != "manifest.mf");
    let read = |path: &str, content: &[u8]| {
        let named = split(path).filter(|(_, extension)| Language::from_word(extension).is_some());
        let (stem, _) = named.ok_or_else(|| {
            ApiError::invalid_parameter(format!(
                "{path} in the archive is not a notebook: those end in .python, .sql, .scala or .r"
            ))
        })?;
        Ok::<_, ApiError>((stem.to_owned(), model::parse(content, &format!("{path} in the archive"))?.into()))
    };
    if let [only] = found.as_slice()
        && !only.path.contains('/')
    {
        let (_, made) = read(&format!("/{}", only.path), &only.content)?;
        return Ok(Plan::of(root.to_owned(), made).1);
    }
    let mut plan = Plan::folder(root)?;
    for (relative, content) in entries(found) {
        let path = normal(&join(root, &relative))?;
        match content {
            None => plan.add_folder(root, &path)?,
            Some(content) => {
                let (path, made) = read(&path, &content)?;
                plan.add(root, path, made)?;
            }
        }
    }
    Ok(plan)
}
