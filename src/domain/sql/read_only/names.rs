//! Names and paths of a statement: how they compare, and which paths lead into the workspace's own storage.

pub(super) use crate::quoting::fold;
use crate::quoting::parts;

/// Formats whose files a path may name in the place of a table.
const FILE_FORMATS: [&str; 9] = ["avro", "binaryfile", "csv", "delta", "iceberg", "json", "orc", "parquet", "text"];

/// Data sources that lead out of the workspace, whatever follows them.
const CONNECTORS: [&str; 22] = [
    "bigquery",
    "cloudfiles",
    "cosmos.oltp",
    "deltasharing",
    "eventhubs",
    "jdbc",
    "kafka",
    "kinesis",
    "mongodb",
    "mysql",
    "oracle",
    "postgresql",
    "pubsub",
    "pulsar",
    "redshift",
    "salesforce",
    "snowflake",
    "sqldw",
    "sqlserver",
    "teradata",
    "workday",
    "xml",
];

/// Where files may be read from: the first part of a path, and how many parts, with it, must be written out before a
/// pattern such as `*` may stand. What else the root of the file system holds may be a mount of anybody's storage.
const PLACES: [(&str, usize); 4] = [("Volumes", 4), ("Workspace", 1), ("FileStore", 1), ("databricks-datasets", 1)];
/// The same in words.
pub(super) const OWN_PATHS: &str = "a path below `/Volumes`, `/Workspace`, `/FileStore` or `/databricks-datasets`, \
                                    without `.` and `..`, and with patterns only after the name of the volume";
/// Signs of patterns of paths.
const PATTERN: [char; 6] = ['*', '?', '[', ']', '{', '}'];

/// Whether a path leads to a volume, the workspace's files or the part of its root storage where nothing is mounted.
pub(super) fn is_own_path(path: &str) -> bool {
    let Some(parts) = parts_of_path(path) else { return false };
    PLACES.iter().any(|(place, written)| {
        parts.first() == Some(place) && !parts.iter().take(*written).any(|part| part.contains(PATTERN))
    })
}

/// Whether a path may be read as a Delta or Iceberg table, which the log beside the data makes it: one of the workspace's
/// root storage too, if nothing is mounted there by custom, and one of cloud storage.
pub(super) fn is_table_path(path: &str) -> bool {
    let is_in_root = || {
        let parts = parts_of_path(path).filter(|_| !path.contains(PATTERN));
        parts.is_some_and(|parts| parts.first().is_some_and(|first| !matches!(fold(first).as_str(), "mnt" | "dbfs")))
    };
    is_own_path(path) || is_governed_path(path) || is_in_root()
}

/// The parts of an absolute path that means what it says: no part leads up or nowhere, and nothing stands for a sign that
/// would.
fn parts_of_path(path: &str) -> Option<Vec<&str>> {
    let path = path.strip_prefix("dbfs:").unwrap_or(path).strip_prefix('/')?;
    let folded = fold(path);
    if path.contains([':', '\\', ',']) || ["%2e", "%2f", "%5c"].iter().any(|sign| folded.contains(sign)) {
        return None;
    }
    let parts: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    // A pattern may be written so that it stands for nothing else: `{..}`.
    let is_plain = |part: &&str| !matches!(part.replace(PATTERN, "").trim(), "." | "..") && !part.trim().is_empty();
    parts.iter().all(is_plain).then_some(parts)
}

/// Whether a path is one of cloud storage, which Unity Catalog gives access to by its external locations.
fn is_governed_path(path: &str) -> bool {
    let scheme = path.split_once("://").map(|(scheme, rest)| (fold(scheme), rest));
    scheme.is_some_and(|(scheme, rest)| {
        matches!(scheme.as_str(), "s3" | "s3a" | "abfss" | "gs" | "r2") && !rest.contains([':', '\\', ','])
    })
}

/// Why a table may not be read: it is a path that leads out of the workspace's storage.
pub(super) fn table_refusal(parts: &[&str]) -> Option<String> {
    let [format, path] = parts else {
        let path = parts.iter().find(|part| part.contains('/'));
        return path.map(|path| format!("`{path}` is not the name of a table"));
    };
    let format = fold(format);
    if CONNECTORS.contains(&format.as_str()) {
        return Some(format!("`{format}` reads from elsewhere; a table of a schema of that name takes three parts"));
    }
    if !path.contains(['/', ':', '\\']) {
        return None;
    }
    let is_allowed = match format.as_str() {
        "delta" | "iceberg" => is_table_path(path),
        format => FILE_FORMATS.contains(&format) && is_own_path(path),
    };
    (!is_allowed).then(|| format!("`{format}` may be read from {OWN_PATHS}; `{path}` is another place"))
}

/// Why a table whose name is given as text may not be read.
pub(super) fn text_refusal(name: &str) -> Option<String> {
    match parts(name) {
        Some(parts) => table_refusal(&parts.iter().map(String::as_str).collect::<Vec<_>>()),
        None => Some(format!("`{name}` is not the name of a table")),
    }
}
