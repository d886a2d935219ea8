//! The changes as text and as JSON.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::json;

use super::changes::{Change, How, What};

/// A paragraph per package, breaking changes marked with `!`, and a summary.
pub(super) fn text(changes: &[Change]) -> String {
    let mut text = String::new();
    let mut packages: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        packages.entry(&change.package).or_default().push(change);
    }
    for (package, changes) in &packages {
        text.push_str(&format!("{package}\n"));
        for change in changes {
            text.push_str(&format!("{}\n", line(change)));
        }
        text.push('\n');
    }
    let breaking = changes.iter().filter(|change| change.breaking).count();
    let operations = |how| changes.iter().filter(|change| change.what == What::Operation && change.how == how).count();
    text.push_str(&format!(
        "{breaking} breaking and {} compatible changes in {} packages; {} operations added, {} removed\n",
        changes.len() - breaking,
        packages.len(),
        operations(How::Added),
        operations(How::Removed),
    ));
    text
}

/// One change, with `!` before it if it breaks.
pub(crate) fn line(change: &Change) -> String {
    let mark = if change.breaking { '!' } else { ' ' };
    let detail = if change.detail.is_empty() { String::new() } else { format!(" {}", change.detail) };
    format!("{mark} {} {} {}{detail}", how(change.how), what(change.what), change.id)
}

/// `{"breaking": 1, "compatible": 2, "changes": […]}`.
pub(super) fn json(changes: &[Change]) -> Result<String> {
    let breaking = changes.iter().filter(|change| change.breaking).count();
    let value = json!({ "breaking": breaking, "compatible": changes.len() - breaking, "changes": changes });
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

fn how(how: How) -> &'static str {
    match how {
        How::Added => "+",
        How::Removed => "-",
        How::Changed => "~",
    }
}

fn what(what: What) -> &'static str {
    match what {
        What::Operation => "operation",
        What::Parameter => "parameter",
        What::Body => "body",
        What::Response => "response",
        What::Type => "type",
        What::Field => "field",
        What::EnumValue => "value",
    }
}
