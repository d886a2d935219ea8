//! Files of the workspace by their path: `/Volumes/…` is a Unity Catalog volume, everything else the workspace tree.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use databricks::requests::files::files;
use databricks::requests::workspace::workspace;
use databricks::{Content, Part, Request};
use serde_json::Value;

use crate::context::Context;
use crate::domain::request;
use crate::error::Error;

/// How long a file's transfer may stand still. It has no deadline, and common clients wait a minute for a sign.
const LONGEST_SILENCE: Duration = Duration::from_secs(45);
/// What paths look like.
const EXAMPLES: &str = "give e.g. `/Volumes/catalog/schema/volume/file.csv` or `/Users/me@example.com/file.txt`";

/// The most that the workspace tree takes as one file. [Workspace API, limits]
const LARGEST_WORKSPACE_FILE: u64 = 10 * 1024 * 1024;
/// The most that a volume takes in one upload. [Files API, limits]
const LARGEST_VOLUME_FILE: u64 = 5 * 1024 * 1024 * 1024;

/// An absolute path as the API takes it, without `dbfs:` before `/Volumes` and without final slashes. Blanks belong to
/// names: none is taken off.
pub(crate) fn absolute(given: &str) -> Result<&str, Error> {
    let path = given.strip_prefix("dbfs:").filter(|path| path.starts_with("/Volumes/")).unwrap_or(given);
    let Some(parts) = path.strip_prefix('/') else {
        return Err(Error::failed(format!("`{given}` is not an absolute path")).with_hint(EXAMPLES));
    };
    let parts = parts.trim_end_matches('/');
    if parts.is_empty() {
        return Ok("/");
    }
    if parts.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Error::failed(format!("`{given}` has an empty, `.` or `..` part"))
            .with_hint("write the path out from `/`, with one slash between its parts"));
    }
    Ok(path.trim_end_matches('/'))
}

/// A file or folder of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remote {
    /// In a volume.
    Volume(String),
    /// In the workspace tree.
    Workspace(String),
}

impl Remote {
    /// The place of an absolute path.
    pub(crate) fn parse(given: &str) -> Result<Self, Error> {
        let path = absolute(given)?;
        if path == "/" {
            return Err(Error::failed("`/` is the root of the workspace, not a file").with_hint(EXAMPLES));
        }
        if path != "/Volumes" && !path.starts_with("/Volumes/") {
            // It would become a folder of that name in the workspace tree, where nobody looks for it.
            if path.split('/').nth(1).is_some_and(|first| first.eq_ignore_ascii_case("volumes")) {
                return Err(Error::failed(format!("`{given}` is neither in a volume nor in the workspace tree"))
                    .with_hint("volume paths begin with `/Volumes/`, in exactly this case"));
            }
            return Ok(Self::Workspace(path.to_owned()));
        }
        if path.split('/').count() < 5 {
            return Err(Error::failed(format!("`{given}` does not name a volume"))
                .with_hint("volume paths are `/Volumes/<catalog>/<schema>/<volume>/…`; see `list_volumes`"));
        }
        Ok(Self::Volume(path.to_owned()))
    }

    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Volume(path) | Self::Workspace(path) => path,
        }
    }

    /// The place of something below this folder.
    pub(crate) fn join(&self, relative: &str) -> Self {
        let path = format!("{}/{relative}", self.path());
        match self {
            Self::Volume(_) => Self::Volume(path),
            Self::Workspace(_) => Self::Workspace(path),
        }
    }

    /// The folder it is in.
    fn parent(&self) -> Option<Self> {
        let (parent, _) = self.path().rsplit_once('/')?;
        match self {
            Self::Volume(_) => (parent.split('/').count() >= 5).then(|| Self::Volume(parent.to_owned())),
            Self::Workspace(_) => (!parent.is_empty()).then(|| Self::Workspace(parent.to_owned())),
        }
    }

    /// Makes it a folder, with those above it; one that exists is left as it is.
    pub(crate) async fn make_folder(&self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Volume(path) => {
                // The volume itself is there or not; it is not made by a folder.
                if path.split('/').count() == 5 {
                    return Ok(());
                }
                context.send(files::CreateDirectory::new(path).idempotent(true)).await
            }
            Self::Workspace(path) => context.send(workspace::Mkdirs::new(path).idempotent(true)).await,
        }
    }

    /// Makes the folder it is in, with those above.
    pub(crate) async fn make_parent(&self, context: &Context) -> Result<(), Error> {
        match self.parent() {
            Some(parent) => parent.make_folder(context).await,
            None => Ok(()),
        }
    }

    /// Refuses what is larger than the place takes, before it is read or sent.
    pub(crate) fn check_size(&self, bytes: u64) -> Result<(), Error> {
        let (most, hint) = match self {
            Self::Volume(_) => (LARGEST_VOLUME_FILE, "split the file"),
            Self::Workspace(_) => (
                LARGEST_WORKSPACE_FILE,
                "put large files into a volume: `upload_file` from `local_path` to \
                 `/Volumes/<catalog>/<schema>/<volume>/…`",
            ),
        };
        if bytes > most {
            let error = format!("`{}`: {bytes} bytes are more than {most}", self.path());
            return Err(Error::failed(error).with_hint(hint));
        }
        Ok(())
    }

    /// Writes a file. A folder that is missing above it is made.
    pub(crate) async fn write(&self, context: &Context, content: &Content, overwrite: bool) -> Result<(), Error> {
        self.check_size(content.length())?;
        match self.send(context, content, overwrite).await {
            Err(error) if error.is_not_found() => {
                self.make_parent(context).await?;
                self.send(context, content, overwrite).await
            }
            outcome => outcome,
        }
        .map_err(|error| self.unanswered(error.into()))
    }

    /// Adds to the failure of a write that nobody knows whether it happened where to look.
    fn unanswered(&self, error: Error) -> Error {
        if !error.may_have_happened() {
            return error;
        }
        let list = match self {
            Self::Volume(_) => "list_volume_files",
            Self::Workspace(_) => "list_workspace_items",
        };
        error.with_outcome(format!(
            "the file may have arrived although the answer was lost: check with `{list}` before you send it again, or \
             send it with `overwrite: true`"
        ))
    }

    async fn send(&self, context: &Context, content: &Content, overwrite: bool) -> Result<(), databricks::Error> {
        // With `overwrite` a second arrival writes the same again; without, it would be refused as a conflict.
        match self {
            Self::Volume(path) => {
                let request = files::Upload::new(path)
                    .overwrite(overwrite)
                    .idempotent(overwrite)
                    .with_idle_timeout(LONGEST_SILENCE);
                let operation = files::Upload::OPERATION;
                context.client.upload(operation, request.into_arguments(), content).await.map(drop)
            }
            Self::Workspace(path) => {
                let bytes = content.read().await?;
                // As the official clients do: a source file with the header of a notebook becomes one.
                let request = workspace::Import::new(path)
                    .format("AUTO")
                    .content(STANDARD.encode(bytes))
                    .overwrite(overwrite)
                    .idempotent(overwrite);
                context.client.send(request).await
            }
        }
    }

    /// Refuses a folder of the workspace tree: its export would be an archive under the name of a file. In a volume a
    /// folder is no file to begin with.
    pub(crate) async fn check_is_file(&self, context: &Context) -> Result<(), Error> {
        let Self::Workspace(path) = self else { return Ok(()) };
        let object = context.send(workspace::GetStatus::new(path)).await?;
        match request::text(&object, "object_type") {
            Some("DIRECTORY" | "REPO") => Err(Error::failed(format!("`{path}` is a folder"))
                .with_hint("see what is in it with `list_workspace_items`, and ask for its files one by one")),
            _ => Ok(()),
        }
    }

    /// Reads a part of a file: `length` bytes from `offset`.
    pub(crate) async fn read(
        &self,
        context: &Context,
        offset: u64,
        length: u64,
        unmodified_since: Option<&str>,
    ) -> Result<Part, Error> {
        match self {
            Self::Volume(path) => {
                let request = files::Download::new(path).with_idle_timeout(LONGEST_SILENCE).into_arguments();
                let range = offset..offset.saturating_add(length);
                let operation = files::Download::OPERATION;
                match context.client.read_part(operation, request, range, unmodified_since).await {
                    // An empty file has no first byte, and no file has one behind its last.
                    Err(error) if error.status() == Some(416) => {
                        Ok(Part { bytes: Bytes::new(), start: offset, total: None, last_modified: None, etag: None })
                    }
                    Err(error) if error.status() == Some(412) => Err(changed(path)),
                    part => Ok(part?),
                }
            }
            Self::Workspace(path) => {
                let answer = context.client.send(workspace::Export::new(path).format("AUTO")).await;
                let bytes = Bytes::from(exported(&answer.map_err(too_large)?)?);
                Ok(Part { total: Some(bytes.len() as u64), bytes, start: 0, last_modified: None, etag: None })
            }
        }
    }
}

