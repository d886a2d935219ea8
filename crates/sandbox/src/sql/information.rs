//! `information_schema`: the catalog as relations.
//!
//! Derived: the columns are those of the documentation that the sandbox can fill.

mod access;
mod keys;
mod objects;

use super::compile::{Compiled, Compiler, text_literal};
use super::ddl::definitions;
use super::types::Type;
use crate::ids::mix;
use crate::workspace::catalog::{Catalog, Node, Table};

/// Every catalog has a schema of this name.
pub(crate) const SCHEMA: &str = "information_schema";

type Row = Vec<Option<String>>;

/// What the schema holds.
const RELATIONS: [&str; 21] = [
    "catalog_privileges",
    "catalog_tags",
    "catalogs",
    "column_tags",
    "columns",
    "constraint_column_usage",
    "constraint_table_usage",
    "information_schema_catalog_name",
    "key_column_usage",
    "referential_constraints",
    "routines",
    "schema_privileges",
    "schema_tags",
    "schemata",
    "table_constraints",
    "table_privileges",
    "table_tags",
    "tables",
    "views",
    "volume_tags",
    "volumes",
];

/// The definition of a relation's columns, and its rows.
type Relation = (&'static str, Vec<Row>);

/// What one catalog's schema shows; that of `system` shows all.
struct View<'a> {
    catalog: &'a Catalog,
    name: &'a str,
}

impl View<'_> {
    fn sees(&self, name: &str) -> bool {
        self.name == "system" || self.name == name
    }

    fn relation(&self, name: &str) -> Option<Relation> {
        self.objects(name).or_else(|| self.keys(name)).or_else(|| self.access(name))
    }
}

/// The relations of a catalog's schema, as tables.
pub(crate) fn relations(catalog: &Catalog, name: &str) -> Vec<Table> {
    let Some(node) = catalog.schemas.get(&[name.to_owned(), SCHEMA.to_owned()]) else { return Vec::new() };
    let view = View { catalog, name };
    let table = |relation: &str| {
        let columns = definitions(view.relation(relation)?.0).ok()?;
        let place = format!("{name}.{relation}").bytes().fold(1, |hash, byte| mix(hash ^ u64::from(byte)));
        let id = format!("00000000-0000-4000-8000-{:012x}", place & 0xffff_ffff_ffff);
        let name = [name.to_owned(), SCHEMA.to_owned(), relation.to_owned()];
        Some(Table {
            name,
            node: Node { id, comment: None, ..node.clone() },
            kind: "VIEW",
            columns,
            view_definition: None,
        })
    };
    RELATIONS.into_iter().filter_map(table).collect()
}

impl Compiler<'_> {
    /// The relation behind `catalog.information_schema.name`.
    pub(crate) fn information_schema(&self, name: &[String; 3]) -> Option<Compiled> {
        let [catalog, schema, relation] = name;
        if schema != SCHEMA || !self.catalog.catalogs.contains_key(catalog) {
            return None;
        }
        let (definition, rows) = View { catalog: self.catalog, name: catalog }.relation(relation)?;
        let columns = definitions(definition).ok()?;
        let cell = |(index, value): (usize, &Option<String>)| match (value, columns.get(index)) {
            (None, _) | (_, None) => "NULL".to_owned(),
            (Some(value), Some(column)) if column.kind == Type::String => text_literal(value),
            (Some(value), _) => value.clone(),
        };
        let lines: Vec<_> = rows
            .iter()
            .map(|row| format!("({})", row.iter().enumerate().map(cell).collect::<Vec<_>>().join(", ")))
            .collect();
        let list: Vec<_> = (0..columns.len()).map(|index| format!("column{} AS c{index}", index + 1)).collect();
        let nulls: Vec<_> = (0..columns.len()).map(|index| format!("NULL AS c{index}")).collect();
        let sql = if lines.is_empty() {
            format!("SELECT {} WHERE 0", nulls.join(", "))
        } else {
            format!("SELECT {} FROM (VALUES {})", list.join(", "), lines.join(", "))
        };
        Some(Compiled { sql, columns })
    }
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn texts(values: &[String]) -> Row {
    values.iter().cloned().map(Some).collect()
}

/// `created`, `created_by`, `last_altered` and `last_altered_by`.
fn changes(node: &Node) -> Row {
    let micros = |millis: i64| Some(millis.saturating_mul(1000).to_string());
    vec![micros(node.created_at), text(&node.owner), micros(node.updated_at), text(&node.owner)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_relation_is_there() {
        let mut catalog = Catalog::default();
        catalog.schemas.insert(["main".to_owned(), SCHEMA.to_owned()], Node::default());
        let tables = relations(&catalog, "main");
        assert_eq!(tables.iter().map(|table| table.name[2].as_str()).collect::<Vec<_>>(), RELATIONS);
        assert!(tables.iter().all(|table| !table.columns.is_empty()) && relations(&catalog, "other").is_empty());
    }
}
