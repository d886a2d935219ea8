//! GRANT, REVOKE and SHOW GRANTS, over the same grants as the API.
//!
//! Derived: the columns of SHOW GRANTS follow Databricks' documentation.

use sqlparser::tokenizer::Token;

use crate::sql::compile::Compiler;
use crate::sql::engine::{Table, Work};
use crate::sql::error::{SqlError, quoted};
use crate::workspace::catalog::Catalog;
use crate::workspace::lock;

use super::{Command, Cursor};

/// A catalog object, as privileges name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Securable {
    kind: &'static str,
    name: Vec<String>,
}

/// Privileges, as they are written; the API has `_` for spaces.
const PRIVILEGES: [&str; 27] = [
    "ALL PRIVILEGES",
    "APPLY TAG",
    "BROWSE",
    "CREATE CATALOG",
    "CREATE FUNCTION",
    "CREATE MATERIALIZED VIEW",
    "CREATE MODEL",
    "CREATE MODEL VERSION",
    "CREATE SCHEMA",
    "CREATE TABLE",
    "CREATE VIEW",
    "CREATE VOLUME",
    "CREATE",
    "EXECUTE",
    "EXTERNAL USE SCHEMA",
    "MANAGE",
    "MODIFY",
    "READ FILES",
    "READ VOLUME",
    "REFRESH",
    "SELECT",
    "USE CATALOG",
    "USE SCHEMA",
    "USAGE",
    "WRITE FILES",
    "WRITE VOLUME",
    "USE CONNECTION",
];

/// Reads `GRANT a, b ON table t TO p`, or REVOKE; the cursor stands on its first word.
pub(super) fn change(cursor: &mut Cursor<'_>) -> Result<Command, SqlError> {
    let revoke = cursor.accept("REVOKE");
    if !revoke {
        cursor.position += 1;
    }
    let mut privileges = Vec::new();
    loop {
        let found = PRIVILEGES.iter().find(|privilege| cursor.accept(privilege)).ok_or_else(|| cursor.unexpected())?;
        privileges.push(found.replace(' ', "_"));
        if !cursor.accept_token(&Token::Comma) {
            break;
        }
    }
    if !cursor.accept("ON") {
        return Err(cursor.unexpected());
    }
    let securable = securable(cursor)?;
    if !cursor.accept(if revoke { "FROM" } else { "TO" }) {
        return Err(cursor.unexpected());
    }
    let principal = principal(cursor)?;
    Ok(Command::Grant { revoke, privileges, securable, principal })
}

/// Reads what follows SHOW GRANTS: a principal where wanted, and the object.
pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<Command, SqlError> {
    let principal = if cursor.word() == "ON" { None } else { Some(principal(cursor)?) };
    if !cursor.accept("ON") {
        return Err(cursor.unexpected());
    }
    Ok(Command::ShowGrants { principal, securable: securable(cursor)? })
}

fn securable(cursor: &mut Cursor<'_>) -> Result<Securable, SqlError> {
    let kinds = [
        ("CATALOG", "catalog"),
        ("SCHEMA", "schema"),
        ("DATABASE", "schema"),
        ("TABLE", "table"),
        ("VIEW", "table"),
        ("VOLUME", "volume"),
        ("FUNCTION", "function"),
    ];
    let kind = kinds.iter().find(|(word, _)| cursor.accept(word)).map_or("table", |(_, kind)| kind);
    Ok(Securable { kind, name: cursor.name()? })
}

/// A user, group or service principal, which has quotes where it is no plain word.
fn principal(cursor: &mut Cursor<'_>) -> Result<String, SqlError> {
    match cursor.peek() {
        Some(Token::Word(_)) => cursor.plain(),
        _ => cursor.string(),
    }
}

impl Work<'_> {
    pub(super) fn grant(
        &self,
        revoke: bool,
        privileges: Vec<String>,
        securable: &Securable,
        principal: String,
    ) -> Result<Table, SqlError> {
        let mut catalog = lock(self.catalog);
        let key = self.key(&catalog, securable)?;
        if let Some(known) = &self.session.grantees
            && !known.contains(&principal.to_lowercase())
        {
            let text = format!("Could not find principal with name {principal}.");
            return Err(SqlError::new("PRINCIPAL_DOES_NOT_EXIST", &text, "42704"));
        }
        let held = catalog.grants.entry(key).or_default().entry(principal).or_default();
        for privilege in privileges {
            if !revoke {
                held.insert(privilege);
            } else if privilege == "ALL_PRIVILEGES" {
                held.clear();
            } else {
                held.remove(&privilege);
            }
        }
        Ok(Table::default())
    }

    pub(super) fn grants(&self, securable: &Securable, principal: Option<&str>) -> Result<Table, SqlError> {
        let catalog = lock(self.catalog);
        let key = self.key(&catalog, securable)?;
        let held = catalog.grants.get(&key).into_iter().flatten();
        let held = held.filter(|(name, _)| principal.is_none_or(|principal| principal == name.as_str()));
        let rows = held.flat_map(|(name, privileges)| {
            privileges
                .iter()
                .map(|privilege| [name.clone(), privilege.replace('_', " "), key.0.to_uppercase(), key.1.clone()])
        });
        Ok(Table::of_texts(["Principal", "ActionType", "ObjectType", "ObjectKey"], rows))
    }

    /// Where the grants of an object are kept; it has to be there.
    fn key(&self, catalog: &Catalog, Securable { kind, name }: &Securable) -> Result<(String, String), SqlError> {
        let missing = || {
            SqlError::new("RESOURCE_DOES_NOT_EXIST", &format!("The {kind} {} does not exist.", quoted(name)), "42704")
        };
        let lower: Vec<_> = name.iter().map(|part| part.to_lowercase()).collect();
        let full = match (*kind, lower.as_slice()) {
            ("catalog", [name]) if catalog.catalogs.contains_key(name) => name.clone(),
            ("catalog", _) => return Err(SqlError::catalog_not_found(&name.join("."))),
            ("schema", [schema]) if catalog.has_schema(&self.session.catalog, schema) => {
                format!("{}.{schema}", self.session.catalog)
            }
            ("schema", [c, s]) if catalog.has_schema(c, s) => format!("{c}.{s}"),
            ("schema", _) => return Err(SqlError::schema_not_found(name)),
            (kind, name_parts) => {
                let full = Compiler::new(catalog, self.session).qualify(name_parts)?;
                let exists = match kind {
                    "volume" => catalog.volumes.contains_key(&full),
                    "function" => catalog.functions.contains_key(&full) || catalog.models.contains_key(&full),
                    _ if catalog.tables.contains_key(&full) => true,
                    _ => return Err(SqlError::table_not_found(name)),
                };
                if !exists {
                    return Err(missing());
                }
                full.join(".")
            }
        };
        Ok(((*kind).to_owned(), full))
    }
}
