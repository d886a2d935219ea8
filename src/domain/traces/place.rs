//! Where traces are kept: in an experiment, or in tables of Unity Catalog.

use databricks::requests::ml::experiments::GetByName;
use serde_json::{Value, json};

use crate::context::Context;
use crate::domain::sql::warehouse;
use crate::error::Error;
use crate::shape;

/// How the id of a trace in Unity Catalog begins: `trace:/<catalog>.<schema>/<id>`.
const CATALOG_ID: &str = "trace:/";

/// A place that traces are searched in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// An experiment, by its id.
    Experiment(String),
    /// A schema, and the prefix of its tables where one is named.
    Catalog { catalog: String, schema: String, prefix: Option<String> },
}

impl Place {
    /// The place that a caller names: by the id of an experiment, by its name, or by that of a schema.
    pub(crate) async fn of(context: &Context, named: &str) -> Result<Self, Error> {
        let named = named.trim();
        if !named.is_empty() && named.bytes().all(|letter| letter.is_ascii_digit()) {
            return Ok(Self::Experiment(named.to_owned()));
        }
        if let Some(place) = Self::in_catalog(named) {
            return Ok(place);
        }
        let hint = "name an experiment by its id or its name, as `list_experiments` shows them";
        let found = context.send(GetByName::new(named)).await.map_err(|error| match error.is_not_found() {
            true => error.with_hint(hint),
            false => error,
        })?;
        let id = shape::at(&found, "experiment.experiment_id").and_then(Value::as_str).map(str::to_owned);
        id.map(Self::Experiment).ok_or_else(|| Error::failed(format!("`{named}` is no experiment")).with_hint(hint))
    }

    /// `catalog.schema` or `catalog.schema.prefix`. Names of experiments in a workspace begin with a slash.
    fn in_catalog(named: &str) -> Option<Self> {
        if named.contains(|letter: char| letter == '/' || letter.is_whitespace()) {
            return None;
        }
        let mut parts = named.split('.').map(|part| Some(part.to_owned()).filter(|part| !part.is_empty()));
        let (catalog, schema) = (parts.next()??, parts.next()??);
        let prefix = match parts.next() {
            Some(prefix) => Some(prefix?),
            None => None,
        };
        parts.next().is_none().then_some(Self::Catalog { catalog, schema, prefix })
    }

    /// The place as a search takes it.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Experiment(id) => {
                json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": id } })
            }
            Self::Catalog { catalog, schema, prefix: None } => {
                json!({ "type": "UC_SCHEMA", "uc_schema": { "catalog_name": catalog, "schema_name": schema } })
            }
            Self::Catalog { catalog, schema, prefix: Some(prefix) } => json!({
                "type": "UC_TABLE_PREFIX",
                "uc_table_prefix": { "catalog_name": catalog, "schema_name": schema, "table_prefix": prefix },
            }),
        }
    }
}

/// The schema, with the prefix of its tables, that holds the trace, if it is in Unity Catalog.
pub(crate) fn location(info: &Value) -> Option<String> {
    let place = info.get("trace_location")?;
    let join = |kind: &str, names: [&str; 3]| {
        let place = place.get(kind)?;
        let parts = names.iter().filter_map(|name| place.get(*name)?.as_str().filter(|part| !part.is_empty()));
        Some(parts.collect::<Vec<_>>().join(".")).filter(|joined| !joined.is_empty())
    };
    let names = ["catalog_name", "schema_name", "table_prefix"];
    join("uc_schema", names).or_else(|| join("uc_table_prefix", names))
}

/// The id of a trace in Unity Catalog, which tells where it is.
pub(crate) fn id_in(location: &str, id: &str) -> String {
    format!("{CATALOG_ID}{location}/{id}")
}

/// The place and the id within it, of the id of a trace in Unity Catalog; `None` for any other trace.
pub(crate) fn split(id: &str) -> Option<(&str, &str)> {
    let (location, id) = id.strip_prefix(CATALOG_ID)?.split_once('/')?;
    (!location.is_empty() && !id.is_empty()).then_some((location, id))
}

/// Whether the workspace wants to be told a warehouse, as traces in tables are read through one.
pub(crate) fn wants_warehouse(error: &Error) -> bool {
    error.api().is_some_and(|error| error.is_bad_request() && error.message().contains("resolve a SQL warehouse"))
}

/// A warehouse that runs, for traces in tables: none is started for them, as that would cost.
pub(crate) async fn warehouse(context: &Context) -> Result<String, Error> {
    let running = warehouse::running(context, None).await?;
    running.map(|warehouse| warehouse.id).ok_or_else(|| {
        Error::failed("these traces are in tables of Unity Catalog, and no SQL warehouse runs that could read them")
            .with_hint("name a `warehouse_id`, from `list_warehouses`; a stopped one is started for it")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Place, id_in, location, split};

    #[test]
    fn schemas_are_told_from_names_of_experiments() {
        let of = |named| Place::in_catalog(named).map(|place| place.to_json());
        assert_eq!(
            of("main.traces"),
            Some(json!({ "type": "UC_SCHEMA", "uc_schema": { "catalog_name": "main", "schema_name": "traces" } }))
        );
        let prefixed = json!({ "catalog_name": "main", "schema_name": "traces", "table_prefix": "shop" });
        assert_eq!(of("main.traces.shop"), Some(json!({ "type": "UC_TABLE_PREFIX", "uc_table_prefix": prefixed })));
        for named in ["", "main", "/Users/a.b@acme.test/x", "my agent v1.2", "a.b.c.d", "a..c", "a."] {
            assert_eq!(of(named), None, "{named}");
        }
    }

    #[test]
    fn ids_in_unity_catalog_tell_where_they_are() {
        let tables = json!({ "catalog_name": "c", "schema_name": "s", "table_prefix": "p" });
        let info = json!({ "trace_location": { "uc_table_prefix": tables } });
        let location = location(&info).expect("a location");
        assert_eq!(location, "c.s.p");
        assert_eq!(split(&id_in(&location, "ab12")), Some(("c.s.p", "ab12")));
        for id in ["tr-ab12", "trace:/", "trace:/c.s", "trace:/c.s/", "trace://x"] {
            assert_eq!(split(id), None, "{id}");
        }
        assert_eq!(
            super::location(&json!({ "trace_location": { "mlflow_experiment": { "experiment_id": "1" } } })),
            None
        );
    }
}
