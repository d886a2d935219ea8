//! Operators: arithmetic, comparisons, indexes.

use std::cmp::Ordering;

use super::budget::Budget;
use super::run::Failure;
use super::syntax::{Comparison, Operator};
use super::value::{Items, Value};

/// Bytes of a text, and items of a list, at most.
pub(super) const LONGEST: usize = 1 << 20;

fn type_error(message: impl Into<String>) -> Failure {
    Failure::raised("TypeError", message)
}

pub(super) fn compute(operator: Operator, left: &Value, right: &Value) -> Result<Value, Failure> {
    match (operator, left, right) {
        (Operator::Add, Value::Text(left), Value::Text(right)) => {
            check_length(left.len() + right.len())?;
            Ok(Value::text(&format!("{left}{right}")))
        }
        (Operator::Add, Value::Text(_), other) => {
            Err(type_error(format!("can only concatenate str (not \"{}\") to str", other.type_name())))
        }
        (Operator::Add, Value::List(left), Value::List(right)) => {
            check_length(left.len() + right.len())?;
            Ok(Value::list([left.all().as_slice(), right.all().as_slice()].concat()))
        }
        (Operator::Add, Value::Tuple(left), Value::Tuple(right)) => {
            check_length(left.len() + right.len())?;
            Ok(Value::Tuple(Items::new([left.all().as_slice(), right.all().as_slice()].concat())))
        }
        (Operator::Multiply, Value::Text(text), times) | (Operator::Multiply, times, Value::Text(text))
            if times.whole().is_some() =>
        {
            let times = usize::try_from(times.whole().unwrap_or_default()).unwrap_or_default();
            check_length(text.len().saturating_mul(times))?;
            Ok(Value::text(&text.repeat(times)))
        }
        (Operator::Multiply, Value::List(items), times) if times.whole().is_some() => {
            let times = usize::try_from(times.whole().unwrap_or_default()).unwrap_or_default();
            check_length(items.len().saturating_mul(times))?;
            let items = items.all();
            Ok(Value::list((0..times).flat_map(|_| items.iter().cloned()).collect()))
        }
        (Operator::Modulo, Value::Text(_), _) => Err(Failure::refused("`%` on texts; write an f-string")),
        (_, Value::Exact(..), _) | (_, _, Value::Exact(..)) => {
            Err(Failure::refused("arithmetic with decimals, dates and timestamps; do it in SQL"))
        }
        _ => match (left.whole(), right.whole()) {
            (Some(left), Some(right)) => whole(operator, left, right),
            _ => match (left.number(), right.number()) {
                (Some(left), Some(right)) => float(operator, left, right),
                _ => Err(type_error(format!(
                    "unsupported operand type(s) for {}: '{}' and '{}'",
                    operator.text(),
                    left.type_name(),
                    right.type_name()
                ))),
            },
        },
    }
}

pub(super) fn check_length(length: usize) -> Result<(), Failure> {
    if length > LONGEST { Err(Failure::refused("texts and lists this long")) } else { Ok(()) }
}

fn divided_by_zero(message: &str) -> Failure {
    Failure::raised("ZeroDivisionError", message)
}

fn whole(operator: Operator, left: i64, right: i64) -> Result<Value, Failure> {
    let computed = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Floor | Operator::Modulo if right == 0 => {
            return Err(divided_by_zero("integer division or modulo by zero"));
        }
        // Python rounds down, Rust towards zero.
        Operator::Floor => left.checked_div(right).map(|quotient| {
            let is_between = left % right != 0 && (left < 0) != (right < 0);
            quotient - i64::from(is_between)
        }),
        Operator::Modulo => left.checked_rem(right).map(|rest| {
            let is_between = rest != 0 && (rest < 0) != (right < 0);
            if is_between { rest + right } else { rest }
        }),
        Operator::Power if right >= 0 => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
        Operator::Divide | Operator::Power => {
            return float(
                operator,
                Value::Int(left).number().unwrap_or_default(),
                Value::Int(right).number().unwrap_or_default(),
            );
        }
    };
    computed.map(Value::Int).ok_or_else(|| Failure::refused("whole numbers beyond 64 bits"))
}

