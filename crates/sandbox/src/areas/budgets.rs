//! Budgets of the account, and who may enter which workspace of it.
//!
//! Nothing is spent. The account has this one workspace. Derived: the texts of refusals.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::Workspace;

const BUDGETS: Kind =
    Kind { name: "budgets", missing: |id| ApiError::not_found(format!("The budget {id} does not exist.")) };
const ASSIGNMENTS: Kind = Kind {
    name: "workspace-assignments",
    missing: |id| ApiError::not_found(format!("The principal {id} is not assigned to the workspace.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/accounts/{account}/budgets", |w, r| page::asked("budgets", BUDGETS.all(w), r, 100, 1_000)),
    route("POST", "/api/2.1/accounts/{account}/budgets", create),
    route("GET", "/api/2.1/accounts/{account}/budgets/{id}", get),
    route("PUT", "/api/2.1/accounts/{account}/budgets/{id}", update),
    route("DELETE", "/api/2.1/accounts/{account}/budgets/{id}", |w, r| BUDGETS.drop(w, r.parameter("id"))),
    route("GET", "/api/2.0/accounts/{account}/workspaces/{workspace}/permissionassignments", assignments),
    route("PUT", "/api/2.0/accounts/{account}/workspaces/{workspace}/permissionassignments/principals/{id}", assign),
    route(
        "DELETE",
        "/api/2.0/accounts/{account}/workspaces/{workspace}/permissionassignments/principals/{id}",
        withdraw,
    ),
];

/// What a body says of a budget.
fn body(request: &Request) -> Result<Value, ApiError> {
    let budget = request.fields()?.object("budget")?.cloned().ok_or_else(|| ApiError::missing_field("budget"))?;
    Ok(Value::Object(budget))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let (id, now) = (workspace.ids.uuid(), workspace.clock.now());
    let mut budget = body(request)?;
    budget.set("budget_configuration_id", id.as_str());
    budget.set("account_id", request.parameter("account"));
    budget.set("create_time", now);
    budget.set("update_time", now);
    BUDGETS.put(workspace, &id, budget.clone());
    Ok(Reply::json(json!({"budget": budget})))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(json!({"budget": BUDGETS.get(workspace, request.parameter("id"))?})))
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let mut changes = body(request)?;
    changes.set("update_time", workspace.clock.now());
    let changes = changes.without(&["budget_configuration_id", "account_id", "create_time"]);
    let changes = changes.as_object().cloned().unwrap_or_default();
    let budget = BUDGETS.merge(workspace, request.parameter("id"), changes)?;
    Ok(Reply::json(json!({"budget": budget})))
}

/// The assignment of a principal in one workspace.
fn key(request: &Request) -> String {
    format!("{}/{}", request.parameter("workspace"), request.parameter("id"))
}

fn assignments(workspace: &Workspace, request: &Request) -> Outcome {
    let here = request.parameter("workspace");
    let all = ASSIGNMENTS.all(workspace).into_iter().filter(|assignment| assignment.text_at("workspace") == here);
    let shown: Vec<_> = all.map(|assignment| assignment.without(&["workspace"])).collect();
    Ok(Reply::json(json!({"permission_assignments": shown})))
}

fn assign(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let principal: i64 = request
        .parameter("id")
        .parse()
        .map_err(|_| ApiError::invalid_parameter("The id of a principal is a number."))?;
    let permissions = fields.array("permissions")?;
    let assignment = json!({"workspace": request.parameter("workspace"), "permissions": permissions,
        "principal": {"principal_id": principal}});
    match permissions.is_empty() {
        true => ASSIGNMENTS.remove_all(workspace, |known| *known == assignment || same(known, &assignment)),
        false => ASSIGNMENTS.put(workspace, &key(request), assignment.clone()),
    }
    Ok(Reply::json(assignment.without(&["workspace"])))
}

fn same(one: &Value, other: &Value) -> bool {
    ["workspace", "principal"].iter().all(|name| one.at(name) == other.at(name))
}

fn withdraw(workspace: &Workspace, request: &Request) -> Outcome {
    ASSIGNMENTS.drop(workspace, &key(request))
}
