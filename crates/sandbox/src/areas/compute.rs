//! What surrounds clusters: node types, Spark versions, policies, pools, libraries. Fixed values.
//!
//! Derived: shaped after the SDK's types; the numbers are plausible, not measured.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace};

const POLICY: &str = "E0001234ABCD5678";
const POOL: &str = "0302-090000-pool01-pool-aaaa1111";

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.1/clusters/list-node-types", node_types),
    route("GET", "/api/2.1/clusters/spark-versions", spark_versions),
    route("GET", "/api/2.1/clusters/list-zones", zones),
    route("GET", "/api/2.0/clusters/list-node-types", node_types),
    route("GET", "/api/2.0/clusters/spark-versions", spark_versions),
    route("GET", "/api/2.0/policies/clusters/list", policies),
    route("GET", "/api/2.0/policies/clusters/get", policy),
    route("GET", "/api/2.0/instance-pools/list", pools),
    route("GET", "/api/2.0/instance-pools/get", pool),
    route("GET", "/api/2.0/libraries/cluster-status", libraries),
    route("GET", "/api/2.0/libraries/all-cluster-statuses", all_libraries),
];

fn node_types(_: &Workspace, _: &Request) -> Outcome {
    let kinds = [
        ("i3.xlarge", 31_232, 4.0, "Storage Optimized"),
        ("m5d.large", 8_192, 2.0, "General Purpose"),
        ("r5d.2xlarge", 65_536, 8.0, "Memory Optimized"),
    ];
    let kinds = kinds.map(|(id, memory, cores, category)| {
        json!({"node_type_id": id, "memory_mb": memory, "num_cores": cores, "category": category, "description": id,
            "instance_type_id": id, "is_deprecated": false, "photon_worker_capable": true, "support_cluster_tags": true})
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

fn policy_json(workspace: &Workspace) -> Value {
    json!({"policy_id": POLICY, "name": "Small clusters", "description": "At most four workers.", "creator_user_name": USER,
        "created_at_timestamp": workspace.clock.epoch() - 86_400_000,
        "definition": "{\"num_workers\":{\"type\":\"range\",\"maxValue\":4}}", "is_default": false, "max_clusters_per_user": 5})
}

fn policies(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"policies": [policy_json(workspace)], "total_count": 1})))
}

fn policy(workspace: &Workspace, request: &Request) -> Outcome {
    match request.required_query("policy_id")? {
        POLICY => Ok(Reply::json(policy_json(workspace))),
        id => Err(ApiError::does_not_exist(format!("Cluster policy {id} does not exist"))),
    }
}

fn pool_json() -> Value {
    json!({"instance_pool_id": POOL, "instance_pool_name": "shared-pool", "node_type_id": "i3.xlarge", "min_idle_instances": 1,
        "max_capacity": 10, "idle_instance_autotermination_minutes": 15, "enable_elastic_disk": true, "state": "ACTIVE",
        "stats": {"used_count": 0, "idle_count": 1, "pending_used_count": 0, "pending_idle_count": 0}, "status": {}})
}

fn pools(_: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"instance_pools": [pool_json()]})))
}

fn pool(_: &Workspace, request: &Request) -> Outcome {
    match request.required_query("instance_pool_id")? {
        POOL => Ok(Reply::json(pool_json())),
        id => Err(ApiError::does_not_exist(format!("Instance pool {id} does not exist"))),
    }
}

fn status(id: &str) -> Value {
    json!({"cluster_id": id, "library_statuses": [
        {"library": {"pypi": {"package": "requests==2.32.3"}}, "status": "INSTALLED", "is_library_for_all_clusters": false}]})
}

fn libraries(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.required_query("cluster_id")?;
    match crate::workspace::lock(&workspace.clusters).0.contains_key(id) {
        true => Ok(Reply::json(status(id))),
        false => Err(ApiError::invalid_parameter(format!("Cluster {id} does not exist"))),
    }
}

fn all_libraries(workspace: &Workspace, _: &Request) -> Outcome {
    let statuses: Vec<_> = crate::workspace::lock(&workspace.clusters).0.keys().map(|id| status(id)).collect();
    Ok(Reply::json(json!({"statuses": statuses})))
}
