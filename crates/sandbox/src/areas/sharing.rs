//! Delta Sharing: shares, what they hold and who may read them; recipients; and one provider who shares with this workspace.
//!
//! Nothing is shared with anybody. Derived: the texts of refusals.

use serde_json::{Map, Value, json};

use super::securable::{METASTORE, exists, missing, plain};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::{USER, Workspace, lock};

const SHARES: Kind = Kind { name: "shares", missing: |name| missing("Share", name) };
/// The recipients of each share with their privileges, by the name of the share.
const GRANTS: Kind = Kind { name: "share-grants", missing: |name| missing("Share", name) };
const RECIPIENTS: Kind = Kind { name: "recipients", missing: |name| missing("Recipient", name) };
const PROVIDERS: Kind = Kind { name: "providers", missing: |name| missing("Provider", name) };

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/shares", |w, r| list(SHARES, "shares", w, r)),
    route("POST", "/api/2.1/unity-catalog/shares", create_share),
    route("GET", "/api/2.1/unity-catalog/shares/{name}", share),
    route("PATCH", "/api/2.1/unity-catalog/shares/{name}", update_share),
    route("DELETE", "/api/2.1/unity-catalog/shares/{name}", delete_share),
    route("GET", "/api/2.1/unity-catalog/shares/{name}/permissions", grants),
    route("PATCH", "/api/2.1/unity-catalog/shares/{name}/permissions", update_grants),
    route("GET", "/api/2.1/unity-catalog/recipients", |w, r| list(RECIPIENTS, "recipients", w, r)),
    route("POST", "/api/2.1/unity-catalog/recipients", create_recipient),
    route("GET", "/api/2.1/unity-catalog/recipients/{name}", |w, r| RECIPIENTS.tell(w, r.parameter("name"))),
    route("PATCH", "/api/2.1/unity-catalog/recipients/{name}", update_recipient),
    route("DELETE", "/api/2.1/unity-catalog/recipients/{name}", delete_recipient),
    route("GET", "/api/2.1/unity-catalog/recipients/{name}/share-permissions", shares_of_recipient),
    route("GET", "/api/2.1/unity-catalog/providers", |w, r| list(PROVIDERS, "providers", w, r)),
    route("GET", "/api/2.1/unity-catalog/providers/{name}", |w, r| PROVIDERS.tell(w, r.parameter("name"))),
    route("GET", "/api/2.1/unity-catalog/providers/{name}/shares", shares_of_provider),
];

/// Adds a share with a table, a recipient who reads it, and a provider.
pub(crate) fn seed(workspace: &Workspace) {
    let at = workspace.clock.epoch() - 30 * 86_400_000;
    let table = json!({"name": "samples.retail.orders", "data_object_type": "TABLE", "shared_as": "retail.orders",
        "status": "ACTIVE", "added_at": at, "added_by": USER});
    SHARES.put(workspace, "partner_sales", stamped(at, json!({"name": "partner_sales", "objects": [table]})));
    GRANTS.put(workspace, "partner_sales", json!({"acme_corp": ["SELECT"]}));
    let recipient = json!({"name": "acme_corp", "id": workspace.ids.uuid(), "authentication_type": "DATABRICKS",
        "data_recipient_global_metastore_id": "aws:us-west-2:00000000-0000-4000-8000-00000000acce"});
    RECIPIENTS.put(workspace, "acme_corp", stamped(at, recipient));
    let provider = json!({"name": "weather_inc", "authentication_type": "DATABRICKS", "cloud": "aws", "region": "us-west-2",
        "data_provider_global_metastore_id": "aws:us-west-2:00000000-0000-4000-8000-00000000feed"});
    PROVIDERS.put(workspace, "weather_inc", stamped(at, provider));
}

fn stamped(at: i64, mut object: Value) -> Value {
    object.merge(object_of(json!({"metastore_id": METASTORE, "owner": USER, "created_at": at, "created_by": USER,
        "updated_at": at, "updated_by": USER})));
    object
}

fn object_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn list(kind: Kind, field: &str, workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("max_results")?, 100, 1_000)?;
    let brief = kind.all(workspace).into_iter().map(|object| object.without(&["objects"])).collect();
    page::told(field, brief, size, request.query("page_token"))
}

