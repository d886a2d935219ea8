//! `import_notebook`: writes a notebook from its source, Jupyter JSON or HTML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks::{Arguments, Location, operations};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::export_notebook::Format;
use super::remote::Remote;
use super::upload_file::{self, Given};
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
    /// Absolute path of the notebook, e.g. `/Users/me@example.com/etl`; folders above it are made.
    path: String,
    /// Its text in the format given; or `local_path`.
    content: Option<String>,
    /// A file of the machine the server runs on, below its `--local-root`.
    local_path: Option<String>,
    /// `SOURCE`: code; `JUPYTER`: .ipynb JSON; `HTML`: a notebook exported as HTML; `AUTO`: a plain workspace file, or a
    /// notebook by its header.
    #[serde(default)]
    format: Format,
    /// Language of the source; by the extension of the path if unset.
    language: Option<Language>,
    /// Replace an existing item at this path.
    #[serde(default)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Language {
    Python,
    Sql,
    Scala,
    R,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let remote = Remote::parse(&input.path)?;
    let Remote::Workspace(path) = &remote else {
        return Err(Error::failed("notebooks live in the workspace tree, not in volumes")
            .with_hint("give a workspace path, or put the file there with `upload_file`"));
    };
    let language = match (input.format, input.language) {
        (Format::Source, None) => {
            let told = [Some(input.path.as_str()), input.local_path.as_deref()];
            let language = told.into_iter().flatten().find_map(by_extension);
            Some(language.ok_or_else(|| {
                Error::failed("a source does not tell its language").with_hint("give `language`, e.g. `PYTHON`")
            })?)
        }
        (Format::Source, language) => language,
        // The other formats tell it themselves, and the API refuses both.
        _ => None,
    };
    let bytes = match Given::new(&context, input.content, input.local_path)? {
        Given::Text(text) => {
            remote.check_size(text.len() as u64)?;
            text.into_bytes().into()
        }
        Given::File(place) => {
            let content = place.content()?;
            remote.check_size(content.length())?;
            content.read().await?
        }
    };
    let mut request = Arguments::new()
        .with(Location::Body, "path", path.as_str())
        .with(Location::Body, "format", json!(input.format))
        .with(Location::Body, "content", STANDARD.encode(bytes))
        .with(Location::Body, "overwrite", input.overwrite)
        .idempotent(input.overwrite);
    if let Some(language) = language {
        request.insert(Location::Body, "language", json!(language));
    }
    let import = |request| async { context.client.execute(&operations::WORKSPACE_WORKSPACE_IMPORT, request).await };
    match import(request.clone()).await {
        Err(error) if error.is_not_found() => {
            remote.make_parent(&context).await?;
            import(request).await
        }
        outcome => outcome,
    }
    .map_err(|error| upload_file::exists(error.into(), input.overwrite))?;
    let object = upload_file::object(&context, path).await;
    let object = object.map_err(|error| error.after(format!("`{path}` was imported, and cannot be read yet")))?;
    let mut answer = shape::keep(&object, &["path", "object_type", "language", "object_id"]);
    if let Some(path) = object.get("path").and_then(Value::as_str) {
        shape::put(&mut answer, "url", format!("{}/#workspace{path}", context.client.host()));
    }
    shape::exact(&mut answer);
    Ok(answer)
}

fn by_extension(path: &str) -> Option<Language> {
    match path.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "py" => Some(Language::Python),
        "sql" => Some(Language::Sql),
        "scala" => Some(Language::Scala),
        "r" => Some(Language::R),
        _ => None,
    }
}
