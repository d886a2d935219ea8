//! Subscriptions to resources: who hears of a change, how often the workspace is asked, and when that ends.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use databricks_sandbox::{Faults, Options, Sandbox, Speed};
use futures_util::{Stream, StreamExt as _};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::callers::{ANNA, BEN, Keys};
use crate::house::{Failure, House, Outcome, PATIENCE, answer, initialize, modern, request, until};

const OFTEN: Duration = Duration::from_millis(50);
/// So seldom that a test sees the first look only.
const SELDOM: Duration = Duration::from_secs(3_600);
const UPDATED: &str = "notifications/resources/updated";

/// A house in whose workspace time stands still, and each look is counted.
struct Watch {
    house: House,
    sandbox: Arc<Sandbox>,
}

impl Watch {
    async fn open(arguments: &str, every: Duration) -> Result<Self, Failure> {
        Self::with(arguments, every, json!([])).await
    }

    /// A house where these faults are met besides.
    async fn with(arguments: &str, every: Duration, faults: Value) -> Result<Self, Failure> {
        // They only count.
        let rule = |route: &str| json!({ "route": route, "fault": "too_many_requests", "after": 1_000_000 });
        let mut rules = vec![rule("GET /api/2.2/jobs/runs/get"), rule("GET /api/2.1/clusters/get")];
        rules.extend(faults.as_array().into_iter().flatten().cloned());
        let rules = Value::Array(rules);
        let options = Options::default().with_speed(Speed::Manual).with_faults(Faults::parse(&rules.to_string())?);
        let sandbox = Arc::new(Sandbox::start(options).await?);
        let house = House::looking(arguments, &sandbox, every, |_| {}).await?;
        Ok(Self { house, sandbox })
    }

    /// A run that takes an hour, as a URI.
    async fn run(&self) -> Result<String, Failure> {
        let source = "import time\ntime.sleep(3600)\n";
        let notebook = json!({ "path": "/Users/slow", "content": source, "language": "PYTHON", "overwrite": true });
        self.call("import_notebook", notebook).await?;
        let run = self.call("run_notebook", json!({ "path": "/Users/slow", "wait": false })).await?;
        Ok(format!("databricks://runs/{}", run["run_id"].to_string().replace('"', "")))
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        let call = self.house.modern("tools/call", json!({ "name": tool, "arguments": arguments }));
        crate::house::structured(call.bearer_auth("anna-key").send().await?).await
    }

    /// A cluster that runs, whose state never is its last, as a URI.
    async fn cluster(&self) -> Result<String, Failure> {
        let listed = self.house.direct("/api/2.1/clusters/list").await?;
        let mut all = listed["clusters"].as_array().into_iter().flatten();
        let running = all.find(|cluster| cluster["state"] == "RUNNING").ok_or("no cluster runs")?;
        Ok(format!("databricks://clusters/{}", running["cluster_id"].as_str().unwrap_or_default()))
    }

    /// How often runs were asked for, and clusters.
    async fn looks(&self) -> Result<(u64, u64), Failure> {
        let told = self.house.direct("/__sandbox/faults").await?;
        let seen = |at: usize| told["faults"][at]["seen"].as_u64().ok_or_else(|| told.to_string());
        Ok((seen(0)?, seen(1)?))
    }

    /// Waits until nobody is asked for anything any more.
    async fn is_still(&self) -> Outcome {
        until("nothing is asked for", || async {
            let before = self.looks().await?;
            tokio::time::sleep(OFTEN * 10).await;
            Ok(self.looks().await? == before)
        })
        .await
    }

    /// Listens in the revision without a handshake.
    async fn listen(&self, key: &str, uris: &[&str]) -> Result<Ear, Failure> {
        let params = json!({ "notifications": { "resourceSubscriptions": uris } });
        let mut body = modern(1, "subscriptions/listen", params);
        body["id"] = json!("sub");
        let post = self.house.post(body).header("mcp-protocol-version", "2026-07-28");
        let post = post.header("mcp-method", "subscriptions/listen").bearer_auth(key);
        let mut ear = Ear::of(post.send().await?);
        ear.hear("notifications/subscriptions/acknowledged", 1).await?;
        Ok(ear)
    }
}

/// What comes on a stream.
struct Ear {
    stream: Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Ear {
    fn of(response: Response) -> Self {
        Self { stream: Box::pin(response.bytes_stream()), text: String::new() }
    }

    fn messages(&self) -> Vec<Value> {
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data:"));
        data.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
    }

    /// Waits for so many messages of a method, and gives the last of them.
    async fn hear(&mut self, method: &str, count: usize) -> Result<Value, Failure> {
        loop {
            let heard: Vec<_> = self.messages().into_iter().filter(|message| message["method"] == method).collect();
            if heard.len() >= count {
                return heard.into_iter().next_back().ok_or_else(|| "none".into());
            }
            let more = tokio::time::timeout(PATIENCE, self.stream.next()).await?;
            let more = more.ok_or_else(|| format!("the stream ended: {}", self.text))??;
            self.text.push_str(std::str::from_utf8(&more)?);
        }
    }

    /// Everything until the end of the stream.
    async fn into_messages(mut self) -> Result<Vec<Value>, Failure> {
        while let Some(more) = tokio::time::timeout(PATIENCE, self.stream.next()).await? {
            self.text.push_str(std::str::from_utf8(&more?)?);
        }
        Ok(self.messages())
    }
}

/// A client of a revision with a handshake.
struct Legacy<'a> {
    house: &'a House,
    session: HeaderValue,
}

