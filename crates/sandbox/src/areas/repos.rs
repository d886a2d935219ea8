//! Repos, which are clones in the workspace tree, and the git credentials to make them with.
//!
//! No remote is asked: a clone holds a few files of the sandbox's own, and a branch is what its name says. Derived: the
//! texts of refusals.

use serde_json::{Value, json};

use super::objects;
use crate::error::ApiError;
use crate::ids::mix;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::store::Kind;
use crate::workspace::{USER, Workspace};

pub(crate) const REPOS: Kind =
    Kind { name: "repos", missing: |id| ApiError::does_not_exist(format!("Repo {id} could not be found.")) };
const CREDENTIALS: Kind = Kind {
    name: "git-credentials",
    missing: |id| ApiError::does_not_exist(format!("Git credential with ID {id} could not be found.")),
};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/repos", list),
    route("POST", "/api/2.0/repos", create),
    route("GET", "/api/2.0/repos/{repo_id}", |w, r| REPOS.tell(w, r.parameter("repo_id"))),
    route("PATCH", "/api/2.0/repos/{repo_id}", update),
    route("DELETE", "/api/2.0/repos/{repo_id}", delete),
    route("GET", "/api/2.0/git-credentials", credentials),
    route("POST", "/api/2.0/git-credentials", create_credential),
    route("GET", "/api/2.0/git-credentials/{id}", |w, r| CREDENTIALS.tell(w, r.parameter("id"))),
    route("PATCH", "/api/2.0/git-credentials/{id}", update_credential),
    route("DELETE", "/api/2.0/git-credentials/{id}", |w, r| CREDENTIALS.drop(w, r.parameter("id"))),
];

const PAGE: usize = 20;

const PROVIDERS: [&str; 9] = [
    "gitHub",
    "bitbucketCloud",
    "gitLab",
    "azureDevOpsServices",
    "gitHubEnterprise",
    "bitbucketServer",
    "gitLabEnterpriseEdition",
    "awsCodeCommit",
    "azureDevOpsServicesAad",
];

/// What a fresh clone holds.
const FILES: [(&str, &str); 3] = [
    ("README.md", "# A repository\n\nThe sandbox made it up.\n"),
    ("src/main.py", "print(\"hello from the repository\")\n"),
    ("jobs/orders.sql", "SELECT count(*) FROM samples.retail.orders\n"),
];

fn provider(fields: &Fields, name: &str) -> Result<(), ApiError> {
    let given = fields.required_text(name)?;
    match PROVIDERS.iter().any(|known| known.eq_ignore_ascii_case(given)) {
        true => Ok(()),
        false => Err(ApiError::invalid_parameter(format!(
            "Unknown git provider '{given}': expected one of {}",
            PROVIDERS.join(", ")
        ))),
    }
}

/// A commit that a branch or tag of a repository stands for.
fn commit(url: &str, reference: &str) -> String {
    let seed = url.bytes().chain(reference.bytes()).fold(3, |hash, byte| mix(hash ^ u64::from(byte)));
    format!("{:016x}{:016x}{:08x}", mix(seed), mix(seed ^ 1), mix(seed ^ 2) >> 32)
}

/// Makes a clone at a path whose folder is there.
pub(crate) fn clone(
    workspace: &Workspace,
    path: &str,
    url: &str,
    provider: &str,
    sparse: Value,
) -> Result<Value, ApiError> {
    let path = objects::normal(path)?;
    objects::place(workspace, &path, objects::Kind::Repo, "")?;
    for (name, content) in FILES {
        let file = format!("{path}/{name}");
        if let Some((folder, _)) = file.rsplit_once('/') {
            crate::workspace::lock(&workspace.objects).make_directories(folder, workspace)?;
        }
        objects::place(workspace, &file, objects::Kind::File, content)?;
    }
    let id = objects::id_of(workspace, &path).unwrap_or_default();
    let mut repo = json!({"id": id, "path": path, "url": url, "provider": provider, "branch": "main", "head_commit_id": commit(url, "main")});
    if !sparse.is_null() {
        repo.set("sparse_checkout", sparse);
    }
    REPOS.put(workspace, &id.to_string(), repo.clone());
    Ok(repo)
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let prefix = match request.query("path_prefix") {
        None | Some("") => "/".to_owned(),
        Some(prefix) => objects::normal(prefix)?,
    };
    let mut all = REPOS.all(workspace);
    all.retain(|repo| repo.text_at("path").starts_with(&prefix));
    if all.is_empty() {
        return Ok(Reply::nothing());
    }
    page::told("repos", all, PAGE, request.query("next_page_token"))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    provider(&fields, "provider")?;
    let url = fields.required_text("url")?;
    if !url.starts_with("https://") {
        return Err(ApiError::invalid_parameter(format!(
            "Invalid git repository URL '{url}': it must start with https://"
        )));
    }
    if let Some(credential) = fields.integer("git_credential_id")? {
        CREDENTIALS.get(workspace, &credential.to_string())?;
    }
    let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default().trim_end_matches(".git");
    let path = fields.text("path")?.map_or_else(|| format!("/Repos/{USER}/{name}"), str::to_owned);
    let sparse = fields.get("sparse_checkout").cloned().unwrap_or_default();
    clone(workspace, &path, url, fields.required_text("provider")?, sparse).map(Reply::json)
}

fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (branch, tag) = (fields.text("branch")?, fields.text("tag")?);
    if branch.is_some() && tag.is_some() {
        return Err(ApiError::invalid_parameter("Only one of branch and tag can be checked out"));
    }
    REPOS.change(workspace, request.parameter("repo_id"), |repo| {
        if let Some(reference) = branch.or(tag) {
            if reference.starts_with("missing") {
                return Err(ApiError::does_not_exist(format!(
                    "Branch or tag '{reference}' does not exist in the remote."
                )));
            }
            let head = commit(repo.text_at("url"), reference);
            repo.set("head_commit_id", head);
            // With a tag the head is on no branch.
            repo.set("branch", branch.map_or(Value::Null, Value::from));
            if branch.is_none() {
                *repo = repo.take().without(&["branch"]);
            }
        }
        if let Some(sparse) = fields.get("sparse_checkout") {
            repo.set("sparse_checkout", sparse.clone());
        }
        Ok(Reply::nothing())
    })
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let gone = REPOS.remove(workspace, request.parameter("repo_id"))?;
    objects::take(workspace, gone.text_at("path"));
    Ok(Reply::nothing())
}

/// A repo went with its folder.
pub(super) fn forget(workspace: &Workspace, path: &str) {
    let prefix = format!("{path}/");
    REPOS.remove_all(workspace, |repo| repo.text_at("path") == path || repo.text_at("path").starts_with(&prefix));
}

fn credentials(workspace: &Workspace, _: &Request) -> Outcome {
    let all = CREDENTIALS.all(workspace);
    Ok(Reply::json(if all.is_empty() { json!({}) } else { json!({"credentials": all}) }))
}

/// What of a credential is kept: the token is taken and forgotten.
fn kept(fields: &Fields, id: i64) -> Value {
    let mut json = Value::Object(fields.0.clone()).without(&["personal_access_token", "principal_id"]);
    json.set("credential_id", id);
    json
}

/// Adds a credential.
pub(crate) fn seed_credential(workspace: &Workspace, provider: &str, user: &str) {
    let id = workspace.ids.number();
    CREDENTIALS.put(
        workspace,
        &id.to_string(),
        json!({"credential_id": id, "git_provider": provider, "git_username": user}),
    );
}

fn create_credential(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    provider(&fields, "git_provider")?;
    let id = workspace.ids.number();
    let credential = kept(&fields, id);
    let same = |_: &str, known: &Value| {
        ["git_provider", "git_username", "name"].iter().all(|name| known.at(name) == credential.at(name))
    };
    if !CREDENTIALS.add_unless(workspace, &id.to_string(), credential.clone(), same) {
        let message = "A Git credential for this provider, user and name exists already: update it instead";
        return Err(ApiError::new(400, "RESOURCE_ALREADY_EXISTS", message));
    }
    Ok(Reply::json(credential))
}

fn update_credential(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    provider(&fields, "git_provider")?;
    CREDENTIALS.change(workspace, request.parameter("id"), |known| {
        let id = known.at("credential_id").as_i64().unwrap_or_default();
        known.merge(kept(&fields, id).as_object().cloned().unwrap_or_default());
        Ok(Reply::nothing())
    })
}
