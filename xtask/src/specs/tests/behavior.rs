//! Pagination, waiters and long-running operations.

use serde_json::{Value, json};

use super::{JSON, JSON_BODY, dataclass, demo, import, only_operation, service, thing};

const QUERY: &str = "query = {}\nif cursor is not None:\n    query[\"cursor\"] = cursor";
const SIGNATURE: &str = "list(self, *, cursor: Optional[str] = None) -> Iterator[Thing]";

fn pages(before: &str, items: &str, class: &str, next: &str, step: &str) -> String {
    format!(
        "{before}while True:\n    json = self._api.do(\"GET\", \"/things\", query=query, headers=headers)\n    \
         if \"{items}\" in json:\n        for v in json[\"{items}\"]:\n            yield {class}.from_dict(v)\n    \
         if \"{next}\" not in json or not json[\"{next}\"]:\n        return\n    {step}"
    )
}

/// Imports a listing, and compares its pagination and the schema of its response.
#[track_caller]
fn check(classes: &str, signature: &str, statements: &[&str], pagination: &Value, response: &Value) {
    let document = demo(&format!("{}{classes}", thing()), signature, statements);
    let (_, _, operation) = only_operation(&document);
    assert_eq!(operation["x-databricks-pagination"], *pagination);
    assert_eq!(operation["responses"]["2XX"]["content"]["application/json"]["schema"], *response);
}

fn page_class(name: &str) -> String {
    let things = "[v.as_dict() for v in self.things]";
    dataclass(
        name,
        &[
            ["things", "Optional[List[Thing]]", things, "_repeated_dict(d, \"things\", Thing)"],
            ["next", "Optional[str]", "self.next", "d.get(\"next\", None)"],
        ],
    )
}

#[test]
fn token_in_the_query_with_the_only_class_that_fits() {
    check(
        &page_class("ThingPage"),
        SIGNATURE,
        &[QUERY, JSON, &pages("", "things", "Thing", "next", "query[\"cursor\"] = json[\"next\"]")],
        &json!({"style": "token", "items": "things", "in": "query", "request": "cursor", "response": "next"}),
        &json!({"$ref": "#/components/schemas/ThingPage"}),
    );
}

#[test]
fn page_of_one_of_two_classes() {
    let loop_ = pages("", "things", "Thing", "next", "query[\"cursor\"] = json[\"next\"]");
    let token = json!({"style": "token", "items": "things", "in": "query", "request": "cursor", "response": "next"});
    let (first, second) = (page_class("FindResponse"), page_class("ListResponse"));
    let named = json!({"$ref": "#/components/schemas/ListResponse"});
    check(&format!("{first}{second}"), SIGNATURE, &[QUERY, JSON, &loop_], &token, &named);
    let other = page_class("OtherResponse");
    let unknown = json!({"type": "object", "properties": {
        "next": {"type": "string"},
        "things": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
    }});
    check(&format!("{first}{other}"), SIGNATURE, &[QUERY, JSON, &loop_], &token, &unknown);
}

#[test]
fn token_in_the_body() {
    let loop_ = pages("", "things", "Thing", "next", "body[\"cursor\"] = json[\"next\"]").replace("query", "body");
    check(
        &page_class("ThingPage"),
        SIGNATURE,
        &[&QUERY.replace("query", "body"), JSON_BODY, &loop_],
        &json!({"style": "token", "items": "things", "in": "body", "request": "cursor", "response": "next"}),
        &json!({"$ref": "#/components/schemas/ThingPage"}),
    );
}

#[test]
fn whole_next_page_object_becomes_a_token_where_there_is_one() {
    let next = dataclass("NextThings", &[]);
    let things = "[v.as_dict() for v in self.things]";
    let page = dataclass(
        "ThingPage",
        &[
            ["things", "Optional[List[Thing]]", things, "_repeated_dict(d, \"things\", Thing)"],
            ["next", "Optional[NextThings]", "self.next.as_dict()", "_from_dict(d, \"next\", NextThings)"],
            ["token", "Optional[str]", "self.token", "d.get(\"next_page_token\", None)"],
        ],
    );
    let loop_ = pages("", "things", "Thing", "next", "body = json[\"next\"]").replace("query", "body");
    let body = "body = {}\nif page_token is not None:\n    body[\"page_token\"] = page_token";
    check(
        &format!("{next}{page}"),
        "events(self, *, page_token: Optional[str] = None)",
        &[body, JSON_BODY, &loop_],
        &json!({
            "style": "token", "items": "things", "in": "body", "request": "page_token", "response": "next_page_token"
        }),
        &json!({"$ref": "#/components/schemas/ThingPage"}),
    );
}

