//! Secret scopes, their access control lists, and the names of secrets: values are taken and forgotten.
//!
//! Derived: texts of refusals.

use std::collections::BTreeMap;

use serde_json::json;

use super::scim;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace, lock};

/// The service takes no longer values.
const LARGEST: usize = 128 * 1024;
/// Secrets in a scope, at most.
const MOST: usize = 1000;

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/secrets/scopes/list", scopes),
    route("POST", "/api/2.0/secrets/scopes/create", create_scope),
    route("POST", "/api/2.0/secrets/scopes/delete", delete_scope),
    route("GET", "/api/2.0/secrets/list", list),
    route("GET", "/api/2.0/secrets/get", get),
    route("POST", "/api/2.0/secrets/put", put),
    route("POST", "/api/2.0/secrets/delete", delete),
    route("GET", "/api/2.0/secrets/acls/list", acls),
    route("GET", "/api/2.0/secrets/acls/get", acl),
    route("POST", "/api/2.0/secrets/acls/put", put_acl),
    route("POST", "/api/2.0/secrets/acls/delete", delete_acl),
];

/// The keys of a scope with when each was written, and who may do what.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) keys: BTreeMap<String, i64>,
    pub(crate) acls: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
pub(crate) struct Secrets(pub(crate) BTreeMap<String, Scope>);

impl Scope {
    /// A scope that its maker manages.
    pub(crate) fn new(keys: impl IntoIterator<Item = (String, i64)>) -> Self {
        Self { keys: keys.into_iter().collect(), acls: [(USER.to_owned(), "MANAGE".to_owned())].into() }
    }
}

fn missing(scope: &str) -> ApiError {
    ApiError::does_not_exist(format!("Scope {scope} does not exist!"))
}

/// Whether there is a secret.
pub(crate) fn has(workspace: &Workspace, scope: &str, key: &str) -> bool {
    lock(&workspace.secrets).0.get(scope).is_some_and(|scope| scope.keys.contains_key(key))
}

fn no_secret(scope: &str, key: &str) -> ApiError {
    ApiError::does_not_exist(format!("No secret named {key} exists in scope {scope}"))
}

fn check_name(what: &str, name: &str) -> Result<(), ApiError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_@./ ".contains(letter);
    if name.len() <= 128 && name.chars().all(plain) {
        return Ok(());
    }
    Err(ApiError::invalid_parameter(format!(
        "{what} '{name}' must consist of alphanumeric characters, dashes, underscores, periods and @, and have at most 128 of them."
    )))
}

fn with<T>(
    workspace: &Workspace,
    scope: &str,
    body: impl FnOnce(&mut Scope) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    body(lock(&workspace.secrets).0.get_mut(scope).ok_or_else(|| missing(scope))?)
}

/// Values are not kept, so there are none to tell: to make one up would be worse than to refuse.
fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let (name, key) = (request.required_query("scope")?, request.required_query("key")?);
    with(workspace, name, |scope| match scope.keys.contains_key(key) {
        true => Err(ApiError::new(403, "PERMISSION_DENIED", "The sandbox does not tell the values of secrets")),
        false => Err(no_secret(name, key)),
    })
}

fn scopes(workspace: &Workspace, _: &Request) -> Outcome {
    let secrets = lock(&workspace.secrets);
    let scopes: Vec<_> = secrets.0.keys().map(|name| json!({"name": name, "backend_type": "DATABRICKS"})).collect();
    Ok(Reply::json(json!({"scopes": scopes})))
}

fn create_scope(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = fields.required_text("scope")?;
    check_name("Scope name", name)?;
    if fields.text("scope_backend_type")?.is_some_and(|backend| backend != "DATABRICKS") {
        return Err(ApiError::invalid_parameter("The sandbox has secret scopes with the backend DATABRICKS only"));
    }
    let mut secrets = lock(&workspace.secrets);
    if secrets.0.contains_key(name) {
        return Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("Scope {name} already exists!")));
    }
    let mut scope = Scope::new([]);
    if let Some(principal) = fields.text("initial_manage_principal")? {
        scope.acls.insert(principal.to_owned(), "MANAGE".to_owned());
    }
    secrets.0.insert(name.to_owned(), scope);
    Ok(Reply::nothing())
}

fn delete_scope(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = fields.required_text("scope")?;
    lock(&workspace.secrets).0.remove(name).map(|_| Reply::nothing()).ok_or_else(|| missing(name))
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    with(workspace, request.required_query("scope")?, |scope| {
        let keys: Vec<_> =
            scope.keys.iter().map(|(key, at)| json!({"key": key, "last_updated_timestamp": at})).collect();
        Ok(Reply::json(json!({"secrets": keys})))
    })
}

fn put(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let key = fields.required_text("key")?;
    check_name("Secret key", key)?;
    let value = match (fields.text("string_value")?, fields.text("bytes_value")?) {
        (Some(value), None) | (None, Some(value)) => value,
        _ => return Err(ApiError::invalid_parameter("Exactly one of string_value and bytes_value is required")),
    };
    if value.len() > LARGEST {
        return Err(ApiError::new(400, "MAX_SECRET_SIZE_EXCEEDED", "The secret is larger than 128 KB"));
    }
    let now = workspace.clock.now();
    with(workspace, fields.required_text("scope")?, |scope| {
        if scope.keys.len() >= MOST && !scope.keys.contains_key(key) {
            return Err(ApiError::new(
                400,
                "RESOURCE_LIMIT_EXCEEDED",
                "The scope holds 1000 secrets, the most there can be",
            ));
        }
        scope.keys.insert(key.to_owned(), now);
        Ok(Reply::nothing())
    })
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (name, key) = (fields.required_text("scope")?, fields.required_text("key")?);
    with(workspace, name, |scope| {
        let gone = scope.keys.remove(key).map(|_| Reply::nothing());
        gone.ok_or_else(|| no_secret(name, key))
    })
}

fn acls(workspace: &Workspace, request: &Request) -> Outcome {
    with(workspace, request.required_query("scope")?, |scope| {
        let items: Vec<_> =
            scope.acls.iter().map(|(who, level)| json!({"principal": who, "permission": level})).collect();
        Ok(Reply::json(json!({"items": items})))
    })
}

fn no_acl(principal: &str) -> ApiError {
    ApiError::does_not_exist(format!("Failed to get secret acl for principal {principal}"))
}

fn acl(workspace: &Workspace, request: &Request) -> Outcome {
    let principal = request.required_query("principal")?;
    with(workspace, request.required_query("scope")?, |scope| {
        let level = scope.acls.get(principal).ok_or_else(|| no_acl(principal))?;
        Ok(Reply::json(json!({"principal": principal, "permission": level})))
    })
}

fn put_acl(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (principal, level) = (fields.required_text("principal")?, fields.required_text("permission")?);
    let scope = fields.required_text("scope")?;
    with(workspace, scope, |_| Ok(()))?;
    let is_known = scim::is_user(workspace, principal)
        || scim::is_group(workspace, principal)
        || scim::is_service_principal(workspace, principal);
    if !is_known {
        return Err(ApiError::does_not_exist(format!("User or Group {principal} does not exist.")));
    }
    with(workspace, scope, |scope| {
        scope.acls.insert(principal.to_owned(), level.to_owned());
        Ok(Reply::nothing())
    })
}

fn delete_acl(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let principal = fields.required_text("principal")?;
    with(workspace, fields.required_text("scope")?, |scope| {
        scope.acls.remove(principal).map(|_| Reply::nothing()).ok_or_else(|| no_acl(principal))
    })
}
