//! The chunks of a result, in their order. Each is checked against what the workspace announced: rows that do not come,
//! come twice or belong elsewhere are an error or are counted as missing, never passed over in silence.

use databricks::Rows;
use databricks::requests::sql::statement_execution::GetStatementResultChunkN;
use databricks::types::{ColumnInfo, ExternalLink, Format, ResultData, ResultManifest, StatementResponse};
use databricks::types::{StatementState, StatementStatus};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::digest::Sha256Hex;
use crate::domain::sql::statement::gone;
use crate::error::Error;

/// A result that goes on with so many chunks without rows does not come to an end.
const MOST_EMPTY: usize = 20;

/// The result of a statement that succeeded, read chunk by chunk.
#[derive(Debug)]
pub(super) struct Chunks {
    id: String,
    columns: Vec<ColumnInfo>,
    manifest: ResultManifest,
    /// The first chunk, which comes with the statement.
    first: Option<ResultData>,
    is_closed: bool,
    /// The chunk to read next; `None` after the last.
    next: Option<Position>,
    /// Rows read so far, counted from the beginning of the result.
    end: i64,
    /// Chunks without rows that came in a row.
    empty: usize,
}

/// Where a chunk is in its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The index of the chunk.
    chunk: i64,
    /// How many rows of the result come before it.
    pub(super) offset: i64,
}

/// A part of a result.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) at: Position,
    pub(super) rows: Rows,
}

/// A chunk as it came, with what it says about itself.
#[derive(Debug)]
struct Piece {
    rows: Rows,
    index: Option<i64>,
    offset: Option<i64>,
    count: Option<i64>,
    next: Option<i64>,
    next_link: Option<String>,
}

impl Chunks {
    /// The result of a statement, from its beginning.
    pub(super) fn new(statement: StatementResponse) -> Self {
        let manifest = statement.manifest.unwrap_or_default();
        let mut columns = manifest.schema.clone().unwrap_or_default().columns;
        if columns.is_empty()
            && let Some(row) = statement.result.as_ref().and_then(|result| result.data_array.get(0))
        {
            // Rows without a schema have columns all the same.
            columns = vec![ColumnInfo::default(); row.len()];
        }
        let is_announced = manifest.total_chunk_count.unwrap_or_default() > 0
            || manifest.total_row_count.unwrap_or_default() > 0
            || statement.result.is_some();
        let state = statement.status.and_then(|StatementStatus { state, .. }| state);
        Self {
            id: statement.statement_id.unwrap_or_default(),
            columns,
            manifest,
            first: statement.result,
            is_closed: state == Some(StatementState::Closed),
            next: is_announced.then(Position::default),
            end: 0,
            empty: 0,
        }
    }

    /// The id of the statement.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The columns that each row has.
    pub(super) fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// How many rows the result has, as far as that is known.
    pub(super) fn total(&self) -> i64 {
        self.manifest.total_row_count.unwrap_or(self.end)
    }

    /// Whether a limit on rows or bytes cut the result.
    pub(super) fn is_cut(&self) -> bool {
        self.manifest.truncated.unwrap_or_default()
    }

    /// Whether the workspace keeps nothing of the result but what came with the statement.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The chunk that comes next.
    pub(super) fn position(&self) -> Option<Position> {
        self.next
    }

    /// How many of the announced rows no chunk brought. Known once the last chunk is read.
    pub(super) fn missing(&self) -> i64 {
        // The total of a result that a limit cut may count what was cut off.
        if self.next.is_some() || self.is_cut() { 0 } else { self.total() - self.end }
    }

    /// Fails if rows are missing, for those that need them all.
    pub(super) fn check_complete(&self) -> Result<(), Error> {
        match self.missing() {
            0 => Ok(()),
            missing => Err(self.not_come(Error::failed(format!(
                "the workspace announced {} rows, and {missing} of them are in no chunk",
                self.total()
            )))),
        }
    }

