//! Users, groups, service principals, tokens, repos, git credentials, and who may do what.

use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, patch, post, raw, send, start};

const SCIM: &str = "/api/2.0/preview/scim/v2";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn users_are_found_changed_and_deleted() -> Checked {
    let sandbox = start().await?;
    let users = format!("{SCIM}/Users");
    let made = post(&sandbox, &users, json!({"userName": "new@example.test"})).await?;
    assert_eq!((made.status, made.at("/active")), (201, json!(true)));
    let again = post(&sandbox, &users, json!({"userName": "NEW@example.test"})).await?;
    assert_eq!((again.status, again.at("/status"), again.at("/scimType")), (409, json!("409"), json!("uniqueness")));
    assert_eq!(again.at("/schemas/0"), "urn:ietf:params:scim:api:messages:2.0:Error");
    let found = get(&sandbox, &format!("{users}?filter=userName%20eq%20%22new%40example.test%22")).await?;
    assert_eq!((found.at("/totalResults"), found.at("/Resources/0/id")), (json!(1), made.at("/id")));
    let own = format!("{users}/{}", text(&made.at("/id")));
    let operations = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        {"op": "replace", "path": "displayName", "value": "Changed"}, {"op": "add", "path": "entitlements", "value": [{"value": "allow-cluster-create"}]}]});
    assert_eq!(patch(&sandbox, &own, operations).await?.status, 204);
    let told = get(&sandbox, &format!("{own}?attributes=displayName,entitlements")).await?;
    assert_eq!((told.at("/displayName"), told.at("/userName")), (json!("Changed"), Value::Null));
    let page = get(&sandbox, &format!("{users}?startIndex=2&count=2&sortBy=userName")).await?;
    assert_eq!(
        (page.at("/itemsPerPage"), page.at("/totalResults"), page.at("/startIndex")),
        (json!(2), json!(4), json!(2))
    );
    let whole = json!({"userName": "newer@example.test", "displayName": "Newer"});
    assert_eq!(send(&sandbox, "PUT", &own, whole.to_string().as_bytes()).await?.status, 200);
    assert_eq!(get(&sandbox, &own).await?.at("/userName"), "newer@example.test");
    assert_eq!(send(&sandbox, "DELETE", &own, b"").await?.status, 204);
    let gone = get(&sandbox, &own).await?;
    assert_eq!((gone.status, gone.at("/status"), gone.at("/error_code")), (404, json!("404"), Value::Null));
    // What the contract refuses has SCIM's form here too; a wrong token is refused before SCIM is asked.
    let wrong = post(&sandbox, &users, json!({"userNmae": "x"})).await?;
    assert!(wrong.status == 400 && text(&wrong.at("/detail")).contains("userNmae"), "{}", wrong.json());
    assert_eq!(get(&sandbox, &format!("{users}?filter=userName")).await?.status, 400);
    let refused =
        raw(&sandbox, b"GET /api/2.0/preview/scim/v2/Me HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
    assert_eq!((refused.status, refused.at("/error_code")), (401, json!(401)));
    Ok(())
}

#[tokio::test]
async fn groups_have_members() -> Checked {
    let sandbox = start().await?;
    let me = get(&sandbox, &format!("{SCIM}/Me")).await?;
    let groups: Vec<_> =
        me.at("/groups").as_array().into_iter().flatten().map(|group| text(&group["display"])).collect();
    assert_eq!(groups, ["admins", "users"]);
    let id = text(&me.at("/id"));
    let made =
        post(&sandbox, &format!("{SCIM}/Groups"), json!({"displayName": "lab", "members": [{"value": id}]})).await?;
    assert_eq!((made.status, made.at("/members/0/display")), (201, json!("Sandbox User")));
    let missing =
        post(&sandbox, &format!("{SCIM}/Groups"), json!({"displayName": "x", "members": [{"value": "1"}]})).await?;
    assert_eq!(missing.status, 400);
    let own = format!("{SCIM}/Groups/{}", text(&made.at("/id")));
    let operations = |op: Value| json!({"Operations": [op]});
    let ada = "4815162343001";
    assert_eq!(
        patch(&sandbox, &own, operations(json!({"op": "add", "path": "members", "value": [{"value": ada}]})))
            .await?
            .status,
        204
    );
    assert_eq!(get(&sandbox, &own).await?.at("/members").as_array().map(Vec::len), Some(2));
    let remove = json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")});
    assert_eq!(patch(&sandbox, &own, operations(remove)).await?.status, 204);
    assert_eq!(get(&sandbox, &own).await?.at("/members/0/value"), ada);
    // Who is deleted is in no group any more.
    assert_eq!(send(&sandbox, "DELETE", &format!("{SCIM}/Users/{ada}"), b"").await?.status, 204);
    assert_eq!(get(&sandbox, &own).await?.at("/members"), json!([]));
    assert_eq!(send(&sandbox, "DELETE", &own, b"").await?.status, 204);
    let found = get(&sandbox, &format!("{SCIM}/ServicePrincipals?filter=displayName%20eq%20nightly-etl")).await?;
    assert_eq!(found.at("/totalResults"), 1);
    let made = post(&sandbox, &format!("{SCIM}/ServicePrincipals"), json!({"displayName": "robot"})).await?;
    assert!(made.at("/applicationId").is_string(), "{}", made.json());
    Ok(())
}

