//! Sums and averages of doubles, of groups and of windows: as SQLite has them, but with NaN.

use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::Value;

use super::maths::double;
use super::statistics::number;

/// A sum of doubles from which values can be taken away again.
#[derive(Default)]
struct Total {
    /// The sum of the finite values, and what it lost by rounding (Kahan and Babuška).
    sum: f64,
    lost: f64,
    count: i32,
    not_a_number: u32,
    infinite: [u32; 2],
}

impl Total {
    /// Adds a value, or takes it away by the sign.
    fn add(&mut self, value: f64, sign: i32) {
        self.count += sign;
        let counted = match value {
            value if value.is_nan() => &mut self.not_a_number,
            f64::INFINITY => &mut self.infinite[0],
            f64::NEG_INFINITY => &mut self.infinite[1],
            value => return self.add_finite(value * f64::from(sign)),
        };
        *counted = counted.saturating_add_signed(sign);
    }

    fn add_finite(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() > value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    /// The sum of all values; nothing where there are none.
    fn sum(&self) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        Some(match (self.not_a_number, self.infinite) {
            (0, [0, 0]) if self.lost.is_nan() => self.sum,
            (0, [0, 0]) => self.sum + self.lost,
            (0, [_, 0]) => f64::INFINITY,
            (0, [0, _]) => f64::NEG_INFINITY,
            _ => f64::NAN,
        })
    }

    fn average(&self) -> Option<f64> {
        Some(self.sum()? / f64::from(self.count))
    }
}

/// What is told of a total.
struct Told(fn(&Total) -> Option<f64>);

impl Told {
    fn of(&self, total: Option<&Total>) -> Value {
        total.and_then(self.0).map_or(Value::Null, double)
    }
}

impl Aggregate<Total, Value> for Told {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Total> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> rusqlite::Result<()> {
        if let Some(value) = number(&context.get(0)?) {
            total.add(value, 1);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> rusqlite::Result<Value> {
        Ok(self.of(total.as_ref()))
    }
}

impl WindowAggregate<Total, Value> for Told {
    fn value(&self, total: Option<&mut Total>) -> rusqlite::Result<Value> {
        Ok(self.of(total.as_deref()))
    }

    fn inverse(&self, context: &mut Context<'_>, total: &mut Total) -> rusqlite::Result<()> {
        if let Some(value) = number(&context.get(0)?) {
            total.add(value, -1);
        }
        Ok(())
    }
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_window_function("dbx_sum", 1, flags, Told(Total::sum))?;
    connection.create_window_function("dbx_avg", 1, flags, Told(Total::average))
}