fn float(operator: Operator, left: f64, right: f64) -> Result<Value, Failure> {
    if right == 0.0 && matches!(operator, Operator::Divide | Operator::Floor | Operator::Modulo) {
        return Err(divided_by_zero(match operator {
            Operator::Divide => "division by zero",
            Operator::Floor => "float floor division by zero",
            _ => "float modulo by zero",
        }));
    }
    Ok(Value::Float(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Floor => (left / right).floor(),
        Operator::Modulo => left - right * (left / right).floor(),
        Operator::Power if left < 0.0 && right.fract() != 0.0 => {
            return Err(Failure::refused("complex numbers"));
        }
        Operator::Power if left == 0.0 && right < 0.0 => {
            return Err(divided_by_zero("0.0 cannot be raised to a negative power"));
        }
        Operator::Power => left.powf(right),
    }))
}

pub(super) fn compare(comparison: Comparison, left: &Value, right: &Value, budget: &Budget) -> Result<bool, Failure> {
    Ok(match comparison {
        Comparison::Equal => equals(left, right, budget)?,
        Comparison::NotEqual => !equals(left, right, budget)?,
        Comparison::Less => order(left, right, "<", budget)? == Some(Ordering::Less),
        Comparison::AtMost => order(left, right, "<=", budget)?.is_some_and(Ordering::is_le),
        Comparison::More => order(left, right, ">", budget)? == Some(Ordering::Greater),
        Comparison::AtLeast => order(left, right, ">=", budget)?.is_some_and(Ordering::is_ge),
        Comparison::In => contains(right, left, budget)?,
        Comparison::NotIn => !contains(right, left, budget)?,
        Comparison::Is => is_same(left, right)?,
        Comparison::IsNot => !is_same(left, right)?,
    })
}

pub(super) fn equals(left: &Value, right: &Value, budget: &Budget) -> Result<bool, Failure> {
    let is_exact = |value: &Value| matches!(value, Value::Exact(..));
    if is_exact(left) != is_exact(right) && left.number().or(right.number()).is_some() {
        return Err(Failure::refused("comparisons of decimals with numbers; do it in SQL"));
    }
    Ok(left.equals(right, budget, 0)?)
}

/// Which of two comes first; nothing where one is not a number.
pub(super) fn order(left: &Value, right: &Value, operator: &str, budget: &Budget) -> Result<Option<Ordering>, Failure> {
    budget.spend(1)?;
    if let (Some(left), Some(right)) = (left.whole(), right.whole()) {
        return Ok(Some(left.cmp(&right)));
    }
    if let (Some(left), Some(right)) = (left.number(), right.number()) {
        return Ok(left.partial_cmp(&right));
    }
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            budget.spend(left.len().min(right.len()) / 64)?;
            Ok(Some(left.cmp(right)))
        }
        (Value::List(left), Value::List(right)) | (Value::Tuple(left), Value::Tuple(right)) => {
            let (left, right) = (left.all(), right.all());
            for (left, right) in left.iter().zip(right.iter()) {
                if !equals(left, right, budget)? {
                    // Nested ones differ in depth at most as far as `equals` goes.
                    return order(left, right, operator, budget);
                }
            }
            Ok(Some(left.len().cmp(&right.len())))
        }
        (Value::Exact(..), _) | (_, Value::Exact(..)) => {
            Err(Failure::refused("comparisons of decimals, dates and timestamps; do them in SQL"))
        }
        _ => Err(type_error(format!(
            "'{operator}' not supported between instances of '{}' and '{}'",
            left.type_name(),
            right.type_name()
        ))),
    }
}

