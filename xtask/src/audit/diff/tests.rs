//! Changes of scratch repositories, as a pull request would show them.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::compare;

const SPEC: &str = r##"{
  "openapi": "3.0.3", "info": { "title": "t", "version": "1" },
  "paths": {
    "/jobs": { "get": { "operationId": "jobs.jobs.list", "responses": { "2XX": { "description": "Success" } } } },
    "/jobs/create": { "post": { "operationId": "jobs.jobs.create", "responses": { "2XX": { "description": "Success" } },
      "requestBody": { "required": true, "content": { "application/json": { "schema": { "type": "object", "properties": {
        "name": { "type": "string" }, "tasks": { "type": "array", "items": { "$ref": "#/components/schemas/Task" } } } } } } } } },
    "/jobs/reset": { "post": { "operationId": "jobs.jobs.reset", "responses": { "2XX": { "description": "Success" } } } },
    "/jobs/delete": { "post": { "operationId": "jobs.jobs.delete", "responses": { "2XX": { "description": "Success" } } } }
  },
  "components": { "schemas": { "Task": { "type": "object", "properties": { "weight": { "type": "number" } } } } }
}"##;

const TOOLSET: &str = r#"toolset: jobs
title: Jobs
description: Jobs.
operations:
  jobs.jobs.list: { tool: list_jobs, risk: read, title: List jobs, description: Lists the jobs of the workspace. }
  jobs.jobs.create:
    tool: create_job
    risk: destructive
    title: Create job
    description: Creates one job.
    params: { name: { description: Name of it. }, tasks: { description: What it does., free_form: true } }
    verify: { tool: list_jobs }
  jobs.jobs.reset: { reach: destructive, summary: "Resets one job of the workspace." }
exclude: [ { reason: It deletes what others need., operations: [jobs.jobs.delete] } ]
"#;

struct Repository(TempDir);

impl Repository {
    /// A repository with one commit.
    fn new() -> Self {
        let repository = Self(TempDir::new().unwrap());
        repository.git(&["init", "--quiet"]);
        repository.write("specs/jobs.json", SPEC);
        repository.write("allowlist/jobs.yaml", TOOLSET);
        repository.git(&["add", "."]);
        let author = ["-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"];
        repository.git(&[&author[..], &["commit", "--quiet", "--message", "all"]].concat());
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path()).args(arguments);
        command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
        assert!(command.status().unwrap().success());
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn replace(&self, name: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap();
        assert!(text.contains(old), "`{old}` is not in `{name}`");
        self.write(name, &text.replace(old, new));
    }

    /// The text of the changes, and whether they are decided.
    fn compare(&self) -> (String, bool) {
        compare(self.path(), "HEAD").unwrap()
    }
}

/// What the change of the allowlist from `old` to `new` tells.
#[track_caller]
fn change(old: &str, new: &str) -> (String, bool) {
    let repository = Repository::new();
    repository.replace("allowlist/jobs.yaml", old, new);
    repository.compare()
}

#[test]
fn no_change_is_no_change() {
    let (text, is_decided) = Repository::new().compare();
    assert!(text.ends_with("Nothing changes.\n") && is_decided, "{text}");
    // Neither comments nor layout are part of the surface.
    let (text, is_decided) = change("operations:\n", "# Here.\noperations:\n\n");
    assert!(text.ends_with("Nothing changes.\n") && is_decided, "{text}");
}

#[test]
fn words_arguments_and_tokens_of_a_tool() {
    let (text, is_decided) =
        change("Name of it. }, tasks: { description: What it does., free_form: true }", "A name. }");
    assert!(is_decided, "{text}");
    assert!(text.contains("## Tools changed (1)\n\n- **create\\_job** ("), "{text}");
    for clause in ["argument tasks: removed", "was argument tasks: body tasks free\\_form", "is hidden body tasks"] {
        assert!(text.contains(&format!("\n  - {clause}\n")), "{clause}: {text}");
    }
    assert!(text.contains("Name of it.\"} → {"), "{text}");
    let (text, _) = change("title: Create job", "keywords: new nightly\n    title: Create job");
    assert!(text.contains("\n  - search words added: new, nightly\n"), "{text}");
    let (text, _) = change("Creates one job.", "Creates one [job](https://example.test).");
    let clause = "description: Creates one job. → Creates one \\[job\\](https&#58;//example.test).";
    assert!(text.contains(clause), "{text}");
}

/// Exposes what was excluded.
const LIFTED: (&str, &str) =
    ("exclude: [ { reason: It deletes what others need., operations: [jobs.jobs.delete] } ]\n", "");
const REACHED: (&str, &str) = (
    "  jobs.jobs.reset:",
    "  jobs.jobs.delete: { reach: destructive, NOTE summary: \"Deletes one job of the workspace.\" }\n  jobs.jobs.reset:",
);
const NOTE: &str = "decided: { by: security lead, why: People <b>ask</b> for it., date: 2026-01-31 },";

fn lifted(note: &str) -> Repository {
    let repository = Repository::new();
    repository.replace("allowlist/jobs.yaml", LIFTED.0, LIFTED.1);
    repository.replace("allowlist/jobs.yaml", REACHED.0, &REACHED.1.replace("NOTE", note));
    repository
}

