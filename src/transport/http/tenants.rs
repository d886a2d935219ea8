//! A server for each caller: clients, limits, sessions and definitions of their own, so that nothing of one caller can be
//! reached by another.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use databricks::{CallerToken, OnBehalf, Secret};
use http::StatusCode;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caller::Caller;
use crate::context::Context;
use crate::error::Error;
use crate::registry::{Narrowing, Registry};
use crate::seal::SigningKeys;
use crate::server::Server;
use crate::transport::http::auth::hash;
use crate::transport::http::negotiation::worded;
use crate::transport::http::options::{CallAs, HttpOptions};
use crate::transport::http::principal::Principal;
use crate::transport::http::problem::Problem;
use crate::transport::http::sessions::{Home, Sessions};

/// So many callers are known at once. One takes some 100 kB.
const MOST: usize = 10_000;
/// So many ways to narrow one server.
const MOST_NARROWINGS: usize = 16;
/// A caller who has been idle for so long makes room for another.
const IDLE: Duration = Duration::from_secs(60);
/// How often an open stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The servers of all callers.
#[derive(Debug)]
pub(crate) struct Tenants {
    template: Server,
    call_as: CallAs,
    sessions: bool,
    max_calls: usize,
    max_streams: usize,
    max_body_bytes: usize,
    keys: SigningKeys,
    /// The number of the next server.
    next: AtomicU64,
    known: Mutex<HashMap<Key, Account>>,
    /// The tools of those who do not have all.
    shared: Mutex<HashMap<Vec<Narrowing>, Weak<Registry>>>,
}

/// What tells callers apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    principal: Arc<str>,
    /// The SHA-256 of the token that calls are made with, where nothing else says whose it is.
    token: Option<String>,
}

/// What is known of one caller: the servers for all that they have narrowed theirs to, and what these share.
#[derive(Debug)]
struct Account {
    servers: HashMap<Vec<Narrowing>, Arc<Tenant>>,
    limits: Limits,
}

/// How much of a caller is under way, whatever they have narrowed.
#[derive(Debug, Clone)]
struct Limits {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    sessions: Arc<Sessions>,
}

/// The server of one caller.
pub(crate) struct Tenant {
    server: Server,
    home: Home,
    has_sessions: bool,
    stateless: StreamableHttpService<Server, NeverSessionManager>,
    limits: Limits,
    max_streams: usize,
    token: Option<CallerToken>,
    used: Mutex<Instant>,
}

