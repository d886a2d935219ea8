//! What commands give: texts, tables, images and errors.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::languages;
use crate::areas::python::{self, Cell, Names};
use crate::areas::runs::Values;
use crate::areas::tasks::{self, Call, Done};
use crate::sql::{Cancel, Table};
use crate::workspace::Workspace;

/// A grey pixel: what every plot of the sandbox shows.
const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

/// Runs a command; gives its results and the names of its context after it.
pub(super) fn of(
    workspace: &Workspace,
    language: &str,
    source: &str,
    mut names: Names,
    cancel: &Cancel,
) -> (Value, Names) {
    let results = match language {
        "python" => python(workspace, source, &mut names, cancel),
        "sql" => match tasks::run_statements(workspace, source, cancel) {
            Ok(Some(found)) if !found.columns.is_empty() => table(&found),
            Ok(_) => text(""),
            Err(failure) => error(failure.message.trim(), failure.message.trim()),
        },
        language => match languages::run(language, source) {
            Ok(printed) => text(&printed),
            Err(message) => error(&message, &message),
        },
    };
    (results, names)
}

fn python(workspace: &Workspace, source: &str, names: &mut Names, cancel: &Cancel) -> Value {
    let call = Call {
        spec: Map::new(),
        parameters: BTreeMap::new(),
        values: Values::default(),
        run_number: 1,
        attempt: 0,
        ends: workspace.clock.now(),
        cancel: cancel.clone(),
    };
    let ran = python::run(workspace, &call, names, true, [Cell::Python(source)]);
    match ran.done {
        Done { error: Some(summary), trace, .. } => return error(&summary, &trace.unwrap_or_default()),
        Done { exit: Some(value), .. } => return text(&format!("Notebook exited: {value}")),
        _ => {}
    }
    if let Some(found) = &ran.table {
        return table(found);
    }
    match ran.images {
        0 => text((ran.logs + &ran.last.unwrap_or_default()).trim_end()),
        1 => json!({"resultType": "image", "fileName": PIXEL}),
        several => json!({"resultType": "images", "fileNames": vec![PIXEL; several]}),
    }
}

fn text(data: &str) -> Value {
    json!({"resultType": "text", "data": data})
}

fn table(table: &Table) -> Value {
    let schema: Vec<_> = table
        .columns
        .iter()
        .map(|column| json!({"name": column.name, "type": format!("\"{}\"", column.kind.catalog_text()), "metadata": "{}"}))
        .collect();
    json!({"resultType": "table", "schema": schema, "data": table.rows, "truncated": table.truncated, "isJsonSchema": true})
}

/// The summary comes as HTML, as recorded of failed commands.
pub(super) fn error(summary: &str, cause: &str) -> Value {
    let summary = summary.replace('&', "&amp;").replace('<', "&lt;");
    json!({"resultType": "error", "summary": format!("<span class=\"ansi-red-fg\">{summary}</span>"), "cause": cause})
}
