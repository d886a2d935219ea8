//! Files of volumes as relations: `read_files('/Volumes/…')`, `` csv.`/Volumes/…` ``, `` json.`…` `` and `` text.`…` ``.
//!
//! Derived: what types are inferred, and that a CSV file has a header unless the call says otherwise.

mod csv;
mod json;

use axum::body::Bytes;
use serde_json::Value as Json;
use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, TableAlias, Value};

use super::compile::{Compiled, Compiler, Relation, text_literal};
use super::error::SqlError;
use super::types::{Column, Type};
use crate::json::MOST_VALUES;
use crate::workspace::lock;

/// Bytes of files that a statement reads, at most.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Columns of files, at most.
const MOST_COLUMNS: usize = 1_000;

/// What files gave: their columns, and rows in the form in which SQLite keeps values.
#[derive(Debug, Default)]
struct Rows {
    columns: Vec<Column>,
    rows: Vec<Vec<Json>>,
}

/// How files are to be read.
#[derive(Debug)]
struct Reading {
    format: Option<String>,
    header: bool,
    delimiter: char,
    multi_line: bool,
    /// Whether types are found out; else all columns of CSV are texts.
    infer: bool,
    rescued: bool,
}

impl Compiler<'_> {
    /// `read_files(path, format => 'csv', …)`.
    pub(super) fn read_files(
        &self,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
    ) -> Result<(String, Relation), SqlError> {
        let mut reading =
            Reading { format: None, header: true, delimiter: ',', multi_line: false, infer: true, rescued: true };
        let mut path = None;
        for arg in args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if path.is_none() => {
                    path = Some(self.option("path", expr)?);
                }
                FunctionArg::Named {
                    name,
                    arg: FunctionArgExpr::Expr(expr),
                    operator: FunctionArgOperator::RightArrow,
                } => reading.set(&name.value, &self.option(&name.value, expr)?)?,
                _ => return Err(SqlError::unsupported(format!("the argument `{arg}` of `read_files`"))),
            }
        }
        let path = path.ok_or_else(|| SqlError::unsupported("`read_files` without a path"))?;
        self.files("read_files", &path, &reading, alias)
    }

    /// The relation that a name such as `` csv.`/Volumes/…` `` stands for; nothing where it is no path.
    pub(super) fn path(
        &self,
        name: &[String],
        alias: Option<&TableAlias>,
    ) -> Option<Result<(String, Relation), SqlError>> {
        let [format, path] = name else { return None };
        if !path.contains('/') {
            return None;
        }
        let format = format.to_lowercase();
        let reading = Reading {
            infer: format == "json",
            format: Some(format),
            header: false,
            delimiter: ',',
            multi_line: false,
            rescued: false,
        };
        Some(self.files(path, path, &reading, alias))
    }

    /// The text of an option: a literal or a parameter.
    fn option(&self, name: &str, expr: &Expr) -> Result<String, SqlError> {
        let value = match expr {
            Expr::Value(value) => &value.value,
            _ => return Err(SqlError::unsupported(format!("an expression as `{name}` of `read_files`"))),
        };
        match value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Ok(text.clone()),
            Value::Boolean(flag) => Ok(flag.to_string()),
            Value::Placeholder(marker) => {
                let found = self.session.parameters.get(marker.trim_start_matches(':'));
                found
                    .and_then(|(_, text)| text.clone())
                    .ok_or_else(|| SqlError::unsupported(format!("the parameter `{marker}` of `read_files`")))
            }
            value => Err(SqlError::unsupported(format!("the value {value} of `{name}` of `read_files`"))),
        }
    }

    fn files(
        &self,
        name: &str,
        path: &str,
        reading: &Reading,
        alias: Option<&TableAlias>,
    ) -> Result<(String, Relation), SqlError> {
        let rows = reading.read(&self.contents(path)?)?;
        let cells: Vec<_> =
            (0..rows.columns.len()).map(|at| format!("json_extract(value, '$[{at}]') AS c{at}")).collect();
        let data = Json::from(rows.rows.into_iter().map(Json::from).collect::<Vec<_>>()).to_string();
        let sql = format!("SELECT {} FROM json_each({})", cells.join(", "), text_literal(&data));
        let names = alias.map_or_else(|| vec![name.to_owned()], |alias| vec![alias.name.value.clone()]);
        self.derived(&Compiled { sql, columns: rows.columns }, names, alias)
    }

    /// The files at a path or below it, with their names.
    fn contents(&self, path: &str) -> Result<Vec<(String, Bytes)>, SqlError> {
        let place = path.strip_prefix("dbfs:").unwrap_or(path).trim_end_matches('/');
        if !place.starts_with("/Volumes/") {
            return Err(SqlError::unsupported(format!("files outside of volumes, such as `{path}`")));
        }
        if place.contains(['*', '?', '[', '{']) || place.split('/').any(|part| part == "..") {
            return Err(SqlError::unsupported(format!("patterns in the path of a file, such as `{path}`")));
        }
        let files = lock(&self.session.files).below(place);
        if files.is_empty() {
            return Err(SqlError::new("PATH_NOT_FOUND", &format!("Path does not exist: dbfs:{place}."), "42K03"));
        }
        if files.iter().map(|(_, content)| content.len()).sum::<usize>() > MOST_BYTES {
            return Err(SqlError::unsupported("files of more than 16 MB in SQL"));
        }
        Ok(files)
    }
}

