//! What is long or deep: chains, nests and archives that are small on the wire and large inside.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::random::Random;
use crate::wire::Sent;

/// Links of a chain among the seeds.
pub(crate) const LENGTH: usize = 50_000;

/// A head, a link, and a tail.
type Chain = (&'static str, &'static str, &'static str);

const STATEMENTS: [Chain; 26] = [
    ("SELECT 1", "+1", ""),
    ("SELECT true", " OR true", ""),
    ("SELECT true", " AND true", ""),
    ("SELECT 'a'", " || 'a'", ""),
    ("SELECT '1'", "::INT", ""),
    ("SELECT 1", " IS NULL", ""),
    ("SELECT 'a'", " LIKE 'a'", ""),
    ("SELECT 1", " BETWEEN 0 AND 2", ""),
    ("SELECT a:b", ":b", " FROM VALUES ('{}') AS t(a)"),
    ("SELECT a:b", ".b", " FROM VALUES ('{}') AS t(a)"),
    ("SELECT a", "[0]", " FROM VALUES (array(1)) AS t(a)"),
    ("SELECT 1", " UNION ALL SELECT 1", ""),
    ("SELECT 1 FROM range(1)", " JOIN range(1)", ""),
    ("SELECT 1 FROM range(1)", ", range(1)", ""),
    ("SELECT 1", ", 1", ""),
    ("SELECT * FROM VALUES (1)", ", (1)", ""),
    ("SELECT 1 IN (1", ", 1", ")"),
    ("SELECT ", "(", "1"),
    ("SELECT ", "- ", "1"),
    ("SELECT ", "NOT ", "true"),
    ("SELECT ", "CASE WHEN true THEN ", "1"),
    ("SELECT CASE", " WHEN true THEN 1", " END"),
    ("SELECT * FROM ", "(SELECT * FROM ", "t"),
    ("WITH a AS (SELECT 1)", ", a AS (SELECT * FROM a)", " SELECT * FROM a"),
    ("SELECT from_json('", "[", "', 'ARRAY<INT>')"),
    ("SELECT 1 /*", "/*", ""),
];

const NOTEBOOKS: [Chain; 22] = [
    ("x = 1", " + 1", ""),
    ("x = True", " and True", ""),
    ("x = 1", " < 1", ""),
    ("x = 1", " if 1 else 1", ""),
    ("x = 'a'", " 'a'", ""),
    ("x = spark", ".a", ""),
    ("x = a", "[0]", ""),
    ("x = f", "(1)", ""),
    ("x = ", "not ", "1"),
    ("x = ", "-", "1"),
    ("x = ", "(", "1"),
    ("x = ", "[", ""),
    ("x = ", "{1: ", "1"),
    ("x = ", "lambda: ", "1"),
    ("", "x = ", "1"),
    ("x = [1", ", 1", "]"),
    ("", "x = 1\n", ""),
    ("", "# COMMAND ----------\n", ""),
    ("", "if True: ", "pass"),
    ("if 1:\n    pass\n", "elif 1:\n    pass\n", ""),
    ("x = f'", "{f'", "'"),
    ("x = '''", "'", ""),
];

const DOCUMENTS: [Chain; 6] = [
    ("", "[", ""),
    ("", "{\"a\":", "1"),
    ("{\"cells\": [", "{},", "{}]}"),
    ("{\"cells\": [", "{\"cells\": [", ""),
    ("{\"a\": 1", ", \"a\": 1", "}"),
    ("[0", ",0", "]"),
];

fn chain((head, link, tail): Chain, length: usize) -> String {
    format!("{head}{}{tail}", link.repeat(length))
}

/// Every chain of statements at its full length.
pub(crate) fn statements() -> impl Iterator<Item = String> {
    STATEMENTS.into_iter().map(|parts| chain(parts, LENGTH))
}

/// A chain of a length by chance.
pub(crate) fn statement(random: &mut Random) -> String {
    chain(random.pick(&STATEMENTS).copied().unwrap_or_default(), length(random))
}

/// Mostly short, as others are refused by their length alone.
fn length(random: &mut Random) -> usize {
    let most = random.pick(&[10, 200, 1_000, 4_000, LENGTH]).copied().unwrap_or_default();
    random.below(most)
}

/// Every long source of Python, as a notebook and as a command.
pub(crate) fn notebooks() -> impl Iterator<Item = String> {
    let nested = (0..LENGTH / 100).map(|depth| format!("{}if True:\n", " ".repeat(depth))).collect();
    NOTEBOOKS.into_iter().map(|parts| chain(parts, LENGTH)).chain([nested])
}

/// A long source of Python by chance.
pub(crate) fn notebook(random: &mut Random) -> String {
    chain(random.pick(&NOTEBOOKS).copied().unwrap_or_default(), length(random))
}

/// Every long JSON text, and every odd archive, as requests that take them.
pub(crate) fn documents() -> Vec<Sent> {
    let mut sent = Vec::new();
    for parts in DOCUMENTS {
        let text = chain(parts, LENGTH);
        for path in ["/api/2.2/jobs/create", "/api/2.2/jobs/runs/submit", "/api/2.0/sql/statements"] {
            sent.push(posted(path, text.clone().into_bytes()));
        }
        sent.push(import("JUPYTER", text.as_bytes()));
    }
    for content in archives() {
        sent.extend(["DBC", "SOURCE", "AUTO"].map(|format| import(format, &content)));
    }
    sent
}

/// An import of a notebook, and a run of it.
pub(crate) fn imported(source: &str) -> [Sent; 2] {
    let task = json!({"task_key": "a", "notebook_task": {"notebook_path": "/Shared/long"}});
    let body = json!({
        "path": "/Shared/long", "format": "SOURCE", "language": "PYTHON", "overwrite": true,
        "content": STANDARD.encode(source),
    });
    [
        posted("/api/2.0/workspace/import", body.to_string().into_bytes()),
        posted("/api/2.2/jobs/runs/submit", json!({"tasks": [task]}).to_string().into_bytes()),
    ]
}

fn import(format: &str, content: &[u8]) -> Sent {
    let name = if format == "AUTO" { "/Shared/long.zip" } else { "/Shared/long" };
    let body = json!({"path": name, "format": format, "content": STANDARD.encode(content)});
    posted("/api/2.0/workspace/import", body.to_string().into_bytes())
}

pub(crate) fn posted(path: &str, body: Vec<u8>) -> Sent {
    Sent { method: "POST".to_owned(), path: path.to_owned(), body, ..Sent::default() }
}

/// Archives that unpack to much more than they are, or that have more in them than there should be.
fn archives() -> Vec<Vec<u8>> {
    let zeros = vec![0; 70_000_000];
    let bomb = archive([("a.py".to_owned(), zeros.as_slice())]);
    let parts = zeros.chunks(7_000_000).enumerate().map(|(index, part)| (format!("{index}.py"), part));
    let many = (0..20_000).map(|index| (format!("{index}.py"), b"".as_slice()));
    let deep = format!("{}b.py", "a/".repeat(20_000));
    let model: Value = json!({"version": "NotebookV1", "commands": vec![json!({"command": "x"}); LENGTH]});
    vec![
        archive(parts),
        archive(many),
        archive([(deep, b"".as_slice())]),
        archive([("a.python".to_owned(), model.to_string().as_bytes())]),
        archive([("a.python".to_owned(), chain(("", "[", ""), LENGTH).as_bytes())]),
        // An archive in an archive, and one that says of itself that it is larger than it is.
        archive([("a.zip".to_owned(), bomb.as_slice())]),
        bomb.iter().enumerate().map(|(at, byte)| if at % 40 == 20 { 0xff } else { *byte }).collect(),
        bomb,
    ]
}

fn archive<'a>(entries: impl IntoIterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        if writer.start_file(name, SimpleFileOptions::default()).is_ok() {
            let _ = writer.write_all(content);
        }
    }
    writer.finish().map(Cursor::into_inner).unwrap_or_default()
}
