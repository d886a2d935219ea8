//! Reads expressions, from those that bind least to those that bind most.

use super::super::syntax::{Comparison, Comprehension, Expr, Operator, Piece, Problem, Step};
use super::super::tokens::{Part, Token, tokens};
use super::super::value::Value;
use super::{KEYWORDS, Parser};

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
];
const SUMS: [(&str, Operator); 2] = [("+", Operator::Add), ("-", Operator::Subtract)];
const PRODUCTS: [(&str, Operator); 4] =
    [("*", Operator::Multiply), ("/", Operator::Divide), ("//", Operator::Floor), ("%", Operator::Modulo)];

impl Parser {
    /// One expression, or a tuple without parentheses.
    pub(super) fn expressions(&mut self) -> Result<Expr, Problem> {
        let first = self.expression()?;
        if !self.is_operator(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take_operator(",") {
            if self.is_at_end() || [")", "=", "]"].iter().any(|end| self.is_operator(end)) {
                break;
            }
            items.push(self.expression()?);
        }
        Ok(Expr::Tuple(items))
    }

    pub(super) fn expression(&mut self) -> Result<Expr, Problem> {
        self.deeper(|parser| {
            let value = parser.any_of()?;
            if parser.is_operator(":=") {
                return Err(parser.refused("`:=`"));
            }
            if !parser.take_word("if") {
                return Ok(value);
            }
            let condition = parser.any_of()?;
            if !parser.take_word("else") {
                return Err(parser.unexpected("`else`"));
            }
            Ok(Expr::Choice(Box::new([condition, value, parser.expression()?])))
        })
    }

    fn any_of(&mut self) -> Result<Expr, Problem> {
        self.joined("or", Self::all_of, Expr::Or)
    }

    fn all_of(&mut self) -> Result<Expr, Problem> {
        self.joined("and", Self::negation, Expr::And)
    }

    fn joined(
        &mut self,
        word: &str,
        operand: fn(&mut Self) -> Result<Expr, Problem>,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, Problem> {
        let first = operand(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.take_word(word) {
            operands.push(operand(self)?);
        }
        Ok(join(operands))
    }

    fn negation(&mut self) -> Result<Expr, Problem> {
        if self.take_word("not") {
            return self.deeper(|parser| Ok(Expr::Not(Box::new(parser.negation()?))));
        }
        let first = self.sum()?;
        let mut compared = Vec::new();
        while let Some(comparison) = self.comparison()? {
            compared.push((comparison, self.sum()?));
        }
        Ok(if compared.is_empty() { first } else { Expr::Compare(Box::new(first), compared) })
    }

    fn comparison(&mut self) -> Result<Option<Comparison>, Problem> {
        let found = match self.peek() {
            Token::Operator(operator @ ("&" | "|" | "^" | "<<" | ">>" | "@")) => {
                return Err(self.refused(&format!("the operator `{operator}`")));
            }
            Token::Operator(operator) => {
                COMPARISONS.into_iter().find(|(text, _)| text == operator).map(|(_, comparison)| comparison)
            }
            Token::Name(word) if word == "in" => Some(Comparison::In),
            Token::Name(word) if word == "is" => Some(Comparison::Is),
            Token::Name(word) if word == "not" => {
                self.at += 1;
                return if self.take_word("in") { Ok(Some(Comparison::NotIn)) } else { Err(self.unexpected("`in`")) };
            }
            _ => None,
        };
        if found.is_some() {
            self.at += 1;
        }
        if found == Some(Comparison::Is) && self.take_word("not") {
            return Ok(Some(Comparison::IsNot));
        }
        Ok(found)
    }

    fn chain<const N: usize>(
        &mut self,
        operators: &[(&str, Operator); N],
        operand: fn(&mut Self) -> Result<Expr, Problem>,
    ) -> Result<Expr, Problem> {
        let first = operand(self)?;
        let mut rest = Vec::new();
        while let Token::Operator(found) = self.peek()
            && let Some((_, operator)) = operators.iter().find(|(text, _)| text == found)
        {
            self.at += 1;
            rest.push((*operator, operand(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) })
    }

    fn sum(&mut self) -> Result<Expr, Problem> {
        self.chain(&SUMS, |parser| parser.chain(&PRODUCTS, Self::signed))
    }

    fn signed(&mut self) -> Result<Expr, Problem> {
        if self.take_operator("-") {
            return self.deeper(|parser| Ok(Expr::Negative(Box::new(parser.signed()?))));
        }
        if self.take_operator("+") {
            return self.deeper(Self::signed);
        }
        let base = self.access()?;
        if self.take_operator("**") {
            return self.deeper(|parser| Ok(Expr::Power(Box::new(base), Box::new(parser.signed()?))));
        }
        Ok(base)
    }

    fn access(&mut self) -> Result<Expr, Problem> {
        let base = self.operand()?;
        let mut steps = Vec::new();
        loop {
            if self.take_operator(".") {
                steps.push(Step::Attribute(self.name()?));
            } else if self.take_operator("(") {
                steps.push(Step::Call(self.arguments()?));
            } else if self.take_operator("[") {
                steps.push(self.index()?);
            } else {
                return Ok(if steps.is_empty() { base } else { Expr::Access(Box::new(base), steps) });
            }
        }
    }

    fn index(&mut self) -> Result<Step, Problem> {
        let from = if self.is_operator(":") { None } else { Some(self.expressions()?) };
        if let (Some(index), true) = (&from, self.take_operator("]")) {
            return Ok(Step::Index(index.clone()));
        }
        self.expect(":")?;
        let to = if self.is_operator("]") || self.is_operator(":") { None } else { Some(self.expression()?) };
        if self.is_operator(":") {
            return Err(self.refused("slices with a step"));
        }
        self.expect("]")?;
        Ok(Step::Slice(from, to))
    }

    /// The arguments of a call, up to its end.
    fn arguments(&mut self) -> Result<Vec<(Option<String>, Expr)>, Problem> {
        let mut arguments: Vec<(Option<String>, Expr)> = Vec::new();
        while !self.take_operator(")") {
            if self.is_operator("*") || self.is_operator("**") {
                return Err(self.refused("arguments with `*`"));
            }
            let value = self.expression()?;
            let argument = match value {
                Expr::Name(name) if self.take_operator("=") => (Some(name), self.expression()?),
                _ if arguments.iter().any(|(name, _)| name.is_some()) => {
                    return Err(Problem::wrong("an argument without a name after one with a name", self.line()));
                }
                value => (None, value),
            };
            arguments.push(argument);
            if self.is_word("for") {
                return Err(self.refused("generators; write a list in brackets"));
            }
            if !self.take_operator(",") && !self.is_operator(")") {
                return Err(self.unexpected("`)`"));
            }
        }
        Ok(arguments)
    }

    fn operand(&mut self) -> Result<Expr, Problem> {
        match self.peek().clone() {
            Token::Int(number) => self.constant(Value::Int(number)),
            Token::Float(number) => self.constant(Value::Float(number)),
            Token::Text(_) | Token::Formatted(_) => self.text(),
            Token::Name(name) => match name.as_str() {
                "True" => self.constant(Value::Bool(true)),
                "False" => self.constant(Value::Bool(false)),
                "None" => self.constant(Value::None),
                "lambda" | "await" | "yield" => Err(self.refused(&format!("`{name}`"))),
                keyword if KEYWORDS.contains(&keyword) => Err(self.unexpected("a value")),
                _ => {
                    self.at += 1;
                    Ok(Expr::Name(name))
                }
            },
            Token::Operator("(") => {
                self.at += 1;
                if self.take_operator(")") {
                    return Ok(Expr::Tuple(Vec::new()));
                }
                let value = self.expressions()?;
                if self.is_word("for") {
                    return Err(self.refused("generators; write a list in brackets"));
                }
                self.expect(")")?;
                Ok(value)
            }
            Token::Operator("[") => {
                self.at += 1;
                self.list()
            }
            Token::Operator("{") => {
                self.at += 1;
                self.dict()
            }
            Token::Operator(operator @ ("~" | "..." | "*" | "@")) => Err(self.refused(&format!("`{operator}` here"))),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn constant(&mut self, value: Value) -> Result<Expr, Problem> {
        self.at += 1;
        Ok(Expr::Constant(value))
    }

    /// Texts that follow each other are one.
    fn text(&mut self) -> Result<Expr, Problem> {
        let mut pieces = Vec::new();
        let mut formatted = false;
        loop {
            match self.peek().clone() {
                Token::Text(text) => pieces.push(Piece::Text(text)),
                Token::Formatted(parts) => {
                    formatted = true;
                    for part in parts {
                        pieces.push(match part {
                            Part::Text(text) => Piece::Text(text),
                            Part::Value { source, shown, format } => {
                                Piece::Value { value: self.embedded(&source)?, shown, format }
                            }
                        });
                    }
                }
                _ => break,
            }
            self.at += 1;
        }
        if formatted {
            return Ok(Expr::Formatted(pieces));
        }
        let texts = pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.as_str() } else { "" });
        Ok(Expr::Constant(Value::text(&texts.collect::<String>())))
    }

    /// The expression between the braces of an f-string.
    fn embedded(&self, source: &str) -> Result<Expr, Problem> {
        let line = self.line();
        // In parentheses, as it may have spaces and line breaks around it.
        let read = tokens(&format!("({source})")).and_then(|tokens| {
            let mut parser = Self { tokens, at: 0, depth: self.depth, in_function: false, in_loop: false };
            let value = parser.expression()?;
            if parser.is_at_end() { Ok(value) } else { Err(parser.unexpected("`}`")) }
        });
        read.map_err(|problem| Problem { line, ..problem })
    }

    fn list(&mut self) -> Result<Expr, Problem> {
        let mut items = Vec::new();
        while !self.take_operator("]") {
            items.push(self.expression()?);
            if items.len() == 1 && self.is_word("for") {
                return self.comprehension(items.pop());
            }
            if !self.take_operator(",") && !self.is_operator("]") {
                return Err(self.unexpected("`]`"));
            }
        }
        Ok(Expr::List(items))
    }

    fn comprehension(&mut self, item: Option<Expr>) -> Result<Expr, Problem> {
        self.at += 1;
        let target = self.targets()?;
        if !self.take_word("in") {
            return Err(self.unexpected("`in`"));
        }
        let items = self.any_of()?;
        let mut conditions = Vec::new();
        while self.take_word("if") {
            conditions.push(self.any_of()?);
        }
        if self.is_word("for") {
            return Err(self.refused("a list over several `for`"));
        }
        self.expect("]")?;
        let item = item.unwrap_or(Expr::Constant(Value::None));
        Ok(Expr::Comprehension(Box::new(Comprehension { item, target, items, conditions })))
    }

    fn dict(&mut self) -> Result<Expr, Problem> {
        let mut entries = Vec::new();
        while !self.take_operator("}") {
            if self.is_operator("**") {
                return Err(self.refused("`**` in a dictionary"));
            }
            let key = self.expression()?;
            if !self.is_operator(":") {
                return Err(self.refused("sets"));
            }
            self.at += 1;
            entries.push((key, self.expression()?));
            if self.is_word("for") {
                return Err(self.refused("dictionaries over `for`"));
            }
            if !self.take_operator(",") && !self.is_operator("}") {
                return Err(self.unexpected("`}`"));
            }
        }
        Ok(Expr::Dict(entries))
    }
}
