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

#[tokio::test]
async fn clusters_are_resized_changed_and_handed_over() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let id = "0301-081500-etlmain1";
    let path = format!("/api/2.1/clusters/get?cluster_id={id}");
    post(&sandbox, "/api/2.1/clusters/resize", json!({"cluster_id": id, "num_workers": 4})).await?;
    let growing = get(&sandbox, &path).await?;
    assert_eq!((growing.at("/state"), growing.at("/num_workers")), (json!("RESIZING"), json!(4)));
    sandbox.advance(Duration::from_secs(2));
    let grown = get(&sandbox, &path).await?;
    let executors = grown.at("/executors").as_array().map(Vec::len);
    assert_eq!((grown.at("/state"), grown.at("/cluster_cores"), executors), (json!("RUNNING"), json!(20.0), Some(4)));
    let asked = json!({"cluster_id": id, "event_types": ["RESIZING", "UPSIZE_COMPLETED"]});
    let events = post(&sandbox, "/api/2.1/clusters/events", asked).await?;
    assert_eq!(events.at("/events/1/details/current_num_workers"), json!(2), "{}", events.json());
    assert_eq!(events.at("/total_count"), json!(2));

    // A change of the size alone restarts nothing; any other does.
    let update =
        |mask: &str, cluster: serde_json::Value| json!({"cluster_id": id, "update_mask": mask, "cluster": cluster});
    let scale = update("num_workers,autoscale", json!({"autoscale": {"min_workers": 1, "max_workers": 3}}));
    post(&sandbox, "/api/2.1/clusters/update", scale).await?;
    assert_eq!(get(&sandbox, &path).await?.at("/state"), json!("RESIZING"));
    sandbox.advance(Duration::from_secs(2));
    let tags = update("custom_tags,spark_conf", json!({"custom_tags": {"team": "a"}}));
    post(&sandbox, "/api/2.1/clusters/update", tags).await?;
    let changed = get(&sandbox, &path).await?;
    assert_eq!((changed.at("/state"), changed.at("/custom_tags")), (json!("RESTARTING"), json!({"team": "a"})));
    assert_eq!((changed.at("/num_workers"), changed.at("/autoscale/max_workers")), (json!(null), json!(3)));
    let unnamed = update("custom_tags", json!({"spark_conf": {"a": "b"}}));
    assert_eq!(post(&sandbox, "/api/2.1/clusters/update", unnamed).await?.code(), "INVALID_PARAMETER_VALUE");

    let owner = json!({"cluster_id": id, "owner_username": "ada.analyst@example.test"});
    assert_eq!(post(&sandbox, "/api/2.1/clusters/change-owner", owner.clone()).await?.code(), "INVALID_STATE");
    post(&sandbox, "/api/2.1/clusters/delete", json!({"cluster_id": id})).await?;
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(post(&sandbox, "/api/2.1/clusters/change-owner", owner).await?.status, 200);
    let theirs = get(&sandbox, &path).await?;
    assert_eq!(theirs.at("/creator_user_name"), json!("ada.analyst@example.test"));
    assert_eq!(theirs.at("/state_message"), json!("Terminated by user request."));
    Ok(())
}

#[tokio::test]
async fn settings_that_no_cluster_can_have_are_refused() -> Checked {
    let sandbox = start().await?;
    let with = |more: serde_json::Value| {
        let mut settings = json!({"spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 1});
        for (name, value) in more.as_object().into_iter().flatten() {
            settings[name] = value.clone();
        }
        settings
    };
    for (settings, told) in [
        (with(json!({"spark_version": "16"})), "Invalid spark version 16."),
        (with(json!({"node_type_id": "x9.huge"})), "Supported node types: i3.xlarge"),
        (with(json!({"num_workers": null})), "Exactly 1 of num_workers or autoscale"),
        (with(json!({"autoscale": {"min_workers": 1, "max_workers": 2}})), "Exactly 1 of num_workers or autoscale"),
        (with(json!({"num_workers": null, "autoscale": {"min_workers": 3, "max_workers": 2}})), "must not be less"),
        (with(json!({"instance_pool_id": "nope"})), "Instance pool nope does not exist"),
        (with(json!({"policy_id": "nope"})), "Cluster policy nope does not exist"),
        (with(json!({"policy_id": "E0001234ABCD5678", "num_workers": 9})), "Validation failed for num_workers"),
    ] {
        let refused = post(&sandbox, "/api/2.1/clusters/create", settings.clone()).await?;
        let message = refused.at("/message").as_str().unwrap_or_default().to_owned();
        assert!(refused.status >= 400 && message.contains(told), "{settings}: {message}");
    }
    let allowed = with(json!({"policy_id": "E0001234ABCD5678", "num_workers": 4}));
    assert_eq!(post(&sandbox, "/api/2.1/clusters/create", allowed).await?.status, 200);
    Ok(())
}
