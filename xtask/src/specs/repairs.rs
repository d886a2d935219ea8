//! Where the SDK is wrong or behind: each repair has its reason.

use super::import::Release;
use super::link::object;
use super::model::{Body, Location, Operation, Response, Style, Type};

/// Applies all repairs.
pub(crate) fn apply(release: &Release, operation: &mut Operation) {
    plain_object_id(operation);
    token_of_cluster_events(release, operation);
}

/// The SDK annotates this path parameter with a class that holds the body's fields, so that the class's `repr` would
/// become part of the URL. It is an id, as in the other operations on `{object_type}/{object_id}`.
fn plain_object_id(operation: &mut Operation) {
    if operation.id == "sql.dbsql_permissions.transfer_ownership" {
        let is_id = |name: &str, location| name == "object_id" && location == Location::Path;
        for parameter in &mut operation.parameters {
            if is_id(&parameter.field.wire, parameter.location) {
                parameter.field.kind = Type::String;
            }
        }
    }
}

/// The SDK's loop still sends the whole `next_page` object as the next body; the same operation takes `page_token` and
/// returns `next_page_token`, which is the only form that a cursor can carry. Undone by itself when either disappears.
fn token_of_cluster_events(release: &Release, operation: &mut Operation) {
    let (Some(pagination), Body::Fields(fields), Response::Json(Type::Object(page))) =
        (&mut operation.pagination, &operation.body, &operation.response)
    else {
        return;
    };
    let sends = fields.iter().any(|field| field.wire == "page_token");
    let returns = object(release, page).iter().any(|field| field.wire == "next_page_token");
    if pagination.style == Style::Token && pagination.request.is_none() && sends && returns {
        pagination.request = Some("page_token".to_owned());
        pagination.response = Some("next_page_token".to_owned());
    }
}
