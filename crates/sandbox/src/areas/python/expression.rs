//! What an expression of Python is worth, where the rules tell.
//!
//! Known are texts (also `f"…{x}…"`), whole numbers, floats, `True`, `False`, `None`, lists, names, `+ - * / // %`,
//! parentheses, and a few functions. Anything else is not known.

use super::Script;
use crate::sql::{SqlError, Table};

/// Deeper, an expression is not known.
const DEEPEST: usize = 40;
/// The longest text that is computed.
const LONGEST: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Table(Box<Table>),
}

#[derive(Debug)]
pub(super) enum Failure {
    /// The rules do not tell; this is what they met.
    Unknown(String),
    /// Class and message.
    Raised(&'static str, String),
    Sql(SqlError),
}

impl Value {
    /// As `str` gives it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::None => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::shown).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Table(table) => {
                let columns = table
                    .columns
                    .iter()
                    .map(|column| format!("{}: {}", column.name, column.kind.catalog_text().to_lowercase()));
                format!("DataFrame[{}]", columns.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// As `repr` gives it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")),
            other => other.text(),
        }
    }

    /// As a task value is handed on: texts as they are, the rest as JSON.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.as_json().to_string(),
        }
    }

    fn as_json(&self) -> serde_json::Value {
        match self {
            Self::None => serde_json::Value::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) => (*number).into(),
            Self::Text(text) => text.clone().into(),
            Self::List(items) => items.iter().map(Self::as_json).collect(),
            Self::Table(_) => self.text().into(),
        }
    }

    /// A task value as it was set: numbers and lists come back as such.
    pub(crate) fn of_json(text: &str) -> Self {
        fn of(json: &serde_json::Value) -> Option<Value> {
            Some(match json {
                serde_json::Value::Null => Value::None,
                serde_json::Value::Bool(flag) => Value::Bool(*flag),
                serde_json::Value::Number(number) => {
                    number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Float))?
                }
                serde_json::Value::String(text) => Value::Text(text.clone()),
                serde_json::Value::Array(items) => Value::List(items.iter().map(of).collect::<Option<_>>()?),
                serde_json::Value::Object(_) => return None,
            })
        }
        let json = serde_json::from_str::<serde_json::Value>(text).ok().filter(|json| !json.is_string());
        json.as_ref().and_then(of).unwrap_or_else(|| Self::Text(text.to_owned()))
    }
}

pub(super) fn evaluate(script: &Script<'_>, text: &str) -> Result<Value, Failure> {
    Reader::read(script, text, 0, |reader| reader.sum())
}

/// The arguments of a call, with the names they are given by.
pub(super) fn arguments(script: &Script<'_>, text: &str) -> Result<Vec<(Option<String>, Value)>, Failure> {
    Reader::read(script, text, 0, |reader| reader.arguments(None))
}

struct Reader<'s, 't> {
    script: &'s Script<'s>,
    whole: &'t str,
    rest: &'t str,
    depth: usize,
}

impl<'s, 't> Reader<'s, 't> {
    fn read<T>(
        script: &'s Script<'s>,
        whole: &'t str,
        depth: usize,
        what: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut reader = Self { script, whole, rest: whole.trim(), depth };
        let value = what(&mut reader)?;
        let is_read = reader.rest.is_empty() || reader.rest.starts_with('#');
        if is_read { Ok(value) } else { Err(reader.unknown()) }
    }

    fn unknown(&self) -> Failure {
        Failure::Unknown(self.whole.trim().to_owned())
    }

