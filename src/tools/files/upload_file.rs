//! `upload_file`: text, or a file of this machine, into a volume or the workspace tree.

use databricks::Content;
use databricks::requests::workspace::workspace;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::digest::Sha256Hex;
use crate::domain::files::path::Remote;
use crate::error::Error;
use crate::local::LocalPath;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, one_of: ["content", "local_path"]);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Target: `/Volumes/catalog/schema/volume/file.csv`, or a workspace path; if it ends in `/`, the local name is
    /// kept.
    path: String,
    /// The text to write; or `local_path`.
    content: Option<String>,
    /// A file on the machine the server runs on, below its `--local-root`.
    local_path: Option<String>,
    /// Replace an existing file.
    #[serde(default)]
    overwrite: bool,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    // As long as the data is large.
    let context = context.unlimited();
    let mut remote = Remote::parse(&input.path)?;
    let (content, digest) = match UploadSource::new(&context, input.content, input.local_path)? {
        UploadSource::Text(_) if input.path.ends_with('/') => {
            return Err(Error::failed(format!("`{}` names a folder, but the text has no file name", input.path))
                .with_hint("end `path` with the name of the file"));
        }
        UploadSource::Text(text) => {
            let mut digest = Sha256Hex::default();
            digest.add(text.as_bytes());
            (Content::from(bytes::Bytes::from(text)), digest.finish())
        }
        UploadSource::File(place) => {
            if let Some(name) = place.name().filter(|_| input.path.ends_with('/')) {
                remote = remote.join(name);
            }
            let content = place.content()?;
            remote.check_size(content.length())?;
            (content, crate::local::blocking(move || place.digest()).await?)
        }
    };
    let size = content.length();
    context.progress.report(format!("uploading {size} bytes to {}", remote.path()));
    remote.write(&context, &content, input.overwrite).await.map_err(|error| exists(error, input.overwrite))?;
    let mut answer = json!({ "path": remote.path(), "size": size, "sha256": digest });
    if let Remote::Workspace(path) = &remote {
        let object = object(&context, path).await;
        let object = object.map_err(|error| error.after(format!("`{path}` was uploaded, but cannot be read yet")))?;
        for name in ["path", "object_type", "object_id", "language"] {
            if let Some(value) = object.get(name) {
                shape::put(&mut answer, name, value.clone());
            }
        }
        shape::exact(&mut answer);
    }
    Ok(answer)
}

/// What the caller gives to be written.
pub(crate) enum UploadSource {
    Text(String),
    File(LocalPath),
}

impl UploadSource {
    /// Either a text or the path of a local file.
    pub(crate) fn new(context: &Context, content: Option<String>, local_path: Option<String>) -> Result<Self, Error> {
        match (content, local_path) {
            (Some(text), None) => Ok(Self::Text(text)),
            (None, Some(path)) => context.local.place(&path).map(Self::File),
            _ => Err(Error::failed("give either `content`, the text, or `local_path`, a file")),
        }
    }
}

/// What is at a workspace path. An import that made a notebook took the extension off.
pub(crate) async fn object(context: &Context, path: &str) -> Result<Value, Error> {
    let status = |path: &str| context.client.send(workspace::GetStatus::new(path));
    let answer = match (status(path).await, path.rsplit_once('.')) {
        (Err(error), Some((stem, _))) if error.is_not_found() => status(stem).await,
        (answer, _) => answer,
    };
    Ok(answer?)
}

/// Adds to a conflict what the caller can do about it.
pub(crate) fn exists(error: Error, overwrite: bool) -> Error {
    let is_conflict = error.api().is_some_and(databricks::Error::is_conflict);
    let is_other = error.to_string().contains("type mismatch") || (is_conflict && overwrite);
    if is_other {
        error.with_hint(
            "an object of another kind is at this path, and an upload only replaces the same kind (notebook, file or \
             folder): give another path, write notebooks with `import_notebook`, or first delete what is there",
        )
    } else if is_conflict {
        error.with_hint("something is already at this path: give another, or `overwrite: true`")
    } else {
        error
    }
}
