//! `upload_folder`: the files of a local folder into a volume or the workspace tree, several at a time.

use std::collections::BTreeSet;
use std::path::Path;

use globset::GlobSet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::files::path::Remote;
use crate::error::Error;
use crate::globs;
use crate::local::Files;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// How many files are under way at a time.
const AT_ONCE: usize = 4;
/// More would outlast any client's patience.
const MOST_FILES: usize = 10_000;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// A folder on the machine the server runs on, below its `--local-root`.
    local_path: String,
    /// Folder to upload into: `/Volumes/catalog/schema/volume/folder`, or a workspace path; created if missing.
    path: String,
    /// Globs of what to upload, relative to the folder, e.g. `**/*.csv`; everything if unset.
    #[serde(default)]
    include: Vec<String>,
    /// Globs of what to leave out, e.g. `.git/**`.
    #[serde(default)]
    exclude: Vec<String>,
    /// Replace existing files; otherwise they are skipped.
    #[serde(default)]
    overwrite: bool,
}

/// Where so many fail and none arrives, the others are not tried.
const FUTILE: usize = 20;

/// What became of the files.
#[derive(Debug, Default)]
struct Tally {
    uploaded: usize,
    bytes: u64,
    skipped: usize,
    failed: Vec<(String, Error)>,
}

impl Tally {
    fn done(&self) -> usize {
        self.uploaded + self.skipped + self.failed.len()
    }

    fn is_futile(&self) -> bool {
        self.failed.len() >= FUTILE && self.failed.len() == self.done()
    }
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    // As long as the data is large.
    let context = context.unlimited();
    let remote = Remote::parse(&input.path)?;
    let (include, exclude) = (globs("include", &input.include)?, globs("exclude", &input.exclude)?);
    let place = context.local.place(&input.local_path)?;
    let mut files = crate::local::blocking(move || place.files(MOST_FILES)).await?;
    files.paths.retain(|path| (include.is_empty() || include.is_match(path)) && !exclude.is_match(path));
    if let Some(path) = files.paths.iter().find(|path| path.to_str().is_none()) {
        let error = format!("the name of `{}` is not UTF-8, but names in the workspace must be", path.display());
        return Err(Error::failed(error).with_hint("rename it, or leave it out with `exclude`"));
    }
    if files.paths.is_empty() {
        return Err(Error::failed(format!("no file in `{}` is to be uploaded", input.local_path))
            .with_hint("check `include` and `exclude`; globs are relative to the folder"));
    }
    make_folders(&context, &remote, &files).await?;
    let tally = upload(&context, &remote, &files, input.overwrite).await;
    let mut answer = json!({ "path": remote.path(), "uploaded": tally.uploaded, "bytes": tally.bytes });
    for (name, count) in [("skipped_existing", tally.skipped), ("skipped_links", files.links)] {
        if count > 0 {
            shape::put(&mut answer, name, count);
        }
    }
    if tally.failed.is_empty() {
        return Ok(answer);
    }
    let failed: Vec<_> = tally.failed.iter().take(5).map(|(path, error)| format!("\n  `{path}`: {error}")).collect();
    let left = files.paths.len() - tally.done();
    let more = tally.failed.len().saturating_sub(failed.len());
    let mut more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    if left > 0 {
        more.push_str(&format!("\n  and {left} that were not tried, because none arrived"));
    }
    let count = tally.failed.len() + left;
    let error = format!("{count} files were not uploaded:{}{more}\nof the rest: {answer}", failed.concat());
    Err(Error::failed(error).with_hint("call it again: without `overwrite`, it skips what is already there"))
}

fn globs(name: &str, patterns: &[String]) -> Result<GlobSet, Error> {
    globs::any_of(patterns.iter().map(String::as_str)).map_err(|error| {
        Error::failed(format!("`{name}`: {error}")).with_hint("globs are relative to the folder, e.g. `**/*.py`")
    })
}

/// Makes the folders that files go into; those above them come along.
async fn make_folders(context: &Context, remote: &Remote, files: &Files) -> Result<(), Error> {
    let parents: BTreeSet<String> = files.paths.iter().filter_map(|path| path.parent().map(slashed)).collect();
    let is_above =
        |folder: &str| parents.iter().any(|other| other.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
    for folder in parents.iter().filter(|folder| !is_above(folder)) {
        let folder = if folder.is_empty() { remote.clone() } else { remote.join(folder) };
        folder.make_folder(context).await?;
    }
    Ok(())
}

async fn upload(context: &Context, remote: &Remote, files: &Files, overwrite: bool) -> Tally {
    let mut tally = Tally::default();
    // Dropped with the call, which stops those under way.
    let mut running = JoinSet::new();
    let mut left = files.paths.iter();
    loop {
        while running.len() < AT_ONCE
            && !tally.is_futile()
            && let Some(path) = left.next()
        {
            let (context, place) = (context.clone(), files.place(path));
            let remote = remote.join(&slashed(path));
            running.spawn(async move {
                let outcome = match place.content() {
                    Ok(content) => remote.write(&context, &content, overwrite).await.map(|()| content.length()),
                    Err(error) => Err(error),
                };
                (remote, outcome)
            });
        }
        let Some(joined) = running.join_next().await else { return tally };
        match joined {
            Ok((_, Ok(bytes))) => {
                tally.uploaded += 1;
                tally.bytes += bytes;
            }
            Ok((_, Err(error))) if !overwrite && error.api().is_some_and(databricks::Error::is_conflict) => {
                tally.skipped += 1;
            }
            Ok((remote, Err(error))) => tally.failed.push((remote.path().to_owned(), error)),
            Err(error) => tally.failed.push(("?".to_owned(), Error::failed(error.to_string()))),
        }
        context.progress.report(format!("{} of {} files", tally.done(), files.paths.len()));
    }
}

/// A relative path as the workspace writes it.
fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