    /// Goes to where a cursor leads. With another statement it would lead to rows that nobody asked for.
    pub(super) fn go_to(&mut self, cursor: &Cursor) -> Result<(), Error> {
        let Some(page) = &cursor.page else { return Ok(()) };
        let of = cursor.of.as_ref().ok_or_else(Error::bad_page_token)?;
        if *of != mark(&self.id) {
            return Err(Error::failed(format!("`page_token` does not belong to statement `{}`", self.id))
                .with_hint("pass it with the `statement_id` of the answer that it came from"));
        }
        let position = page.split_once(':').and_then(|(chunk, offset)| {
            let position = Position { chunk: chunk.parse().ok()?, offset: offset.parse().ok()? };
            let chunks = self.manifest.total_chunk_count.unwrap_or(i64::MAX).max(1);
            ((0..chunks).contains(&position.chunk) && position.offset >= 0).then_some(position)
        });
        let position = position.ok_or_else(Error::bad_page_token)?;
        (self.next, self.end) = (Some(position), position.offset);
        Ok(())
    }

    /// The cursor of a chunk without its first rows.
    pub(super) fn cursor(&self, at: Position, skip: usize) -> Cursor {
        let page = Some(format!("{}:{}", at.chunk, at.offset));
        Cursor { page, skip, of: Some(mark(&self.id)), ..Cursor::default() }
    }

    /// The next chunk, or `None` after the last. Where its rows do not come, nobody has to run the statement again.
    pub(super) async fn next(&mut self, context: &Context) -> Result<Option<Chunk>, Error> {
        let Some(at) = self.next else { return Ok(None) };
        match self.read(context, at).await {
            Ok(rows) => Ok(Some(Chunk { at, rows })),
            Err(error) => Err(self.not_come(error)),
        }
    }

    fn not_come(&self, error: Error) -> Error {
        let hint = "read its rows again with `get_sql_result`; it need not run again";
        error.after(format!("statement `{}` succeeded, but its rows did not come", self.id)).with_hint(hint)
    }

    async fn read(&mut self, context: &Context, at: Position) -> Result<Rows, Error> {
        let piece = self.piece(context, at.chunk).await?;
        self.check(&piece, at)?;
        let follows = self.is_followed(&piece, at)?;
        let end = at.offset.saturating_add(count(&piece.rows));
        if self.manifest.total_row_count.is_some_and(|total| end > total) {
            let message = format!("chunk {} ends at row {end}, and the result has {} rows", at.chunk, self.total());
            return Err(Error::failed(message));
        }
        self.empty = if piece.rows.is_empty() { self.empty + 1 } else { 0 };
        if follows && self.empty >= MOST_EMPTY {
            return Err(Error::failed(format!(
                "the last {MOST_EMPTY} chunks of the result had no rows, and more follow"
            )));
        }
        self.end = end;
        self.next = follows.then_some(Position { chunk: at.chunk + 1, offset: end });
        Ok(piece.rows)
    }

    /// A chunk, be it in the answer or behind a link.
    async fn piece(&mut self, context: &Context, index: i64) -> Result<Piece, Error> {
        let data = match self.first.take().filter(|_| index == 0) {
            Some(first) => first,
            None => self.fetch(context, index).await?,
        };
        let is_foreign = self.manifest.format.as_ref().is_some_and(|format| *format != Format::JsonArray);
        if is_foreign && data.data_array.is_empty() && !self.columns.is_empty() {
            let message = format!("the result of statement `{}` is in a format for other programs", self.id);
            return Err(Error::failed(message).with_hint("run it again with `execute_sql` if it is a query"));
        }
        if data.external_links.is_empty() {
            return Ok(Piece {
                rows: data.data_array,
                index: data.chunk_index,
                offset: data.row_offset,
                count: data.row_count,
                next: data.next_chunk_index,
                next_link: data.next_chunk_internal_link,
            });
        }
        let link = link(data, index)?;
        let rows = match download(context, &link).await {
            Ok(rows) => rows,
            // Links are short-lived and their storage is another service: a fresh one may do.
            Err(_) => download(context, &self::link(self.fetch(context, index).await?, index)?).await?,
        };
        Ok(Piece {
            rows,
            index: link.chunk_index,
            offset: link.row_offset,
            count: link.row_count,
            next: link.next_chunk_index,
            next_link: link.next_chunk_internal_link,
        })
    }

    async fn fetch(&self, context: &Context, index: i64) -> Result<ResultData, Error> {
        let index = i32::try_from(index).map_err(|_| Error::bad_page_token())?;
        let answer = context.send(GetStatementResultChunkN::new(&self.id, index)).await;
        answer.map_err(|error| if error.is_not_found() { gone(&self.id) } else { error })
    }

