//! The rows of a finished statement, chunk by chunk, from any point on. No row is lost: a chunk that is not whole
//! is an error, and the cursor of an answer begins with the first row that was not given.

use databricks::api::types::{ColumnInfo, ExternalLink, Format, ResultData, ResultManifest, StatementResponse};
use serde_json::{Value, json};

use super::gone;
use crate::context::Context;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::shape::{self, Budget};
use crate::tools::remote::Digits;

type Row = Vec<Option<String>>;

/// All rows of a result.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// Reads a result whole.
    pub(super) async fn read(context: &Context, statement: StatementResponse) -> Result<Self, Error> {
        let mut result = Outcome::new(statement);
        let columns = result.columns.iter().map(|column| column.name.clone().unwrap_or_default()).collect();
        let (mut rows, mut next) = (Vec::new(), Some(0));
        while let Some(index) = next {
            let chunk = result.chunk(context, index).await?;
            rows.extend(chunk.rows);
            next = chunk.next;
        }
        Ok(Self { columns, rows })
    }

    /// A row's cell by the name of its column.
    pub(crate) fn cell<'a>(&self, row: &'a Row, column: &str) -> Option<&'a str> {
        let index = self.columns.iter().position(|name| name == column)?;
        row.get(index)?.as_deref()
    }
}

/// What a statement that succeeded tells about its result.
struct Outcome {
    id: String,
    columns: Vec<ColumnInfo>,
    manifest: ResultManifest,
    /// The first chunk, which comes with the statement.
    first: Option<ResultData>,
}

/// A piece of a result.
struct Chunk {
    /// Rows of the result before it.
    offset: Option<i64>,
    rows: Vec<Row>,
    next: Option<i64>,
}

impl Outcome {
    fn new(statement: StatementResponse) -> Self {
        let manifest = statement.manifest.unwrap_or_default();
        Self {
            id: statement.statement_id.unwrap_or_default(),
            columns: manifest.schema.clone().unwrap_or_default().columns,
            manifest,
            first: statement.result,
        }
    }

    /// The chunk that a cursor begins with. With another statement it would lead to rows that nobody asked for.
    fn begin(&self, cursor: &Cursor) -> Result<i64, Error> {
        let Some(page) = &cursor.page else { return Ok(0) };
        let of = cursor.of.as_ref().ok_or_else(Error::bad_page_token)?;
        if *of != mark(&self.id) {
            return Err(Error::failed(format!("`page_token` is not of statement `{}`", self.id))
                .with_hint("pass it with the `statement_id` of the answer that it is from"));
        }
        let chunks = self.manifest.total_chunk_count.unwrap_or(i64::MAX);
        page.parse().ok().filter(|index| (0..chunks).contains(index)).ok_or_else(Error::bad_page_token)
    }

    /// A chunk with its rows. Where they do not come, nobody has to run the statement again.
    async fn chunk(&mut self, context: &Context, index: i64) -> Result<Chunk, Error> {
        let chunk = self.read(context, index).await;
        chunk.map_err(|error| {
            let hint = "ask for its rows again with `get_sql_result`; it need not run again";
            error.after(format!("statement `{}` succeeded, but its rows did not come", self.id)).with_hint(hint)
        })
    }

    /// The rows of a chunk, be they in the answer or behind a link.
    async fn read(&mut self, context: &Context, index: i64) -> Result<Chunk, Error> {
        let data = match self.first.take().filter(|_| index == 0) {
            Some(first) => first,
            None => self.fetch(context, index).await?,
        };
        if data.external_links.is_empty() {
            let rows = data.data_array;
            return self.whole(index, rows, data.row_count, data.row_offset, data.next_chunk_index);
        }
        if self.manifest.format.as_ref().is_some_and(|format| *format != Format::JsonArray) {
            let message = format!("the result of statement `{}` is in a format for other programs", self.id);
            return Err(Error::failed(message).with_hint("run it again with `execute_sql` if it is a query"));
        }
        let link = link(data, index)?;
        let rows = match download(context, &link).await {
            Ok(rows) => rows,
            // Links are short-lived and their storage is another service: a fresh one may do.
            Err(_) => download(context, &self::link(self.fetch(context, index).await?, index)?).await?,
        };
        self.whole(index, rows, link.row_count, link.row_offset, link.next_chunk_index)
    }

