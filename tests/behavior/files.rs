//! Files and notebooks between this machine, volumes and the workspace tree.

use std::fs;

use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const VOLUME: &str = "/Volumes/main/default/landing";

async fn harness(tokens: usize) -> Result<(Harness, tempfile::TempDir), Box<dyn std::error::Error>> {
    let home = tempfile::tempdir()?;
    let selection = Selection { toolsets: vec!["default".to_owned(), "files".to_owned()], ..Selection::default() };
    let local = LocalRoots::open(&[home.path().to_owned()])?;
    Ok((Harness::with(selection, tokens, local).await?, home))
}

#[tokio::test]
async fn a_file_goes_up_and_comes_back_the_same() -> Outcome {
    let (harness, home) = harness(6_000).await?;
    // Larger than one part of a download, and not a multiple of it.
    let bytes: Vec<u8> = (0_u32..9_000_001).map(|number| (number % 253) as u8).collect();
    fs::write(home.path().join("data.bin"), &bytes)?;
    let remote = format!("{VOLUME}/new folder/ü#1/data.bin");
    let up = harness.answer("upload_file", json!({ "path": remote, "local_path": "data.bin" })).await?;
    assert_eq!((&up["path"], &up["size"]), (&json!(remote), &json!(9_000_001)), "{up}");
    let down = harness.answer("download_file", json!({ "path": remote, "local_path": "back/" })).await?;
    assert_eq!((&down["size"], &down["sha256"]), (&up["size"], &up["sha256"]), "{down}");
    assert!(fs::read(home.path().join("back/data.bin"))? == bytes, "other bytes came back");
    let refusal = harness.refusal("upload_file", json!({ "path": remote, "local_path": "data.bin" })).await?;
    assert!(refusal.contains("overwrite"), "{refusal}");
    let refusal = harness.refusal("download_file", json!({ "path": remote, "local_path": "back/data.bin" })).await?;
    assert!(refusal.contains("already exists"), "{refusal}");
    harness.answer("upload_file", json!({ "path": remote, "content": "", "overwrite": true })).await?;
    let again = json!({ "path": remote, "local_path": "back/data.bin", "overwrite": true });
    assert_eq!(harness.answer("download_file", again).await?["size"], json!(0));
    assert_eq!(fs::read(home.path().join("back/data.bin"))?, b"");
    assert_eq!(fs::read_dir(home.path().join("back"))?.count(), 1, "no partial file stays");
    Ok(())
}

