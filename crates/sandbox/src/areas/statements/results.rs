//! Results on the wire: the manifest, chunks inline, and chunks behind links.
//!
//! Links are served by the sandbox itself. As those of a cloud's storage, they carry their own signature, refuse an
//! Authorization header, and expire after 15 minutes of the sandbox's clock. `expiration` is told in the machine's
//! time, which clients compare with their own. Derived: the paths of links, and the XML of refusals after S3's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{State, arrow, find_statement};
use crate::error::ApiError;
use crate::ids::mix;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::sql::{Table, Type};
use crate::text::rfc3339;
use crate::workspace::{Workspace, lock};

/// Small, so that a few thousand rows are several chunks.
const CHUNK_ROWS: usize = 1000;
/// Results of more rows have larger chunks.
const MANY_ROWS: usize = 100_000;
const LARGE_CHUNK_ROWS: usize = 10_000;
/// About so many bytes a chunk has, where its rows are long.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// How long a link works, in seconds; a second less than the limit, as recorded.
const LINK_SECONDS: i64 = 899;

/// How a result is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Inline,
    JsonLinks,
    CsvLinks,
    ArrowLinks,
    /// Arrow within the reply where it is small.
    Arrow,
}

impl Delivery {
    /// From the disposition and format that a request asks for.
    pub(super) fn read(disposition: &str, format: &str) -> Result<Self, ApiError> {
        match (disposition, format) {
            ("INLINE" | "INLINE_OR_EXTERNAL_LINKS", "JSON_ARRAY") => Ok(Self::Inline),
            ("EXTERNAL_LINKS", "JSON_ARRAY") => Ok(Self::JsonLinks),
            ("EXTERNAL_LINKS", "CSV") => Ok(Self::CsvLinks),
            ("EXTERNAL_LINKS", "ARROW_STREAM") => Ok(Self::ArrowLinks),
            ("INLINE_OR_EXTERNAL_LINKS", "ARROW_STREAM") => Ok(Self::Arrow),
            ("INLINE", "ARROW_STREAM" | "CSV") => Err(ApiError::invalid_parameter(format!(
                "The format {format} is not supported with the disposition INLINE, only JSON_ARRAY is."
            ))),
            _ => {
                Err(ApiError::invalid_parameter(format!("Unknown disposition or format: {disposition} with {format}")))
            }
        }
    }

    fn format(self) -> &'static str {
        match self {
            Self::CsvLinks => "CSV",
            Self::ArrowLinks | Self::Arrow => "ARROW_STREAM",
            Self::Inline | Self::JsonLinks => "JSON_ARRAY",
        }
    }

    pub(super) fn is_arrow(self) -> bool {
        matches!(self, Self::ArrowLinks | Self::Arrow)
    }
}

/// How a statement's result leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending {
    pub(super) delivery: Delivery,
    /// What the signatures of its links are made from.
    pub(super) seed: u64,
    /// In one chunk. Derived: within a SQL session, whose clients read no further chunk of inline results.
    pub(super) whole: bool,
}

/// A finished result of one statement, as it is told.
pub(super) struct Told<'a> {
    pub(super) id: &'a str,
    pub(super) table: &'a Table,
    pub(super) sending: Sending,
    /// Rows of a chunk.
    chunk_rows: usize,
}

/// Cuts a result to a number of bytes, by whole rows.
pub(super) fn cut(table: &mut Table, limit: usize) {
    let mut bytes = 0;
    let kept = table.rows.iter().position(|row| {
        bytes += byte_count(std::slice::from_ref(row));
        bytes > limit
    });
    if let Some(kept) = kept {
        table.rows.truncate(kept);
        table.truncated = true;
    }
}

impl<'a> Told<'a> {
    pub(super) fn new(id: &'a str, table: &'a Table, sending: Sending) -> Self {
        let rows = table.rows.len();
        let long = byte_count(&table.rows).div_ceil(CHUNK_BYTES).max(1);
        let chunk_rows = match rows {
            _ if sending.whole => rows,
            ..=MANY_ROWS => CHUNK_ROWS.min(rows.div_ceil(long)),
            _ => LARGE_CHUNK_ROWS.min(rows.div_ceil(long)),
        };
        Self { id, table, sending, chunk_rows: chunk_rows.max(1) }
    }

    pub(super) fn manifest(&self) -> Value {
        let table = self.table;
        if table.columns.is_empty() {
            return json!({"format": "ARROW_STREAM", "schema": {"column_count": 0}, "total_chunk_count": 0, "total_row_count": 0, "total_byte_count": 0, "truncated": false});
        }
        let columns: Vec<_> = table
            .columns
            .iter()
            .enumerate()
            .map(|(position, column)| {
                let mut json = json!({"name": column.name, "type_text": column.kind.text(), "type_name": column.kind.name(), "position": position});
                if let Type::Decimal(precision, scale) = column.kind {
                    json.set("type_precision", json!(precision));
                    json.set("type_scale", json!(scale));
                }
                json
            })
            .collect();
        let size = self.chunk_rows;
        let mut total = 0;
        let chunks: Vec<_> = table
            .rows
            .chunks(size)
            .enumerate()
            .map(|(index, rows)| {
                let bytes = byte_count(rows);
                total += bytes;
                json!({"chunk_index": index, "row_offset": index * size, "row_count": rows.len(), "byte_count": bytes})
            })
            .collect();
        let mut manifest = Map::new();
        manifest.insert("format".to_owned(), json!(self.sending.delivery.format()));
        manifest.insert("schema".to_owned(), json!({"column_count": columns.len(), "columns": columns}));
        manifest.insert("total_chunk_count".to_owned(), json!(chunks.len()));
        if !chunks.is_empty() {
            manifest.insert("chunks".to_owned(), json!(chunks));
        }
        manifest.insert("total_row_count".to_owned(), json!(table.rows.len()));
        manifest.insert("total_byte_count".to_owned(), json!(total));
        manifest.insert("truncated".to_owned(), json!(table.truncated));
        Value::Object(manifest)
    }

