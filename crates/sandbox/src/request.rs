//! A request as handlers see it: decoded path parameters, query and JSON body, each read with a check.

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::json;
use crate::text::{parse_query, percent_decode};

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    query: Vec<(String, String)>,
    parameters: Vec<(&'static str, String)>,
    /// How many empty pages, one after the other, led to this request.
    pub(crate) empty_pages: usize,
}

impl Request {
    pub(crate) fn new(query: &str, headers: HeaderMap, body: Bytes) -> Self {
        Self { headers, body, query: parse_query(query), parameters: Vec::new(), empty_pages: 0 }
    }

    /// Keeps what the router found in the path, decoded.
    pub(crate) fn bind(&mut self, raw: Vec<(&'static str, String)>) {
        self.parameters = raw.into_iter().map(|(name, value)| (name, percent_decode(&value))).collect();
    }

    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All query parameters, in order.
    pub(crate) fn queries(&self) -> &[(String, String)] {
        &self.query
    }

    /// Changes the values of query parameters, and keeps those for which `edit` says so.
    pub(crate) fn edit_queries(&mut self, mut edit: impl FnMut(&mut String) -> bool) {
        self.query.retain_mut(|(_, value)| edit(value));
    }

    /// Whether the body is a form rather than JSON.
    pub(crate) fn is_form(&self) -> bool {
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        content_type.is_some_and(|content_type| content_type.starts_with("multipart/form-data"))
    }

    /// All values of a repeated query parameter.
    pub(crate) fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn required_query(&self, name: &str) -> Result<&str, ApiError> {
        match self.query(name) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(ApiError::missing_field(name)),
        }
    }

    pub(crate) fn query_integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.query(name) {
            None | Some("") => Ok(None),
            Some(value) => value.parse().map(Some).map_err(|_| {
                ApiError::invalid_parameter(format!("Could not parse '{value}' as an integer for field {name}"))
            }),
        }
    }

    pub(crate) fn query_flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.query(name) {
            None | Some("" | "false" | "False") => Ok(false),
            Some("true" | "True") => Ok(true),
            Some(value) => {
                Err(ApiError::invalid_parameter(format!("Could not parse '{value}' as a boolean for field {name}")))
            }
        }
    }

    /// The JSON object of the body; an empty body is an empty object.
    pub(crate) fn fields(&self) -> Result<Fields, ApiError> {
        if self.body.is_empty() {
            return Ok(Fields::default());
        }
        match json::read(&self.body) {
            Ok(Value::Object(object)) => Ok(Fields(object)),
            Ok(_) => Err(ApiError::malformed("Invalid JSON given in the body of the request - expected a map")),
            Err(why) => Err(ApiError::malformed(format!("Invalid JSON given in the body of the request - {why}"))),
        }
    }
}

/// A JSON object whose members are read with their type checked.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(name, "a string")),
        }
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<&str, ApiError> {
        match self.text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(ApiError::missing_field(name)),
        }
    }

    /// An int64, which clients may send as a number or as a string.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(|| wrong_type(name, "an integer")),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| wrong_type(name, "an integer")),
            Some(_) => Err(wrong_type(name, "an integer")),
        }
    }

    pub(crate) fn required_integer(&self, name: &str) -> Result<i64, ApiError> {
        self.integer(name)?.ok_or_else(|| ApiError::missing_field(name))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(_) => Err(wrong_type(name, "a boolean")),
        }
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(wrong_type(name, "an object")),
        }
    }

    pub(crate) fn array(&self, name: &str) -> Result<&[Value], ApiError> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(array)) => Ok(array),
            Some(_) => Err(wrong_type(name, "an array")),
        }
    }
}

fn wrong_type(name: &str, expected: &str) -> ApiError {
    ApiError::malformed(format!("Could not parse request object: field '{name}' must be {expected}"))
}
