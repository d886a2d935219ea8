//! Which list of the workspace holds the values, and how its items become values.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::rank::rank;
use crate::controls;
use crate::definition::Completes;
use crate::policy::pattern::Kind;
use crate::shape;

/// What changes often is kept so long.
const SOON: Duration = Duration::from_secs(10);
/// And what changes slowly.
const SLOWLY: Duration = Duration::from_secs(60);

/// One list of the workspace, and what of it is offered.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    /// The tool that lists the same: without it nothing is offered.
    pub(super) tool: &'static str,
    pub(super) operation: &'static str,
    /// Its arguments.
    pub(super) given: Map<String, Value>,
    pub(super) completes: Completes,
    /// What was typed of the last part.
    typed: String,
    form: Form,
}

/// How an item becomes a value.
#[derive(Debug, Clone)]
enum Form {
    /// A dotted name; with a dot behind it where another part follows.
    Data { parent: String, goes_on: bool },
    /// A path, without its first slash where none was typed into a URI.
    Path { is_bare: bool },
    /// A name with its id in brackets, or in a URI the id alone.
    Named { id: &'static str, name: &'static str, is_bare: bool },
}

/// What a list is asked for.
pub(super) struct Asked<'a> {
    pub(super) completes: Completes,
    pub(super) typed: &'a str,
    /// It becomes a part of a URI.
    pub(super) is_bare: bool,
    /// What was chosen before, of other kinds.
    pub(super) chosen: &'a [(Completes, String)],
}

impl Asked<'_> {
    fn chosen(&self, kind: Completes) -> Option<&str> {
        self.chosen
            .iter()
            .find(|(known, _)| *known == kind)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }
}

impl Listing {
    /// The list for what was typed.
    pub(super) fn of(asked: &Asked<'_>) -> Option<Self> {
        match asked.completes {
            Completes::Catalog | Completes::Schema | Completes::Table | Completes::Volume => Self::of_data(asked),
            Completes::Notebook | Completes::Folder => Some(Self::of_tree(asked)),
            Completes::Job => Some(Self::named(asked, "list_jobs", "jobs.jobs.list", ("job_id", "settings.name"))),
            Completes::Run => {
                let mut runs = Self::named(asked, "list_job_runs", "jobs.jobs.list_runs", ("run_id", "run_name"));
                if let Some(job) = asked.chosen(Completes::Job) {
                    runs.given.insert("job_id".to_owned(), id_of(job).into());
                }
                Some(runs)
            }
            Completes::Cluster => {
                Some(Self::named(asked, "list_clusters", "compute.clusters.list", ("cluster_id", "cluster_name")))
            }
            Completes::Warehouse => Some(Self::named(asked, "list_warehouses", "sql.warehouses.list", ("id", "name"))),
            Completes::Pipeline => {
                let operation = "pipelines.pipelines.list_pipelines";
                Some(Self::named(asked, "list_pipelines", operation, ("pipeline_id", "name")))
            }
        }
    }

    fn named(
        asked: &Asked<'_>,
        tool: &'static str,
        operation: &'static str,
        (id, name): (&'static str, &'static str),
    ) -> Self {
        let form = Form::Named { id, name, is_bare: asked.is_bare };
        let (completes, typed) = (asked.completes, asked.typed.trim().to_owned());
        Self { tool, operation, given: Map::new(), completes, typed, form }
    }

    /// The next part of a dotted name, below what was typed or chosen before.
    fn of_data(asked: &Asked<'_>) -> Option<Self> {
        let depth = match asked.completes {
            Completes::Catalog => 1,
            Completes::Schema => 2,
            _ => 3,
        };
        let (typed_parent, typed) = match asked.typed.rsplit_once('.') {
            Some((parent, rest)) if depth > 1 => (parent.to_owned(), rest),
            Some(_) | None => (String::new(), asked.typed),
        };
        let parent = if typed_parent.is_empty() { chosen_parent(asked, depth) } else { typed_parent };
        let parts: Vec<&str> = parent.split('.').filter(|part| !part.is_empty()).collect();
        let (tool, operation, given) = match (parts.as_slice(), asked.completes) {
            ([], _) => ("list_catalogs", "catalog.catalogs.list", json!({})),
            ([catalog], _) => ("list_schemas", "catalog.schemas.list", json!({ "catalog_name": catalog })),
            ([catalog, schema], Completes::Volume) => {
                ("list_volumes", "catalog.volumes.list", json!({ "catalog_name": catalog, "schema_name": schema }))
            }
            ([catalog, schema], _) => {
                ("list_tables", "catalog.tables.list", json!({ "catalog_name": catalog, "schema_name": schema }))
            }
            _ => return None,
        };
        let given = given.as_object().cloned().unwrap_or_default();
        let form = Form::Data { parent: parts.join("."), goes_on: parts.len() + 1 < depth };
        let completes = match parts.len() {
            0 => Completes::Catalog,
            1 => Completes::Schema,
            _ => asked.completes,
        };
        Some(Self { tool, operation, given, completes, typed: typed.to_owned(), form })
    }

