//! What the audit counts, what it locks, and how a change of the API or of a decision shows.

use codegen::audit::{Package, differences, evidence, lock, packages, reads};

use crate::spec::{REAL, api, apis, good_toolset, repository, toolset};

const JOBS: &str = r##"
    paths:
      /jobs/{job_id}:
        get:
          operationId: jobs.jobs.get
          returns: { $ref: "#/components/schemas/Job" }
          parameters:
            - { in: path, name: job_id, required: true, schema: { type: integer } }
            - { in: query, name: view, schema: { type: string, enum: [BASIC, FULL] } }
      /jobs:
        get:
          operationId: jobs.jobs.list
          returns: { type: object, properties: { jobs: { type: array, items: { $ref: "#/components/schemas/Job" } }, next: { type: string } } }
          parameters: [ { in: query, name: page, schema: { type: string } }, { in: query, name: limit, schema: { type: integer } } ]
          x-databricks-pagination: { style: token, items: jobs, request: page, response: next }
      /jobs/create:
        post:
          operationId: jobs.jobs.create
          takes: { type: object, required: [name], properties: { name: { type: string }, tasks: { type: array, items: { $ref: "#/components/schemas/Task" } },
            tags: { type: object, additionalProperties: { type: string } }, at: { type: string, format: date-time }, any: {}, on: { type: boolean } } }
      /jobs/reset: { post: { operationId: jobs.jobs.reset } }
      /jobs/delete: { post: { operationId: jobs.jobs.delete } }
    schemas:
      Job: { type: object, properties: { id: { type: integer }, settings: { $ref: "#/components/schemas/Settings" } } }
      Settings: { type: object, properties: { tasks: { type: array, items: { $ref: "#/components/schemas/Task" } } } }
      Task: { type: object, properties: { weight: { type: number }, after: { type: object, additionalProperties: { $ref: "#/components/schemas/Task" } },
        notebook: { $ref: "#/components/schemas/Notebook" } } }
      Notebook: { type: object, required: [path], properties: { path: { type: string } } }
"##;

const DECISIONS: &str = r#"
    operations:
      jobs.jobs.get:
        tool: get_job
        risk: read
        title: Get job
        description: One job.
        params: { job_id: { description: Id. } }
        resource: { uri: "databricks://jobs/{job_id}", name: job, title: Job, description: One job., watch: { fields: [id], over: { id: [done, gone] } } }
      jobs.jobs.list:
        tool: list_jobs
        alias: [list_workflows]
        risk: read
        title: List jobs
        description: Jobs.
        params: { limit: { as: most, description: Most., default: 25, minimum: 1, page_size: 100, alias: [max] } }
        result: { items: jobs, keep: [id, settings.tasks] }
        lists: { resource: job, bind: { job_id: id }, title: id }
      jobs.jobs.reset: { reach: destructive, summary: "Resets one job of all." }
    composites: { make_job: { risk: write, uses: [jobs.jobs.create], title: Make job, description: Makes., verify: { note: Look. } } }
    exclude: [ { reason: Why., operations: [jobs.jobs.delete] } ]
"#;

const LOCK: &str = "
toolset jobs
  on request

tool get_job
  toolset jobs
  risk read
  annotations readOnly=true destructive=false idempotent=true openWorld=true
  operation jobs.jobs.get
  argument job_id: path job_id required
  hidden query view

tool list_jobs
  toolset jobs
  risk read
  annotations readOnly=true destructive=false idempotent=true openWorld=true
  alias list_workflows
  operation jobs.jobs.list
  argument most: query limit default=25 minimum=1 page_size=100
  hidden query page
  items jobs
  keep id
  keep settings.tasks
  lists job job_id=id title=id
  argument limit is most
  argument max is most

tool make_job
  toolset jobs
  risk write
  annotations readOnly=false destructive=false idempotent=false openWorld=true
  uses jobs.jobs.create

resource job
  toolset jobs
  uri databricks://jobs/{job_id}
  operation jobs.jobs.get
  variable job_id: job_id
  watched by id
  over when id is done or gone

operation jobs.jobs.create
  POST /jobs/create
  level workspace
  write tool make_job
  body name: string required
  body tasks: [jobs.Task]
  body tags: map(string)
  body at: date-time
  body any: any
  body on: boolean
  answer: nothing
  sends …
  receives …

operation jobs.jobs.delete
  excluded

