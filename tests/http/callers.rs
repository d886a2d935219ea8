//! Who may do what: keys, what is taken away by path and headers, and as whom the workspace is called.

use std::path::PathBuf;
use std::sync::Arc;

use databricks_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::house::{Failure, House, Outcome, answer, call, initialize, request, structured, until};

/// A file of keys, and what reads it.
pub(crate) struct Keys {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

/// SHA-256 of `anna-key`, `ben-key` and `cora-key`, as `sha256sum` gives them.
pub(crate) const ANNA: &str = "c2ee7195c6e40b50ba61576394dd66f870e592e2333947c51c39cc11bd332f7a";
pub(crate) const BEN: &str = "4bb8ce95dd3ed1fa07d76324a29481a578d7039c30d8e78a4b974b68808e1212";
const CORA: &str = "b787c834fdce7650136fa52ed72c1fd17d09a1375002cfcccb27d5c9453927e8";

impl Keys {
    pub(crate) fn new(text: &str) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("keys.yaml");
        std::fs::write(&path, text)?;
        Ok(Self { _folder: folder, path })
    }

    pub(crate) fn arguments(&self) -> String {
        format!("--auth bearer --keys {}", self.path.display())
    }
}

fn three() -> String {
    format!(
        "keys:\n- {{ name: anna, sha256: {ANNA} }}\n- {{ name: ben, sha256: {BEN}, read_only: true }}\n- {{ name: cora, \
         sha256: {CORA}, toolsets: [jobs] }}\n"
    )
}

async fn tools(house: &House, path: &str, headers: &[(&str, &str)]) -> Result<Vec<String>, Failure> {
    let mut post = house.post_to(path, request(1, "tools/list", json!({})));
    for (name, value) in headers {
        post = post.header(*name, *value);
    }
    let listed = answer(post.send().await?).await?;
    let tools = listed["result"]["tools"].as_array().ok_or_else(|| listed.to_string())?.iter();
    Ok(tools.filter_map(|tool| Some(tool["name"].as_str()?.to_owned())).collect())
}

#[tokio::test]
async fn a_key_opens_what_it_is_for() -> Outcome {
    let keys = Keys::new(&three())?;
    let house = House::open(&keys.arguments()).await?;
    for header in
        [None, Some("Bearer"), Some("Bearer wrong"), Some("Basic anna-key"), Some("anna-key"), Some("Bearer ")]
    {
        let post = house.post(request(1, "tools/list", json!({})));
        let post = header.map_or(post.try_clone().ok_or("a body")?, |value| post.header("authorization", value));
        let refused = post.send().await?;
        assert_eq!(
            (refused.status().as_u16(), refused.headers()["www-authenticate"].to_str()?),
            (401, "Bearer"),
            "{header:?}"
        );
        let text = refused.text().await?;
        assert!(!text.contains("anna-key") && !text.contains("wrong"), "{text}");
    }
    let twice = house.post(request(1, "tools/list", json!({}))).bearer_auth("anna-key").bearer_auth("wrong");
    assert_eq!(twice.send().await?.status(), 401);
    let in_query = house.post_to("/mcp?access_token=anna-key", request(1, "tools/list", json!({})));
    assert_eq!(in_query.send().await?.status(), 401);
    let with = |key: &'static str| [("authorization", key)];
    let (anna, ben, cora) = (
        tools(&house, "/mcp", &with("Bearer anna-key")).await?,
        tools(&house, "/mcp", &with("bearer ben-key")).await?,
        tools(&house, "/mcp", &with("Bearer cora-key")).await?,
    );
    let has = |tools: &[String], name: &str| tools.iter().any(|tool| tool == name);
    assert!(has(&anna, "create_job") && has(&anna, "list_clusters") && has(&anna, "execute_sql"));
    assert!(!has(&ben, "create_job") && has(&ben, "list_clusters") && has(&ben, "execute_sql"));
    assert!(has(&cora, "create_job") && !has(&cora, "list_clusters"));
    // What is not listed cannot be called either, and SQL that may only read does.
    let called = |key: &'static str, tool: &'static str, arguments: Value| {
        house.post(call(1, tool, arguments)).bearer_auth(key).send()
    };
    let refused = answer(called("ben-key", "create_job", json!({ "name": "x", "tasks": [] })).await?).await?;
    assert!(refused["error"]["message"].as_str().is_some_and(|text| text.contains("read-only")), "{refused}");
    let refused =
        answer(called("ben-key", "execute_sql", json!({ "statement": "DROP TABLE main.default.t" })).await?).await?;
    assert!(refused["result"]["isError"] == true && refused.to_string().contains("read-only"), "{refused}");
    let read = structured(called("ben-key", "execute_sql", json!({ "statement": "SELECT 1" })).await?).await?;
    assert_eq!(read["rows"], json!([[1]]));
    let refused = answer(called("cora-key", "list_clusters", json!({})).await?).await?;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert_eq!(house.http.get(house.url("/metrics")).send().await?.status(), 401);
    assert_eq!(house.http.get(house.url("/healthz")).send().await?.status(), 200, "probes have no key");
    Ok(())
}

