//! What Delta tells of a table: DESCRIBE DETAIL, and the history that DESCRIBE HISTORY shows.
//!
//! Derived: files and sizes are estimates from the number of rows; all versions but the newest are told, not kept.

use serde_json::{Map, json};

use crate::sql::compile::identifier;
use crate::sql::engine::{Table, Work, failed};
use crate::sql::error::SqlError;
use crate::sql::types::{Column, Type};
use crate::workspace::USER_ID;
use crate::workspace::catalog::{Catalog, Name, Table as CatalogTable, Version};
use crate::workspace::lock;

use super::Change;

const BYTES_PER_CELL: usize = 12;

impl Work<'_> {
    /// Enters a version into a table's history.
    pub(crate) fn record(&self, name: &Name, operation: &'static str, counts: &[(&'static str, usize)]) {
        let version = Version {
            at: self.session.now_micros / 1000,
            operation,
            metrics: counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count.to_string()))).collect(),
        };
        let mut catalog = lock(self.catalog);
        let versions = history(&catalog, name);
        let versions = catalog.history.entry(name.clone()).or_insert(versions);
        versions.push(version);
    }

    pub(super) fn history(&self, catalog: &Catalog, table: &CatalogTable) -> Result<Table, SqlError> {
        expect_table(table, "DESCRIBE HISTORY")?;
        let map = || Type::Map(Box::new(Type::String), Box::new(Type::String));
        let columns = [
            ("version", Type::BigInt),
            ("timestamp", Type::Timestamp),
            ("userId", Type::String),
            ("userName", Type::String),
            ("operation", Type::String),
            ("operationParameters", map()),
            ("job", Type::String),
            ("notebook", Type::String),
            ("clusterId", Type::String),
            ("readVersion", Type::BigInt),
            ("isolationLevel", Type::String),
            ("isBlindAppend", Type::Boolean),
            ("operationMetrics", map()),
            ("userMetadata", Type::String),
            ("engineInfo", Type::String),
        ];
        let versions = history(catalog, &table.name);
        let rows = versions.iter().enumerate().rev().map(|(number, version)| {
            let append = version.operation == "WRITE" || version.operation.starts_with("CREATE");
            let text = |value: &str| Some(value.to_owned());
            vec![
                Some(number.to_string()),
                Some(self.instant(version.at)),
                Some(USER_ID.to_string()),
                text(&self.session.user),
                text(version.operation),
                text("{}"),
                None,
                None,
                None,
                number.checked_sub(1).map(|number| number.to_string()),
                text("WriteSerializable"),
                Some(append.to_string()),
                Some(json!(version.metrics).to_string()),
                None,
                text("Databricks-Sandbox"),
            ]
        });
        Ok(typed(columns, rows.collect()))
    }

    pub(super) fn detail(&self, table: &CatalogTable) -> Result<Table, SqlError> {
        expect_table(table, "DESCRIBE DETAIL")?;
        let count = format!("SELECT count(*) FROM {}", identifier(&table.full_name()));
        let rows: i64 = self.connection.query_row(&count, [], |row| row.get(0)).map_err(|error| failed(&error))?;
        let size = usize::try_from(rows).unwrap_or_default() * table.columns.len() * BYTES_PER_CELL;
        let texts = || Type::Array(Box::new(Type::String));
        let map = || Type::Map(Box::new(Type::String), Box::new(Type::String));
        let columns = [
            ("format", Type::String),
            ("id", Type::String),
            ("name", Type::String),
            ("description", Type::String),
            ("location", Type::String),
            ("createdAt", Type::Timestamp),
            ("lastModified", Type::Timestamp),
            ("partitionColumns", texts()),
            ("clusteringColumns", texts()),
            ("numFiles", Type::BigInt),
            ("sizeInBytes", Type::BigInt),
            ("properties", map()),
            ("minReaderVersion", Type::Int),
            ("minWriterVersion", Type::Int),
            ("tableFeatures", texts()),
            ("statistics", map()),
        ];
        let [c, s, t] = &table.name;
        let text = |value: &str| Some(value.to_owned());
        let statistics = json!({"numRowsDeletedByDeletionVectors": "0", "numDeletionVectors": "0"});
        let row = vec![
            text("delta"),
            text(&table.node.id),
            Some(table.full_name()),
            table.node.comment.clone(),
            Some(format!("s3://sandbox-storage/{c}/{s}/{t}")),
            Some(self.instant(table.node.created_at)),
            Some(self.instant(table.node.updated_at)),
            text("[]"),
            text("[]"),
            Some(i64::from(rows > 0).to_string()),
            Some(size.to_string()),
            Some(json!(table.node.properties).to_string()),
            text("1"),
            text("2"),
            text(r#"["appendOnly","invariants"]"#),
            Some(statistics.to_string()),
        ];
        Ok(typed(columns, vec![row]))
    }

    /// A cell of a TIMESTAMP.
    fn instant(&self, millis: i64) -> String {
        if self.limits.exact { millis.saturating_mul(1000).to_string() } else { crate::text::rfc3339(millis) }
    }
}

/// All versions of a table, oldest first. One that came with the workspace was created and filled at once.
pub(crate) fn history(catalog: &Catalog, name: &Name) -> Vec<Version> {
    match (catalog.history.get(name), catalog.table(name)) {
        (Some(versions), _) => versions.clone(),
        (None, Some(table)) => {
            vec![Version { at: table.node.created_at, operation: "CREATE TABLE AS SELECT", metrics: Map::new() }]
        }
        (None, None) => Vec::new(),
    }
}

/// The operation that a change of ALTER is in the history, where it is a version of its own.
pub(super) fn operation(change: &Change) -> Option<&'static str> {
    Some(match change {
        Change::Add { .. } => "ADD COLUMNS",
        Change::Drop { .. } => "DROP COLUMNS",
        Change::RenameColumn(..) => "RENAME COLUMN",
        Change::CommentColumn(..) => "CHANGE COLUMN",
        Change::SetProperties(_) => "SET TBLPROPERTIES",
        Change::UnsetProperties(_) => "UNSET TBLPROPERTIES",
        Change::RenameTo(_) | Change::Owner(_) => return None,
    })
}

fn typed<const N: usize>(columns: [(&str, Type); N], rows: Vec<Vec<Option<String>>>) -> Table {
    Table { columns: columns.map(|(name, kind)| Column::new(name, kind)).into(), rows, truncated: false }
}

fn expect_table(table: &CatalogTable, what: &str) -> Result<(), SqlError> {
    if table.view_definition.is_none() {
        return Ok(());
    }
    Err(SqlError::new(
        "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
        &format!("'{what}' expects a table but `{}` is a view.", table.full_name().replace('.', "`.`")),
        "42809",
    ))
}
