//! Runs statements and functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::budget::Budget;
use super::syntax::{Attempt, Block, Expr, Function, Handler, Kind, Problem, Statement, Target, refusal};
use super::value::{Defined, Exception, Items, Unclear, Value};
use super::{Names, Ran, library, operate};
use crate::areas::tasks::Call;
use crate::workspace::Workspace;

/// Letters that are printed, at most.
const MOST_LOGS: usize = 1 << 20;
/// Calls within calls, at most.
const DEEPEST_CALLS: usize = 60;

pub(super) struct Script<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) call: &'a Call,
    pub(super) names: &'a mut Names,
    pub(super) ran: Ran,
    /// Whether `raise` counts.
    pub(super) armed: bool,
    pub(super) line: usize,
    pub(super) budget: Budget,
    /// The calls that are under way, each with names of its own.
    calls: Vec<Locals>,
    /// The exceptions that are being handled.
    handled: Vec<Arc<Exception>>,
}

#[derive(Default)]
struct Locals {
    function: Option<Arc<Function>>,
    values: BTreeMap<String, Value>,
    /// What comprehensions bind, the innermost last.
    inner: Vec<(String, Value)>,
}

/// How a source ends before its last line.
#[derive(Debug)]
pub(super) enum Failure {
    /// The sandbox does not run this. No `except` catches it, as what follows would be a guess.
    Refused(String),
    Raised(Exception),
    Exit(String),
}

impl Failure {
    pub(super) fn refused(what: &str) -> Self {
        Self::Refused(refusal(what))
    }

    pub(super) fn raised(class: &str, message: impl Into<String>) -> Self {
        Self::Raised(Exception::new(class, message))
    }
}

impl From<Unclear> for Failure {
    fn from(Unclear(what): Unclear) -> Self {
        Self::refused(what)
    }
}

/// How a statement ends.
enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
}

impl<'a> Script<'a> {
    pub(super) fn new(workspace: &'a Workspace, call: &'a Call, names: &'a mut Names, armed: bool) -> Self {
        Self {
            workspace,
            call,
            names,
            ran: Ran::default(),
            armed,
            line: 1,
            budget: Budget::new(call.cancel.clone()),
            calls: vec![Locals::default()],
            handled: Vec::new(),
        }
    }

    /// Runs a whole cell; the value of an expression in its last line is kept.
    pub(super) fn run(&mut self, source: &str) -> Result<(), Failure> {
        self.ran.last = None;
        let block = super::parse::parse(source).map_err(|Problem { class, message, line }| {
            self.line = line;
            match class {
                "NotImplementedError" => Failure::Refused(message),
                class => Failure::raised(class, message),
            }
        })?;
        self.calls.truncate(1);
        let last = block.len().saturating_sub(1);
        for (index, statement) in block.iter().enumerate() {
            match &statement.kind {
                Kind::Expression(expr) if index == last => {
                    self.line = statement.line;
                    let value = self.evaluate(expr)?;
                    if !matches!(value, Value::None) {
                        self.ran.last = Some(value.to_repr(&self.budget)?);
                    }
                }
                _ => drop(self.statement(statement)?),
            }
        }
        Ok(())
    }

    /// Takes what a step costs.
    pub(super) fn spend(&mut self, cost: usize) -> Result<(), Failure> {
        Ok(self.budget.spend(cost)?)
    }