operation jobs.jobs.get
  GET /jobs/{job_id}
  level workspace
  read tool get_job
  read resource job
  path job_id: int64 required
  query view: enum(BASIC|FULL)
  answer: jobs.Job
  sends …
  receives …

operation jobs.jobs.list
  GET /jobs
  level workspace
  read tool list_jobs
  paged by token items=jobs request=page response=next start=0
  query page: string
  query limit: int64
  answer jobs: [jobs.Job]
  answer next: string
  sends …
  receives …

operation jobs.jobs.reset
  POST /jobs/reset
  level workspace
  destructive reachable
  answer: nothing
  sends …
  receives …

schema jobs.Job
  id: int64
  settings: jobs.Settings

schema jobs.Notebook
  path: string required

schema jobs.Settings
  tasks: [jobs.Task]

schema jobs.Task
  weight: number
  after: map(jobs.Task)
  notebook: jobs.Notebook
";

fn accepted() -> String {
    let api = api(JOBS);
    lock(&api, &good_toolset(&api, DECISIONS))
}

#[test]
fn the_lock_holds_what_a_review_looked_at() {
    let accepted = accepted();
    let (_, shown) = accepted.split_once("\n\n").and_then(|(_, rest)| rest.split_once('\n')).expect("a first block");
    let shown: Vec<_> = shown
        .lines()
        .map(|line| match line.trim_start().split_once(' ') {
            Some((kind @ ("sends" | "receives"), hash)) if hash.len() == 16 => format!("  {kind} …"),
            _ => line.to_owned(),
        })
        .collect();
    let (entries, rest) = shown.split_first().expect("lines");
    assert!(entries.starts_with("  entries sha256:"), "{entries}");
    assert_eq!(rest.join("\n").trim(), LOCK.trim());
    assert_eq!(differences(&accepted, &accepted), [""; 0]);
}

#[test]
fn what_is_undecided_is_counted() {
    let sql = "paths: { /q: { get: { operationId: sql.queries.list } } }";
    let api = apis(&[("jobs", JOBS), ("sql", sql)]);
    let package = |exposed, reachable, excluded, undecided: &[&str]| Package {
        operations: 5,
        exposed,
        reachable,
        excluded,
        undecided: undecided.iter().map(ToString::to_string).collect(),
    };
    let counted = packages(&api, &good_toolset(&api, DECISIONS));
    assert_eq!(counted["jobs"], package(3, 1, 1, &[]));
    assert_eq!(counted["sql"].undecided, ["sql.queries.list"]);
    let excluded = good_toolset(&api, "exclude: [ { reason: Why., operations: [jobs.jobs.delete] } ]");
    let undecided = ["jobs.jobs.create", "jobs.jobs.get", "jobs.jobs.list", "jobs.jobs.reset"];
    assert_eq!(packages(&api, &excluded)["jobs"], package(0, 0, 1, &undecided));
}

/// The differences from the lock after `old` became `new` in the spec or in the decisions.
#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    assert!(JOBS.contains(old) || DECISIONS.contains(old), "`{old}` is nowhere");
    let api = api(&JOBS.replace(old, new));
    let allowlist = good_toolset(&api, &DECISIONS.replace(old, new));
    let found = differences(&accepted(), &lock(&api, &allowlist));
    // That some entry of the file changed is told besides.
    let (files, told): (Vec<_>, Vec<_>) = found.iter().partition(|line| line.starts_with("file "));
    assert_eq!(told, expected);
    let is_decision = DECISIONS.contains(old) && new != old;
    assert_eq!(files, vec!["file jobs.yaml: an entry changed, or a word of one"; usize::from(is_decision)]);
}

#[test]
fn each_change_of_the_api_is_a_line() {
    check(
        "post:\n          operationId: jobs.jobs.create",
        "put:\n          operationId: jobs.jobs.create",
        &["jobs.jobs.create: was  POST /jobs/create", "jobs.jobs.create: is   PUT /jobs/create"],
    );
    check("any: {}", "any: {}, off: { type: string }", &["jobs.jobs.create: is   body off: string"]);
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
        "required: [name, at]",
        &["jobs.jobs.create: was  body at: date-time", "jobs.jobs.create: is   body at: date-time required"],
    );
    check(
        "operationId: jobs.jobs.get",
        "deprecated: true\n          operationId: jobs.jobs.get",
        &["jobs.jobs.get: is   deprecated"],
    );
    check(
        "operationId: jobs.jobs.get",
        "x-databricks-is-accounts: true\n          operationId: jobs.jobs.get",
        &["jobs.jobs.get: was  level workspace", "jobs.jobs.get: is   level account"],
    );
    check(
        "response: next }",
        "response: next, count: limit }",
        &[
            "jobs.jobs.list: was  paged by token items=jobs request=page response=next start=0",
            "jobs.jobs.list: is   paged by token items=jobs request=page response=next count=limit start=0",
        ],
    );
}

