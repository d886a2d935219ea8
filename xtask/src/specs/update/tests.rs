//! From a wheel to files and back.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::wheel::Wheel;
use super::{differing, files, read_source, write};

const SERVICE: &str = "class ThingsAPI:
    def get(self):
        headers = {\"Accept\": \"application/json\"}
        self._api.do(\"GET\", \"/things\", headers=headers)
";

/// A wheel with the given service modules.
fn wheel(directory: &Path, packages: &[&str]) -> PathBuf {
    let path = directory.join("renamed.whl");
    let mut archive = ZipWriter::new(File::create(&path).unwrap());
    let mut add = |name: &str, text: &str| {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    };
    add("databricks_sdk-9.8.7.dist-info/METADATA", "Name: databricks-sdk\nVersion: 9.8.7\n");
    add("databricks/sdk/service/__init__.py", "this is not read");
    add("databricks/sdk/service/_internal.py", "nor is this");
    for package in packages {
        add(&format!("databricks/sdk/service/{package}.py"), SERVICE);
    }
    archive.finish().unwrap();
    path
}

#[test]
fn a_wheel_becomes_files_that_pass_the_check() {
    let (input, output) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let wheel = Wheel::open(&wheel(input.path(), &["one", "two"])).unwrap();
    let (files, _) = files(&wheel).unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["one.json", "source.json", "two.json"]);
    write(output.path(), &files).unwrap();
    assert_eq!(differing(output.path(), &files).unwrap(), Vec::<String>::new());
    let source = read_source(output.path()).unwrap();
    assert_eq!((source.version.as_str(), source.totals.operations), ("9.8.7", 2));
    assert_eq!(source.wheel, "databricks_sdk-9.8.7-py3-none-any.whl");
    assert_eq!(source.sha256.len(), 64);
}

#[test]
fn every_difference_is_named() {
    let (input, output) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let wheel = Wheel::open(&wheel(input.path(), &["one", "two"])).unwrap();
    let (files, _) = files(&wheel).unwrap();
    write(output.path(), &files).unwrap();
    fs::write(output.path().join("one.json"), "{}\n").unwrap();
    fs::remove_file(output.path().join("two.json")).unwrap();
    fs::write(output.path().join("three.json"), "{}\n").unwrap();
    let expected = ["one.json differs", "two.json is missing", "three.json is of no service package"];
    assert_eq!(differing(output.path(), &files).unwrap(), expected);
}

#[test]
fn only_files_of_the_release_before_are_removed() {
    let (input, output) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let before = Wheel::open(&wheel(input.path(), &["one", "two"])).unwrap();
    write(output.path(), &files(&before).unwrap().0).unwrap();
    fs::write(output.path().join("mine.json"), "{}\n").unwrap();
    let after = Wheel::open(&wheel(input.path(), &["two"])).unwrap();
    write(output.path(), &files(&after).unwrap().0).unwrap();
    let exists = |name: &str| output.path().join(name).exists();
    assert_eq!((exists("one.json"), exists("two.json"), exists("mine.json")), (false, true, true));
}

#[test]
fn what_is_no_wheel() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.whl");
    fs::write(&path, "text").unwrap();
    let error = Wheel::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("x.whl` is not a wheel"), "{error}");
    let error = Wheel::open(&wheel(directory.path(), &[])).unwrap_err().to_string();
    assert!(error.ends_with("is not a wheel of databricks-sdk: no service modules with a version"), "{error}");
}
