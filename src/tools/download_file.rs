//! `download_file`: a file of a volume or the workspace tree onto this machine, streamed to disk.

use databricks::Part;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::remote::{Digits, Remote, changed};
use super::{Composite, input, input_schema};
use crate::context::Context;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context.unlimited(), input(arguments)?).await }),
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
    let mut announced = Announced::default();
    let mut size = 0;
    loop {
        announced.check(remote.path(), size, &part)?;
        size += part.bytes.len() as u64;
        digits.add(&part.bytes);
        let bytes = part.bytes;
        let is_last = announced.total.map_or(bytes.is_empty(), |total| size >= total);
        file = super::blocking(move || file.write(&bytes).map(|()| file)).await?;
        if is_last {
            break;
        }
        let of = announced.total.map_or(String::new(), |total| format!(" of {total}"));
        context.progress.report(format!("{size}{of} bytes"));
        part = remote.read(&context, size, PART, announced.last_modified.as_deref()).await?;
    }
    super::blocking(move || file.finish()).await?;
    Ok(json!({ "path": remote.path(), "local_path": place.shown(), "size": size, "sha256": digits.finish() }))
}

/// What the parts so far say of the whole file.
#[derive(Debug, Default)]
struct Announced {
    total: Option<u64>,
    last_modified: Option<String>,
    etag: Option<String>,
}

impl Announced {
    /// Refuses a part that is not the next one of the same file, and keeps what it says.
    fn check(&mut self, path: &str, size: u64, part: &Part) -> Result<(), Error> {
        if part.start != size {
            return Err(Error::failed(format!(
                "the service gave the bytes of `{path}` from {} on, where those from {size} on were asked for",
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
            Some(total) if length == 0 && size < total => Err(Error::failed(format!(
                "`{path}` has {total} bytes, and the service gave no more than {size} of them"
            ))
            .with_hint("try again; nothing was written to `local_path`")),
            Some(total) if size + length > total => Err(Error::failed(format!(
                "`{path}` has {total} bytes, and the service gave {} of them",
                size + length
            ))),
            _ => Ok(()),
        }
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
        for (second, expected) in [
            (part(8, 0, None, ""), "12 bytes, and the service gave no more than 8"),
            (part(8, 8, None, ""), "the service gave 16"),
            (part(8, 4, Some(13), "a"), "changed while it was read"),
            (part(8, 4, Some(12), "b"), "changed while it was read"),
            (part(0, 8, Some(12), "a"), "from 0 on, where those from 8 on"),
        ] {
            let error = ends(&[first(), second]).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
