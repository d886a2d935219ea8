//! Each mistake in an allowlist, where it stands and with what would be right.

use codegen::Allowlist;

use crate::spec::{api, dedent, good_toolset, toolset, toolsets};

const JOBS: &str = r##"
    paths:
      /jobs/list:
        get:
          operationId: jobs.jobs.list
          parameters:
            - { in: query, name: limit, schema: { type: integer } }
            - { in: query, name: name, schema: { type: string } }
            - { in: query, name: view, schema: { type: string, enum: [BASIC, FULL] } }
            - { in: query, name: page_token, schema: { type: string } }
          returns: { $ref: "#/components/schemas/Page" }
          x-databricks-pagination: { style: token, items: jobs, in: query, request: page_token, response: next }
      /jobs/{job_id}:
        get: { operationId: jobs.jobs.get, parameters: [ &id { in: path, name: job_id, required: true, schema: { type: integer } } ] }
        delete: { operationId: jobs.jobs.delete, parameters: [ *id ] }
        post: { operationId: jobs.jobs.run_now, parameters: [ *id ] }
    schemas:
      Page: { type: object, properties: { jobs: { type: array, items: { $ref: "#/components/schemas/Job" } }, next: { type: string } } }
      Job: { type: object, properties: { job_id: { type: integer }, settings: { type: object, properties: { name: { type: string } } } } }
"##;

/// The mistakes of a toolset `jobs` against a spec, one line each.
#[track_caller]
fn check(spec: &str, yaml: &str, expected: &str) {
    let mistakes = toolset(&api(spec), yaml).expect_err("a mistake");
    assert_eq!(mistakes, dedent(expected));
}

#[test]
fn unknown_keys() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job., parms: { job_id: { description: Id. } } }
          jobs.jobs.delete: { tol: delete_job }
        composites:
          run_notebook: { risk: write, title: Run, description: Runs., toolset: jobs }
        exclude:
          - { reasons: Why., operations: [jobs.jobs.run_now] }
        defaut: true
        "#,
        "
        allowlist/jobs.yaml:2:86: unknown key `parms`; did you mean `params`?; keys here: exclude, typed, used_by, resource, tool, risk, title, description, idempotent, params, result, lists
        allowlist/jobs.yaml:3:23: unknown key `tol`; did you mean `tool`?; keys here: exclude, typed, used_by, resource, tool
        allowlist/jobs.yaml:5:64: unknown key `toolset`; keys here: risk, title, description, idempotent
        allowlist/jobs.yaml:7:5: `reason` is missing
        allowlist/jobs.yaml:8:1: unknown key `defaut`; did you mean `default`?; keys here: toolset, title, description, default, operations, composites, exclude
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job., params: { job_id: { descripton: Id. } } }
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { item: jobs } }
        "#,
        "
        allowlist/jobs.yaml:2:104: `description` is missing
        allowlist/jobs.yaml:3:98: unknown key `item`; did you mean `items`?; keys here: items, keep, decode, token
        ",
    );
}

#[test]
fn unknown_operations() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.gett: { used_by: [run_notebook] }
        exclude:
          - { reason: Why., operations: [jobs.jobs.remove, compute.clusters.start] }
        "#,
        "
        allowlist/jobs.yaml:2:3: the specs have no operation `jobs.jobs.gett`; did you mean `jobs.jobs.get`?; if it was removed, remove this entry
        allowlist/jobs.yaml:4:34: the specs have no operation `jobs.jobs.remove`; did you mean `jobs.jobs.get`?; if it was removed, remove this entry
        allowlist/jobs.yaml:4:52: the specs have no operation `compute.clusters.start`; if it was removed, remove this entry
        ",
    );
}

#[test]
fn unknown_parameters() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { nam: { description: Name. } } }
        "#,
        "
        allowlist/jobs.yaml:2:98: `jobs.jobs.list` has no parameter `nam`; did you mean `name`?; it has: limit, name, view, page_token
        ",
    );
}

#[test]
fn required_parameters_that_are_missing() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job. }
        "#,
        "
        allowlist/jobs.yaml:2:26: `jobs.jobs.get` requires `job_id`: add to `params` with a description or `fixed`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job., params: { job_id: { required: false, description: Id. } } }
        "#,
        "
        allowlist/jobs.yaml:2:116: the API requires `job_id`: give it a `default`
        ",
    );
}

#[test]
fn what_is_decided_twice() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job., params: { job_id: { description: Id. } } }
        exclude:
          - { reason: Why., operations: [jobs.jobs.get] }
        "#,
        "
        allowlist/jobs.yaml:4:34: `jobs.jobs.get` is decided twice; first at allowlist/jobs.yaml:2:3
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job., params: { job_id: { description: Id. } } }
          jobs.jobs.run_now: { tool: get_job, risk: write, title: Run, description: Runs., params: { job_id: { description: Id. } } }
        "#,
        "
        allowlist/jobs.yaml:3:30: a second tool is named `get_job`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job., params: { job_id: { description: Id. } } }
          jobs.jobs.get: { used_by: [run_notebook] }
        "#,
        "
        allowlist/jobs.yaml:3:3: duplicate mapping key `jobs.jobs.get` is not allowed here
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { limit: { as: name, description: A. }, name: { description: B. } } }
        "#,
        "
        allowlist/jobs.yaml:2:136: two arguments are named `name`
        ",
    );
}

