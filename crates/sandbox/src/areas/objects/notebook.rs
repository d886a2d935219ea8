//! A notebook as its cells, and the source file that tells of them in comments.
//!
//! The tree keeps sources; every other format is written from cells and read into them. As in the real service, no line
//! break ends a source. [recorded: integration tests of the official command line]

use super::language::Language;
use crate::error::ApiError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notebook {
    pub(super) language: Language,
    pub(super) cells: Vec<Cell>,
}

/// A cell as people see it: `%md` and other magic commands stand in its text, not in comments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(super) title: Option<Title>,
    pub(super) text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Title {
    pub(super) is_shown: bool,
    pub(super) text: String,
}

/// The comment with which a source file says that it is a notebook.
fn header(language: Language) -> String {
    format!("{} Databricks notebook source", language.comment())
}

/// What comes after the header; nothing where the first line is another one.
pub(super) fn after_header(language: Language, source: &str) -> Option<&str> {
    let (first, rest) = source.split_once('\n').unwrap_or((source, ""));
    (first.trim_end_matches('\r') == header(language)).then_some(rest)
}

/// Cells of a notebook, at most: each takes a thousand bytes in the forms that tell all of it, however short it is.
const MOST_CELLS: usize = 10_000;

/// Refuses the source of a notebook with too many cells.
pub(super) fn check_cells(source: &[u8]) -> Result<(), ApiError> {
    let separators = source.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let cells = separators.filter(|line| is_separator(line)).count() + 1;
    if cells > MOST_CELLS {
        let message = format!("The notebook has {cells} cells, and at most {MOST_CELLS} are allowed");
        return Err(ApiError::new(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", message));
    }
    Ok(())
}

fn is_separator(line: &str) -> bool {
    matches!(line.trim(), "# COMMAND ----------" | "-- COMMAND ----------" | "// COMMAND ----------")
}

/// The parts of a source between its separators.
fn parts(source: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in source.lines() {
        if is_separator(line) {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts
}

/// The cells of a source as they stand in it, without those that are empty.
pub(crate) fn cells(source: &str) -> Vec<String> {
    parts(source).iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

impl Notebook {
    /// Reads a source without its header.
    pub(super) fn parse(language: Language, source: &str) -> Self {
        Self { language, cells: parts(source).iter().map(|part| Cell::parse(language, part)).collect() }
    }

    /// The source without its header.
    pub(super) fn source(&self) -> String {
        let separator = format!("\n\n{} COMMAND ----------\n\n", self.language.comment());
        let cells: Vec<_> = self.cells.iter().map(|cell| cell.source(self.language)).collect();
        cells.join(&separator)
    }

    /// The source file.
    pub(super) fn file(&self) -> String {
        format!("{}\n{}", header(self.language), self.source())
    }
}

impl Cell {
    /// A cell of a text from elsewhere.
    pub(super) fn new(text: &str) -> Self {
        Self { title: None, text: text.replace("\r\n", "\n").trim_end().to_owned() }
    }

    /// A cell of text rather than code.
    pub(super) fn markdown(text: &str) -> Self {
        Self::new(&format!("%md\n{text}"))
    }

    pub(super) fn with_title(mut self, is_shown: bool, title: &str) -> Self {
        let text = title.split_whitespace().collect::<Vec<_>>().join(" ");
        self.title = (!text.is_empty()).then_some(Title { is_shown, text });
        self
    }

    fn parse(language: Language, part: &str) -> Self {
        let comment = language.comment();
        let mut lines = part.lines().skip_while(|line| line.trim().is_empty()).peekable();
        let title = lines.peek().and_then(|line| marked(line, comment, "DBTITLE")?.split_once(','));
        if title.is_some() {
            lines.next();
        }
        let text: Vec<_> = lines.map(|line| marked(line, comment, "MAGIC").unwrap_or(line)).collect();
        let cell = Self::new(&text.join("\n"));
        match title {
            Some((shown, title)) => cell.with_title(shown != "0", title),
            None => cell,
        }
    }

    fn source(&self, language: Language) -> String {
        let comment = language.comment();
        let mut lines = Vec::new();
        if let Some(Title { is_shown, text }) = &self.title {
            lines.push(format!("{comment} DBTITLE {},{text}", u8::from(*is_shown)));
        }
        let is_all_magic = is_magic(&self.text);
        lines.extend(self.text.lines().map(|line| match is_all_magic || is_magic(line) {
            true if line.is_empty() => format!("{comment} MAGIC"),
            true => format!("{comment} MAGIC {line}"),
            false => line.to_owned(),
        }));
        lines.join("\n")
    }

    /// The magic command it begins with, and the text after it: behind a space, or in the lines below.
    pub(super) fn magic(&self) -> Option<(&str, &str)> {
        let text = self.text.strip_prefix('%').filter(|_| is_magic(&self.text))?;
        let (magic, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        let below = rest.strip_prefix('\n');
        Some((magic, below.unwrap_or(rest.trim_start_matches([' ', '\t']))))
    }

    /// Its text, if it is one of text rather than code.
    pub(super) fn as_markdown(&self) -> Option<&str> {
        self.magic().filter(|(magic, _)| *magic == "md").map(|(_, text)| text)
    }
}

/// What a comment says behind its mark.
fn marked<'a>(line: &'a str, comment: &str, mark: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(comment)?.strip_prefix(' ')?.strip_prefix(mark)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// Whether a line is for the notebook rather than for its language.
fn is_magic(line: &str) -> bool {
    line.strip_prefix('%').is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_alphabetic() || next == '%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "# MAGIC %md\n# MAGIC # Title\n# MAGIC\n# MAGIC text\n\n# COMMAND ----------\n\n# DBTITLE 1,Load\n  x = 1\n\n# COMMAND ----------\n\n\n\n# COMMAND ----------\n\n# MAGIC %sql SELECT 1\n\n# COMMAND ----------\n\nversion = \"1\"\n# MAGIC %pip install $version";

    #[test]
    fn a_source_comes_back() {
        let notebook = Notebook::parse(Language::Python, SOURCE);
        let texts: Vec<_> = notebook.cells.iter().map(|cell| cell.text.as_str()).collect();
        let mixed = "version = \"1\"\n%pip install $version";
        assert_eq!(texts, ["%md\n# Title\n\ntext", "  x = 1", "", "%sql SELECT 1", mixed]);
        assert_eq!(notebook.cells[1].title, Some(Title { is_shown: true, text: "Load".to_owned() }));
        assert_eq!(notebook.cells[0].as_markdown(), Some("# Title\n\ntext"));
        assert_eq!(notebook.cells[3].magic(), Some(("sql", "SELECT 1")));
        assert_eq!(notebook.source(), SOURCE);
        let windows = SOURCE.replace('\n', "\r\n");
        assert_eq!(Notebook::parse(Language::Python, &windows), notebook);
    }

    #[test]
    fn a_header_is_a_whole_line() {
        assert_eq!(after_header(Language::Sql, "-- Databricks notebook source\r\nSELECT 1"), Some("SELECT 1"));
        assert_eq!(after_header(Language::R, "# Databricks notebook source"), Some(""));
        assert_eq!(after_header(Language::R, "# Databricks notebook sources\n"), None);
        assert_eq!(after_header(Language::Scala, "# Databricks notebook source\n"), None);
    }
}
