//! Whether a request keeps to its operation: names, places and types of what it carries.
//!
//! Derived: the texts, in the manner of the recorded ones; the real service overlooks some of this.

use jiff::Timestamp;
use serde_json::Value;

use super::find::Found;
use super::table::{Body, Location, Operation, Parameter, Property, Schema};
use super::{Contract, did_you_mean, exemptions};
use crate::error::ApiError;
use crate::request::Request;

/// So many values of an enum an error names.
const MOST_VALUES: usize = 12;

pub(crate) fn check(contract: &Contract, found: &Found, method: &str, request: &Request) -> Result<(), ApiError> {
    let operation = found.operation;
    for (name, value) in &found.path {
        if let Some(parameter) = parameter(operation, Location::Path, name) {
            text(contract, &parameter.schema, name, value)?;
        }
    }
    query(contract, operation, request)?;
    body(contract, operation, method, request)
}

fn parameter<'a>(operation: &'a Operation, location: Location, name: &str) -> Option<&'a Parameter> {
    operation.parameters.iter().find(|parameter| parameter.location == location && parameter.name == name)
}

fn query(contract: &Contract, operation: &Operation, request: &Request) -> Result<(), ApiError> {
    for (name, value) in request.queries() {
        match query_schema(contract, operation, name) {
            Some(schema) => {
                let schema = match contract.resolve(schema) {
                    Schema::Array(items) => items,
                    _ => schema,
                };
                text(contract, schema, name, value)?;
            }
            None if exemptions::is_exempt_query(&operation.id, name) => {}
            None => return Err(unknown_query(operation, name)),
        }
    }
    for parameter in &operation.parameters {
        let is_given = |name: &str| {
            name == parameter.name
                || parameter.flatten && name.strip_prefix(&parameter.name).is_some_and(|rest| rest.starts_with('.'))
        };
        if parameter.location == Location::Query
            && parameter.required
            && !request.queries().iter().any(|(name, _)| is_given(name))
        {
            return Err(ApiError::missing_field(&parameter.name));
        }
    }
    Ok(())
}

/// The type of a query parameter; of a field of a flattened one, its own.
fn query_schema<'a>(contract: &'a Contract, operation: &'a Operation, name: &str) -> Option<&'a Schema> {
    if let Some(parameter) = parameter(operation, Location::Query, name) {
        return Some(&parameter.schema);
    }
    let (first, rest) = name.split_once('.')?;
    let parameter = parameter(operation, Location::Query, first).filter(|parameter| parameter.flatten)?;
    rest.split('.').try_fold(&parameter.schema, |schema, name| {
        let schema = match contract.resolve(schema) {
            Schema::Array(items) => items,
            schema => schema,
        };
        contract.field(schema, name)
    })
}

fn unknown_query(operation: &Operation, name: &str) -> ApiError {
    if parameter(operation, Location::Body, name).is_some() {
        return ApiError::invalid_parameter(format!("Field '{name}' belongs in the request body, not in the query"));
    }
    let known = operation.parameters.iter().filter(|parameter| parameter.location == Location::Query);
    let hint = did_you_mean(name, known.map(|parameter| parameter.name.as_str()));
    ApiError::invalid_parameter(format!("Unknown query parameter: {name}{hint}"))
}

/// A value of the path or the query, which is text whatever its type.
fn text(contract: &Contract, schema: &Schema, name: &str, value: &str) -> Result<(), ApiError> {
    let expected = match contract.resolve(schema) {
        Schema::Boolean if !matches!(value, "true" | "false" | "True" | "False") => "a boolean",
        Schema::Integer if value.parse::<i32>().is_err() => "an integer",
        Schema::Wide if value.parse::<i64>().is_err() => "an integer",
        Schema::Number if value.parse::<f64>().is_err() => "a number",
        Schema::Enum(values) if !values.iter().any(|known| known == value) => {
            return Err(not_listed(name, value, values));
        }
        Schema::Formatted(format) if !is_of_format(format, value) => named(format),
        _ => return Ok(()),
    };
    Err(ApiError::invalid_parameter(format!("Could not parse '{value}' as {expected} for field {name}")))
}

