//! The lines of a stream, none longer than a bound.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::transport::envelope::{Envelope, Scanner};

/// A buffer that has grown beyond this for one line is not kept for the next.
const MOST_KEPT_BYTES: usize = 1 << 20;

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    most_bytes: usize,
    line: Vec<u8>,
}

/// A line without its end.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// The whole of it.
    Whole(&'a [u8]),
    /// Of a longer one, what its message is about and its length.
    TooLong(Envelope, usize),
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// The lines of a reader.
    pub(super) fn new(reader: R, most_bytes: usize) -> Self {
        Self { reader, most_bytes, line: Vec::new() }
    }

    /// The next line; `None` at the end. The last one needs no line break.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        self.line.shrink_to(MOST_KEPT_BYTES);
        let mut too_long: Option<(Scanner, usize)> = None;
        let mut is_begun = false;
        loop {
            let available = match self.reader.fill_buf().await {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                available => available?,
            };
            if available.is_empty() && !is_begun {
                return Ok(None);
            }
            is_begun = true;
            let end = available.iter().position(|byte| *byte == b'\n');
            let (piece, _) = available.split_at_checked(end.unwrap_or(available.len())).unwrap_or((available, &[]));
            let taken = piece.len() + usize::from(end.is_some());
            match &mut too_long {
                Some((scanner, length)) => {
                    scanner.feed(piece);
                    *length += piece.len();
                }
                None if self.line.len() + piece.len() > self.most_bytes => {
                    let mut scanner = Scanner::default();
                    scanner.feed(&self.line);
                    scanner.feed(piece);
                    too_long = Some((scanner, self.line.len() + piece.len()));
                    self.line = Vec::new();
                }
                None => self.line.extend_from_slice(piece),
            }
            let is_over = end.is_some() || available.is_empty();
            self.reader.consume(taken);
            if is_over {
                return Ok(Some(match too_long {
                    Some((scanner, length)) => Line::TooLong(scanner.finish(), length),
                    None => Line::Whole(&self.line),
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::BufReader;

    use super::{Line, Lines};

    /// What the lines of a text are, read in pieces of a size.
    async fn lines(text: &str, size: usize) -> Vec<Result<String, (Option<serde_json::Value>, usize)>> {
        let mut lines = Lines::new(BufReader::with_capacity(size, text.as_bytes()), 20);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.expect("it reads from memory") {
            found.push(match line {
                Line::Whole(line) => Ok(String::from_utf8(line.to_vec()).expect("it was text")),
                Line::TooLong(envelope, length) => Err((envelope.id, length)),
            });
        }
        found
    }

    #[tokio::test]
    async fn long_lines_are_left_out_and_named() {
        let text = "one\n\n{\"params\":\"xxxxxxxxxx\",\"id\":5}\ntwo\r\nxxxxxxxxxxxxxxxxxxxx\nlast";
        for size in 1..text.len() + 1 {
            let found = lines(text, size).await;
            let whole = |text: &str| Ok(text.to_owned());
            let long = Err((Some(json!(5)), 30));
            let expected =
                [whole("one"), whole(""), long, whole("two\r"), whole("xxxxxxxxxxxxxxxxxxxx"), whole("last")];
            assert_eq!(found, expected, "{size}");
        }
    }

    #[tokio::test]
    async fn no_text_is_no_line() {
        assert_eq!(lines("", 8).await, []);
        assert_eq!(lines("\n", 8).await, [Ok(String::new())]);
    }
}
