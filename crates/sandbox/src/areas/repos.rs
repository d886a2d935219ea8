//! Repos and git credentials, which are listed only.
//!
//! Derived: all fixed values.

use serde_json::json;

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/repos", repos),
    route("GET", "/api/2.0/repos/{repo_id}", repo),
    route("GET", "/api/2.0/git-credentials", credentials),
];

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
