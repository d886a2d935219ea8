//! Each mistake in an allowlist, where it stands and with what would be right.

use codegen::Allowlist;
use codegen::allowlist::Risk;

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

/// The mistakes of a toolset `jobs`, one line each.
#[track_caller]
pub(crate) fn check(yaml: &str, expected: &str) {
    let mistakes = toolset(&api(JOBS), yaml).expect_err("a mistake");
    assert_eq!(mistakes, dedent(expected));
}

/// The mistake of the tool `list_jobs` with `part` in its entry, which begins at 3:5.
#[track_caller]
pub(crate) fn check_entry(part: &str, expected: &str) {
    let yaml = format!(
        "operations:\n  jobs.jobs.list:\n    {part}\n    tool: list_jobs\n    risk: read\n    title: List jobs\n    \
         description: Jobs.\n  jobs.jobs.get: {{ resource: {{ {JOB_RESOURCE} }} }}"
    );
    check(&yaml, &format!("allowlist/jobs.yaml:{expected}"));
}

const JOB_RESOURCE: &str = r#"uri: "databricks://jobs/{job_id}", name: job, title: Job, description: One job."#;

#[test]
fn unknown_keys() {
    check(
        "
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get, description: Job., parms: { job_id: { description: Id. } } }
          jobs.jobs.delete: { tol: delete_job }
        composites:
          run_notebook: { risk: write, title: Run, description: Runs., toolset: jobs }
        exclude:
          - { reasons: Why., operations: [jobs.jobs.run_now] }
        defaut: true
        ",
        "
        allowlist/jobs.yaml:2:78: unknown key `parms`; did you mean `params`?; keys here: exclude, typed, reach, because, decided, resource, tool, risk, title, description, idempotent, params, result, lists, filters, elsewhere, verify, cache, alias, keywords, confirm
        allowlist/jobs.yaml:3:23: unknown key `tol`; did you mean `tool`?; keys here: exclude, typed, reach, because, decided, resource, tool
        allowlist/jobs.yaml:5:64: unknown key `toolset`; keys here: risk, title, description, idempotent, guarded, open_world, alias, params, keywords, because, decided, verify, uses, confirm
        allowlist/jobs.yaml:7:5: `reason` is missing
        allowlist/jobs.yaml:8:1: unknown key `defaut`; did you mean `default`?; keys here: toolset, title, description, default, decided, operations, undocumented, composites, exclude
        ",
    );
    check_entry("params: { name: { required: true } }", "3:21: `description` is missing");
    check_entry(
        "params: { name: { descripton: Name. } }",
        "3:23: unknown key `descripton`; did you mean `description`?; keys here: alias, fixed, auto, enum, default, encode, \
         required, depth, as, description, minimum, maximum, page_size, free_form, secret",
    );
    check_entry(
        "result: { item: jobs }",
        "3:15: unknown key `item`; did you mean `items`?; keys here: items, keep, decode, token",
    );
}

#[test]
fn unknown_operations() {
    check(
        "
        operations:
          jobs.jobs.gett: { exclude: Why. }
        exclude:
          - { reason: Why., operations: [jobs.jobs.remove, compute.clusters.start] }
        ",
        "
        allowlist/jobs.yaml:2:3: the specs have no operation `jobs.jobs.gett`; did you mean `jobs.jobs.get`?; if it was removed, remove this entry
        allowlist/jobs.yaml:4:34: the specs have no operation `jobs.jobs.remove`; did you mean `jobs.jobs.get`?; if it was removed, remove this entry
        allowlist/jobs.yaml:4:52: the specs have no operation `compute.clusters.start`; if it was removed, remove this entry
        ",
    );
}

#[test]
fn parameters() {
    check_entry(
        "params: { nam: { description: Name. } }",
        "3:15: `jobs.jobs.list` has no parameter `nam`; did you mean `name`?; it has: limit, name, view, page_token",
    );
    check_entry(
        "params: { limit: { as: name, description: A. }, name: { description: B. } }",
        "3:53: two arguments are named `name`",
    );
    check(
        "
        operations:
          jobs.jobs.get: { tool: get_job, risk: read, title: Get job, description: One job. }
          jobs.jobs.run_now:
            { tool: run_job, risk: write, title: Run, description: Runs., params: { job_id: { required: false, description: Id. } } }
        ",
        "
        allowlist/jobs.yaml:2:26: `jobs.jobs.get` requires `job_id`: add to `params` with a description or `fixed`
        allowlist/jobs.yaml:4:97: the API requires `job_id`: give it a `default`
        ",
    );
}

