//! Values as JSON, and JSON as values.

use serde_json::{Map, Value as Json};

use super::budget::Budget;
use super::operate;
use super::run::Failure;
use super::show::{float_text, spent};
use super::value::{DEEPEST, Items, TOO_DEEP, Unclear, Value};

impl Value {
    /// As a task value is handed on: texts as they are, the rest as JSON; nothing of what has no form for it.
    pub(super) fn to_task_value(&self, budget: &Budget) -> Result<Option<String>, Unclear> {
        match self {
            Self::Text(text) => Ok(Some(text.to_string())),
            other => Ok(other.to_json(budget, 0)?.map(|json| json.to_string())),
        }
    }

    /// As JSON, where it has a form for it.
    pub(super) fn to_json(&self, budget: &Budget, depth: usize) -> Result<Option<Json>, Unclear> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        // A value of JSON takes as much memory as several others.
        budget.spend(8)?;
        Ok(Some(match self {
            Self::None => Json::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) if number.is_finite() => (*number).into(),
            Self::Text(text) => spent(text.to_string(), budget)?.into(),
            Self::List(items) | Self::Tuple(items) => {
                let items = items.all();
                let items = items.iter().map(|item| item.to_json(budget, depth + 1));
                return Ok(items.collect::<Result<Option<Vec<_>>, _>>()?.map(Json::Array));
            }
            Self::Dict(items) => {
                let entry = |(key, value): (Self, Self)| match key {
                    Self::Text(key) => {
                        let value = value.to_json(budget, depth + 1)?;
                        Ok(Some(spent(key.to_string(), budget)?).zip(value))
                    }
                    _ => Ok(None),
                };
                let entries = items.entries().into_iter().map(entry);
                return Ok(entries.collect::<Result<Option<Map<_, _>>, _>>()?.map(Json::Object));
            }
            _ => return Ok(None),
        }))
    }

    pub(super) fn of_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::None,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::list(items.iter().map(Self::of_json).collect()),
            Json::Object(members) => {
                let entries = members.iter().flat_map(|(name, value)| [Self::text(name), Self::of_json(value)]);
                Self::Dict(Items::new(entries.collect()))
            }
        }
    }

    /// A task value as it was set: what is no text comes back as JSON tells.
    pub(super) fn of_task_value(text: &str) -> Self {
        let json = serde_json::from_str::<Json>(text).ok().filter(|json| !json.is_string());
        json.map_or_else(|| Self::text(text), |json| Self::of_json(&json))
    }
}

/// JSON as `json.dumps` writes it.
pub(super) fn dumps(value: &Value, budget: &Budget) -> Result<String, Failure> {
    let mut text = String::new();
    write(value, &mut text, budget, 0)?;
    Ok(text)
}

/// With spaces, and ASCII only.
fn write(value: &Value, text: &mut String, budget: &Budget, depth: usize) -> Result<(), Failure> {
    let refused = || Failure::refused(&format!("a {} as JSON", value.type_name()));
    if depth > DEEPEST {
        return Err(TOO_DEEP.into());
    }
    budget.spend(1)?;
    let own = match value {
        Value::None => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => float_text(*number),
        Value::Text(text) => escaped(text),
        Value::List(items) | Value::Tuple(items) => {
            text.push('[');
            for (index, item) in items.all().iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write(item, text, budget, depth + 1)?;
            }
            text.push(']');
            return Ok(());
        }
        Value::Dict(items) => {
            text.push('{');
            for (index, (key, value)) in items.entries().into_iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                let Value::Text(_) = key else { return Err(refused()) };
                write(&key, text, budget, depth + 1)?;
                text.push_str(": ");
                write(&value, text, budget, depth + 1)?;
            }
            text.push('}');
            return Ok(());
        }
        _ => return Err(refused()),
    };
    budget.spend(own.len())?;
    text.push_str(&own);
    operate::check_length(text.len())
}

fn escaped(text: &str) -> String {
    let written = Json::from(text).to_string();
    let mut units = [0; 2];
    let units_of = written.chars().map(|letter| match letter {
        letter if letter.is_ascii() => letter.to_string(),
        letter => letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    });
    units_of.collect()
}
