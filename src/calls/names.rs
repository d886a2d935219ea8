//! The names of the objects of a request: as it gives them, or looked up where it gives ids.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use databricks::requests::compute::clusters;
use databricks::requests::jobs::jobs;
use databricks::requests::sql::warehouses;
use databricks::{Client, Outgoing, Request};
use serde_json::Value;

use crate::policy::objects::{How, value, volume};
use crate::policy::pattern::{Kind, Object};

/// Names that were looked up for one call, by kind and id.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<(&'static str, String), Option<String>>>);

impl Names {
    /// The objects that values of a request name; `None` where it gives none of the values.
    pub(super) async fn of(
        &self,
        client: &Client,
        kind: Kind,
        how: How,
        names: &[&'static str],
        request: &Outgoing<'_>,
    ) -> Result<Option<Vec<Object>>, String> {
        let given: Vec<_> = names.iter().map_while(|name| value(request.arguments, name)).collect();
        let Some(first) = given.first() else { return Ok(None) };
        let unclear = |what: &str| format!("`{what}` is not a name that says what it means");
        let object = match how {
            How::Name if given.len() == 1 => Object::new(kind, first).ok_or_else(|| unclear(first))?,
            How::Name => {
                // Each may be in quotes.
                let parts = given
                    .iter()
                    .map(|part| kind.parts(part).filter(|parts| parts.len() == 1).ok_or_else(|| unclear(part)));
                Object::of_parts(parts.collect::<Result<Vec<_>, _>>()?.concat())
            }
            How::Rename => {
                let [old, new] = given.as_slice() else { return Ok(None) };
                let mut parts = kind.parts(old).ok_or_else(|| unclear(old))?;
                let new = kind.parts(new).filter(|new| new.len() == 1).ok_or_else(|| unclear(new))?;
                parts.pop();
                Object::of_parts(parts.into_iter().chain(new).collect())
            }
            How::Volume => Object::of_parts(volume(first).ok_or_else(|| unclear(first))?),
            How::Id | How::Run => match self.look_up(client, kind, how, first).await? {
                Some(name) => Object::new(kind, &name).ok_or_else(|| unclear(&name))?,
                None => return Ok(Some(Vec::new())),
            },
        };
        Ok(Some(vec![object]))
    }

    /// The name of an id. `None` for a run that belongs to no job.
    async fn look_up(&self, client: &Client, kind: Kind, how: How, id: &str) -> Result<Option<String>, String> {
        let key = (if how == How::Run { "runs" } else { kind.name() }, id.to_owned());
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let failed = || format!("the name of `{id}` of {} cannot be read", key.0);
        let number = || id.parse::<i64>().map_err(|_| failed());
        let text = |value: &Value, name: &str| value.pointer(name).and_then(Value::as_str).map(str::to_owned);
        let name = match (kind, how) {
            (Kind::Jobs, How::Run) => {
                let run = value_of(client, jobs::GetRun::new(number()?)).await.ok_or_else(failed)?;
                match run.get("job_id").and_then(Value::as_i64) {
                    // A run that was submitted has an id of a job that nobody can read, and a name of its own.
                    Some(job) => match value_of(client, jobs::Get::new(job)).await {
                        Some(job) => Some(text(&job, "/settings/name").ok_or_else(failed)?),
                        None if run.get("run_type").is_some_and(|kind| kind == "SUBMIT_RUN") => None,
                        None => return Err(failed()),
                    },
                    None => return Err(failed()),
                }
            }
            (Kind::Jobs, _) => {
                let job = value_of(client, jobs::Get::new(number()?)).await.ok_or_else(failed)?;
                Some(text(&job, "/settings/name").ok_or_else(failed)?)
            }
            (Kind::Clusters, _) => {
                let cluster = value_of(client, clusters::Get::new(id)).await.ok_or_else(failed)?;
                Some(text(&cluster, "/cluster_name").ok_or_else(failed)?)
            }
            (Kind::Warehouses, _) => {
                let warehouse = value_of(client, warehouses::Get::new(id)).await.ok_or_else(failed)?;
                Some(text(&warehouse, "/name").ok_or_else(failed)?)
            }
            (Kind::Data | Kind::Paths, _) => return Err(failed()),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, name.clone());
        Ok(name)
    }
}

/// What an object is, where it can be read.
async fn value_of<R: Request>(client: &Client, request: R) -> Option<Value> {
    client.execute(R::OPERATION, request.into_arguments()).await.ok()?.into_json()
}
