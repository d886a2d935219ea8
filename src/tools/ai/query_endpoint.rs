//! `query_endpoint`: queries a model serving endpoint, in the form that its task needs.

use std::time::Duration;

use databricks::requests::serving::serving_endpoints;
use databricks::{Location, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, one_of: ["prompt", "body"]);

/// An endpoint that has scaled to zero refuses with 503 until it is up again, or keeps the caller waiting; so does a
/// language model that writes much.
const COLD_START: Duration = Duration::from_secs(240);
/// Which of the models of an endpoint has answered.
const MODEL_HEADER: &str = "served-model-name";

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Name of the endpoint, from `list_serving_endpoints`.
    name: String,
    /// Text for a chat, completion or embedding model; or `body`.
    prompt: Option<String>,
    /// The request that the endpoint expects, e.g. `{"dataframe_records": [{"x": 1}]}` or
    /// `{"messages": [{"role": "user", "content": "Hi"}], "temperature": 0}`.
    body: Option<Map<String, Value>>,
    /// Maximum tokens in a language model's answer.
    #[schemars(range(min = 1, max = 100_000))]
    max_tokens: Option<u32>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let endpoint = context.send(serving_endpoints::Get::new(&input.name)).await?;
    let task = endpoint.get("task").and_then(Value::as_str).unwrap_or_default();
    let mut body = match (input.prompt, input.body) {
        (Some(prompt), None) => prompted(&input.name, task, prompt)?,
        (None, Some(body)) => body,
        _ => {
            return Err(Error::failed("give either `prompt`, a text, or `body`, the request").with_hint(
                "`prompt` is for language models; a custom model takes `body`, e.g. `{\"dataframe_records\": [{…}]}`",
            ));
        }
    };
    // A stream would come as one text of many events.
    body.shift_remove("stream");
    if let Some(most) = input.max_tokens {
        body.insert("max_tokens".to_owned(), most.into());
    }
    context.progress.report(format!("asking `{}`", input.name));
    let request = serving_endpoints::Query::new(&input.name)
        .with_retry_budget(COLD_START)
        .held_open(true)
        .with_idle_timeout(COLD_START)
        .unavailable_is_refusal(is_starting(&endpoint))
        // What a model takes is its own affair.
        .map(|arguments| body.into_iter().fold(arguments, |all, (name, value)| all.with(Location::Body, name, value)));
    let operation = serving_endpoints::Query::OPERATION;
    let client = context.within(COLD_START).client;
    let answer = client.execute_with_header(operation, request.into_arguments(), MODEL_HEADER).await;
    let (answer, model) = answer.map_err(|error| explain(error.into(), &endpoint))?;
    let mut answer = match answer.into_json().unwrap_or_default() {
        answer @ Value::Object(_) => answer,
        answer => json!({ "answer": answer }),
    };
    if let Some(model) = model {
        shape::put(&mut answer, "served_model", model);
    }
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "ask for less at once");
    Ok(answer)
}

/// Whether no model of the endpoint is up: then it turns questions away. One that was scaled to zero says READY, and
/// tells it of its models only.
fn is_starting(endpoint: &Value) -> bool {
    let is_up = |entity: &Value| {
        let message = shape::at(entity, "state.deployment_state_message").and_then(Value::as_str).unwrap_or_default();
        let deployment = shape::at(entity, "state.deployment").and_then(Value::as_str);
        deployment.is_none_or(|state| state == "DEPLOYMENT_READY") && !message.to_lowercase().contains("scaled to zero")
    };
    let entities = shape::at(endpoint, "config.served_entities").and_then(Value::as_array);
    shape::at(endpoint, "state.ready").is_some_and(|ready| ready == "NOT_READY")
        || entities.is_some_and(|entities| !entities.is_empty() && !entities.iter().any(is_up))
}

/// The request for a text, by the endpoint's task.
fn prompted(name: &str, task: &str, prompt: String) -> Result<Map<String, Value>, Error> {
    let body = match task {
        "llm/v1/chat" | "agent/v1/chat" => json!({ "messages": [{ "role": "user", "content": prompt }] }),
        "llm/v1/completions" => json!({ "prompt": prompt }),
        "llm/v1/embeddings" => json!({ "input": [prompt] }),
        "agent/v1/responses" => json!({ "input": [{ "role": "user", "content": prompt }] }),
        task => {
            let task = if task.is_empty() { "no language task".to_owned() } else { format!("the task `{task}`") };
            return Err(Error::failed(format!("endpoint `{name}` has {task}, and accepts no prompt")).with_hint(
                "give `body`, e.g. `{\"dataframe_records\": [{…}]}` with the columns that the model was logged with",
            ));
        }
    };
    Ok(body.as_object().cloned().unwrap_or_default())
}

/// Adds to a failure the state of an endpoint that is not ready.
fn explain(error: Error, endpoint: &Value) -> Error {
    if error.api().is_some_and(databricks::Error::is_permission_denied) {
        return error;
    }
    let state = |name: &str| endpoint.get("state").and_then(|state| state.get(name)).and_then(Value::as_str);
    match (state("ready"), state("config_update")) {
        (Some("READY"), _) | (None, _) => error,
        // Waiting would not help.
        (Some(ready), Some(update @ "UPDATE_FAILED")) => {
            let reason = failure(endpoint).unwrap_or("its build logs say why");
            error.with_hint(format!("the endpoint is {ready}, its configuration {update}: {reason}"))
        }
        (Some(ready), update) => {
            let update = update.unwrap_or("unknown");
            error.with_hint(format!("the endpoint is {ready}, its configuration {update}; try again once it is READY"))
        }
    }
}

/// Why what the endpoint should serve could not be deployed.
fn failure(endpoint: &Value) -> Option<&str> {
    let entities = shape::at(endpoint, "pending_config.served_entities")?.as_array()?;
    let mut states = entities.iter().filter_map(|entity| entity.get("state"));
    let failed =
        states.find(|state| state.get("deployment").is_some_and(|deployment| deployment == "DEPLOYMENT_FAILED"));
    failed?.get("deployment_state_message")?.as_str().filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_starting;

    #[test]
    fn an_endpoint_without_a_model_that_is_up_is_starting() {
        let entity = |deployment: &str, message: &str| json!({ "state": { "deployment": deployment, "deployment_state_message": message } });
        let served = |entities: serde_json::Value| json!({ "state": { "ready": "READY" }, "config": { "served_entities": entities } });
        assert!(is_starting(&json!({ "state": { "ready": "NOT_READY" } })));
        assert!(is_starting(&served(json!([entity("DEPLOYMENT_READY", "Scaled to zero")]))));
        assert!(is_starting(&served(json!([entity("DEPLOYMENT_CREATING", "")]))));
        assert!(!is_starting(&served(json!([entity("DEPLOYMENT_READY", ""), entity("DEPLOYMENT_CREATING", "")]))));
        assert!(!is_starting(&served(json!([{}]))));
        assert!(!is_starting(&served(json!([]))));
        assert!(!is_starting(&json!({})));
    }
}
