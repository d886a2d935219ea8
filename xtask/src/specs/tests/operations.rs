//! Methods: where arguments go, and what comes back.

use serde_json::{Value, json};

use super::{JSON, JSON_BODY, dataclass, demo, import, only_operation, service, thing};

/// Imports one method, and compares a part of its operation.
#[track_caller]
fn check(signature: &str, statements: &[&str], pointer: &str, expected: &Value) {
    let classes = format!("{}class Color(Enum):\n    RED = \"red\"\n", thing());
    let document = demo(&classes, signature, statements);
    let (path, verb, operation) = only_operation(&document);
    let operation = json!({"path": path, "verb": verb, "operation": operation});
    assert_eq!(operation.pointer(pointer), Some(expected));
}

#[test]
fn path_and_query() {
    check(
        "get(self, id: str, color: Color, *, limit: Optional[int] = None)",
        &[
            "query = {}",
            "if color is not None:\n    query[\"colorName\"] = color.value",
            "if limit is not None:\n    query[\"limit\"] = limit",
            JSON,
            "self._api.do(\"GET\", f\"/things/{id}\", query=query, headers=headers)",
        ],
        "/operation/parameters",
        &json!([
            {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
            {
                "name": "colorName", "in": "query", "required": true,
                "schema": {"$ref": "#/components/schemas/Color"}, "x-databricks-python-name": "color"
            },
            {"name": "limit", "in": "query", "required": false, "schema": {"type": "integer"}},
        ]),
    );
}

#[test]
fn enum_in_path() {
    check(
        "get(self, color: Color)",
        &[JSON, "self._api.do(\"GET\", f\"/colors/{color.value}/things\", headers=headers)"],
        "/path",
        &json!("/colors/{color}/things"),
    );
}

#[test]
fn account_id_comes_from_the_configuration() {
    let statements = [JSON, "self._api.do(\"GET\", f\"/accounts/{self._api.account_id}/things\", headers=headers)"];
    check("get(self)", &statements, "/operation/x-databricks-is-accounts", &json!(true));
    let expected = json!([{
        "name": "account_id", "in": "path", "required": true, "schema": {"type": "string"},
        "x-databricks-config": "account_id",
    }]);
    check("get(self)", &statements, "/operation/parameters", &expected);
}

#[test]
fn multi_segment_path() {
    let url = "f\"/files{_escape_multi_segment_path_parameter(path)}\"";
    check(
        "get(self, path: str)",
        &["headers = {}", &format!("self._api.do(\"HEAD\", {url}, headers=headers)")],
        "/operation/parameters/0/x-databricks-multi-segment",
        &json!(true),
    );
}

#[test]
fn routing_header() {
    let statements = [
        JSON,
        "cfg = self._api._cfg",
        "if cfg.workspace_id:\n    headers[\"X-Databricks-Workspace-Id\"] = cfg.workspace_id",
        "self._api.do(\"GET\", \"/things\", headers=headers)",
    ];
    check("get(self)", &statements, "/operation/x-databricks-workspace-routing", &json!(true));
}

#[test]
fn lists_repeat_and_objects_flatten_in_a_query() {
    check(
        "get(self, *, names: Optional[List[str]] = None, filter: Optional[Thing] = None)",
        &[
            "query = {}",
            "if filter is not None:\n    query[\"filter\"] = filter.as_dict()",
            "if names is not None:\n    query[\"names\"] = [v for v in names]",
            JSON,
            "self._api.do(\"GET\", \"/things\", query=query, headers=headers)",
        ],
        "/operation/parameters",
        &json!([
            {
                "name": "names", "in": "query", "required": false, "style": "form", "explode": true,
                "schema": {"type": "array", "items": {"type": "string"}},
            },
            {
                "name": "filter", "in": "query", "required": false,
                "schema": {"$ref": "#/components/schemas/Thing"}, "x-databricks-flatten": true,
            },
        ]),
    );
}

#[test]
fn body_of_fields_with_a_generated_id() {
    check(
        "create(self, name: str, *, request_id: Optional[str] = None)",
        &[
            "if request_id is None or request_id == \"\":\n    request_id = str(uuid.uuid4())",
            "body = {}",
            "if name is not None:\n    body[\"name\"] = name",
            "if request_id is not None:\n    body[\"request_id\"] = request_id",
            JSON_BODY,
            "self._api.do(\"POST\", \"/things\", body=body, headers=headers)",
        ],
        "/operation/requestBody",
        &json!({
            "required": true,
            "content": {"application/json": {"schema": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "request_id": {"type": "string", "x-databricks-auto": "uuid"},
                },
                "required": ["name"],
            }}},
        }),
    );
}

