//! The tools that show what exists when the workspace does not have what a call names.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Registry, Tool, executor};
use crate::arguments::is_name;
use crate::definition::ToolDefinition;
use crate::generated::TOOLS;
use crate::risk::Risk;

/// Kinds of things as errors name them, the longer words first, and the tools that show which exist.
const KINDS: &[(&str, &[&str])] = &[
    ("service principal", &["list_service_principals"]),
    ("cluster policy", &["list_cluster_policies"]),
    ("instance pool", &["list_instance_pools"]),
    ("principal", PRINCIPALS),
    ("member", PRINCIPALS),
    ("user", &["list_users"]),
    ("group", &["list_groups"]),
    ("catalog", &["list_catalogs"]),
    ("schema", &["list_schemas"]),
    ("table", &["search_tables", "list_tables"]),
    ("volume", &["list_volumes"]),
    ("function", &["list_functions"]),
    ("connection", &["list_connections"]),
    ("external location", &["list_external_locations"]),
    ("warehouse", &["list_warehouses"]),
    ("cluster", &["list_clusters"]),
    ("run", &["list_job_runs"]),
];
/// Who can be granted something.
const PRINCIPALS: &[&str] = &["list_users", "list_groups", "list_service_principals"];
/// Names of arguments that say what they are of, where their descriptions name no tool.
const BY_ARGUMENT: &[(&str, &[&str])] = &[
    ("principal", PRINCIPALS),
    ("owner", PRINCIPALS),
    ("single_user_name", &["list_users"]),
    ("catalog", &["list_catalogs"]),
    ("schema", &["list_schemas"]),
    ("column_name", &["get_table_schema"]),
    ("task_key", &["get_run"]),
    ("endpoint_name", &["list_vector_endpoints"]),
    ("conversation_id", &["list_genie_conversations"]),
    ("message_id", &["list_genie_messages"]),
    ("created_by_id", &["list_users"]),
    ("budget_policy_id", &["list_usage_policies"]),
    ("parent_path", OF_TREE),
    ("source_code_path", OF_TREE),
    ("root_path", OF_TREE),
];
/// Objects whose access lists have another name than their list.
const BY_KIND: &[(&str, &str)] = &[
    ("alertsv2", "list_alerts"),
    ("directories", "list_workspace_items"),
    ("files", "list_workspace_items"),
    ("notebooks", "list_workspace_items"),
    ("repos", "list_git_folders"),
    ("queries", "list_saved_queries"),
    ("columns", "get_table_schema"),
    ("genie", "list_genie_spaces"),
    ("geniespaces", "list_genie_spaces"),
    ("vector-search-endpoints", "list_vector_endpoints"),
];
/// Arguments that name an object whose kind another argument says.
const TYPED: [&str; 4] = ["entity_id", "entity_name", "full_name", "object_id"];
/// Whose paths are in which tree.
const TREES: &[(&str, &[&str])] =
    &[("workspace.workspace.", OF_TREE), ("workspace.repos.", OF_TREE), ("files.dbfs.", &["list_dbfs_files"])];
/// The list that shows what exists in the workspace tree.
const OF_TREE: &[&str] = &["list_workspace_items"];
/// A shorter value stands in a message by chance.
const SHORTEST: usize = 2;

/// A value of a call, and what is known of it.
#[derive(Debug)]
struct Given<'a> {
    name: &'a str,
    value: Cow<'a, str>,
    description: &'a str,
}

