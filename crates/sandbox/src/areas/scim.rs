//! Users, groups and service principals by SCIM. Their errors have SCIM's form, which the server gives them.
//!
//! A group knows its members, and who is in which group follows from that. Derived: the texts of refusals.

mod filter;
mod patch;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::{USER, USER_ID, Workspace};

pub(crate) const USERS: Kind =
    Kind { name: "users", missing: |id| ApiError::not_found(format!("User with id {id} not found.")) };
pub(crate) const GROUPS: Kind =
    Kind { name: "groups", missing: |id| ApiError::not_found(format!("Group with id {id} not found.")) };
pub(crate) const SERVICE_PRINCIPALS: Kind = Kind {
    name: "service-principals",
    missing: |id| ApiError::not_found(format!("Service principal with id {id} not found.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/preview/scim/v2/Me", me),
    route("GET", "/api/2.0/preview/scim/v2/Users", |w, r| list(USERS, w, r)),
    route("POST", "/api/2.0/preview/scim/v2/Users", |w, r| create(USERS, w, r)),
    route("GET", "/api/2.0/preview/scim/v2/Users/{id}", |w, r| get(USERS, w, r)),
    route("PUT", "/api/2.0/preview/scim/v2/Users/{id}", |w, r| replace(USERS, w, r)),
    route("PATCH", "/api/2.0/preview/scim/v2/Users/{id}", |w, r| patch(USERS, w, r)),
    route("DELETE", "/api/2.0/preview/scim/v2/Users/{id}", |w, r| delete(USERS, w, r)),
    route("GET", "/api/2.0/preview/scim/v2/Groups", |w, r| list(GROUPS, w, r)),
    route("POST", "/api/2.0/preview/scim/v2/Groups", |w, r| create(GROUPS, w, r)),
    route("GET", "/api/2.0/preview/scim/v2/Groups/{id}", |w, r| get(GROUPS, w, r)),
    route("PUT", "/api/2.0/preview/scim/v2/Groups/{id}", |w, r| replace(GROUPS, w, r)),
    route("PATCH", "/api/2.0/preview/scim/v2/Groups/{id}", |w, r| patch(GROUPS, w, r)),
    route("DELETE", "/api/2.0/preview/scim/v2/Groups/{id}", |w, r| delete(GROUPS, w, r)),
    route("GET", "/api/2.0/preview/scim/v2/ServicePrincipals", |w, r| list(SERVICE_PRINCIPALS, w, r)),
    route("POST", "/api/2.0/preview/scim/v2/ServicePrincipals", |w, r| create(SERVICE_PRINCIPALS, w, r)),
    route("GET", "/api/2.0/preview/scim/v2/ServicePrincipals/{id}", |w, r| get(SERVICE_PRINCIPALS, w, r)),
    route("PUT", "/api/2.0/preview/scim/v2/ServicePrincipals/{id}", |w, r| replace(SERVICE_PRINCIPALS, w, r)),
    route("PATCH", "/api/2.0/preview/scim/v2/ServicePrincipals/{id}", |w, r| patch(SERVICE_PRINCIPALS, w, r)),
    route("DELETE", "/api/2.0/preview/scim/v2/ServicePrincipals/{id}", |w, r| delete(SERVICE_PRINCIPALS, w, r)),
];

/// The most that a page holds, and what it holds unless asked.
const MOST: usize = 10_000;

/// Adds somebody under an id.
pub(crate) fn seed(workspace: &Workspace, kind: Kind, id: &str, mut resource: Value) {
    resource.set("id", id);
    resource.set("schemas", schemas(kind));
    kind.put(workspace, id, resource);
}

fn schemas(kind: Kind) -> Value {
    let name = match kind.name {
        "users" => "User",
        "groups" => "Group",
        _ => "ServicePrincipal",
    };
    let mut schemas = vec![format!("urn:ietf:params:scim:schemas:core:2.0:{name}")];
    if name == "User" {
        schemas.push("urn:ietf:params:scim:schemas:extension:workspace:2.0:User".to_owned());
    }
    json!(schemas)
}

/// What a group is that belongs to the workspace alone.
const WORKSPACE_GROUP: &str = "WorkspaceGroup";

/// Whether there is a user of this name.
pub(crate) fn is_user(workspace: &Workspace, name: &str) -> bool {
    name == USER || is_named(workspace, USERS, name)
}

/// Whether there is a group of this name. `account users` are all there are.
pub(crate) fn is_group(workspace: &Workspace, name: &str) -> bool {
    name == "account users" || is_named(workspace, GROUPS, name)
}

/// Whether there is a group of this name in the account. Those that are made in the workspace are not.
pub(crate) fn is_account_group(workspace: &Workspace, name: &str) -> bool {
    let is_it = |group: &Value| {
        group.text_at("displayName").eq_ignore_ascii_case(name)
            && group.at("meta").at("resourceType").as_str() != Some(WORKSPACE_GROUP)
    };
    name == "account users" || GROUPS.any(workspace, is_it)
}

/// Whether there is a service principal of this application id.
pub(crate) fn is_service_principal(workspace: &Workspace, application: &str) -> bool {
    is_named(workspace, SERVICE_PRINCIPALS, application)
}

/// Everybody who can be granted something of Unity Catalog, in lower case: no groups of the workspace alone.
pub(crate) fn grantees(workspace: &Workspace) -> BTreeSet<String> {
    let is_of_account = |resource: &Value| resource.at("meta").at("resourceType").as_str() != Some(WORKSPACE_GROUP);
    let names = [USERS, GROUPS, SERVICE_PRINCIPALS].into_iter().flat_map(|kind| {
        let resources = kind.all(workspace).into_iter().filter(is_of_account);
        resources.map(move |resource| resource.text_at(naming(kind)).to_lowercase())
    });
    names.chain([USER.to_lowercase(), "account users".to_owned()]).collect()
}

fn is_named(workspace: &Workspace, kind: Kind, name: &str) -> bool {
    kind.any(workspace, |resource| resource.text_at(naming(kind)).eq_ignore_ascii_case(name))
}

/// The attribute that nobody else of the kind may have.
fn naming(kind: Kind) -> &'static str {
    match kind.name {
        "users" => "userName",
        "groups" => "displayName",
        _ => "applicationId",
    }
}