fn contains(whole: &Value, part: &Value, budget: &Budget) -> Result<bool, Failure> {
    match whole {
        Value::Text(whole) => match part {
            Value::Text(part) => Ok(whole.contains(part.as_ref())),
            other => {
                Err(type_error(format!("'in <string>' requires string as left operand, not {}", other.type_name())))
            }
        },
        Value::Dict(items) => {
            check_key(part)?;
            Ok(items.place(part).is_some())
        }
        Value::List(items) | Value::Tuple(items) => {
            for item in items.all().iter() {
                if equals(item, part, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Range(start, stop, step) => Ok(part.whole().is_some_and(|number| {
            let inside = if *step > 0 { (*start..*stop).contains(&number) } else { *stop < number && number <= *start };
            inside && (number - start) % step == 0
        })),
        Value::Row(row) => {
            Ok(matches!(part, Value::Text(name) if row.names.iter().any(|known| known.as_str() == name.as_ref())))
        }
        other => match other {
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                Err(type_error(format!("argument of type '{}' is not iterable", other.type_name())))
            }
            other => Err(Failure::refused(&format!("`in` on a {}", other.type_name()))),
        },
    }
}

fn is_same(left: &Value, right: &Value) -> Result<bool, Failure> {
    match (left, right) {
        (Value::None, Value::None) => Ok(true),
        (Value::None, _) | (_, Value::None) => Ok(false),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Bool(_), _) | (_, Value::Bool(_)) => Ok(false),
        _ => Err(Failure::refused("`is` with anything but None, True and False")),
    }
}

/// Refuses what cannot be the key of a dictionary.
pub(super) fn check_key(key: &Value) -> Result<(), Failure> {
    match key {
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => Ok(()),
        Value::List(_) | Value::Dict(_) => Err(type_error(format!("unhashable type: '{}'", key.type_name()))),
        other => Err(Failure::refused(&format!("a {} as a key", other.type_name()))),
    }
}

/// The place that an index names in so many items.
pub(super) fn place(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

pub(super) fn index(value: &Value, index: &Value, budget: &Budget) -> Result<Value, Failure> {
    let whole = || {
        index.whole().ok_or_else(|| {
            type_error(format!("{} indices must be integers or slices, not {}", value.type_name(), index.type_name()))
        })
    };
    let outside = |what: &str| Failure::raised("IndexError", format!("{what} index out of range"));
    match value {
        Value::Dict(items) => {
            check_key(index)?;
            items.entry(index).ok_or_else(|| key_error(index, budget))
        }
        Value::List(items) => place(whole()?, items.len()).and_then(|at| items.get(at)).ok_or_else(|| outside("list")),
        Value::Tuple(items) => {
            place(whole()?, items.len()).and_then(|at| items.get(at)).ok_or_else(|| outside("tuple"))
        }
        Value::Text(text) => {
            let length = text.chars().count();
            let letter = place(whole()?, length).and_then(|at| text.chars().nth(at));
            letter.map(|letter| Value::text(letter.encode_utf8(&mut [0; 4]))).ok_or_else(|| outside("string"))
        }
        Value::Row(row) => match index {
            Value::Text(name) => row.get(name).ok_or_else(|| Failure::raised("ValueError", name.to_string())),
            _ => place(whole()?, row.values.len())
                .and_then(|at| row.values.get(at).cloned())
                .ok_or_else(|| outside("tuple")),
        },
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            Err(type_error(format!("'{}' object is not subscriptable", value.type_name())))
        }
        other => Err(Failure::refused(&format!("an index on a {}", other.type_name()))),
    }
}

/// Python tells the key as `repr` gives it.
pub(super) fn key_error(key: &Value, budget: &Budget) -> Failure {
    key.to_repr(budget).map_or_else(Failure::from, |shown| Failure::raised("KeyError", shown))
}

pub(super) fn slice(value: &Value, from: Option<Value>, to: Option<Value>) -> Result<Value, Failure> {
    let bound = |bound: Option<Value>, length: usize, otherwise: usize| match bound {
        None | Some(Value::None) => Ok::<_, Failure>(otherwise),
        Some(bound) => {
            let index = bound
                .whole()
                .ok_or_else(|| type_error("slice indices must be integers or None or have an __index__ method"))?;
            let length = i64::try_from(length).unwrap_or(i64::MAX);
            let index = if index < 0 { length.saturating_add(index) } else { index };
            Ok(usize::try_from(index.clamp(0, length)).unwrap_or_default())
        }
    };
    let range = |length: usize| {
        let (from, to) = (bound(from, length, 0)?, bound(to, length, length)?);
        Ok::<_, Failure>((from, to.saturating_sub(from)))
    };
    match value {
        Value::Text(text) => {
            let (skip, take) = range(text.chars().count())?;
            Ok(Value::text(&text.chars().skip(skip).take(take).collect::<String>()))
        }
        Value::List(items) => {
            let (skip, take) = range(items.len())?;
            Ok(Value::list(items.all().iter().skip(skip).take(take).cloned().collect()))
        }
        Value::Tuple(items) => {
            let (skip, take) = range(items.len())?;
            Ok(Value::Tuple(Items::new(items.all().iter().skip(skip).take(take).cloned().collect())))
        }
        other => Err(Failure::refused(&format!("a slice of a {}", other.type_name()))),
    }
}
