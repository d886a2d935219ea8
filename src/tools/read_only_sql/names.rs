//! Names and paths of a statement: how they compare, and which paths lead into the workspace's own storage.

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

/// A name as all readers compare it: full Unicode folding, so that no other letter passes for one of a known name.
pub(super) fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// Whether a path leads to a volume, the workspace's files or its root storage, and nowhere else. What is mounted under
/// `/mnt` may be anybody's.
pub(super) fn is_own_path(path: &str) -> bool {
    let path = path.strip_prefix("dbfs:").unwrap_or(path);
    let is_mount = path == "/mnt" || path.starts_with("/mnt/");
    path.starts_with('/') && !path.starts_with("//") && !is_mount && !path.contains([':', '\\', ','])
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
        return path.map(|path| format!("`{path}` is no name of a table"));
    };
    let format = fold(format);
    if CONNECTORS.contains(&format.as_str()) {
        return Some(format!("`{format}` reads from elsewhere; a table of a schema of that name takes three parts"));
    }
    if !path.contains(['/', ':', '\\']) {
        return None;
    }
    // What makes a path a table of Delta or Iceberg is the log that these keep beside the data.
    let is_allowed = match format.as_str() {
        "delta" | "iceberg" => is_own_path(path) || is_governed_path(path),
        format => FILE_FORMATS.contains(&format) && is_own_path(path),
    };
    (!is_allowed).then(|| {
        format!("`{format}` may be read from the path of a volume, such as `/Volumes/…`, and `{path}` is another place")
    })
}
