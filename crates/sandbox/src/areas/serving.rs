//! Model serving endpoints: list and get, and invocations that echo.
//!
//! Derived: no recording of these bodies is public; answers have OpenAI's and MLflow's forms, as the service documents.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::ids::mix;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/serving-endpoints", list),
    route("GET", "/api/2.0/serving-endpoints/{name}", get),
    route("POST", "/serving-endpoints/{name}/invocations", invoke),
];

/// Name, task, served model.
const ENDPOINTS: [(&str, &str, &str); 3] = [
    ("sandbox-chat", "llm/v1/chat", "echo-1"),
    ("sandbox-embeddings", "llm/v1/embeddings", "hash-8"),
    ("churn-model", "", "main.ml.churn"),
];

fn missing(name: &str) -> ApiError {
    ApiError::does_not_exist(format!("Endpoint with name '{name}' does not exist."))
}

fn endpoint_json(workspace: &Workspace, (name, task, model): (&str, &str, &str)) -> Value {
    let at = workspace.clock.epoch() - 20 * 86_400_000;
    let entity = json!({"name": format!("{name}-1"), "entity_name": model, "entity_version": "1", "workload_size": "Small",
        "scale_to_zero_enabled": true, "creator": USER, "creation_timestamp": at,
        "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""}});
    let mut json = json!({"name": name, "id": format!("{:032x}", mix(u64::try_from(name.len()).unwrap_or(0))), "creator": USER,
        "creation_timestamp": at, "last_updated_timestamp": at, "state": {"ready": "READY", "config_update": "NOT_UPDATING"},
        "config": {"served_entities": [entity], "config_version": 1}, "permission_level": "CAN_MANAGE"});
    if !task.is_empty() {
        json.set("task", json!(task));
    }
    json
}

fn list(workspace: &Workspace, _: &Request) -> Outcome {
    let endpoints: Vec<_> = ENDPOINTS
        .iter()
        .map(|endpoint| {
            let mut json = endpoint_json(workspace, *endpoint);
            if let Some(members) = json.as_object_mut() {
                members.remove("permission_level");
            }
            json
        })
        .collect();
    Ok(Reply::json(json!({"endpoints": endpoints})))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    let endpoint = ENDPOINTS.iter().find(|(known, ..)| *known == name).ok_or_else(|| missing(name))?;
    Ok(Reply::json(endpoint_json(workspace, *endpoint)))
}

fn invoke(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    let (_, task, model) = ENDPOINTS.iter().find(|(known, ..)| *known == name).ok_or_else(|| missing(name))?;
    let fields = request.fields()?;
    let reply = match *task {
        "llm/v1/chat" => chat(workspace, &fields, model)?,
        "llm/v1/embeddings" => Reply::json(embeddings(&fields, model)?),
        _ => Reply::json(predictions(&fields)?),
    };
    Ok(reply.with_header("served-model-name", format!("{name}-1")))
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Says what the user said last.
fn chat(workspace: &Workspace, fields: &Fields, model: &str) -> Result<Reply, ApiError> {
    let messages = fields.array("messages")?;
    let said = messages.iter().rev().find(|message| message.at("role") == "user");
    let said = said.and_then(|message| message.at("content").as_str()).ok_or_else(|| {
        ApiError::new(400, "BAD_REQUEST", "messages must hold at least one message with the role `user`")
    })?;
    let limit = fields.integer("max_tokens")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let answer: Vec<_> = said.split_whitespace().take(limit).collect();
    let reason = if answer.len() < words(said) { "length" } else { "stop" };
    let answer = answer.join(" ");
    let prompt: usize = messages.iter().filter_map(|message| message.at("content").as_str()).map(words).sum();
    let usage =
        json!({"prompt_tokens": prompt, "completion_tokens": words(&answer), "total_tokens": prompt + words(&answer)});
    let (id, created) = (format!("chatcmpl_{}", workspace.ids.uuid()), workspace.clock.now() / 1000);
    if !fields.flag("stream")? {
        let message = json!({"role": "assistant", "content": answer});
        return Ok(Reply::json(json!({"id": id, "object": "chat.completion", "created": created, "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage})));
    }
    let mut stream = String::new();
    for word in answer.split_inclusive(' ') {
        let chunk = json!({"id": id, "object": "chat.completion.chunk", "created": created, "model": model,
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": null}]});
        stream.push_str(&format!("data: {chunk}\n\n"));
    }
    let last = json!({"id": id, "object": "chat.completion.chunk", "created": created, "model": model,
        "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage});
    stream.push_str(&format!("data: {last}\n\ndata: [DONE]\n\n"));
    Ok(Reply::bytes("text/event-stream", stream))
}

fn embeddings(fields: &Fields, model: &str) -> Result<Value, ApiError> {
    let inputs: Vec<&str> = match fields.get("input") {
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => return Err(ApiError::new(400, "BAD_REQUEST", "input must be a string or an array of strings")),
    };
    let tokens: usize = inputs.iter().map(|text| words(text)).sum();
    let data: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"index": index, "object": "embedding", "embedding": embedding(text)}))
        .collect();
    Ok(
        json!({"object": "list", "model": model, "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}),
    )
}

/// Eight numbers that texts with the same words share.
fn embedding(text: &str) -> [f64; 8] {
    let mut sums = [0.0_f64; 8];
    for word in text.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = word.bytes().fold(7, |hash, byte| mix(hash ^ u64::from(byte)));
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum += if hash >> index & 1 == 1 { 1.0 } else { -1.0 };
        }
    }
    let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt().max(1.0);
    sums.map(|sum| sum / length)
}

/// The rows as they came, one prediction each.
fn predictions(fields: &Fields) -> Result<Value, ApiError> {
    let rows = match ["dataframe_split", "dataframe_records", "inputs", "instances"]
        .iter()
        .find_map(|name| fields.get(name))
    {
        Some(Value::Object(split)) => match (split.get("columns"), split.get("data")) {
            (Some(Value::Array(columns)), Some(Value::Array(data))) => {
                let row = |cells: &Value| {
                    let cells = columns.iter().filter_map(Value::as_str).zip(cells.as_array().into_iter().flatten());
                    Value::Object(cells.map(|(name, cell)| (name.to_owned(), cell.clone())).collect())
                };
                data.iter().map(row).collect()
            }
            _ => vec![Value::Object(split.clone())],
        },
        Some(Value::Array(rows)) => rows.clone(),
        _ => {
            return Err(ApiError::new(
                400,
                "BAD_REQUEST",
                "Invalid input: expected one of dataframe_split, dataframe_records, instances, inputs",
            ));
        }
    };
    Ok(json!({"predictions": rows}))
}
