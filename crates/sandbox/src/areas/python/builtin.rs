//! Python's own functions.

use std::cmp::Ordering;

use super::budget::Budget;
use super::library::{Arguments, is_instance};
use super::operate;
use super::run::{Failure, Script};
use super::syntax::Operator;
use super::value::{Items, Value};

pub(super) fn call(script: &mut Script<'_>, name: &str, arguments: &Arguments) -> Result<Value, Failure> {
    match name {
        "len" => {
            let [value] = arguments.all(["obj"])?;
            length(&value)
        }
        "range" => range(arguments),
        "abs" => match arguments.all(["x"])? {
            [Value::Float(number)] => Ok(Value::Float(number.abs())),
            [value] => whole(&value, "abs")?.checked_abs().map(Value::Int).ok_or_else(too_large),
        },
        "round" => round(arguments),
        "repr" => {
            let [value] = arguments.all(["obj"])?;
            Ok(Value::text(&value.to_repr(&script.budget)?))
        }
        "isinstance" => {
            let [value, class] = arguments.all(["obj", "class_or_tuple"])?;
            Ok(Value::Bool(is_instance(&value, &class, &script.budget)?))
        }
        "type" => match arguments.all(["object"])? {
            [Value::Exception(exception)] => Ok(Value::Class(std::sync::Arc::clone(&exception.class))),
            [value] => Ok(Value::Class(value.type_name().into())),
        },
        "any" | "all" => {
            let [values] = arguments.all(["iterable"])?;
            let wanted = name == "any";
            let found = script.items(&values)?.iter().any(|value| value.is_true() == wanted);
            Ok(Value::Bool(found == wanted))
        }
        "sum" => {
            let [values, start] = arguments.of(["iterable", "start"])?;
            let mut sum = start.unwrap_or(Value::Int(0));
            if matches!(sum, Value::Text(_)) {
                return Err(Failure::raised("TypeError", "sum() can't sum strings [use ''.join(seq) instead]"));
            }
            for value in script.items(&values.unwrap_or_default())? {
                sum = operate::compute(Operator::Add, &sum, &value)?;
                sum = script.made(sum)?;
            }
            Ok(sum)
        }
        "min" | "max" => extreme(script, name, arguments),
        "sorted" => {
            let [values, reverse] = arguments.of(["iterable", "reverse"])?;
            let values = script.items(&values.unwrap_or_default())?;
            let reverse = reverse.is_some_and(|reverse| reverse.is_true());
            Ok(Value::list(sorted(values, reverse, &script.budget)?))
        }
        "reversed" => {
            let [values] = arguments.all(["sequence"])?;
            let mut values = script.items(&values)?;
            values.reverse();
            Ok(Value::Once("reversed", Items::new(values)))
        }
        "enumerate" => {
            let [values, start] = arguments.of(["iterable", "start"])?;
            let start = start.map_or(Ok(0), |start| whole(&start, name))?;
            let values = script.items(&values.unwrap_or_default())?;
            let pair = |(index, value)| Value::Tuple(Items::new(vec![Value::Int(index), value]));
            Ok(Value::Once("enumerate", Items::new((start..).zip(values).map(pair).collect())))
        }
        "zip" => {
            if !arguments.named.is_empty() {
                return Err(Failure::refused("named arguments of `zip`"));
            }
            let lists: Vec<_> =
                arguments.positional.iter().map(|value| script.items(value)).collect::<Result<_, _>>()?;
            let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
            let row = |index| lists.iter().filter_map(|list| list.get(index).cloned()).collect();
            Ok(Value::Once(
                "zip",
                Items::new((0..shortest).map(|index| Value::Tuple(Items::new(row(index)))).collect()),
            ))
        }
        "math.floor" | "math.ceil" | "math.sqrt" | "math.isnan" => {
            let [value] = arguments.all(["x"])?;
            let number = value.number().ok_or_else(|| {
                Failure::raised("TypeError", format!("must be real number, not {}", value.type_name()))
            })?;
            math(name, number)
        }
        _ => Err(Failure::refused(&format!("`{name}`"))),
    }
}

fn too_large() -> Failure {
    Failure::refused("whole numbers beyond 64 bits")
}

fn whole(value: &Value, name: &str) -> Result<i64, Failure> {
    value.whole().ok_or_else(|| {
        let message = format!("{name}() takes an integer, not '{}'", value.type_name());
        Failure::raised("TypeError", message)
    })
}

