//! Python's values: what they are, and how they are compared.

use std::sync::{Arc, Mutex};

use super::budget::Budget;
use super::frame::{Frame, Grouped, Row, Writer};
use super::syntax::Function;
use crate::workspace::lock;

/// Lists within lists, at most, of what is shown, compared or put into another one.
pub(super) const DEEPEST: usize = 30;

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

/// The items of a list, which all that name it share. Who looks at them all takes them as they are at the time: no lock
/// is held meanwhile, as a list can be in both of two that are compared.
#[derive(Debug, Default)]
pub(crate) struct Items(Mutex<Arc<Vec<Value>>>);

/// Why a value cannot be shown or compared.
#[derive(Debug)]
pub(super) struct Unclear(pub(super) &'static str);

pub(super) const TOO_DEEP: Unclear = Unclear("values that are nested this deep");

impl Items {
    pub(super) fn new(items: Vec<Value>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Arc::new(items))))
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    pub(super) fn get(&self, index: usize) -> Option<Value> {
        lock(&self.0).get(index).cloned()
    }

    pub(super) fn all(&self) -> Arc<Vec<Value>> {
        Arc::clone(&lock(&self.0))
    }

    pub(super) fn take(&self) -> Vec<Value> {
        Arc::unwrap_or_clone(std::mem::take(&mut *lock(&self.0)))
    }

    /// Changes the items. `change` must not look at other values, which may be this one.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        change(Arc::make_mut(&mut lock(&self.0)))
    }

    /// The entries of a dictionary.
    pub(super) fn entries(&self) -> Vec<(Value, Value)> {
        let items = self.all();
        let mut items = items.iter().cloned();
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
        let mut pending = Arc::into_inner(std::mem::take(&mut *lock(&self.0))).unwrap_or_default();
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

    /// Whether a dictionary takes both for one key. Keys are numbers, texts and None.
    fn is_same_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Text(left), Self::Text(right)) => left == right,
            _ => self.is_same_number(other).unwrap_or(false),
        }
    }

    /// Whether two numbers are the same; nothing where one is none.
    fn is_same_number(&self, other: &Self) -> Option<bool> {
        if let (Some(left), Some(right)) = (self.whole(), other.whole()) {
            return Some(left == right);
        }
        #[expect(clippy::float_cmp, reason = "as Python compares")]
        Some(self.number()? == other.number()?)
    }

    pub(super) fn equals(&self, other: &Self, budget: &Budget, depth: usize) -> Result<bool, Unclear> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        budget.spend(1)?;
        if let Some(same) = self.is_same_number(other) {
            return Ok(same);
        }
        match (self, other) {
            (Self::None, Self::None) => Ok(true),
            (Self::Text(left), Self::Text(right)) | (Self::Class(left), Self::Class(right)) => {
                budget.spend(left.len() / 64)?;
                Ok(left == right)
            }
            (Self::Exact(left, _), Self::Exact(right, _)) => Ok(left == right),
            (Self::Range(a, b, c), Self::Range(d, e, f)) => Ok((a, b, c) == (d, e, f)),
            (Self::List(left), Self::List(right)) | (Self::Tuple(left), Self::Tuple(right)) => {
                let (left, right) = (left.all(), right.all());
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.iter()) {
                    if !left.equals(right, budget, depth + 1)? {
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
                    // The entry is looked for among all others.
                    budget.spend(right.len())?;
                    let Some(other) = right.entry(&key) else { return Ok(false) };
                    if !value.equals(&other, budget, depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Row(left), Self::Row(right)) => {
                let same = left.values.iter().zip(&right.values).map(|(a, b)| a.equals(b, budget, depth + 1));
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
    pub(super) fn holds(&self, list: &Arc<Items>, budget: &Budget, depth: usize) -> Result<bool, Unclear> {
        if depth > DEEPEST {
            return Err(TOO_DEEP);
        }
        let (Self::List(items) | Self::Tuple(items) | Self::Dict(items) | Self::Once(_, items)) = self else {
            return Ok(false);
        };
        if Arc::ptr_eq(items, list) {
            return Ok(true);
        }
        let items = items.all();
        budget.spend(items.len())?;
        for item in items.iter() {
            if item.holds(list, budget, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Bytes that it takes besides what it holds.
    pub(super) fn own_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Exception(exception) => exception.message.len(),
            Self::Row(row) => row.values.iter().map(|value| size_of::<Self>() + value.own_bytes()).sum(),
            Self::Frame(frame) => frame.bytes(),
            _ => 0,
        }
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
