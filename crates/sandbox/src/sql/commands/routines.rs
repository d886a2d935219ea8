//! CREATE, DROP and DESCRIBE of functions, and CREATE and DROP of volumes.
//!
//! Derived: the rows of DESCRIBE FUNCTION follow Spark's.

use serde_json::{Map, Value, json};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use crate::sql::compile::Compiler;
use crate::sql::dialect::Databricks;
use crate::sql::engine::{Table, Work};
use crate::sql::error::{SqlError, quoted};
use crate::sql::types::Type;
use crate::workspace::catalog::{Catalog, Name, Node};
use crate::workspace::lock;

use super::{Command, Cursor, rest};

/// A function in SQL, as its statement has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Routine {
    pub(crate) name: Vec<String>,
    pub(crate) replace: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) parameters: Vec<(String, Type)>,
    pub(crate) returns: Option<Type>,
    pub(crate) comment: Option<String>,
    pub(crate) body: String,
}

/// Reads CREATE and DROP of functions and volumes; `None` for other statements, with the cursor where it was.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Option<Command>, SqlError> {
    let start = cursor.position;
    let create = cursor.accept("CREATE");
    if !create {
        cursor.position += 1;
    }
    let replace = create && cursor.accept("OR REPLACE");
    let temporary = cursor.accept("TEMPORARY") || cursor.accept("TEMP");
    let is_function = cursor.accept("FUNCTION");
    if !is_function && !cursor.accept("VOLUME") {
        cursor.position = start;
        return Ok(None);
    }
    if temporary {
        return Err(SqlError::unsupported("temporary functions"));
    }
    let if_not_exists = create && cursor.accept("IF NOT EXISTS");
    let if_exists = !create && cursor.accept("IF EXISTS");
    let name = cursor.name()?;
    Ok(Some(match (create, is_function) {
        (true, true) => Command::CreateFunction(function(cursor, name, replace, if_not_exists)?),
        (true, false) => Command::CreateVolume { name, if_not_exists, comment: cursor.comment()? },
        (false, _) => Command::DropObject { name, if_exists, is_function },
    }))
}

fn function(
    cursor: &mut Cursor<'_>,
    name: Vec<String>,
    replace: bool,
    if_not_exists: bool,
) -> Result<Routine, SqlError> {
    let mut parameters = Vec::new();
    if !cursor.accept_token(&Token::LParen) {
        return Err(cursor.unexpected());
    }
    while !cursor.accept_token(&Token::RParen) {
        let name = cursor.plain()?;
        parameters.push((name, kind(cursor)?));
        let _ = cursor.comment()?;
        if cursor.word() == "DEFAULT" {
            return Err(SqlError::unsupported("defaults of parameters"));
        }
        if !cursor.accept_token(&Token::Comma) && cursor.peek() != Some(&Token::RParen) {
            return Err(cursor.unexpected());
        }
    }
    let mut routine =
        Routine { name, replace, if_not_exists, parameters, returns: None, comment: None, body: String::new() };
    loop {
        if cursor.accept("RETURNS TABLE") {
            return Err(SqlError::unsupported("functions that return tables"));
        } else if cursor.accept("RETURNS") {
            routine.returns = Some(kind(cursor)?);
        } else if cursor.word() == "COMMENT" {
            routine.comment = cursor.comment()?;
        } else if cursor.accept("LANGUAGE") {
            if !cursor.accept("SQL") {
                return Err(SqlError::unsupported("functions in other languages than SQL"));
            }
        } else if cursor.accept("RETURN") {
            routine.body = rest(cursor).trim_end_matches([';', ' ', '\n']).to_owned();
            cursor.position = cursor.tokens.len();
            return Ok(routine);
        } else if !["NOT DETERMINISTIC", "DETERMINISTIC", "CONTAINS SQL", "READS SQL DATA"]
            .iter()
            .any(|words| cursor.accept(words))
        {
            return Err(cursor.unexpected());
        }
    }
}

/// A type at the cursor.
fn kind(cursor: &mut Cursor<'_>) -> Result<Type, SqlError> {
    let rest = cursor.tokens.get(cursor.position..).unwrap_or_default().to_vec();
    let length = rest.len();
    let dialect = Databricks::for_tokens(length);
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(rest);
    let parsed = parser.parse_data_type().map_err(|_| cursor.unexpected())?;
    let kind = Type::from_ast(&parsed).ok_or_else(|| SqlError::unsupported(format!("the type {parsed}")))?;
    let mut left = 0;
    while parser.next_token().token != Token::EOF {
        left += 1;
    }
    cursor.position += length - left;
    Ok(kind)
}