#[test]
fn values_that_do_not_fit() {
    check_entry(
        "params: { view: { enum: [BASIC, FUL], description: View. } }",
        "3:37: `FUL` is no value of `view`; did you mean `FULL`?",
    );
    check_entry(
        "params: { limit: { enum: [many], description: Limit. } }",
        "3:30: `limit` is not text: it has no `enum`",
    );
    check_entry(
        "params: { name: { maximum: 9, description: Name. } }",
        "3:21: `name` is not a number: it has no bounds",
    );
    check_entry("params: { name: { auto: ulid } }", "3:29: `auto: ulid` is unknown; there is `auto: uuid`");
    check_entry(
        "params: { name: { encode: hex, description: Name. } }",
        "3:31: `encode: hex` is unknown; there is `encode: base64`, `encode: time`, `encode: path`, `encode: dbfs_path`",
    );
}

#[test]
fn other_names_of_arguments() {
    let entry = |params: &str| format!("params: {{ {params} }}\n    result: {{ items: jobs, keep: [job_id] }}");
    check_entry(
        &entry("name: { alias: [limit], description: Name. }, limit: { description: Limit. }"),
        "3:15: the alias `limit` of `name` is an argument itself",
    );
    check_entry(
        &entry("name: { alias: [most], description: Name. }, limit: { alias: [most], description: Limit. }"),
        "3:60: the alias `most` of `limit` is one of `name` already",
    );
    check_entry(
        &entry("name: { alias: [most], fixed: x }"),
        "3:15: `name` is not given by the caller: it has no `alias`",
    );
}

#[test]
fn what_a_list_returns() {
    let entry = |part: &str| format!("{part}\n    result: {{ items: jobs, keep: [job_id] }}");
    check_entry(
        &entry("params: { limit: { page_size: 100, description: Limit. } }"),
        "3:22: `limit` has a `page_size`: it needs a `default`",
    );
    check_entry(
        "params: { limit: { page_size: 100, default: 25, description: Limit. } }",
        "3:15: `limit` has a `page_size`, and this is no list",
    );
    check_entry(
        &entry("filters: { mine_only: { description: Mine., field: settings.nam, values: [x] } }"),
        "3:56: the response of `jobs.jobs.list` has no field `settings.nam`; did you mean `settings.name`?; it has: \
         settings.name",
    );
    check_entry(&entry("elsewhere: update_jobs"), "5:11: no tool is named `update_jobs`");
}

#[test]
fn arguments_that_a_tool_has_anyway() {
    check_entry(
        "params: { page_token: { description: Cursor. } }",
        "3:15: `page_token` is the cursor of the list; every list tool has `page_token` by itself",
    );
    check_entry(
        "params: { name: { as: fields, description: Name. } }\n    result: { items: jobs, keep: [job_id] }",
        "3:15: `fields` is an argument that this tool has by itself: rename it with `as`",
    );
    check_entry(
        "result: { items: jobs, token: { request: page_token, response: next } }",
        "3:35: the specs say how `jobs.jobs.list` is paged: remove `token`",
    );
}

#[test]
fn fields_of_the_response() {
    check_entry(
        "result: { items: jobs, keep: [job_id, settings.nam] }",
        "3:43: the response of `jobs.jobs.list` has no field `settings.nam`; did you mean `settings.name`?; it has: settings.name",
    );
    check_entry("result: { items: next }", "3:22: `next` is not a list in the response of `jobs.jobs.list`");
    check_entry(
        "result: { items: job }",
        "3:22: the response of `jobs.jobs.list` has no field `job`; did you mean `jobs`?; it has: jobs, next",
    );
}

