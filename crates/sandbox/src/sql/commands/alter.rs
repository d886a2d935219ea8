//! ALTER TABLE and ALTER VIEW, in step with the catalog.
//!
//! Derived: columns are renamed and dropped only where the table's `delta.columnMapping.mode` is `name`, as Delta wants.

use std::collections::BTreeMap;

use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::sql::compile::{Compiler, identifier};
use crate::sql::ddl::column;
use crate::sql::dialect::Databricks;
use crate::sql::engine::{Table, Work};
use crate::sql::error::{SqlError, quoted};
use crate::sql::types::Column;
use crate::workspace::lock;

use super::delta::operation;
use super::{Command, Cursor};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Add { columns: Vec<Column>, if_not_exists: bool },
    Drop { columns: Vec<String>, if_exists: bool },
    RenameTo(Vec<String>),
    RenameColumn(String, String),
    CommentColumn(String, String),
    SetProperties(BTreeMap<String, String>),
    UnsetProperties(Vec<String>),
    Owner(String),
}

/// Reads `ALTER TABLE name …`; the cursor stands on ALTER.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Command, SqlError> {
    let is_view = cursor.accept("ALTER VIEW");
    if !is_view && !cursor.accept("ALTER TABLE") {
        return Err(SqlError::unsupported("ALTER of anything but a table or view"));
    }
    let name = cursor.name()?;
    let change = if cursor.accept("ADD COLUMNS") || cursor.accept("ADD COLUMN") {
        let if_not_exists = cursor.accept("IF NOT EXISTS");
        Change::Add { columns: definitions(cursor)?, if_not_exists }
    } else if cursor.accept("DROP COLUMNS") || cursor.accept("DROP COLUMN") {
        let if_exists = cursor.accept("IF EXISTS");
        Change::Drop { columns: listed(cursor, |cursor| cursor.plain())?, if_exists }
    } else if cursor.accept("RENAME TO") {
        Change::RenameTo(cursor.name()?)
    } else if cursor.accept("RENAME COLUMN") {
        let before = cursor.plain()?;
        if !cursor.accept("TO") {
            return Err(cursor.unexpected());
        }
        Change::RenameColumn(before, cursor.plain()?)
    } else if cursor.accept("ALTER COLUMN") || cursor.accept("CHANGE COLUMN") || cursor.accept("ALTER") {
        let column = cursor.plain()?;
        if !cursor.accept("COMMENT") {
            return Err(SqlError::unsupported("ALTER COLUMN with anything but COMMENT"));
        }
        Change::CommentColumn(column, cursor.string()?)
    } else if cursor.accept("SET TBLPROPERTIES") {
        Change::SetProperties(listed(cursor, property)?.into_iter().collect())
    } else if cursor.accept("UNSET TBLPROPERTIES") {
        let _ = cursor.accept("IF EXISTS");
        Change::UnsetProperties(listed(cursor, key)?)
    } else if cursor.accept("SET OWNER TO") || cursor.accept("OWNER TO") {
        Change::Owner(cursor.plain()?)
    } else {
        return Err(SqlError::unsupported(format!(
            "ALTER {} {}",
            if is_view { "VIEW" } else { "TABLE" },
            cursor.word()
        )));
    };
    Ok(Command::Alter { name, is_view, change })
}

/// One item, or several in parentheses.
fn listed<T>(
    cursor: &mut Cursor<'_>,
    item: impl Fn(&mut Cursor<'_>) -> Result<T, SqlError>,
) -> Result<Vec<T>, SqlError> {
    if !cursor.accept_token(&Token::LParen) {
        return Ok(vec![item(cursor)?]);
    }
    let mut items = vec![item(cursor)?];
    while cursor.accept_token(&Token::Comma) {
        items.push(item(cursor)?);
    }
    if cursor.accept_token(&Token::RParen) { Ok(items) } else { Err(cursor.unexpected()) }
}

/// `'a.b'` or `a.b`.
fn key(cursor: &mut Cursor<'_>) -> Result<String, SqlError> {
    match cursor.peek() {
        Some(Token::Word(_)) => Ok(cursor.name()?.join(".")),
        _ => cursor.string(),
    }
}

fn property(cursor: &mut Cursor<'_>) -> Result<(String, String), SqlError> {
    let key = key(cursor)?;
    let _ = cursor.accept_token(&Token::Eq);
    let value = match cursor.peek() {
        Some(Token::Number(number, _)) => {
            let number = number.clone();
            cursor.position += 1;
            number
        }
        Some(Token::Word(_)) => cursor.plain()?,
        _ => cursor.string()?,
    };
    Ok((key, value))
}

/// Column definitions, which the parser of statements reads one by one.
fn definitions(cursor: &mut Cursor<'_>) -> Result<Vec<Column>, SqlError> {
    let rest = cursor.tokens.get(cursor.position..).unwrap_or_default();
    let inner = match rest {
        [open, inner @ .., close] if open.token == Token::LParen && close.token == Token::RParen => inner,
        _ => rest,
    };
    cursor.position = cursor.tokens.len();
    let mut depth = 0;
    let pieces = inner.split(|token| {
        match token.token {
            Token::LParen | Token::Lt => depth += 1,
            Token::RParen | Token::Gt => depth -= 1,
            Token::ShiftRight => depth -= 2,
            _ => {}
        }
        depth == 0 && token.token == Token::Comma
    });
    pieces.map(definition).collect()
}

fn definition(tokens: &[TokenWithSpan]) -> Result<Column, SqlError> {
    let dialect = Databricks::for_tokens(tokens.len());
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens.to_vec());
    let unknown = || SqlError::unsupported("this definition of a column");
    let parsed = parser.parse_column_def().map_err(|_| unknown())?;
    if parser.next_token().token != Token::EOF {
        return Err(unknown());
    }
    column(&parsed)
}

