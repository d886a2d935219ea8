//! What the server tells a model about itself, made from the enabled toolsets.

use crate::registry::Registry;
use crate::workspaces::Access;

/// Clients cut longer instructions.
const MOST_CHARACTERS: usize = 2_048;

/// Which workspaces there are, and how to say which is meant.
fn workspaces(all: &[Access]) -> String {
    let [first, others @ ..] = all else { return "Tools for one Databricks workspace.".to_owned() };
    let named = |access: &Access, note: &str| {
        let read_only = if access.read_only { "read-only" } else { "" };
        let notes: Vec<_> = [note, read_only].into_iter().filter(|note| !note.is_empty()).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        format!("`{}`{notes}", access.name)
    };
    let others: String = others.iter().map(|access| format!(", {}", named(access, ""))).collect();
    format!(
        "Tools for {} Databricks workspaces: {}{others}. `workspace` says which; ids, names and page tokens belong to \
         the `workspace` of their answer.",
        all.len(),
        named(first, "default"),
    )
}

/// The server's instructions.
pub fn instructions(registry: &Registry) -> String {
    let mut text = workspaces(registry.workspaces());
    if registry.is_read_only() {
        text.push_str(" Read-only: nothing can be changed.");
    }
    for toolset in registry.toolsets() {
        text.push_str(&format!("\n- {}: {}", toolset.title, toolset.description));
    }
    text.push_str(
        "\nLists give `items`; where `truncated` is true, pass `next_page_token` as `page_token` for the rest. \
         `fields` chooses the fields of a result. Identifiers may be numbers or text.",
    );
    if text.chars().count() > MOST_CHARACTERS {
        text = text.chars().take(MOST_CHARACTERS - 1).collect();
        text.push('…');
    }
    text
}