#[test]
fn lists_of_resources() {
    check_entry(
        "lists: { resource: job, bind: { job_id: job_id } }",
        "3:12: `lists` needs `result.items`: the field that holds the list",
    );
    let check_lists = |lists: &str, expected: &str| {
        check_entry(&format!("result: {{ items: jobs }}\n    lists: {lists}"), expected);
    };
    check_lists(
        "{ resource: jobs, bind: { job_id: job_id } }",
        "5:11: no resource is named `jobs`; did you mean `job`?",
    );
    check_lists(
        "{ resource: job, bind: { id: job_id } }",
        "5:11: `lists.bind` has no value for `{job_id}` of `databricks://jobs/{job_id}`",
    );
    check_lists(
        "{ resource: job, bind: { job_id: id } }",
        "4:12: the response of `jobs.jobs.list` has no field `id`; it has: job_id, settings",
    );
}

#[test]
fn resource_templates() {
    let check_resource = |uri: &str, expected: &str| {
        let yaml = format!(
            "operations:\n  jobs.jobs.get: {{ resource: {{ name: job, title: Job, description: One job., uri: {uri} }} }}"
        );
        check(&yaml, &format!("allowlist/jobs.yaml:2:30: {expected}"));
    };
    check_resource("\"databricks://jobs/{id}\"", "`jobs.jobs.get` has no parameter `id`; it has: job_id");
    check_resource("\"databricks://jobs\"", "`databricks://jobs` has no value for the required parameter `job_id`");
    check_resource("\"databricks://jobs\", bind: { id: job_id }", "`databricks://jobs` has no variable `id`");
    check_resource("\"jobs/{job_id}\"", "`jobs/{job_id}` does not start with `databricks://`");
}

#[test]
fn risks_that_the_method_belies() {
    check(
        "
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: write, title: List jobs, description: Jobs. }
          jobs.jobs.get: { tool: get_job, risk: raed, title: Get, description: Job., params: { job_id: { description: Id. } } }
          jobs.jobs.delete: { tool: stop, risk: write, title: Stop, description: Stops., params: { job_id: { description: Id. } } }
        composites:
          run_notebook: { risk: danger, title: Run, description: Runs. }
        ",
        "
        allowlist/jobs.yaml:2:44: `jobs.jobs.list` is a GET and changes nothing: its risk is `read`
        allowlist/jobs.yaml:3:41: `raed` is no risk: read, write or destructive; did you mean `read`?
        allowlist/jobs.yaml:4:41: `jobs.jobs.delete` is a DELETE: its risk is `destructive`
        allowlist/jobs.yaml:6:25: `danger` is no risk: read, write or destructive
        ",
    );
    check(
        "
        composites:
          look: { risk: read, uses: [jobs.jobs.delete, jobs.jobs.run_now], title: Look, description: Looks. }
        ",
        "
        allowlist/jobs.yaml:2:3: `jobs.jobs.delete` is a DELETE: the risk of `look` is not `read`
        ",
    );
    check(
        "
        composites:
          look: { risk: read, open_world: false, uses: [jobs.jobs.list], title: Look, description: Looks. }
        ",
        "
        allowlist/jobs.yaml:2:3: `look` uses operations of the workspace: it reaches out of this server
        ",
    );
    check(
        &format!("operations: {{ jobs.jobs.delete: {{ resource: {{ {JOB_RESOURCE} }} }} }}"),
        "allowlist/jobs.yaml:1:45: `jobs.jobs.delete` is a DELETE: reading a resource changes nothing",
    );
    check(
        "operations: { jobs.jobs.delete: { tool: delete_job, risk: read, title: Delete, description: Deletes. } }",
        "allowlist/jobs.yaml:1:59: `jobs.jobs.delete` is a DELETE: its risk is not `read`",
    );
}

