//! What an update says of changes, what it proposes, and what it makes of decisions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::decide::decide;
use super::super::propose::Proposal;
use super::{Outcome, Repository};

const PROPOSALS: &str = "target/update/proposals.yaml";

/// Decides as a person would.
fn answer(repository: &Repository) {
    repository.edit(PROPOSALS, "TODO: delete", "Deletes a thing; it can be restored.");
    repository.edit(PROPOSALS, "TODO: purge all", "Deletes all things for good.");
    repository.edit(PROPOSALS, "TODO: The answer", "The answer");
    repository.edit("allowlist/things.yaml", "  demo.things.purge: ", "  # ");
}

#[test]
fn changes_that_touch_what_is_exposed_are_named_those_that_break_first() {
    let (text, _) = Repository::new().update_by_wheel();
    let expected = "
2 change(s) break what is exposed:
  the answer of `list_things`; `show_thing` by `demo.things.get`
    ! - field demo.Thing name: string
  `demo.things.purge` through `reach`
    ! - operation demo.things.purge POST /api/2.0/things/{id}/purge

2 change(s) touch what is exposed:
  argument `blueprint` of `create_thing`
      + field demo.Plan size: string
  `filter`, which is no argument of `list_things`
      + parameter demo.things.list query filter: string

1 change(s) touch nothing that was exposed in databricks-sdk 0.9.0 (demo 1)
3 operation(s) are new in 0.10.0
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn decisions_are_proposed_by_those_on_siblings() {
    let repository = Repository::new();
    let (text, outcome) = repository.update_by_wheel();
    assert_eq!(outcome, Outcome::Undecided);
    let file = repository.read(PROPOSALS);
    let expected = "
# POST /api/2.0/keys/rotate
# siblings decided in the service `demo.keys`: 1
# all of them are excluded
demo.keys.rotate:
  toolset: things
  exclude: \"TODO: The answer holds a key in clear.\"

# DELETE /api/2.0/things/{id}
# siblings decided in the service `demo.things`: 4
demo.things.delete:
  toolset: things
  reach: destructive
  summary: \"TODO: delete\"

# POST /api/2.0/things/purge
# siblings decided in the service `demo.things`: 4
# 1 of 1 decided POSTs named `purge…` are destructive
demo.things.purge_all:
  toolset: things
  reach: destructive
  summary: \"TODO: purge all\"
";
    assert!(file.ends_with(expected), "{file}");
    let gone = "  allowlist/things.yaml:21:3: `demo.things.purge` is gone: delete the entry\n";
    assert!(text.contains(gone), "{text}");
    assert!(text.ends_with("\nthen run `cargo xtask update` again\n"), "{text}");
    assert!(repository.generated.borrow().is_empty());
}

#[test]
fn what_is_gone_is_named_wherever_the_allowlist_has_it() {
    let repository = Repository::new();
    let tool = "
    tool: purge_thing
    risk: destructive
    verify: { tool: list_things }
    title: Purge thing
    description: Deletes a thing for good.
    params:
      id: { description: \"Its id.\" }";
    repository.edit("allowlist/things.yaml", " { reach: destructive, summary: \"Deletes a thing for good.\" }", tool);
    repository.edit("allowlist/things.yaml", "uses: [demo.things.get]", "uses: [demo.things.get, demo.things.purge]");
    repository.commit();
    let (text, outcome) = repository.update_by_wheel();
    assert_eq!(outcome, Outcome::Undecided);
    let expected = "
the API no longer has these:
  allowlist/things.yaml:21:3: `demo.things.purge` is gone: delete the entry, and with it the tool `purge_thing`
  allowlist/things.yaml:33:29: `demo.things.purge` is gone: `show_thing` has to do without it

";
    assert!(text.contains(expected), "{text}");
    assert!(
        text.contains("  the tool `purge_thing`; `show_thing` by `demo.things.purge`\n    ! - operation"),
        "{text}"
    );
}

#[test]
fn what_is_half_decided_stays_and_what_is_decided_moves() {
    let repository = Repository::new();
    repository.update_by_wheel();
    repository.edit(PROPOSALS, "TODO: purge all", "Deletes all things for good.");
    repository.edit(
        PROPOSALS,
        "reach: destructive\n  summary: \"TODO: delete",
        "reach: write\n  summary: \"TODO: delete",
    );
    let (text, outcome) = repository.go_on();
    assert_eq!(outcome, Outcome::Undecided);
    assert!(text.starts_with("the update from databricks-sdk 0.9.0 to 0.10.0 is under way\n"), "{text}");
    assert!(!text.contains("break what is exposed") && text.contains("what changed is in `target/update/changes.txt`"));
    assert!(repository.read("target/update/changes.txt").contains("2 change(s) break what is exposed"));
    assert!(text.contains("  demo.things.purge_all: reach, destructive, into allowlist/things.yaml\n"), "{text}");
    let file = repository.read(PROPOSALS);
    assert!(file.contains("  reach: write\n  summary: \"TODO: delete\"\n") && !file.contains("purge_all"), "{file}");
    let added =
        "  demo.things.purge_all: { reach: destructive, summary: \"Deletes all things for good.\" }\n  # Behind";
    assert!(repository.read("allowlist/things.yaml").contains(added));
}

#[test]
fn what_does_not_fit_is_told_where_it_stands() {
    let repository = Repository::new();
    repository.update_by_wheel();
    answer(&repository);
    repository.edit(
        PROPOSALS,
        "reach: destructive\n  summary: \"Deletes a thing",
        "reach: read\n  summary: \"Deletes a thing",
    );
    let (text, outcome) = repository.go_on();
    assert_eq!(outcome, Outcome::Undecided);
    assert!(text.contains("`demo.things.delete` is a DELETE: its risk is not `read`"), "{text}");
    repository.edit("allowlist/things.yaml", "delete: { reach: read", "delete: { reach: destructive");
    assert_eq!(repository.go_on().1, Outcome::Done);
}

#[test]
fn a_toolset_that_is_not_there_is_refused_with_those_that_are() {
    let repository = Repository::new();
    repository.update_by_wheel();
    answer(&repository);
    repository.edit(PROPOSALS, "toolset: things\n  exclude", "toolset: thinks\n  exclude");
    let error = repository.update(super::unreachable_pip(), &super::newest()).unwrap_err().to_string();
    let expected =
        "`demo.keys.rotate` is proposed for the toolset `thinks`, which is not there\nhint: the toolsets are things";
    assert_eq!(error, expected);
}

#[test]
fn after_the_decisions_everything_is_generated_and_a_second_run_changes_nothing() {
    let repository = Repository::new();
    repository.update_by_wheel();
    answer(&repository);
    let (text, outcome) = repository.go_on();
    assert_eq!(outcome, Outcome::Done, "{text}");
    let generated = ["cargo xtask audit --accept", "cargo xtask docs", "cargo test --quiet --test snapshots"];
    assert_eq!(*repository.generated.borrow(), generated);
    assert!(!repository.path().join(PROPOSALS).exists());
    assert!(repository.read("allowlist/things.yaml").contains("operations: [demo.keys.create, demo.keys.rotate]"));
    let changelog = repository.read("CHANGELOG.md");
    let expected = "
## [Unreleased]

### Added

- API 0.10.0: argument `blueprint` of `create_thing` may hold `size` of `demo.Plan`.
- API 0.10.0: `reach` calls `delete`, `purge_all` of `demo.things`.

### Changed

- API 0.10.0: the specs are those of databricks-sdk 0.10.0; they were those of 0.9.0.
- API 0.10.0: the answer of `list_things`; `show_thing` by `demo.things.get`: lost `name` of `demo.Thing`.

### Removed

- API 0.10.0: `reach` no longer calls `purge` of `demo.things`.
";
    assert!(changelog.ends_with(expected), "{changelog}");
    let files = repository.files();
    assert_eq!(repository.go_on().1, Outcome::Done);
    assert_eq!(repository.files(), files);
}

#[test]
fn what_a_generator_refuses_is_for_a_person_to_correct() {
    let repository = Repository::new();
    repository.update_by_wheel();
    answer(&repository);
    repository.refuse.set(Some("cargo xtask docs"));
    let (text, outcome) = repository.go_on();
    assert_eq!(outcome, Outcome::Undecided);
    assert!(
        text.ends_with("`cargo xtask docs` failed: correct what it names, then run `cargo xtask update` again\n"),
        "{text}"
    );
    assert!(!repository.path().join("CHANGELOG.md").exists());
    repository.refuse.set(None);
    assert_eq!(repository.go_on().1, Outcome::Done);
}

#[test]
fn a_tool_that_takes_the_new_parameter_is_in_the_changelog() {
    let repository = Repository::new();
    repository.update_by_wheel();
    answer(&repository);
    let limit = "      limit: { as: most, description: \"Most things to list.\" }\n";
    let more = format!("{limit}      filter: {{ description: \"Only things with this text.\" }}\n");
    repository.edit("allowlist/things.yaml", limit, &more);
    assert_eq!(repository.go_on().1, Outcome::Done);
    assert!(repository.read("CHANGELOG.md").contains("\n- API 0.10.0: `list_things` takes `filter`.\n"));
}

/// Decides on `a.b.new`.
fn decided(text: &str, entry: Value) -> String {
    let mut files = BTreeMap::from([("things".to_owned(), text.to_owned())]);
    let (operation, toolset) = ("a.b.new".to_owned(), "things".to_owned());
    let entry = serde_json::from_value(entry).unwrap();
    decide(&mut files, &Proposal { operation, toolset, entry, because: Vec::new() }).unwrap();
    files.remove("things").unwrap()
}

#[test]
fn an_entry_stands_behind_its_siblings_and_before_the_comments_of_what_follows() {
    let text = "operations:\n  a.b.old:\n    reach: read\n    summary: x\n\n  # Others.\n  c.d.e: { reach: read }\n";
    let added = "  a.b.new: { reach: read, summary: \"Reads \\\"it\\\".\", secret: [token], decided: { by: lead, date: \"2026-01-31\" } }";
    let entry = json!({
        "reach": "read", "summary": "Reads \"it\".", "secret": ["token"], "decided": {"by": "lead", "date": "2026-01-31"},
    });
    assert_eq!(decided(text, entry), text.replace("summary: x\n", &format!("summary: x\n{added}\n")));
    let long = "X".repeat(120);
    let composites = "composites:\n  x: {}\n";
    let block = format!("operations:\n  a.b.new:\n    reach: read\n    summary: \"{long}.\"\n");
    let entry = json!({"reach": "read", "summary": format!("{long}.")});
    assert_eq!(decided(composites, entry), format!("{block}{composites}"));
}

#[test]
fn an_exclusion_joins_the_group_with_its_reason() {
    let list = "exclude:\n  - reason: Why not.\n    operations:\n      - a.b.old\n      - a.b.older\n";
    assert_eq!(decided(list, json!({"exclude": "Why not."})), format!("{list}      - a.b.new\n"));
    let brackets = "exclude:\n  - reason: Why not.\n    operations: [a.b.old, a.b.older]\n";
    assert_eq!(decided(brackets, json!({"exclude": "Why not."})), brackets.replace("older", "older, a.b.new"));
    let other = decided(brackets, json!({"exclude": "Another reason."}));
    assert_eq!(other, format!("operations:\n  a.b.new: {{ exclude: \"Another reason.\" }}\n{brackets}"));
}

#[test]
fn a_post_that_reads_needs_a_reason_and_credentials_are_hidden() {
    let repository = Repository::new();
    let reads = "{ reach: read, summary: \"Finds all copies.\", because: \"The query is in the body of the POST.\" }";
    repository.edit("allowlist/things.yaml", "{ reach: destructive, summary: \"Deletes a thing for good.\" }", reads);
    repository.edit("allowlist/things.yaml", "      name: { description", "      name: { secret: true, description");
    repository.commit();
    repository.update_by_wheel();
    let file = repository.read(PROPOSALS);
    let expected =
        "  reach: read\n  summary: \"TODO: purge all\"\n  secret: [name]\n  because: \"TODO: why a POST only reads\"\n";
    assert!(file.contains(expected), "{file}");
}
