use serde_json::json;

use super::*;
use crate::operation::Response;

const PLAIN: Parameter = Parameter {
    name: "x",
    location: Location::Query,
    required: false,
    multi_segment: false,
    flatten: false,
    auto_uuid: false,
    from_config: false,
    preset: None,
};
const PATH: Parameter = Parameter { location: Location::Path, required: true, ..PLAIN };

/// Leaks: a table in a test is small and lives as long as the test.
fn operation(method: Method, path: &'static str, body: Body, parameters: &[Parameter]) -> Operation {
    Operation {
        id: "test.test.run",
        method,
        path,
        parameters: Vec::leak(parameters.to_vec()),
        body,
        response: Response::Json,
        pagination: None,
        workspace_routing: true,
        deprecated: false,
    }
}

#[test]
fn single_segments_are_escaped_whole() {
    let get = operation(Method::Get, "/api/{x}/y", Body::None, &[PATH]);
    for (value, expected) in [
        (json!("main.sales.orders"), "/api/main.sales.orders/y"),
        (json!("a.b.c d#e/f?g"), "/api/a.b.c%20d%23e%2Ff%3Fg/y"),
        (json!("a..b/c."), "/api/a..b%2Fc./y"),
        (json!("50%/100%2"), "/api/50%25%2F100%252/y"),
        (json!("ü:@&=+$,;~-_."), "/api/%C3%BC%3A%40%26%3D%2B%24%2C%3B~-_./y"),
        (json!(9_007_199_254_740_993_u64), "/api/9007199254740993/y"),
        (json!(true), "/api/true/y"),
    ] {
        let encoded = encode(&get, Arguments::new().with(Location::Path, "x", value), None).unwrap();
        assert_eq!(encoded.path, expected);
    }
    let climbing = ["../secrets", "a/../b", "a%2F..%2F..", "a%252f..", "%2e%2e", "a\\..\\b", "a%2F.%2fb"]
        .map(|value| json!(value));
    let none = [json!(""), json!("."), json!(".."), json!(null), json!(["a"]), json!({})];
    for value in none.into_iter().chain(climbing) {
        let error = encode(&get, Arguments::new().with(Location::Path, "x", value.clone()), None).unwrap_err();
        assert!(error.is_bad_request() && error.to_string().contains("`x`"), "{value} {error}");
    }
}

#[test]
fn multi_segments_keep_their_slashes() {
    let several = Parameter { multi_segment: true, ..PATH };
    let attached = operation(Method::Get, "/api/2.0/fs/files{x}", Body::None, &[several]);
    let named = operation(Method::Get, "/api/2.0/postgres/{x}:cancel", Body::None, &[several]);
    for (operation, value, expected) in [
        (&attached, "/Volumes/c/s/v/a b#.csv", Some("/api/2.0/fs/files/Volumes/c/s/v/a%20b%23.csv")),
        (&attached, "Volumes/c", Some("/api/2.0/fs/files/Volumes/c")),
        (&attached, "//Volumes/c", Some("/api/2.0/fs/files/Volumes/c")),
        (&attached, "/Volumes//c", None),
        (&attached, "/Volumes/../c", None),
        (&attached, "/Volumes/./c", None),
        (&attached, "/Volumes/c/", None),
        (&attached, "/", None),
        (&attached, "", None),
        (&named, "projects/p?/branches/b", Some("/api/2.0/postgres/projects/p%3F/branches/b:cancel")),
        (&named, "/projects/p", None),
    ] {
        let encoded = encode(operation, Arguments::new().with(Location::Path, "x", value), None);
        assert_eq!(encoded.ok().map(|encoded| encoded.path).as_deref(), expected, "{value}");
    }
}

#[test]
fn queries_follow_the_kind_of_the_value() {
    let get = operation(Method::Get, "/x", Body::None, &[PLAIN, Parameter { name: "filter", flatten: true, ..PLAIN }]);
    for (name, value, expected) in [
        ("x", json!(null), ""),
        ("x", json!(false), "x=false"),
        ("x", json!(0), "x=0"),
        ("x", json!(""), "x="),
        ("x", json!(0.5), "x=0.5"),
        ("x", json!(-9_223_372_036_854_775_808_i64), "x=-9223372036854775808"),
        ("x", json!(["UI", null, "API"]), "x=UI&x=API"),
        ("x", json!([]), ""),
        (
            "filter",
            json!({"sources": ["UI", "API"], "range": {"start": 1, "end": null}, "on": true}),
            "filter.sources=UI&filter.sources=API&filter.range.start=1&filter.on=true",
        ),
    ] {
        let encoded = encode(&get, Arguments::new().with(Location::Query, name, value), None).unwrap();
        let pairs: Vec<_> = encoded.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(pairs.join("&"), expected);
    }
    for (name, value) in [("x", json!({"a": 1})), ("x", json!([[1]])), ("filter", json!({"a": [{"b": 1}]}))] {
        assert!(encode(&get, Arguments::new().with(Location::Query, name, value), None).is_err());
    }
}

fn body_text(encoded: &Encoded) -> &str {
    std::str::from_utf8(&encoded.body.as_ref().unwrap().0).unwrap()
}

