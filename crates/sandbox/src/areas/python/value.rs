//! Python's values: what they are, and how they are shown.

use std::sync::{Arc, Mutex};

use super::frame::{Frame, Grouped, Row, Writer};
use super::syntax::Function;
use crate::workspace::lock;

/// Lists within lists, at most, of what is shown, compared or put into another one.
const DEEPEST: usize = 30;

#[derive(Debug, Clone, Default)]
pub(crate) enum Value {
    #[default]
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    List(Arc<Items>),
    Tuple(Arc<Items>),
    /// Keys and values in turn.
    Dict(Arc<Items>),
    Range(i64, i64, i64),
    /// What `zip` and its kin give: it can be walked once.
    Once(&'static str, Arc<Items>),
    /// Decimals, dates and timestamps: what `repr` and what `str` give.
    Exact(Arc<str>, Arc<str>),
    Exception(Arc<Exception>),
    /// An exception or a type of values.
    Class(Arc<str>),
    /// A function, a module or a member of one, by its dotted path.
    Known(Arc<str>),
    /// A method of a value.
    Method(Arc<(Self, String)>),
    Function(Arc<Defined>),
    Frame(Arc<Frame>),
    Grouped(Arc<Grouped>),
    Writer(Arc<Writer>),
    Row(Arc<Row>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) class: Arc<str>,
    pub(crate) message: String,
}

/// A function with the values of its defaults.
#[derive(Debug)]
pub(crate) struct Defined {
    pub(super) function: Arc<Function>,
    pub(super) defaults: Vec<Option<Value>>,
}

/// The items of a list, which all that name it share.
#[derive(Debug, Default)]
pub(crate) struct Items(Mutex<Vec<Value>>);

/// Why a value cannot be shown or compared.
#[derive(Debug)]
pub(super) struct Unclear(pub(super) &'static str);

const TOO_DEEP: Unclear = Unclear("values that are nested this deep");

impl Items {
    pub(super) fn new(items: Vec<Value>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(items)))
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    pub(super) fn get(&self, index: usize) -> Option<Value> {
        lock(&self.0).get(index).cloned()
    }

    pub(super) fn all(&self) -> Vec<Value> {
        lock(&self.0).clone()
    }

    pub(super) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *lock(&self.0))
    }

    /// Changes the items. `change` must not look at other values, which may be this one.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        change(&mut lock(&self.0))
    }

    /// The entries of a dictionary.
    pub(super) fn entries(&self) -> Vec<(Value, Value)> {
        let mut items = self.all().into_iter();
        std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
    }

    /// The place of the value of a key in a dictionary.
    pub(super) fn place(&self, key: &Value) -> Option<usize> {
        let items = lock(&self.0);
        let found = items.iter().step_by(2).position(|known| known.is_same_key(key));
        found.map(|entry| entry * 2 + 1)
    }

    pub(super) fn entry(&self, key: &Value) -> Option<Value> {
        self.get(self.place(key)?)
    }

    pub(super) fn set_entry(&self, key: Value, value: Value) {
        let place = self.place(&key);
        self.change(|items| match place.and_then(|place| items.get_mut(place)) {
            Some(slot) => *slot = value,
            None => items.extend([key, value]),
        });
    }
}

/// Lists can be nested as deep as a loop runs, so they are dropped in a loop, too.
impl Drop for Items {
    fn drop(&mut self) {
        let mut pending = self.take();
        while let Some(value) = pending.pop() {
            if let Value::List(items) | Value::Tuple(items) | Value::Dict(items) | Value::Once(_, items) = value
                && let Some(items) = Arc::into_inner(items)
            {
                pending.append(&mut items.take());
            }
        }
    }
}

