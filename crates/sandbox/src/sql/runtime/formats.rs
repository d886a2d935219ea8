//! `format_string`: Java's `%d`, `%s`, `%f`, `%x` and `%%`, with width, precision and flags.

use rusqlite::types::Value;

use super::casts::decimal;
use super::{Arguments, Outcome};
use crate::sql::error::SqlError;
use crate::sql::render;

/// A width beyond this is no layout.
const WIDEST: usize = 1000;

/// One `%` of a format.
#[derive(Default)]
struct Piece {
    left: bool,
    zeros: bool,
    commas: bool,
    plus: bool,
    width: usize,
    precision: Option<u8>,
}

pub(super) fn format(a: &Arguments) -> Outcome {
    if *a.get(0) == Value::Null {
        return Ok(Value::Null);
    }
    let mut result = String::new();
    let mut letters = a.text(0).chars().peekable();
    let mut next = 1;
    while let Some(letter) = letters.next() {
        if letter != '%' {
            result.push(letter);
            continue;
        }
        let mut piece = Piece::default();
        while let Some(flag) = letters.next_if(|letter| "-0,+".contains(*letter)) {
            match flag {
                '-' => piece.left = true,
                '0' => piece.zeros = true,
                ',' => piece.commas = true,
                _ => piece.plus = true,
            }
        }
        while let Some(digit) = letters.next_if(char::is_ascii_digit).and_then(|digit| digit.to_digit(10)) {
            piece.width = piece.width.saturating_mul(10).saturating_add(usize::try_from(digit).unwrap_or_default());
        }
        if letters.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            piece.precision = Some(digits.parse().ok().filter(|digits| *digits <= 17).ok_or_else(wrong)?);
        }
        if piece.width > WIDEST {
            return Err(wrong());
        }
        match letters.next() {
            Some('%') => result.push('%'),
            Some('n') => result.push('\n'),
            Some(letter) => {
                result.push_str(&written(&piece, letter, a.get(next))?);
                next += 1;
            }
            None => return Err(wrong()),
        }
    }
    Ok(Value::Text(result))
}

fn wrong() -> SqlError {
    SqlError::unsupported("this format string with these arguments")
}

fn written(piece: &Piece, letter: char, value: &Value) -> Result<String, SqlError> {
    let (sign, body) = match (letter, value) {
        (_, Value::Null) => ("", "null".to_owned()),
        ('d', Value::Integer(value)) => (sign(piece, *value < 0), grouped(piece, &value.unsigned_abs().to_string())),
        ('x', Value::Integer(value)) => ("", format!("{value:x}")),
        ('X', Value::Integer(value)) => ("", format!("{value:X}")),
        ('f', Value::Real(value)) => fixed(piece, &format!("{value}"))?,
        // A decimal comes as its text.
        ('f', Value::Text(text)) => fixed(piece, text)?,
        ('s', Value::Text(text)) => ("", text.clone()),
        ('s', Value::Integer(value)) => ("", value.to_string()),
        ('s', Value::Real(_)) => ("", render::plain_text(value, "DOUBLE")?),
        _ => return Err(wrong()),
    };
    let missing = piece.width.saturating_sub(sign.chars().count() + body.chars().count());
    Ok(match (piece.left, piece.zeros) {
        (true, _) => format!("{sign}{body}{}", " ".repeat(missing)),
        (_, true) if letter != 's' => format!("{sign}{}{body}", "0".repeat(missing)),
        _ => format!("{}{sign}{body}", " ".repeat(missing)),
    })
}

fn sign(piece: &Piece, negative: bool) -> &'static str {
    match (negative, piece.plus) {
        (true, _) => "-",
        (_, true) => "+",
        _ => "",
    }
}

/// A fixed number of digits, rounded half up.
fn fixed(piece: &Piece, text: &str) -> Result<(&'static str, String), SqlError> {
    let digits = piece.precision.unwrap_or(6);
    let unscaled = decimal(text, digits).ok_or_else(wrong)?;
    let width = usize::from(digits);
    let padded = format!("{:0>1$}", unscaled.unsigned_abs(), width + 1);
    let (whole, fraction) = padded.split_at_checked(padded.len() - width).ok_or_else(wrong)?;
    let point = if width == 0 { "" } else { "." };
    Ok((sign(piece, text.starts_with('-')), format!("{}{point}{fraction}", grouped(piece, whole))))
}

fn grouped(piece: &Piece, digits: &str) -> String {
    if !piece.commas {
        return digits.to_owned();
    }
    let mut result = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            result.push(',');
        }
        result.push(digit);
    }
    result
}
