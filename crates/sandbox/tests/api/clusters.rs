//! Clusters over time, moved by hand.

use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::json;

use crate::client::{Checked, get, post, start};

#[tokio::test]
async fn a_cluster_lives_on_the_clock() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let create = json!({"cluster_name": "mine", "spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 1});
    let id = post(&sandbox, "/api/2.1/clusters/create", create).await?.json()["cluster_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = format!("/api/2.1/clusters/get?cluster_id={id}");
    assert_eq!(get(&sandbox, &path).await?.json()["state"], "PENDING");
    assert_eq!(get(&sandbox, &path).await?.json()["state"], "PENDING");
    sandbox.advance(Duration::from_secs(2));
    assert_eq!(get(&sandbox, &path).await?.json()["state"], "RUNNING");
    assert_eq!(post(&sandbox, "/api/2.1/clusters/start", json!({"cluster_id": id})).await?.code(), "INVALID_STATE");
    post(&sandbox, "/api/2.1/clusters/delete", json!({"cluster_id": id})).await?;
    sandbox.advance(Duration::from_secs(1));
    let cluster = get(&sandbox, &path).await?.json();
    assert_eq!(
        (&cluster["state"], &cluster["termination_reason"]["code"]),
        (&json!("TERMINATED"), &json!("USER_REQUEST"))
    );
    let events = post(&sandbox, "/api/2.1/clusters/events", json!({"cluster_id": id})).await?.json();
    assert_eq!((&events["total_count"], &events["events"][0]["type"]), (&json!(3), &json!("TERMINATING")));
    post(&sandbox, "/api/2.1/clusters/permanent-delete", json!({"cluster_id": id})).await?;
    let gone = get(&sandbox, &path).await?;
    assert_eq!(
        (gone.status, gone.json()),
        (400, json!({"error_code": "INVALID_PARAMETER_VALUE", "message": format!("Cluster {id} does not exist")}))
    );
    Ok(())
}

#[tokio::test]
async fn lists_filter_and_page() -> Checked {
    let sandbox = start().await?;
    let states = |reply: serde_json::Value| reply["clusters"].as_array().map_or(0, Vec::len);
    assert_eq!(states(get(&sandbox, "/api/2.0/clusters/list").await?.json()), 4);
    assert_eq!(
        states(
            get(&sandbox, "/api/2.1/clusters/list?filter_by.cluster_states=RUNNING&filter_by.cluster_states=ERROR")
                .await?
                .json()
        ),
        2
    );
    let page = get(&sandbox, "/api/2.1/clusters/list?page_size=3").await?.json();
    assert_eq!(states(page.clone()), 3);
    assert!(page["next_page_token"].is_string());
    for path in ["clusters/list-node-types", "clusters/spark-versions"] {
        assert_eq!(get(&sandbox, &format!("/api/2.1/{path}")).await?.status, 200);
    }
    for path in
        ["policies/clusters/list", "instance-pools/list", "libraries/cluster-status?cluster_id=0301-081500-etlmain1"]
    {
        assert_eq!(get(&sandbox, &format!("/api/2.0/{path}")).await?.status, 200);
    }
    Ok(())
}
