//! What the server tells a model about itself, made from the enabled toolsets.

use crate::registry::Registry;

/// Clients cut longer instructions.
const MOST_CHARACTERS: usize = 2_048;

/// The server's instructions.
pub fn instructions(registry: &Registry) -> String {
    let mut text = String::from("Tools for one Databricks workspace.");
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
