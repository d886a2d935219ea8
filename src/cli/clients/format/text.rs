//! The text of a file: a byte order mark, the ends of lines, and the one place that a change touches.

use serde::{Deserialize, Serialize};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file's text, as it is and as editors take it: without a byte order mark, and with `\n` alone.
#[derive(Debug, Clone)]
pub(in crate::cli::clients) struct Text {
    original: String,
    plain: String,
}

/// One place where one text was replaced by another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli::clients) struct Splice {
    removed: String,
    inserted: String,
}

impl Text {
    pub(in crate::cli::clients) fn new(original: String) -> Self {
        let plain = original.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&original).replace("\r\n", "\n");
        Self { original, plain }
    }

    pub(in crate::cli::clients) fn original(&self) -> &str {
        &self.original
    }

    pub(in crate::cli::clients) fn plain(&self) -> &str {
        &self.plain
    }

    /// The file as it will be if its plain text becomes `plain`: all that is the same keeps its bytes.
    pub(in crate::cli::clients) fn changed_to(&self, plain: &str) -> String {
        let (start, end) = same(&self.plain, plain);
        let (head, tail) = (self.offset(start), self.offset(self.plain.len() - end));
        let inserted = plain.get(start..plain.len() - end).unwrap_or_default();
        let inserted = if self.ends_lines_with_return() { inserted.replace('\n', "\r\n") } else { inserted.to_owned() };
        let (head, tail) = (self.original.get(..head), self.original.get(tail..));
        [head.unwrap_or_default(), &inserted, tail.unwrap_or_default()].concat()
    }

    /// As the first line does; so does a file that has but one.
    fn ends_lines_with_return(&self) -> bool {
        self.original.find('\n').is_some_and(|end| self.original.get(..end).is_some_and(|line| line.ends_with('\r')))
    }

    /// Where a place of the plain text is in the original.
    fn offset(&self, plain: usize) -> usize {
        let start = self.original.strip_prefix(BYTE_ORDER_MARK).map_or(0, |rest| self.original.len() - rest.len());
        let (mut offset, mut left) = (start, plain);
        let mut bytes = self.original.bytes().skip(start).peekable();
        while left > 0 {
            match (bytes.next(), bytes.peek()) {
                (Some(b'\r'), Some(b'\n')) => {}
                (Some(_), _) => left -= 1,
                (None, _) => break,
            }
            offset += 1;
        }
        offset
    }
}

impl Splice {
    /// What turns one text into another.
    pub(in crate::cli::clients) fn between(before: &str, after: &str) -> Self {
        let (removed, inserted) = difference(before, after);
        Self { removed: removed.to_owned(), inserted: inserted.to_owned() }
    }

    /// A text in which what was inserted is replaced by what was there, if it is there once.
    pub(super) fn undone(&self, text: &str) -> Option<String> {
        let (head, tail) = text.split_once(&self.inserted)?;
        (!self.inserted.trim().is_empty() && text.rfind(&self.inserted) == Some(head.len()))
            .then(|| [head, &self.removed, tail].concat())
    }
}

/// What is removed from one text and what is inserted to get another.
pub(in crate::cli::clients) fn difference<'a>(before: &'a str, after: &'a str) -> (&'a str, &'a str) {
    let (start, end) = same(before, after);
    let middle = |text: &'a str| text.get(start..text.len() - end).unwrap_or_default();
    (middle(before), middle(after))
}

/// How many bytes two texts have in common at the start and, after that, at the end.
pub(in crate::cli::clients) fn same(one: &str, other: &str) -> (usize, usize) {
    let pairs = one.chars().zip(other.chars());
    let start = pairs.take_while(|(left, right)| left == right).map(|(letter, _)| letter.len_utf8()).sum();
    let rest = |text| -> &str { str::get(text, start..).unwrap_or_default() };
    let pairs = rest(one).chars().rev().zip(rest(other).chars().rev());
    let end = pairs.take_while(|(left, right)| left == right).map(|(letter, _)| letter.len_utf8()).sum();
    (start, end)
}
