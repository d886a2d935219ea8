//! Who calls, and the discovery documents that need no token.
//!
//! Derived: the SCIM form of the one user.

use serde_json::json;

use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, public, route};
use crate::workspace::{USER, USER_ID, Workspace};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/preview/scim/v2/Me", me),
    public("GET", "/.well-known/databricks-config", config),
    public("GET", "/oidc/.well-known/oauth-authorization-server", discovery),
];

fn me(_: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:workspace:2.0:User"],
        "id": USER_ID.to_string(), "userName": USER, "displayName": "Sandbox User", "active": true,
        "name": {"givenName": "Sandbox", "familyName": "User"},
        "emails": [{"type": "work", "value": USER, "primary": true}],
        "groups": [{"display": "users", "type": "direct", "value": "100000000000001", "$ref": "Groups/100000000000001"}],
        "entitlements": [{"value": "workspace-access"}, {"value": "databricks-sql-access"}],
    })))
}

fn config(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({
        "oidc_endpoint": format!("{}/oidc", workspace.url()), "workspace_id": workspace.id().to_string(),
        "host_type": "workspace", "cloud": "AWS",
    })))
}

fn discovery(workspace: &Workspace, _: &Request) -> Outcome {
    let url = workspace.url();
    Ok(Reply::json(json!({
        "issuer": format!("{url}/oidc"), "authorization_endpoint": format!("{url}/oidc/v1/authorize"),
        "token_endpoint": format!("{url}/oidc/v1/token"), "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
        "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["all-apis", "offline_access"],
    })))
}
