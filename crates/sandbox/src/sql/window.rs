//! Compiles calls over windows.

use sqlparser::ast::{Expr, Function, NullTreatment, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowType};

use super::aggregates::{Around, is_distinct, with_nulls};
use super::compile::{Compiler, Scope, Typed};
use super::error::SqlError;
use super::functions::is_aggregate;
use super::named_windows::undefined;
use super::operators::{DAY_MICROS, ordered};
use super::query::direction;
use super::types::Type;

impl Compiler<'_> {
    pub(crate) fn window(&self, name: &str, function: &Function, scope: &Scope<'_>) -> Result<Typed, SqlError> {
        let spec = match &function.over {
            Some(WindowType::WindowSpec(spec)) => spec,
            Some(WindowType::NamedWindow(name)) => return Err(undefined(&name.value)),
            None => return Err(SqlError::unsupported("a window function without OVER")),
        };
        if let Some(name) = &spec.window_name {
            return Err(undefined(&name.value));
        }
        if is_distinct(function) {
            return Err(SqlError::new(
                "DISTINCT_WINDOW_FUNCTION_UNSUPPORTED",
                &format!("Distinct window functions are not supported: \"{function}\"."),
                "0A000",
            ));
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
        let keys = spec.order_by.iter().map(|term| self.expr(&term.expr, scope)).collect::<Result<Vec<_>, _>>()?;
        keys.iter().try_for_each(ordered)?;
        if !keys.is_empty() {
            let terms = keys.iter().zip(&spec.order_by);
            let terms: Vec<_> = terms.map(|(key, term)| format!("({}){}", key.sql, direction(&term.options))).collect();
            parts.push(format!("ORDER BY {}", terms.join(", ")));
        }
        if let Some(frame) = &spec.window_frame {
            parts.push(self.frame(frame, &keys)?);
        }
        let over = format!(" OVER ({})", parts.join(" "));
        let arguments = with_nulls(name, self.arguments(function, scope)?, function);
        // SQLite's own are quicker, but they do not skip NULLs and take no FILTER.
        let is_own = matches!(name, "first_value" | "first" | "last_value" | "last")
            && function.filter.is_none()
            && arguments.as_ref().is_ok_and(|arguments| arguments.len() == 1);
        if is_aggregate(name) && !is_own {
            let filter = match &function.filter {
                Some(filter) => Some(self.boolean(self.expr(filter, scope)?, filter)?.sql),
                None => None,
            };
            let around = Around { filter: filter.as_deref(), over: &over, distinct: false };
            return match function.within_group.is_empty() {
                true => self.aggregate_call(name, arguments?, around),
                false => self.within_group(name, &arguments?, function, scope, around),
            };
        }
        if function.filter.is_some() || matches!(function.null_treatment, Some(NullTreatment::IgnoreNulls)) {
            return Err(SqlError::unsupported(format!("FILTER and IGNORE NULLS on `{name}`")));
        }
        let arguments = arguments?;
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

    /// ROWS or RANGE with its bounds.
    fn frame(&self, frame: &WindowFrame, keys: &[Typed]) -> Result<String, SqlError> {
        let key = match frame.units {
            WindowFrameUnits::Rows => None,
            WindowFrameUnits::Range => keys.first(),
            WindowFrameUnits::Groups => return Err(SqlError::unsupported("GROUPS frames")),
        };
        let start = self.bound(&frame.start_bound, key)?;
        let end = frame.end_bound.as_ref().map_or(Ok("CURRENT ROW".to_owned()), |bound| self.bound(bound, key))?;
        let units = if frame.units == WindowFrameUnits::Rows { "ROWS" } else { "RANGE" };
        Ok(format!("{units} BETWEEN {start} AND {end}"))
    }

    fn bound(&self, bound: &WindowFrameBound, key: Option<&Typed>) -> Result<String, SqlError> {
        Ok(match bound {
            WindowFrameBound::CurrentRow => "CURRENT ROW".to_owned(),
            WindowFrameBound::Preceding(None) => "UNBOUNDED PRECEDING".to_owned(),
            WindowFrameBound::Following(None) => "UNBOUNDED FOLLOWING".to_owned(),
            WindowFrameBound::Preceding(Some(expr)) => format!("{} PRECEDING", self.distance(expr, key)?),
            WindowFrameBound::Following(Some(expr)) => format!("{} FOLLOWING", self.distance(expr, key)?),
        })
    }

    /// How far a frame reaches: in rows, or in what the key of a RANGE counts in.
    fn distance(&self, expr: &Expr, key: Option<&Typed>) -> Result<String, SqlError> {
        let value = self.expr(expr, &Scope::empty(None))?;
        let Some(key) = key else { return Ok(value.sql) };
        match (&key.kind, &value.kind) {
            (Type::Date, kind) if kind.is_integer() => Ok(value.sql),
            (Type::Date, Type::DayTime(_, 0)) => Ok(format!("({} / {DAY_MICROS})", value.sql)),
            (Type::Timestamp | Type::TimestampNtz, Type::DayTime(..)) => Ok(value.sql),
            // The amount has to be a number for SQLite, which does not take a call for one.
            (Type::Decimal(_, scale), amount) if amount.is_integer() => {
                Ok(self.cast(value, &Type::Decimal(38, *scale), false)?.sql)
            }
            (kind, amount)
                if kind == amount
                    || (kind.is_number() && !matches!(kind, Type::Decimal(..)) && amount.is_integer()) =>
            {
                Ok(value.sql)
            }
            (kind, amount) => Err(SqlError::unsupported(format!(
                "RANGE by \"{}\" over an order by \"{}\"",
                amount.text(),
                kind.text()
            ))),
        }
    }
}
