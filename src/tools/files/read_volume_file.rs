//! `read_volume_file`: a part of a text file in a volume.

use databricks::Part;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::files::encoding::Encoding;
use crate::domain::files::path::Remote;
use crate::error::Error;
use crate::shape::{self, Budget};

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Absolute path, from `list_volume_files`.
    path: String,
    /// First byte to read: 0, or `next_offset` of the previous answer.
    #[serde(default)]
    offset: u64,
    /// Maximum bytes to read; fewer if the answer would be too long.
    #[serde(default = "default_length")]
    #[schemars(range(min = 1, max = 100_000))]
    length: u64,
}

fn default_length() -> u64 {
    10_000
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let remote = Remote::parse(&input.path)?;
    let Remote::Volume(path) = &remote else {
        return Err(Error::failed(format!("`{}` is not in a volume", input.path))
            .with_hint("read notebooks and workspace files with `export_notebook`"));
    };
    // Less than a character would lead nowhere.
    let most = context.budget.for_items().characters;
    let length = input.length.min(most as u64).max(4);
    let Part { bytes, start, total, .. } = remote.read(&context, input.offset, length, None).await?;
    if start > input.offset || (bytes.is_empty() && input.offset > 0) {
        return Err(Error::failed(format!("`{path}` ends before byte {}", input.offset))
            .with_hint("you have read it to its end; to start over, leave out `offset`"));
    }
    // A service that knows no parts gives the whole.
    let skipped = usize::try_from(input.offset - start).unwrap_or(usize::MAX);
    let bytes = bytes.iter().skip(skipped).take(usize::try_from(length).unwrap_or(usize::MAX));
    let bytes: Vec<u8> = bytes.copied().collect();
    let encoding = match input.offset {
        0 => Encoding::of(&bytes),
        // Only the start of a file tells, and most files are in UTF-8.
        _ if Encoding::Utf8.text(skipping(&bytes).1).is_some() => Encoding::Utf8,
        _ => Encoding::of(&remote.read(&context, 0, 2, None).await?.bytes),
    };
    // Whoever reads from within a file cannot know where a character begins.
    let (within, rest) = match encoding {
        _ if input.offset == 0 => (0, bytes.as_slice()),
        Encoding::Utf8 => skipping(&bytes),
        _ => (usize::from(input.offset % 2 == 1), bytes.get(usize::from(input.offset % 2 == 1)..).unwrap_or_default()),
    };
    let begin = input.offset + within as u64;
    let Some((text, used)) = encoding.text(rest) else {
        let error = format!("`{path}` is not text in UTF-8 or UTF-16 at byte {}", begin + encoding.fault(rest) as u64);
        return Err(Error::failed(error).with_hint("get the file with `download_file`, or query it with `execute_sql`"));
    };
    // Characters that JSON escapes take more room than their bytes; the rest is for the next call.
    let (text, used, is_cut) = match shape::part(&text, 0, Budget { characters: most }) {
        (_, None) => (text, used, false),
        (part, Some(_)) => {
            let used = encoding.length(&part);
            (part, used, true)
        }
    };
    let end = begin + used as u64;
    // Its byte order mark says what `encoding` says.
    let text = if encoding == Encoding::Utf8 { text } else { text.replacen('\u{feff}', "", 1) };
    let mut answer = json!({ "path": path, "offset": begin, "content": text });
    if encoding != Encoding::Utf8 {
        shape::put(&mut answer, "encoding", encoding.name());
    }
    if let Some(total) = total {
        shape::put(&mut answer, "size", total);
    }
    if total.map_or(is_cut || (within + used) as u64 == length, |total| end < total) {
        shape::put(&mut answer, "truncated", true);
        shape::put(&mut answer, "next_offset", end);
    }
    Ok(answer)
}

/// Bytes without those at their start that continue a character of UTF-8, and how many these are.
fn skipping(bytes: &[u8]) -> (usize, &[u8]) {
    let within = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    (within, bytes.get(within..).unwrap_or_default())
}
