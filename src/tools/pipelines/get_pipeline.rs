//! `get_pipeline`: one pipeline, with the state of each flow in its latest update. A composite, because the workspace
//! reports flows only in events.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::{pipelines, request};
use crate::error::Error;
use crate::shape::{self, Fields};

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// What is told unless the caller names other fields.
const FIELDS: [&str; 9] = [
    "pipeline_id",
    "name",
    "state",
    "cause",
    "health",
    "creator_user_name",
    "run_as_user_name",
    "latest_updates",
    "spec",
];

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Pipeline id, from `list_pipelines`.
    pipeline_id: String,
    /// Other fields: dotted paths, or `*`.
    #[serde(default)]
    fields: Vec<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let id = input.pipeline_id.as_str();
    let settings = pipelines::get(&context, id).await?;
    let mut fields = Fields::new(&FIELDS, input.fields)?;
    let mut answer = fields.of(settings.clone());
    if let Some(unknown) = fields.unknown() {
        shape::advise(&mut answer, &unknown);
    }
    let latest = request::array(&settings, "latest_updates").first();
    if let Some(update) = latest.and_then(|update| request::text(update, "update_id")).filter(|_| !fields.is_chosen()) {
        let mut told = json!({ "update_id": update });
        match pipelines::flows(&context, id, update).await {
            Ok(flows) => flows.put(&mut told),
            // The pipeline itself is worth having without.
            Err(error) => shape::put(&mut told, "events_error", error.to_string()),
        }
        shape::put(&mut answer, "latest_update", told);
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "name the fields that you need in `fields`");
    Ok(answer)
}