#[test]
fn a_nested_change_names_the_field_of_each_operation() {
    check(
        "path: { type: string } } }",
        "path: { type: string }, source: { type: string } } }",
        &[
            "jobs.jobs.create: body tasks[].notebook.source: added, string",
            "jobs.jobs.get: answer settings.tasks[].notebook.source: added, string",
            "jobs.jobs.list: answer jobs[].settings.tasks[].notebook.source: added, string",
        ],
    );
    check(
        "weight: { type: number }",
        "weight: { type: integer }",
        &[
            "jobs.jobs.create: body tasks[].weight: was number, is int64",
            "jobs.jobs.get: answer settings.tasks[].weight: was number, is int64",
            "jobs.jobs.list: answer jobs[].settings.tasks[].weight: was number, is int64",
        ],
    );
    check(
        "Job: { type: object, properties: { id: { type: integer }, ",
        "Job: { type: object, properties: { id: { type: integer }, tags: {}, ",
        &["jobs.jobs.get: answer tags: added, any", "jobs.jobs.list: answer jobs[].tags: added, any"],
    );
    check(
        "notebook: { $ref: \"#/components/schemas/Notebook\" }",
        "python: { type: string }",
        &[
            "jobs.jobs.create: body tasks[].python: added, string",
            "jobs.jobs.create: body tasks[].notebook: removed, jobs.Notebook",
            "jobs.jobs.get: answer settings.tasks[].python: added, string",
            "jobs.jobs.get: answer settings.tasks[].notebook: removed, jobs.Notebook",
            "jobs.jobs.list: answer jobs[].settings.tasks[].python: added, string",
            "jobs.jobs.list: answer jobs[].settings.tasks[].notebook: removed, jobs.Notebook",
        ],
    );
}

#[test]
fn each_change_of_a_decision_is_a_line() {
    check(
        "make_job: { risk: write",
        "make_job: { risk: destructive",
        &[
            "jobs.jobs.create: was  write tool make_job",
            "jobs.jobs.create: is   destructive tool make_job",
            "tool make_job: was  risk write",
            "tool make_job: was  annotations readOnly=false destructive=false idempotent=false openWorld=true",
            "tool make_job: is   risk destructive",
            "tool make_job: is   annotations readOnly=false destructive=true idempotent=false openWorld=true",
        ],
    );
    check(
        "make_job: { risk: write",
        "make_job: { guarded: true, risk: write",
        &["tool make_job: is   guarded: stays where only reading is allowed"],
    );
    check(
        "make_job: { risk: write",
        "make_job: { confirm: always, risk: write",
        &["tool make_job: is   confirm always"],
    );
    check(
        "make_job: { risk: write",
        "make_job: { idempotent: true, risk: write",
        &[
            "tool make_job: was  annotations readOnly=false destructive=false idempotent=false openWorld=true",
            "tool make_job: is   annotations readOnly=false destructive=false idempotent=true openWorld=true",
        ],
    );
    check(
        "params: { job_id: { description: Id. } }",
        "params: { job_id: { description: Id. }, view: { fixed: FULL } }",
        &["tool get_job: was  hidden query view", "tool get_job: is   fixed query view: \"FULL\""],
    );
    check(
        "alias: [list_workflows]",
        "alias: [list_flows]",
        &["tool list_jobs: was  alias list_workflows", "tool list_jobs: is   alias list_flows"],
    );
    check(
        "alias: [max]",
        "alias: [top]",
        &["tool list_jobs: was  argument max is most", "tool list_jobs: is   argument top is most"],
    );
    check("keep: [id, settings.tasks]", "keep: [id]", &["tool list_jobs: was  keep settings.tasks"]);
    check(
        "minimum: 1, ",
        "",
        &[
            "tool list_jobs: was  argument most: query limit default=25 minimum=1 page_size=100",
            "tool list_jobs: is   argument most: query limit default=25 page_size=100",
        ],
    );
    check(
        "databricks://jobs/{job_id}",
        "databricks://work/{job_id}",
        &["resource job: was  uri databricks://jobs/{job_id}", "resource job: is   uri databricks://work/{job_id}"],
    );
    check(
        "verify: { note: Look. }",
        "verify: { note: Look., read: jobs.jobs.get, bind: { job_id: \"1\" } }",
        &["jobs.jobs.get: is   read look of make_job", "tool make_job: is   verify read jobs.jobs.get bind job_id=1"],
    );
    check("operations: [jobs.jobs.delete]", "operations: []", &["jobs.jobs.delete: no longer excluded"]);
    check(
        "jobs.jobs.create",
        "jobs.jobs.make",
        &[
            "jobs.jobs.create: no longer exposed",
            "jobs.jobs.make: newly exposed",
            "tool make_job: was  uses jobs.jobs.create",
            "tool make_job: is   uses jobs.jobs.make",
        ],
    );
    // Words of a description are seen in the file that they are in.
    check("description: One job.\n", "description: One job, please.\n", &[]);
}

