//! What expressions are worth.

use super::run::{Failure, Script};
use super::syntax::{Comprehension, Expr, Operator, Piece, Step};
use super::value::{Items, Value};
use super::{format, library, methods, operate};

impl Script<'_> {
    pub(super) fn evaluate(&mut self, expr: &Expr) -> Result<Value, Failure> {
        self.spend(1)?;
        match expr {
            Expr::Constant(value) => Ok(value.clone()),
            Expr::Name(name) => self.name(name),
            Expr::Formatted(pieces) => self.formatted(pieces),
            Expr::List(items) => Ok(Value::list(self.all(items)?)),
            Expr::Tuple(items) => Ok(Value::Tuple(Items::new(self.all(items)?))),
            Expr::Dict(entries) => {
                let items = Items::new(Vec::new());
                for (key, value) in entries {
                    let (key, value) = (self.evaluate(key)?, self.evaluate(value)?);
                    operate::check_key(&key)?;
                    self.spend(items.len())?;
                    items.set_entry(key, value);
                }
                Ok(Value::Dict(items))
            }
            Expr::Comprehension(comprehension) => {
                let entered = self.enter();
                let items = self.comprehension(comprehension, entered);
                self.leave(entered);
                Ok(Value::list(items?))
            }
            Expr::Access(base, steps) => self.access(base, steps),
            Expr::Negative(value) => match self.evaluate(value)? {
                Value::Float(number) => Ok(Value::Float(-number)),
                value if value.whole().is_some() => operate::compute(Operator::Subtract, &Value::Int(0), &value),
                value => {
                    let message = format!("bad operand type for unary -: '{}'", value.type_name());
                    Err(Failure::raised("TypeError", message))
                }
            },
            Expr::Not(value) => Ok(Value::Bool(!self.evaluate(value)?.is_true())),
            Expr::Chain(first, rest) => {
                let mut value = self.evaluate(first)?;
                for (operator, operand) in rest {
                    let operand = self.evaluate(operand)?;
                    value = self.made(operate::compute(*operator, &value, &operand)?)?;
                }
                Ok(value)
            }
            Expr::Power(base, exponent) => {
                let (base, exponent) = (self.evaluate(base)?, self.evaluate(exponent)?);
                operate::compute(Operator::Power, &base, &exponent)
            }
            Expr::Compare(first, rest) => {
                let mut left = self.evaluate(first)?;
                for (comparison, right) in rest {
                    let right = self.evaluate(right)?;
                    self.charge(&right)?;
                    if !operate::compare(*comparison, &left, &right, &self.budget)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Expr::And(operands) => self.first(operands, false),
            Expr::Or(operands) => self.first(operands, true),
            Expr::Choice(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                let is_met = self.evaluate(condition)?.is_true();
                self.evaluate(if is_met { then } else { otherwise })
            }
        }
    }

    /// The first operand that is as true as wanted, or the last one.
    fn first(&mut self, operands: &[Expr], wanted: bool) -> Result<Value, Failure> {
        let mut value = Value::None;
        for operand in operands {
            value = self.evaluate(operand)?;
            if value.is_true() == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn all(&mut self, exprs: &[Expr]) -> Result<Vec<Value>, Failure> {
        exprs.iter().map(|expr| self.evaluate(expr)).collect()
    }

    /// Takes what it costs to walk a value.
    fn charge(&mut self, value: &Value) -> Result<(), Failure> {
        match value {
            Value::Text(text) => self.spend(text.len() / 64),
            Value::List(items) | Value::Tuple(items) | Value::Dict(items) => self.spend(items.len()),
            _ => Ok(()),
        }
    }

    /// A value that was made anew, with its cost taken.
    pub(super) fn made(&mut self, value: Value) -> Result<Value, Failure> {
        match &value {
            Value::Text(text) => self.spend(text.len())?,
            other => self.charge(other)?,
        }
        Ok(value)
    }

    fn formatted(&mut self, pieces: &[Piece]) -> Result<Value, Failure> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value { value, shown, format } => {
                    let value = self.evaluate(value)?;
                    let value = if *shown { Value::text(&value.to_repr(&self.budget)?) } else { value };
                    text.push_str(&format::formatted(&value, format, &self.budget)?);
                }
            }
            operate::check_length(text.len())?;
        }
        self.made(Value::text(&text))
    }

    fn comprehension(&mut self, comprehension: &Comprehension, entered: usize) -> Result<Vec<Value>, Failure> {
        let Comprehension { item, target, items, conditions } = comprehension;
        let items = self.evaluate(items)?;
        let mut values = Vec::new();
        'items: for value in self.walk(&items)? {
            self.spend(1)?;
            self.leave(entered);
            self.bind_inner(target, value)?;
            for condition in conditions {
                if !self.evaluate(condition)?.is_true() {
                    continue 'items;
                }
            }
            values.push(self.evaluate(item)?);
            operate::check_length(values.len())?;
        }
        Ok(values)
    }

    /// The items of what can be walked, as they are when each one's turn comes.
    pub(super) fn walk(&mut self, value: &Value) -> Result<Box<dyn Iterator<Item = Value>>, Failure> {
        Ok(match value {
            Value::List(items) | Value::Tuple(items) => {
                let items = std::sync::Arc::clone(items);
                Box::new((0..).map_while(move |index| items.get(index)))
            }
            Value::Dict(items) => Box::new(items.entries().into_iter().map(|(key, _)| key)),
            Value::Once(_, items) => Box::new(items.take().into_iter()),
            Value::Range(start, stop, step) => {
                let (stop, step) = (*stop, *step);
                let is_inside = move |next: &i64| if step > 0 { *next < stop } else { *next > stop };
                let first = Some(*start).filter(is_inside);
                Box::new(
                    std::iter::successors(first, move |last| last.checked_add(step).filter(is_inside)).map(Value::Int),
                )
            }
            Value::Text(text) => {
                let letters: Vec<_> = text.chars().map(|letter| Value::text(letter.encode_utf8(&mut [0; 4]))).collect();
                self.spend(letters.len())?;
                Box::new(letters.into_iter())
            }
            Value::Row(row) => Box::new(row.values.clone().into_iter()),
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                let message = format!("'{}' object is not iterable", value.type_name());
                return Err(Failure::raised("TypeError", message));
            }
            other => return Err(Failure::refused(&format!("a walk over a {}", other.type_name()))),
        })
    }

    /// All items of what can be walked.
    pub(super) fn items(&mut self, value: &Value) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        for item in self.walk(value)? {
            self.spend(1)?;
            items.push(item);
            operate::check_length(items.len())?;
        }
        Ok(items)
    }

    fn access(&mut self, base: &Expr, steps: &[Step]) -> Result<Value, Failure> {
        let mut value = self.evaluate(base)?;
        for step in steps {
            value = match step {
                Step::Attribute(name) => methods::attribute(value, name)?,
                Step::Index(index) => {
                    let index = self.evaluate(index)?;
                    self.charge(&index)?;
                    if let Value::Dict(items) = &value {
                        self.spend(items.len())?;
                    }
                    operate::index(&value, &index, &self.budget)?
                }
                Step::Slice(from, to) => {
                    let from = from.as_ref().map(|from| self.evaluate(from)).transpose()?;
                    let to = to.as_ref().map(|to| self.evaluate(to)).transpose()?;
                    let part = operate::slice(&value, from, to)?;
                    self.made(part)?
                }
                Step::Call(arguments) => {
                    let arguments = arguments
                        .iter()
                        .map(|(name, value)| Ok((name.clone(), self.evaluate(value)?)))
                        .collect::<Result<Vec<_>, Failure>>()?;
                    self.call(value, arguments)?
                }
            };
        }
        Ok(value)
    }

    fn call(&mut self, callee: Value, arguments: Vec<(Option<String>, Value)>) -> Result<Value, Failure> {
        let value = match &callee {
            Value::Function(defined) => return self.call_defined(defined, arguments),
            Value::Known(path) => library::call(self, path, &library::Arguments::new(path, arguments))?,
            Value::Class(class) => library::construct(self, class, &library::Arguments::new(class, arguments))?,
            Value::Method(method) => {
                let (value, name) = method.as_ref();
                methods::call(self, value, name, &library::Arguments::new(name, arguments))?
            }
            other => {
                return Err(Failure::raised("TypeError", format!("'{}' object is not callable", other.type_name())));
            }
        };
        self.made(value)
    }
}