    /// What is in the folder that was typed.
    fn of_tree(asked: &Asked<'_>) -> Self {
        let typed = asked.typed.trim();
        let path = format!("/{}", typed.trim_start_matches('/'));
        let (folder, rest) = path.rsplit_once('/').unwrap_or(("", ""));
        let folder = if folder.is_empty() { "/" } else { folder };
        let given = json!({ "path": folder }).as_object().cloned().unwrap_or_default();
        let form = Form::Path { is_bare: asked.is_bare && !typed.starts_with('/') };
        let (tool, operation) = ("list_workspace_items", "workspace.workspace.list");
        Self { tool, operation, given, completes: asked.completes, typed: rest.to_owned(), form }
    }

    /// The value of an item, what policies call it, and how well it fits.
    pub(super) fn candidate(&self, item: &Value) -> Option<Candidate> {
        let field = |path: &str| match shape::at(item, path)? {
            Value::String(text) if !text.is_empty() => Some(controls::on_one_line(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        match &self.form {
            Form::Data { parent, goes_on } => {
                let name = field("name")?;
                let full = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
                let value = if *goes_on { format!("{full}.") } else { full.clone() };
                Some(Candidate { value, object: full, rank: rank(&self.typed, &name) })
            }
            Form::Path { is_bare } => {
                let (path, kind) = (field("path")?, field("object_type")?);
                let is_folder = matches!(kind.as_str(), "DIRECTORY" | "REPO");
                let is_wanted = is_folder || (kind == "NOTEBOOK" && self.completes == Completes::Notebook);
                if !is_wanted {
                    return None;
                }
                let name = path.rsplit('/').next().unwrap_or_default();
                let rank = rank(&self.typed, name);
                let value = if *is_bare { path.trim_start_matches('/') } else { path.as_str() };
                // The next keystroke is then in it.
                let goes_on = is_folder && self.completes == Completes::Notebook;
                let value = format!("{value}{}", if goes_on { "/" } else { "" });
                Some(Candidate { value, object: path, rank })
            }
            Form::Named { id, name, is_bare } => {
                let (id, name) = (field(id)?, field(name).unwrap_or_default());
                let whole = if name.is_empty() { id.clone() } else { format!("{name} ({id})") };
                let rank = [&whole, &id].into_iter().filter_map(|text| rank(&self.typed, text)).min();
                Some(Candidate { value: if *is_bare { id } else { whole }, object: name, rank })
            }
        }
    }

    /// How long it is kept. Runs and files come and go; what is asked for is whether one exists, never its state.
    pub(super) fn time_to_live(&self) -> Duration {
        match self.completes {
            Completes::Run | Completes::Notebook | Completes::Folder => SOON,
            _ => SLOWLY,
        }
    }

    /// What policies call its items.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.completes {
            Completes::Catalog | Completes::Schema | Completes::Table | Completes::Volume => Some(Kind::Data),
            // A run is of a job.
            Completes::Job | Completes::Run => Some(Kind::Jobs),
            Completes::Cluster => Some(Kind::Clusters),
            Completes::Warehouse => Some(Kind::Warehouses),
            Completes::Pipeline => None,
            Completes::Notebook | Completes::Folder => Some(Kind::Paths),
        }
    }
}

/// What may be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) value: String,
    /// Its name for policies.
    pub(super) object: String,
    /// How well it fits what was typed; `None` where it does not.
    pub(super) rank: Option<u8>,
}

/// What was chosen before, as what holds the name.
fn chosen_parent(asked: &Asked<'_>, depth: usize) -> String {
    let catalog = asked.chosen(Completes::Catalog).filter(|_| depth > 1);
    let schema = asked.chosen(Completes::Schema).filter(|_| depth > 2);
    match (schema, catalog) {
        (Some(schema), _) if schema.contains('.') => schema.to_owned(),
        (Some(schema), Some(catalog)) => format!("{catalog}.{schema}"),
        (_, Some(catalog)) => catalog.to_owned(),
        (_, None) => String::new(),
    }
}

