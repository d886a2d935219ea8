//! Knowledge assistants and the documents that they answer from.
//!
//! Nobody answers: an assistant and its sources are kept, and ready at once. Derived: the texts of refusals.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::{Kind, masked};
use crate::text::rfc3339;
use crate::workspace::{USER, Workspace};

const ASSISTANTS: Kind = Kind { name: "knowledge-assistants", missing: no };
const SOURCES: Kind = Kind { name: "knowledge-sources", missing: no };

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/knowledge-assistants", |w, r| {
        page::asked("knowledge_assistants", ASSISTANTS.all(w), r, 20, 100)
    }),
    route("POST", "/api/2.1/knowledge-assistants", create),
    route("GET", "/api/2.1/knowledge-assistants/{id}", |w, r| ASSISTANTS.tell(w, &assistant(r))),
    route("PATCH", "/api/2.1/knowledge-assistants/{id}", |w, r| update(ASSISTANTS, &assistant(r), w, r)),
    route("DELETE", "/api/2.1/knowledge-assistants/{id}", delete),
    route("GET", "/api/2.1/knowledge-assistants/{id}/knowledge-sources", sources),
    route("POST", "/api/2.1/knowledge-assistants/{id}/knowledge-sources", create_source),
    route("GET", "/api/2.1/knowledge-assistants/{id}/knowledge-sources/{source}", |w, r| SOURCES.tell(w, &source(r))),
    route("PATCH", "/api/2.1/knowledge-assistants/{id}/knowledge-sources/{source}", |w, r| {
        update(SOURCES, &source(r), w, r)
    }),
    route("DELETE", "/api/2.1/knowledge-assistants/{id}/knowledge-sources/{source}", |w, r| {
        SOURCES.drop(w, &source(r))
    }),
];

fn no(name: &str) -> ApiError {
    ApiError::not_found(format!("'{name}' does not exist."))
}

fn assistant(request: &Request) -> String {
    format!("knowledge-assistants/{}", request.parameter("id"))
}

fn source(request: &Request) -> String {
    format!("{}/knowledge-sources/{}", assistant(request), request.parameter("source"))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let title = fields.required_text("display_name")?.to_owned();
    fields.required_text("description")?;
    let id = workspace.ids.uuid();
    let name = format!("knowledge-assistants/{id}");
    let mut made = Value::Object(fields.0);
    made.merge(
        json!({"name": name, "id": id, "creator": USER, "state": "ACTIVE", "endpoint_name": format!("ka-{id:.8}"),
        "create_time": rfc3339(workspace.clock.now())})
        .as_object()
        .cloned()
        .unwrap_or_default(),
    );
    match ASSISTANTS.add_unless(workspace, &name, made.clone(), |_, known| known.text_at("display_name") == title) {
        true => Ok(Reply::json(made)),
        false => Err(ApiError::conflict("ALREADY_EXISTS", format!("An assistant named '{title}' exists already."))),
    }
}

fn update(kind: Kind, name: &str, workspace: &Workspace, request: &Request) -> Outcome {
    let changes = masked(&request.fields()?.0, request.required_query("update_mask")?);
    kind.merge(workspace, name, changes).map(Reply::json)
}

/// Removes an assistant with its sources.
fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let name = assistant(request);
    ASSISTANTS.remove(workspace, &name)?;
    let inside = format!("{name}/");
    SOURCES.remove_all(workspace, |source| source.text_at("name").starts_with(&inside));
    Ok(Reply::nothing())
}

fn sources(workspace: &Workspace, request: &Request) -> Outcome {
    let name = assistant(request);
    ASSISTANTS.get(workspace, &name)?;
    let inside = format!("{name}/");
    let own = SOURCES.all(workspace).into_iter().filter(|source| source.text_at("name").starts_with(&inside));
    page::asked("knowledge_sources", own.collect(), request, 20, 100)
}

fn create_source(workspace: &Workspace, request: &Request) -> Outcome {
    let (assistant, fields) = (assistant(request), request.fields()?);
    ASSISTANTS.get(workspace, &assistant)?;
    let kind = fields.required_text("source_type")?;
    if fields.object(kind)?.is_none() {
        return Err(ApiError::missing_field(kind));
    }
    let id = workspace.ids.uuid();
    let name = format!("{assistant}/knowledge-sources/{id}");
    let mut made = Value::Object(fields.0);
    made.merge(
        json!({"name": name, "id": id, "state": "UPDATED", "create_time": rfc3339(workspace.clock.now())})
            .as_object()
            .cloned()
            .unwrap_or_default(),
    );
    SOURCES.put(workspace, &name, made.clone());
    Ok(Reply::json(made))
}
