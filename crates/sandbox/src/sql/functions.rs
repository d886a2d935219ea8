//! The functions of Databricks SQL that the sandbox has: what each is in SQLite, and its type.

mod collections;
mod dates;
mod known;
mod lambdas;
mod numbers;
mod texts;
mod user;

use sqlparser::ast::Expr;

use super::compile::{Compiler, Scope, Typed, text_literal};
use super::error::SqlError;
use super::operators::DAY_MICROS;
use super::types::Type;
pub(super) use collections::item;

const AGGREGATES: [&str; 65] = [
    "any",
    "any_value",
    "approx_count_distinct",
    "approx_percentile",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "collect_list",
    "collect_set",
    "count",
    "count_if",
    "every",
    "first",
    "first_value",
    "last",
    "last_value",
    "listagg",
    "max",
    "max_by",
    "mean",
    "median",
    "min",
    "min_by",
    "percentile",
    "percentile_approx",
    "some",
    "std",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
    "mode",
    "corr",
    "approx_top_k",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bitmap_construct_agg",
    "count_min_sketch",
    "covar_pop",
    "covar_samp",
    "grouping",
    "grouping_id",
    "histogram_numeric",
    "hll_sketch_agg",
    "kurtosis",
    "percentile_cont",
    "percentile_disc",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_r2",
    "regr_intercept",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "skewness",
    "try_avg",
    "try_sum",
];

pub(crate) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// What a family of functions makes of a call; `None` when the name is not one of its own.
type Answer = Option<Result<Typed, SqlError>>;

