//! `download_file`: a file of a volume or the workspace tree onto this machine, streamed to disk.

use databricks::Part;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::digest::Sha256Hex;
use crate::domain::files::path::{Remote, changed};
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// What one request asks for; what is held in memory.
const PART: u64 = 8 * 1024 * 1024;
/// A part with fewer bytes is a short one, unless the file ends with it.
const SHORT_PART: u64 = 64 * 1024;
/// A service that gives so many short parts would need requests without end.
const MOST_SHORT_PARTS: u32 = 16;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Absolute path in a volume, from `list_volume_files`, or in the workspace, from `list_workspace_items`.
    path: String,
    /// Target on the machine the server runs on, below its `--local-root`; if it ends in `/`, the name is kept.
    local_path: String,
    /// Replace an existing local file.
    #[serde(default)]
    overwrite: bool,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    // As long as the data is large.
    let context = context.unlimited();
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
    let mut file = crate::local::blocking(move || target.create(overwrite)).await?;
    let mut digest = Sha256Hex::default();
    let mut announced = Announced::default();
    let mut size = 0;
    loop {
        announced.check(remote.path(), size, &part)?;
        size += part.bytes.len() as u64;
        digest.add(&part.bytes);
        let bytes = part.bytes;
        let is_last = announced.total.map_or(bytes.is_empty(), |total| size >= total);
        file = crate::local::blocking(move || file.write(&bytes).map(|()| file)).await?;
        if is_last {
            break;
        }
        let of = announced.total.map_or(String::new(), |total| format!(" of {total}"));
        context.progress.report(format!("{size}{of} bytes"));
        part = remote.read(&context, size, PART, announced.last_modified.as_deref()).await?;
    }
    crate::local::blocking(move || file.finish()).await?;
    Ok(json!({ "path": remote.path(), "local_path": place.shown(), "size": size, "sha256": digest.finish() }))
}

/// What the parts so far say of the whole file.
#[derive(Debug, Default)]
struct Announced {
    total: Option<u64>,
    last_modified: Option<String>,
    etag: Option<String>,
    short_parts: u32,
}

impl Announced {
    /// Refuses a part that is not the next one of the same file, and keeps what it says.
    fn check(&mut self, path: &str, size: u64, part: &Part) -> Result<(), Error> {
        if part.start != size {
            return Err(Error::failed(format!(
                "the service returned the bytes of `{path}` from {} on, but those from {size} on were requested",
                part.start
            )));
        }
        let length = part.bytes.len() as u64;
        if differ(self.total, part.total) || differ(self.etag.as_ref(), part.etag.as_ref()) {
            return Err(changed(path));
        }
        self.total = self.total.or(part.total);
        self.etag = self.etag.take().or_else(|| part.etag.clone());
        self.last_modified = self.last_modified.take().or_else(|| part.last_modified.clone());
        match self.total {
            Some(total) if length == 0 && size < total => {
                Err(Error::failed(format!("`{path}` has {total} bytes, but the service returned only {size} of them"))
                    .with_hint("try again; nothing was written to `local_path`"))
            }
            Some(total) if size + length > total => Err(Error::failed(format!(
                "`{path}` has {total} bytes, but the service returned {} of them",
                size + length
            ))),
            _ => self.progress(path, size, length),
        }
    }

    /// Refuses to go on where the parts are so short that the file would hardly ever end.
    fn progress(&mut self, path: &str, size: u64, length: u64) -> Result<(), Error> {
        let is_last = self.total.map_or(length == 0, |total| size + length >= total);
        self.short_parts += u32::from(length < SHORT_PART && !is_last);
        if self.short_parts < MOST_SHORT_PARTS {
            return Ok(());
        }
        Err(Error::failed(format!(
            "the service returns `{path}` in parts that are too short: {MOST_SHORT_PARTS} of them had fewer than \
             {SHORT_PART} bytes, the last {length}, but {PART} were requested"
        ))
        .with_hint("try again later; nothing was written to `local_path`"))
    }
}

fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use databricks::Part;

    use super::Announced;

    fn part(start: u64, length: usize, total: Option<u64>, etag: &str) -> Part {
        let bytes = Bytes::from(vec![b'x'; length]);
        Part { bytes, start, total, last_modified: None, etag: (!etag.is_empty()).then(|| etag.to_owned()) }
    }

    /// How a download ends whose parts have eight bytes.
    fn ends(parts: &[Part]) -> Result<u64, String> {
        let (mut announced, mut size) = (Announced::default(), 0);
        for part in parts {
            announced.check("f", size, part).map_err(|error| error.to_string())?;
            size += part.bytes.len() as u64;
        }
        Ok(size)
    }

    #[test]
    fn parts_must_make_the_file_that_was_announced() {
        let first = || part(0, 8, Some(12), "a");
        assert_eq!(ends(&[first(), part(8, 4, Some(12), "a")]), Ok(12));
        assert_eq!(ends(&[first(), part(8, 4, None, "")]), Ok(12));
        assert_eq!(ends(&[part(0, 0, Some(0), "")]), Ok(0));
        assert_eq!(ends(&[part(0, 8, None, ""), part(8, 0, None, "")]), Ok(8));
        let parts = |length: usize, total| -> Vec<Part> {
            (0..40).map(|number: u64| part(number * length as u64, length, total, "")).collect()
        };
        assert_eq!(ends(&parts(64 * 1024, Some(1 << 30))), Ok(40 * 64 * 1024));
        assert_eq!(ends(&parts(100, Some(1_000))[..10]), Ok(1_000));
        for total in [Some(1 << 30), None] {
            let error = ends(&parts(100, total)).expect_err("too short");
            assert!(error.contains("16 of them had fewer than 65536 bytes, the last 100"), "{error}");
        }
        for (second, expected) in [
            (part(8, 0, None, ""), "12 bytes, but the service returned only 8"),
            (part(8, 8, None, ""), "the service returned 16"),
            (part(8, 4, Some(13), "a"), "changed while it was read"),
            (part(8, 4, Some(12), "b"), "changed while it was read"),
            (part(0, 8, Some(12), "a"), "from 0 on, but those from 8 on"),
        ] {
            let error = ends(&[first(), second]).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