#[test]
fn risk_that_the_method_belies() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { tool: get_job, risk: raed, title: Get job, description: One job., params: { job_id: { description: Id. } } }
          jobs.jobs.list: { tool: list_jobs, risk: write, title: List jobs, description: Jobs. }
          jobs.jobs.delete: { tool: delete_job, risk: write, title: Delete, description: Deletes., params: { job_id: { description: Id. } } }
        "#,
        "
        allowlist/jobs.yaml:2:41: `raed` is no risk: read, write or destructive; did you mean `read`?
        allowlist/jobs.yaml:3:44: `jobs.jobs.list` is a GET and changes nothing: its risk is `read`
        allowlist/jobs.yaml:4:47: `jobs.jobs.delete` is a DELETE: its risk is `destructive`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.delete: { tool: delete_job, risk: read, title: Delete, description: Deletes., params: { job_id: { description: Id. } } }
        composites:
          run_notebook: { risk: danger, title: Run, description: Runs. }
        "#,
        "
        allowlist/jobs.yaml:2:47: `jobs.jobs.delete` is a DELETE: its risk is not `read`
        allowlist/jobs.yaml:4:25: `danger` is no risk: read, write or destructive
        ",
    );
}

#[test]
fn decisions_that_are_none() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { typed: true }
          jobs.jobs.delete: { exclude: Too dangerous., used_by: [run_notebook] }
          jobs.jobs.run_now: { exclude: Too dangerous., typed: true }
        composites:
          run_notebook: { risk: write, title: Run, description: Runs. }
        "#,
        "
        allowlist/jobs.yaml:2:3: nothing is decided on `jobs.jobs.get`: give it a `tool`, a `resource`, `used_by` or `exclude`
        allowlist/jobs.yaml:3:3: `jobs.jobs.delete` is both exposed and excluded
        allowlist/jobs.yaml:4:3: `jobs.jobs.run_now` is both exposed and excluded
        ",
    );
}

#[test]
fn unknown_composites() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.run_now: { used_by: [run_notebok] }
          jobs.jobs.delete: { used_by: [get_job] }
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job., params: { job_id: { description: Id. } } }
        composites:
          run_notebook: { risk: write, title: Run, description: Runs. }
        "#,
        "
        allowlist/jobs.yaml:2:3: no composite is named `run_notebok`; did you mean `run_notebook`?
        allowlist/jobs.yaml:3:3: no composite is named `get_job`
        ",
    );
}

#[test]
fn result_fields() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { items: jobs, keep: [job_id, settings.nam, id] } }
        "#,
        "
        allowlist/jobs.yaml:2:126: the response of `jobs.jobs.list` has no field `settings.nam`; did you mean `settings.name`?; it has: settings.name
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { items: next } }
        "#,
        "
        allowlist/jobs.yaml:2:105: `next` is not a list in the response of `jobs.jobs.list`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { items: job } }
        "#,
        "
        allowlist/jobs.yaml:2:105: the response of `jobs.jobs.list` has no field `job`; did you mean `jobs`?; it has: jobs, next
        ",
    );
}

#[test]
fn cursors_are_not_parameters() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { page_token: { description: Cursor. } } }
        "#,
        "
        allowlist/jobs.yaml:2:98: `page_token` is the cursor of the list; every list tool has `page_token` by itself
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { name: { as: fields, description: Name. } }, result: { items: jobs, keep: [job_id] } }
        "#,
        "
        allowlist/jobs.yaml:2:98: `fields` is an argument that this tool has by itself: rename it with `as`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { items: jobs, token: { request: page_token, response: next } } }
        "#,
        "
        allowlist/jobs.yaml:2:118: the specs say how `jobs.jobs.list` is paged: remove `token`
        ",
    );
}

#[test]
fn values_that_do_not_fit() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { view: { enum: [BASIC, FUL], description: View. } } }
        "#,
        "
        allowlist/jobs.yaml:2:120: `FUL` is no value of `view`; did you mean `FULL`?
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { name: { maximum: 10, description: Name. } } }
        "#,
        "
        allowlist/jobs.yaml:2:104: `name` is not a number: it has no bounds
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { limit: { enum: [many], description: Limit. } } }
        "#,
        "
        allowlist/jobs.yaml:2:113: `limit` is not text: it has no `enum`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { name: { auto: ulid } } }
        "#,
        "
        allowlist/jobs.yaml:2:112: `auto: ulid` is unknown; there is `auto: uuid`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., params: { name: { encode: hex, description: Name. } } }
        "#,
        "
        allowlist/jobs.yaml:2:114: `encode: hex` is unknown; there is `encode: base64`
        ",
    );
}

