//! The JSON in which notebooks stand in DBC archives and in exported pages.
//!
//! Databricks documents it nowhere. Its names and shape are those of archives and pages that people have published; of
//! the fields of a command, only those are written that say something here. Results are not kept, so there are none.

use serde_json::{Value, json};

use super::language::Language;
use super::notebook::{Cell, Notebook};
use crate::error::ApiError;
use crate::ids::{mix, uuid_of};
use crate::json::{self, Members};

/// The notebook of a name and an id; the same at every export.
pub(super) fn write(notebook: &Notebook, name: &str, id: i64) -> Value {
    let commands: Vec<_> = (1_u32..).zip(&notebook.cells).map(|(position, cell)| command(cell, position, id)).collect();
    json!({
        "version": "NotebookV1", "origId": id, "name": name, "language": notebook.language.word(),
        "commands": commands, "dashboards": [], "guid": guid(id, 0), "globalVars": {}, "iPythonMetadata": null,
        "inputWidgets": {}, "notebookMetadata": {"pythonIndentUnit": 4}, "reposExportFormat": "SOURCE"
    })
}

fn command(cell: &Cell, position: u32, id: i64) -> Value {
    let (title, is_shown) = cell.title.as_ref().map_or(("", false), |title| (title.text.as_str(), title.is_shown));
    json!({
        "version": "CommandV1", "origId": id.saturating_add(i64::from(position)), "guid": guid(id, position),
        "subtype": "command", "commandType": "auto", "position": f64::from(position), "command": cell.text,
        "commandVersion": 0, "state": "input", "results": null, "resultDbfsStatus": "INLINED_IN_TREE",
        "errorSummary": null, "error": null, "startTime": 0, "submitTime": 0, "finishTime": 0, "collapsed": false,
        "inputWidgets": {}, "commandTitle": title, "showCommandTitle": is_shown, "hideCommandCode": false,
        "hideCommandResult": false, "iPythonMetadata": null, "metadata": {}, "nuid": guid(!id, position)
    })
}

pub(super) fn guid(id: i64, position: u32) -> String {
    let seed = mix(id.cast_unsigned() ^ (u64::from(position) << 40));
    uuid_of(seed, mix(seed))
}

/// Reads a notebook; nothing where it is none. The commands of an archive are in any order.
pub(super) fn read(model: &Value) -> Option<Notebook> {
    let language = Language::from_word(model.text_at("language"))?;
    let mut commands: Vec<_> = model.at("commands").as_array()?.iter().collect();
    let position = |command: &Value| command.at("position").as_f64().unwrap_or_default();
    commands.sort_by(|left, right| position(left).total_cmp(&position(right)));
    let cell = |command: &&Value| {
        let is_shown = command.at("showCommandTitle").as_bool().unwrap_or_default();
        Cell::new(command.text_at("command")).with_title(is_shown, command.text_at("commandTitle"))
    };
    Some(Notebook { language, cells: commands.iter().map(cell).collect() })
}

/// Reads a notebook from the text of its JSON; `place` says where it stands.
pub(super) fn parse(text: &[u8], place: &str) -> Result<Notebook, ApiError> {
    json::read(text).ok().as_ref().and_then(read).ok_or_else(|| {
        ApiError::invalid_parameter(format!("{place} does not hold a notebook in the JSON form of Databricks"))
    })
}
