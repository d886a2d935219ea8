//! The one error of the API: a status and Databricks' error body.

use serde_json::{Value, json};

use crate::json::Members;
use crate::reply::Reply;

/// An error as Databricks words it. `error_code` is a string, but a number for failed authentication.
#[derive(Debug, Clone)]
pub(crate) struct ApiError(Box<Body>);

#[derive(Debug, Clone)]
struct Body {
    status: u16,
    code: Value,
    message: String,
    details: Option<Value>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Body { status, code: code.into(), message: message.into(), details: None }))
    }

    /// Failed authentication, as recorded: the code is the status.
    pub(crate) fn authentication(status: u16, message: &str) -> Self {
        Self(Box::new(Body { status, code: status.into(), message: message.to_owned(), details: None }))
    }

    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_PARAMETER_VALUE", message)
    }

    pub(crate) fn missing_field(name: &str) -> Self {
        Self::invalid_parameter(format!("Missing required field: {name}"))
    }

    pub(crate) fn invalid_state(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_STATE", message)
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "MALFORMED_REQUEST", message)
    }

    pub(crate) fn does_not_exist(message: impl Into<String>) -> Self {
        Self::new(404, "RESOURCE_DOES_NOT_EXIST", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "NOT_FOUND", message)
    }

    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    pub(crate) fn no_endpoint(method: &str, path: &str) -> Self {
        Self::new(404, "ENDPOINT_NOT_FOUND", format!("No API found for '{method} {path}'"))
    }

    /// A path that exists, but not with this method. Derived: the code and the text; of some paths the real service
    /// knows nothing at all then.
    pub(crate) fn wrong_method(method: &str, path: &str, known: &[&str]) -> Self {
        Self::new(
            400,
            "BAD_REQUEST",
            format!("Method {method} is not supported by '{path}': use {}", known.join(" or ")),
        )
    }

    /// No secret can be made.
    pub(crate) fn no_secret(error: getrandom::Error) -> Self {
        Self::new(500, "INTERNAL_ERROR", format!("The sandbox cannot make a secret: {error}"))
    }

    pub(crate) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// In the form of SCIM, which its routes answer with. A gateway that knows no token or no such route speaks
    /// before SCIM does.
    pub(crate) fn into_scim_reply(self) -> Reply {
        if self.0.code.is_number() || self.0.code == "ENDPOINT_NOT_FOUND" {
            return self.into_reply();
        }
        let Body { status, message, .. } = *self.0;
        let mut body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": message, "status": status.to_string()});
        match status {
            400 => body.set("scimType", "invalidValue"),
            409 => body.set("scimType", "uniqueness"),
            _ => {}
        }
        Reply::json(body).with_status(status)
    }

    pub(crate) fn into_reply(self) -> Reply {
        let Body { status, code, message, details } = *self.0;
        let mut body = json!({"error_code": code, "message": message});
        if let (Some(details), Some(object)) = (details, body.as_object_mut()) {
            object.insert("details".to_owned(), details);
        }
        let reply = Reply::json(body).with_status(status);
        match status {
            401 => reply.with_header("www-authenticate", "Bearer realm=\"DatabricksRealm\""),
            _ => reply,
        }
    }
}
