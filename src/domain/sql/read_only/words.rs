//! Looking at single tokens.

use sqlparser::tokenizer::{Token, Word};

/// The word of a token, quoted or not.
pub(super) fn word(token: &Token) -> Option<&Word> {
    match token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

/// Whether a token is one of these keywords. A quoted word is a name.
pub(super) fn is_word(token: &Token, known: &[&str]) -> bool {
    let word = word(token).filter(|word| word.quote_style.is_none());
    word.is_some_and(|word| known.iter().any(|known| known.eq_ignore_ascii_case(&word.value)))
}

/// Whether these tokens begin with these keywords.
pub(super) fn starts_with(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| is_word(token, &[word]))
}
