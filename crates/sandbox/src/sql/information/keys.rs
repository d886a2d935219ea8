//! Primary and foreign keys.

use super::{Relation, Row, View, text, texts};
use crate::workspace::catalog::{Key, Name};

impl View<'_> {
    pub(super) fn keys(&self, name: &str) -> Option<Relation> {
        Some(match name {
            "table_constraints" => (
                "constraint_catalog STRING, constraint_schema STRING, constraint_name STRING, \
                 table_catalog STRING, table_schema STRING, table_name STRING, constraint_type STRING, \
                 is_deferrable STRING, initially_deferred STRING, enforced STRING, comment STRING",
                self.each_key(|table, key| {
                    let kind = if key.references.is_some() { "FOREIGN KEY" } else { "PRIMARY KEY" };
                    let rest = [text(kind), text("YES"), text("YES"), text("NO"), None];
                    vec![[id(table, key), texts(table), rest.into()].concat()]
                }),
            ),
            "key_column_usage" => (
                "constraint_catalog STRING, constraint_schema STRING, constraint_name STRING, \
                 table_catalog STRING, table_schema STRING, table_name STRING, column_name STRING, \
                 ordinal_position INT, position_in_unique_constraint INT",
                self.each_key(|table, key| {
                    let columns = key.columns.iter().enumerate();
                    columns
                        .map(|(index, column)| {
                            let place = Some((index + 1).to_string());
                            let unique = key.references.as_ref().and(place.clone());
                            [id(table, key), texts(table), vec![text(column), place, unique]].concat()
                        })
                        .collect()
                }),
            ),
            "referential_constraints" => (
                "constraint_catalog STRING, constraint_schema STRING, constraint_name STRING, \
                 unique_constraint_catalog STRING, unique_constraint_schema STRING, \
                 unique_constraint_name STRING, match_option STRING, update_rule STRING, delete_rule STRING",
                self.each_key(|table, key| {
                    let Some((parent, _)) = &key.references else { return Vec::new() };
                    let keys = self.catalog.keys.get(parent).into_iter().flatten();
                    let primary = keys.into_iter().find(|key| key.references.is_none());
                    let [c, s, _] = parent;
                    let unique = [text(c), text(s), primary.map(|key| key.name.clone())];
                    let rules = [text("FULL"), text("NO ACTION"), text("NO ACTION")];
                    vec![[id(table, key), unique.into(), rules.into()].concat()]
                }),
            ),
            "constraint_column_usage" => (
                "table_catalog STRING, table_schema STRING, table_name STRING, column_name STRING, \
                 constraint_catalog STRING, constraint_schema STRING, constraint_name STRING",
                self.each_key(|table, key| {
                    // A foreign key uses the columns that it refers to.
                    let (used, columns) = key.references.as_ref().map_or((table, &key.columns), |(t, c)| (t, c));
                    columns.iter().map(|column| [texts(used), vec![text(column)], id(table, key)].concat()).collect()
                }),
            ),
            "constraint_table_usage" => (
                "table_catalog STRING, table_schema STRING, table_name STRING, constraint_catalog STRING, \
                 constraint_schema STRING, constraint_name STRING",
                self.each_key(|table, key| {
                    let used = key.references.as_ref().map_or(table, |(parent, _)| parent);
                    vec![[texts(used), id(table, key)].concat()]
                }),
            ),
            _ => return None,
        })
    }

    fn each_key(&self, rows: impl Fn(&Name, &Key) -> Vec<Row>) -> Vec<Row> {
        let seen = self.catalog.keys.iter().filter(|([catalog, ..], _)| self.sees(catalog));
        seen.flat_map(|(table, keys)| keys.iter().flat_map(|key| rows(table, key)).collect::<Vec<_>>()).collect()
    }
}

fn id(table: &Name, key: &Key) -> Row {
    let [c, s, _] = table;
    vec![text(c), text(s), text(&key.name)]
}
