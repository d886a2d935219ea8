//! Python's tokens, with its indentation as tokens of their own.

use super::syntax::Problem;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword.
    Name(String),
    Int(i64),
    Float(f64),
    Text(String),
    /// The parts of an f-string.
    Formatted(Vec<Part>),
    Operator(&'static str),
    Newline,
    Indent,
    Dedent,
    End,
}

/// A part of an f-string.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// The source of an expression, `r` of `!r`, and what follows `:`.
    Value {
        source: String,
        shown: bool,
        format: String,
    },
}

/// Words and signs of a source: what is made of each takes a hundred times its length in memory.
const MOST_TOKENS: usize = 200_000;

/// Longer operators first.
const OPERATORS: [&str; 47] = [
    "**=", "//=", ">>=", "<<=", "...", "**", "//", "==", "!=", "<=", ">=", "->", ":=", "+=", "-=", "*=", "/=", "%=",
    "&=", "|=", "^=", "@=", "<<", ">>", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "<", ">", "(", ")", "[", "]",
    "{", "}", ",", ":", ".", ";", "=",
];

/// The tokens of a source, each with its line.
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, usize)>, Problem> {
    let mut reader = Reader { rest: source, line: 1, tokens: Vec::new(), indents: vec![Width::default()], brackets: 0 };
    reader.read()?;
    Ok(reader.tokens)
}

struct Reader<'s> {
    rest: &'s str,
    line: usize,
    tokens: Vec<(Token, usize)>,
    indents: Vec<Width>,
    brackets: usize,
}

/// How far a line is indented: with tabs that reach to the next eighth column, and with tabs as wide as blanks. What is
/// deeper by one and not by the other depends on the reader's tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Width {
    wide: usize,
    narrow: usize,
}

impl Width {
    fn of(space: &str) -> Self {
        space.chars().fold(Self::default(), |width, letter| match letter {
            '\t' => Self { wide: (width.wide / 8 + 1) * 8, narrow: width.narrow + 1 },
            '\u{c}' => Self::default(),
            _ => Self { wide: width.wide + 1, narrow: width.narrow + 1 },
        })
    }
}