#[test]
fn numbered_pages() {
    let signature = "list(self, *, cursor: Optional[int] = None)";
    let loop_ = pages("query[\"cursor\"] = 1\n", "things", "Thing", "things", "query[\"cursor\"] += 1");
    check(
        &page_class("ThingPage"),
        signature,
        &[QUERY, JSON, &loop_],
        &json!({"style": "page", "items": "things", "in": "query", "request": "cursor", "start": 1}),
        &json!({"$ref": "#/components/schemas/ThingPage"}),
    );
}

#[test]
fn scim_counts_from_one_and_skips_what_it_has_seen() {
    let query = "query = {}\nif count is not None:\n    query[\"count\"] = count\n\
                 if start_index is not None:\n    query[\"startIndex\"] = start_index";
    let before = "seen = set()\nquery[\"startIndex\"] = 1\nif \"count\" not in query:\n    query[\"count\"] = 10000\n";
    let step = "query[\"startIndex\"] += len(json[\"Resources\"])";
    let dedupe = "i = v[\"id\"]\n            if i in seen:\n                continue\n            seen.add(i)\n            yield";
    let loop_ = pages(before, "Resources", "Thing", "Resources", step).replace("yield", dedupe);
    let document = demo(
        &thing(),
        "list(self, *, count: Optional[int] = None, start_index: Optional[int] = None)",
        &[query, JSON, &loop_],
    );
    let (_, _, operation) = only_operation(&document);
    let expected = json!({
        "style": "scim", "items": "Resources", "in": "query", "request": "startIndex", "count": "count",
        "dedupe": "id", "start": 1,
    });
    assert_eq!(operation["x-databricks-pagination"], expected);
    assert_eq!(operation["parameters"][0]["x-databricks-preset"], json!(10000));
}

#[test]
fn list_without_pages() {
    check(
        &page_class("ThingPage"),
        "list(self) -> Iterator[Thing]",
        &[
            JSON,
            "json = self._api.do(\"GET\", \"/things\", headers=headers)",
            "parsed = ThingPage.from_dict(json).things",
            "return parsed if parsed is not None else []",
        ],
        &json!({"style": "none", "items": "things"}),
        &json!({"$ref": "#/components/schemas/ThingPage"}),
    );
}