    /// Compares a chunk with what it says about itself and with what the manifest says about it.
    fn check(&self, piece: &Piece, at: Position) -> Result<(), Error> {
        let Position { chunk, offset } = at;
        let announced = self.manifest.chunks.iter().find(|announced| announced.chunk_index == Some(chunk));
        if let Some(index) = piece.index.filter(|index| *index != chunk) {
            return Err(Error::failed(format!("chunk {index} came in place of chunk {chunk}")));
        }
        let offsets = [piece.offset, announced.and_then(|announced| announced.row_offset)];
        if let Some(other) = offsets.into_iter().flatten().find(|other| *other != offset) {
            let message = format!("chunk {chunk} begins at row {other}, and the chunks before it end at row {offset}");
            return Err(Error::failed(message));
        }
        let counts = [piece.count, announced.and_then(|announced| announced.row_count)];
        let came = count(&piece.rows);
        if let Some(expected) = counts.into_iter().flatten().find(|expected| *expected != came) {
            return Err(Error::failed(format!("chunk {chunk} came with {came} of its {expected} rows")));
        }
        let columns = self.columns.len();
        if let Some(row) = piece.rows.iter().find(|row| row.len() != columns) {
            let message = format!("a row of chunk {chunk} has {} cells for {columns} columns", row.len());
            return Err(Error::failed(message));
        }
        Ok(())
    }

    /// Whether another chunk follows. The manifest knows of it even where the chunk itself does not say so.
    fn is_followed(&self, piece: &Piece, at: Position) -> Result<bool, Error> {
        let next = match (piece.next, &piece.next_link) {
            (Some(next), _) => Some(next),
            (None, Some(link)) => Some(linked(link).ok_or_else(|| {
                Error::failed(format!("the link from chunk {} to the next one names no chunk", at.chunk))
            })?),
            (None, None) => None,
        };
        match next {
            Some(next) if next != at.chunk + 1 => {
                Err(Error::failed(format!("chunk {} is followed by chunk {next}", at.chunk)))
            }
            Some(_) => Ok(true),
            None => Ok(at.chunk + 1 < self.manifest.total_chunk_count.unwrap_or_default()),
        }
    }
}

/// Whether a statement came with all that can be had of its result: rows, links to them, or the news that there are none.
pub(super) fn has_result(statement: &StatementResponse) -> bool {
    let has_rows = statement
        .result
        .as_ref()
        .is_some_and(|result| !result.data_array.is_empty() || !result.external_links.is_empty());
    has_rows || statement.manifest.as_ref().is_some_and(|manifest| manifest.total_row_count == Some(0))
}

fn count(rows: &Rows) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// The chunk that a link within the API leads to.
fn linked(link: &str) -> Option<i64> {
    let (_, after) = link.split_once("/chunks/")?;
    after.split(['?', '/', '#']).next()?.parse().ok()
}

/// What cursors know a statement by.
fn mark(id: &str) -> String {
    let mut digest = Sha256Hex::default();
    digest.add(id.as_bytes());
    digest.finish().chars().take(8).collect()
}

fn link(data: ResultData, index: i64) -> Result<ExternalLink, Error> {
    let mut links = data.external_links.into_iter();
    let link = links.find(|link| link.chunk_index.is_none_or(|chunk| chunk == index));
    link.ok_or_else(|| Error::failed(format!("the workspace gave no link to chunk {index} of the result")))
}

async fn download(context: &Context, link: &ExternalLink) -> Result<Rows, Error> {
    let headers = link.http_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let url = link.external_link.as_deref().unwrap_or_default();
    Ok(context.client.download_presigned_json(url, headers).await?)
}

#[cfg(test)]
mod tests {
    use super::linked;

    #[test]
    fn a_link_within_the_api_names_its_chunk() {
        assert_eq!(linked("/api/2.0/sql/statements/01f0/result/chunks/7?row_offset=70"), Some(7));
        assert_eq!(linked("/api/2.0/sql/statements/01f0/result/chunks/12"), Some(12));
        for link in
            ["", "/api/2.0/sql/statements/01f0", "/chunks/", "/chunks/x?row_offset=1", "/chunks/99999999999999999999"]
        {
            assert_eq!(linked(link), None, "{link}");
        }
    }
}