    async fn fetch(&self, context: &Context, index: i64) -> Result<ResultData, Error> {
        let index = i32::try_from(index).map_err(|_| Error::bad_page_token())?;
        let api = context.client.api();
        let answer = api.sql_statement_execution_get_statement_result_chunk_n(&self.id, index.into()).await;
        answer.map(|answer| answer.into_inner()).map_err(|error| {
            let error = databricks::Error::from(error);
            if error.is_not_found() { gone(&self.id) } else { error.into() }
        })
    }

    fn whole(
        &self,
        index: i64,
        rows: Vec<Row>,
        count: Option<i64>,
        offset: Option<i64>,
        next: Option<i64>,
    ) -> Result<Chunk, Error> {
        if count.is_some_and(|count| usize::try_from(count) != Ok(rows.len())) {
            let (came, count) = (rows.len(), count.unwrap_or_default());
            return Err(Error::failed(format!("chunk {index} came with {came} of its {count} rows")));
        }
        // The manifest knows of a next chunk even where the chunk itself does not say so.
        let following = (index + 1 < self.manifest.total_chunk_count.unwrap_or_default()).then_some(index + 1);
        Ok(Chunk { offset, rows, next: next.or(following).filter(|next| *next > index) })
    }
}

/// The columns as an answer tells them, as many as have room, and how many characters they take.
fn header(columns: &[ColumnInfo], room: usize) -> (Vec<Value>, usize) {
    let (mut names, mut used) = (Vec::new(), 0);
    for column in columns {
        let name = json!({ "name": column.name, "type": column.type_text });
        let size = name.to_string().chars().count() + 1;
        if used + size > room && !names.is_empty() {
            break;
        }
        used += size;
        names.push(name);
    }
    (names, used)
}

/// What cursors know a statement by.
fn mark(id: &str) -> String {
    let mut digits = Digits::default();
    digits.add(id.as_bytes());
    digits.finish().chars().take(8).collect()
}

fn link(data: ResultData, index: i64) -> Result<ExternalLink, Error> {
    let mut links = data.external_links.into_iter();
    let link = links.find(|link| link.chunk_index.is_none_or(|chunk| chunk == index));
    link.ok_or_else(|| Error::failed(format!("the workspace gave no link to chunk {index} of the result")))
}

async fn download(context: &Context, link: &ExternalLink) -> Result<Vec<Row>, Error> {
    let headers = link.http_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let url = link.external_link.as_deref().unwrap_or_default();
    let bytes = context.client.download_presigned_with(url, headers).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // The position only: rows are somebody's data.
        let place = format!("line {}, column {}", error.line(), error.column());
        Error::failed(format!("a downloaded part of the result is not whole ({place})"))
    })
}

