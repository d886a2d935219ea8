//! What there is: catalogs, schemas, tables, views, columns, volumes, routines.

use serde_json::Value;

use super::{Relation, Row, View, changes, text, texts};
use crate::sql::types::Type;
use crate::workspace::catalog::Table;

impl View<'_> {
    pub(super) fn objects(&self, name: &str) -> Option<Relation> {
        Some(match name {
            "information_schema_catalog_name" => ("catalog_name STRING", vec![vec![text(self.name)]]),
            "catalogs" => (
                "catalog_name STRING, catalog_owner STRING, comment STRING, created TIMESTAMP, created_by STRING, \
                 last_altered TIMESTAMP, last_altered_by STRING",
                self.catalog
                    .catalogs
                    .iter()
                    .filter(|(name, _)| self.sees(name))
                    .map(|(name, node)| {
                        [vec![text(name), text(&node.owner), node.comment.clone()], changes(node)].concat()
                    })
                    .collect(),
            ),
            "schemata" => (
                "catalog_name STRING, schema_name STRING, schema_owner STRING, comment STRING, created TIMESTAMP, \
                 created_by STRING, last_altered TIMESTAMP, last_altered_by STRING",
                self.catalog
                    .schemas
                    .iter()
                    .filter(|([catalog, _], _)| self.sees(catalog))
                    .map(|(name, node)| {
                        [texts(name), vec![text(&node.owner), node.comment.clone()], changes(node)].concat()
                    })
                    .collect(),
            ),
            "tables" => (
                "table_catalog STRING, table_schema STRING, table_name STRING, table_type STRING, \
                 is_insertable_into STRING, commit_action STRING, table_owner STRING, comment STRING, \
                 created TIMESTAMP, created_by STRING, last_altered TIMESTAMP, last_altered_by STRING, \
                 data_source_format STRING, storage_path STRING, storage_sub_directory STRING",
                self.tables().map(table).collect(),
            ),
            "views" => (
                "table_catalog STRING, table_schema STRING, table_name STRING, view_definition STRING, \
                 check_option STRING, is_updatable STRING, is_insertable_into STRING, sql_path STRING, \
                 is_materialized STRING",
                self.tables()
                    .filter(|table| table.view_definition.is_some())
                    .map(|table| {
                        let rest = [text("NONE"), text("NO"), text("NO"), None, text("NO")];
                        [texts(&table.name), vec![table.view_definition.clone()], rest.into()].concat()
                    })
                    .collect(),
            ),
            "columns" => (
                "table_catalog STRING, table_schema STRING, table_name STRING, column_name STRING, \
                 ordinal_position INT, column_default STRING, is_nullable STRING, full_data_type STRING, \
                 data_type STRING, character_maximum_length BIGINT, character_octet_length BIGINT, \
                 numeric_precision INT, numeric_precision_radix INT, numeric_scale INT, datetime_precision INT, \
                 is_identity STRING, is_generated STRING, is_updatable STRING, partition_ordinal_position INT, \
                 comment STRING",
                self.tables().flat_map(columns).collect(),
            ),
            "volumes" => (
                "volume_catalog STRING, volume_schema STRING, volume_name STRING, volume_type STRING, \
                 volume_owner STRING, comment STRING, storage_location STRING, created TIMESTAMP, \
                 created_by STRING, last_altered TIMESTAMP, last_altered_by STRING",
                self.catalog
                    .volumes
                    .iter()
                    .filter(|([catalog, ..], _)| self.sees(catalog))
                    .map(|(name, node)| {
                        let location = format!("s3://sandbox-storage/volumes/{}", name.join("/"));
                        let facts = [text("MANAGED"), text(&node.owner), node.comment.clone(), Some(location)];
                        [texts(name), facts.into(), changes(node)].concat()
                    })
                    .collect(),
            ),
            "routines" => (
                "specific_catalog STRING, specific_schema STRING, specific_name STRING, routine_catalog STRING, \
                 routine_schema STRING, routine_name STRING, routine_type STRING, data_type STRING, \
                 full_data_type STRING, routine_body STRING, routine_definition STRING, is_deterministic STRING, \
                 sql_data_access STRING, security_type STRING, routine_owner STRING, comment STRING, \
                 created TIMESTAMP, created_by STRING, last_altered TIMESTAMP, last_altered_by STRING",
                self.catalog
                    .functions
                    .iter()
                    .filter(|([catalog, ..], _)| self.sees(catalog))
                    .map(|(name, node)| {
                        let fact = |key: &str| node.extra.get(key).and_then(Value::as_str).map(str::to_owned);
                        let facts = [
                            text("FUNCTION"),
                            fact("data_type"),
                            fact("full_data_type"),
                            fact("routine_body"),
                            fact("routine_definition"),
                            text("YES"),
                            fact("sql_data_access"),
                            fact("security_type"),
                            text(&node.owner),
                            node.comment.clone(),
                        ];
                        [texts(name), texts(name), facts.into(), changes(node)].concat()
                    })
                    .collect(),
            ),
            _ => return None,
        })
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.catalog.tables.values().filter(|table| {
            let [catalog, ..] = &table.name;
            self.sees(catalog)
        })
    }
}

fn table(table: &Table) -> Row {
    let is_view = table.view_definition.is_some();
    let path = (!is_view).then(|| format!("s3://sandbox-storage/{}", table.name.join("/")));
    let insertable = if is_view { "NO" } else { "YES" };
    let facts =
        [text(table.kind), text(insertable), text("PRESERVE"), text(&table.node.owner), table.node.comment.clone()];
    let format = text(if is_view { "UNKNOWN_DATA_SOURCE_FORMAT" } else { "DELTA" });
    [texts(&table.name), facts.into(), changes(&table.node), vec![format, path, None]].concat()
}

fn columns(table: &Table) -> impl Iterator<Item = Row> {
    table.columns.iter().enumerate().map(|(index, column)| {
        let (precision, radix, scale) = match column.kind {
            Type::Decimal(precision, scale) => (Some(precision), Some(10), Some(scale)),
            Type::TinyInt => (Some(8), Some(2), Some(0)),
            Type::SmallInt => (Some(16), Some(2), Some(0)),
            Type::Int => (Some(32), Some(2), Some(0)),
            Type::BigInt => (Some(64), Some(2), Some(0)),
            Type::Float => (Some(24), Some(2), None),
            Type::Double => (Some(53), Some(2), None),
            _ => (None, None::<u8>, None),
        };
        let number = |value: Option<u8>| value.map(|value| value.to_string());
        let length = (column.kind == Type::String).then(|| "0".to_owned());
        let instant = match column.kind {
            Type::Date => text("0"),
            Type::Timestamp | Type::TimestampNtz => text("6"),
            _ => None,
        };
        let facts = [
            text(&column.name),
            Some(index.to_string()),
            None,
            text(if column.nullable { "YES" } else { "NO" }),
            Some(column.kind.catalog_text()),
            text(column.kind.name()),
            length.clone(),
            length,
            number(precision),
            number(radix),
            number(scale),
            instant,
            text("NO"),
            text("NO"),
            text("YES"),
            None,
            column.comment.clone(),
        ];
        [texts(&table.name), facts.into()].concat()
    })
}
