//! Functions on arrays, structs and JSON texts.

use crate::sql::compile::{Compiler, Typed, access, text_literal};
use crate::sql::error::SqlError;
use crate::sql::runtime::{read, schema_of};
use crate::sql::types::Type::{self, Array, BigInt, Boolean, Int, String as Text, Struct};

use super::Answer;

impl Compiler<'_> {
    pub(super) fn collection_function(&self, name: &str, arguments: &[Typed]) -> Answer {
        Some(match (name, arguments) {
            ("array", _) => self.same_kind(arguments).map(|(kind, sql)| {
                let items: Vec<_> = sql.iter().map(|sql| item(sql, &kind)).collect();
                Typed::new(format!("json_array({})", items.join(", ")), Array(Box::new(kind)))
            }),
            ("size" | "cardinality", [value]) if value.kind == Type::Void => Ok(Typed::new("NULL", Int)),
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
                Array(kind) if index.kind.is_integer() => {
                    Ok(Typed::new(format!("dbx_list_get({}, {})", value.sql, index.sql), (**kind).clone()))
                }
                _ => Err(SqlError::unsupported("`get` on this type")),
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
            ("map", [_, ..]) if arguments.len().is_multiple_of(2) => self.map(arguments),
            ("struct", [_, ..]) => {
                let fields = arguments.iter().enumerate();
                let named: Vec<_> = fields
                    .flat_map(|(index, value)| {
                        [Typed::new(text_literal(&field_name(value, index)), Text), value.clone()]
                    })
                    .collect();
                named_struct(&named)
            }
            ("size" | "cardinality", [value]) if matches!(value.kind, Type::Map(..)) => {
                Ok(Typed::new(format!("dbx_map_size({})", value.sql), Int))
            }
            ("map_keys", [value]) => match &value.kind {
                Type::Map(key, _) if **key == Text => {
                    Ok(Typed::new(format!("dbx_map_keys({})", value.sql), Array(key.clone())))
                }
                _ => Err(SqlError::unsupported("map_keys but of a MAP with strings as keys")),
            },
            ("map_values", [value]) => match &value.kind {
                Type::Map(_, kind) => Ok(Typed::new(format!("dbx_map_values({})", value.sql), Array(kind.clone()))),
                kind => Err(not_a_list(name, kind)),
            },
            ("sequence", [first, last, rest @ ..])
                if rest.len() < 2 && (first.kind.is_temporal() || last.kind.is_temporal()) =>
            {
                self.instants(first, last, rest.first())
            }
            ("sequence", [first, last] | [first, last, _]) if first.kind.is_integer() && last.kind.is_integer() => {
                self.common(&first.kind, &last.kind, &sqlparser::ast::Expr::Identifier(name.into())).and_then(|kind| {
                    self.call("dbx_list_sequence", arguments, &[BigInt, BigInt, BigInt], Array(Box::new(kind)))
                })
            }
            ("slice", [value, start, length]) if start.kind.is_integer() && length.kind.is_integer() => {
                match &value.kind {
                    Array(_) => Ok(Typed::new(
                        format!("dbx_list_slice({}, {}, {})", value.sql, start.sql, length.sql),
                        value.kind.clone(),
                    )),
                    kind => Err(not_a_list(name, kind)),
                }
            }
            ("sort_array" | "array_sort", [value]) => match &value.kind {
                Array(_) => Ok(Typed::new(
                    format!("dbx_list_sort({}, 1, {})", value.sql, u8::from(name == "array_sort")),
                    value.kind.clone(),
                )),
                kind => Err(not_a_list(name, kind)),
            },
            ("sort_array", [value, ascending]) if ascending.kind == Boolean => match &value.kind {
                // NULLs come first where it ascends, and last where not.
                Array(_) => Ok(Typed::new(
                    format!("dbx_list_sort({}, {}, NOT {})", value.sql, ascending.sql, ascending.sql),
                    value.kind.clone(),
                )),
                kind => Err(not_a_list(name, kind)),
            },
            ("array_max" | "array_min" | "flatten", [value]) => match &value.kind {
                Array(kind) if name != "flatten" && !kind.is_nested() => Ok(Typed::new(
                    format!("dbx_list_{}({})", name.trim_start_matches("array_"), value.sql),
                    (**kind).clone(),
                )),
                Array(kind) if name == "flatten" && matches!(**kind, Array(_)) => {
                    Ok(Typed::new(format!("dbx_list_flatten({})", value.sql), (**kind).clone()))
                }
                kind => Err(not_a_list(name, kind)),
            },
            ("array_distinct" | "reverse", [value]) if matches!(value.kind, Array(_)) => {
                let function = name.trim_start_matches("array_");
                Ok(Typed::new(format!("dbx_list_{function}({})", value.sql), value.kind.clone()))
            }
            ("array_union" | "array_except" | "array_intersect" | "arrays_overlap" | "concat", [first, _, ..])
                if matches!(first.kind, Array(_)) =>
            {
                self.same_kind(arguments).map(|(kind, sql)| {
                    let function = match name {
                        "arrays_overlap" => "overlap",
                        name => name.trim_start_matches("array_"),
                    };
                    let kind = if name == "arrays_overlap" { Boolean } else { kind };
                    Typed::new(format!("dbx_list_{function}({})", sql.join(", ")), kind)
                })
            }
            ("array_position" | "array_remove", [value, wanted]) => match &value.kind {
                Array(kind) if !kind.is_nested() => self.cast(wanted.clone(), kind, false).map(|wanted| {
                    let kind = if name == "array_position" { BigInt } else { value.kind.clone() };
                    let function = name.trim_start_matches("array_");
                    Typed::new(format!("dbx_list_{function}({}, {})", value.sql, wanted.sql), kind)
                }),
                kind => Err(not_a_list(name, kind)),
            },
            ("array_join", [value, _]) if matches!(&value.kind, Array(kind) if **kind == Text || kind.is_integer()) => {
                self.cast_all(arguments.get(1..2).unwrap_or_default(), &[Text])
                    .map(|separator| Typed::new(format!("dbx_array_join({}, {separator})", value.sql), Text))
            }
            ("named_struct", [_, ..]) if arguments.len().is_multiple_of(2) => named_struct(arguments),
            ("to_json", [value]) if value.kind.is_nested() => {
                Ok(Typed::new(format!("dbx_to_json({}, {})", value.sql, text_literal(&value.kind.text())), Text))
            }
            ("try_element_at", [value, index]) => match &value.kind {
                Array(kind) if index.kind.is_integer() => {
                    let place = format!(
                        "CASE WHEN {0} > 0 THEN {0} - 1 ELSE json_array_length({1}) + {0} END",
                        index.sql, value.sql
                    );
                    Ok(Typed::new(format!("json_extract({}, '$[' || ({place}) || ']')", value.sql), (**kind).clone()))
                }
                Type::Map(_, kind) => self
                    .cast(index.clone(), &Text, false)
                    .map(|key| Typed::new(format!("dbx_map_get({}, {})", value.sql, key.sql), (**kind).clone())),
                _ => Err(SqlError::unsupported("try_element_at on this type")),
            },
            ("get_json_object", [_, _]) => self.call("dbx_json_object", arguments, &[Text, Text], Text),
            ("from_json", [_, schema]) => self.of_json(arguments, schema),
            ("schema_of_json", [sample]) => schema_of_json(sample),
            ("json_array_length", [_]) => self.call("dbx_json_array_length", arguments, &[Text], Int),
            ("json_object_keys", [_]) => self.call("dbx_json_object_keys", arguments, &[Text], Array(Box::new(Text))),
            ("array_repeat", [item, _]) if !item.kind.is_nested() => {
                self.cast(arguments.get(1)?.clone(), &BigInt, false).map(|times| {
                    Typed::new(
                        format!("(CASE WHEN {0} IS NOT NULL THEN dbx_list_repeat({0}, {1}) END)", item.sql, times.sql),
                        Array(Box::new(item.kind.clone())),
                    )
                })
            }
            ("array_compact", [value]) if matches!(value.kind, Array(_)) => {
                Ok(Typed::new(format!("dbx_list_compact({})", value.sql), value.kind.clone()))
            }
            ("array_append" | "array_prepend", [value, item]) => {
                self.scalar("array", vec![item.clone()]).and_then(|single| {
                    let lists = if name == "array_append" { [value.clone(), single] } else { [single, value.clone()] };
                    self.scalar("concat", lists.to_vec())
                })
            }
            ("array_insert", [value, place, item]) => match &value.kind {
                Array(kind) => self.cast(item.clone(), kind, false).and_then(|item| {
                    let place = self.cast(place.clone(), &BigInt, false)?;
                    let (nested, list) = (u8::from(kind.is_nested()), &value.sql);
                    Ok(Typed::new(
                        format!("dbx_list_insert({list}, {}, {}, {nested})", place.sql, item.sql),
                        value.kind.clone(),
                    ))
                }),
                kind => Err(not_a_list(name, kind)),
            },
            ("map_entries", [value]) => match &value.kind {
                Type::Map(key, item) => {
                    let entry =
                        Struct(vec![("key".to_owned(), (**key).clone()), ("value".to_owned(), (**item).clone())]);
                    Ok(Typed::new(format!("dbx_map_entries({})", value.sql), Array(Box::new(entry))))
                }
                kind => Err(not_a_list(name, kind)),
            },
            ("map_contains_key", [value, key]) if matches!(value.kind, Type::Map(..)) => self
                .scalar("map_keys", vec![value.clone()])
                .and_then(|keys| self.scalar("array_contains", vec![keys, key.clone()])),
            ("map_from_arrays", [keys, values]) => match (&keys.kind, &values.kind) {
                (Array(key), Array(item)) if **key == Text => Ok(Typed::new(
                    format!("dbx_map_of_lists({}, {})", keys.sql, values.sql),
                    Type::Map(key.clone(), item.clone()),
                )),
                _ => Err(SqlError::unsupported("maps whose keys are not strings")),
            },
            ("map_from_entries", [value]) => match &value.kind {
                Array(entry) => match entry.as_ref() {
                    Struct(fields) => match fields.as_slice() {
                        [(_, Text), (_, item)] => Ok(Typed::new(
                            format!("dbx_map_of_entries({})", value.sql),
                            Type::Map(Box::new(Text), Box::new(item.clone())),
                        )),
                        _ => Err(SqlError::unsupported("maps whose keys are not strings")),
                    },
                    kind => Err(not_a_list(name, kind)),
                },
                kind => Err(not_a_list(name, kind)),
            },
            ("map_concat", [first, ..]) if matches!(first.kind, Type::Map(..)) => self
                .same_kind(arguments)
                .map(|(kind, sql)| Typed::new(format!("dbx_map_concat({})", sql.join(", ")), kind)),
            ("str_to_map", [_] | [_, _] | [_, _, _]) => {
                self.call("dbx_map_of_text", arguments, &[Text, Text, Text], Type::Map(Box::new(Text), Box::new(Text)))
            }
            _ => return None,
        })
    }
}

