//! Reads statements. What the sandbox does not run is refused by name before anything of the source runs.

mod expression;

use std::sync::Arc;

use super::syntax::{Attempt, Block, Expr, Function, Handler, Kind, Operator, Problem, Statement, Step, Target, bound};
use super::tokens::{Token, tokens};

/// Expressions within expressions, and blocks within blocks, at most.
const DEEPEST: usize = 40;

/// Statements that the sandbox does not run.
const REFUSED: [&str; 11] =
    ["class", "with", "async", "await", "yield", "del", "global", "nonlocal", "match", "type", "lambda"];

/// Words that are no names.
const KEYWORDS: [&str; 33] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while",
];

const AUGMENTS: [(&str, Operator); 7] = [
    ("+=", Operator::Add),
    ("-=", Operator::Subtract),
    ("*=", Operator::Multiply),
    ("/=", Operator::Divide),
    ("//=", Operator::Floor),
    ("%=", Operator::Modulo),
    ("**=", Operator::Power),
];

/// The statements of a source.
pub(super) fn parse(source: &str) -> Result<Block, Problem> {
    let magic = source.lines().enumerate().find(|(_, line)| line.starts_with(['%', '!']));
    if let Some((index, line)) = magic {
        let command = line.split_whitespace().next().unwrap_or_default();
        return Err(Problem::refused(&format!("the command `{command}` here"), index + 1));
    }
    let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0, in_function: false, in_loop: false };
    let mut block = Vec::new();
    while *parser.peek() != Token::End {
        parser.statement(&mut block)?;
    }
    Ok(block)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    in_function: bool,
    in_loop: bool,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    fn is_operator(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Operator(found) if *found == operator)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Name(found) if found == word)
    }

    fn take_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, operator: &str) -> Result<(), Problem> {
        if self.take_operator(operator) { Ok(()) } else { Err(self.unexpected(&format!("`{operator}`"))) }
    }

    fn refused(&self, what: &str) -> Problem {
        Problem::refused(what, self.line())
    }

    fn unexpected(&self, expected: &str) -> Problem {
        let found = match self.peek() {
            Token::Name(name) => format!("`{name}`"),
            Token::Int(number) => format!("`{number}`"),
            Token::Float(number) => format!("`{number}`"),
            Token::Text(_) | Token::Formatted(_) => "a text".to_owned(),
            Token::Operator(operator) => format!("`{operator}`"),
            Token::Newline | Token::End => "the end of the line".to_owned(),
            Token::Indent | Token::Dedent => "another indentation".to_owned(),
        };
        Problem::wrong(&format!("{found} where {expected} is expected"), self.line())
    }

    fn deeper<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.depth >= DEEPEST {
            return Err(self.refused("code that is nested this deep"));
        }
        self.depth += 1;
        let result = body(self);
        self.depth -= 1;
        result
    }

    fn name(&mut self) -> Result<String, Problem> {
        match self.peek() {
            Token::Name(name) if !KEYWORDS.contains(&name.as_str()) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    /// One statement, or several with semicolons between.
    fn statement(&mut self, block: &mut Block) -> Result<(), Problem> {
        let line = self.line();
        let word = if let Token::Name(word) = self.peek() { word.clone() } else { String::new() };
        let kind = match word.as_str() {
            "if" => self.deeper(Self::branches)?,
            "for" => self.deeper(Self::for_loop)?,
            "while" => self.deeper(Self::while_loop)?,
            "def" => self.deeper(Self::function)?,
            "try" => self.deeper(Self::attempt)?,
            _ => return self.simple_statements(block),
        };
        block.push(Statement { line, kind });
        Ok(())
    }

    fn simple_statements(&mut self, block: &mut Block) -> Result<(), Problem> {
        loop {
            let line = self.line();
            let kind = self.simple()?;
            block.push(Statement { line, kind });
            let more = self.take_operator(";");
            if matches!(self.peek(), Token::Newline) {
                self.at += 1;
                return Ok(());
            }
            if !more {
                return match self.peek() {
                    Token::End => Ok(()),
                    _ => Err(self.unexpected("the end of the statement")),
                };
            }
        }
    }

    fn block(&mut self) -> Result<Block, Problem> {
        self.expect(":")?;
        let mut block = Vec::new();
        if *self.peek() != Token::Newline {
            self.simple_statements(&mut block)?;
            return Ok(block);
        }
        self.at += 1;
        if *self.peek() != Token::Indent {
            return Err(self.unexpected("an indented block"));
        }
        self.at += 1;
        while *self.peek() != Token::Dedent {
            if *self.peek() == Token::End {
                return Ok(block);
            }
            self.statement(&mut block)?;
        }
        self.at += 1;
        Ok(block)
    }

    fn otherwise(&mut self) -> Result<Block, Problem> {
        if self.take_word("else") { self.block() } else { Ok(Vec::new()) }
    }

    fn branches(&mut self) -> Result<Kind, Problem> {
        let mut branches = Vec::new();
        while branches.is_empty() && self.take_word("if") || self.take_word("elif") {
            branches.push((self.expression()?, self.block()?));
        }
        Ok(Kind::If(branches, self.otherwise()?))
    }

    fn loop_body(&mut self) -> Result<Block, Problem> {
        let outer = std::mem::replace(&mut self.in_loop, true);
        let block = self.block();
        self.in_loop = outer;
        if self.is_word("else") {
            return Err(self.refused("`else` after a loop"));
        }
        block
    }

    fn for_loop(&mut self) -> Result<Kind, Problem> {
        self.at += 1;
        let target = self.targets()?;
        if !self.take_word("in") {
            return Err(self.unexpected("`in`"));
        }
        let items = self.expressions()?;
        Ok(Kind::For(target, items, self.loop_body()?))
    }

    fn while_loop(&mut self) -> Result<Kind, Problem> {
        self.at += 1;
        let condition = self.expression()?;
        Ok(Kind::While(condition, self.loop_body()?))
    }

    fn function(&mut self) -> Result<Kind, Problem> {
        if self.in_function {
            return Err(self.refused("functions within functions"));
        }
        self.at += 1;
        let name = self.name()?;
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.take_operator(")") {
            if self.is_operator("*") || self.is_operator("**") || self.is_operator("/") {
                return Err(self.refused("parameters with `*` or `/`"));
            }
            let parameter = self.name()?;
            if self.take_operator(":") {
                self.expression()?;
            }
            let default = if self.take_operator("=") { Some(self.expression()?) } else { None };
            parameters.push((parameter, default));
            if !self.take_operator(",") && !self.is_operator(")") {
                return Err(self.unexpected("`)`"));
            }
        }
        if self.take_operator("->") {
            self.expression()?;
        }
        (self.in_function, self.in_loop) = (true, false);
        let body = self.block();
        self.in_function = false;
        let body = body?;
        let mut locals = bound(&body);
        locals.extend(parameters.iter().map(|(name, _)| name.clone()));
        Ok(Kind::Define(Arc::new(Function { name, parameters, body, locals })))
    }

    fn attempt(&mut self) -> Result<Kind, Problem> {
        self.at += 1;
        let body = self.block()?;
        let mut handlers = Vec::new();
        while self.take_word("except") {
            let class = if self.is_operator(":") { None } else { Some(self.expression()?) };
            let name = if self.take_word("as") { Some(self.name()?) } else { None };
            handlers.push(Handler { class, name, body: self.block()? });
        }
        let otherwise = self.otherwise()?;
        let finally = if self.take_word("finally") { self.block()? } else { Vec::new() };
        if handlers.is_empty() && finally.is_empty() {
            return Err(self.unexpected("`except` or `finally`"));
        }
        Ok(Kind::Try(Arc::new(Attempt { body, handlers, otherwise, finally })))
    }

    fn is_at_end(&self) -> bool {
        matches!(self.peek(), Token::Newline | Token::End) || self.is_operator(";")
    }

    fn simple(&mut self) -> Result<Kind, Problem> {
        let Token::Name(word) = self.peek().clone() else { return self.assignment() };
        // `match` and `type` are names, too: only two names in a row make a statement of them.
        let is_soft = matches!(word.as_str(), "match" | "type");
        let is_statement = !is_soft || matches!(self.tokens.get(self.at + 1), Some((Token::Name(_), _)));
        if REFUSED.contains(&word.as_str()) && is_statement {
            return Err(self.refused(&format!("`{word}`")));
        }
        if !matches!(word.as_str(), "pass" | "break" | "continue" | "import" | "from" | "return" | "assert" | "raise") {
            return self.assignment();
        }
        self.at += 1;
        Ok(match word.as_str() {
            "break" | "continue" if !self.in_loop => {
                return Err(Problem::wrong(&format!("`{word}` outside of a loop"), self.line()));
            }
            "return" if !self.in_function => {
                return Err(Problem::wrong("`return` outside of a function", self.line()));
            }
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "import" => self.import()?,
            "from" => self.import_from()?,
            "return" if self.is_at_end() => Kind::Return(None),
            "return" => Kind::Return(Some(self.expressions()?)),
            "assert" => {
                let condition = self.expression()?;
                let message = if self.take_operator(",") { Some(self.expression()?) } else { None };
                Kind::Assert(condition, message)
            }
            "raise" if self.is_at_end() => Kind::Raise(None),
            "raise" => {
                let raised = self.expression()?;
                if self.take_word("from") {
                    self.expression()?;
                }
                Kind::Raise(Some(raised))
            }
            _ => Kind::Pass,
        })
    }

    fn dotted(&mut self) -> Result<String, Problem> {
        let mut path = self.name()?;
        while self.take_operator(".") {
            path = format!("{path}.{}", self.name()?);
        }
        Ok(path)
    }

    fn import(&mut self) -> Result<Kind, Problem> {
        let mut imported = Vec::new();
        loop {
            let path = self.dotted()?;
            let first = path.split('.').next().unwrap_or_default().to_owned();
            imported.push(if self.take_word("as") { (self.name()?, path) } else { (first.clone(), first) });
            if !self.take_operator(",") {
                return Ok(Kind::Import(imported));
            }
        }
    }

    fn import_from(&mut self) -> Result<Kind, Problem> {
        if self.is_operator(".") {
            return Err(self.refused("relative imports"));
        }
        let module = self.dotted()?;
        if !self.take_word("import") {
            return Err(self.unexpected("`import`"));
        }
        if self.is_operator("*") {
            return Err(self.refused("`import *`"));
        }
        let parentheses = self.take_operator("(");
        let mut imported = Vec::new();
        loop {
            let member = self.name()?;
            let name = if self.take_word("as") { self.name()? } else { member.clone() };
            imported.push((name, format!("{module}.{member}")));
            if !self.take_operator(",") || (parentheses && self.is_operator(")")) {
                break;
            }
        }
        if parentheses {
            self.expect(")")?;
        }
        Ok(Kind::Import(imported))
    }

    fn assignment(&mut self) -> Result<Kind, Problem> {
        let mut value = self.expressions()?;
        if let Token::Operator(operator) = self.peek()
            && let Some((_, operator)) = AUGMENTS.into_iter().find(|(text, _)| text == operator)
        {
            let target = self.target(value)?;
            self.at += 1;
            return match target {
                Target::Several(_) => Err(self.unexpected("one target")),
                target => Ok(Kind::Augment(target, operator, self.expressions()?)),
            };
        }
        if self.is_operator(":") && matches!(value, Expr::Name(_)) {
            self.at += 1;
            self.expression()?;
            if !self.is_operator("=") {
                // `x: int` on its own binds nothing.
                return Ok(Kind::Pass);
            }
        }
        let mut targets = Vec::new();
        while self.is_operator("=") {
            targets.push(self.target(value)?);
            self.at += 1;
            value = self.expressions()?;
        }
        Ok(if targets.is_empty() { Kind::Expression(value) } else { Kind::Assign(targets, value) })
    }

    /// The names of a loop: one, or several with commas between.
    fn targets(&mut self) -> Result<Target, Problem> {
        let parentheses = self.take_operator("(");
        let mut targets = Vec::new();
        loop {
            let nested = self.is_operator("(");
            targets.push(if nested { self.deeper(Self::targets)? } else { Target::Name(self.name()?) });
            if !self.take_operator(",") {
                break;
            }
        }
        if parentheses {
            self.expect(")")?;
        }
        match (targets.pop(), targets.is_empty()) {
            (Some(target), true) => Ok(target),
            (last, _) => {
                targets.extend(last);
                Ok(Target::Several(targets))
            }
        }
    }

    fn target(&self, expr: Expr) -> Result<Target, Problem> {
        match expr {
            Expr::Name(name) => Ok(Target::Name(name)),
            Expr::Tuple(items) | Expr::List(items) => {
                Ok(Target::Several(items.into_iter().map(|item| self.target(item)).collect::<Result<_, _>>()?))
            }
            Expr::Access(base, mut steps) => match steps.pop() {
                Some(Step::Index(index)) => {
                    let base = if steps.is_empty() { *base } else { Expr::Access(base, steps) };
                    Ok(Target::Item(base, index))
                }
                Some(Step::Attribute(name)) => Err(self.refused(&format!("an assignment to the attribute `{name}`"))),
                _ => Err(self.refused("this assignment")),
            },
            _ => Err(self.unexpected("a value")),
        }
    }
}
