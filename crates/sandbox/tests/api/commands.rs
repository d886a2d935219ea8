//! Commands on clusters, moved by hand.

use std::error::Error;
use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, post};

const CLUSTER: &str = "0301-081500-etlmain1";

async fn manual() -> Result<Sandbox, Box<dyn Error>> {
    Ok(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?)
}

async fn context(sandbox: &Sandbox, language: &str) -> Result<String, Box<dyn Error>> {
    let made = post(sandbox, "/api/1.2/contexts/create", json!({"clusterId": CLUSTER, "language": language})).await?;
    let id = made.at("/id").as_str().unwrap_or_default().to_owned();
    sandbox.advance(Duration::from_secs(1));
    Ok(id)
}

async fn begin(sandbox: &Sandbox, context: &str, command: &str) -> Result<String, Box<dyn Error>> {
    let body = json!({"clusterId": CLUSTER, "contextId": context, "command": command});
    let id = post(sandbox, "/api/1.2/commands/execute", body).await?.at("/id");
    Ok(id.as_str().unwrap_or_default().to_owned())
}

async fn status(sandbox: &Sandbox, context: &str, id: &str) -> Result<Value, Box<dyn Error>> {
    let path = format!("/api/1.2/commands/status?clusterId={CLUSTER}&contextId={context}&commandId={id}");
    Ok(get(sandbox, &path).await?.json())
}

/// The results of a command that is over.
async fn results(sandbox: &Sandbox, context: &str, command: &str) -> Result<Value, Box<dyn Error>> {
    let id = begin(sandbox, context, command).await?;
    sandbox.advance(Duration::from_secs(100));
    let status = status(sandbox, context, &id).await?;
    assert_eq!(status["status"], "Finished", "{status}");
    Ok(status["results"].clone())
}

#[tokio::test]
async fn python_gives_texts_tables_and_images_and_keeps_its_names() -> Checked {
    let sandbox = manual().await?;
    let context = context(&sandbox, "python").await?;
    for (command, text) in [
        ("x = 20 + 1", ""),
        ("print(x * 2, 'rows')", "42 rows"),
        ("name = f\"n{x}\"\nprint('a')\nname", "a\n'n21'"),
        ("7 / 2", "3.5"),
        ("token = dbutils.secrets.get(scope='etl', key='api-key')\nprint(token)", "[REDACTED]"),
        ("-7 // 2, 3", "(-4, 3)"),
        ("y = [1, 'two', None]\ny", "[1, 'two', None]"),
        ("spark.table('samples.retail.orders').count()", "1500"),
        ("def half(n):\n    return n / 2", ""),
        ("for n in y[:1]:\n    print(half(n))", "0.5"),
    ] {
        let seen = results(&sandbox, &context, command).await?;
        assert_eq!((&seen["resultType"], &seen["data"]), (&json!("text"), &json!(text)), "{command}");
    }
    let table = results(&sandbox, &context, "display(spark.sql('SELECT 1 AS n, \"a\" AS t'))").await?;
    assert_eq!((&table["resultType"], &table["data"]), (&json!("table"), &json!([["1", "a"]])));
    assert_eq!(table["schema"][0]["name"], "n");
    let image = results(&sandbox, &context, "import matplotlib.pyplot as plt\nplt.plot(x)\nplt.show()").await?;
    assert_eq!(image["resultType"], "image");
    assert!(image["fileName"].as_str().is_some_and(|name| name.starts_with("data:image/png;base64,")));
    let images = results(&sandbox, &context, "plt.show()\nplt.show()").await?;
    assert_eq!((&images["resultType"], images["fileNames"].as_array().map(Vec::len)), (&json!("images"), Some(2)));
    Ok(())
}

#[tokio::test]
async fn what_fails_says_so_and_what_is_not_known_is_not_guessed() -> Checked {
    let sandbox = manual().await?;
    let context = context(&sandbox, "python").await?;
    for (command, error) in [
        ("raise ValueError('no <b>')", "ValueError: no <b>"),
        ("print(nothing)", "NameError: name 'nothing' is not defined"),
        ("x = dbutils.secrets.get('etl', 'none')", "Secret does not exist with scope: etl and key: none"),
        ("print(1 / 0)", "ZeroDivisionError: division by zero"),
        ("assert 1 == 2\nprint('passed')", "AssertionError"),
        ("open('/tmp/x', 'w').write('x')", "NotImplementedError: the sandbox runs a small part of Python only"),
        ("%sh ls", "NotImplementedError"),
        ("spark.sql('SELECT * FROM nowhere.at.all')", "TABLE_OR_VIEW_NOT_FOUND"),
    ] {
        let seen = results(&sandbox, &context, command).await?;
        assert_eq!(seen["resultType"], "error", "{command}: {seen}");
        assert!(seen["cause"].as_str().is_some_and(|cause| cause.contains(error)), "{command}: {seen}");
        assert!(seen["summary"].as_str().is_some_and(|summary| summary.starts_with("<span")), "{seen}");
    }
    Ok(())
}

