//! The state of Unity Catalog, which its API and the SQL engine share.
//!
//! Names are kept in lower case, as the real catalog keeps them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::sql::Column;

/// What every securable has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) comment: Option<String>,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    /// Further fields of its JSON form.
    pub(crate) extra: Map<String, Value>,
}

/// `catalog.schema.name`, in lower case.
pub(crate) type Name = [String; 3];

#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: Name,
    pub(crate) node: Node,
    /// `MANAGED`, `VIEW` or `EXTERNAL`.
    pub(crate) kind: &'static str,
    pub(crate) columns: Vec<Column>,
    pub(crate) view_definition: Option<String>,
}

impl Table {
    pub(crate) fn full_name(&self) -> String {
        self.name.join(".")
    }
}

/// An entry of a table's history.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) at: i64,
    pub(crate) operation: &'static str,
    pub(crate) metrics: Map<String, Value>,
}

/// A query whose rows went into a table, and the relations it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) query: String,
    pub(crate) sources: BTreeSet<Name>,
}

/// A key of a table: its primary key, or one that refers to another table.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// The other table and its columns.
    pub(crate) references: Option<(Name, Vec<String>)>,
}

/// What a tag is assigned to: the type of the entity and its name; and the tag.
pub(crate) type TagKey = (String, String, String);

type Grants = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) catalogs: BTreeMap<String, Node>,
    pub(crate) schemas: BTreeMap<[String; 2], Node>,
    pub(crate) tables: BTreeMap<Name, Table>,
    pub(crate) volumes: BTreeMap<Name, Node>,
    pub(crate) functions: BTreeMap<Name, Node>,
    pub(crate) models: BTreeMap<Name, Node>,
    /// Privileges by securable (type and full name) and principal.
    pub(crate) grants: BTreeMap<(String, String), Grants>,
    /// The versions of tables that were changed, oldest first.
    pub(crate) history: BTreeMap<Name, Vec<Version>>,
    pub(crate) keys: BTreeMap<Name, Vec<Key>>,
    /// What tables were made of, by the tables that were made.
    pub(crate) flows: BTreeMap<Name, Vec<Flow>>,
    /// Assignments of tags as they are told, of objects of the workspace too.
    pub(crate) tags: BTreeMap<TagKey, Value>,
    /// Tables whose rows the engine has yet to drop.
    pub(crate) dropped: Vec<String>,
}

impl Catalog {
    pub(crate) fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.get(name)
    }

    pub(crate) fn has_schema(&self, catalog: &str, schema: &str) -> bool {
        self.schemas.contains_key(&[catalog.to_owned(), schema.to_owned()])
    }

    pub(crate) fn schemas_of(&self, catalog: &str) -> impl Iterator<Item = (&[String; 2], &Node)> {
        self.schemas.iter().filter(move |([name, _], _)| name == catalog)
    }

    pub(crate) fn tables_of(&self, catalog: &str, schema: &str) -> impl Iterator<Item = &Table> {
        self.tables.values().filter(move |table| {
            let [table_catalog, table_schema, _] = &table.name;
            table_catalog == catalog && table_schema == schema
        })
    }

    /// Whether a schema holds anything.
    pub(crate) fn is_schema_empty(&self, catalog: &str, schema: &str) -> bool {
        let inside = |name: &Name| matches!(name, [c, s, _] if c == catalog && s == schema);
        !self.tables.keys().any(inside)
            && !self.volumes.keys().any(inside)
            && !self.functions.keys().any(inside)
            && !self.models.keys().any(inside)
    }

    /// Remembers what went into a table: a few queries of each.
    pub(crate) fn add_flow(&mut self, target: Name, flow: Flow) {
        const KEPT: usize = 10;
        let flows = self.flows.entry(target).or_default();
        if !flows.contains(&flow) && flows.len() < KEPT {
            flows.push(flow);
        }
    }

    pub(crate) fn drop_table(&mut self, name: &Name) -> Option<Table> {
        let table = self.tables.remove(name)?;
        if table.view_definition.is_none() {
            self.dropped.push(table.full_name());
        }
        self.grants.remove(&("table".to_owned(), table.full_name()));
        self.history.remove(name);
        self.keys.remove(name);
        self.flows.remove(name);
        self.forget_tags(&table.full_name());
        Some(table)
    }

    /// Tags go with what they are on, and with what that is in.
    fn forget_tags(&mut self, name: &str) {
        let inside = format!("{name}.");
        let is_gone = |kind: &str, entity: &str| {
            matches!(kind, "catalogs" | "schemas" | "tables" | "columns" | "volumes")
                && (entity == name || entity.starts_with(&inside))
        };
        self.tags.retain(|(kind, entity, _), _| !is_gone(kind, entity));
    }

    /// Drops a schema with all it holds.
    pub(crate) fn drop_schema(&mut self, catalog: &str, schema: &str) {
        let inside = |name: &Name| matches!(name, [c, s, _] if c == catalog && s == schema);
        let tables: Vec<_> = self.tables.keys().filter(|name| inside(name)).cloned().collect();
        for name in tables {
            self.drop_table(&name);
        }
        self.volumes.retain(|name, _| !inside(name));
        self.functions.retain(|name, _| !inside(name));
        self.models.retain(|name, _| !inside(name));
        self.schemas.remove(&[catalog.to_owned(), schema.to_owned()]);
        self.grants.remove(&("schema".to_owned(), format!("{catalog}.{schema}")));
        self.forget_tags(&format!("{catalog}.{schema}"));
    }

    /// Moves a schema that holds nothing to another name.
    pub(crate) fn move_schema(&mut self, from: [&str; 2], to: [&str; 2]) {
        if let Some(node) = self.schemas.remove(&from.map(str::to_owned)) {
            self.schemas.insert(to.map(str::to_owned), node);
        }
        self.move_grants("schema", &from.join("."), &to.join("."));
    }

    pub(crate) fn move_grants(&mut self, kind: &str, from: &str, to: &str) {
        if let Some(grants) = self.grants.remove(&(kind.to_owned(), from.to_owned())) {
            self.grants.insert((kind.to_owned(), to.to_owned()), grants);
        }
    }

    pub(crate) fn drop_catalog(&mut self, catalog: &str) {
        let schemas: Vec<_> = self.schemas_of(catalog).map(|([_, schema], _)| schema.clone()).collect();
        for schema in schemas {
            self.drop_schema(catalog, &schema);
        }
        self.catalogs.remove(catalog);
        self.grants.remove(&("catalog".to_owned(), catalog.to_owned()));
        self.forget_tags(catalog);
    }
}
