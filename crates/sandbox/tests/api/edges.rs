//! What every route shares: tokens, unknown routes, and input that makes no sense.

use serde_json::json;

use crate::client::{Checked, get, raw, send, start};

#[tokio::test]
async fn tokens_are_checked() -> Checked {
    let sandbox = start().await?;
    let none =
        raw(&sandbox, b"GET /api/2.0/preview/scim/v2/Me HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
    assert_eq!(none.status, 401);
    assert_eq!(
        none.json(),
        json!({"error_code": 401, "message": "Credential was not sent or was of an unsupported type for this API."})
    );
    assert!(none.head.contains("www-authenticate: Bearer"));
    let wrong = raw(&sandbox, b"GET /api/2.0/preview/scim/v2/Me HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer nope\r\nconnection: close\r\n\r\n").await?;
    assert_eq!((wrong.status, wrong.json()), (403, json!({"error_code": 403, "message": "Invalid access token."})));
    let public =
        raw(&sandbox, b"GET /.well-known/databricks-config HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
    assert_eq!(public.status, 200);
    Ok(())
}

#[tokio::test]
async fn unknown_routes_are_named() -> Checked {
    let sandbox = start().await?;
    let reply = send(&sandbox, "POST", "/x/y", b"{}").await?;
    assert_eq!(
        (reply.status, reply.json()),
        (404, json!({"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found for 'POST /x/y'"}))
    );
    assert!(reply.head.contains("x-request-id: "));
    let other = send(&sandbox, "PUT", "/api/2.2/jobs/list", b"").await?;
    assert_eq!((other.status, other.code().as_str()), (400, "BAD_REQUEST"));
    Ok(())
}

#[tokio::test]
async fn two_sandboxes_share_nothing() -> Checked {
    let (first, second) = (start().await?, start().await?);
    crate::sql::run(&first, "CREATE TABLE main.default.only_here (a INT)").await?;
    assert_eq!(get(&first, "/api/2.1/unity-catalog/tables/main.default.only_here").await?.status, 200);
    assert_eq!(get(&second, "/api/2.1/unity-catalog/tables/main.default.only_here").await?.status, 404);
    Ok(())
}

/// Numbers that look random and are the same each time.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap_or_default()
}

const PATHS: [&str; 18] = [
    "/api/2.0/sql/statements",
    "/api/2.0/sql/statements/x/result/chunks/x",
    "/api/2.2/jobs/create",
    "/api/2.2/jobs/run-now",
    "/api/2.2/jobs/runs/submit",
    "/api/2.2/jobs/update",
    "/api/2.2/jobs/runs/repair",
    "/api/2.1/clusters/create",
    "/api/2.1/clusters/events",
    "/api/2.0/workspace/import",
    "/api/2.0/workspace/delete",
    "/api/2.1/unity-catalog/catalogs",
    "/api/2.1/unity-catalog/schemas",
    "/api/2.1/unity-catalog/permissions/table/a",
    "/api/2.0/fs/files/Volumes/main/default/landing/%ff",
    "/api/2.0/fs/directories/Volumes/../..",
    "/api/2.0/sql/history/queries",
    "/api/2.1/unity-catalog/volumes",
];
const FIELDS: [&str; 16] = [
    "job_id",
    "tasks",
    "run_id",
    "statement",
    "warehouse_id",
    "parameters",
    "cluster_id",
    "path",
    "content",
    "name",
    "changes",
    "new_settings",
    "page_token",
    "row_limit",
    "spark_version",
    "notebook_params",
];
const VALUES: [&str; 18] = [
    "null",
    "0",
    "-1",
    "1e999",
    "\"\"",
    "\"x\"",
    "\"a1b2c3d4e5f60718\"",
    "[]",
    "[null]",
    "[{}]",
    "{}",
    "[[1]]",
    "9223372036854775807",
    "true",
    "\"\\u0000\"",
    "{\"tasks\": [1]}",
    "[{\"task_key\": \"a\", \"depends_on\": [{\"task_key\": \"a\"}]}]",
    "[{\"name\": \"x\", \"type\": \"STRUCT<\"}]",
];

#[tokio::test]
async fn nonsense_is_refused_and_breaks_nothing() -> Checked {
    let sandbox = start().await?;
    let mut state = 7;
    for _ in 0..600 {
        let path = PATHS.get(next(&mut state) % PATHS.len()).copied().unwrap_or_default();
        let method =
            ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"].get(next(&mut state) % 6).copied().unwrap_or("GET");
        let mut body = String::from("{");
        for index in 0..next(&mut state) % 5 {
            let (field, value) =
                (FIELDS.get(next(&mut state) % FIELDS.len()), VALUES.get(next(&mut state) % VALUES.len()));
            if let (Some(field), Some(value)) = (field, value) {
                body.push_str(&format!("{}\"{field}\": {value}", if index == 0 { "" } else { "," }));
            }
        }
        if !next(&mut state).is_multiple_of(8) {
            body.push('}');
        }
        let query = FIELDS.get(next(&mut state) % FIELDS.len()).copied().unwrap_or_default();
        let path = format!("{path}?{query}=%zz&max_results=-5&limit=x&page_token=AAAA");
        let reply = send(&sandbox, method, &path, body.as_bytes()).await?;
        assert!((200..500).contains(&reply.status), "{method} {path} {body}: {} {}", reply.status, reply.head);
    }
    Ok(())
}

const WORDS: [&str; 34] = [
    "SELECT",
    "FROM",
    "(",
    ")",
    ",",
    "*",
    "samples.retail.orders",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "1",
    "'x'",
    "NULL",
    "sum",
    "count",
    "o",
    "AS",
    "JOIN",
    "ON",
    "=",
    "+",
    "-",
    "/",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "total",
    "CAST",
    "INT",
    "OVER",
    "LIMIT",
    "DATE",
    "é`\"",
];

#[tokio::test]
async fn random_statements_never_break_the_engine() -> Checked {
    let sandbox = start().await?;
    let mut state = 11;
    for _ in 0..400 {
        let words: Vec<_> =
            (0..1 + next(&mut state) % 12).filter_map(|_| WORDS.get(next(&mut state) % WORDS.len()).copied()).collect();
        let reply = crate::sql::run(&sandbox, &format!("SELECT {}", words.join(" "))).await?;
        assert!(
            ["SUCCEEDED", "FAILED"].contains(&reply["status"]["state"].as_str().unwrap_or_default()),
            "{words:?}: {reply}"
        );
        let message = reply["status"]["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.contains("engine gave up"), "{words:?}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn deep_statements_are_refused() -> Checked {
    let sandbox = start().await?;
    let openings = [
        "(",
        "CASE WHEN ",
        "NOT ",
        "- ",
        "CAST(1 AS ARRAY<",
        "abs(",
        "a[",
        "EXISTS (SELECT ",
        "(SELECT ",
        "1 + ",
        "1 AND ",
        "'a' || ",
        "array(",
        "1 UNION SELECT ",
        "* FROM (SELECT ",
        "* FROM ((",
        "* FROM t JOIN (",
        "x -> ",
        "a.",
        "{",
        "INTERVAL ",
        "1 IN (",
        "f(x => ",
        "STRUCT<a ",
    ];
    for opening in openings {
        for count in [300, 20_000] {
            let reply = crate::sql::run(&sandbox, &format!("SELECT {}1", opening.repeat(count))).await?;
            assert!(
                ["SUCCEEDED", "FAILED"].contains(&reply["status"]["state"].as_str().unwrap_or_default()),
                "{opening}"
            );
        }
    }
    for opening in ["EXPLAIN ", "WITH a AS (", "BEGIN ", "CREATE VIEW v AS (", "INSERT INTO t "] {
        let reply = crate::sql::run(&sandbox, &opening.repeat(20_000)).await?;
        assert_eq!(reply["status"]["state"], "FAILED", "{opening}");
    }
    Ok(())
}
