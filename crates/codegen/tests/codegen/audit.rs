//! What the audit counts, what it locks, and how a change of the API shows.

use codegen::audit::{Package, differences, lock, packages};

use crate::spec::{api, apis, good_toolset};

const JOBS: &str = r##"
    paths:
      /jobs/{job_id}:
        get:
          operationId: jobs.jobs.get
          parameters:
            - { in: path, name: job_id, required: true, schema: { type: integer } }
            - { in: query, name: view, schema: { type: string, enum: [BASIC, FULL] } }
      /jobs/create:
        post:
          operationId: jobs.jobs.create
          takes: { type: object, required: [name], properties: { name: { type: string }, tasks: { type: array, items: { $ref: "#/components/schemas/Task" } },
            tags: { type: object, additionalProperties: { type: string } }, at: { type: string, format: date-time }, any: {}, on: { type: boolean } } }
      /jobs/delete: { post: { operationId: jobs.jobs.delete } }
    schemas:
      Task: { type: object, properties: { weight: { type: number } } }
"##;

const DECISIONS: &str = r#"
    operations:
      jobs.jobs.get:
        tool: get_job
        risk: read
        title: Get job
        description: One job.
        params: { job_id: { description: Id. } }
        resource: { uri: "databricks://jobs/{job_id}", name: job, title: Job, description: One job. }
    composites: { make_job: { risk: write, uses: [jobs.jobs.create], title: Make job, description: Makes., verify: { note: Look. } } }
    exclude: [ { reason: Why., operations: [jobs.jobs.delete] } ]
"#;

const LOCK: &str = "\
# Written by `cargo xtask audit --accept`; a difference is an API change to review.

jobs.jobs.create
  POST /jobs/create
  write tool make_job
  body name: string required
  body tasks: [jobs.Task]
  body tags: map(string)
  body at: date-time
  body any: any
  body on: boolean

jobs.jobs.delete
  excluded

jobs.jobs.get
  GET /jobs/{job_id}
  read tool get_job
  read resource job
  path job_id: int64 required
  query view: enum(BASIC|FULL)
";

#[test]
fn the_lock_holds_what_a_review_looked_at() {
    let api = api(JOBS);
    assert_eq!(lock(&api, &good_toolset(&api, DECISIONS)), LOCK);
    assert_eq!(differences(LOCK, LOCK), [""; 0]);
}

#[test]
fn what_is_undecided_is_counted() {
    let sql = "paths: { /q: { get: { operationId: sql.queries.list } } }";
    let api = apis(&[("jobs", JOBS), ("sql", sql)]);
    let package = |operations, exposed, excluded, undecided: &[&str]| Package {
        operations,
        exposed,
        reachable: 0,
        excluded,
        undecided: undecided.iter().map(ToString::to_string).collect(),
    };
    let counted = packages(&api, &good_toolset(&api, DECISIONS));
    assert_eq!(counted["jobs"], package(3, 2, 1, &[]));
    assert_eq!(counted["sql"], package(1, 0, 0, &["sql.queries.list"]));
    let excluded = good_toolset(&api, "exclude: [ { reason: Why., operations: [jobs.jobs.delete] } ]");
    let jobs = &packages(&api, &excluded)["jobs"];
    assert_eq!(*jobs, package(3, 0, 1, &["jobs.jobs.create", "jobs.jobs.get"]));
}

/// The differences from the lock after `old` became `new` in the spec or in the decisions.
#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    assert!(JOBS.contains(old) || DECISIONS.contains(old), "`{old}` is nowhere");
    let api = api(&JOBS.replace(old, new));
    let allowlist = good_toolset(&api, &DECISIONS.replace(old, new));
    assert_eq!(differences(LOCK, &lock(&api, &allowlist)), expected);
}

#[test]
fn each_change_is_a_line() {
    check(
        "post:\n          operationId: jobs.jobs.create",
        "put:\n          operationId: jobs.jobs.create",
        &["jobs.jobs.create: was  POST /jobs/create", "jobs.jobs.create: is   PUT /jobs/create"],
    );
    check(
        "/jobs/create:",
        "/jobs/make:",
        &["jobs.jobs.create: was  POST /jobs/create", "jobs.jobs.create: is   POST /jobs/make"],
    );
    check("on: {", "off: { type: string }, on: {", &["jobs.jobs.create: is   body off: string"]);
    check(
        "tags: {",
        "labels: {",
        &["jobs.jobs.create: was  body tags: map(string)", "jobs.jobs.create: is   body labels: map(string)"],
    );
    check(
        "[BASIC, FULL]",
        "[BASIC, ALL]",
        &["jobs.jobs.get: was  query view: enum(BASIC|FULL)", "jobs.jobs.get: is   query view: enum(BASIC|ALL)"],
    );
    check(
        "format: date-time",
        "format: duration",
        &["jobs.jobs.create: was  body at: date-time", "jobs.jobs.create: is   body at: duration"],
    );
    check(
        "required: [name]",
        "required: [tasks]",
        &[
            "jobs.jobs.create: was  body name: string required",
            "jobs.jobs.create: was  body tasks: [jobs.Task]",
            "jobs.jobs.create: is   body name: string",
            "jobs.jobs.create: is   body tasks: [jobs.Task] required",
        ],
    );
    check(
        "operationId: jobs.jobs.get",
        "deprecated: true\n          operationId: jobs.jobs.get",
        &["jobs.jobs.get: is   deprecated"],
    );
    check(
        "make_job: { risk: write",
        "make_job: { risk: destructive",
        &["jobs.jobs.create: was  write tool make_job", "jobs.jobs.create: is   destructive tool make_job"],
    );
    check(
        ", name: job, title",
        ", name: work, title",
        &["jobs.jobs.get: was  read resource job", "jobs.jobs.get: is   read resource work"],
    );
    check(
        "verify: { note: Look. }",
        "verify: { note: Look., read: jobs.jobs.get, bind: { job_id: \"1\" } }",
        &["jobs.jobs.get: is   read look of make_job"],
    );
    check("operations: [jobs.jobs.delete]", "operations: []", &["jobs.jobs.delete: no longer excluded"]);
    check(
        "jobs.jobs.create",
        "jobs.jobs.make",
        &["jobs.jobs.create: no longer exposed", "jobs.jobs.make: newly exposed"],
    );
}