/// Somebody with the groups that they are in.
fn told(kind: Kind, workspace: &Workspace, mut resource: Value) -> Value {
    let id = resource.text_at("id").to_owned();
    let is_in = |group: &Value| {
        group.at("members").as_array().into_iter().flatten().any(|member| member.text_at("value") == id)
    };
    let groups: Vec<_> = GROUPS
        .all(workspace)
        .iter()
        .filter(|group| is_in(group))
        .map(|group| {
            let reference = format!("Groups/{}", group.text_at("id"));
            json!({"display": group.at("displayName"), "type": "direct", "value": group.at("id"), "$ref": reference})
        })
        .collect();
    if !groups.is_empty() {
        resource.set("groups", groups);
    }
    if kind.name == "groups" && resource.at("meta").is_null() {
        resource.set("meta", json!({"resourceType": "Group"}));
    }
    resource
}

/// The resource with the attributes that the query asks for.
fn projected(resource: Value, request: &Request) -> Value {
    let names = |name| -> Option<Vec<String>> {
        let text = request.query(name).filter(|text| !text.is_empty())?;
        Some(text.split(',').filter_map(|part| part.trim().split('.').next()).map(str::to_owned).collect())
    };
    let (only, without) = (names("attributes"), names("excludedAttributes"));
    let Value::Object(members) = resource else { return resource };
    let kept = |name: &String| {
        name == "id"
            || only.as_ref().is_none_or(|only| only.contains(name))
                && without.as_ref().is_none_or(|not| !not.contains(name))
    };
    Value::Object(members.into_iter().filter(|(name, _)| kept(name)).collect())
}

fn me(workspace: &Workspace, request: &Request) -> Outcome {
    let user = USERS.find(workspace, &USER_ID.to_string());
    let user = user.unwrap_or_else(|| json!({"id": USER_ID.to_string(), "userName": USER, "active": true}));
    Ok(Reply::json(projected(told(USERS, workspace, user), request)))
}

fn list(kind: Kind, workspace: &Workspace, request: &Request) -> Outcome {
    let mut all: Vec<_> = kind.all(workspace).into_iter().map(|resource| told(kind, workspace, resource)).collect();
    if let Some(text) = request.query("filter").filter(|text| !text.trim().is_empty()) {
        let filter = filter::Filter::read(text)?;
        all.retain(|resource| filter.passes(resource));
    }
    if let Some(by) = request.query("sortBy") {
        all.sort_by_key(|resource| resource.text_at(by).to_lowercase());
        if request.query("sortOrder") == Some("descending") {
            all.reverse();
        }
    }
    let start = usize::try_from(request.query_integer("startIndex")?.unwrap_or(1).max(1)).unwrap_or(1);
    // A count of zero asks for the number of results alone.
    let count = match request.query_integer("count")? {
        Some(0) => 0,
        asked => page::size(asked, MOST, MOST)?,
    };
    let total = all.len();
    let found: Vec<_> =
        all.into_iter().skip(start - 1).take(count).map(|resource| projected(resource, request)).collect();
    Ok(Reply::json(json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total,
        "startIndex": start, "itemsPerPage": found.len(), "Resources": found})))
}

fn get(kind: Kind, workspace: &Workspace, request: &Request) -> Outcome {
    let resource = kind.get(workspace, request.parameter("id"))?;
    Ok(Reply::json(projected(told(kind, workspace, resource), request)))
}

