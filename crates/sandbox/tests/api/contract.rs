//! Requests that do not keep to the specs, and answers made from them.

use serde_json::{Value, json};

use crate::client::{Checked, get, post, send, start};

/// Method and path, body, status, code, and what the message says.
type Case = (&'static str, &'static str, &'static str, u16, &'static str, &'static str);

const CASES: &[Case] = &[
    // Names and places.
    (
        "GET",
        "/api/2.2/jobs/list?limitt=1",
        "",
        400,
        "INVALID_PARAMETER_VALUE",
        "Unknown query parameter: limitt; did you mean 'limit'?",
    ),
    (
        "GET",
        "/api/2.1/clusters/list?filter_by.pinned=true",
        "",
        400,
        "INVALID_PARAMETER_VALUE",
        "Unknown query parameter: filter_by.pinned",
    ),
    (
        "POST",
        "/api/2.2/jobs/delete?job_id=1",
        "{}",
        400,
        "INVALID_PARAMETER_VALUE",
        "Field 'job_id' belongs in the request body, not in the query",
    ),
    (
        "GET",
        "/api/2.2/jobs/get?job_id=1",
        r#"{"job_id":1}"#,
        400,
        "BAD_REQUEST",
        "GET requests of this API take no body",
    ),
    (
        "PATCH",
        "/api/2.1/unity-catalog/schemas/a.b",
        r#"{"full_name":"a.b"}"#,
        400,
        "INVALID_PARAMETER_VALUE",
        "Field 'full_name' belongs in the path, not in the request body",
    ),
    (
        "POST",
        "/api/2.2/jobs/delete",
        r#"{"job_id":1,"jobid":2}"#,
        400,
        "MALFORMED_REQUEST",
        "unknown field 'jobid'; did you mean 'job_id'?",
    ),
    (
        "POST",
        "/api/2.2/jobs/create",
        r#"{"tasks":[{"task_key":"a"},{"task_key":"b","notebook_tsk":{}}]}"#,
        400,
        "MALFORMED_REQUEST",
        "unknown field 'tasks[1].notebook_tsk'; did you mean 'notebook_task'?",
    ),
    // What is missing.
    ("GET", "/api/2.1/clusters/get", "", 400, "INVALID_PARAMETER_VALUE", "Missing required field: cluster_id"),
    ("POST", "/api/2.2/jobs/delete", "", 400, "INVALID_PARAMETER_VALUE", "Missing required field: job_id"),
    (
        "POST",
        "/api/2.2/jobs/delete",
        r#"{"job_id":null}"#,
        400,
        "INVALID_PARAMETER_VALUE",
        "Missing required field: job_id",
    ),
    (
        "POST",
        "/api/2.2/jobs/create",
        r#"{"tasks":[{"description":"x"}]}"#,
        400,
        "INVALID_PARAMETER_VALUE",
        "Missing required field: tasks[0].task_key",
    ),
    // Types.
    (
        "GET",
        "/api/2.2/jobs/list?limit=ten",
        "",
        400,
        "INVALID_PARAMETER_VALUE",
        "Could not parse 'ten' as an integer for field limit",
    ),
    (
        "GET",
        "/api/2.2/jobs/list?expand_tasks=yes",
        "",
        400,
        "INVALID_PARAMETER_VALUE",
        "Could not parse 'yes' as a boolean for field expand_tasks",
    ),
    (
        "GET",
        "/api/2.1/clusters/list?filter_by.cluster_states=AWAKE",
        "",
        400,
        "INVALID_PARAMETER_VALUE",
        "Invalid value 'AWAKE' for field filter_by.cluster_states: expected one of ",
    ),
    (
        "GET",
        "/api/2.0/repos/first",
        "",
        400,
        "INVALID_PARAMETER_VALUE",
        "Could not parse 'first' as an integer for field repo_id",
    ),
    ("POST", "/api/2.2/jobs/create", r#"{"name":7}"#, 400, "MALFORMED_REQUEST", "field 'name' must be a string"),
    ("POST", "/api/2.2/jobs/create", r#"{"tasks":{}}"#, 400, "MALFORMED_REQUEST", "field 'tasks' must be an array"),
    (
        "POST",
        "/api/2.2/jobs/create",
        r#"{"max_concurrent_runs":"many"}"#,
        400,
        "MALFORMED_REQUEST",
        "field 'max_concurrent_runs' must be an integer",
    ),
    (
        "POST",
        "/api/2.2/jobs/create",
        r#"{"schedule":{"quartz_cron_expression":"0 0 0 * * ?","timezone_id":"UTC","pause_status":"MAYBE"}}"#,
        400,
        "INVALID_PARAMETER_VALUE",
        "Invalid value 'MAYBE' for field schedule.pause_status: expected one of ",
    ),
    (
        "POST",
        "/api/2.2/jobs/create",
        r#"{"tags":{"a":1}}"#,
        400,
        "MALFORMED_REQUEST",
        "field 'tags.a' must be a string",
    ),
    (
        "POST",
        "/api/2.1/clusters/create",
        r#"{"spark_version":"x","enable_elastic_disk":"true"}"#,
        400,
        "MALFORMED_REQUEST",
        "field 'enable_elastic_disk' must be a boolean",
    ),
    ("POST", "/api/2.2/jobs/create", "[]", 400, "MALFORMED_REQUEST", "expected a map"),
    ("POST", "/api/2.2/jobs/create", "{", 400, "MALFORMED_REQUEST", "failed to parse"),
    // Operations without state here are checked alike.
    ("POST", "/api/2.0/apps", r#"{"nam":"x"}"#, 400, "MALFORMED_REQUEST", "unknown field 'nam'; did you mean 'name'?"),
    ("GET", "/api/2.0/apps/x", r#"{"a":1}"#, 400, "BAD_REQUEST", "take no body"),
    // Values that no schema tells.
    (
        "POST",
        "/api/2.0/sql/warehouses",
        r#"{"name":"x","cluster_size":"Huge"}"#,
        400,
        "INVALID_PARAMETER_VALUE",
        "2X-Small, X-Small, Small",
    ),
    (
        "POST",
        "/api/2.0/sql/warehouses",
        r#"{"name":"x","min_num_clusters":3,"max_num_clusters":2}"#,
        400,
        "INVALID_PARAMETER_VALUE",
        "must not be greater",
    ),
    (
        "POST",
        "/api/2.0/sql/warehouses",
        r#"{"name":"x","max_num_clusters":99}"#,
        400,
        "INVALID_PARAMETER_VALUE",
        "between 1 and 40",
    ),
    // Routes.
    (
        "PUT",
        "/api/2.2/jobs/list",
        "",
        400,
        "BAD_REQUEST",
        "Method PUT is not supported by '/api/2.2/jobs/list': use GET",
    ),
    ("GET", "/api/2.2/jobs/create", "", 400, "BAD_REQUEST", "use POST"),
    ("POST", "/api/2.1/unity-catalog/catalogs/main", "{}", 400, "BAD_REQUEST", "use GET or PATCH or DELETE"),
    ("GET", "/api/2.0/nothing", "", 404, "ENDPOINT_NOT_FOUND", "No API found for 'GET /api/2.0/nothing'"),
];

#[tokio::test]
async fn violations_are_named() -> Checked {
    let sandbox = start().await?;
    for (method, path, body, status, code, message) in CASES {
        let reply = send(&sandbox, method, path, body.as_bytes()).await?;
        let text = reply.at("/message").as_str().unwrap_or_default().to_owned();
        let seen = (reply.status, reply.code().as_str().to_owned(), text.contains(message));
        assert_eq!(seen, (*status, (*code).to_owned(), true), "{method} {path} {body}: {}", reply.json());
    }
    Ok(())
}

#[tokio::test]
async fn what_clients_may_send_is_accepted() -> Checked {
    let sandbox = start().await?;
    let created =
        post(&sandbox, "/api/2.2/jobs/create", json!({"name": "x", "timeout_seconds": 5, "tags": null})).await?;
    let id = created.at("/job_id");
    assert_eq!(created.status, 200);
    // An int64 as text, and a query with an empty body object.
    assert_eq!(post(&sandbox, "/api/2.2/jobs/delete", json!({"job_id": id.to_string()})).await?.status, 200);
    assert_eq!(get(&sandbox, "/api/2.1/clusters/list?filter_by.is_pinned=False").await?.status, 200);
    assert_eq!(get(&sandbox, "/api/2.0/sql/warehouses?skip_cannot_use=true").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn answers_are_synthesized_from_the_specs() -> Checked {
    let sandbox = start().await?;
    let reply = get(&sandbox, "/api/2.0/database/instances/hello").await?;
    assert!(reply.head.contains("x-sandbox-synthesized: true"), "{}", reply.head);
    assert_eq!((reply.at("/name"), reply.at("/state")), (json!("hello"), json!("AVAILABLE")));
    assert!(reply.at("/creation_time").as_str().is_some_and(|time| time.starts_with("2026-02-")));
    assert_eq!(get(&sandbox, "/api/2.0/database/instances/hello").await?.json(), reply.json());
    assert_ne!(get(&sandbox, "/api/2.0/database/instances/other").await?.at("/uid"), reply.at("/uid"));

    let list = get(&sandbox, "/api/2.0/database/instances?page_size=5").await?;
    assert_eq!(list.at("/database_instances").as_array().map(Vec::len), Some(2));
    assert_eq!(list.at("/next_page_token"), Value::Null);

    let page = get(&sandbox, "/api/2.0/accounts/x/scim/v2/Users?startIndex=3").await?;
    assert_eq!((page.status, page.at("/Resources")), (200, json!([])));
    assert!(!get(&sandbox, "/api/2.2/jobs/list").await?.head.contains("x-sandbox-synthesized"));
    Ok(())
}

#[tokio::test]
async fn long_running_operations_are_over() -> Checked {
    let sandbox = start().await?;
    let started = post(&sandbox, "/api/2.0/postgres/projects?project_id=p", json!({})).await?;
    assert_eq!((started.status, started.at("/done")), (200, json!(true)), "{}", started.json());
    assert!(started.at("/response").is_object() && started.at("/error").is_null());
    let name = started.at("/name");
    let path = format!("/api/2.0/postgres/{}", name.as_str().unwrap_or_default());
    let polled = get(&sandbox, &path).await?;
    assert_eq!((polled.at("/name"), polled.at("/done")), (name, json!(true)), "{path}: {}", polled.json());
    assert!(polled.at("/response/name").is_string(), "{}", polled.json());
    Ok(())
}