impl Reading {
    fn set(&mut self, name: &str, value: &str) -> Result<(), SqlError> {
        let wrong = || SqlError::unsupported(format!("`{name} => '{value}'` of `read_files`"));
        let flag = || value.to_lowercase().parse::<bool>().map_err(|_| wrong());
        match name.to_lowercase().as_str() {
            "format" => self.format = Some(value.to_lowercase()),
            "header" => self.header = flag()?,
            "multiline" => self.multi_line = flag()?,
            "inferschema" | "infercolumntypes" => self.infer = flag()?,
            "delimiter" | "sep" => {
                let mut letters = value.chars();
                self.delimiter = match (letters.next(), letters.next()) {
                    (Some(letter), None) if !matches!(letter, '"' | '\n' | '\r') => letter,
                    _ => return Err(wrong()),
                };
            }
            _ => return Err(SqlError::unsupported(format!("the option `{name}` of `read_files`"))),
        }
        Ok(())
    }

    fn read(&self, files: &[(String, Bytes)]) -> Result<Rows, SqlError> {
        let first = files.first().map_or("", |(name, _)| name.as_str());
        let extension = first.rsplit_once('.').map_or("", |(_, extension)| extension).to_lowercase();
        let format = self.format.as_deref().unwrap_or(extension.as_str());
        let mut texts = Vec::new();
        for (name, content) in files {
            let text = std::str::from_utf8(content).map_err(|_| malformed(name, "it is not UTF-8"))?;
            texts.push((name.as_str(), text.strip_prefix('\u{feff}').unwrap_or(text)));
        }
        let mut rows = match format {
            "csv" => self.csv(&texts)?,
            "json" => self.json(&texts)?,
            "text" => {
                let lines = || texts.iter().flat_map(|(_, text)| text.lines());
                check_size(1, lines().count())?;
                Rows {
                    columns: vec![Column::new("value", Type::String)],
                    rows: lines().map(|line| vec![Json::from(line)]).collect(),
                }
            }
            format => {
                return Err(SqlError::unsupported(format!(
                    "files of the format `{format}`; it reads csv, json and text"
                )));
            }
        };
        if rows.columns.is_empty() {
            return Err(malformed(first, "no column can be found in it"));
        }
        if self.rescued && format != "text" {
            rows.columns.push(Column::new("_rescued_data", Type::String));
        }
        Ok(rows)
    }
}

/// Refuses rows that would be large, as a file can name another column in each of its rows.
fn check_size(columns: usize, rows: usize) -> Result<(), SqlError> {
    if columns > MOST_COLUMNS || columns.saturating_mul(rows) > MOST_VALUES {
        let message = format!("files of more than {MOST_COLUMNS} columns or {MOST_VALUES} values in SQL");
        return Err(SqlError::unsupported(message));
    }
    Ok(())
}

fn malformed(file: &str, why: &str) -> SqlError {
    SqlError::new("FAILED_READ_FILE.NO_HINT", &format!("Error while reading file dbfs:{file}: {why}."), "KD001")
}
