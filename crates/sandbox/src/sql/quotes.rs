//! Literals that the tokenizer does not read as Databricks does: `r'\d'` is raw, `'a' 'b'` one string, `1e3D` one number.

use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// The same tokens with raw strings as written, neighboring strings as one, and numbers without their suffix.
pub(super) fn whole(tokens: Vec<TokenWithSpan>, sql: &str) -> Vec<TokenWithSpan> {
    let mut result: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
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
        if is_raw && let Some(written) = between(sql, token.span.start, token.span.end) {
            quoted = written;
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

/// What is written between the quotes of a token.
fn between(sql: &str, start: Location, end: Location) -> Option<String> {
    let whole = from(sql, start)?;
    let length = whole.len().checked_sub(from(sql, end)?.len())?;
    let mut letters = whole.get(..length)?.chars();
    let (_, _) = (letters.next()?, letters.next_back()?);
    Some(letters.as_str().to_owned())
}

/// The statement from a place on.
fn from(sql: &str, place: Location) -> Option<&str> {
    let mut rest = sql;
    for _ in 1..place.line {
        rest = rest.split_once('\n')?.1;
    }
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let skipped: usize = rest.chars().take(column).map(char::len_utf8).sum();
    rest.get(skipped..)
}
