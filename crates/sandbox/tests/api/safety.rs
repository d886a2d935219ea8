//! What a sandbox in the server's process must not let happen: it outlives every statement, and no web page reaches it.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use databricks_sandbox::Sandbox;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{Checked, Reply, get, post, raw, send, start};

const WAREHOUSE: &str = "a1b2c3d4e5f60718";

async fn statement(sandbox: &Sandbox, sql: &str) -> Result<Value, Box<dyn Error>> {
    let body = json!({"warehouse_id": WAREHOUSE, "statement": sql, "wait_timeout": "50s"});
    Ok(post(sandbox, "/api/2.0/sql/statements", body).await?.json())
}

/// Chains that nest a tree as deep as they are long: their start, a link, and their end.
const CHAINS: [(&str, &str, &str); 22] = [
    ("SELECT 1", " + 1", ""),
    ("SELECT 1", " DIV 1", ""),
    ("SELECT true", " OR true", ""),
    ("SELECT true", " AND true", ""),
    ("SELECT 'a'", " || 'a'", ""),
    ("SELECT '1'", "::INT", ""),
    ("SELECT 1", " IS NULL", ""),
    ("SELECT 1", " IS NOT DISTINCT FROM 1", ""),
    ("SELECT 'a'", " LIKE 'a'", ""),
    ("SELECT 1", " BETWEEN 0 AND 2", ""),
    ("SELECT 1", " IN (1)", ""),
    ("SELECT a:b", ":b", " FROM VALUES ('{}') AS t(a)"),
    ("SELECT a:b", ".b", " FROM VALUES ('{}') AS t(a)"),
    ("SELECT a", "[0]", " FROM VALUES (array(1)) AS t(a)"),
    ("SELECT 1, 2", " UNION ALL SELECT 1, 2", ""),
    ("SELECT 1", " EXCEPT SELECT 2", ""),
    ("SELECT ", "(", "1"),
    ("SELECT ", "- ", "1"),
    ("SELECT ", "NOT ", "true"),
    ("SELECT ", "abs(", "1"),
    ("SELECT ", "CASE WHEN true THEN ", "1"),
    ("SELECT from_json('[]', '", "ARRAY<", "INT')"),
];

#[tokio::test(flavor = "multi_thread")]
async fn chains_of_any_length_are_answered() -> Checked {
    let sandbox = start().await?;
    for (head, link, tail) in CHAINS {
        for length in [300, 50_000] {
            let told = statement(&sandbox, &format!("{head}{}{tail}", link.repeat(length))).await?;
            let state = &told["status"]["state"];
            assert!(state == "SUCCEEDED" || state == "FAILED", "{head}{link}… {length}: {told}");
            let gave_up = told.to_string().contains("its engine gave up");
            assert!(!gave_up, "{head}{link}… {length}: {told}");
        }
    }
    assert_eq!(statement(&sandbox, "SELECT 1 + 1 + 1").await?["result"]["data_array"], json!([["3"]]));
    Ok(())
}

#[tokio::test]
async fn a_limit_is_an_error_and_no_other_result() -> Checked {
    let sandbox = start().await?;
    for expression in [
        "length(space(2000000000))",
        "length(repeat('a', 2000000000))",
        "length(lpad('a', 2000000000, 'b'))",
        "length(rpad('a', 2000000000, 'b'))",
        "length(replace(space(1000000), ' ', space(1000000)))",
        "length(regexp_replace(space(1000000), ' ', space(1000000)))",
        "size(array_repeat('a', 2000000000))",
        "size(array_repeat(space(1000000), 1000000))",
        "size(sequence(1, 2000000000))",
        "length(array_join(array_repeat('a', 1000000), space(1000000)))",
        "length(concat_ws(space(10000000), 'a', 'b', 'c'))",
        "length(concat(repeat('a', 16000000), repeat('a', 16000000), repeat('a', 16000000), repeat('a', 16000000), repeat('a', 16000000)))",
    ] {
        let told = statement(&sandbox, &format!("SELECT {expression}")).await?;
        assert_eq!(told["status"]["state"], "FAILED", "{expression}: {told}");
        let message = told["status"]["error"]["message"].to_string();
        // All statements of a process share its memory, and other tests take theirs.
        let limits = ["this long", "a million items", "this much memory", "1000000 values"];
        assert!(limits.iter().any(|limit| message.contains(limit)), "{expression}: {told}");
    }
    for aggregate in ["max_by(text, id)", "mode(text)", "first(text)", "string_agg(DISTINCT text, ',')"] {
        let sql = format!(
            "SELECT length({aggregate}) FROM (SELECT id, repeat(CAST(id AS STRING), 3000000) AS text FROM range(1000))"
        );
        let told = statement(&sandbox, &sql).await?;
        assert!(told["status"]["error"]["message"].to_string().contains("this much memory"), "{aggregate}: {told}");
    }
    let told = statement(&sandbox, "SELECT length(space(1000000)), translate('abca', 'aba', 'xy')").await?;
    assert_eq!(told["result"]["data_array"], json!([["1000000", "xycx"]]));
    Ok(())
}

