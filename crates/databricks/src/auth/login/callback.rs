//! The browser's return from a login: the smallest web server that can take it.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::{Error, plain_text};
use crate::secret::Secret;

/// The ports that are tried, as in the Databricks CLI; the service takes any port of this machine.
const PORTS: std::ops::RangeInclusive<u16> = 8020..=8040;
/// A browser sends its request at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// The head of a request is at most this long.
const LONGEST_HEAD: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Callback {
    listener: TcpListener,
    port: u16,
}

impl Callback {
    /// Listens on the port asked for, or on the first free one.
    pub(super) async fn listen(asked: Option<&str>) -> Result<Callback, Error> {
        let ports = match asked.map(str::parse::<u16>).transpose() {
            Ok(Some(port)) => port..=port,
            Ok(None) => PORTS,
            Err(_) => return Err(Error::configuration("DATABRICKS_OAUTH_CALLBACK_PORT is not a port number")),
        };
        for port in ports.clone() {
            let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await else { continue };
            let Ok(address) = listener.local_addr() else { continue };
            return Ok(Callback { listener, port: address.port() });
        }
        let (first, last) = (ports.start(), ports.end());
        Err(Error::configuration(format!("no port from {first} to {last} is free for the browser to come back to")))
    }

    /// Where the browser is sent back to.
    pub(super) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Waits for the code. Requests that do not know the state are somebody else's and answered with 404.
    pub(super) async fn code(&self, state: &str) -> Result<Secret, Error> {
        // Browsers open connections that they do not use, so each is listened to by itself.
        let mut readers = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        readers.spawn(timeout(PATIENCE, read(stream)));
                    }
                }
                Some(done) = readers.join_next() => {
                    let Ok(Ok(Some((mut stream, query)))) = done else { continue };
                    let (status, text, result) = judge(&query, state);
                    answer(&mut stream, status, text).await;
                    if let Some(result) = result {
                        return result;
                    }
                }
            }
        }
    }
}

type Query = HashMap<String, String>;

/// What to answer to a request, and how the login ends by it, if it does.
fn judge(query: &Query, state: &str) -> (&'static str, &'static str, Option<Result<Secret, Error>>) {
    if query.get("state").is_none_or(|given| given != state) {
        return ("404 Not Found", "This is not the page you are looking for.", None);
    }
    if let Some(code) = query.get("code").filter(|code| !code.is_empty()) {
        return ("200 OK", "You are logged in. You can close this page.", Some(Ok(code.as_str().into())));
    }
    let told = |name| query.get(name).map_or(String::new(), |text: &String| format!(": {}", plain_text(text)));
    let error = Error::credentials(format!("the login was refused{}{}", told("error"), told("error_description")));
    ("200 OK", "The login failed. You can close this page.", Some(Err(error)))
}

/// The query of a request.
async fn read(mut stream: TcpStream) -> Option<(TcpStream, Query)> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let length = stream.read(&mut part).await.ok().filter(|length| *length > 0)?;
        head.extend_from_slice(part.get(..length)?);
        if head.len() > LONGEST_HEAD {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.strip_prefix("GET ")?.split(' ').next()?;
    let url = Url::parse("http://localhost").ok()?.join(target).ok()?;
    let query = url.query_pairs().into_owned().collect();
    Some((stream, query))
}

async fn answer(stream: &mut TcpStream, status: &str, text: &str) {
    let page = format!("<!doctype html><title>Databricks</title><p>{text}</p>");
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    // The page is a courtesy.
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
}