#[test]
fn a_lifted_exclusion_needs_a_decision() {
    let (text, is_decided) = lifted("").compare();
    assert!(!is_decided, "{text}");
    assert!(
        text.contains("## Raised without a `decided` note (1)\n\n- **jobs.jobs.delete**: excluded → reachable\n"),
        "{text}"
    );
    assert!(text.contains("## Exclusions lifted (1)\n\n- jobs.jobs.delete\n"), "{text}");
    assert!(text.contains("| excluded | 1 | 0 | −1 |"), "{text}");

    let repository = lifted(NOTE);
    let (text, is_decided) = repository.compare();
    assert!(is_decided, "{text}");
    let decided = "- **jobs.jobs.delete**: excluded → reachable. Decided by security lead on 2026-01-31: People \
                   &lt;b&gt;ask&lt;/b&gt; for it.\n";
    assert!(text.contains(decided), "{text}");
}

#[test]
fn a_note_from_before_decides_nothing_new() {
    let repository = lifted(NOTE);
    repository.git(&["add", "."]);
    repository.git(&[
        "-c",
        "user.name=Test",
        "-c",
        "user.email=test@example.test",
        "commit",
        "--quiet",
        "-m",
        "lifted",
    ]);
    repository.replace(
        "allowlist/jobs.yaml",
        "jobs.jobs.delete: { reach: destructive",
        "jobs.jobs.delete: { reach: write",
    );
    let (text, is_decided) = repository.compare();
    assert!(!is_decided && text.contains("- **jobs.jobs.delete**: risk destructive → write\n"), "{text}");
    repository.replace("allowlist/jobs.yaml", "2026-01-31", "2026-02-28");
    assert!(repository.compare().1, "a note of this change decides it");
}

#[test]
fn a_lower_risk_and_a_wider_profile_need_a_decision() {
    let (text, is_decided) = change("risk: destructive", "risk: write");
    assert!(!is_decided && text.contains("- **create\\_job**: risk destructive → write\n"), "{text}");
    let (text, is_decided) = change("description: Jobs.\n", "description: Jobs.\ndefault: true\n");
    let raised = "- **jobs**: a toolset that is now in the default profile\n";
    assert!(!is_decided && text.contains(raised), "{text}");
    assert!(text.contains("- **jobs.jobs.list**: tool → tool, default profile\n"), "{text}");
    let note = format!("decided: {}", NOTE.trim_start_matches("decided: ").trim_end_matches(','));
    let (text, is_decided) = change("description: Jobs.\n", &format!("description: Jobs.\ndefault: true\n{note}\n"));
    assert!(is_decided && text.contains("## Raised, and decided (3)"), "{text}");
    assert!(text.contains("| tokens of the default profile | 0 | "), "{text}");
    let (text, is_decided) = change("risk: destructive\n", "risk: destructive\n    confirm: never\n");
    assert!(!is_decided && text.contains("- **create\\_job**: confirm by risk → never\n"), "{text}");
    let (text, is_decided) = change("reach: destructive,", "reach: destructive, confirm: never,");
    assert!(!is_decided && text.contains("- **jobs.jobs.reset**: confirm by risk → never\n"), "{text}");
    let (_, is_decided) = change("risk: destructive\n", "risk: destructive\n    confirm: always\n");
    assert!(is_decided);
    // The other way, nobody is asked.
    let (text, is_decided) = change("reach: destructive", "reach: destructive, secret: []");
    assert!(is_decided, "{text}");
}

#[test]
fn a_new_tool_needs_a_decision() {
    let composite =
        "composites:\n  sweep: { risk: write, title: Sweep, description: Sweeps., verify: { note: Look. } }\nexclude:";
    let (text, is_decided) = change("exclude:", composite);
    assert!(!is_decided && text.contains("- **sweep**: a new tool, write\n"), "{text}");
    assert!(text.contains("## Tools added (1)\n\n- **sweep** (write, toolset jobs, 0 tokens): Sweeps.\n"), "{text}");
}

#[test]
fn a_tool_that_is_renamed_is_no_new_one() {
    let (text, is_decided) = change("tool: create_job\n", "tool: make_job\n    alias: [create_job]\n");
    assert!(is_decided, "{text}");
    assert!(!text.contains("Tools added") && !text.contains("Tools removed"), "{text}");
    assert!(text.contains("name: create\\_job → make\\_job"), "{text}");
}

#[test]
fn what_the_api_changes_names_the_field() {
    let repository = Repository::new();
    repository.replace("specs/jobs.json", "\"weight\"", "\"<i>`weight`|</i>\": {}, \"weight\"");
    let (text, is_decided) = repository.compare();
    let line = "- jobs.jobs.create: body tasks\\[\\].&lt;i&gt;\\`weight\\`\\|&lt;/i&gt;: added, any\n";
    assert!(is_decided && text.contains(line), "{text}");
}

#[test]
fn a_revision_that_is_none_is_told() {
    let repository = Repository::new();
    for revision in ["nowhere", "--output=x", ""] {
        let error = compare(repository.path(), revision).unwrap_err();
        assert!(error.to_string().contains(&format!("`{revision}` is no revision")), "{error:#}");
    }
}
