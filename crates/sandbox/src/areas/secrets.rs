//! Secret scopes and the names of secrets, never their values. Repos as well, which are listed only.
//!
//! Derived: all fixed values.

use std::collections::BTreeMap;

use serde_json::json;

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/secrets/scopes/list", scopes),
    route("GET", "/api/2.0/secrets/list", list),
    route("GET", "/api/2.0/repos", repos),
    route("GET", "/api/2.0/repos/{repo_id}", repo),
    route("GET", "/api/2.0/git-credentials", credentials),
];

/// The keys of each scope, and when each was written.
#[derive(Debug, Default)]
pub(crate) struct Secrets(pub(crate) BTreeMap<String, BTreeMap<String, i64>>);

fn scopes(workspace: &Workspace, _: &Request) -> Outcome {
    let secrets = lock(&workspace.secrets);
    let scopes: Vec<_> = secrets.0.keys().map(|name| json!({"name": name, "backend_type": "DATABRICKS"})).collect();
    Ok(Reply::json(json!({"scopes": scopes})))
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let scope = request.required_query("scope")?;
    let secrets = lock(&workspace.secrets);
    let keys =
        secrets.0.get(scope).ok_or_else(|| ApiError::does_not_exist(format!("Scope {scope} does not exist!")))?;
    let keys: Vec<_> = keys.iter().map(|(key, at)| json!({"key": key, "last_updated_timestamp": at})).collect();
    Ok(Reply::json(json!({"secrets": keys})))
}

const REPO: i64 = 300_000_000_000_001;

fn repo_json() -> serde_json::Value {
    json!({"id": REPO, "path": format!("/Repos/{USER}/retail-pipelines"), "url": "https://git.example.test/acme/retail-pipelines.git",
        "provider": "gitHub", "branch": "main", "head_commit_id": "3f1d2c4b5a69788796a5b4c3d2e1f00112233445"})
}

fn repos(_: &Workspace, request: &Request) -> Outcome {
    let repo = repo_json();
    let prefix = request.query("path_prefix").unwrap_or_default();
    let wanted = repo.at("path").as_str().is_some_and(|path| path.starts_with(prefix));
    Ok(Reply::json(if wanted { json!({"repos": [repo]}) } else { json!({}) }))
}

fn repo(_: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("repo_id");
    if id == REPO.to_string() {
        Ok(Reply::json(repo_json()))
    } else {
        Err(ApiError::does_not_exist(format!("Repo {id} could not be found.")))
    }
}

fn credentials(_: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(
        json!({"credentials": [{"credential_id": 200_000_000_000_001_i64, "git_provider": "gitHub", "git_username": "sandbox-user"}]}),
    ))
}
