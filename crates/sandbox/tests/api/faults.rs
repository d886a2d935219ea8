//! Faults on demand, as a raw client sees them.

use std::time::{Duration, Instant};

use databricks_sandbox::{Faults, Options, Sandbox};
use serde_json::{Value, json};

use crate::client::{Checked, Reply, get, post, raw, send, start};

const LIST: &str = "/api/2.2/jobs/list";

async fn with(rules: Value) -> Result<Sandbox, Box<dyn std::error::Error>> {
    Ok(Sandbox::start(Options::default().with_faults(Faults::parse(&rules.to_string())?)).await?)
}

/// The first answer to a list of jobs under one fault.
async fn first(rule: Value) -> Result<Reply, Box<dyn std::error::Error>> {
    let mut rule = rule.as_object().cloned().unwrap_or_default();
    rule.insert("route".to_owned(), json!("jobs.jobs.list"));
    get(&with(json!([rule])).await?, LIST).await
}

#[tokio::test]
async fn errors_take_the_place_of_answers() -> Checked {
    let cases = [
        (json!({"fault": "too_many_requests"}), 429, "REQUEST_LIMIT_EXCEEDED", None),
        (
            json!({"fault": "too_many_requests", "retry_after": 2}),
            429,
            "REQUEST_LIMIT_EXCEEDED",
            Some("retry-after: 2"),
        ),
        (json!({"fault": "permission_denied"}), 403, "PERMISSION_DENIED", None),
        (json!({"fault": "internal_error"}), 500, "INTERNAL_ERROR", None),
        (json!({"fault": "unavailable"}), 503, "TEMPORARILY_UNAVAILABLE", None),
        (json!({"fault": "html_error"}), 502, "", Some("content-type: text/html")),
        (json!({"fault": "html_error", "status": 504}), 504, "", Some("content-type: text/html")),
        (json!({"fault": "login_page"}), 200, "", Some("content-type: text/html")),
    ];
    for (rule, status, code, header) in cases {
        let reply = first(rule.clone()).await?;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{rule}");
        assert_eq!(
            reply.head.contains("retry-after"),
            header.is_some_and(|header| header.starts_with("retry")),
            "{rule}"
        );
        assert!(header.is_none_or(|header| reply.head.contains(header)), "{rule}: {}", reply.head);
    }
    let expired = first(json!({"fault": "expired_token"})).await?;
    assert_eq!((expired.status, expired.json()), (403, json!({"error_code": 403, "message": "Invalid access token."})));
    let expired = first(json!({"fault": "expired_token", "status": 401})).await?;
    assert_eq!((expired.status, expired.at("/error_code")), (401, json!(401)));
    Ok(())
}

#[tokio::test]
async fn connections_break() -> Checked {
    let sandbox = with(json!([{"route": LIST, "fault": "connection_reset", "times": 1}])).await?;
    let reset = get(&sandbox, LIST).await.err().and_then(|error| error.downcast::<std::io::Error>().ok());
    assert_eq!(reset.map(|error| error.kind()), Some(std::io::ErrorKind::ConnectionReset));
    assert_eq!(get(&sandbox, LIST).await?.status, 200);

    let cut = first(json!({"fault": "truncated_body"})).await?;
    let length = cut.head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    assert_eq!((cut.status, Some(cut.body.len())), (200, length.map(|length| length / 2)));
    assert!(cut.json().is_null());
    Ok(())
}

#[tokio::test]
async fn answers_come_late() -> Checked {
    let started = Instant::now();
    let reply = first(json!({"fault": "slow_headers", "delay_ms": 300})).await?;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(reply.at("/jobs").is_array());
    let started = Instant::now();
    let reply = first(json!({"fault": "slow_body", "delay_ms": 300})).await?;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(reply.at("/jobs").is_array());
    Ok(())
}

