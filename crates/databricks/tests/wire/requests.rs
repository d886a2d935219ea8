//! The shape of requests.

use databricks::{Arguments, Body, Client, Config, Limits, Location, Operation, Payload, UserAgent};
use serde_json::json;

use crate::workspace::{CREATE, DOWNLOAD, LIST, METADATA, TOKEN, UPLOAD, Workspace, call, json as answer};

#[tokio::test]
async fn a_read_carries_credentials_routing_and_query() {
    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    let config = Config {
        workspace_id: Some("42".to_owned()),
        user_agent: UserAgent::new("shop", "1.2.3"),
        ..workspace.config().unwrap()
    };
    let client = Client::new(config).unwrap();
    let arguments = Arguments::new().with(Location::Query, "limit", 0).with(Location::Query, "name", "a b&c=ü");
    client.execute(&LIST, arguments).await.unwrap();
    let request = workspace.requests().remove(0);
    assert_eq!(request.method, "GET");
    assert_eq!(request.uri, "/api/2.2/jobs/list?limit=0&name=a+b%26c%3D%C3%BC");
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(request.header("x-databricks-workspace-id"), Some("42"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("content-type"), None);
    let user_agent = request.header("user-agent").unwrap();
    assert!(user_agent.starts_with("shop/1.2.3 ") && user_agent.ends_with(" auth/pat"), "{user_agent}");
}

#[tokio::test]
async fn the_workspace_header_is_only_for_operations_of_a_workspace() {
    let workspace = Workspace::always(200, &[], "x").await.unwrap();
    let config = Config { workspace_id: Some("42".to_owned()), ..workspace.config().unwrap() };
    let client = Client::new(config).unwrap();
    let arguments = Arguments::new().with(Location::Path, "file_path", "/Volumes/a b/#1");
    client.execute(&DOWNLOAD, arguments).await.unwrap();
    let request = workspace.requests().remove(0);
    assert_eq!(request.uri, "/api/2.0/fs/files/Volumes/a%20b/%231");
    assert_eq!(request.header("x-databricks-workspace-id"), None);
    assert_eq!(request.header("accept"), Some("application/octet-stream"));
}

#[tokio::test]
async fn bodies_arrive_as_given() {
    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    let client = workspace.client().unwrap();
    let arguments = Arguments::new().with(Location::Body, "id", 9_007_199_254_740_993_u64).with(
        Location::Body,
        "tags",
        json!({"off": false, "none": null}),
    );
    client.execute(&CREATE, arguments).await.unwrap();
    let upload = Arguments::new().with(Location::Path, "file_path", "/f").with_bytes(vec![0, 159, 146, 150]);
    assert_eq!(client.execute(&UPLOAD, upload).await.unwrap(), Payload::Empty);
    call(&client, &CREATE).await.unwrap();
    let requests = workspace.requests();
    assert_eq!(requests[0].body, r#"{"id":9007199254740993,"tags":{"off":false,"none":null}}"#);
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(requests[1].body.as_ref(), [0, 159, 146, 150]);
    assert_eq!(requests[1].header("content-type"), Some("application/octet-stream"));
    assert_eq!(requests[1].header("accept"), Some("application/json"));
    assert_eq!(requests[2].body, "{}");
}

#[tokio::test]
async fn a_post_without_body_says_so() {
    static STOP: Operation = Operation { body: Body::None, ..CREATE };
    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    call(&workspace.client().unwrap(), &STOP).await.unwrap();
    let request = workspace.requests().remove(0);
    assert_eq!((request.header("content-length"), request.header("content-type")), (Some("0"), None));
}

#[tokio::test]
async fn a_head_answers_by_its_headers() {
    let headers = [("content-type", "text/csv"), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("x-other", "1")];
    let workspace = Workspace::always(200, &headers, "four").await.unwrap();
    let arguments = Arguments::new().with(Location::Path, "file_path", "/f");
    let answer = workspace.client().unwrap().execute(&METADATA, arguments).await.unwrap();
    let expected = json!({
        "content-length": 4, "content-type": "text/csv", "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    });
    assert_eq!(answer, Payload::Json(expected));
}

#[tokio::test]
async fn the_program_behind_the_call_is_named() {
    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    let client = workspace.client().unwrap();
    call(&client.with_upstream("Some Client", "2.0"), &LIST).await.unwrap();
    call(&client, &LIST).await.unwrap();
    let requests = workspace.requests();
    let named = requests[0].header("user-agent").unwrap();
    assert!(named.ends_with("upstream/Some-Client upstream-version/2.0 agent/Some-Client"), "{named}");
    assert!(requests[1].header("user-agent").unwrap().ends_with("auth/pat"));
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let workspace = Workspace::start(|number| {
        crate::workspace::json(
            200,
            match number {
                0 => r#"{"jobs":[1,2],"next_page_token":"a/b"}"#,
                1 => r#"{"next_page_token":"c"}"#,
                _ => r#"{"jobs":[3]}"#,
            },
        )
    })
    .await
    .unwrap();
    let client = workspace.client().unwrap();
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.page(&LIST, Arguments::new(), cursor.as_ref()).await.unwrap();
        items.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(items, [1, 2, 3]);
    let queries: Vec<_> = workspace.requests().iter().map(|request| request.uri.query().map(str::to_owned)).collect();
    assert_eq!(queries, [None, Some("page_token=a%2Fb".to_owned()), Some("page_token=c".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_until_an_earlier_one_is_answered() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let limits = Limits { concurrency: 1, requests_per_second: None };
    let client = Client::new(Config { limits, ..Config::new(&url, TOKEN).unwrap() }).unwrap();
    let calls: Vec<_> = [client.clone(), client]
        .map(|client| tokio::spawn(async move { call(&client, &LIST).await }))
        .into_iter()
        .collect();
    let first = listener.accept().await.unwrap();
    let patience = std::time::Duration::from_secs(5);
    assert!(tokio::time::timeout(patience, listener.accept()).await.is_err(), "the second call did not wait");
    calls[0].abort();
    drop(first);
    assert!(tokio::time::timeout(patience, listener.accept()).await.is_ok(), "the slot was not given back");
}

#[tokio::test]
async fn a_client_without_settings_says_what_to_set() {
    let error = call(&Client::new(Config::default()).unwrap(), &LIST).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot call `jobs.jobs.list`: no workspace host is set");
    assert!(error.is_configuration() && error.hint().unwrap().contains("DATABRICKS_HOST"));

    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    let client = Client::new(Config { token: None, ..workspace.config().unwrap() }).unwrap();
    let error = call(&client, &LIST).await.unwrap_err();
    let message = error.to_string();
    let expected = format!(
        "cannot authenticate to `{}`: no credentials found\n  tried `pat`: DATABRICKS_TOKEN is not set",
        workspace.url()
    );
    assert!(message.starts_with(&format!("cannot call `jobs.jobs.list`: {expected}\n  tried `basic`: ")), "{message}");
    assert!(error.is_configuration() && error.hint().unwrap().contains("DATABRICKS_TOKEN"));
    assert!(workspace.requests().is_empty());
}

#[test]
fn nothing_shows_the_token_or_the_values() {
    let config = Config::new("acme.test", TOKEN).unwrap();
    let arguments = Arguments::new().with(Location::Body, "string_value", "hunter2");
    let shown = format!("{config:?} {config} {arguments:?} {:?}", Client::new(config.clone()).unwrap());
    assert!(!shown.contains(TOKEN) && !shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("string_value") && shown.contains("https://acme.test"));
}

#[tokio::test]
async fn what_no_url_can_carry_is_refused_at_once_and_named() {
    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    let client = workspace.client().unwrap();
    let list = |length: usize| Arguments::new().with(Location::Query, "name", "x".repeat(length));
    client.execute(&LIST, list(60_000)).await.unwrap();
    let error = client.execute(&LIST, list(65_536).with(Location::Query, "limit", 1)).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot call `jobs.jobs.list`: the query parameter `name` is too long: 65536 bytes");
    assert!(error.is_bad_request() && !error.is_retryable() && error.hint().unwrap().contains("shorter"));
    let file = Arguments::new().with(Location::Path, "file_path", format!("/{}", "x".repeat(65_536)));
    for operation in [&DOWNLOAD, &METADATA] {
        let error = client.execute(operation, file.clone()).await.unwrap_err();
        assert_eq!(error.message(), "the path parameter `file_path` is too long: 65537 bytes");
        assert_eq!(error.refused_parameter(), Some("file_path"));
    }
    assert_eq!(workspace.requests().len(), 1);
}

#[tokio::test]
async fn a_call_for_the_other_kind_of_host_is_not_sent() {
    static ACCOUNT: Operation = Operation {
        id: "iam.account_groups.list",
        path: "/api/2.0/accounts/{account_id}/scim/v2/Groups",
        parameters: &[databricks::Parameter {
            name: "account_id",
            location: Location::Path,
            required: true,
            from_config: true,
            ..LIST.parameters[0]
        }],
        workspace_routing: false,
        ..LIST
    };
    let of = |host: &str| {
        let config = Config { retry: crate::workspace::quick(), ..Config::new(host, TOKEN).unwrap() };
        Client::new(Config { account_id: Some("a-1".to_owned()), ..config }).unwrap()
    };
    let error = call(&of("accounts.acme.test"), &LIST).await.unwrap_err();
    assert!(error.is_configuration() && error.message().contains("is the host of an account"), "{error}");
    assert!(error.hint().unwrap().contains("DATABRICKS_HOST"));

    for (told, refused) in [("workspace", true), ("unified", false), ("account", false)] {
        let workspace = Workspace::start(move |number| {
            if number > 0 {
                return answer(200, "{}");
            }
            answer(
                200,
                match told {
                    "workspace" => r#"{"host_type":"workspace"}"#,
                    "unified" => r#"{"host_type":"unified"}"#,
                    _ => r#"{"host_type":"account"}"#,
                },
            )
        })
        .await
        .unwrap();
        let result = call(&of(&workspace.url()), &ACCOUNT).await;
        assert_eq!(workspace.requests().len(), if refused { 1 } else { 2 }, "{told}");
        match result {
            Err(error) => {
                assert!(refused && error.is_configuration(), "{told}: {error}");
                assert!(error.message().contains("is the host of a workspace"), "{error}");
            }
            Ok(_) => assert!(!refused, "{told}"),
        }
    }
}
