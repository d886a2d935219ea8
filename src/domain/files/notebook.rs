//! The format and language of a notebook in a file, from its content and then from its name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::files::encoding;

/// The first line of a notebook's source, after the sign that begins a comment in its language.
const HEADER: &str = "Databricks notebook source";
/// A file that holds others begins so (ZIP, section 4.3.7); a `.dbc` archive is one.
const ARCHIVE: &[u8] = b"PK\x03\x04";

// How a notebook is written on its way in. No doc comments, which would go into the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Format {
    Source,
    Jupyter,
    Html,
    Dbc,
    RMarkdown,
    Auto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Language {
    Python,
    Sql,
    Scala,
    R,
}

/// What a file tells. Either may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detected {
    pub(crate) format: Option<Format>,
    pub(crate) language: Option<Language>,
}

/// What the content tells, and what it does not tell by the first of the names that does.
pub(crate) fn detect(content: &[u8], names: &[&str]) -> Detected {
    let extensions = || names.iter().filter_map(|name| Some(name.rsplit_once('.')?.1.to_ascii_lowercase()));
    let language = extensions().find_map(|extension| language_of(&extension));
    if content.starts_with(ARCHIVE) {
        return Detected { format: Some(Format::Dbc), language: None };
    }
    let text = encoding::decode(content).map(|text| text.text).unwrap_or_default();
    let first = text.trim_start().lines().next().unwrap_or_default().trim_end();
    let has_header = |sign: &str| first.strip_prefix(sign).is_some_and(|rest| rest.trim() == HEADER);
    let source = |language| Detected { format: Some(Format::Source), language: Some(language) };
    if has_header("--") {
        source(Language::Sql)
    } else if has_header("//") {
        source(Language::Scala)
    } else if has_header("#") {
        // Two languages begin a comment with this sign.
        source(language.filter(|language| *language == Language::R).unwrap_or(Language::Python))
    } else if is_jupyter(&text) {
        Detected { format: Some(Format::Jupyter), language: None }
    } else if ["<!doctype html", "<html"].iter().any(|start| first.to_ascii_lowercase().starts_with(start)) {
        Detected { format: Some(Format::Html), language: None }
    } else {
        let format = extensions().find_map(|extension| format_of(&extension));
        Detected { format: format.or(language.map(|_| Format::Source)), language }
    }
}

/// The text of a source as the workspace reads it: in UTF-8, without the mark of its encoding, which would hide the header, and with
/// the line ends of the workspace. `None` where it is no text.
pub(crate) fn source(content: &[u8]) -> Option<String> {
    Some(encoding::decode(content)?.text.replace("\r\n", "\n"))
}

/// What a notebook may take in bytes of memory once it is read.
const MOST_WEIGHT: usize = 256 << 20;

fn is_jupyter(text: &str) -> bool {
    // Only a text that may be one is read, as files of megabytes come here.
    text.trim_start().starts_with('{')
        && text.contains("\"cells\"")
        && databricks::weight(text.as_bytes()) <= MOST_WEIGHT
        && serde_json::from_str::<Value>(text).is_ok_and(|book| book.get("cells").is_some_and(Value::is_array))
}

fn language_of(extension: &str) -> Option<Language> {
    match extension {
        "py" => Some(Language::Python),
        "sql" => Some(Language::Sql),
        "scala" => Some(Language::Scala),
        "r" => Some(Language::R),
        _ => None,
    }
}

fn format_of(extension: &str) -> Option<Format> {
    match extension {
        "ipynb" => Some(Format::Jupyter),
        "html" | "htm" => Some(Format::Html),
        "dbc" => Some(Format::Dbc),
        "rmd" => Some(Format::RMarkdown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_before_names_do() {
        use Format::{Dbc, Html, Jupyter, RMarkdown, Source};
        use Language::{Python, R, Scala, Sql};
        let book = r#"{ "metadata": {}, "nbformat": 4, "cells": [] }"#;
        for (content, names, format, language) in [
            ("# Databricks notebook source\nx = 1", &["/a"][..], Some(Source), Some(Python)),
            ("\u{feff}# Databricks notebook source\r\nx = 1", &["/a"], Some(Source), Some(Python)),
            ("# Databricks notebook source\nx <- 1", &["/a", "b.R"], Some(Source), Some(R)),
            ("-- Databricks notebook source\r\nSELECT 1", &["/a.py"], Some(Source), Some(Sql)),
            ("// Databricks notebook source", &["/a"], Some(Source), Some(Scala)),
            ("x = 1", &["/a", "b.py"], Some(Source), Some(Python)),
            ("SELECT 1", &["/a.sql", "b.py"], Some(Source), Some(Sql)),
            ("val x = 1", &["/a.Scala"], Some(Source), Some(Scala)),
            (book, &["/a"], Some(Jupyter), None),
            (book, &["/a.py"], Some(Jupyter), None),
            ("not a book", &["b.ipynb"], Some(Jupyter), None),
            ("{ \"cells\": 1 }", &["/a"], None, None),
            ("<!DOCTYPE html>\n<html>", &["/a"], Some(Html), None),
            ("x", &["/a.html"], Some(Html), None),
            ("PK\u{3}\u{4}…", &["/a"], Some(Dbc), None),
            ("x", &["/a.dbc"], Some(Dbc), None),
            ("x", &["/a.Rmd"], Some(RMarkdown), None),
            ("x = 1", &["/a"], None, None),
            ("", &[], None, None),
        ] {
            assert_eq!(detect(content.as_bytes(), names), Detected { format, language }, "{content} {names:?}");
        }
    }

    #[test]
    fn a_source_is_brought_into_the_form_of_the_workspace() {
        let expected = Some("# Databricks notebook source\nx = 1\n");
        let text = "# Databricks notebook source\r\nx = 1\r\n";
        assert_eq!(source(format!("\u{feff}{text}").as_bytes()).as_deref(), expected);
        let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(source(&wide).as_deref(), expected);
        assert_eq!(detect(&wide, &[]).language, Some(Language::Python));
        assert_eq!(source(b"\xff\x00"), None);
    }
}
