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

/// The browser, back and waiting for a page.
#[derive(Debug)]
pub(super) struct Return {
    stream: TcpStream,
    /// What it brought.
    pub(super) code: Result<Secret, Error>,
    /// Who says to have sent it.
    pub(super) issuer: Option<String>,
}

impl Callback {
    /// Listens on the port asked for, or on the first free one.
    pub(super) async fn listen(asked: Option<&str>) -> Result<Callback, Error> {
        let ports = match asked.map(str::parse::<u16>).transpose() {
            Ok(Some(port)) => port..=port,
            Ok(None) => PORTS,
            Err(_) => {
                return Err(Error::configuration("DATABRICKS_OAUTH_CALLBACK_PORT is not a port number")
                    .with_hint("unset it to use any free port"));
            }
        };
        for port in ports.clone() {
            let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await else { continue };
            let Ok(address) = listener.local_addr() else { continue };
            return Ok(Callback { listener, port: address.port() });
        }
        Err(match asked {
            Some(port) => Error::configuration(format!("port {port}, to which the browser should return, is in use"))
                .with_hint("free it, or unset DATABRICKS_OAUTH_CALLBACK_PORT to use any free port"),
            None => Error::configuration(format!(
                "all ports from {} to {}, to one of which the browser should return, are in use",
                PORTS.start(),
                PORTS.end()
            ))
            .with_hint("set DATABRICKS_OAUTH_CALLBACK_PORT to a free port"),
        })
    }

    /// Where the browser is sent back to.
    pub(super) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the return of this login. Requests that do not know its state are somebody else's, get an error page
    /// and end nothing.
    pub(super) async fn wait(&self, state: &str) -> Return {
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
                    match judge(&query, state) {
                        Ok(code) => return Return { stream, code, issuer: query.get("iss").cloned() },
                        Err((status, text)) => answer(&mut stream, status, text).await,
                    }
                }
            }
        }
    }
}

impl Return {
    /// Shows in the browser how it ended.
    pub(super) async fn close<T>(mut self, result: &Result<T, Error>) {
        match result {
            Ok(_) => answer(&mut self.stream, "200 OK", "You are logged in. You can close this page.").await,
            Err(error) => {
                let text = format!("The login failed: {error}. You can close this page.");
                answer(&mut self.stream, "400 Bad Request", &text).await;
            }
        }
    }
}

type Query = HashMap<String, String>;

/// What the return brings, or what to answer to a request that is none.
fn judge(query: &Query, state: &str) -> Result<Result<Secret, Error>, (&'static str, &'static str)> {
    let given = |name: &str| query.get(name).filter(|text| !text.is_empty());
    if given("state").is_none_or(|given| given != state) {
        if given("code").or_else(|| given("error")).is_none() {
            return Err(("404 Not Found", "This is not the page you are looking for."));
        }
        let text = "This page belongs to another login. Go back to the terminal and open the page that it names.";
        return Err(("400 Bad Request", text));
    }
    if let Some(code) = given("code") {
        return Ok(Ok(code.as_str().into()));
    }
    let told = |name| given(name).map_or(String::new(), |text: &String| format!(": {}", plain_text(text)));
    let error = Error::credentials(format!("the login was refused{}{}", told("error"), told("error_description")));
    Ok(Err(error.with_hint("log in again and accept, or ask an administrator of the workspace")))
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
    // Some of the text comes from outside.
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = format!("<!doctype html><title>Databricks</title><p>{text}</p>");
    // The address of the page holds the code: it is neither kept nor told to anybody.
    let head = "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
        Content-Security-Policy: default-src 'none'\r\nConnection: close";
    let response = format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{page}", page.len());
    // The page is a courtesy.
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
}
