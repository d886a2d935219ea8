//! Permissions on jobs, clusters, warehouses and other objects of the workspace.
//!
//! Derived: the descriptions of levels, the texts of refusals, and which of them an object has at first.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{alerts, apps, dashboards, genie, mlflow, objects, queries, repos, scim, serving, vectorsearch};
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::Kind as Kept;
use crate::workspace::{USER, Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/permissions/{request_object_type}/{request_object_id}", get),
    route("PUT", "/api/2.0/permissions/{request_object_type}/{request_object_id}", set),
    route("PATCH", "/api/2.0/permissions/{request_object_type}/{request_object_id}", update),
    route("GET", "/api/2.0/permissions/{request_object_type}/{request_object_id}/permissionLevels", levels),
];

/// A kind of object: its type in the path, the type it is told as, and its levels, weakest first.
type Kind = (&'static str, &'static str, &'static [&'static str]);

const KINDS: &[Kind] = &[
    ("clusters", "cluster", &["CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"]),
    ("cluster-policies", "cluster-policy", &["CAN_USE"]),
    ("instance-pools", "instance-pool", &["CAN_ATTACH_TO", "CAN_MANAGE"]),
    ("jobs", "job", &["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"]),
    ("pipelines", "pipelines", &["CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER"]),
    ("warehouses", "warehouses", &["CAN_VIEW", "CAN_MONITOR", "CAN_USE", "CAN_MANAGE", "IS_OWNER"]),
    ("notebooks", "notebook", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("directories", "directory", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("repos", "repo", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("experiments", "mlflowExperiment", &["CAN_READ", "CAN_EDIT", "CAN_MANAGE"]),
    ("registered-models", "registered-model", &["CAN_READ", "CAN_EDIT", "CAN_MANAGE"]),
    ("serving-endpoints", "serving-endpoint", &["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]),
    ("vector-search-endpoints", "vector-search-endpoints", &["CAN_USE", "CAN_MANAGE"]),
    ("files", "file", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("alerts", "alert", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("alertsv2", "alertv2", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("queries", "query", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("dbsql-dashboards", "dashboard", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("apps", "apps", &["CAN_USE", "CAN_MANAGE"]),
    ("authorization", "authorization", &["CAN_USE"]),
    ("dashboards", "dashboard", &["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
    ("genie", "genie", &["CAN_VIEW", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]),
];

/// Who holds what: the kind of principal, its name, the level.
type Entry = (String, String, String);

const OWNER: &str = "IS_OWNER";

/// What was set, by type and id of the object.
#[derive(Debug, Default)]
pub(crate) struct Permissions(BTreeMap<(String, String), Vec<Entry>>);

fn kind(request: &Request) -> Result<Kind, ApiError> {
    let asked = request.parameter("request_object_type");
    let kind = KINDS.iter().find(|(name, ..)| *name == asked);
    kind.copied().ok_or_else(|| ApiError::invalid_parameter(format!("Unknown object type: {asked}")))
}

/// The type and id of an object, which has to exist where the sandbox can tell.
fn key(workspace: &Workspace, request: &Request) -> Result<(Kind, (String, String)), ApiError> {
    let kind = kind(request)?;
    let id = request.parameter("request_object_id");
    let has_id = |kind: Kept, field: &str| kind.all(workspace).iter().any(|object| object.text_at(field) == id);
    let exists = match kind.0 {
        "clusters" => lock(&workspace.clusters).0.contains_key(id),
        "jobs" => id.parse().is_ok_and(|id: i64| lock(&workspace.jobs).jobs.contains_key(&id)),
        "warehouses" => lock(&workspace.warehouses).by_id.contains_key(id),
        "pipelines" => lock(&workspace.pipelines).has(id),
        "notebooks" => matches!(objects::kind_of(workspace, id), Some(objects::Kind::Notebook(_))),
        "directories" => matches!(objects::kind_of(workspace, id), Some(objects::Kind::Directory)) || id == "0",
        "files" => matches!(objects::kind_of(workspace, id), Some(objects::Kind::File)),
        "repos" => repos::REPOS.has(workspace, id),
        "experiments" => mlflow::experiments::EXPERIMENTS.has(workspace, id),
        "registered-models" => has_id(mlflow::registry::MODELS, "id"),
        "serving-endpoints" => has_id(serving::ENDPOINTS, "id"),
        "vector-search-endpoints" => has_id(vectorsearch::ENDPOINTS, "id"),
        "alerts" => alerts::QUERY_ALERTS.has(workspace, id),
        "alertsv2" => alerts::ALERTS.has(workspace, id),
        "queries" => queries::QUERIES.has(workspace, id),
        "dashboards" => dashboards::DASHBOARDS.has(workspace, id),
        "genie" => genie::SPACES.has(workspace, id),
        "apps" => apps::APPS.has(workspace, id),
        "authorization" => matches!(id, "tokens" | "passwords"),
        _ => true,
    };
    if !exists {
        return Err(ApiError::does_not_exist(format!("{} with id {id} does not exist.", kind.1)));
    }
    Ok((kind, (kind.0.to_owned(), id.to_owned())))
}

fn first(kind: Kind) -> Vec<Entry> {
    let level = kind.2.last().copied().unwrap_or("CAN_MANAGE");
    vec![("user_name".to_owned(), USER.to_owned(), level.to_owned())]
}

fn told(kind: Kind, id: &str, entries: &[Entry]) -> Value {
    let mut list: Vec<_> = entries
        .iter()
        .map(|(principal, name, level)| {
            let mut json = json!({"all_permissions": [{"permission_level": level, "inherited": false}]});
            json.set(principal, json!(name));
            json.set("display_name", json!(name));
            json
        })
        .collect();
    list.push(json!({"group_name": "admins", "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": true, "inherited_from_object": [format!("/{}/", kind.0)]}]}));
    json!({"object_id": format!("/{}/{id}", kind.0), "object_type": kind.1, "access_control_list": list})
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let (kind, key) = key(workspace, request)?;
    let permissions = lock(&workspace.permissions);
    let entries = permissions.0.get(&key).cloned().unwrap_or_else(|| first(kind));
    Ok(Reply::json(told(kind, &key.1, &entries)))
}

/// Refuses whom the workspace does not know.
fn check_principal(workspace: &Workspace, principal: &str, name: &str) -> Result<(), ApiError> {
    let (exists, told) = match principal {
        "user_name" => (scim::is_user(workspace, name), "UserName"),
        "group_name" => (scim::is_group(workspace, name), "GroupName"),
        _ => (scim::is_service_principal(workspace, name), "ServicePrincipalName"),
    };
    let message = || format!("Principal: {told}({name}) does not exist");
    exists.then_some(()).ok_or_else(|| ApiError::does_not_exist(message()))
}

/// An object has one owner, who is no group.
fn check_owner(kind: Kind, entries: &[Entry]) -> Result<(), ApiError> {
    let mut owners = entries.iter().filter(|(.., level)| level == OWNER);
    match (owners.next(), owners.next()) {
        (Some((principal, name, _)), None) if principal == "group_name" => {
            Err(ApiError::invalid_parameter(format!("Group {name} cannot be the owner of a {}", kind.1)))
        }
        (Some(_), Some(_)) => Err(ApiError::invalid_parameter(format!("A {} must have exactly one owner", kind.1))),
        _ => Ok(()),
    }
}

fn read(workspace: &Workspace, kind: Kind, request: &Request) -> Result<Vec<Entry>, ApiError> {
    let fields = request.fields()?;
    let mut entries = Vec::new();
    for item in fields.array("access_control_list")? {
        let item = Fields(item.as_object().cloned().unwrap_or_default());
        let level = item.required_text("permission_level")?;
        if !kind.2.contains(&level) {
            return Err(ApiError::invalid_parameter(format!(
                "Permission level {level} is not supported for {}. Allowed: {}",
                kind.1,
                kind.2.join(", ")
            )));
        }
        let names = ["user_name", "group_name", "service_principal_name"];
        let principal = names.into_iter().find(|name| item.get(name).is_some());
        let principal = principal.ok_or_else(|| ApiError::missing_field("user_name"))?;
        let name = item.required_text(principal)?;
        check_principal(workspace, principal, name)?;
        entries.push((principal.to_owned(), name.to_owned(), level.to_owned()));
    }
    check_owner(kind, &entries)?;
    Ok(entries)
}

fn set(workspace: &Workspace, request: &Request) -> Outcome {
    let (kind, key) = key(workspace, request)?;
    let mut entries = read(workspace, kind, request)?;
    // Whoever sets permissions cannot lock themselves out: who hands over what is theirs still manages it.
    if !entries.iter().any(|(_, name, _)| name == USER) {
        let is_handed_over = entries.iter().any(|(.., level)| level == OWNER);
        entries.extend(first(kind).into_iter().map(|(principal, name, level)| match is_handed_over {
            true => (principal, name, "CAN_MANAGE".to_owned()),
            false => (principal, name, level),
        }));
    }
    let reply = told(kind, &key.1, &entries);
    lock(&workspace.permissions).0.insert(key, entries);
    Ok(Reply::json(reply))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let (kind, key) = key(workspace, request)?;
    let changes = read(workspace, kind, request)?;
    let id = key.1.clone();
    let mut permissions = lock(&workspace.permissions);
    let entries = permissions.0.entry(key).or_insert_with(|| first(kind));
    for change in changes {
        entries.retain(|(principal, name, _)| (principal, name) != (&change.0, &change.1));
        if change.2 == OWNER {
            // Whose it was manages it from then on.
            for (.., level) in entries.iter_mut().filter(|(.., level)| level == OWNER) {
                "CAN_MANAGE".clone_into(level);
            }
        }
        entries.push(change);
    }
    Ok(Reply::json(told(kind, &id, entries)))
}

fn levels(workspace: &Workspace, request: &Request) -> Outcome {
    let (kind, _) = key(workspace, request)?;
    let levels: Vec<_> = kind
        .2
        .iter()
        .map(|level| json!({"permission_level": level, "description": format!("{} on this {}", level.replace('_', " ").to_lowercase(), kind.1)}))
        .collect();
    Ok(Reply::json(json!({"permission_levels": levels})))
}