impl Registry {
    /// The tools that show what exists, for a call that names something that does not: those for the kind of thing that
    /// the message of the error names, or else those that the arguments name as their source, of the arguments that
    /// the message quotes, or else of all. Nothing, rather than a list of other things.
    pub fn finders(&self, tool: &Tool, arguments: &Map<String, Value>, message: &str) -> Vec<&'static str> {
        let given = given(tool, arguments);
        let quoted: Vec<_> = given.iter().filter(|given| given.is_quoted(message)).collect();
        let of_kind = kind(message, &given).map(|lists| self.offered(lists.iter().copied())).unwrap_or_default();
        // A run of MLflow and one of a job are both a run: the argument knows which.
        let described: BTreeSet<_> = quoted.iter().flat_map(|given| given.described()).collect();
        let described = self.offered(described.into_iter());
        if !described.is_empty() && described.iter().all(|list| !of_kind.contains(list)) && !of_kind.is_empty() {
            return described;
        }
        if !of_kind.is_empty() {
            return of_kind;
        }
        let asked = if quoted.is_empty() { given.iter().collect() } else { quoted.clone() };
        let named = self.of_arguments(tool, arguments, &asked);
        if !named.is_empty() {
            return named;
        }
        // What may be left out is no name of the thing itself.
        let required =
            tool.input_schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_own = quoted.is_empty() || quoted.iter().any(|given| required.iter().any(|name| name == given.name));
        let own = TOOLS.iter().map(|list| list.name).filter(|list| is_own && is_list_of(list, tool.definition.name));
        self.offered(own)
    }

    /// What shows the things that these arguments name.
    fn of_arguments(&self, tool: &Tool, all: &Map<String, Value>, given: &[&Given<'_>]) -> Vec<&'static str> {
        let texts = || given.iter().map(|given| given.value.as_ref());
        // A path says where to look, whatever the toolset of the tool.
        let of_tool = tree(tool.definition).filter(|_| texts().any(|text| text.starts_with('/')));
        let by_path = texts().find_map(path_lists).or(of_tool).unwrap_or_default();
        let by_path = self.offered(by_path.iter().copied());
        if !by_path.is_empty() {
            return by_path;
        }
        let of_kind = all.iter().filter(|(name, _)| name.ends_with("_type")).filter_map(|(_, kind)| kind.as_str());
        let is_typed = given.iter().any(|given| TYPED.contains(&given.name));
        let of_kind = of_kind
            .filter(|_| is_typed)
            .flat_map(|kind| TOOLS.iter().map(|list| list.name).filter(move |list| is_list_of_kind(list, kind)));
        let of_kind = self.offered(of_kind);
        if !of_kind.is_empty() {
            return of_kind;
        }
        let sources: BTreeSet<_> = given.iter().flat_map(|given| given.sources()).collect();
        self.offered(sources.into_iter())
    }

    /// Of these tools those that can be called here.
    fn offered(&self, names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
        let is_executed = |name: &str| {
            let tool = TOOLS.iter().find(|tool| tool.name == name);
            self.has(executor(Risk::Read)) && tool.is_some_and(|tool| self.check_reach(tool, self.policy).is_ok())
        };
        names.filter(|name| self.has(name) || is_executed(name)).collect()
    }
}

impl Given<'_> {
    /// Whether a message has the value, and not as a part of a longer word.
    fn is_quoted(&self, message: &str) -> bool {
        let is_edge =
            |letter: Option<char>| letter.is_none_or(|letter| !(letter.is_alphanumeric() || "_-@".contains(letter)));
        self.value.chars().count() >= SHORTEST
            && message.match_indices(self.value.as_ref()).any(|(start, found)| {
                let before = message.get(..start).and_then(|text| text.chars().next_back());
                is_edge(before) && is_edge(message.get(start + found.len()..).and_then(|text| text.chars().next()))
            })
    }

    /// The tools that the value is from, as its description says.
    fn described(&self) -> Vec<&'static str> {
        let spans: Vec<_> = self.description.split('`').skip(1).step_by(2).collect();
        let is_finder = |name: &str| ["list_", "search_", "get_"].iter().any(|verb| name.starts_with(verb));
        TOOLS.iter().map(|tool| tool.name).filter(|name| is_finder(name) && spans.contains(name)).collect()
    }

    /// The tools that the value is from: as its description says, or else as its name does.
    fn sources(&self) -> Vec<&'static str> {
        let described = self.described();
        if !described.is_empty() {
            return described;
        }
        if let Some((_, lists)) = BY_ARGUMENT.iter().find(|(name, _)| *name == self.name) {
            return lists.to_vec();
        }
        // What is to be made has no list.
        if self.description.contains(" new ") || !is_name(self.name) {
            return Vec::new();
        }
        let thing = self.name.strip_suffix("_id").or_else(|| self.name.strip_suffix("_name")).unwrap_or_default();
        TOOLS.iter().map(|tool| tool.name).filter(|list| !thing.is_empty() && is_list_of_kind(list, thing)).collect()
    }
}

