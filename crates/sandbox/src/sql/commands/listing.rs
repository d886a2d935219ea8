//! SHOW TABLES and SHOW COLUMNS over whole catalogs, as drivers ask for metadata.
//!
//! The columns of the tables' listing are recorded. Derived: those of the columns' listing, which are what drivers read.

use crate::sql::engine::Table;
use crate::sql::error::SqlError;
use crate::sql::types::Type;
use crate::workspace::catalog::{Catalog, Table as CatalogTable};

use super::Wanted;
use super::name_pattern::like;

fn chosen<'a>(catalog: &'a Catalog, wanted: &'a Wanted) -> Result<impl Iterator<Item = &'a CatalogTable>, SqlError> {
    if let Some(name) = &wanted.catalog
        && !catalog.catalogs.contains_key(name)
    {
        return Err(SqlError::catalog_not_found(name));
    }
    Ok(catalog.tables.values().filter(|table| {
        let [c, s, t] = &table.name;
        wanted.catalog.as_ref().is_none_or(|name| name == c)
            && like(s, wanted.schema.as_ref())
            && like(t, wanted.table.as_ref())
    }))
}

pub(super) fn tables(catalog: &Catalog, wanted: &Wanted) -> Result<Table, SqlError> {
    let rows = chosen(catalog, wanted)?.map(|table| {
        let [c, s, t] = table.name.clone();
        let kind = if table.view_definition.is_some() { "VIEW" } else { "TABLE" };
        let remarks = table.node.comment.clone().unwrap_or_default();
        [s, t, "false".to_owned(), String::new(), c, kind.to_owned(), remarks]
    });
    let names = ["namespace", "tableName", "isTemporary", "information", "catalogName", "tableType", "remarks"];
    let mut table = Table::of_texts(names, rows);
    retype(&mut table, "isTemporary", &Type::Boolean);
    Ok(table)
}

pub(super) fn columns(catalog: &Catalog, wanted: &Wanted) -> Result<Table, SqlError> {
    let names = [
        "col_name",
        "catalogName",
        "namespace",
        "tableName",
        "columnType",
        "columnSize",
        "decimalDigits",
        "radix",
        "isNullable",
        "remarks",
        "ordinalPosition",
        "isAutoIncrement",
        "isGenerated",
    ];
    let mut listed = Table::of_texts(names, []);
    for name in ["columnSize", "decimalDigits", "radix", "ordinalPosition"] {
        retype(&mut listed, name, &Type::Int);
    }
    for table in chosen(catalog, wanted)? {
        let [c, s, t] = &table.name;
        for (index, column) in table.columns.iter().enumerate() {
            if !like(&column.name, wanted.column.as_ref()) {
                continue;
            }
            let (size, digits) = match column.kind {
                Type::Decimal(precision, scale) => (Some(precision.into()), Some(scale.to_string())),
                Type::Boolean | Type::TinyInt => (Some(1), None),
                Type::SmallInt => (Some(2), None),
                Type::Int | Type::Float | Type::Date => (Some(4), None),
                Type::BigInt | Type::Double | Type::Timestamp | Type::TimestampNtz => (Some(8), None),
                _ => (None::<u32>, None),
            };
            let radix = column.kind.is_number().then(|| "10".to_owned());
            let text = |value: &str| Some(value.to_owned());
            listed.rows.push(vec![
                text(&column.name),
                text(c),
                text(s),
                text(t),
                Some(column.kind.text()),
                size.map(|size| size.to_string()),
                digits,
                radix,
                text(if column.nullable { "true" } else { "false" }),
                Some(column.comment.clone().unwrap_or_default()),
                Some(index.to_string()),
                text("NO"),
                text("NO"),
            ]);
        }
    }
    Ok(listed)
}

pub(super) fn retype(table: &mut Table, name: &str, kind: &Type) {
    if let Some(column) = table.columns.iter_mut().find(|column| column.name == name) {
        column.kind = kind.clone();
    }
}
