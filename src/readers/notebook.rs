//! The source of a notebook, with the MIME type of its language.

use serde_json::Value;

use crate::definition::{Contents, Reader};
use crate::domain::files::path::exported;
use crate::error::Error;

/// Reads the answer of `workspace.workspace.export`.
pub(crate) static READER: Reader = Reader { read };

fn read(answer: Value) -> Result<Contents, Error> {
    let text = String::from_utf8(exported(&answer)?).map_err(|_| Error::failed("the notebook's source is not text"))?;
    let mime_type = match answer.get("file_type").and_then(Value::as_str) {
        Some("py") => "text/x-python",
        Some("sql") => "application/sql",
        Some("scala") => "text/x-scala",
        Some("r") => "text/x-r",
        Some("ipynb") => "application/x-ipynb+json",
        _ => "text/plain",
    };
    Ok(Contents { mime_type: mime_type.to_owned(), text, rest: None })
}