/// Queries that each use the one before twice.
fn doubling(levels: usize, step: impl Fn(usize) -> String, last: &str) -> String {
    let steps: Vec<_> = (1..=levels).map(|level| format!("c{level} AS ({})", step(level - 1))).collect();
    format!("WITH c0 AS (SELECT 1 AS x), {} SELECT {last} FROM c{levels}", steps.join(", "))
}

#[tokio::test]
async fn a_short_statement_does_not_grow_without_bounds() -> Checked {
    let sandbox = start().await?;
    let wide: Vec<_> = (0..1_000).map(|_| "repeat('a', 16000000)").collect();
    for statement_text in [
        doubling(40, |before| format!("SELECT a.x FROM c{before} a, c{before} b"), "count(*)"),
        doubling(40, |before| format!("SELECT * FROM c{before} a, c{before} b"), "count(*)"),
        doubling(40, |before| format!("SELECT struct(x AS x, x AS y) AS x FROM c{before}"), "typeof(x)"),
        format!("SELECT {}", wide.join(", ")),
        "SELECT size(collect_list(repeat('a', 1000000))) FROM range(100000)".to_owned(),
    ] {
        let told = statement(&sandbox, &statement_text).await?;
        assert_eq!(told["status"]["state"], "FAILED", "{statement_text:.100}: {told}");
        assert!(told.to_string().contains("UNSUPPORTED_FEATURE"), "{statement_text:.100}: {told}");
    }
    let views = (1..=20).map(|level| {
        format!(
            "CREATE VIEW main.default.v{level} AS SELECT a.x FROM main.default.v{} a, main.default.v{} b",
            level - 1,
            level - 1
        )
    });
    statement(&sandbox, "CREATE VIEW main.default.v0 AS SELECT 1 AS x").await?;
    for view in views {
        statement(&sandbox, &view).await?;
    }
    let told = statement(&sandbox, "SELECT count(*) FROM main.default.v20").await?;
    assert_eq!(told["status"]["state"], "FAILED", "{told}");
    let told =
        statement(&sandbox, &doubling(5, |before| format!("SELECT a.x FROM c{before} a, c{before} b"), "count(*)"))
            .await?;
    assert_eq!(told["result"]["data_array"], json!([["1"]]));
    Ok(())
}

/// What makes the parser work twice as long, or copies a megabyte, with each repetition.
#[tokio::test]
async fn a_short_statement_does_not_take_for_ever() -> Checked {
    let sandbox = start().await?;
    let nested = format!("SELECT {}'a'{}", "position(".repeat(40), ", 'a')".repeat(40));
    let divided = format!("SELECT 1{}", " DIV 1".repeat(3_000));
    let functions = format!("SELECT {}*", "(x, y) -> ".repeat(40));
    for sql in [nested, divided, functions] {
        let answer = statement(&sandbox, &sql).await?;
        assert_eq!(answer["status"]["state"], "FAILED", "{answer}");
    }
    let answer = statement(&sandbox, "SELECT position('b', concat('a', substr('abc', position('a', 'ba'))))").await?;
    assert_eq!(answer["status"]["state"], "SUCCEEDED", "{answer}");
    for name in ["a".repeat(1_000_000), "a.".repeat(1_000_000)] {
        let sql = format!("SELECT * FROM IDENTIFIER(:p){}", ", IDENTIFIER(:p)".repeat(10_000));
        let body = json!({
            "warehouse_id": WAREHOUSE, "statement": sql, "wait_timeout": "50s",
            "parameters": [{ "name": "p", "value": name }],
        });
        let answer = post(&sandbox, "/api/2.0/sql/statements", body).await?.json();
        assert_eq!(answer["status"]["state"], "FAILED", "{answer}");
    }
    Ok(())
}

