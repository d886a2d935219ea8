//! Names of arguments: the other names that a tool accepts, and the argument that an unknown name probably means.

use serde_json::{Map, Value};

use crate::arguments::{Fault, Rules, is_name};
use crate::nearest::nearest;

/// Words that stand for the same thing in names of arguments.
const SYNONYMS: [&[&str]; 11] = [
    &["full", "table", "volume", "function", "model", "index"],
    &["path", "file", "folder", "directory", "dir", "location"],
    &["limit", "max", "count", "size", "top", "number"],
    &["statement", "sql", "query", "text"],
    &["token", "cursor"],
    &["parameter", "param", "argument", "arg"],
    &["schema", "database", "db"],
    &["content", "data", "body", "source"],
    &["seconds", "secs", "timeout"],
    &["field", "column"],
    &["recursive", "force"],
];

/// A longer name is no misspelt name of an argument.
const LONGEST: usize = 64;

/// How alike two spellings are that differ by a slip.
const SLIP: f64 = 0.9;

/// How much of a name the words have to cover.
const COVERED: f64 = 0.75;

/// How much of each other's words two names have that mean one thing.
const SAME: f64 = 0.9;

/// Gives arguments that came under another name the name that the schema knows.
pub(super) fn rename(aliases: &[(&str, &str)], arguments: &mut Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (other, name) in aliases {
        let Some(value) = arguments.shift_remove(*other) else { continue };
        match arguments.get(*name) {
            None => {
                arguments.insert((*name).to_owned(), value);
            }
            Some(given) if *given == value || value.is_null() => {}
            Some(_) => faults.push(Fault {
                path: (*other).to_owned(),
                message: format!("another name for `{name}`, which is given too; give one of them"),
            }),
        }
    }
    faults
}

/// What names of arguments end in that say which thing is meant.
const TAILS: [&str; 3] = ["id", "name", "path"];

/// Gives an argument that has to be there, and came under a name that can mean nothing else, its own name: `name` of a tool
/// that takes `app_name`, `endpoint_name` of `query_endpoint`, `query` where there is `query_text`.
pub(super) fn rename_obvious(schema: &Map<String, Value>, rules: Rules<'_>, arguments: &mut Map<String, Value>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let wanted: Vec<_> = required.chain(rules.one_of.iter().copied()).collect();
    // `name` is the only one that ends so.
    let is_tail = |name: &str, known: &str| {
        let ends = |known: &str| known.strip_suffix(name).is_some_and(|rest| rest.ends_with('_'));
        TAILS.contains(&name) && ends(known) && wanted.iter().filter(|known| ends(known)).count() == 1
    };
    let is_elsewhere = |name: &str| {
        rules.elsewhere.is_some_and(|(parameters, _)| parameters.iter().any(|parameter| parameter.name == name))
    };
    let unknown =
        arguments.keys().filter(|name| name.len() <= LONGEST && !properties.contains_key(*name) && !is_elsewhere(name));
    let unknown: Vec<_> = unknown.cloned().collect();
    for name in unknown {
        let is_meant = |known: &&&str| {
            !arguments.contains_key(**known) && (is_same(&name, known, rules.tool) || is_tail(&name, known))
        };
        let mut meant = wanted.iter().filter(is_meant);
        if let (Some(known), None) = (meant.next(), meant.next())
            && let Some(value) = arguments.shift_remove(&name)
        {
            arguments.insert((*known).to_owned(), value);
        }
    }
}

/// Whether two names of arguments say the same, apart from what the name of the tool says already.
pub(crate) fn is_same(given: &str, known: &str, tool: &str) -> bool {
    let (given, known, tool) = (words(given), words(known), words(tool));
    let alike = |one: &[String], other: &[String]| {
        !one.is_empty() && !other.is_empty() && coverage(one, other) >= SAME && coverage(other, one) >= SAME
    };
    let rest = |words: &[String]| words.iter().filter(|word| !tool.contains(word)).cloned().collect::<Vec<_>>();
    alike(&given, &known) || alike(&rest(&given), &rest(&known))
}

