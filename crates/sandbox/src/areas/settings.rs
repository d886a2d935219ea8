//! What administrators set for the whole workspace: scripts for all clusters, instance profiles, lists of addresses,
//! places to notify, and the configuration. It is kept, and has no effect.
//!
//! Derived: the texts of refusals.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::{USER, USER_ID, Workspace};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/global-init-scripts", scripts),
    route("POST", "/api/2.0/global-init-scripts", create_script),
    route("GET", "/api/2.0/global-init-scripts/{id}", |w, r| SCRIPTS.tell(w, r.parameter("id"))),
    route("PATCH", "/api/2.0/global-init-scripts/{id}", update_script),
    route("DELETE", "/api/2.0/global-init-scripts/{id}", |w, r| SCRIPTS.drop(w, r.parameter("id"))),
    route("GET", "/api/2.0/instance-profiles/list", profiles),
    route("POST", "/api/2.0/instance-profiles/add", add_profile),
    route("POST", "/api/2.0/instance-profiles/edit", edit_profile),
    route("POST", "/api/2.0/instance-profiles/remove", remove_profile),
    route("GET", "/api/2.0/ip-access-lists", lists),
    route("POST", "/api/2.0/ip-access-lists", create_list),
    route("GET", "/api/2.0/ip-access-lists/{id}", list),
    route("PATCH", "/api/2.0/ip-access-lists/{id}", update_list),
    route("PUT", "/api/2.0/ip-access-lists/{id}", replace_list),
    route("DELETE", "/api/2.0/ip-access-lists/{id}", |w, r| LISTS.drop(w, r.parameter("id"))),
    route("GET", "/api/2.0/notification-destinations", destinations),
    route("POST", "/api/2.0/notification-destinations", create_destination),
    route("GET", "/api/2.0/notification-destinations/{id}", |w, r| DESTINATIONS.tell(w, r.parameter("id"))),
    route("PATCH", "/api/2.0/notification-destinations/{id}", update_destination),
    route("DELETE", "/api/2.0/notification-destinations/{id}", |w, r| DESTINATIONS.drop(w, r.parameter("id"))),
    route("GET", "/api/2.0/workspace-conf", configuration),
    route("PATCH", "/api/2.0/workspace-conf", configure),
];

const SCRIPTS: Kind = Kind {
    name: "global-init-scripts",
    missing: |id| ApiError::does_not_exist(format!("The global init script with ID {id} does not exist.")),
};
const PROFILES: Kind = Kind {
    name: "instance-profiles",
    missing: |arn| ApiError::does_not_exist(format!("The instance profile {arn} does not exist.")),
};
const LISTS: Kind = Kind {
    name: "ip-access-lists",
    missing: |id| ApiError::does_not_exist(format!("The IP access list {id} does not exist.")),
};
const DESTINATIONS: Kind = Kind {
    name: "notification-destinations",
    missing: |id| ApiError::does_not_exist(format!("The notification destination {id} does not exist.")),
};
const CONFIGURATION: Kind =
    Kind { name: "workspace-conf", missing: |_| ApiError::does_not_exist("Nothing is configured.") };

/// Scripts without what they do, in the order in which they run.
fn scripts(workspace: &Workspace, _: &Request) -> Outcome {
    let mut all = SCRIPTS.all(workspace);
    all.sort_by_key(|script| script.at("position").as_i64());
    let brief: Vec<_> = all.into_iter().map(|script| script.without(&["script"])).collect();
    Ok(Reply::json(json!({"scripts": brief})))
}

fn check_script(fields: &Fields) -> Result<(), ApiError> {
    match fields.text("script")?.map(|script| STANDARD.decode(script)) {
        Some(Err(_)) => Err(ApiError::invalid_parameter("script is not valid base64")),
        _ => Ok(()),
    }
}

fn create_script(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    check_script(&fields)?;
    let (id, now) = (workspace.ids.hex16().to_uppercase(), workspace.clock.now());
    let mut script = json!({"script_id": id, "enabled": false, "position": SCRIPTS.all(workspace).len(), "created_by": USER, "created_at": now,
        "updated_by": USER, "updated_at": now});
    script.merge(fields.0);
    SCRIPTS.put(workspace, &id, script);
    Ok(Reply::json(json!({"script_id": id})))
}

fn update_script(workspace: &Workspace, request: &Request) -> Outcome {
    let mut fields = request.fields()?;
    check_script(&fields)?;
    fields.0.insert("updated_at".to_owned(), json!(workspace.clock.now()));
    SCRIPTS.merge(workspace, request.parameter("id"), fields.0)?;
    Ok(Reply::nothing())
}

fn profiles(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"instance_profiles": PROFILES.all(workspace)})))
}

fn add_profile(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let arn = fields.required_text("instance_profile_arn")?;
    let profile = Value::Object(fields.0.clone()).without(&["skip_validation"]);
    match PROFILES.add_unless(workspace, arn, profile, |known, _| known == arn) {
        true => Ok(Reply::nothing()),
        false => {
            Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("The instance profile {arn} already exists.")))
        }
    }
}

fn edit_profile(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    PROFILES.merge(workspace, fields.required_text("instance_profile_arn")?, fields.0.clone())?;
    Ok(Reply::nothing())
}

