//! The formats of f-strings: `.2f`, `,`, `>8`, `03d`.

use super::budget::Budget;
use super::run::Failure;
use super::value::Value;

/// Wider, a text is no layout.
const WIDEST: usize = 1_000;

#[derive(Debug, Default)]
struct Format {
    fill: Option<char>,
    align: Option<char>,
    zeros: bool,
    width: usize,
    commas: bool,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Format {
    fn read(text: &str) -> Option<Self> {
        let mut format = Self::default();
        let mut letters = text.chars().peekable();
        let first = letters.peek().copied();
        let is_align = |letter: char| matches!(letter, '<' | '>' | '^');
        if text.chars().nth(1).is_some_and(is_align) {
            (format.fill, format.align) = (letters.next(), letters.next());
        } else if first.is_some_and(is_align) {
            format.align = letters.next();
        }
        format.zeros = letters.next_if_eq(&'0').is_some();
        let number = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut digits = String::new();
            while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits
        };
        format.width = match number(&mut letters).as_str() {
            "" => 0,
            digits => digits.parse().ok()?,
        };
        format.commas = letters.next_if_eq(&',').is_some();
        if letters.next_if_eq(&'.').is_some() {
            format.precision = Some(number(&mut letters).parse().ok().filter(|digits| *digits <= 100)?);
        }
        format.kind = letters.next();
        let is_known = letters.next().is_none() && format.width <= WIDEST;
        is_known.then_some(format)
    }

    /// A text as wide as the format asks for.
    fn laid_out(&self, text: &str, align: char) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        let fill = |count| self.fill.unwrap_or(' ').to_string().repeat(count);
        match self.align.unwrap_or(align) {
            '<' => text.to_owned() + &fill(missing),
            '^' => fill(missing / 2) + text + &fill(missing - missing / 2),
            _ => fill(missing) + text,
        }
    }

    /// The digits of a number with commas and zeros, where the format asks for them.
    fn number(&self, digits: &str) -> Option<String> {
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
        let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
        let mut grouped = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if self.commas && index > 0 && (whole.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let zeros = match self.zeros {
            // Python puts commas between these zeros, too.
            true if self.commas || self.align.is_some() => return None,
            true => self.width.saturating_sub(sign.len() + whole.len() + fraction.len()),
            false => 0,
        };
        Some(self.laid_out(&format!("{sign}{}{grouped}{fraction}", "0".repeat(zeros)), '>'))
    }
}

/// A value as a format writes it.
pub(super) fn formatted(value: &Value, format: &str, budget: &Budget) -> Result<String, Failure> {
    if format.is_empty() {
        return Ok(value.to_text(budget)?);
    }
    let refused = || Failure::refused(&format!("the format `{format}` of a {}", value.type_name()));
    let read = Format::read(format).ok_or_else(refused)?;
    let text = match (value, read.kind) {
        (Value::Text(text), None | Some('s')) if !read.commas && !read.zeros => {
            let text: String = text.chars().take(read.precision.unwrap_or(usize::MAX)).collect();
            Some(read.laid_out(&text, '<'))
        }
        (Value::Int(number), None | Some('d')) if read.precision.is_none() => read.number(&number.to_string()),
        (Value::Int(_) | Value::Float(_), Some('f')) => {
            let number = value.number().filter(|number| number.is_finite()).ok_or_else(refused)?;
            read.number(&format!("{number:.*}", read.precision.unwrap_or(6)))
        }
        (Value::Int(_) | Value::Float(_), Some('%')) => {
            let number = value.number().filter(|number| number.is_finite()).ok_or_else(refused)?;
            let digits = format!("{:.*}", read.precision.unwrap_or(6), number * 100.0);
            (read.width == 0).then(|| read.number(&digits).map(|text| text + "%")).flatten()
        }
        (Value::Float(number), None) if read.precision.is_none() && number.is_finite() => {
            let digits = super::show::float_text(*number);
            if digits.contains('e') { None } else { read.number(&digits) }
        }
        _ => None,
    };
    text.ok_or_else(refused)
}