impl Work<'_> {
    pub(super) fn alter(&self, name: &[String], is_view: bool, change: Change) -> Result<Table, SqlError> {
        let mut catalog = lock(self.catalog);
        let compiler = Compiler::new(&catalog, self.session);
        let full = compiler.qualify(name)?;
        let mut table = catalog.table(&full).ok_or_else(|| SqlError::table_not_found(name))?.clone();
        let shape = matches!(change, Change::Add { .. } | Change::Drop { .. } | Change::RenameColumn(..));
        if table.view_definition.is_some() != is_view && (is_view || shape) {
            let wanted = if is_view { "VIEW" } else { "TABLE" };
            return Err(SqlError::new(
                "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
                &format!(
                    "ALTER {wanted} expects a {}, but {} is a {}.",
                    wanted.to_lowercase(),
                    quoted(&full),
                    table.kind
                ),
                "42809",
            ));
        }
        let target = identifier(&table.full_name());
        let version = operation(&change).filter(|_| !is_view);
        let mapped = table.node.properties.get("delta.columnMapping.mode").is_some_and(|mode| mode == "name");
        match change {
            Change::Add { columns, if_not_exists } => {
                for column in columns {
                    let taken = table.columns.iter().any(|known| known.name.eq_ignore_ascii_case(&column.name));
                    if taken && if_not_exists {
                        continue;
                    }
                    if taken || !column.nullable {
                        return Err(add_refused(&column, taken));
                    }
                    self.execute(&format!(
                        "ALTER TABLE {target} ADD COLUMN {} {}",
                        identifier(&column.name),
                        column.kind.affinity()
                    ))?;
                    table.columns.push(column);
                }
            }
            Change::Drop { columns, if_exists } => {
                for name in columns {
                    let Some(index) = position(&table.columns, &name) else {
                        if if_exists {
                            continue;
                        }
                        return Err(SqlError::column_not_found(&[name], &[]));
                    };
                    if !mapped {
                        return Err(unmapped("DROP"));
                    }
                    let column = table.columns.remove(index);
                    self.execute(&format!("ALTER TABLE {target} DROP COLUMN {}", identifier(&column.name)))?;
                }
            }
            Change::RenameColumn(before, after) => {
                let index = position(&table.columns, &before)
                    .ok_or_else(|| SqlError::column_not_found(std::slice::from_ref(&before), &[]))?;
                if !mapped {
                    return Err(unmapped("RENAME"));
                }
                if let Some(column) = table.columns.get_mut(index) {
                    self.execute(&format!(
                        "ALTER TABLE {target} RENAME COLUMN {} TO {}",
                        identifier(&column.name),
                        identifier(&after)
                    ))?;
                    column.name = after;
                }
            }
            Change::CommentColumn(name, comment) => {
                let index = position(&table.columns, &name)
                    .ok_or_else(|| SqlError::column_not_found(std::slice::from_ref(&name), &[]))?;
                if let Some(column) = table.columns.get_mut(index) {
                    column.comment = Some(comment);
                }
            }
            Change::SetProperties(properties) => table.node.properties.extend(properties),
            Change::UnsetProperties(keys) => table.node.properties.retain(|key, _| !keys.contains(key)),
            Change::Owner(owner) => table.node.owner = owner,
            Change::RenameTo(new) => {
                let new = compiler.qualify(&new)?;
                let [c, s, _] = &new;
                if !catalog.has_schema(c, s) {
                    return Err(SqlError::schema_not_found(&[c.clone(), s.clone()]));
                }
                if catalog.table(&new).is_some() {
                    return Err(SqlError::exists("table", &new));
                }
                if table.view_definition.is_none() {
                    self.execute(&format!("ALTER TABLE {target} RENAME TO {}", identifier(&new.join("."))))?;
                }
                catalog.tables.remove(&full);
                if let Some(keys) = catalog.keys.remove(&full) {
                    catalog.keys.insert(new.clone(), keys);
                }
                if let Some(versions) = catalog.history.remove(&full) {
                    catalog.history.insert(new.clone(), versions);
                }
                if let Some(grants) = catalog.grants.remove(&("table".to_owned(), full.join("."))) {
                    catalog.grants.insert(("table".to_owned(), new.join(".")), grants);
                }
                table.name = new;
            }
        }
        table.node.updated_at = self.session.now_micros / 1000;
        let name = table.name.clone();
        catalog.tables.insert(name.clone(), table);
        drop(catalog);
        if let Some(operation) = version {
            self.record(&name, operation, &[]);
        }
        Ok(Table::default())
    }
}

fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
}

fn add_refused(column: &Column, taken: bool) -> SqlError {
    if taken {
        let name = quoted(std::slice::from_ref(&column.name));
        return SqlError::new(
            "FIELD_ALREADY_EXISTS",
            &format!("Cannot add column, because {name} already exists."),
            "42710",
        );
    }
    SqlError::new(
        "DELTA_ADD_COLUMN_NOT_NULL",
        &format!("NOT NULL is not supported when adding a column: `{}`.", column.name),
        "42611",
    )
}

fn unmapped(what: &str) -> SqlError {
    SqlError::new(
        &format!("DELTA_UNSUPPORTED_{what}_COLUMN"),
        &format!(
            "{what} COLUMN is not supported for your Delta table. Set the table property 'delta.columnMapping.mode' to 'name' first."
        ),
        "0AKDC",
    )
}
