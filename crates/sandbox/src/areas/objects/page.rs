//! Notebooks as web pages: to be read by people, and to be imported again.
//!
//! Recorded: that the page holds the notebook's JSON, percent-encoded and then in base64, as a variable of a script.
//! Derived: how the page looks. That of the real service draws the cells with a program that it loads; this one holds them.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::model;
use super::notebook::{Cell, Notebook};
use crate::error::ApiError;
use crate::text::percent_decode;

/// The variable that holds the notebook.
const VARIABLE: &str = "__DATABRICKS_NOTEBOOK_MODEL";

const STYLE: &str = "body{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b3139}\
    section{margin:1rem 0}pre{background:#f5f7f8;border-left:3px solid #c4ccd1;padding:.75rem;overflow-x:auto}\
    .language{color:#5f7281;font-size:.8rem}.text{white-space:pre-wrap}";

pub(super) fn write(notebook: &Notebook, name: &str, id: i64) -> String {
    let cells: String = notebook.cells.iter().map(|cell| section(cell, notebook)).collect();
    let model = STANDARD.encode(percent_encode(&model::write(notebook, name, id).to_string()));
    let name = escape(name);
    let language = notebook.language.word();
    format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>{name} - Databricks</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<h1>{name}</h1>\n<p class=\"language\">{language}</p>\n{cells}<script>var {VARIABLE} = '{model}';</script>\n</body>\n</html>\n"
    )
}

fn section(cell: &Cell, notebook: &Notebook) -> String {
    let title = cell.title.as_ref().filter(|title| title.is_shown);
    let title = title.map_or(String::new(), |title| format!("<h3>{}</h3>\n", escape(&title.text)));
    let body = match (cell.as_markdown(), cell.magic()) {
        (Some(text), _) => paragraphs(text),
        (None, Some((magic, _))) => format!("<pre class=\"{}\">{}</pre>\n", escape(magic), escape(&cell.text)),
        (None, None) => format!("<pre class=\"{}\">{}</pre>\n", notebook.language.word(), escape(&cell.text)),
    };
    format!("<section>\n{title}{body}</section>\n")
}

/// Text with its headings; other Markdown stays as it is written.
fn paragraphs(text: &str) -> String {
    let mut html = String::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        let (first, rest) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        let depth = first.bytes().take_while(|byte| *byte == b'#').count();
        let rest = match first.get(depth..).and_then(|heading| heading.strip_prefix(' ')) {
            Some(heading) if (1..=6).contains(&depth) => {
                let _ = writeln!(html, "<h{depth}>{}</h{depth}>", escape(heading));
                rest
            }
            _ => paragraph,
        };
        if !rest.is_empty() {
            let _ = writeln!(html, "<p class=\"text\">{}</p>", escape(rest));
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// As `encodeURIComponent` of browsers writes it.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => encoded.push(char::from(byte)),
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Whether a page holds a notebook.
pub(super) fn is_notebook(content: &[u8]) -> bool {
    content.windows(VARIABLE.len()).any(|window| window == VARIABLE.as_bytes())
}

pub(super) fn read(content: &[u8]) -> Result<Notebook, ApiError> {
    let page = String::from_utf8_lossy(content);
    let encoded = page.split(VARIABLE).skip(1).find_map(quoted);
    let model = encoded.and_then(|encoded| {
        // The pages of older versions are percent-encoded on the outside too.
        let inner = STANDARD.decode(percent_decode(encoded)).ok()?;
        Some(percent_decode(&String::from_utf8_lossy(&inner)))
    });
    let model = model.ok_or_else(|| {
        ApiError::invalid_parameter(
            "The page does not hold a notebook: only HTML that Databricks exported can be imported",
        )
    })?;
    model::parse(model.as_bytes(), "The page")
}

/// The text that an assignment gives: ` = '…'`.
fn quoted(assignment: &str) -> Option<&str> {
    let value = assignment.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    value.strip_prefix(quote)?.split_once(quote).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::areas::objects::language::Language;

    #[test]
    fn pages_are_read_by_people_and_by_imports() {
        let source = "# MAGIC %md\n# MAGIC # Hello <you>\n# MAGIC text & more\n\n# COMMAND ----------\n\n# DBTITLE 1,\"Sum\"\nprint(\"50 %\" + 'é')";
        let notebook = Notebook::parse(Language::Python, source);
        let page = write(&notebook, "a<b", 7);
        for wanted in ["<h1>a&lt;b</h1>", "<h1>Hello &lt;you&gt;</h1>", "text &amp; more", "<h3>&quot;Sum&quot;</h3>"] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
        assert_eq!(read(page.as_bytes()).unwrap(), notebook);
    }

    #[test]
    fn other_pages_are_refused() {
        let with = |value: &str| format!("<script>var {VARIABLE} = {value};</script>");
        let none = STANDARD.encode("%7B%7D");
        for page in ["<html></html>".to_owned(), with("'"), with("'%%%'"), with("1"), with(&format!("'{none}'"))] {
            assert!(read(page.as_bytes()).is_err(), "{page}");
        }
    }
}
