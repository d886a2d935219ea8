use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::*;
use crate::mask::Mask;
use crate::secret::Secret;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

fn refused(path: &str, status: u16, pairs: &[(&'static str, &str)], body: &str) -> Error {
    refused_masked(path, status, pairs, body, &Mask::default())
}

fn refused_masked(path: &str, status: u16, pairs: &[(&'static str, &str)], body: &str, mask: &Mask) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    let method = if ["/get", "/list", "/x"].iter().any(|end| path.ends_with(end)) { Method::GET } else { Method::POST };
    Error::refused(Refusal::read(&method, path, status, &headers(pairs), body, mask))
}

fn answer(status: u16, body: &str) -> Error {
    refused("/api/2.0/x", status, &[], body)
}

#[test]
fn a_secret_that_the_service_repeats_is_hidden_wherever_it_stands() {
    const TOKEN: &str = "dapi0123456789abcdef";
    let mask = Mask::new([Secret::from(TOKEN)]);
    let split = "dapi01234\\u000056789abcdef";
    for (pairs, body) in [
        (vec![("x-databricks-reason-phrase", TOKEN)], String::new()),
        (vec![("x-request-id", TOKEN)], String::new()),
        (vec![], format!(r#"{{"error_code":"X","message":"near {split}"}}"#)),
        (vec![], r#"{"error_code":"X","message":"near \u0064api0123456789abcdef"}"#.to_owned()),
        (vec![], format!(r#"{{"error_code":"{TOKEN}","message":"m"}}"#)),
        (vec![], format!("<html><pre>dapi&#48;123456789abcdef or {TOKEN}</pre></html>")),
        (vec![], format!("{}{TOKEN}", "x".repeat(1_990))),
        (
            vec![],
            format!(
                r#"{{"message":"m","details":[{{"@type":"a.RequestInfo","request_id":"{TOKEN}","{TOKEN}":"{TOKEN}"}}]}}"#
            ),
        ),
    ] {
        let error = refused_masked("/api/2.0/x", 400, &pairs, &body, &mask);
        let shown = format!("{error} {error:?} {:?}", error.details()).replace(|seen: char| seen.is_control(), "");
        assert!(shown.contains("***") && !shown.contains("dapi0"), "{body}: {shown}");
    }
}

#[test]
fn a_body_that_is_cut_keeps_its_code_and_what_it_says() {
    let long = "\\\"é\\u00e9".repeat(40);
    for (body, message) in [
        (format!(r#"{{"error_code":"QUOTA_EXCEEDED","message":"too many {long}","details":[]}}"#), "too many \"é"),
        (format!(r#"{{"error_code":"QUOTA_EXCEEDED","message":"too many","details":[{{"a":"{long}"}}]}}"#), "too many"),
        (
            format!(r#"{{"message":"too many","error_code":"QUOTA_EXCEEDED","more":{{"a":[1,2,"{long}"]}}}}"#),
            "too many",
        ),
    ] {
        let whole = body.find("é").unwrap() + 2;
        for end in (whole..body.len()).filter(|end| body.is_char_boundary(*end)) {
            let error = answer(400, &body[..end]);
            assert_eq!(error.error_code(), Some("QUOTA_EXCEEDED"), "{}", &body[..end]);
            assert!(error.message().starts_with(message), "{error}");
        }
    }
}

#[test]
fn every_shape_of_body_is_read() {
    for (status, body, code, message) in [
        (404, r#"{"error_code":"NOT_FOUND","message":"no volume"}"#, Some("NOT_FOUND"), "no volume"),
        (403, r#"{"error_code":403,"message":"Invalid access token."}"#, Some("403"), "Invalid access token."),
        (400, r#"{"error":"Context not found"}"#, None, "Context not found"),
        (
            401,
            r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#,
            Some("invalid_client"),
            "Client authentication failed",
        ),
        (404, r#"{"errorCode":"RESOURCE_NOT_FOUND","message":"gone"}"#, Some("RESOURCE_NOT_FOUND"), "gone"),
        (
            409,
            r#"{"schemas":["x"],"detail":"User exists","status":"409","scimType":"uniqueness"}"#,
            Some("SCIM_409"),
            "uniqueness User exists",
        ),
        (500, r#"{"detail":"null","status":500}"#, Some("SCIM_500"), "SCIM API Internal Error"),
        (400, r#"{"unknown":["shape"]}"#, None, r#"{"unknown":["shape"]}"#),
        (400, "{}", None, "Bad Request"),
        (400, r#"["list"]"#, None, r#"["list"]"#),
        (500, "INTERNAL_ERROR: it broke", Some("INTERNAL_ERROR"), "it broke"),
        (
            502,
            "<html><head><title>x</title></head><body><pre> bad &amp; worse. </pre></body></html>",
            Some("BAD_GATEWAY"),
            "bad & worse",
        ),
        (404, "<!DOCTYPE html><html><title>Not here</title><p>x</html>", Some("NOT_FOUND"), "Not here"),
        (
            503,
            "<html><style>p{}</style><script>if (a<b) {}</script><p>Come <b>later</b></p></html>",
            Some("SERVICE_UNAVAILABLE"),
            "Come later",
        ),
        (500, "plain text", None, "plain text"),
        (502, "", None, "Bad Gateway"),
        (499, " ", None, "no reason given"),
    ] {
        let error = answer(status, body);
        assert_eq!(error.error_code(), code, "{body}");
        assert_eq!(error.message(), message, "{body}");
        assert_eq!(error.status(), Some(status));
    }
}

/// Which questions an error answers with yes.
fn classes(error: &Error) -> String {
    [
        ("bad-request", error.is_bad_request()),
        ("unauthenticated", error.is_unauthenticated()),
        ("permission-denied", error.is_permission_denied()),
        ("not-found", error.is_not_found()),
        ("conflict", error.is_conflict()),
        ("rate-limited", error.is_rate_limited()),
        ("timeout", error.is_timeout()),
        ("retryable", error.is_retryable()),
    ]
    .iter()
    .filter_map(|(name, holds)| holds.then_some(*name))
    .collect::<Vec<_>>()
    .join(" ")
}

#[test]
fn code_then_status_decide_the_class() {
    for (status, code, expected) in [
        (400, "X", "bad-request"),
        (401, "X", "unauthenticated"),
        (403, "X", "permission-denied"),
        (404, "ENDPOINT_NOT_FOUND", "not-found"),
        (409, "X", "conflict"),
        (429, "X", "rate-limited retryable"),
        (500, "X", ""),
        (502, "X", "retryable"),
        (503, "X", "retryable"),
        (504, "X", "timeout retryable"),
        (400, "RESOURCE_ALREADY_EXISTS", "conflict"),
        (400, "RESOURCE_DOES_NOT_EXIST", "not-found"),
        (404, "INVALID_PARAMETER_VALUE", "bad-request"),
        (403, "REQUEST_LIMIT_EXCEEDED", "rate-limited retryable"),
        (409, "ABORTED", "conflict"),
        (400, "UNKNOWN", ""),
    ] {
        let error = answer(status, &format!(r#"{{"error_code":"{code}","message":"m"}}"#));
        assert_eq!(classes(&error), expected, "{status} {code}");
    }
}

#[test]
fn a_missing_object_reported_as_bad_request_is_not_found() {
    for (path, message, expected) in [
        ("/api/2.1/clusters/get", "Cluster abc does not exist", true),
        ("/api/2.1/clusters/events", "Cluster abc does not exist", true),
        ("/api/2.1/clusters/start", "Cluster abc does not exist", true),
        ("/api/2.1/clusters/create", "Cluster abc does not exist", false),
        ("/api/2.2/jobs/run-now", "Job 1 does not exist.", true),
        ("/api/2.2/jobs/run-now", "Cluster abc does not exist", false),
        ("/api/2.2/jobs/get", "Job 1 does not exist.", true),
        ("/api/2.2/jobs/runs/get", "Run 5 does not exist.", true),
        ("/api/2.2/jobs/runs/get", "Run: 5 in job: 1 doesn't exist", true),
        ("/api/2.2/jobs/get", "Cluster abc does not exist", false),
        ("/api/2.2/jobs/list", "Job 1 does not exist.", false),
        ("/api/2.x/jobs/get", "Job 1 does not exist.", false),
    ] {
        let body = format!(r#"{{"error_code":"INVALID_PARAMETER_VALUE","message":"{message}"}}"#);
        let error = refused(path, 400, &[], &body);
        assert_eq!(error.is_not_found(), expected, "{path} {message}");
        assert_eq!(error.is_bad_request(), !expected);
    }
}

#[test]
fn what_may_be_repeated() {
    for (status, message, expected) in [
        (429, "m", Repeat::Always),
        (503, "ClusterNotReadyException: wait", Repeat::Always),
        (503, "m", Repeat::IfSafe),
        (500, "SCIM: REQUEST_LIMIT_EXCEEDED", Repeat::Always),
        (400, "ClusterNotReadyException: wait", Repeat::Always),
        (502, "m", Repeat::IfSafe),
        (504, "m", Repeat::IfSafe),
        (500, "Unexpected error", Repeat::IfSafe),
        (500, "m", Repeat::Never),
        (400, "deadline exceeded is no valid name", Repeat::Never),
    ] {
        assert_eq!(answer(status, message).repeat(), expected, "{status} {message}");
    }
}

#[test]
fn details_give_request_id_and_delay() {
    let body = r#"{"error_code":"X","message":"m","details":[
        {"@type":"type.googleapis.com/google.rpc.RequestInfo","request_id":"r-1","serving_data":""},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retry_delay":"7.5s"},
        {"@type":"type.googleapis.com/google.rpc.Unheard","x":1}, "junk"]}"#;
    let error = refused("/x", 429, &[("retry-after", "2")], body);
    assert_eq!(error.request_id(), Some("r-1"));
    assert_eq!(error.retry_after(), Some(Duration::from_millis(7_500)));
    assert_eq!(error.details().len(), 4);
    let error = refused("/x", 429, &[("x-request-id", "r-2")], body);
    assert_eq!(error.request_id(), Some("r-2"));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (pairs, expected) in [
        (&[("retry-after", "3")][..], Some(3.0)),
        (&[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"), date][..], Some(10.0)),
        (&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), date][..], Some(0.0)),
        (&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")][..], Some(0.0)),
        (&[("retry-after", "-1")][..], None),
        (&[("retry-after", "NaN")][..], None),
        (&[("retry-after", "1e300")][..], None),
        (&[("retry-after", "soon")][..], None),
        (&[][..], None),
    ] {
        let found = refused("/x", 503, pairs, "").retry_after();
        assert_eq!(found, expected.map(Duration::from_secs_f64), "{pairs:?}");
    }
}

#[test]
fn messages_are_short_and_plain() {
    let error = answer(500, &format!("a\u{1b}[31m\0b\n{}", "ü".repeat(5_000)));
    let message = error.message();
    assert!(message.starts_with("a[31mb\nü"), "{message}");
    assert_eq!(message.chars().count(), 2_001);
    assert!(message.ends_with('…'));
}

#[test]
fn words_of_every_kind() {
    let named = |error: Error| error.in_operation("jobs.jobs.get").to_string();
    let body = r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Job 1 does not exist."}"#;
    let request = [("x-request-id", "r-1")];
    for (error, expected) in [
        (Error::configuration("no workspace host is set"), "cannot call `jobs.jobs.get`: no workspace host is set"),
        (Error::timed_out(Duration::from_millis(1_500)), "cannot call `jobs.jobs.get`: no answer within 1.5 s"),
        (
            Error::login_page(200),
            "cannot call `jobs.jobs.get`: the host answered with a login page instead of an API response",
        ),
        (
            answer(404, body),
            "`jobs.jobs.get` failed with `RESOURCE_DOES_NOT_EXIST` (status 404): Job 1 does not exist.",
        ),
        (
            refused("/x", 404, &request, body),
            "`jobs.jobs.get` failed with `RESOURCE_DOES_NOT_EXIST` (status 404, request `r-1`): Job 1 does not exist.",
        ),
        (answer(502, ""), "`jobs.jobs.get` failed with status 502: Bad Gateway"),
        (refused("/x", 502, &request, ""), "`jobs.jobs.get` failed with status 502 (request `r-1`): Bad Gateway"),
    ] {
        assert_eq!(named(error), expected);
    }
    assert_eq!(answer(502, "").to_string(), "Bad Gateway");
}

#[test]
fn the_first_named_operation_stays() {
    let error = Error::answer("x").in_operation("inner").in_operation("outer");
    assert_eq!(error.operation(), Some("inner"));
}

#[test]
fn authentication_failures_come_with_advice() {
    for error in [answer(401, ""), answer(403, r#"{"error_code":403,"message":"Invalid access token."}"#)] {
        assert!(error.is_unauthenticated() && !error.is_permission_denied());
        assert!(error.hint().unwrap().contains("DATABRICKS_TOKEN"));
    }
    assert_eq!(answer(403, "").hint(), None);
}

#[test]
fn a_page_of_scripts_takes_no_long_time() {
    for size in [1, 2, 4] {
        let page = format!("<html>told{}", "<script>".repeat(size * 131_072));
        let error = answer(500, &page);
        assert_eq!((error.message().as_ref(), error.status()), ("told", Some(500)));
    }
    let long = format!("<html><pre>first</pre>{}", "x".repeat(100_000));
    assert_eq!(answer(500, &long).message(), "first");
}

#[test]
fn what_may_be_an_error_shows_by_names() {
    for (text, may_be) in [
        (r#"{"error_code":"X"}"#, true),
        (r#"{"errorCode":1}"#, true),
        (r#"{"error":{"type":"x"}}"#, true),
        (r#"{"code":5,"message":"m"}"#, true),
        (r#"{"\u0065rror":"x"}"#, true),
        (r#"{"clusters":[{"code":"x","state_message":"an error"}],"has_more":false}"#, false),
        ("{}", false),
    ] {
        assert_eq!(super::may_be_error(text.as_bytes()), may_be, "{text}");
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).expect("an object");
        assert!(may_be || !super::is_error(&object), "{text}");
    }
    assert!(super::may_be_error(b"\xff"));
}
