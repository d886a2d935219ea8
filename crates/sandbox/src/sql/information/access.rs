//! Privileges and tags.

use super::{Relation, Row, View, text, texts};
use crate::workspace::USER;

/// Privileges that reach tables from above.
const ON_TABLES: [&str; 6] = ["SELECT", "MODIFY", "APPLY_TAG", "MANAGE", "BROWSE", "ALL_PRIVILEGES"];

impl View<'_> {
    pub(super) fn access(&self, name: &str) -> Option<Relation> {
        Some(match name {
            "table_privileges" => (
                "grantor STRING, grantee STRING, table_catalog STRING, table_schema STRING, table_name STRING, \
                 privilege_type STRING, is_grantable STRING, inherited_from STRING",
                self.tables()
                    .flat_map(|table| {
                        let [c, s, _] = &table.name;
                        [
                            self.granted("table", &table.full_name(), &table.name, "NONE"),
                            self.granted("schema", &format!("{c}.{s}"), &table.name, "SCHEMA"),
                            self.granted("catalog", c, &table.name, "CATALOG"),
                        ]
                        .concat()
                    })
                    .collect(),
            ),
            "schema_privileges" => (
                "grantor STRING, grantee STRING, catalog_name STRING, schema_name STRING, privilege_type STRING, \
                 is_grantable STRING, inherited_from STRING",
                self.catalog
                    .schemas
                    .keys()
                    .filter(|[catalog, _]| self.sees(catalog))
                    .flat_map(|name| {
                        let [c, s] = name;
                        [
                            self.granted("schema", &format!("{c}.{s}"), name, "NONE"),
                            self.granted("catalog", c, name, "CATALOG"),
                        ]
                        .concat()
                    })
                    .collect(),
            ),
            "catalog_privileges" => (
                "grantor STRING, grantee STRING, catalog_name STRING, privilege_type STRING, is_grantable STRING, \
                 inherited_from STRING",
                self.catalog
                    .catalogs
                    .keys()
                    .filter(|name| self.sees(name))
                    .flat_map(|name| self.granted("catalog", name, std::slice::from_ref(name), "NONE"))
                    .collect(),
            ),
            "catalog_tags" => ("catalog_name STRING, tag_name STRING, tag_value STRING", self.tags("catalogs")),
            "schema_tags" => {
                ("catalog_name STRING, schema_name STRING, tag_name STRING, tag_value STRING", self.tags("schemas"))
            }
            "table_tags" => (
                "catalog_name STRING, schema_name STRING, table_name STRING, tag_name STRING, tag_value STRING",
                self.tags("tables"),
            ),
            "column_tags" => (
                "catalog_name STRING, schema_name STRING, table_name STRING, column_name STRING, tag_name STRING, \
                 tag_value STRING",
                self.tags("columns"),
            ),
            "volume_tags" => (
                "catalog_name STRING, schema_name STRING, volume_name STRING, tag_name STRING, tag_value STRING",
                self.tags("volumes"),
            ),
            _ => return None,
        })
    }

    /// The tags of a kind of entity, after the names that lead to it.
    fn tags(&self, kind: &str) -> Vec<Row> {
        let tags = self.catalog.tags.iter().filter(|((of, entity, _), _)| {
            of == kind && entity.split('.').next().is_some_and(|catalog| self.sees(catalog))
        });
        tags.map(|((_, entity, tag), assignment)| {
            let value = assignment.get("tag_value").and_then(serde_json::Value::as_str).unwrap_or_default();
            entity.split('.').chain([tag.as_str(), value]).map(text).collect()
        })
        .collect()
    }

    /// The grants on a securable, told of an object that is it or is in it.
    fn granted(&self, kind: &str, securable: &str, object: &[String], inherited: &str) -> Vec<Row> {
        let grants = self.catalog.grants.get(&(kind.to_owned(), securable.to_owned()));
        let mut rows = Vec::new();
        for (grantee, privileges) in grants.into_iter().flatten() {
            let reaches = |privilege: &&String| object.len() < 3 || ON_TABLES.contains(&privilege.as_str());
            for privilege in privileges.iter().filter(reaches) {
                let rest = [text(privilege), text("NO"), text(inherited)];
                rows.push([vec![text(USER), text(grantee)], texts(object), rest.into()].concat());
            }
        }
        rows
    }
}