#[tokio::test]
async fn requests_that_are_given_up_are_counted() -> Checked {
    let sandbox = start().await?;
    let rule = json!([{"route": LIST, "fault": "slow_headers", "delay_ms": 600_000}]);
    post(&sandbox, "/__sandbox/faults", rule).await?;
    let counts = async || -> Result<[Value; 2], Box<dyn std::error::Error>> {
        let shown = get(&sandbox, "/__sandbox/faults").await?;
        Ok([shown.at("/faults/0/hits"), shown.at("/faults/0/abandoned")])
    };
    let asked = get(&sandbox, LIST);
    tokio::select! {
        _ = asked => return Err("it was answered".into()),
        met = async { loop { if counts().await?[0] == 1 { break counts().await; } } } => assert_eq!(met?, [1, 0]),
    }
    // The connection is gone with what asked; that it is gone is seen a little later.
    for _ in 0..10_000 {
        if counts().await? == [1, 1] {
            return Ok(());
        }
    }
    Err("it was not noticed".into())
}

#[tokio::test]
async fn answers_are_changed_by_their_schema() -> Checked {
    let reply = first(json!({"fault": "unknown_enums"})).await?;
    assert_eq!(reply.at("/jobs/0/settings/format"), json!("SANDBOX_UNKNOWN_VALUE"));
    let reply = first(json!({"fault": "int64_strings"})).await?;
    assert!(reply.at("/jobs/0/job_id").is_string() && reply.at("/jobs/0/created_time").is_string());
    let reply = first(json!({"fault": "null_lists"})).await?;
    assert!(
        reply.json().as_object().is_some_and(|members| members.contains_key("jobs")) && reply.at("/jobs").is_null()
    );
    let reply = first(json!({"fault": "extra_fields"})).await?;
    assert!(
        reply.at("/sandbox_extra_field").is_object() && reply.at("/jobs/0/settings/sandbox_extra_field").is_object()
    );
    Ok(())
}

#[tokio::test]
async fn an_empty_page_leads_to_the_one_asked_for() -> Checked {
    let sandbox = with(json!([{"route": "jobs.jobs.list", "fault": "empty_page", "times": 2}])).await?;
    let mut tokens = Vec::new();
    let mut page = get(&sandbox, LIST).await?;
    for _ in 0..2 {
        assert_eq!(page.at("/jobs"), json!([]));
        let token = page.at("/next_page_token").as_str().unwrap_or_default().to_owned();
        page = get(&sandbox, &format!("{LIST}?page_token={token}")).await?;
        tokens.push(token);
    }
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(page.json(), get(&sandbox, LIST).await?.json());
    Ok(())
}

#[tokio::test]
async fn what_is_new_is_not_there_at_once() -> Checked {
    let rule = json!([{"route": "/api/2.1/unity-catalog/schemas**", "fault": "eventual_consistency", "reads": 2}]);
    let sandbox = with(rule).await?;
    let schemas = "/api/2.1/unity-catalog/schemas";
    assert_eq!(post(&sandbox, schemas, json!({"name": "late", "catalog_name": "main"})).await?.status, 200);
    let mut seen = Vec::new();
    for _ in 0..4 {
        assert_eq!(get(&sandbox, &format!("{schemas}/main.default")).await?.status, 200);
        seen.push(get(&sandbox, &format!("{schemas}/main.late")).await?.status);
    }
    assert_eq!(seen, [404, 404, 200, 200]);
    assert_eq!(get(&sandbox, "/__sandbox/faults").await?.at("/faults/0/hits"), json!(2));
    Ok(())
}

#[tokio::test]
async fn faults_are_counted_and_cleared() -> Checked {
    let sandbox = start().await?;
    let rule = json!({"route": "GET /api/2.2/jobs/*", "fault": "internal_error", "after": 1, "times": 2});
    let added = post(&sandbox, "/__sandbox/faults", rule).await?;
    assert_eq!((added.status, added.at("/faults/0/hits")), (200, json!(0)));
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(get(&sandbox, LIST).await?.status);
    }
    assert_eq!(seen, [200, 500, 500, 200, 200]);
    assert_eq!(get(&sandbox, "/api/2.1/clusters/list").await?.status, 200);
    let shown = get(&sandbox, "/__sandbox/faults").await?;
    assert_eq!((shown.at("/faults/0/seen"), shown.at("/faults/0/hits")), (json!(5), json!(2)));
    let cleared = send(&sandbox, "DELETE", "/__sandbox/faults", b"").await?;
    assert_eq!(cleared.json(), json!({"faults": []}));
    let stranger =
        raw(&sandbox, b"GET /__sandbox/faults HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    assert_eq!(stranger.status, 401);
    Ok(())
}

