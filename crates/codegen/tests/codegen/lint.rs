//! Each rule on a definition that breaks it and nothing else.

use codegen::lint::lint;
use serde_json::{Value, json};

/// A definition that breaks no rule, with a parameter of each kind.
fn clean() -> Value {
    json!({
        "name": "list_jobs",
        "title": "List jobs",
        "description": "Lists jobs.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "limit": { "type": "integer", "description": "Jobs per page." },
                "view": { "type": "string", "enum": ["A", "B"], "description": "How much." },
                "since": { "type": "string", "format": "date-time", "description": "From when." },
                "ids": { "type": "array", "items": { "type": "string" }, "description": "Which." },
                "tags": {
                    "type": "object",
                    "properties": { "team": { "type": "string" } },
                    "additionalProperties": { "type": "string" },
                    "description": "Tags.",
                },
                "run_id": { "anyOf": [{ "type": "string" }, { "type": "integer" }], "description": "From `list_runs`." },
            },
            "required": ["limit"],
        },
        "annotations": { "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": true },
    })
}

/// The rules and places that the definition breaks once `value` stands at `pointer`, or nothing if it is null.
fn broken(pointer: &str, value: Value) -> Vec<(&'static str, String)> {
    let mut tool = clean();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = tool.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key).unwrap();
    } else {
        parent.insert(key.replace("~1", "/"), value);
    }
    lint(&[tool]).into_iter().map(|violation| (violation.rule, violation.path)).collect()
}

/// The definition with `value` at `pointer` breaks only that rule, and that at `path`.
#[track_caller]
fn check(rule: &'static str, pointer: &str, value: Value, path: &str) {
    assert_eq!(broken(pointer, value), [(rule, path.to_owned())]);
}

#[test]
fn a_clean_definition_breaks_nothing() {
    assert_eq!(lint(&[clean()]), []);
    let (mut one, mut other) = (clean(), clean());
    one["name"] = "get_job".into();
    other["inputSchema"] = json!({ "type": "object", "properties": {} });
    assert_eq!(lint(&[one, other]), []);
}

#[test]
fn roots() {
    check("L1", "/inputSchema", Value::Null, "/inputSchema");
    assert!(broken("/inputSchema/type", "array".into()).contains(&("L1", "/inputSchema".into())));
    check("L1", "/inputSchema", json!({ "type": "object" }), "/inputSchema");
    check("L1", "/inputSchema/required", json!(["limits"]), "/inputSchema/required");
    check("L2", "/inputSchema/enum", json!(["a"]), "/inputSchema/enum");
    for key in ["oneOf", "anyOf", "allOf", "if", "not"] {
        let path = format!("/inputSchema/{key}");
        assert!(broken(&path, json!({})).contains(&("L2", path)), "{key}");
    }
    check("L13", "/inputSchema/$schema", "https://json-schema.test".into(), "/inputSchema/$schema");
}

#[test]
fn names() {
    for name in ["", "go", "List_jobs", "1_job", "list-jobs", "a23456789_123456789_123456789_123456789_1"] {
        check("L4", "/name", name.into(), "/name");
    }
    for twin in ["list_jobs", "list_job", "listjobs"] {
        let mut other = clean();
        other["name"] = twin.into();
        let violations = lint(&[clean(), other]);
        let [violation] = violations.as_slice() else { panic!("{violations:?}") };
        assert_eq!(
            violation.to_string(),
            format!("tool `{twin}` breaks L4 at `/name`: it is alike `list_jobs` but for case, `_` or a final `s`")
        );
    }
    let parameter = json!({ "type": "string", "description": "P." });
    for key in ["", "$filter", "a b", "ä", &"x".repeat(65)] {
        let path = format!("/inputSchema/properties/{key}");
        check("L3", &path, parameter.clone(), &path);
    }
    for key in ["a.b-C_1", &"x".repeat(64)] {
        assert_eq!(broken(&format!("/inputSchema/properties/{key}"), parameter.clone()), []);
    }
}

#[test]
fn keywords() {
    let limit = "/inputSchema/properties/limit";
    for (rule, keys) in [
        ("L5", ["$ref", "$defs", "definitions"].as_slice()),
        (
            "L9",
            ["const", "patternProperties", "propertyNames", "prefixItems", "oneOf", "anyOf", "allOf", "not"].as_slice(),
        ),
        ("L9", ["if", "then", "else"].as_slice()),
        ("L13", ["$schema"].as_slice()),
    ] {
        for key in keys {
            check(rule, &format!("{limit}/{key}"), json!({}), &format!("{limit}/{key}"));
        }
    }
    let nested = json!({ "type": "array", "items": { "type": "string", "const": "a" } });
    check("L9", "/inputSchema/properties/ids/items", nested, "/inputSchema/properties/ids/items/items/const");
}

