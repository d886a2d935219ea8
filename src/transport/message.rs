//! One JSON-RPC message, or what is wrong with it.

use rmcp::model::{
    CancelledNotification, ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorCode, ErrorData, RequestId,
};
use serde_json::{Map, Value, json};

use crate::transport::envelope::Envelope;

/// More messages than this are no batch: its answers are held until the last one is there.
const MOST_IN_BATCH: usize = 100;

/// What a message may take in bytes of memory once it is read: some copies are made of it on its way.
pub(crate) const MOST_WEIGHT: usize = 128 << 20;

/// The first whole number that an `id` of 64 bits with a sign cannot be.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// What came from a client.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message of the protocol.
    Message(Box<ClientJsonRpcMessage>),
    /// Several of them in a list.
    Batch(Vec<Received>),
    /// A request that is answered with an error.
    Refused(Refusal),
    /// Nothing that anybody waits for.
    Nothing,
}

/// An error as the answer to a request.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The `id` of the request as it was sent, where it can be read. It may be a number that rmcp cannot hold.
    pub(crate) id: Option<Value>,
    /// Why.
    pub(crate) error: ErrorData,
}

impl Refusal {
    /// The request is no request of JSON-RPC.
    pub(crate) fn invalid_request(id: Option<Value>, message: impl Into<String>) -> Self {
        Self { id, error: ErrorData::invalid_request(message.into(), None) }
    }

    /// Another request with its id is under way.
    pub(crate) fn duplicate(id: &RequestId) -> Self {
        let message = format!("a request with the id `{id}` is under way; give each request its own id");
        Self::invalid_request(Some(json!(id)), message)
    }

    /// The answer as JSON. Without a readable `id` it has none.
    pub(crate) fn to_json(&self) -> Value {
        match &self.id {
            Some(id) => json!({ "jsonrpc": "2.0", "id": id, "error": self.error }),
            None => json!({ "jsonrpc": "2.0", "error": self.error }),
        }
    }
}

/// Reads the text of a message or batch of this weight. Its depth is bounded by the parser, its length by the caller, its
/// values here.
pub(crate) fn read(text: &[u8], weight: usize) -> Received {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).trim_ascii();
    if text.is_empty() {
        return Received::Nothing;
    }
    if weight > MOST_WEIGHT {
        let (weight, most) = (weight >> 20, MOST_WEIGHT >> 20);
        let reason =
            format!("the message has too many values: it would take {weight} MiB of memory, at most {most} are taken");
        return unreadable(&Envelope::of(text), &reason);
    }
    // rmcp's own reader gives no answer to what is not JSON, and one without an id to what is no message:
    // https://github.com/modelcontextprotocol/rust-sdk/issues/938 decided that. This one goes when rmcp names the id.
    match serde_json::from_slice(text) {
        Ok(Value::Array(messages)) => batch(messages),
        Ok(message) => single(message),
        Err(error) => unreadable(&Envelope::of(text), &format!("the message cannot be read as JSON: {error}")),
    }
}

/// The answer to a message that cannot be parsed.
pub(crate) fn unreadable(envelope: &Envelope, reason: &str) -> Received {
    if envelope.is_answer || envelope.is_notification() {
        tracing::debug!(reason, "a message is ignored");
        return Received::Nothing;
    }
    let error = ErrorData::new(ErrorCode::PARSE_ERROR, reason.to_owned(), None);
    Received::Refused(Refusal { id: envelope.id.clone(), error })
}

fn batch(messages: Vec<Value>) -> Received {
    match messages.len() {
        0 => Received::Refused(Refusal::invalid_request(None, "the batch is empty")),
        1..=MOST_IN_BATCH => Received::Batch(messages.into_iter().map(single).collect()),
        length => {
            let message = format!("the batch has {length} messages; at most {MOST_IN_BATCH} are taken at once");
            Received::Refused(Refusal::invalid_request(None, message))
        }
    }
}

fn single(message: Value) -> Received {
    let is_answer = message.get("result").is_some() || message.get("error").is_some();
    let id = message.get("id").cloned();
    match message.get("method") {
        Some(_) if id.is_some() => {}
        Some(_) => return without_answer(message),
        None if is_answer => return without_answer(message),
        None => {
            let reason = match &message {
                Value::Object(_) => "the message has no `method`".to_owned(),
                other => format!("a message is a JSON object, and this is {}", kind(other)),
            };
            return Received::Refused(Refusal::invalid_request(id.filter(is_id), reason));
        }
    }
    match fault(&message) {
        Some(error) => Received::Refused(Refusal { id: id.filter(is_id), error }),
        None => match request(message) {
            Ok(message) => Received::Message(Box::new(message)),
            Err(error) => Received::Refused(Refusal::invalid_request(id.filter(is_id), error.to_string())),
        },
    }
}