#[tokio::test]
async fn what_is_missing_or_outside_is_refused_and_leaves_nothing() -> Outcome {
    let (harness, home) = harness(6_000).await?;
    for (tool, arguments, expected) in [
        (
            "download_file",
            json!({ "path": format!("{VOLUME}/none.csv"), "local_path": "none.csv" }),
            "list_volume_files",
        ),
        ("download_file", json!({ "path": format!("{VOLUME}/README.md"), "local_path": "../x" }), "outside of"),
        ("download_file", json!({ "path": "/Shared/etl", "local_path": "etl" }), "`/Shared/etl` is a folder"),
        ("export_notebook", json!({ "path": "/Shared/etl" }), "`/Shared/etl` is a folder"),
        ("upload_file", json!({ "path": format!("{VOLUME}/x"), "local_path": "/etc/passwd" }), "outside of"),
        ("upload_file", json!({ "path": format!("{VOLUME}/x") }), "either `content`"),
        ("upload_file", json!({ "path": "/Volumes/main/default", "content": "x" }), "does not name a volume"),
        ("upload_file", json!({ "path": "relative", "content": "x" }), "not an absolute path"),
        ("upload_file", json!({ "path": "/Volumes/main/default/nowhere/x", "content": "x" }), "does not exist"),
        ("upload_folder", json!({ "path": format!("{VOLUME}/x"), "local_path": "." }), "no file"),
        ("upload_folder", json!({ "path": VOLUME, "local_path": ".", "include": ["[a"] }), "not a glob"),
        ("read_volume_file", json!({ "path": "/Shared/x" }), "export_notebook"),
        ("read_volume_file", json!({ "path": format!("{VOLUME}/README.md"), "offset": 5000 }), "ends before"),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains(expected), "{tool}: {refusal}");
    }
    assert_eq!(fs::read_dir(home.path())?.count(), 0);
    let closed = Harness::open(Selection { toolsets: vec!["files".to_owned()], ..Selection::default() }, 6_000).await?;
    let refusal = closed.refusal("upload_file", json!({ "path": format!("{VOLUME}/x"), "local_path": "x" })).await?;
    assert!(refusal.contains("--local-root"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn text_is_read_in_parts_without_breaking_characters() -> Outcome {
    let (harness, _home) = harness(500).await?;
    // Much of it is longer in JSON.
    let text = "naïve — \"quoted\"\n\t\t\t".repeat(400);
    let path = format!("{VOLUME}/long.txt");
    harness.answer("upload_file", json!({ "path": path, "content": text })).await?;
    let (mut whole, mut offset, mut parts) = (String::new(), json!(0), 0);
    loop {
        let part =
            harness.answer("read_volume_file", json!({ "path": path, "offset": offset, "length": 1_000 })).await?;
        whole.push_str(part["content"].as_str().ok_or("no text")?);
        assert_eq!(part["size"], json!(text.len()));
        parts += 1;
        match part.get("next_offset") {
            Some(next) => offset = next.clone(),
            None => break,
        }
    }
    assert_eq!(whole, text);
    assert!(parts > 5, "{parts} parts");
    Ok(())
}

#[tokio::test]
async fn a_folder_goes_up_but_for_what_is_excluded_or_there() -> Outcome {
    let (harness, home) = harness(6_000).await?;
    for (path, text) in
        [("app/a.csv", "1"), ("app/deep/er/b.csv", "22"), ("app/.git/config", "x"), ("app/c.txt", "333")]
    {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        fs::write(path, text)?;
    }
    let arguments = json!({ "local_path": "app", "path": format!("{VOLUME}/app"), "exclude": [".git/**"] });
    let answer = harness.answer("upload_folder", arguments.clone()).await?;
    assert_eq!(answer, json!({ "path": format!("{VOLUME}/app"), "uploaded": 3, "bytes": 6 }));
    let read = json!({ "path": format!("{VOLUME}/app/deep/er/b.csv") });
    assert_eq!(harness.answer("read_volume_file", read).await?["content"], "22");
    fs::write(home.path().join("app/d.csv"), "4444")?;
    let answer = harness.answer("upload_folder", arguments).await?;
    assert_eq!((&answer["uploaded"], &answer["skipped_existing"]), (&json!(1), &json!(3)), "{answer}");
    let workspace = json!({ "local_path": "app", "path": "/Shared/app", "include": ["**/*.csv"], "overwrite": true });
    assert_eq!(harness.answer("upload_folder", workspace).await?["uploaded"], 3);
    let listed = harness.answer("list_workspace_items", json!({ "path": "/Shared/app/deep/er" })).await?;
    assert_eq!(listed["items"][0]["path"], "/Shared/app/deep/er/b.csv");
    Ok(())
}

#[tokio::test]
async fn a_notebook_is_written_and_read_in_each_format() -> Outcome {
    let (harness, home) = harness(6_000).await?;
    let path = "/Shared/new/folder/hello";
    let source = json!({ "path": path, "content": "print(1)", "language": "PYTHON" });
    let made = harness.answer("import_notebook", source.clone()).await?;
    assert_eq!((&made["object_type"], &made["language"]), (&json!("NOTEBOOK"), &json!("PYTHON")), "{made}");
    assert!(made["url"].as_str().is_some_and(|url| url.ends_with("/#workspace/Shared/new/folder/hello")), "{made}");
    let refusal = harness.refusal("import_notebook", source).await?;
    assert!(refusal.contains("overwrite: true"), "{refusal}");
    for (format, expected) in [("SOURCE", "print(1)"), ("JUPYTER", "\"nbformat\""), ("HTML", "<pre class=\"python\">")]
    {
        let read = harness.answer("export_notebook", json!({ "path": path, "format": format })).await?;
        let content = read["content"].as_str().ok_or("no text")?;
        assert!(content.contains(expected), "{format}: {read}");
        // What was read makes the same notebook again.
        let copy = format!("/Shared/new/{format}");
        let mut import = json!({ "path": copy, "format": format, "content": content });
        if format == "SOURCE" {
            import["language"] = json!("PYTHON");
        }
        let made = harness.answer("import_notebook", import).await?;
        assert_eq!((&made["object_type"], &made["language"]), (&json!("NOTEBOOK"), &json!("PYTHON")), "{made}");
        let again = harness.answer("export_notebook", json!({ "path": copy })).await?;
        assert_eq!(again["content"], "# Databricks notebook source\nprint(1)", "{format}");
    }
    let refusal = harness.refusal("export_notebook", json!({ "path": "/Shared/new", "format": "HTML" })).await?;
    assert!(refusal.contains("is a folder and cannot be exported as HTML"), "{refusal}");
    let jupyter = json!({ "cells": [{ "cell_type": "code", "source": ["print(2)"] }], "nbformat": 4 });
    fs::write(home.path().join("n.ipynb"), jupyter.to_string())?;
    let local = json!({ "path": path, "local_path": "n.ipynb", "format": "JUPYTER", "overwrite": true });
    harness.answer("import_notebook", local).await?;
    let read = harness.answer("export_notebook", json!({ "path": path })).await?;
    assert!(read["content"].as_str().is_some_and(|text| text.contains("print(2)")), "{read}");
    let refusal = harness.refusal("import_notebook", json!({ "path": "/Shared/x", "content": "1" })).await?;
    assert!(refusal.contains("language"), "{refusal}");
    let refusal =
        harness.refusal("import_notebook", json!({ "path": VOLUME, "content": "1", "format": "AUTO" })).await?;
    assert!(refusal.contains("upload_file"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_local_notebook_tells_its_format_and_language() -> Outcome {
    let (harness, home) = harness(6_000).await?;
    let book = json!({ "cells": [{ "cell_type": "code", "source": ["print(2)"] }], "nbformat": 4 }).to_string();
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("SELECT 'ü'".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let header = "# Databricks notebook source\r\nprint(2)\r\n";
    for (name, content, language, expected) in [
        ("book.ipynb", book.as_bytes(), "PYTHON", "# Databricks notebook source\nprint(2)"),
        ("plain.py", b"print(2)", "PYTHON", "# Databricks notebook source\nprint(2)"),
        ("query.SQL", b"SELECT 1", "SQL", "-- Databricks notebook source\nSELECT 1"),
        ("code.scala", b"val x = 1", "SCALA", "// Databricks notebook source\nval x = 1"),
        ("code.r", b"x <- 1", "R", "# Databricks notebook source\nx <- 1"),
        ("marked", format!("\u{feff}{header}").as_bytes(), "PYTHON", "# Databricks notebook source\nprint(2)"),
        ("wide.sql", &wide, "SQL", "-- Databricks notebook source\nSELECT 'ü'"),
    ] {
        fs::write(home.path().join(name), content)?;
        let path = format!("/Shared/told/{}", name.replace('.', "_"));
        let made = harness.answer("import_notebook", json!({ "path": path, "local_path": name })).await?;
        assert_eq!((&made["object_type"], &made["language"]), (&json!("NOTEBOOK"), &json!(language)), "{name}: {made}");
        let read = harness.answer("export_notebook", json!({ "path": path })).await?;
        assert_eq!(read["content"].as_str().map(str::trim_end), Some(expected), "{name}");
    }
    // What is said wins over what is told.
    fs::write(home.path().join("said.py"), "SELECT 1")?;
    let said = json!({ "path": "/Shared/told/said", "local_path": "said.py", "language": "SQL" });
    assert_eq!(harness.answer("import_notebook", said).await?["language"], "SQL");
    // A language makes no source of a book.
    let book = json!({ "path": "/Shared/told/book", "content": BOOK, "language": "PYTHON" });
    assert_eq!(harness.answer("import_notebook", book).await?["language"], "PYTHON");
    let source = harness.answer("export_notebook", json!({ "path": "/Shared/told/book" })).await?;
    assert!(source["content"].as_str().is_some_and(|text| !text.contains("nbformat")), "{source}");
    fs::write(home.path().join("bytes.py"), b"\xff\x00\xfe")?;
    let refusal =
        harness.refusal("import_notebook", json!({ "path": "/Shared/told/b", "local_path": "bytes.py" })).await?;
    assert!(refusal.contains("not text in UTF-8 or UTF-16"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_file_in_utf_16_is_read_as_text() -> Outcome {
    let (harness, home) = harness(6_000).await?;
    let text = "Größe;Preis 😀\n".repeat(40);
    let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
    let bytes: Vec<u8> = units.flat_map(u16::to_be_bytes).collect();
    fs::write(home.path().join("wide.csv"), &bytes)?;
    let path = format!("{VOLUME}/wide.csv");
    harness.answer("upload_file", json!({ "path": path, "local_path": "wide.csv" })).await?;
    let (mut whole, mut offset) = (String::new(), json!(0));
    while offset.is_u64() {
        let part = harness.answer("read_volume_file", json!({ "path": path, "offset": offset, "length": 333 })).await?;
        assert_eq!(part["encoding"], "UTF-16BE", "{part}");
        whole += part["content"].as_str().ok_or("no text")?;
        offset = part["next_offset"].clone();
    }
    assert_eq!(whole, text);
    Ok(())
}

#[tokio::test]
async fn a_long_notebook_comes_in_parts() -> Outcome {
    let (harness, _home) = harness(500).await?;
    let lines: Vec<String> = (0..500).map(|line| format!("print(\"{line}\")")).collect();
    let path = "/Shared/long";
    harness
        .answer("import_notebook", json!({ "path": path, "content": lines.join("\n"), "language": "PYTHON" }))
        .await?;
    let (mut whole, mut offset) = (String::new(), Value::from(0));
    loop {
        let part = harness.answer("export_notebook", json!({ "path": path, "offset": offset })).await?;
        whole.push_str(part["content"].as_str().ok_or("no text")?);
        match part.get("next_offset") {
            Some(next) => offset = next.clone(),
            None => break,
        }
    }
    assert!(whole.ends_with(&lines.join("\n")), "{whole}");
    Ok(())
}

const BOOK: &str = r#"{"cells": [{"cell_type": "code", "source": ["print(1)"], "outputs": [], "metadata": {}, "execution_count": null}],
"metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}"#;
