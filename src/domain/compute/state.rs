//! What clusters and SQL warehouses have in common: they take time to start and to stop, others start and stop them
//! too, and either may fail.

use databricks::requests::compute::clusters;
use databricks::requests::sql::warehouses;
use databricks::{Client, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::domain::request::identifier;
use crate::error::Error;
use crate::shape;

/// Which of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ComputeKind {
    Cluster,
    Warehouse,
}

/// What a state means, whatever the API calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    Starting,
    Stopping,
    Stopped,
    /// It will never run again, or not without somebody's help.
    Broken,
}

/// A cluster or warehouse as it is at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Compute {
    pub(crate) phase: Phase,
    /// Its state in the words of the API.
    pub(crate) state: String,
    /// Since when it is stopped, in milliseconds since 1970.
    pub(crate) stopped: Option<i64>,
    /// All that the API tells.
    facts: Value,
}

impl ComputeKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Warehouse => "warehouse",
        }
    }

    /// The cluster or warehouse as it is now.
    pub(crate) async fn get(self, context: &Context, id: &str) -> Result<Compute, Error> {
        let facts = match self {
            Self::Cluster => context.send(clusters::Get::new(id)).await,
            Self::Warehouse => context.send(warehouses::Get::new(id)).await,
        };
        Ok(Compute::new(facts?))
    }

    /// Asks the workspace to start it, which does no harm when it is asked for twice.
    pub(crate) async fn start(self, client: &Client, id: &str) -> Result<(), databricks::Error> {
        match self {
            Self::Cluster => client.send(clusters::Start::new(id).idempotent(true)).await,
            Self::Warehouse => client.send(warehouses::Start::new(id).idempotent(true)).await,
        }
    }

    /// Asks the workspace to stop it, which does no harm when it is asked for twice.
    pub(crate) async fn stop(self, client: &Client, id: &str) -> Result<(), databricks::Error> {
        match self {
            Self::Cluster => client.send(clusters::Delete::new(id).idempotent(true)).await,
            Self::Warehouse => client.send(warehouses::Stop::new(id).idempotent(true)).await,
        }
    }

    /// The page where people see it.
    fn page(self, context: &Context, id: &str) -> String {
        let host = context.client.host();
        match self {
            Self::Cluster => format!("{host}/compute/clusters/{id}"),
            Self::Warehouse => format!("{host}/sql/warehouses/{id}"),
        }
    }

    /// The answer about a cluster or warehouse.
    pub(crate) fn answer(self, context: &Context, id: &str, compute: &Compute) -> Value {
        let (id_field, fields): (_, &[&str]) = match self {
            Self::Cluster => (
                "cluster_id",
                &["cluster_name", "spark_version", "num_workers", "autoscale", "autotermination_minutes"],
            ),
            Self::Warehouse => {
                ("warehouse_id", &["name", "cluster_size", "num_clusters", "num_active_sessions", "auto_stop_mins"])
            }
        };
        let mut answer = Map::new();
        answer.insert(id_field.to_owned(), json!(id));
        answer.insert("state".to_owned(), json!(compute.state));
        let facts = fields.iter().filter_map(|name| Some(((*name).to_owned(), compute.facts.get(*name)?.clone())));
        answer.extend(facts.filter(|(_, value)| !value.is_null()));
        if let Some(problem) = compute.problem() {
            answer.insert("problem".to_owned(), json!(problem));
        }
        answer.insert("page_url".to_owned(), json!(self.page(context, id)));
        Value::Object(answer)
    }

    /// The error for a cluster or warehouse that does not run and will not.
    pub(crate) fn failure(self, id: &str, compute: &Compute) -> Error {
        let (word, state) = (self.word(), &compute.state);
        let name = compute.name().map(|name| format!(" {name}")).unwrap_or_default();
        let why = compute.why().map(|why| format!(": {why}")).unwrap_or_else(|| match compute.phase {
            Phase::Stopped | Phase::Stopping => ": somebody stopped it, and no problem is known".to_owned(),
            _ => String::new(),
        });
        Error::failed(format!("{word}{name} `{id}` is not running ({state}){why}")).with_hint(match self {
            Self::Cluster => "see what happened with `get_cluster_events`",
            Self::Warehouse => {
                "see it with `list_warehouses`; the field `health` says more, if you name it in \
                                `fields`"
            }
        })
    }
}

impl Compute {
    fn new(facts: Value) -> Self {
        let state = facts.get("state").and_then(Value::as_str).unwrap_or("UNKNOWN").to_owned();
        let phase = match state.as_str() {
            "RUNNING" | "RESIZING" => Phase::Running,
            "TERMINATING" | "STOPPING" => Phase::Stopping,
            "TERMINATED" | "STOPPED" => Phase::Stopped,
            "ERROR" | "UNKNOWN" | "DELETED" | "DELETING" => Phase::Broken,
            // PENDING, RESTARTING, STARTING, and whatever comes between in future.
            _ => Phase::Starting,
        };
        let stopped = facts.get("terminated_time").and_then(identifier);
        Self { phase, state, stopped, facts }
    }

