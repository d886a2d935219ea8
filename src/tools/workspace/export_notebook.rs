//! `export_notebook`: reads a notebook or workspace file, part by part where it is long.

use databricks::requests::workspace::workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::files::path::{Remote, exported, too_large};
use crate::domain::request;
use crate::error::Error;
use crate::shape::{self, Budget};

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// Characters of an answer besides its content and path.
const ENVELOPE: usize = 250;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Absolute path, from `list_workspace_items`; notebooks without file extension.
    path: String,
    /// `SOURCE`: code of a notebook; `JUPYTER`: .ipynb JSON; `HTML`: with outputs, as a web page; `AUTO`: plain
    /// workspace files.
    #[serde(default)]
    format: Format,
    /// First character to return: 0, or `next_offset` of the previous answer.
    #[serde(default)]
    offset: usize,
}

// How a notebook is written, on its way out and in. The API knows more: archives, which no model reads, and R Markdown,
// for which Jupyter serves. No doc comment, which would go into the schemas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Format {
    #[default]
    Source,
    Jupyter,
    Html,
    Auto,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let remote = Remote::parse(&input.path)?;
    let Remote::Workspace(path) = &remote else {
        return Err(Error::failed(format!("`{}` is in a volume, where there are no notebooks", input.path)).with_hint(
            "list files with `list_volume_files`; read them with `read_volume_file`, or tables with \
                        `execute_sql`",
        ));
    };
    let request = workspace::Export::new(path).format(request::word(input.format));
    let answer = context.client.send(request).await.map_err(too_large)?;
    let Ok(text) = String::from_utf8(exported(&answer)?) else {
        remote.check_is_file(&context).await?;
        return Err(Error::failed(format!("`{path}` is not text"))
            .with_hint("get the file with `download_file` (toolset `files`)"));
    };
    let total = text.chars().count();
    if input.offset > 0 && input.offset >= total {
        return Err(Error::failed(format!("`{path}` has {total} characters; `offset` is past its end"))
            .with_hint("you have read it to its end; to start over, leave out `offset`"));
    }
    // The other fields of the answer need room too; what goes beyond the budget would be cut, and lost.
    let room =
        context.budget.characters.saturating_sub(path.chars().count() + ENVELOPE).max(context.budget.characters / 2);
    let (part, next) = shape::part(&text, input.offset, Budget { characters: room });
    let mut result = json!({ "path": path, "content": part });
    if let Some(file_type) = answer.get("file_type").and_then(Value::as_str) {
        shape::put(&mut result, "file_type", file_type);
    }
    if let Some(next) = next {
        shape::put(&mut result, "truncated", true);
        shape::put(&mut result, "characters", total);
        shape::put(&mut result, "next_offset", next);
    }
    Ok(result)
}
