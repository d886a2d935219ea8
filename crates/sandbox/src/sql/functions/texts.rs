//! Functions on strings.

use crate::sql::compile::{Compiler, Typed};
use crate::sql::error::SqlError;
use crate::sql::types::Type::{self, BigInt, Boolean, Int, String as Text};

use super::Answer;

impl Compiler<'_> {
    pub(super) fn text_function(&self, name: &str, arguments: &[Typed]) -> Answer {
        let texts = [Text, Text, Text, Text];
        let text_then_numbers = [Text, BigInt, BigInt];
        Some(match (name, arguments) {
            ("upper" | "ucase", [_]) => self.call("dbx_upper", arguments, &texts, Text),
            ("lower" | "lcase", [_]) => self.call("dbx_lower", arguments, &texts, Text),
            ("length" | "len" | "char_length" | "character_length", [_]) => self.call("length", arguments, &texts, Int),
            ("trim" | "btrim", [_]) => self.call("dbx_trim", arguments, &texts, Text),
            ("ltrim" | "rtrim", [_]) => self.call(&format!("dbx_{name}"), arguments, &texts, Text),
            // `btrim(text, what)`, but `trim(what FROM text)` and `ltrim(what, text)`.
            ("btrim", [text, what]) => self.call("dbx_trim", &[text.clone(), what.clone()], &texts, Text),
            ("trim" | "ltrim" | "rtrim", [what, text]) => {
                self.call(&format!("dbx_{name}"), &[text.clone(), what.clone()], &texts, Text)
            }
            ("substring" | "substr", [_, _] | [_, _, _]) => {
                self.call("dbx_substring", arguments, &text_then_numbers, Text)
            }
            ("left" | "right" | "repeat", [_, _]) => {
                self.call(&format!("dbx_{name}"), arguments, &text_then_numbers, Text)
            }
            ("replace", [_, _] | [_, _, _]) => self.call("dbx_replace", arguments, &texts, Text),
            ("concat", [_, ..]) if arguments.iter().all(|argument| !argument.kind.is_nested()) => {
                self.joined(arguments)
            }
            ("concat", []) => Ok(Typed::new("''", Text)),
            ("concat_ws", [separator, rest @ ..]) => self.separated(separator, rest),
            ("lpad" | "rpad", [_, _] | [_, _, _]) => {
                self.call(&format!("dbx_{name}"), arguments, &[Text, BigInt, Text], Text)
            }
            ("reverse" | "initcap", [value]) if !value.kind.is_nested() => {
                self.call(&format!("dbx_{name}"), arguments, &texts, Text)
            }
            ("instr" | "charindex" | "position" | "locate", [a, b]) => {
                let (text, part) = if name == "instr" { (a, b) } else { (b, a) };
                self.call("dbx_locate", &[part.clone(), text.clone()], &texts, Int)
            }
            ("split_part", [_, _, _]) => self.call("dbx_split_part", arguments, &[Text, Text, BigInt], Text),
            ("locate" | "position" | "charindex", [_, _, _]) => {
                self.call("dbx_locate", arguments, &[Text, Text, BigInt], Int)
            }
            ("split", [_, _] | [_, _, _]) => {
                self.call("dbx_split", arguments, &[Text, Text, BigInt], Type::Array(Box::new(Text)))
            }
            ("overlay", [_, _, _] | [_, _, _, _]) => {
                self.call("dbx_overlay", arguments, &[Text, Text, BigInt, BigInt], Text)
            }
            ("find_in_set", [_, _]) => self.call("dbx_find_in_set", arguments, &texts, Int),
            ("url_encode" | "url_decode", [_]) => self.call(&format!("dbx_{name}"), arguments, &texts, Text),
            ("soundex", [_]) => self.call("dbx_soundex", arguments, &texts, Text),
            ("format_string" | "printf", [format, rest @ ..]) => self.formatted(format, rest),
            ("md5" | "crc32", [_]) | ("sha2", [_, _]) => {
                let kind = if name == "crc32" { BigInt } else { Text };
                self.call(&format!("dbx_{name}"), arguments, &[Type::Binary, BigInt], kind)
            }
            ("bit_length" | "octet_length", [value]) => self.cast(value.clone(), &Type::Binary, false).map(|bytes| {
                let factor = if name == "bit_length" { 8 } else { 1 };
                Typed::new(format!("(length({}) * {factor})", bytes.sql), Int)
            }),
            ("contains" | "startswith" | "endswith", [_, _]) => {
                self.call(&format!("dbx_{name}"), arguments, &texts, Boolean)
            }
            ("like", [_, _]) => self.call("dbx_like", arguments, &texts, Boolean),
            ("ilike", [_, _]) => self.call("dbx_ilike", arguments, &texts, Boolean),
            ("rlike" | "regexp" | "regexp_like", [_, _]) => self.call("dbx_rlike", arguments, &texts, Boolean),
            ("regexp_replace", [_, _, _] | [_, _, _, _]) => {
                self.call("dbx_regexp_replace", arguments, &[Text, Text, Text, BigInt], Text)
            }
            ("regexp_substr", [_, _]) => self.call("dbx_regexp_substr", arguments, &texts, Text),
            ("regexp_instr", [_, _]) => self.call("dbx_regexp_instr", arguments, &texts, Int),
            ("regexp_extract", [_, _] | [_, _, _]) => {
                self.call("dbx_regexp_extract", arguments, &[Text, Text, BigInt], Text)
            }
            ("regexp_count", [_, _]) => self.call("dbx_regexp_count", arguments, &texts, Int),
            ("space", [_]) => self.call("dbx_space", arguments, &[BigInt], Text),
            ("base64", [_]) => self.call("dbx_base64", arguments, &texts, Text),
            ("unbase64", [_]) => self.call("dbx_unbase64", arguments, &texts, Type::Binary),
            ("unhex", [_]) => self.call("unhex", arguments, &texts, Type::Binary),
            ("hex", [value]) if matches!(value.kind, Text | Type::Binary) => {
                Ok(Typed::new(format!("hex({})", value.sql), Text))
            }
            ("levenshtein", [_, _]) => self.call("dbx_levenshtein", arguments, &texts, Int),
            ("substring_index", [_, _, _]) => self.call("dbx_substring_index", arguments, &[Text, Text, BigInt], Text),
            ("regexp_extract_all", [_, _] | [_, _, _]) => {
                self.call("dbx_regexp_extract_all", arguments, &[Text, Text, BigInt], Type::Array(Box::new(Text)))
            }
            ("ascii", [_]) => self.call("dbx_ascii", arguments, &texts, Int),
            ("char" | "chr", [_]) => self.call("dbx_char", arguments, &[BigInt], Text),
            ("translate", [_, _, _]) => self.call("dbx_translate", arguments, &texts, Text),
            _ => return None,
        })
    }

    /// `format_string`: numbers as they are, anything else as text.
    fn formatted(&self, format: &Typed, rest: &[Typed]) -> Result<Typed, SqlError> {
        let mut sql = vec![self.cast(format.clone(), &Text, false)?.sql];
        for argument in rest {
            let is_number = argument.kind.is_integer() || argument.kind.is_fractional();
            sql.push(if is_number { argument.sql.clone() } else { self.cast(argument.clone(), &Text, false)?.sql });
        }
        Ok(Typed::new(format!("dbx_format({})", sql.join(", ")), Text))
    }

    fn joined(&self, arguments: &[Typed]) -> Result<Typed, SqlError> {
        let parts: Vec<_> = arguments
            .iter()
            .map(|argument| Ok(self.cast(argument.clone(), &Text, false)?.sql))
            .collect::<Result<_, SqlError>>()?;
        Ok(Typed::new(format!("({})", parts.join(" || ")), Text))
    }

    /// `concat_ws` skips NULLs.
    fn separated(&self, separator: &Typed, rest: &[Typed]) -> Result<Typed, SqlError> {
        if let [list] = rest
            && matches!(&list.kind, Type::Array(kind) if **kind == Text)
        {
            let separator = self.cast(separator.clone(), &Text, false)?;
            return Ok(Typed::new(format!("dbx_array_join(coalesce({}, '[]'), {})", list.sql, separator.sql), Text));
        }
        if rest.iter().any(|argument| argument.kind.is_nested()) {
            return Err(SqlError::unsupported("concat_ws over arrays and more"));
        }
        let mut parts = vec![self.cast(separator.clone(), &Text, false)?.sql];
        for argument in rest {
            parts.push(self.cast(argument.clone(), &Text, false)?.sql);
        }
        Ok(Typed::new(format!("dbx_concat_ws({})", parts.join(", ")), Text))
    }
}
