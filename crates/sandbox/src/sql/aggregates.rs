//! Compiles aggregate calls, of groups and of windows.

use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArguments, NullTreatment};

use super::compile::{Compiler, Mode, Scope, Typed};
use super::error::SqlError;
use super::expr::argument_exprs;
use super::operators::ordered;
use super::query::direction;
use super::select::has_aggregate;
use super::types::Type;

/// What follows a call: which rows count, and the window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around<'a> {
    pub(crate) filter: Option<&'a str>,
    pub(crate) over: &'a str,
    pub(crate) distinct: bool,
}

impl Around<'_> {
    fn unique(&self) -> &'static str {
        if self.distinct { "DISTINCT " } else { "" }
    }

    /// FILTER and OVER, with another condition on the rows.
    fn suffix(&self, condition: Option<String>) -> String {
        let conditions: Vec<_> = self.filter.map(str::to_owned).into_iter().chain(condition).collect();
        let filter =
            if conditions.is_empty() { String::new() } else { format!(" FILTER (WHERE {})", conditions.join(" AND ")) };
        format!("{filter}{}", self.over)
    }
}

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
        if argument_exprs(&function.args)?.into_iter().any(has_aggregate) {
            return Err(SqlError::new(
                "NESTED_AGGREGATE_FUNCTION",
                "It is not allowed to use an aggregate function in the argument of another aggregate function. Please use the inner aggregate function in a sub-query.",
                "42607",
            ));
        }
        let rows = scope.with_mode(Mode::Row);
        let arguments = self.arguments(function, &rows)?;
        if matches!(name, "grouping" | "grouping_id") {
            return self.grouping(name, &arguments, scope);
        }
        let filter = function.filter.as_ref().map(|filter| self.condition(filter, &rows)).transpose()?;
        let around = Around { filter: filter.as_deref(), over: "", distinct: is_distinct(function) };
        if !function.within_group.is_empty() {
            return self.within_group(name, &arguments, function, &rows, around);
        }
        self.aggregate_call(name, with_nulls(name, arguments, function)?, around)
    }

    /// Aggregates that depend on an order.
    pub(super) fn within_group(
        &self,
        name: &str,
        arguments: &[Typed],
        function: &Function,
        rows: &Scope<'_>,
        around: Around<'_>,
    ) -> Result<Typed, SqlError> {
        let filter = around.suffix(None);
        let terms: Vec<_> = function
            .within_group
            .iter()
            .map(|term| Ok((self.expr(&term.expr, rows)?, direction(&term.options))))
            .collect::<Result<_, SqlError>>()?;
        match (name, arguments, terms.as_slice()) {
            ("string_agg" | "listagg", [value, rest @ ..], _) if !is_distinct(function) && around.over.is_empty() => {
                let value = self.cast(value.clone(), &Type::String, false)?;
                let separator = rest.first().map_or("''", |separator| separator.sql.as_str());
                let terms: Vec<_> =
                    terms.iter().map(|(term, direction)| format!("({}){direction}", term.sql)).collect();
                let sql = format!("group_concat({}, {separator} ORDER BY {}){filter}", value.sql, terms.join(", "));
                Ok(Typed::new(sql, Type::String))
            }
            ("string_agg" | "listagg", [value, separator], _) if around.over.is_empty() => {
                let value = self.cast(value.clone(), &Type::String, false)?;
                let terms: Vec<_> =
                    terms.iter().map(|(term, direction)| format!("({}){direction}", term.sql)).collect();
                let sql = format!(
                    "dbx_join_distinct({}, {} ORDER BY {}){filter}",
                    value.sql,
                    separator.sql,
                    terms.join(", ")
                );
                Ok(Typed::new(sql, Type::String))
            }
            ("percentile_cont", [fraction], [(value, direction)]) if direction.is_empty() => {
                self.aggregate_call("percentile", vec![value.clone(), fraction.clone()], around)
            }
            ("percentile_disc", [fraction], [(value, direction)]) if direction.is_empty() => {
                self.aggregate_call("approx_percentile", vec![value.clone(), fraction.clone()], around)
            }
            ("mode", [], [(value, _)]) => self.aggregate_call("mode", vec![value.clone()], around),
            _ => Err(SqlError::unsupported(format!("WITHIN GROUP on `{name}` in this form"))),
        }
    }

    pub(super) fn arguments(&self, function: &Function, scope: &Scope<'_>) -> Result<Vec<Typed>, SqlError> {
        if let FunctionArguments::List(list) = &function.args
            && !list.clauses.iter().all(|clause| matches!(clause, FunctionArgumentClause::IgnoreOrRespectNulls(_)))
        {
            return Err(SqlError::unsupported("clauses within a function call"));
        }
        argument_exprs(&function.args)?.into_iter().map(|argument| self.expr(argument, scope)).collect()
    }

    pub(super) fn aggregate_call(
        &self,
        name: &str,
        mut arguments: Vec<Typed>,
        around: Around<'_>,
    ) -> Result<Typed, SqlError> {
        let (unique, distinct) = (around.unique(), around.distinct);
        let suffix = &around.suffix(None);
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
                | "try_sum"
                | "try_avg"
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
            ("count", values) if !distinct => {
                let known: Vec<_> = values.iter().map(|value| format!("{} IS NOT NULL", value.sql)).collect();
                Ok(Typed::new(format!("count(*){}", around.suffix(Some(known.join(" AND ")))), Type::BigInt))
            }
            ("count", values) => {
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
            ("sum" | "avg" | "mean", [value]) if value.kind.is_interval() => {
                let kind = match value.kind {
                    Type::YearMonth(..) => Type::YearMonth(0, 1),
                    _ => Type::DayTime(0, 3),
                };
                let sum = format!("sum({unique}{}){suffix}", value.sql);
                Ok(match name {
                    "sum" => Typed::new(sum, kind),
                    _ => {
                        Typed::new(format!("dbx_decimal_divide({sum}, count({unique}{}){suffix}, 0)", value.sql), kind)
                    }
                })
            }
            ("try_sum", [value]) if value.kind.is_integer() && !distinct => {
                Ok(Typed::new(format!("dbx_try_sum({}){suffix}", value.sql), Type::BigInt))
            }
            ("try_sum", [_]) => self.aggregate_call("sum", arguments, around),
            ("try_avg", [_]) => self.aggregate_call("avg", arguments, around),
            ("sum", [value]) => {
                number(value)?;
                let kind = match value.kind {
                    Type::Decimal(precision, scale) => Type::Decimal(precision.saturating_add(10).min(38), scale),
                    ref kind if kind.is_integer() => Type::BigInt,
                    _ => Type::Double,
                };
                let function = if kind == Type::Double { "dbx_sum" } else { "sum" };
                Ok(Typed::new(format!("{function}({unique}{}){suffix}", value.sql), kind))
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
                    ref kind => {
                        let function = if kind.is_fractional() { "dbx_avg" } else { "avg" };
                        Ok(Typed::new(format!("{function}({unique}{}){suffix}", value.sql), Type::Double))
                    }
                }
            }
            ("min" | "max", [value]) if !value.kind.is_nested() => {
                Ok(Typed::new(format!("{name}({}){suffix}", value.sql), value.kind.clone()))
            }
            ("any_value" | "first" | "first_value" | "last" | "last_value", [value, skip @ ..]) if skip.len() < 2 => {
                // The second argument says whether NULLs are skipped.
                let known = match skip.first().map(|skip| skip.sql.as_str()) {
                    None | Some("0") => None,
                    Some("1") => Some(format!("{} IS NOT NULL", value.sql)),
                    _ => return Err(SqlError::unsupported(format!("`{name}` with these arguments"))),
                };
                let function = if name.starts_with("last") { "dbx_last" } else { "dbx_first" };
                Ok(Typed::new(format!("{function}({}){}", value.sql, around.suffix(known)), value.kind.clone()))
            }
            ("bool_and" | "every", [value]) if value.kind == Type::Boolean => {
                Ok(Typed::new(format!("min({}){suffix}", value.sql), Type::Boolean))
            }
            ("bool_or" | "any" | "some", [value]) if value.kind == Type::Boolean => {
                Ok(Typed::new(format!("max({}){suffix}", value.sql), Type::Boolean))
            }
            ("max_by" | "min_by", [value, key]) => {
                ordered(key)?;
                Ok(Typed::new(format!("dbx_{name}({}, {}){suffix}", value.sql, key.sql), value.kind.clone()))
            }
            ("collect_list" | "array_agg" | "collect_set", [value]) => {
                let unique = if name == "collect_set" { "DISTINCT " } else { unique };
                let item = if value.kind.is_nested() { format!("json({})", value.sql) } else { value.sql.clone() };
                if name == "collect_set" && !around.over.is_empty() {
                    return Err(SqlError::unsupported("`collect_set` over a window"));
                }
                let suffix = around.suffix(Some(format!("{} IS NOT NULL", value.sql)));
                Ok(Typed::new(
                    format!("json_group_array({unique}{item}){suffix}"),
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
            ("percentile", [value, fraction]) => {
                number(value)?;
                let value = self.cast(value.clone(), &Type::Double, false)?;
                self.percentile("cont", &value, fraction, suffix)
            }
            ("percentile_approx" | "approx_percentile", [value, fraction] | [value, fraction, _]) => {
                number(value)?;
                self.percentile("disc", value, fraction, suffix)
            }
            ("skewness" | "kurtosis", [value]) => {
                let value = self.cast(value.clone(), &Type::Double, false)?;
                Ok(Typed::new(format!("dbx_{name}({unique}{}){suffix}", value.sql), Type::Double))
            }
            ("bit_and" | "bit_or" | "bit_xor", [value]) if value.kind.is_integer() => {
                Ok(Typed::new(format!("dbx_{name}({unique}{}){suffix}", value.sql), value.kind.clone()))
            }
            (
                "corr" | "covar_pop" | "covar_samp" | "regr_slope" | "regr_intercept" | "regr_r2" | "regr_count"
                | "regr_avgx" | "regr_avgy" | "regr_sxx" | "regr_sxy" | "regr_syy",
                [a, b],
            ) if !distinct => {
                let (a, b) = (self.cast(a.clone(), &Type::Double, false)?, self.cast(b.clone(), &Type::Double, false)?);
                let kind = if name == "regr_count" { Type::BigInt } else { Type::Double };
                Ok(Typed::new(format!("dbx_{name}({}, {}){suffix}", a.sql, b.sql), kind))
            }
            _ => Err(SqlError::unsupported(format!("`{name}` with these arguments"))),
        }
    }

    /// One percentage, or an ARRAY of them; `disc` gives values that are there, `cont` goes between them.
    fn percentile(&self, how: &str, value: &Typed, fraction: &Typed, suffix: &str) -> Result<Typed, SqlError> {
        let scale = match &fraction.kind {
            Type::Array(kind) => kind.as_decimal().map_or(0, |(_, scale)| scale),
            _ => {
                let fraction = self.cast(fraction.clone(), &Type::Double, false)?;
                let sql = format!("dbx_percentile_{how}({}, {}){suffix}", value.sql, fraction.sql);
                return Ok(Typed::new(sql, value.kind.clone()));
            }
        };
        let sql = format!("dbx_percentiles_{how}({}, {}, 1e{scale}){suffix}", value.sql, fraction.sql);
        Ok(Typed::new(sql, Type::Array(Box::new(value.kind.clone()))))
    }
}

/// The arguments with what IGNORE NULLS asks for, where a function knows it.
pub(super) fn with_nulls(name: &str, mut arguments: Vec<Typed>, function: &Function) -> Result<Vec<Typed>, SqlError> {
    let inner = match &function.args {
        FunctionArguments::List(list) => list.clauses.iter().find_map(|clause| match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => Some(*treatment),
            _ => None,
        }),
        _ => None,
    };
    if function.null_treatment.or(inner) != Some(NullTreatment::IgnoreNulls) {
        return Ok(arguments);
    }
    if !matches!(name, "any_value" | "first" | "first_value" | "last" | "last_value") || arguments.len() != 1 {
        return Err(SqlError::unsupported(format!("IGNORE NULLS on `{name}`")));
    }
    arguments.push(Typed::new("1", Type::Boolean));
    Ok(arguments)
}

pub(super) fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}
