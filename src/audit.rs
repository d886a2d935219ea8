//! The audit log: what was called through this server, by whom, and with what outcome, as a chain of JSON lines.
//!
//! Each line carries in `previous` the SHA-256 of the line before it, so that a line that is later changed, removed or
//! inserted breaks the chain (`databricks-mcp-server audit verify`). A chain cannot show that lines are missing at its
//! end, nor that somebody rewrote all of it: to rule that out, keep the last hash elsewhere, or forward the lines as
//! they are written.
//!
//! A call that only reads has one line, written when it has ended. A call that can change something has two: `intent`,
//! which is on the disk before anything is sent, and `call` with the outcome; both have the same `call` id. With the
//! outcome alone, a server that is killed between a request and its answer would leave a change that no line records;
//! with the intent alone, nobody would know the outcome. Where the intent cannot be written, the call is refused. Reads
//! continue: what they do is done anyway, and the next line that can be written tells in `unrecorded` how many are
//! missing.
//!
//! Secrets among the arguments, and long values, are written as HMAC-SHA-256: equal values can be seen to be equal, and
//! nobody who has the log can guess at them. The key is random, made with the log and kept beside it (`FILE.key`), and is not to
//! be given away with it.

mod file;
mod hash;
mod record;
mod verify;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::log::Log;
use file::LogFile;
use hash::Key;

pub(crate) use file::is_in_use;
pub(crate) use record::End;
pub use record::Record;
pub(crate) use verify::verify;

/// The name that stands for stderr.
const STDERR: &str = "-";

/// The audit log of a server; cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog {
    chain: Arc<Mutex<Chain>>,
    key: Arc<Key>,
}

/// The end of the chain, and where it grows.
#[derive(Debug)]
struct Chain {
    sink: Sink,
    /// The hash of the last line.
    previous: Option<String>,
    /// How many lines could not be written since the last one that was.
    unrecorded: u64,
}

#[derive(Debug)]
enum Sink {
    File(LogFile),
    Stderr(Log),
}

impl AuditLog {
    /// Opens the log of this name, `-` for stderr, and continues it.
    ///
    /// # Errors
    /// When the file cannot be opened, another process writes it, or its last line is not whole.
    pub fn open(name: &Path) -> Result<Self, Error> {
        let (sink, previous, key) = if name == Path::new(STDERR) {
            (Sink::Stderr(Log::stderr()), None, Key::random()?)
        } else {
            let (file, previous) = LogFile::open(name)?;
            let key = if file.is_regular() { Key::beside(name)? } else { Key::random()? };
            (Sink::File(file), previous, key)
        };
        let chain = Chain { sink, previous, unrecorded: 0 };
        Ok(Self { chain: Arc::new(Mutex::new(chain)), key: Arc::new(key) })
    }

    /// Appends a line. One that tells of a change to come is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written. The next line that can be tells how many are missing.
    pub(crate) fn append(&self, event: &str, fields: Map<String, Value>, durable: bool) -> Result<(), Error> {
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let mut line = Map::new();
        line.insert("previous".to_owned(), json!(chain.previous));
        line.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
        line.insert("event".to_owned(), event.into());
        if chain.unrecorded > 0 {
            line.insert("unrecorded".to_owned(), chain.unrecorded.into());
        }
        line.extend(fields);
        let line = Value::Object(line).to_string();
        let written = match &mut chain.sink {
            Sink::File(file) => file.append(&line, durable).map_err(|error| error.to_string()),
            Sink::Stderr(log) if log.record(&line) => Ok(()),
            Sink::Stderr(_) => Err("nobody reads stderr".to_owned()),
        };
        match written {
            Ok(()) => {
                if chain.unrecorded > 0 {
                    tracing::warn!(missing = chain.unrecorded, "the audit log can be written again");
                }
                chain.unrecorded = 0;
                chain.previous = Some(hash::of(line.as_bytes()));
                Ok(())
            }
            Err(error) => {
                if chain.unrecorded == 0 {
                    tracing::error!(%error, "the audit log cannot be written: calls that can change something are refused");
                }
                chain.unrecorded += 1;
                Err(Error::failed(format!("the audit log cannot be written ({error}), so nothing was sent"))
                    .with_hint(
                        "only reads are possible until the log can be written again: tell whoever runs this server",
                    )
                    .refused_by("audit log"))
            }
        }
    }

    /// Says in the log that a server, or another program, opened it.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub(crate) fn opened_by(&self, program: &str, policy: Value) -> Result<(), Error> {
        let mut fields = Map::new();
        fields.insert("program".to_owned(), program.into());
        fields.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
        fields.insert("process".to_owned(), std::process::id().into());
        fields.insert("policy".to_owned(), policy);
        fields.insert("key".to_owned(), self.key.fingerprint().into());
        self.append("open", fields, true)
    }

    /// What stands in the log for a value that is not to be read in it.
    pub(crate) fn hash(&self, value: &[u8]) -> String {
        self.key.hash(value)
    }

    /// Waits until everything is written, for as long as somebody reads.
    pub(crate) fn finish(&self, limit: Duration) {
        let chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Sink::Stderr(log) = &chain.sink {
            log.finish(limit);
        }
    }
}
