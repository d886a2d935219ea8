//! Time travel, and the table function `range`.
//!
//! Derived: the wording of refusals. Only the newest version of a table is kept, so any other is refused.

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, TableAlias, TableVersion, Value};

use super::commands::history;
use super::compile::{Compiled, Compiler, Relation, Scope};
use super::error::SqlError;
use super::temporal;
use super::types::{Column, Type};

impl Compiler<'_> {
    /// Makes sure that the version asked for is the newest.
    pub(super) fn travel(&self, name: &[String], version: &TableVersion) -> Result<(), SqlError> {
        let full = self.qualify(name)?;
        let table = self.catalog.table(&full).ok_or_else(|| SqlError::table_not_found(name))?;
        if table.view_definition.is_some() {
            return Err(SqlError::new(
                "UNSUPPORTED_FEATURE.TIME_TRAVEL",
                &format!("The feature is not supported: Time travel on the relation: `{}`.", full.join("`.`")),
                "0A000",
            ));
        }
        let versions = history(self.catalog, &full);
        let latest = versions.len().saturating_sub(1);
        match version {
            TableVersion::VersionAsOf(number) => {
                let asked = number.to_string().trim_matches('\'').parse::<usize>().ok();
                match asked {
                    Some(asked) if asked == latest => Ok(()),
                    Some(asked) if asked < latest => Err(gone()),
                    _ => Err(SqlError::new(
                        "DELTA_VERSION_NOT_FOUND",
                        &format!(
                            "Cannot time travel Delta table to version {number}. Available versions: [0, {latest}]."
                        ),
                        "22003",
                    )),
                }
            }
            TableVersion::TimestampAsOf(at) => {
                let micros = self.constant_instant(at)?;
                let (first, last) =
                    (versions.first().map_or(0, |first| first.at), versions.last().map_or(0, |last| last.at));
                let shown = |millis: i64| temporal::timestamp_text(millis.saturating_mul(1000)).unwrap_or_default();
                if micros > last.saturating_mul(1000) {
                    return Err(SqlError::new(
                        "DELTA_TIMESTAMP_GREATER_THAN_COMMIT",
                        &format!(
                            "The provided timestamp ({}) is after the latest version available to this table. Please use a timestamp before or at {}.",
                            shown(micros / 1000),
                            shown(last)
                        ),
                        "42816",
                    ));
                }
                if micros < first.saturating_mul(1000) {
                    return Err(SqlError::new(
                        "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION",
                        &format!(
                            "The provided timestamp ({}) is before the earliest version available to this table. Please use a timestamp after {}.",
                            shown(micros / 1000),
                            shown(first)
                        ),
                        "42816",
                    ));
                }
                if micros == last.saturating_mul(1000) { Ok(()) } else { Err(gone()) }
            }
            _ => Err(SqlError::unsupported("this form of time travel")),
        }
    }

    /// An instant that is known without running anything.
    fn constant_instant(&self, expr: &Expr) -> Result<i64, SqlError> {
        let text = match expr {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text),
                _ => None,
            },
            Expr::TypedString(typed) => match &typed.value.value {
                Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text),
                _ => None,
            },
            _ => None,
        };
        if let Some(text) = text {
            return temporal::parse_timestamp(text).ok_or_else(|| {
                SqlError::new(
                    "INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT",
                    &format!("The time travel timestamp expression \"{expr}\" is invalid. Cannot be casted to the \"TIMESTAMP\" type."),
                    "42K0E",
                )
            });
        }
        let value = self.expr(expr, &Scope::empty(None))?;
        match (value.sql.parse(), &value.kind) {
            (Ok(micros), Type::Timestamp) => Ok(micros),
            _ => Err(SqlError::unsupported("time travel to an instant that is computed")),
        }
    }

    /// `range(end)`, `range(start, end)` or `range(start, end, step)` in FROM.
    pub(super) fn range(
        &self,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
    ) -> Result<(String, Relation), SqlError> {
        let mut numbers = Vec::new();
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
                return Err(SqlError::unsupported("named arguments of range"));
            };
            let value = self.expr(expr, &Scope::empty(None))?;
            numbers.push(self.cast(value, &Type::BigInt, false)?.sql);
        }
        let (start, end, step) = match numbers.as_slice() {
            [end] => ("0", end.as_str(), "1"),
            [start, end] => (start.as_str(), end.as_str(), "1"),
            [start, end, step] | [start, end, step, _] => (start.as_str(), end.as_str(), step.as_str()),
            _ => return Err(SqlError::unsupported("range with these arguments")),
        };
        let alias_of = self.alias();
        let sql = format!(
            "WITH RECURSIVE {alias_of}(c0) AS (SELECT {start} WHERE dbx_within({start}, {end}, {step}) UNION ALL SELECT c0 + {step} FROM {alias_of} WHERE dbx_within(c0 + {step}, {end}, {step})) SELECT c0 FROM {alias_of}"
        );
        let compiled = Compiled { sql, columns: vec![Column { nullable: false, ..Column::new("id", Type::BigInt) }] };
        let names = alias.map_or_else(|| vec!["range".to_owned()], |alias| vec![alias.name.value.clone()]);
        self.derived(&compiled, names, alias)
    }
}

fn gone() -> SqlError {
    SqlError::unsupported("earlier versions of tables; only the newest is kept")
}
