//! What is wrong with the parameters of a request. rmcp hands over a known method with parameters that do not parse as
//! an unknown method, without a reason.

use rmcp::model::{
    CompleteRequestParams, GetPromptRequestParams, GetTaskParams, InitializeRequestParams, PaginatedRequestParams,
    ReadResourceRequestParams, SubscribeRequestParams, SubscriptionsListenRequestParams, UpdateTaskParams,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Says what is wrong with the parameters of a method that this server has; `None` for another method.
pub(crate) fn fault(method: &str, params: Option<&Value>) -> Option<String> {
    let params = params.cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let reason = match method {
        "initialize" => reason::<InitializeRequestParams>(params),
        "tools/call" => match params.get("arguments") {
            Some(arguments) if !(arguments.is_object() || arguments.is_null()) => arguments_fault(arguments),
            _ => reason::<Call>(params),
        },
        "tools/list" | "resources/list" | "resources/templates/list" | "prompts/list" => {
            reason::<PaginatedRequestParams>(params)
        }
        "prompts/get" => reason::<GetPromptRequestParams>(params),
        "resources/read" => reason::<ReadResourceRequestParams>(params),
        "resources/subscribe" | "resources/unsubscribe" => reason::<SubscribeRequestParams>(params),
        "subscriptions/listen" => reason::<SubscriptionsListenRequestParams>(params),
        "tasks/get" | "tasks/cancel" => reason::<GetTaskParams>(params),
        "tasks/update" => reason::<UpdateTaskParams>(params),
        "completion/complete" => reason::<CompleteRequestParams>(params),
        _ => return None,
    };
    Some(format!("cannot take the parameters of `{method}`: {reason}"))
}

/// The parameters of `tools/call` that every revision has.
#[derive(Deserialize)]
struct Call {
    #[expect(dead_code, reason = "it is only checked")]
    name: String,
}

fn reason<T: DeserializeOwned>(params: Value) -> String {
    match serde_json::from_value::<T>(params) {
        Ok(_) => "they are not as the protocol defines them".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn arguments_fault(arguments: &Value) -> String {
    let kind = match arguments {
        Value::Array(_) => "a list".to_owned(),
        // Not what it says: arguments that were written as text may hold a secret.
        Value::String(text) if text == "null" => "the text `null`".to_owned(),
        Value::String(_) => "a text".to_owned(),
        other => other.to_string(),
    };
    format!(
        "`arguments` is {kind}; expected an object, such as {{\"name\": \"list_jobs\", \"arguments\": {{\"limit\": 5}}}}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::fault;

    #[test]
    fn the_reason_names_what_is_wrong() {
        for (method, params, words) in [
            ("initialize", json!({ "capabilities": {} }), "missing field `protocolVersion`"),
            ("initialize", json!({ "protocolVersion": 1 }), "invalid type: integer `1`, expected a string"),
            ("tools/call", json!({ "arguments": {} }), "missing field `name`"),
            (
                "tools/call",
                json!({ "name": "list_jobs", "arguments": [1] }),
                "`arguments` is a list; expected an object",
            ),
            ("tools/call", json!({ "name": "list_jobs", "arguments": "null" }), "`arguments` is the text `null`"),
            ("tools/call", json!({ "name": "list_jobs", "arguments": 5 }), "`arguments` is 5"),
            (
                "tools/call",
                json!({ "name": "list_jobs", "arguments": "{\"a\": 1}" }),
                "`arguments` is a text; expected an object",
            ),
            ("tools/list", json!({ "cursor": 5 }), "invalid type: integer `5`, expected a string"),
            ("resources/read", Value::Null, "invalid type: null"),
            ("resources/subscribe", json!({}), "missing field `uri`"),
            ("tasks/get", json!({ "taskId": 7 }), "invalid type: integer `7`, expected a string"),
            ("completion/complete", json!({}), "missing field `ref`"),
        ] {
            let fault = fault(method, Some(&params)).unwrap_or_default();
            assert!(fault.starts_with(&format!("cannot take the parameters of `{method}`: ")), "{fault}");
            assert!(fault.contains(words), "{fault}");
        }
        assert_eq!(fault("logging/setLevel", None), None);
    }
}
