//! Two states of a small document, and what differs.

use serde_json::{Value, json};

use super::changes::compare;
use super::documents::Documents;
use super::report;
use super::surface::Surface;

fn document(operation: &Value, schemas: &Value) -> Documents {
    let document = json!({"paths": {"/things": {"get": operation}}, "components": {"schemas": schemas}});
    Documents::from([("demo".to_owned(), document)])
}

fn operation(parameters: &Value, response: &Value) -> Value {
    json!({
        "operationId": "demo.things.list",
        "parameters": parameters,
        "responses": {"2XX": {"content": {"application/json": {"schema": response}}}},
    })
}

#[track_caller]
fn check(old: &Documents, new: &Documents, expected: &str) {
    let changes = compare(&Surface::new(old).unwrap(), &Surface::new(new).unwrap());
    assert_eq!(report::text(&changes), expected);
}

fn parameter(name: &str, required: bool, kind: &str) -> Value {
    json!({"name": name, "in": "query", "required": required, "schema": {"type": kind}})
}

#[test]
fn nothing() {
    let documents = document(&operation(&json!([]), &json!({"type": "string"})), &json!({}));
    check(&documents, &documents, "0 breaking and 0 compatible changes in 0 packages; 0 operations added, 0 removed\n");
}

#[test]
fn parameters() {
    let all = [
        parameter("gone", false, "string"),
        parameter("kind", false, "string"),
        parameter("strict", false, "string"),
        parameter("loose", true, "string"),
    ];
    let now = [
        parameter("kind", false, "integer"),
        parameter("strict", true, "string"),
        parameter("loose", false, "string"),
        parameter("more", false, "string"),
        parameter("must", true, "string"),
    ];
    check(
        &document(&operation(&json!(all), &json!({})), &json!({})),
        &document(&operation(&json!(now), &json!({})), &json!({})),
        "demo
! - parameter demo.things.list query gone: string
! ~ parameter demo.things.list query kind: string → integer
  ~ parameter demo.things.list query loose: now optional
  + parameter demo.things.list query more: string
! + parameter demo.things.list query must: string, required
! ~ parameter demo.things.list query strict: now required

4 breaking and 2 compatible changes in 1 packages; 0 operations added, 0 removed
",
    );
}

#[test]
fn responses_break_when_something_is_gone_not_when_something_is_new() {
    let reference = json!({"$ref": "#/components/schemas/Page"});
    let schemas = |page: Value, values: Value| json!({"Page": page, "State": {"type": "string", "enum": values}});
    let old = json!({
        "type": "object",
        "properties": {"id": {"type": "string"}, "state": {"$ref": "#/components/schemas/State"}},
        "required": ["state"],
    });
    let new = json!({
        "type": "object",
        "properties": {"more": {"type": "string"}, "state": {"$ref": "#/components/schemas/State"}},
        "required": ["more", "state"],
    });
    check(
        &document(&operation(&json!([]), &reference), &schemas(old, json!(["ON", "OFF"]))),
        &document(&operation(&json!([]), &reference), &schemas(new, json!(["ON", "IDLE"]))),
        "demo
! - field demo.Page id: string
  + field demo.Page more: string, required
  - value demo.State OFF
  + value demo.State IDLE

1 breaking and 3 compatible changes in 1 packages; 0 operations added, 0 removed
",
    );
}

#[test]
fn enum_values_that_are_sent_break() {
    let state = json!([{
        "name": "state", "in": "query", "required": false, "schema": {"$ref": "#/components/schemas/State"},
    }]);
    let schemas = |values: Value| json!({"State": {"type": "string", "enum": values}});
    check(
        &document(&operation(&state, &json!({})), &schemas(json!(["ON", "OFF"]))),
        &document(&operation(&state, &json!({})), &schemas(json!(["ON"]))),
        "demo
! - value demo.State OFF

1 breaking and 0 compatible changes in 1 packages; 0 operations added, 0 removed
",
    );
}

#[test]
fn behavior_of_an_operation() {
    let mut old = operation(&json!([]), &json!({}));
    old["x-databricks-workspace-routing"] = json!(true);
    old["x-databricks-pagination"] = json!({"style": "page"});
    let mut new = operation(&json!([]), &json!({}));
    new["x-databricks-pagination"] = json!({"style": "token"});
    new["x-databricks-wait"] = json!({"operation": "demo.things.get"});
    new["deprecated"] = json!(true);
    check(
        &document(&old, &json!({})),
        &document(&new, &json!({})),
        "demo
! ~ operation demo.things.list level: workspace → account
! ~ operation demo.things.list pagination: {\"style\":\"page\"} → {\"style\":\"token\"}
  ~ operation demo.things.list waiter: none → {\"operation\":\"demo.things.get\"}
  ~ operation demo.things.list deprecated

2 breaking and 2 compatible changes in 1 packages; 0 operations added, 0 removed
",
    );
}

#[test]
fn operations_come_and_go_and_fragments_do_not_count() {
    let operation = |id: &str| json!({"operationId": id, "responses": {}});
    let documents = |paths: Value| Documents::from([("demo".to_owned(), json!({"paths": paths}))]);
    check(
        &documents(json!({"/a": {"get": operation("demo.x.a")}, "/b": {"get": operation("demo.x.b")}})),
        &documents(json!({"/a#demo.x.a": {"get": operation("demo.x.a")}, "/c": {"post": operation("demo.x.c")}})),
        "demo
! - operation demo.x.b GET /b
  + operation demo.x.c POST /c

1 breaking and 1 compatible changes in 1 packages; 1 operations added, 1 removed
",
    );
}

#[test]
fn json_report() {
    let old = document(&operation(&json!([]), &json!({})), &json!({}));
    let new = document(&operation(&json!([parameter("x", false, "string")]), &json!({})), &json!({}));
    let changes = compare(&Surface::new(&old).unwrap(), &Surface::new(&new).unwrap());
    let report: Value = serde_json::from_str(&report::json(&changes).unwrap()).unwrap();
    let expected = json!({
        "breaking": 0,
        "compatible": 1,
        "changes": [{
            "package": "demo", "breaking": false, "what": "parameter", "how": "added",
            "id": "demo.things.list", "detail": "query x: string",
        }],
    });
    assert_eq!(report, expected);
}

#[test]
fn documents_of_a_revision() {
    let repository = tempfile::TempDir::new().unwrap();
    let specs = repository.path().join("specs");
    std::fs::create_dir(&specs).unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"];
        let mut command = std::process::Command::new("git");
        let status = command.current_dir(repository.path()).args(identity).args(arguments).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    };
    std::fs::write(specs.join("demo.json"), "{\"paths\": {}}").unwrap();
    std::fs::write(specs.join("source.json"), "{}").unwrap();
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "specs"]);
    std::fs::write(specs.join("demo.json"), "{}").unwrap();
    let documents = super::documents::older("HEAD", &specs).unwrap();
    assert_eq!(documents, Documents::from([("demo".to_owned(), json!({"paths": {}}))]));
    let error = super::documents::older("nowhere", &specs).unwrap_err().to_string();
    assert_eq!(error, "`nowhere` is neither a directory nor a git revision");
}
