//! From the values of a call to the parts of its HTTP request, as the operation table says.

mod path;
mod query;

use bytes::Bytes;
use reqwest::Url;
use serde_json::{Map, Value};

use crate::arguments::Arguments;
use crate::error::Error;
use crate::operation::{Body, Location, Method, Operation, Parameter};

use query::pairs as query_pairs;

/// The longest URL that the HTTP client can send.
const LONGEST_URL: usize = 65_534;

/// A request without host and credentials.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The path, percent-encoded.
    pub(crate) path: String,
    /// The query, not yet encoded.
    pub(crate) query: Vec<(String, String)>,
    /// The body and its media type.
    pub(crate) body: Option<(Bytes, &'static str)>,
    /// Whether sending it twice does no more than sending it once.
    pub(crate) repeatable: bool,
    /// The longest value in the path or the query.
    longest: Option<(String, Location, usize)>,
    /// The values of all this.
    pub(crate) arguments: Arguments,
}

impl Encoded {
    /// Refuses a URL that the HTTP client cannot send, and names the value that makes it so long.
    pub(crate) fn check_length(&self, url: &Url) -> Result<(), Error> {
        match &self.longest {
            Some((name, location, bytes)) if url.as_str().len() > LONGEST_URL => {
                let message = format!("the {} parameter `{name}` is too long: {bytes} bytes", location.word());
                Err(Error::parameter(name, message).with_hint("give a shorter value: a URL takes 65,534 bytes in all"))
            }
            _ => Ok(()),
        }
    }
}

fn longest(arguments: &Arguments) -> Option<(String, Location, usize)> {
    let length = |value: &Value| value.as_str().map_or_else(|| value.to_string().len(), str::len);
    let values = [Location::Path, Location::Query].into_iter().flat_map(|location| {
        arguments.values(location).iter().map(move |(name, value)| (name.clone(), location, length(value)))
    });
    values.max_by_key(|(_, _, bytes)| *bytes)
}

/// Lays out one call. What the caller did not give and the table supplies (presets, UUIDs, the account) is filled in
/// here, once, so that every attempt sends the same.
pub(crate) fn encode(operation: &Operation, mut arguments: Arguments, account: Option<&str>) -> Result<Encoded, Error> {
    check_names(operation, &arguments)?;
    for parameter in operation.parameters {
        supply(parameter, &mut arguments, account)?;
    }
    Ok(Encoded {
        longest: longest(&arguments),
        path: path::fill(operation, arguments.values(Location::Path))?,
        query: query_pairs(operation, arguments.values(Location::Query))?,
        body: body(operation, &arguments)?,
        repeatable: arguments.is_idempotent()
            || matches!(operation.method, Method::Get | Method::Head)
            || has_key(operation, arguments.values(Location::Body))
            || has_key(operation, arguments.values(Location::Query)),
        arguments,
    })
}

/// A name that the operation does not have would be dropped in silence. The body may carry more than the table knows.
fn check_names(operation: &Operation, arguments: &Arguments) -> Result<(), Error> {
    for location in [Location::Path, Location::Query] {
        if let Some(name) = arguments.values(location).keys().find(|name| operation.parameter(location, name).is_none())
        {
            return Err(Error::argument(format!("there is no {} parameter `{name}`", location.word())));
        }
    }
    Ok(())
}

fn supply(parameter: &Parameter, arguments: &mut Arguments, account: Option<&str>) -> Result<(), Error> {
    let Parameter { name, location, .. } = *parameter;
    if arguments.get(location, name).is_some_and(|value| !is_no_key(parameter, value)) {
        return Ok(());
    }
    if parameter.from_config {
        let account = account.ok_or_else(|| {
            Error::configuration(format!("`{name}` is not set")).with_hint("set DATABRICKS_ACCOUNT_ID")
        })?;
        arguments.insert(location, name, account);
    } else if let Some(value) = supplied(parameter)? {
        arguments.insert(location, name, value);
    } else if parameter.required {
        return Err(Error::argument(format!("the {} parameter `{name}` is missing", location.word())));
    }
    Ok(())
}

/// The value that a parameter gets when the caller gives none: its preset, or a key made for this call.
fn supplied(parameter: &Parameter) -> Result<Option<Value>, Error> {
    if let Some(preset) = parameter.preset {
        let value = serde_json::from_str(preset).map_err(|error| {
            Error::configuration(format!("the preset of `{}` is not JSON: {error}", parameter.name))
        })?;
        return Ok(Some(value));
    }
    Ok(is_key(parameter).then(|| uuid::Uuid::new_v4().to_string().into()))
}

/// Whether the service recognises a repetition by this parameter. Jobs' `idempotency_token` is one that the official
/// SDKs leave to the caller, who then has two runs where one was asked for.
fn is_key(parameter: &Parameter) -> bool {
    parameter.auto_uuid || parameter.name == "idempotency_token"
}

/// Whether a key is given that is none. The official SDKs make one then, too.
fn is_no_key(parameter: &Parameter, value: &Value) -> bool {
    is_key(parameter) && (value.is_null() || value == "")
}

/// Whether the values hold a key by which the service recognises a repetition.
fn has_key(operation: &Operation, values: &Map<String, Value>) -> bool {
    operation
        .parameters
        .iter()
        .filter(|parameter| is_key(parameter))
        .any(|parameter| values.get(parameter.name).and_then(Value::as_str).is_some_and(|key| !key.is_empty()))
}

fn body(operation: &Operation, arguments: &Arguments) -> Result<Option<(Bytes, &'static str)>, Error> {
    let values = arguments.values(Location::Body);
    match (operation.body, arguments.bytes()) {
        (Body::Binary, Some(bytes)) => return Ok(Some((bytes.clone(), "application/octet-stream"))),
        (Body::Binary, None) => return Err(Error::argument("the content is missing")),
        (Body::None | Body::Json, Some(_)) => return Err(Error::argument("the operation accepts no raw content")),
        (Body::Json, None) => {}
        (Body::None, None) => {
            return match values.keys().next() {
                Some(name) => Err(Error::argument(format!("there is no body parameter `{name}`"))),
                None => Ok(None),
            };
        }
    }
    let json = serde_json::to_vec(values)
        .map_err(|error| Error::argument(format!("the body cannot be written as JSON: {error}")))?;
    Ok(Some((json.into(), "application/json")))
}

#[cfg(test)]
mod tests;