impl Compiler<'_> {
    /// `list[index]` and `map[key]`: beyond the end of a list is an error, a key that is not there gives NULL.
    pub(crate) fn subscript(&self, value: Typed, index: Typed) -> Result<Typed, SqlError> {
        match &value.kind {
            Array(kind) if index.kind.is_integer() => {
                Ok(Typed::new(format!("dbx_list_at({}, {})", value.sql, index.sql), (**kind).clone()))
            }
            Type::Map(..) => self.scalar("element_at", vec![value, index]),
            Struct(_) if index.sql.starts_with('\'') => access(&value, index.sql.trim_matches('\'')),
            _ => Err(SqlError::unsupported("`[…]` on this type")),
        }
    }

    fn of_json(&self, text: &[Typed], schema: &Typed) -> Result<Typed, SqlError> {
        let literal = schema.sql.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        let kind = literal.and_then(|text| Type::schema(&text.replace("''", "'")));
        let kind = kind.ok_or_else(|| SqlError::unsupported("from_json but with a schema in DDL, written down"))?;
        if matches!(&kind, Type::Map(key, _) if **key != Text) {
            return Err(SqlError::unsupported("maps whose keys are not strings"));
        }
        let text = self.cast_all(text, &[Text])?;
        Ok(Typed::new(format!("dbx_from_json({text}, {})", text_literal(&kind.text())), kind))
    }
}

