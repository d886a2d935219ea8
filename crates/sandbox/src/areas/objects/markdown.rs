//! Notebooks in R as R Markdown: text as it is, code in chunks.
//!
//! Derived, all of it: the documentation only names the format. Cells in another language become chunks of its engine.
//! What R Markdown has no place for stands in comments that no reader sees: titles, and where a cell of text ends that
//! another one follows. Of a document from elsewhere, the front matter and the options of chunks are left out, and what
//! knows no cell (chunks of other engines) stays text.

use super::language::Language;
use super::notebook::{Cell, Notebook};

const BREAK: &str = "<!-- COMMAND ---------- -->";

/// Magic commands that are engines of chunks too.
const ENGINES: [(&str, &str); 4] = [("python", "python"), ("sql", "sql"), ("scala", "scala"), ("sh", "bash")];

pub(super) fn write(notebook: &Notebook) -> String {
    let mut blocks = Vec::new();
    let mut after_text = false;
    for cell in &notebook.cells {
        let text = cell.as_markdown();
        let block = text.map_or_else(|| chunk(cell), str::to_owned);
        match &cell.title {
            Some(title) => {
                blocks.push(format!("<!-- DBTITLE {},{} -->\n{block}", u8::from(title.is_shown), title.text))
            }
            None if text.is_some() && after_text => blocks.extend([BREAK.to_owned(), block]),
            None => blocks.push(block),
        }
        after_text = text.is_some();
    }
    blocks.join("\n\n") + "\n"
}

fn chunk(cell: &Cell) -> String {
    let engine = cell.magic().and_then(|(magic, text)| {
        let is_alone = cell.text.strip_prefix('%')?.strip_prefix(magic)?.starts_with('\n');
        let (_, engine) = ENGINES.iter().find(|(known, _)| *known == magic && is_alone)?;
        Some(((*engine).to_owned(), text))
    });
    let (head, text) = match (engine, cell.magic()) {
        (Some(engine), _) => engine,
        // No engine runs these; they are kept for the way back.
        (None, Some(_)) => ("r, eval=FALSE".to_owned(), cell.text.as_str()),
        (None, None) => ("r".to_owned(), cell.text.as_str()),
    };
    let longest = text.lines().filter_map(|line| fence(line).map(|(ticks, _)| ticks)).max().unwrap_or(0);
    let fence = "`".repeat(longest.saturating_add(1).max(3));
    format!("{fence}{{{head}}}\n{text}{}{fence}", if text.is_empty() { "" } else { "\n" })
}

/// How many backticks a line begins with, from three on, and what follows.
fn fence(line: &str) -> Option<(usize, &str)> {
    let line = line.trim_start();
    let rest = line.trim_start_matches('`');
    let ticks = line.len() - rest.len();
    (ticks >= 3).then_some((ticks, rest.trim()))
}

/// The magic command for the engine of a chunk: none for R, the language of the notebook.
fn engine(head: &str) -> Option<Option<&'static str>> {
    let inside = head.strip_prefix('{')?.strip_suffix('}')?;
    let name = inside.split([' ', ',']).next()?.to_ascii_lowercase();
    match name.as_str() {
        "r" => Some(None),
        name => ENGINES.iter().find(|(_, engine)| *engine == name).map(|(magic, _)| Some(*magic)),
    }
}

/// What of a document is being read.
enum Place {
    Text,
    /// Within code that belongs to a text.
    Quoted(usize),
    Chunk(usize, Option<&'static str>),
}

/// The cells as they are read.
#[derive(Default)]
struct Reader<'a> {
    cells: Vec<Cell>,
    lines: Vec<&'a str>,
    title: Option<(bool, &'a str)>,
}

impl<'a> Reader<'a> {
    fn finish(&mut self, cell: Cell) {
        self.lines.clear();
        self.cells.push(match self.title.take() {
            Some((is_shown, title)) => cell.with_title(is_shown, title),
            None => cell,
        });
    }

    /// Ends a cell of text. Blank lines are none, unless a title makes them one.
    fn finish_text(&mut self) {
        let text = self.lines.join("\n");
        match text.trim().is_empty() && self.title.is_none() {
            true => self.lines.clear(),
            false => self.finish(Cell::markdown(text.trim_matches('\n'))),
        }
    }

