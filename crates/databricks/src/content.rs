//! Files of any size: uploads are streamed from disk, downloads come in parts, and neither is ever completely in
//! memory.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::try_unfold;
use http::HeaderMap;
use http::header::{CONTENT_RANGE, ETAG, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE};

use crate::answer::Answer;
use crate::error::Error;

/// What one read from disk asks for.
const READ_BYTES: u64 = 256 * 1024;

/// The content of an upload, opened anew for each attempt, so that a failed one can be made again.
///
/// Exactly as many bytes are sent as the content said to have; a file that has shrunk since fails the upload.
///
/// ```
/// use std::fs::File;
///
/// use databricks::Content;
///
/// # fn main() -> std::io::Result<()> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("orders.csv");
/// # std::fs::write(&path, "order_id,total\n")?;
/// let length = path.metadata()?.len();
/// let content = Content::new(length, move || File::open(&path));
/// assert_eq!(content.length(), 15);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Content {
    open: Arc<Open>,
    length: u64,
}

type Open = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync;

impl Content {
    /// A content of `length` bytes that `open` gives access to, from its first byte, on each call.
    pub fn new<R: Read + Send + 'static>(
        length: u64,
        open: impl Fn() -> io::Result<R> + Send + Sync + 'static,
    ) -> Content {
        Content { open: Arc::new(move || Ok(Box::new(open()?))), length }
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// All of it at once, for what takes no stream.
    ///
    /// # Errors
    /// When it cannot be read, or has become shorter.
    pub async fn read(&self) -> Result<Bytes, Error> {
        let mut reading = Some(self.reading());
        let mut bytes = BytesMut::new();
        while let Some(before) = reading.take() {
            let read = tokio::task::spawn_blocking(|| before.next()).await.map_err(io::Error::other).flatten();
            let read = read.map_err(|error| Error::argument(format!("the content cannot be read: {error}")))?;
            if let Some((part, after)) = read {
                bytes.extend_from_slice(&part);
                reading = Some(after);
            }
        }
        Ok(bytes.freeze())
    }

    /// The body of one attempt.
    pub(crate) fn body(&self) -> reqwest::Body {
        reqwest::Body::wrap_stream(try_unfold(self.reading(), |reading| async move {
            // Disks block; a thread of the runtime's pool for blocking work does not.
            tokio::task::spawn_blocking(|| reading.next()).await.map_err(io::Error::other).flatten()
        }))
    }

    fn reading(&self) -> Reading {
        Reading { open: Some(Arc::clone(&self.open)), file: None, left: self.length }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Content").field("length", &self.length).finish_non_exhaustive()
    }
}

struct Reading {
    open: Option<Arc<Open>>,
    file: Option<Box<dyn Read + Send>>,
    left: u64,
}

impl Reading {
    fn next(mut self) -> io::Result<Option<(Bytes, Reading)>> {
        if let Some(open) = self.open.take() {
            self.file = Some(open()?);
        }
        let Some(file) = self.file.as_mut().filter(|_| self.left > 0) else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(self.left.min(READ_BYTES)).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter"));
        }
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Ok(Some((bytes.into(), self)))
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Content {
        Content::new(bytes.len() as u64, move || Ok(io::Cursor::new(bytes.clone())))
    }
}

/// A part of a file, as [`Client::read_part`](crate::Client::read_part) gets it.
///
/// ```no_run
/// # async fn example(client: databricks::Client, file: databricks::Arguments) -> Result<(), databricks::Error> {
/// use databricks::operations;
///
/// const SIZE: u64 = 8 * 1024 * 1024;
/// let (mut at, mut since) = (0, None);
/// loop {
///     let range = at..at + SIZE;
///     let part = client.read_part(&operations::FILES_FILES_DOWNLOAD, file.clone(), range, since.as_deref()).await?;
///     at = part.start + part.bytes.len() as u64;
///     if part.bytes.is_empty() || part.total.is_none_or(|total| at >= total) {
///         break;
///     }
///     since = part.last_modified;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The bytes; fewer than asked for at the end of the file, all of it where the service knows no parts.
    pub bytes: Bytes,
    /// Where in the file they begin.
    pub start: u64,
    /// The size of the whole file, where the service tells it.
    pub total: Option<u64>,
    /// When the file was changed last, as the service writes it; goes into the request for the next part.
    pub last_modified: Option<String>,
    /// The tag of the file's content, where the service tells it: parts with different tags are of different contents.
    pub etag: Option<String>,
}

impl Part {
    /// The headers that ask for a part of what has not changed since.
    pub(crate) fn headers(range: &Range<u64>, unmodified_since: Option<&str>) -> Result<HeaderMap, Error> {
        let last = range.end.checked_sub(1).filter(|last| *last >= range.start);
        let last = last.ok_or_else(|| Error::argument("the part is empty"))?;
        let header = |text: String| text.parse().map_err(|_| Error::argument("the time is not valid"));
        let mut headers = HeaderMap::from_iter([(RANGE, header(format!("bytes={}-{last}", range.start))?)]);
        if let Some(time) = unmodified_since {
            headers.insert(IF_UNMODIFIED_SINCE, header(time.to_owned())?);
        }
        Ok(headers)
    }

    /// Reads an answer to a request with [`Part::headers`]. One with fewer or more bytes than it announces is an error.
    pub(crate) fn read(answer: Answer) -> Result<Part, Error> {
        let text = |name| answer.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        // `bytes 0-99/1234`; the total may be `*`.
        let range = text(CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes ")?.split_once('/'));
        let bounds = range.and_then(|(range, _)| range.split_once('-'));
        let bounds = bounds.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
        let length = answer.bytes.len() as u64;
        if let Some((first, last)) = bounds
            && last.checked_sub(first).and_then(|length| length.checked_add(1)) != Some(length)
        {
            return Err(Error::answer(format!(
                "the answer announces bytes {first} to {last} but holds {length} bytes"
            )));
        }
        let start = bounds.map_or(0, |(first, _)| first);
        let total = match range {
            Some((_, total)) => total.parse().ok(),
            None => Some(length),
        };
        let (last_modified, etag) = (text(LAST_MODIFIED).map(str::to_owned), text(ETAG).map(str::to_owned));
        Ok(Part { start, total, last_modified, etag, bytes: answer.bytes })
    }
}