impl Compiler<'_> {
    /// A call of a scalar function.
    pub(crate) fn scalar(&self, name: &str, arguments: Vec<Typed>) -> Result<Typed, SqlError> {
        if arguments.is_empty()
            && let Some(constant) = self.constant(name)
        {
            return constant;
        }
        if let ([argument], Some(kind)) = (arguments.as_slice(), cast_function(name)) {
            return self.cast(argument.clone(), &kind, false);
        }
        self.conditional(name, &arguments)
            .or_else(|| self.text_function(name, &arguments))
            .or_else(|| self.number_function(name, &arguments))
            .or_else(|| self.date_function(name, &arguments))
            .or_else(|| self.collection_function(name, &arguments))
            .unwrap_or_else(|| match (known::is_known(name), arguments.len()) {
                (false, _) => Err(SqlError::unresolved_routine(name)),
                (true, 1) => Err(SqlError::unsupported(format!("the function `{name}` with such an argument"))),
                (true, count) => {
                    Err(SqlError::unsupported(format!("the function `{name}` with {count} such arguments")))
                }
            })
    }

    /// Functions without arguments, some of which may go without parentheses.
    pub(crate) fn constant(&self, name: &str) -> Option<Result<Typed, SqlError>> {
        let now = self.session.now_micros;
        Some(Ok(match name {
            "current_timestamp" | "now" => Typed::new(now.to_string(), Type::Timestamp),
            "current_date" | "curdate" => Typed::new(now.div_euclid(DAY_MICROS).to_string(), Type::Date),
            "current_user" | "session_user" | "user" => Typed::new(text_literal(&self.session.user), Type::String),
            "current_catalog" => Typed::new(text_literal(&self.session.catalog), Type::String),
            "current_schema" | "current_database" => Typed::new(text_literal(&self.session.schema), Type::String),
            "current_timezone" => Typed::new("'Etc/UTC'", Type::String),
            _ => return None,
        }))
    }

    /// Calls whose first argument is a unit: `dateadd(DAY, 1, d)`, `datediff(MONTH, a, b)`.
    pub(crate) fn with_unit(&self, name: &str, exprs: &[&Expr], scope: &Scope<'_>) -> Result<Option<Typed>, SqlError> {
        let [Expr::Identifier(unit), first, second] = exprs else { return Ok(None) };
        let unit = unit.value.to_lowercase();
        let unit = unit.strip_suffix('s').unwrap_or(&unit);
        if !matches!(name, "dateadd" | "date_add" | "timestampadd" | "datediff" | "date_diff" | "timestampdiff") {
            return Ok(None);
        }
        let (first, second) = (self.expr(first, scope)?, self.expr(second, scope)?);
        match name {
            "dateadd" | "date_add" | "timestampadd" => {
                let second =
                    if second.kind.is_temporal() { second } else { self.cast(second, &Type::Timestamp, false)? };
                let second = if name == "timestampadd" { self.cast(second, &Type::Timestamp, false)? } else { second };
                let amount = self.cast(first, &Type::BigInt, false)?;
                self.shift(second, unit, &amount.sql).map(Some)
            }
            "datediff" | "date_diff" | "timestampdiff" => {
                let (first, second) =
                    (self.cast(first, &Type::Timestamp, false)?, self.cast(second, &Type::Timestamp, false)?);
                let sql = format!("dbx_difference({}, {}, {})", text_literal(unit), first.sql, second.sql);
                Ok(Some(Typed::new(sql, Type::BigInt)))
            }
            _ => Ok(None),
        }
    }

    fn conditional(&self, name: &str, arguments: &[Typed]) -> Answer {
        Some(match (name, arguments) {
            ("coalesce", [_, ..]) | ("nvl" | "ifnull", [_, _]) => {
                self.same_kind(arguments).map(|(kind, sql)| match sql.as_slice() {
                    [single] => Typed::new(single.clone(), kind),
                    _ => Typed::new(format!("coalesce({})", sql.join(", ")), kind),
                })
            }
            ("nvl2", [test, yes, no]) => self.same_kind(&[yes.clone(), no.clone()]).map(|(kind, sql)| {
                Typed::new(format!("(CASE WHEN {} IS NOT NULL THEN {} END)", test.sql, sql.join(" ELSE ")), kind)
            }),
            ("if" | "iff", [test, yes, no]) => match test.kind {
                Type::Boolean | Type::Void => self.same_kind(&[yes.clone(), no.clone()]).map(|(kind, sql)| {
                    Typed::new(format!("(CASE WHEN {} THEN {} END)", test.sql, sql.join(" ELSE ")), kind)
                }),
                _ => Err(SqlError::mismatch("if", "the first argument must be a BOOLEAN")),
            },
            ("nullif", [value, other]) => {
                self.compare(value.clone(), "=", other.clone(), &Expr::Identifier("nullif".into())).map(|equal| {
                    Typed::new(
                        format!("(CASE WHEN {} THEN NULL ELSE {} END)", equal.sql, value.sql),
                        value.kind.clone(),
                    )
                })
            }
            ("greatest" | "least", [_, _, ..]) if !arguments.iter().any(|argument| argument.kind.is_nested()) => {
                self.same_kind(arguments).map(|(kind, sql)| {
                    // SQLite's scalar min and max give NULL for any NULL; Databricks skips NULLs.
                    Typed::new(format!("dbx_{name}({})", sql.join(", ")), kind)
                })
            }
            ("equal_null", [a, b]) => self.compare(a.clone(), "IS", b.clone(), &Expr::Identifier("equal_null".into())),
            ("decode", [value, _, _, ..]) => {
                let place = Expr::Identifier("decode".into());
                let mut pairs = arguments.get(1..).unwrap_or_default().chunks_exact(2);
                let branches: Result<Vec<_>, SqlError> = pairs
                    .by_ref()
                    .map(|pair| match pair {
                        [from, to] => Ok((self.compare(value.clone(), "IS", from.clone(), &place)?, to.clone())),
                        _ => Err(SqlError::unsupported("decode with these arguments")),
                    })
                    .collect();
                let otherwise = pairs.remainder().first().cloned();
                branches.and_then(|branches| self.case(branches, otherwise, &place))
            }
            ("isnull", [value]) => Ok(Typed::new(format!("({} IS NULL)", value.sql), Type::Boolean)),
            ("isnotnull", [value]) => Ok(Typed::new(format!("({} IS NOT NULL)", value.sql), Type::Boolean)),
            ("zeroifnull", [value]) if value.kind == Type::Void => Ok(Typed::new("0", Type::Int)),
            ("zeroifnull", [value]) if value.kind.is_number() => {
                Ok(Typed::new(format!("coalesce({}, 0)", value.sql), value.kind.clone()))
            }
            ("nullifzero", [value]) if value.kind.is_number() => {
                Ok(Typed::new(format!("nullif({}, 0)", value.sql), value.kind.clone()))
            }
            ("typeof", [value]) => Ok(Typed::new(text_literal(&value.kind.catalog_text()), Type::String)),
            ("sandbox_sleep", [_]) => Ok(Typed::new("NULL", Type::Void)),
            _ => return None,
        })
    }

    /// All arguments in their common type.
    fn same_kind(&self, arguments: &[Typed]) -> Result<(Type, Vec<String>), SqlError> {
        let mut kind = Type::Void;
        for argument in arguments {
            kind = kind.common(&argument.kind).ok_or_else(|| {
                SqlError::mismatch(
                    "function",
                    &format!("the arguments \"{}\" and \"{}\" do not go together", kind.text(), argument.kind.text()),
                )
            })?;
        }
        let sql = arguments
            .iter()
            .map(|argument| Ok(self.cast(argument.clone(), &kind, false)?.sql))
            .collect::<Result<_, SqlError>>()?;
        Ok((kind, sql))
    }

    /// The SQL of the arguments, each cast to the type at its place.
    fn cast_all(&self, arguments: &[Typed], kinds: &[Type]) -> Result<String, SqlError> {
        let sql: Vec<_> = arguments
            .iter()
            .zip(kinds)
            .map(|(argument, kind)| Ok(self.cast(argument.clone(), kind, false)?.sql))
            .collect::<Result<_, SqlError>>()?;
        Ok(sql.join(", "))
    }

    /// A call with cast arguments and a fixed result type.
    fn call(&self, function: &str, arguments: &[Typed], kinds: &[Type], result: Type) -> Result<Typed, SqlError> {
        Ok(Typed::new(format!("{function}({})", self.cast_all(arguments, kinds)?), result))
    }
}

/// `int(x)`, `string(x)` and so on are casts.
fn cast_function(name: &str) -> Option<Type> {
    Some(match name {
        "string" => Type::String,
        "int" => Type::Int,
        "bigint" => Type::BigInt,
        "smallint" => Type::SmallInt,
        "tinyint" => Type::TinyInt,
        "double" => Type::Double,
        "float" => Type::Float,
        "boolean" => Type::Boolean,
        "date" => Type::Date,
        "timestamp" => Type::Timestamp,
        "decimal" => Type::Decimal(10, 0),
        _ => return None,
    })
}