#[test]
fn a_profile_or_a_preset_that_gives_more_is_a_line() {
    let api = api(JOBS);
    let common = "title: T\ndescription: D.\n";
    let lock_of = |jobs: &str, admin: &str, presets: &str| {
        let jobs = format!("toolset: jobs\n{common}{jobs}");
        let admin = format!("toolset: admin\n{common}{admin}");
        let files = [("admin", admin.as_str()), ("jobs", jobs.as_str()), ("presets", presets)];
        lock(&api, &codegen::Allowlist::parse(files, &api).unwrap())
    };
    let tool =
        "composites: { sweep: { risk: destructive, title: Sweep, description: Sweeps., verify: { note: Look. } } }\n";
    let preset = "viewer: { title: V, description: D., only_reads: true, toolsets: [jobs] }\n";
    let before = lock_of("", tool, preset);
    let told = |after: &str| {
        let lines = differences(&before, after);
        lines.into_iter().filter(|line| !line.starts_with("file ")).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&lock_of("", &format!("default: true\n{tool}"), preset)),
        ["toolset admin: was  on request", "toolset admin: is   in the default profile"]
    );
    assert_eq!(told(&lock_of(tool, "", preset)), ["tool sweep: was  toolset admin", "tool sweep: is   toolset jobs"]);
    assert_eq!(
        told(&lock_of("", tool, &preset.replace("[jobs]", "[jobs, admin]"))),
        ["preset viewer: is   toolset admin"]
    );
    assert_eq!(
        told(&lock_of(
            "",
            tool,
            &preset.replace("only_reads: true", "only_reads: false").replace("[jobs]", "[jobs, admin]")
        )),
        ["preset viewer: was  only reads", "preset viewer: is   toolset admin", "preset viewer: is   tool sweep"]
    );
}

#[test]
fn a_lock_edited_by_hand_is_told() {
    let accepted = accepted();
    let api = api(JOBS);
    let current = lock(&api, &good_toolset(&api, DECISIONS));
    let edited_by_hand =
        "`exposure.lock` was edited by hand, or by a merge: its digest is that of another content".to_owned();
    for (edited, expected) in [
        (
            accepted.replace("  risk write\n", "  risk read\n"),
            vec![
                edited_by_hand.clone(),
                "tool make_job: was  risk read".into(),
                "tool make_job: is   risk write".into(),
            ],
        ),
        // A wrong block before the right one.
        (
            accepted.replacen("\ntool make_job\n", "\ntool make_job\n  risk read\n\ntool make_job\n", 1),
            vec![edited_by_hand.clone(), "tool make_job: stands twice in `exposure.lock`".into()],
        ),
        (accepted.replace("content sha256:", "content sha256:0"), vec![edited_by_hand.clone()]),
        (format!("{accepted}\n"), vec![edited_by_hand.clone()]),
        (
            accepted.replacen("# Written", "#  Written", 1),
            vec!["`exposure.lock` has other bytes than `cargo xtask audit --accept` writes".into()],
        ),
    ] {
        assert_eq!(differences(&edited, &current), expected);
    }
    assert!(differences("", &current).contains(&"jobs.jobs.get: newly exposed".to_owned()));
}

