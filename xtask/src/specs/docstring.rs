//! The two machine-readable marks that the SDK keeps in docstrings. Nothing else of a docstring is looked at, and no
//! sentence of one reaches the specs.

/// The pattern of the resource name that `parameter` takes, such as `stores/{store_id}/sessions/{session_id}`.
///
/// Only a token of this exact form counts: segments separated by `/`, the first one literal, each other either a literal
/// or variables in braces joined by dots, and at least one of them a variable. Where several stand
/// (`accounts/{account_id}/groups/{group_id}` and `groups/{group_id}` for the same parameter) the first is taken.
pub(crate) fn resource_name(docstring: &str, parameter: &str) -> Option<String> {
    let start = format!(":param {parameter}:");
    let lines = docstring.lines().map(str::trim).skip_while(|line| !line.starts_with(&start)).skip(1);
    lines
        .take_while(|line| !line.starts_with(":param ") && !line.starts_with(":returns"))
        .flat_map(|line| line.split(|character: char| !is_token(character)))
        .map(|token| token.trim_end_matches('.'))
        .find(|token| is_resource_name(token))
        .map(str::to_owned)
}

/// Whether a paragraph opens with one of the SDK's two deprecation marks.
pub(crate) fn is_deprecated(docstring: &str) -> bool {
    let marks = ["Deprecated:", "DEPRECATED:", "**Warning**: This API is deprecated"];
    let mut opens = true;
    for line in docstring.lines().map(str::trim).take_while(|line| !line.starts_with(":")) {
        if opens && marks.iter().any(|mark| line.starts_with(mark)) {
            return true;
        }
        opens = line.is_empty();
    }
    false
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '/' | '{' | '}' | '.' | '<' | '>')
}

fn is_resource_name(token: &str) -> bool {
    let mut segments = token.split('/');
    let first = segments.next().is_some_and(is_literal);
    let rest: Vec<&str> = segments.collect();
    first
        && rest.iter().all(|segment| is_literal(segment) || segment.split('.').all(is_variable))
        && rest.iter().any(|segment| segment.starts_with('{'))
}

fn is_literal(segment: &str) -> bool {
    segment.starts_with(|character: char| character.is_ascii_lowercase())
        && segment.chars().all(|character| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '-' | '_')
        })
}

fn is_variable(part: &str) -> bool {
    part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).is_some_and(|name| {
        !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    })
}
