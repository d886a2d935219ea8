//! The rows of a statement as a file. They are written chunk by chunk, so that they neither pass through the model nor
//! have to fit into memory.

use std::fs::File;
use std::io::Write;

use databricks::types::{ColumnInfo, StatementResponse};
use databricks::{Content, Rows};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use crate::context::Context;
use crate::digest::Sha256Hex;
use crate::domain::files::path::Remote;
use crate::domain::sql::statement::chunks::Chunks;
use crate::domain::sql::statement::rows::{header, typed};
use crate::error::Error;
use crate::local::NewFile;
use crate::local::blocking;
use crate::shape;

/// A file for rows, made ready before the statement runs: what cannot be written is found out before anything is computed.
#[derive(Debug)]
pub(crate) struct Export {
    path: String,
    form: Form,
    file: Sink,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    JsonLines,
}

/// Where rows are written to.
#[derive(Debug)]
enum Sink {
    Local(NewFile),
    /// Rows for a volume are collected on this machine, as an upload has to know its length.
    Volume {
        file: NamedTempFile,
        remote: Remote,
        overwrite: bool,
    },
}

impl Export {
    /// Makes a file ready: of a volume, or below one of the local directories.
    pub(crate) async fn open(context: &Context, path: &str, overwrite: bool) -> Result<Self, Error> {
        context
            .policy
            .check_write("`save_to` writes a file")
            .map_err(|error| error.with_hint("leave out `save_to` and page through the rows with `get_sql_result`"))?;
        let form = Form::of(path)?;
        if path.strip_prefix("dbfs:").unwrap_or(path).starts_with("/Volumes/") {
            return Self::in_volume(context, path, form, overwrite).await;
        }
        let place = context.local.place(path)?;
        let shown = place.shown();
        let file = blocking(move || place.create(overwrite)).await?;
        Ok(Self { path: shown, form, file: Sink::Local(file) })
    }

    async fn in_volume(context: &Context, path: &str, form: Form, overwrite: bool) -> Result<Self, Error> {
        let remote = Remote::parse(path)?;
        let path = remote.path().to_owned();
        // One byte tells whether it exists.
        if !overwrite && remote.read(context, 0, 1, None).await.is_ok() {
            return Err(Error::failed(format!("`{path}` already exists"))
                .with_hint("give another path in `save_to`, or `overwrite: true`"));
        }
        let file = blocking(|| NamedTempFile::new().map_err(|error| unwritten("a temporary file", &error))).await?;
        Ok(Self { path, form, file: Sink::Volume { file, remote, overwrite } })
    }

    /// Writes all rows of a statement that succeeded, and tells of the file instead of them. A result that is not whole
    /// leaves no file.
    pub(crate) async fn write(self, context: &Context, statement: StatementResponse) -> Result<Value, Error> {
        let Self { path, form, mut file } = self;
        let mut chunks = Chunks::new(statement);
        let columns = chunks.columns().to_vec();
        let mut answer = json!({ "statement_id": chunks.id(), "state": "SUCCEEDED" });
        if columns.is_empty() {
            shape::put(&mut answer, "row_count", 0);
            shape::put(&mut answer, "hint", "the statement returned no rows, so no file was written");
            return Ok(answer);
        }
        form.check(&columns)?;
        let (mut rows, mut size, mut digest) = (0, 0, Sha256Hex::default());
        let mut text = form.head(&columns);
        loop {
            digest.add(&text);
            size += text.len() as u64;
            file = blocking(move || file.write(&text).map(|()| file)).await?;
            let Some(chunk) = chunks.next(context).await? else { break };
            rows += chunk.rows.len();
            text = form.rows(&columns, &chunk.rows);
            context.progress.report(format!("{rows} of {} rows saved", chunks.total()));
        }
        chunks.check_complete()?;
        file.finish(context, size).await?;
        let (names, _) = header(&columns, context.budget.characters / 2);
        shape::put(&mut answer, "saved_to", path);
        shape::put(&mut answer, "columns", names);
        shape::put(&mut answer, "row_count", rows);
        shape::put(&mut answer, "size", size);
        shape::put(&mut answer, "sha256", digest.finish());
        shape::put(&mut answer, "truncated", chunks.is_cut());
        if chunks.is_cut() {
            shape::advise(&mut answer, "the row or byte limit cut the result; raise `row_limit` or select less");
        }
        Ok(answer)
    }
}

