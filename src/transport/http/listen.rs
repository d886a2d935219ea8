//! Taking connections: from a port or a socket file, with TLS or without, within bounds of number and time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::transport::http::options::{Address, SocketMode};
use crate::transport::http::preface;
use crate::transport::http::tls::Tls;

/// The head of a request, the greeting of TLS, and the first bytes without TLS come within this time, also after the request before.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// The head of a request has so many bytes, and so many fields.
const MOST_HEAD_BYTES: usize = 64 << 10;
const MOST_HEADERS: usize = 100;
/// So many requests of one HTTP/2 connection are under way at once.
const MOST_PER_CONNECTION: u32 = 256;
/// How long the loop rests when no connection can be taken, as there are no descriptors left.
const REST: Duration = Duration::from_millis(200);

/// An open port or socket file.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
}

/// A socket file, which goes when the server ends.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Opens an address; the mode is that of a socket file.
    pub(crate) async fn open(address: &Address, mode: SocketMode) -> Result<Self, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::failed(format!("cannot listen on `{address}`: {error}"));
        match address {
            Address::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await.map_err(|error| failed(&error))?)),
            #[cfg(unix)]
            Address::Unix(path) => open_socket(path, mode).map_err(|error| failed(&error)),
            #[cfg(not(unix))]
            Address::Unix(_) => {
                let _ = mode;
                Err(failed(&"this system has no socket files"))
            }
        }
    }

    /// Where it listens, with the port that was taken.
    pub(crate) fn address(&self) -> Address {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| Address::default(), Address::Tcp),
            #[cfg(unix)]
            Self::Unix(_, file) => Address::Unix(file.0.clone()),
        }
    }
}

/// A socket file that those can use whom the mode names. One that a server has left behind is replaced.
#[cfg(unix)]
fn open_socket(path: &Path, mode: SocketMode) -> io::Result<Listener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    if std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there")),
            Err(_) => std::fs::remove_file(path)?,
        }
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_path_buf());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode.bits()))?;
    Ok(Listener::Unix(listener, file))
}

/// How many connections there may be, and when they end.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) connections: Arc<Semaphore>,
    /// From then on, no connection is taken, and each ends after the request that it is at.
    pub(crate) closing: CancellationToken,
}

/// Serves connections until the terms end it, and then until those that are open have ended.
pub(crate) async fn serve(listener: Listener, tls: Option<Arc<Tls>>, router: Router, terms: Terms) {
    let graceful = GracefulShutdown::new();
    while let Some(permit) = tokio::select! {
        permit = Arc::clone(&terms.connections).acquire_owned() => permit.ok(),
        () = terms.closing.cancelled() => None,
    } {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = terms.closing.cancelled() => break,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection was not taken");
                sleep(REST).await;
                continue;
            }
        };
        let (router, tls, watcher) = (router.clone(), tls.clone(), graceful.watcher());
        let closing = terms.closing.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let begun = tokio::select! {
                begun = timeout(HEAD_TIME, begun(stream, tls)) => begun,
                // There is no request yet that would have to be answered.
                () = closing.cancelled() => return,
            };
            match begun {
                Ok(Ok((stream, true))) => multiplexed(stream, router, watcher).await,
                Ok(Ok((stream, false))) => plain(stream, router, watcher).await,
                Ok(Err(error)) => tracing::debug!(%error, "a connection was not begun"),
                Err(_) => tracing::debug!("a connection was not begun in time"),
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// A stream of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
pub(crate) type AnyStream = Box<dyn Stream>;

async fn accept(listener: &Listener) -> io::Result<AnyStream> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            // Events are small, and wait for nothing.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        #[cfg(unix)]
        Listener::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
    }
}

/// The stream of a connection on which something has come, and whether it speaks HTTP/2: agreed on by TLS, or said at once.
async fn begun(stream: AnyStream, tls: Option<Arc<Tls>>) -> io::Result<(AnyStream, bool)> {
    match tls {
        Some(tls) => tls.accept(stream).await,
        None => {
            let (stream, is_http_2) = preface::heard(stream).await?;
            Ok((Box::new(stream), is_http_2))
        }
    }
}

async fn plain(stream: AnyStream, router: Router, watcher: Watcher) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    server.max_buf_size(MOST_HEAD_BYTES).max_headers(MOST_HEADERS);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn multiplexed(stream: AnyStream, router: Router, watcher: Watcher) {
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.timer(TokioTimer::new()).keep_alive_interval(HEAD_TIME).keep_alive_timeout(HEAD_TIME);
    server.max_concurrent_streams(MOST_PER_CONNECTION);
    server.max_header_list_size(u32::try_from(MOST_HEAD_BYTES).unwrap_or(u32::MAX));
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
}
