//! Functions that take a lambda: `transform`, `filter`, `exists`, `forall`, `aggregate`, `zip_with`, and those of maps.

use std::rc::Rc;

use sqlparser::ast::{Expr, LambdaFunction};

use crate::sql::compile::{Compiler, Scope, Typed};
use crate::sql::error::SqlError;
use crate::sql::types::Type::{self, Array, Boolean, Int};

use super::collections::item;

impl Compiler<'_> {
    /// A call with a lambda among its arguments; `None` for others.
    pub(crate) fn lambda_call(
        &self,
        name: &str,
        exprs: &[&Expr],
        scope: &Scope<'_>,
    ) -> Option<Result<Typed, SqlError>> {
        let has_lambda = exprs.iter().any(|expr| matches!(expr, Expr::Lambda(_)));
        has_lambda.then(|| self.with_lambda(name, exprs, scope))
    }

    fn with_lambda(&self, name: &str, exprs: &[&Expr], scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let Some((Expr::Lambda(_), _)) = exprs.get(1).map(|expr| (*expr, ())) else {
            return match (name, exprs) {
                ("aggregate" | "reduce", [list, start, Expr::Lambda(merge)]) => {
                    self.fold([list, start], merge, None, scope)
                }
                ("aggregate" | "reduce", [list, start, Expr::Lambda(merge), Expr::Lambda(finish)]) => {
                    self.fold([list, start], merge, Some(finish), scope)
                }
                ("zip_with", [first, second, Expr::Lambda(lambda)]) => self.zip([first, second], lambda, scope),
                _ => Err(SqlError::unsupported(format!("the function `{name}` with a lambda"))),
            };
        };
        let [list, Expr::Lambda(lambda)] = exprs else {
            return Err(SqlError::unsupported(format!("the function `{name}` with these arguments")));
        };
        if matches!(name, "map_filter" | "transform_values" | "transform_keys") {
            return self.over_map(name, list, lambda, scope);
        }
        let (list, kind) = self.list(name, list, scope)?;
        let alias = self.alias();
        let value = Typed::new(format!("{alias}.value"), kind.clone());
        let index = Typed::new(format!("{alias}.key"), Int);
        let body = self.body(lambda, &[value.clone(), index], scope)?;
        let source = format!("FROM json_each({list}) AS {alias}");
        let (sql, kind) = match name {
            "transform" => (
                format!("SELECT json_group_array({}) {source}", item(&body.sql, &body.kind)),
                Array(Box::new(body.kind)),
            ),
            "filter" | "exists" | "any_match" | "forall" => {
                let test = self.boolean(body, &lambda.body)?.sql;
                match name {
                    "filter" => (
                        format!("SELECT json_group_array({}) {source} WHERE {test}", item(&value.sql, &kind)),
                        Array(Box::new(kind)),
                    ),
                    // NULL where a NULL could decide.
                    "forall" => (
                        format!(
                            "SELECT CASE WHEN min({test}) = 0 THEN 0 WHEN count(*) = count({test}) THEN 1 END {source}"
                        ),
                        Boolean,
                    ),
                    _ => (
                        format!(
                            "SELECT CASE WHEN max({test}) = 1 THEN 1 WHEN count(*) = count({test}) THEN 0 END {source}"
                        ),
                        Boolean,
                    ),
                }
            }
            _ => return Err(SqlError::unsupported(format!("the function `{name}` with a lambda"))),
        };
        Ok(Typed::new(format!("(CASE WHEN {list} IS NOT NULL THEN ({sql}) END)"), kind))
    }

    /// `zip_with(a, b, (x, y) -> …)`; the shorter list goes on with NULLs.
    fn zip(&self, lists: [&Expr; 2], lambda: &LambdaFunction, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let [first, second] = lists;
        let ((a, a_kind), (b, b_kind)) = (self.list("zip_with", first, scope)?, self.list("zip_with", second, scope)?);
        let alias = self.alias();
        let at = |list: &str, kind| Typed::new(format!("json_extract({list}, '$[' || {alias}.key || ']')"), kind);
        let body = self.body(lambda, &[at(&a, a_kind), at(&b, b_kind)], scope)?;
        let longer = format!("CASE WHEN json_array_length({a}) >= json_array_length({b}) THEN {a} ELSE {b} END");
        let sql = format!(
            "(CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN (SELECT json_group_array({}) FROM json_each({longer}) AS {alias}) END)",
            item(&body.sql, &body.kind)
        );
        Ok(Typed::new(sql, Array(Box::new(body.kind))))
    }

    /// `map_filter`, `transform_keys` and `transform_values`.
    fn over_map(&self, name: &str, map: &Expr, lambda: &LambdaFunction, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let map = self.expr(map, scope)?;
        let Type::Map(key, kind) = map.kind.clone() else {
            return Err(SqlError::mismatch(name, &format!("a MAP is required, not \"{}\"", map.kind.text())));
        };
        let alias = self.alias();
        let (key, value) = (Typed::new(format!("{alias}.key"), *key), Typed::new(format!("{alias}.value"), *kind));
        let body = self.body(lambda, &[key.clone(), value.clone()], scope)?;
        let (new_key, new_value, test) = match name {
            "map_filter" => (key, value, format!(" WHERE {}", self.boolean(body, &lambda.body)?.sql)),
            "transform_keys" if body.kind == Type::String => (body, value, String::new()),
            "transform_values" => (key, body, String::new()),
            _ => return Err(SqlError::unsupported("maps whose keys are not strings")),
        };
        let sql = format!(
            "(CASE WHEN {} IS NOT NULL THEN (SELECT json_group_object({}, {}) FROM json_each({}) AS {alias}{test}) END)",
            map.sql,
            new_key.sql,
            item(&new_value.sql, &new_value.kind),
            map.sql
        );
        Ok(Typed::new(sql, Type::Map(Box::new(new_key.kind), Box::new(new_value.kind))))
    }

    /// `aggregate(list, start, (sum, item) -> …, sum -> …)`, item by item.
    fn fold(
        &self,
        [list, start]: [&Expr; 2],
        merge: &LambdaFunction,
        finish: Option<&LambdaFunction>,
        scope: &Scope<'_>,
    ) -> Result<Typed, SqlError> {
        let (list, kind) = self.list("aggregate", list, scope)?;
        let start = self.expr(start, scope)?;
        let alias = self.alias();
        let sum = Typed::new(format!("{alias}.a"), start.kind.clone());
        let next = Typed::new(format!("json_extract({list}, '$[' || {alias}.i || ']')"), kind);
        let merged = self.body(merge, &[sum.clone(), next], scope)?;
        if merged.kind.common(&start.kind).as_ref() != Some(&start.kind) {
            return Err(SqlError::mismatch(
                &merge.to_string(),
                &format!("the merge gives \"{}\" but starts with \"{}\"", merged.kind.text(), start.kind.text()),
            ));
        }
        let merged = self.cast(merged, &start.kind, false)?;
        let result = match finish {
            Some(finish) => self.body(finish, &[sum], scope)?,
            None => sum,
        };
        let length = format!("json_array_length({list})");
        let sql = format!(
            "WITH RECURSIVE {alias}(i, a) AS (SELECT 0, {} UNION ALL SELECT {alias}.i + 1, {} FROM {alias} WHERE {alias}.i < {length}) SELECT {} FROM {alias} WHERE {alias}.i = {length}",
            start.sql, merged.sql, result.sql
        );
        Ok(Typed::new(format!("(CASE WHEN {list} IS NOT NULL THEN ({sql}) END)"), result.kind))
    }

    fn list(&self, name: &str, list: &Expr, scope: &Scope<'_>) -> Result<(String, Type), SqlError> {
        let list = self.expr(list, scope)?;
        match list.kind {
            Array(kind) => Ok((list.sql, *kind)),
            kind => Err(SqlError::mismatch(name, &format!("an ARRAY is required, not \"{}\"", kind.text()))),
        }
    }

    /// The body of a lambda where its parameters are these values.
    fn body(&self, lambda: &LambdaFunction, values: &[Typed], scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let wrong = || {
            SqlError::new(
                "INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH",
                &format!(
                    "Invalid lambda function call. A higher order function gives {} arguments at most.",
                    values.len()
                ),
                "42K0D",
            )
        };
        let mut inner = scope.with_mode(scope.mode);
        // Parameters hide columns; those of outer lambdas stay known.
        if !inner.aliases_first {
            inner.aliases = Rc::default();
        }
        inner.aliases_first = true;
        let mut values = values.iter();
        for parameter in lambda.params.iter() {
            let value = values.next().ok_or_else(wrong)?;
            Rc::make_mut(&mut inner.aliases).push((parameter.name.value.clone(), value.clone()));
        }
        self.expr(&lambda.body, &inner)
    }
}
