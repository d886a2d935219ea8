//! A package index on loopback, as pip sees one, with two tiny releases of the SDK.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Cursor, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::specs::download::Pip;

/// The releases that the index has.
pub(super) const FIRST: &str = "0.9.0";
pub(super) const SECOND: &str = "0.10.0";

/// Methods of a class: signature and statements.
type Methods<'a> = &'a [(&'a str, &'a [&'a str])];

const JSON: &str = "headers = {\"Accept\": \"application/json\"}";
const SENDS_JSON: &str = "headers = {\"Accept\": \"application/json\", \"Content-Type\": \"application/json\"}";
const NAME: &str = "if name is not None:\n    body[\"name\"] = name";
const PLAN: &str = "if plan is not None:\n    body[\"plan\"] = plan.as_dict()";
const LIMIT: &str = "if limit is not None:\n    query[\"limit\"] = limit";
const FILTER: &str = "if filter is not None:\n    query[\"filter\"] = filter";

/// The service module of the first release.
fn first() -> String {
    let things: Methods<'_> = &[
        ("list(self, *, limit: Optional[int] = None) -> Thing", &["query = {}", LIMIT, JSON, LIST, RETURN]),
        ("get(self, id: str) -> Thing", &[JSON, GET, RETURN]),
        ("create(self, name: str, *, plan: Optional[Plan] = None)", &["body = {}", NAME, PLAN, SENDS_JSON, CREATE]),
        ("purge(self, id: str)", &[JSON, "self._api.do(\"POST\", f\"/api/2.0/things/{id}/purge\", headers=headers)"]),
    ];
    let keys: Methods<'_> = &[("create(self)", &[JSON, "self._api.do(\"POST\", \"/api/2.0/keys\", headers=headers)"])];
    [data("Plan", &["color"]), data("Thing", &["id", "name"]), service("Things", things), service("Keys", keys)]
        .concat()
}

/// What is new in the second release: an argument of `list`, a field of plans, and three operations. `purge` and the name
/// of things are gone.
fn second() -> String {
    let things: Methods<'_> = &[
        (
            "list(self, *, filter: Optional[str] = None, limit: Optional[int] = None) -> Thing",
            &["query = {}", FILTER, LIMIT, JSON, LIST, RETURN],
        ),
        ("get(self, id: str) -> Thing", &[JSON, GET, RETURN]),
        ("create(self, name: str, *, plan: Optional[Plan] = None)", &["body = {}", NAME, PLAN, SENDS_JSON, CREATE]),
        ("delete(self, id: str)", &[JSON, "self._api.do(\"DELETE\", f\"/api/2.0/things/{id}\", headers=headers)"]),
        ("purge_all(self, name: str)", &["body = {}", NAME, SENDS_JSON, PURGE]),
    ];
    let keys: Methods<'_> = &[
        ("create(self, name: str)", &["body = {}", NAME, SENDS_JSON, KEYS]),
        ("rotate(self)", &[JSON, "self._api.do(\"POST\", \"/api/2.0/keys/rotate\", headers=headers)"]),
    ];
    let classes = [data("Plan", &["color", "size"]), data("Thing", &["id"])].concat();
    [classes, service("Things", things), service("Keys", keys)].concat()
}

const LIST: &str = "res = self._api.do(\"GET\", \"/api/2.0/things\", query=query, headers=headers)";
const GET: &str = "res = self._api.do(\"GET\", f\"/api/2.0/things/{id}\", headers=headers)";
const RETURN: &str = "return Thing.from_dict(res)";
const CREATE: &str = "self._api.do(\"POST\", \"/api/2.0/things\", body=body, headers=headers)";
const PURGE: &str = "self._api.do(\"POST\", \"/api/2.0/things/purge\", body=body, headers=headers)";
const KEYS: &str = "self._api.do(\"POST\", \"/api/2.0/keys\", body=body, headers=headers)";

