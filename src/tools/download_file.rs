//! `download_file`: a file of a volume or the workspace tree onto this machine, streamed to disk.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::remote::{Digits, Remote};
use super::{Composite, input, input_schema};
use crate::context::Context;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context.unhurried(), input(arguments)?).await }),
};

/// What one request asks for; what is held in memory.
const PART: u64 = 8 * 1024 * 1024;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Absolute path in a volume, from `list_volume_files`, or in the workspace, from `list_workspace_items`.
    path: String,
    /// Where to, on the machine the server runs on, below its `--local-root`; ending in `/`, the name is kept.
    local_path: String,
    /// Replace an existing local file.
    #[serde(default)]
    overwrite: bool,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let remote = Remote::parse(&input.path)?;
    let name = remote.path().rsplit('/').next().unwrap_or_default();
    let local = match input.local_path.ends_with(['/', std::path::MAIN_SEPARATOR]) {
        true => format!("{}{name}", input.local_path),
        false => input.local_path,
    };
    let place = context.local.place(&local)?;
    remote.check_is_file(&context).await?;
    // The first part tells whether there is such a file, before anything is made here.
    let mut part = remote.read(&context, 0, PART, None).await?;
    let (target, overwrite) = (place.clone(), input.overwrite);
    let mut file = super::blocking(move || target.create(overwrite)).await?;
    let mut digits = Digits::default();
    let mut size = 0;
    loop {
        if part.start != size {
            return Err(Error::failed(format!("the service gave another part of `{}` than asked for", remote.path())));
        }
        size += part.bytes.len() as u64;
        digits.add(&part.bytes);
        let bytes = part.bytes;
        let is_last = bytes.is_empty() || part.total.is_some_and(|total| size >= total);
        file = super::blocking(move || file.write(&bytes).map(|()| file)).await?;
        if is_last {
            break;
        }
        let of = part.total.map_or(String::new(), |total| format!(" of {total}"));
        context.progress.report(format!("{size}{of} bytes"));
        let modified = part.last_modified;
        part = remote.read(&context, size, PART, modified.as_deref()).await?;
        part.last_modified = part.last_modified.or(modified);
    }
    super::blocking(move || file.finish()).await?;
    Ok(json!({ "path": remote.path(), "local_path": place.shown(), "size": size, "sha256": digits.finish() }))
}
