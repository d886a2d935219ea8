//! The route by which a test says what shall go wrong.

use super::{Active, Faults};
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;

/// `GET` shows the rules with their counts, `POST` adds some, `DELETE` clears them all.
pub(crate) fn control(active: &Active, method: &str, request: &Request) -> Result<Reply, ApiError> {
    match method {
        "GET" => {}
        "DELETE" => active.clear(),
        "POST" => {
            let value = serde_json::from_slice(&request.body)
                .map_err(|error| ApiError::malformed(format!("faults are not JSON: {error}")))?;
            active.add(Faults::read(&value).map_err(ApiError::invalid_parameter)?);
        }
        _ => return Err(ApiError::no_endpoint(method, crate::control::FAULTS)),
    }
    Ok(Reply::json(active.json()))
}