    /// Takes a token that comes next.
    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn sum(&mut self) -> Result<Value, Failure> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.unknown());
        }
        let mut value = self.product()?;
        loop {
            let operator = match () {
                () if self.take("+") => '+',
                () if self.take("-") => '-',
                () => break,
            };
            let right = self.product()?;
            value = self.compute(operator, &value, &right)?;
        }
        self.depth -= 1;
        Ok(value)
    }

    fn product(&mut self) -> Result<Value, Failure> {
        let mut value = self.operand()?;
        loop {
            let operator = match () {
                () if self.rest.starts_with("**") => return Err(self.unknown()),
                () if self.take("*") => '*',
                () if self.take("//") => '|',
                () if self.take("/") => '/',
                () if self.take("%") => '%',
                () => return Ok(value),
            };
            let right = self.operand()?;
            value = self.compute(operator, &value, &right)?;
        }
    }

    fn compute(&self, operator: char, left: &Value, right: &Value) -> Result<Value, Failure> {
        let zero = || Failure::Raised("ZeroDivisionError", "division by zero".to_owned());
        match (operator, left, right) {
            ('+', Value::Text(left), Value::Text(right)) if left.len() + right.len() <= LONGEST => {
                Ok(Value::Text(format!("{left}{right}")))
            }
            ('+', Value::Text(_), other) | ('+', other, Value::Text(_)) if !matches!(other, Value::Text(_)) => {
                Err(Failure::Raised("TypeError", "can only concatenate str (not another type) to str".to_owned()))
            }
            ('/' | '|' | '%', Value::Int(_), Value::Int(0)) => Err(zero()),
            (_, Value::Int(left), Value::Int(right)) if operator != '/' => {
                let floor = left.checked_div_euclid(*right).filter(|_| *right > 0);
                let computed = match operator {
                    '+' => left.checked_add(*right),
                    '-' => left.checked_sub(*right),
                    '*' => left.checked_mul(*right),
                    '|' => floor,
                    _ => floor.and_then(|_| left.checked_rem_euclid(*right)),
                };
                computed.map(Value::Int).ok_or_else(|| self.unknown())
            }
            _ => {
                let (Some(left), Some(right)) = (float(left), float(right)) else { return Err(self.unknown()) };
                match operator {
                    '+' => Ok(Value::Float(left + right)),
                    '-' => Ok(Value::Float(left - right)),
                    '*' => Ok(Value::Float(left * right)),
                    '/' if right == 0.0 => Err(zero()),
                    '/' => Ok(Value::Float(left / right)),
                    _ => Err(self.unknown()),
                }
            }
        }
    }

    fn operand(&mut self) -> Result<Value, Failure> {
        if self.take("(") {
            let value = self.sum()?;
            return if self.take(")") { Ok(value) } else { Err(self.unknown()) };
        }
        if self.take("[") {
            let items = self.arguments(Some("]"))?;
            return Ok(Value::List(items.into_iter().map(|(_, value)| value).collect()));
        }
        let first = self.rest.chars().next().ok_or_else(|| self.unknown())?;
        match first {
            '-' => {
                self.take("-");
                match self.operand()? {
                    Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(|| self.unknown()),
                    Value::Float(number) => Ok(Value::Float(-number)),
                    _ => Err(self.unknown()),
                }
            }
            '"' | '\'' => self.literal().map(Value::Text),
            'f' if self.rest.starts_with("f\"") || self.rest.starts_with("f'") => {
                self.take("f");
                let template = self.literal()?;
                self.formatted(&template).map(Value::Text)
            }
            '0'..='9' => self.number(),
            letter if letter.is_alphabetic() || letter == '_' => self.named(),
            _ => Err(self.unknown()),
        }
    }

    fn split(&mut self, end: usize) -> Result<&'t str, Failure> {
        let (taken, rest) = self.rest.split_at_checked(end).ok_or_else(|| self.unknown())?;
        self.rest = rest.trim_start();
        Ok(taken)
    }

    fn number(&mut self) -> Result<Value, Failure> {
        let is_part = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | '_');
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let digits = self.split(end)?.replace('_', "");
        match digits.parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => digits.parse().map(Value::Float).map_err(|_| self.unknown()),
        }
    }

    /// A text in quotes, with the usual escapes.
    fn literal(&mut self) -> Result<String, Failure> {
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| self.rest.starts_with(quote));
        let quote = quote.ok_or_else(|| self.unknown())?;
        let body = self.rest.get(quote.len()..).ok_or_else(|| self.unknown())?;
        let mut text = String::new();
        let mut letters = body.char_indices();
        while let Some((at, letter)) = letters.next() {
            if body.get(at..).is_some_and(|rest| rest.starts_with(quote)) {
                self.rest = body.get(at + quote.len()..).unwrap_or_default().trim_start();
                return Ok(text);
            }
            match letter {
                '\\' => match letters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, escaped @ ('\\' | '\'' | '"'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                letter => text.push(letter),
            }
        }
        Err(self.unknown())
    }

    fn formatted(&self, template: &str) -> Result<String, Failure> {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            if let Some(after) = after.strip_prefix('{') {
                text.push('{');
                rest = after;
                continue;
            }
            let (inner, after) = after.split_once('}').ok_or_else(|| self.unknown())?;
            text.push_str(&Reader::read(self.script, inner, self.depth + 1, |reader| reader.sum())?.text());
            rest = after;
        }
        text.push_str(&rest.replace("}}", "}"));
        Ok(text)
    }

    /// A name, a constant, or a call.
    fn named(&mut self) -> Result<Value, Failure> {
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let name = self.split(end)?;
        if self.take("(") {
            let arguments = self.arguments(Some(")"))?;
            return self.script.function(name, &arguments)?.ok_or_else(|| self.unknown());
        }
        match name {
            "True" => Ok(Value::Bool(true)),
            "False" => Ok(Value::Bool(false)),
            "None" => Ok(Value::None),
            // Members of a name are not known, and neither is what a word like `not` makes of what follows.
            name if name.contains('.') || matches!(name, "not" | "lambda" | "await" | "yield") => Err(self.unknown()),
            name => self.script.name(name),
        }
    }

    /// Values with commas between, up to the closing token or the end.
    fn arguments(&mut self, close: Option<&str>) -> Result<Vec<(Option<String>, Value)>, Failure> {
        let mut arguments = Vec::new();
        loop {
            match close {
                Some(close) if self.take(close) => return Ok(arguments),
                None if self.rest.is_empty() => return Ok(arguments),
                _ => {}
            }
            let name = self.keyword();
            arguments.push((name, self.sum()?));
            let is_closed = match close {
                Some(close) => self.rest.starts_with(close),
                None => self.rest.is_empty(),
            };
            if !is_closed && !self.take(",") {
                return Err(self.unknown());
            }
        }
    }

    /// `name=` before an argument.
    fn keyword(&mut self) -> Option<String> {
        let end = self.rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
        let (name, rest) = self.rest.split_at_checked(end)?;
        let value = rest.trim_start().strip_prefix('=').filter(|value| !value.starts_with('='))?;
        if name.is_empty() {
            return None;
        }
        self.rest = value.trim_start();
        Some(name.to_owned())
    }
}

#[expect(clippy::cast_precision_loss, reason = "as Python does it")]
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}
