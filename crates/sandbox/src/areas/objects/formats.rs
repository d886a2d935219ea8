//! The formats in which notebooks come and go: source, Jupyter, HTML, and what a file is by its name.

use serde_json::{Value, json};

use super::Kind;
use crate::error::ApiError;
use crate::json::Members;

/// The comment with which a source file says that it is a notebook.
pub(super) fn header(language: &str) -> &'static str {
    match language {
        "SQL" => "-- Databricks notebook source",
        "SCALA" => "// Databricks notebook source",
        _ => "# Databricks notebook source",
    }
}

/// The language of a name.
fn language(name: &str) -> Option<&'static str> {
    ["PYTHON", "SQL", "SCALA", "R"].into_iter().find(|language| *language == name)
}

/// The cells of a notebook's source.
pub(crate) fn cells(source: &str) -> Vec<String> {
    let separator =
        |line: &str| matches!(line.trim(), "# COMMAND ----------" | "-- COMMAND ----------" | "// COMMAND ----------");
    let mut cells = vec![String::new()];
    for line in source.lines() {
        if separator(line) {
            cells.push(String::new());
        } else if let Some(cell) = cells.last_mut() {
            cell.push_str(line);
            cell.push('\n');
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
}

pub(super) fn jupyter(language: &str, content: &[u8]) -> Value {
    let cells: Vec<_> = cells(&String::from_utf8_lossy(content))
        .into_iter()
        .map(|source| json!({"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": [source]}))
        .collect();
    json!({"cells": cells, "metadata": {"language_info": {"name": language.to_lowercase()}}, "nbformat": 4, "nbformat_minor": 0})
}

pub(crate) fn html(title: &str, content: &[u8]) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!DOCTYPE html>\n<html><head><title>{}</title></head><body><pre>{}</pre></body></html>\n",
        escape(title),
        escape(&String::from_utf8_lossy(content))
    )
}

/// What an import makes: AUTO looks for the notebook header and takes the extension off.
pub(super) fn classify(
    path: String,
    format: &str,
    asked: Option<&str>,
    content: Vec<u8>,
) -> Result<(String, Kind, Vec<u8>), ApiError> {
    let by_extension = path.rsplit_once('.').and_then(|(_, extension)| match extension {
        "py" => Some("PYTHON"),
        "sql" => Some("SQL"),
        "scala" => Some("SCALA"),
        "r" | "R" => Some("R"),
        _ => None,
    });
    let strip = |language: &str, content: Vec<u8>| {
        let header = header(language).as_bytes();
        match content.strip_prefix(header) {
            Some(rest) => rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest).to_vec(),
            None => content,
        }
    };
    match format {
        "SOURCE" => {
            let asked = asked.ok_or_else(|| {
                ApiError::invalid_parameter("The language is required to import a notebook from its source")
            })?;
            let language =
                language(asked).ok_or_else(|| ApiError::invalid_parameter(format!("Unknown language: {asked}")))?;
            Ok((path, Kind::Notebook(language), strip(language, content)))
        }
        "AUTO" => match by_extension {
            Some(language) if content.starts_with(header(language).as_bytes()) => {
                let stem = path.rsplit_once('.').map_or(path.clone(), |(stem, _)| stem.to_owned());
                Ok((stem, Kind::Notebook(language), strip(language, content)))
            }
            _ => Ok((path, Kind::File, content)),
        },
        "RAW" => Ok((path, Kind::File, content)),
        "JUPYTER" => {
            let notebook: Value = serde_json::from_slice(&content)
                .map_err(|_| ApiError::invalid_parameter("The content is not a Jupyter notebook"))?;
            let cells = notebook
                .at("cells")
                .as_array()
                .ok_or_else(|| ApiError::invalid_parameter("The content is not a Jupyter notebook"))?;
            let sources: Vec<String> = cells
                .iter()
                .map(|cell| match &cell.at("source") {
                    Value::String(text) => text.clone(),
                    Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
                    _ => String::new(),
                })
                .collect();
            Ok((path, Kind::Notebook("PYTHON"), sources.join("\n\n# COMMAND ----------\n\n").into_bytes()))
        }
        format => Err(ApiError::invalid_parameter(format!("The sandbox does not import the format {format}"))),
    }
}