impl Work<'_> {
    pub(super) fn create_function(&self, routine: Routine) -> Result<Table, SqlError> {
        let full = self.new_object(&routine.name)?;
        let exists = lock(self.catalog).functions.contains_key(&full);
        match (exists, routine.if_not_exists, routine.replace) {
            (true, true, _) => return Ok(Table::default()),
            (true, false, false) => {
                return Err(SqlError::new(
                    "ROUTINE_ALREADY_EXISTS",
                    &format!(
                        "Cannot create the routine {} because a routine of that name already exists.\nChoose a different name, drop or replace the existing routine, or add the IF NOT EXISTS clause to tolerate a pre-existing routine.",
                        quoted(&full)
                    ),
                    "42723",
                ));
            }
            _ => {}
        }
        let returned = {
            let catalog = lock(self.catalog);
            let compiler = Compiler::new(&catalog, self.session);
            let arguments: Vec<_> = routine.parameters.iter().map(|(_, kind)| compiler.null(kind)).collect();
            compiler.inlined(&full, &routine.parameters, &routine.body, &arguments)?.kind
        };
        let kind = routine.returns.unwrap_or(returned);
        let parameters: Vec<_> = (0_u32..)
            .zip(&routine.parameters)
            .map(|(place, (name, kind))| {
                json!({"name": name, "type_text": kind.catalog_text(), "type_name": kind.name(), "position": place})
            })
            .collect();
        let [_, _, bare] = &full;
        let extra = json!({
            "data_type": kind.name(),
            "full_data_type": kind.text(),
            "routine_body": "SQL",
            "routine_definition": routine.body,
            "is_deterministic": true,
            "sql_data_access": "CONTAINS_SQL",
            "security_type": "DEFINER",
            "parameter_style": "S",
            "is_null_call": false,
            "specific_name": bare,
            "input_params": {"parameters": parameters},
        });
        let extra: Map<String, Value> = extra.as_object().cloned().unwrap_or_default();
        let node = Node { id: identity(&full), extra, ..self.node(routine.comment) };
        lock(self.catalog).functions.insert(full, node);
        Ok(Table::default())
    }

    pub(super) fn create_volume(
        &self,
        name: &[String],
        if_not_exists: bool,
        comment: Option<String>,
    ) -> Result<Table, SqlError> {
        let full = self.new_object(name)?;
        let mut catalog = lock(self.catalog);
        match (catalog.volumes.contains_key(&full), if_not_exists) {
            (true, true) => return Ok(Table::default()),
            (true, false) => return Err(SqlError::exists("volume", &full)),
            _ => {}
        }
        let node = Node { id: identity(&full), ..self.node(comment) };
        catalog.volumes.insert(full, node);
        Ok(Table::default())
    }

    pub(super) fn drop_object(&self, name: &[String], if_exists: bool, is_function: bool) -> Result<Table, SqlError> {
        if !is_function {
            return Err(SqlError::unsupported("DROP VOLUME, which would have to drop its files; use the API"));
        }
        let mut catalog = lock(self.catalog);
        let full = Compiler::new(&catalog, self.session).qualify(name)?;
        if catalog.functions.remove(&full).is_none() && !if_exists {
            return Err(SqlError::unresolved_routine(&full.join("`.`")));
        }
        catalog.grants.remove(&("function".to_owned(), full.join(".")));
        Ok(Table::default())
    }

    pub(super) fn describe_function(&self, catalog: &Catalog, name: &[String]) -> Result<Table, SqlError> {
        let full = Compiler::new(catalog, self.session).qualify(name)?;
        let Some(node) = catalog.functions.get(&full) else {
            return Err(match name {
                [single] => {
                    SqlError::unsupported(format!("DESCRIBE FUNCTION of what is built in, as `{single}` may be"))
                }
                _ => SqlError::unresolved_routine(&full.join("`.`")),
            });
        };
        let fact = |key: &str| node.extra.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let inputs =
            node.extra.get("input_params").and_then(|inputs| inputs.get("parameters")).and_then(Value::as_array);
        let inputs = inputs.into_iter().flatten().map(|input| {
            let part = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{} {}", part("name"), part("type_text").to_uppercase())
        });
        let mut lines = vec![
            format!("Function: {}", full.join(".")),
            "Type:     SCALAR".to_owned(),
            format!("Input:    {}", inputs.collect::<Vec<_>>().join(", ")),
            format!("Returns:  {}", fact("full_data_type")),
        ];
        lines.extend(node.comment.as_ref().map(|comment| format!("Comment:  {comment}")));
        lines.push(format!("Owner:    {}", node.owner));
        lines.push(format!("Body:     {}", fact("routine_definition")));
        Ok(Table::of_texts(["function_desc"], lines.into_iter().map(|line| [line])))
    }

    /// The full name of something new, in a schema that is there.
    fn new_object(&self, name: &[String]) -> Result<Name, SqlError> {
        let catalog = lock(self.catalog);
        let full = Compiler::new(&catalog, self.session).qualify(name)?;
        let [c, s, _] = &full;
        if !catalog.catalogs.contains_key(c) {
            return Err(SqlError::catalog_not_found(c));
        }
        if !catalog.has_schema(c, s) {
            return Err(SqlError::schema_not_found(&[c.clone(), s.clone()]));
        }
        Ok(full)
    }
}

/// An id for what SQL makes, the same for the same name.
fn identity(name: &Name) -> String {
    let mix = |seed: u64| {
        name.join(".").bytes().fold(seed, |mixed, byte| (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let digits = format!("{:016x}{:016x}", mix(0xcbf2_9ce4_8422_2325), mix(0x9e37_79b9_7f4a_7c15));
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}