#[test]
fn bodies_are_sent_as_given() {
    let post = operation(Method::Post, "/x", Body::Json, &[]);
    let arguments = Arguments::new()
        .with(Location::Body, "id", 9_007_199_254_740_993_u64)
        .with(Location::Body, "off", false)
        .with(Location::Body, "none", json!(null))
        .with(Location::Body, "nested", json!({"zero": 0, "list": []}));
    let encoded = encode(&post, arguments, None).unwrap();
    let expected = r#"{"id":9007199254740993,"off":false,"none":null,"nested":{"zero":0,"list":[]}}"#;
    assert_eq!(body_text(&encoded), expected);
    assert_eq!(body_text(&encode(&post, Arguments::new(), None).unwrap()), "{}");
    assert!(encode(&post, Arguments::new().with_bytes("x"), None).is_err());
    let upload = operation(Method::Put, "/x", Body::Binary, &[]);
    let encoded = encode(&upload, Arguments::new().with_bytes("raw"), None).unwrap();
    assert_eq!(encoded.body.unwrap(), (Bytes::from("raw"), "application/octet-stream"));
    assert!(encode(&upload, Arguments::new(), None).is_err());
    let bare = operation(Method::Post, "/x", Body::None, &[]);
    assert!(encode(&bare, Arguments::new(), None).unwrap().body.is_none());
    assert!(encode(&bare, Arguments::new().with(Location::Body, "a", 1), None).is_err());
}

#[test]
fn the_table_supplies_what_the_caller_leaves_out() {
    let account = Parameter { name: "account_id", from_config: true, ..PATH };
    let preset = Parameter { name: "max_results", preset: Some("0"), ..PLAIN };
    let key = Parameter { name: "request_id", location: Location::Body, auto_uuid: true, ..PLAIN };
    let post = operation(Method::Post, "/accounts/{account_id}/x", Body::Json, &[account, preset, key]);
    let encoded = encode(&post, Arguments::new(), Some("acc")).unwrap();
    assert_eq!(encoded.path, "/accounts/acc/x");
    assert_eq!(encoded.query, [("max_results".to_owned(), "0".to_owned())]);
    let body: Value = serde_json::from_str(body_text(&encoded)).unwrap();
    uuid::Uuid::parse_str(body["request_id"].as_str().unwrap()).unwrap();
    assert!(encoded.repeatable);
    let given = Arguments::new()
        .with(Location::Path, "account_id", "mine")
        .with(Location::Query, "max_results", json!(null))
        .with(Location::Body, "request_id", "my-key");
    let encoded = encode(&post, given, None).unwrap();
    assert_eq!((encoded.path.as_str(), encoded.query.len()), ("/accounts/mine/x", 0));
    assert_eq!(body_text(&encoded), r#"{"request_id":"my-key"}"#);
    let error = encode(&post, Arguments::new(), None).unwrap_err();
    assert!(error.is_configuration() && error.hint().unwrap().contains("DATABRICKS_ACCOUNT_ID"));
}

#[test]
fn missing_and_unknown_values_are_refused() {
    let get = operation(Method::Get, "/x", Body::None, &[Parameter { required: true, ..PLAIN }]);
    let error = encode(&get, Arguments::new(), None).unwrap_err();
    assert_eq!(error.to_string(), "the query parameter `x` is missing");
    let arguments = Arguments::new().with(Location::Query, "x", 1).with(Location::Query, "y", 1);
    assert_eq!(encode(&get, arguments, None).unwrap_err().to_string(), "there is no query parameter `y`");
}

#[test]
fn only_harmless_repetitions_are_allowed() {
    let create = operation(Method::Post, "/x", Body::Json, &[]);
    for (method, arguments, expected) in [
        (Method::Get, Arguments::new(), true),
        (Method::Head, Arguments::new(), true),
        (Method::Put, Arguments::new(), false),
        (Method::Delete, Arguments::new(), false),
        (Method::Post, Arguments::new(), false),
        (Method::Post, Arguments::new().idempotent(true), true),
        // A key that the operation does not know is none.
        (Method::Post, Arguments::new().with(Location::Body, "idempotency_token", "k"), false),
    ] {
        let encoded = encode(&Operation { method, ..create }, arguments, None).unwrap();
        assert_eq!(encoded.repeatable, expected, "{method:?}");
    }
}

#[test]
fn runs_always_have_a_key() {
    let token = Parameter { name: "idempotency_token", location: Location::Body, ..PLAIN };
    let run_now = operation(Method::Post, "/x", Body::Json, &[token]);
    let key = |arguments| {
        let encoded = encode(&run_now, arguments, None).unwrap();
        assert!(encoded.repeatable);
        let body: Value = serde_json::from_str(body_text(&encoded)).unwrap();
        body["idempotency_token"].as_str().unwrap().to_owned()
    };
    assert_eq!(key(Arguments::new().with(Location::Body, "idempotency_token", "k")), "k");
    for none in [json!(null), json!("")] {
        let made = key(Arguments::new().with(Location::Body, "idempotency_token", none));
        uuid::Uuid::parse_str(&made).unwrap();
    }
    assert_ne!(key(Arguments::new()), key(Arguments::new()), "another call, another key");
}
