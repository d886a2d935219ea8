//! Libraries on clusters: installed after a while, uninstalled when the cluster restarts.
//!
//! Derived: how long an installation takes. A PyPI package whose name starts with `missing` fails to install.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clock::Lapse;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{Workspace, lock};

const INSTALL: Lapse = Lapse::new(400, 20_000);

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/libraries/cluster-status", status),
    route("GET", "/api/2.0/libraries/all-cluster-statuses", all),
    route("POST", "/api/2.0/libraries/install", install),
    route("POST", "/api/2.0/libraries/uninstall", uninstall),
];

#[derive(Debug)]
struct Installed {
    library: Value,
    ready: i64,
    leaving: bool,
}

/// Libraries by cluster.
#[derive(Debug, Default)]
pub(crate) struct Libraries(BTreeMap<String, Vec<Installed>>);

impl Libraries {
    pub(crate) fn seed(&mut self, cluster: &str, library: Value, at: i64) {
        self.0.entry(cluster.to_owned()).or_default().push(Installed { library, ready: at, leaving: false });
    }
}

impl Installed {
    fn json(&self, now: i64) -> Value {
        let package = self.library.at("pypi").at("package").as_str().unwrap_or_default();
        let failed = package.starts_with("missing");
        let status = match (self.leaving, now < self.ready, failed) {
            (true, ..) => "UNINSTALL_ON_RESTART",
            (_, true, _) => "INSTALLING",
            (_, _, true) => "FAILED",
            _ => "INSTALLED",
        };
        let mut json = json!({"library": self.library, "status": status, "is_library_for_all_clusters": false});
        if status == "FAILED" {
            json.set("messages", json!([format!("Could not find a version that satisfies the requirement {package}")]));
        }
        json
    }
}

fn check(workspace: &Workspace, cluster: &str) -> Result<(), ApiError> {
    match lock(&workspace.clusters).0.contains_key(cluster) {
        true => Ok(()),
        false => Err(ApiError::invalid_parameter(format!("Cluster {cluster} does not exist"))),
    }
}

fn told(workspace: &Workspace, cluster: &str) -> Value {
    let now = workspace.clock.now();
    let libraries = lock(&workspace.libraries);
    let statuses: Vec<_> =
        libraries.0.get(cluster).into_iter().flatten().map(|installed| installed.json(now)).collect();
    json!({"cluster_id": cluster, "library_statuses": statuses})
}

fn status(workspace: &Workspace, request: &Request) -> Outcome {
    let cluster = request.required_query("cluster_id")?;
    check(workspace, cluster)?;
    Ok(Reply::json(told(workspace, cluster)))
}

fn all(workspace: &Workspace, _: &Request) -> Outcome {
    let clusters: Vec<_> = lock(&workspace.libraries).0.keys().cloned().collect();
    let statuses: Vec<_> = clusters.iter().map(|cluster| told(workspace, cluster)).collect();
    Ok(Reply::json(json!({"statuses": statuses})))
}

fn install(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let cluster = fields.required_text("cluster_id")?;
    check(workspace, cluster)?;
    if !super::clusters::is_running(workspace, cluster) {
        return Err(ApiError::invalid_state(format!(
            "Cluster {cluster} is not running; start it to install libraries."
        )));
    }
    let ready = workspace.clock.now() + workspace.clock.lapse(INSTALL);
    let mut libraries = lock(&workspace.libraries);
    let installed = libraries.0.entry(cluster.to_owned()).or_default();
    for library in fields.array("libraries")? {
        installed.retain(|known| known.library != *library);
        installed.push(Installed { library: library.clone(), ready, leaving: false });
    }
    Ok(Reply::nothing())
}

fn uninstall(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let cluster = fields.required_text("cluster_id")?;
    check(workspace, cluster)?;
    let asked = fields.array("libraries")?;
    for installed in lock(&workspace.libraries).0.entry(cluster.to_owned()).or_default() {
        installed.leaving |= asked.contains(&installed.library);
    }
    Ok(Reply::nothing())
}

/// A cluster starts anew.
pub(crate) fn restarted(workspace: &Workspace, cluster: &str) {
    if let Some(installed) = lock(&workspace.libraries).0.get_mut(cluster) {
        installed.retain(|installed| !installed.leaving);
    }
}