    fn finish_chunk(&mut self, magic: Option<&str>) {
        let text = self.lines.join("\n");
        self.finish(match magic {
            Some(magic) => Cell::new(&format!("%{magic}\n{text}")),
            None => Cell::new(&text),
        });
    }

    /// Takes a line outside of all code.
    fn text(&mut self, line: &'a str) -> Place {
        if let Some((ticks, head)) = fence(line) {
            return match engine(head) {
                Some(magic) => {
                    // A title above a chunk is that of the chunk.
                    if !self.lines.iter().all(|line| line.trim().is_empty()) {
                        self.finish_text();
                    }
                    self.lines.clear();
                    Place::Chunk(ticks, magic)
                }
                None => {
                    self.lines.push(line);
                    Place::Quoted(ticks)
                }
            };
        }
        if line.trim() == BREAK {
            self.finish_text();
        } else if let Some(title) = title(line) {
            self.finish_text();
            self.title = Some(title);
        } else {
            self.lines.push(line);
        }
        Place::Text
    }
}

fn title(line: &str) -> Option<(bool, &str)> {
    let (shown, title) = line.trim().strip_prefix("<!-- DBTITLE ")?.strip_suffix("-->")?.split_once(',')?;
    Some((shown != "0", title.trim()))
}

pub(super) fn read(document: &str) -> Notebook {
    let mut reader = Reader::default();
    let mut place = Place::Text;
    for line in without_front_matter(document).lines() {
        let closes = |ticks: usize| fence(line).is_some_and(|(found, rest)| found >= ticks && rest.is_empty());
        place = match place {
            Place::Text => reader.text(line),
            Place::Quoted(ticks) => {
                reader.lines.push(line);
                if closes(ticks) { Place::Text } else { place }
            }
            Place::Chunk(ticks, magic) if closes(ticks) => {
                reader.finish_chunk(magic);
                Place::Text
            }
            Place::Chunk(..) => {
                reader.lines.push(line);
                place
            }
        };
    }
    match place {
        Place::Chunk(_, magic) => reader.finish_chunk(magic),
        _ => reader.finish_text(),
    }
    Notebook { language: Language::R, cells: reader.cells }
}

/// What comes after the lines that tell R Markdown about the document.
fn without_front_matter(document: &str) -> &str {
    let after = document.strip_prefix("---\n").or_else(|| document.strip_prefix("---\r\n"));
    let Some(inside) = after else { return document };
    let mut end = 0;
    for line in inside.split_inclusive('\n') {
        end += line.len();
        if matches!(line.trim_end(), "---" | "...") {
            return inside.get(end..).unwrap_or_default();
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notebooks_come_back() {
        let source = "# MAGIC %md\n# MAGIC # One\n# MAGIC ```\n# MAGIC quoted\n# MAGIC ```\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC two\n\n# COMMAND ----------\n\n# DBTITLE 0,A title\nx <- 1\nprint(\"```\")\n\n# COMMAND ----------\n\n\n\n# COMMAND ----------\n\n# MAGIC %sql\n# MAGIC SELECT 1\n\n# COMMAND ----------\n\n# MAGIC %run ./other\n\n# COMMAND ----------\n\n# DBTITLE 1,Text\n# MAGIC %md\n# MAGIC end";
        let notebook = Notebook::parse(Language::R, source);
        let document = write(&notebook);
        for wanted in
            ["# One\n```\nquoted\n```\n", "```{r}\nx <- 1\nprint(\"```\")\n```", "```{sql}\nSELECT 1\n```", BREAK]
        {
            assert!(document.contains(wanted), "{wanted}: {document}");
        }
        assert_eq!(read(&document), notebook);
    }

    #[test]
    fn documents_from_elsewhere_are_read() {
        let document =
            "---\ntitle: x\n---\n\nText\n\n````{r setup, include=FALSE}\n```\n````\n```{css}\na {}\n```\n```{R}\nopen";
        let notebook = read(&document.replace('\n', "\r\n"));
        let texts: Vec<_> = notebook.cells.iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!(texts, ["%md\nText", "```", "%md\n```{css}\na {}\n```", "open"]);
        for document in ["", "\n", "---\nx", "```{r}", "````"] {
            let _ = read(document);
        }
    }
}