#[test]
fn types() {
    let limit = "/inputSchema/properties/limit";
    for name in [Value::Null, json!(["integer", "null"]), json!("null"), json!("int")] {
        check("L6", &format!("{limit}/type"), name, &format!("{limit}/type"));
    }
    assert_eq!(
        broken(limit, true.into()),
        [("L14", limit.to_owned()), ("L7", limit.to_owned())],
        "a boolean schema has no description either"
    );
    check("L7", "/inputSchema/properties/ids/items", true.into(), "/inputSchema/properties/ids/items");
    check("L8", "/inputSchema/properties/ids/items", Value::Null, "/inputSchema/properties/ids");
    check("L6", "/inputSchema/properties/ids/items", json!({}), "/inputSchema/properties/ids/items/type");
    for format in ["int64", "uuid", "duration"] {
        check("L10", &format!("{limit}/format"), format.into(), &format!("{limit}/format"));
    }
    let many: Vec<_> = (0..51).map(|value| value.to_string()).collect();
    for values in [json!([]), json!(["A", "A"]), json!(["A", null]), json!([1]), json!("A"), json!(many)] {
        check("L11", "/inputSchema/properties/view/enum", values, "/inputSchema/properties/view/enum");
    }
    assert_eq!(broken("/inputSchema/properties/view/enum", json!(&many[..50])), []);
}

#[test]
fn identifiers() {
    let forms = "/inputSchema/properties/run_id/anyOf";
    for other in [json!([{ "type": "string" }]), json!([{ "type": "string" }, { "type": "null" }]), json!({})] {
        let path = "/inputSchema/properties/run_id";
        assert_eq!(broken(forms, other), [("L9", format!("{path}/anyOf")), ("L6", format!("{path}/type"))]);
    }
}

#[test]
fn empty_objects() {
    let tags = "/inputSchema/properties/tags";
    check("L16", &format!("{tags}/properties"), Value::Null, tags);
    check("L16", &format!("{tags}/properties"), json!({}), tags);
    check("L16", "/inputSchema/properties/ids/items", json!({ "type": "object" }), "/inputSchema/properties/ids/items");
}

#[test]
fn additional_properties() {
    check("L12", "/inputSchema/additionalProperties", false.into(), "/inputSchema/additionalProperties");
    let values = "/inputSchema/properties/tags/additionalProperties";
    check("L12", values, true.into(), values);
    check(
        "L12",
        "/inputSchema/properties/limit/additionalProperties",
        json!({ "type": "string" }),
        "/inputSchema/properties/limit/additionalProperties",
    );
    check("L6", values, json!({}), &format!("{values}/type"));
}

#[test]
fn descriptions() {
    let limit = "/inputSchema/properties/limit";
    check("L14", &format!("{limit}/description"), Value::Null, limit);
    check("L14", "/description", Value::Null, "/description");
    for text in [String::new(), "  ".into(), "x".repeat(1025)] {
        check("L14", "/description", text.clone().into(), "/description");
        check("L14", &format!("{limit}/description"), text.into(), &format!("{limit}/description"));
    }
    assert_eq!(broken("/description", "ä".repeat(1024).into()), []);
}

#[test]
fn sizes() {
    let texts: Vec<_> = (0..17).map(|number| (format!("p{number}"), "x".repeat(1000))).collect();
    let properties = texts.iter().map(|(name, text)| (name.clone(), json!({ "type": "string", "description": text })));
    let properties: Value = properties.collect::<serde_json::Map<_, _>>().into();
    check("L15", "/inputSchema", json!({ "type": "object", "properties": properties }), "/inputSchema");
}

#[test]
fn outputs() {
    assert_eq!(broken("/outputSchema", json!({ "type": "object", "properties": { "id": { "type": "string" } } })), []);
    for output in [
        json!({ "type": "array" }),
        json!({ "type": "object", "additionalProperties": false }),
        json!({ "type": "object", "properties": { "state": { "type": "string", "enum": ["A"] } } }),
    ] {
        check("L17", "/outputSchema", output, "/outputSchema");
    }
}

#[test]
fn annotations() {
    check("L18", "/title", Value::Null, "/title");
    check("L18", "/title", "".into(), "/title");
    for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
        check("L18", &format!("/annotations/{hint}"), Value::Null, &format!("/annotations/{hint}"));
        check("L18", &format!("/annotations/{hint}"), "yes".into(), &format!("/annotations/{hint}"));
    }
    check("L18", "/annotations/destructiveHint", true.into(), "/annotations");
}