#[tokio::test]
async fn keys_come_and_go_without_a_restart_and_a_broken_file_changes_nothing() -> Outcome {
    let keys = Keys::new(&format!("keys: [{{ name: anna, sha256: {ANNA} }}]\n"))?;
    let house = House::open(&keys.arguments()).await?;
    let status = |key: &'static str| {
        let sent = house.post(request(1, "tools/list", json!({}))).bearer_auth(key).send();
        async { Ok::<_, Failure>(sent.await?.status().as_u16()) }
    };
    assert_eq!((status("anna-key").await?, status("ben-key").await?), (200, 401));
    std::fs::write(&keys.path, "keys: [{ name: nobody")?;
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(status("anna-key").await?, 200);
    std::fs::write(&keys.path, format!("keys:\n- name: ben\n  sha256: {BEN}\n"))?;
    until("ben is let in", || async { Ok(status("ben-key").await? == 200) }).await?;
    assert_eq!(status("anna-key").await?, 401);
    Ok(())
}

#[tokio::test]
async fn a_file_of_keys_is_checked_when_the_server_starts() -> Outcome {
    for (text, expected) in [
        ("keys: []".to_owned(), "there are none"),
        ("keys: [{ name: a, sha256: abc }]".to_owned(), "has 64 hexadecimal digits"),
        (format!("keys: [{{ name: a, sha256: {ANNA} }}, {{ name: a, sha256: {BEN} }}]"), "two keys have the name `a`"),
        (format!("keys: [{{ name: a, sha256: {ANNA} }}, {{ name: b, sha256: {ANNA} }}]"), "have the same key"),
        (format!("keys: [{{ name: a, sha256: {ANNA}, readonly: true }}]"), "read_only"),
        (format!("keys: [{{ name: a, sha256: {ANNA}, toolsets: [job] }}]"), "did you mean `jobs`?"),
    ] {
        let keys = Keys::new(&text)?;
        let error = House::open(&keys.arguments()).await.err().ok_or(text)?.to_string();
        assert!(error.contains(expected) && !error.contains(ANNA), "{error}");
    }
    let missing = House::open("--auth bearer").await.err().ok_or("no keys")?.to_string();
    assert!(missing.contains("--keys"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn nothing_of_one_caller_is_of_use_to_another() -> Outcome {
    let keys = Keys::new(&three().replace(", read_only: true", ""))?;
    let house = House::open(&keys.arguments()).await?;
    let begun = house.post(initialize()).bearer_auth("anna-key").send().await?;
    let session = begun.headers()["mcp-session-id"].clone();
    let in_session = |id: u64, key: &'static str| {
        house.post(call(id, "list_jobs", json!({}))).header("mcp-session-id", &session).bearer_auth(key).send()
    };
    assert_eq!(
        (in_session(1, "anna-key").await?.status().as_u16(), in_session(2, "ben-key").await?.status().as_u16()),
        (200, 404)
    );
    house.http.delete(house.url("/mcp")).header("mcp-session-id", &session).bearer_auth("ben-key").send().await?;
    assert_eq!(in_session(3, "anna-key").await?.status(), 200, "nobody else ends it");
    let page =
        |key: &'static str, arguments: Value| house.post(call(1, "list_jobs", arguments)).bearer_auth(key).send();
    let first = structured(page("anna-key", json!({ "limit": 2 })).await?).await?;
    let token = first["next_page_token"].clone();
    let next = json!({ "limit": 2, "page_token": token });
    let theirs = structured(page("anna-key", next.clone()).await?).await?;
    assert!(theirs["items"].as_array().is_some_and(|items| !items.is_empty()) && theirs["items"] != first["items"]);
    let refused = answer(page("ben-key", next).await?).await?;
    assert!(refused.to_string().contains("not issued by this server"), "{refused}");
    let changed = token.as_str().ok_or("no token")?.replacen('e', "f", 1);
    let refused = answer(page("anna-key", json!({ "limit": 2, "page_token": changed })).await?).await?;
    assert!(refused.to_string().contains("not issued by this server"), "{refused}");
    // By the executors, too.
    let reach = |key: &'static str, arguments: Value| {
        let arguments = json!({ "operation": "list_jobs", "arguments": arguments });
        house.post(call(1, "call_read_operation", arguments)).bearer_auth(key).send()
    };
    let first = structured(reach("anna-key", json!({ "limit": 2 })).await?).await?;
    let next = json!({ "limit": 2, "page_token": first["next_page_token"] });
    assert!(structured(reach("anna-key", next.clone()).await?).await?["items"].is_array());
    assert!(answer(reach("ben-key", next).await?).await?.to_string().contains("not issued by this server"));
    // Lists that are kept are of whoever asked for them.
    let catalogs = |key: &'static str| house.post(call(1, "list_catalogs", json!({}))).bearer_auth(key).send();
    for (key, is_kept) in [("anna-key", false), ("anna-key", true), ("ben-key", false), ("ben-key", true)] {
        let listed = structured(catalogs(key).await?).await?;
        assert_eq!(listed.get("as_of").is_some(), is_kept, "{key}: {listed}");
    }
    Ok(())
}

#[tokio::test]
async fn paths_and_headers_take_tools_away_and_give_none() -> Outcome {
    let keys = Keys::new(&three())?;
    let house = House::open(&keys.arguments()).await?;
    let all = tools(&house, "/mcp", &[("authorization", "Bearer anna-key")]).await?;
    let has = |tools: &[String], name: &str| tools.iter().any(|tool| tool == name);
    for (path, headers, present, absent) in [
        ("/mcp/readonly", vec![], "list_jobs", "create_job"),
        ("/mcp/x/jobs,sql", vec![], "create_job", "list_clusters"),
        ("/mcp/x/jobs/readonly", vec![], "list_jobs", "create_job"),
        ("/mcp", vec![("x-mcp-readonly", "true")], "list_jobs", "create_job"),
        ("/mcp", vec![("x-mcp-toolsets", "jobs, sql")], "execute_sql", "list_clusters"),
        ("/mcp", vec![("x-mcp-tools", "list_jobs")], "list_jobs", "create_job"),
        ("/mcp/x/jobs", vec![("x-mcp-tools", "list_jobs,list_clusters")], "list_jobs", "list_clusters"),
    ] {
        let mut headers = headers.clone();
        headers.push(("authorization", "Bearer anna-key"));
        let left = tools(&house, path, &headers).await?;
        assert!(
            has(&left, present) && !has(&left, absent) && left.iter().all(|name| has(&all, name)),
            "{path} {headers:?}"
        );
    }
    // A key that has only jobs gets nothing else by asking for it.
    for (path, header) in [("/mcp/x/sql", ("x", "")), ("/mcp/x/all", ("x", "")), ("/mcp", ("x-mcp-toolsets", "all"))] {
        let left = tools(&house, path, &[header, ("authorization", "Bearer cora-key")]).await?;
        assert!(!has(&left, "execute_sql") && !has(&left, "list_clusters"), "{path} {header:?}: {left:?}");
    }
    let wrong =
        house.post_to("/mcp/x/jbos", request(1, "tools/list", json!({}))).bearer_auth("anna-key").send().await?;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().await?.contains("did you mean `jobs`?"));
    Ok(())
}

