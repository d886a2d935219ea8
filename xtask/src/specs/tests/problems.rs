//! What the importer does not understand stops it, with file, line and construct.

use super::{JSON, JSON_BODY, dataclass, import, service, thing};

/// Imports one method, and compares the problem that is found. The class starts on line 1, the method on line 5.
#[track_caller]
fn check(signature: &str, statements: &[&str], problem: &str) {
    let text = format!("{}{}", service(&[(signature, statements)]), thing());
    let error = import(&[("demo", &text)]).unwrap_err();
    let start = "the SDK's source holds 1 constructs that the importer does not understand:\n  ";
    assert_eq!(error.strip_prefix(start), Some(problem), "{error}");
}

const GET: &str = "self._api.do(\"GET\", \"/things\", headers=headers)";

#[test]
fn statement_outside_the_whitelist() {
    check(
        "get(self)",
        &[JSON, "print(headers)", GET],
        "demo.py:7: `print(headers)`: expected a statement that API methods are known to be made of",
    );
}

#[test]
fn unknown_option_verb_and_url() {
    check(
        "get(self)",
        &[JSON, "self._api.do(\"GET\", \"/things\", headers=headers, retry=True)"],
        "demo.py:7: `retry=True`: expected a known option of the call",
    );
    check(
        "get(self)",
        &[JSON, "self._api.do(\"TRACE\", \"/things\", headers=headers)"],
        "demo.py:7: `\"TRACE\"`: expected one of the HTTP methods",
    );
    check(
        "get(self, url: str)",
        &[JSON, "self._api.do(\"GET\", url, headers=headers)"],
        "demo.py:7: `url`: expected a URL known when the SDK was generated",
    );
    check(
        "get(self, id: str)",
        &[JSON, "self._api.do(\"GET\", f\"/things/{id.lower()}\", headers=headers)"],
        "demo.py:7: `{id.lower()}`: expected an argument, the account, or an escaped path",
    );
}

#[test]
fn unused_argument() {
    check("get(self, id: str)", &[JSON, GET], "demo.py:5: `get`: expected `id` to be used");
}

#[test]
fn unknown_header() {
    check(
        "get(self)",
        &["headers = {\"X-Other\": \"1\"}", GET],
        "demo.py:6: `headers = {\"X-Other\": \"1\"}`: expected the headers `Accept` and `Content-Type`",
    );
}

#[test]
fn encoding_against_the_annotation() {
    check(
        "get(self, *, color: Optional[str] = None)",
        &["query = {}", "if color is not None:\n    query[\"color\"] = color.value", JSON, GET],
        "demo.py:7: `if color is not None:…`: expected the tested argument, encoded as its annotation says",
    );
}

#[test]
fn parameters_that_are_not_passed() {
    let set = "query = {}\nif id is not None:\n    query[\"id\"] = id";
    check("get(self, id: str)", &[set, JSON, GET], "demo.py:5: `get`: expected the query to be passed");
    check("get(self)", &["body = {}", JSON_BODY, GET], "demo.py:5: `get`: expected one body, and it to be passed");
}

#[test]
fn map_in_a_query_and_object_in_a_path() {
    check(
        "get(self, tags: Dict[str, str])",
        &["query = {}", "if tags is not None:\n    query[\"tags\"] = tags", JSON, GET],
        "demo.py:7: `if tags is not None:…`: expected a value, a list of values, or an object in the query",
    );
    check(
        "get(self, thing: Thing)",
        &[JSON, "self._api.do(\"GET\", f\"/things/{thing}\", headers=headers)"],
        "demo.py:5: `get`: expected the path parameter `thing` to be a plain value",
    );
}

#[test]
fn unknown_type_default_and_waiter() {
    check("get(self, id: Set[str])", &[JSON, GET], "demo.py:5: `Set[str]`: expected `List[…]` or `Dict[str, …]`");
    check("get(self, other: Other)", &[JSON, GET], "demo.py:5: `Other`: expected a class of a service module");
    check(
        "get(self, id: str = \"x\")",
        &[JSON, GET],
        "demo.py:5: `id: str = \"x\"`: expected `name: type` or `name: Optional[type] = None`",
    );
    check(
        "get(self)",
        &[JSON, GET, "return Wait(self.wait_thing)"],
        "demo.py:5: `get`: expected a waiter `wait_thing`",
    );
}

#[test]
fn field_that_is_decoded_as_another_type() {
    let class = dataclass("Thing", &[["n", "Optional[str]", "self.n", "_int64(d, \"n\")"]]);
    let error = import(&[("demo", &class)]).unwrap_err();
    assert!(
        error.ends_with("demo.py:3: `str`: expected `n` to be encoded and decoded as its annotation says"),
        "{error}"
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = "import logging\nLIMIT = 3\n\nclass Other(Base):\n    pass\n";
    let error = import(&[("demo", text), ("second", "def f():\n    pass\n")]).unwrap_err();
    let expected = "the SDK's source holds 3 constructs that the importer does not understand:
  demo.py:2: `LIMIT = 3`: expected an import, a class, or `Name = Dict[…]`
  demo.py:4: `Other`: expected `@dataclass`, `(Enum)`, or neither bases nor decorators
  second.py:1: `def f():…`: expected an import, a class, or `Name = Dict[…]`";
    assert_eq!(error, expected);
}

#[test]
fn invalid_python() {
    let error = import(&[("demo", "class X:\n    x = = 1\n")]).unwrap_err();
    assert!(error.contains("demo.py:2: "), "{error}");
}