    /// A chunk as `result` or on its own: its rows, or a link to them.
    pub(super) fn chunk(&self, workspace: &Workspace, index: usize) -> Value {
        let table = self.table;
        if table.columns.is_empty() {
            return json!({});
        }
        let (rows, size) = (self.rows(index), self.chunk_rows);
        let mut chunk = json!({"chunk_index": index, "row_offset": index * size, "row_count": rows.len()});
        let next = (index + 1) * size;
        if table.rows.len() > next {
            chunk.set("next_chunk_index", json!(index + 1));
            chunk.set(
                "next_chunk_internal_link",
                json!(format!("/api/2.0/sql/statements/{}/result/chunks/{}?row_offset={next}", self.id, index + 1,)),
            );
        }
        match self.sending.delivery {
            Delivery::Inline => {
                chunk.set("data_array", json!(rows));
                return chunk;
            }
            Delivery::Arrow if table.rows.len() <= CHUNK_ROWS => {
                let stream = arrow::stream(&table.columns, rows);
                chunk.set("byte_count", json!(stream.len()));
                chunk.set("attachment", json!(STANDARD.encode(stream)));
                return chunk;
            }
            _ => {}
        }
        if rows.is_empty() {
            return json!({});
        }
        let expires = workspace.clock.now() + LINK_SECONDS * 1000;
        let link = format!(
            "{}/sandbox-storage/results/{}/{index}?X-Amz-Expires={LINK_SECONDS}&expires={expires}&X-Amz-Signature={}",
            workspace.url(),
            self.id,
            signature(self.sending.seed, index, expires)
        );
        chunk.set("byte_count", json!(byte_count(rows)));
        chunk.set("external_link", json!(link));
        chunk.set("expiration", json!(rfc3339(Timestamp::now().as_millisecond() + LINK_SECONDS * 1000)));
        json!({"external_links": [chunk]})
    }

    pub(super) fn chunks(&self) -> usize {
        self.table.rows.len().div_ceil(self.chunk_rows).max(1)
    }

    fn rows(&self, index: usize) -> &[Vec<Option<String>>] {
        self.table.rows.chunks(self.chunk_rows).nth(index).unwrap_or_default()
    }

    fn csv(&self, index: usize) -> String {
        let mut lines = Vec::new();
        if index == 0 {
            lines.push(csv_line(self.table.columns.iter().map(|column| column.name.as_str())));
        }
        lines.extend(
            self.rows(index).iter().map(|row| csv_line(row.iter().map(|cell| cell.as_deref().unwrap_or("null")))),
        );
        lines.concat()
    }
}

fn csv_line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = cells
        .map(|cell| {
            if cell.contains(['"', ',', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.to_owned()
            }
        })
        .collect();
    format!("{}\r\n", quoted.join(","))
}

fn byte_count(rows: &[Vec<Option<String>>]) -> usize {
    rows.iter().flatten().map(|cell| cell.as_ref().map_or(4, |text| text.len() + 3)).sum()
}

fn signature(seed: u64, index: usize, expires: i64) -> String {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    format!("{:016x}{:016x}", mix(seed ^ mix(expires.unsigned_abs())), mix(seed.rotate_left(17) ^ mix(index)))
}

/// What is behind a link.
pub(super) fn download(workspace: &Workspace, request: &Request) -> Outcome {
    if request.headers.contains_key("authorization") {
        return Ok(Reply::of_storage(
            400,
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
        ));
    }
    let expires = request.query("expires").and_then(|at| at.parse::<i64>().ok()).unwrap_or(0);
    let index = request.parameter("chunk_index").parse::<usize>().unwrap_or(usize::MAX);
    let id = request.parameter("statement_id");
    let Ok((state, sending)) = find_statement(&mut lock(&workspace.statements), id, workspace.clock.now()) else {
        return Ok(Reply::of_storage(404, "NoSuchKey", "The specified key does not exist."));
    };
    if request.query("X-Amz-Signature") != Some(&signature(sending.seed, index, expires)) {
        return Ok(Reply::of_storage(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        ));
    }
    if workspace.clock.now() >= expires {
        return Ok(Reply::of_storage(403, "AccessDenied", "Request has expired"));
    }
    let State::Succeeded(table, _) = &state else {
        return Ok(Reply::of_storage(404, "NoSuchKey", "The specified key does not exist."));
    };
    let told = Told::new(id, table, sending);
    Ok(match sending.delivery {
        Delivery::CsvLinks => Reply::bytes("text/csv", told.csv(index)),
        delivery if delivery.is_arrow() => {
            Reply::bytes("application/octet-stream", arrow::stream(&table.columns, told.rows(index)))
        }
        _ => Reply::bytes("application/json", serde_json::to_string(told.rows(index)).unwrap_or_default()),
    })
}