#[tokio::test]
async fn a_caller_can_bring_a_token_of_the_workspace() -> Outcome {
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    let house = House::beside("--call-as header", &sandbox).await?;
    let with = |token: Option<&str>| {
        let post = house.post(call(1, "list_jobs", json!({})));
        match token {
            Some(token) => post.header("x-databricks-token", token),
            None => post,
        }
    };
    assert_eq!(with(None).send().await?.status(), 401);
    assert!(structured(with(Some(sandbox.token())).send().await?).await?["items"].is_array());
    let refused = answer(with(Some("dapi-of-nobody")).send().await?).await?;
    let text = refused.to_string();
    assert!(
        refused["result"]["isError"] == true && text.contains("caller") && !text.contains("dapi-of-nobody"),
        "{text}"
    );
    // Whoever was right before is not confused with the other.
    assert!(structured(with(Some(sandbox.token())).send().await?).await?["items"].is_array());
    Ok(())
}

#[tokio::test]
async fn a_caller_has_so_many_calls_under_way_and_others_do_not_wait_for_them() -> Outcome {
    let keys = Keys::new(&three())?;
    let house = House::open(&format!("{} --max-calls 2 --max-streams 1", keys.arguments())).await?;
    let slow = json!({ "statement": "SELECT count(*) FROM range(100000) a CROSS JOIN range(100000) b WHERE a.id * b.id % 7 = 3",
                       "timeout_seconds": 120 });
    let slow = || {
        let sent = house.post(call(1, "execute_sql", slow.clone())).bearer_auth("anna-key").send();
        tokio::spawn(sent)
    };
    let both = [slow(), slow()];
    until("two calls are under way", || async {
        let third = house.post(call(1, "list_jobs", json!({}))).bearer_auth("anna-key").send().await?;
        let is_refused = third.status() == 429;
        assert!(!is_refused || third.headers().contains_key("retry-after"));
        Ok(is_refused)
    })
    .await?;
    let other = house.post(call(1, "list_jobs", json!({}))).bearer_auth("cora-key").send().await?;
    assert!(structured(other).await?["items"].is_array());
    both.iter().for_each(tokio::task::JoinHandle::abort);
    until("their turn is over", || async {
        Ok(house.post(call(1, "list_jobs", json!({}))).bearer_auth("anna-key").send().await?.status() == 200)
    })
    .await?;
    // Sessions are bounded as streams are.
    let first = house.post(initialize()).bearer_auth("anna-key").send().await?;
    let second = house.post(initialize()).bearer_auth("anna-key").send().await?;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 429));
    // Each of many that begin at once learns which of its requests was refused.
    let begun = (0..40).map(|_| tokio::spawn(house.post(initialize()).bearer_auth("cora-key").send()));
    let mut statuses = Vec::new();
    for begun in begun.collect::<Vec<_>>() {
        let begun = begun.await??;
        statuses.push(begun.status().as_u16());
        let told = answer(begun).await?;
        assert_eq!(told["id"], 0, "{told}");
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    Ok(())
}

#[tokio::test]
async fn modes_that_cannot_be_meant_are_refused_at_the_start() -> Outcome {
    for (arguments, expected) in [
        ("--listen 0.0.0.0:0", "nobody is asked who calls"),
        ("--auth app", "DATABRICKS_APP_NAME is not set"),
        ("--keys keys.yaml", "add `--auth bearer`"),
        ("--oauth-issuer https://login.acme.test", "add `--auth oauth`"),
        ("--call-as exchange", "needs the tokens of `--auth oauth`"),
        ("--call-as forwarded", "needs the proxy of `--auth app`"),
        ("--public-url nonsense", "is no URL of a web server"),
        ("--allowed-origin app.acme.test", "is no origin"),
        ("--allowed-host http://a.test", "is no host name"),
        ("--signing-keys /no/such/file", "signing keys"),
    ] {
        let error = House::open(arguments).await.err().ok_or_else(|| format!("{arguments} is taken"))?.to_string();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    Ok(())
}