#[tokio::test]
async fn tokens_open_the_workspace_until_they_are_gone() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let made = post(&sandbox, "/api/2.0/token/create", json!({"comment": "mine", "lifetime_seconds": 60})).await?;
    let value = text(&made.at("/token_value"));
    let listed = get(&sandbox, "/api/2.0/token/list").await?;
    assert!(listed.at("/token_infos").as_array().is_some_and(|tokens| tokens.len() == 2));
    assert!(!String::from_utf8_lossy(&listed.body).contains(&value));
    let try_it = || async {
        let request = format!(
            "GET /api/2.0/token/list HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {value}\r\nconnection: close\r\n\r\n"
        );
        raw(&sandbox, request.as_bytes()).await.map(|reply| reply.status)
    };
    assert_eq!(try_it().await?, 200);
    sandbox.advance(Duration::from_secs(61));
    assert_eq!(try_it().await?, 403);
    let id = made.at("/token_info/token_id");
    let managed = get(&sandbox, &format!("/api/2.0/token-management/tokens/{}", text(&id))).await?;
    assert_eq!(managed.at("/token_info/comment"), "mine");
    assert_eq!(post(&sandbox, "/api/2.0/token/delete", json!({"token_id": id})).await?.status, 200);
    let again = post(&sandbox, "/api/2.0/token/delete", json!({"token_id": id})).await?;
    assert_eq!((again.status, again.code()), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    let principals = get(&sandbox, &format!("{SCIM}/ServicePrincipals")).await?;
    let body = json!({"application_id": principals.at("/Resources/0/applicationId")});
    let made = post(&sandbox, "/api/2.0/token-management/on-behalf-of/tokens", body).await?;
    assert!(made.at("/token_value").is_string(), "{}", made.json());
    let body = json!({"application_id": "nobody"});
    assert_eq!(post(&sandbox, "/api/2.0/token-management/on-behalf-of/tokens", body).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn repos_are_in_the_tree() -> Checked {
    let sandbox = start().await?;
    let url = "https://git.example.test/acme/lab.git";
    let made = post(&sandbox, "/api/2.0/repos", json!({"url": url, "provider": "gitHub"})).await?;
    let path = text(&made.at("/path"));
    assert!((made.status, path.ends_with("/lab")) == (200, true), "{}", made.json());
    let status = get(&sandbox, &format!("/api/2.0/workspace/get-status?path={path}")).await?;
    assert_eq!((status.at("/object_type"), status.at("/object_id")), (json!("REPO"), made.at("/id")));
    let listed = get(&sandbox, &format!("/api/2.0/workspace/list?path={path}")).await?;
    assert!(listed.at("/objects").as_array().is_some_and(|objects| objects.len() == 3), "{}", listed.json());
    let again = post(&sandbox, "/api/2.0/repos", json!({"url": url, "provider": "gitHub"})).await?;
    assert_eq!(again.code(), "RESOURCE_ALREADY_EXISTS");
    for wrong in [
        json!({"url": url, "provider": "svn"}),
        json!({"url": "git@x:y", "provider": "gitHub"}),
        json!({"url": url, "provider": "gitHub", "path": "/nowhere/x"}),
    ] {
        assert!(matches!(post(&sandbox, "/api/2.0/repos", wrong).await?.status, 400 | 404));
    }
    let own = format!("/api/2.0/repos/{}", made.at("/id"));
    assert_eq!(patch(&sandbox, &own, json!({"branch": "feature"})).await?.status, 200);
    let told = get(&sandbox, &own).await?;
    assert_eq!(told.at("/branch"), "feature");
    assert_ne!(told.at("/head_commit_id"), made.at("/head_commit_id"));
    assert_eq!(patch(&sandbox, &own, json!({"branch": "missing-one"})).await?.status, 404);
    assert_eq!(get(&sandbox, &format!("/api/2.0/permissions/repos/{}", made.at("/id"))).await?.status, 200);
    let found = get(&sandbox, &format!("/api/2.0/repos?path_prefix=/Workspace{path}")).await?;
    assert_eq!(found.at("/repos").as_array().map(Vec::len), Some(1));
    assert_eq!(send(&sandbox, "DELETE", &own, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &format!("/api/2.0/workspace/get-status?path={path}")).await?.status, 404);

    let path = "/api/2.0/git-credentials";
    let body = json!({"git_provider": "gitLab", "git_username": "ada", "personal_access_token": "very secret"});
    let made = post(&sandbox, path, body.clone()).await?;
    assert!(!String::from_utf8_lossy(&made.body).contains("secret"));
    assert_eq!(post(&sandbox, path, body).await?.code(), "RESOURCE_ALREADY_EXISTS");
    let own = format!("{path}/{}", made.at("/credential_id"));
    let change = json!({"git_provider": "gitLab", "git_username": "grace"});
    assert_eq!(patch(&sandbox, &own, change).await?.status, 200);
    assert_eq!(get(&sandbox, &own).await?.at("/git_username"), "grace");
    assert_eq!(send(&sandbox, "DELETE", &own, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &own).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn every_kind_of_object_has_permissions() -> Checked {
    let sandbox = start().await?;
    let id = |path: &'static str, pointer: &'static str| {
        let sandbox = &sandbox;
        async move {
            get(sandbox, path)
                .await
                .map(|reply| reply.at(pointer).as_str().map_or_else(|| reply.at(pointer).to_string(), str::to_owned))
        }
    };
    let objects = [
        ("notebooks", id("/api/2.0/workspace/get-status?path=/Shared/etl/load_orders", "/object_id").await?),
        ("directories", id("/api/2.0/workspace/get-status?path=/Shared/etl", "/object_id").await?),
        ("files", id("/api/2.0/workspace/get-status?path=/Shared/README.md", "/object_id").await?),
        ("repos", id("/api/2.0/repos", "/repos/0/id").await?),
        ("experiments", "700100200300401".to_owned()),
        (
            "registered-models",
            id("/api/2.0/mlflow/databricks/registered-models/get?name=churn", "/registered_model_databricks/id")
                .await?,
        ),
        ("serving-endpoints", id("/api/2.0/serving-endpoints/sandbox-chat", "/id").await?),
        ("vector-search-endpoints", id("/api/2.0/vector-search/endpoints/support-search", "/id").await?),
        ("dashboards", id("/api/2.0/lakeview/dashboards", "/dashboards/0/dashboard_id").await?),
        ("genie", id("/api/2.0/genie/spaces", "/spaces/0/space_id").await?),
        ("queries", id("/api/2.0/sql/queries", "/results/0/id").await?),
        ("alertsv2", id("/api/2.0/alerts", "/alerts/0/id").await?),
        ("apps", "order-desk".to_owned()),
        ("authorization", "tokens".to_owned()),
    ];
    for (kind, id) in objects {
        let path = format!("/api/2.0/permissions/{kind}/{id}");
        let levels = get(&sandbox, &format!("{path}/permissionLevels")).await?;
        let level = levels.at("/permission_levels/0/permission_level");
        assert!(level.is_string(), "{path}: {}", levels.json());
        let change = json!({"access_control_list": [{"group_name": "users", "permission_level": level}]});
        let changed = patch(&sandbox, &path, change).await?;
        assert!(
            changed.status == 200 && changed.json().to_string().contains("\"users\""),
            "{path}: {}",
            changed.json()
        );
        let missing = get(&sandbox, &format!("/api/2.0/permissions/{kind}/999")).await?;
        assert_eq!((missing.status, missing.code()), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()), "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn permissions_are_for_those_who_exist_and_owners_are_one() -> Checked {
    let sandbox = start().await?;
    let path = "/api/2.0/permissions/jobs/620114300000101";
    let body = |entry: Value| json!({"access_control_list": [entry]}).to_string();
    for entry in
        [json!({"group_name": "none"}), json!({"user_name": "none@x.test"}), json!({"service_principal_name": "x"})]
    {
        let mut entry = entry;
        entry["permission_level"] = json!("CAN_VIEW");
        let refused = send(&sandbox, "PATCH", path, body(entry).as_bytes()).await?;
        assert_eq!(refused.code(), "RESOURCE_DOES_NOT_EXIST", "{}", refused.json());
    }
    let group = body(json!({"group_name": "analysts", "permission_level": "IS_OWNER"}));
    assert_eq!(send(&sandbox, "PUT", path, group.as_bytes()).await?.code(), "INVALID_PARAMETER_VALUE");
    let ada = body(json!({"user_name": "ada.analyst@example.test", "permission_level": "IS_OWNER"}));
    for method in ["PATCH", "PUT"] {
        let told = send(&sandbox, method, path, ada.as_bytes()).await?.at("/access_control_list");
        let owners: Vec<_> = told
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entry| entry["all_permissions"][0]["permission_level"] == "IS_OWNER")
            .map(|entry| entry["user_name"].clone())
            .collect();
        assert_eq!(owners, [json!("ada.analyst@example.test")], "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn settings_of_the_workspace_are_kept() -> Checked {
    let sandbox = start().await?;
    let made = post(&sandbox, "/api/2.0/global-init-scripts", json!({"name": "one", "script": "ZWNobw=="})).await?;
    let path = format!("/api/2.0/global-init-scripts/{}", made.at("/script_id").as_str().unwrap_or_default());
    assert_eq!(
        patch(&sandbox, &path, json!({"name": "two", "script": "ZWNobw==", "enabled": true})).await?.status,
        200
    );
    let list = get(&sandbox, "/api/2.0/global-init-scripts").await?;
    assert_eq!((list.at("/scripts/0/name"), list.at("/scripts/0/script")), (json!("two"), json!(null)));
    assert_eq!(get(&sandbox, &path).await?.at("/script"), json!("ZWNobw=="));
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &path).await?.code(), "RESOURCE_DOES_NOT_EXIST");

    let profile = json!({"instance_profile_arn": "arn:aws:iam::000000000000:instance-profile/x"});
    assert_eq!(post(&sandbox, "/api/2.0/instance-profiles/add", profile.clone()).await?.status, 200);
    assert_eq!(
        post(&sandbox, "/api/2.0/instance-profiles/add", profile.clone()).await?.code(),
        "RESOURCE_ALREADY_EXISTS"
    );
    assert_eq!(get(&sandbox, "/api/2.0/instance-profiles/list").await?.at("/instance_profiles"), json!([profile]));

    let wrong = json!({"label": "x", "list_type": "BLOCK", "ip_addresses": ["10.0.0"]});
    assert_eq!(post(&sandbox, "/api/2.0/ip-access-lists", wrong).await?.code(), "INVALID_PARAMETER_VALUE");
    let right = json!({"label": "x", "list_type": "BLOCK", "ip_addresses": ["10.0.0.0/8", "::1"]});
    let list = post(&sandbox, "/api/2.0/ip-access-lists", right).await?;
    assert_eq!(list.at("/ip_access_list/address_count"), json!(2));
    let path = format!("/api/2.0/ip-access-lists/{}", list.at("/ip_access_list/list_id").as_str().unwrap_or_default());
    let bare = br#"{"label": "y", "list_type": "BLOCK", "enabled": false}"#;
    assert_eq!(send(&sandbox, "PUT", &path, bare).await?.status, 200);
    assert_eq!(get(&sandbox, &path).await?.at("/ip_access_list/ip_addresses"), json!([]));

    let hook = json!({"display_name": "ops", "config": {"generic_webhook": {"url": "https://hook.test/secret", "password": "p"}}});
    let made = post(&sandbox, "/api/2.0/notification-destinations", hook).await?;
    assert_eq!(made.at("/destination_type"), json!("WEBHOOK"));
    assert!(!made.json().to_string().contains("secret") && made.at("/config/generic_webhook/url_set") == json!(true));

    assert_eq!(patch(&sandbox, "/api/2.0/workspace-conf", json!({"enableDcs": "true"})).await?.status, 200);
    let told = get(&sandbox, "/api/2.0/workspace-conf?keys=enableDcs,maxTokenLifetimeDays").await?;
    assert_eq!(told.json(), json!({"enableDcs": "true", "maxTokenLifetimeDays": null}));
    Ok(())
}
