//! What an answer carries: read as far as somebody looks at it, in the form that its operation has.

use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::arguments::Payload;
use crate::client::Client;
use crate::error::Error;
use crate::operation::{Method, Operation, PageStyle, Pagination, Response};
use crate::projection::Projection;

impl Client {
    /// Whether the watch sees what an operation answers.
    pub(super) fn is_seen(&self, operation: &'static Operation) -> bool {
        self.transport.watch().is_some_and(|watch| watch.sees(operation))
    }

    /// What an answer carries, once the watch has seen it.
    pub(super) fn seen(
        &self,
        operation: &'static Operation,
        answer: Answer,
        projection: &Projection,
    ) -> Result<Payload, Error> {
        if operation.method == Method::Head {
            return Ok(Payload::Json(telling_headers(&answer).into()));
        }
        if !self.is_seen(operation) {
            return self.payload(operation, answer, projection);
        }
        let mut payload = self.payload(operation, answer, &Projection::whole())?;
        if let (Some(watch), Payload::Json(answer)) = (self.transport.watch(), &mut payload) {
            watch.answered(operation, answer);
        }
        Ok(payload)
    }

    /// What an answer carries, as far as it is read.
    pub(super) fn payload(
        &self,
        operation: &Operation,
        mut answer: Answer,
        projection: &Projection,
    ) -> Result<Payload, Error> {
        let media_type = answer.media_type();
        Ok(match operation.response {
            Response::Empty => Payload::Empty,
            Response::Json if answer.bytes.trim_ascii().is_empty() => Payload::Json(Map::new().into()),
            Response::Json => {
                let open = operation.method != Method::Get;
                let read = self.transport.read(operation.id, &mut answer, |text| projection.read(text));
                let value = read.map_err(|error| {
                    // The position only: the answer may hold anything.
                    Error::answer(format!("the answer is not JSON (line {}, column {})", error.line(), error.column()))
                        .with_outcome(open)
                })?;
                match misshapen(operation, &value) {
                    Some(why) => return Err(Error::answer(why).with_outcome(open)),
                    None => Payload::Json(value),
                }
            }
            Response::Text => Payload::Text { media_type, text: String::from_utf8_lossy(&answer.bytes).into_owned() },
            Response::Binary => Payload::Binary { media_type, bytes: answer.bytes },
        })
    }
}

/// What is wrong with the form of an answer: it is no object, or its list or its cursor is none. A success without what it
/// is asked for would be told as an empty list, or as done.
fn misshapen(operation: &Operation, answer: &Value) -> Option<String> {
    let is_of_model = operation.path.ends_with("/invocations");
    let pagination = operation.pagination.as_ref();
    let (expected, fits) = match pagination {
        Some(Pagination { items: None, .. }) => ("a list", answer.is_array()),
        // A few lists of accounts have no pages and answer with the list itself.
        None if operation.id.ends_with(".list") => ("a list", answer.is_array() || answer.is_object()),
        _ => ("an object", answer.is_object()),
    };
    if !fits && !is_of_model {
        return Some(format!("the answer is not {expected}"));
    }
    let Pagination { items, response, style, .. } = pagination?;
    let field = |name: &Option<&'static str>| {
        Some((*name.as_ref()?, answer.get((*name)?)?)).filter(|(_, value)| !value.is_null())
    };
    if let Some((name, _)) = field(items).filter(|(_, value)| !value.is_array()) {
        return Some(format!("`{name}` of the answer is not a list"));
    }
    let (name, _) = field(response).filter(|(_, value)| *style == PageStyle::Token && !value.is_string())?;
    Some(format!("`{name}` of the answer is not text, so the rest of the list cannot be read"))
}

fn telling_headers(answer: &Answer) -> Map<String, Value> {
    ["content-length", "content-type", "last-modified"]
        .into_iter()
        .filter_map(|name| {
            let text = answer.headers.get(name)?.to_str().ok()?;
            let value = if name == "content-length" { text.parse::<u64>().ok()?.into() } else { text.into() };
            Some((name.to_owned(), value))
        })
        .collect()
}