/// A class of data with text fields.
fn data(name: &str, fields: &[&str]) -> String {
    let mut text = format!("@dataclass\nclass {name}:\n");
    fields.iter().for_each(|field| text.push_str(&format!("    {field}: Optional[str] = None\n")));
    text.push_str("    def as_dict(self) -> dict:\n        body = {}\n");
    for field in fields {
        text.push_str(&format!("        if self.{field} is not None:\n            body[\"{field}\"] = self.{field}\n"));
    }
    let values: Vec<_> = fields.iter().map(|field| format!("{field}=d.get(\"{field}\", None)")).collect();
    text.push_str("        return body\n    @classmethod\n    def from_dict(cls, d):\n");
    text.push_str(&format!("        return cls({})\n\n", values.join(", ")));
    text
}

/// A class of operations.
fn service(name: &str, methods: Methods<'_>) -> String {
    let mut text = format!("class {name}API:\n    def __init__(self, api_client):\n        self._api = api_client\n");
    for (signature, statements) in methods {
        text.push_str(&format!("    def {signature}:\n"));
        let lines = statements.iter().flat_map(|statement| statement.lines());
        lines.for_each(|line| text.push_str(&format!("        {line}\n")));
    }
    text.push('\n');
    text
}

/// A wheel that pip takes for one.
pub(super) fn wheel(version: &str) -> Vec<u8> {
    let module = if version == FIRST { first() } else { second() };
    let information = format!("databricks_sdk-{version}.dist-info");
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("databricks/sdk/service/demo.py".to_owned(), module),
        (
            format!("{information}/METADATA"),
            format!("Metadata-Version: 2.1\nName: databricks-sdk\nVersion: {version}\n"),
        ),
        (
            format!("{information}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned(),
        ),
        (format!("{information}/RECORD"), String::new()),
    ] {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The index; it ends with the test.
pub(super) struct Index {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Index {
    /// An index with these releases.
    pub(super) fn with(versions: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut files = BTreeMap::new();
        let mut links = String::new();
        for version in versions {
            let name = format!("databricks_sdk-{version}-py3-none-any.whl");
            links.push_str(&format!("<a href=\"/files/{name}\">{name}</a>\n"));
            files.insert(format!("/files/{name}"), wheel(version));
        }
        files.insert("/simple/databricks-sdk/".to_owned(), format!("<html><body>{links}</body></html>").into_bytes());
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away is its own affair.
                let _ = stream.and_then(|stream| answer(stream, &files));
            }
        });
        Self { address, stopped, server: Some(server) }
    }

    /// pip with this index and no other.
    pub(super) fn pip(&self) -> Pip {
        pip(&format!("http://{}/simple", self.address))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The server waits for the next connection.
        let _ = TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// pip with an index where nobody listens.
pub(super) fn unreachable_pip() -> Pip {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    pip(&format!("http://{address}/simple"))
}

/// pip with an index, without the settings of this machine.
fn pip(index: &str) -> Pip {
    let nothing = ["PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PROXY", "HTTP_PROXY", "http_proxy"];
    let mut environment: Vec<_> = nothing.into_iter().map(|name| (name, String::new())).collect();
    let config = if cfg!(windows) { "nul" } else { "/dev/null" };
    environment.extend([
        ("PIP_INDEX_URL", index.to_owned()),
        ("PIP_CONFIG_FILE", config.to_owned()),
        ("PIP_NO_CACHE_DIR", "1".to_owned()),
        ("PIP_RETRIES", "0".to_owned()),
    ]);
    Pip { environment }
}

fn answer(stream: TcpStream, files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = files.get(path).map_or(("404 Not Found", &[][..]), |body| ("200 OK", body.as_slice()));
    let kind = if path.ends_with('/') { "text/html" } else { "application/octet-stream" };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    (&stream).write_all(head.as_bytes())?;
    (&stream).write_all(body)
}