impl<'a> Legacy<'a> {
    async fn begin(house: &'a House) -> Result<Self, Failure> {
        let begun = house.post(initialize()).send().await?;
        let session = begun.headers()["mcp-session-id"].clone();
        let told = answer(begun).await?;
        assert_eq!(told["result"]["capabilities"]["resources"]["subscribe"], true, "{told}");
        Ok(Self { house, session })
    }

    fn with(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("mcp-session-id", &self.session)
    }

    async fn ask(&self, method: &str, uri: &str) -> Result<Value, Failure> {
        answer(self.with(self.house.post(request(5, method, json!({ "uri": uri })))).send().await?).await
    }

    async fn stream(&self) -> Result<Ear, Failure> {
        let get = self.house.http.get(self.house.url("/mcp")).header(ACCEPT, "text/event-stream");
        Ok(Ear::of(self.with(get).send().await?))
    }
}

fn anna_and_ben() -> Result<Keys, Failure> {
    Keys::new(&format!("keys:\n- {{ name: anna, sha256: {ANNA} }}\n- {{ name: ben, sha256: {BEN} }}\n"))
}

#[tokio::test]
async fn one_poller_serves_all_who_listen_to_the_same_and_nobody_else() -> Outcome {
    let keys = anna_and_ben()?;
    let watch = Watch::open(&keys.arguments(), SELDOM).await?;
    let run = watch.run().await?;
    let (before, _) = watch.looks().await?;
    let mut first = watch.listen("anna-key", &[&run]).await?;
    until("it was looked at", || async { Ok(watch.looks().await?.0 == before + 1) }).await?;
    let (_second, _third) = (watch.listen("anna-key", &[&run]).await?, watch.listen("anna-key", &[&run, &run]).await?);
    tokio::time::sleep(OFTEN * 4).await;
    assert_eq!(watch.looks().await?.0, before + 1, "those of one caller share it");
    let _ben = watch.listen("ben-key", &[&run]).await?;
    until("it was looked at with Ben's rights", || async { Ok(watch.looks().await?.0 == before + 2) }).await?;
    let accepted = first.hear("notifications/subscriptions/acknowledged", 1).await?;
    assert_eq!(accepted["params"]["notifications"], json!({ "resourceSubscriptions": [run] }), "{accepted}");
    Ok(())
}

#[tokio::test]
async fn everybody_hears_of_a_change_and_polling_ends_with_the_last_state() -> Outcome {
    let watch = Watch::open("", OFTEN).await?;
    let run = watch.run().await?;
    let legacy = Legacy::begin(&watch.house).await?;
    let mut stream = legacy.stream().await?;
    assert!(legacy.ask("resources/subscribe", &run).await?["result"].is_object());
    let (mut first, mut second) = (watch.listen("", &[&run]).await?, watch.listen("", &[&run]).await?);
    let (before, _) = watch.looks().await?;
    until("it is looked at again and again", || async { Ok(watch.looks().await?.0 >= before + 3) }).await?;
    assert!([&first, &second, &stream].iter().all(|ear| !ear.text.contains(UPDATED)), "nothing has changed");
    watch.sandbox.advance(Duration::from_secs(7_200));
    for ear in [&mut first, &mut second] {
        let told = ear.hear(UPDATED, 1).await?;
        assert_eq!(
            (&told["params"]["uri"], &told["params"]["_meta"]),
            (&json!(run), &json!({ "io.modelcontextprotocol/subscriptionId": "sub" }))
        );
    }
    let told = stream.hear(UPDATED, 1).await?;
    assert_eq!(told["params"], json!({ "uri": run }));
    watch.is_still().await?;
    // Who comes later learns that it is over, by one look.
    let (before, _) = watch.looks().await?;
    watch.listen("", &[&run]).await?.hear(UPDATED, 1).await?;
    assert_eq!(watch.looks().await?.0, before + 1);
    Ok(())
}