/// What is wrong with the decisions after `old` became `new`.
#[track_caller]
fn check_evidence(old: &str, new: &str, expected: &[&str]) {
    let decisions = DECISIONS.replace("reason: Why.", "reason: It deletes what others need.");
    assert!(decisions.contains(old), "`{old}` is nowhere");
    let api = api(JOBS);
    let problems = evidence(&api, &good_toolset(&api, &decisions.replace(old, new)));
    let problems: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(problems, expected);
}

#[test]
fn a_reason_is_a_sentence_and_names_what_is_there() {
    let reason = "It deletes what others need.";
    check_evidence(reason, reason, &[]);
    for empty in ["x", "Why.", "It deletes what others need", "deletes what others need."] {
        let expected = format!(
            "the reason `{empty}` is no sentence: say in 4 words or more, with a full stop, why it is excluded"
        );
        check_evidence(reason, empty, &[expected.as_str()]);
    }
    check_evidence(reason, "Ask `get_job` or `jobs.jobs.list` for it and not `_v2`.", &[]);
    check_evidence(reason, "Ask `get_work` for it instead.", &["no tool and no operation is named `get_work`"]);
    check_evidence(reason, "Ask `jobs.jobs.gone` for it.", &["no tool and no operation is named `jobs.jobs.gone`"]);
}

#[test]
fn a_read_that_looks_like_a_change_says_why_it_is_none() {
    let reset = "jobs.jobs.reset: { reach: destructive,";
    check_evidence(
        reset,
        "jobs.jobs.reset: { reach: read,",
        &[
            "`jobs.jobs.reset` is classed `read`, and its name says `reset`: say `because` it changes nothing, or give it \
           another risk",
        ],
    );
    check_evidence(reset, "jobs.jobs.reset: { because: It only shows what would be reset., reach: read,", &[]);
    check_evidence(
        reset,
        "jobs.jobs.reset: { because: so, reach: read,",
        &[
            "`because` of `jobs.jobs.reset` is no sentence: say in 4 words or more, with a full stop, why it changes nothing",
        ],
    );
    check_evidence(
        reset,
        "jobs.jobs.reset: { because: It only shows what would be reset., reach: write,",
        &["nothing speaks against the risk of `jobs.jobs.reset`: remove `because`"],
    );
    check_evidence(
        "make_job: { risk: write, uses: [jobs.jobs.create], title: Make job, description: Makes., verify: { note: Look. } }",
        "make_job: { risk: read, uses: [jobs.jobs.create], title: Make job, description: Makes. }",
        &[
            "`make_job` is classed `read`, and it uses `jobs.jobs.create`, where its name says `create`: say `because` it \
           changes nothing, or give it another risk",
        ],
    );
}

#[test]
fn a_decision_says_who_why_and_when() {
    let api = api(JOBS);
    let entry = |decided: &str| {
        let reset = format!("jobs.jobs.reset: {{ decided: {decided}, reach: destructive,");
        toolset(&api, &DECISIONS.replace("jobs.jobs.reset: { reach: destructive,", &reset))
    };
    let noted = entry("{ by: security lead, why: People ask for it., date: 2026-01-31 }").unwrap();
    let decided = noted.decisions["jobs.jobs.reset"].decided.clone().unwrap();
    assert_eq!((decided.by.as_str(), decided.date.as_str()), ("security lead", "2026-01-31"));
    for (decided, message) in [
        ("{ by: lead, why: So., date: 31.01.2026 }", "`31.01.2026` is no date of the form `YYYY-MM-DD`"),
        ("{ by: lead, date: 2026-01-31 }", "`why` is missing"),
        ("{ by: lead, why: So., on: 2026-01-31 }", "unknown key `on`"),
    ] {
        let problems = entry(decided).unwrap_err();
        assert!(problems.contains(message), "{problems}");
    }
}

/// Everything classed `read` that is no GET, or whose name speaks against it, with what was said for it. A new line is a
/// decision to look at.
#[test]
fn what_reads_against_the_evidence_is_listed() {
    let allowlist = codegen::Allowlist::load(&repository().join("allowlist"), &REAL).unwrap();
    let problems: Vec<_> = evidence(&REAL, &allowlist).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let listed =
        reads(&REAL, &allowlist).into_iter().map(|read| format!("{}\t{}", read.name, read.because.unwrap_or_default()));
    let listed: Vec<_> = listed.collect();
    let expected: Vec<_> = include_str!("reads.tsv").lines().collect();
    assert_eq!(listed, expected, "look at what changed in reads.tsv");
}
