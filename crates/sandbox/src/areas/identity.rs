//! The discovery documents, which need no token.

use serde_json::json;

use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, public};
use crate::workspace::Workspace;

pub(crate) const ROUTES: &[Route] = &[
    public("GET", "/.well-known/databricks-config", config),
    public("GET", "/oidc/.well-known/oauth-authorization-server", discovery),
];

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
        "token_endpoint": format!("{url}/oidc/v1/token"), "grant_types_supported": ["authorization_code", "refresh_token"],
        "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["all-apis", "offline_access"],
    })))
}
