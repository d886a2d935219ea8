//! Compiles aggregate calls and windows.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArguments, NullTreatment, WindowFrameBound, WindowFrameUnits,
    WindowType,
};

use super::compile::{Compiler, Mode, Scope, Typed};
use super::error::SqlError;
use super::expr::argument_exprs;
use super::named_windows::undefined;
use super::query::direction;
use super::types::Type;

/// Aggregates that SQLite itself has, and so can run over windows.
const WINDOWED: [&str; 7] = ["count", "sum", "avg", "mean", "min", "max", "count_if"];

impl Compiler<'_> {
    pub(crate) fn aggregate(
        &self,
        name: &str,
        function: &Function,
        expr: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Typed, SqlError> {
        if matches!(scope.mode, Mode::Row) {
            return Err(SqlError::new(
                "INVALID_WHERE_CONDITION",
                &format!("The condition or expression \"{expr}\" contains an aggregate function where none may stand."),
                "42903",
            ));
        }
        if function.null_treatment.is_some() {
            return Err(SqlError::unsupported(format!("IGNORE NULLS on `{name}`")));
        }
        let rows = scope.with_mode(Mode::Row);
        let arguments = self.arguments(function, &rows)?;
        let filter = match &function.filter {
            Some(filter) => format!(" FILTER (WHERE {})", self.condition(filter, &rows)?),
            None => String::new(),
        };
        if !function.within_group.is_empty() {
            return self.within_group(name, &arguments, function, &rows, &filter);
        }
        self.aggregate_call(name, arguments, is_distinct(function), &filter)
    }

    /// Aggregates that depend on an order.
    fn within_group(
        &self,
        name: &str,
        arguments: &[Typed],
        function: &Function,
        rows: &Scope<'_>,
        filter: &str,
    ) -> Result<Typed, SqlError> {
        let terms: Vec<_> = function
            .within_group
            .iter()
            .map(|term| Ok((self.expr(&term.expr, rows)?, direction(&term.options))))
            .collect::<Result<_, SqlError>>()?;
        match (name, arguments, terms.as_slice()) {
            ("string_agg" | "listagg", [value, rest @ ..], _) if !is_distinct(function) => {
                let value = self.cast(value.clone(), &Type::String, false)?;
                let separator = rest.first().map_or("''", |separator| separator.sql.as_str());
                let terms: Vec<_> =
                    terms.iter().map(|(term, direction)| format!("({}){direction}", term.sql)).collect();
                let sql = format!("group_concat({}, {separator} ORDER BY {}){filter}", value.sql, terms.join(", "));
                Ok(Typed::new(sql, Type::String))
            }
            ("percentile_cont", [fraction], [(value, direction)]) if direction.is_empty() => {
                self.aggregate_call("percentile", vec![value.clone(), fraction.clone()], false, filter)
            }
            _ => Err(SqlError::unsupported(format!("WITHIN GROUP on `{name}` in this form"))),
        }
    }

    pub(crate) fn window(&self, name: &str, function: &Function, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let spec = match &function.over {
            Some(WindowType::WindowSpec(spec)) => spec,
            Some(WindowType::NamedWindow(name)) => return Err(undefined(&name.value)),
            None => return Err(SqlError::unsupported("a window function without OVER")),
        };
        if let Some(name) = &spec.window_name {
            return Err(undefined(&name.value));
        }
        if function.filter.is_some() || is_distinct(function) {
            return Err(SqlError::unsupported("FILTER or DISTINCT over windows"));
        }
        if matches!(function.null_treatment, Some(NullTreatment::IgnoreNulls)) {
            return Err(SqlError::unsupported("IGNORE NULLS over windows"));
        }
        let mut parts = Vec::new();
        if !spec.partition_by.is_empty() {
            let partition: Vec<_> = spec
                .partition_by
                .iter()
                .map(|expr| Ok(format!("({})", self.expr(expr, scope)?.sql)))
                .collect::<Result<_, SqlError>>()?;
            parts.push(format!("PARTITION BY {}", partition.join(", ")));
        }
        if !spec.order_by.is_empty() {
            let terms: Vec<_> = spec
                .order_by
                .iter()
                .map(|term| Ok(format!("({}){}", self.expr(&term.expr, scope)?.sql, direction(&term.options))))
                .collect::<Result<_, SqlError>>()?;
            parts.push(format!("ORDER BY {}", terms.join(", ")));
        }
        if let Some(frame) = &spec.window_frame {
            let units = match frame.units {
                WindowFrameUnits::Rows => "ROWS",
                WindowFrameUnits::Range => "RANGE",
                WindowFrameUnits::Groups => return Err(SqlError::unsupported("GROUPS frames")),
            };
            let start = self.bound(&frame.start_bound)?;
            let end = frame.end_bound.as_ref().map_or(Ok("CURRENT ROW".to_owned()), |bound| self.bound(bound))?;
            parts.push(format!("{units} BETWEEN {start} AND {end}"));
        }
        let over = format!(" OVER ({})", parts.join(" "));
        let arguments = self.arguments(function, scope)?;
        if WINDOWED.contains(&name) {
            return self.aggregate_call(name, arguments, false, &over);
        }
        let needs_order = !matches!(name, "first_value" | "last_value" | "first" | "last");
        if needs_order && spec.order_by.is_empty() {
            return Err(SqlError::new(
                "WINDOW_FUNCTION_WITHOUT_ORDER_BY",
                &format!("Window function {name}() requires window to be ordered, please add ORDER BY clause."),
                "42601",
            ));
        }
        let sql: Vec<_> = arguments.iter().map(|argument| argument.sql.clone()).collect();
        match (name, arguments.as_slice()) {
            ("row_number" | "rank" | "dense_rank", []) => Ok(Typed::new(format!("{name}(){over}"), Type::Int)),
            ("percent_rank" | "cume_dist", []) => Ok(Typed::new(format!("{name}(){over}"), Type::Double)),
            ("ntile", [_]) => Ok(Typed::new(format!("ntile({}){over}", sql.join(", ")), Type::Int)),
            ("lag" | "lead", [value] | [value, _]) => {
                Ok(Typed::new(format!("{name}({}){over}", sql.join(", ")), value.kind.clone()))
            }
            ("lag" | "lead", [value, offset, default]) => {
                let kind = value
                    .kind
                    .common(&default.kind)
                    .ok_or_else(|| SqlError::unsupported("a default of another type"))?;
                let (value, default) =
                    (self.cast(value.clone(), &kind, false)?, self.cast(default.clone(), &kind, false)?);
                Ok(Typed::new(format!("{name}({}, {}, {}){over}", value.sql, offset.sql, default.sql), kind))
            }
            ("first_value" | "first", [value]) => {
                Ok(Typed::new(format!("first_value({}){over}", value.sql), value.kind.clone()))
            }
            ("nth_value", [value, _]) => {
                Ok(Typed::new(format!("nth_value({}){over}", sql.join(", ")), value.kind.clone()))
            }
            ("last_value" | "last", [value]) => {
                Ok(Typed::new(format!("last_value({}){over}", value.sql), value.kind.clone()))
            }
            _ => Err(SqlError::unsupported(format!("`{name}` over a window"))),
        }
    }

    fn bound(&self, bound: &WindowFrameBound) -> Result<String, SqlError> {
        let amount = |expr: &Expr| Ok::<_, SqlError>(self.expr(expr, &Scope::empty(None))?.sql);
        Ok(match bound {
            WindowFrameBound::CurrentRow => "CURRENT ROW".to_owned(),
            WindowFrameBound::Preceding(None) => "UNBOUNDED PRECEDING".to_owned(),
            WindowFrameBound::Following(None) => "UNBOUNDED FOLLOWING".to_owned(),
            WindowFrameBound::Preceding(Some(expr)) => format!("{} PRECEDING", amount(expr)?),
            WindowFrameBound::Following(Some(expr)) => format!("{} FOLLOWING", amount(expr)?),
        })
    }

    fn arguments(&self, function: &Function, scope: &Scope<'_>) -> Result<Vec<Typed>, SqlError> {
        if let FunctionArguments::List(list) = &function.args
            && !list.clauses.is_empty()
        {
            return Err(SqlError::unsupported("clauses within a function call"));
        }
        argument_exprs(&function.args)?.into_iter().map(|argument| self.expr(argument, scope)).collect()
    }

    /// `suffix` is a FILTER or an OVER.
    fn aggregate_call(
        &self,
        name: &str,
        mut arguments: Vec<Typed>,
        distinct: bool,
        suffix: &str,
    ) -> Result<Typed, SqlError> {
        let unique = if distinct { "DISTINCT " } else { "" };
        if matches!(
            name,
            "sum"
                | "avg"
                | "mean"
                | "median"
                | "stddev"
                | "std"
                | "stddev_samp"
                | "stddev_pop"
                | "variance"
                | "var_samp"
                | "var_pop"
                | "percentile"
                | "percentile_approx"
                | "approx_percentile"
        ) && let Some(first) = arguments.first_mut()
            && matches!(first.kind, Type::String | Type::Void)
        {
            *first = self.cast(first.clone(), &Type::Double, false)?;
        }
        let number = |value: &Typed| {
            if value.kind.is_number() {
                Ok(())
            } else {
                Err(SqlError::mismatch(name, &format!("a number is required, not \"{}\"", value.kind.text())))
            }
        };
        match (name, arguments.as_slice()) {
            ("count", []) => Ok(Typed::new(format!("count(*){suffix}"), Type::BigInt)),
            ("count", [value]) => Ok(Typed::new(format!("count({unique}{}){suffix}", value.sql), Type::BigInt)),
            ("count", values) if distinct => {
                let key: Vec<_> = values.iter().map(|value| value.sql.clone()).collect();
                let missing: Vec<_> = key.iter().map(|sql| format!("{sql} IS NULL")).collect();
                Ok(Typed::new(
                    format!(
                        "count(DISTINCT CASE WHEN NOT ({}) THEN json_array({}) END){suffix}",
                        missing.join(" OR "),
                        key.join(", ")
                    ),
                    Type::BigInt,
                ))
            }
            ("approx_count_distinct", [value]) => {
                Ok(Typed::new(format!("count(DISTINCT {}){suffix}", value.sql), Type::BigInt))
            }
            ("count_if", [value]) if value.kind == Type::Boolean => {
                Ok(Typed::new(format!("count(CASE WHEN {} THEN 1 END){suffix}", value.sql), Type::BigInt))
            }
            ("sum", [value]) => {
                number(value)?;
                let kind = match value.kind {
                    Type::Decimal(precision, scale) => Type::Decimal(precision.saturating_add(10).min(38), scale),
                    ref kind if kind.is_integer() => Type::BigInt,
                    _ => Type::Double,
                };
                Ok(Typed::new(format!("sum({unique}{}){suffix}", value.sql), kind))
            }
            ("avg" | "mean", [value]) => {
                number(value)?;
                match value.kind {
                    Type::Decimal(precision, scale) => {
                        let (kind, grow) =
                            (Type::Decimal(precision.saturating_add(4).min(38), scale.saturating_add(4).min(38)), 4);
                        Ok(Typed::new(
                            format!(
                                "dbx_decimal_divide(sum({unique}{}){suffix}, count({unique}{}){suffix}, {grow})",
                                value.sql, value.sql
                            ),
                            kind,
                        ))
                    }
                    _ => Ok(Typed::new(format!("avg({unique}{}){suffix}", value.sql), Type::Double)),
                }
            }
            ("min" | "max", [value]) if !value.kind.is_nested() => {
                Ok(Typed::new(format!("{name}({}){suffix}", value.sql), value.kind.clone()))
            }
            ("any_value" | "first" | "first_value", [value]) => {
                Ok(Typed::new(format!("dbx_first({}){suffix}", value.sql), value.kind.clone()))
            }
            ("last" | "last_value", [value]) => {
                Ok(Typed::new(format!("dbx_last({}){suffix}", value.sql), value.kind.clone()))
            }
            ("bool_and" | "every", [value]) if value.kind == Type::Boolean => {
                Ok(Typed::new(format!("min({}){suffix}", value.sql), Type::Boolean))
            }
            ("bool_or" | "any" | "some", [value]) if value.kind == Type::Boolean => {
                Ok(Typed::new(format!("max({}){suffix}", value.sql), Type::Boolean))
            }
            ("max_by" | "min_by", [value, key]) => {
                Ok(Typed::new(format!("dbx_{name}({}, {}){suffix}", value.sql, key.sql), value.kind.clone()))
            }
            ("collect_list" | "array_agg" | "collect_set", [value]) => {
                let unique = if name == "collect_set" { "DISTINCT " } else { unique };
                let item = if value.kind.is_nested() { format!("json({})", value.sql) } else { value.sql.clone() };
                let filter = if suffix.is_empty() {
                    format!(" FILTER (WHERE {} IS NOT NULL)", value.sql)
                } else {
                    return Err(SqlError::unsupported(format!("FILTER on `{name}`")));
                };
                Ok(Typed::new(
                    format!("json_group_array({unique}{item}){filter}"),
                    Type::Array(Box::new(value.kind.clone())),
                ))
            }
            ("mode", [value]) if !value.kind.is_nested() => {
                Ok(Typed::new(format!("dbx_mode({}){suffix}", value.sql), value.kind.clone()))
            }
            ("string_agg" | "listagg", [value, separator]) if distinct && suffix.is_empty() => {
                let value = self.cast(value.clone(), &Type::String, false)?;
                Ok(Typed::new(format!("dbx_join_distinct({}, {})", value.sql, separator.sql), Type::String))
            }
            ("string_agg" | "listagg", [value, rest @ ..]) if !distinct || rest.is_empty() => {
                let value = self.cast(value.clone(), &Type::String, false)?;
                let separator = rest.first().map_or("''", |separator| separator.sql.as_str());
                let call = if distinct {
                    format!("dbx_join(DISTINCT {})", value.sql)
                } else {
                    format!("group_concat({}, {separator})", value.sql)
                };
                Ok(Typed::new(format!("{call}{suffix}"), Type::String))
            }
            (
                "stddev" | "std" | "stddev_samp" | "stddev_pop" | "variance" | "var_samp" | "var_pop" | "median",
                [value],
            ) => {
                number(value)?;
                let function = match name {
                    "stddev" | "std" => "stddev_samp",
                    "variance" => "var_samp",
                    name => name,
                };
                let value = self.cast(value.clone(), &Type::Double, false)?;
                Ok(Typed::new(format!("dbx_{function}({unique}{}){suffix}", value.sql), Type::Double))
            }
            ("percentile" | "percentile_approx" | "approx_percentile", [_, fraction, ..])
                if fraction.kind.is_nested() =>
            {
                Err(SqlError::unsupported(format!("`{name}` with several percentages")))
            }
            ("percentile" | "percentile_approx" | "approx_percentile", [value, fraction, ..]) => {
                number(value)?;
                let kind = if name == "percentile" { Type::Double } else { value.kind.clone() };
                let value =
                    if name == "percentile" { self.cast(value.clone(), &Type::Double, false)? } else { value.clone() };
                let fraction = self.cast(fraction.clone(), &Type::Double, false)?;
                let function = if name == "percentile" { "dbx_percentile" } else { "dbx_percentile_of" };
                Ok(Typed::new(format!("{function}({}, {}){suffix}", value.sql, fraction.sql), kind))
            }
            _ => Err(SqlError::unsupported(format!("`{name}` with these arguments"))),
        }
    }
}

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}