fn length(value: &Value) -> Result<Value, Failure> {
    let length = match value {
        Value::Text(text) => text.chars().count(),
        Value::List(items) | Value::Tuple(items) => items.len(),
        Value::Dict(items) => items.len() / 2,
        Value::Row(row) => row.values.len(),
        Value::Range(start, stop, step) => {
            let (start, stop, step) = (i128::from(*start), i128::from(*stop), i128::from(*step));
            let length = (stop - start + step - step.signum()) / step;
            usize::try_from(length.max(0)).unwrap_or(usize::MAX)
        }
        other => {
            let message = format!("object of type '{}' has no len()", other.type_name());
            return Err(Failure::raised("TypeError", message));
        }
    };
    i64::try_from(length).map(Value::Int).map_err(|_| too_large())
}

fn range(arguments: &Arguments) -> Result<Value, Failure> {
    let [first, second, step] = arguments.of(["", "", ""])?;
    let bound = |value: &Value| {
        value.whole().ok_or_else(|| {
            let message = format!("'{}' object cannot be interpreted as an integer", value.type_name());
            Failure::raised("TypeError", message)
        })
    };
    let first = first.ok_or_else(|| Failure::raised("TypeError", "range expected at least 1 argument, got 0"))?;
    let (start, stop) = match &second {
        Some(second) => (bound(&first)?, bound(second)?),
        None => (0, bound(&first)?),
    };
    match step.as_ref().map_or(Ok(1), bound)? {
        0 => Err(Failure::raised("ValueError", "range() arg 3 must not be zero")),
        step => Ok(Value::Range(start, stop, step)),
    }
}

fn round(arguments: &Arguments) -> Result<Value, Failure> {
    let [number, digits] = arguments.of(["number", "ndigits"])?;
    let digits = digits.filter(|digits| !matches!(digits, Value::None));
    match (number.unwrap_or_default(), digits) {
        (Value::Float(number), None) => math("round", number.round_ties_even()),
        (Value::Float(number), Some(digits)) => {
            let digits = usize::try_from(whole(&digits, "round")?).ok().filter(|digits| *digits <= 17);
            let digits = digits.ok_or_else(|| Failure::refused("`round` to these digits"))?;
            // Written out, a number is rounded by its exact value, as Python does it.
            format!("{number:.digits$}").parse().map(Value::Float).map_err(|_| too_large())
        }
        (value, None) => Ok(Value::Int(whole(&value, "round")?)),
        (value, Some(digits)) if whole(&digits, "round")? >= 0 => Ok(Value::Int(whole(&value, "round")?)),
        _ => Err(Failure::refused("`round` to negative digits")),
    }
}

fn math(name: &str, number: f64) -> Result<Value, Failure> {
    let number = match name {
        "math.isnan" => return Ok(Value::Bool(number.is_nan())),
        "math.sqrt" if number < 0.0 => return Err(Failure::raised("ValueError", "math domain error")),
        "math.sqrt" => return Ok(Value::Float(number.sqrt())),
        "math.floor" => number.floor(),
        "math.ceil" => number.ceil(),
        _ => number,
    };
    if !number.is_finite() {
        return Err(Failure::raised("ValueError", "cannot convert this float to an integer"));
    }
    if number.abs() >= 9e18 {
        return Err(too_large());
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within its bounds")]
    Ok(Value::Int(number as i64))
}

fn extreme(script: &mut Script<'_>, name: &str, arguments: &Arguments) -> Result<Value, Failure> {
    if !arguments.named.is_empty() {
        return Err(Failure::refused(&format!("named arguments of `{name}`")));
    }
    let values = match arguments.positional.as_slice() {
        [values] => script.items(values)?,
        values => values.to_vec(),
    };
    let (operator, wanted) = if name == "min" { ("<", Ordering::Less) } else { (">", Ordering::Greater) };
    let mut best: Option<Value> = None;
    for value in values {
        let is_better = match &best {
            Some(best) => operate::order(&value, best, operator, &script.budget)? == Some(wanted),
            None => true,
        };
        if is_better {
            best = Some(value);
        }
    }
    best.ok_or_else(|| Failure::raised("ValueError", format!("{name}() iterable argument is empty")))
}

/// The values in order; equal ones keep theirs in both directions. A merge sort, which unlike the one of slices stops at the
/// first two that have no order.
pub(super) fn sorted(values: Vec<Value>, reverse: bool, budget: &Budget) -> Result<Vec<Value>, Failure> {
    if values.len() < 2 {
        return Ok(values);
    }
    let mut first = values;
    let second = first.split_off(first.len() / 2);
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut first = sorted(first, reverse, budget)?.into_iter().peekable();
    let mut second = sorted(second, reverse, budget)?.into_iter().peekable();
    while let (Some(left), Some(right)) = (first.peek(), second.peek()) {
        let order = operate::order(right, left, "<", budget)?;
        let order = order.ok_or_else(|| Failure::refused("an order of values that are no numbers"))?;
        let swaps = order == if reverse { Ordering::Greater } else { Ordering::Less };
        merged.extend(if swaps { second.next() } else { first.next() });
    }
    merged.extend(first);
    merged.extend(second);
    Ok(merged)
}
