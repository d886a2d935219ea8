//! The texts of values, as `str` and `repr` give them.

use super::budget::Budget;
use super::value::{DEEPEST, TOO_DEEP, Unclear, Value};

impl Value {
    /// As `str` gives it.
    pub(super) fn to_text(&self, budget: &Budget) -> Result<String, Unclear> {
        match self {
            Self::Text(text) | Self::Exact(_, text) => spent(text.to_string(), budget),
            Self::Exception(exception) => spent(exception.message.clone(), budget),
            other => other.to_repr(budget),
        }
    }

    /// As `repr` gives it.
    pub(super) fn to_repr(&self, budget: &Budget) -> Result<String, Unclear> {
        let mut text = String::new();
        self.show(&mut text, budget, 0)?;
        Ok(text)
    }

    fn show(&self, text: &mut String, budget: &Budget, depth: usize) -> Result<(), Unclear> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        budget.spend(1)?;
        let own = match self {
            Self::List(items) => return show_all(text, ("[", "]"), items.all().iter(), budget, depth),
            Self::Tuple(items) => {
                let close = if items.len() == 1 { ",)" } else { ")" };
                return show_all(text, ("(", close), items.all().iter(), budget, depth);
            }
            Self::Dict(items) => {
                text.push('{');
                for (index, (key, value)) in items.entries().into_iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    key.show(text, budget, depth + 1)?;
                    text.push_str(": ");
                    value.show(text, budget, depth + 1)?;
                }
                text.push('}');
                return Ok(());
            }
            Self::Row(row) => {
                text.push_str("Row(");
                for (index, (name, value)) in row.names.iter().zip(&row.values).enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    text.push_str(&spent(format!("{name}="), budget)?);
                    value.show(text, budget, depth + 1)?;
                }
                text.push(')');
                return Ok(());
            }
            Self::None => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => float_text(*number),
            Self::Text(text) => quoted(text),
            Self::Range(start, stop, 1) => format!("range({start}, {stop})"),
            Self::Range(start, stop, step) => format!("range({start}, {stop}, {step})"),
            Self::Exact(shown, _) => shown.to_string(),
            Self::Exception(exception) if exception.message.is_empty() => format!("{}()", exception.class),
            // The message of this one is the key as `repr` gives it.
            Self::Exception(exception) if exception.class.as_ref() == "KeyError" => {
                format!("KeyError({})", exception.message)
            }
            Self::Exception(exception) => format!("{}({})", exception.class, quoted(&exception.message)),
            Self::Class(name) => format!("<class '{name}'>"),
            Self::Frame(frame) => frame.text(),
            // Python shows where these are in memory.
            Self::Known(_)
            | Self::Method(_)
            | Self::Function(_)
            | Self::Once(..)
            | Self::Grouped(_)
            | Self::Writer(_) => return Err(Unclear("the text of functions, modules and iterators")),
        };
        text.push_str(&spent(own, budget)?);
        Ok(())
    }
}

/// A copy of a text, with its cost taken. It takes less than one that is made letter by letter.
pub(super) fn spent(text: String, budget: &Budget) -> Result<String, Unclear> {
    budget.spend(text.len() / 16)?;
    Ok(text)
}

fn show_all<'v>(
    text: &mut String,
    (open, close): (&str, &str),
    items: impl Iterator<Item = &'v Value>,
    budget: &Budget,
    depth: usize,
) -> Result<(), Unclear> {
    text.push_str(open);
    for (index, item) in items.enumerate() {
        text.push_str(if index > 0 { ", " } else { "" });
        item.show(text, budget, depth + 1)?;
    }
    text.push_str(close);
    Ok(())
}

/// A text in quotes, as `repr` gives it.
pub(super) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            letter if letter == quote => shown.extend(['\\', letter]),
            letter if letter.is_ascii_control() => shown.push_str(&format!("\\x{:02x}", u32::from(letter))),
            letter => shown.push(letter),
        }
    }
    shown.push(quote);
    shown
}

/// A number as Python writes it: the shortest digits that read back, with an exponent from 1e16 and below 1e-4.
pub(super) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let written = format!("{number:e}");
        let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let written = number.to_string();
    if written.contains('.') { written } else { written + ".0" }
}
