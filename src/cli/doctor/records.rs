//! The audit log: whether it can be continued, and whether there is space for it.

use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use super::report::Check;
use crate::audit::{self, AuditLog};

/// Bytes for which there has to be room.
const ROOM: usize = 64 << 10;

/// Looks at the audit log, into which it writes a line of its own where no server writes it.
pub(super) fn check(path: &Path) -> Check {
    let name = "audit log";
    let shown = path.display();
    if audit::is_in_use(path) {
        return match room_beside(path) {
            Ok(()) => Check::ok(name, format!("`{shown}`, to which another process writes")),
            Err(error) => Check::failed(
                name,
                format!("there is no space for `{shown}`: {error}"),
                "free some space: the server refuses calls that can change something until it can write the log",
            ),
        };
    }
    match AuditLog::open(path).and_then(|log| log.opened_by("doctor", Value::Null)) {
        Ok(()) => Check::ok(name, format!("`{shown}` can be written")),
        Err(error) => {
            let hint = error.hint().unwrap_or("name another file with `--audit-log`").to_owned();
            Check::failed(name, error.message(), hint)
        }
    }
}

/// Whether a file can be written in the directory of another.
fn room_beside(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(directory)?.write_all(&[0; ROOM])
}