fn remove_profile(workspace: &Workspace, request: &Request) -> Outcome {
    PROFILES.drop(workspace, request.fields()?.required_text("instance_profile_arn")?)
}

fn lists(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"ip_access_lists": LISTS.all(workspace)})))
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(json!({"ip_access_list": LISTS.get(workspace, request.parameter("id"))?})))
}

/// What a body sets of a list of addresses, with the number of these.
fn addresses(mut fields: Fields, now: i64) -> Result<Map<String, Value>, ApiError> {
    let given = fields.array("ip_addresses")?.to_vec();
    let is_address = |text: &str| {
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        address.parse::<std::net::IpAddr>().is_ok() && bits.parse::<u8>().is_ok_and(|bits| bits <= 128)
    };
    if let Some(wrong) = given.iter().find(|address| !address.as_str().is_some_and(is_address)) {
        return Err(ApiError::invalid_parameter(format!("{wrong} is no IP address or CIDR block")));
    }
    if fields.get("ip_addresses").is_some() {
        fields.0.insert("address_count".to_owned(), json!(given.len()));
    }
    fields.0.insert("updated_at".to_owned(), json!(now));
    fields.0.insert("updated_by".to_owned(), json!(USER_ID));
    Ok(fields.0)
}

fn create_list(workspace: &Workspace, request: &Request) -> Outcome {
    let (id, now) = (workspace.ids.uuid(), workspace.clock.now());
    let mut list =
        json!({"list_id": id, "enabled": true, "address_count": 0, "created_at": now, "created_by": USER_ID});
    list.merge(addresses(request.fields()?, now)?);
    LISTS.put(workspace, &id, list.clone());
    Ok(Reply::json(json!({"ip_access_list": list})))
}

fn update_list(workspace: &Workspace, request: &Request) -> Outcome {
    let changes = addresses(request.fields()?, workspace.clock.now())?;
    LISTS.merge(workspace, request.parameter("id"), changes)?;
    Ok(Reply::nothing())
}

fn replace_list(workspace: &Workspace, request: &Request) -> Outcome {
    let mut fields = request.fields()?;
    fields.0.entry("ip_addresses").or_insert_with(|| json!([]));
    LISTS.merge(workspace, request.parameter("id"), addresses(fields, workspace.clock.now())?)?;
    Ok(Reply::nothing())
}

/// Destinations without their configuration, which may hold secrets.
fn destinations(workspace: &Workspace, request: &Request) -> Outcome {
    let brief = DESTINATIONS.all(workspace).into_iter().map(|destination| destination.without(&["config"])).collect();
    page::asked("results", brief, request, 100, 1000)
}

/// The type of a destination is that of its configuration.
fn kind_of(config: &Value) -> Option<&'static str> {
    let kinds = [
        ("email", "EMAIL"),
        ("slack", "SLACK"),
        ("generic_webhook", "WEBHOOK"),
        ("microsoft_teams", "MICROSOFT_TEAMS"),
        ("pagerduty", "PAGERDUTY"),
        ("databricks_app_slack", "DATABRICKS_APP_SLACK"),
        ("databricks_app_teams", "DATABRICKS_APP_TEAMS"),
    ];
    kinds.into_iter().find(|(field, _)| config.get(field).is_some()).map(|(_, kind)| kind)
}

/// A body with its type. Of its settings is told only that they are set: a URL may be as good as a password.
fn destination(mut fields: Fields) -> Map<String, Value> {
    let Some(config) = fields.0.get_mut("config") else { return fields.0 };
    let kind = kind_of(config);
    for settings in config.as_object_mut().into_iter().flat_map(Map::values_mut) {
        let Some(settings) = settings.as_object_mut() else { continue };
        let given: Vec<_> =
            settings.keys().filter(|name| *name != "addresses" && !name.ends_with("_set")).cloned().collect();
        for name in given {
            settings.remove(&name);
            settings.insert(format!("{name}_set"), json!(true));
        }
    }
    fields.0.extend(kind.map(|kind| ("destination_type".to_owned(), json!(kind))));
    fields.0
}

fn create_destination(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = destination(request.fields()?);
    if !fields.contains_key("destination_type") {
        return Err(ApiError::invalid_parameter("config must hold the settings of one kind of destination"));
    }
    let id = workspace.ids.uuid();
    let mut made = json!({"id": id});
    made.merge(fields);
    DESTINATIONS.put(workspace, &id, made.clone());
    Ok(Reply::json(made))
}

fn update_destination(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = destination(request.fields()?);
    DESTINATIONS.merge(workspace, request.parameter("id"), fields).map(Reply::json)
}

/// The values of the keys that are asked for; null where nothing was set.
fn configuration(workspace: &Workspace, request: &Request) -> Outcome {
    let known = CONFIGURATION.find(workspace, "all").unwrap_or_else(|| json!({}));
    let keys = request.required_query("keys")?.split(',').map(str::trim).filter(|key| !key.is_empty());
    let told: BTreeMap<_, _> = keys.map(|key| (key, known.at(key).clone())).collect();
    Ok(Reply::json(json!(told)))
}

fn configure(workspace: &Workspace, request: &Request) -> Outcome {
    let mut known = CONFIGURATION.find(workspace, "all").unwrap_or_else(|| json!({}));
    known.merge(request.fields()?.0);
    CONFIGURATION.put(workspace, "all", known);
    Ok(Reply::nothing())
}