/// Adds what a body describes under its name, which must be free.
fn create(kind: Kind, what: &str, workspace: &Workspace, fields: Fields, more: Value) -> Result<Value, ApiError> {
    let name = plain(fields.required_text("name")?)?;
    let mut object = stamped(workspace.clock.now(), more);
    object.merge(fields.0);
    object.set("name", name.as_str());
    if kind.add_unless(workspace, &name, object.clone(), |known, _| known == name) {
        Ok(object)
    } else {
        Err(exists(what, &name))
    }
}

fn create_share(workspace: &Workspace, request: &Request) -> Outcome {
    create(SHARES, "Share", workspace, request.fields()?, json!({})).map(Reply::json)
}

fn share(workspace: &Workspace, request: &Request) -> Outcome {
    let share = SHARES.get(workspace, request.parameter("name"))?;
    let is_whole = request.query_flag("include_shared_data")?;
    Ok(Reply::json(if is_whole { share } else { share.without(&["objects"]) }))
}

/// Whether the catalog has a table to be shared; of other kinds of objects anything may be.
fn check_object(workspace: &Workspace, object: &Value) -> Result<(), ApiError> {
    let name = object.text_at("name");
    if name.is_empty() {
        return Err(ApiError::missing_field("data_object.name"));
    }
    if matches!(object.text_at("data_object_type"), "" | "TABLE") {
        let key = super::securable::name(name)?;
        if !lock(&workspace.catalog).tables.contains_key(&key) {
            return Err(missing("Table", name));
        }
    }
    Ok(())
}

/// The objects of a share after one change.
fn changed(mut objects: Vec<Value>, update: &Value, at: i64) -> Result<Vec<Value>, ApiError> {
    let object = update.at("data_object");
    let name = object.text_at("name");
    let place = objects.iter().position(|known| known.text_at("name").eq_ignore_ascii_case(name));
    match (update.text_at("action"), place) {
        ("ADD", None) => {
            let mut added = json!({"data_object_type": "TABLE", "status": "ACTIVE", "added_at": at, "added_by": USER,
                "shared_as": name.split_once('.').map_or(name, |(_, rest)| rest)});
            added.merge(object_of(object.clone()));
            objects.push(added);
        }
        ("ADD", Some(_)) => {
            return Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("'{name}' is in the share already")));
        }
        ("REMOVE" | "UPDATE", None) => return Err(ApiError::not_found(format!("'{name}' is not in the share"))),
        ("REMOVE", Some(place)) => {
            objects.remove(place);
        }
        ("UPDATE", Some(place)) => {
            if let Some(known) = objects.get_mut(place) {
                known.merge(object_of(object.clone()));
            }
        }
        (other, _) => return Err(ApiError::invalid_parameter(format!("'{other}' is no action"))),
    }
    Ok(objects)
}

/// Gives an object another name, if a body asks for it.
fn renamed(kind: Kind, what: &str, workspace: &Workspace, name: &str, fields: &mut Fields) -> Result<String, ApiError> {
    let Some(new) = fields.text("new_name")?.map(plain).transpose()? else { return Ok(name.to_owned()) };
    fields.0.remove("new_name");
    kind.get(workspace, name)?;
    if new != name {
        if kind.has(workspace, &new) {
            return Err(exists(what, &new));
        }
        kind.rename(workspace, name, &new)?;
        fields.0.insert("name".to_owned(), json!(new));
    }
    Ok(new)
}

fn update_share(workspace: &Workspace, request: &Request) -> Outcome {
    let mut fields = request.fields()?;
    let now = workspace.clock.now();
    let name = request.parameter("name");
    let mut objects = SHARES.get(workspace, name)?.at("objects").as_array().cloned().unwrap_or_default();
    for update in fields.array("updates")? {
        if update.text_at("action") == "ADD" {
            check_object(workspace, update.at("data_object"))?;
        }
        objects = changed(objects, update, now)?;
    }
    fields.0.remove("updates");
    let new = renamed(SHARES, "Share", workspace, name, &mut fields)?;
    if new != name && GRANTS.has(workspace, name) {
        GRANTS.rename(workspace, name, &new)?;
    }
    fields.0.insert("objects".to_owned(), Value::Array(objects));
    fields.0.insert("updated_at".to_owned(), json!(now));
    SHARES.merge(workspace, &new, fields.0).map(Reply::json)
}

