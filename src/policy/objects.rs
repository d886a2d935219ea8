//! What the operations of the API name: one table, `objects.tsv`, says for each operation which of its values name objects
//! that a policy can have rules for.
//!
//! An operation that the table does not have may touch any object, and so may one that runs code, or takes documents
//! that name objects somewhere inside. A policy with rules on objects then refuses it unless a rule allows it by its
//! name. So an operation that is missing here makes a policy stricter, never looser.

use std::sync::LazyLock;

use databricks::{Arguments, Location};
use serde_json::Value;

use super::pattern::Kind;

const TABLE: &str = include_str!("objects.tsv");

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| TABLE.lines().filter_map(entry).collect());

/// How a value of a request tells an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// By its name, or by the parts of its name in several values.
    Name,
    /// By its id.
    Id,
    /// By the id of a run of it.
    Run,
    /// By a path in a volume.
    Volume,
    /// By the name that it has and the new one, which is in the same place.
    Rename,
}

/// What of a request tells objects of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// These values.
    Values(How, Vec<&'static str>),
    /// The text of a statement.
    Statement,
    /// A statement that was sent before.
    Result,
}

/// What is known of an operation.
#[derive(Debug)]
struct Entry {
    operation: &'static str,
    /// Whether it may touch any object of the kinds that it does not mention.
    any: bool,
    mentions: Vec<(Kind, Source)>,
}

/// What an operation names of a kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mention {
    Nothing,
    Any,
    Sources(Vec<&'static Source>),
}

/// A line of the table: the operation, or the beginning of several; `none` or `any` for the kinds that are not mentioned;
/// and what is.
fn entry(line: &'static str) -> Option<Entry> {
    let mut words = line.split_whitespace().filter(|_| !line.starts_with('#'));
    let (operation, others) = (words.next()?, words.next()?);
    let mention = |word: &'static str| {
        let (kind, source) = word.split_once('=')?;
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
        let source = match source.split_once(':') {
            None if source == "statement" => Source::Statement,
            None if source == "result" => Source::Result,
            None => return None,
            Some((how, values)) => {
                let how = match how {
                    "name" => How::Name,
                    "id" => How::Id,
                    "run" => How::Run,
                    "volume" => How::Volume,
                    "rename" => How::Rename,
                    _ => return None,
                };
                Source::Values(how, values.split('+').collect())
            }
        };
        Some((kind, source))
    };
    let mentions = words.map(mention).collect::<Option<Vec<_>>>()?;
    Some(Entry { operation, any: others != "none", mentions })
}

