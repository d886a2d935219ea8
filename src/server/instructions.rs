//! What the server tells a model about itself, made from the enabled toolsets.

use crate::registry::Registry;
use crate::workspaces::Access;

/// Clients cut longer instructions.
const MOST_CHARACTERS: usize = 2_048;

/// The server's instructions. Where they are too long, fewer workspaces are named (the schema of every tool names them
/// all), and then the toolsets are named without their descriptions.
pub fn instructions(registry: &Registry) -> String {
    let most = registry.workspaces().len();
    let forms = [true, false].into_iter().flat_map(|described| (0..=most).rev().map(move |named| (named, described)));
    let mut texts = forms.map(|(named, described)| text(registry, named, described));
    texts.find(|text| text.chars().count() <= MOST_CHARACTERS).unwrap_or_default()
}

/// The instructions with so many workspaces named, and with or without the descriptions of the toolsets.
fn text(registry: &Registry, named: usize, described: bool) -> String {
    let mut text = workspaces(registry.workspaces(), named);
    if registry.is_read_only() {
        text.push_str(" Read-only: nothing can be changed.");
    }
    if registry.is_dry_run() {
        text.push_str(
            " Dry run: a call that would change something returns the requests that it would send, and sends nothing.",
        );
    }
    if described {
        for toolset in registry.toolsets() {
            text.push_str(&format!("\n- {}: {}", toolset.title, toolset.description));
        }
    } else {
        let titles: Vec<_> = registry.toolsets().iter().map(|toolset| toolset.title).collect();
        text.push_str(&format!("\nToolsets: {}.", titles.join(", ")));
    }
    text.push_str(
        "\nLists return `items`; if `truncated` is true, pass `next_page_token` as `page_token` for the rest. \
         `fields` chooses the fields of a result. Identifiers may be numbers or text.",
    );
    text
}

/// Which workspaces there are, and how to say which is meant.
fn workspaces(all: &[Access], named: usize) -> String {
    if all.is_empty() {
        return "Tools for one Databricks workspace.".to_owned();
    }
    let name = |(number, access): (usize, &Access)| {
        let notes = [(number == 0, "default"), (access.read_only, "read-only")];
        let notes: Vec<_> = notes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, note)| note).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        format!("`{}`{notes}", access.name)
    };
    let names: Vec<_> = all.iter().enumerate().take(named).map(name).collect();
    let names = match (names.is_empty(), all.len().saturating_sub(named)) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", names.join(", ")),
        (false, others) => format!(": {} and {others} more", names.join(", ")),
    };
    format!(
        "Tools for {} Databricks workspaces{names}. `workspace` says which; ids, names and page tokens belong to the \
         `workspace` of their answer.",
        all.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::{MOST_CHARACTERS, instructions};
    use crate::registry::{Registry, Selection};
    use crate::workspaces::Access;

    fn text(toolsets: &str, workspaces: usize, name: impl Fn(usize) -> String) -> String {
        let access = |number| Access { name: name(number), read_only: number % 2 == 1 };
        let workspaces = (0..workspaces).map(access).collect();
        let registry =
            Registry::new(&Selection { toolsets: vec![toolsets.to_owned()], workspaces, ..Selection::default() });
        instructions(&registry.expect("a registry"))
    }

    #[test]
    fn they_end_where_a_sentence_ends_however_many_workspaces_there_are() {
        for (workspaces, length) in [(2, 4), (3, 40), (40, 8), (200, 60), (500, 200), (2, 3_000)] {
            let text = text("all", workspaces, |number| format!("w{number:0length$}"));
            assert!(text.chars().count() <= MOST_CHARACTERS, "{}", text.chars().count());
            assert!(text.starts_with(&format!("Tools for {workspaces} Databricks workspaces")), "{text}");
            assert!(text.ends_with("Identifiers may be numbers or text."), "{text}");
        }
        assert!(text("all", 2, |number| format!("w{number}")).contains(": `w0` (default), `w1` (read-only)."));
        let many = text("default", 200, |number| format!("workspace-{number}"));
        assert!(many.contains("`workspace-1` (read-only)") && many.contains(" more. `workspace` says which"), "{many}");
    }
}