#[test]
fn empty_body_whole_body_and_map_body() {
    let send = "self._api.do(\"POST\", \"/things\", body=body, headers=headers)";
    let schema = "/operation/requestBody/content/application~1json/schema";
    let empty = json!({"type": "object", "properties": {}});
    check("start(self)", &["body = {}", JSON_BODY, send], schema, &empty);
    let whole = json!({"$ref": "#/components/schemas/Thing"});
    check("create(self, thing: Thing)", &["body = thing.as_dict()", JSON_BODY, send], schema, &whole);
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let send = "self._api.do(\"POST\", \"/things\", body=contents, headers=headers)";
    check("set(self, contents: Dict[str, str])", &[JSON_BODY, send], schema, &map);
}

#[test]
fn arguments_named_like_the_dictionaries() {
    check(
        "search(self, query: str)",
        &[
            "query = {}",
            "if query is not None:\n    query[\"query\"] = query",
            JSON,
            "self._api.do(\"GET\", \"/things\", query=query, headers=headers)",
        ],
        "/operation/parameters/0/name",
        &json!("query"),
    );
}

#[test]
fn binary_request() {
    check(
        "upload(self, contents: BinaryIO)",
        &[
            "headers = {\"Content-Type\": \"application/octet-stream\"}",
            "self._api.do(\"PUT\", \"/things\", headers=headers, data=contents)",
        ],
        "/operation/requestBody/content",
        &json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}),
    );
}

#[test]
fn raw_response_with_headers() {
    let class = dataclass(
        "Download",
        &[
            ["contents", "Optional[BinaryIO]", "self.contents", "d.get(\"contents\", None)"],
            ["length", "Optional[int]", "self.length", "_int64(d, \"content-length\")"],
        ],
    );
    let document = demo(
        &class,
        "download(self) -> Download",
        &[
            "headers = {\"Accept\": \"text/plain\"}",
            "response_headers = [\"content-length\"]",
            "res = self._api.do(\"GET\", \"/x\", headers=headers, response_headers=response_headers, raw=True)",
            "return Download.from_dict(res)",
        ],
    );
    let expected = json!({
        "description": "Success",
        "headers": {"content-length": {"schema": {"type": "integer", "format": "int64"}}},
        "content": {"text/plain": {"schema": {"type": "string"}}},
    });
    assert_eq!(only_operation(&document).2["responses"]["2XX"], expected);
    assert_eq!(document["components"]["schemas"], json!({}));
}

#[test]
fn response_forms() {
    let get = "res = self._api.do(\"GET\", \"/things\", headers=headers)";
    let schema = "/operation/responses/2XX/content/application~1json/schema";
    let one = json!({"$ref": "#/components/schemas/Thing"});
    check("get(self) -> Thing", &[JSON, get, "return Thing.from_dict(res)"], schema, &one);
    let list = json!({"type": "array", "items": {"$ref": "#/components/schemas/Thing"}});
    check("list(self)", &[JSON, get, "return [Thing.from_dict(v) for v in res]"], schema, &list);
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    check("get(self) -> Dict[str, str]", &[JSON, get, "return res"], schema, &map);
    let nothing = json!({"description": "Success"});
    let get = "self._api.do(\"GET\", \"/things\", headers=headers)";
    check("get(self)", &[JSON, get], "/operation/responses/2XX", &nothing);
}

#[test]
fn operations_on_one_path_are_told_apart() {
    let delete = |url: &str| format!("self._api.do(\"DELETE\", {url}, headers=headers)");
    let (store, session, part) = (delete("f\"/x/{name}\""), delete("f\"/x/{id}\""), delete("f\"/x/{id}/part\""));
    let text = service(&[
        ("delete_store(self, name: str)", &[JSON, &store]),
        ("delete_session(self, id: str)", &[JSON, &session]),
        ("delete_part(self, id: str)", &[JSON, &part]),
    ]);
    let documents = import(&[("demo", &text)]).unwrap();
    let paths: Vec<&String> = documents["demo"]["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/x/{id}", "/x/{id}/part", "/x/{name}#demo.things.delete_store"]);
}

#[test]
fn docstrings_give_marks_and_no_text() {
    let document = demo(
        "",
        "get(self, name: str)",
        &[
            "\"\"\"Says much.\n\n**Warning**: This API is deprecated. Use another.\n\n:param name: str\n  \
             The form is ``stores/{store_id}/sessions/{session_id}``.\n\"\"\"",
            JSON,
            "self._api.do(\"GET\", f\"/x/{name}\", headers=headers)",
        ],
    );
    let (_, _, operation) = only_operation(&document);
    assert_eq!(operation["deprecated"], json!(true));
    let pattern = &operation["parameters"][0]["x-databricks-resource-name"];
    assert_eq!(pattern, &json!("stores/{store_id}/sessions/{session_id}"));
    assert!(!document.to_string().contains("Says"));
}

#[test]
fn services_are_named_in_snake_case() {
    let text = service(&[("get(self)", &[JSON, "self._api.do(\"GET\", \"/x\", headers=headers)"])]);
    let documents = import(&[("demo", &text.replace("ThingsAPI", "AccountIamV2API"))]).unwrap();
    assert_eq!(only_operation(&documents["demo"]).2["operationId"], json!("demo.account_iam_v2.get"));
}
