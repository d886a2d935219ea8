//! `read_volume_file`: a part of a text file in a volume.

use databricks::Part;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::remote::Remote;
use super::{Composite, input, input_schema};
use crate::context::Context;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Absolute path, from `list_volume_files`.
    path: String,
    /// First byte to read: 0, or `next_offset` of the answer before.
    #[serde(default)]
    offset: u64,
    /// Most bytes to read; less if the answer would be too long.
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
    // Escapes make the answer longer than the text. Less than a character would lead nowhere.
    let room = (context.budget.characters / 2) as u64;
    let length = input.length.min(room).max(4);
    let Part { bytes, start, total, .. } = remote.read(&context, input.offset, length, None).await?;
    if start > input.offset || (bytes.is_empty() && input.offset > 0) {
        return Err(Error::failed(format!("`{path}` ends before byte {}", input.offset))
            .with_hint("it is read to its end; begin again without `offset`"));
    }
    // A service that knows no parts gives the whole.
    let skipped = usize::try_from(input.offset - start).unwrap_or(usize::MAX);
    let bytes = bytes.iter().skip(skipped).take(usize::try_from(length).unwrap_or(usize::MAX));
    let bytes: Vec<u8> = bytes.copied().collect();
    // Whoever reads the end of a file cannot know where a character begins.
    let within =
        if input.offset > 0 { bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count() } else { 0 };
    let begin = input.offset + within as u64;
    let Some((text, used)) = bytes.get(within..).and_then(text) else {
        let error = format!("`{path}` is not text in UTF-8 at byte {}", input.offset);
        return Err(Error::failed(error).with_hint("get the file with `download_file`, or query it with `execute_sql`"));
    };
    let end = begin + used as u64;
    let mut answer = json!({ "path": path, "offset": begin, "content": text });
    if let Some(total) = total {
        shape::put(&mut answer, "size", total);
    }
    if total.map_or((within + used) as u64 == length, |total| end < total) {
        shape::put(&mut answer, "truncated", true);
        shape::put(&mut answer, "next_offset", end);
    }
    Ok(answer)
}

/// The text that bytes begin with, and how many of them it takes. A part may end within a character; what else is not
/// UTF-8, or holds a NUL, is no text.
fn text(bytes: &[u8]) -> Option<(&str, usize)> {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    (!whole.contains('\0')).then_some((whole, whole.len()))
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn a_part_may_end_within_a_character() {
        assert_eq!(text("aé".as_bytes()), Some(("aé", 3)));
        assert_eq!(text(&"aé".as_bytes()[..2]), Some(("a", 1)));
        assert_eq!(text(b""), Some(("", 0)));
        assert_eq!(text(b"a\xffb"), None);
        assert_eq!(text(b"a\0b"), None);
    }
}