/// What an operation names of a kind: the longest entry that its id begins with knows.
pub(crate) fn mention(operation: &str, kind: Kind) -> Mention {
    let begins = |entry: &&Entry| {
        operation.strip_prefix(entry.operation).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let Some(entry) = ENTRIES.iter().filter(begins).max_by_key(|entry| entry.operation.len()) else {
        return Mention::Any;
    };
    let sources: Vec<_> = entry.mentions.iter().filter(|(known, _)| *known == kind).map(|(_, source)| source).collect();
    match (sources.is_empty(), entry.any) {
        (false, _) => Mention::Sources(sources),
        (true, true) => Mention::Any,
        (true, false) => Mention::Nothing,
    }
}

/// A value of a request by its name, wherever it goes, or by the path to it in an object.
pub(crate) fn value(arguments: &Arguments, name: &str) -> Option<String> {
    let (name, inner) = name.split_once('.').map_or((name, None), |(name, inner)| (name, Some(inner)));
    let places = [Location::Path, Location::Query, Location::Body];
    let value = places.into_iter().find_map(|place| arguments.get(place, name))?;
    match inner.map_or(Some(value), |inner| value.get(inner))? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The parts of the name of the volume that a path is in.
pub(crate) fn volume(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix("dbfs:").unwrap_or(path);
    let parts = Kind::Paths.parts(path)?;
    match parts.as_slice() {
        [volumes, catalog, schema, volume, ..] if volumes == "Volumes" => {
            Some(vec![catalog.clone(), schema.clone(), volume.clone()])
        }
        [volumes, above @ ..] if volumes == "Volumes" && !above.is_empty() => Some(above.to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::definition::Action;
    use crate::registry::{Registry, Selection};

    /// Values whose names say what they name, by kind.
    const GOVERNED: [(&str, Kind); 28] = [
        ("new_name", Kind::Data),
        ("catalog", Kind::Data),
        ("catalog_name", Kind::Data),
        ("entity_name", Kind::Data),
        ("full_name", Kind::Data),
        ("full_name_arg", Kind::Data),
        ("index_name", Kind::Data),
        ("on_securable_fullname", Kind::Data),
        ("schema_name", Kind::Data),
        ("securable_full_name", Kind::Data),
        ("source_table_name", Kind::Data),
        ("statement", Kind::Data),
        ("table_name", Kind::Data),
        ("table_names", Kind::Data),
        ("file_path", Kind::Data),
        ("directory_path", Kind::Data),
        ("model_name", Kind::Data),
        ("notebook_path", Kind::Paths),
        ("parent_path", Kind::Paths),
        ("path", Kind::Paths),
        ("root_path", Kind::Paths),
        ("source_code_path", Kind::Paths),
        ("job_id", Kind::Jobs),
        ("run_id", Kind::Jobs),
        ("cluster_id", Kind::Clusters),
        ("clusterId", Kind::Clusters),
        ("existing_cluster_id", Kind::Clusters),
        ("warehouse_id", Kind::Warehouses),
    ];
    /// Values of that name that name something else.
    const OTHERWISE: [(&str, &str); 4] = [
        ("iamv2.account_iam_v2.create_user", "full_name"),
        ("iamv2.account_iam_v2.update_user", "full_name"),
        ("iamv2.workspace_iam_v2.create_user_proxy", "full_name"),
        ("iamv2.workspace_iam_v2.update_user_proxy", "full_name"),
    ];

    fn exposed() -> Vec<&'static databricks::Operation> {
        let tools = Registry::all().into_iter().chain(Registry::reachable());
        let operations = tools.flat_map(|tool| match tool.definition.action {
            Action::Operation(plain) => vec![plain.operation],
            Action::Composite(_) => tool.definition.uses.to_vec(),
        });
        let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
        let resources = Registry::new(&selection).expect("a registry");
        operations.chain(resources.resources().iter().map(|resource| resource.operation)).collect()
    }

    #[test]
    fn the_table_is_whole_and_names_values_that_there_are() {
        let exposed = exposed();
        let mut seen = BTreeSet::new();
        for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let entry = entry(line).unwrap_or_else(|| panic!("`{line}` is not understood"));
            assert!(seen.insert(entry.operation), "{line}: twice");
            let begins = |id: &str| {
                id.strip_prefix(entry.operation).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let operations: Vec<_> = exposed.iter().filter(|operation| begins(operation.id)).collect();
            assert!(!operations.is_empty(), "{line}: no such operation");
            for (_, source) in &entry.mentions {
                let Source::Values(_, names) = source else { continue };
                for operation in &operations {
                    for name in names {
                        let head = name.split('.').next().unwrap_or_default();
                        let has = operation.parameters.iter().any(|parameter| parameter.name == head);
                        assert!(has, "{line}: `{}` has no `{name}`", operation.id);
                    }
                }
            }
        }
    }

    /// What is said to name nothing of a kind has no value of that kind, and what is said to name something of it has no
    /// other value of the kind.
    #[test]
    fn no_value_that_names_an_object_is_overlooked() {
        let mut overlooked = Vec::new();
        for operation in exposed() {
            for parameter in operation.parameters {
                let Some((_, kind)) = GOVERNED.iter().find(|(name, _)| *name == parameter.name) else { continue };
                if OTHERWISE.contains(&(operation.id, parameter.name)) {
                    continue;
                }
                // A path leads into a volume or to the workspace tree.
                let kinds = if *kind == Kind::Paths { vec![Kind::Paths, Kind::Data] } else { vec![*kind] };
                let is_named = |kind: Kind| match mention(operation.id, kind) {
                    Mention::Any => true,
                    Mention::Nothing => false,
                    Mention::Sources(sources) => sources.iter().any(|source| match source {
                        Source::Values(_, names) => names.contains(&parameter.name),
                        Source::Statement => matches!(parameter.name, "statement" | "catalog" | "schema"),
                        Source::Result => parameter.name == "statement_id",
                    }),
                };
                if !kinds.into_iter().any(is_named) {
                    overlooked.push(format!("{}: {}", operation.id, parameter.name));
                }
            }
        }
        overlooked.sort();
        overlooked.dedup();
        assert!(overlooked.is_empty(), "{}", overlooked.join("\n"));
    }
}
