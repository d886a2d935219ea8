//! Primary and foreign keys of CREATE TABLE, which inform and are not enforced.

use sqlparser::ast::{ColumnOption, CreateTable, Expr, ForeignKeyConstraint, Ident, TableConstraint};

use super::compile::Compiler;
use super::error::SqlError;
use super::parse::{parts, values};
use crate::workspace::catalog::{Key, Name};

impl Compiler<'_> {
    pub(super) fn keys(&self, table: &Name, create: &CreateTable) -> Result<Vec<Key>, SqlError> {
        let mut keys = Vec::new();
        for column in &create.columns {
            for option in &column.options {
                let own = || vec![column.name.value.clone()];
                match &option.option {
                    ColumnOption::PrimaryKey(key) => {
                        keys.push(primary(table, key.name.as_ref().or(option.name.as_ref()), own()))
                    }
                    ColumnOption::ForeignKey(key) => keys.push(self.foreign(table, key, own())?),
                    _ => {}
                }
            }
        }
        for constraint in &create.constraints {
            match constraint {
                TableConstraint::PrimaryKey(key) => {
                    let columns = key.columns.iter().map(|column| match &column.column.expr {
                        Expr::Identifier(name) => Ok(name.value.clone()),
                        _ => Err(SqlError::unsupported("keys over anything but columns")),
                    });
                    keys.push(primary(table, key.name.as_ref(), columns.collect::<Result<_, _>>()?));
                }
                TableConstraint::ForeignKey(key) => keys.push(self.foreign(table, key, values(&key.columns))?),
                _ => return Err(SqlError::unsupported("this constraint in CREATE TABLE")),
            }
        }
        for column in keys.iter().flat_map(|key| &key.columns) {
            if !create.columns.iter().any(|known| known.name.value.eq_ignore_ascii_case(column)) {
                return Err(SqlError::column_not_found(std::slice::from_ref(column), &[]));
            }
        }
        Ok(keys)
    }

    fn foreign(&self, table: &Name, key: &ForeignKeyConstraint, columns: Vec<String>) -> Result<Key, SqlError> {
        let name = parts(&key.foreign_table)?;
        let parent = self.qualify(&name)?;
        if self.catalog.table(&parent).is_none() {
            return Err(SqlError::table_not_found(&name));
        }
        let known = self.catalog.keys.get(&parent).into_iter().flatten().find(|key| key.references.is_none());
        let referred = match (values(&key.referred_columns), known) {
            (referred, _) if !referred.is_empty() => referred,
            (_, Some(primary)) => primary.columns.clone(),
            (..) => return Err(SqlError::unsupported("a foreign key to a table without a primary key")),
        };
        let [_, _, bare] = table;
        let name =
            key.name.as_ref().map_or_else(|| format!("{bare}_{}_fk", columns.join("_")), |name| name.value.clone());
        Ok(Key { name, columns, references: Some((parent, referred)) })
    }
}

fn primary(table: &Name, name: Option<&Ident>, columns: Vec<String>) -> Key {
    let [_, _, bare] = table;
    Key { name: name.map_or_else(|| format!("{bare}_pk"), |name| name.value.clone()), columns, references: None }
}
