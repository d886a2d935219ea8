//! What surrounds clusters: node types, Spark versions, zones. Fixed values.
//!
//! Derived: shaped after the SDK's types; the numbers are plausible, not measured.

use serde_json::json;

use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::Workspace;

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/clusters/list-node-types", node_types),
    route("GET", "/api/2.1/clusters/spark-versions", spark_versions),
    route("GET", "/api/2.1/clusters/list-zones", zones),
    route("GET", "/api/2.0/clusters/list-node-types", node_types),
    route("GET", "/api/2.0/clusters/spark-versions", spark_versions),
];

/// Node types by id: megabytes of memory, cores, category, GPUs.
pub(crate) const NODE_TYPES: [(&str, i64, f64, &str, i64); 4] = [
    ("i3.xlarge", 31_232, 4.0, "Storage Optimized", 0),
    ("m5d.large", 8_192, 2.0, "General Purpose", 0),
    ("r5d.2xlarge", 65_536, 8.0, "Memory Optimized", 0),
    ("p3.2xlarge", 62_464, 8.0, "GPU Accelerated", 1),
];

fn node_types(_: &Workspace, _: &Request) -> Outcome {
    let kinds = NODE_TYPES.map(|(id, memory, cores, category, gpus)| {
        json!({"node_type_id": id, "memory_mb": memory, "num_cores": cores, "category": category, "description": id, "num_gpus": gpus,
            "instance_type_id": id, "is_deprecated": false, "photon_worker_capable": gpus == 0, "support_cluster_tags": true})
    });
    Ok(Reply::json(json!({"node_types": kinds})))
}

fn spark_versions(_: &Workspace, _: &Request) -> Outcome {
    let versions = [
        ("17.3.x-scala2.13", "17.3 LTS (includes Apache Spark 4.0.0, Scala 2.13)"),
        ("16.4.x-scala2.12", "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)"),
        ("15.4.x-scala2.12", "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)"),
    ];
    Ok(Reply::json(json!({"versions": versions.map(|(key, name)| json!({"key": key, "name": name}))})))
}

fn zones(_: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"zones": ["us-west-2a", "us-west-2b"], "default_zone": "us-west-2a"})))
}
