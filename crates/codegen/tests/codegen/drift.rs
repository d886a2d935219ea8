//! A change of the real API, made on a copy of its specs, stops the build or the audit with what to do.

use std::fs;
use std::path::PathBuf;

use codegen::{Allowlist, Api, audit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::spec::{REAL, repository};

/// A copy of `specs/` to change; the allowlist is the real one.
struct Copy(TempDir);

impl Copy {
    fn new() -> Self {
        let copy = Self(TempDir::new().unwrap());
        for entry in fs::read_dir(repository().join("specs")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.0.path().join(entry.file_name())).unwrap();
        }
        copy
    }

    fn document(&self, package: &str) -> PathBuf {
        self.0.path().join(format!("{package}.json"))
    }

    /// Changes the path items of a package.
    fn edit(&self, package: &str, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
        let path = self.document(package);
        let mut document: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(document["paths"].as_object_mut().unwrap());
        fs::write(path, document.to_string()).unwrap();
    }

    fn api(&self) -> Api {
        Api::load(self.0.path()).unwrap()
    }

    fn allowlist(&self) -> anyhow::Result<Allowlist> {
        Allowlist::load(&repository().join("allowlist"), &self.api())
    }

    /// What the audit shows, had the unchanged API been accepted.
    fn differences(&self) -> Vec<String> {
        let accepted = Allowlist::load(&repository().join("allowlist"), &REAL).unwrap();
        audit::differences(&audit::lock(&REAL, &accepted), &audit::lock(&self.api(), &self.allowlist().unwrap()))
    }
}

/// The path item that has that operation, and its method.
fn item<'a>(
    paths: &'a mut serde_json::Map<String, Value>,
    id: &str,
) -> (&'a mut serde_json::Map<String, Value>, String) {
    let mut found = paths.values_mut().filter_map(|item| {
        let item = item.as_object_mut()?;
        let method = item.iter().find(|(_, operation)| operation["operationId"] == id)?.0.clone();
        Some((item, method))
    });
    found.next().unwrap()
}

/// Where the allowlist's file says that, as `file:line`.
fn line_of(file: &str, text: &str) -> String {
    let yaml = fs::read_to_string(repository().join(file)).unwrap();
    let line = yaml.lines().position(|line| line.trim_start().starts_with(text)).unwrap();
    format!("{file}:{}", line + 1)
}

#[test]
fn nothing_changed() {
    assert_eq!(Copy::new().differences(), [""; 0]);
}

#[test]
fn an_added_operation_is_undecided() {
    let copy = Copy::new();
    copy.edit("jobs", |paths| {
        let operation =
            json!({ "operationId": "jobs.jobs.archive", "responses": { "2XX": { "description": "Success" } } });
        paths.insert("/api/2.2/jobs/archive".into(), json!({ "post": operation }));
    });
    let packages = audit::packages(&copy.api(), &copy.allowlist().unwrap());
    assert_eq!(packages["jobs"].undecided, ["jobs.jobs.archive"]);
    assert_eq!(copy.differences(), [""; 0], "what nobody decided on is not exposed");
}

#[test]
fn a_renamed_parameter_fails_the_build() {
    let copy = Copy::new();
    copy.edit("jobs", |paths| {
        let (item, method) = item(paths, "jobs.jobs.list");
        let parameters = item[&method]["parameters"].as_array_mut().unwrap();
        parameters.iter_mut().find(|parameter| parameter["name"] == "limit").unwrap()["name"] = "limits".into();
    });
    let error = copy.allowlist().unwrap_err().to_string();
    let place = line_of("allowlist/jobs.yaml", "limit:");
    let expected = "`jobs.jobs.list` has no parameter `limit`; did you mean `limits`?; it has: ";
    assert!(error.contains(&format!("{place}:7: {expected}")), "{error}");
}

#[test]
fn a_dropped_operation_fails_the_build() {
    let copy = Copy::new();
    copy.edit("jobs", |paths| {
        let (item, method) = item(paths, "jobs.jobs.run_now");
        item.remove(&method);
    });
    let error = copy.allowlist().unwrap_err().to_string();
    let place = line_of("allowlist/jobs.yaml", "jobs.jobs.run_now:");
    assert!(error.contains(&format!("{place}:3: the specs have no operation `jobs.jobs.run_now`")), "{error}");
    assert!(error.contains("if it was removed, remove this entry"), "{error}");
}