/// Reads a request. The arguments of a call, which may be many megabytes, are handed over as they are: rmcp's reader
/// would copy them for each kind of message that it tries.
fn request(mut message: Value) -> serde_json::Result<ClientJsonRpcMessage> {
    let is_call = message.get("method").is_some_and(|method| method == "tools/call");
    let arguments = message.pointer_mut("/params/arguments").filter(|arguments| is_call && arguments.is_object());
    let arguments = arguments.map(|arguments| std::mem::replace(arguments, Value::Object(Map::new())));
    let mut message = serde_json::from_value(message)?;
    if let (ClientJsonRpcMessage::Request(request), Some(Value::Object(arguments))) = (&mut message, arguments)
        && let ClientRequest::CallToolRequest(call) = &mut request.request
    {
        call.params.arguments = Some(arguments);
    }
    Ok(message)
}

/// A notification, or an answer to a request of the server: nobody waits for an error.
fn without_answer(message: Value) -> Received {
    match serde_json::from_value(message) {
        Ok(message) => Received::Message(Box::new(message)),
        Err(error) => {
            tracing::debug!(%error, "a message is ignored");
            Received::Nothing
        }
    }
}

/// What is wrong with a request, whatever its method is.
fn fault(message: &Value) -> Option<ErrorData> {
    let invalid = |message: String| Some(ErrorData::invalid_request(message, None));
    let not = |name: &str, value: &Value, expected: &str| format!("`{name}` is {}; expected {expected}", kind(value));
    let field = |name: &str| message.get(name).unwrap_or(&Value::Null);
    let (id, method, params) = (field("id"), field("method"), field("params"));
    if field("jsonrpc") != "2.0" {
        return invalid("`jsonrpc` is not \"2.0\"".to_owned());
    }
    if !method.is_string() {
        return invalid(not("method", method, "text"));
    }
    if !is_id(id) {
        return invalid(not("id", id, "text or a whole number"));
    }
    // `-0` and `1e2` are whole numbers, and are read as floats.
    let is_whole = |number: f64| number.fract() == 0.0 && number.abs() < TWO_TO_63;
    if id.as_i64().is_none() && id.as_f64().is_some_and(|number| !is_whole(number)) {
        return invalid(format!("`id` is {id}; expected text or a whole number of 64 bits"));
    }
    if !(params.is_object() || params.is_null()) {
        return Some(ErrorData::invalid_params(not("params", params, "an object"), None));
    }
    let meta = params.get("_meta").unwrap_or(&Value::Null);
    if !(meta.is_object() || meta.is_null()) {
        return Some(ErrorData::invalid_params(not("params._meta", meta, "an object"), None));
    }
    None
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_number()
}

/// The request that a notification says nobody wants an answer to any more.
pub(crate) fn cancelled(message: &ClientJsonRpcMessage) -> Option<&RequestId> {
    let ClientJsonRpcMessage::Notification(notification) = message else { return None };
    let ClientNotification::CancelledNotification(CancelledNotification { params, .. }) = &notification.notification
    else {
        return None;
    };
    params.request_id.as_ref()
}

/// A value's type as a message names it.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use databricks::weight;
    use serde_json::json;

    use super::Received;

    fn read(text: &[u8]) -> Received {
        super::read(text, weight(text))
    }

    fn call(arguments: &str) -> String {
        let params = format!(r#"{{"name": "list_jobs", "arguments": {{"a": {arguments}}}}}"#);
        format!(r#"{{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {params}}}"#)
    }

    #[test]
    fn an_id_that_is_no_whole_number_of_64_bits_is_said_to_be_that() {
        for id in ["1e23", "-1e23", "99999999999999999999", "9223372036854775808", "1.5"] {
            let read = read(format!(r#"{{"jsonrpc": "2.0", "id": {id}, "method": "ping"}}"#).as_bytes());
            let Received::Refused(refusal) = read else { panic!("{id} was taken") };
            assert_eq!(refusal.id, serde_json::from_str(id).ok());
            assert!(refusal.error.message.contains("a whole number of 64 bits"), "{}", refusal.error.message);
        }
        for id in ["-0", "1e2", "9223372036854775807", "-9223372036854775808"] {
            let read = read(format!(r#"{{"jsonrpc": "2.0", "id": {id}, "method": "ping"}}"#).as_bytes());
            assert!(matches!(read, Received::Message(_)), "{id}");
        }
    }

    #[test]
    fn a_message_of_too_many_values_is_refused_by_its_id() {
        for tiny in ["[],", "0,", "{},", "\"\",", "{\"\":0},"] {
            let read = read(call(&format!("[{}0]", tiny.repeat(5_000_000))).as_bytes());
            let Received::Refused(refusal) = read else { panic!("{tiny} was taken") };
            assert_eq!(refusal.id, Some(json!(7)), "{tiny}");
            assert!(refusal.error.message.contains("too many values"), "{}", refusal.error.message);
        }
        let long = format!("\"{}\"", "[],0,".repeat(4_000_000));
        assert!(matches!(read(call(&long).as_bytes()), Received::Message(_)), "a long text is one value");
    }
}