fn body(contract: &Contract, operation: &Operation, method: &str, request: &Request) -> Result<(), ApiError> {
    match &operation.body {
        Body::Binary => Ok(()),
        Body::None => {
            let is_empty_object = !matches!(method, "GET" | "HEAD") && request.body.trim_ascii() == b"{}";
            let is_exempt = || {
                let exempt = |name: &String| exemptions::is_exempt_field(&operation.id, name);
                request.fields().is_ok_and(|fields| !fields.0.is_empty() && fields.0.keys().all(exempt))
            };
            if request.body.is_empty() || is_empty_object || is_exempt() {
                return Ok(());
            }
            let message =
                format!("{method} requests of this API take no body: send the fields in the query or the path");
            Err(ApiError::new(400, "BAD_REQUEST", message))
        }
        Body::Object | Body::Other(_) if exemptions::takes_form(&operation.id) && request.is_form() => Ok(()),
        Body::Object => {
            let fields = request.fields()?;
            for (name, value) in &fields.0 {
                let Some(parameter) = parameter(operation, Location::Body, name) else {
                    if exemptions::is_exempt_field(&operation.id, name) {
                        continue;
                    }
                    return Err(unknown_field(operation, name));
                };
                if let Some(misfit) = misfit(contract, &parameter.schema, value, name, parameter.required)
                    && !exemptions::is_exempt_value(&operation.id, name, value)
                {
                    return Err(misfit.into());
                }
            }
            let mut required = operation.parameters.iter().filter(|parameter| parameter.required);
            required
                .find(|parameter| parameter.location == Location::Body && fields.get(&parameter.name).is_none())
                .map_or(Ok(()), |missing| Err(ApiError::missing_field(&missing.name)))
        }
        Body::Other(schema) => {
            let value = serde_json::from_slice(&request.body).map_err(|_| {
                ApiError::malformed("Invalid JSON given in the body of the request - failed to parse given JSON")
            })?;
            misfit(contract, schema, &value, "", true).map_or(Ok(()), |misfit| Err(misfit.into()))
        }
    }
}

fn unknown_field(operation: &Operation, name: &str) -> ApiError {
    let elsewhere = operation.parameters.iter().find(|parameter| parameter.name == name);
    let place = match elsewhere.map(|parameter| parameter.location) {
        Some(Location::Path) => "path",
        Some(Location::Query) => "query",
        Some(Location::Body) | None => {
            let known = operation.parameters.iter().filter(|parameter| parameter.location == Location::Body);
            let hint = did_you_mean(name, known.map(|parameter| parameter.name.as_str()));
            return Misfit::Unknown { field: name.to_owned(), hint }.into();
        }
    };
    ApiError::invalid_parameter(format!("Field '{name}' belongs in the {place}, not in the request body"))
}

fn not_listed(name: &str, value: &str, values: &[String]) -> ApiError {
    let mut listed = values.iter().take(MOST_VALUES).map(String::as_str).collect::<Vec<_>>().join(", ");
    if values.len() > MOST_VALUES {
        listed.push_str(", …");
    }
    ApiError::invalid_parameter(format!("Invalid value '{value}' for field {name}: expected one of {listed}"))
}

/// Why a JSON value is not of a type.
#[derive(Debug)]
pub(crate) enum Misfit<'a> {
    Type { field: String, expected: &'static str },
    NotListed { field: String, value: String, values: &'a [String] },
    Unknown { field: String, hint: String },
    Missing { field: String },
}

impl From<Misfit<'_>> for ApiError {
    fn from(misfit: Misfit<'_>) -> Self {
        match misfit {
            Misfit::Type { field, expected } if field.is_empty() => {
                Self::malformed(format!("Could not parse request object: the body must be {expected}"))
            }
            Misfit::Type { field, expected } => {
                Self::malformed(format!("Could not parse request object: field '{field}' must be {expected}"))
            }
            Misfit::NotListed { field, value, values } => not_listed(&field, &value, values),
            Misfit::Unknown { field, hint } => {
                Self::malformed(format!("Could not parse request object: unknown field '{field}'{hint}"))
            }
            Misfit::Missing { field } => Self::missing_field(&field),
        }
    }
}

