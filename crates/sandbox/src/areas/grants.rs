//! Grants, and what follows from those above.
//!
//! Derived: the texts of refusals; effective privileges come from the catalog, the schema and the securable itself.

mod privileges;

use serde_json::{Value, json};

use super::securable::missing;
use super::{external, scim};
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::Catalog;
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/permissions/{securable_type}/{full_name}", get),
    route("PATCH", "/api/2.1/unity-catalog/permissions/{securable_type}/{full_name}", update),
    route("GET", "/api/2.1/unity-catalog/effective-permissions/{securable_type}/{full_name}", effective),
];

/// The kinds of securable that take privileges here.
const KINDS: [&str; 9] = [
    "catalog",
    "schema",
    "table",
    "volume",
    "function",
    "metastore",
    "storage_credential",
    "external_location",
    "connection",
];

type Securable = (String, String);

fn securable(workspace: &Workspace, catalog: &Catalog, request: &Request) -> Result<Securable, ApiError> {
    let kind = request.parameter("securable_type").to_lowercase();
    let name = request.parameter("full_name").to_lowercase();
    if !KINDS.contains(&kind.as_str()) {
        return Err(ApiError::invalid_parameter(format!("Securable type '{kind}' is not supported")));
    }
    let parts: Vec<String> = name.split('.').map(str::to_owned).collect();
    let exists = match (kind.as_str(), parts.as_slice()) {
        ("metastore", _) => true,
        ("storage_credential", _) => external::CREDENTIALS.has(workspace, &name),
        ("external_location", _) => external::LOCATIONS.has(workspace, &name),
        ("connection", _) => external::CONNECTIONS.has(workspace, &name),
        ("catalog", [name]) => catalog.catalogs.contains_key(name),
        ("schema", [c, s]) => catalog.has_schema(c, s),
        (kind, [c, s, n]) => {
            let name = [c.clone(), s.clone(), n.clone()];
            match kind {
                "table" => catalog.tables.contains_key(&name),
                "volume" => catalog.volumes.contains_key(&name),
                "function" => catalog.functions.contains_key(&name) || catalog.models.contains_key(&name),
                _ => false,
            }
        }
        _ => false,
    };
    let title: String = kind.chars().take(1).flat_map(char::to_uppercase).chain(kind.chars().skip(1)).collect();
    if exists { Ok((kind, name)) } else { Err(missing(&title, &name)) }
}

/// Refuses whom the workspace does not know.
fn check_principal(workspace: &Workspace, name: &str) -> Result<(), ApiError> {
    let exists = scim::is_user(workspace, name)
        || scim::is_account_group(workspace, name)
        || scim::is_service_principal(workspace, name);
    let message = || format!("Could not find principal with name {name}.");
    exists.then_some(()).ok_or_else(|| ApiError::new(404, "PRINCIPAL_DOES_NOT_EXIST", message()))
}

fn check_page(request: &Request) -> Result<(), ApiError> {
    match request.query_integer("max_results")? {
        Some(size @ 1..=149) => {
            Err(ApiError::invalid_parameter(format!("max_results must be 0 or at least 150, not {size}")))
        }
        _ => Ok(()),
    }
}

fn assignments(catalog: &Catalog, securable: &Securable, principal: Option<&str>) -> Value {
    let grants = catalog.grants.get(securable).into_iter().flatten();
    let items: Vec<_> = grants
        .filter(|(name, privileges)| {
            principal.is_none_or(|principal| principal == name.as_str()) && !privileges.is_empty()
        })
        .map(|(name, privileges)| json!({"principal": name, "privileges": privileges}))
        .collect();
    if items.is_empty() { json!({}) } else { json!({"privilege_assignments": items}) }
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    check_page(request)?;
    let catalog = lock(&workspace.catalog);
    let securable = securable(workspace, &catalog, request)?;
    Ok(Reply::json(assignments(&catalog, &securable, request.query("principal"))))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let mut catalog = lock(&workspace.catalog);
    let securable = securable(workspace, &catalog, request)?;
    let mut grants = catalog.grants.get(&securable).cloned().unwrap_or_default();
    for change in fields.array("changes")? {
        let Value::Object(change) = change else {
            return Err(ApiError::malformed("Could not parse request object: a change must be an object"));
        };
        let change = Fields(change.clone());
        let principal = change.required_text("principal")?;
        let added = change.array("add")?;
        if !added.is_empty() {
            check_principal(workspace, principal)?;
        }
        let privileges = grants.entry(principal.to_owned()).or_default();
        for privilege in added {
            let name = privilege.as_str().ok_or_else(|| ApiError::malformed("A privilege must be a string"))?;
            privileges::check(&securable.0, name)?;
            privileges.insert(name.to_owned());
        }
        for privilege in change.array("remove")? {
            privileges.remove(privilege.as_str().unwrap_or_default());
        }
    }
    catalog.grants.insert(securable.clone(), grants);
    Ok(Reply::json(assignments(&catalog, &securable, None)))
}

fn effective(workspace: &Workspace, request: &Request) -> Outcome {
    check_page(request)?;
    let catalog = lock(&workspace.catalog);
    let (kind, name) = securable(workspace, &catalog, request)?;
    let principal = request.query("principal");
    let parts: Vec<&str> = name.split('.').collect();
    let mut sources = vec![(kind.clone(), name.clone())];
    if let [c, _, _] | [c, _] = parts.as_slice() {
        sources.push(("catalog".to_owned(), (*c).to_owned()));
    }
    if let [c, s, _] = parts.as_slice() {
        sources.push(("schema".to_owned(), format!("{c}.{s}")));
    }
    let mut found: std::collections::BTreeMap<String, Vec<Value>> = std::collections::BTreeMap::new();
    for source in sources {
        for (grantee, privileges) in catalog.grants.get(&source).into_iter().flatten() {
            if principal.is_some_and(|principal| principal != grantee) {
                continue;
            }
            for privilege in privileges {
                let mut json = json!({"privilege": privilege});
                if source.1 != name {
                    json.set("inherited_from_type", json!(source.0.to_uppercase()));
                    json.set("inherited_from_name", json!(source.1));
                }
                found.entry(grantee.clone()).or_default().push(json);
            }
        }
    }
    let items: Vec<_> = found
        .into_iter()
        .map(|(principal, privileges)| json!({"principal": principal, "privileges": privileges}))
        .collect();
    Ok(Reply::json(if items.is_empty() { json!({}) } else { json!({"privilege_assignments": items}) }))
}
