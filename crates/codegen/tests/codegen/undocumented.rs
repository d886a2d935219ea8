//! Operations that the specs lack, and that the allowlist tells of.

use codegen::api::{Body, Location};
use codegen::audit::evidence;

use crate::spec::{api, dedent, good_toolset, toolset, toolsets};

const JOBS: &str = r##"
    paths:
      /jobs/list:
        get:
          operationId: jobs.jobs.list
          returns: { type: object }
"##;

#[test]
fn operations_that_the_specs_lack() {
    let mistakes = toolset(
        &api(JOBS),
        "
        undocumented:
          jobs.jobs.list: { reason: Why., method: GET, path: /api/2.0/jobs }
          jobs.lost.delete: { reason: Why., method: DELETE, path: /api/2.0/lost }
          jobs.lost.get: { reason: Why., method: GET, path: /api/2.0/lost, query: { name: needed } }
          jobs.lost.list: { method: GET, path: /api/2.0/lost }
          jobs.lost.search: { reason: Why., method: POST, path: /api/2.0/lost, body: { filter: optional } }
          jobs.lost.show: { reason: Why., method: GET, because: It reads., path: /api/2.0/lost }
          jobs.lost.tell: { reason: Why., method: GET, path: /api/2.0/lost, body: { filter: optional } }
        ",
    );
    let expected = dedent(
        "
        allowlist/jobs.yaml:2:3: the specs have `jobs.jobs.list` now: remove this entry
        allowlist/jobs.yaml:3:45: an operation without a spec may only read: its `method` is `GET`, or `POST` with `because`
        allowlist/jobs.yaml:4:83: `needed` is neither `required` nor `optional`
        allowlist/jobs.yaml:5:19: `reason` is missing
        allowlist/jobs.yaml:6:45: an operation without a spec may only read: say `because` this POST does
        allowlist/jobs.yaml:7:43: a GET reads and has no body: remove `because` and `body`
        allowlist/jobs.yaml:8:43: a GET reads and has no body: remove `because` and `body`
        ",
    );
    assert_eq!(mistakes.expect_err("a mistake"), expected);
    let twice = "undocumented:\n  jobs.lost.get: { reason: Why., method: GET, path: /api/2.0/lost }";
    let problems = toolsets(&api(JOBS), &[("jobs", twice), ("lost", twice)]).expect_err("a mistake");
    assert_eq!(problems, "allowlist/lost.yaml:2:3: `jobs.lost.get` stands under `undocumented` twice");
    let api = api(JOBS);
    let allowlist = good_toolset(
        &api,
        "
        undocumented:
          jobs.lost.get: { reason: Why., method: GET, path: /api/2.0/lost, query: { name: required, deep: optional } }
        composites:
          find: { risk: read, uses: [jobs.lost.get], title: Find, description: Finds. }
        ",
    );
    let found = allowlist.operation(&api, "jobs.lost.get").expect("an operation");
    assert_eq!((found.method.as_str(), found.path.as_str(), found.parameters.len()), ("GET", "/api/2.0/lost", 2));
    assert_eq!(allowlist.table().collect::<Vec<_>>(), ["jobs.lost.get"]);
}

#[test]
fn a_post_that_the_specs_lack_has_a_path_and_a_body() {
    let api = api(JOBS);
    let allowlist = good_toolset(
        &api,
        "
        undocumented:
          jobs.lost.search:
            reason: Why.
            method: POST
            because: It reads.
            path: /api/2.0/lost/{place}/of/{id}
            query: { deep: optional }
            body: { filter: required }
        composites:
          find: { risk: read, because: The filter travels in the body., uses: [jobs.lost.search], title: Find, description: Finds. }
        ",
    );
    let found = allowlist.operation(&api, "jobs.lost.search").expect("an operation");
    let parameters: Vec<_> =
        found.parameters.iter().map(|one| (one.name.as_str(), one.location, one.required)).collect();
    assert_eq!(
        parameters,
        [
            ("place", Location::Path, true),
            ("id", Location::Path, true),
            ("deep", Location::Query, false),
            ("filter", Location::Body, true),
        ]
    );
    assert_eq!((found.method.as_str(), &found.body), ("POST", &Body::Object));
}

/// Such a POST speaks against a composite that is said to read, as any other does.
#[test]
fn a_composite_that_uses_such_a_post_says_why_it_reads() {
    let api = api(JOBS);
    let problems = |because: &str| {
        let text = format!(
            "
            undocumented:
              jobs.lost.search: {{ reason: Why., method: POST, because: It reads., path: /api/2.0/lost }}
            composites:
              find: {{ risk: read, {because} uses: [jobs.lost.search], title: Find, description: Finds. }}
            "
        );
        let found = evidence(&api, &good_toolset(&api, &text));
        found.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    let missing = "`find` is classed `read`, and it uses `jobs.lost.search`, where it is a POST: say `because` it changes \
                   nothing, or give it another risk";
    assert_eq!(problems(""), [missing]);
    assert!(problems("because: The filter travels in the body.,").is_empty());
}