/// What a body says of somebody, completed.
fn resource(kind: Kind, workspace: &Workspace, id: &str, fields: Map<String, Value>) -> Result<Value, ApiError> {
    let mut json = Value::Object(fields).without(&["groups", "meta"]);
    json.set("id", id);
    json.set("schemas", schemas(kind));
    if kind.name != "groups" && json.at("active").is_null() {
        json.set("active", true);
    }
    if kind.name == "service-principals" && json.text_at("applicationId").is_empty() {
        json.set("applicationId", workspace.ids.uuid());
    }
    let name = json.text_at(naming(kind)).to_owned();
    if name.is_empty() {
        return Err(ApiError::missing_field(naming(kind)));
    }
    if kind.name == "users" {
        if !name.contains('@') {
            return Err(ApiError::invalid_parameter(format!("userName '{name}' is not an email address")));
        }
        if json.text_at("displayName").is_empty() {
            json.set("displayName", name.as_str());
        }
        if json.at("emails").is_null() {
            json.set("emails", json!([{"type": "work", "value": name, "primary": true}]));
        }
    }
    if kind.name == "groups" {
        name_members(workspace, &mut json)?;
    }
    Ok(json)
}

/// Gives the members of a group their names; each has to be there.
fn name_members(workspace: &Workspace, group: &mut Value) -> Result<(), ApiError> {
    let members = group.at("members").as_array().cloned().unwrap_or_default();
    let mut named = Vec::new();
    for member in members {
        let id = member.text_at("value");
        let found =
            [USERS, GROUPS, SERVICE_PRINCIPALS].iter().find_map(|kind| Some((kind.name, kind.find(workspace, id)?)));
        let (kind, known) = found.ok_or_else(|| ApiError::invalid_parameter(format!("Member {id} does not exist")))?;
        let place = match kind {
            "users" => "Users",
            "groups" => "Groups",
            _ => "ServicePrincipals",
        };
        if !named.iter().any(|known: &Value| known.text_at("value") == id) {
            named.push(json!({"value": id, "display": known.at("displayName"), "$ref": format!("{place}/{id}")}));
        }
    }
    if !group.at("members").is_null() {
        group.set("members", named);
    }
    Ok(())
}

/// Keeps somebody whose name nobody else has.
fn keep(kind: Kind, workspace: &Workspace, id: &str, resource: &Value) -> Result<(), ApiError> {
    let naming = naming(kind);
    let name = resource.text_at(naming).to_lowercase();
    let taken = |known_id: &str, known: &Value| known_id != id && known.text_at(naming).to_lowercase() == name;
    if kind.add_unless(workspace, id, resource.clone(), taken) {
        return Ok(());
    }
    let what = match kind.name {
        "users" => "User",
        "groups" => "Group",
        _ => "Service principal",
    };
    Err(ApiError::conflict(
        "RESOURCE_ALREADY_EXISTS",
        format!("{what} with {naming} {} already exists.", resource.text_at(naming)),
    ))
}

fn create(kind: Kind, workspace: &Workspace, request: &Request) -> Outcome {
    let id = workspace.ids.number().to_string();
    let mut resource = resource(kind, workspace, &id, request.fields()?.0)?;
    if kind.name == "groups" {
        // What is made here is not known in the account, and so not to Unity Catalog.
        resource.set("meta", json!({"resourceType": WORKSPACE_GROUP}));
    }
    keep(kind, workspace, &id, &resource)?;
    Ok(Reply::json(told(kind, workspace, resource)).with_status(201))
}

fn replace(kind: Kind, workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("id");
    let known = kind.get(workspace, id)?;
    let mut fields = request.fields()?.0;
    // An application id cannot be changed, and a body may leave it out.
    if kind.name == "service-principals" {
        fields.insert("applicationId".to_owned(), known.at("applicationId").clone());
    }
    let mut resource = resource(kind, workspace, id, fields)?;
    if !known.at("meta").is_null() {
        resource.set("meta", known.at("meta").clone());
    }
    keep(kind, workspace, id, &resource)?;
    Ok(Reply::json(told(kind, workspace, resource)))
}

fn patch(kind: Kind, workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("id");
    let mut resource = kind.get(workspace, id)?;
    for operation in request.fields()?.array("Operations")? {
        patch::apply(&mut resource, operation)?;
    }
    resource.set("id", id);
    if kind.name == "groups" {
        name_members(workspace, &mut resource)?;
    }
    keep(kind, workspace, id, &resource)?;
    Ok(Reply::no_content())
}

fn delete(kind: Kind, workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("id");
    if id == USER_ID.to_string() {
        return Err(ApiError::new(403, "PERMISSION_DENIED", "You cannot delete yourself."));
    }
    kind.remove(workspace, id)?;
    for group in GROUPS.all(workspace) {
        let members = group.at("members").as_array().cloned().unwrap_or_default();
        if members.iter().any(|member| member.text_at("value") == id) {
            let left: Vec<_> = members.into_iter().filter(|member| member.text_at("value") != id).collect();
            GROUPS.merge(
                workspace,
                group.text_at("id"),
                [("members".to_owned(), json!(left))].into_iter().collect(),
            )?;
        }
    }
    Ok(Reply::no_content())
}
