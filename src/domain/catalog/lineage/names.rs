//! Names and paths of what lies between tables: lineage itself has only ids.

use std::collections::{BTreeMap, BTreeSet};

use databricks::requests::dashboards::lakeview;
use databricks::requests::jobs::jobs;
use databricks::requests::pipelines::pipelines;
use databricks::requests::sql::queries;
use databricks::requests::workspace::workspace;
use databricks::{Arguments, Operation, Request};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::context::Context;
use crate::domain::catalog::lineage::graph::Edge;
use crate::domain::request;
use crate::shape;

/// Requests for names that one call makes.
const MOST_REQUESTS: usize = 24;
/// How many of them at the same time.
const PARALLEL: usize = 4;

/// The kinds of things that have a name to look up, the first ones first.
const KINDS: [&str; 4] = ["jobs", "pipelines", "dashboards", "queries"];

/// A request for a thing, as what is sent.
type Call = (&'static Operation, Arguments);

fn call<R: Request>(request: R) -> Call {
    (R::OPERATION, request.into_arguments())
}

/// The request for the thing of a kind with this id, and where the answer has its name.
fn request(kind: &str, id: &str) -> Option<(Call, &'static str)> {
    Some(match kind {
        "jobs" => (call(jobs::Get::new(id.parse::<i64>().ok()?)), "settings.name"),
        "pipelines" => (call(pipelines::Get::new(id)), "name"),
        "dashboards" => (call(lakeview::Get::new(id)), "display_name"),
        "queries" => (call(queries::Get::new(id)), "display_name"),
        _ => return None,
    })
}

/// What is known of the ids of a lineage.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// `name` and `path`, as far as there are any, by kind and id.
    known: BTreeMap<(String, String), Value>,
    /// Whether some were not looked up.
    pub(crate) is_cut: bool,
}

impl Names {
    /// Looks up what lies between these tables. What cannot be read stays an id.
    pub(crate) async fn look_up<'a>(context: &Context, edges: impl Iterator<Item = &'a Edge>) -> Self {
        let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (kind, of_kind) in edges.flat_map(|edge| &edge.between) {
            ids.entry(kind).or_default().extend(of_kind.iter().map(String::as_str));
        }
        let requests = KINDS.iter().flat_map(|kind| {
            let of_kind = ids.get(kind).into_iter().flatten();
            of_kind.filter_map(|id| {
                let (call, name) = request(kind, id)?;
                Some((((*kind).to_owned(), (*id).to_owned(), name), call))
            })
        });
        let mut names = Self::default();
        let mut requests: Vec<_> = requests.collect();
        names.is_cut = requests.len() > MOST_REQUESTS;
        requests.truncate(MOST_REQUESTS);
        let room = MOST_REQUESTS - requests.len();
        let mut paths = BTreeSet::new();
        for ((kind, id, name), found) in read(context, requests).await {
            paths.extend(notebooks(&found));
            let mut known = json!({});
            for (field, place) in [("name", name), ("path", "path")] {
                if let Some(text) = shape::at(&found, place).filter(|text| text.is_string()) {
                    shape::put(&mut known, field, text.clone());
                }
            }
            names.known.insert((kind, id), known);
        }
        if let Some(wanted) = ids.get("notebooks") {
            names.find_notebooks(context, wanted, paths, room).await;
        }
        names
    }

    /// No request gives the path of a notebook's id. But the jobs and pipelines that run it name its path, and a path
    /// gives an id.
    async fn find_notebooks(
        &mut self,
        context: &Context,
        wanted: &BTreeSet<&str>,
        paths: BTreeSet<String>,
        room: usize,
    ) {
        self.is_cut |= paths.len() > room;
        let requests = paths.into_iter().take(room).map(|path| {
            let status = call(workspace::GetStatus::new(&path));
            (path, status)
        });
        for (path, found) in read(context, requests.collect()).await {
            let id = request::integer(&found, "object_id").map(|id| id.to_string());
            if let Some(id) = id.filter(|id| wanted.contains(id.as_str())) {
                self.known.insert(("notebooks".to_owned(), id), json!({ "path": path }));
            }
        }
    }

    /// An id as an answer tells it.
    pub(crate) fn to_json(&self, kind: &str, id: &str) -> Value {
        let mut told = json!({ "id": id });
        let known = self.known.get(&(kind.to_owned(), id.to_owned()));
        for (name, value) in known.and_then(Value::as_object).into_iter().flatten() {
            shape::put(&mut told, name, value.clone());
        }
        told
    }
}

/// The notebooks of the workspace tree that a job's tasks or a pipeline run.
fn notebooks(definition: &Value) -> Vec<String> {
    let tasks = shape::at(definition, "settings.tasks").and_then(Value::as_array).into_iter().flatten();
    let tasks = tasks.filter_map(|task| {
        let inner = shape::at(task, "for_each_task.task.notebook_task.notebook_path");
        shape::at(task, "notebook_task.notebook_path").or(inner)
    });
    let libraries = shape::at(definition, "spec.libraries").and_then(Value::as_array).into_iter().flatten();
    let libraries = libraries.filter_map(|library| shape::at(library, "notebook.path"));
    let paths = tasks.chain(libraries).filter_map(Value::as_str);
    // Others are within a Git repository.
    paths.filter(|path| path.starts_with('/')).map(str::to_owned).collect()
}

/// What requests that read gave, with their keys. Those that fail are left out.
async fn read<K: Send + 'static>(context: &Context, requests: Vec<(K, Call)>) -> Vec<(K, Value)> {
    let mut requests = requests.into_iter();
    let mut found = Vec::new();
    let mut reads = JoinSet::new();
    loop {
        for (key, (operation, arguments)) in requests.by_ref().take(PARALLEL - reads.len()) {
            let client = context.client.clone();
            reads.spawn(async move { (key, client.execute(operation, arguments).await) });
        }
        match reads.join_next().await {
            Some(Ok((key, Ok(answer)))) => found.push((key, answer.into_json().unwrap_or_default())),
            Some(Ok((_, Err(error)))) => tracing::debug!(%error, "a name was not found"),
            Some(Err(error)) => tracing::debug!(%error, "a name was not looked up"),
            None => return found,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::notebooks;

    #[test]
    fn jobs_and_pipelines_name_their_notebooks() {
        let job = json!({ "settings": { "tasks": [
            { "notebook_task": { "notebook_path": "/Shared/a" } },
            { "for_each_task": { "task": { "notebook_task": { "notebook_path": "/Shared/b" } } } },
            { "notebook_task": { "notebook_path": "in/git" } },
            { "sql_task": {} },
        ] } });
        assert_eq!(notebooks(&job), ["/Shared/a", "/Shared/b"]);
        let pipeline = json!({ "spec": { "libraries": [{ "notebook": { "path": "/Shared/c" } }, { "file": {} }] } });
        assert_eq!(notebooks(&pipeline), ["/Shared/c"]);
        assert!(notebooks(&json!({ "display_name": "d" })).is_empty());
    }
}
