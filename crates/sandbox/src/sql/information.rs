//! `information_schema`: the catalog as relations.
//!
//! Derived: the columns are those of the documentation that the sandbox can fill.

use super::compile::{Compiled, Compiler, text_literal};
use super::types::{Column, Type};

type Rows = Vec<Vec<Option<String>>>;

impl Compiler<'_> {
    /// The relation behind `catalog.information_schema.name`; in `system` it spans all catalogs.
    pub(crate) fn information_schema(&self, name: &[String; 3]) -> Option<Compiled> {
        let [catalog, schema, relation] = name;
        if schema != "information_schema" || !self.catalog.catalogs.contains_key(catalog) {
            return None;
        }
        let (names, numbers, rows) = self.information(catalog, relation)?;
        let kinds = names.iter().map(|name| if numbers.contains(name) { Type::Int } else { Type::String });
        let columns: Vec<_> = names.iter().zip(kinds).map(|(name, kind)| Column::new(*name, kind)).collect();
        let cell = |(value, column): (&Option<String>, &Column)| match (value, &column.kind) {
            (None, _) => "NULL".to_owned(),
            (Some(value), Type::Int) => value.clone(),
            (Some(value), _) => text_literal(value),
        };
        let lines: Vec<_> = rows
            .iter()
            .map(|row| format!("({})", row.iter().zip(&columns).map(cell).collect::<Vec<_>>().join(", ")))
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

    fn information(&self, catalog: &str, relation: &str) -> Option<(Vec<&'static str>, Vec<&'static str>, Rows)> {
        let seen = |name: &str| catalog == "system" || catalog == name;
        let tables =
            || self.catalog.tables.values().filter(|table| seen(table.name.first().map_or("", String::as_str)));
        let text = |value: &str| Some(value.to_owned());
        Some(match relation {
            "catalogs" => (
                vec!["catalog_name", "catalog_owner", "comment"],
                vec![],
                self.catalog
                    .catalogs
                    .iter()
                    .filter(|(name, _)| seen(name))
                    .map(|(name, node)| vec![text(name), text(&node.owner), node.comment.clone()])
                    .collect(),
            ),
            "schemata" => (
                vec!["catalog_name", "schema_name", "schema_owner", "comment"],
                vec![],
                self.catalog
                    .schemas
                    .iter()
                    .filter(|([name, _], _)| seen(name))
                    .map(|([c, s], node)| vec![text(c), text(s), text(&node.owner), node.comment.clone()])
                    .collect(),
            ),
            "tables" => (
                vec![
                    "table_catalog",
                    "table_schema",
                    "table_name",
                    "table_type",
                    "table_owner",
                    "comment",
                    "data_source_format",
                ],
                vec![],
                tables()
                    .map(|table| {
                        let [c, s, t] = &table.name;
                        let format = if table.view_definition.is_some() { None } else { text("DELTA") };
                        vec![
                            text(c),
                            text(s),
                            text(t),
                            text(table.kind),
                            text(&table.node.owner),
                            table.node.comment.clone(),
                            format,
                        ]
                    })
                    .collect(),
            ),
            "views" => (
                vec!["table_catalog", "table_schema", "table_name", "view_definition"],
                vec![],
                tables()
                    .filter(|table| table.view_definition.is_some())
                    .map(|table| {
                        table.name.iter().map(|part| text(part)).chain([table.view_definition.clone()]).collect()
                    })
                    .collect(),
            ),
            "columns" => (
                vec![
                    "table_catalog",
                    "table_schema",
                    "table_name",
                    "column_name",
                    "ordinal_position",
                    "is_nullable",
                    "full_data_type",
                    "data_type",
                    "comment",
                ],
                vec!["ordinal_position"],
                tables()
                    .flat_map(|table| {
                        let [c, s, t] = &table.name;
                        table.columns.iter().enumerate().map(move |(index, column)| {
                            let nullable = if column.nullable { "YES" } else { "NO" };
                            vec![
                                text(c),
                                text(s),
                                text(t),
                                text(&column.name),
                                Some(index.to_string()),
                                text(nullable),
                                Some(column.kind.catalog_text()),
                                text(column.kind.name()),
                                column.comment.clone(),
                            ]
                        })
                    })
                    .collect(),
            ),
            "volumes" => (
                vec!["volume_catalog", "volume_schema", "volume_name", "volume_type", "comment"],
                vec![],
                self.catalog
                    .volumes
                    .iter()
                    .filter(|([name, _, _], _)| seen(name))
                    .map(|([c, s, v], node)| vec![text(c), text(s), text(v), text("MANAGED"), node.comment.clone()])
                    .collect(),
            ),
            _ => return None,
        })
    }
}
