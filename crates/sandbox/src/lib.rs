//! An embedded Databricks workspace on loopback: state in memory, SQL that really runs.
//!
//! Start one with [`Sandbox::start`], point any Databricks client at [`Sandbox::url`] with
//! [`Sandbox::token`], and drop it to stop it. Two sandboxes in one process share nothing.
//!
//! The way through the crate: `server` takes a request off the wire, `loopback` turns away web pages, `faults` may spoil it, `contract`
//! checks it against the specs, `router` finds its handler in the tables of `areas`, each area keeps its
//! state in `workspace` or as JSON in `store`, `synthesize` answers for operations without a handler, `sql` is the engine that
//! the catalog, statements and jobs share, and `seed` fills a new workspace.

mod areas;
mod clock;
mod contract;
mod control;
mod error;
mod faults;
mod form;
mod ids;
mod json;
mod line;
mod loopback;
mod page;
mod pattern;
mod reply;
mod request;
mod router;
mod seed;
mod server;
mod sql;
mod stack;
mod store;
mod synthesize;
mod system;
mod text;
mod work;
mod workspace;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use crate::clock::Speed;
pub use crate::faults::Faults;
use crate::router::Router;
pub use crate::seed::Seed;
use crate::workspace::Workspace;

/// The instant at which a sandbox's clock starts unless told otherwise: 2026-03-02T09:00:00Z.
///
/// Seeds and the clock hang on it, so two starts of a sandbox tell the same story.
pub const DEFAULT_EPOCH_MILLIS: i64 = 1_772_442_000_000;

/// How to start a sandbox. Everything has a default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The loopback port; 0 takes any free one.
    pub port: u16,
    /// How fast clusters start and runs end.
    pub speed: Speed,
    /// The bearer token that every request has to carry; none makes one that nobody can guess.
    pub token: Option<String>,
    /// What the sandbox's clock shows when it starts, in milliseconds since 1970 (UTC).
    pub epoch_millis: i64,
    /// What goes wrong from the start; more can be asked for at `/__sandbox/faults`.
    pub faults: Faults,
    /// What the workspace holds instead of the samples, or besides them.
    pub seed: Option<Seed>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            speed: Speed::Fast,
            token: None,
            epoch_millis: DEFAULT_EPOCH_MILLIS,
            faults: Faults::default(),
            seed: None,
        }
    }
}

impl Options {
    /// The same options on another port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same options at another speed.
    #[must_use]
    pub fn with_speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// The same options with a token that is known before the start.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The same options with another start of the clock.
    #[must_use]
    pub fn with_epoch_millis(mut self, epoch_millis: i64) -> Self {
        self.epoch_millis = epoch_millis;
        self
    }

    /// The same options with faults on demand.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// The same options with another state to begin with.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Why a sandbox did not start, or faults, a seed or a speed were not understood.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Kind);

impl Error {
    pub(crate) fn faults(message: String) -> Self {
        Self(Kind::Faults(message))
    }

    pub(crate) fn seed(message: String) -> Self {
        Self(Kind::Seed(message))
    }

    pub(crate) fn speed(name: &str) -> Self {
        Self(Kind::Speed(name.to_owned()))
    }
}

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("cannot listen on `127.0.0.1:{port}`: {source}")]
    Listen { port: u16, source: std::io::Error },
    #[error("cannot make a token: {0}")]
    Token(getrandom::Error),
    #[error("{0}")]
    Faults(String),
    #[error("seed: {0}")]
    Seed(String),
    #[error("cannot fill the sandbox with its samples: {0}")]
    Samples(String),
    #[error("the clock `{0}` is unknown; it is `demo`, `fast`, `real` or `manual`")]
    Speed(String),
}

/// A running workspace. It stops when dropped.
#[derive(Debug)]
pub struct Sandbox {
    url: String,
    workspace: Arc<Workspace>,
    _stop: oneshot::Sender<()>,
}

impl Sandbox {
    /// Starts a workspace on the current tokio runtime.
    ///
    /// # Errors
    /// When the port is taken, or something of the seed does not fit.
    pub async fn start(mut options: Options) -> Result<Self, Error> {
        let made = || ids::secret().map(|secret| format!("dapi-sandbox-{secret}"));
        options.token = Some(options.token.take().map_or_else(made, Ok).map_err(Kind::Token)?);
        let port = options.port;
        let listen = |source| Error(Kind::Listen { port, source });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let url = format!("http://{}", listener.local_addr().map_err(listen)?);
        let workspace = Workspace::new(&options, url.clone());
        let samples = options.seed.as_ref().is_none_or(Seed::has_samples);
        seed::fill(&workspace, samples).map_err(|message| Error(Kind::Samples(message)))?;
        workspace.clock.run();
        let (workspace, router) = (Arc::new(workspace), Arc::new(Router::new(areas::routes())));
        if let Some(seed) = &options.seed {
            seed.plant(&workspace, &router).await.map_err(Error::seed)?;
        }
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(server::serve(listener, Arc::clone(&workspace), router, stopped));
        Ok(Self { url, workspace, _stop: stop })
    }

    /// The workspace's base address, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bearer token it accepts.
    #[must_use]
    pub fn token(&self) -> &str {
        self.workspace.token()
    }

    /// Moves the clock on. Only a sandbox at [`Speed::Manual`] needs it; elsewhere it jumps ahead.
    pub fn advance(&self, by: Duration) {
        self.workspace.clock.advance(by);
    }
}