fn schema_of_json(sample: &Typed) -> Result<Typed, SqlError> {
    let literal = sample.sql.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let json = literal.map_or(Ok(None), |text| read(&text.replace("''", "'")))?;
    match json {
        Some(json) => Ok(Typed::new(text_literal(&schema_of(&json).text()), Text)),
        None => Err(SqlError::unsupported("schema_of_json but of a literal")),
    }
}

/// Nested values have to be marked as JSON, or they would become strings.
pub(crate) fn item(sql: &str, kind: &Type) -> String {
    if kind.is_nested() { format!("json({sql})") } else { sql.to_owned() }
}

fn not_a_list(name: &str, kind: &Type) -> SqlError {
    SqlError::mismatch(name, &format!("the first parameter cannot be \"{}\" here", kind.text()))
}

/// The name of a field of `struct(…)`: a column's own, else one by its place.
fn field_name(value: &Typed, index: usize) -> String {
    let column = value.sql.rsplit_once('.').map(|(_, column)| column.trim_matches('"'));
    let is_name = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match column.filter(is_name).filter(|_| value.sql.starts_with('r') && value.sql.ends_with('"')) {
        Some(name) => name.to_owned(),
        None => format!("col{}", index + 1),
    }
}

impl Compiler<'_> {
    /// `map(key, value, …)`. Only strings are keys of JSON.
    fn map(&self, arguments: &[Typed]) -> Result<Typed, SqlError> {
        let of = |skip: usize| arguments.iter().skip(skip).step_by(2).cloned().collect::<Vec<_>>();
        let ((key, keys), (kind, values)) = (self.same_kind(&of(0))?, self.same_kind(&of(1))?);
        if key != Text {
            return Err(SqlError::unsupported("maps whose keys are not strings"));
        }
        let members: Vec<_> =
            keys.iter().zip(&values).map(|(key, value)| format!("{key}, {}", item(value, &kind))).collect();
        let sql = format!("dbx_map_checked(json_object({}), {})", members.join(", "), members.len());
        Ok(Typed::new(sql, Type::Map(Box::new(key), Box::new(kind))))
    }
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
