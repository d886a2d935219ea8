//! What a person is asked before a call changes something: what would be done, to what, as the workspace knows it, and what
//! follows from it.

use std::fmt::Write as _;

use databricks::{Client, Outgoing};
use serde_json::Value;

use super::asks::{ANY, Asking, Reason};
use super::facts::{self, Facts};
use super::{STATEMENT, statement};
use crate::controls;

/// Characters of a statement that are shown.
const LONGEST_STATEMENT: usize = 3_000;
/// Characters of a value.
const LONGEST_VALUE: usize = 200;
/// Arguments that are shown.
const MOST_ARGUMENTS: usize = 12;

/// What is asked about.
pub(super) struct About<'a> {
    pub(super) asking: &'a Asking,
    pub(super) reason: &'a Reason,
    pub(super) request: &'a Outgoing<'a>,
    pub(super) host: &'a str,
}

/// The question.
pub(super) async fn text(client: &Client, about: &About<'_>) -> String {
    let definition = about.asking.definition;
    let facts = facts::of(client, about).await;
    let title = definition.title.trim_end_matches('.');
    let sql = if about.request.operation.id == STATEMENT { statement(about.request) } else { None };
    let mut text = match (&sql, &about.reason.destroys, &facts) {
        (_, Some(destroys), _) => format!("Run a statement that {}?", destroys.what),
        (Some(_), None, _) => "Run a statement that changes something?".to_owned(),
        (None, None, Ok(Facts { name: Some(name), .. })) => format!("{title} {}?", quoted(name)),
        (None, None, _) => format!("{title}?"),
    };
    match &sql {
        Some((sql, circumstances)) => {
            let _ = write!(text, "\n\n{}\n", shown(sql));
            let values = circumstances.parameters.iter().take(MOST_ARGUMENTS);
            for (name, value) in values {
                let value = value.as_ref().map_or_else(|| "NULL".to_owned(), |value| quoted(value));
                let _ = write!(text, "\n:{} is {value}", line(name));
            }
        }
        None => text.push_str(&arguments(about)),
    }
    match &facts {
        Ok(facts) if !facts.lines.is_empty() => {
            let name = facts.name.as_ref().map_or_else(|| "It".to_owned(), |name| quoted(name));
            let _ = write!(text, "\n{name}: {}.", facts.lines.join("; "));
        }
        Ok(_) => {}
        Err(why) => {
            let _ = write!(text, "\nWhat this is in the workspace could not be read ({}).", line(why));
        }
    }
    for (name, pattern) in about.reason.protected.iter().filter(|(_, pattern)| pattern != ANY) {
        let _ = write!(text, "\n{} is protected on this server ({}).", quoted(name), quoted(pattern));
    }
    if let Some((name, _)) = about.reason.protected.iter().find(|(_, pattern)| pattern == ANY) {
        let _ = write!(text, "\nIt may touch {}.", line(name));
    }
    if sql.is_none() {
        let _ = write!(text, "\n{}", consequence(definition.description));
    }
    let _ = write!(text, "\nWorkspace: {}", about.host);
    text
}

/// A statement, or code, as the person reads it: no character of it moves another one out of sight.
fn shown(text: &str) -> String {
    let text = controls::for_terminal(text.trim());
    let length = text.chars().count();
    if length <= LONGEST_STATEMENT {
        return text;
    }
    let shown: String = text.chars().take(LONGEST_STATEMENT).collect();
    format!("{shown}…\n({} more characters are not shown)", length - LONGEST_STATEMENT)
}

/// What a model gave: on one line what is short, and below it what has lines of its own.
fn arguments(about: &About<'_>) -> String {
    let asking = about.asking;
    let is_long = |text: &&str| text.trim().contains('\n') || text.chars().count() > LONGEST_VALUE;
    let (mut short, mut long) = (Vec::new(), String::new());
    for (name, value) in asking.given.iter().take(MOST_ARGUMENTS) {
        match value.as_str() {
            Some(text) if is_long(&text) => {
                let _ = write!(long, "\n\n{}:\n{}\n", line(name), shown(text));
            }
            Some(text) => short.push(format!("{} = {}", line(name), quoted(text))),
            None => short.push(format!("{} = {}", line(name), quoted(&value.to_string()))),
        }
    }
    short.extend(asking.too_long.iter().map(|name| format!("{} (too long to be shown)", line(name))));
    let more = asking.given.len().saturating_sub(MOST_ARGUMENTS);
    if more > 0 {
        short.push(format!("{more} more"));
    }
    let with = if short.is_empty() { String::new() } else { format!(" with {}", short.join(", ")) };
    format!("\nTool: {}{with}{long}", asking.definition.name)
}

/// What follows from a call: the sentences of the description that are not about other tools, or about rights.
fn consequence(description: &str) -> String {
    let is_for_models = |sentence: &&str| {
        ["Needs ", "See ", "Not for "].iter().any(|start| sentence.starts_with(start)) || sentence.contains("use `")
    };
    let sentences: Vec<_> = description.trim().split(". ").map(|sentence| sentence.trim_end_matches('.')).collect();
    let told: Vec<_> = sentences.iter().filter(|sentence| !is_for_models(sentence)).copied().collect();
    let told = if told.is_empty() { sentences } else { told };
    format!("{}.", told.join(". "))
}

/// A text between backticks, on one line, which it cannot leave.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", line(text).replace('`', "'"))
}

fn line(text: &str) -> String {
    let text = controls::on_one_line(text.trim());
    match text.chars().count() > LONGEST_VALUE {
        true => format!("{}…", text.chars().take(LONGEST_VALUE).collect::<String>()),
        false => text,
    }
}

/// A value of the workspace as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(line(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consequence_is_what_the_description_says_of_the_object() {
        let description = "Deletes a job: its definition and schedule. This cannot be undone. To stop an execution use \
                           `cancel_run`. Notebooks and data that the job used stay. Needs CAN MANAGE or ownership.";
        assert_eq!(
            consequence(description),
            "Deletes a job: its definition and schedule. This cannot be undone. Notebooks and data that the job used stay."
        );
    }

    #[test]
    fn no_name_leaves_its_quotes_and_no_statement_hides_its_end() {
        assert_eq!(quoted("a`\nOwner: nobody\u{202e}"), "`a' Owner: nobody`");
        assert_eq!(quoted(&"x".repeat(1_000)).chars().count(), LONGEST_VALUE + 3);
        let long = shown(&format!("DROP TABLE x -- {}", "y".repeat(4_000)));
        assert!(long.ends_with("1016 more characters are not shown)"), "{long:.9999}");
    }
}
