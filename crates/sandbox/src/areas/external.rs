//! What Unity Catalog knows of the world outside: credentials, external locations, connections.
//!
//! Nothing outside is looked at, so nothing is validated. Derived: the texts of refusals.

use serde_json::{Map, Value, json};

use super::securable::{METASTORE, answer, exists, missing, plain};
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::{USER, Workspace};

pub(crate) const CREDENTIALS: Kind =
    Kind { name: "storage-credentials", missing: |name| missing("Storage_Credential", name) };
pub(crate) const LOCATIONS: Kind =
    Kind { name: "external-locations", missing: |name| missing("External_Location", name) };
pub(crate) const CONNECTIONS: Kind = Kind { name: "connections", missing: |name| missing("Connection", name) };

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/unity-catalog/credentials", credentials),
    route("POST", "/api/2.1/unity-catalog/credentials", create_any_credential),
    route("GET", "/api/2.1/unity-catalog/credentials/{name}", any_credential),
    route("PATCH", "/api/2.1/unity-catalog/credentials/{name}", update_credential),
    route("DELETE", "/api/2.1/unity-catalog/credentials/{name}", delete_credential),
    route("GET", "/api/2.1/unity-catalog/storage-credentials", storage_credentials),
    route("POST", "/api/2.1/unity-catalog/storage-credentials", create_credential),
    route("GET", "/api/2.1/unity-catalog/storage-credentials/{name}", storage_credential),
    route("PATCH", "/api/2.1/unity-catalog/storage-credentials/{name}", update_credential),
    route("DELETE", "/api/2.1/unity-catalog/storage-credentials/{name}", delete_credential),
    route("GET", "/api/2.1/unity-catalog/external-locations", |w, r| list(LOCATIONS, "external_locations", w, r)),
    route("POST", "/api/2.1/unity-catalog/external-locations", create_location),
    route("GET", "/api/2.1/unity-catalog/external-locations/{name}", |w, r| get(LOCATIONS, w, r)),
    route("PATCH", "/api/2.1/unity-catalog/external-locations/{name}", update_location),
    route("DELETE", "/api/2.1/unity-catalog/external-locations/{name}", |w, r| LOCATIONS.drop(w, r.parameter("name"))),
    route("GET", "/api/2.1/unity-catalog/connections", |w, r| list(CONNECTIONS, "connections", w, r)),
    route("POST", "/api/2.1/unity-catalog/connections", create_connection),
    route("GET", "/api/2.1/unity-catalog/connections/{name}", |w, r| get(CONNECTIONS, w, r)),
    route("PATCH", "/api/2.1/unity-catalog/connections/{name}", |w, r| update(CONNECTIONS, w, r)),
    route("DELETE", "/api/2.1/unity-catalog/connections/{name}", |w, r| CONNECTIONS.drop(w, r.parameter("name"))),
];

/// Adds a credential, a location and a connection.
pub(crate) fn seed(workspace: &Workspace) {
    let at = workspace.clock.epoch() - 60 * 86_400_000;
    let add = |kind: Kind, name: &str, mut object: Value| {
        object.merge(stamped(
            json!({"name": name, "metastore_id": METASTORE, "owner": USER, "created_at": at, "created_by": USER,
            "updated_at": at, "updated_by": USER}),
        ));
        kind.put(workspace, name, object);
    };
    let id = workspace.ids.uuid();
    let role = json!({"role_arn": "arn:aws:iam::000000000000:role/sandbox-storage", "external_id": "sandbox"});
    add(
        CREDENTIALS,
        "sandbox-storage",
        json!({"id": id, "aws_iam_role": role, "read_only": false, "isolation_mode": "ISOLATION_MODE_OPEN"}),
    );
    add(
        LOCATIONS,
        "landing-zone",
        json!({"url": "s3://sandbox-landing/zone", "credential_name": "sandbox-storage", "credential_id": id,
        "read_only": false, "isolation_mode": "ISOLATION_MODE_OPEN", "comment": "Where partners put files."}),
    );
    add(
        CONNECTIONS,
        "crm",
        json!({"connection_id": workspace.ids.uuid(), "connection_type": "POSTGRESQL", "full_name": "crm",
        "securable_type": "CONNECTION", "options": {"host": "crm.example.test", "port": "5432"}, "comment": "The customer database."}),
    );
}