#[test]
fn changes_that_nothing_shows() {
    check(
        "
        operations:
          jobs.jobs.run_now: { tool: run_job, risk: write, title: Run, description: Runs., params: { job_id: { description: Id. } } }
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., verify: { tool: list_jobs } }
        composites:
          run_notebook: { risk: write, title: Run, description: Runs. }
          run_twice: { risk: write, title: Run, description: Runs., verify: { read: jobs.jobs.list } }
          run_often: { risk: write, title: Run, description: Runs., verify: { tool: list_jobs, show: [job_id] } }
        ",
        "
        allowlist/jobs.yaml:2:30: `run_job` changes something: add `verify: { tool: … }`, the tool that shows whether it did when its answer is lost
        allowlist/jobs.yaml:3:96: `list_jobs` changes nothing: remove `verify`
        allowlist/jobs.yaml:5:3: `run_notebook` changes something: add `verify: { tool: … }`, the tool that shows whether it did when its answer is lost
        allowlist/jobs.yaml:6:69: `verify` needs a `tool` that shows whether it was done, or a `note`
        allowlist/jobs.yaml:7:69: without `read` there is nothing to look at
        ",
    );
    check(
        "
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs., result: { items: jobs } }
          jobs.jobs.delete:
            tool: delete_job
            risk: destructive
            title: Delete
            description: Deletes.
            params: { job_id: { description: Id. } }
            verify: { tool: list_job, read: jobs.jobs.get, bind: { job_id: \"{job_id}\" }, removes: true }
          jobs.jobs.run_now:
            tool: run_job
            risk: write
            title: Run
            description: Runs.
            params: { job_id: { description: Id. } }
            verify: { tool: delete_job, read: jobs.jobs.list, bind: { nam: \"{name}\" }, match: { settings.nme: job_id }, show: [id] }
        ",
        "
        allowlist/jobs.yaml:9:13: no tool is named `list_job`; did you mean `list_jobs`?
        allowlist/jobs.yaml:9:13: `jobs.jobs.get` is no GET that the allowlist exposes; did you mean `jobs.jobs.list`?
        allowlist/jobs.yaml:16:13: `delete_job` changes something itself: it cannot show what `run_job` did
        allowlist/jobs.yaml:16:13: `jobs.jobs.list` has no parameter `nam`
        allowlist/jobs.yaml:16:13: what `jobs.jobs.list` gives has no field `settings.nme`
        allowlist/jobs.yaml:16:13: what `jobs.jobs.list` gives has no field `id`
        allowlist/jobs.yaml:16:13: `run_job` has no argument `name`
        ",
    );
}

#[test]
fn decisions_that_are_none_or_several() {
    check(
        "
        operations:
          jobs.jobs.delete: { exclude: Too dangerous., resource: { uri: 'databricks://x', name: x, title: T, description: D. } }
          jobs.jobs.run_now: { exclude: Too dangerous., typed: true }
          jobs.jobs.list: { exclude: Why. }
        exclude:
          - { reason: Why., operations: [jobs.jobs.list] }
        ",
        "
        allowlist/jobs.yaml:2:58: `jobs.jobs.delete` is a DELETE: reading a resource changes nothing
        allowlist/jobs.yaml:3:3: `jobs.jobs.run_now` is both exposed and excluded
        allowlist/jobs.yaml:6:34: `jobs.jobs.list` is decided twice; first at allowlist/jobs.yaml:4:3
        ",
    );
    check(
        "
        operations:
          jobs.jobs.get: { typed: true }
          jobs.jobs.list: { exclude: Why. }
        composites:
          run_notebook: { risk: write, uses: [jobs.jobs.run_now, jobs.jobs.list, jobs.jobs.gett], title: Run, description: Runs., verify: { note: Look. } }
        ",
        "
        allowlist/jobs.yaml:2:3: nothing is decided on `jobs.jobs.get`: give it a `tool`, a `resource`, `reach` or `exclude`, or name it in `uses` of a composite
        allowlist/jobs.yaml:5:58: `run_notebook` uses `jobs.jobs.list`, which is excluded
        allowlist/jobs.yaml:5:74: the specs have no operation `jobs.jobs.gett`; did you mean `jobs.jobs.get`?; if it was removed, remove this entry
        ",
    );
}

#[test]
fn names_that_are_taken() {
    check(
        "
        operations:
          jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Jobs. }
        composites:
          list_jobs: { risk: read, title: List jobs, description: Jobs. }
        ",
        "allowlist/jobs.yaml:4:3: a second tool is named `list_jobs`",
    );
    check(
        "
        operations:
          jobs.jobs.list: { tool: list_jobs, alias: [jobs, run_job], risk: read, title: List jobs, description: Jobs. }
        composites:
          find_job: { alias: [jobs], risk: read, title: Find job, description: Jobs. }
          run_job: { risk: write, title: Run job, description: Jobs., verify: { note: Look. } }
        ",
        "
        allowlist/jobs.yaml:2:27: the alias `jobs` of `list_jobs` is a name of `find_job` already
        allowlist/jobs.yaml:2:27: the alias `run_job` of `list_jobs` is a name of `run_job` already
        ",
    );
    check(
        "
        operations:
          jobs.jobs.get: { exclude: Why. }
          jobs.jobs.get: { exclude: Why. }
        ",
        "allowlist/jobs.yaml:3:3: duplicate mapping key `jobs.jobs.get` is not allowed here",
    );
}

#[test]
fn functions_that_are_missing() {
    let allowlist = good_toolset(
        &api(JOBS),
        &format!(
            "operations:\n  jobs.jobs.get: {{ resource: {{ read: notebook, {JOB_RESOURCE} }} }}\n\
             composites:\n  run_notebook: {{ risk: write, title: Run, description: Runs., verify: {{ note: Look. }} }}"
        ),
    );
    let names = |name: &str| vec![name.to_owned()];
    allowlist.check_functions(&names("jobs/run_notebook"), &names("notebook")).unwrap();
    assert_eq!(
        allowlist.check_functions(&names("jobs/run_notebok"), &[]).expect_err("mistakes").to_string(),
        "the allowlist has 3 mistake(s)\n\
         \x20 allowlist/jobs.yaml:4:3: this composite has no file `src/tools/jobs/run_notebook.rs`; did you mean `jobs/run_notebok`?\n\
         \x20 src/tools/jobs/run_notebok.rs:1:1: no composite of the allowlist is named `jobs/run_notebok`; did you mean `jobs/run_notebook`?\n\
         \x20 allowlist/jobs.yaml:2:30: this reader has no file `src/readers/notebook.rs`"
    );
}

#[test]
fn every_file_is_read_and_every_mistake_reported() {
    let mistakes = toolsets(
        &api(JOBS),
        &[
            ("jobs", "operations: { jobs.jobs.get: { exclude: [] } }"),
            ("runs", "title: Runs"),
            ("sql", "operations: { jobs.jobs.lists: { exclude: Why. }, jobs.jobs.delete: 1 }"),
        ],
    );
    assert_eq!(
        mistakes.expect_err("mistakes"),
        "allowlist/jobs.yaml:1:41: expected text\n\
         allowlist/runs.yaml:3:1: duplicate mapping key `title` is not allowed here\n\
         allowlist/sql.yaml:1:15: the specs have no operation `jobs.jobs.lists`; did you mean `jobs.jobs.list`?; if it was removed, remove this entry\n\
         allowlist/sql.yaml:1:69: expected what is decided on the operation"
    );
    let allowlist = Allowlist::parse([("jobs", "toolset: job"), ("sql", "title: [")], &api(JOBS));
    assert_eq!(
        allowlist.expect_err("mistakes").to_string(),
        "the allowlist has 2 mistake(s)\n\
         \x20 allowlist/jobs.yaml:1:10: the file is `jobs.yaml`, so the toolset is `jobs`\n\
         \x20 allowlist/sql.yaml:1:8: unclosed bracket '['"
    );
}

/// Any text is an allowlist or a list of mistakes, each with its place.
#[test]
fn any_text_is_read_or_refused() {
    let api = api(JOBS);
    let entry = "risk: read, title: List jobs, description: Jobs.";
    let good = format!(
        "operations:\n  jobs.jobs.list: {{ tool: list_jobs, {entry} }}\n  jobs.jobs.get:\n    resource: {{ {JOB_RESOURCE} }}\n\
         composites:\n  find: {{ {entry}, uses: [jobs.jobs.get] }}\nexclude:\n  - {{ reason: Why., operations: \
         [jobs.jobs.delete, jobs.jobs.run_now] }}\n"
    );
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "&a ",
        "*a",
        "<<: ",
        "|",
        ">-",
        "'",
        "\"",
        "#",
        "!!binary ",
        "? ",
        "%YAML",
        "---\n",
        "...\n",
        "\t",
        "\0",
        "\u{feff}",
        "\u{202e}",
        "~",
        "1e999",
        "{job_id}",
        "{+x}",
        "jobs.jobs.list",
        "tool",
        "risk",
    ];
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut letters: Vec<char> = good.chars().collect();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..=letters.len());
            match random.u8(..4) {
                0 => letters.truncate(at),
                1 => drop(letters.drain(at..(at + random.usize(..9)).min(letters.len()))),
                _ => drop(letters.splice(at..at, random.choice(pieces).unwrap_or_default().chars())),
            }
        }
        if let Err(mistakes) = toolset(&api, &letters.into_iter().collect::<String>()) {
            assert!(
                mistakes.lines().all(|mistake| mistake.starts_with("allowlist/jobs.yaml:")),
                "seed {seed}: {mistakes}"
            );
        }
    }
    for link in ["[", "{a: ", "- ", "? ", "&a [*a, ", "a:\n ", "!!x ", "'", "{", "*a "] {
        let long = format!("operations: {}", link.repeat(50_000));
        assert!(toolset(&api, &long).is_err(), "{link}");
    }
}

