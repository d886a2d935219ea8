//! `search_operations`: finds what the executors can call.

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
    /// What it should do, or its name, e.g. `list dashboards`.
    query: String,
    /// Also shows the schemas of the arguments.
    #[serde(default)]
    describe: bool,
    /// Maximum operations to return.
    #[serde(default = "limit")]
    #[schemars(range(min = 1, max = 50))]
    limit: usize,
}

fn limit() -> usize {
    10
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let found = context.directory.search(&input.query, input.limit, input.describe);
    let withheld = context.directory.withheld(&input.query);
    if found.is_empty() && withheld.is_empty() {
        return Err(Error::failed("no operation has any of these words")
            .with_hint("say what the operation is about and what it does, e.g. `list dashboards`"));
    }
    let mut answer = json!({ "operations": found });
    if !withheld.is_empty()
        && let Some(fields) = answer.as_object_mut()
    {
        fields.insert("not_exposed".to_owned(), withheld.into());
    }
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "ask for fewer with `limit`, or name one operation as the `query`");
    Ok(answer)
}