impl<'s> Reader<'s> {
    fn read(&mut self) -> Result<(), Problem> {
        self.indent()?;
        while let Some(letter) = self.rest.chars().next() {
            if self.tokens.len() > MOST_TOKENS {
                return Err(Problem::refused(
                    &format!("a source of more than {MOST_TOKENS} words and signs"),
                    self.line,
                ));
            }
            match letter {
                '\n' => {
                    self.skip(1);
                    if self.brackets == 0 {
                        self.newline();
                        self.line += 1;
                        self.indent()?;
                    } else {
                        self.line += 1;
                    }
                }
                ' ' | '\t' | '\r' | '\u{c}' => self.skip(1),
                '#' => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
                '\\' if self.rest.starts_with("\\\n") => {
                    self.skip(2);
                    self.line += 1;
                }
                '0'..='9' => self.number()?,
                '.' if self.rest.chars().nth(1).is_some_and(|next| next.is_ascii_digit()) => self.number()?,
                letter if letter.is_alphabetic() || letter == '_' || matches!(letter, '"' | '\'') => self.word()?,
                _ => self.operator()?,
            }
        }
        self.newline();
        while self.indents.pop().is_some_and(|indent| indent.wide > 0) {
            self.push(Token::Dedent);
        }
        self.push(Token::End);
        Ok(())
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn problem(&self, what: &str) -> Problem {
        Problem::wrong(what, self.line)
    }

    fn newline(&mut self) {
        if !matches!(self.tokens.last(), None | Some((Token::Newline | Token::Indent | Token::Dedent, _))) {
            self.push(Token::Newline);
        }
    }

    /// Compares the indentation of the next line that has code with that of the block it stands in.
    fn indent(&mut self) -> Result<(), Problem> {
        let width = loop {
            let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\u{c}']).len();
            let (space, after) = self.rest.split_at(blank);
            match after.chars().next() {
                None => return Ok(()),
                Some('\n') => {
                    self.skip(blank + 1);
                    self.line += 1;
                }
                Some('#') => self.skip(blank + after.find('\n').unwrap_or(after.len())),
                Some(_) => {
                    self.skip(blank);
                    break Width::of(space);
                }
            }
        };
        let block = self.indents.last().copied().unwrap_or_default();
        if width.wide > block.wide {
            if width.narrow <= block.narrow {
                return Err(self.tabs());
            }
            self.indents.push(width);
            self.push(Token::Indent);
        }
        while self.indents.last().is_some_and(|indent| indent.wide > width.wide) {
            self.indents.pop();
            self.push(Token::Dedent);
        }
        match self.indents.last() {
            Some(indent) if indent.wide != width.wide => {
                Err(self.problem("an indentation that matches no outer block"))
            }
            Some(indent) if indent.narrow != width.narrow => Err(self.tabs()),
            _ => Ok(()),
        }
    }

    fn tabs(&self) -> Problem {
        Problem { class: "TabError", ..self.problem("an indentation that mixes tabs and blanks inconsistently") }
    }

    fn number(&mut self) -> Result<(), Problem> {
        let rest = self.rest;
        let radix = match rest.get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("0x") => 16,
            Some("0o") => 8,
            Some("0b") => 2,
            _ => 10,
        };
        let mut end = 0;
        let mut before = ' ';
        for letter in rest.chars() {
            let is_sign = radix == 10 && matches!(before, 'e' | 'E') && matches!(letter, '+' | '-');
            if !(letter.is_ascii_alphanumeric() || letter == '_' || (letter == '.' && radix == 10) || is_sign) {
                break;
            }
            (end, before) = (end + 1, letter);
        }
        let written = rest.get(..end).unwrap_or_default();
        let digits = written.replace('_', "");
        let token = if radix != 10 {
            i64::from_str_radix(digits.get(2..).unwrap_or_default(), radix).ok().map(Token::Int)
        } else if digits.contains(['.', 'e', 'E']) {
            digits.parse().ok().filter(|number: &f64| number.is_finite()).map(Token::Float)
        } else {
            digits.parse().ok().map(Token::Int)
        };
        self.skip(end);
        let token = token.ok_or_else(|| Problem::refused(&format!("the number {written}"), self.line))?;
        self.push(token);
        Ok(())
    }

    fn operator(&mut self) -> Result<(), Problem> {
        let found = OPERATORS.into_iter().find(|operator| self.rest.starts_with(operator));
        let operator = found.ok_or_else(|| {
            let letter: String = self.rest.chars().take(1).collect();
            self.problem(&letter)
        })?;
        match operator {
            "(" | "[" | "{" => self.brackets += 1,
            ")" | "]" | "}" => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.skip(operator.len());
        self.push(Token::Operator(operator));
        Ok(())
    }

    /// A name, or a text with what stands before its quote.
    fn word(&mut self) -> Result<(), Problem> {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        if !after.starts_with(['"', '\'']) {
            self.skip(end);
            self.push(Token::Name(word.to_owned()));
            return Ok(());
        }
        let prefix = word.to_ascii_lowercase();
        let (raw, formatted) = match prefix.as_str() {
            "" | "u" => (false, false),
            "r" => (true, false),
            "f" => (false, true),
            "fr" | "rf" => (true, true),
            _ => return Err(Problem::refused(&format!("texts that begin with `{word}`"), self.line)),
        };
        self.skip(end);
        let line = self.line;
        let body = self.quoted()?;
        let token = if formatted {
            Token::Formatted(parts(body, raw, line)?)
        } else {
            Token::Text(if raw { body.to_owned() } else { unescaped(body, line)? })
        };
        self.tokens.push((token, line));
        Ok(())
    }

    /// What stands between quotes, as it is written.
    fn quoted(&mut self) -> Result<&'s str, Problem> {
        let quotes = ["\"\"\"", "'''", "\"", "'"];
        let quote = quotes.into_iter().find(|quote| self.rest.starts_with(quote)).unwrap_or("'");
        let body = self.rest.get(quote.len()..).unwrap_or_default();
        let mut escaped = false;
        for (at, letter) in body.char_indices() {
            if !escaped && body.get(at..).is_some_and(|rest| rest.starts_with(quote)) {
                self.skip(quote.len() + at + quote.len());
                return Ok(body.get(..at).unwrap_or_default());
            }
            if letter == '\n' {
                if quote.len() == 1 && !escaped {
                    break;
                }
                self.line += 1;
            }
            escaped = letter == '\\' && !escaped;
        }
        Err(self.problem("a text that is not closed"))
    }
}