    pub(super) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.spend(text.len())?;
        if self.ran.logs.len() + text.len() > MOST_LOGS {
            return Err(Failure::refused("output this long"));
        }
        self.ran.logs.push_str(text);
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<Flow, Failure> {
        for statement in block {
            match self.statement(statement)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement) -> Result<Flow, Failure> {
        self.line = statement.line;
        self.spend(1)?;
        match &statement.kind {
            Kind::Pass => {}
            Kind::Break => return Ok(Flow::Break),
            Kind::Continue => return Ok(Flow::Continue),
            Kind::Expression(expr) => drop(self.evaluate(expr)?),
            Kind::Assign(targets, expr) => {
                let value = self.evaluate(expr)?;
                for target in targets {
                    self.assign(target, value.clone())?;
                }
            }
            Kind::Augment(target, operator, expr) => {
                let old = match target {
                    Target::Name(name) => self.name(name)?,
                    Target::Item(base, index) => {
                        let (base, index) = (self.evaluate(base)?, self.evaluate(index)?);
                        operate::index(&base, &index, &self.budget)?
                    }
                    Target::Several(_) => return Err(Failure::refused("this assignment")),
                };
                let by = self.evaluate(expr)?;
                let value = match (&old, operator, &by) {
                    // A list that grows stays the same list.
                    (Value::List(items), super::syntax::Operator::Add, more) => {
                        let more = self.items(more)?;
                        self.extend(items, more)?;
                        old
                    }
                    _ => self.made(operate::compute(*operator, &old, &by)?)?,
                };
                self.assign(target, value)?;
            }
            Kind::Import(imported) => {
                for (name, path) in imported {
                    let value = library::import(path)?;
                    self.bind(name, value);
                }
            }
            Kind::If(branches, otherwise) => {
                for (condition, block) in branches {
                    if self.evaluate(condition)?.is_true() {
                        return self.block(block);
                    }
                }
                return self.block(otherwise);
            }
            Kind::For(target, items, block) => {
                let items = self.evaluate(items)?;
                return self.each(target, &items, block);
            }
            Kind::While(condition, block) => {
                while self.evaluate(condition)?.is_true() {
                    match self.block(block)? {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => break,
                        flow @ Flow::Return(_) => return Ok(flow),
                    }
                }
            }
            Kind::Define(function) => {
                let defaults = function.parameters.iter().map(|(_, default)| self.default(default.as_ref()));
                let defaults = defaults.collect::<Result<_, _>>()?;
                let defined = Value::Function(Arc::new(Defined { function: Arc::clone(function), defaults }));
                self.bind(&function.name, defined);
            }
            Kind::Return(value) => {
                let value = value.as_ref().map_or(Ok(Value::None), |value| self.evaluate(value))?;
                return Ok(Flow::Return(value));
            }
            Kind::Assert(condition, message) => {
                if !self.evaluate(condition)?.is_true() {
                    let message = message.as_ref().map(|message| self.evaluate(message)).transpose()?;
                    let message = message.map_or(Ok(String::new()), |message| message.to_text(&self.budget))?;
                    return Err(Failure::raised("AssertionError", message));
                }
            }
            Kind::Raise(_) if !self.armed => {}
            Kind::Raise(raised) => return Err(self.raised(raised.as_ref())?),
            Kind::Try(attempt) => return self.attempt(attempt),
        }
        Ok(Flow::Next)
    }

    /// A default that is shared by all calls could be changed by one.
    fn default(&mut self, default: Option<&Expr>) -> Result<Option<Value>, Failure> {
        match default.map(|default| self.evaluate(default)).transpose()? {
            None => Ok(None),
            Some(value @ (Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_))) => {
                Ok(Some(value))
            }
            Some(other) => Err(Failure::refused(&format!("a {} as the default of a parameter", other.type_name()))),
        }
    }

