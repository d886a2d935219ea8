//! Whatever a client sends, each request with a readable id is answered with it, and the server goes on.

use serde_json::{Value, json};

use crate::wire::{Outcome, Wire, binary, binary_of, initialize, modern, request};

const PARSE_ERROR: i64 = -32_700;
const INVALID_REQUEST: i64 = -32_600;
const METHOD_NOT_FOUND: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;

#[tokio::test]
async fn a_malformed_request_is_answered_with_its_id() -> Outcome {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let call = |params: &str| format!(r#"{{"jsonrpc":"2.0","method":"tools/call","params":{params},"id":7}}"#);
    let invalid = r#"{"jsonrpc":"2.0","method":7,"id":7}"#.to_owned();
    let cases = [
        (call(r#"{"name":"list_jobs","arguments":{"name":"\ud83d"}}"#), PARSE_ERROR, "hex escape"),
        (call(r#"{"name":"list_jobs","arguments":{"limit":1e400}}"#), PARSE_ERROR, "number out of range"),
        (call(&nested(10_000)), PARSE_ERROR, "recursion limit"),
        (call(&nested(1_000_000)), PARSE_ERROR, "recursion limit"),
        (call(r#"{"name":}"#), PARSE_ERROR, "cannot be read as JSON"),
        (call(&format!(r#"{{"name":"{}"}}"#, "x".repeat(33 << 20))), PARSE_ERROR, "`local_path`"),
        (call(r#"{"name":"list_jobs","_meta":"text"}"#), INVALID_PARAMS, "`params._meta` is text; expected an object"),
        (call(r#"["list_jobs"]"#), INVALID_PARAMS, "`params` is a list; expected an object"),
        (call(r#"{"name":"list_jobs","arguments":[1]}"#), INVALID_PARAMS, "`arguments` is a list; expected an object"),
        (call(r#"{"name":"list_jobs","arguments":"null"}"#), INVALID_PARAMS, "`arguments` is the text `null`"),
        (call(r#"{"arguments":{}}"#), INVALID_PARAMS, "missing field `name`"),
        (invalid, INVALID_REQUEST, "`method` is a number; expected text"),
        (r#"{"method":"ping","id":7}"#.to_owned(), INVALID_REQUEST, "`jsonrpc`"),
        (r#"{"jsonrpc":"2.0","id":7}"#.to_owned(), INVALID_REQUEST, "no `method`"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#.to_owned(), INVALID_REQUEST, ""),
    ];
    let mut wire = Wire::legacy(binary(&[])).await?;
    for (line, code, words) in &cases {
        wire.line(line.as_bytes()).await?;
        let answer = wire.next().await?;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(
            (&answer["id"], answer["error"]["code"].as_i64()),
            (&json!(7), Some(*code)),
            "{line:.100}: {answer}"
        );
        assert!(message.contains(words), "{line:.100}: {message}");
    }
    for (id, line) in [
        (json!("é"), r#"{"jsonrpc":"2.0","id":"é","method":"ping","params":[]}"#),
        (json!(1.5), r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#),
        (json!(u64::MAX), r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#),
    ] {
        wire.line(line.as_bytes()).await?;
        assert_eq!(wire.next().await?["id"], id, "{line}");
    }
    for (line, code) in [
        (&b"no json"[..], PARSE_ERROR),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, INVALID_REQUEST),
        (br#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}"#, INVALID_REQUEST),
        (b"[]", INVALID_REQUEST),
        (b"5", INVALID_REQUEST),
        (b"\xff\xfe", PARSE_ERROR),
        (br#"{"jsonrpc":"2.0","method":"ping","params":{"id":7}"#, PARSE_ERROR),
    ] {
        wire.line(line).await?;
        let answer = wire.next().await?;
        assert_eq!((answer.get("id"), answer["error"]["code"].as_i64()), (None, Some(code)), "{answer}");
    }
    // What nobody waits for gets no answer: the next one is that of the ping.
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\ud83d"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/nothing","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"\ud83d"}}"#,
        "",
        "\r",
    ] {
        wire.line(line.as_bytes()).await?;
    }
    assert_eq!(wire.ask(&request(8, "ping", json!({}))).await?, json!({ "jsonrpc": "2.0", "id": 8, "result": {} }));
    let (code, _) = wire.end().await?;
    assert_eq!(code, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_client_that_first_tries_the_newer_era_gets_its_session() -> Outcome {
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    let answer = json!({ "jsonrpc": "2.0", "id": 9, "result": {} });
    let error = json!({ "jsonrpc": "2.0", "id": 9, "error": { "code": 1, "message": "m" } });
    for first in [&cancelled, &answer, &error] {
        let mut wire = Wire::open(binary(&[]))?;
        wire.send(first).await?;
        let discovered = wire.ask(&modern(1, "server/discover", json!({}))).await?;
        assert!(discovered["result"]["supportedVersions"].is_array(), "{discovered}");
        wire.send(&cancelled).await?;
        // The era is not known yet, and neither is it by a handshake that failed.
        let early = wire.ask(&request(2, "tools/list", json!({}))).await?;
        assert_eq!(early["error"]["code"], INVALID_PARAMS, "{early}");
        let malformed = wire.ask(&request(3, "initialize", json!({ "capabilities": {} }))).await?;
        let message = malformed["error"]["message"].as_str().unwrap_or_default();
        assert_eq!((&malformed["id"], &malformed["error"]["code"]), (&json!(3), &json!(INVALID_PARAMS)), "{malformed}");
        assert!(message.contains("missing field `protocolVersion`"), "{message}");

        // All at once: what comes after `initialize` waits for its answer.
        wire.send(&initialize(4, "2025-06-18")).await?;
        wire.send(&request(5, "tools/list", json!({}))).await?;
        let (session, list) = (wire.next().await?, wire.next().await?);
        assert_eq!(session["result"]["protocolVersion"], "2025-06-18", "{session}");
        assert!(list["result"]["tools"].is_array() && list["result"].get("resultType").is_none(), "{list:.200}");
        assert_eq!(wire.end().await?.0, Some(0));
    }
    Ok(())
}

#[tokio::test]
async fn a_second_request_with_an_id_under_way_is_refused_and_does_nothing() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let mut wire = Wire::legacy(binary_of(&sandbox, &["--toolsets", "default,catalog,sql"])).await?;
    let call = |id: u32, name: &str, arguments: Value| {
        let params = json!({ "name": name, "arguments": arguments, "_meta": { "progressToken": id } });
        request(id, "tools/call", params)
    };
    let source = json!({ "path": "/Users/slow", "content": "import time\ntime.sleep(3600)\n", "language": "PYTHON" });
    let imported = wire.ask(&call(1, "import_notebook", source)).await?;
    assert_eq!(imported["result"]["isError"], false, "{imported}");
    wire.send(&call(2, "run_notebook", json!({ "notebook_path": "/Users/slow" }))).await?;
    while wire.next().await?["params"]["message"].as_str().is_none_or(|state| !state.contains("RUNNING")) {}

    let write = json!({ "statement": "CREATE SCHEMA main.twice" });
    let refused = wire.ask(&call(2, "execute_sql", write.clone())).await?;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(2), &json!(INVALID_REQUEST)), "{refused}");
    // The same id as text is another one; the statement succeeds, as it has not run before.
    let mut other = call(2, "execute_sql", write);
    other["id"] = json!("2");
    let done = wire.ask(&other).await?;
    assert_eq!((&done["id"], &done["result"]["isError"]), (&json!("2"), &json!(false)), "{done}");

    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 2 } });
    wire.send(&cancelled).await?;
    // Its id is free once its handler has ended.
    loop {
        let answer = wire.ask(&call(2, "list_catalogs", json!({}))).await?;
        assert_eq!(answer["id"], 2);
        if answer.get("error").is_none() {
            assert!(answer["result"]["structuredContent"]["items"].is_array(), "{answer}");
            break;
        }
    }
    Ok(())
}

#[tokio::test]
async fn batches_are_answered_in_the_one_revision_that_has_them() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    let mut wire = Wire::open(binary_of(&sandbox, &[]))?;
    let answer = wire.ask(&initialize(1, "2025-03-26")).await?;
    assert_eq!(answer["result"]["protocolVersion"], "2025-03-26");
    let batch = json!([
        request(2, "ping", json!({})),
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        request(3, "tools/call", json!({ "name": "list_jobs", "arguments": { "limit": 1 } })),
        request(3, "ping", json!({})),
        request(4, "ping", json!([])),
        initialize(5, "2025-03-26"),
        5,
    ]);
    wire.send(&batch).await?;
    let answers = wire.next().await?;
    let answers = answers.as_array().ok_or("no list")?;
    let given = |id: u32| answers.iter().filter(move |answer| answer["id"] == id).collect::<Vec<_>>();
    assert_eq!(answers.len(), 6, "{answers:?}");
    assert!(given(2)[0]["result"].is_object());
    assert!(given(3).iter().any(|answer| answer["result"]["structuredContent"]["items"].is_array()), "{answers:?}");
    assert!(given(3).iter().any(|answer| answer["error"]["code"] == INVALID_REQUEST), "{answers:?}");
    assert_eq!(given(4)[0]["error"]["code"], INVALID_PARAMS);
    assert_eq!(given(5)[0]["error"]["code"], INVALID_REQUEST);

    // A batch of notifications has no answer, and one that is cancelled in part is complete without it.
    wire.send(&json!([{ "jsonrpc": "2.0", "method": "notifications/initialized" }])).await?;
    wire.send(&json!(vec![request(6, "ping", json!({})); 101])).await?;
    assert_eq!(wire.next().await?["error"]["code"], INVALID_REQUEST);

    for revision in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let mut wire = Wire::open(binary(&[]))?;
        wire.send(&json!([request(1, "ping", json!({}))])).await?;
        assert_eq!(wire.next().await?["error"]["code"], INVALID_REQUEST);
        assert_eq!(wire.ask(&initialize(1, revision)).await?["result"]["protocolVersion"], revision);
        let refused = wire.ask(&json!([request(2, "ping", json!({}))])).await?;
        assert_eq!(refused["error"]["code"], INVALID_REQUEST, "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_offered_is_not_answered_as_if_it_were() -> Outcome {
    let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    // Without their tools there are no prompts, and these have no resources.
    let mut wire = Wire::legacy(binary_of(&sandbox, &["--toolsets", "apps"])).await?;
    let reference = json!({ "ref": { "type": "ref/resource", "uri": "a" }, "argument": { "name": "b", "value": "c" } });
    for (method, params) in [
        ("prompts/list", json!({})),
        ("prompts/get", json!({ "name": "a" })),
        ("completion/complete", reference),
        ("logging/setLevel", json!({ "level": "info" })),
        ("resources/subscribe", json!({ "uri": "a" })),
        ("nothing/at_all", json!({})),
    ] {
        let answer = wire.ask(&request(1, method, params)).await?;
        assert_eq!(answer["error"]["code"], METHOD_NOT_FOUND, "{method}: {answer}");
    }
    let long = "x".repeat(500_000);
    let answer = wire.ask(&request(1, &long, json!({}))).await?;
    assert_eq!(answer["error"]["code"], METHOD_NOT_FOUND);
    assert!(answer.to_string().len() < 1_000, "{} characters", answer.to_string().len());
    let mut wire = Wire::legacy(binary_of(&sandbox, &[])).await?;
    let read = json!({ "uri": format!("databricks://{long}") });
    for asked in [request(1, "resources/read", read.clone()), modern(1, "resources/read", read)] {
        let answer = wire.ask(&asked).await?;
        let length = answer.to_string().len();
        assert!(answer["error"]["code"].is_i64() && length < 10_000, "{length} characters");
    }
    let uri = "databricks://jobs/987654321";
    let (legacy, modern) =
        (request(2, "resources/read", json!({ "uri": uri })), modern(2, "resources/read", json!({ "uri": uri })));
    for (asked, code) in [(legacy, -32_002), (modern, INVALID_PARAMS)] {
        let answer = wire.ask(&asked).await?;
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["data"]["uri"]),
            (&json!(code), &json!(uri)),
            "{answer}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_notebook_of_twenty_megabytes_is_imported() -> Outcome {
    let mut wire = Wire::legacy(binary(&["--sandbox"])).await?;
    let content = "# a line of a notebook\n".repeat((20 << 20) / 23);
    let arguments = json!({ "path": "/Users/large", "content": content, "language": "PYTHON" });
    let answer =
        wire.ask(&request(1, "tools/call", json!({ "name": "import_notebook", "arguments": arguments }))).await?;
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
    let is_imported = answer["result"]["isError"] == false;
    assert!(is_imported || text.contains("`local_path`"), "{answer:.500}");
    Ok(())
}