impl fmt::Debug for Tenant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tenant").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Tenants {
    /// Servers like `template` for the callers to come, each with its tools or a part of them.
    pub(crate) fn new(
        template: Server,
        call_as: CallAs,
        options: &HttpOptions,
        max_body_bytes: usize,
    ) -> Result<Self, Error> {
        Ok(Self {
            keys: options.signing_keys.as_deref().map_or_else(SigningKeys::random, SigningKeys::read)?,
            template,
            call_as,
            sessions: !options.no_sessions,
            max_calls: options.max_calls as usize,
            max_streams: options.max_streams as usize,
            max_body_bytes,
            next: AtomicU64::default(),
            known: Mutex::default(),
            shared: Mutex::default(),
        })
    }

    /// The server of a caller, narrowed to what a request asks for; `token` is what the workspace is called with.
    ///
    /// # Errors
    /// For a narrowing by unknown names, and while too many callers are busy.
    pub(crate) fn of(
        &self,
        principal: &Principal,
        asked: &[Narrowing; 2],
        token: Option<Secret>,
    ) -> Result<Arc<Tenant>, Problem> {
        let narrowings: Vec<_> = principal.grant.narrowings.iter().chain(asked).cloned().collect();
        let tells_apart = token.as_ref().filter(|_| self.call_as == CallAs::Header);
        let key = Key { principal: Arc::clone(&principal.id), token: tells_apart.map(|token| hash(token.expose())) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(&key) && known.len() >= MOST {
            known.retain(|_, account| account.servers.values().any(Tenant::is_busy));
            if known.len() >= MOST {
                let message = format!("this server has {MOST} callers, as many as it takes at once");
                return Err(Problem::later(StatusCode::SERVICE_UNAVAILABLE, message, 30));
            }
        }
        let account = known.entry(key).or_insert_with(|| Account {
            servers: HashMap::new(),
            limits: Limits {
                calls: Arc::new(Semaphore::new(self.max_calls)),
                streams: Arc::new(Semaphore::new(self.max_streams)),
                sessions: Arc::default(),
            },
        });
        if let Some(tenant) = account.servers.get(&narrowings) {
            tenant.use_again(token);
            return Ok(Arc::clone(tenant));
        }
        if account.servers.len() >= MOST_NARROWINGS {
            let idle = account.servers.iter().filter(|(_, tenant)| !tenant.is_used());
            let oldest = idle.min_by_key(|(_, tenant)| tenant.used()).map(|(narrowings, _)| narrowings.clone());
            let oldest = oldest.ok_or_else(|| {
                let message = "you use this server narrowed in as many ways as it takes at once";
                Problem::later(StatusCode::TOO_MANY_REQUESTS, message, 10)
            })?;
            account.servers.remove(&oldest);
        }
        let wrong = |error: Error| Problem::new(StatusCode::BAD_REQUEST, error.to_string());
        let tenant = Arc::new(self.tenant(principal, &narrowings, token, &account.limits).map_err(wrong)?);
        account.servers.insert(narrowings, Arc::clone(&tenant));
        Ok(tenant)
    }

    /// How many callers there are.
    pub(crate) fn len(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The tools that are left. Callers with the same share them.
    fn registry(&self, narrowings: &[Narrowing]) -> Result<Arc<Registry>, Error> {
        let mut registry = self.template.registry();
        let narrowings: Vec<_> = narrowings.iter().filter(|narrowing| !narrowing.is_none()).cloned().collect();
        if narrowings.is_empty() {
            return Ok(registry);
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = shared.get(&narrowings).and_then(Weak::upgrade) {
            return Ok(registry);
        }
        for narrowing in &narrowings {
            registry = Arc::new(registry.narrowed(narrowing)?);
        }
        shared.retain(|_, registry| registry.strong_count() > 0);
        shared.insert(narrowings, Arc::downgrade(&registry));
        Ok(registry)
    }

    fn tenant(
        &self,
        principal: &Principal,
        narrowings: &[Narrowing],
        token: Option<Secret>,
        limits: &Limits,
    ) -> Result<Tenant, Error> {
        let registry = self.registry(narrowings)?;
        let token = token.map(CallerToken::new);
        let on_behalf = token.clone().map(|token| match self.call_as {
            CallAs::Exchange => OnBehalf::Exchange(token),
            CallAs::Service | CallAs::Forwarded | CallAs::Header => OnBehalf::Token(token),
        });
        let read_only = narrowings.iter().any(|narrowing| narrowing.read_only);
        let workspaces = self.template.all_workspaces().each(|context| {
            let mut policy = context.policy;
            policy.read_only |= read_only;
            Context {
                client: context.client.for_caller(on_behalf.clone()),
                // What one caller may list, another may not.
                cache: context.cache.apart(),
                // Whom the workspace knows differs with the credentials.
                identity: if on_behalf.is_some() { Arc::default() } else { context.identity },
                seal: principal.name.is_some().then(|| self.keys.of(&principal.id)),
                caller: Caller { principal: principal.name.clone(), ..context.caller },
                policy,
                ..context
            }
        });
        let seal = self.keys.of(&principal.id);
        let server = self.template.for_caller(registry, workspaces, self.max_calls, seal);
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_sse_keep_alive(Some(KEEP_ALIVE))
            .with_max_request_body_bytes(self.max_body_bytes)
            // Both are checked before, for every path.
            .disable_allowed_hosts()
            .disable_allowed_origins();
        let for_request = server.clone();
        let stateless = StreamableHttpService::new(
            move || Ok(for_request.clone()),
            Arc::new(NeverSessionManager::default()),
            config,
        );
        Ok(Tenant {
            server,
            home: self.next.fetch_add(1, Ordering::Relaxed),
            has_sessions: self.sessions,
            stateless,
            limits: limits.clone(),
            max_streams: self.max_streams,
            token,
            used: Mutex::new(Instant::now()),
        })
    }
}

impl Tenant {
    /// The server, for what it knows of its tools.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// A place for a call. It is free again when the result is dropped.
    pub(crate) fn call(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.limits.calls).try_acquire_owned().map_err(|_| {
            let message = "as many of your calls are under way as this server allows; send this one again when others have \
                           ended";
            Problem::later(StatusCode::TOO_MANY_REQUESTS, message, 1)
        })
    }

    /// A place for a stream that stays open.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.limits.streams).try_acquire_owned().map_err(|_| {
            let message = "you have as many open streams as this server allows; close one first";
            Problem::later(StatusCode::TOO_MANY_REQUESTS, message, 10)
        })
    }

    /// The sessions of its caller, and how many there may be, unless there are none.
    pub(crate) fn sessions(&self) -> Option<(&Sessions, usize)> {
        self.has_sessions.then_some((&*self.limits.sessions, self.max_streams))
    }

    /// What tells its sessions from those of the caller's other servers.
    pub(crate) fn home(&self) -> Home {
        self.home
    }

    /// Answers a request that belongs to no session.
    pub(crate) async fn answer<B>(&self, request: http::Request<B>) -> axum::response::Response
    where
        B: http_body::Body + Send + 'static,
        B::Error: fmt::Display,
    {
        worded(self.stateless.handle(request).await).await
    }

    fn use_again(&self, token: Option<Secret>) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if let (Some(place), Some(token)) = (&self.token, token) {
            place.set(token);
        }
    }

    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is being used.
    fn is_used(self: &Arc<Self>) -> bool {
        self.limits.sessions.has_any(self.home) || Arc::strong_count(self) > 1
    }

    /// Whether it was used lately, or is being used.
    fn is_busy(self: &Arc<Self>) -> bool {
        self.is_used() || self.used().elapsed() < IDLE
    }
}