#[tokio::test]
async fn chance_repeats_itself() -> Checked {
    let rule = |seed| json!([{"route": LIST, "fault": "unavailable", "probability": 0.5, "seed": seed}]);
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let sandbox = with(rule(seed)).await?;
        let mut seen = Vec::new();
        for _ in 0..30 {
            seen.push(get(&sandbox, LIST).await?.status);
        }
        runs.push(seen);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert!(runs.iter().all(|seen| seen.contains(&200) && seen.contains(&503)));
    Ok(())
}

#[tokio::test]
async fn rules_that_make_no_sense_are_refused() -> Checked {
    let sandbox = start().await?;
    let cases = [
        (
            json!([{"route": "/a", "fault": "internal_error"}, {"route": "/a", "fault": "internal_eror"}]),
            "fault rule 2: `fault` `internal_eror` is unknown; did you mean `internal_error`?",
        ),
        (
            json!({"route": "/a", "fault": "internal_error", "tims": 1}),
            "fault rule 1: unknown field `tims`; did you mean `times`?",
        ),
        (json!({"route": "jobs.jobs.lst", "fault": "login_page"}), "did you mean `jobs.jobs.list`?"),
        (json!({"route": "GTE /a", "fault": "login_page"}), "`GTE` is not a method (known: DELETE, GET, "),
        (json!({"fault": "login_page"}), "fault rule 1: `route` is missing"),
        (json!({"route": "/a", "fault": "login_page", "times": -1}), "`times` must be a whole number from 0, not `-1`"),
        (
            json!({"route": "/a", "fault": "login_page", "probability": 2}),
            "`probability` must be a number from 0 to 1, not `2`",
        ),
        (
            json!({"route": "/a", "fault": "login_page", "delay_ms": 2}),
            "`delay_ms` does not belong to the fault `login_page`",
        ),
        (json!({"route": "/a", "fault": "html_error", "status": 200}), "`status` must be from 400 to 599, not `200`"),
        (json!("x"), "faults are a list of rules, or one rule"),
    ];
    for (rules, message) in cases {
        let reply = post(&sandbox, "/__sandbox/faults", rules.clone()).await?;
        let text = reply.at("/message").as_str().unwrap_or_default().to_owned();
        assert_eq!((reply.status, reply.code().as_str()), (400, "INVALID_PARAMETER_VALUE"), "{rules}");
        assert!(text.contains(message), "{rules}: {text}");
        assert!(Faults::parse(&rules.to_string()).is_err_and(|error| error.to_string() == text));
    }
    assert_eq!(get(&sandbox, "/__sandbox/faults").await?.json(), json!({"faults": []}));
    Ok(())
}

#[tokio::test]
async fn an_answer_can_be_lost_after_its_request_was_carried_out() -> Checked {
    let run = json!({"job_id": 620_114_300_000_101_i64, "idempotency_token": "once"});
    for fault in ["connection_reset", "internal_error", "html_error", "unavailable"] {
        let rule = |handled| json!([{"route": "jobs.jobs.run_now", "fault": fault, "handled": handled, "times": 1}]);
        for (handled, runs) in [(false, 8), (true, 9)] {
            let sandbox = with(rule(handled)).await?;
            let first = post(&sandbox, "/api/2.2/jobs/run-now", run.clone()).await;
            assert!(first.is_err() || first.is_ok_and(|reply| reply.status >= 500), "{fault}");
            let path = "/api/2.2/jobs/runs/list?job_id=620114300000101";
            let listed = get(&sandbox, path).await?.at("/runs");
            assert_eq!(listed.as_array().map(Vec::len), Some(runs), "{fault}");
            assert_eq!(post(&sandbox, "/api/2.2/jobs/run-now", run.clone()).await?.status, 200);
            let listed = get(&sandbox, path).await?.at("/runs");
            assert_eq!(listed.as_array().map(Vec::len), Some(9), "{fault}");
        }
    }
    let refused = Faults::parse(r#"{"route": "/a", "fault": "login_page", "handled": true}"#);
    assert!(refused.is_err_and(|error| error.to_string().contains("`handled` belongs to faults that leave open")));
    Ok(())
}
