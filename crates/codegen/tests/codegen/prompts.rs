//! Each mistake in a prompt, where it stands and with what would be right.

use codegen::allowlist::PromptMessage;
use codegen::{Allowlist, audit};

use crate::spec::api;

const JOBS: &str = r##"
    paths:
      /jobs/list: { get: { operationId: jobs.jobs.list } }
      /jobs/{job_id}:
        get: { operationId: jobs.jobs.get, parameters: [ { in: path, name: job_id, required: true, schema: { type: integer } } ] }
"##;

const TOOLSET: &str = r#"toolset: jobs
title: Jobs
description: Jobs.
operations:
  jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Lists them. }
  jobs.jobs.get:
    tool: get_job
    risk: read
    title: Get job
    description: Shows one.
    params: { job_id: { description: Its id. } }
    resource: { uri: "databricks://jobs/{job_id}", name: job, title: Job, description: One job. }
"#;

const GOOD: &str = r#"prompt: one_job
title: One job
description: Looks at a job.
arguments:
  job: { title: Job, description: The job., example: "1", required: true, complete: job }
  focus: { title: Focus, description: What matters., example: speed, default: everything, values: [speed] }
tools: [get_job]
optional: [list_jobs]
messages:
  - text: Look at {job} with `get_job`, or `list_jobs`. Focus {focus}.
  - embed: job
    with: { job_id: job }
    otherwise: Find it with `list_jobs`.
"#;

fn read(prompt: &str) -> Result<Allowlist, String> {
    let files = [("jobs", TOOLSET), ("prompts/one_job", prompt)];
    Allowlist::parse(files, &api(JOBS)).map_err(|problems| {
        let lines: Vec<_> = problems.0.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

/// The mistake of the good prompt with one text in place of another.
#[track_caller]
fn check(text: &str, other: &str, expected: &str) {
    assert!(GOOD.contains(text), "{text}");
    let mistake = read(&GOOD.replacen(text, other, 1)).expect_err("a mistake");
    assert_eq!(mistake, format!("allowlist/prompts/one_job.yaml:{expected}"));
}

#[test]
fn a_good_prompt_is_read_and_recorded() {
    let allowlist = read(GOOD).unwrap();
    let prompt = &allowlist.prompts["one_job"];
    assert_eq!(
        (prompt.tools.as_slice(), prompt.optional.as_slice()),
        (&["get_job".to_owned()][..], &["list_jobs".to_owned()][..])
    );
    assert!(matches!(prompt.messages.as_slice(), [PromptMessage::Text(_), PromptMessage::Embed { .. }]));
    let lock = audit::lock(&api(JOBS), &allowlist);
    for line in [
        "file prompts/one_job.yaml",
        "prompt one_job\n  tool get_job\n  optional tool list_jobs\n  argument job: required longest=1000 completes=job\n",
        "  embeds job job_id=job\n",
    ] {
        assert!(lock.contains(line), "{line} is not in {lock}");
    }
}

#[test]
fn tools_and_resources_exist() {
    check(
        "tools: [get_job]",
        "tools: [get_jobs]",
        "7:9: no tool is named `get_jobs`; did you mean `get_job`?\nallowlist/prompts/one_job.yaml:10:5: the text names the tool `get_job`: put it into `tools` or `optional`",
    );
    check(
        "optional: [list_jobs]",
        "optional: []",
        "10:5: the text names the tool `list_jobs`: put it into `tools` or `optional`\nallowlist/prompts/one_job.yaml:11:5: the text names the tool `list_jobs`: put it into `tools` or `optional`",
    );
    check(
        "optional: [list_jobs]",
        "optional: [list_jobs, get_job]",
        "7:9: `get_job` is both in `tools` and `optional`\nallowlist/prompts/one_job.yaml:8:23: `get_job` is both in `tools` and `optional`",
    );
    check(
        "with `get_job`, or",
        "with `get_job` or `get_jop`, or",
        "10:5: the text names `get_jop`, and no tool has that name; did you mean `get_job`?",
    );
    check(
        "Look at {job} with `get_job`",
        "Look at {job} with it",
        "7:9: no message names the tool `get_job`, which stands here",
    );
    check("embed: job", "embed: jop", "11:5: no resource is named `jop`; did you mean `job`?");
    check(
        "{ job_id: job }",
        "{ jobid: job }",
        "11:5: `databricks://jobs/{job_id}` has no variable `jobid`; did you mean `job_id`?",
    );
    check("{ job_id: job }", "{}", "11:5: `with` has no value for `{job_id}` of `databricks://jobs/{job_id}`");
}

#[test]
fn slots_are_arguments() {
    check("Focus {focus}", "Focus {fokus}", "10:11: no argument is named `fokus`; did you mean `focus`?");
    check("{ job_id: job }", "{ job_id: jop }", "12:21: no argument is named `jop`; did you mean `job`?");
    check(" Focus {focus}.", "", "10:3: no message has a slot `{focus}`, though it is an argument");
    check("Focus {focus}", "Focus {focus", "10:11: a `{` has no `}`: braces are for the slots of arguments");
    check(
        "example: speed, default: everything",
        "example: speed",
        "10:11: `focus` may be left out: give it a `default`, which stands in its slot, or require it",
    );
}

#[test]
fn arguments_are_whole() {
    check(
        "complete: job",
        "complete: jobs",
        "5:85: nothing is completed from `jobs`; did you mean `job`?; there are: catalog, schema, table, volume, job, run, cluster, warehouse, pipeline, notebook, folder",
    );
    check(
        "required: true, complete",
        "required: true, default: a, complete",
        "5:3: `job` is required, so its `default` is never used",
    );
    check("example: \"1\", ", "", "5:8: `example` is missing");
    check("values: [speed]", "values: [speed], complete: job", "6:3: `focus` has both `complete` and `values`");
    check("values: [speed]", "longest: 0", "6:100: `longest` is 1 to 50000 characters");
    check("  job: {", "  workspace: {", "5:3: the server adds `workspace` itself where there are several");
}

#[test]
fn files_are_as_their_names() {
    check("prompt: one_job", "prompt: a_job", "1:9: the file is `one_job.yaml`, so the prompt is `one_job`");
    check(
        "title: One job",
        "titel: One job",
        "2:1: unknown key `titel`; did you mean `title`?; keys here: prompt, title, description, arguments, tools, optional, \
         messages",
    );
    check(
        "  - text: Look at",
        "  - txt: Look at",
        "10:5: unknown key `txt`; did you mean `text`?; keys here: text, embed, with, otherwise",
    );
    check("    otherwise: Find it with `list_jobs`.\n", "", "11:5: `otherwise` is missing");
}