#[test]
fn resource_templates() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { resource: { uri: "databricks://jobs/{id}", name: job, title: Job, description: One job. } }
        "#,
        "
        allowlist/jobs.yaml:2:30: `jobs.jobs.get` has no parameter `id`; it has: job_id
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { resource: { uri: "databricks://jobs", name: job, title: Job, description: One job. } }
        "#,
        "
        allowlist/jobs.yaml:2:30: `databricks://jobs` has no value for the required parameter `job_id`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { resource: { uri: "databricks://jobs", bind: { id: job_id }, name: job, title: Job, description: One job. } }
        "#,
        "
        allowlist/jobs.yaml:2:30: `databricks://jobs` has no variable `id`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.get: { resource: { uri: "jobs/{job_id}", name: job, title: Job, description: One job. } }
        "#,
        "
        allowlist/jobs.yaml:2:30: `jobs/{job_id}` does not start with `databricks://`
        ",
    );
}

#[test]
fn lists_of_resources() {
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { items: jobs }, lists: { resource: jobs, bind: { job_id: job_id } } }
          jobs.jobs.get: { resource: { uri: "databricks://jobs/{job_id}", name: job, title: Job, description: One job. } }
        "#,
        "
        allowlist/jobs.yaml:2:27: no resource is named `jobs`; did you mean `job`?
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { items: jobs }, lists: { resource: job, bind: { id: job_id } } }
          jobs.jobs.get: { resource: { uri: "databricks://jobs/{job_id}", name: job, title: Job, description: One job. } }
        "#,
        "
        allowlist/jobs.yaml:2:27: `lists.bind` has no value for `{job_id}` of `databricks://jobs/{job_id}`
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { items: jobs }, lists: { resource: job, bind: { job_id: id } } }
          jobs.jobs.get: { resource: { uri: "databricks://jobs/{job_id}", name: job, title: Job, description: One job. } }
        "#,
        "
        allowlist/jobs.yaml:2:120: the response of `jobs.jobs.list` has no field `id`; it has: job_id, settings
        ",
    );
    check(
        JOBS,
        r#"
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., lists: { resource: job, bind: { job_id: job_id } } }
          jobs.jobs.get: { resource: { uri: "databricks://jobs/{job_id}", name: job, title: Job, description: One job. } }
        "#,
        "
        allowlist/jobs.yaml:2:95: `lists` needs `result.items`: the field that holds the list
        ",
    );
}

#[test]
fn functions_that_are_missing() {
    let allowlist = good_toolset(
        &api(JOBS),
        r#"
        operations:
          jobs.jobs.get: { resource: { read: notebook, uri: "databricks://jobs/{job_id}", name: job, title: Job, description: D. } }
        composites:
          run_notebook: { risk: write, title: Run, description: Runs. }
        "#,
    );
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    allowlist.check_functions(&names(&["run_notebook"]), &names(&["notebook"])).unwrap();
    let mistakes = allowlist.check_functions(&names(&["run_notebok"]), &[]).expect_err("two mistakes").to_string();
    assert_eq!(
        mistakes,
        "the allowlist has 2 mistake(s)\n\
         \x20 allowlist/jobs.yaml:4:3: no function for composite `run_notebook`; did you mean `run_notebok`?; it is expected in `src/tools/run_notebook.rs`\n\
         \x20 allowlist/jobs.yaml:2:30: no function for reader `notebook`; it is expected in `src/resources/notebook.rs`"
    );
}

#[test]
fn every_file_is_read_and_every_mistake_reported() {
    let mistakes = toolsets(
        &api(JOBS),
        &[
            ("jobs", "operations: { jobs.jobs.get: {} }"),
            ("runs", "title: Runs"),
            ("sql", "operations: { jobs.jobs.lists: { exclude: Why. }, jobs.jobs.delete: 1 }"),
        ],
    );
    assert_eq!(
        mistakes.expect_err("mistakes"),
        "allowlist/jobs.yaml:1:15: nothing is decided on `jobs.jobs.get`: give it a `tool`, a `resource`, `used_by` or `exclude`\n\
         allowlist/runs.yaml:3:1: duplicate mapping key `title` is not allowed here\n\
         allowlist/sql.yaml:1:15: the specs have no operation `jobs.jobs.lists`; did you mean `jobs.jobs.list`?; if it was removed, remove this entry\n\
         allowlist/sql.yaml:1:69: expected what is decided on the operation"
    );
    let allowlist = Allowlist::parse([("jobs", "toolset: job"), ("sql", "title: [")], &api(JOBS));
    assert_eq!(
        allowlist.expect_err("mistakes").to_string(),
        "the allowlist has 2 mistake(s)\n\
         \x20 allowlist/jobs.yaml:1:10: the file is `jobs.yaml`, so the toolset is `jobs`\n\
         \x20 allowlist/sql.yaml:1:8: unclosed bracket \\'[\\'"
    );
}
