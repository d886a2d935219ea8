//! Notebooks as Jupyter documents: nbformat 4, with the metadata that Databricks adds.
//!
//! A notebook of any language has this form. [recorded: integration tests of the official command line] Of a document
//! from elsewhere, code and text are kept, outputs are not. Derived: that a document without a language is Python, and
//! that raw cells become text.

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Serializer, Value, json};

use super::language::Language;
use super::model::guid;
use super::notebook::{Cell, Notebook};
use crate::error::ApiError;
use crate::json::{self, Members};

const NOTEBOOK: &str = "application/vnd.databricks.v1+notebook";
const CELL: &str = "application/vnd.databricks.v1+cell";

pub(super) fn write(notebook: &Notebook, name: &str, id: i64) -> Vec<u8> {
    let cells: Vec<_> =
        (1_u32..).zip(&notebook.cells).map(|(position, each)| cell(each, guid(!id, position))).collect();
    let word = notebook.language.word();
    let document = json!({
        "cells": cells,
        "metadata": {
            NOTEBOOK: {
                "computePreferences": null, "dashboards": [], "environmentMetadata": null,
                "inputWidgetPreferences": null, "language": word, "notebookMetadata": {"pythonIndentUnit": 4},
                "notebookName": name, "widgets": {}
            },
            "language_info": {"name": word}
        },
        "nbformat": 4,
        "nbformat_minor": 0
    });
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" "));
    // Neither a value nor a vector can fail here.
    let _ = document.serialize(&mut serializer);
    text
}

fn cell(cell: &Cell, nuid: String) -> Value {
    let (title, is_shown) = cell.title.as_ref().map_or(("", false), |title| (title.text.as_str(), title.is_shown));
    let metadata =
        json!({CELL: {"cellMetadata": {}, "inputWidgets": {}, "nuid": nuid, "showTitle": is_shown, "title": title}});
    let lines = |text: &str| text.split_inclusive('\n').map(Value::from).collect::<Vec<_>>();
    match cell.as_markdown() {
        Some(text) => json!({"cell_type": "markdown", "metadata": metadata, "source": lines(text)}),
        None => json!({
            "cell_type": "code", "execution_count": 0, "metadata": metadata, "outputs": [], "source": lines(&cell.text)
        }),
    }
}

pub(super) fn read(content: &[u8]) -> Result<Notebook, ApiError> {
    let refused = |why: &str| ApiError::invalid_parameter(format!("The content is not a Jupyter notebook: {why}"));
    let document = json::read(content).map_err(|why| refused(&format!("it is not JSON ({why})")))?;
    if document.at("nbformat").as_i64().is_some_and(|version| version < 4) {
        return Err(refused("it is of an nbformat before 4: convert it with `jupyter nbconvert --to notebook`"));
    }
    let cells = document.at("cells").as_array().ok_or_else(|| refused("it has no list of cells"))?;
    Ok(Notebook { language: language(document.at("metadata"))?, cells: cells.iter().map(read_cell).collect() })
}

/// The language that a document names, in the place that says most.
fn language(metadata: &Value) -> Result<Language, ApiError> {
    let named = [
        metadata.at(NOTEBOOK).text_at("language"),
        metadata.at("language_info").text_at("name"),
        metadata.at("kernelspec").text_at("language"),
    ];
    match named.into_iter().find(|name| !name.is_empty()) {
        None | Some("ipython") => Ok(Language::Python),
        Some(name) => Language::from_word(name).ok_or_else(|| {
            ApiError::invalid_parameter(format!(
                "Notebooks of language '{name}' cannot be imported: use Python, SQL, Scala or R"
            ))
        }),
    }
}

fn read_cell(cell: &Value) -> Cell {
    let text = match cell.at("source") {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    };
    let known = cell.at("metadata").at(CELL);
    let read = match cell.text_at("cell_type") {
        "markdown" | "raw" => Cell::markdown(&text),
        _ => Cell::new(&text),
    };
    read.with_title(known.at("showTitle").as_bool().unwrap_or_default(), known.text_at("title"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_from_elsewhere_are_read() {
        let document = json!({
            "cells": [
                {"cell_type": "markdown", "source": "# One\ntext"},
                {"cell_type": "code", "source": ["%%sql\n", "SELECT 1\n"], "outputs": [{"output_type": "stream", "text": "x"}]},
                {"cell_type": "raw", "source": ["raw"]},
                {"cell_type": "code"},
                7
            ],
            "metadata": {"kernelspec": {"language": "R"}}, "nbformat": 4
        });
        let notebook = read(document.to_string().as_bytes()).unwrap();
        let texts: Vec<_> = notebook.cells.iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!(
            (notebook.language, texts),
            (Language::R, vec!["%md\n# One\ntext", "%%sql\nSELECT 1", "%md\nraw", "", ""])
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for (content, why) in [
            ("{", "not JSON"),
            ("[]", "no list of cells"),
            (r#"{"worksheets": [], "nbformat": 3}"#, "nbconvert"),
            (r#"{"cells": [], "metadata": {"language_info": {"name": "julia"}}}"#, "julia"),
        ] {
            let refusal = format!("{:?}", read(content.as_bytes()).unwrap_err());
            assert!(refusal.contains(why), "{refusal}");
        }
    }
}