/// What a credential is for that is not for storage.
const SERVICE: &str = "SERVICE";

/// Fields that are taken and not told.
const UNTOLD: [&str; 4] = ["skip_validation", "force", "new_name", "secrets"];

/// What holds passwords, which are taken and forgotten.
const HOLDERS: [&str; 3] = ["options", "azure_service_principal", "cloudflare_api_token"];

/// A body as it may be told.
fn tellable(fields: Map<String, Value>) -> Value {
    let mut told = Value::Object(fields).without(&UNTOLD);
    let is_secret = |name: &String| {
        let name = name.to_lowercase();
        name != "access_key_id" && ["password", "secret", "token", "key"].iter().any(|word| name.contains(word))
    };
    for holder in HOLDERS {
        if let Some(settings) = told.get_mut(holder).and_then(Value::as_object_mut) {
            settings.retain(|name, _| !is_secret(name));
        }
    }
    told
}

fn list(kind: Kind, field: &str, workspace: &Workspace, request: &Request) -> Outcome {
    answer(field, kind.all(workspace), request)
}

fn get(kind: Kind, workspace: &Workspace, request: &Request) -> Outcome {
    kind.tell(workspace, request.parameter("name"))
}

/// Makes an object of a body and what is added to it, with an id of that name if it has one.
fn create(kind: Kind, workspace: &Workspace, fields: Map<String, Value>, id: &str) -> Outcome {
    let mut object = tellable(fields);
    let name = plain(object.text_at("name"))?;
    let now = workspace.clock.now();
    if !id.is_empty() {
        object.set(id, workspace.ids.uuid());
    }
    object.merge(stamped(json!({"name": name, "metastore_id": METASTORE, "owner": USER,
        "created_at": now, "created_by": USER, "updated_at": now, "updated_by": USER})));
    if !kind.add_unless(workspace, &name, object.clone(), |known, _| known == name) {
        return Err(exists(what(kind), &name));
    }
    Ok(Reply::json(object))
}

fn stamped(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn what(kind: Kind) -> &'static str {
    match kind.name {
        "storage-credentials" => "Storage_Credential",
        "external-locations" => "External_Location",
        _ => "Connection",
    }
}

fn update(kind: Kind, workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    let fields = request.fields()?;
    kind.get(workspace, name)?;
    let other = fields.text("new_name")?.map(plain).transpose()?.filter(|other| other != name);
    if let Some(other) = other.as_ref().filter(|other| kind.has(workspace, other)) {
        return Err(exists(what(kind), other));
    }
    let mut changes = tellable(fields.0);
    changes.set("updated_at", workspace.clock.now());
    changes.set("updated_by", USER);
    let Some(other) = other else {
        return kind.merge(workspace, name, stamped(changes)).map(Reply::json);
    };
    changes.set("name", other.clone());
    kind.merge(workspace, name, stamped(changes))?;
    kind.rename(workspace, name, &other)?;
    kind.tell(workspace, &other)
}

fn is_for_services(credential: &Value) -> bool {
    credential.text_at("purpose") == SERVICE
}

/// A credential with what it is for, which is storage unless it says otherwise.
fn with_purpose(mut credential: Value) -> Value {
    if credential.at("purpose").is_null() {
        credential.set("purpose", "STORAGE");
    }
    credential
}

fn credentials(workspace: &Workspace, request: &Request) -> Outcome {
    let asked = request.query("purpose");
    let all = CREDENTIALS.all(workspace).into_iter().map(with_purpose);
    let wanted = |credential: &Value| asked.is_none_or(|purpose| purpose == credential.text_at("purpose"));
    answer("credentials", all.filter(wanted).collect(), request)
}

fn any_credential(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(with_purpose(CREDENTIALS.get(workspace, request.parameter("name"))?)))
}

fn storage_credentials(workspace: &Workspace, request: &Request) -> Outcome {
    let all = CREDENTIALS.all(workspace).into_iter().filter(|credential| !is_for_services(credential));
    answer("storage_credentials", all.map(|credential| credential.without(&["purpose"])).collect(), request)
}

fn storage_credential(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    let credential = CREDENTIALS.get(workspace, name)?;
    if is_for_services(&credential) {
        return Err((CREDENTIALS.missing)(name));
    }
    Ok(Reply::json(credential.without(&["purpose"])))
}