/// The first reason why `value` is not of the type. A null is as good as nothing; `required` is for those above
/// to complain about.
pub(crate) fn misfit<'a>(
    contract: &'a Contract,
    schema: &'a Schema,
    value: &Value,
    field: &str,
    required: bool,
) -> Option<Misfit<'a>> {
    let wrong = |expected| Some(Misfit::Type { field: field.to_owned(), expected });
    match (contract.resolve(schema), value) {
        (_, Value::Null) => required.then(|| Misfit::Missing { field: field.to_owned() }),
        (Schema::Any | Schema::Reference(_), _)
        | (Schema::Boolean, Value::Bool(_))
        | (Schema::Number, Value::Number(_))
        | (Schema::Text, Value::String(_)) => None,
        (Schema::Boolean, _) => wrong("a boolean"),
        (Schema::Integer, value) if integer(value).is_some_and(|value| i32::try_from(value).is_ok()) => None,
        (Schema::Wide, value) if integer(value).is_some() => None,
        (Schema::Integer | Schema::Wide, _) => wrong("an integer"),
        (Schema::Number, Value::String(text)) if text.parse::<f64>().is_ok() => None,
        (Schema::Number, _) => wrong("a number"),
        (Schema::Formatted(format), Value::String(text)) if is_of_format(format, text) => None,
        (Schema::Formatted(format), _) => wrong(named(format)),
        (Schema::Text, _) => wrong("a string"),
        (Schema::Enum(values), Value::String(text)) if values.contains(text) => None,
        (Schema::Enum(values), Value::String(text)) => {
            Some(Misfit::NotListed { field: field.to_owned(), value: text.clone(), values })
        }
        (Schema::Enum(_), _) => wrong("a string"),
        (Schema::Array(items), Value::Array(values)) => values
            .iter()
            .enumerate()
            .find_map(|(at, value)| misfit(contract, items, value, &format!("{field}[{at}]"), false)),
        (Schema::Array(_), _) => wrong("an array"),
        (Schema::Map(items), Value::Object(values)) => {
            values.iter().find_map(|(name, value)| misfit(contract, items, value, &within(field, name), false))
        }
        (Schema::Object(properties), Value::Object(values)) => {
            let unfit = values.iter().find_map(|(name, value)| {
                let Some(Property(_, _, schema)) = properties.iter().find(|Property(known, ..)| known == name) else {
                    let hint = did_you_mean(name, properties.iter().map(|Property(known, ..)| known.as_str()));
                    return Some(Misfit::Unknown { field: within(field, name), hint });
                };
                misfit(contract, schema, value, &within(field, name), false)
            });
            let is_missing = |name: &String| values.get(name).is_none_or(Value::is_null);
            unfit.or_else(|| {
                let missing = properties.iter().find(|Property(name, required, _)| *required != 0 && is_missing(name));
                missing.map(|Property(name, ..)| Misfit::Missing { field: within(field, name) })
            })
        }
        (Schema::Map(_) | Schema::Object(_), _) => wrong("an object"),
    }
}

fn within(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}

/// A whole number, which clients may also send as text.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn is_of_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<Timestamp>().is_ok(),
        "duration" => text.strip_suffix('s').is_some_and(|seconds| seconds.parse::<f64>().is_ok_and(f64::is_finite)),
        _ => true,
    }
}

fn named(format: &str) -> &'static str {
    match format {
        "date-time" => "a timestamp (RFC 3339)",
        "duration" => "a duration in seconds (such as 3600s)",
        _ => "a string",
    }
}