#[tokio::test]
async fn commands_wait_for_each_other_and_can_be_cancelled() -> Checked {
    let sandbox = manual().await?;
    let context = context(&sandbox, "python").await?;
    let slow = begin(&sandbox, &context, "import time\ntime.sleep(30)").await?;
    let next = begin(&sandbox, &context, "print('next')").await?;
    sandbox.advance(Duration::from_secs(1));
    let told = [status(&sandbox, &context, &slow).await?, status(&sandbox, &context, &next).await?];
    assert_eq!([&told[0]["status"], &told[1]["status"]], ["Running", "Queued"]);
    let body = json!({"clusterId": CLUSTER, "contextId": context, "commandId": slow});
    assert_eq!(post(&sandbox, "/api/1.2/commands/cancel", body).await?.status, 200);
    let cancelled = status(&sandbox, &context, &slow).await?;
    assert_eq!((&cancelled["status"], &cancelled["results"]), (&json!("Cancelled"), &Value::Null));
    sandbox.advance(Duration::from_secs(60));
    assert_eq!(status(&sandbox, &context, &next).await?["results"]["data"], "next");
    Ok(())
}

#[tokio::test]
async fn other_languages_know_a_few_words() -> Checked {
    let sandbox = manual().await?;
    for (language, command, kind, data) in [
        ("scala", "println(\"hi\")\nprintln(3)", "text", "hi\n3"),
        ("scala", "throw new Exception(\"no\")", "error", "Exception: no"),
        ("scala", "val x = spark.range(3)", "error", "knows a few words of scala only"),
        ("r", "print(\"hi\")", "text", "[1] \"hi\""),
        ("r", "stop(\"no\")", "error", "Error: no"),
        ("sql", "SELECT 2 AS n", "table", ""),
        ("sql", "SELEC", "error", "PARSE_SYNTAX_ERROR"),
    ] {
        let context = context(&sandbox, language).await?;
        let seen = results(&sandbox, &context, command).await?;
        assert_eq!(seen["resultType"], kind, "{command}: {seen}");
        let told = if kind == "text" { &seen["data"] } else { &seen["cause"] };
        assert!(kind == "table" || told.as_str().is_some_and(|told| told.contains(data)), "{command}: {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn contexts_end_with_their_cluster_and_are_limited() -> Checked {
    let sandbox = manual().await?;
    let first = context(&sandbox, "python").await?;
    post(&sandbox, "/api/2.1/clusters/restart", json!({"cluster_id": CLUSTER})).await?;
    sandbox.advance(Duration::from_secs(5));
    let body = json!({"clusterId": CLUSTER, "contextId": first, "command": "1"});
    let lost = post(&sandbox, "/api/1.2/commands/execute", body).await?;
    assert_eq!(lost.status, 404);
    assert!(lost.at("/error").as_str().is_some_and(|error| error.starts_with("ContextNotFound")), "{}", lost.json());
    for _ in 0..145 {
        context(&sandbox, "sql").await?;
    }
    let refused = post(&sandbox, "/api/1.2/contexts/create", json!({"clusterId": CLUSTER, "language": "sql"})).await?;
    assert!(refused.at("/error").as_str().is_some_and(|error| error.contains("Too many execution contexts")));
    let stopped = json!({"clusterId": "0227-143000-adhoc001", "language": "sql"});
    assert_eq!(post(&sandbox, "/api/1.2/contexts/create", stopped).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn a_command_ends_with_its_cluster() -> Checked {
    let sandbox = manual().await?;
    let context = context(&sandbox, "python").await?;
    let command = begin(&sandbox, &context, "import time\ntime.sleep(60)\n").await?;
    sandbox.advance(Duration::from_secs(2));
    assert_eq!(status(&sandbox, &context, &command).await?["status"], "Running");
    post(&sandbox, "/api/2.1/clusters/delete", json!({"cluster_id": CLUSTER})).await?;
    sandbox.advance(Duration::from_secs(100));
    let gone = status(&sandbox, &context, &command).await?;
    assert!(gone["error"].to_string().contains("ContextNotFound"), "{gone}");
    Ok(())
}
