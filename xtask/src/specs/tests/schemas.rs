//! Data classes and enums.

use serde_json::{Value, json};

use super::{dataclass, demo, import, service};

/// Imports `Thing` with one field, and compares the field's schema.
#[track_caller]
fn check(field: [&str; 4], more: &str, expected: &Value) {
    let document = demo(
        &format!("{}{more}", dataclass("Thing", &[field])),
        "create(self, thing: Thing)",
        &[
            "body = thing.as_dict()",
            super::JSON_BODY,
            "self._api.do(\"POST\", \"/things\", body=body, headers=headers)",
        ],
    );
    assert_eq!(document["components"]["schemas"]["Thing"]["properties"], *expected);
}

#[test]
fn int_is_64_bits_wide_where_the_sdk_converts_it() {
    check(
        ["n", "Optional[int]", "self.n", "_int64(d, \"n\")"],
        "",
        &json!({"n": {"type": "integer", "format": "int64"}}),
    );
    check(
        ["n", "Optional[int]", "self.n", "d.get(\"n\", None)"],
        "",
        &json!({"n": {"type": "integer", "format": "int32"}}),
    );
    check(
        ["n", "Optional[List[int]]", "[v for v in self.n]", "_repeated_int64(d, \"n\")"],
        "",
        &json!({"n": {"type": "array", "items": {"type": "integer", "format": "int64"}}}),
    );
}

#[test]
fn well_known_types_have_formats() {
    for (annotation, decoding, format) in [
        ("Optional[Timestamp]", "_timestamp(d, \"t\")", "date-time"),
        ("Optional[Duration]", "_duration(d, \"t\")", "duration"),
        ("Optional[FieldMask]", "_fieldmask(d, \"t\")", "field-mask"),
    ] {
        let expected = json!({"t": {"type": "string", "format": format}});
        check(["t", annotation, "self.t.ToJsonString()", decoding], "", &expected);
    }
}

#[test]
fn any_map_and_nested_lists() {
    check(["x", "Optional[any]", "self.x", "d.get(\"x\", None)"], "", &json!({"x": {}}));
    check(
        ["x", "Optional[Dict[str, str]]", "self.x", "d.get(\"x\", None)"],
        "",
        &json!({"x": {"type": "object", "additionalProperties": {"type": "string"}}}),
    );
    check(
        ["x", "Optional[dict]", "self.x", "d.get(\"x\", None)"],
        "",
        &json!({"x": {"type": "object", "additionalProperties": {}}}),
    );
    check(
        ["x", "Optional[List[List[str]]]", "[v for v in self.x]", "d.get(\"x\", None)"],
        "",
        &json!({"x": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}}),
    );
}

#[test]
fn wire_name_differs_from_python_name() {
    check(
        ["global_", "Optional[bool]", "self.global_", "d.get(\"global\", None)"],
        "",
        &json!({"global": {"type": "boolean", "x-databricks-python-name": "global_"}}),
    );
}

#[test]
fn property_named_like_a_reference() {
    let field = ["ref", "Optional[str]", "self.ref", "d.get(\"$ref\", None)"];
    check(field, "", &json!({"$ref": {"type": "string", "x-databricks-python-name": "ref"}}));
}

#[test]
fn enums_keep_wire_values() {
    let document = demo(
        &format!(
            "class State(Enum):\n    \"\"\"Prose.\"\"\"\n    ALL_DONE = \"AllDone\"\n    NEW = \"New\"\n{}",
            dataclass("Thing", &[["state", "Optional[State]", "self.state.value", "_enum(d, \"state\", State)"]])
        ),
        "create(self, thing: Thing)",
        &[
            "body = thing.as_dict()",
            super::JSON_BODY,
            "self._api.do(\"POST\", \"/things\", body=body, headers=headers)",
        ],
    );
    let expected = json!({
        "State": {"type": "string", "enum": ["AllDone", "New"]},
        "Thing": {"type": "object", "properties": {"state": {"$ref": "#/components/schemas/State"}}},
    });
    assert_eq!(document["components"]["schemas"], expected);
}

#[test]
fn recursive_and_required() {
    check(
        ["parts", "List[Thing]", "[v.as_dict() for v in self.parts]", "_repeated_dict(d, \"parts\", Thing)"],
        "",
        &json!({"parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}}),
    );
}

#[test]
fn schemas_of_other_packages_are_referenced_and_unreachable_ones_left_out() {
    let part = dataclass("Part", &[]);
    let thing =
        dataclass("Thing", &[["part", "shop.Part", "self.part.as_dict()", "_from_dict(d, \"part\", shop.Part)"]]);
    let service = service(&[(
        "get(self) -> Thing",
        &[super::JSON, "res = self._api.do(\"GET\", \"/thing\", headers=headers)", "return Thing.from_dict(res)"],
    )]);
    let unused = dataclass("Unused", &[]);
    let demo = format!("from databricks.sdk.service import shop\n{thing}{unused}{service}");
    let documents = import(&[("demo", &demo), ("shop", &part)]).unwrap();
    let expected = json!({
        "Thing": {
            "type": "object",
            "properties": {"part": {"$ref": "shop.json#/components/schemas/Part"}},
            "required": ["part"],
        },
    });
    assert_eq!(documents["demo"]["components"]["schemas"], expected);
    assert_eq!(documents["shop"]["components"]["schemas"], json!({"Part": {"type": "object", "properties": {}}}));
}