    /// Whether somebody uses it, as far as the API tells.
    pub(crate) fn is_used(&self) -> bool {
        self.facts.get("num_active_sessions").and_then(identifier).is_some_and(|sessions| sessions > 0)
    }

    /// What people call it.
    fn name(&self) -> Option<&str> {
        ["cluster_name", "name"].iter().find_map(|field| self.facts.get(*field)?.as_str())
    }

    /// What is wrong with it while it has not given up: the service tries again by itself.
    pub(crate) fn problem(&self) -> Option<String> {
        let health = shape::at(&self.facts, "health.status").and_then(Value::as_str);
        if matches!(health, Some("FAILED" | "DEGRADED")) { self.why() } else { None }
    }

    /// Its state for whoever waits for it.
    pub(crate) fn describe(&self) -> String {
        let problem = self.problem().map(|problem| format!(" ({problem})")).unwrap_or_default();
        format!("{}{problem}", self.state)
    }

    /// Why it is as it is.
    pub(crate) fn why(&self) -> Option<String> {
        let text = |path: &str| shape::at(&self.facts, path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let reason = ["termination_reason", "health.failure_reason"].into_iter().find_map(|path| {
            let reason = shape::at(&self.facts, path)?;
            let code = reason.get("code").and_then(Value::as_str)?;
            let kind = reason.get("type").and_then(Value::as_str).map(|kind| format!(" ({kind})")).unwrap_or_default();
            let parameters = reason.get("parameters").and_then(Value::as_object).into_iter().flatten();
            let parameters: Vec<_> =
                parameters.filter_map(|(name, value)| Some(format!("{name}: {}", value.as_str()?))).collect();
            Some(format!("{code}{kind} {}", parameters.join(", ")).trim_end().to_owned())
        });
        let mut why = reason.unwrap_or_default();
        for message in
            ["state_message", "health.summary", "health.message", "health.details"].into_iter().filter_map(text)
        {
            // The fields repeat each other.
            if !why.contains(message) {
                why = if why.is_empty() { message.to_owned() } else { format!("{why}; {message}") };
            }
        }
        Some(why).filter(|why| !why.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Compute, ComputeKind, Phase};

    #[test]
    fn every_state_has_its_meaning() {
        let phase = |state: &str| Compute::new(json!({ "state": state })).phase;
        for (state, meaning) in [
            ("RUNNING", Phase::Running),
            ("RESIZING", Phase::Running),
            ("PENDING", Phase::Starting),
            ("RESTARTING", Phase::Starting),
            ("STARTING", Phase::Starting),
            ("WARMING_UP", Phase::Starting),
            ("TERMINATING", Phase::Stopping),
            ("STOPPED", Phase::Stopped),
            ("ERROR", Phase::Broken),
            ("UNKNOWN", Phase::Broken),
            ("DELETING", Phase::Broken),
            ("DELETED", Phase::Broken),
        ] {
            assert_eq!(phase(state), meaning, "{state}");
        }
        assert_eq!(Compute::new(json!({})).phase, Phase::Broken);
    }

    #[test]
    fn a_failure_says_why() {
        let compute = Compute::new(json!({
            "state": "TERMINATED", "state_message": "No more of these machines.",
            "termination_reason": { "code": "CLOUD_PROVIDER_LAUNCH_FAILURE", "type": "CLOUD_FAILURE", "parameters": { "zone": "a" } },
        }));
        let text = ComputeKind::Cluster.failure("1", &compute).to_string();
        assert!(
            text.contains("(TERMINATED): CLOUD_PROVIDER_LAUNCH_FAILURE (CLOUD_FAILURE) zone: a; No more"),
            "{text}"
        );
        assert!(text.contains("`get_cluster_events`"), "{text}");

        let warehouse =
            |state: &str, health| Compute::new(json!({ "name": "Reports", "state": state, "health": health }));
        let failed = json!({
            "status": "FAILED", "summary": "Clusters are failing to launch.", "details": "No addresses are left.",
            "failure_reason": { "code": "SUBNET_EXHAUSTED_FAILURE", "type": "CLIENT_ERROR", "parameters": { "subnet": "a" } },
        });
        let starting = warehouse("STARTING", failed);
        let why = "SUBNET_EXHAUSTED_FAILURE (CLIENT_ERROR) subnet: a; Clusters are failing to launch.; No addresses are left.";
        assert_eq!(starting.describe(), format!("STARTING ({why})"));
        let text = ComputeKind::Warehouse.failure("1", &starting).to_string();
        assert!(text.contains(&format!("warehouse Reports `1` is not running (STARTING): {why}")), "{text}");
        let stopped = warehouse("STOPPED", json!({ "status": "HEALTHY" }));
        assert_eq!((stopped.describe().as_str(), stopped.problem()), ("STOPPED", None));
        let text = ComputeKind::Warehouse.failure("1", &stopped).to_string();
        assert!(text.contains("(STOPPED): somebody stopped it"), "{text}");
    }
}
