//! Functions on arrays, structs and JSON texts.

use crate::sql::compile::{Compiler, Typed, text_literal};
use crate::sql::error::SqlError;
use crate::sql::types::Type::{self, Array, Boolean, Int, String as Text, Struct};

use super::Answer;

impl Compiler<'_> {
    pub(super) fn collection_function(&self, name: &str, arguments: &[Typed]) -> Answer {
        Some(match (name, arguments) {
            ("array", _) => self.same_kind(arguments).map(|(kind, sql)| {
                let items: Vec<_> = sql.iter().map(|sql| item(sql, &kind)).collect();
                Typed::new(format!("json_array({})", items.join(", ")), Array(Box::new(kind)))
            }),
            ("size" | "cardinality" | "array_size", [value]) if matches!(value.kind, Array(_)) => {
                Ok(Typed::new(format!("json_array_length({})", value.sql), Int))
            }
            ("array_contains", [value, wanted]) => match &value.kind {
                Array(kind) => self
                    .cast(wanted.clone(), kind, false)
                    .map(|wanted| Typed::new(format!("dbx_array_contains({}, {})", value.sql, wanted.sql), Boolean)),
                _ => Err(SqlError::mismatch(name, "the first argument must be an ARRAY")),
            },
            ("get", [value, index]) => match &value.kind {
                Array(kind) if index.kind.is_integer() => Ok(Typed::new(
                    format!("json_extract({}, '$[' || {} || ']')", value.sql, index.sql),
                    (**kind).clone(),
                )),
                Type::Map(_, kind) => self
                    .cast(index.clone(), &Text, false)
                    .map(|key| Typed::new(format!("dbx_map_get({}, {})", value.sql, key.sql), (**kind).clone())),
                _ => Err(SqlError::unsupported("`[…]` on this type")),
            },
            ("element_at", [value, index]) => match &value.kind {
                Array(kind) if index.kind.is_integer() => {
                    Ok(Typed::new(format!("dbx_element_at({}, {})", value.sql, index.sql), (**kind).clone()))
                }
                Type::Map(_, kind) => self
                    .cast(index.clone(), &Text, false)
                    .map(|key| Typed::new(format!("dbx_map_get({}, {})", value.sql, key.sql), (**kind).clone())),
                _ => Err(SqlError::unsupported("element_at on this type")),
            },
            ("array_join", [value, _]) if matches!(value.kind, Array(_)) => self
                .cast_all(arguments.get(1..2).unwrap_or_default(), &[Text])
                .map(|separator| Typed::new(format!("dbx_array_join({}, {separator})", value.sql), Text)),
            ("named_struct", [_, ..]) if arguments.len().is_multiple_of(2) => named_struct(arguments),
            ("to_json", [value]) if value.kind.is_nested() => Ok(Typed::new(value.sql.clone(), Text)),
            ("get_json_object", [_, path]) if path.sql.starts_with('\'') => {
                self.call("dbx_json_object", arguments, &[Text, Text], Text)
            }
            _ => return None,
        })
    }
}

/// Nested values have to be marked as JSON, or they would become strings.
fn item(sql: &str, kind: &Type) -> String {
    if kind.is_nested() { format!("json({sql})") } else { sql.to_owned() }
}

fn named_struct(arguments: &[Typed]) -> Result<Typed, SqlError> {
    let mut fields = Vec::new();
    let mut members = Vec::new();
    for pair in arguments.chunks_exact(2) {
        let [name, value] = pair else { continue };
        let literal = name.sql.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        let Some(literal) = literal.filter(|_| name.kind == Text) else {
            return Err(SqlError::unsupported("struct fields whose names are computed"));
        };
        members.push(format!("{}, {}", text_literal(literal), item(&value.sql, &value.kind)));
        fields.push((literal.to_owned(), value.kind.clone()));
    }
    Ok(Typed::new(format!("json_object({})", members.join(", ")), Struct(fields)))
}
