//! The network: a proxy that lets through who knows its password, and behind it a workspace whose certificate only the
//! company's own authority vouches for.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Response};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::certificates::Certificates;

/// What must never be seen: the secret of the service principal, its token, the password of the proxy in both forms.
pub(crate) const SECRETS: [&str; 4] =
    ["client-secret-never-shown", "token-never-shown-1", "proxy-password-never-shown", "dXNlcjpwcm94eS1wYXNz"];

/// What the workspace and the proxy have seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Where the proxy was asked to connect to.
    pub(crate) connects: Vec<String>,
    /// What the workspace was asked.
    pub(crate) requests: Vec<Request>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Version, method and target.
    pub(crate) line: String,
    pub(crate) authorization: String,
    pub(crate) user_agent: String,
}

/// The network; it ends with the test's runtime.
pub(crate) struct Company {
    proxy: u16,
    workspace: u16,
    certificates: Certificates,
    seen: Arc<Mutex<Seen>>,
}

type Shared = Arc<Mutex<Seen>>;

impl Company {
    /// A network whose workspace speaks these protocols.
    pub(crate) async fn start(protocols: &[&str]) -> Result<Company, Box<dyn Error>> {
        let seen = Shared::default();
        let certificates = Certificates::make()?;
        let mut server = certificates.server();
        server.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let (proxy, workspace) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let company = Company {
            proxy: proxy.local_addr()?.port(),
            workspace: workspace.local_addr()?.port(),
            certificates,
            seen: Arc::clone(&seen),
        };
        let (port, log) = (company.workspace, Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = proxy.accept().await {
                tokio::spawn(tunnel(stream, port, Arc::clone(&log)));
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = workspace.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, Arc::clone(&seen)));
            }
        });
        Ok(company)
    }

    /// The proxy, with user and password.
    pub(crate) fn proxy_url(&self) -> String {
        format!("http://user:{}@127.0.0.1:{}", SECRETS[2], self.proxy)
    }

    pub(crate) fn workspace_port(&self) -> u16 {
        self.workspace
    }

    /// The certificate of the company's authority.
    pub(crate) fn authority(&self) -> PathBuf {
        self.certificates.authority()
    }

    /// The certificate of somebody else's authority.
    pub(crate) fn another_authority(&self) -> PathBuf {
        self.certificates.another()
    }

    pub(crate) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

fn lock(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever knows the password is led to the workspace, wherever he wants to go.
async fn tunnel(stream: TcpStream, port: u16, seen: Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let head = head(&mut stream).await?;
    let password = STANDARD.encode(format!("user:{}", SECRETS[2]));
    let knows = head.iter().any(|line| line.eq_ignore_ascii_case(&format!("Proxy-Authorization: Basic {password}")));
    let target = head.first().and_then(|line| line.strip_prefix("CONNECT ")?.split(' ').next()).map(str::to_owned);
    let (Some(target), true) = (target, knows) else {
        return stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await;
    };
    lock(&seen).connects.push(target);
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let mut workspace = TcpStream::connect(("127.0.0.1", port)).await?;
    copy_bidirectional(&mut stream, &mut workspace).await.map(drop)
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, seen: Shared) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = acceptor.accept(stream).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let mut connection = h2::server::handshake(stream).await?;
        while let Some(request) = connection.accept().await {
            let (request, mut respond) = request?;
            let answer =
                answer(request.uri().path(), request.uri().authority().map_or("", |authority| authority.as_str()));
            let target = request.uri().path_and_query().map_or("", |target| target.as_str());
            note(&seen, &format!("HTTP/2.0 {} {target}", request.method()), request.headers());
            let response = Response::builder().header("content-type", "application/json").body(())?;
            respond.send_response(response, false)?.send_data(answer.into(), true)?;
        }
        return Ok(());
    }
    serve_plain(BufReader::new(stream), seen).await
}

async fn serve_plain(
    mut stream: BufReader<impl AsyncRead + AsyncWrite + Unpin>,
    seen: Shared,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let head = head(&mut stream).await?;
        let Some((first, fields)) = head.split_first() else { return Ok(()) };
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().filter_map(|field| field.split_once(": ")) {
            headers.insert(http::HeaderName::try_from(name)?, value.parse()?);
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let mut body = vec![0; text("content-length").parse().unwrap_or_default()];
        stream.read_exact(&mut body).await?;
        let (line, version) = first.rsplit_once(' ').ok_or("no request line")?;
        note(&seen, &format!("{version} {line}"), &headers);
        let target = line.split(' ').nth(1).unwrap_or_default();
        let answer = answer(target.split('?').next().unwrap_or_default(), &text("host"));
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).await?;
    }
}

/// The lines up to an empty one; none at the end of a connection.
async fn head(stream: &mut BufReader<impl AsyncRead + Unpin>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end() {
            "" => return Ok(lines),
            text => lines.push(text.to_owned()),
        }
    }
}

fn note(seen: &Shared, line: &str, headers: &HeaderMap) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let request =
        Request { line: line.to_owned(), authorization: text("authorization"), user_agent: text("user-agent") };
    lock(seen).requests.push(request);
}

fn answer(path: &str, authority: &str) -> String {
    match path {
        "/oidc/.well-known/oauth-authorization-server" => {
            let place = format!("https://{authority}/oidc/v1");
            format!(r#"{{"authorization_endpoint":"{place}/authorize","token_endpoint":"{place}/token"}}"#)
        }
        "/oidc/v1/token" => format!(r#"{{"access_token":"{}","token_type":"Bearer","expires_in":3600}}"#, SECRETS[1]),
        _ => "{}".to_owned(),
    }
}
