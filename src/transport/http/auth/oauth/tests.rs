use serde_json::json;

use super::token::{Audience, Caller, Expected, comparable};
use super::{is_loopback, quotable};

#[test]
fn urls_of_a_resource_are_compared_by_what_they_mean() {
    for (url, expected) in [
        ("https://MCP.acme.test:443/mcp/", Some("https://mcp.acme.test/mcp")),
        ("HTTPS://mcp.acme.test", Some("https://mcp.acme.test")),
        ("https://mcp.acme.test/", Some("https://mcp.acme.test")),
        ("http://[::1]:8000/mcp", Some("http://[::1]:8000/mcp")),
        ("http://127.0.0.1:80/Mcp", Some("http://127.0.0.1/Mcp")),
        ("https://mcp.acme.test/mcp?x=1", None),
        ("https://mcp.acme.test/mcp#x", None),
        ("https://user@mcp.acme.test/mcp", None),
        ("ftp://mcp.acme.test/mcp", None),
        ("mcp.acme.test/mcp", None),
        ("https:///mcp", None),
        ("https://mcp.acme.test/m\"cp", None),
        ("https://mcp.acme.test/ümcp", None),
    ] {
        assert_eq!(comparable(url).as_deref(), expected, "{url}");
    }
}

#[test]
fn loopback_is_told_from_what_looks_like_it() {
    for (origin, expected) in [
        ("http://127.0.0.1:8000", true),
        ("http://[::1]:8000", true),
        ("http://localhost", true),
        ("http://localhost.evil.test", false),
        ("http://127.0.0.1.evil.test", false),
        ("http://192.0.2.1", false),
    ] {
        assert_eq!(is_loopback(origin), expected, "{origin}");
    }
}

#[test]
fn descriptions_keep_their_quotes() {
    assert_eq!(quotable("a \"b\" \\ ü\n`c`"), "a 'b' ' ''`c`");
}

#[test]
fn times_are_those_of_the_clock_that_is_given() {
    let expected = Expected { issuer: "i".to_owned(), audience: Audience::Named("a".to_owned()) };
    let of = |claims: serde_json::Value, now: f64| {
        Caller::of(claims.as_object().cloned().unwrap_or_default(), &expected, now).map(|caller| caller.name)
    };
    let claims = json!({"iss": "i", "aud": "a", "sub": "s", "nbf": 1_000, "iat": 1_000, "exp": 2_000});
    for (now, is_valid) in
        [(0.0, false), (939.0, false), (940.0, true), (1_000.0, true), (2_059.9, true), (2_060.0, false), (1e12, false)]
    {
        assert_eq!(of(claims.clone(), now).is_ok(), is_valid, "{now}");
    }
}

#[test]
fn names_for_records_do_not_change_what_is_around_them() {
    let expected = Expected { issuer: "i".to_owned(), audience: Audience::Named("a".to_owned()) };
    let name = |more: serde_json::Value| {
        let mut claims = json!({"iss": "i", "aud": "a", "sub": "subject", "exp": 2_000});
        for (name, value) in more.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        Caller::of(claims.as_object().cloned().unwrap_or_default(), &expected, 0.0).expect("a caller").name
    };
    for (claims, expected) in [
        (json!({}), "subject".to_owned()),
        (json!({"upn": "u", "preferred_username": "p", "email": "e"}), "e".to_owned()),
        (json!({"upn": "u", "preferred_username": "p", "email": ""}), "p".to_owned()),
        (json!({"email": ["e"], "upn": "u"}), "u".to_owned()),
        (json!({"email": "ada\n2026 ERROR \u{1b}[2J\u{202e}x"}), "ada2026 ERROR [2Jx".to_owned()),
        (json!({"email": "\u{7}\u{202e}"}), "subject".to_owned()),
        (json!({"email": "a".repeat(1_000)}), "a".repeat(128)),
    ] {
        assert_eq!(name(claims.clone()), expected, "{claims}");
    }
}
