//! Compiles expressions, each to SQLite's dialect with its Databricks type.

use sqlparser::ast::{
    AccessExpr, CastKind, CeilFloorKind, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Subscript,
    TrimWhereField, UnaryOperator, Value,
};

use super::compile::{Compiler, Mode, Scope, Typed, access, text_literal};
use super::error::SqlError;
use super::functions::is_aggregate;
use super::literals::suffixed;
use super::parse::{parts, values};
use super::types::Type;

/// Expressions that repeat their parts must not grow without bounds.
const SQL_LIMIT: usize = 1_000_000;

impl Compiler<'_> {
    pub(crate) fn expr(&self, expr: &Expr, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let value = self.deeper(|| self.any_expr(expr, scope))?;
        if value.sql.len() > SQL_LIMIT {
            return Err(SqlError::unsupported("expressions this large"));
        }
        Ok(value)
    }

    fn any_expr(&self, expr: &Expr, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        // An expression of GROUP BY may be named as a whole.
        if let Mode::Group(groups) = scope.mode
            && !matches!(expr, Expr::Value(_))
            && let Ok(value) = self.expr(expr, &scope.with_mode(Mode::Row))
            && groups.contains(&value.sql)
        {
            return Ok(groups.read(value));
        }
        match expr {
            Expr::Identifier(name) => self.name(std::slice::from_ref(&name.value), scope),
            Expr::CompoundIdentifier(names) => scope.resolve(&values(names)),
            Expr::Nested(inner) => {
                let value = self.expr(inner, scope)?;
                Ok(Typed::new(format!("({})", value.sql), value.kind))
            }
            Expr::Value(value) => self.literal(&value.value),
            Expr::TypedString(typed) => {
                let kind = Type::from_ast(&typed.data_type)
                    .ok_or_else(|| SqlError::unsupported(format!("the type {}", typed.data_type)))?;
                let text = match &typed.value.value {
                    Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
                    _ => return Err(SqlError::unsupported("this literal")),
                };
                self.cast(text_typed(&text)?, &kind, false)
            }
            Expr::UnaryOp { op, expr: inner } => self.unary(*op, inner, scope),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, expr, scope),
            Expr::IsNull(inner) => self.test(inner, "IS NULL", scope),
            Expr::IsNotNull(inner) => self.test(inner, "IS NOT NULL", scope),
            Expr::IsTrue(inner) => self.test_boolean(inner, "IS 1", scope),
            Expr::IsNotTrue(inner) => self.test_boolean(inner, "IS NOT 1", scope),
            Expr::IsFalse(inner) => self.test_boolean(inner, "IS 0", scope),
            Expr::IsNotFalse(inner) => self.test_boolean(inner, "IS NOT 0", scope),
            Expr::IsDistinctFrom(left, right) => {
                self.compare(self.expr(left, scope)?, "IS NOT", self.expr(right, scope)?, expr)
            }
            Expr::IsNotDistinctFrom(left, right) => {
                self.compare(self.expr(left, scope)?, "IS", self.expr(right, scope)?, expr)
            }
            Expr::Between { expr: inner, negated, low, high } => {
                let values = [self.expr(inner, scope)?, self.expr(low, scope)?, self.expr(high, scope)?];
                let [value, low, high] = self.unified(values, expr)?;
                Ok(boolean(format!("({value} {}BETWEEN {low} AND {high})", not(*negated))))
            }
            Expr::InList { expr: inner, list, negated } => match inner.as_ref() {
                Expr::Tuple(parts) => self.tuple_in_list(parts, list, *negated, scope),
                inner => self.in_list(inner, list, *negated, scope),
            },
            Expr::InSubquery { expr: inner, subquery, negated } => {
                let compiled = self.query(subquery, Some(scope), &scope.ctes)?;
                if let Expr::Tuple(parts) = inner.as_ref() {
                    return self.tuple_in(parts, &compiled, *negated, scope);
                }
                let [column] = compiled.columns.as_slice() else {
                    return Err(SqlError::unsupported("IN over a subquery with several columns"));
                };
                let value = self.expr(inner, scope)?;
                let kind = self.common(&value.kind, &column.kind, expr)?;
                let mut wanted = column.clone();
                wanted.kind = kind.clone();
                let query = self.widened(&compiled, &[wanted])?;
                Ok(boolean(format!("({} {}IN ({query}))", self.cast(value, &kind, false)?.sql, not(*negated))))
            }
            Expr::Exists { subquery, negated } => {
                let compiled = self.query(subquery, Some(scope), &scope.ctes)?;
                Ok(boolean(format!("({}EXISTS ({}))", not(*negated), compiled.sql)))
            }
            Expr::Subquery(query) => {
                let compiled = self.query(query, Some(scope), &scope.ctes)?;
                match compiled.columns.as_slice() {
                    [column] => Ok(Typed::new(format!("({})", single_row(&compiled.sql)), column.kind.clone())),
                    columns => Err(SqlError::new(
                        "INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN",
                        &format!("Scalar subquery must return only one column, but got {}.", columns.len()),
                        "42823",
                    )),
                }
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let mut branches = Vec::new();
                let operand = operand.as_ref().map(|operand| self.expr(operand, scope)).transpose()?;
                for branch in conditions {
                    let value = self.expr(&branch.condition, scope)?;
                    let condition = match &operand {
                        Some(operand) => self.compare(operand.clone(), "=", value, expr)?,
                        None => self.boolean(value, &branch.condition)?,
                    };
                    branches.push((condition, self.expr(&branch.result, scope)?));
                }
                let otherwise = else_result.as_ref().map(|expr| self.expr(expr, scope)).transpose()?;
                self.case(branches, otherwise, expr)
            }
            Expr::Like { negated, any, expr: inner, pattern, escape_char } => {
                self.likes("dbx_like", (*negated, *any), inner, pattern, escape_char.as_deref(), scope)
            }
            Expr::ILike { negated, any, expr: inner, pattern, escape_char } => {
                self.likes("dbx_ilike", (*negated, *any), inner, pattern, escape_char.as_deref(), scope)
            }
            Expr::RLike { negated, expr: inner, pattern, .. } => {
                let (value, pattern) = (self.text_of(inner, scope)?, self.text_of(pattern, scope)?);
                Ok(boolean(format!("({}dbx_rlike({value}, {pattern}))", not(*negated))))
            }
            Expr::Cast { kind, expr: inner, data_type, format: None } => {
                let target =
                    Type::from_ast(data_type).ok_or_else(|| SqlError::unsupported(format!("casts to {data_type}")))?;
                let tolerant = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
                self.cast(self.expr(inner, scope)?, &target, tolerant)
            }
            Expr::Extract { field, expr: inner, .. } => {
                self.scalar("extract", vec![text_typed(&field.to_string())?, self.expr(inner, scope)?])
            }
            Expr::Ceil { expr: inner, field } => self.ceil_floor("ceil", inner, field, scope),
            Expr::Floor { expr: inner, field } => self.ceil_floor("floor", inner, field, scope),
            Expr::Position { expr: needle, r#in } => {
                self.scalar("position", vec![self.expr(needle, scope)?, self.expr(r#in, scope)?])
            }
            Expr::Substring { expr: inner, substring_from, substring_for, .. } => {
                let mut arguments = vec![self.expr(inner, scope)?];
                for part in [substring_from, substring_for].into_iter().flatten() {
                    arguments.push(self.expr(part, scope)?);
                }
                self.scalar("substring", arguments)
            }
            Expr::Trim { trim_where, trim_what, expr: inner, trim_characters: None } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "trim",
                };
                // With two arguments the function takes what to trim first, as `ltrim` does.
                let mut arguments = Vec::new();
                if let Some(what) = trim_what {
                    arguments.push(self.expr(what, scope)?);
                }
                arguments.push(self.expr(inner, scope)?);
                self.scalar(name, arguments)
            }
            Expr::Overlay { expr: inner, overlay_what, overlay_from, overlay_for } => {
                let parts = [Some(inner), Some(overlay_what), Some(overlay_from), overlay_for.as_ref()];
                let parts = parts.into_iter().flatten().map(|part| self.expr(part, scope)).collect::<Result<_, _>>()?;
                self.scalar("overlay", parts)
            }
            Expr::Array(array) => {
                let items = array.elem.iter().map(|item| self.expr(item, scope)).collect::<Result<_, _>>()?;
                self.scalar("array", items)
            }
            Expr::Struct { values, fields } if fields.is_empty() => {
                let mut named = Vec::new();
                for (index, value) in values.iter().enumerate() {
                    let (name, value) = match value {
                        Expr::Named { expr, name } => (name.value.clone(), expr.as_ref()),
                        Expr::Identifier(name) => (name.value.clone(), value),
                        Expr::CompoundIdentifier(names) => {
                            (names.last().map(|name| name.value.clone()).unwrap_or_default(), value)
                        }
                        value => (format!("col{}", index + 1), value),
                    };
                    named.push(text_typed(&name)?);
                    named.push(self.expr(value, scope)?);
                }
                self.scalar("named_struct", named)
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                access_chain.iter().try_fold(self.expr(root, scope)?, |value, step| match step {
                    AccessExpr::Dot(Expr::Identifier(name)) => access(&value, &name.value),
                    AccessExpr::Subscript(Subscript::Index { index }) => {
                        let index = self.expr(index, scope)?;
                        self.subscript(value, index)
                    }
                    _ => Err(SqlError::unsupported("this access path")),
                })
            }
            Expr::JsonAccess { value, path } => self.json_path(value, path, scope),
            Expr::Function(function) => self.function(function, expr, scope),
            Expr::Interval(interval) => self.interval(interval),
            _ => Err(SqlError::unsupported(format!("the expression `{expr}`"))),
        }
    }

    fn name(&self, name: &[String], scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let outcome = scope.resolve(name);
        match (&outcome, name) {
            // `current_date` and its kin need no parentheses; the parser takes `5L` for a name.
            (Err(_), [single]) => match (self.constant(&single.to_lowercase()), suffixed(single)) {
                (Some(constant), _) => constant,
                (None, Some(number)) => Ok(number),
                (None, None) => outcome,
            },
            _ => outcome,
        }
    }

    fn function(&self, function: &sqlparser::ast::Function, expr: &Expr, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let name = function.name.to_string().replace('`', "").to_lowercase();
        if let Some(routine) = self.user_function(&parts(&function.name)?) {
            let arguments = argument_exprs(&function.args)?;
            let arguments =
                arguments.into_iter().map(|argument| self.expr(argument, scope)).collect::<Result<Vec<_>, _>>()?;
            return self.call_user(routine, &arguments);
        }
        if function.over.is_some() {
            return self.window(&name, function, scope);
        }
        if is_aggregate(&name) {
            return self.aggregate(&name, function, expr, scope);
        }
        if function.filter.is_some() || function.null_treatment.is_some() || !function.within_group.is_empty() {
            return Err(SqlError::unsupported(format!("FILTER and WITHIN GROUP on `{name}`")));
        }
        let exprs = argument_exprs(&function.args)?;
        if let Some(value) = self.lambda_call(&name, &exprs, scope) {
            return value;
        }
        if let Some(value) = self.with_unit(&name, &exprs, scope)? {
            return Ok(value);
        }
        let arguments = exprs.into_iter().map(|argument| self.expr(argument, scope)).collect::<Result<_, _>>()?;
        self.scalar(&name, arguments)
    }

    fn unary(&self, op: UnaryOperator, inner: &Expr, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let value = self.expr(inner, scope)?;
        match op {
            UnaryOperator::Not | UnaryOperator::BangNot => {
                Ok(boolean(format!("(NOT {})", self.boolean(value, inner)?.sql)))
            }
            UnaryOperator::Minus | UnaryOperator::Plus => {
                let value = if value.kind == Type::String { self.cast(value, &Type::Double, false)? } else { value };
                if !value.kind.is_number() && !value.kind.is_interval() && value.kind != Type::Void {
                    return Err(SqlError::mismatch(&inner.to_string(), "a number is required"));
                }
                Ok(match op {
                    UnaryOperator::Minus => self.negative(value),
                    _ => value,
                })
            }
            UnaryOperator::BitwiseNot if value.kind.is_integer() => {
                Ok(Typed::new(format!("(~{})", value.sql), value.kind))
            }
            _ => Err(SqlError::unsupported(format!("the operator {op}"))),
        }
    }

    fn test(&self, inner: &Expr, test: &str, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        Ok(boolean(format!("({} {test})", self.expr(inner, scope)?.sql)))
    }

    fn test_boolean(&self, inner: &Expr, test: &str, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let value = self.expr(inner, scope)?;
        Ok(boolean(format!("({} {test})", self.boolean(value, inner)?.sql)))
    }

    /// A condition; strings become booleans as Databricks casts them, numbers do not.
    pub(crate) fn boolean(&self, value: Typed, expr: &Expr) -> Result<Typed, SqlError> {
        match value.kind {
            Type::Boolean | Type::Void => Ok(value),
            Type::String => self.cast(value, &Type::Boolean, false),
            kind => Err(SqlError::mismatch(
                &expr.to_string(),
                &format!("a \"BOOLEAN\" is required, however it has the type \"{}\"", kind.text()),
            )),
        }
    }

    fn in_list(&self, inner: &Expr, list: &[Expr], negated: bool, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let value = self.expr(inner, scope)?;
        let items = list.iter().map(|item| self.expr(item, scope)).collect::<Result<Vec<_>, _>>()?;
        let mut kind = value.kind.clone();
        for item in &items {
            kind = self.common(&kind, &item.kind, inner)?;
        }
        let items: Vec<_> =
            items.into_iter().map(|item| Ok(self.cast(item, &kind, false)?.sql)).collect::<Result<_, SqlError>>()?;
        Ok(boolean(format!("({} {}IN ({}))", self.cast(value, &kind, false)?.sql, not(negated), items.join(", "))))
    }

    /// CASE with all results in their common type.
    pub(crate) fn case(
        &self,
        branches: Vec<(Typed, Typed)>,
        otherwise: Option<Typed>,
        expr: &Expr,
    ) -> Result<Typed, SqlError> {
        let mut kind = Type::Void;
        for value in branches.iter().map(|(_, value)| value).chain(&otherwise) {
            kind = self.common(&kind, &value.kind, expr)?;
        }
        let mut sql = "(CASE".to_owned();
        for (condition, value) in branches {
            sql.push_str(&format!(" WHEN {} THEN {}", condition.sql, self.cast(value, &kind, false)?.sql));
        }
        if let Some(value) = otherwise {
            sql.push_str(&format!(" ELSE {}", self.cast(value, &kind, false)?.sql));
        }
        Ok(Typed::new(format!("{sql} END)"), kind))
    }

    pub(super) fn text_of(&self, expr: &Expr, scope: &Scope<'_>) -> Result<String, SqlError> {
        Ok(self.cast(self.expr(expr, scope)?, &Type::String, false)?.sql)
    }

    fn ceil_floor(
        &self,
        name: &str,
        inner: &Expr,
        field: &CeilFloorKind,
        scope: &Scope<'_>,
    ) -> Result<Typed, SqlError> {
        match field {
            CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) => {
                self.scalar(name, vec![self.expr(inner, scope)?])
            }
            CeilFloorKind::Scale(scale) => {
                let scale = self.literal(&scale.value)?;
                self.scalar(name, vec![self.expr(inner, scope)?, scale])
            }
            _ => Err(SqlError::unsupported(format!("{name} to a scale or unit"))),
        }
    }

    pub(crate) fn common(&self, left: &Type, right: &Type, expr: &Expr) -> Result<Type, SqlError> {
        left.common(right).ok_or_else(|| {
            SqlError::mismatch(
                &expr.to_string(),
                &format!("the types \"{}\" and \"{}\" do not go together", left.text(), right.text()),
            )
        })
    }
}

/// The positional arguments of a call; `*` is none.
pub(crate) fn argument_exprs(arguments: &FunctionArguments) -> Result<Vec<&Expr>, SqlError> {
    match arguments {
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(SqlError::unsupported("subqueries as the only argument")),
        FunctionArguments::List(list) => list
            .args
            .iter()
            .filter(|argument| !matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Wildcard)))
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
                _ => Err(SqlError::unsupported("named arguments")),
            })
            .collect(),
    }
}

/// At most one row; more is an error in Databricks, and here as well.
fn single_row(sql: &str) -> String {
    format!("SELECT dbx_single(c0, count(*)) FROM ({sql})")
}

pub(super) fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

pub(crate) fn boolean(sql: String) -> Typed {
    Typed::new(sql, Type::Boolean)
}

pub(crate) fn text_typed(text: &str) -> Result<Typed, SqlError> {
    if text.contains('\0') {
        return Err(SqlError::unsupported("strings that contain NUL"));
    }
    Ok(Typed::new(text_literal(text), Type::String))
}