impl Exception {
    pub(super) fn new(class: &str, message: impl Into<String>) -> Self {
        Self { class: class.into(), message: message.into() }
    }
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Items::new(items))
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Range(..) => "range",
            Self::Once(name, _) => name,
            Self::Exact(shown, _) => match shown.split('(').next() {
                Some("Decimal") => "decimal.Decimal",
                Some("datetime.date") => "datetime.date",
                _ => "datetime.datetime",
            },
            Self::Exception(_) => "exception",
            Self::Class(_) => "type",
            Self::Known(_) | Self::Method(_) => "module",
            Self::Function(_) => "function",
            Self::Frame(_) => "DataFrame",
            Self::Grouped(_) => "GroupedData",
            Self::Writer(_) => "DataFrameWriter",
            Self::Row(_) => "Row",
        }
    }

    /// As `if` takes it.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::None | Self::Bool(false) | Self::Int(0) => false,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) | Self::Tuple(items) | Self::Dict(items) => items.len() > 0,
            Self::Range(start, stop, step) => {
                if *step > 0 {
                    start < stop
                } else {
                    start > stop
                }
            }
            Self::Row(row) => !row.values.is_empty(),
            _ => true,
        }
    }

    /// As `str` gives it.
    pub(super) fn to_text(&self) -> Result<String, Unclear> {
        Ok(match self {
            Self::Text(text) => text.to_string(),
            Self::Exact(_, text) => text.to_string(),
            Self::Exception(exception) => exception.message.clone(),
            other => other.shown(0)?,
        })
    }

    /// As `repr` gives it.
    pub(super) fn to_repr(&self) -> Result<String, Unclear> {
        self.shown(0)
    }

    fn shown(&self, depth: usize) -> Result<String, Unclear> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        let list = |items: &[Self]| {
            let items: Result<Vec<_>, _> = items.iter().map(|item| item.shown(depth + 1)).collect();
            Ok(items?.join(", "))
        };
        Ok(match self {
            Self::None => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => float_text(*number),
            Self::Text(text) => quoted(text),
            Self::List(items) => format!("[{}]", list(&items.all())?),
            Self::Tuple(items) if items.len() == 1 => format!("({},)", list(&items.all())?),
            Self::Tuple(items) => format!("({})", list(&items.all())?),
            Self::Dict(items) => {
                let entry =
                    |(key, value): (Self, Self)| Ok(format!("{}: {}", key.shown(depth + 1)?, value.shown(depth + 1)?));
                let entries: Result<Vec<_>, _> = items.entries().into_iter().map(entry).collect();
                format!("{{{}}}", entries?.join(", "))
            }
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
            Self::Row(row) => {
                let field = |(name, value): (&String, &Self)| Ok(format!("{name}={}", value.shown(depth + 1)?));
                let fields: Result<Vec<_>, _> = row.names.iter().zip(&row.values).map(field).collect();
                format!("Row({})", fields?.join(", "))
            }
        })
    }

    /// As a task value is handed on: texts as they are, the rest as JSON.
    pub(super) fn to_task_value(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_string()),
            other => Some(other.to_json(0)?.to_string()),
        }
    }

    /// As JSON, where it has a form for it.
    pub(super) fn to_json(&self, depth: usize) -> Option<serde_json::Value> {
        if depth > DEEPEST {
            return None;
        }
        Some(match self {
            Self::None => serde_json::Value::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) if number.is_finite() => (*number).into(),
            Self::Text(text) => text.as_ref().into(),
            Self::List(items) | Self::Tuple(items) => {
                items.all().iter().map(|item| item.to_json(depth + 1)).collect::<Option<_>>()?
            }
            Self::Dict(items) => {
                let entry = |(key, value): (Self, Self)| match key {
                    Self::Text(key) => Some((key.to_string(), value.to_json(depth + 1)?)),
                    _ => None,
                };
                serde_json::Value::Object(items.entries().into_iter().map(entry).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    pub(super) fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::None,
            serde_json::Value::Bool(flag) => Self::Bool(*flag),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(items) => Self::list(items.iter().map(Self::of_json).collect()),
            serde_json::Value::Object(members) => {
                let entries = members.iter().flat_map(|(name, value)| [Self::text(name), Self::of_json(value)]);
                Self::Dict(Items::new(entries.collect()))
            }
        }
    }

    /// A task value as it was set: what is no text comes back as JSON tells.
    pub(super) fn of_task_value(text: &str) -> Self {
        let json = serde_json::from_str::<serde_json::Value>(text).ok().filter(|json| !json.is_string());
        json.map_or_else(|| Self::text(text), |json| Self::of_json(&json))
    }

    /// Whether a dictionary takes both for one key.
    fn is_same_key(&self, other: &Self) -> bool {
        self.equals(other, 0).unwrap_or(false)
    }

    pub(super) fn equals(&self, other: &Self, depth: usize) -> Result<bool, Unclear> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        if let (Some(left), Some(right)) = (self.whole(), other.whole()) {
            return Ok(left == right);
        }
        if let (Some(left), Some(right)) = (self.number(), other.number()) {
            #[expect(clippy::float_cmp, reason = "as Python compares")]
            return Ok(left == right);
        }
        match (self, other) {
            (Self::None, Self::None) => Ok(true),
            (Self::Text(left), Self::Text(right)) | (Self::Class(left), Self::Class(right)) => Ok(left == right),
            (Self::Exact(left, _), Self::Exact(right, _)) => Ok(left == right),
            (Self::Range(a, b, c), Self::Range(d, e, f)) => Ok((a, b, c) == (d, e, f)),
            (Self::List(left), Self::List(right)) | (Self::Tuple(left), Self::Tuple(right)) => {
                let (left, right) = (left.all(), right.all());
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(&right) {
                    if !left.equals(right, depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Dict(left), Self::Dict(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (key, value) in left.entries() {
                    let Some(other) = right.entry(&key) else { return Ok(false) };
                    if !value.equals(&other, depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Row(left), Self::Row(right)) => {
                let same = left.values.iter().zip(&right.values).map(|(a, b)| a.equals(b, depth + 1));
                Ok(left.values.len() == right.values.len()
                    && same.collect::<Result<Vec<_>, _>>()?.iter().all(|same| *same))
            }
            (Self::Exception(left), Self::Exception(right)) => Ok(Arc::ptr_eq(left, right)),
            (Self::Frame(left), Self::Frame(right)) => Ok(Arc::ptr_eq(left, right)),
            (Self::Function(left), Self::Function(right)) => Ok(Arc::ptr_eq(left, right)),
            _ => Ok(false),
        }
    }

    /// Whether a list is in this value. A list that held itself would never end.
    pub(super) fn holds(&self, list: &Arc<Items>, depth: usize) -> Result<bool, Unclear> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        let (Self::List(items) | Self::Tuple(items) | Self::Dict(items) | Self::Once(_, items)) = self else {
            return Ok(false);
        };
        if Arc::ptr_eq(items, list) {
            return Ok(true);
        }
        for item in items.all() {
            if item.holds(list, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A whole number; to Python truths are numbers.
    pub(super) fn whole(&self) -> Option<i64> {
        match self {
            Self::Bool(flag) => Some((*flag).into()),
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "as Python does it")]
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            other => other.whole().map(|number| number as f64),
        }
    }
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
