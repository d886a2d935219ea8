//! Saved queries and their visualizations, by the API and by the legacy one, which share them.
//!
//! Derived: the texts of refusals.

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::{Kind, masked};
use crate::text::rfc3339;
use crate::workspace::{USER, USER_ID, Workspace, lock};

pub(crate) const QUERIES: Kind =
    Kind { name: "queries", missing: |id| ApiError::does_not_exist(format!("Query {id} does not exist.")) };
const VISUALIZATIONS: Kind = Kind {
    name: "visualizations",
    missing: |id| ApiError::does_not_exist(format!("Visualization {id} does not exist.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/sql/queries", list),
    route("POST", "/api/2.0/sql/queries", create),
    route("GET", "/api/2.0/sql/queries/{id}", |w, r| QUERIES.tell(w, r.parameter("id"))),
    route("PATCH", "/api/2.0/sql/queries/{id}", update),
    route("DELETE", "/api/2.0/sql/queries/{id}", trash),
    route("GET", "/api/2.0/sql/queries/{id}/visualizations", visualizations),
    route("POST", "/api/2.0/sql/visualizations", create_visualization),
    route("PATCH", "/api/2.0/sql/visualizations/{id}", update_visualization),
    route("DELETE", "/api/2.0/sql/visualizations/{id}", |w, r| VISUALIZATIONS.drop(w, r.parameter("id"))),
    route("GET", "/api/2.0/preview/sql/queries", list_legacy),
    route("POST", "/api/2.0/preview/sql/queries", create_legacy),
    route("GET", "/api/2.0/preview/sql/queries/{id}", get_legacy),
    route("POST", "/api/2.0/preview/sql/queries/{id}", update_legacy),
    route("DELETE", "/api/2.0/preview/sql/queries/{id}", trash),
    route("POST", "/api/2.0/preview/sql/queries/trash/{id}", restore_legacy),
    route("GET", "/api/2.0/preview/sql/data_sources", data_sources),
];

/// What comes with a new query: who made it, and when.
fn stamp(workspace: &Workspace, id: &str, mut query: Value) -> Value {
    let at = rfc3339(workspace.clock.now());
    for (name, value) in
        [("id", id), ("lifecycle_state", "ACTIVE"), ("owner_user_name", USER), ("last_modifier_user_name", USER)]
    {
        query.set(name, value);
    }
    for (name, value) in [("parent_path", format!("/Workspace/Users/{USER}")), ("run_as_mode", "OWNER".to_owned())] {
        if query.at(name).is_null() {
            query.set(name, value);
        }
    }
    query.set("create_time", at.clone());
    query.set("update_time", at);
    query
}

/// Adds a query under an id.
pub(crate) fn seed(workspace: &Workspace, id: &str, query: Value) {
    QUERIES.put(workspace, id, stamp(workspace, id, query));
}

/// A name that no other object has, or a refusal.
pub(super) fn free_name(kind: Kind, workspace: &Workspace, name: &str, resolve: bool) -> Result<String, ApiError> {
    let known: Vec<_> = kind
        .all(workspace)
        .into_iter()
        .filter(|object| object.text_at("lifecycle_state") == "ACTIVE")
        .map(|object| object.text_at("display_name").to_owned())
        .collect();
    if !known.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    if !resolve {
        return Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", format!("Node named '{name}' already exists")));
    }
    let candidates = (1..).map(|number| format!("{name} ({number})"));
    Ok(candidates.into_iter().find(|candidate| !known.contains(candidate)).unwrap_or_default())
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let mut all = QUERIES.all(workspace);
    all.retain(|query| query.text_at("lifecycle_state") == "ACTIVE");
    let brief = |query: Value| query.without(&["parent_path"]);
    page::asked("results", all.into_iter().map(brief).collect(), request, 20, 100)
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let mut query = Value::Object(fields.object("query")?.cloned().unwrap_or_default());
    let asked = match query.text_at("display_name") {
        "" => "New query",
        name => name,
    };
    let resolve = fields.flag("auto_resolve_display_name")? || query.text_at("display_name").is_empty();
    let name = free_name(QUERIES, workspace, asked, resolve)?;
    query.set("display_name", name);
    let id = workspace.ids.uuid();
    let query = stamp(workspace, &id, query);
    QUERIES.put(workspace, &id, query.clone());
    Ok(Reply::json(query))
}

fn merge(workspace: &Workspace, id: &str, mut changes: Map<String, Value>) -> Result<Value, ApiError> {
    changes.insert("update_time".to_owned(), json!(rfc3339(workspace.clock.now())));
    changes.insert("last_modifier_user_name".to_owned(), json!(USER));
    QUERIES.merge(workspace, id, changes)
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = request.parameter("id");
    let known = QUERIES.get(workspace, id)?;
    let mut changes =
        masked(&fields.object("query")?.cloned().unwrap_or_default(), fields.required_text("update_mask")?);
    let name = changes.get("display_name").and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = name.filter(|name| name != known.text_at("display_name")) {
        let name = free_name(QUERIES, workspace, &name, fields.flag("auto_resolve_display_name")?)?;
        changes.insert("display_name".to_owned(), json!(name));
    }
    merge(workspace, id, changes).map(Reply::json)
}

fn trash(workspace: &Workspace, request: &Request) -> Outcome {
    let trashed = [("lifecycle_state".to_owned(), json!("TRASHED"))].into_iter().collect();
    merge(workspace, request.parameter("id"), trashed).map(|_| Reply::nothing())
}

fn visualizations(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("id");
    QUERIES.get(workspace, id)?;
    let mut all = VISUALIZATIONS.all(workspace);
    all.retain(|visualization| visualization.text_at("query_id") == id);
    page::asked("results", all, request, 20, 100)
}

fn create_visualization(workspace: &Workspace, request: &Request) -> Outcome {
    let mut visualization = Value::Object(request.fields()?.object("visualization")?.cloned().unwrap_or_default());
    QUERIES.get(workspace, visualization.text_at("query_id"))?;
    let (id, at) = (workspace.ids.uuid(), rfc3339(workspace.clock.now()));
    visualization.set("id", id.clone());
    visualization.set("create_time", at.clone());
    visualization.set("update_time", at);
    VISUALIZATIONS.put(workspace, &id, visualization.clone());
    Ok(Reply::json(visualization))
}

fn update_visualization(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let given = fields.object("visualization")?.cloned().unwrap_or_default();
    let mut changes = masked(&given, fields.required_text("update_mask")?);
    changes.insert("update_time".to_owned(), json!(rfc3339(workspace.clock.now())));
    VISUALIZATIONS.merge(workspace, request.parameter("id"), changes).map(Reply::json)
}

/// The one who made an object, in the legacy form.
pub(super) fn legacy_user() -> Value {
    json!({"id": USER_ID, "name": "Sandbox User", "email": USER})
}

fn legacy(query: &Value) -> Value {
    json!({"id": query.at("id"), "name": query.at("display_name"), "description": query.at("description"), "query": query.at("query_text"),
        "data_source_id": query.at("warehouse_id"), "tags": query.at("tags"), "parent": query.at("parent_path"), "user": legacy_user(),
        "user_id": USER_ID, "is_archived": query.text_at("lifecycle_state") != "ACTIVE", "is_draft": false, "can_edit": true,
        "permission_tier": "CAN_MANAGE", "run_as_role": "owner", "options": {"parameters": []}, "visualizations": [],
        "created_at": query.at("create_time"), "updated_at": query.at("update_time")})
}

/// The fields of a legacy body as the newer API names them.
fn modern(fields: &Map<String, Value>) -> Map<String, Value> {
    let names = [
        ("name", "display_name"),
        ("description", "description"),
        ("query", "query_text"),
        ("data_source_id", "warehouse_id"),
        ("parent", "parent_path"),
        ("tags", "tags"),
    ];
    let told = names.iter().filter_map(|(old, new)| Some(((*new).to_owned(), fields.get(*old)?.clone())));
    told.collect()
}

/// Pages by number.
fn list_legacy(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("page_size")?, 25, 100)?;
    let number = usize::try_from(request.query_integer("page")?.unwrap_or(1).max(1)).unwrap_or(1);
    let wanted = request.query("q").unwrap_or_default().to_lowercase();
    let mut all = QUERIES.all(workspace);
    all.retain(|query| {
        query.text_at("lifecycle_state") == "ACTIVE" && query.text_at("display_name").to_lowercase().contains(&wanted)
    });
    let results: Vec<_> = all.iter().skip((number - 1).saturating_mul(size)).take(size).map(legacy).collect();
    Ok(Reply::json(json!({"count": all.len(), "page": number, "page_size": size, "results": results})))
}