#[test]
fn operations_without_a_tool_are_reachable() {
    let api = api(JOBS);
    let allowlist = good_toolset(
        &api,
        "operations:\n  jobs.jobs.get: { reach: read, summary: Shows one job., secret: [job_id] }\n  \
         jobs.jobs.delete: { reach: destructive, summary: Deletes one job. }",
    );
    let reachable = allowlist.decisions["jobs.jobs.get"].reachable.as_ref().expect("it is reachable");
    assert_eq!((reachable.risk, reachable.summary.as_str()), (Risk::Read, "Shows one job."));
    let arguments: Vec<_> = reachable.call.arguments.iter().map(|argument| argument.wire.as_str()).collect();
    assert!(arguments.contains(&"job_id"), "{arguments:?}");
    for (entry, mistake) in [
        ("{ reach: write, summary: Shows one job. }", "is a GET and changes nothing: its risk is `read`"),
        ("{ reach: read }", "`summary` is missing"),
        ("{ reach: read, summary: Shows. }", "a summary has 12 to 160 characters, this one 6"),
        ("{ reach: read, summary: shows one job. }", "a summary is a sentence"),
        ("{ reach: read, summary: \"TODO: Shows one job.\" }", "`summary` is still a TODO: write it in your own words"),
        ("{ exclude: \"TODO: Nobody asks for it.\" }", "`exclude` is still a TODO: write it in your own words"),
        ("{ reach: read, summary: Shows one job., secret: [nothing] }", "has no parameter `nothing`"),
        ("{ reach: read, summary: Shows one job., exclude: Why. }", "is both exposed and excluded"),
    ] {
        let refused = toolsets(&api, &[("jobs", &format!("operations: {{ jobs.jobs.get: {entry} }}"))]);
        let refused = refused.expect_err(entry);
        assert!(refused.contains(mistake), "{entry}: {refused}");
    }
}

