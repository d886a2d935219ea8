//! LIKE, IN over several columns, and paths into texts of JSON.

use sqlparser::ast::{Expr, JsonPath, JsonPathElem, Value};

use super::compile::{Compiled, Compiler, Scope, Typed, text_literal};
use super::error::SqlError;
use super::expr::{argument_exprs, boolean, not, text_typed};
use super::types::{Column, Type};

impl Compiler<'_> {
    /// `(a, b) IN (SELECT …)`.
    pub(super) fn tuple_in(
        &self,
        parts: &[Expr],
        compiled: &Compiled,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Typed, SqlError> {
        if parts.len() != compiled.columns.len() {
            return Err(SqlError::mismatch(
                "IN",
                &format!("{} values are looked for in {} columns", parts.len(), compiled.columns.len()),
            ));
        }
        let (mut values, mut columns) = (Vec::new(), Vec::new());
        for (part, column) in parts.iter().zip(&compiled.columns) {
            let value = self.expr(part, scope)?;
            let kind = self.common(&value.kind, &column.kind, part)?;
            values.push(self.cast(value, &kind, false)?.sql);
            columns.push(Column { kind, ..column.clone() });
        }
        let query = self.widened(compiled, &columns)?;
        Ok(boolean(format!("(({}) {}IN ({query}))", values.join(", "), not(negated))))
    }

    /// `(a, b) IN ((1, 2), (3, 4))`.
    pub(super) fn tuple_in_list(
        &self,
        parts: &[Expr],
        list: &[Expr],
        negated: bool,
        scope: &Scope<'_>,
    ) -> Result<Typed, SqlError> {
        let mut tests = Vec::new();
        for item in list {
            let Expr::Tuple(items) = item else {
                return Err(SqlError::unsupported("IN over tuples and single values"));
            };
            if items.len() != parts.len() {
                return Err(SqlError::mismatch("IN", "the tuples have different lengths"));
            }
            let pairs = parts.iter().zip(items);
            let same: Vec<_> = pairs
                .map(|(part, item)| {
                    let (left, right) = (self.expr(part, scope)?, self.expr(item, scope)?);
                    Ok(self.compare(left, "=", right, part)?.sql)
                })
                .collect::<Result<_, SqlError>>()?;
            tests.push(format!("({})", same.join(" AND ")));
        }
        Ok(boolean(format!("({}({}))", not(negated), tests.join(" OR "))))
    }

    /// `column:a.b[0]` on a string of JSON. Keys after dots match in any case, those in brackets exactly.
    pub(super) fn json_path(&self, value: &Expr, path: &JsonPath, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let value = self.expr(value, scope)?;
        if value.kind != Type::String {
            return Err(SqlError::mismatch(&path.to_string(), "`:` reads from a STRING of JSON here"));
        }
        let mut steps = Vec::new();
        for step in &path.path {
            steps.push(match step {
                JsonPathElem::Dot { key, quoted: false } => serde_json::json!(format!("i{key}")),
                JsonPathElem::Dot { key, quoted: true } => serde_json::json!(format!("={key}")),
                JsonPathElem::Bracket { key: Expr::Value(key) }
                | JsonPathElem::ColonBracket { key: Expr::Value(key) } => match &key.value {
                    Value::Number(number, false) => serde_json::json!(number.parse::<u32>().unwrap_or(u32::MAX)),
                    Value::SingleQuotedString(key) | Value::DoubleQuotedString(key) => {
                        serde_json::json!(format!("={key}"))
                    }
                    _ => return Err(SqlError::unsupported("this step of a JSON path")),
                },
                _ => return Err(SqlError::unsupported("this step of a JSON path")),
            });
        }
        let steps = text_typed(&serde_json::json!(steps).to_string())?;
        Ok(Typed::new(format!("dbx_json_path({}, {})", value.sql, steps.sql), Type::String))
    }

    /// One pattern, or `ANY` or `ALL` of several.
    pub(super) fn likes(
        &self,
        function: &str,
        (negated, any): (bool, bool),
        inner: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Result<Typed, SqlError> {
        let (patterns, joint) = match pattern {
            Expr::Tuple(patterns) if any => (patterns.iter().collect(), " OR "),
            Expr::Nested(pattern) if any => (vec![pattern.as_ref()], " OR "),
            Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("all") => {
                (argument_exprs(&call.args)?, " AND ")
            }
            Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("some") => {
                (argument_exprs(&call.args)?, " OR ")
            }
            pattern => return self.like(function, negated, inner, pattern, escape, scope),
        };
        let tests: Vec<_> = patterns
            .into_iter()
            .map(|pattern| Ok(self.like(function, negated, inner, pattern, escape, scope)?.sql))
            .collect::<Result<_, SqlError>>()?;
        Ok(boolean(format!("({})", tests.join(joint))))
    }

    fn like(
        &self,
        function: &str,
        negated: bool,
        inner: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        scope: &Scope<'_>,
    ) -> Result<Typed, SqlError> {
        let (value, pattern) = (self.text_of(inner, scope)?, self.text_of(pattern, scope)?);
        let escape = match escape {
            Some(escape) => self.text_of(escape, scope)?,
            None => text_literal("\\"),
        };
        Ok(boolean(format!("({}{function}({value}, {pattern}, {escape}))", not(negated))))
    }
}