impl Form {
    fn of(path: &str) -> Result<Self, Error> {
        let name = path.rsplit('/').next().unwrap_or_default();
        match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("parquet") => Err(Error::failed("a SQL warehouse does not return Parquet").with_hint(
                "save as `.csv` or `.jsonl`, or keep the rows in a table with `CREATE TABLE … AS SELECT …`",
            )),
            _ => Err(Error::failed(format!("`save_to` does not say the format: `{path}`"))
                .with_hint("end the file name in `.csv`, or in `.jsonl` for one JSON object per row")),
        }
    }

    /// Refuses columns that the format cannot tell apart.
    fn check(self, columns: &[ColumnInfo]) -> Result<(), Error> {
        let mut names: Vec<_> = columns.iter().map(name).collect();
        names.sort_unstable();
        let twin = names.windows(2).find_map(|pair| match pair {
            [one, next] if one == next => Some(*one),
            _ => None,
        });
        match twin {
            Some(name) if self == Self::JsonLines => {
                Err(Error::failed(format!("two columns are named `{name}`, which one JSON object cannot hold"))
                    .with_hint("give each column its own name with `AS`, or save as `.csv`"))
            }
            _ => Ok(()),
        }
    }

    fn head(self, columns: &[ColumnInfo]) -> Vec<u8> {
        match self {
            Self::Csv => csv_line(columns.iter().map(|column| Some(name(column)))).into_bytes(),
            Self::JsonLines => Vec::new(),
        }
    }

    fn rows(self, columns: &[ColumnInfo], rows: &Rows) -> Vec<u8> {
        let lines = rows.iter().map(|row| match self {
            Self::Csv => csv_line(row.iter()),
            Self::JsonLines => {
                let fields = columns.iter().zip(row.iter());
                let fields = fields.map(|(column, cell)| (name(column).to_owned(), typed(column, cell)));
                format!("{}\n", Value::Object(fields.collect::<Map<_, _>>()))
            }
        });
        lines.collect::<String>().into_bytes()
    }
}

impl Sink {
    fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        match self {
            Self::Local(file) => file.write(text),
            Self::Volume { file, .. } => file.write_all(text).map_err(|error| unwritten("a temporary file", &error)),
        }
    }

    async fn finish(self, context: &Context, size: u64) -> Result<(), Error> {
        match self {
            Self::Local(file) => blocking(move || file.finish()).await,
            Self::Volume { file, remote, overwrite } => {
                let path = file.path().to_owned();
                context.progress.report(format!("uploading {size} bytes"));
                remote.write(context, &Content::new(size, move || File::open(&path)), overwrite).await
            }
        }
    }
}

fn unwritten(what: &str, error: &std::io::Error) -> Error {
    Error::failed(format!("cannot write {what}: {error}"))
}

fn name(column: &ColumnInfo) -> &str {
    column.name.as_deref().unwrap_or_default()
}

/// A line of CSV after RFC 4180, but for its end. NULL is nothing, and an empty text a pair of quotes.
fn csv_line<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> String {
    let cells = cells.map(|cell| match cell {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text.to_owned(),
    });
    let mut line = cells.collect::<Vec<_>>().join(",");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ColumnInfo, Form, csv_line};

    fn column(name: &str, kind: &str) -> ColumnInfo {
        serde_json::from_value(json!({ "name": name, "type_name": kind })).expect("a column")
    }

    #[test]
    fn the_file_name_tells_the_format() {
        for (path, form) in
            [("a.csv", Form::Csv), ("/Volumes/a/b/c/D.JSONL", Form::JsonLines), ("x/y.ndjson", Form::JsonLines)]
        {
            assert_eq!(Form::of(path).expect(path), form);
        }
        for path in ["rows", "rows.xlsx", "csv", "a.csv/rows", ""] {
            let error = Form::of(path).expect_err(path).to_string();
            assert!(error.contains("`.csv`"), "{error}");
        }
        let error = Form::of("rows.parquet").expect_err("no Parquet").to_string();
        assert!(error.contains("does not return Parquet") && error.contains("CREATE TABLE"), "{error}");
    }

    #[test]
    fn csv_tells_null_from_an_empty_text() {
        let cells = [Some("a"), None, Some(""), Some("say \"hi\""), Some("1,5"), Some("two\nlines")];
        assert_eq!(csv_line(cells.into_iter()), "a,,\"\",\"say \"\"hi\"\"\",\"1,5\",\"two\nlines\"\n");
    }

    #[test]
    fn json_lines_hold_typed_values_with_all_their_digits() {
        let columns = [column("n", "LONG"), column("price", "DECIMAL"), column("tags", "ARRAY"), column("x", "STRING")];
        let rows = json!([["9007199254740993", "1.50", "[1,2]", null]]);
        let rows = serde_json::from_value(rows).expect("rows");
        let written = Form::JsonLines.rows(&columns, &rows);
        let expected = "{\"n\":9007199254740993,\"price\":\"1.50\",\"tags\":[1,2],\"x\":null}\n";
        assert_eq!(String::from_utf8(written).expect("text"), expected);
    }

    #[test]
    fn columns_of_one_name_need_another_format() {
        let columns = [column("a", "INT"), column("b", "INT"), column("a", "INT")];
        Form::Csv.check(&columns).expect("CSV may repeat a name");
        let error = Form::JsonLines.check(&columns).expect_err("twins").to_string();
        assert!(error.contains("two columns are named `a`") && error.contains("`AS`"), "{error}");
    }
}
