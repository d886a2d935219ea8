//! Each kind of package, made from a stand-in for the program.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use super::program::{Machine, System};
use super::*;

fn parts(system: System) -> Parts {
    let more = about::More {
        title: "Databricks".to_owned(),
        pypi: "the-server".to_owned(),
        npm: "the-server".to_owned(),
        mcp: "test.acme/server".to_owned(),
        author: "the authors".to_owned(),
        email: "authors@acme.test".to_owned(),
    };
    Parts {
        about: About {
            name: "databricks-mcp-server".to_owned(),
            version: "1.2.3".to_owned(),
            description: "A \"server\"".to_owned(),
            license: "Apache-2.0".to_owned(),
            repository: "https://acme.test/server".to_owned(),
            keywords: vec!["mcp".to_owned()],
            more,
        },
        program: Program { content: b"program".repeat(1_000), system, machine: Machine::X86_64 },
        manual: Manual::sample(),
        licenses: Licenses {
            files: ["LICENSE", "NOTICE", "THIRD-PARTY.txt"].map(|name| (name, format!("the {name}"))).into(),
        },
        bill: "{}".to_owned(),
        style: Style { seconds: 1_796_000_000, level: 6 },
    }
}

/// The packages of some kinds, by name.
fn made(parts: &Parts, kinds: &[Kind]) -> BTreeMap<String, Vec<u8>> {
    let packages = kinds.iter().flat_map(|kind| kind.make(parts, Path::new("none")).unwrap());
    packages.map(|package| (package.name, package.content)).collect()
}

const KINDS: [Kind; 7] = [Kind::Tarball, Kind::Wheel, Kind::Sdist, Kind::Npm, Kind::Launcher, Kind::Mcpb, Kind::Deb];

#[test]
fn the_same_input_gives_the_same_bytes_under_the_names_of_each_platform() {
    let gnu = parts(System::Gnu(2, 35));
    let first = made(&gnu, &KINDS);
    assert_eq!(
        first.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "databricks-mcp-server-1.2.3-linux-x64.mcpb",
            "databricks-mcp-server-1.2.3-x86_64-unknown-linux-gnu.tar.gz",
            "databricks-mcp-server_1.2.3-1_amd64.deb",
            "the-server-1.2.3.tgz",
            "the-server-linux-x64-1.2.3.tgz",
            "the_server-1.2.3-py3-none-manylinux_2_35_x86_64.whl",
            "the_server-1.2.3.tar.gz",
        ]
    );
    assert!(first == made(&gnu, &KINDS));
    let names: Vec<_> = made(&parts(System::Windows), &KINDS).into_keys().collect();
    assert!(names.contains(&"databricks-mcp-server-1.2.3-x86_64-pc-windows-msvc.zip".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with(".deb")), "{names:?}");
}

#[test]
fn a_wheel_lists_what_it_holds() {
    let wheel = made(&parts(System::Gnu(2, 35)), &[Kind::Wheel]).into_values().next().unwrap();
    let mut archive = ::zip::ZipArchive::new(Cursor::new(wheel)).unwrap();
    let mut names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let mut read = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let record = read("the_server-1.2.3.dist-info/RECORD");
    let mut listed: Vec<_> = record.lines().filter_map(|line| line.split(',').next()).map(str::to_owned).collect();
    names.sort();
    listed.sort();
    assert_eq!(names, listed);
    assert!(read("the_server-1.2.3.dist-info/METADATA").contains("<!-- mcp-name: test.acme/server -->"));
    assert_eq!(
        read("the_server-1.2.3.dist-info/entry_points.txt"),
        "[console_scripts]\nthe-server = the_server:main\n"
    );
    let program = archive.by_name("the_server-1.2.3.data/scripts/databricks-mcp-server").unwrap();
    assert_eq!(program.unix_mode().unwrap() & 0o777, 0o755);
}

#[test]
fn the_entry_of_the_registry_names_the_bundles_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.mcpb"), "x").unwrap();
    let entry = |image| -> serde_json::Value {
        let package = registry::make(&parts(System::Windows).about, folder.path(), image).unwrap();
        serde_json::from_slice(&package.content).unwrap()
    };
    let packages = entry(None)["packages"].as_array().unwrap().clone();
    let kinds: Vec<_> = packages.iter().map(|package| package["registryType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["pypi", "npm", "mcpb"]);
    assert_eq!(packages[2]["identifier"], "https://acme.test/server/releases/download/v1.2.3/a.mcpb");
    assert_eq!(packages[2]["fileSha256"], checksums::of(b"x"));
    assert_eq!(entry(Some("registry.test/server:1.2.3"))["packages"][3]["identifier"], "registry.test/server:1.2.3");
}

#[test]
fn nothing_but_packages_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    assert!(clear(folder.path()).is_ok() && clear(&folder.path().join("new")).is_ok());
    std::fs::write(folder.path().join("letters.txt"), "dear").unwrap();
    assert!(clear(folder.path()).unwrap_err().to_string().contains("holds no packages"));
    checksums::write(folder.path()).unwrap();
    assert!(clear(folder.path()).is_ok() && !folder.path().exists());
}
