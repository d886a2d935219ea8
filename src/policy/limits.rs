//! The limits of a policy: on results, and on the compute that a request asks for.

use serde_json::Value;

use crate::globs;
use crate::risk::Risk;

/// Keys of the number of workers of a cluster, wherever they stand in a request.
const WORKERS: [&str; 2] = ["num_workers", "max_workers"];
/// Keys of the types of the machines of a cluster.
const NODE_TYPES: [&str; 3] = ["node_type_id", "driver_node_type_id", "alternate_node_type_ids"];
/// Keys of pools, which decide themselves about the types of their machines.
const POOLS: [&str; 2] = ["instance_pool_id", "driver_instance_pool_id"];
/// The key of the size of a SQL warehouse.
const SIZE: &str = "cluster_size";

/// The limits of a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    /// Rows of the result of a statement.
    pub(crate) rows: Option<u64>,
    /// Bytes of one answer of the workspace.
    pub(crate) answer_bytes: Option<u64>,
    /// Workers of a cluster, also at most where it scales.
    pub(crate) workers: Option<u64>,
    /// Types of machines.
    pub(crate) node_types: Option<Vec<globs::Pattern>>,
    /// Sizes of SQL warehouses.
    pub(crate) warehouse_sizes: Option<Vec<globs::Pattern>>,
}

impl Limits {
    /// Whether a request could break a limit at all.
    fn holds_compute(&self) -> bool {
        self.workers.is_some() || self.node_types.is_some() || self.warehouse_sizes.is_some()
    }

    /// Why a request is refused: it asks for more compute than is allowed, somewhere in its body.
    pub(crate) fn refusal(&self, operation: &str, risk: Risk, body: &Value) -> Option<String> {
        if risk == Risk::Read || !self.holds_compute() {
            return None;
        }
        if self.warehouse_sizes.is_some() && operation == "sql.warehouses.create" && body.get(SIZE).is_none() {
            return Some(format!("`{SIZE}` is missing, but the policy limits the sizes of warehouses"));
        }
        self.within(body)
    }

    fn within(&self, value: &Value) -> Option<String> {
        match value {
            Value::Object(fields) => {
                fields.iter().find_map(|(key, field)| self.field(key, field).or_else(|| self.within(field)))
            }
            Value::Array(items) => items.iter().find_map(|item| self.within(item)),
            // A document that is passed on as text.
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
                serde_json::from_str::<Value>(text).ok().and_then(|inner| self.within(&inner))
            }
            _ => None,
        }
    }

    fn field(&self, key: &str, value: &Value) -> Option<String> {
        if let Some(most) = self.workers.filter(|_| WORKERS.contains(&key)) {
            let workers = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
            // What is no number may be one for the workspace.
            let is_within = value.is_null() || workers.is_some_and(|workers| workers <= most as f64);
            return (!is_within).then(|| format!("`{key}` is {value}, but the policy allows {most} workers"));
        }
        if let Some(allowed) = self.node_types.as_ref() {
            if POOLS.contains(&key) && !value.is_null() {
                return Some(format!(
                    "`{key}` leaves the type of the machines to a pool, but the policy limits the types"
                ));
            }
            if NODE_TYPES.contains(&key) {
                return one_of(key, value, allowed);
            }
        }
        let sizes = self.warehouse_sizes.as_ref().filter(|_| key == SIZE);
        sizes.and_then(|allowed| one_of(key, value, allowed))
    }
}

fn one_of(key: &str, value: &Value, allowed: &[globs::Pattern]) -> Option<String> {
    let is_allowed = |value: &Value| value.as_str().is_some_and(|text| allowed.iter().any(|glob| glob.is_match(text)));
    let is_within = match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(is_allowed),
        other => is_allowed(other),
    };
    let shown = || allowed.iter().map(|glob| format!("`{}`", glob.text())).collect::<Vec<_>>().join(", ");
    (!is_within).then(|| format!("`{key}` is {value}, but the policy allows {}", shown()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn compute_is_limited_wherever_it_stands() {
        let globs = |text: &str| Some(vec![crate::globs::of(text).expect("a glob")]);
        let limits = Limits {
            workers: Some(4),
            node_types: globs("m5.*"),
            warehouse_sizes: globs("*Small"),
            ..Limits::default()
        };
        for (operation, body, is_refused) in [
            ("compute.clusters.create", json!({ "num_workers": 4, "node_type_id": "m5.large" }), false),
            ("compute.clusters.create", json!({ "num_workers": 5 }), true),
            ("compute.clusters.create", json!({ "num_workers": "5" }), true),
            ("compute.clusters.create", json!({ "num_workers": 4.5 }), true),
            ("compute.clusters.create", json!({ "num_workers": "many" }), true),
            ("compute.clusters.create", json!({ "autoscale": { "min_workers": 1, "max_workers": 9 } }), true),
            ("compute.clusters.update", json!({ "cluster": { "num_workers": 9 } }), true),
            ("jobs.jobs.create", json!({ "job_clusters": [{ "new_cluster": { "num_workers": 9 } }] }), true),
            ("jobs.jobs.create", json!({ "tasks": [{ "new_cluster": { "node_type_id": "p5.xlarge" } }] }), true),
            ("jobs.jobs.create", json!({ "tasks": "[{\"new_cluster\": {\"num_workers\": 9}}]" }), true),
            ("pipelines.pipelines.create", json!({ "clusters": [{ "instance_pool_id": "p" }] }), true),
            ("compute.clusters.edit", json!({ "alternate_node_type_ids": ["m5.large", "p5.large"] }), true),
            ("sql.warehouses.create", json!({ "cluster_size": "X-Small" }), false),
            ("sql.warehouses.create", json!({ "cluster_size": "Large" }), true),
            ("sql.warehouses.create", json!({}), true),
            ("sql.warehouses.edit", json!({}), false),
        ] {
            assert_eq!(limits.refusal(operation, Risk::Write, &body).is_some(), is_refused, "{operation} {body}");
            assert_eq!(Limits::default().refusal(operation, Risk::Write, &body), None);
            assert_eq!(limits.refusal(operation, Risk::Read, &body), None);
        }
    }
}