fn get_legacy(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(legacy(&QUERIES.get(workspace, request.parameter("id"))?)))
}

fn create_legacy(workspace: &Workspace, request: &Request) -> Outcome {
    let id = workspace.ids.uuid();
    let query = stamp(workspace, &id, Value::Object(modern(&request.fields()?.0)));
    QUERIES.put(workspace, &id, query.clone());
    Ok(Reply::json(legacy(&query)))
}

fn update_legacy(workspace: &Workspace, request: &Request) -> Outcome {
    let changes = modern(&request.fields()?.0);
    Ok(Reply::json(legacy(&merge(workspace, request.parameter("id"), changes)?)))
}

fn restore_legacy(workspace: &Workspace, request: &Request) -> Outcome {
    let active = [("lifecycle_state".to_owned(), json!("ACTIVE"))].into_iter().collect();
    merge(workspace, request.parameter("id"), active).map(|_| Reply::nothing())
}

/// A warehouse is what queries run on, so its id serves as that of a data source.
fn data_sources(workspace: &Workspace, _: &Request) -> Outcome {
    let warehouses = lock(&workspace.warehouses);
    let sources = warehouses.by_id.keys().map(|id| {
        json!({"id": id, "name": format!("Warehouse {id}"), "warehouse_id": id, "type": "databricks_internal", "syntax": "sql",
            "paused": 0, "view_only": false, "supports_auto_limit": true})
    });
    Ok(Reply::json(sources.collect()))
}
