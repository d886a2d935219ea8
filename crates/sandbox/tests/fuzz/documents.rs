//! Notebooks and archives in every format, bent on the outside and on the inside.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::random::{NASTY, Random};
use crate::wire::{Sent, Wire};

const FORMATS: [&str; 7] = ["SOURCE", "JUPYTER", "HTML", "R_MARKDOWN", "DBC", "AUTO", "RAW"];

const MODEL: &str = r##"{"version": "NotebookV1", "language": "r", "commands": [{"position": 2.0, "command": "%md\n# x"}, {"position": 1, "command": "y", "commandTitle": "t"}]}"##;
const MARKDOWN: &str = "---\na: b\n---\ntext\n\n```{r}\nx\n```\n\n<!-- DBTITLE 1,t -->\n```{sql}\nSELECT 1\n```\n<!-- COMMAND ---------- -->\n````\nz\n````\n";

/// A document with its format.
pub(crate) type Document = (&'static str, Vec<u8>);

/// What the samples look like in each format.
pub(crate) async fn exported(wire: &mut Wire) -> Result<Vec<Document>, String> {
    let mut documents = vec![("R_MARKDOWN", MARKDOWN.as_bytes().to_vec())];
    for (path, format) in [
        ("/Shared/etl/load_orders", "SOURCE"),
        ("/Shared/etl/load_orders", "JUPYTER"),
        ("/Shared/etl/load_orders", "HTML"),
        ("/Shared/etl/load_orders", "DBC"),
        ("/Shared", "DBC"),
        ("/Shared", "SOURCE"),
    ] {
        let answer = wire.ask(&export(path, format)).await?;
        documents.push((format, answer.body));
    }
    Ok(documents)
}

fn export(path: &str, format: &str) -> Sent {
    let path = format!("/api/2.0/workspace/export?path={path}&format={format}&direct_download=true");
    Sent { method: "GET".to_owned(), path, ..Sent::default() }
}

/// An export of what imports may have made.
pub(crate) fn export_any(random: &mut Random) -> Sent {
    let path = if random.one_in(20) { "/Shared".to_owned() } else { format!("/Shared/fuzz{}", random.below(20)) };
    export(&path, random.pick(&FORMATS).copied().unwrap_or_default())
}

pub(crate) fn import(random: &mut Random, documents: &[Document]) -> Sent {
    let (mut format, content) = match random.below(3) {
        0 => (if random.one_in(3) { "SOURCE" } else { "DBC" }, archive(random)),
        1 => ("HTML", page(random)),
        _ => random.pick(documents).cloned().unwrap_or_default(),
    };
    if random.one_in(8) {
        format = random.pick(&FORMATS).copied().unwrap_or_default();
    }
    let content = if random.one_in(3) { content } else { bend(random, content) };
    let extension =
        random.pick(&["", "", ".py", ".ipynb", ".Rmd", ".html", ".zip", ".dbc"]).copied().unwrap_or_default();
    let path = format!("/Shared/fuzz{}{extension}", random.below(20));
    let mut body = json!({"path": path, "format": format, "content": STANDARD.encode(content)});
    if format == "SOURCE" && random.one_in(2) {
        body["language"] = json!("R");
    }
    if random.one_in(2) {
        body["overwrite"] = json!(true);
    }
    let path = "/api/2.0/workspace/import".to_owned();
    Sent { method: "POST".to_owned(), path, body: body.to_string().into_bytes(), ..Sent::default() }
}

fn page(random: &mut Random) -> Vec<u8> {
    let model = bend(random, MODEL.as_bytes().to_vec());
    let encoded: String = model.iter().map(|byte| format!("%{byte:02X}")).collect();
    format!("<script>var __DATABRICKS_NOTEBOOK_MODEL = '{}';</script>", STANDARD.encode(encoded)).into_bytes()
}

fn archive(random: &mut Random) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for _ in 0..random.below(5) {
        let depth = random.below(4);
        let mut name: String = (0..depth).map(|_| if random.one_in(9) { "a b/" } else { "a/" }).collect();
        name.push_str(random.pick(&["b", "c", "d", ""]).copied().unwrap_or_default());
        name.push_str(random.pick(&[".r", ".python", ".py", ".ipynb", ".txt", "/"]).copied().unwrap_or_default());
        if random.one_in(9) {
            name.push_str(random.pick(&NASTY).copied().unwrap_or_default());
        }
        let content = match random.below(4) {
            0 => MARKDOWN.as_bytes().to_vec(),
            1 => bend(random, MODEL.as_bytes().to_vec()),
            _ => MODEL.as_bytes().to_vec(),
        };
        // A name may come twice, which the writer refuses.
        if writer.start_file(name, SimpleFileOptions::default()).is_ok() {
            let _ = writer.write_all(&content);
        }
    }
    writer.finish().map(Cursor::into_inner).unwrap_or_default()
}

/// Changes a few places.
fn bend(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.below(5) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_within(at..),
            2 => {
                let nasty = random.pick(&NASTY).copied().unwrap_or_default();
                bytes.splice(at..at, nasty.bytes());
            }
            3 => {
                bytes.drain(at..bytes.len().min(at + random.below(9)));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}