/// The argument that an unknown name probably means: a slip of the pen, a part of the name, or another word for it.
pub(crate) fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let slip = known.iter().copied().filter(|candidate| strsim::jaro_winkler(name, candidate) >= SLIP);
    nearest(name, slip).or_else(|| by_words(name, known)).or_else(|| nearest(name, known.iter().copied()))
}

/// The argument of which an unknown name is like another name.
pub(super) fn another_name<'a>(name: &str, aliases: &[(&'a str, &'a str)]) -> Option<&'a str> {
    let others: Vec<_> = aliases.iter().map(|(other, _)| *other).collect();
    let other = meant(name, &others)?;
    aliases.iter().find(|(known, _)| *known == other).map(|(_, name)| *name)
}

/// The argument that says which thing a tool works on, where an unknown name only says what such a thing is: `notebook` of
/// `export_notebook`.
pub(super) fn of_thing<'a>(name: &str, tool: &str, required: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let (tool, mut things) = (words(tool), words(name));
    things.retain(|word| !TAILS.contains(&word.as_str()));
    // The first word of a tool's name is what it does.
    let is_thing = |word: &String| tool.iter().skip(1).any(|known| known == word);
    let mut naming = required.filter(|known| is_name(known));
    match (naming.next(), naming.next()) {
        (Some(known), None) if !things.is_empty() && things.iter().all(is_thing) => Some(known),
        _ => None,
    }
}

/// The part of a description that says what to do instead for a value: it has all words of it, and names a tool.
pub(super) fn told<'a>(description: &'a str, value: &str) -> Option<&'a str> {
    if value.len() > LONGEST {
        return None;
    }
    let value = words(value);
    let has_all = |clause: &str| {
        let known = words(clause);
        !value.is_empty() && value.iter().all(|word| known.contains(word))
    };
    let clauses =
        description.split(". ").flat_map(|sentence| sentence.split("; ")).map(|text| text.trim_end_matches('.'));
    clauses.into_iter().find(|clause| clause.contains('`') && has_all(clause))
}

fn by_words<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let given = words(name);
    let score = |candidate: &str| {
        let words = words(candidate);
        coverage(&given, &words).max(coverage(&words, &given)) + strsim::jaro_winkler(name, candidate) / 100.0
    };
    let scored = known.iter().map(|candidate| (score(candidate), *candidate));
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= COVERED).then_some(best.1)
}

/// How much of `words` is in `others`: 1 for all of it, a little less for synonyms.
fn coverage(words: &[String], others: &[String]) -> f64 {
    let one = |word: &String| {
        let is_synonym = |group: &&[&str]| {
            group.contains(&word.as_str()) && others.iter().any(|other| group.contains(&other.as_str()))
        };
        if others.contains(word) {
            1.0
        } else if SYNONYMS.iter().any(is_synonym) {
            0.8
        } else {
            0.0
        }
    };
    words.iter().map(one).sum::<f64>() / words.len().max(1) as f64
}

