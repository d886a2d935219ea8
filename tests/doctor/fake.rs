//! A host that answers what a test wants, over plain HTTP or TLS.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// An answer.
pub(crate) struct Reply {
    status: &'static str,
    header: String,
    /// `{self}` stands for the URL of the host.
    body: &'static str,
}

impl Reply {
    /// The same answer with another header in place of its media type.
    pub(crate) fn with(self, header: impl Into<String>) -> Self {
        Self { header: header.into(), ..self }
    }
}

pub(crate) fn json(body: &'static str) -> Reply {
    refusal("200 OK", body)
}

pub(crate) fn refusal(status: &'static str, body: &'static str) -> Reply {
    Reply { status, header: "Content-Type: application/json".to_owned(), body }
}

pub(crate) fn page() -> Reply {
    json("<!DOCTYPE html><html><body>Sign in</body></html>").with("Content-Type: text/html")
}

/// A workspace in which all is well: the ground that the tests spoil.
pub(crate) fn well(path: &str) -> Reply {
    json(match path {
        "/.well-known/databricks-config" => r#"{"workspace_id":"7","cloud":"AWS","host_type":"workspace"}"#,
        "/api/2.0/preview/scim/v2/Me" => r#"{"id":"1","userName":"ann@acme.test","active":true}"#,
        "/api/2.0/sql/warehouses" => r#"{"warehouses":[{"id":"w1","name":"Small","state":"RUNNING"}]}"#,
        _ => "{}",
    })
}

/// Answers on a free port of loopback for as long as the process lives, and gives the URL.
pub(crate) fn http(answers: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    serve(listener, move |stream| answer(stream, &answers));
    Ok(url)
}

/// The same over TLS.
#[cfg(target_os = "linux")]
pub(crate) fn https(
    config: rustls::ServerConfig,
    answers: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> Result<String, Box<dyn Error>> {
    let config = std::sync::Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("https://{}", listener.local_addr()?);
    serve(listener, move |stream| {
        let connection =
            rustls::ServerConnection::new(std::sync::Arc::clone(&config)).map_err(std::io::Error::other)?;
        answer(rustls::StreamOwned::new(connection, stream), &answers)
    });
    Ok(url)
}

fn serve(listener: TcpListener, answer: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is none of this test's business.
            let _ = answer(stream);
        }
    });
}

/// One request, one answer. No request of these tests has a body that matters.
fn answer(mut stream: impl Read + Write, answers: &impl Fn(&str) -> Reply) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let Some(target) = head.split(' ').nth(1) else { return Ok(()) };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    stream.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let Reply { status, header, body } = answers(target.split('?').next().unwrap_or(target));
    let body = body.replace("{self}", &format!("http://{host}"));
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{header}\r\n\r\n{body}")?;
    stream.flush()
}
