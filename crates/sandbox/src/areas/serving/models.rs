//! What served models answer: chat and completions echo, embeddings are told by the words, others give back what came.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::ids::mix;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Fields;
use crate::workspace::Workspace;

/// The answer of a model to a task.
pub(super) fn answer(workspace: &Workspace, task: &str, model: &str, fields: &Fields) -> Result<Reply, ApiError> {
    match task {
        "llm/v1/chat" => chat(workspace, fields, model),
        "llm/v1/completions" => completions(workspace, fields, model),
        "llm/v1/embeddings" => embeddings(fields, model).map(Reply::json),
        _ => predictions(fields).map(Reply::json),
    }
}

fn bad(message: &str) -> ApiError {
    ApiError::new(400, "BAD_REQUEST", message)
}

/// As much of a text as `max_tokens` lets through, why it ends, and what it costs after such a prompt.
fn echo(fields: &Fields, text: &str, prompt: usize) -> Result<(String, &'static str, Value), ApiError> {
    let limit = fields.integer("max_tokens")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let told: Vec<_> = text.split_whitespace().take(limit).collect();
    let reason = if told.len() < words(text) { "length" } else { "stop" };
    let usage = json!({"prompt_tokens": prompt, "completion_tokens": told.len(), "total_tokens": prompt + told.len()});
    Ok((told.join(" "), reason, usage))
}

/// Gives the prompt back.
fn completions(workspace: &Workspace, fields: &Fields, model: &str) -> Result<Reply, ApiError> {
    let prompts: Vec<&str> = match fields.get("prompt") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => return Err(bad("prompt must be a string or an array of strings")),
    };
    let mut choices = Vec::new();
    let mut usage = json!({});
    for (index, prompt) in prompts.into_iter().enumerate() {
        let (text, reason, cost) = echo(fields, prompt, words(prompt))?;
        choices.push(json!({"index": index, "text": text, "finish_reason": reason}));
        usage = cost;
    }
    Ok(Reply::json(json!({"id": format!("cmpl_{}", workspace.ids.uuid()), "object": "text_completion",
        "created": workspace.clock.now() / 1000, "model": model, "choices": choices, "usage": usage})))
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Says what the user said last.
fn chat(workspace: &Workspace, fields: &Fields, model: &str) -> Result<Reply, ApiError> {
    let messages = fields.array("messages")?;
    let said = messages.iter().rev().find(|message| message.at("role") == "user");
    let said = said
        .and_then(|message| message.at("content").as_str())
        .ok_or_else(|| bad("messages must hold at least one message with the role `user`"))?;
    let prompt: usize = messages.iter().filter_map(|message| message.at("content").as_str()).map(words).sum();
    let (answer, reason, usage) = echo(fields, said, prompt)?;
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
        _ => return Err(bad("input must be a string or an array of strings")),
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
pub(crate) fn embedding(text: &str) -> [f64; 8] {
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
            return Err(bad("Invalid input: expected one of dataframe_split, dataframe_records, instances, inputs"));
        }
    };
    Ok(json!({"predictions": rows}))
}