/// The words of a name in `snake_case`, `kebab-case` or `camelCase`, in lower case and singular.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        let is_border = !character.is_alphanumeric();
        if (is_border || (character.is_uppercase() && was_lower)) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| !is_border) {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    for word in &mut words {
        let singular = word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with('s'));
        if let Some(singular) = singular.map(str::to_owned).filter(|_| *word != "seconds") {
            *word = singular;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{another_name, meant, of_thing, rename, told, words};

    #[test]
    fn words_of_every_spelling() {
        for name in ["notebookPath", "notebook_path", "notebook-paths", "Notebook Path"] {
            assert_eq!(words(name), ["notebook", "path"], "{name}");
        }
        assert!(words("__").is_empty());
    }

    #[test]
    fn a_part_a_synonym_or_a_slip_is_understood() {
        for (name, known, expected) in [
            ("path", vec!["overwrite", "directory_path"], Some("directory_path")),
            ("name", vec!["comment", "volume_name", "volume_type"], Some("volume_name")),
            ("file", vec!["content", "path"], Some("path")),
            ("notebook_path", vec!["path", "parameters"], Some("path")),
            ("jobId", vec!["run_id", "job_id"], Some("job_id")),
            ("max_results", vec!["name", "limit", "page_token"], Some("limit")),
            ("page_size", vec!["name", "limit", "page_token"], Some("limit")),
            ("sql", vec!["statement", "catalog"], Some("statement")),
            ("timeout", vec!["wait", "timeout_seconds"], Some("timeout_seconds")),
            ("database", vec!["catalog", "schema"], Some("schema")),
            ("paht", vec!["path", "limit"], Some("path")),
            ("limt", vec!["path", "limit"], Some("limit")),
            ("cluster_name", vec!["cluster_id", "spark_version"], Some("cluster_id")),
            ("volume_name", vec!["full_name", "fields"], Some("full_name")),
            ("table", vec!["sample_rows", "full_name"], Some("full_name")),
            ("colour", vec!["path", "limit"], None),
            ("", vec!["path"], None),
        ] {
            assert_eq!(meant(name, &known), expected, "{name}");
        }
        assert_eq!(meant(&"path".repeat(1_000), &["path"]), None);
    }

    #[test]
    fn what_a_tool_works_on_is_named_by_its_one_argument() {
        let of = |name: &str, tool: &str, required: &[&'static str]| of_thing(name, tool, required.iter().copied());
        assert_eq!(of("notebook", "export_notebook", &["path"]), Some("path"));
        assert_eq!(of("volume_name", "list_volume_files", &["path"]), Some("path"));
        assert_eq!(of("files", "list_volume_files", &["path"]), Some("path"));
        assert_eq!(of("list", "list_volume_files", &["path"]), None, "what it does is no thing");
        assert_eq!(of("name", "list_volume_files", &["path"]), None, "it says nothing");
        assert_eq!(of("volume", "create_volume", &["catalog_name", "volume_name"]), None, "it may be either");
        assert_eq!(of("cluster", "list_volume_files", &["path"]), None);
        assert_eq!(another_name("notebook", &[("file", "path"), ("notebook_path", "path")]), Some("path"));
        assert_eq!(another_name("colour", &[("notebook_path", "path")]), None);
    }

    #[test]
    fn a_description_tells_what_to_use_instead() {
        let description = "Kind of object; for tables use `a`, for secret scopes `b`. A job has `c`.";
        for (value, expected) in [
            ("secret-scopes", Some("for tables use `a`, for secret scopes `b`")),
            ("SecretScope", Some("for tables use `a`, for secret scopes `b`")),
            ("jobs", Some("A job has `c`")),
            ("object", None),
            ("secret-thing", None),
            ("", None),
        ] {
            assert_eq!(told(description, value), expected, "{value}");
        }
        assert_eq!(told(description, &"job ".repeat(100_000)), None);
    }

    #[test]
    fn another_name_is_the_argument_unless_both_are_given() {
        let aliases = [("notebook_path", "path")];
        let renamed = |arguments: Value| {
            let Value::Object(mut arguments) = arguments else { panic!("no object") };
            let faults = rename(&aliases, &mut arguments);
            (Value::Object(arguments), faults.len())
        };
        assert_eq!(renamed(json!({ "notebook_path": "/a" })), (json!({ "path": "/a" }), 0));
        assert_eq!(renamed(json!({ "path": "/a", "notebook_path": "/a" })), (json!({ "path": "/a" }), 0));
        assert_eq!(renamed(json!({ "path": "/a", "notebook_path": "/b" })).1, 1);
        assert_eq!(renamed(json!({ "other": 1 })), (json!({ "other": 1 }), 0));
    }
}