/// As the other one, and says what for.
fn create_any_credential(workspace: &Workspace, request: &Request) -> Outcome {
    let made = create_credential(workspace, request)?;
    let name = request.fields()?.required_text("name")?.to_lowercase();
    Ok(CREDENTIALS.find(workspace, &name).map_or(made, |credential| Reply::json(with_purpose(credential))))
}

fn create_credential(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let ways = [
        "aws_iam_role",
        "azure_managed_identity",
        "azure_service_principal",
        "cloudflare_api_token",
        "databricks_gcp_service_account",
    ];
    if ways.iter().filter(|way| fields.get(way).is_some()).count() != 1 {
        return Err(ApiError::invalid_parameter(format!("Exactly one of {} is required", ways.join(", "))));
    }
    create(CREDENTIALS, workspace, fields.0, "id")
}

fn update_credential(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    if let Some(other) = fields.text("new_name")?
        && uses(workspace, request.parameter("name")) > 0
    {
        return Err(ApiError::invalid_state(format!(
            "Storage credential '{}' is used by external locations and cannot be called '{other}'",
            request.parameter("name")
        )));
    }
    update(CREDENTIALS, workspace, request)
}

fn uses(workspace: &Workspace, credential: &str) -> usize {
    LOCATIONS.all(workspace).iter().filter(|location| location.text_at("credential_name") == credential).count()
}

fn delete_credential(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    CREDENTIALS.get(workspace, name)?;
    let uses = uses(workspace, name);
    if uses > 0 && !request.query_flag("force")? {
        return Err(ApiError::invalid_state(format!(
            "Storage credential '{name}' has {uses} directly dependent external location(s); use force option to delete"
        )));
    }
    CREDENTIALS.drop(workspace, name)
}

/// The URL of a location must not lie in another one's, nor the other way round.
fn check_location(workspace: &Workspace, fields: &Map<String, Value>, own: &str) -> Result<(), ApiError> {
    if let Some(credential) = fields.get("credential_name").and_then(Value::as_str) {
        CREDENTIALS.get(workspace, credential)?;
    }
    let Some(url) = fields.get("url").and_then(Value::as_str) else { return Ok(()) };
    if !["s3://", "abfss://", "gs://", "r2://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(ApiError::invalid_parameter(format!("'{url}' is no URL of cloud storage")));
    }
    let inside = |a: &str, b: &str| {
        format!("{}/", a.trim_end_matches('/')).starts_with(&format!("{}/", b.trim_end_matches('/')))
    };
    let locations = LOCATIONS.all(workspace);
    let other = locations.iter().find(|location| {
        let known = location.text_at("url");
        location.text_at("name") != own && (inside(known, url) || inside(url, known))
    });
    match other {
        None => Ok(()),
        Some(other) => Err(ApiError::conflict(
            "LOCATION_OVERLAP",
            format!("Input path url '{url}' overlaps with the external location '{}'", other.text_at("name")),
        )),
    }
}

fn create_location(workspace: &Workspace, request: &Request) -> Outcome {
    let mut fields = request.fields()?.0;
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if LOCATIONS.has(workspace, &name) {
        return Err(exists(what(LOCATIONS), &name));
    }
    check_location(workspace, &fields, &name)?;
    let credential =
        CREDENTIALS.get(workspace, fields.get("credential_name").and_then(Value::as_str).unwrap_or_default())?;
    fields.insert("credential_id".to_owned(), credential.at("id").clone());
    fields.entry("read_only").or_insert_with(|| json!(false));
    fields.entry("isolation_mode").or_insert_with(|| json!("ISOLATION_MODE_OPEN"));
    create(LOCATIONS, workspace, fields, "")
}

fn update_location(workspace: &Workspace, request: &Request) -> Outcome {
    check_location(workspace, &request.fields()?.0, request.parameter("name"))?;
    update(LOCATIONS, workspace, request)
}

fn create_connection(workspace: &Workspace, request: &Request) -> Outcome {
    let mut fields = request.fields()?.0;
    let name = fields.get("name").cloned().unwrap_or_default();
    fields.insert("full_name".to_owned(), name);
    fields.insert("securable_type".to_owned(), json!("CONNECTION"));
    create(CONNECTIONS, workspace, fields, "connection_id")
}