    fn each(&mut self, target: &Target, items: &Value, block: &Block) -> Result<Flow, Failure> {
        let length = if let Value::Dict(items) = items { Some(items.len()) } else { None };
        for item in self.walk(items)? {
            self.spend(1)?;
            self.assign(target, item)?;
            match self.block(block)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => break,
                flow @ Flow::Return(_) => return Ok(flow),
            }
            if let (Value::Dict(items), Some(length)) = (items, length)
                && items.len() != length
            {
                return Err(Failure::raised("RuntimeError", "dictionary changed size during iteration"));
            }
        }
        Ok(Flow::Next)
    }

    fn raised(&mut self, raised: Option<&Expr>) -> Result<Failure, Failure> {
        let Some(raised) = raised else {
            return Ok(match self.handled.last() {
                Some(exception) => Failure::Raised(exception.as_ref().clone()),
                None => Failure::raised("RuntimeError", "No active exception to reraise"),
            });
        };
        Ok(match self.evaluate(raised)? {
            Value::Exception(exception) => Failure::Raised(exception.as_ref().clone()),
            Value::Class(class) if library::is_exception(&class) => Failure::raised(&class, ""),
            _ => Failure::raised("TypeError", "exceptions must derive from BaseException"),
        })
    }

    fn attempt(&mut self, attempt: &Attempt) -> Result<Flow, Failure> {
        let depth = (self.calls.len(), self.handled.len());
        let outcome = match self.block(&attempt.body) {
            Ok(Flow::Next) => self.block(&attempt.otherwise),
            Err(Failure::Raised(exception)) => {
                self.unwind(depth);
                self.handle(&attempt.handlers, exception)
            }
            outcome => outcome,
        };
        if matches!(outcome, Err(Failure::Refused(_) | Failure::Exit(_))) {
            return outcome;
        }
        let line = self.line;
        self.unwind(depth);
        match self.block(&attempt.finally)? {
            Flow::Next => {
                self.line = line;
                outcome
            }
            flow => Ok(flow),
        }
    }

    /// Leaves the calls and handlers that a failure has ended.
    fn unwind(&mut self, (calls, handled): (usize, usize)) {
        self.calls.truncate(calls);
        self.handled.truncate(handled);
    }

    fn handle(&mut self, handlers: &[Handler], exception: Exception) -> Result<Flow, Failure> {
        let line = self.line;
        for handler in handlers {
            let caught = match &handler.class {
                None => true,
                Some(class) => {
                    let class = self.evaluate(class)?;
                    library::is_instance(&Value::Exception(Arc::new(exception.clone())), &class, &self.budget)?
                }
            };
            if !caught {
                continue;
            }
            let exception = Arc::new(exception);
            if let Some(name) = &handler.name {
                self.bind(name, Value::Exception(Arc::clone(&exception)));
            }
            self.handled.push(exception);
            let outcome = self.block(&handler.body);
            self.handled.pop();
            if let Some(name) = &handler.name {
                self.unbind(name);
            }
            return outcome;
        }
        self.line = line;
        Err(Failure::Raised(exception))
    }

    fn locals(&mut self) -> Option<&mut Locals> {
        self.calls.last_mut()
    }

    pub(super) fn bind(&mut self, name: &str, value: Value) {
        match self.locals() {
            Some(Locals { function: Some(_), values, .. }) => drop(values.insert(name.to_owned(), value)),
            _ => drop(self.names.values.insert(name.to_owned(), value)),
        }
    }

    fn unbind(&mut self, name: &str) {
        match self.locals() {
            Some(Locals { function: Some(_), values, .. }) => drop(values.remove(name)),
            _ => drop(self.names.values.remove(name)),
        }
    }

    pub(super) fn name(&self, name: &str) -> Result<Value, Failure> {
        if let Some(locals) = self.calls.last() {
            if let Some((_, value)) = locals.inner.iter().rev().find(|(known, _)| known == name) {
                return Ok(value.clone());
            }
            if locals.function.as_ref().is_some_and(|function| function.locals.contains(name)) {
                let unbound = || {
                    let message =
                        format!("cannot access local variable '{name}' where it is not associated with a value");
                    Failure::raised("UnboundLocalError", message)
                };
                return locals.values.get(name).cloned().ok_or_else(unbound);
            }
        }
        match self.names.values.get(name) {
            Some(value) => Ok(value.clone()),
            None => library::name(name),
        }
    }

    /// Binds a name for the time of a comprehension; it ends with `leave`.
    pub(super) fn enter(&mut self) -> usize {
        self.locals().map_or(0, |locals| locals.inner.len())
    }

    pub(super) fn bind_inner(&mut self, target: &Target, value: Value) -> Result<(), Failure> {
        match target {
            Target::Name(name) => {
                if let Some(locals) = self.locals() {
                    locals.inner.push((name.clone(), value));
                }
                Ok(())
            }
            Target::Several(targets) => {
                for (target, value) in targets.iter().zip(self.unpacked(&value, targets.len())?) {
                    self.bind_inner(target, value)?;
                }
                Ok(())
            }
            Target::Item(..) => Err(Failure::refused("this assignment")),
        }
    }

    pub(super) fn leave(&mut self, entered: usize) {
        if let Some(locals) = self.locals() {
            locals.inner.truncate(entered);
        }
    }

    fn unpacked(&mut self, value: &Value, wanted: usize) -> Result<Vec<Value>, Failure> {
        let values = self.items(value)?;
        match values.len() {
            found if found > wanted => {
                Err(Failure::raised("ValueError", format!("too many values to unpack (expected {wanted})")))
            }
            found if found < wanted => Err(Failure::raised(
                "ValueError",
                format!("not enough values to unpack (expected {wanted}, got {found})"),
            )),
            _ => Ok(values),
        }
    }

    fn assign(&mut self, target: &Target, value: Value) -> Result<(), Failure> {
        match target {
            Target::Name(name) => self.bind(name, value),
            Target::Several(targets) => {
                let values = self.unpacked(&value, targets.len())?;
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value)?;
                }
            }
            Target::Item(base, index) => {
                let (base, index) = (self.evaluate(base)?, self.evaluate(index)?);
                match &base {
                    Value::Dict(items) => {
                        operate::check_key(&index)?;
                        self.spend(items.len())?;
                        self.check_fits(items, &value)?;
                        items.set_entry(index, value);
                    }
                    Value::List(items) => {
                        self.check_fits(items, &value)?;
                        let at = index.whole().and_then(|index| operate::place(index, items.len()));
                        let set = at.and_then(|at| items.change(|items| items.get_mut(at).map(|place| *place = value)));
                        set.ok_or_else(|| Failure::raised("IndexError", "list assignment index out of range"))?;
                    }
                    other => {
                        let message = format!("'{}' object does not support item assignment", other.type_name());
                        return Err(Failure::raised("TypeError", message));
                    }
                }
            }
        }
        Ok(())
    }

    /// Refuses a value that would make a list hold itself.
    pub(super) fn check_fits(&mut self, list: &Arc<Items>, value: &Value) -> Result<(), Failure> {
        operate::check_length(list.len() + 1)?;
        if value.holds(list, &self.budget, 0)? {
            return Err(Failure::refused("a list that holds itself"));
        }
        Ok(())
    }

    pub(super) fn extend(&mut self, list: &Arc<Items>, more: Vec<Value>) -> Result<(), Failure> {
        operate::check_length(list.len() + more.len())?;
        for value in &more {
            self.check_fits(list, value)?;
        }
        list.change(|items| items.extend(more));
        Ok(())
    }

    /// Calls a function of the source.
    pub(super) fn call_defined(
        &mut self,
        defined: &Defined,
        arguments: Vec<(Option<String>, Value)>,
    ) -> Result<Value, Failure> {
        if self.calls.len() > DEEPEST_CALLS {
            return Err(Failure::refused(&format!("more than {DEEPEST_CALLS} calls within calls")));
        }
        let Function { name, parameters, body, .. } = defined.function.as_ref();
        let wrong = |what: String| Failure::raised("TypeError", format!("{name}() {what}"));
        let mut values = BTreeMap::new();
        for (index, (given, value)) in arguments.into_iter().enumerate() {
            let parameter = match given {
                Some(given) => match parameters.iter().any(|(known, _)| *known == given) {
                    true => given,
                    false => return Err(wrong(format!("got an unexpected keyword argument '{given}'"))),
                },
                None => match parameters.get(index) {
                    Some((parameter, _)) => parameter.clone(),
                    None => {
                        return Err(wrong(format!(
                            "takes {} positional arguments but more were given",
                            parameters.len()
                        )));
                    }
                },
            };
            if values.insert(parameter.clone(), value).is_some() {
                return Err(wrong(format!("got multiple values for argument '{parameter}'")));
            }
        }
        for ((parameter, _), default) in parameters.iter().zip(&defined.defaults) {
            if !values.contains_key(parameter) {
                let missing = || wrong(format!("missing 1 required positional argument: '{parameter}'"));
                values.insert(parameter.clone(), default.clone().ok_or_else(missing)?);
            }
        }
        let line = self.line;
        self.calls.push(Locals { function: Some(Arc::clone(&defined.function)), values, inner: Vec::new() });
        let flow = self.block(body)?;
        self.calls.pop();
        self.line = line;
        Ok(if let Flow::Return(value) = flow { value } else { Value::None })
    }
}
