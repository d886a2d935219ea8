//! Updates of a small repository by a package index on loopback.

mod decisions;
mod index;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Error, Result};
use tempfile::TempDir;

use super::{Arguments, Outcome, Update, order};
use crate::specs::download::{Pip, Unavailable};
use crate::specs::update::import_into;
use crate::specs::wheel::Wheel;
use index::{FIRST, Index, SECOND, unreachable_pip, wheel};

const ALLOWLIST: &str = "\
toolset: things
title: Things
description: Things of a demonstration.
operations:
  demo.things.list:
    tool: list_things
    risk: read
    title: List things
    description: Lists things.
    params:
      limit: { as: most, description: \"Most things to list.\" }
  demo.things.create:
    tool: create_thing
    risk: write
    verify: { tool: list_things }
    title: Create thing
    description: Creates a thing.
    params:
      name: { description: \"Its name.\" }
      plan: { as: blueprint, description: \"How it is made.\" }
  demo.things.purge: { reach: destructive, summary: \"Deletes a thing for good.\" }
  # Behind them all.
composites:
  show_thing:
    risk: read
    uses: [demo.things.get]
    title: Show thing
    description: Shows a thing.
exclude:
  - reason: The answer holds a key in clear.
    operations: [demo.keys.create]
";

/// A repository whose specs are those of the first release.
struct Repository {
    directory: TempDir,
    generated: RefCell<Vec<String>>,
    /// The command that fails.
    refuse: Cell<Option<&'static str>>,
}

impl Repository {
    fn new() -> Self {
        let (directory, generated, refuse) = (TempDir::new().unwrap(), RefCell::default(), Cell::default());
        let repository = Self { directory, generated, refuse };
        let file = repository.wheel(FIRST);
        import_into(&repository.path().join("specs"), &Wheel::open(&file).unwrap()).unwrap();
        fs::create_dir(repository.path().join("allowlist")).unwrap();
        repository.write("allowlist/things.yaml", ALLOWLIST);
        repository.write(".gitignore", "/target\n*.whl\n");
        repository.git(&["init", "--quiet"]);
        repository.commit();
        repository
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn wheel(&self, version: &str) -> std::path::PathBuf {
        let path = self.path().join(format!("{version}.whl"));
        fs::write(&path, wheel(version)).unwrap();
        path
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Replaces a text, which has to be there.
    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "`{from}` is not in {text}");
        self.write(file, &text.replace(from, to));
    }

    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.test", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        let status = command.current_dir(self.path()).args(identity).args(arguments).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    }

    fn commit(&self) {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", "state"]);
    }

    /// Updates; what it printed, and how it ended.
    fn update(&self, pip: Pip, arguments: &Arguments) -> Result<(String, Outcome)> {
        let generate = |command: &[&str]| {
            let command = command.join(" ");
            let passes = self.refuse.get() != Some(command.as_str());
            self.generated.borrow_mut().push(command);
            Ok(passes)
        };
        let mut out = Vec::new();
        let outcome = Update { root: self.path(), pip, generate: &generate }.run(arguments, &mut out)?;
        Ok((String::from_utf8(out).unwrap(), outcome))
    }

    /// Updates to the second release by its wheel, without an index.
    fn update_by_wheel(&self) -> (String, Outcome) {
        let arguments = Arguments { wheel: Some(self.wheel(SECOND)), ..newest() };
        self.update(unreachable_pip(), &arguments).unwrap()
    }

    /// Goes on with an update, which needs no index.
    fn go_on(&self) -> (String, Outcome) {
        self.update(unreachable_pip(), &newest()).unwrap()
    }

    /// Every tracked or new file but the proposals, by name.
    fn files(&self) -> Vec<(String, String)> {
        let names = ["specs/demo.json", "specs/source.json", "allowlist/things.yaml", "CHANGELOG.md"];
        names.iter().map(|name| ((*name).to_owned(), self.read(name))).collect()
    }
}

fn newest() -> Arguments {
    Arguments { against: "HEAD".to_owned(), ..Arguments::default() }
}

fn to(version: &str) -> Arguments {
    Arguments { to: Some(version.to_owned()), ..newest() }
}

/// Whether the tests with pip can run; on CI they must.
fn has_pip() -> bool {
    let runs = |pip: &str| Command::new(pip).arg("--version").output().is_ok_and(|output| output.status.success());
    let found = runs("pip") || runs("pip3");
    assert!(found || std::env::var_os("CI").is_none_or(|value| value != "true"), "CI=true, and there is no pip");
    found
}

fn unavailable(error: &Error) -> &Unavailable {
    error.downcast_ref().unwrap_or_else(|| panic!("another error: {error:#}"))
}

#[test]
fn each_end_has_its_exit_code() {
    assert_eq!([Outcome::Done, Outcome::Undecided, Outcome::Newest].map(|outcome| outcome.exit_code()), [0, 1, 3]);
}

#[test]
fn versions_compare_by_number() {
    assert!(order("0.10.0", "0.9.1").is_gt());
    assert!(order("1.0", "1.0.0").is_lt());
    assert!(order("2.0.1", "2.0.1").is_eq());
}

#[test]
fn the_newest_release_is_found_and_imported() {
    if !has_pip() {
        return;
    }
    let repository = Repository::new();
    let index = Index::with(&[FIRST, SECOND]);
    let (text, outcome) = repository.update(index.pip(), &newest()).unwrap();
    assert!(text.starts_with("imported databricks-sdk 0.10.0 in place of 0.9.0\n"), "{text}");
    assert_eq!(outcome, Outcome::Undecided);
    assert!(repository.read("specs/source.json").contains("\"version\": \"0.10.0\""));
}

#[test]
fn a_release_that_is_not_there_is_told_from_an_index_that_does_not_answer() {
    if !has_pip() {
        return;
    }
    let repository = Repository::new();
    let index = Index::with(&[FIRST, SECOND]);
    let error = repository.update(index.pip(), &to("7.7.7")).unwrap_err();
    let expected = Unavailable::Version { asked: "7.7.7".to_owned(), newest: SECOND.to_owned() };
    assert_eq!(*unavailable(&error), expected);
    assert_eq!(
        error.to_string(),
        "the package index has no databricks-sdk 7.7.7\nhint: the newest release there is 0.10.0"
    );
    for arguments in [newest(), to(SECOND)] {
        let error = repository.update(unreachable_pip(), &arguments).unwrap_err();
        assert!(matches!(unavailable(&error), Unavailable::Index { .. }), "{error:#}");
        assert!(error.to_string().starts_with("cannot ask the package index for databricks-sdk: "), "{error:#}");
    }
    let empty = repository.update(Index::with(&[]).pip(), &newest()).unwrap_err();
    assert!(matches!(unavailable(&empty), Unavailable::Index { .. }), "{empty:#}");
    assert!(repository.read("specs/source.json").contains("\"version\": \"0.9.0\""));
}

#[test]
fn nothing_newer_is_no_update() {
    if !has_pip() {
        return;
    }
    let repository = Repository::new();
    for arguments in [newest(), to(FIRST)] {
        let (text, outcome) = repository.update(Index::with(&[FIRST]).pip(), &arguments).unwrap();
        assert_eq!(text, "nothing newer: `specs/` is that of databricks-sdk 0.9.0\n");
        assert_eq!(outcome, Outcome::Newest);
    }
    assert!(repository.generated.borrow().is_empty());
    assert!(!repository.path().join("CHANGELOG.md").exists());
}

#[test]
fn an_older_release_is_refused() {
    let repository = Repository::new();
    let (_, outcome) = repository.update_by_wheel();
    assert_eq!(outcome, Outcome::Undecided);
    let arguments = Arguments { wheel: Some(repository.wheel(FIRST)), ..newest() };
    let error = repository.update(unreachable_pip(), &arguments).unwrap_err();
    let expected = "0.9.0 is older than 0.10.0, which `specs/` is of\n\
                    hint: `cargo xtask specs update --version 0.9.0` imports it all the same";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_operation_that_nobody_decided_on_is_asked_for_without_a_newer_release() {
    if !has_pip() {
        return;
    }
    let repository = Repository::new();
    repository.edit("allowlist/things.yaml", "  demo.things.purge: ", "  # ");
    repository.commit();
    let (text, outcome) = repository.update(Index::with(&[FIRST]).pip(), &newest()).unwrap();
    assert!(text.contains("1 operation(s) to decide, "), "{text}");
    assert_eq!(outcome, Outcome::Undecided);
}
