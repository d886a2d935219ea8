//! A text as a reader may take it: without characters that nobody sees, and with escapes resolved. Each character knows which
//! bytes of the original it stands for.

use std::collections::HashSet;
use std::ops::Range;

/// An entity of HTML is at most this long, from `&` to `;`.
const LONGEST_ENTITY: usize = 10;

/// A reading of a text.
#[derive(Debug, Clone)]
pub(super) struct View {
    characters: Vec<char>,
    /// The bytes of the original that each character stands for.
    spans: Vec<Range<usize>>,
}

/// One way to write characters with others.
type Decoder = fn(&[char]) -> Option<(char, usize)>;

impl View {
    /// The text itself, without characters that nobody sees.
    pub(super) fn of(text: &str) -> View {
        let visible = text.char_indices().filter(|(_, character)| !is_invisible(*character));
        let (characters, spans) = visible.map(|(at, character)| (character, at..at + character.len_utf8())).unzip();
        View { characters, spans }
    }

    /// Every reading of a text that differs from the others.
    pub(super) fn all(text: &str) -> Vec<View> {
        let plain = View::of(text);
        let once = plain.decoded(json_escape);
        let twice = once.as_ref().and_then(|once| once.decoded(json_escape));
        let in_json = once.as_ref().and_then(|once| once.decoded(percent_escape));
        let form = plain.decoded(form_escape);
        let views = [plain.decoded(percent_escape), form, plain.decoded(html_entity), once, twice, in_json];
        std::iter::once(plain).chain(views.into_iter().flatten()).collect()
    }

    /// The characters.
    pub(super) fn characters(&self) -> impl Iterator<Item = char> {
        self.characters.iter().copied()
    }

    /// The bytes of the original that a range of characters stands for.
    pub(super) fn bytes(&self, at: Range<usize>) -> Range<usize> {
        match self.spans.get(at).unwrap_or_default() {
            [first, .., last] => first.start..last.end,
            [only] => only.clone(),
            [] => 0..0,
        }
    }

    /// Whether no letter or digit stands beside a range of characters.
    pub(super) fn stands_alone(&self, at: Range<usize>) -> bool {
        let is_word = |index: Option<usize>| {
            index.and_then(|index| self.characters.get(index)).is_some_and(|character| character.is_alphanumeric())
        };
        !is_word(at.start.checked_sub(1)) && !is_word(Some(at.end))
    }

    /// Where all of `searched` stands.
    pub(super) fn find(&self, searched: &[char]) -> impl Iterator<Item = Range<usize>> {
        let windows = self.characters.windows(searched.len().max(1)).enumerate();
        windows.filter(move |(_, window)| *window == searched).map(|(at, window)| at..at + window.len())
    }

    /// Where parts of `searched` stand that have at least `length` characters.
    pub(super) fn find_parts(&self, searched: &[char], length: usize) -> Vec<Range<usize>> {
        let parts: HashSet<&[char]> = searched.windows(length.max(1)).collect();
        let mut found: Vec<Range<usize>> = Vec::new();
        for (at, window) in self.characters.windows(length.max(1)).enumerate() {
            if !parts.contains(window) {
                continue;
            }
            match found.last_mut() {
                Some(last) if at <= last.end => last.end = at + window.len(),
                _ => found.push(at..at + window.len()),
            }
        }
        found
    }

    /// The text with escapes resolved; `None` where there are none.
    fn decoded(&self, decoder: Decoder) -> Option<View> {
        let mut view = View { characters: Vec::new(), spans: Vec::new() };
        let (mut at, mut differs) = (0, false);
        while let (Some(rest), Some(first)) = (self.characters.get(at..), self.characters.get(at)) {
            let (character, length) = decoder(rest).unwrap_or((*first, 1));
            differs |= length > 1 || character != *first;
            if !is_invisible(character) {
                view.characters.push(character);
                view.spans.push(self.bytes(at..at + length));
            }
            at += length;
        }
        differs.then_some(view)
    }
}

/// Control characters, and those that have no width or change the direction of writing.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// `\n`, `\"`, `\u0041` (RFC 8259, section 7). A character of two halves is not resolved: no credential has one.
fn json_escape(rest: &[char]) -> Option<(char, usize)> {
    match rest {
        ['\\', 'u', digits @ ..] => Some((char::from_u32(hexadecimal(digits.get(..4)?)?)?, 6)),
        ['\\', 'n' | 'r' | 't' | 'b' | 'f', ..] => Some(('\n', 2)),
        ['\\', escaped @ ('"' | '\\' | '/'), ..] => Some((*escaped, 2)),
        _ => None,
    }
}

/// `%41` and `%C3%A4`: the bytes of one character in UTF-8.
fn percent_escape(rest: &[char]) -> Option<(char, usize)> {
    let byte = |escape: &[char]| match escape {
        ['%', digits @ ..] => u8::try_from(hexadecimal(digits)?).ok(),
        _ => None,
    };
    let bytes: Vec<u8> = rest.chunks_exact(3).take(4).map_while(byte).collect();
    (1..=bytes.len()).find_map(|length| {
        let character = std::str::from_utf8(bytes.get(..length)?).ok()?.chars().next()?;
        Some((character, 3 * length))
    })
}

/// What forms and query strings are written in: as `percent_escape`, and `+` for a blank.
fn form_escape(rest: &[char]) -> Option<(char, usize)> {
    match rest {
        ['+', ..] => Some((' ', 1)),
        _ => percent_escape(rest),
    }
}

/// `&amp;` and its like, `&#65;`, `&#x41;`.
fn html_entity(rest: &[char]) -> Option<(char, usize)> {
    let ['&', inside @ ..] = rest else { return None };
    let length = inside.iter().take(LONGEST_ENTITY).position(|character| *character == ';')?;
    let name: String = inside.get(..length)?.iter().collect();
    let character = match (name.as_str(), name.strip_prefix('#')) {
        ("amp", _) => '&',
        ("lt", _) => '<',
        ("gt", _) => '>',
        ("quot", _) => '"',
        ("apos", _) => '\'',
        (_, Some(number)) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
        _ => return None,
    };
    Some((character, length + 2))
}

fn hexadecimal(digits: &[char]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| Some(number * 16 + digit.to_digit(16)?))
}
