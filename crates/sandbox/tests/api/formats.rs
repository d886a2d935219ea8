//! Notebooks and folders in every format of import and export, there and back.

use std::error::Error;
use std::io::{Cursor, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks_sandbox::Sandbox;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::client::{Checked, Reply, get, post, send, start};

type Outcome<T> = Result<T, Box<dyn Error>>;

const WORKSPACE: &str = "/api/2.0/workspace";

/// Language, extension and a source with all that a notebook can have: text, a title, an empty cell, other languages.
fn notebooks() -> [(&'static str, &'static str, String); 4] {
    [("PYTHON", "py", "#"), ("SQL", "sql", "--"), ("SCALA", "scala", "//"), ("R", "r", "#")].map(|(language, extension, c)| {
        let source = format!(
            "{c} Databricks notebook source\n{c} MAGIC %md\n{c} MAGIC # Caf\u{e9} & <b>\n{c} MAGIC\n{c} MAGIC ends in two spaces  \n{c} MAGIC text\n\n\
             {c} COMMAND ----------\n\n{c} DBTITLE 1,First, a title\n  x = \"100 %\\n\"\ny = '''`'''\n\n\
             {c} COMMAND ----------\n\n\n\n\
             {c} COMMAND ----------\n\n{c} MAGIC %md\n{c} MAGIC one text\n\n\
             {c} COMMAND ----------\n\n{c} MAGIC %md\n{c} MAGIC another text\n\n\
             {c} COMMAND ----------\n\n{c} DBTITLE 0,Hidden\n{c} MAGIC %sh\n{c} MAGIC ls\n\n\
             {c} COMMAND ----------\n\n{c} MAGIC %run ./other $a=\"1\"\n\n\
             {c} COMMAND ----------\n\nz = 1\n{c} MAGIC %pip install x"
        );
        (language, extension, source)
    })
}

async fn import(sandbox: &Sandbox, path: &str, format: &str, content: &[u8]) -> Outcome<Reply> {
    let body = json!({"path": path, "format": format, "content": STANDARD.encode(content)});
    post(sandbox, &format!("{WORKSPACE}/import"), body).await
}

async fn export(sandbox: &Sandbox, path: &str, format: &str) -> Outcome<Reply> {
    get(sandbox, &format!("{WORKSPACE}/export?path={path}&format={format}&direct_download=true")).await
}

/// What an object is: its type, and the language of a notebook.
async fn kind(sandbox: &Sandbox, path: &str) -> Outcome<String> {
    let status = get(sandbox, &format!("{WORKSPACE}/get-status?path={path}")).await?.json();
    Ok(["object_type", "language"].iter().filter_map(|name| status[name].as_str()).collect::<Vec<_>>().join(" "))
}

/// The path, type and language of all below a folder.
async fn tree(sandbox: &Sandbox, root: &str) -> Outcome<Vec<String>> {
    let (mut found, mut left) = (Vec::new(), vec![root.to_owned()]);
    while let Some(path) = left.pop() {
        let objects = get(sandbox, &format!("{WORKSPACE}/list?path={path}")).await?.at("/objects");
        for object in objects.as_array().into_iter().flatten() {
            let path = object["path"].as_str().unwrap_or_default();
            let words = ["object_type", "language"].iter().filter_map(|name| object[name].as_str());
            found.push(format!("{} {}", path.strip_prefix(root).unwrap_or(path), words.collect::<Vec<_>>().join(" ")));
            if object["object_type"] == "DIRECTORY" {
                left.push(path.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

async fn make(sandbox: &Sandbox, folder: &str) -> Checked {
    let made = post(sandbox, &format!("{WORKSPACE}/mkdirs"), json!({"path": folder})).await?;
    assert_eq!(made.status, 200, "{folder}");
    Ok(())
}

fn zip(entries: &[(&str, &[u8])]) -> Outcome<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default())?;
        writer.write_all(content)?;
    }
    Ok(writer.finish()?.into_inner())
}

fn unzip(bytes: &[u8]) -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        entries.push((file.name()?.into_owned(), content));
    }
    Ok(entries)
}

#[tokio::test]
async fn a_notebook_goes_through_every_format_unchanged() -> Checked {
    let sandbox = start().await?;
    make(&sandbox, "/Shared/formats").await?;
    for (language, extension, source) in notebooks() {
        let path = format!("/Shared/formats/{language}");
        let body = json!({"path": path, "format": "SOURCE", "language": language, "content": STANDARD.encode(&source)});
        assert_eq!(post(&sandbox, &format!("{WORKSPACE}/import"), body).await?.status, 200);
        for (format, file_type) in
            [("SOURCE", extension), ("JUPYTER", "ipynb"), ("HTML", "html"), ("DBC", "dbc"), ("R_MARKDOWN", "Rmd")]
        {
            if format == "R_MARKDOWN" && language != "R" {
                continue;
            }
            let exported = export(&sandbox, &path, format).await?;
            assert!(
                exported.status == 200 && exported.head.contains("application/octet-stream"),
                "{language} {format}"
            );
            let told = get(&sandbox, &format!("{WORKSPACE}/export?path={path}&format={format}")).await?;
            assert_eq!(told.at("/file_type"), file_type, "{language} {format}");
            assert_eq!(told.at("/content"), STANDARD.encode(&exported.body), "{language} {format}");
            // Under its own format, and under AUTO by the name that an export has.
            let copy = format!("{path}-{format}");
            let by_name = format!("{path}-{format}-auto.{file_type}");
            if format != "SOURCE" {
                assert_eq!(import(&sandbox, &copy, format, &exported.body).await?.status, 200, "{language} {format}");
            }
            let auto = import(&sandbox, &by_name, "AUTO", &exported.body).await?;
            assert_eq!(auto.status, 200, "{language} {format}: {}", auto.json());
            let copies = [copy, format!("{path}-{format}-auto")];
            for copy in copies.iter().skip(usize::from(format == "SOURCE")) {
                assert_eq!(kind(&sandbox, copy).await?, format!("NOTEBOOK {language}"), "{copy}");
                let back = export(&sandbox, copy, "SOURCE").await?.body;
                assert_eq!(String::from_utf8_lossy(&back), source, "{copy}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn each_format_has_the_form_that_others_read() -> Checked {
    let sandbox = start().await?;
    let (_, _, source) = notebooks().into_iter().next().ok_or("no notebook")?;
    assert_eq!(import(&sandbox, "/Shared/n.py", "AUTO", source.as_bytes()).await?.status, 200);

    let jupyter: Value = serde_json::from_slice(&export(&sandbox, "/Shared/n", "JUPYTER").await?.body)?;
    assert_eq!((&jupyter["nbformat"], &jupyter["metadata"]["language_info"]["name"]), (&json!(4), &json!("python")));
    let cells = jupyter["cells"].as_array().ok_or("no cells")?;
    let kinds: Vec<_> = cells.iter().filter_map(|cell| cell["cell_type"].as_str()).collect();
    assert_eq!(kinds, ["markdown", "code", "code", "markdown", "markdown", "code", "code", "code"]);
    assert_eq!(cells[0]["source"], json!(["# Caf\u{e9} & <b>\n", "\n", "ends in two spaces  \n", "text"]));
    assert_eq!(cells[5]["source"], json!(["%sh\n", "ls"]));
    assert_eq!(cells[1]["metadata"]["application/vnd.databricks.v1+cell"]["title"], "First, a title");
    assert!(cells.iter().all(|cell| cell["cell_type"] != "code" || cell["outputs"] == json!([])));

    let page = String::from_utf8(export(&sandbox, "/Shared/n", "HTML").await?.body)?;
    for wanted in [
        "<title>n - Databricks</title>",
        "<h1>Caf\u{e9} &amp; &lt;b&gt;</h1>",
        "<h3>First, a title</h3>",
        "y = '''`'''",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(!page.contains("<h3>Hidden</h3>"));
    let model = page.split("__DATABRICKS_NOTEBOOK_MODEL = '").nth(1).and_then(|text| text.split('\'').next());
    let model = String::from_utf8(STANDARD.decode(model.ok_or("no model")?)?)?;
    assert!(model.starts_with("%7B%22version%22%3A%22NotebookV1%22") && !model.contains(' '), "{model}");

    let archive = unzip(&export(&sandbox, "/Shared/n", "DBC").await?.body)?;
    assert_eq!(archive.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["manifest.mf", "n.python"]);
    let model: Value = serde_json::from_slice(&archive[1].1)?;
    assert_eq!(
        (&model["version"], &model["name"], &model["language"]),
        (&json!("NotebookV1"), &json!("n"), &json!("python"))
    );
    let first = &model["commands"][0];
    assert_eq!((&first["version"], &first["position"]), (&json!("CommandV1"), &json!(1.0)));
    assert!(first["command"].as_str().is_some_and(|text| text.starts_with("%md\n# Caf")), "{first}");
    let run = get(&sandbox, "/api/2.2/jobs/runs/list?limit=1&expand_tasks=true").await?.at("/runs/0/tasks/0/run_id");
    let view = get(&sandbox, &format!("/api/2.2/jobs/runs/export?run_id={run}")).await?.at("/views/0/content");
    assert!(view.as_str().is_some_and(|page| page.contains("__DATABRICKS_NOTEBOOK_MODEL")), "{view}");
    Ok(())
}

#[tokio::test]
async fn folders_leave_as_archives_and_come_back() -> Checked {
    let sandbox = start().await?;
    make(&sandbox, "/Shared/tree/sub/deep").await?;
    make(&sandbox, "/Shared/tree/empty").await?;
    for (language, extension, source) in notebooks() {
        let path = format!("/Shared/tree/sub/{language}.{extension}");
        assert_eq!(import(&sandbox, &path, "AUTO", source.as_bytes()).await?.status, 200);
    }
    import(&sandbox, "/Shared/tree/sub/deep/data.csv", "AUTO", b"a,b\n1,2\n").await?;
    import(&sandbox, "/Shared/tree/plain.py", "AUTO", b"print(1)\n").await?;
    let notebooks_only = [
        "/empty DIRECTORY",
        "/sub DIRECTORY",
        "/sub/PYTHON NOTEBOOK PYTHON",
        "/sub/R NOTEBOOK R",
        "/sub/SCALA NOTEBOOK SCALA",
        "/sub/SQL NOTEBOOK SQL",
        "/sub/deep DIRECTORY",
    ];
    let all = tree(&sandbox, "/Shared/tree").await?;
    assert_eq!(all.len(), notebooks_only.len() + 2);
    for (format, extension) in [("DBC", "dbc"), ("SOURCE", "zip"), ("AUTO", "zip")] {
        let exported = export(&sandbox, "/Shared/tree", format).await?;
        assert_eq!(exported.status, 200, "{format}");
        let told = get(&sandbox, &format!("{WORKSPACE}/export?path=/Shared/tree&format={format}")).await?;
        assert_eq!(told.at("/file_type"), extension);
        let names: Vec<_> = unzip(&exported.body)?.into_iter().map(|(name, _)| name).collect();
        let python = if format == "DBC" { "tree/sub/PYTHON.python" } else { "tree/sub/PYTHON.py" };
        assert!(names.iter().any(|name| name == python), "{names:?}");
        assert_eq!(names.iter().any(|name| name == "tree/sub/deep/data.csv"), format == "AUTO", "{names:?}");
        // By its own format, and by its name.
        let copy = format!("/Shared/copy-{format}");
        if format != "AUTO" {
            let imported = import(&sandbox, &copy, format, &exported.body).await?;
            assert_eq!(imported.status, 200, "{format}: {}", imported.json());
            assert_eq!(tree(&sandbox, &copy).await?, notebooks_only, "{format}");
        }
        let imported = import(&sandbox, &format!("{copy}-auto.{extension}"), "AUTO", &exported.body).await?;
        assert_eq!(imported.status, 200, "{format}: {}", imported.json());
        let found = tree(&sandbox, &format!("{copy}-auto")).await?;
        if format == "AUTO" {
            // A Python file in an archive of sources is a notebook, as it is alone with the format SOURCE.
            let expected: Vec<_> =
                all.iter().map(|line| line.replace("/plain.py FILE", "/plain NOTEBOOK PYTHON")).collect();
            assert_eq!(found, expected);
        } else {
            assert_eq!(found, notebooks_only);
        }
        for (language, _, source) in notebooks() {
            let back = export(&sandbox, &format!("{copy}-auto/sub/{language}"), "SOURCE").await?.body;
            assert_eq!(String::from_utf8_lossy(&back), source, "{format}");
        }
    }
    assert_eq!(export(&sandbox, "/", "DBC").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn archives_from_elsewhere_are_imported() -> Checked {
    let sandbox = start().await?;
    let command = |position: f64, text: &str| json!({"version": "CommandV1", "position": position, "command": text});
    let notebook =
        |commands: Value| json!({"version": "NotebookV1", "language": "python", "commands": commands}).to_string();
    let unsorted = notebook(json!([command(4.0, "print(4)"), command(3.5, "%md text"), command(0.5, "first = 1\r\n")]));
    let dbc = zip(&[
        ("manifest.mf", b"{}"),
        ("runners/", br#"{"version":"FolderV1"}"#),
        ("runners/a.python", unsorted.as_bytes()),
    ])?;
    assert_eq!(import(&sandbox, "/Shared/runs", "DBC", &dbc).await?.status, 200);
    assert_eq!(tree(&sandbox, "/Shared/runs").await?, ["/a NOTEBOOK PYTHON"]);
    let separator = "\n\n# COMMAND ----------\n\n";
    assert_eq!(
        String::from_utf8_lossy(&export(&sandbox, "/Shared/runs/a", "SOURCE").await?.body),
        format!("# Databricks notebook source\nfirst = 1{separator}# MAGIC %md text{separator}print(4)")
    );
    // Without entries for folders, and with more than one thing at the top.
    let dbc = zip(&[("x/a.python", unsorted.as_bytes()), ("y/b.python", unsorted.as_bytes())])?;
    assert_eq!(import(&sandbox, "/Shared/two", "DBC", &dbc).await?.status, 200);
    assert_eq!(
        tree(&sandbox, "/Shared/two").await?,
        ["/x DIRECTORY", "/x/a NOTEBOOK PYTHON", "/y DIRECTORY", "/y/b NOTEBOOK PYTHON"]
    );
    let sources = zip(&[("a.sql", b"SELECT 1"), ("notes.txt", b"x"), ("n.ipynb", br#"{"cells": [], "nbformat": 4}"#)])?;
    assert_eq!(import(&sandbox, "/Shared/mixed", "SOURCE", &sources).await?.status, 200);
    let mixed = ["/a NOTEBOOK SQL", "/n NOTEBOOK PYTHON", "/notes.txt FILE"];
    assert_eq!(tree(&sandbox, "/Shared/mixed").await?, mixed);
    // Over what is there: what is in the archive is replaced, the rest stays.
    let again = import(&sandbox, "/Shared/mixed", "SOURCE", &sources).await?;
    assert_eq!((again.status, again.code().as_str()), (400, "RESOURCE_ALREADY_EXISTS"));
    let over = |content: &[u8]| json!({"path": "/Shared/mixed", "format": "SOURCE", "overwrite": true, "content": STANDARD.encode(content)});
    let changed = zip(&[("a.sql", b"SELECT 2"), ("b.sql", b"SELECT 3")])?;
    assert_eq!(post(&sandbox, &format!("{WORKSPACE}/import"), over(&changed)).await?.status, 200);
    let back = export(&sandbox, "/Shared/mixed/a", "SOURCE").await?.body;
    assert_eq!(String::from_utf8_lossy(&back), "-- Databricks notebook source\nSELECT 2");
    assert_eq!(tree(&sandbox, "/Shared/mixed").await?.len(), 4);
    // A folder where a file is: nothing of the archive is written, not even what comes before.
    let clash = zip(&[("0.sql", b"SELECT 0"), ("notes.txt/x.sql", b"SELECT 1")])?;
    let refused = post(&sandbox, &format!("{WORKSPACE}/import"), over(&clash)).await?;
    assert!(
        refused.status == 400 && refused.at("/message").to_string().contains("type mismatch"),
        "{}",
        refused.json()
    );
    assert_eq!(tree(&sandbox, "/Shared/mixed").await?.len(), 4);
    // As it is.
    assert_eq!(import(&sandbox, "/Shared/raw.zip", "RAW", &sources).await?.status, 200);
    assert_eq!(export(&sandbox, "/Shared/raw.zip", "RAW").await?.body, sources);
    Ok(())
}

#[tokio::test]
async fn auto_goes_by_extension_and_content() -> Checked {
    let sandbox = start().await?;
    let ipynb = r#"{"cells": [{"cell_type": "code", "source": "1"}], "metadata": {"language_info": {"name": "scala"}}, "nbformat": 4}"#;
    for (name, content, at, expected) in [
        ("a.py", "# Databricks notebook source\n1", "a", "NOTEBOOK PYTHON"),
        ("b.R", "# Databricks notebook source\r\n1", "b", "NOTEBOOK R"),
        ("c.sql", "-- Databricks notebook source", "c", "NOTEBOOK SQL"),
        ("d.scala", "# Databricks notebook source\n1", "d.scala", "FILE"),
        ("e.py", "print(1)", "e.py", "FILE"),
        ("f.py", "# Databricks notebook sources\n", "f.py", "FILE"),
        ("g.txt", "# Databricks notebook source\n", "g.txt", "FILE"),
        ("h.ipynb", ipynb, "h", "NOTEBOOK SCALA"),
        ("i.html", "<html></html>", "i.html", "FILE"),
        ("j.Rmd", "text\n\n```{r}\n1\n```\n", "j", "NOTEBOOK R"),
        ("k", "x", "k", "FILE"),
        (".py", "# Databricks notebook source\n", ".py", "FILE"),
    ] {
        let imported = import(&sandbox, &format!("/Shared/{name}"), "AUTO", content.as_bytes()).await?;
        assert_eq!(imported.status, 200, "{name}: {}", imported.json());
        assert_eq!(kind(&sandbox, &format!("/Shared/{at}")).await?, expected, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_command_line_uploads_and_asks_for_extensions() -> Checked {
    let sandbox = start().await?;
    let upload = async |path: &str, content: &[u8]| {
        send(&sandbox, "POST", &format!("/api/2.0/workspace-files/import-file/{path}"), content).await
    };
    let notebook = b"# Databricks notebook source\nprint(1)";
    assert_eq!(upload("Shared%2Fcli%2Fn.py?overwrite=false", notebook).await?.status, 404);
    make(&sandbox, "/Shared/cli").await?;
    for (path, content) in [("Shared%2Fcli%2Fn.py", notebook.as_slice()), ("Shared/cli/a%20b.txt", b"text")] {
        assert_eq!(upload(&format!("{path}?overwrite=false"), content).await?.status, 200, "{path}");
        let again = upload(&format!("{path}?overwrite=false"), content).await?;
        assert_eq!(again.status, if path.ends_with("py") { 400 } else { 409 }, "{path}");
        assert!(
            again.at("/message").as_str().is_some_and(|text| text.ends_with(").") || text.ends_with("already exists."))
        );
        assert_eq!(upload(&format!("{path}?overwrite=true"), content).await?.status, 200, "{path}");
    }
    assert_eq!(tree(&sandbox, "/Shared/cli").await?, ["/a b.txt FILE", "/n NOTEBOOK PYTHON"]);
    let path = "/Shared/cli/n&return_export_info=true";
    assert_eq!(
        get(&sandbox, &format!("{WORKSPACE}/get-status?path={path}")).await?.at("/repos_export_format"),
        "SOURCE"
    );
    let listed = get(&sandbox, &format!("{WORKSPACE}/list?path=/Shared/cli&return_export_info=true")).await?;
    let formats: Vec<_> = listed
        .at("/objects")
        .as_array()
        .into_iter()
        .flatten()
        .map(|each| each["repos_export_format"].clone())
        .collect();
    assert_eq!(formats, [Value::Null, json!("SOURCE")]);
    Ok(())
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_advice() -> Checked {
    let sandbox = start().await?;
    let before = tree(&sandbox, "/Shared").await?;
    for (path, format, advice) in [
        ("/Shared/etl/load_orders", "R_MARKDOWN", "use JUPYTER, HTML or SOURCE"),
        ("/Shared/etl/load_orders", "RAW", "use SOURCE"),
        ("/Shared/README.md", "JUPYTER", "use AUTO"),
        ("/Shared/README.md", "DBC", "use AUTO"),
        ("/Shared/etl", "HTML", "use DBC, SOURCE or AUTO"),
        ("/Shared/etl", "RAW", "use DBC, SOURCE or AUTO"),
        ("/Shared/etl", "PDF", "PDF"),
    ] {
        let refused = export(&sandbox, path, format).await?;
        assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_PARAMETER_VALUE"), "{path} {format}");
        assert!(refused.at("/message").as_str().is_some_and(|text| text.contains(advice)), "{}", refused.json());
    }
    let invalid = "The zip file may not be valid or may be an unsupported version";
    let json = br#"{"version": "NotebookV1", "language": "cobol", "commands": []}"#;
    let nested = zip(&[("a/b.zip", b"x")])?;
    let outside = zip(&[("../x.py", b"1")])?;
    let twice = zip(&[("a.py", b"1"), ("a.sql", b"1")])?;
    let deep = zip(&[(&"a/".repeat(2100), b"".as_slice()), ("x", b"")])?;
    let file = zip(&[("a.txt", b"x"), ("b.txt", b"x")])?;
    let no_notebook = zip(&[("a.python", json)])?;
    let mut cut = zip(&[("a.py", b"print(1)")])?;
    cut.truncate(cut.len() - 3);
    for (path, format, content, told) in [
        ("/Shared/x", "SOURCE", b"print(1)".as_slice(), invalid),
        ("/Shared/x", "SOURCE", &cut, invalid),
        ("/Shared/x", "DBC", b"nothing", invalid),
        ("/Shared/x.zip", "AUTO", b"", invalid),
        ("/Shared/x", "SOURCE", &nested, "Zip files within directories are not supported: a/b.zip"),
        ("/Shared/x", "SOURCE", &outside, "invalid name"),
        ("/Shared/x", "SOURCE", &twice, "more than one object for the path /Shared/x/a"),
        ("/Shared/x", "SOURCE", &deep, "too long"),
        ("/Shared/x", "DBC", &file, "is not a notebook: those end in .python"),
        ("/Shared/x", "DBC", &no_notebook, "does not hold a notebook"),
        ("/Shared/x", "HTML", b"<html></html>", "only HTML that Databricks exported"),
        ("/Shared/x", "JUPYTER", b"{", "not a Jupyter notebook"),
        ("/Shared/x.ipynb", "AUTO", b"{", "not a Jupyter notebook"),
    ] {
        let refused = import(&sandbox, path, format, content).await?;
        assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_PARAMETER_VALUE"), "{format} {told}");
        assert!(refused.at("/message").as_str().is_some_and(|text| text.contains(told)), "{}", refused.json());
    }
    let dbc = export(&sandbox, "/Shared/etl", "DBC").await?.body;
    for path in ["/Shared/etl", "/Shared/etl/load_orders", "/"] {
        let refused = import(&sandbox, path, "DBC", &dbc).await?;
        assert_eq!((refused.status, refused.code().as_str()), (400, "RESOURCE_ALREADY_EXISTS"), "{path}");
    }
    let body = json!({"path": "/Shared/etl", "format": "DBC", "overwrite": true, "content": STANDARD.encode(&dbc)});
    let refused = post(&sandbox, &format!("{WORKSPACE}/import"), body).await?;
    assert!(refused.at("/message").to_string().contains("overwrite is not supported"), "{}", refused.json());
    let long = "/x".repeat(3000);
    assert_eq!(post(&sandbox, &format!("{WORKSPACE}/mkdirs"), json!({"path": long})).await?.status, 400);
    assert_eq!(import(&sandbox, "/nowhere/x", "DBC", &dbc).await?.status, 404);
    assert_eq!(tree(&sandbox, "/Shared").await?, before);
    Ok(())
}

#[tokio::test]
async fn ten_megabytes_are_the_most() -> Checked {
    const MOST: usize = 10 * 1024 * 1024;
    let sandbox = start().await?;
    let refused = import(&sandbox, "/Shared/big", "RAW", &vec![b'x'; MOST + 1]).await?;
    assert_eq!((refused.status, refused.code().as_str()), (400, "MAX_NOTEBOOK_SIZE_EXCEEDED"));
    assert_eq!(refused.at("/message"), "File size imported is (10485761 bytes), exceeded max size (10485760 bytes)");
    make(&sandbox, "/Shared/large").await?;
    // What no packing makes smaller.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    })
    .take(MOST / 2 + 100_000)
    .collect();
    for name in ["a.bin", "b.bin"] {
        let form = [
            format!("--x\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/Shared/large/{name}\r\n--x\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\nAUTO\r\n--x\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\n").as_bytes(),
            &noise,
            b"\r\n--x--\r\n",
        ]
        .concat();
        let head = format!(
            "POST {WORKSPACE}/import HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n",
            sandbox.token(),
            form.len()
        );
        assert_eq!(crate::client::raw(&sandbox, &[head.as_bytes(), &form].concat()).await?.status, 200);
    }
    let refused = export(&sandbox, "/Shared/large", "AUTO").await?;
    assert_eq!((refused.status, refused.code().as_str()), (400, "MAX_NOTEBOOK_SIZE_EXCEEDED"));
    assert_eq!(export(&sandbox, "/Shared/large", "SOURCE").await?.status, 200);
    assert_eq!(send(&sandbox, "GET", &format!("{WORKSPACE}/export?path=/Shared/large/a.bin"), b"").await?.status, 200);
    Ok(())
}