fn delete_share(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    SHARES.remove(workspace, name)?;
    // A share that nobody was let into has none.
    let _ = GRANTS.remove(workspace, name);
    Ok(Reply::nothing())
}

/// Recipients with their privileges, as the API writes them.
fn assignments(grants: &Value) -> Vec<Value> {
    let grants = grants.as_object().into_iter().flatten();
    grants.map(|(principal, privileges)| json!({"principal": principal, "privileges": privileges})).collect()
}

fn grants_of(workspace: &Workspace, share: &str) -> Result<Value, ApiError> {
    SHARES.get(workspace, share)?;
    Ok(GRANTS.find(workspace, share).unwrap_or_else(|| json!({})))
}

fn grants(workspace: &Workspace, request: &Request) -> Outcome {
    let grants = grants_of(workspace, request.parameter("name"))?;
    Ok(Reply::json(json!({"privilege_assignments": assignments(&grants)})))
}

fn update_grants(workspace: &Workspace, request: &Request) -> Outcome {
    let (share, fields) = (request.parameter("name"), request.fields()?);
    let mut grants = grants_of(workspace, share)?;
    for change in fields.array("changes")? {
        let principal = change.text_at("principal");
        RECIPIENTS.get(workspace, principal)?;
        let texts = |name: &str| {
            let given = change.at(name).as_array().cloned().unwrap_or_default();
            given.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let before = grants.at(principal).as_array().cloned().unwrap_or_default();
        let mut privileges: Vec<_> = before.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let removed = texts("remove");
        privileges.retain(|privilege| !removed.contains(privilege));
        for added in texts("add") {
            if !privileges.contains(&added) {
                privileges.push(added);
            }
        }
        match privileges.is_empty() {
            true => grants = grants.without(&[principal]),
            false => grants.set(principal, privileges),
        }
    }
    GRANTS.put(workspace, share, grants.clone());
    Ok(Reply::json(json!({"privilege_assignments": assignments(&grants)})))
}

fn create_recipient(workspace: &Workspace, request: &Request) -> Outcome {
    let id = workspace.ids.uuid();
    create(RECIPIENTS, "Recipient", workspace, request.fields()?, json!({"id": id})).map(Reply::json)
}

fn update_recipient(workspace: &Workspace, request: &Request) -> Outcome {
    let mut fields = request.fields()?;
    let name = renamed(RECIPIENTS, "Recipient", workspace, request.parameter("name"), &mut fields)?;
    fields.0.insert("updated_at".to_owned(), json!(workspace.clock.now()));
    RECIPIENTS.merge(workspace, &name, fields.0).map(Reply::json)
}

/// Removes a recipient, and with it what it may read.
fn delete_recipient(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    RECIPIENTS.remove(workspace, name)?;
    for share in SHARES.all(workspace) {
        let share = share.text_at("name");
        if let Some(grants) = GRANTS.find(workspace, share) {
            GRANTS.put(workspace, share, grants.without(&[name]));
        }
    }
    Ok(Reply::nothing())
}

fn shares_of_recipient(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    RECIPIENTS.get(workspace, name)?;
    let shares = SHARES.all(workspace).into_iter().filter_map(|share| {
        let privileges = GRANTS.find(workspace, share.text_at("name"))?.get(name)?.clone();
        let assignment = json!({"principal": name, "privileges": privileges});
        Some(json!({"share_name": share.text_at("name"), "privilege_assignments": [assignment]}))
    });
    Ok(Reply::json(json!({"permissions_out": shares.collect::<Vec<_>>()})))
}

fn shares_of_provider(workspace: &Workspace, request: &Request) -> Outcome {
    PROVIDERS.get(workspace, request.parameter("name"))?;
    Ok(Reply::json(json!({"shares": [{"name": "daily_weather"}]})))
}
