//! What the areas of Unity Catalog share: names, common fields, pages.

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::workspace::catalog::{Name, Node};

pub(crate) const METASTORE: &str = "5f1c0a9e-2b7d-4e61-8a34-6d90c1b2e3f4";

/// What a page of the catalog holds at most.
const PAGE: usize = 100;

/// `catalog.schema.name`, in lower case.
pub(crate) fn name(full_name: &str) -> Result<Name, ApiError> {
    let parts: Vec<_> = full_name.split('.').map(str::to_lowercase).collect();
    <Name>::try_from(parts)
        .map_err(|_| ApiError::invalid_parameter(format!("'{full_name}' is not a name of three parts")))
}

/// A name given as parts of a body, checked to be usable.
pub(crate) fn plain(name: &str) -> Result<String, ApiError> {
    let bad = name.is_empty()
        || name.len() > 255
        || name.chars().any(|letter| matches!(letter, '.' | '/' | ' ') || letter.is_control());
    if bad {
        Err(ApiError::invalid_parameter(format!("Invalid input: '{name}' is not a valid name")))
    } else {
        Ok(name.to_lowercase())
    }
}

/// The fields that every securable shows.
pub(crate) fn common(node: &Node) -> Map<String, Value> {
    let mut fields = node.extra.clone();
    fields.insert("metastore_id".to_owned(), json!(METASTORE));
    fields.insert("owner".to_owned(), json!(node.owner));
    if let Some(comment) = &node.comment {
        fields.insert("comment".to_owned(), json!(comment));
    }
    if !node.properties.is_empty() {
        fields.insert("properties".to_owned(), json!(node.properties));
    }
    fields.insert("created_at".to_owned(), json!(node.created_at));
    fields.insert("created_by".to_owned(), json!(node.owner));
    fields.insert("updated_at".to_owned(), json!(node.updated_at));
    fields.insert("updated_by".to_owned(), json!(node.owner));
    fields
}

/// The fields of something in a schema.
pub(crate) fn in_schema([catalog, schema, name]: &Name, node: &Node) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(name));
    fields.insert("catalog_name".to_owned(), json!(catalog));
    fields.insert("schema_name".to_owned(), json!(schema));
    fields.insert("full_name".to_owned(), json!(format!("{catalog}.{schema}.{name}")));
    fields.extend(common(node));
    fields
}

/// Answers a page of a list. Without `max_results` there is one page of everything, as in the API.
pub(crate) fn answer(field: &str, items: Vec<Value>, request: &Request) -> Outcome {
    let size = match request.query_integer("max_results")? {
        None if request.query("page_token").is_none() => usize::MAX / 2,
        asked => page::size(asked, PAGE, PAGE)?,
    };
    let page = page::page(items, size, request.query("page_token"))?;
    let mut reply = json!({field: page.items});
    if let Some(next) = page.next {
        reply.set("next_page_token", json!(next));
    }
    Ok(Reply::json(reply))
}

pub(crate) fn missing(what: &str, name: &str) -> ApiError {
    let reason = format!("{}_DOES_NOT_EXIST", what.to_uppercase());
    ApiError::new(404, &reason, format!("{what} '{name}' does not exist."))
}

pub(crate) fn exists(what: &str, name: &str) -> ApiError {
    let reason = format!("{}_ALREADY_EXISTS", what.to_uppercase());
    ApiError::new(409, &reason, format!("{what} '{name}' already exists"))
}

pub(crate) fn not_empty(what: &str, name: &str) -> ApiError {
    ApiError::invalid_state(format!(
        "{what} '{name}' is not empty. The {} has objects in it; use force to delete them all",
        what.to_lowercase()
    ))
}