/// The id of a value that may be a name with its id in brackets.
fn id_of(value: &str) -> &str {
    value.strip_suffix(')').and_then(|value| value.rsplit_once('(')).map_or(value, |(_, id)| id)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Asked, Listing};
    use crate::definition::Completes;

    fn listing(completes: Completes, typed: &str, is_bare: bool, chosen: &[(Completes, &str)]) -> Option<Listing> {
        let chosen: Vec<_> = chosen.iter().map(|(kind, value)| (*kind, (*value).to_owned())).collect();
        Listing::of(&Asked { completes, typed, is_bare, chosen: &chosen })
    }

    fn value(listing: &Listing, item: Value) -> Option<(String, Option<u8>)> {
        listing.candidate(&item).map(|candidate| (candidate.value, candidate.rank))
    }

    #[test]
    fn names_are_completed_part_by_part() {
        let catalog = (Completes::Catalog, "samples");
        for (completes, typed, chosen, tool, given, item, expected) in [
            (Completes::Catalog, "sa", vec![], "list_catalogs", json!({}), "samples", "samples"),
            (Completes::Table, "sa", vec![], "list_catalogs", json!({}), "samples", "samples."),
            (
                Completes::Table,
                "samples.",
                vec![],
                "list_schemas",
                json!({ "catalog_name": "samples" }),
                "retail",
                "samples.retail.",
            ),
            (
                Completes::Schema,
                "re",
                vec![catalog],
                "list_schemas",
                json!({ "catalog_name": "samples" }),
                "retail",
                "samples.retail",
            ),
            (
                Completes::Table,
                "or",
                vec![catalog, (Completes::Schema, "samples.retail")],
                "list_tables",
                json!({ "catalog_name": "samples", "schema_name": "retail" }),
                "orders",
                "samples.retail.orders",
            ),
            (
                Completes::Table,
                "or",
                vec![catalog, (Completes::Schema, "retail")],
                "list_tables",
                json!({ "catalog_name": "samples", "schema_name": "retail" }),
                "orders",
                "samples.retail.orders",
            ),
            (
                Completes::Volume,
                "main.default.f",
                vec![catalog],
                "list_volumes",
                json!({ "catalog_name": "main", "schema_name": "default" }),
                "files",
                "main.default.files",
            ),
        ] {
            let listing = listing(completes, typed, false, &chosen).expect("a list");
            assert_eq!((listing.tool, Value::Object(listing.given.clone())), (tool, given), "{typed}");
            assert_eq!(value(&listing, json!({ "name": item })), Some((expected.to_owned(), Some(0))), "{typed}");
        }
        assert!(listing(Completes::Table, "a.b.c.d", false, &[]).is_none());
    }

    #[test]
    fn paths_are_completed_folder_by_folder() {
        let item = |path: &str, kind: &str| json!({ "path": path, "object_type": kind });
        let typed = |typed: &str, is_bare| listing(Completes::Notebook, typed, is_bare, &[]).expect("a list");
        assert_eq!(typed("/Users/me/e", false).given["path"], "/Users/me");
        assert_eq!(typed("", false).given["path"], "/");
        let shown = |typed: &Listing, path, kind| value(typed, item(path, kind)).map(|(value, _)| value);
        assert_eq!(shown(&typed("/Us", false), "/Users", "DIRECTORY").as_deref(), Some("/Users/"));
        assert_eq!(shown(&typed("Shared/", true), "/Shared/etl", "NOTEBOOK").as_deref(), Some("Shared/etl"));
        assert_eq!(shown(&typed("/Shared/", true), "/Shared/etl", "NOTEBOOK").as_deref(), Some("/Shared/etl"));
        assert_eq!(shown(&typed("/Shared/", false), "/Shared/a.py", "FILE"), None);
        let folder = listing(Completes::Folder, "Sha", true, &[]).expect("a list");
        assert_eq!(shown(&folder, "/Shared", "DIRECTORY").as_deref(), Some("Shared"));
    }

    #[test]
    fn things_with_ids_are_found_by_their_names() {
        let job = json!({ "job_id": 81, "settings": { "name": "Nightly\nload" } });
        let found =
            |typed: &str, is_bare| value(&listing(Completes::Job, typed, is_bare, &[]).expect("a list"), job.clone());
        assert_eq!(found("night", false), Some(("Nightly load (81)".to_owned(), Some(0))));
        assert_eq!(found("load", true), Some(("81".to_owned(), Some(1))));
        assert_eq!(found("8", true), Some(("81".to_owned(), Some(0))));
        assert_eq!(found("weekly", true), Some(("81".to_owned(), None)));
        let runs = listing(Completes::Run, "", false, &[(Completes::Job, "Nightly (81)")]).expect("a list");
        assert_eq!(runs.given["job_id"], "81");
    }
}
