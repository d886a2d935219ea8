//! `enable_toolset`: adds the tools of a toolset to the session.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Name of the toolset, as `search_tools` gives it, e.g. `jobs`.
    toolset: String,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let tools = context.directory.enable(&input.toolset)?;
    // Some clients read the list of tools once. They are not stuck with it.
    let note = "if these do not appear among your tools, call them with the `call_…_operation` tool for their risk";
    Ok(json!({ "toolset": input.toolset, "tools": tools, "note": note }))
}
