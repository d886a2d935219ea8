//! `import_notebook`: writes a notebook from its source, Jupyter JSON or HTML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use databricks::Request;
use databricks::requests::workspace::workspace;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::files::notebook::{self, Format, Language};
use crate::domain::files::path::Remote;
use crate::domain::request;
use crate::error::Error;
use crate::shape;
use crate::tools::files::upload_file::{self, UploadSource};

pub(crate) static COMPOSITE: Composite = composite!(Input, run, one_of: ["content", "local_path"]);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Absolute path of the notebook, e.g. `/Users/me@example.com/etl`; missing folders are created.
    path: String,
    /// Its text in the format given, e.g. `# Databricks notebook source`; or `local_path`.
    content: Option<String>,
    /// A file on the machine the server runs on, below its `--local-root`.
    local_path: Option<String>,
    /// Detected from content and file extension if unset. `SOURCE`: code; `JUPYTER`: .ipynb JSON; `HTML`, `DBC` and
    /// `R_MARKDOWN`: exported notebooks; `AUTO`: a plain workspace file, or a notebook if it has the header.
    format: Option<Format>,
    /// Language of the source; detected from its header and file extension if unset.
    language: Option<Language>,
    /// Replace an existing item at this path.
    #[serde(default)]
    overwrite: bool,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let remote = Remote::parse(&input.path)?;
    let Remote::Workspace(path) = &remote else {
        return Err(Error::failed("notebooks are in the workspace tree, not in volumes")
            .with_hint("give a workspace path, or put the file there with `upload_file`"));
    };
    let mut bytes: Bytes = match UploadSource::new(&context, input.content, input.local_path.clone())? {
        UploadSource::Text(text) => {
            remote.check_size(text.len() as u64)?;
            text.into_bytes().into()
        }
        UploadSource::File(place) => {
            let content = place.content()?;
            remote.check_size(content.length())?;
            content.read().await?
        }
    };
    let names: Vec<&str> = [Some(input.path.as_str()), input.local_path.as_deref()].into_iter().flatten().collect();
    let told = notebook::detect(&bytes, &names);
    // What is no notebook of a kind by its content and name is a source in the language that is named.
    let format =
        input.format.or(told.format).or(input.language.map(|_| Format::Source)).ok_or_else(unknown_language)?;
    // The other formats tell the language themselves, and the API refuses both.
    let language = match format {
        Format::Source => Some(input.language.or(told.language).ok_or_else(unknown_language)?),
        _ => None,
    };
    if matches!(format, Format::Source | Format::Jupyter | Format::Html | Format::RMarkdown) {
        let text = notebook::source(&bytes).ok_or_else(|| {
            Error::failed("the notebook is not text in UTF-8 or UTF-16")
                .with_hint("save it as UTF-8; for an archive set `format: \"DBC\"`, for another file use `upload_file`")
        })?;
        bytes = text.into();
    }
    let request = workspace::Import::new(path)
        .format(request::word(format))
        .content(STANDARD.encode(bytes))
        .overwrite(input.overwrite)
        .maybe(language.map(request::word), workspace::Import::language)
        .idempotent(input.overwrite);
    match context.client.send(request.clone()).await {
        Err(error) if error.is_not_found() => {
            remote.make_parent(&context).await?;
            context.client.send(request).await
        }
        outcome => outcome,
    }
    .map_err(|error| upload_file::exists(error.into(), input.overwrite))?;
    let object = upload_file::object(&context, path).await;
    let object = object.map_err(|error| error.after(format!("`{path}` was imported, but cannot be read yet")))?;
    let mut answer = shape::keep(object.clone(), &["path", "object_type", "language", "object_id"]);
    if let Some(path) = object.get("path").and_then(Value::as_str) {
        shape::put(&mut answer, "url", format!("{}/#workspace{path}", context.client.host()));
    }
    shape::exact(&mut answer);
    Ok(answer)
}

fn unknown_language() -> Error {
    Error::failed("neither the content nor a file extension says the language of this notebook")
        .with_hint("give `language`, e.g. `PYTHON`, for source code, or `format` for anything else")
}