async fn from(sandbox: &Sandbox, path: &str, headers: &str) -> Result<Reply, Box<dyn Error>> {
    raw(sandbox, format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n").as_bytes()).await
}

#[tokio::test]
async fn no_web_page_reaches_a_sandbox() -> Checked {
    let sandbox = start().await?;
    let own = sandbox.url().trim_start_matches("http://");
    for path in ["/api/2.2/jobs/list", "/__sandbox/clock", "/.well-known/databricks-config", "/oidc/v1/authorize"] {
        let bearer = format!("authorization: Bearer {}\r\n", sandbox.token());
        for headers in [
            "host: evil.test\r\n".to_owned(),
            format!("host: {own}\r\norigin: https://evil.test\r\n"),
            format!("host: {own}\r\norigin: null\r\n"),
        ] {
            let reply = from(&sandbox, path, &(headers.clone() + &bearer)).await?;
            assert_eq!((reply.status, reply.code().as_str()), (403, "PERMISSION_DENIED"), "{path} {headers}");
        }
        let reply = from(&sandbox, path, &format!("host: {own}\r\norigin: http://{own}\r\n{bearer}")).await?;
        assert_ne!(reply.status, 403, "{path}");
    }
    for path in ["/__sandbox/clock", "/__sandbox/faults"] {
        assert_eq!(from(&sandbox, path, &format!("host: {own}\r\n")).await?.status, 401, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn each_sandbox_has_a_token_of_its_own() -> Checked {
    let (one, other) = (start().await?, start().await?);
    assert_ne!(one.token(), other.token());
    assert!(one.token().starts_with("dapi-sandbox-") && one.token().len() == 45, "{}", one.token());
    let foreign = format!("host: localhost\r\nauthorization: Bearer {}\r\n", other.token());
    assert_eq!(from(&one, "/api/2.2/jobs/list", &foreign).await?.status, 403);
    let made = post(&one, "/api/2.0/token/create", json!({"comment": "x"})).await?.at("/token_value");
    let twin = post(&other, "/api/2.0/token/create", json!({"comment": "x"})).await?.at("/token_value");
    assert_ne!(made, twin);
    Ok(())
}

async fn exchange(sandbox: &Sandbox, form: &str) -> Result<Reply, Box<dyn Error>> {
    let head = format!(
        "POST /oidc/v1/token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    raw(sandbox, head.as_bytes()).await
}

#[tokio::test]
async fn the_announced_login_leads_to_a_token() -> Checked {
    let sandbox = start().await?;
    let announced = get(&sandbox, "/oidc/.well-known/oauth-authorization-server").await?;
    assert_eq!(announced.at("/authorization_endpoint"), json!(format!("{}/oidc/v1/authorize", sandbox.url())));
    let verifier = "a-verifier-of-some-length-that-nobody-guesses";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let ask = |back: &str| {
        format!(
            "/oidc/v1/authorize?response_type=code&client_id=databricks-cli&redirect_uri={back}&state=a%26b&code_challenge={challenge}&code_challenge_method=S256&scope=all-apis"
        )
    };
    let elsewhere = from(&sandbox, &ask("http://evil.test/"), "host: localhost\r\n").await?;
    assert_eq!(elsewhere.status, 400);
    let page = from(&sandbox, &ask("http://localhost:8020"), "host: localhost\r\n").await?;
    assert_eq!(page.status, 302);
    let location = page.head.lines().find_map(|line| line.strip_prefix("location: http://localhost:8020?code="));
    let (code, state) = location.and_then(|rest| rest.split_once('&')).ok_or("no code")?;
    assert_eq!(state, "state=a%26b");
    let form = |code: &str, verifier: &str| {
        format!(
            "grant_type=authorization_code&client_id=databricks-cli&redirect_uri=http%3A%2F%2Flocalhost%3A8020&code={code}&code_verifier={verifier}"
        )
    };
    let tokens = exchange(&sandbox, &form(code, verifier)).await?;
    assert_eq!(tokens.status, 200, "{}", tokens.json());
    let used = exchange(&sandbox, &form(code, verifier)).await?;
    assert_eq!((used.status, used.at("/error")), (400, json!("invalid_grant")));
    let again = from(&sandbox, &ask("http://localhost:8020"), "host: localhost\r\n").await?;
    let code = again.head.lines().find_map(|line| line.strip_prefix("location: http://localhost:8020?code="));
    let code = code.and_then(|rest| rest.split('&').next()).ok_or("no code")?;
    assert_eq!(exchange(&sandbox, &form(code, "another")).await?.at("/error"), json!("invalid_grant"));
    let refresh = tokens.at("/refresh_token");
    let form = format!(
        "grant_type=refresh_token&client_id=databricks-cli&refresh_token={}",
        refresh.as_str().unwrap_or_default()
    );
    let fresh = exchange(&sandbox, &form).await?;
    for tokens in [&tokens, &fresh] {
        let access = tokens.at("/access_token");
        let bearer = format!("host: localhost\r\nauthorization: Bearer {}\r\n", access.as_str().unwrap_or_default());
        assert_eq!(from(&sandbox, "/api/2.2/jobs/list", &bearer).await?.status, 200);
    }
    sandbox.advance(std::time::Duration::from_secs(3_601));
    let late = format!(
        "host: localhost\r\nauthorization: Bearer {}\r\n",
        tokens.at("/access_token").as_str().unwrap_or_default()
    );
    assert_eq!(from(&sandbox, "/api/2.2/jobs/list", &late).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn a_path_of_many_parts_makes_no_folders() -> Checked {
    let sandbox = start().await?;
    let deep = "/a".repeat(3_000);
    let files = format!("/Volumes/main/default/landing{deep}");
    for reply in [
        post(&sandbox, "/api/2.0/dbfs/mkdirs", json!({"path": deep})).await?,
        post(&sandbox, "/api/2.0/dbfs/put", json!({"path": deep, "contents": ""})).await?,
        post(&sandbox, "/api/2.0/workspace/mkdirs", json!({"path": deep})).await?,
        send(&sandbox, "PUT", &format!("/api/2.0/fs/directories{files}"), b"").await?,
        send(&sandbox, "PUT", &format!("/api/2.0/fs/files{files}"), b"").await?,
    ] {
        assert_eq!((reply.status, reply.code().as_str()), (400, "INVALID_PARAMETER_VALUE"));
    }
    Ok(())
}

#[tokio::test]
async fn short_texts_of_very_many_parts_are_refused() -> Checked {
    let sandbox = start().await?;
    let zeros = format!("{{\"name\": [{}0]}}", "0,".repeat(3_000_000));
    assert_eq!(send(&sandbox, "POST", "/api/2.2/jobs/create", zeros.as_bytes()).await?.code(), "MALFORMED_REQUEST");
    let cells = format!("print(1)\n{}", "# COMMAND ----------\n".repeat(50_000));
    let content = base64::engine::general_purpose::STANDARD.encode(cells);
    let body = json!({"path": "/Shared/cells", "format": "SOURCE", "language": "PYTHON", "content": content});
    let reply = post(&sandbox, "/api/2.0/workspace/import", body).await?;
    assert_eq!(reply.code(), "MAX_NOTEBOOK_SIZE_EXCEEDED");
    assert!(reply.at("/message").to_string().contains("50001 cells"));
    Ok(())
}