const WAITER: &str = "deadline = time.time() + timeout.total_seconds()
target_states = (State.ON,)
failure_states = (State.BAD, State.GONE,)
status_message = \"polling...\"
attempt = 1
while time.time() < deadline:
    poll = self.status(thing_id=thing_id)
    status = poll.status.state
    status_message = f\"current status: {status}\"
    if poll.status:
        status_message = poll.status.text
    if status in target_states:
        return poll
    if callback:
        callback(poll)
    if status in failure_states:
        msg = f\"failed to reach ON, got {status}: {status_message}\"
        raise OperationFailed(msg)
    prefix = f\"thing_id={thing_id}\"
    sleep = attempt
    if sleep > 10:
        sleep = 10
    _LOG.debug(f\"{prefix}: ({status}) {status_message} (sleeping ~{sleep}s)\")
    time.sleep(sleep + random.random())
    attempt += 1
raise TimeoutError(f\"timed out after {timeout}: {status_message}\")";

#[test]
fn waiter_in_terms_of_the_wire() {
    let classes = [
        "class State(Enum):\n    ON = \"On\"\n    BAD = \"Bad\"\n    GONE = \"Gone\"\n\n".to_owned(),
        dataclass(
            "Status",
            &[
                ["state", "Optional[State]", "self.state.value", "_enum(d, \"lifeCycle\", State)"],
                ["text", "Optional[str]", "self.text", "d.get(\"text\", None)"],
            ],
        ),
        dataclass(
            "Thing",
            &[
                ["id", "Optional[str]", "self.id", "d.get(\"id\", None)"],
                ["status", "Optional[Status]", "self.status.as_dict()", "_from_dict(d, \"status\", Status)"],
            ],
        ),
    ];
    let query = "query = {}\nif thing_id is not None:\n    query[\"thingId\"] = thing_id";
    let status = "res = self._api.do(\"GET\", \"/status\", query=query, headers=headers)";
    let start = "op_response = self._api.do(\"POST\", \"/start\", headers=headers)";
    let wait = "return Wait(self.wait_thing, response=Thing.from_dict(op_response), thing_id=op_response[\"id\"])";
    let stop = "self._api.do(\"POST\", f\"/stop/{id}\", headers=headers)";
    let text = service(&[
        ("wait_thing(self, thing_id: str, timeout=timedelta(minutes=5), callback=None)", &[WAITER]),
        ("status(self, thing_id: str) -> Thing", &[query, JSON, status, "return Thing.from_dict(res)"]),
        ("start(self) -> Wait[Thing]", &[JSON, start, wait]),
        ("start_and_wait(self, timeout=timedelta(minutes=5))", &["return self.start().result(timeout=timeout)"]),
        ("stop(self, id: str)", &[JSON, stop, "return Wait(self.wait_thing, thing_id=id)"]),
    ]);
    let documents = import(&[("demo", &format!("{}{text}", classes.concat()))]).unwrap();
    let expected = |from: &str| {
        json!({
            "operation": "demo.things.status",
            "parameters": {"thingId": from},
            "state": ["status", "lifeCycle"],
            "success": ["On"],
            "failure": ["Bad", "Gone"],
            "message": ["status", "text"],
            "timeout_seconds": 300,
        })
    };
    let paths = &documents["demo"]["paths"];
    assert_eq!(paths["/start"]["post"]["x-databricks-wait"], expected("response.id"));
    assert_eq!(paths["/stop/{id}"]["post"]["x-databricks-wait"], expected("request.id"));
    assert_eq!(paths.as_object().unwrap().len(), 3);
}

#[test]
fn long_running_operation() {
    let handle = "class CreateThingOperation:
    def __init__(self, impl: ThingsAPI, operation: Operation):
        self._impl = impl
        self._operation = operation
    def wait(self, opts: Optional[lro.LroOptions] = None) -> Thing:
        def poll_operation():
            operation = self._impl.get_operation(name=self._operation.name)
            self._operation = operation
            if not operation.done:
                return None, RetryError.continues(\"operation still in progress\")
            thing = Thing.from_dict(operation.response)
            return thing, None
        return poll(poll_operation, timeout=opts.timeout if opts is not None else None)
    def metadata(self) -> Progress:
        if self._operation.metadata is None:
            return None
        return Progress.from_dict(self._operation.metadata)\n\n";
    let get = "res = self._api.do(\"GET\", f\"/{name}\", headers=headers)";
    let create = "res = self._api.do(\"POST\", \"/things\", headers=headers)";
    let operation = "operation = Operation.from_dict(res)";
    let text = service(&[
        ("get_operation(self, name: str) -> Operation", &[JSON, get, "return Operation.from_dict(res)"]),
        ("create(self)", &[JSON, create, operation, "return CreateThingOperation(self, operation)"]),
    ]);
    let classes = [thing(), dataclass("Progress", &[]), dataclass("Operation", &[])].concat();
    let documents = import(&[("demo", &format!("{classes}{handle}{text}"))]).unwrap();
    let expected = json!({"operation": "demo.things.get_operation", "response": "Thing", "metadata": "Progress"});
    assert_eq!(documents["demo"]["paths"]["/things"]["post"]["x-databricks-lro"], expected);
    let schemas: Vec<&String> = documents["demo"]["components"]["schemas"].as_object().unwrap().keys().collect();
    assert_eq!(schemas, ["Operation", "Progress", "Thing"]);
}