#[test]
fn a_changed_method_is_a_difference() {
    let copy = Copy::new();
    copy.edit("jobs", |paths| {
        let (item, method) = item(paths, "jobs.jobs.update");
        let operation = item.remove(&method).unwrap();
        item.insert("patch".into(), operation);
    });
    let differences = copy.differences();
    let [was, is] = differences.as_slice() else { panic!("{differences:?}") };
    assert!(
        was.starts_with("jobs.jobs.update: was  POST /api/") && is.starts_with("jobs.jobs.update: is   PATCH /api/")
    );
}

#[test]
fn an_added_parameter_is_a_difference() {
    let copy = Copy::new();
    copy.edit("jobs", |paths| {
        let (item, method) = item(paths, "jobs.jobs.list");
        let parameters = item[&method]["parameters"].as_array_mut().unwrap();
        parameters.push(json!({ "in": "query", "name": "archived", "schema": { "type": "boolean" } }));
    });
    assert_eq!(
        copy.differences(),
        ["jobs.jobs.list: is   query archived: boolean", "tool list_jobs: is   hidden query archived"]
    );
}

/// The lock of the real allowlist after `old` became `new` in one of its files.
fn lock_with(file: &str, old: &str, new: &str) -> String {
    let mut texts = Vec::new();
    for entry in fs::read_dir(repository().join("allowlist")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            texts.push((stem, fs::read_to_string(&path).unwrap()));
        }
    }
    let text = &mut texts.iter_mut().find(|(stem, _)| stem == file).unwrap().1;
    assert!(text.contains(old), "`{old}` is not in `{file}.yaml`");
    *text = text.replacen(old, new, 1);
    let texts = texts.iter().map(|(stem, text)| (stem.as_str(), text.as_str()));
    audit::lock(&REAL, &Allowlist::parse(texts, &REAL).unwrap_or_else(|problems| panic!("{problems}")))
}

/// Each passed once, with exit code 0 and unchanged snapshots.
#[test]
fn what_went_through_unseen_is_seen() {
    let accepted = lock_with("jobs", "toolset: jobs", "toolset: jobs");
    for (file, old, new, expected) in [
        (
            "compute",
            "  run_code:\n",
            "  run_code:\n    guarded: true\n",
            "tool run_code: is   guarded: stays where only reading is allowed",
        ),
        (
            "jobs",
            "    tool: create_job\n",
            "    tool: create_job\n    alias: [make_job]\n",
            "tool create_job: is   alias make_job",
        ),
        (
            "jobs",
            "      max_concurrent_runs: {",
            "      access_control_list: { fixed: [{ group_name: users, permission_level: CAN_MANAGE }] }\n      max_concurrent_runs: {",
            r#"tool create_job: is   fixed body access_control_list: [{"group_name":"users","permission_level":"CAN_MANAGE"}]"#,
        ),
        (
            "jobs",
            "keep: [job_id, settings.name,",
            "keep: [job_id, settings.name, settings.tags,",
            "tool list_jobs: is   keep settings.tags",
        ),
        (
            "jobs",
            "databricks://runs/{run_id}",
            "databricks://work/{run_id}",
            "resource run: is   uri databricks://work/{run_id}",
        ),
        (
            "jobs",
            "    risk: destructive\n    idempotent: true\n",
            "    risk: destructive\n",
            "tool update_job: is   annotations readOnly=false destructive=true idempotent=false openWorld=true",
        ),
        ("presets", "only_reads: true", "only_reads: false", "preset auditor: was  only reads"),
        ("catalog_admin", "default: false", "default: true", "toolset catalog_admin: is   in the default profile"),
    ] {
        let differences = audit::differences(&accepted, &lock_with(file, old, new));
        assert!(differences.iter().any(|line| line == expected), "{expected}: {differences:#?}");
    }
}
