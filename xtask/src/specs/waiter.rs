//! `wait_…`: the loop that polls an operation until a state is reached.

use anyhow::Result;
use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};

use super::pattern::{Captures, Pattern, Whitelist};
use super::python::{Found, Module, Site, as_name, statements};

/// The constructs of waiters.
#[derive(Debug)]
pub(crate) struct Grammar {
    frame: Whitelist<Frame>,
    body: Whitelist<Step>,
    timeout: Pattern,
}

/// A waiter as the class has it; attributes and arguments by their Python names.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) site: Site,
    pub(crate) method: String,
    /// The polled method's arguments, and the waiter's arguments that they get.
    pub(crate) bind: Vec<(String, String)>,
    pub(crate) state: Vec<String>,
    pub(crate) message: Vec<String>,
    /// Members of the enum that the state has.
    pub(crate) success: Vec<String>,
    pub(crate) failure: Vec<String>,
    pub(crate) timeout_seconds: i64,
}

#[derive(Debug, Clone, Copy)]
enum Frame {
    Target,
    Failure,
    Nothing,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Poll,
    State,
    Message,
    GuardedMessage,
    Failure,
    Nothing,
}

impl Grammar {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            frame: Whitelist::new([
                (Frame::Nothing, "deadline = time.time() + timeout.total_seconds()"),
                (Frame::Target, "target_states = (*E_states,)"),
                (Frame::Failure, "failure_states = (*E_states,)"),
                (Frame::Nothing, "status_message = \"polling...\""),
                (Frame::Nothing, "attempt = 1"),
                (Frame::Nothing, "raise TimeoutError(f\"timed out after {timeout}: {status_message}\")"),
            ])?,
            body: Whitelist::new([
                (Step::Poll, "poll = self.N_method(**E_bind)"),
                (Step::State, "status = E_state"),
                (Step::Nothing, "status_message = f\"current status: {status}\""),
                (Step::Message, "status_message = E_message"),
                (Step::GuardedMessage, "if E_guard:\n    status_message = E_message"),
                (Step::Nothing, "if status in target_states:\n    return poll"),
                (Step::Nothing, "if callback:\n    callback(poll)"),
                (Step::Failure, "if status in failure_states:\n    msg = E_text\n    raise OperationFailed(msg)"),
                (Step::Nothing, "prefix = E_text"),
                (Step::Nothing, "sleep = attempt"),
                (Step::Nothing, "if sleep > 10:\n    sleep = 10"),
                (Step::Nothing, "_LOG.debug(E_text)"),
                (Step::Nothing, "time.sleep(sleep + random.random())"),
                (Step::Nothing, "attempt += 1"),
            ])?,
            timeout: Pattern::new("timedelta(minutes=I_minutes)")?,
        })
    }

    /// Reads a waiter.
    pub(crate) fn read(&self, module: &Module, function: &StmtFunctionDef) -> Found<Waiter> {
        let mut waiter = Waiter {
            site: module.site(&function.name),
            method: String::new(),
            bind: Vec::new(),
            state: Vec::new(),
            message: Vec::new(),
            success: Vec::new(),
            failure: Vec::new(),
            timeout_seconds: self.timeout(module, function)?,
        };
        let mut fails = false;
        for statement in statements(&function.body) {
            if let Stmt::While(polling) = statement {
                for statement in statements(&polling.body) {
                    let Some((step, found)) = self.body.statement(statement) else {
                        return Err(module.problem(statement, "a statement that polling is known to be made of"));
                    };
                    fails |= matches!(step, Step::Failure);
                    waiter.step(module, statement, step, &found)?;
                }
                continue;
            }
            match self.frame.statement(statement) {
                Some((Frame::Target, found)) => waiter.success = members(module, found.positional("E_states"))?,
                Some((Frame::Failure, found)) => waiter.failure = members(module, found.positional("E_states"))?,
                Some((Frame::Nothing, _)) => {}
                None => return Err(module.problem(statement, "a statement that waiters are known to be made of")),
            }
        }
        if fails == waiter.failure.is_empty() || waiter.success.is_empty() || waiter.state.is_empty() {
            return Err(
                module.problem(&function.name, "a polled state, target states, and a use of the failure states")
            );
        }
        Ok(waiter)
    }

    /// The default of the argument `timeout`.
    fn timeout(&self, module: &Module, function: &StmtFunctionDef) -> Found<i64> {
        let mut arguments = function.parameters.args.iter();
        arguments
            .find(|argument| argument.parameter.name.as_str() == "timeout")
            .and_then(|argument| argument.default.as_deref())
            .and_then(|default| self.timeout.expression(default)?.integer("I_minutes"))
            .map(|minutes| minutes * 60)
            .ok_or_else(|| module.problem(&function.name, "`timeout=timedelta(minutes=…)`"))
    }
}

impl Waiter {
    fn step(&mut self, module: &Module, statement: &Stmt, step: Step, found: &Captures<'_>) -> Found<()> {
        let path = |hole: &str| {
            found
                .get(hole)
                .and_then(attribute_path)
                .ok_or_else(|| module.problem(statement, "an attribute of what was polled"))
        };
        match step {
            Step::Poll => {
                found.text("N_method").clone_into(&mut self.method);
                for keyword in found.keywords("E_bind") {
                    match (&keyword.arg, as_name(&keyword.value)) {
                        (Some(to), Some(from)) => self.bind.push((to.to_string(), from.to_owned())),
                        _ => return Err(module.problem(*keyword, "an argument of the waiter")),
                    }
                }
            }
            Step::State => self.state = path("E_state")?,
            Step::Message => self.message = path("E_message")?,
            Step::GuardedMessage => {
                self.message = path("E_message")?;
                if !self.message.starts_with(&path("E_guard")?) {
                    return Err(module.problem(statement, "a test of what the message is read from"));
                }
            }
            Step::Failure | Step::Nothing => {}
        }
        Ok(())
    }
}

/// `["a", "b"]` of `poll.a.b`.
fn attribute_path(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Attribute(attribute) => {
            let mut path = attribute_path(&attribute.value)?;
            path.push(attribute.attr.to_string());
            Some(path)
        }
        _ => (as_name(expression) == Some("poll")).then(Vec::new),
    }
}

/// The members of `(State.A, State.B)`.
fn members(module: &Module, states: &[Expr]) -> Found<Vec<String>> {
    let member = |state: &Expr| match state {
        Expr::Attribute(attribute) => Ok(attribute.attr.to_string()),
        _ => Err(module.problem(state, "a member of an enum")),
    };
    states.iter().map(member).collect()
}