/// The texts and numbers of a call, at any depth. What is inside of an object has the name that is nearest to it, and the
/// description of the whole.
fn given<'a>(tool: &'a Tool, arguments: &'a Map<String, Value>) -> Vec<Given<'a>> {
    let mut given = Vec::new();
    let properties = tool.input_schema.get("properties");
    // The workspace knows nothing of this machine.
    for (name, value) in arguments.iter().filter(|(name, _)| *name != "local_path") {
        let schema = properties.and_then(|properties| properties.get(name));
        let description =
            schema.and_then(|schema| schema.get("description")).and_then(Value::as_str).unwrap_or_default();
        collect(name, value, description, &mut given);
    }
    given
}

fn collect<'a>(name: &'a str, value: &'a Value, description: &'a str, given: &mut Vec<Given<'a>>) {
    match value {
        Value::String(value) => given.push(Given { name, value: value.into(), description }),
        Value::Number(number) => given.push(Given { name, value: number.to_string().into(), description }),
        Value::Array(items) => items.iter().for_each(|item| collect(name, item, description, given)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(name, value, description, given)),
        _ => {}
    }
}

/// What shows the things of the kind that a message names before the thing itself: `Volume 'main.raw.x' does not exist.`
fn kind(message: &str, given: &[Given<'_>]) -> Option<&'static [&'static str]> {
    let values =
        given.iter().filter(|given| given.is_quoted(message)).filter_map(|given| message.find(given.value.as_ref()));
    let marks = message.find(['\'', '"', '`', '(', '[']);
    let end = values.chain(marks).chain(message.find("does not exist")).chain(message.find("not found")).min()?;
    let head = message.get(..end)?.to_lowercase();
    let has = |words: &str| {
        let head: Vec<_> =
            head.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let words: Vec<_> = words.split(' ').collect();
        head.windows(words.len()).any(|window| window == words)
    };
    KINDS.iter().find(|(words, _)| has(words)).map(|(_, lists)| *lists)
}

/// Whether a list shows things of the kind that another tool handles: `list_schemas` what `create_schema` makes.
pub(super) fn is_list_of(list: &str, tool: &str) -> bool {
    let (Some(plural), Some((_, noun))) = (list.strip_prefix("list_"), tool.split_once('_')) else { return false };
    let stem = noun.strip_suffix('y').map(|stem| format!("{stem}ies"));
    plural == format!("{noun}s") || stem.is_some_and(|irregular| plural == irregular)
}

/// Whether a list shows the things of a kind: `list_jobs` those of `jobs`, `list_serving_endpoints` those of
/// `serving-endpoints`, `list_tables` those of `table`.
fn is_list_of_kind(list: &str, kind: &str) -> bool {
    if let Some((_, known)) = BY_KIND.iter().find(|(known, _)| *known == kind) {
        return list == *known;
    }
    let kind = kind.to_lowercase().replace('-', "_");
    let Some(plural) = list.strip_prefix("list_") else { return false };
    let stem = kind.strip_suffix('y').map(|stem| format!("{stem}ies"));
    plural == kind || plural.strip_suffix('s') == Some(kind.as_str()) || stem.is_some_and(|stem| plural == stem)
}

/// The list of the tree that the paths of a tool are in.
fn tree(tool: &ToolDefinition) -> Option<&'static [&'static str]> {
    let is_in = |prefix: &str| tool.uses.iter().any(|operation| operation.id.starts_with(prefix));
    TREES.iter().find(|(prefix, _)| is_in(prefix)).map(|(_, lists)| *lists)
}

/// The tools that show what exists along a path.
fn path_lists(path: &str) -> Option<&'static [&'static str]> {
    if path.starts_with("/Volumes/") || path.starts_with("dbfs:/Volumes/") {
        Some(&["list_volumes", "list_volume_files"])
    } else if path.starts_with("dbfs:/") {
        Some(&["list_dbfs_files"])
    } else {
        None
    }
}