fn unescaped(body: &str, line: usize) -> Result<String, Problem> {
    let mut text = String::with_capacity(body.len());
    let mut letters = body.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('\n') => {}
            Some(same @ ('\\' | '\'' | '"')) => text.push(same),
            Some(other @ ('a' | 'b' | 'f' | 'v' | 'x' | 'u' | 'U' | 'N' | '0'..='7')) => {
                return Err(Problem::refused(&format!("the escape `\\{other}`"), line));
            }
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    Ok(text)
}

/// The parts of an f-string.
fn parts(body: &str, raw: bool, line: usize) -> Result<Vec<Part>, Problem> {
    let read = |text: &str| if raw { Ok(text.to_owned()) } else { unescaped(text, line) };
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = body;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        text.push_str(&read(before)?);
        if let Some(after) = after.strip_prefix("{{") {
            text.push('{');
            rest = after;
        } else if let Some(after) = after.strip_prefix("}}") {
            text.push('}');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let end = closing(after).ok_or_else(|| Problem::wrong("a `{` that is not closed", line))?;
            let (inner, after) = after.split_at(end);
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(value(inner, line)?);
            rest = after.get(1..).unwrap_or_default();
        } else {
            return Err(Problem::wrong("a single `}` in an f-string", line));
        }
    }
    text.push_str(&read(rest)?);
    parts.push(Part::Text(text));
    Ok(parts)
}

/// Where the braces of an expression close.
fn closing(text: &str) -> Option<usize> {
    outside(text).find(|(_, letter, depth)| *letter == '}' && *depth == 0).map(|(at, ..)| at)
}

/// The letters outside of quotes, with the brackets that are open around them.
fn outside(text: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let mut quote = None;
    let mut depth = 0_usize;
    text.char_indices().filter_map(move |(at, letter)| {
        match (quote, letter) {
            (Some(open), letter) => {
                if letter == open {
                    quote = None;
                }
                return None;
            }
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') if depth > 0 => {
                depth -= 1;
                return Some((at, ' ', depth));
            }
            _ => {}
        }
        Some((at, letter, depth))
    })
}

/// `x`, `x!r`, `x:.2f`.
fn value(inner: &str, line: usize) -> Result<Part, Problem> {
    let is_end = |(at, letter, depth): &(usize, char, usize)| {
        let next = inner.get(at + 1..).unwrap_or_default();
        *depth == 0 && (*letter == ':' || (*letter == '!' && !next.starts_with('=')))
    };
    let end = outside(inner).find(is_end).map_or(inner.len(), |(at, ..)| at);
    let (source, after) = inner.split_at(end);
    let (shown, after) = match after.strip_prefix('!') {
        Some(after) if after.starts_with('r') => (true, after.get(1..).unwrap_or_default()),
        Some(_) => return Err(Problem::refused("conversions other than `!r`", line)),
        None => (false, after),
    };
    let format = after.strip_prefix(':').unwrap_or(after);
    if format.contains('{') || source.trim_end().ends_with('=') {
        return Err(Problem::refused(&format!("`{{{inner}}}` in an f-string"), line));
    }
    Ok(Part::Value { source: source.trim().to_owned(), shown, format: format.to_owned() })
}