#[test]
fn only_lists_that_read_are_kept() {
    check_entry("cache: 60", "3:12: expected text");
    check_entry("cache: 60m", "3:12: `60m` is no time to live: write `60s`; at most 3600 s");
    check_entry("cache: 0s", "3:12: `0s` is no time to live: write `60s`; at most 3600 s");
    check_entry("cache: 60s", "3:12: only a list that reads can be kept");
}

#[test]
fn how_a_resource_is_watched() {
    let watch = |part: &str, expected: &str| {
        let resource = r#"uri: "databricks://jobs", name: jobs, title: Jobs, description: All jobs."#;
        let yaml =
            format!("operations:\n  jobs.jobs.list:\n    resource:\n      {{ {resource},\n        watch: {part} }}");
        check(&yaml, &format!("allowlist/jobs.yaml:{expected}"));
    };
    watch("{}", "5:16: `watch` needs the `fields` by which a change is seen");
    watch("{ field: [jobs.job_id] }", "5:18: unknown key `field`; did you mean `fields`?; keys here: fields, over");
    watch("{ fields: [jobs.job_id], over: { next: [x] } }", "5:16: `next` of `over` is not among the `fields`");
    watch("{ fields: [jobs.settings.nam] }", "5:16: what `jobs.jobs.list` gives has no field `jobs.settings.nam`");
}
