//! Literals that the tokenizer does not read as Databricks does: `r'\d'` is raw, `'a' 'b'` one string, `1e3D` one number.

use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// The same tokens with raw strings as written, neighboring strings as one, and numbers without their suffix.
pub(super) fn whole(tokens: Vec<TokenWithSpan>, sql: &str) -> Vec<TokenWithSpan> {
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut reader = Reader::new(sql);
    for mut token in tokens {
        // A number with an exponent is a DOUBLE, with or without this suffix.
        let is_suffix = matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("d"));
        if is_suffix
            && matches!(result.last(), Some(last) if last.span.end == token.span.start
                && matches!(&last.token, Token::Number(digits, _) if digits.contains(['e', 'E'])))
        {
            continue;
        }
        let Some(quoted) = text(&token.token) else {
            result.push(token);
            continue;
        };
        let mut quoted = quoted.clone();
        let is_raw = matches!(result.last(), Some(last) if last.span.end == token.span.start
            && matches!(&last.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("r")));
        if is_raw && let Some(written) = reader.between(token.span.start, token.span.end) {
            written.clone_into(&mut quoted);
            result.pop();
        }
        match result.last_mut() {
            Some(TokenWithSpan { token: Token::SingleQuotedString(before), .. }) => before.push_str(&quoted),
            _ => {
                token.token = Token::SingleQuotedString(quoted);
                result.push(token);
            }
        }
    }
    result
}

/// Single and double quotes mean the same.
fn text(token: &Token) -> Option<&String> {
    match token {
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => Some(text),
        _ => None,
    }
}

/// A place in a statement, which only goes on: a statement of many raw strings is read once.
struct Reader<'s> {
    rest: &'s str,
    at: Location,
}

impl<'s> Reader<'s> {
    fn new(sql: &'s str) -> Self {
        Self { rest: sql, at: Location::new(1, 1) }
    }

    /// Goes on to a place, and gives what is passed.
    fn until(&mut self, place: Location) -> &'s str {
        let from = self.rest;
        let mut letters = from.chars();
        while (self.at.line, self.at.column) < (place.line, place.column) {
            match letters.next() {
                Some('\n') => self.at = Location::new(self.at.line + 1, 1),
                Some(_) => self.at.column += 1,
                None => break,
            }
        }
        self.rest = letters.as_str();
        from.get(..from.len() - self.rest.len()).unwrap_or_default()
    }

    /// What is written between the quotes of a token.
    fn between(&mut self, start: Location, end: Location) -> Option<&'s str> {
        self.until(start);
        let mut letters = self.until(end).chars();
        let (_, _) = (letters.next()?, letters.next_back()?);
        Some(letters.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use sqlparser::dialect::DatabricksDialect;
    use sqlparser::tokenizer::{Token, Tokenizer};

    use super::whole;

    fn texts(sql: &str) -> Vec<String> {
        let tokens = Tokenizer::new(&DatabricksDialect, sql).tokenize_with_location().unwrap();
        let texts = whole(tokens, sql).into_iter().filter_map(|token| match token.token {
            Token::SingleQuotedString(text) => Some(text),
            _ => None,
        });
        texts.collect()
    }

    #[test]
    fn raw_strings_are_as_written_wherever_they_stand() {
        assert_eq!(texts(r"SELECT r'a\d', 'b', R'ü\w',"), [r"a\d", "b", r"ü\w"]);
        assert_eq!(texts("SELECT r'a\\\n\nb',\n'x', -- ü\n  r'\\d'"), ["a\\\n\nb", "x", "\\d"]);
    }

    /// The time for many raw strings grows with their number and not with its square: that would take minutes.
    #[test]
    fn many_raw_strings_are_read_in_one_pass() {
        let sql = format!("SELECT {}", r"r'\d', ".repeat(60_000));
        let begin = Instant::now();
        assert_eq!(texts(&sql).len(), 60_000);
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    }
}