/// The error for a file whose parts are of different contents.
pub(crate) fn changed(path: &str) -> Error {
    Error::failed(format!("`{path}` was changed while it was read")).with_hint("read it again from the start")
}

/// The content that an export answers with. An answer without any is not an empty file: an agent would write it back.
pub(crate) fn exported(answer: &Value) -> Result<Vec<u8>, Error> {
    let content = answer.get("content").and_then(Value::as_str);
    let content = content.ok_or_else(|| {
        Error::failed("the answer of the export has no content").with_hint(
            "the object may be too large to export, or have nothing to export: see its type and size with \
             `list_workspace_items`",
        )
    })?;
    STANDARD.decode(content).map_err(|_| Error::failed("the answer's content is not base64"))
}

/// Adds to the refusal of an export what still works. [Workspace API, limits]
pub(crate) fn too_large(error: databricks::Error) -> Error {
    let is_large = error.error_code() == Some("MAX_NOTEBOOK_SIZE_EXCEEDED");
    let error = Error::from(error);
    match is_large {
        true => error.with_hint(
            "the workspace exports at most 10 MB: a notebook is smaller as `SOURCE`, which leaves out its outputs; \
             copy a file into a volume with `run_code` and read it there",
        ),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::Remote;

    #[test]
    fn a_path_says_where_it_is() {
        let volume = Remote::Volume("/Volumes/c/s/v/a b.csv".to_owned());
        for path in ["/Volumes/c/s/v/a b.csv", "dbfs:/Volumes/c/s/v/a b.csv", "/Volumes/c/s/v/a b.csv//"] {
            assert_eq!(Remote::parse(path).expect(path), volume);
        }
        let workspace = Remote::Workspace("/Users/me@example.test/x".to_owned());
        assert_eq!(Remote::parse("/Users/me@example.test/x").expect("a path"), workspace);
        assert_eq!(Remote::Volume("/Volumes/c/s/v".to_owned()).parent(), None);
        // A blank at the end is part of the name.
        assert_eq!(Remote::parse("/Volumes/c/s/v/a ").expect("a path").path(), "/Volumes/c/s/v/a ");
        for path in [
            "",
            "/",
            "a/b",
            "//a",
            " /a",
            "dbfs:/a",
            "/a//b",
            "/a/../b",
            "/Volumes",
            "/Volumes/c/s",
            "/volumes/c/s/v/x",
            "s3://bucket/key",
        ] {
            Remote::parse(path).expect_err(path);
        }
    }
}
