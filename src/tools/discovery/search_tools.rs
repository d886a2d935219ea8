//! `search_tools`: finds tools and their toolsets by words.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// What the tool should do, e.g. `why did my job fail`.
    query: String,
    /// Maximum tools to return.
    #[serde(default = "limit")]
    #[schemars(range(min = 1, max = 50))]
    limit: usize,
}

fn limit() -> usize {
    8
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let found = context.directory.tools(&input.query, input.limit);
    if found.is_empty() {
        return Err(Error::failed("no tool has any of these words")
            .with_hint("say what the tool is about and what it does, e.g. `list dashboards`"));
    }
    let mut answer = json!({ "tools": found });
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "ask for fewer with `limit`, or be more specific");
    Ok(answer)
}
