//! What a request asks to run: the statement, where and how, and how its result is to come.

use std::time::Duration;

use serde_json::Value;

use super::results::Delivery;
use super::sessions;
use crate::areas::scim;
use crate::error::ApiError;
use crate::request::Fields;
use crate::sql::{Limits, Type};
use crate::workspace::{Workspace, lock};

/// Bytes of a result that may leave by links; the sandbox keeps them in memory.
const LINKED_BYTES: usize = 100 * 1024 * 1024;

pub(super) struct Order {
    pub(super) sql: String,
    pub(super) warehouse: String,
    pub(super) wait: Duration,
    pub(super) cancel_on_timeout: bool,
    pub(super) delivery: Delivery,
    pub(super) row_limit: Option<usize>,
    pub(super) byte_limit: Option<usize>,
    pub(super) session: crate::sql::Session,
    /// The SQL session to which a USE belongs.
    pub(super) session_id: Option<String>,
    pub(super) tags: Vec<Value>,
}

impl Order {
    pub(super) fn limits(&self) -> Limits {
        let bytes = if self.delivery == Delivery::Inline { Limits::default().bytes } else { LINKED_BYTES };
        // Rows beyond an asked limit are cut off, so they need not be refused.
        Limits { rows: self.row_limit, bytes, cut: self.byte_limit.is_some(), exact: self.delivery.is_arrow() }
    }
}

pub(super) fn read(workspace: &Workspace, fields: &Fields) -> Result<Order, ApiError> {
    let sql = fields.required_text("statement")?.to_owned();
    let warehouse = fields.required_text("warehouse_id")?.to_owned();
    let delivery = Delivery::read(
        fields.text("disposition")?.unwrap_or("INLINE"),
        fields.text("format")?.unwrap_or("JSON_ARRAY"),
    )?;
    let cancel_on_timeout = match fields.text("on_wait_timeout")?.unwrap_or("CONTINUE") {
        "CONTINUE" => false,
        "CANCEL" => true,
        other => return Err(ApiError::invalid_parameter(format!("Invalid on_wait_timeout: {other}"))),
    };
    let row_limit = limit(fields, "row_limit")?;
    let byte_limit = limit(fields, "byte_limit")?;
    let mut session = workspace.session();
    session.grantees = Some(scim::grantees(workspace));
    let session_id = fields.text("session_id")?.map(str::to_owned);
    if let Some(id) = &session_id {
        let place = lock(&workspace.statements).sessions.get(id).cloned().ok_or_else(|| sessions::missing(id))?;
        session.catalog = place.catalog;
        session.schema = place.schema;
        session.temporary = place.temporary;
    }
    if let Some(catalog) = fields.text("catalog")? {
        session.catalog = catalog.to_lowercase();
    }
    if let Some(schema) = fields.text("schema")? {
        session.schema = schema.to_lowercase();
    }
    for parameter in fields.array("parameters")? {
        let (name, value) = read_parameter(parameter)?;
        session.parameters.insert(name, value);
    }
    let wait = wait(fields.text("wait_timeout")?.unwrap_or("10s"))?;
    let tags = fields.array("query_tags")?.to_vec();
    Ok(Order { sql, warehouse, wait, cancel_on_timeout, delivery, row_limit, byte_limit, session, session_id, tags })
}

fn limit(fields: &Fields, name: &str) -> Result<Option<usize>, ApiError> {
    let Some(limit) = fields.integer(name)? else { return Ok(None) };
    match usize::try_from(limit) {
        Ok(limit) if limit > 0 => Ok(Some(limit)),
        _ => Err(ApiError::invalid_parameter(format!("{name} must be positive, not {limit}"))),
    }
}

fn wait(text: &str) -> Result<Duration, ApiError> {
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse::<u64>().ok());
    match seconds {
        Some(seconds) if seconds == 0 || (5..=50).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::invalid_parameter(format!("wait_timeout must be 0s or between 5s and 50s, not {text}"))),
    }
}

fn read_parameter(parameter: &Value) -> Result<(String, (Type, Option<String>)), ApiError> {
    let Value::Object(object) = parameter else {
        return Err(ApiError::malformed("Could not parse request object: a parameter must be an object"));
    };
    let fields = Fields(object.clone());
    let name = fields.required_text("name")?.to_owned();
    let kind = match fields.text("type")? {
        None => Type::String,
        Some(text) if text.len() > 100 => {
            return Err(ApiError::invalid_parameter("The parameter type is not supported"));
        }
        Some(text) => Type::parse(text)
            .filter(|kind| !kind.is_nested())
            .ok_or_else(|| ApiError::invalid_parameter(format!("The parameter type {text} is not supported")))?,
    };
    let value = match fields.get("value") {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Bool(flag)) => Some(flag.to_string()),
        Some(_) => {
            return Err(ApiError::malformed("Could not parse request object: a parameter's value must be a string"));
        }
    };
    Ok((name, (kind, value)))
}