/// As many rows as fit, from the cursor on, and the cursor of the rest.
pub(super) async fn page(context: &Context, statement: StatementResponse, cursor: Cursor) -> Result<Value, Error> {
    let mut result = Outcome::new(statement);
    let columns = result.columns.clone();
    let mut index = result.begin(&cursor)?;
    let (names, header) = header(&columns, context.budget.characters / 2);
    let mut budget = Budget { characters: context.budget.characters.saturating_sub(header + 400) };
    let (mut rows, mut skip, mut cuts, mut offset) = (Vec::new(), cursor.skip, Vec::new(), None);
    let next = loop {
        let chunk = result.chunk(context, index).await?;
        if skip > chunk.rows.len() {
            return Err(Error::bad_page_token());
        }
        offset = offset.or_else(|| Some(chunk.offset? + i64::try_from(skip).ok()?));
        let left = chunk.rows.len().saturating_sub(skip);
        let cells = chunk.rows.iter().skip(skip).map(|row| typed(&columns, row.get(..names.len()).unwrap_or(row)));
        let page = shape::page(cells, budget);
        // A row that is too large alone is cut only where no other row was given before it.
        if !page.cuts.is_empty() && !rows.is_empty() {
            break Some((index, skip));
        }
        let used: usize = page.items.iter().map(|row| row.to_string().chars().count() + 1).sum();
        budget.characters = budget.characters.saturating_sub(used);
        rows.extend(page.items);
        cuts.extend(page.cuts);
        if page.taken < left {
            break Some((index, skip + page.taken));
        }
        match chunk.next {
            Some(next) if budget.characters > 0 => index = next,
            Some(next) => break Some((next, 0)),
            None => break None,
        }
        skip = 0;
    };
    let is_cut = result.manifest.truncated.unwrap_or_default();
    let shown = names.len();
    let mut answer = json!({
        "statement_id": result.id,
        "state": "SUCCEEDED",
        "columns": names,
        "returned": rows.len(),
        "rows": rows,
        "total_rows": result.manifest.total_row_count.unwrap_or_default(),
        "truncated": next.is_some() || is_cut || shown < columns.len(),
    });
    if let Some(offset) = offset.filter(|offset| *offset > 0) {
        shape::put(&mut answer, "row_offset", offset);
    }
    shape::notice(&mut answer, cuts, "select fewer or shorter columns");
    if shown < columns.len() {
        let notice = format!("these are the first {shown} of {} columns: select the ones you need", columns.len());
        shape::advise(&mut answer, &notice);
    }
    if let Some((index, skip)) = next {
        let of = Some(mark(&result.id));
        let cursor = Cursor { page: Some(index.to_string()), skip, of, ..Cursor::default() };
        shape::put(&mut answer, "next_page_token", cursor.encode());
        let more = "more rows: pass `statement_id` and `page_token` to `get_sql_result`, or select less";
        shape::advise(&mut answer, more);
    }
    if is_cut {
        shape::advise(&mut answer, "the row or byte limit cut the result; raise `row_limit` or select less");
    }
    Ok(answer)
}

/// A row in JSON types: the API gives every cell as text.
pub(super) fn typed(columns: &[ColumnInfo], row: &[Option<String>]) -> Value {
    let cells = row.iter().enumerate().map(|(index, cell)| {
        let Some(text) = cell else { return Value::Null };
        let name = columns.get(index).and_then(|column| column.type_name.as_ref()).map(ToString::to_string);
        let parsed = match name.as_deref() {
            Some("BYTE" | "SHORT" | "INT" | "LONG") => text.parse::<i64>().ok().map(Value::from),
            Some("FLOAT" | "DOUBLE") => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
            Some("BOOLEAN") => text.parse::<bool>().ok().map(Value::from),
            // Only where writing it again gives the same text: a decimal inside would lose digits otherwise.
            Some("STRUCT" | "ARRAY" | "MAP") => {
                let written = |value: &Value| serde_json::to_string(value).is_ok_and(|written| written == *text);
                serde_json::from_str::<Value>(text).ok().filter(written)
            }
            _ => None,
        };
        let mut cell = parsed.unwrap_or_else(|| Value::String(text.clone()));
        shape::exact(&mut cell);
        cell
    });
    cells.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::typed;

    #[test]
    fn cells_get_their_json_types_and_lose_nothing() {
        let names = [
            "LONG", "LONG", "DOUBLE", "DOUBLE", "BOOLEAN", "DECIMAL", "STRING", "DATE", "INT", "ARRAY", "STRUCT", "MAP",
        ];
        let columns: Vec<_> =
            names.iter().map(|name| serde_json::from_value(json!({ "type_name": name })).expect("a column")).collect();
        let texts = [
            "1",
            "9007199254740993",
            "1.5",
            "NaN",
            "true",
            "12.340",
            "007",
            "2026-01-31",
            "x",
            r#"["a",null]"#,
            r#"{"price":12.340}"#,
            r#"{"n":9007199254740993}"#,
        ]
        .map(|text| Some(text.to_owned()));
        assert_eq!(
            typed(&columns, &texts),
            json!([
                1,
                "9007199254740993",
                1.5,
                "NaN",
                true,
                "12.340",
                "007",
                "2026-01-31",
                "x",
                ["a", null],
                r#"{"price":12.340}"#,
                { "n": "9007199254740993" },
            ])
        );
        assert_eq!(typed(&columns, &[None, Some("2".into())]), json!([null, 2]));
    }
}