#[tokio::test]
async fn polling_ends_when_nobody_listens() -> Outcome {
    let watch = Watch::open("", OFTEN).await?;
    let cluster = watch.cluster().await?;
    let is_polled = async |what: &str| {
        let (_, before) = watch.looks().await?;
        until(what, || async { Ok(watch.looks().await?.1 >= before + 2) }).await
    };
    let (first, second) = (watch.listen("", &[&cluster]).await?, watch.listen("", &[&cluster]).await?);
    drop(first);
    is_polled("the second still listens").await?;
    drop(second);
    watch.is_still().await?;
    // A session without a stream hears nothing.
    let legacy = Legacy::begin(&watch.house).await?;
    assert!(legacy.ask("resources/subscribe", &cluster).await?["result"].is_object());
    watch.is_still().await?;
    let mut stream = legacy.stream().await?;
    is_polled("the stream is there").await?;
    drop(stream);
    watch.is_still().await?;
    // What changed meanwhile is told by the next stream.
    let id = cluster.rsplit('/').next().unwrap_or_default();
    watch.call("stop_cluster", json!({ "cluster_id": id, "wait": false })).await?;
    stream = legacy.stream().await?;
    stream.hear(UPDATED, 1).await?;
    assert!(legacy.ask("resources/unsubscribe", &cluster).await?["result"].is_object());
    watch.is_still().await?;
    assert!(legacy.ask("resources/unsubscribe", &cluster).await?["result"].is_object(), "whoever is not has it");
    assert!(legacy.ask("resources/subscribe", &cluster).await?["result"].is_object());
    is_polled("it is subscribed to again").await?;
    let end = legacy.with(watch.house.http.delete(watch.house.url("/mcp"))).send().await?;
    assert_eq!(end.status(), 204);
    watch.is_still().await
}

#[tokio::test]
async fn a_workspace_that_fails_for_a_while_ends_no_subscription() -> Outcome {
    let failing = json!([{ "route": "GET /api/2.1/clusters/get", "fault": "internal_error", "after": 1, "times": 6 }]);
    let watch = Watch::with("", OFTEN, failing).await?;
    let cluster = watch.cluster().await?;
    let mut ear = watch.listen("", &[&cluster]).await?;
    until("it has failed and gone on", || async { Ok(watch.looks().await?.1 >= 9) }).await?;
    assert!(!ear.text.contains(UPDATED), "{}", ear.text);
    let id = cluster.rsplit('/').next().unwrap_or_default();
    watch.call("stop_cluster", json!({ "cluster_id": id, "wait": false })).await?;
    ear.hear(UPDATED, 1).await?;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_watched_is_said_to_be_that() -> Outcome {
    let watch = Watch::open("", SELDOM).await?;
    let legacy = Legacy::begin(&watch.house).await?;
    for (uri, words) in [
        ("databricks://jobs/1", "cannot be watched; what can is"),
        ("databricks://runs/987654321", "987654321"),
        ("databricks://runs/1?workspace=other", "cannot be watched"),
    ] {
        let refused = legacy.ask("resources/subscribe", uri).await?;
        assert!(refused["error"]["message"].as_str().is_some_and(|text| text.contains(words)), "{uri}: {refused}");
    }
    let run = watch.run().await?;
    let mut ear = watch.listen("", &["databricks://jobs/1", &run, "https://acme.test"]).await?;
    let accepted = ear.hear("notifications/subscriptions/acknowledged", 1).await?;
    assert_eq!(accepted["params"]["notifications"], json!({ "resourceSubscriptions": [run] }), "{accepted}");
    // Whoever listens to what is gone is told to look.
    watch.listen("", &["databricks://runs/987654321"]).await?.hear(UPDATED, 1).await?;
    Ok(())
}

#[tokio::test]
async fn so_many_can_be_listened_to_and_no_more() -> Outcome {
    let watch = Watch::open("", SELDOM).await?;
    let cluster = watch.cluster().await?;
    let uris: Vec<_> = (1..=101).map(|offset| format!("{cluster}?offset={offset}")).collect();
    let uris: Vec<_> = uris.iter().map(String::as_str).collect();
    let refused = |messages: Vec<Value>| {
        let error = messages.last().map(|message| message["error"].clone()).unwrap_or_default();
        let words = error["message"].as_str().is_some_and(|text| text.contains("you listen to 100 resources"));
        assert!(error["code"] == -32_000 && words, "{messages:?}");
    };
    refused(watch.listen("", &uris).await?.into_messages().await?);
    let most = watch.listen("", &uris[1..]).await?;
    refused(watch.listen("", &[&cluster]).await?.into_messages().await?);
    let legacy = Legacy::begin(&watch.house).await?;
    let told = legacy.ask("resources/subscribe", &cluster).await?;
    refused(vec![told]);
    drop(most);
    until("there is room again", || async {
        Ok(legacy.ask("resources/subscribe", &cluster).await?["result"].is_object())
    })
    .await
}

#[tokio::test]
async fn without_a_session_old_clients_are_told_that_there_is_none_of_it() -> Outcome {
    let watch = Watch::open("--no-sessions", SELDOM).await?;
    let told = answer(watch.house.post(initialize()).send().await?).await?;
    assert!(told["result"]["capabilities"]["resources"].get("subscribe").is_none(), "{told}");
    let subscribe = request(5, "resources/subscribe", json!({ "uri": "databricks://runs/1" }));
    let refused = watch.house.post(subscribe).header("mcp-protocol-version", "2025-11-25").send().await?;
    let refused = answer(refused).await?;
    assert_eq!(refused["error"]["code"], -32_601, "{refused}");
    let told = answer(watch.house.modern("server/discover", json!({})).send().await?).await?;
    assert_eq!(told["result"]["capabilities"]["resources"]["subscribe"], true, "{told}");
    Ok(())
}
