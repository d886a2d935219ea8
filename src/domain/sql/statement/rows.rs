//! The rows of a finished statement, from any point on: as many as fit into an answer, with a cursor that begins with
//! the first row that was not returned; or all of them, for a composite.

use databricks::types::{ColumnInfo, StatementResponse};
use serde_json::{Value, json};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::domain::sql::statement::chunks::Chunks;
use crate::error::Error;
use crate::shape::{self, Budget};

/// One page, or a table of a composite, reads no more chunks than this. Those of a warehouse hold thousands of rows.
const MOST_CHUNKS: usize = 100;
/// What the rows of one table may take in memory: far more than the queries of composites give.
const LARGEST_TABLE: usize = 64 * 1024 * 1024;

/// A row of a composite's query: every value as text.
pub(crate) type Row = Vec<Option<String>>;

/// All rows of a result.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// Reads a result whole.
    pub(super) async fn read(context: &Context, statement: StatementResponse) -> Result<Self, Error> {
        let mut chunks = Chunks::new(statement);
        let columns = chunks.columns().iter().map(|column| column.name.clone().unwrap_or_default()).collect();
        let (mut rows, mut size, mut read) = (Vec::new(), 0, 0);
        while let Some(chunk) = chunks.next(context).await? {
            read += 1;
            if read >= MOST_CHUNKS && chunks.position().is_some() {
                return Err(Error::failed(format!("the result has more than {MOST_CHUNKS} chunks")));
            }
            size += chunk.rows.size();
            if size > LARGEST_TABLE {
                return Err(Error::failed(format!("the rows take more than {} MB", LARGEST_TABLE / 1024 / 1024)));
            }
            rows.extend(chunk.rows.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect::<Row>()));
        }
        chunks.check_complete()?;
        Ok(Self { columns, rows })
    }

    /// A row's cell by the name of its column.
    pub(crate) fn cell<'a>(&self, row: &'a Row, column: &str) -> Option<&'a str> {
        let index = self.columns.iter().position(|name| name == column)?;
        row.get(index)?.as_deref()
    }
}

/// The columns as an answer tells them, as many as have room, and how many characters they take.
pub(super) fn header(columns: &[ColumnInfo], room: usize) -> (Vec<Value>, usize) {
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

/// As many rows as fit, from the cursor on, and the cursor of the rest.
pub(super) async fn page(context: &Context, statement: StatementResponse, cursor: Cursor) -> Result<Value, Error> {
    let mut chunks = Chunks::new(statement);
    chunks.go_to(&cursor)?;
    let columns = chunks.columns().to_vec();
    let (names, header) = header(&columns, context.budget.characters / 2);
    let mut budget = Budget { characters: context.budget.for_items().characters.saturating_sub(header) };
    let (mut rows, mut skip, mut cuts, mut offset) = (Vec::new(), cursor.skip, Vec::new(), None);
    let (mut read, mut is_late) = (0, false);
    let rest = loop {
        let chunk = match chunks.next(context).await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break None,
            // What came with a closed statement is all that there is.
            Err(_) if chunks.is_closed() && offset.is_some() => break chunks.position().map(|at| (at, 0)),
            // The rows that came in time are worth having, and the cursor tries this chunk again.
            Err(error) if !rows.is_empty() && error.api().is_some_and(databricks::Error::is_timeout) => {
                is_late = true;
                break chunks.position().map(|at| (at, 0));
            }
            Err(error) => return Err(error),
        };
        read += 1;
        let left = chunk.rows.len().checked_sub(skip).ok_or_else(Error::bad_page_token)?;
        offset = offset.or_else(|| Some(chunk.at.offset + i64::try_from(skip).ok()?));
        let shown = chunk.rows.iter().skip(skip).map(|row| cells(&columns, row.iter().take(names.len())));
        let page = shape::fill(shown, budget, shape::fit_row);
        // A row that is too large alone is cut only where no other row was given before it.
        if !page.cuts.is_empty() && !rows.is_empty() {
            break Some((chunk.at, skip));
        }
        budget.characters = page.left;
        rows.extend(page.items);
        cuts.extend(page.cuts);
        if page.taken < left {
            break Some((chunk.at, skip + page.taken));
        }
        skip = 0;
        if budget.characters == 0 || read >= MOST_CHUNKS {
            break chunks.position().map(|at| (at, 0));
        }
    };
    let (shown, missing) = (names.len(), chunks.missing());
    let is_cut = rest.is_some() || missing > 0 || chunks.is_cut() || shown < columns.len();
    let mut answer = shape::object([
        ("statement_id", chunks.id().into()),
        ("state", if chunks.is_closed() { "CLOSED" } else { "SUCCEEDED" }.into()),
        ("columns", names.into()),
        ("returned", rows.len().into()),
        ("rows", rows.into()),
        ("total_rows", chunks.total().into()),
        ("truncated", is_cut.into()),
    ]);
    if let Some(offset) = offset.filter(|offset| *offset > 0) {
        shape::put(&mut answer, "row_offset", offset);
    }
    shape::notice(&mut answer, cuts, "select fewer or shorter columns");
    if shown < columns.len() {
        let notice = format!("these are the first {shown} of {} columns: select the ones you need", columns.len());
        shape::advise(&mut answer, &notice);
    }
    if is_late {
        shape::advise(&mut answer, "the workspace did not give the next rows in time");
    }
    match rest {
        Some(_) if chunks.is_closed() => {
            let gone =
                "the workspace stores no more of this result: to see more rows, run the query again and select less";
            shape::advise(&mut answer, gone);
        }
        Some((at, skip)) => {
            shape::put(&mut answer, "next_page_token", chunks.cursor(at, skip).encode());
            let more = "more rows: pass `statement_id` and `page_token` to `get_sql_result`, or select less";
            shape::advise(&mut answer, more);
        }
        None => {}
    }
    if missing > 0 {
        let total = chunks.total();
        let notice =
            format!("the workspace announced {total} rows but did not return {missing} of them: run the query again");
        shape::advise(&mut answer, &notice);
    }
    if chunks.is_cut() {
        shape::advise(&mut answer, "the row or byte limit cut the result; raise `row_limit` or select less");
    }
    Ok(answer)
}

/// A row in JSON types, without integers that JavaScript clients would round.
fn cells<'a>(columns: &[ColumnInfo], row: impl Iterator<Item = Option<&'a str>>) -> Value {
    let cells = columns.iter().zip(row).map(|(column, cell)| {
        let mut cell = typed(column, cell);
        shape::exact(&mut cell);
        cell
    });
    cells.collect()
}

/// A cell in the JSON type of its column: the API gives every cell as text.
pub(super) fn typed(column: &ColumnInfo, cell: Option<&str>) -> Value {
    let Some(text) = cell else { return Value::Null };
    let name = column.type_name.as_ref().map(ToString::to_string);
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
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::cells;

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
        ];
        assert_eq!(
            cells(&columns, texts.into_iter().map(Some)),
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
        assert_eq!(cells(&columns, [None, Some("2")].into_iter()), json!([null, 2]));
    }
}
